//! A log of a few tables, and every state that each of them ever had.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use anyhow::Context;
use black_box::exact::Exact;
use black_box::records::Record;
use fastrand::Rng;

/// The rows of a table: what stands under each key.
pub type Rows = BTreeMap<i64, String>;

pub const TABLES: [&str; 3] = ["orders", "people", "items"];

/// Few enough for one page of a list, which is of one cut.
const KEYS_MAX: i64 = 800;

/// Long enough that tables have files of some size, and damage hits one of them and not all.
const TEXT_MAX: usize = 1_500;

/// A log, and what each of its tables held after each of its records.
pub struct History {
    pub records: Vec<Record>,
    /// The fingerprints of what each table ever held.
    states: BTreeMap<&'static str, HashSet<u64>>,
    last: BTreeMap<&'static str, Rows>,
    hasher: RandomState,
}

impl History {
    /// A log of so many changes.
    pub fn random(changes: usize, rng: &mut Rng) -> Self {
        let mut history = Self {
            records: Vec::new(),
            states: BTreeMap::new(),
            last: BTreeMap::new(),
            hasher: RandomState::new(),
        };
        for table in TABLES {
            history.last.insert(table, Rows::new());
            history.states.insert(table, HashSet::from([0]));
        }
        let mut offsets = BTreeMap::<&str, i64>::new();
        let mut prints = BTreeMap::<&str, u64>::new();
        for change in 0..changes {
            let table = TABLES[rng.usize(..TABLES.len())];
            let offset = offsets.entry(table).or_default();
            let print = prints.entry(table).or_default();
            let moved = history.change(table, *offset, change as u64, rng);
            *offset += 1;
            *print = print.wrapping_add(moved);
            history.states.entry(table).or_default().insert(*print);
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
        let prints = rows.iter().map(|row| self.print(row));
        let print = prints.fold(0, u64::wrapping_add);
        self.states[table].contains(&print)
    }

    fn print(&self, row: (&i64, &String)) -> u64 {
        self.hasher.hash_one(row)
    }

    /// Writes one more record; by how much it moves the fingerprint of its table.
    fn change(&mut self, table: &'static str, offset: i64, lsn: u64, rng: &mut Rng) -> u64 {
        let id = rng.i64(0..KEYS_MAX);
        let rows = self.last.entry(table).or_default();
        let before = rows.remove(&id);
        let is_delete = before.is_some() && rng.u8(0..8) == 0;
        // Letters that do not repeat themselves, so that most of a checkpoint is rows.
        let after = (!is_delete).then(|| {
            let text = (0..rng.usize(0..TEXT_MAX)).map(|_| rng.alphanumeric());
            format!("{lsn} {}", text.collect::<String>())
        });
        if let Some(text) = &after {
            rows.insert(id, text.clone());
        }
        let op = if is_delete { "d" } else { "u" };
        let image = after.as_ref().map_or_else(
            || "null".to_owned(),
            |text| format!(r#"{{"id":{id},"v":"{text}"}}"#),
        );
        let mut record = Record::new(&format!("shop.public.{table}"), 0, offset);
        record.key = Some(format!(r#"{{"id":{id}}}"#));
        record.value = Some(format!(
            r#"{{"before":null,"after":{image},"op":"{op}","ts_ms":1,"source":{{"version":"3.0.0","connector":"postgresql","name":"shop","ts_ms":1,"snapshot":"false","db":"shop","schema":"public","table":"{table}","lsn":{lsn}}}}}"#
        ));
        self.records.push(record);
        let print = |text: Option<String>| text.map_or(0, |text| self.print((&id, &text)));
        print(after).wrapping_sub(print(before))
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
