//! Who waits for tables to come as far as a floor: asleep until a cut does, and woken by its publication.
//!
//! They are kept by the tables and the sources that they wait for, so that a cut which says nothing new of those
//! touches none of them. The few that it concerns are looked through by the writer's own thread, which wakes whom
//! the cut satisfies. Where there are many, that would hold the writer up: a thread beside it looks then, and
//! leaves the processor to others most of the time. Nobody looks again by the clock.

mod register;
mod watch;

use std::sync::{Arc, Weak};

use row_model::TableId;
use table_store::{Cut, CutListener, TableCut, TableStore};
use telemetry::clock;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use self::register::{Queue, Register};
use self::watch::Watched;
use crate::floor::Insisted;
use crate::limits::WAITERS_AT_ONCE_MAX;

/// All that wait.
#[derive(Debug)]
pub(crate) struct Waits {
    watched: Arc<Watched>,
    store: Weak<TableStore>,
    now_ms: fn() -> i64,
}

/// One that waits.
#[derive(Debug)]
struct Waiter {
    insisted: Arc<Insisted>,
    tables: Vec<TableId>,
    /// Those of config that its tables are of, if more than their rows decides.
    sources: Vec<String>,
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
    pub fn new(store: &Arc<TableStore>, now_ms: fn() -> i64) -> Self {
        Self {
            watched: Arc::default(),
            store: Arc::downgrade(store),
            now_ms,
        }
    }

    /// Waits until these tables have come so far, until `deadline` at most.
    pub async fn until(
        &self,
        store: &TableStore,
        insisted: &Arc<Insisted>,
        tables: &[Arc<TableCut>],
        deadline: Instant,
    ) -> Waited {
        let started = clock::monotonic();
        let place = self.enter(insisted, tables);
        let waited = loop {
            if self.watched.register.lock().ended {
                break Waited::Ended;
            }
            // Looked at after it was entered: a cut that is published later wakes it.
            if place.waiter.is_settled(&store.published(), (self.now_ms)()) {
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
        self.watched.register.lock().end();
        self.watched.rung.notify_all();
    }

    fn enter(&self, insisted: &Arc<Insisted>, tables: &[Arc<TableCut>]) -> Place<'_> {
        let identities = || tables.iter().map(|table| table.table.identity());
        let mut sources = Vec::new();
        if insisted.follows_source() {
            for identity in identities() {
                if !sources.contains(&identity.source) {
                    sources.push(identity.source.clone());
                }
            }
        }
        let waiter = Arc::new(Waiter {
            insisted: Arc::clone(insisted),
            tables: identities().map(|identity| identity.id).collect(),
            sources,
            woken: Notify::new(),
        });
        let number = self.watched.register.lock().enter(&waiter);
        telemetry::count_waiter(1.0);
        Place {
            waits: self,
            waiter,
            number,
        }
    }

    /// Has the thread look through what is due; the first time, starts it.
    fn ring(&self, register: &mut Register) {
        if !register.is_watched {
            let started = watch::start(&self.watched, Weak::clone(&self.store), self.now_ms);
            match started {
                Ok(()) => register.is_watched = true,
                Err(error) => tracing::error!(%error, "no thread for those that wait"),
            }
        }
        self.watched.rung.notify_all();
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.end();
    }
}

impl CutListener for Waits {
    fn published(&self, cut: &Cut, changed: &[TableId]) {
        let mut register = self.watched.register.lock();
        let mut is_due = false;
        for table in changed {
            if let Some(queue) = register.of_table(*table)
                && !looked_through(queue, cut, self.now_ms)
            {
                register.table_is_due(*table);
                is_due = true;
            }
        }
        if is_due {
            self.ring(&mut register);
        }
    }

    fn came_along(&self, cut: &Cut, source: &str) {
        let mut register = self.watched.register.lock();
        if let Some(queue) = register.of_source(source)
            && !looked_through(queue, cut, self.now_ms)
        {
            register.source_is_due(source);
            self.ring(&mut register);
        }
    }
}

/// Wakes whom a cut satisfies, unless there are too many to look at now.
fn looked_through(queue: &Queue, cut: &Cut, now_ms: fn() -> i64) -> bool {
    let few = queue.len() <= WAITERS_AT_ONCE_MAX;
    if few {
        let now_ms = now_ms();
        for waiter in queue.values() {
            waiter.wake_if_settled(cut, now_ms);
        }
    }
    few
}

impl Waiter {
    fn wake_if_settled(&self, cut: &Cut, now_ms: i64) {
        if self.is_settled(cut, now_ms) {
            self.woken.notify_one();
        }
    }

    fn is_settled(&self, cut: &Cut, now_ms: i64) -> bool {
        let tables = cut.tables().iter().map(|table| &**table);
        let tables = tables.filter(|table| self.tables.contains(&table.table.identity().id));
        self.insisted.is_settled(cut, tables, now_ms)
    }
}

/// A place among those that wait, left when it is dropped: also by a request that is given up.
struct Place<'a> {
    waits: &'a Waits,
    waiter: Arc<Waiter>,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut register = self.waits.watched.register.lock();
        register.leave(self.number, &self.waiter);
        telemetry::count_waiter(-1.0);
    }
}
