//! Polls a source, remembers what it said, and asserts what the contract says of *every* event.

#![expect(clippy::expect_used, reason = "a suite tells by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use change_feed::{PartitionFacts, RawBatch, Source, SourceEvent, StartAt};
use row_model::{NextOffset, PartitionId};

use crate::scripted_source::PlannedRecord;

/// Each poll waits this long at most, and so many polls may bring nothing before a wait has failed.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);
const EMPTY_POLLS_MAX: u32 = 1_500;

/// How many polls must bring nothing to believe that nothing comes.
const QUIET_POLLS: u32 = 15;

/// A topic and a partition's number in it.
pub(super) type Name = (String, i32);

pub(super) struct Driver {
    source: Box<dyn Source>,
    pub(super) facts: BTreeMap<Name, PartitionFacts>,
    names: BTreeMap<PartitionId, Name>,
    /// Offset expected at least next, of started partitions.
    expected: BTreeMap<PartitionId, u64>,
    paused: BTreeSet<PartitionId>,
    pub(super) records: BTreeMap<Name, Vec<(u64, PlannedRecord)>>,
    pub(super) ends: BTreeMap<Name, u64>,
    pub(super) losses: BTreeMap<Name, String>,
    pub(super) discovery_complete: bool,
}

impl Driver {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        Self {
            source,
            facts: BTreeMap::new(),
            names: BTreeMap::new(),
            expected: BTreeMap::new(),
            paused: BTreeSet::new(),
            records: BTreeMap::new(),
            ends: BTreeMap::new(),
            losses: BTreeMap::new(),
            discovery_complete: false,
        }
    }

    /// Polls until discovery is complete.
    pub(super) fn discover(mut self) -> Self {
        self.until("discovery is complete", |driver| driver.discovery_complete);
        self
    }

    pub(super) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let mut empty_polls = 0;
        while !done(self) {
            let brought = self.poll();
            empty_polls += u32::from(brought == 0);
            assert!(
                empty_polls < EMPTY_POLLS_MAX,
                "waited in vain until {what}: {}",
                self.summary()
            );
        }
    }

    pub(super) fn poll_once(&mut self) {
        self.poll();
    }

    /// Polls until several polls in a row brought nothing.
    pub(super) fn until_quiet(&mut self) {
        let mut quiet = 0;
        while quiet < QUIET_POLLS {
            quiet = if self.poll() == 0 { quiet + 1 } else { 0 };
        }
    }

    pub(super) fn until_ends(&mut self, wanted: &[(&str, i32, u64)]) {
        self.until("all partitions end where they should", |driver| {
            wanted.iter().all(|(topic, partition, end)| {
                driver.ends.get(&name(topic, *partition)) == Some(end)
            })
        });
    }

    /// Starts a partition, and forgets what was seen of it.
    pub(super) fn start(&mut self, topic: &str, partition: i32, at: StartAt) {
        let id = self.id(topic, partition);
        self.source
            .start(id, at)
            .expect("a discovered partition can be started");
        let from = if let StartAt::Offset(NextOffset(offset)) = at {
            offset
        } else {
            0
        };
        self.expected.insert(id, from);
        let name = name(topic, partition);
        self.records.remove(&name);
        self.ends.remove(&name);
    }

    pub(super) fn start_all(&mut self) {
        for (topic, partition) in self.facts.keys().cloned().collect::<Vec<_>>() {
            self.start(&topic, partition, StartAt::Earliest);
        }
    }

    pub(super) fn pause(&mut self, topic: &str, partition: i32) {
        let id = self.id(topic, partition);
        self.source.pause(&[id]);
        self.paused.insert(id);
    }

    pub(super) fn resume(&mut self, topic: &str, partition: i32) {
        let id = self.id(topic, partition);
        self.source.resume(&[id]);
        self.paused.remove(&id);
    }

    pub(super) fn acknowledge(&mut self, topic: &str, partition: i32, offset: u64) {
        let id = self.id(topic, partition);
        self.source.acknowledge(&[(id, NextOffset(offset))]);
    }

    pub(super) fn known_end(&self, topic: &str, partition: i32) -> Option<u64> {
        let id = self.id(topic, partition);
        self.source
            .ends()
            .into_iter()
            .find(|(known, _)| *known == id)
            .map(|(_, end)| end.0)
    }

    pub(super) fn offsets(&self, topic: &str, partition: i32) -> Vec<u64> {
        let records = self.records.get(&name(topic, partition));
        records
            .into_iter()
            .flatten()
            .map(|(offset, _)| *offset)
            .collect()
    }

    fn poll(&mut self) -> usize {
        let mut events = Vec::new();
        self.source.poll(POLL_TIMEOUT, &mut events);
        let brought = events.len();
        for event in events {
            self.observe(event);
        }
        brought
    }

    fn observe(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Discovered(facts) => {
                let name = name(&facts.topic, facts.partition);
                assert!(
                    self.names.insert(facts.id, name.clone()).is_none(),
                    "found twice: {facts:?}"
                );
                assert!(
                    self.facts.insert(name, facts).is_none(),
                    "one partition has two numbers"
                );
            }
            SourceEvent::DiscoveryComplete => {
                assert!(!self.discovery_complete, "discovery was completed twice");
                self.discovery_complete = true;
            }
            SourceEvent::Records(batch) => self.observe_records(&batch),
            SourceEvent::End { partition, next } => {
                let expected = self
                    .expected
                    .get(&partition)
                    .expect("an end before the start");
                assert!(
                    next.0 >= *expected,
                    "{next:?} was told as the end after {expected} was due"
                );
                assert!(
                    !self.paused.contains(&partition),
                    "the end of a paused partition"
                );
                self.ends.insert(self.names[&partition].clone(), next.0);
            }
            SourceEvent::PartitionLost { partition, error } => {
                self.expected.remove(&partition);
                self.losses
                    .insert(self.names[&partition].clone(), error.to_string());
            }
            SourceEvent::Available | SourceEvent::Delayed(_) => {}
            SourceEvent::Unavailable(error) => panic!("unavailable: {error}"),
            SourceEvent::Unreadable { place, reason } => panic!("unreadable: {place}: {reason}"),
        }
    }

    fn observe_records(&mut self, batch: &RawBatch) {
        let id = batch.partition;
        assert!(!batch.is_empty(), "a batch without records");
        assert!(!self.paused.contains(&id), "records of a paused partition");
        let expected = self
            .expected
            .get_mut(&id)
            .expect("records before the start");
        let name = self.names.get(&id).expect("records before the discovery");
        let seen = self.records.entry(name.clone()).or_default();
        for record in batch.iter() {
            assert!(
                record.offset >= *expected,
                "{name:?}: {} after {expected} was due",
                record.offset
            );
            *expected = record.offset + 1;
            let headers = record
                .headers()
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)));
            let planned = PlannedRecord {
                topic: name.0.clone(),
                partition: name.1,
                timestamp_ms: record
                    .timestamp_ms
                    .expect("the suite's records have timestamps"),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers.collect(),
            };
            seen.push((record.offset, planned));
        }
    }

    fn id(&self, topic: &str, partition: i32) -> PartitionId {
        self.facts[&name(topic, partition)].id
    }

    fn summary(&self) -> String {
        let counts: Vec<_> = self
            .records
            .iter()
            .map(|(name, seen)| (name, seen.len()))
            .collect();
        format!(
            "found {:?}, records {counts:?}, ends {:?}, losses {:?}",
            self.facts.keys(),
            self.ends,
            self.losses
        )
    }
}

pub(super) fn name(topic: &str, partition: i32) -> Name {
    (topic.to_owned(), partition)
}
