//! The clocks of the checker: the one by which answers are held to what they say of their age.

use std::time::{Instant, SystemTime};

#[expect(
    clippy::disallowed_methods,
    reason = "what is checked is another process's account of time"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "commits are stamped as a database stamps them"
)]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as i64
}
