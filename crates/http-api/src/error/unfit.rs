//! Questions that do not fit their tables, and those that would cost too much.

use api_types::ErrorCode;
use query::bind::{BindError, BoundQuery};
use query::list::{CastError, GroupError, ListError};
use query::relation::RelationError;
use query::tree::AggregateFunction;
use table_store::TableCut;

use crate::problem::ApiError;
use crate::{candidates, params};

/// What helps where too many rows stand inside others.
pub(crate) const FEWER_RELATED_HINT: &str = "Ask for fewer related rows: give the relations a limit, or leave out those that lead back to where they came from.";

/// A name that is neither a parameter nor a column, where both may stand.
pub(crate) fn unknown_filter(table: &TableCut, name: &str, columns: &[&str]) -> ApiError {
    let table_name = &table.table.identity().name;
    if columns.is_empty() {
        return no_columns(table_name, name);
    }
    let known = columns
        .iter()
        .copied()
        .chain(params::RESERVED.iter().copied());
    ApiError::new(
        ErrorCode::UnknownParameter,
        format!("There is no parameter '{name}', and table '{table_name}' has no such column."),
    )
    .with_candidates(candidates::of(name, known))
    .with_hint(format!("GET /v1/tables/{table_name} lists all columns."))
}

/// A filter on a column that the table does not have.
pub(crate) fn unknown_column(table: &str, column: &str, known: &[&str]) -> ApiError {
    if known.is_empty() {
        return no_columns(table, column);
    }
    ApiError::new(
        ErrorCode::UnknownColumn,
        format!("Table '{table}' has no column '{column}'."),
    )
    .with_candidates(candidates::of(column, known.iter().copied()))
    .with_hint(format!("GET /v1/tables/{table} lists all columns."))
}

fn no_columns(table: &str, column: &str) -> ApiError {
    ApiError::new(
        ErrorCode::UnknownColumn,
        format!("Table '{table}' has no column '{column}': it has had no row yet."),
    )
    .with_hint("Its columns are known from its first row on.")
}

/// A query that does not fit the table.
pub(crate) fn unfit(table: &str, error: &BindError) -> ApiError {
    let said = |code| ApiError::new(code, format!("Table '{table}': {error}."));
    match error {
        BindError::UnknownColumn {
            table,
            column,
            known,
            ..
        } => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            match table {
                Some(table) => unknown_column(table, column, &known),
                None => said(ErrorCode::UnknownColumn)
                    .with_candidates(candidates::of(column, known.iter().copied()))
                    .with_hint("Groups have only what they are grouped by and the aggregates, by the names of the answer."),
            }
        }
        BindError::Relation(unrelated) => {
            let said = |code| ApiError::new(code, format!("Table {unrelated}."));
            unfit_relation(said, &unrelated.relation.name, &unrelated.error)
        }
        BindError::RelationColumns { .. } => said(ErrorCode::UnknownRelation)
            .with_hint("Mend the relation's columns in the configuration."),
        BindError::NotToOne { .. } => said(ErrorCode::BadRequest)
            .with_hint("Show its rows inside the row, as in items(sku), or ask for one of them in a condition."),
        BindError::RelationOfGroup { .. } | BindError::GroupedRows { .. } => {
            said(ErrorCode::BadRequest)
                .with_hint("Group by columns of to-one relations, as in customer.tier.")
        }
        BindError::TooDeep { .. } => said(ErrorCode::BadRequest)
            .with_hint("Ask for the rest in a query of its own."),
        BindError::Aggregate { instead, .. } => {
            said(ErrorCode::TypeMismatch).with_hint(*instead)
        }
        BindError::UngroupedAggregate { .. } => said(ErrorCode::BadRequest)
            .with_hint("Aggregate the related rows within their own brackets."),
        BindError::Cast { .. } => said(ErrorCode::BadRequest),
        BindError::Literal { .. } => said(ErrorCode::TypeMismatch).with_hint(format!(
            "Write the value as answers do. GET /v1/tables/{table} lists the columns and their types."
        )),
        BindError::Operator { instead, .. } => said(ErrorCode::TypeMismatch).with_hint(*instead),
        BindError::NoJson { .. } => said(ErrorCode::TypeMismatch)
            .with_hint("Only json, arrays, maps, structs and columns without a type have parts."),
        BindError::Unordered { .. } => said(ErrorCode::TypeMismatch)
            .with_hint("Order by a part of it, as in doc->>name."),
        BindError::SameName { .. } => said(ErrorCode::BadRequest)
            .with_hint("Give one of them another name, as in select=total:amount."),
    }
}

fn unfit_relation(
    said: impl Fn(ErrorCode) -> ApiError,
    name: &str,
    error: &RelationError,
) -> ApiError {
    match error {
        RelationError::Unknown { .. } if AggregateFunction::from_spelling(name).is_some() => {
            said(ErrorCode::UnknownRelation).with_hint(
                "An aggregate stands after its column, as in select=status,total.sum(), or in a parameter of its own, as in aggregate=sum(total).",
            )
        }
        RelationError::Unknown { known } => said(ErrorCode::UnknownRelation)
            .with_candidates(candidates::of(name, known.iter().map(String::as_str)))
            .with_hint("Relations are said in the configuration ([[relations]]): change events carry no foreign keys."),
        RelationError::Ambiguous { candidates } => {
            let hinted = candidates.iter().map(|way| format!("{name}!{}", way.hint));
            said(ErrorCode::AmbiguousRelation)
                .with_candidates(hinted.collect())
                .with_hint("Say after a '!' which of them is meant: by relation, constraint, column or junction.")
        }
        RelationError::NoTable { .. } => said(ErrorCode::UnknownRelation)
            .with_hint("It will be there once its topic was read; GET /v1/status tells how far that is."),
    }
}

/// Which value it was is not said: rows can carry text that is meant to be obeyed.
fn uncast(table: &str, error: &CastError) -> ApiError {
    let (CastError::Syntax { to, .. } | CastError::Range { to } | CastError::Kind { to }) = error;
    ApiError::new(
        ErrorCode::TypeMismatch,
        format!("Table '{table}': a value cannot be turned into {to}."),
    )
    .with_hint("Filter out the rows that have other values, or take the value as text.")
}

/// A query that would cost more than it may.
pub(crate) fn too_costly(query: &BoundQuery, error: &ListError) -> ApiError {
    let name = &query.table().table.identity().name;
    if let ListError::Group(error) = error {
        return ungrouped(name, error);
    }
    let wished = query.wished_index();
    let how = if let ListError::TooMuch { .. } = error {
        FEWER_RELATED_HINT.to_owned()
    } else if wished.is_empty() {
        "Ask for less: name the key, or filter by a column that an index could have.".to_owned()
    } else {
        format!(
            "An index on ({}) would help: add it to `indexes` of [[tables]] '{name}', or POST it to /v1/tables/{name}/indexes on the admin listener.",
            wished.join(", ")
        )
    };
    let code = match error {
        ListError::TooLate { .. } => ErrorCode::QueryTimeout,
        ListError::Cast(error) => return uncast(name, error),
        _ => ErrorCode::ScanTooLarge,
    };
    ApiError::new(
        code,
        format!("Table '{name}': the query was given up: {error}."),
    )
    .with_hint(how)
}

/// Rows that cannot be grouped, or their values not aggregated.
fn ungrouped(table: &str, error: &GroupError) -> ApiError {
    let (code, hint) = match error {
        GroupError::TooManyGroups { .. } | GroupError::TooManyBytes { .. } => (
            ErrorCode::ScanTooLarge,
            "Group by fewer columns, or filter the rows first.",
        ),
        GroupError::KeyTooLong => (
            ErrorCode::ScanTooLarge,
            "Group by a shorter column, or by a part of it.",
        ),
        GroupError::NotSummable { .. } | GroupError::TooManyDigits | GroupError::OutOfRange => (
            ErrorCode::TypeMismatch,
            "Leave out the rows whose value cannot be summed, or say the column's type in the configuration.",
        ),
    };
    let detail = format!("Table '{table}': the query was given up: {error}.");
    ApiError::new(code, detail).with_hint(hint)
}
