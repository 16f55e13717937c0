//! Floors that are none, and floors that are not reached.

use std::time::Duration;

use api_types::ErrorCode;
use query::fresh::{Fresh, State};
use query::reach::Behind;

use crate::problem::ApiError;

const FLOOR_HINT: &str =
    "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), unchanged.";

/// `at_least` is no token.
pub(crate) fn bad_floor() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "at_least is no as_of of an answer of this version.",
    )
    .with_hint(FLOOR_HINT)
}

/// A position that this version cannot wait for, as it begins.
pub(crate) fn unsupported_floor(begins: &str) -> ApiError {
    let example = if begins.ends_with(':') { "…" } else { "" };
    ApiError::new(
        ErrorCode::UnknownParameter,
        format!("at_least={begins}{example} is not supported by this version."),
    )
    .with_hint(FLOOR_HINT)
}

/// `on_miss` without what it is about.
pub(crate) fn needs_floor(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("{name} means nothing without at_least."),
    )
    .with_hint(FLOOR_HINT)
}

/// `wait` without what it is about.
pub(crate) fn nothing_waited_for() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "wait means nothing without at_least or the header If-None-Match.",
    )
    .with_hint("at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), unchanged; If-None-Match its header ETag, to wait for a change.")
}

pub(crate) fn bad_wait(max: Duration) -> ApiError {
    let max = max.as_secs();
    ApiError::new(
        ErrorCode::BadRequest,
        format!("wait is a whole number of seconds or milliseconds, of at most {max} s."),
    )
    .with_hint("Write it as 2s or 500ms. To wait for longer, ask again.")
}

/// A barrier for tables that are not there yet.
pub(crate) fn starting_tables() -> ApiError {
    ApiError::new(
        ErrorCode::Starting,
        "A table that at_least names is not there: it is still being loaded, or none of this server.",
    )
    .with_hint("Try again in a moment, or say which tables are meant, as in tables=orders.")
}

/// A barrier without a floor.
pub(crate) fn nothing_to_wait_for() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "There is no at_least to wait for.").with_hint(FLOOR_HINT)
}

/// The tables have not come so far in the time that was given.
pub(crate) fn not_yet_applied(behind: &Behind, waited: Duration, fresh: Fresh) -> ApiError {
    let Behind {
        table,
        partition,
        wanted,
        reached,
    } = behind;
    let reached = match reached {
        Some(reached) => format!("is at record {reached}"),
        None => "is not known yet".to_owned(),
    };
    let waited = waited.as_millis();
    let hint = match fresh.state {
        State::Stalled => {
            "The table takes no changes at the moment: GET /v1/status says why. Add on_miss=serve to read it as it is."
        }
        State::Stale => {
            "There was no contact with the log for a while: GET /v1/status says why. Add on_miss=serve to read the table as it is."
        }
        State::Live | State::CatchingUp | State::Loading => {
            "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is."
        }
    };
    ApiError::new(
        ErrorCode::NotYetApplied,
        format!("Waited {waited} ms for at_least. Partition {partition} of table '{table}' {reached}; at_least is before record {wanted}."),
    )
    .with_hint(hint)
    .at(fresh)
}

/// The floor is of another log than the one that the table follows.
pub(crate) fn other_log(table: &str) -> ApiError {
    ApiError::new(
        ErrorCode::PositionUnknown,
        format!("at_least is of another log than the one that table '{table}' follows: its topic was made anew, or it is another cluster's."),
    )
    .with_hint("Nothing can be told of the two. Ask without at_least, and go on with the as_of of that answer.")
}

/// The floor names no table that there is.
pub(crate) fn foreign_floor() -> ApiError {
    ApiError::new(
        ErrorCode::PositionUnknown,
        "at_least names no table of this server.",
    )
    .with_hint("It was told by a server with other tables. Ask without at_least, and go on with the as_of of that answer.")
}

/// Another request would have to wait.
pub(crate) fn too_many_waits() -> ApiError {
    ApiError::new(
        ErrorCode::Overloaded,
        "Too many requests are waiting already.",
    )
    .with_hint("Try again in a moment, or add wait=0 to be answered at once, whatever the answer.")
}
