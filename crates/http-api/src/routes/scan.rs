//! Work that may look at many rows: on a thread of its own, so that lookups are not kept waiting, and only so many at a time.

use std::sync::Arc;

use axum::response::Response;

use super::DataState;
use crate::error;
use crate::problem::ApiError;
use crate::respond::Timing;

/// Runs it when there is a permit. The time it waits for one is part of its time.
pub(super) async fn on_own_thread(
    state: &DataState,
    timing: Timing,
    work: impl FnOnce(&DataState, Timing) -> Result<Response, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let Ok(permit) = Arc::clone(&state.scans).acquire_owned().await else {
        return Err(error::overloaded());
    };
    let state = state.clone();
    let work = move || {
        // Held to the end of the work, though the request may have been given up by then.
        let _permit = permit;
        work(&state, timing)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(error::internal()),
        },
    }
}
