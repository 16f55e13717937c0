//! Snapshots: full ones by a new run of the connector, which may be cut off and begun anew, and those
//! that a signal asks a running connector for.

use std::collections::VecDeque;

use testkit::connector::with_mark;

use super::{Database, IDS};
use crate::coverage::Happening;
use crate::truth::{Scan, What};

/// Rows that are written at once.
const ROWS_MAX: usize = 4;

/// A full snapshot on its way.
pub(super) struct Scanning {
    lsn: u64,
    /// What is still to be written.
    rows: VecDeque<Row>,
    /// What of the current table was.
    written: Option<Scan>,
}

struct Row {
    topic: usize,
    id: i64,
    v: String,
    mark: &'static str,
}

impl Database {
    /// The connector has lost its place in the database's log: what has happened since is in no
    /// record, and a new run reads the tables as they are.
    pub(super) fn lose_place(&mut self, rng: &mut fastrand::Rng) {
        self.connector.run += 1;
        for _ in 0..rng.u32(..8) {
            let (topic, id) = (rng.usize(..self.topics.len()), rng.i64(0..IDS));
            self.lsn += 1;
            let (v, rows) = (format!("q{}", self.lsn), &mut self.topics[topic].rows);
            if rng.bool() {
                rows.insert(id, v);
            } else if rows.remove(&id).is_some() {
                self.count(Happening::Vanished, topic);
            }
        }
        self.begin_scan(rng);
    }

    /// A run takes its first snapshot. One of nothing but empty tables writes nothing.
    pub(super) fn begin_scan(&mut self, rng: &mut fastrand::Rng) {
        // The first one finds what was there before.
        if self.truth.scans == 0 && self.lsn == 100 {
            for topic in &mut self.topics {
                let ids = 0..rng.i64(0..IDS);
                topic.rows = ids.map(|id| (id, format!("r{id}"))).collect();
            }
        }
        for topic in &mut self.topics {
            topic.is_out_of_order |= topic.had_more_partitions;
        }
        // Room for what was open meanwhile.
        self.lsn += 10;
        self.truth.scans += 1;
        let mut rows = VecDeque::new();
        for (number, topic) in self.topics.iter().enumerate() {
            for (at, (id, v)) in topic.rows.iter().enumerate() {
                let mark = match at {
                    _ if at + 1 == topic.rows.len() => "last_in_data_collection",
                    0 => "first_in_data_collection",
                    _ => "true",
                };
                let (topic, v) = (number, v.clone());
                rows.push_back(Row {
                    topic,
                    id: *id,
                    v,
                    mark,
                });
            }
        }
        if let Some(last) = rows.back_mut() {
            last.mark = "last";
        }
        self.trace.count(
            Happening::SnapshotBegun,
            format_args!("{} at {}", self.truth.scans, self.lsn),
        );
        self.scanning = Some(Scanning {
            lsn: self.lsn,
            rows,
            written: None,
        });
    }

    /// The snapshot goes on, or is cut off and begun anew.
    pub(super) fn go_on_scanning(&mut self, rng: &mut fastrand::Rng) {
        if rng.u32(..24) == 0 {
            self.trace
                .count(Happening::SnapshotCutOff, format_args!(""));
            return self.lose_place(rng);
        }
        for _ in 0..rng.usize(1..=ROWS_MAX) {
            self.write_scan();
        }
        if self.scanning.is_none() {
            self.commit_late(rng);
        }
    }

    /// Writes the next row of the snapshot.
    pub(super) fn write_scan(&mut self) {
        let Some(mut scanning) = self.scanning.take() else {
            return;
        };
        let Some(row) = scanning.rows.pop_front() else {
            return self.end_scan();
        };
        let Row { topic, id, v, mark } = row;
        let mut at = self.at_key(topic, id);
        at.lsn = Some(scanning.lsn);
        let record = with_mark(self.connector.snapshot(at, id, &v), mark);
        let told = self.topics[topic].told(&v);
        let place = self.append(topic, record);
        self.truth
            .happened(topic, vec![place], What::Upsert(id, told));
        let number = self.truth.scans;
        let named = scanning.written.get_or_insert_with(|| Scan {
            topic,
            number,
            places: Vec::new(),
        });
        named.places.push(place);
        if mark.starts_with("last")
            && let Some(named) = scanning.written.take()
        {
            self.topics[topic].scanned_by = self.connector.run;
            self.truth.ended(named);
        }
        self.scanning = Some(scanning);
    }

    fn end_scan(&mut self) {
        self.trace.count(
            Happening::SnapshotEnded,
            format_args!("{}", self.truth.scans),
        );
        for topic in &mut self.topics {
            topic.back_to = topic.written.iter().map(Vec::len).collect();
        }
    }

    /// Transactions that were open while the snapshot was taken: their changes stand before it, and
    /// are in none of its rows.
    fn commit_late(&mut self, rng: &mut fastrand::Rng) {
        let end = self.lsn;
        for lsn in end - 8..end {
            if rng.u32(..4) == 0 {
                let topic = rng.usize(..self.topics.len());
                self.count(Happening::LateTransaction, topic);
                self.lsn = lsn;
                self.upsert(topic, rng.i64(0..IDS));
            }
        }
        self.lsn = end;
    }

    /// A signal asks for a snapshot of one table, between the rows of which nothing is streamed.
    pub(super) fn snapshot_again(&mut self, topic: usize, mark: &'static str) {
        let is_blocking = mark == "true";
        let table = &self.topics[topic];
        // One that is read before anything that its run streamed is taken for a full snapshot of a new
        // run, which sweeps (ARCHITECTURE, Non-guarantees).
        let run = self.connector.run;
        let is_ordered = table.partitions == 1 && table.streamed_by == run;
        let is_known = table.scanned_by == run || is_ordered;
        // A row of a snapshot does not raise its key's position: where keys have moved to other
        // partitions, what was streamed of it before may be read later, and takes its place.
        if table.had_more_partitions || (is_blocking && !is_known) {
            return;
        }
        let rows = table.rows.clone();
        let kind = match is_blocking {
            true => Happening::BlockingSnapshot,
            false => Happening::IncrementalSnapshot,
        };
        self.count(kind, topic);
        for (at, (id, v)) in rows.iter().enumerate() {
            let is_last = is_blocking && at + 1 == rows.len();
            let mark = if is_last { "last" } else { mark };
            let record = self.connector.snapshot(self.at_key(topic, *id), *id, v);
            let told = self.topics[topic].told(v);
            self.happens(topic, with_mark(record, mark), What::Upsert(*id, told));
        }
    }
}
