//! Feeds that cannot begin, and changes that are not held any more.

use std::time::Duration;

use api_types::ErrorCode;

use crate::problem::ApiError;

const SINCE_HINT: &str = "since is the id of an event, or fresh.as_of of an answer, unchanged.";

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, detail)
}

pub(crate) fn bad_since() -> ApiError {
    bad("since (or Last-Event-ID) is no as_of of this version.").with_hint(SINCE_HINT)
}

/// What changed since then is not known.
pub(crate) fn since_expired() -> ApiError {
    ApiError::new(
        ErrorCode::SnapshotExpired,
        "What changed since then is not held any more, or a table was loaded, truncated or rebuilt meanwhile.",
    )
    .with_hint("Read the rows anew without since, and go on from the as_of of that answer.")
}

/// The token is of a later state than the tables have come to.
pub(crate) fn since_ahead() -> ApiError {
    ApiError::new(
        ErrorCode::NotYetApplied,
        "since tells of a later state than this server has come to.",
    )
    .with_hint("Send it as at_least too, to wait for that.")
}

pub(crate) fn not_with_since(name: &str) -> ApiError {
    bad(format!("{name} does not go with since.")).with_hint(
        "since answers all rows that changed, as objects; filters and select go with it.",
    )
}

pub(crate) fn since_of_several() -> ApiError {
    bad("since is asked of one query by itself.")
        .with_hint("Send the query alone, or follow the tables with GET /v1/changes.")
}

pub(crate) fn misplaced_initial() -> ApiError {
    bad("initial=true goes with neither since nor one batch.")
        .with_hint("With since the rows are there already; without it, follow them as a stream.")
}

pub(crate) fn wait_is_for_batches() -> ApiError {
    bad("wait asks for one batch, which is JSON.")
        .with_hint("Leave out format, or leave out wait to follow a stream.")
}

pub(crate) fn bad_debounce(max: Duration) -> ApiError {
    let max = max.as_secs();
    bad(format!(
        "debounce is a whole number of seconds or milliseconds, of at most {max} s."
    ))
    .with_hint("Write it as 250ms or 1s.")
}

pub(crate) fn filter_of_several() -> ApiError {
    bad("filter and select are about one table.").with_hint("Name it, as in tables=orders.")
}

/// The query does more than to filter and to select.
pub(crate) fn not_followable() -> ApiError {
    bad("Changes are told of rows by themselves: filter and select name columns of the table, and no relations or aggregates.")
        .with_hint("Follow the other table as well, or read related rows when a row changes.")
}

pub(crate) fn too_many_feeds() -> ApiError {
    ApiError::new(ErrorCode::Overloaded, "Too many follow changes already.")
        .with_hint("Try again in a moment, or follow several tables with one request.")
}
