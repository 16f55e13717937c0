//! The timer behind the bound on a request's head: one sleep for the life of a connection.
//!
//! hyper asks for a sleep with every request and drops it as soon as the head is there. Tokio would enter
//! each into its wheel and take it out again, under a lock, for a deadline that is all but never reached.
//! Here the sleep of an earlier request goes on, rings too early, and is only then set to the deadline that holds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use telemetry::clock;

/// One connection's timer. Its deadlines must never go back.
#[derive(Clone)]
pub(crate) struct HeadTimer {
    /// Never set to later than the deadline that is waited for.
    sleep: Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>,
}

struct Until {
    deadline: Instant,
    timer: HeadTimer,
}

impl HeadTimer {
    /// With deadlines that are at least this far away.
    pub fn new(timeout: Duration) -> Self {
        Self {
            sleep: Arc::new(Mutex::new(Box::pin(tokio::time::sleep(timeout)))),
        }
    }
}

impl HeadTimer {
    /// Waits for the deadline.
    pub fn until(&self, deadline: Instant) -> impl Future<Output = ()> {
        let timer = self.clone();
        Until { deadline, timer }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(clock::monotonic() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let timer = self.clone();
        Box::pin(Until { deadline, timer })
    }
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.timer.sleep.lock();
        loop {
            ready!(sleep.as_mut().poll(context));
            if sleep.deadline().into_std() >= self.deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_later_deadline_is_waited_for_though_the_first_sleep_rings() {
        let started = tokio::time::Instant::now();
        let timer = HeadTimer::new(TIMEOUT);
        drop(timer.sleep_until((started + TIMEOUT).into_std()));
        tokio::time::advance(TIMEOUT / 2).await;
        timer
            .sleep_until((started + TIMEOUT * 3 / 2).into_std())
            .await;
        assert_eq!(started.elapsed(), TIMEOUT * 3 / 2);
        // And again, after it has rung for one that was waited for.
        timer.sleep_until((started + TIMEOUT * 2).into_std()).await;
        assert_eq!(started.elapsed(), TIMEOUT * 2);
    }
}
