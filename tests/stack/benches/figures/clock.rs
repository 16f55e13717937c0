//! The bench's own clock: moments since it began, which the wall clock of records is brought to.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// The wall clock then.
    began_at: Duration,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures from outside of the product, whose clock it must not share"
    )]
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            began_at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A moment that is told in milliseconds since 1970.
    pub fn of_wall_ms(&self, ms: i64) -> Duration {
        Duration::from_millis(ms.unsigned_abs()).saturating_sub(self.began_at)
    }
}
