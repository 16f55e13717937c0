//! Work that may look at many rows: on a thread of its own, so that lookups are not kept waiting, and only so many at a time.

use std::sync::Arc;

use axum::response::Response;
use query::list::Workers;

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

/// Shares the visit of a large table among so many threads, which end with it.
pub(super) struct Threads(pub usize);

/// Fewer rows are looked at before a second thread is there.
const SHARED_ROWS_MIN: u64 = 50_000;

impl Workers for Threads {
    fn for_rows(&self, rows: u64) -> usize {
        if rows < SHARED_ROWS_MIN { 1 } else { self.0 }
    }

    fn all(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for number in 1..count {
                scope.spawn(move || work(number));
            }
            if count > 0 {
                work(0);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_share_is_done_once_and_all_before_it_comes_back() {
        for count in 0..4 {
            let done = [const { AtomicUsize::new(0) }; 4];
            Threads(4).all(count, &|number| {
                done[number].fetch_add(1, Ordering::Relaxed);
            });
            let done = done.map(|times| times.load(Ordering::Relaxed));
            assert_eq!(done, std::array::from_fn(|at| usize::from(at < count)));
        }
    }
}
