//! A source database with its connector and broker: what happens in it is chosen by a seed, what its
//! tables hold is kept the naive way.
//!
//! Invariant: every change has a place in the log and one position in the database's order; applying
//! a prefix of the log in that order is the truth about it, however often the log repeats itself.

use std::collections::BTreeMap;

use testkit::connector::{At, Connector};
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

/// The rows of a table by key.
pub type Rows = BTreeMap<i64, String>;

/// Ids of rows come from `0..IDS`, so that they are updated, deleted and made again a lot.
const IDS: i64 = 12;
/// A connector that was restarted writes at most so many records again.
const AGAIN_MAX: usize = 12;

pub struct Topic {
    pub name: &'static str,
    pub partitions: i32,
    rows: Rows,
    /// Every record of each partition, `None` for an offset without one.
    written: Vec<Vec<Option<PlannedRecord>>>,
    /// Offsets of records that nobody can decode, by partition.
    broken: Vec<(i32, u64)>,
}

/// A change as the database made it, and where its records first came to lie: one of most changes,
/// two of a changed key.
struct Happened {
    topic: usize,
    places: Vec<(i32, u64)>,
    what: What,
}

enum What {
    Upsert(i64, String),
    Delete(i64),
    /// Rows are under other keys now: from, to, and what they hold.
    Move(Vec<(i64, i64, String)>),
    Truncate,
}

pub struct Database {
    pub topics: Vec<Topic>,
    pub log: ScriptedLog,
    connector: Connector,
    lsn: u64,
    transaction: u64,
    history: Vec<Happened>,
}

impl Database {
    /// A database with a few tables, some of which begin with a snapshot.
    pub fn new(rng: &mut fastrand::Rng) -> Self {
        let names = ["s.public.one", "s.public.two", "s.crm.three"];
        let topics = names.map(|name| {
            let partitions = rng.i32(1..=3);
            Topic {
                name,
                partitions,
                rows: Rows::new(),
                written: (0..partitions).map(|_| Vec::new()).collect(),
                broken: Vec::new(),
            }
        });
        let mut database = Self {
            topics: topics.into(),
            log: ScriptedLog::new(),
            connector: Connector { run: 1 },
            lsn: 100,
            transaction: 1,
            history: Vec::new(),
        };
        for topic in 0..database.topics.len() {
            let Topic {
                name, partitions, ..
            } = database.topics[topic];
            database.log.create_topic(name, partitions);
            if rng.bool() {
                database.snapshot(topic, rng);
            }
        }
        database
    }

    /// Something happens.
    pub fn step(&mut self, rng: &mut fastrand::Rng) {
        self.lsn += rng.u64(1..5);
        self.transaction += u64::from(rng.bool());
        let topic = rng.usize(..self.topics.len());
        let id = rng.i64(0..IDS);
        let is_held = self.topics[topic].rows.contains_key(&id);
        match rng.u32(..100) {
            0..3 => self.truncate(topic, rng),
            3..7 => self.broken(topic, rng),
            7..10 => self.heartbeat(topic, rng),
            10..13 => self.skip_offsets(topic, rng),
            13..17 => self.write_again(topic, rng),
            17..40 if is_held => self.delete(topic, id, rng.u32(..5) > 0),
            40..48 if is_held => self.change_key(topic, id, rng.i64(0..IDS)),
            48..52 => self.shift_keys(topic, id),
            _ => self.upsert(topic, id, is_held),
        }
    }

    /// What a topic's table holds after the records for which `is_read` holds. A key changes when both
    /// halves have been read: whoever shows one without the other is wrong.
    pub fn rows_after(&self, topic: usize, is_read: impl Fn(i32, u64) -> bool) -> Rows {
        let mut rows = Rows::new();
        for happened in &self.history {
            let mut places = happened.places.iter();
            if happened.topic != topic
                || !places.all(|(partition, offset)| is_read(*partition, *offset))
            {
                continue;
            }
            match &happened.what {
                What::Upsert(id, v) => {
                    rows.insert(*id, v.clone());
                }
                What::Delete(id) => {
                    rows.remove(id);
                }
                What::Move(moves) => {
                    for (from, _, _) in moves {
                        rows.remove(from);
                    }
                    rows.extend(moves.iter().map(|(_, to, v)| (*to, v.clone())));
                }
                What::Truncate => rows.clear(),
            }
        }
        rows
    }

    pub fn end(&self, topic: usize, partition: i32) -> u64 {
        self.topics[topic].written[partition as usize].len() as u64
    }

    /// Whether the record at an offset deletes a row.
    pub fn is_delete(&self, topic: usize, partition: i32, offset: u64) -> bool {
        let written = &self.topics[topic].written[partition as usize];
        let record = written.get(offset as usize).and_then(Option::as_ref);
        let value = record.and_then(|record| record.value.as_deref());
        value.is_some_and(|value| {
            let value = String::from_utf8_lossy(value);
            value.contains(r#""op":"d""#)
        })
    }

    /// Partitions and offsets of a topic's records that cannot be decoded.
    pub fn broken_records(&self, topic: usize) -> &[(i32, u64)] {
        &self.topics[topic].broken
    }

    fn snapshot(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        for id in 0..rng.i64(1..IDS) {
            let (at, v) = (self.at_key(topic, id), format!("r{id}"));
            let record = self.connector.snapshot(at, id, &v);
            self.topics[topic].rows.insert(id, v.clone());
            self.change(topic, record, What::Upsert(id, v));
        }
    }

    fn upsert(&mut self, topic: usize, id: i64, is_held: bool) {
        let (at, v) = (self.at_key(topic, id), format!("v{}", self.lsn));
        let record = if is_held {
            self.connector.update(at, id, &v)
        } else {
            self.connector.create(at, id, &v)
        };
        self.topics[topic].rows.insert(id, v.clone());
        self.change(topic, record, What::Upsert(id, v));
    }

    fn delete(&mut self, topic: usize, id: i64, with_tombstone: bool) {
        let at = self.at_key(topic, id);
        let (delete, tombstone) = (
            self.connector.delete(at, id),
            self.connector.tombstone(at, id),
        );
        self.topics[topic].rows.remove(&id);
        self.change(topic, delete, What::Delete(id));
        if with_tombstone {
            self.append(topic, tombstone);
        }
    }

    /// Both halves of a key change share their position.
    fn change_key(&mut self, topic: usize, id: i64, to: i64) {
        let Some(v) = self.topics[topic].rows.get(&id).cloned() else {
            return;
        };
        if self.topics[topic].rows.contains_key(&to) {
            return;
        }
        let (from, here) = (self.at_key(topic, id), self.at_key(topic, to));
        let away = self.connector.moved_away(from, id, to);
        let tombstone = PlannedRecord {
            value: None,
            ..away.clone()
        };
        let arrived = self.connector.moved_here(here, to, &v, id);
        self.topics[topic].rows.remove(&id);
        self.topics[topic].rows.insert(to, v.clone());
        let away = self.append(topic, away);
        self.append(topic, tombstone);
        let arrived = self.append(topic, arrived);
        self.history.push(Happened {
            topic,
            places: vec![away, arrived],
            what: What::Move(vec![(id, to, v)]),
        });
    }

    /// `set id = id + 1` from a key on, up to the first that is free: each row arrives before the one
    /// that was there leaves. Only tables with the full replica identity can do that.
    fn shift_keys(&mut self, topic: usize, first: i64) {
        let rows = self.topics[topic].rows.clone();
        let shifted: Vec<(i64, String)> = (first..IDS)
            .map_while(|id| Some((id, rows.get(&id)?.clone())))
            .collect();
        self.transaction += 1;
        let (mut places, mut moves) = (Vec::new(), Vec::new());
        for (id, v) in shifted {
            self.lsn += 1;
            let (from, here) = (self.at_key(topic, id), self.at_key(topic, id + 1));
            let away = whole(self.connector.moved_away(from, id, id + 1), &v);
            let tombstone = PlannedRecord {
                value: None,
                ..away.clone()
            };
            let arrived = self.connector.moved_here(here, id + 1, &v, id);
            places.push(self.append(topic, away));
            self.append(topic, tombstone);
            places.push(self.append(topic, arrived));
            moves.push((id, id + 1, v));
        }
        self.transaction += 1;
        let rows = &mut self.topics[topic].rows;
        for (id, _, _) in &moves {
            rows.remove(id);
        }
        rows.extend(moves.iter().map(|(_, to, v)| (*to, v.clone())));
        self.history.push(Happened {
            topic,
            places,
            what: What::Move(moves),
        });
    }

    fn truncate(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let at = self.at_any(topic, rng);
        let record = self.connector.truncate(at);
        self.topics[topic].rows.clear();
        self.change(topic, record, What::Truncate);
    }

    fn broken(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let record = Connector::broken(self.at_any(topic, rng));
        let (partition, offset) = self.append(topic, record);
        self.topics[topic].broken.push((partition, offset));
    }

    fn heartbeat(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let record = Connector::heartbeat(self.at_any(topic, rng));
        self.append(topic, record);
    }

    /// Offsets that hold no record, as a broker's own records take.
    fn skip_offsets(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let At { partition, .. } = self.at_any(topic, rng);
        let name = self.topics[topic].name;
        self.topics[topic].written[partition as usize].push(None);
        self.log.skip_offsets(name, partition, 1);
    }

    /// The connector is restarted and writes what it had streamed to a partition last once more.
    fn write_again(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        self.connector.run += 1;
        let At { partition, .. } = self.at_any(topic, rng);
        let written = &self.topics[topic].written[partition as usize];
        let from = written.len().saturating_sub(rng.usize(1..=AGAIN_MAX));
        let suffix = written[from..].iter().flatten();
        // A tombstone is written together with its delete, or not at all; and a run that
        // reads the tables again takes a snapshot of its own, with other positions.
        let streamed: Vec<PlannedRecord> = suffix
            .skip_while(|record| record.value.is_none())
            .filter(|record| is_of_table(record) && !is_snapshot(record))
            .cloned()
            .collect();
        for record in streamed {
            self.append(topic, self.connector.again(&record));
        }
    }

    fn at_key(&self, topic: usize, id: i64) -> At<'static> {
        let partition = id as i32 % self.topics[topic].partitions;
        self.at(topic, partition)
    }

    fn at_any(&self, topic: usize, rng: &mut fastrand::Rng) -> At<'static> {
        let partition = rng.i32(0..self.topics[topic].partitions);
        self.at(topic, partition)
    }

    fn at(&self, topic: usize, partition: i32) -> At<'static> {
        At {
            topic: self.topics[topic].name,
            partition,
            lsn: Some(self.lsn),
            transaction: Some(self.transaction),
        }
    }

    fn change(&mut self, topic: usize, record: PlannedRecord, what: What) {
        let place = self.append(topic, record);
        self.history.push(Happened {
            topic,
            places: vec![place],
            what,
        });
    }

    fn append(&mut self, topic: usize, record: PlannedRecord) -> (i32, u64) {
        let partition = record.partition;
        let written = &mut self.topics[topic].written[partition as usize];
        let offset = written.len() as u64;
        self.log.append(std::slice::from_ref(&record));
        written.push(Some(record));
        (partition, offset)
    }
}

/// A departure with the image of its whole row.
fn whole(departure: PlannedRecord, v: &str) -> PlannedRecord {
    let value = String::from_utf8(departure.value.unwrap_or_default()).unwrap_or_default();
    let value = value.replace(r#""v":null"#, &format!(r#""v":"{v}""#));
    PlannedRecord {
        value: Some(value.into_bytes()),
        ..departure
    }
}

fn is_snapshot(record: &PlannedRecord) -> bool {
    let value = record.value.as_deref().unwrap_or_default();
    String::from_utf8_lossy(value).contains(r#""op":"r""#)
}

/// Not a heartbeat, nor a record that was cut off: those carry no run.
fn is_of_table(record: &PlannedRecord) -> bool {
    !record.headers.is_empty()
}
