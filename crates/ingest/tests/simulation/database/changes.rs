//! Changes of rows and tables, and what else a connector writes while it streams.

use testkit::connector::{At, Connector};
use testkit::scripted_source::PlannedRecord;

use super::{AGAIN_MAX, Database, IDS, has};
use crate::coverage::Happening;
use crate::truth::{Move, What};

impl Database {
    /// A row is made, changed or deleted.
    pub(super) fn change(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let id = rng.i64(0..IDS);
        if self.topics[topic].rows.contains_key(&id) && rng.u32(..3) == 0 {
            self.delete(topic, id, rng.u32(..5) > 0);
        } else {
            self.upsert(topic, id);
        }
    }

    pub(super) fn upsert(&mut self, topic: usize, id: i64) {
        let (at, v) = (self.at_key(topic, id), format!("v{}", self.lsn));
        let table = &mut self.topics[topic];
        let record = match table.rows.insert(id, v.clone()) {
            Some(_) => self.connector.update(at, id, &v),
            None => self.connector.create(at, id, &v),
        };
        let row = table.told(&v);
        self.count(Happening::Upsert, topic);
        self.happens(topic, record, What::Upsert(id, row));
    }

    fn delete(&mut self, topic: usize, id: i64, with_tombstone: bool) {
        let at = self.at_key(topic, id);
        let delete = self.connector.delete(at, id);
        let tombstone = self.connector.tombstone(at, id);
        self.topics[topic].rows.remove(&id);
        self.count(Happening::Delete, topic);
        self.happens(topic, delete, What::Delete(id));
        if with_tombstone {
            self.count(Happening::Tombstone, topic);
            self.append(topic, tombstone);
        }
    }

    /// Several changes of several tables, of one transaction.
    pub(super) fn transaction(&mut self, rng: &mut fastrand::Rng) {
        self.transaction += 1;
        let id = self.transaction;
        self.trace
            .count(Happening::Transaction, format_args!("{id}"));
        for _ in 0..rng.u32(2..5) {
            self.lsn += 1;
            self.change(rng.usize(..self.topics.len()), rng);
        }
        self.transaction += 1;
    }

    /// Both halves of a key change share their position.
    pub(super) fn change_key(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let (id, to) = (rng.i64(0..IDS), rng.i64(0..IDS));
        let rows = &mut self.topics[topic].rows;
        if rows.contains_key(&to) {
            return;
        }
        let Some(v) = rows.remove(&id) else {
            return;
        };
        rows.insert(to, v.clone());
        let (from, here) = (self.at_key(topic, id), self.at_key(topic, to));
        let away = self.connector.moved_away(from, id, to);
        let tombstone = PlannedRecord {
            value: None,
            ..away.clone()
        };
        let arrived = self.connector.moved_here(here, to, &v, id);
        self.count(Happening::KeyChange, topic);
        let away = self.append(topic, away);
        self.append(topic, tombstone);
        let arrived = self.append(topic, arrived);
        let row = self.topics[topic].told(&v);
        let halves = [away, arrived];
        let what = What::Move(vec![Move {
            from: id,
            to,
            row,
            halves,
        }]);
        self.truth.happened(topic, halves.to_vec(), what);
    }

    /// `set id = id + 1` from a key on, up to the first that is free: each row arrives before the one
    /// that was there leaves. Only tables with the full replica identity can do that.
    pub(super) fn shift_keys(&mut self, topic: usize, first: i64) {
        let rows = &self.topics[topic].rows;
        let shifted: Vec<(i64, String)> = (first..IDS)
            .map_while(|id| Some((id, rows.get(&id)?.clone())))
            .collect();
        if shifted.is_empty() {
            return;
        }
        self.count(Happening::KeysShifted, topic);
        self.transaction += 1;
        let (mut places, mut moves) = (Vec::new(), Vec::new());
        for (id, v) in &shifted {
            let id = *id;
            self.lsn += 1;
            let (from, here) = (self.at_key(topic, id), self.at_key(topic, id + 1));
            let away = whole(self.connector.moved_away(from, id, id + 1), v);
            let tombstone = PlannedRecord {
                value: None,
                ..away.clone()
            };
            let arrived = self.connector.moved_here(here, id + 1, v, id);
            let away = self.append(topic, away);
            self.append(topic, tombstone);
            let halves = [away, self.append(topic, arrived)];
            places.extend(halves);
            moves.push(Move {
                from: id,
                to: id + 1,
                row: self.topics[topic].told(v),
                halves,
            });
        }
        self.transaction += 1;
        let rows = &mut self.topics[topic].rows;
        for (id, _) in &shifted {
            rows.remove(id);
        }
        rows.extend(shifted.into_iter().map(|(id, v)| (id + 1, v)));
        self.truth.happened(topic, places, What::Move(moves));
    }

    pub(super) fn truncate(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let record = self.connector.truncate(self.at_any(topic, rng));
        self.topics[topic].rows.clear();
        self.count(Happening::Truncate, topic);
        self.happens(topic, record, What::Truncate);
    }

    /// The table gets a column, loses it, or calls one otherwise. Rows are told anew as they change.
    pub(super) fn alter(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        self.topics[topic].shape = rng.usize(..3);
        self.count(Happening::SchemaChange, topic);
    }

    pub(super) fn broken(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        self.count(Happening::BrokenRecord, topic);
        let record = Connector::broken(self.at_any(topic, rng));
        let place = self.append(topic, record);
        self.topics[topic].broken.push(place);
    }

    pub(super) fn heartbeat(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        self.count(Happening::Heartbeat, topic);
        let record = Connector::heartbeat(self.at_any(topic, rng));
        self.append(topic, record);
    }

    /// The connector is restarted and writes what it had streamed to a partition last once more.
    pub(super) fn write_again(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        self.connector.run += 1;
        self.count(Happening::WrittenAgain, topic);
        let At { partition, .. } = self.at_any(topic, rng);
        let table = &self.topics[topic];
        let written = &table.written[partition as usize];
        let from = written.len().saturating_sub(rng.usize(1..=AGAIN_MAX));
        let from = from.max(table.back_to[partition as usize]);
        let suffix = written.iter().enumerate().skip(from);
        // What retention has taken does not come back: the truth knows a change by its first record.
        let retained_from = self.log.retained_from(table.name, partition);
        let suffix = suffix.filter_map(|(offset, written)| {
            let offset = written.copy_of.unwrap_or(offset as u64);
            let record = written.record.as_ref()?;
            (offset >= retained_from).then_some((offset, record))
        });
        // A tombstone is written together with its delete, or not at all; and a run that
        // reads the tables again takes a snapshot of its own, with other positions.
        let streamed: Vec<(u64, PlannedRecord)> = suffix
            .skip_while(|(_, record)| record.value.is_none())
            .filter(|(_, record)| is_of_table(record) && !is_snapshot(record))
            .map(|(offset, record)| (offset, record.clone()))
            .collect();
        for (offset, record) in streamed {
            self.append_copy(topic, self.connector.again(&record), Some(offset));
        }
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
    has(record.value.as_deref().unwrap_or_default(), r#""op":"r""#)
}

/// Not a heartbeat, nor a record that was cut off: those carry no run.
fn is_of_table(record: &PlannedRecord) -> bool {
    !record.headers.is_empty()
}
