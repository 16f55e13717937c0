//! Statements that are not answered, as errors of the API.

use std::collections::BTreeMap;

use api_types::ErrorCode;
use query::bind::BindError;
use query::sql::SqlError;
use serde_json::value::RawValue;
use table_store::Cut;

use crate::problem::ApiError;
use crate::{ApiState, candidates, error, fresh, params};

const FIELDS: &[&str] = &[
    "sql", "params", "at_least", "max_lag", "wait", "on_miss", "at_exact",
];
const EXAMPLE: &str =
    "Send {\"sql\":\"SELECT id FROM orders WHERE status = $1\",\"params\":[\"paid\"]}.";

/// Refuses every field that is not read, those that a later version will read by their names.
pub(super) fn check_fields(body: &[u8]) -> Result<(), ApiError> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(|error| of_body(&error))?;
    let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) else {
        return Ok(());
    };
    if params::RESERVED.contains(&name.as_str()) {
        return Err(ApiError::new(
            ErrorCode::UnknownParameter,
            format!("The field '{name}' is not supported by this version."),
        )
        .with_hint("The fields are sql, params, at_least, max_lag, wait, on_miss and at_exact. fresh in every answer says how fresh it is."));
    }
    let short: String = name.chars().take(40).collect();
    Err(ApiError::new(
        ErrorCode::UnknownParameter,
        format!("There is no field '{short}' here."),
    )
    .with_candidates(candidates::of(name, FIELDS.iter().copied()))
    .with_hint(EXAMPLE))
}

/// A body that is no statement.
pub(super) fn of_body(error: &serde_json::Error) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The body cannot be read: {error}."),
    )
    .with_hint(EXAMPLE)
}

pub(super) fn of_statement(state: &ApiState, cut: &Cut, refused: &SqlError) -> ApiError {
    let said = |code| {
        let mut detail = refused.to_string();
        if let Some(first) = detail.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        ApiError::new(code, detail + ".")
    };
    match refused {
        SqlError::Syntax { .. } => {
            said(ErrorCode::BadRequest).with_hint("Send one SELECT of PostgreSQL's dialect.")
        }
        SqlError::Unsupported { nearest, .. } => said(ErrorCode::UnsupportedSql).with_hint(nearest),
        SqlError::Meaningless { hint, .. } => said(ErrorCode::BadRequest).with_hint(*hint),
        SqlError::TooMuch { .. } => said(ErrorCode::BadRequest),
        SqlError::NoTable { name, error, .. } => super::super::no_table(state, cut, name, error),
        SqlError::UnknownColumn {
            table,
            column,
            known,
            ..
        } => {
            let refused = said(ErrorCode::UnknownColumn)
                .with_candidates(candidates::of(column, known.iter().map(String::as_str)));
            let Some(table) = table else {
                return refused;
            };
            let refused = refused.with_hint(format!("GET /v1/tables/{table} lists all columns."));
            match cut.table(table) {
                Ok(table) => refused.at(fresh::of_table(cut, table, state.now_ms())),
                Err(_) => refused,
            }
        }
        SqlError::AmbiguousColumn { candidates, .. } => said(ErrorCode::BadRequest)
            .with_candidates(candidates.clone())
            .with_hint("Say which table's it is."),
        SqlError::NoSource { name, known, .. } => said(ErrorCode::BadRequest)
            .with_candidates(candidates::of(name, known.iter().map(String::as_str)))
            .with_hint("Columns are qualified by a table of FROM, by its alias if it has one."),
        SqlError::Parameter { .. } => said(ErrorCode::BadRequest)
            .with_hint("params has one value for each of $1, $2, … in their order."),
    }
}

pub(super) fn of_binding(table: &str, refused: &BindError) -> ApiError {
    match refused {
        BindError::SameName { .. } => ApiError::new(
            ErrorCode::BadRequest,
            format!("Table '{table}': {refused}."),
        )
        .with_hint("Give one of them another name, as in total AS amount; with joins name the columns instead of *."),
        refused => error::unfit(table, refused),
    }
}
