//! Why a query does not fit a table.

use crate::relation::RelationError;
use crate::tree::{Place, RelationRef};

/// What is asked cannot be asked of this table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No row of the table has had such a column.
    #[error("there is no column '{column}'{}, {at}", of(table.as_deref()))]
    UnknownColumn {
        /// `None`: a group of rows has only what was selected.
        table: Option<String>,
        column: String,
        at: Place,
        known: Vec<String>,
    },
    /// No single relation of the table is meant.
    #[error(transparent)]
    Relation(Box<Unrelated>),
    /// Config names columns that the tables do not have.
    #[error("the columns of relation '{relation}' are not all there, {at}")]
    RelationColumns { relation: String, at: Place },
    /// One value is asked of a relation that may lead to several rows.
    #[error("relation '{relation}' leads to several rows, {at}")]
    NotToOne { relation: String, at: Place },
    /// Groups of rows are related to nothing.
    #[error("relation '{relation}' is asked of groups of rows, {at}")]
    RelationOfGroup { relation: String, at: Place },
    /// Relations inside relations, too many of them.
    #[error(
        "there are more than {} relations inside each other, {at}",
        super::EMBED_DEPTH_MAX
    )]
    TooDeep { at: Place },
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
    /// An aggregate of values that cannot be added up or compared.
    #[error("{function} cannot be made of column '{column}', which is of type {kind}, {at}")]
    Aggregate {
        function: &'static str,
        column: String,
        kind: &'static str,
        at: Place,
        /// What can be asked instead.
        instead: &'static str,
    },
    /// An aggregate where rows are not grouped.
    #[error("an aggregate stands where single rows are shown, {at}")]
    UngroupedAggregate { at: Place },
    /// Related rows of a group of rows.
    #[error("several related rows are shown of a group of rows, {at}")]
    GroupedRows { at: Place },
    /// There is no such type, or nothing can be turned into it.
    #[error("there is no cast to '{cast}', {at}")]
    Cast { cast: String, at: Place },
    /// Two columns of the answer would be called the same.
    #[error("two columns of the answer would be called '{name}'")]
    SameName { name: String },
}

impl BindError {
    /// The table that a relation leads to, if it is not there (yet).
    #[must_use]
    pub fn missing_table(&self) -> Option<&str> {
        match self {
            Self::Relation(unrelated) => match &unrelated.error {
                RelationError::NoTable { table } => Some(table),
                _ => None,
            },
            _ => None,
        }
    }
}

/// No single relation of a table is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, {at}", unrelated(table, relation, error))]
pub struct Unrelated {
    pub table: String,
    pub relation: RelationRef,
    pub error: RelationError,
    pub at: Place,
}

fn of(table: Option<&str>) -> String {
    table.map_or_else(
        || " among what is shown of the groups".to_owned(),
        |table| format!(" of '{table}'"),
    )
}

fn unrelated(table: &str, relation: &RelationRef, error: &RelationError) -> String {
    let name = &relation.name;
    let hinted = relation
        .hint
        .as_ref()
        .map_or_else(String::new, |hint| format!(" by '{hint}'"));
    match error {
        RelationError::Unknown { .. } => format!("'{table}' has no relation '{name}'{hinted}"),
        RelationError::Ambiguous { .. } => {
            format!("'{table}' is related to '{name}'{hinted} in several ways")
        }
        RelationError::NoTable { table: missing } => {
            format!(
                "'{table}' leads by '{name}' to table '{missing}', of which nothing was read yet"
            )
        }
    }
}

fn in_list(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| {
        format!(" as value {number} of the list")
    })
}
