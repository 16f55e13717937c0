//! Who waits for tables to come as far as a floor: asleep until a cut does, and woken by its publication.
//!
//! The writer's thread looks through those that wait for a table of which a cut says something new, and wakes
//! whom it satisfies; nobody else is touched, and nobody looks again by the clock.

use std::sync::Arc;

use parking_lot::Mutex;
use query::reach::{Reach, reach};
use row_model::TableId;
use table_store::{Cut, CutListener, TableStore};
use telemetry::clock;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::floor::Insisted;

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Locked for a look through those that wait, to become one of them and to leave.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiters: Vec<Arc<Waiter>>,
    /// The process is about to end.
    ended: bool,
}

/// One that waits.
#[derive(Debug)]
struct Waiter {
    insisted: Arc<Insisted>,
    tables: Vec<TableId>,
    woken: Notify,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// By a cut that may be answered from, or that tells that none ever may.
    Woken,
    TimedOut,
    /// By the end of the process.
    Ended,
}

impl Waited {
    pub fn label(self) -> &'static str {
        match self {
            Self::Woken => "woken",
            Self::TimedOut => "timed_out",
            Self::Ended => "ended",
        }
    }
}

impl Waits {
    /// Waits until these tables have come so far, as long as that is insisted on.
    pub async fn until(
        &self,
        store: &TableStore,
        insisted: &Arc<Insisted>,
        tables: Vec<TableId>,
    ) -> Waited {
        let deadline = Instant::now() + insisted.wait;
        let started = clock::monotonic();
        let place = self.enter(insisted, tables);
        let waited = loop {
            if self.inner.lock().ended {
                break Waited::Ended;
            }
            // Looked at after it was entered: a cut that is published later wakes it.
            if place.waiter.is_satisfied_by(&store.published()) {
                break Waited::Woken;
            }
            let woken = place.waiter.woken.notified();
            if timeout_at(deadline, woken).await.is_err() {
                break Waited::TimedOut;
            }
        };
        telemetry::record_wait(waited.label(), clock::monotonic().duration_since(started));
        waited
    }

    /// Ends all waits, and all that would begin.
    pub fn end(&self) {
        let mut inner = self.inner.lock();
        inner.ended = true;
        for waiter in &inner.waiters {
            waiter.woken.notify_one();
        }
    }

    fn enter(&self, insisted: &Arc<Insisted>, tables: Vec<TableId>) -> Place<'_> {
        let waiter = Arc::new(Waiter {
            insisted: Arc::clone(insisted),
            tables,
            woken: Notify::new(),
        });
        self.inner.lock().waiters.push(Arc::clone(&waiter));
        telemetry::count_waiter(1.0);
        Place {
            waits: self,
            waiter,
        }
    }
}

impl CutListener for Waits {
    fn published(&self, cut: &Cut, changed: &[TableId]) {
        for waiter in &self.inner.lock().waiters {
            let concerns = waiter.tables.iter().any(|table| changed.contains(table));
            if concerns && waiter.is_satisfied_by(cut) {
                waiter.woken.notify_one();
            }
        }
    }
}

impl Waiter {
    fn is_satisfied_by(&self, cut: &Cut) -> bool {
        let tables = cut.tables().iter().map(|table| &**table);
        let tables = tables.filter(|table| self.tables.contains(&table.table.identity().id));
        !matches!(reach(tables, &self.insisted.as_of), Reach::NotYet(_))
    }
}

/// A place among those that wait, left when it is dropped: also by a request that is given up.
struct Place<'a> {
    waits: &'a Waits,
    waiter: Arc<Waiter>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waiters = &mut self.waits.inner.lock().waiters;
        waiters.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
        telemetry::count_waiter(-1.0);
    }
}
