//! Lookups that came at the same time, made one right after the other.
//!
//! Connections that share a thread and all have something to read each read it first. Then one of them
//! answers for all: the rows are brought near together, and it is the same code that runs again and again.
//! Then all write: whoever asked them wakes for the first answer and finds the others behind it.

use std::future::poll_fn;
use std::mem::{replace, swap, take};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use table_store::{Expected, bring_near};

use crate::Api;
use crate::quick::Part;

/// The rows of so many, with all that leads there, stay near until they are answered.
const NEAR_AT_ONCE: usize = 256;

/// Where a connection leaves its part while it waits.
pub(crate) type Seat = Arc<Mutex<Part>>;

/// Those who wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Round {
    waiting: Mutex<Vec<Seat>>,
}

impl Round {
    /// Returns when all who have something to read have read it, and the first of this one's lookups is answered.
    pub async fn join(&self, seat: &Seat, part: &mut Part, api: &Api) {
        swap(part, &mut seat.lock());
        self.waiting.lock().push(Arc::clone(seat));
        after_the_others().await;
        // Empty, if another has answered for all.
        let all = take(&mut *self.waiting.lock());
        for some in all.chunks(NEAR_AT_ONCE) {
            answer(some, api);
        }
        swap(part, &mut seat.lock());
    }
}

fn answer(seats: &[Seat], api: &Api) {
    let mut parts: Vec<_> = seats.iter().map(|seat| seat.lock()).collect();
    if parts.len() > 1 {
        let expected = parts.iter().filter_map(|part| {
            // It fails once more where it is answered, and that is told.
            let expected = catch_unwind(AssertUnwindSafe(|| part.expected(api)));
            expected.unwrap_or_default()
        });
        let expected: Vec<Expected> = expected.collect();
        bring_near(&expected);
    }
    for part in &mut parts {
        part.answer_one(api);
    }
}

/// Has those that have something to read do so first. On a thread that shares its tasks it would wake another
/// thread to take this one over.
async fn after_the_others() {
    let mut had_their_turn = false;
    poll_fn(|context| {
        if replace(&mut had_their_turn, true) {
            return Poll::Ready(());
        }
        // Not `yield_now`, which asks the system for news in between.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
