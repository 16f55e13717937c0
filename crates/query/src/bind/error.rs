//! Why a query does not fit a table.

use crate::tree::Place;

/// What is asked cannot be asked of this table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No row of the table has had such a column.
    #[error("there is no column '{column}', {at}")]
    UnknownColumn {
        column: String,
        at: Place,
        known: Vec<String>,
    },
    /// A literal is no value of the column's type.
    #[error("column '{column}' is of type {kind}: expected {expected}{}, {at}", in_list(*number))]
    Literal {
        column: String,
        kind: &'static str,
        expected: &'static str,
        /// Which of a list's values it is, counted from 1.
        number: Option<usize>,
        at: Place,
    },
    /// The operator asks what values of the type cannot answer.
    #[error("{operator} cannot be asked of column '{column}', which is of type {kind}, {at}")]
    Operator {
        operator: &'static str,
        column: String,
        kind: &'static str,
        at: Place,
        /// What can be asked instead.
        instead: &'static str,
    },
    /// A path into a column whose values are no JSON.
    #[error("column '{column}' is of type {kind} and has no parts, {at}")]
    NoJson {
        column: String,
        kind: &'static str,
        at: Place,
    },
    /// An order by values that have none.
    #[error("rows cannot be ordered by column '{column}', which is of type {kind}, {at}")]
    Unordered {
        column: String,
        kind: &'static str,
        at: Place,
    },
    /// It is part of the query tree, but cannot be run yet.
    #[error("{what} are not supported by this version, {at}")]
    Unsupported { what: &'static str, at: Place },
    /// Two columns of the answer would be called the same.
    #[error("two columns of the answer would be called '{name}'")]
    SameName { name: String },
}

fn in_list(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| {
        format!(" as value {number} of the list")
    })
}
