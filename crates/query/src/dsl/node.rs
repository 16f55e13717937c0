//! A part of a JSON body and where it stands, read one level at a time.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::floor;
use crate::tree::Place;
use crate::url::text::{Problem, SyntaxError};

/// Bytes of a text that is no value: a name, a path, a list of columns.
const TEXT_BYTES_MAX: usize = 4_096;
/// Characters of a field's name that errors repeat.
const NAME_SHOWN_MAX: usize = 60;

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    raw: &'a str,
    pointer: String,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    List,
    Object,
}

/// The whole body.
pub(super) fn root(body: &[u8]) -> Result<Node<'_>, SyntaxError> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| no_json("", &error))?;
    Ok(Node {
        raw: raw.get(),
        pointer: String::new(),
    })
}

fn no_json(pointer: &str, error: &serde_json::Error) -> SyntaxError {
    SyntaxError::new(Place::in_body(pointer), Problem::Json(error.to_string()))
}

impl<'a> Node<'a> {
    /// A part of a body that was written as a text.
    pub fn within_text(&self, text: &'a str) -> Node<'a> {
        Node {
            raw: text,
            pointer: self.pointer.clone(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self.raw.as_bytes().first() {
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Object,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// As it was written.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// As errors name it.
    pub fn pointer(&self) -> &str {
        if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        }
    }

    pub fn place(&self) -> Place {
        Place::in_body(&self.pointer)
    }

    pub fn error(&self, problem: Problem) -> SyntaxError {
        SyntaxError::new(self.place(), problem)
    }

    pub fn expected(&self, what: &'static str) -> SyntaxError {
        self.error(Problem::Expected(what))
    }

    pub fn too_many(&self, what: &'static str, max: usize) -> SyntaxError {
        self.error(Problem::TooMuch { what, max })
    }

    /// A name, or other text of the grammar.
    pub fn text(&self) -> Result<String, SyntaxError> {
        if self.raw.len() > TEXT_BYTES_MAX {
            return Err(self.too_many("bytes in one name or list", TEXT_BYTES_MAX));
        }
        self.value_text()
    }

    /// Text of any length.
    pub fn value_text(&self) -> Result<String, SyntaxError> {
        if self.kind() != Kind::Text {
            return Err(self.expected("a text in quotes"));
        }
        self.parsed()
    }

    /// A whole number, also in quotes.
    pub fn number(&self, min: usize, max: usize) -> Result<usize, SyntaxError> {
        let text = match self.kind() {
            Kind::Text => self.text()?,
            _ => self.raw.to_owned(),
        };
        let number = text.trim().parse().ok();
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| {
                self.error(Problem::Instead(format!(
                    "a whole number from {min} to {max}"
                )))
            })
    }

    /// True or false, also in quotes.
    pub fn flag(&self) -> Result<bool, SyntaxError> {
        match (self.kind(), self.raw) {
            (Kind::Bool(flag), _) => Ok(flag),
            (_, "\"true\"") => Ok(true),
            (_, "\"false\"") => Ok(false),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Which of these words it is.
    pub fn word(&self, words: &[&str], expected: &'static str) -> Result<usize, SyntaxError> {
        let text = if self.kind() == Kind::Text {
            self.text()?
        } else {
            String::new()
        };
        let known = words.iter().position(|word| *word == text);
        known.ok_or_else(|| self.expected(expected))
    }

    pub fn list(&self) -> Result<Vec<Node<'a>>, SyntaxError> {
        if self.kind() != Kind::List {
            return Err(self.expected("a list in brackets"));
        }
        let items: Vec<&'a RawValue> = self.parsed()?;
        let item = |(at, raw): (usize, &'a RawValue)| Node {
            raw: raw.get(),
            pointer: format!("{}/{at}", self.pointer),
        };
        Ok(items.into_iter().enumerate().map(item).collect())
    }

    /// The items of a list, or the one that stands where a list may.
    pub fn one_or_several(&self) -> Result<Vec<Node<'a>>, SyntaxError> {
        match self.kind() {
            Kind::List => self.list(),
            _ => Ok(vec![self.clone()]),
        }
    }

    pub fn object(&self) -> Result<Object<'a>, SyntaxError> {
        if self.kind() != Kind::Object {
            return Err(self.expected("an object in braces"));
        }
        let fields: Fields<'a> = self.parsed()?;
        let field = |(name, raw): (String, &'a RawValue)| {
            let escaped = shown(&name).replace('~', "~0").replace('/', "~1");
            let node = Node {
                raw: raw.get(),
                pointer: format!("{}/{escaped}", self.pointer),
            };
            (name, node)
        };
        Ok(Object {
            node: self.clone(),
            fields: fields.0.into_iter().map(field).collect(),
        })
    }

    fn parsed<T: Deserialize<'a>>(&self) -> Result<T, SyntaxError> {
        serde_json::from_str(self.raw).map_err(|error| no_json(&self.pointer, &error))
    }
}

/// An object's fields, in the order they were written.
#[derive(Debug)]
pub(super) struct Object<'a> {
    node: Node<'a>,
    fields: Vec<(String, Node<'a>)>,
}

impl<'a> Object<'a> {
    pub fn fields(&self) -> &[(String, Node<'a>)] {
        &self.fields
    }

    pub fn without(mut self, names: &[&str]) -> Self {
        self.fields.retain(|(name, _)| !names.contains(&&**name));
        self
    }

    pub fn only_these(mut self, names: &[&str]) -> Self {
        self.fields.retain(|(name, _)| names.contains(&&**name));
        self
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// A field, whatever is in it.
    pub fn get_or_null(&self, name: &str) -> Option<&Node<'a>> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, node)| node)
    }

    /// A field. One that is null says nothing.
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        let node = self.get_or_null(name)?;
        (node.kind() != Kind::Null).then(|| node.clone())
    }

    pub fn needed(&self, name: &str, expected: &'static str) -> Result<Node<'a>, SyntaxError> {
        self.get(name).ok_or_else(|| self.node.expected(expected))
    }

    pub fn place(&self) -> Place {
        self.node.place()
    }

    pub fn error(&self, problem: Problem) -> SyntaxError {
        self.node.error(problem)
    }

    /// Refuses every other field, and one that is there twice.
    pub fn only(&self, known: &'static [&'static str]) -> Result<(), SyntaxError> {
        for (name, node) in &self.fields {
            if known.contains(&&**name) {
                continue;
            }
            let problem = if floor::FIELDS.contains(&&**name) {
                Problem::Instead(format!("'{name}' beside the outermost fields"))
            } else {
                let name = shown(name);
                Problem::UnknownField { name, known }
            };
            return Err(node.error(problem));
        }
        self.distinct()
    }

    /// Refuses a field that is there twice.
    pub fn distinct(&self) -> Result<(), SyntaxError> {
        for (at, (name, node)) in self.fields.iter().enumerate() {
            if self.fields[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(node.expected("each field once"));
            }
        }
        Ok(())
    }
}

/// A name as errors repeat it.
fn shown(name: &str) -> String {
    match name.char_indices().nth(NAME_SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// What an object has, before it is known where it stands.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(InOrder).map(Fields)
    }
}
