//! What a request that waits is allowed beyond others: its wait is on top of the time that a request may take,
//! and while it is asleep it takes the place of none that is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::feed::asked::Followed;
use crate::sleepers::Seen;

/// One request's, shared by who bounds it and who answers it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience(Arc<Allowed>);

#[derive(Debug, Default)]
struct Allowed {
    /// Milliseconds on top of the usual time.
    extra_ms: AtomicU64,
    /// Its place among the requests in flight, until it waits.
    in_flight: Mutex<Option<InFlight>>,
    /// Its place among those that wait, from then to its end.
    as_waiter: Mutex<Option<OwnedSemaphorePermit>>,
    /// Milliseconds that it did wait.
    waited_ms: AtomicU64,
    /// Whether it is told nothing but what it does not have yet, and may have to sleep until there is something.
    is_conditional: bool,
    sleep: Mutex<Sleep>,
}

/// What a conditional request says, as it is read, of how it would sleep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sleep {
    /// For how long, if not as its headers prefer.
    pub at_most: Option<Duration>,
    /// What its answer rests on.
    pub seen: Option<Seen>,
    /// The rows of that on which it rests alone, if it does.
    pub rows: Option<Arc<Followed>>,
}

/// A place among the requests in flight.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Semaphore>);

impl InFlight {
    /// Keeps a permit beyond the borrow of its semaphore.
    pub fn keep(permit: SemaphorePermit<'_>, semaphore: &Arc<Semaphore>) -> Self {
        permit.forget();
        Self(Arc::clone(semaphore))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

impl Patience {
    pub fn of(in_flight: InFlight, is_conditional: bool) -> Self {
        Self(Arc::new(Allowed {
            in_flight: Mutex::new(Some(in_flight)),
            is_conditional,
            ..Allowed::default()
        }))
    }

    pub fn is_conditional(&self) -> bool {
        self.0.is_conditional
    }

    /// Notes how long the request would sleep, if it is one that may.
    pub fn sleeps_at_most(&self, wait: Duration) {
        self.0.sleep.lock().at_most = Some(wait);
    }

    /// Notes what its answer rests on, if somebody will ask.
    pub fn rests_on(&self, seen: impl FnOnce() -> Seen) {
        if self.0.is_conditional {
            self.0.sleep.lock().seen = Some(seen());
        }
    }

    /// Notes on which rows of that it rests alone, if on any and somebody will ask.
    pub fn rests_on_rows(&self, rows: impl FnOnce() -> Option<Followed>) {
        if self.0.is_conditional {
            self.0.sleep.lock().rows = rows().map(Arc::new);
        }
    }

    pub fn sleep(&self) -> Sleep {
        self.0.sleep.lock().clone()
    }

    /// Notes that the request has waited so long, once more.
    pub fn waited(&self, took: Duration) {
        let ms = took.as_millis() as u64;
        self.0.waited_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How long it has waited, if it did.
    pub fn has_waited(&self) -> Option<Duration> {
        let ms = self.0.waited_ms.load(Ordering::Relaxed);
        self.is_waiter().then(|| Duration::from_millis(ms))
    }

    /// Whether it has the place of one that waits.
    pub fn is_waiter(&self) -> bool {
        self.0.as_waiter.lock().is_some()
    }

    /// Allows one that has a waiter's place already to wait once more.
    pub fn wait_on(&self, at_most: Duration) {
        let ms = at_most.as_millis() as u64;
        self.0.extra_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// From now on the request is one of those that wait, to its end.
    pub fn wait(&self, as_waiter: OwnedSemaphorePermit, at_most: Duration) {
        self.wait_on(at_most);
        *self.0.as_waiter.lock() = Some(as_waiter);
        self.0.in_flight.lock().take();
    }

    /// Comes back when the request has taken longer than this and all it was allowed beyond.
    pub async fn ends(&self, usual: Duration) {
        let started = Instant::now();
        loop {
            let allowed = usual + self.extra();
            sleep_until(started + allowed).await;
            if usual + self.extra() <= allowed {
                return;
            }
        }
    }

    fn extra(&self) -> Duration {
        Duration::from_millis(self.0.extra_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_on_top_of_the_usual_time() {
        let patience = Patience::default();
        let waits = patience.clone();
        let started = Instant::now();
        let ends = tokio::spawn(async move {
            patience.ends(Duration::from_secs(10)).await;
            started.elapsed()
        });
        tokio::time::sleep(Duration::from_secs(9)).await;
        let slot = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        waits.wait(slot, Duration::from_secs(5));
        assert_eq!(ends.await.unwrap(), Duration::from_secs(15));
    }

    #[test]
    fn who_waits_gives_its_place_to_another_and_keeps_a_waiters_to_its_end() {
        let (in_flight, waiters) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let permit = in_flight.try_acquire().unwrap();
        let patience = Patience::of(InFlight::keep(permit, &in_flight), false);
        assert!(in_flight.try_acquire().is_err());
        let slot = Arc::clone(&waiters).try_acquire_owned().unwrap();
        patience.wait(slot, Duration::ZERO);
        assert_eq!(
            (in_flight.available_permits(), waiters.available_permits()),
            (1, 0)
        );
        drop(patience);
        assert_eq!(
            (in_flight.available_permits(), waiters.available_permits()),
            (1, 1)
        );
    }
}
