//! Why a statement is not answered, and where the reason stands.

use std::fmt;

use sqlparser::tokenizer::{Location, Span};
use table_store::NameError;

/// A place in a statement, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub line: u64,
    pub column: u64,
}

impl From<Location> for Spot {
    fn from(location: Location) -> Self {
        Self {
            line: location.line.max(1),
            column: location.column.max(1),
        }
    }
}

impl From<Span> for Spot {
    fn from(span: Span) -> Self {
        span.start.into()
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at line {}, column {}", self.line, self.column)
    }
}

/// A statement that is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The text is no SQL.
    #[error("{message}, {at}")]
    Syntax { message: String, at: Spot },
    /// It is SQL, and beyond what is answered here.
    #[error("{construct} is not supported, {at}")]
    Unsupported {
        construct: String,
        /// What can be said instead.
        nearest: String,
        at: Spot,
    },
    /// It is SQL, and means nothing.
    #[error("{problem}, {at}")]
    Meaningless {
        problem: String,
        hint: &'static str,
        at: Spot,
    },
    /// A statement is more than one may ask at once.
    #[error("there are more than {max} {what}")]
    TooMuch { what: &'static str, max: usize },
    /// The name of a table finds none, or several.
    #[error("there is no one table '{name}', {at}")]
    NoTable {
        name: String,
        error: NameError,
        at: Spot,
    },
    /// No table of the statement has such a column.
    #[error("there is no column '{column}', {at}")]
    UnknownColumn {
        /// `None` if several tables were looked in.
        table: Option<String>,
        column: String,
        known: Vec<String>,
        at: Spot,
    },
    /// Several tables of the statement have such a column.
    #[error("column '{column}' is in several tables, {at}")]
    AmbiguousColumn {
        column: String,
        candidates: Vec<String>,
        at: Spot,
    },
    /// A column is qualified by what is no table of the statement.
    #[error("the statement has no table '{name}', {at}")]
    NoSource {
        name: String,
        known: Vec<String>,
        at: Spot,
    },
    /// A value, or the lack of one, for `$1`, `$2`, …
    #[error("{problem}")]
    Parameter { problem: String },
}

/// The refusal of a construct by its name.
pub(super) fn unsupported(
    construct: impl Into<String>,
    nearest: impl Into<String>,
    at: impl Into<Spot>,
) -> SqlError {
    SqlError::Unsupported {
        construct: construct.into(),
        nearest: nearest.into(),
        at: at.into(),
    }
}

pub(super) fn meaningless(
    problem: impl Into<String>,
    hint: &'static str,
    at: impl Into<Spot>,
) -> SqlError {
    SqlError::Meaningless {
        problem: problem.into(),
        hint,
        at: at.into(),
    }
}
