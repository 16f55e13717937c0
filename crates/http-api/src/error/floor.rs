//! Floors that are none, and floors that are not reached.

use std::time::Duration;

use api_types::ErrorCode;
use query::floor::FloorError;

use crate::problem::ApiError;

const FLOOR_HINT: &str = "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end.";

/// `at_least` is no floor.
pub(crate) fn bad_floor(bad: FloorError) -> ApiError {
    let code = match bad {
        FloorError::SourceNow => ErrorCode::UnknownParameter,
        _ => ErrorCode::BadRequest,
    };
    let error = ApiError::new(code, format!("at_least cannot be used: {bad}."));
    error.with_hint(match bad {
        FloorError::SourceNow => "at_least=log_end waits for everything that is in the log by now.",
        _ => FLOOR_HINT,
    })
}

/// `on_miss` without what it is about.
pub(crate) fn needs_floor(name: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("{name} means nothing without at_least or max_lag."),
    )
    .with_hint(FLOOR_HINT)
}

/// `wait` without what it is about.
pub(crate) fn nothing_waited_for() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "wait means nothing without at_least, max_lag or the header If-None-Match.",
    )
    .with_hint("at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end; If-None-Match its header ETag, to wait for a change.")
}

pub(crate) fn bad_wait(max: Duration) -> ApiError {
    let max = max.as_secs();
    ApiError::new(
        ErrorCode::BadRequest,
        format!("wait is a whole number of seconds or milliseconds, of at most {max} s."),
    )
    .with_hint("Write it as 2s or 500ms. To wait for longer, ask again.")
}

pub(crate) fn bad_lag(max: Duration) -> ApiError {
    let max = max.as_secs();
    ApiError::new(
        ErrorCode::BadRequest,
        format!("max_lag is a whole number of seconds or milliseconds, of at most {max} s."),
    )
    .with_hint("Write it as 5s or 500ms.")
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
    ApiError::new(
        ErrorCode::BadRequest,
        "There is no at_least or max_lag to wait for.",
    )
    .with_hint(FLOOR_HINT)
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
