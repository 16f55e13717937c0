//! The only place that reads a clock: everything else takes the time as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970. May jump when the machine's clock is set.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
#[must_use]
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

/// A moment that only moves forward; for measuring and for deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}
