//! Records that could not be decoded or applied: kept with their reason, bounded, newest last.
//!
//! The bound is on their bytes: beyond it the oldest are let go of, and stay counted.

use std::collections::{HashMap, HashSet, VecDeque};

/// In place of reasons that were given before config hid columns of the topic.
const STRIPPED: &str = "it could not be decoded, before columns of its topic were hidden";

/// A record that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub source: String,
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    pub timestamp_ms: Option<i64>,
    pub reason: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// As its source handed headers on; `None` where the record was not kept whole.
    pub headers: Option<Vec<u8>>,
}

impl Quarantined {
    fn bytes(&self) -> u64 {
        let part = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let parts = [&self.key, &self.value, &self.headers];
        let bytes: usize = parts.into_iter().map(part).sum();
        (size_of::<Self>() + self.reason.len() + bytes) as u64
    }

    /// Which record of which log it is.
    pub(crate) fn place(&self) -> Place {
        let log = (self.source.clone(), self.topic.clone());
        (log, self.partition, self.offset)
    }
}

pub(crate) type Place = ((String, String), i32, u64);

#[derive(Debug)]
pub(crate) struct Quarantine {
    held: VecDeque<Quarantined>,
    /// Where the held ones are from: a partition that is read again brings them again.
    places: HashSet<Place>,
    /// Counts what was added and removed, so that nobody copies what did not change.
    changes: u64,
    bytes: u64,
    bytes_max: u64,
    /// Records ever put aside, by topic.
    counts: HashMap<String, u64>,
    /// What the next checkpoint has to add and remove.
    added: Vec<Quarantined>,
    removed: Vec<Quarantined>,
}

impl Quarantine {
    pub fn new(bytes_max: u64) -> Self {
        Self {
            held: VecDeque::new(),
            places: HashSet::new(),
            changes: 0,
            bytes: 0,
            bytes_max,
            counts: HashMap::new(),
            added: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Puts back what a checkpoint remembers.
    pub fn restore(&mut self, record: Quarantined) {
        self.bytes += record.bytes();
        self.changes += 1;
        self.places.insert(record.place());
        self.held.push_back(record);
    }

    pub fn restore_count(&mut self, topic: &str, count: u64) {
        self.counts.insert(topic.to_owned(), count);
    }

    /// Takes a record in. `false` if it is there already (its partition was read again).
    pub fn add(&mut self, record: Quarantined) -> bool {
        if !self.places.insert(record.place()) {
            return false;
        }
        *self.counts.entry(record.topic.clone()).or_default() += 1;
        self.changes += 1;
        self.bytes += record.bytes();
        self.added.push(record.clone());
        self.held.push_back(record);
        self.keep_to_the_bound();
        true
    }

    /// Changes how much is held.
    pub fn set_bytes_max(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
        self.keep_to_the_bound();
    }

    fn keep_to_the_bound(&mut self) {
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.held.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes();
            self.changes += 1;
            self.places.remove(&oldest.place());
            self.removed.push(oldest);
        }
    }

    /// Forgets the records of a topic that is read again from its start.
    pub fn forget(&mut self, source: &str, topic: &str) {
        let is_gone = |record: &Quarantined| record.source == source && record.topic == topic;
        let (gone, held): (Vec<_>, Vec<_>) = self.held.drain(..).partition(is_gone);
        self.held = held.into();
        self.counts.remove(topic);
        for record in gone {
            self.bytes -= record.bytes();
            self.changes += 1;
            self.places.remove(&record.place());
            self.removed.push(record);
        }
    }

    /// Keeps nothing but place and time of records that hold what nobody may see any more. Answers
    /// whether there were any.
    pub fn strip(&mut self, hides: impl Fn(&Quarantined) -> bool) -> bool {
        let changes = self.changes;
        for record in &mut self.held {
            let has_bytes = record.key.is_some() || record.value.is_some();
            if !has_bytes || !hides(record) {
                continue;
            }
            self.bytes -= record.bytes();
            (record.key, record.value, record.headers) = (None, None, None);
            STRIPPED.clone_into(&mut record.reason);
            self.bytes += record.bytes();
            self.changes += 1;
            self.added.push(record.clone());
        }
        self.changes > changes
    }

    /// Lets go of a record that is settled: it counts no more.
    pub fn settle(&mut self, place: &Place) {
        let Some(at) = self.held.iter().position(|it| it.place() == *place) else {
            return;
        };
        let Some(record) = self.held.remove(at) else {
            return;
        };
        self.changes += 1;
        self.bytes -= record.bytes();
        self.places.remove(place);
        if let Some(count) = self.counts.get_mut(&record.topic) {
            *count = count.saturating_sub(1);
        }
        self.added.retain(|added| added.place() != *place);
        self.removed.push(record);
    }

    /// Keeps a record for another reason than before.
    pub fn keep_for(&mut self, place: &Place, reason: &str) {
        let mut held = self.held.iter_mut();
        let Some(record) = held.find(|it| it.place() == *place && it.reason != reason) else {
            return;
        };
        self.bytes -= record.bytes();
        reason.clone_into(&mut record.reason);
        self.bytes += record.bytes();
        self.changes += 1;
        self.added.push(record.clone());
    }

    /// The records of a partition from this offset on.
    pub fn held_from(
        &self,
        (source, topic): (&str, &str),
        partition: i32,
        from: u64,
    ) -> impl Iterator<Item = &Quarantined> {
        self.held.iter().filter(move |record| {
            let is_there = record.partition == partition && record.offset >= from;
            is_there && record.topic == topic && record.source == source
        })
    }

    pub fn count(&self, topic: &str) -> u64 {
        self.counts.get(topic).copied().unwrap_or(0)
    }

    /// Another number whenever something was added or removed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// All that are held, oldest first.
    pub fn held(&self) -> impl DoubleEndedIterator<Item = &Quarantined> {
        self.held.iter()
    }

    /// What changed since the last call: records to add, records to remove.
    pub fn take_changes(&mut self) -> (Vec<Quarantined>, Vec<Quarantined>) {
        // One that was removed may have come again.
        self.removed
            .retain(|record| !self.places.contains(&record.place()));
        (
            std::mem::take(&mut self.added),
            std::mem::take(&mut self.removed),
        )
    }

    /// Has the next checkpoint hold all of it.
    pub fn mark_all_dirty(&mut self) {
        self.added = self.held.iter().cloned().collect();
        self.removed.clear();
    }

    /// How many records were ever put aside, of each topic that had any.
    pub fn counts(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.counts.iter()
    }

    /// Puts changes back that a checkpoint could not make durable.
    pub fn return_changes(
        &mut self,
        (mut added, mut removed): (Vec<Quarantined>, Vec<Quarantined>),
    ) {
        added.append(&mut self.added);
        removed.append(&mut self.removed);
        (self.added, self.removed) = (added, removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, bytes: usize) -> Quarantined {
        Quarantined {
            source: "s".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            offset,
            timestamp_ms: None,
            reason: String::new(),
            key: None,
            value: Some(vec![0; bytes]),
            headers: None,
        }
    }

    #[test]
    fn the_oldest_leave_at_the_bound_and_stay_counted() {
        let mut quarantine = Quarantine::new(2_300);
        for offset in 0..5 {
            assert!(quarantine.add(record(offset, 500)));
        }
        let held: Vec<u64> = quarantine.held().map(|record| record.offset).collect();
        assert_eq!((held, quarantine.count("t")), (vec![2, 3, 4], 5));
        let (added, removed) = quarantine.take_changes();
        assert_eq!((added.len(), removed.len()), (5, 2));
    }

    #[test]
    fn what_is_settled_counts_no_more_and_what_is_kept_says_why() {
        let mut quarantine = Quarantine::new(10_000);
        let (one, other) = (record(7, 1), record(8, 1));
        quarantine.add(one.clone());
        quarantine.add(other.clone());
        quarantine.take_changes();
        quarantine.settle(&one.place());
        quarantine.keep_for(&other.place(), "still bad");
        assert_eq!(quarantine.count("t"), 1);
        let (added, removed) = quarantine.take_changes();
        assert_eq!((added.len(), added[0].reason.as_str()), (1, "still bad"));
        assert_eq!(removed, std::slice::from_ref(&one));
        assert!(quarantine.add(one), "it may come again");
    }

    #[test]
    fn what_is_settled_before_a_checkpoint_is_not_in_it() {
        let mut quarantine = Quarantine::new(10_000);
        quarantine.add(record(7, 1));
        quarantine.settle(&record(7, 1).place());
        assert!(quarantine.take_changes().0.is_empty());
    }

    #[test]
    fn a_record_read_again_is_not_counted_again() {
        let mut quarantine = Quarantine::new(10_000);
        assert!(quarantine.add(record(7, 1)));
        assert!(!quarantine.add(record(7, 1)));
        assert_eq!(quarantine.count("t"), 1);
    }
}
