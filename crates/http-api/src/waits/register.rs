//! Who waits, by what would bring it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use row_model::TableId;

use super::Waiter;

/// Waiters in the order in which they came.
pub(super) type Queue = BTreeMap<u64, Arc<Waiter>>;

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// The process is about to end.
    pub ended: bool,
    /// There is a thread that looks at what is due.
    pub is_watched: bool,
    next: u64,
    tables: HashMap<TableId, Queue>,
    /// Those for whom the rows of their tables do not decide alone.
    sources: HashMap<String, Queue>,
    due_tables: BTreeSet<TableId>,
    due_sources: BTreeSet<String>,
}

impl Register {
    /// Gives a waiter its place.
    pub fn enter(&mut self, waiter: &Arc<Waiter>) -> u64 {
        let place = self.next;
        self.next += 1;
        for table in &waiter.tables {
            let queue = self.tables.entry(*table).or_default();
            queue.insert(place, Arc::clone(waiter));
        }
        for source in &waiter.sources {
            let queue = self.sources.entry(source.clone()).or_default();
            queue.insert(place, Arc::clone(waiter));
        }
        place
    }

    pub fn leave(&mut self, place: u64, waiter: &Waiter) {
        for table in &waiter.tables {
            leave(&mut self.tables, table, place);
        }
        for source in &waiter.sources {
            leave(&mut self.sources, source, place);
        }
    }

    /// Those that wait for a table.
    pub fn of_table(&self, table: TableId) -> Option<&Queue> {
        self.tables.get(&table)
    }

    /// Those that wait for tables of a source to come along with it.
    pub fn of_source(&self, source: &str) -> Option<&Queue> {
        self.sources.get(source)
    }

    /// Has the thread look through those that wait for a table, or for a source.
    pub fn table_is_due(&mut self, table: TableId) {
        self.due_tables.insert(table);
    }

    pub fn source_is_due(&mut self, source: &str) {
        if !self.due_sources.contains(source) {
            self.due_sources.insert(source.to_owned());
        }
    }

    pub fn is_anything_due(&self) -> bool {
        !self.due_tables.is_empty() || !self.due_sources.is_empty()
    }

    /// All that are to be looked through, each once.
    pub fn take_due(&mut self) -> Vec<Arc<Waiter>> {
        let tables = std::mem::take(&mut self.due_tables);
        let sources = std::mem::take(&mut self.due_sources);
        let of_tables = tables.iter().filter_map(|table| self.tables.get(table));
        let of_sources = sources.iter().filter_map(|source| self.sources.get(source));
        let queues: Vec<&Queue> = of_tables.chain(of_sources).collect();
        if let [queue] = queues[..] {
            return queue.values().cloned().collect();
        }
        let all: BTreeMap<u64, &Arc<Waiter>> = queues
            .into_iter()
            .flatten()
            .map(|(place, waiter)| (*place, waiter))
            .collect();
        all.into_values().cloned().collect()
    }

    /// Wakes everybody.
    pub fn end(&mut self) {
        self.ended = true;
        for waiter in self.tables.values().flat_map(BTreeMap::values) {
            waiter.woken.notify_one();
        }
    }
}

fn leave<K: Hash + Eq>(queues: &mut HashMap<K, Queue>, key: &K, place: u64) {
    if let Some(queue) = queues.get_mut(key) {
        queue.remove(&place);
        if queue.is_empty() {
            queues.remove(key);
        }
    }
}
