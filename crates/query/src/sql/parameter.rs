//! What `$1`, `$2`, … stand for, as JSON sends it. Numbers keep their digits.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// A value for a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    Null,
    Truth(bool),
    /// As it was written.
    Number(String),
    Text(String),
    /// For `= ANY ($1)`.
    List(Vec<Self>),
    /// JSON that stands for no value.
    Object,
}

impl Parameter {
    #[must_use]
    pub fn of_json(json: &RawValue) -> Self {
        let text = json.get().trim();
        match text.as_bytes().first() {
            Some(b't' | b'f') => Self::Truth(text == "true"),
            Some(b'"') => serde_json::from_str::<Cow<'_, str>>(text)
                .map_or(Self::Object, |text| Self::Text(text.into_owned())),
            Some(b'[') => {
                serde_json::from_str::<Vec<&RawValue>>(text).map_or(Self::Object, |elements| {
                    // No statement has a place for lists of lists.
                    let of = |element: &&RawValue| match element.get().as_bytes().first() {
                        Some(b'[') => Self::Object,
                        _ => Self::of_json(element),
                    };
                    Self::List(elements.iter().map(of).collect())
                })
            }
            Some(b'{') => Self::Object,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number(text.to_owned()),
        }
    }
}
