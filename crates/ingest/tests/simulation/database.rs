//! A source database with its connector and broker: what happens in it is chosen by a seed, what its
//! tables hold is kept the [naive way](crate::truth).
//!
//! Invariant: records are written in the order of the changes; only a connector that was restarted
//! repeats itself, and one that lost its place takes a full snapshot.

mod boundaries;
mod broker;
mod changes;
mod snapshots;

use testkit::connector::{At, Connector};
use testkit::scripted_source::{PlannedRecord, ScriptedLog, TakenTopic};

use crate::coverage::Happening;
use crate::trace::Trace;
use crate::truth::{Place, Rows, Truth, What};
pub use boundaries::BOUNDARIES;
use boundaries::Boundaries;
use snapshots::Scanning;

/// Ids of rows come from `0..IDS`, so that they are updated, deleted and made again a lot.
const IDS: i64 = 12;
/// A connector that was restarted writes at most so many records again.
const AGAIN_MAX: usize = 12;
/// A topic is given no more partitions than this.
const PARTITIONS_MAX: i32 = 4;

pub struct Topic {
    pub name: &'static str,
    pub partitions: i32,
    /// What the database holds; the log may not have heard of it yet.
    rows: Rows,
    /// Which columns its rows have.
    shape: usize,
    /// Every record of each partition.
    written: Vec<Vec<Written>>,
    /// A connector never goes back behind its last full snapshot.
    back_to: Vec<usize>,
    /// Offsets of records that nobody can decode, by partition.
    broken: Vec<Place>,
    had_more_partitions: bool,
    /// A full snapshot came after its keys had gone to other partitions. Its rows do not raise the
    /// positions of their keys: what was streamed before may be read later, from the old partition, and
    /// take their places (ARCHITECTURE, Non-guarantees: order between partitions).
    pub is_out_of_order: bool,
    /// Retention has cut one of its partitions and not the others.
    pub was_cut_by_size: bool,
    /// The newest run that has streamed to it.
    streamed_by: u32,
    /// The newest run whose full snapshot has named its rows.
    scanned_by: u32,
}

/// What lies at an offset.
#[derive(Clone)]
struct Written {
    /// `None` for an offset without a record.
    record: Option<PlannedRecord>,
    /// The offset of the record that it repeats.
    copy_of: Option<u64>,
    /// Its number among all that were ever written: the time of the log.
    number: u64,
}

pub struct Database {
    pub topics: Vec<Topic>,
    pub log: ScriptedLog,
    pub truth: Truth,
    connector: Connector,
    lsn: u64,
    transaction: u64,
    /// Records, and offsets without one.
    written: u64,
    scanning: Option<Scanning>,
    /// Where the connector tells transactions.
    pub boundaries: Option<Boundaries>,
    /// A topic that the broker does not have just now.
    gone: Option<(usize, TakenTopic)>,
    is_unreachable: bool,
    trace: Trace,
}

impl Database {
    /// A database with a few tables; mostly the connector begins with a snapshot.
    pub fn new(rng: &mut fastrand::Rng, trace: &Trace) -> Self {
        let names = ["s.public.one", "s.public.two", "s.crm.three"];
        let topics = names.map(|name| {
            let partitions = rng.i32(1..=3);
            Topic {
                name,
                partitions,
                rows: Rows::new(),
                shape: 0,
                written: (0..partitions).map(|_| Vec::new()).collect(),
                back_to: vec![0; partitions as usize],
                broken: Vec::new(),
                had_more_partitions: false,
                is_out_of_order: false,
                was_cut_by_size: false,
                streamed_by: 0,
                scanned_by: 0,
            }
        });
        let mut database = Self {
            topics: topics.into(),
            log: ScriptedLog::new(),
            truth: Truth::default(),
            connector: Connector { run: 1 },
            lsn: 100,
            transaction: 1,
            written: 0,
            scanning: None,
            boundaries: None,
            gone: None,
            is_unreachable: false,
            trace: trace.clone(),
        };
        for topic in &database.topics {
            database.log.create_topic(topic.name, topic.partitions);
        }
        if rng.u32(..3) == 0 {
            database.log.create_topic(BOUNDARIES, 1);
            database.boundaries = Some(Boundaries::default());
        }
        if rng.u32(..3) > 0 {
            database.begin_scan(rng);
        }
        database
    }

    /// Something happens, all of it in one transaction.
    pub fn step(&mut self, rng: &mut fastrand::Rng) {
        self.happen(rng);
        self.end_transaction(rng);
    }

    fn happen(&mut self, rng: &mut fastrand::Rng) {
        if self.gone.is_some() || self.is_unreachable {
            return self.mend(rng);
        }
        if self.scanning.is_some() {
            return self.go_on_scanning(rng);
        }
        self.lsn += rng.u64(1..5);
        let is_another = rng.bool() || self.boundaries.is_some();
        self.transaction += u64::from(is_another);
        let topic = rng.usize(..self.topics.len());
        match rng.u32(..200) {
            0..6 => self.truncate(topic, rng),
            6..12 => self.broken(topic, rng),
            12..17 => self.heartbeat(topic, rng),
            17..22 => self.skip_offsets(topic, rng),
            22..30 => self.write_again(topic, rng),
            30..34 => self.lose_place(rng),
            34..38 => self.snapshot_again(topic, "incremental"),
            38..41 => self.snapshot_again(topic, "true"),
            41..44 => self.alter(topic, rng),
            44..54 => self.transaction(rng),
            54..58 => self.add_partition(topic),
            58..61 => self.take_topic(topic),
            61..63 => self.lose_broker(),
            63..68 => self.trim(topic, rng),
            // A row whose leaving is read before it was itself, from another partition, is under neither
            // key until it arrives (ARCHITECTURE, Non-guarantees: order between partitions).
            68..92 if self.topics[topic].had_more_partitions => self.change(topic, rng),
            68..76 => self.shift_keys(topic, rng.i64(0..IDS)),
            76..92 => self.change_key(topic, rng),
            _ => self.change(topic, rng),
        }
    }

    /// Everything that is under way comes to its end.
    pub fn finish(&mut self, rng: &mut fastrand::Rng) {
        self.bring_back();
        if self.scanning.is_none() && rng.u32(..3) == 0 {
            self.lose_place(rng);
        }
        while self.scanning.is_some() {
            self.write_scan();
        }
        self.transaction += 1;
        // What a run streams says that its snapshot is over.
        for topic in 0..self.topics.len() {
            self.lsn += 1;
            self.upsert(topic, 0);
        }
        self.end_transaction(rng);
    }

    pub fn end(&self, topic: usize, partition: i32) -> u64 {
        self.topics[topic].written[partition as usize].len() as u64
    }

    /// Whether the record at an offset deletes a row, for who begins to read at another: a tombstone does if its
    /// delete is not there any more.
    pub fn is_delete(&self, topic: usize, partition: i32, offset: u64, begin: u64) -> bool {
        let written = &self.topics[topic].written[partition as usize];
        let record = written.get(offset as usize);
        let Some(record) = record.and_then(|written| written.record.as_ref()) else {
            return false;
        };
        match record.value.as_deref() {
            Some(value) => has(value, r#""op":"d""#),
            None => offset == begin && record.key.is_some(),
        }
    }

    /// Partitions and offsets of a topic's records that cannot be decoded.
    pub fn broken_records(&self, topic: usize) -> &[Place] {
        &self.topics[topic].broken
    }

    pub fn is_gone(&self, topic: usize) -> bool {
        let gone = self.gone.as_ref();
        gone.is_some_and(|(gone, _)| *gone == topic)
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

    /// Writes the one record of a change.
    fn happens(&mut self, topic: usize, record: PlannedRecord, what: What) {
        let place = self.append(topic, record);
        self.truth.happened(topic, vec![place], what);
    }

    fn append(&mut self, topic: usize, record: PlannedRecord) -> Place {
        self.append_copy(topic, record, None)
    }

    fn append_copy(&mut self, topic: usize, record: PlannedRecord, copy_of: Option<u64>) -> Place {
        let record = match copy_of {
            Some(_) => record,
            None => self.of_transaction(topic, record),
        };
        let Topic {
            name,
            shape,
            written,
            streamed_by,
            ..
        } = &mut self.topics[topic];
        self.written += 1;
        let record = match copy_of {
            Some(_) => record,
            None => shaped(record, *shape),
        };
        let partition = record.partition;
        let written = &mut written[partition as usize];
        let offset = written.len() as u64;
        self.log.append(std::slice::from_ref(&record));
        let value = record.value.clone().unwrap_or(b"tombstone".to_vec());
        let what = String::from_utf8_lossy(&value);
        let images = what.find(",\"source\"").unwrap_or(what.len());
        self.trace.say(format_args!(
            "{name}-{partition}@{offset} run {}: {}{}",
            self.connector.run,
            &what[..images],
            if copy_of.is_some() { " again" } else { "" }
        ));
        if !what.contains(r#""op":"r""#) && !record.headers.is_empty() {
            *streamed_by = self.connector.run;
        }
        written.push(Written {
            record: Some(record),
            copy_of,
            number: self.written,
        });
        (partition, offset)
    }

    fn count(&self, happening: Happening, topic: usize) {
        self.trace
            .count(happening, format_args!("{}", self.topics[topic].name));
    }
}

impl Topic {
    /// What a row holds beside its id, as records of the topic tell it from now on.
    fn told(&self, v: &str) -> String {
        match self.shape {
            0 => format!("v={v}"),
            1 => format!("w=7,v={v}"),
            _ => format!("u={v}"),
        }
    }
}

/// The record with the columns that its table has now: one more, or the one under another name.
fn shaped(record: PlannedRecord, shape: usize) -> PlannedRecord {
    let (value, of_key_alone) = match shape {
        0 => return record,
        1 => (r#","w":7,"v":""#, r#","w":null,"v":null"#),
        _ => (r#","u":""#, r#","u":null"#),
    };
    let value = record.value.map(|record| {
        let record = String::from_utf8_lossy(&record);
        let record = record.replace(r#","v":null"#, of_key_alone);
        record.replace(r#","v":""#, value).into_bytes()
    });
    PlannedRecord { value, ..record }
}

fn has(value: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(value).contains(part)
}
