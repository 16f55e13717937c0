//! Who sleeps until what it was told changes: woken by a cut that says something new of a table that its answer
//! rests on, and by nothing else.
//!
//! Whether that changed the answer is for the sleeper to find out, which looks again. The writer's thread only
//! rings, and only for the tables that changed; where many sleep, not for each change of a table that changes all the time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use row_model::TableId;
use table_store::{Cut, CutListener, TableCut, TableStore};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

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
    pub fn is_in(&self, cut: &Arc<Cut>) -> bool {
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

/// After its bell a room is quiet for so long for each that was woken beyond the first: so all that look again, most
/// of them in vain, take a tenth of a core however many they are and however often the table changes.
const QUIET_PER_SLEEPER: Duration = Duration::from_micros(100);

/// All that sleep.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// Locked to ring in some rooms, to lie down and to get up.
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    bells: HashMap<Room, Bell>,
    /// Number of the next that lies down.
    next: u64,
    /// Where bells are rung later; known once somebody sleeps.
    runtime: Option<Handle>,
    /// The process is about to end.
    ended: bool,
}

#[derive(Debug, Default)]
struct Bell {
    beds: HashMap<u64, Arc<Notify>>,
    /// The room is quiet until then.
    quiet_until: Option<Instant>,
    /// It will be rung then.
    is_set: bool,
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
        // Looked at after lying down: a cut that is published later rings.
        if !seen.is_in(&store.published()) {
            let mut inner = self.inner.lock();
            seen.rooms().for_each(|room| self.ring(&mut inner, room));
        }
        loop {
            if self.inner.lock().ended {
                return Waited::Ended;
            }
            if timeout_at(deadline, bed.rung.notified()).await.is_err() {
                return Waited::TimedOut;
            }
            if !seen.is_in(&store.published()) {
                return Waited::Woken;
            }
        }
    }

    /// Wakes all, and lets nobody sleep any more.
    pub fn end(&self) {
        let mut inner = self.inner.lock();
        inner.ended = true;
        for bell in inner.bells.values() {
            bell.beds.values().for_each(|rung| rung.notify_one());
        }
    }

    fn lie_down<'a>(&'a self, seen: &'a Seen) -> Bed<'a> {
        let rung = Arc::new(Notify::new());
        let mut inner = self.inner.lock();
        inner.runtime.get_or_insert_with(Handle::current);
        let number = inner.next;
        inner.next += 1;
        for room in seen.rooms() {
            let bell = inner.bells.entry(room).or_default();
            bell.beds.insert(number, Arc::clone(&rung));
        }
        telemetry::count_waiter(1.0);
        Bed {
            sleepers: self,
            seen,
            number,
            rung,
        }
    }

    /// Rings in a room, or has it done when the room is not quiet any more.
    fn ring(&self, inner: &mut Inner, room: Room) {
        let (Some(bell), Some(runtime)) = (inner.bells.get_mut(&room), &inner.runtime) else {
            return;
        };
        let now = Instant::now();
        match bell.quiet_until.filter(|until| *until > now) {
            _ if bell.is_set || bell.beds.is_empty() => {}
            None => bell.ring(now),
            Some(until) => {
                bell.is_set = true;
                let inner = Arc::clone(&self.inner);
                runtime.spawn(async move {
                    sleep_until(until).await;
                    if let Some(bell) = inner.lock().bells.get_mut(&room) {
                        bell.is_set = false;
                        bell.ring(until);
                    }
                });
            }
        }
    }
}

impl Bell {
    fn ring(&mut self, now: Instant) {
        self.beds.values().for_each(|rung| rung.notify_one());
        let others = self.beds.len().saturating_sub(1) as u32;
        self.quiet_until = Some(now + QUIET_PER_SLEEPER * others);
    }

    /// Nothing is remembered that matters.
    fn is_idle(&self) -> bool {
        let is_quiet = self.quiet_until.is_some_and(|until| until > Instant::now());
        self.beds.is_empty() && !self.is_set && !is_quiet
    }
}

impl CutListener for Sleepers {
    fn published(&self, _: &Cut, changed: &[TableId]) {
        let mut inner = self.inner.lock();
        if inner.bells.is_empty() {
            return;
        }
        let rooms = changed.iter().map(|table| Room::Table(*table));
        for room in rooms.chain([Room::All]) {
            self.ring(&mut inner, room);
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
        let bells = &mut self.sleepers.inner.lock().bells;
        for room in self.seen.rooms() {
            if let Entry::Occupied(mut bell) = bells.entry(room) {
                bell.get_mut().beds.remove(&self.number);
                if bell.get().is_idle() {
                    bell.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(sleepers.inner.lock().bells.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_with_many_is_woken_less_often_and_by_the_newest_cut() {
        let (sleepers, mut publisher) = (Arc::new(Sleepers::default()), Publisher::default());
        let store = Arc::clone(publisher.store());
        store.listen(Arc::clone(&sleepers) as _);
        let seen = Seen::all(&store.published());
        let others: Vec<Bed<'_>> = (0..100).map(|_| sleepers.lie_down(&seen)).collect();
        let began = Instant::now();
        publisher.publish();
        assert_eq!(slept(&sleepers, &store, &seen).await, Waited::Woken);
        // It looks, and lies down again: by then there is something new again and again.
        for _ in 0..3 {
            let seen = Seen::all(&store.published());
            publisher.publish();
            publisher.publish();
            assert_eq!(slept(&sleepers, &store, &seen).await, Waited::Woken);
        }
        let took = Instant::now() - began;
        assert!(took >= QUIET_PER_SLEEPER * 300, "{took:?}");
        // One that sleeps alone is woken at once.
        drop(others);
        tokio::time::sleep(QUIET_PER_SLEEPER * 200).await;
        for _ in 0..3 {
            let (seen, asked) = (Seen::all(&store.published()), Instant::now());
            publisher.publish();
            assert_eq!(slept(&sleepers, &store, &seen).await, Waited::Woken);
            assert_eq!(Instant::now(), asked);
        }
    }
}
