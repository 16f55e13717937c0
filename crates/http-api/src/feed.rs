//! Who follows tables: asleep until one of them changes, and woken by that.
//!
//! The writer rings a bell and goes on, however many there are; a task of the runtime goes round and wakes those whose
//! tables have changed. What they then read they take from the ring of changes, each at its own pace.

pub(crate) mod asked;
pub(crate) mod pieces;
pub(crate) mod reader;
pub(crate) mod spelled;
pub(crate) mod step;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use row_model::TableId;
use table_store::{Cut, CutListener};
use tokio::sync::Notify;

/// All that follow tables.
#[derive(Debug, Default)]
pub(crate) struct Feeds(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bell: Notify,
    /// The writer looks at nothing else while nobody follows anything.
    count: AtomicUsize,
    /// Locked for a few steps, however many follow.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Copied when one comes or goes, so that going round locks nothing.
    followers: Arc<Vec<Arc<Follower>>>,
    changed: Vec<TableId>,
    /// Somebody listens to the bell.
    is_attended: bool,
    ended: bool,
}

#[derive(Debug)]
struct Follower {
    tables: Vec<TableId>,
    woken: Notify,
}

impl Feeds {
    /// Has somebody be woken when any of these tables changes. Within a runtime.
    pub fn follow(&self, tables: Vec<TableId>) -> Following {
        let follower = Arc::new(Follower {
            tables,
            woken: Notify::new(),
        });
        let mut inner = self.0.inner.lock();
        Arc::make_mut(&mut inner.followers).push(Arc::clone(&follower));
        self.0.count.store(inner.followers.len(), Ordering::Release);
        if !inner.is_attended {
            inner.is_attended = true;
            tokio::spawn(attend(Arc::downgrade(&self.0)));
        }
        telemetry::count_subscriber(1.0);
        Following {
            shared: Arc::clone(&self.0),
            follower,
        }
    }

    /// The process is about to end: all are told so.
    pub fn end(&self) {
        let mut inner = self.0.inner.lock();
        inner.ended = true;
        for follower in &*inner.followers {
            follower.woken.notify_one();
        }
    }
}

impl CutListener for Feeds {
    fn published(&self, cut: &Cut, changed: &[TableId]) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        // Ids of events name it, and can be asked for like what answers say.
        let _ = cut.tell();
        let mut inner = self.0.inner.lock();
        for table in changed {
            if !inner.changed.contains(table) {
                inner.changed.push(*table);
            }
        }
        drop(inner);
        self.0.bell.notify_one();
    }
}

/// Goes round whenever the bell rings, until nobody is left.
async fn attend(shared: Weak<Shared>) {
    loop {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.bell.notified().await;
        let (followers, changed) = {
            let mut inner = shared.inner.lock();
            if inner.followers.is_empty() {
                inner.is_attended = false;
                return;
            }
            (
                Arc::clone(&inner.followers),
                std::mem::take(&mut inner.changed),
            )
        };
        for follower in &*followers {
            if follower.tables.iter().any(|table| changed.contains(table)) {
                follower.woken.notify_one();
            }
        }
    }
}

/// A place among those that follow tables, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    shared: Arc<Shared>,
    follower: Arc<Follower>,
}

impl Following {
    /// Comes back when a table may have changed since this did so last, or when the process ends.
    pub async fn woken(&self) {
        self.follower.woken.notified().await;
    }

    pub fn has_ended(&self) -> bool {
        self.shared.inner.lock().ended
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut inner = self.shared.inner.lock();
        let followers = Arc::make_mut(&mut inner.followers);
        followers.retain(|follower| !Arc::ptr_eq(follower, &self.follower));
        self.shared
            .count
            .store(inner.followers.len(), Ordering::Release);
        drop(inner);
        // Whoever attends to nobody any more may go.
        self.shared.bell.notify_one();
        telemetry::count_subscriber(-1.0);
    }
}
