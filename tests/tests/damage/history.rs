//! A log of a few tables, and every state that each of them ever had.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use black_box::exact::Exact;
use black_box::records::Record;
use fastrand::Rng;

/// The rows of a table: what stands under each key.
pub type Rows = BTreeMap<i64, String>;

pub const TABLES: [&str; 3] = ["orders", "people", "items"];

/// Few enough for one page of a list, which is of one cut.
const KEYS_MAX: i64 = 300;

/// A log, and what each of its tables held after each of its records.
pub struct History {
    pub records: Vec<Record>,
    states: BTreeMap<&'static str, BTreeSet<Rows>>,
    last: BTreeMap<&'static str, Rows>,
}

impl History {
    /// A log of so many changes.
    pub fn random(changes: usize, rng: &mut Rng) -> Self {
        let mut history = Self {
            records: Vec::new(),
            states: BTreeMap::new(),
            last: BTreeMap::new(),
        };
        for table in TABLES {
            history.last.insert(table, Rows::new());
            history.states.insert(table, BTreeSet::from([Rows::new()]));
        }
        let mut offsets = BTreeMap::<&str, i64>::new();
        for change in 0..changes {
            let table = TABLES[rng.usize(..TABLES.len())];
            let offset = offsets.entry(table).or_default();
            history.change(table, *offset, change as u64, rng);
            *offset += 1;
        }
        history
    }

    /// The first records of the log.
    pub fn beginning(&self, share: f64) -> &[Record] {
        &self.records[..(self.records.len() as f64 * share) as usize]
    }

    /// What a table holds in the end.
    pub fn last(&self, table: &str) -> &Rows {
        &self.last[table]
    }

    /// The log made of a table what these rows are, at some time.
    pub fn has_been(&self, table: &str, rows: &Rows) -> bool {
        self.states[table].contains(rows)
    }

    fn change(&mut self, table: &'static str, offset: i64, lsn: u64, rng: &mut Rng) {
        let Some(rows) = self.last.get_mut(table) else {
            return;
        };
        let id = rng.i64(0..KEYS_MAX);
        let is_delete = rows.contains_key(&id) && rng.u8(0..8) == 0;
        let after = if is_delete {
            rows.remove(&id);
            "null".to_owned()
        } else {
            let text = format!("{lsn} {}", "x".repeat(rng.usize(0..300)));
            rows.insert(id, text.clone());
            format!(r#"{{"id":{id},"v":"{text}"}}"#)
        };
        let op = if is_delete { "d" } else { "u" };
        let mut record = Record::new(&format!("shop.public.{table}"), 0, offset);
        record.key = Some(format!(r#"{{"id":{id}}}"#));
        record.value = Some(format!(
            r#"{{"before":null,"after":{after},"op":"{op}","ts_ms":1,"source":{{"version":"3.0.0","connector":"postgresql","name":"shop","ts_ms":1,"snapshot":"false","db":"shop","schema":"public","table":"{table}","lsn":{lsn}}}}}"#
        ));
        self.records.push(record);
        let now = self.last[table].clone();
        self.states.entry(table).or_default().insert(now);
    }
}

/// The rows of a list's only page.
pub fn rows_of(page: &Exact) -> anyhow::Result<Rows> {
    let rows = page.get("rows").as_list().context("a page without rows")?;
    let row = |row: &Exact| {
        let id = row.get("id").as_integer().context("a row without id")?;
        let text = row.get("v").as_text().context("a row without v")?;
        Ok((id, text.to_owned()))
    };
    rows.iter().map(row).collect()
}
