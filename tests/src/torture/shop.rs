//! A shop that is written to without end, as its connector tells it: five tables in topics of several partitions,
//! with inserts, updates, deletes and tombstones, key changes, truncates, equal rows of a table without a key,
//! a connector that starts anew and repeats itself, and records that are none.
//!
//! Every row says which record wrote it (`part`, `seq`), so that whoever reads it can tell how old it is.

use std::collections::BTreeMap;
use std::ops::Range;

use fastrand::Rng;

use super::history::{History, Row};
use crate::records::{Header, Record};

/// What a table is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub partitions: i32,
    pub keyed: bool,
    /// Keys wander: so few rows that most changes are of rows that there are.
    keys: u64,
    /// Bytes of a row's text.
    text_bytes: usize,
    moves: bool,
    truncates: bool,
    /// Of a hundred transactions, how many are about it.
    share: u8,
}

const KEYED: Table = Table {
    name: "customers",
    partitions: 2,
    keyed: true,
    keys: 400,
    text_bytes: 12,
    moves: false,
    truncates: false,
    share: 25,
};

pub const TABLES: [Table; 5] = [
    KEYED,
    Table {
        name: "orders",
        partitions: 3,
        keys: 600,
        moves: true,
        share: 30,
        ..KEYED
    },
    Table {
        name: "items",
        partitions: 1,
        keys: 300,
        truncates: true,
        share: 15,
        ..KEYED
    },
    // No key, and few different rows: most rows have equals.
    Table {
        name: "log",
        partitions: 1,
        keyed: false,
        keys: 40,
        share: 10,
        ..KEYED
    },
    // Too large to be listed at once, and to be loaded in a moment.
    Table {
        name: "archive",
        partitions: 2,
        keys: 20_000,
        text_bytes: 200,
        share: 20,
        ..KEYED
    },
];

/// The table that is too large to be listed.
pub const LARGE: &str = "archive";

/// What topics begin with.
pub const PREFIX: &str = "torture.public";

/// Records that a connector which starts anew repeats at most.
const REPEATED_MAX: usize = 40;

impl Table {
    pub fn of(name: &str) -> &'static Self {
        let mut tables = TABLES.iter();
        tables
            .find(|table| table.name == name)
            .unwrap_or(&TABLES[0])
    }

    pub fn topic(&self) -> String {
        format!("{PREFIX}.{}", self.name)
    }

    fn partition_of(&self, id: i64) -> i32 {
        (id % i64::from(self.partitions)) as i32
    }
}

/// The source database and its connector.
pub struct Shop {
    rng: Rng,
    lsn: u64,
    transaction: u64,
    /// Of each table the rows there are by key: what was written last.
    rows: BTreeMap<&'static str, BTreeMap<i64, Row>>,
    /// Equal rows of tables without a key, with their number.
    bags: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// What was sent last to each partition, from the beginning of a transaction on.
    recent: BTreeMap<(&'static str, i32), Vec<Record>>,
}

/// One record, and what it does to the rows of its partition.
pub struct Written {
    pub record: Record,
    pub table: &'static Table,
    pub effect: Effect,
}

/// What a record does.
#[derive(Clone, Debug)]
pub enum Effect {
    Put(Row),
    Delete(i64),
    /// One more or one less of equal rows.
    Add(String),
    Remove(String),
    Truncate,
    /// Nothing that readers see: a tombstone, a repetition.
    Nothing,
    /// Nothing but one more record in the quarantine.
    Broken,
}

impl Shop {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            lsn: 1_000,
            transaction: 700,
            rows: BTreeMap::new(),
            bags: BTreeMap::new(),
            recent: BTreeMap::new(),
        }
    }

    /// The records of a random transaction, in the order they are sent. Each is entered into the history
    /// as it is made, because a row says which record wrote it.
    pub fn transaction(&mut self, history: &mut History) -> Vec<Record> {
        let mut rest = self.rng.u8(0..100);
        let table = TABLES.iter().find(|table| {
            let is_it = rest < table.share;
            rest = rest.wrapping_sub(table.share);
            is_it
        });
        let table = table.unwrap_or(&TABLES[0]);
        self.transaction += 1;
        let mut sent = Vec::new();
        match self.rng.u8(0..100) {
            0 if table.truncates => self.truncate(table, history, &mut sent),
            0..3 => self.broken(table, history, &mut sent),
            3..5 if table.keyed && !table.moves && !table.truncates => {
                self.repeat(table, history, &mut sent);
            }
            _ if !table.keyed => self.bag(table, history, &mut sent),
            5..25 if table.moves => self.move_key(table, history, &mut sent),
            _ => {
                for _ in 0..self.rng.u32(1..=6) {
                    self.change(table, history, &mut sent);
                }
            }
        }
        sent
    }

    /// Fills the large table with the rows of these keys.
    pub fn fill(&mut self, ids: Range<i64>, history: &mut History) -> Vec<Record> {
        let table = Table::of(LARGE);
        self.transaction += 1;
        let mut sent = Vec::new();
        for id in ids {
            self.next_position();
            self.put(table, id, &[], history, &mut sent);
        }
        sent
    }

    fn change(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        let id = self.rng.u64(0..table.keys) as i64;
        let is_there = self.rows_of(table).contains_key(&id);
        self.next_position();
        if is_there && self.rng.u8(0..100) < 20 {
            self.delete(table, id, &[], history, sent);
        } else {
            self.put(table, id, &[], history, sent);
        }
    }

    /// A row gets another key: it leaves the one, and comes under the other, perhaps in another partition.
    fn move_key(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        let (from, to) = (
            self.rng.u64(0..table.keys) as i64,
            self.rng.u64(0..table.keys) as i64,
        );
        let rows = self.rows_of(table);
        if !rows.contains_key(&from) || rows.contains_key(&to) {
            return self.change(table, history, sent);
        }
        let header = |name: &str, id: i64| Header {
            key: name.to_owned(),
            value: Some(key(id)),
        };
        // Both halves are of one change of the database, and at its position.
        self.next_position();
        let leaves = history.next(table, table.partition_of(from));
        self.delete(
            table,
            from,
            &[header("__debezium.newkey", to)],
            history,
            sent,
        );
        let comes = history.next(table, table.partition_of(to));
        self.put(
            table,
            to,
            &[header("__debezium.oldkey", from)],
            history,
            sent,
        );
        let places = [table.partition_of(from), table.partition_of(to)];
        history.moved(table, [(places[0], leaves), (places[1], comes)]);
    }

    fn put(
        &mut self,
        table: &'static Table,
        id: i64,
        headers: &[Header],
        history: &mut History,
        sent: &mut Vec<Record>,
    ) {
        let part = table.partition_of(id);
        let row = Row {
            id,
            part,
            seq: history.next(table, part),
            text: self.text(table),
        };
        let before = self
            .rows
            .entry(table.name)
            .or_default()
            .insert(id, row.clone());
        let op = if before.is_some() { "u" } else { "c" };
        let before = before.as_ref().map_or("null".to_owned(), Row::json);
        let value = self.envelope(table, &before, &row.json(), op);
        let record = record(table, part, Some(key(id)), Some(value), headers);
        self.send(table, record, Effect::Put(row), history, sent);
    }

    fn delete(
        &mut self,
        table: &'static Table,
        id: i64,
        headers: &[Header],
        history: &mut History,
        sent: &mut Vec<Record>,
    ) {
        let Some(row) = self.rows.entry(table.name).or_default().remove(&id) else {
            return;
        };
        let part = table.partition_of(id);
        let value = self.envelope(table, &row.json(), "null", "d");
        let delete = record(table, part, Some(key(id)), Some(value), headers);
        self.send(table, delete, Effect::Delete(id), history, sent);
        let tombstone = record(table, part, Some(key(id)), None, headers);
        self.send(table, tombstone, Effect::Nothing, history, sent);
    }

    /// Some equal rows come or go, in one statement: they share their position.
    fn bag(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        let line = format!("line {}", self.rng.u64(0..table.keys));
        let json = format!(r#"{{"line":"{line}"}}"#);
        let held = self.bags.entry(table.name).or_default();
        let held = held.entry(line.clone()).or_default();
        let goes = *held > 0 && self.rng.bool();
        let count = if goes { 1 } else { self.rng.u64(1..=3) };
        *held = if goes { *held - count } else { *held + count };
        self.next_position();
        for _ in 0..count {
            let (before, after, op) = if goes {
                (&*json, "null", "d")
            } else {
                ("null", &*json, "c")
            };
            let value = self.envelope(table, before, after, op);
            let record = record(table, 0, None, Some(value), &[]);
            let effect = if goes {
                Effect::Remove(line.clone())
            } else {
                Effect::Add(line.clone())
            };
            self.send(table, record, effect, history, sent);
        }
    }

    fn truncate(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        self.rows.entry(table.name).or_default().clear();
        self.next_position();
        let value = self.envelope(table, "null", "null", "t");
        let record = record(table, 0, None, Some(value), &[]);
        self.send(table, record, Effect::Truncate, history, sent);
    }

    fn broken(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        let part = self.rng.i32(0..table.partitions);
        let value = r#"{"before":null,"after":{"id":"#.to_owned();
        let record = record(table, part, Some(key(0)), Some(value), &[]);
        self.send(table, record, Effect::Broken, history, sent);
    }

    /// The connector starts anew, and sends again what it sent last of one partition.
    fn repeat(&mut self, table: &'static Table, history: &mut History, sent: &mut Vec<Record>) {
        let part = self.rng.i32(0..table.partitions);
        let recent = self.recent.entry((table.name, part)).or_default();
        let from = recent.len() - self.rng.usize(0..=recent.len());
        // Never between a delete and its tombstone.
        let from = (0..=from)
            .rev()
            .find(|at| recent.get(*at).is_none_or(|record| record.value.is_some()));
        let again = recent[from.unwrap_or(0)..].to_vec();
        for record in again {
            self.send(table, record, Effect::Nothing, history, sent);
        }
    }

    fn send(
        &mut self,
        table: &'static Table,
        mut record: Record,
        effect: Effect,
        history: &mut History,
        sent: &mut Vec<Record>,
    ) {
        record.offset = history.next(table, record.partition) as i64;
        let recent = self
            .recent
            .entry((table.name, record.partition))
            .or_default();
        if !matches!(effect, Effect::Broken) {
            recent.push(record.clone());
        }
        if recent.len() > REPEATED_MAX {
            recent.drain(..REPEATED_MAX / 2);
        }
        history.enter(&Written {
            record: record.clone(),
            table,
            effect,
        });
        sent.push(record);
    }

    fn rows_of(&mut self, table: &Table) -> &BTreeMap<i64, Row> {
        self.rows.entry(table.name).or_default()
    }

    fn text(&mut self, table: &Table) -> String {
        let count = table.text_bytes;
        (0..count).map(|_| self.rng.lowercase()).collect()
    }

    fn next_position(&mut self) {
        self.lsn += 8;
    }

    fn envelope(&self, table: &Table, before: &str, after: &str, op: &str) -> String {
        let (name, transaction, lsn) = (table.name, self.transaction, self.lsn);
        let ms = 1_795_000_000_000 + lsn;
        format!(
            r#"{{"before":{before},"after":{after},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"torture","ts_ms":{ms},"snapshot":"false","db":"shop","schema":"public","table":"{name}","txId":{transaction},"lsn":{lsn}}},"op":"{op}","ts_ms":{ms}}}"#
        )
    }
}

fn key(id: i64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn record(
    table: &Table,
    partition: i32,
    key: Option<String>,
    value: Option<String>,
    headers: &[Header],
) -> Record {
    let run = Header {
        key: "__debezium.context.runId".to_owned(),
        value: Some("01a17c2e-8f00-7000-8000-000000000001".to_owned()),
    };
    let mut all = vec![run];
    all.extend_from_slice(headers);
    Record {
        key,
        value,
        headers: all,
        ..Record::new(&table.topic(), partition, 0)
    }
}
