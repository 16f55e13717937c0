//! What Debezium makes of transactions: records of tables and of the transaction topic, in an order that holds
//! within a partition only; and what goes wrong with them.
//!
//! A connector that starts anew, also in the middle of a transaction, sends again what it had sent since its last
//! stored place. BEGIN and END records are now and then missing.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use serde_json::{Value, json};

use super::bank::{Change, PREFIX, Row, Transaction};
use super::moment;
use crate::records::{Header, Partition, Record};

/// Transactions that a connector may send again.
const REPEATED_MAX: usize = 12;

/// How badly a stretch is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mishap {
    #[default]
    None,
    BeginMissing,
    EndMissing,
    /// The connector ends in the middle of the last transaction, starts anew, and sends that again, and some before it.
    Restart,
}

/// The connector.
pub struct Connector {
    rng: Rng,
    run: u64,
    recent: VecDeque<Transaction>,
}

pub fn transaction_topic() -> String {
    format!("{PREFIX}.transaction")
}

impl Connector {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            run: 1,
            recent: VecDeque::new(),
        }
    }

    /// The records of these transactions, in the order in which they are sent.
    pub fn told(&mut self, transactions: &[Transaction], mishap: Mishap) -> Vec<Record> {
        let mut records = Vec::new();
        let Some((last, others)) = transactions.split_last() else {
            return records;
        };
        for transaction in others {
            records.extend(self.records(transaction));
        }
        let mut told = self.records(last);
        match mishap {
            Mishap::None => {}
            Mishap::BeginMissing => drop(told.remove(0)),
            Mishap::EndMissing => drop(told.pop()),
            Mishap::Restart => told.truncate(self.rng.usize(1..told.len())),
        }
        records.extend(told);
        self.recent.extend(transactions.iter().cloned());
        while self.recent.len() > REPEATED_MAX {
            self.recent.pop_front();
        }
        if mishap == Mishap::Restart {
            self.run += 1;
            let from = self.rng.usize(0..self.recent.len());
            for transaction in self.recent.range(from..).cloned().collect::<Vec<_>>() {
                records.extend(self.records(&transaction));
            }
        }
        records
    }

    /// The same records as they arrive: partitions are shuffled against each other, and keep their own order.
    pub fn arriving(&mut self, records: Vec<Record>) -> Vec<Record> {
        let mut order: Vec<Partition> = records.iter().map(Record::place).collect();
        self.rng.shuffle(&mut order);
        let mut partitions: BTreeMap<Partition, VecDeque<Record>> = BTreeMap::new();
        for record in records {
            let place = record.place();
            partitions.entry(place).or_default().push_back(record);
        }
        let next = |place| partitions.get_mut(&place)?.pop_front();
        order.into_iter().filter_map(next).collect()
    }

    fn records(&self, transaction: &Transaction) -> Vec<Record> {
        let begin = boundary(transaction, "BEGIN", transaction.begin_lsn, &[]);
        let mut counts: Vec<(&str, usize)> = Vec::new();
        let mut records = vec![begin];
        for (nth, change) in transaction.changes.iter().enumerate() {
            let name = change.table.name;
            let place = counts.iter().position(|(counted, _)| *counted == name);
            let place = place.unwrap_or_else(|| {
                counts.push((name, 0));
                counts.len() - 1
            });
            counts[place].1 += 1;
            let order = (nth + 1, counts[place].1);
            records.extend(self.change(transaction, change, order));
        }
        records.push(boundary(
            transaction,
            "END",
            transaction.commit_lsn,
            &counts,
        ));
        records
    }

    fn change(
        &self,
        transaction: &Transaction,
        change: &Change,
        (total_order, collection_order): (usize, usize),
    ) -> Vec<Record> {
        let Change { table, id, lsn, .. } = change;
        let number = transaction.id as u32;
        let committed_ms = transaction.committed_ms;
        let operation = match (change.before, change.after) {
            (None, _) => "c",
            (_, None) => "d",
            _ => "u",
        };
        let row = |row: Option<Row>| row.map_or(Value::Null, |row| row_json(change, row));
        let value = json!({
            "before": row(change.before.filter(|_| operation == "d")),
            "after": row(change.after),
            "source": {
                "version": "3.6.3.Final", "connector": "postgresql", "name": PREFIX,
                "ts_ms": committed_ms, "snapshot": "false", "db": PREFIX,
                "sequence": format!("[null,\"{lsn}\"]"), "schema": "public", "table": table.name,
                "txId": number, "lsn": lsn, "xmin": null,
            },
            "transaction": {
                "id": format!("{number}:{lsn}"),
                "total_order": total_order, "data_collection_order": collection_order,
            },
            "op": operation,
            "ts_ms": moment::wall_ms(),
        });
        let record = Record {
            key: Some(json!({ "id": id }).to_string()),
            value: Some(value.to_string()),
            headers: vec![Header {
                key: "__debezium.context.runId".to_owned(),
                value: Some(format!("01a17c2e-8f00-7000-8000-{:012x}", self.run)),
            }],
            timestamp: moment::wall_ms(),
            ..Record::new(&table.topic(), table.partition_of(*id), 0)
        };
        let tombstone = (operation == "d").then(|| Record {
            value: None,
            ..record.clone()
        });
        [record].into_iter().chain(tombstone).collect()
    }
}

fn row_json(change: &Change, row: Row) -> Value {
    json!({"id": change.id, change.table.cell: row.cell, "written": row.written})
}

/// Its id is the transaction's number and some place in the log, of which only the number is told again elsewhere.
fn boundary(transaction: &Transaction, status: &str, lsn: u64, counts: &[(&str, usize)]) -> Record {
    let id = format!("{}:{lsn}", transaction.id as u32);
    let collections = counts.iter().map(|(table, count)| {
        json!({"data_collection": format!("public.{table}"), "event_count": count})
    });
    let is_end = status == "END";
    let value = json!({
        "status": status,
        "id": id,
        "event_count": is_end.then_some(transaction.changes.len()),
        "data_collections": is_end.then(|| collections.collect::<Vec<_>>()),
        "ts_ms": transaction.committed_ms,
    });
    Record {
        key: Some(json!({ "id": id }).to_string()),
        value: Some(value.to_string()),
        timestamp: moment::wall_ms(),
        ..Record::new(&transaction_topic(), 0, 0)
    }
}
