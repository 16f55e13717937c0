//! A row as text: its members, by the columns of its shape.

use std::borrow::Cow;

use row_model::{Row, RowBuilder};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use smallvec::SmallVec;

use crate::json_token::Token;
use crate::outline::{Layout, Member};
use crate::places::Places;
use crate::row_shape::{RowShape, ShapeColumn, within_bounds};
use crate::topic::Unwrapped;
use crate::{DecodeError, Placeholder};

/// Columns of most tables fit without an allocation.
const COLUMNS_INLINE: usize = 32;

/// A row as text, and where its members lie in it, if that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowText<'a> {
    text: &'a str,
    members: Option<Outlined<'a>>,
}

/// Members as they were outlined.
#[derive(Clone, Copy, Debug)]
struct Outlined<'a> {
    /// The text they were outlined in.
    within: &'a str,
    members: &'a [Member],
    layout: Layout,
}

impl<'a> RowText<'a> {
    pub fn of_text(text: &'a str) -> Self {
        Self {
            text,
            members: None,
        }
    }

    /// The value is the row.
    pub fn of_value(unwrapped: &Unwrapped<'a>) -> Self {
        let text = unwrapped.payload;
        let members = unwrapped.outline.members();
        Self {
            text,
            members: members.map(|members| Outlined::of(unwrapped, members)),
        }
    }

    /// The row is the member of the value that has this name.
    pub fn of_part(row: Token<'a>, name: &str, unwrapped: &Unwrapped<'a>) -> Self {
        let members = unwrapped.outline.members_of(unwrapped.payload, name);
        Self {
            text: row.get(),
            members: members.map(|members| Outlined::of(unwrapped, members)),
        }
    }

    /// Which names it has in which order, together with the rest of its record.
    pub fn layout(self) -> Option<Layout> {
        self.members.map(|outlined| outlined.layout)
    }

    /// Its values, as they come.
    pub fn values(self) -> impl Iterator<Item = Token<'a>> {
        let outlined = self.members.into_iter();
        outlined.flat_map(
            |Outlined {
                 within, members, ..
             }| { members.iter().map(|member| member.value(within)) },
        )
    }

    /// Splits the row into the tokens of `expected`'s columns.
    pub fn read(
        self,
        expected: Option<&RowShape>,
        part: &'static str,
    ) -> Result<RowTokens<'a>, DecodeError> {
        if let Some(Outlined {
            within, members, ..
        }) = self.members
        {
            let mut sorting = Sorting::new(expected);
            for member in members {
                sorting.push(Cow::Borrowed(member.name(within)), member.value(within));
            }
            return Ok(sorting.finish());
        }
        let mut json = serde_json::Deserializer::from_str(self.text);
        ReadRow(expected)
            .deserialize(&mut json)
            .map_err(|error| DecodeError::malformed(part, &error))
    }
}

impl<'a> Outlined<'a> {
    fn of(unwrapped: &Unwrapped<'a>, members: &'a [Member]) -> Self {
        Self {
            within: unwrapped.payload,
            members,
            layout: unwrapped.outline.layout(),
        }
    }
}

/// The tokens of one row, by column of its shape.
#[derive(Debug)]
pub(crate) struct RowTokens<'a> {
    tokens: Tokens<'a>,
    /// Names that the expected shape does not have, or lacks: the row has another shape.
    names: Option<Vec<Cow<'a, str>>>,
    /// The row has exactly the names of the expected shape, in its order.
    is_in_order: bool,
}

type Tokens<'a> = SmallVec<[Option<Token<'a>>; COLUMNS_INLINE]>;

impl<'a> RowTokens<'a> {
    /// The token of a column, if the row has it.
    pub fn get(&self, column: usize) -> Option<Token<'a>> {
        self.tokens.get(column).copied().flatten()
    }

    pub fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// The names of the row, if they are not exactly those of the expected shape.
    pub fn other_names(&self) -> Option<&[Cow<'a, str>]> {
        self.names.as_deref()
    }

    /// Encodes the row. `shape` is the expected one, or the one made of [`other_names`](Self::other_names).
    /// `key` is the record's own, as it was sent.
    pub fn encode(
        &self,
        shape: &RowShape,
        placeholder: Option<&Placeholder>,
        key: Row<'_>,
        row: &mut RowBuilder,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        shape.encode(self.tokens.iter().copied(), placeholder, key, row, out)
    }

    /// Encodes the values as they were sent. Not to be kept: see [`RowShape::encode_key`].
    pub fn encode_plain(
        &self,
        shape: &RowShape,
        row: &mut RowBuilder,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        row.clear();
        for (column, token) in shape.columns.iter().zip(&self.tokens) {
            column.push_plain(*token, None, row)?;
            within_bounds(row)?;
        }
        row.finish(out);
        Ok(())
    }
}

/// Reads an object's members into the places of the expected columns.
struct ReadRow<'s>(Option<&'s RowShape>);

impl<'de> DeserializeSeed<'de> for ReadRow<'_> {
    type Value = RowTokens<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadRow<'_> {
    type Value = RowTokens<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with the row's columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut sorting = Sorting::new(self.0);
        while let Some(Name(name)) = map.next_key()? {
            let value: Token<'de> = map.next_value()?;
            sorting.push(name, value);
        }
        Ok(sorting.finish())
    }
}

/// A row's members on their way to the places of the expected columns.
struct Sorting<'s, 'a> {
    expected: Option<&'s RowShape>,
    columns: &'s [ShapeColumn],
    tokens: Tokens<'a>,
    strangers: Vec<(Cow<'a, str>, Token<'a>)>,
}

impl<'s, 'a> Sorting<'s, 'a> {
    fn new(expected: Option<&'s RowShape>) -> Self {
        Self {
            expected,
            columns: expected.map_or(&[], |shape| &shape.columns),
            tokens: SmallVec::new(),
            strangers: Vec::new(),
        }
    }

    #[inline]
    fn push(&mut self, name: Cow<'a, str>, value: Token<'a>) {
        let in_order = self.strangers.is_empty()
            && self
                .columns
                .get(self.tokens.len())
                .is_some_and(|next| next.name == name);
        if in_order {
            self.tokens.push(Some(value));
        } else {
            self.strangers.push((name, value));
        }
    }

    fn finish(self) -> RowTokens<'a> {
        if self.strangers.is_empty()
            && self.tokens.len() == self.columns.len()
            && self.expected.is_some()
        {
            return RowTokens {
                tokens: self.tokens,
                names: None,
                is_in_order: true,
            };
        }
        match self.expected {
            Some(shape) if shape.is_typed() => by_name(shape, self.tokens, self.strangers),
            _ => as_sent(self.columns, self.tokens, self.strangers),
        }
    }
}

/// A typed row in another order than its schema's, or without some columns: the schema's order holds.
fn by_name<'a>(
    shape: &RowShape,
    mut tokens: Tokens<'a>,
    strangers: Vec<(Cow<'a, str>, Token<'a>)>,
) -> RowTokens<'a> {
    tokens.resize(shape.columns.len(), None);
    let names = shape.columns.iter().map(|column| column.name.as_str());
    let places = Places::of(names, strangers.len());
    for (name, value) in strangers {
        if let Some(column) = places.get(&name) {
            tokens[column] = Some(value);
        }
    }
    RowTokens {
        tokens,
        names: None,
        is_in_order: false,
    }
}

/// A row without schema is its own shape.
fn as_sent<'a>(
    columns: &[ShapeColumn],
    mut tokens: Tokens<'a>,
    strangers: Vec<(Cow<'a, str>, Token<'a>)>,
) -> RowTokens<'a> {
    let mut names: Vec<Cow<'a, str>> = columns
        .iter()
        .take(tokens.len())
        .map(|column| Cow::Owned(column.name.clone()))
        .collect();
    for (name, value) in strangers {
        names.push(name);
        tokens.push(Some(value));
    }
    RowTokens {
        tokens,
        names: Some(names),
        is_in_order: false,
    }
}

/// A member's name, borrowed unless it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Name<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrow)
    }
}
