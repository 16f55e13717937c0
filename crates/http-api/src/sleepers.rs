//! Who sleeps until what it was told changes: woken by a cut that says something new of a table that its answer
//! rests on, and by nothing else.
//!
//! Whether that changed the answer is for the sleeper to find out, which looks again. The writer's thread only
//! rings, and only at the tables that changed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use row_model::TableId;
use table_store::{Cut, CutListener, TableCut, TableStore};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::waits::Waited;

/// What an answer rests on, as it was when the answer was made or before. Weak, so that who sleeps keeps nothing of it.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Tables(Vec<(TableId, Weak<TableCut>)>),
    /// All tables, and those to come.
    All(Weak<Cut>),
}

impl Seen {
    pub fn tables<'a>(tables: impl IntoIterator<Item = &'a Arc<TableCut>>) -> Self {
        let mut seen: Vec<(TableId, Weak<TableCut>)> = Vec::new();
        for table in tables {
            let id = table.table.identity().id;
            if seen.iter().all(|(known, _)| *known != id) {
                seen.push((id, Arc::downgrade(table)));
            }
        }
        Self::Tables(seen)
    }

    pub fn all(cut: &Arc<Cut>) -> Self {
        Self::All(Arc::downgrade(cut))
    }

    /// Whether this cut says nothing new of it. As long as the weak one is held, no other has its address.
    fn is_in(&self, cut: &Arc<Cut>) -> bool {
        match self {
            Self::Tables(seen) => seen.iter().all(|(id, seen)| {
                let mut tables = cut.tables().iter();
                let now = tables.find(|table| table.table.identity().id == *id);
                now.is_some_and(|now| std::ptr::eq(seen.as_ptr(), Arc::as_ptr(now)))
            }),
            Self::All(seen) => std::ptr::eq(seen.as_ptr(), Arc::as_ptr(cut)),
        }
    }

    /// Whether a table is among it.
    pub fn has(&self, table: &TableCut) -> bool {
        match self {
            Self::Tables(seen) => seen.iter().any(|(id, _)| *id == table.table.identity().id),
            Self::All(_) => true,
        }
    }

    fn rooms(&self) -> impl Iterator<Item = Room> {
        let (tables, all) = match self {
            Self::Tables(tables) => (&**tables, None),
            Self::All(_) => (&[][..], Some(Room::All)),
        };
        let tables = tables.iter().map(|(id, _)| Room::Table(*id));
        tables.chain(all)
    }
}

/// Where a bell is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Room {
    Table(TableId),
    All,
}

/// All that sleep.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// Locked to ring at some tables, to lie down and to get up.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rooms: HashMap<Room, HashMap<u64, Arc<Notify>>>,
    /// Number of the next that lies down.
    next: u64,
    /// The process is about to end.
    ended: bool,
}

impl Sleepers {
    /// Sleeps until a cut says something new of tables that were seen so.
    pub async fn until_changed(
        &self,
        store: &TableStore,
        seen: &Seen,
        deadline: Instant,
    ) -> Waited {
        let bed = self.lie_down(seen);
        loop {
            if self.inner.lock().ended {
                return Waited::Ended;
            }
            // Looked at after lying down: a cut that is published later rings.
            if !seen.is_in(&store.published()) {
                return Waited::Woken;
            }
            if timeout_at(deadline, bed.rung.notified()).await.is_err() {
                return Waited::TimedOut;
            }
        }
    }

    /// Wakes all, and lets nobody sleep any more.
    pub fn end(&self) {
        let mut inner = self.inner.lock();
        inner.ended = true;
        for rung in inner.rooms.values().flat_map(HashMap::values) {
            rung.notify_one();
        }
    }

    fn lie_down<'a>(&'a self, seen: &'a Seen) -> Bed<'a> {
        let rung = Arc::new(Notify::new());
        let mut inner = self.inner.lock();
        let number = inner.next;
        inner.next += 1;
        for room in seen.rooms() {
            let beds = inner.rooms.entry(room).or_default();
            beds.insert(number, Arc::clone(&rung));
        }
        telemetry::count_waiter(1.0);
        Bed {
            sleepers: self,
            seen,
            number,
            rung,
        }
    }
}

impl CutListener for Sleepers {
    fn published(&self, _: &Cut, changed: &[TableId]) {
        let inner = self.inner.lock();
        if inner.rooms.is_empty() {
            return;
        }
        let rooms = changed.iter().map(|table| Room::Table(*table));
        let beds = rooms
            .chain([Room::All])
            .filter_map(|room| inner.rooms.get(&room));
        for rung in beds.flat_map(HashMap::values) {
            rung.notify_one();
        }
    }
}

/// A place among those that sleep, left when it is dropped: also by a request that is given up.
struct Bed<'a> {
    sleepers: &'a Sleepers,
    seen: &'a Seen,
    number: u64,
    rung: Arc<Notify>,
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        telemetry::count_waiter(-1.0);
        let rooms = &mut self.sleepers.inner.lock().rooms;
        for room in self.seen.rooms() {
            if let Entry::Occupied(mut beds) = rooms.entry(room) {
                beds.get_mut().remove(&self.number);
                if beds.get().is_empty() {
                    beds.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use table_store::Publisher;

    use super::*;

    async fn slept(sleepers: &Sleepers, store: &TableStore, seen: &Seen) -> Waited {
        let deadline = Instant::now() + Duration::from_secs(5);
        sleepers.until_changed(store, seen, deadline).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_changed_before_somebody_slept_is_no_reason_to_sleep() {
        let (sleepers, mut publisher) = (Sleepers::default(), Publisher::default());
        let store = Arc::clone(publisher.store());
        let seen = Seen::all(&store.published());
        assert_eq!(slept(&sleepers, &store, &seen).await, Waited::TimedOut);
        // Nobody rings: it was not heard of.
        publisher.publish();
        assert_eq!(slept(&sleepers, &store, &seen).await, Waited::Woken);
        // A table that is gone has changed too.
        let gone = Seen::Tables(vec![(TableId(7), Weak::new())]);
        assert_eq!(slept(&sleepers, &store, &gone).await, Waited::Woken);
        sleepers.end();
        let seen = Seen::all(&store.published());
        assert_eq!(slept(&sleepers, &store, &seen).await, Waited::Ended);
        assert!(sleepers.inner.lock().rooms.is_empty());
    }
}
