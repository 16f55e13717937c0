//! Cuts that cannot be asked for again.

use api_types::ErrorCode;
use table_store::RETAINED_MS;

use crate::problem::ApiError;

const EXACT_HINT: &str =
    "at_exact is fresh.as_of of an earlier answer (header Rowtide-As-Of), unchanged.";

/// `at_exact` is no token.
pub(crate) fn bad_exact() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "at_exact is no as_of of an answer of this version.",
    )
    .with_hint(EXACT_HINT)
}

/// Both the cut and what it must not be older than.
pub(crate) fn exact_and_floor() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "at_exact and at_least do not go together: at_exact says which state is answered from.",
    )
    .with_hint("Send at_least with the first request, and the as_of of its answer as at_exact with the others.")
}

/// The token is a good one, and names only places in the log.
pub(crate) fn cut_without_name() -> ApiError {
    expired("at_exact names no state of this process: it was told by an earlier version.")
}

/// To wait for what never changes.
pub(crate) fn wait_and_exact() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "wait means nothing with at_exact: that state never changes.",
    )
    .with_hint("Leave at_exact out to wait for another answer than the one of that state.")
}

/// Too old, another process's, or let go of for want of memory: which of them, nobody knows any more.
pub(crate) fn snapshot_expired() -> ApiError {
    let seconds = RETAINED_MS / 1_000;
    expired(format!(
        "The state of at_exact is gone: states are kept for {seconds} s after newer ones, as memory allows ([versions] max), and not across restarts, replicas and rebuilds."
    ))
}

/// The table was not live in that cut.
pub(crate) fn never_kept(table: &str) -> ApiError {
    expired(format!(
        "Table '{table}' was not live in the state of at_exact: while a table is loading or catching up its earlier states are not kept."
    ))
}

fn expired(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::SnapshotExpired, detail).with_hint("Ask without at_exact, and go on with the as_of of that answer; to see nothing older than before, send the old one as at_least.")
}
