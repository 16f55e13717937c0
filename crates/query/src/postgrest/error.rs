//! What a query can be refused for before any table is looked at.

use crate::tree::Place;

/// The parameters say nothing that could be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A value is not written as it must be.
    #[error("{message}: {details}")]
    Syntax {
        /// `"failed to parse filter (x)" (line 1, column 1)`.
        message: String,
        /// `unexpected "x" expecting operator (eq, gt, ...)`.
        details: String,
        at: Place,
    },
    /// A parameter that counts once was sent again.
    #[error("the parameter '{name}' was sent more than once")]
    Repeated { name: String },
    #[error("the limit is negative, {at}")]
    NegativeLimit { at: Place },
    /// A parameter is about a relation that is not selected.
    #[error("'{name}' is not selected, {at}")]
    NotEmbedded { name: String, at: Place },
    /// Known to `PostgREST`, and not offered.
    #[error("{what} is not offered, {at}")]
    Unsupported { what: &'static str, at: Place },
    /// The operand of `any` or `all` is no array.
    #[error("not an array: '{text}', {at}")]
    Array { text: String, at: Place },
    /// A step into what `->>` has made text.
    #[error("'->>' has no parts, {at}")]
    StepIntoText {
        arrow: &'static str,
        /// The type that `PostgreSQL` takes the step's key for.
        by: &'static str,
        at: Place,
    },
    #[error("more than {max} {what}")]
    TooMuch { what: &'static str, max: usize },
}

impl ReadError {
    /// The same, read without so many characters before it.
    pub(super) fn earlier_by(mut self, characters: usize) -> Self {
        if let Self::Syntax { at, .. } = &mut self {
            at.offset = at.offset.map(|offset| offset.saturating_sub(characters));
        }
        self
    }

    /// Where it was written.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { at, .. }
            | Self::NegativeLimit { at }
            | Self::NotEmbedded { at, .. }
            | Self::Unsupported { at, .. }
            | Self::Array { at, .. }
            | Self::StepIntoText { at, .. } => Some(at),
            Self::Repeated { .. } | Self::TooMuch { .. } => None,
        }
    }
}
