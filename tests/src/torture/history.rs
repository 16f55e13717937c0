//! Every state that each partition's rows ever had: what an answer is held against.
//!
//! A state is known by a sum over its rows, so that it is found, however many there were, by adding up the rows
//! of an answer once. A sum that no prefix of the partition has is a state that never was: half a table, a
//! record twice, a lost one, two states mixed.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::shop::{Effect, Table, Written};

/// One row of a table with a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub id: i64,
    /// The partition and the offset of the record that wrote it.
    pub part: i32,
    pub seq: u64,
    pub text: String,
}

impl Row {
    pub fn json(&self) -> String {
        let Self {
            id,
            part,
            seq,
            text,
        } = self;
        format!(r#"{{"id":{id},"part":{part},"seq":{seq},"text":"{text}"}}"#)
    }
}

/// A partition of a table.
pub type Place = (&'static str, i32);

/// What a state adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sum {
    digest: u64,
    /// All that can be asked of a table that is too large to be listed.
    pub rows: u64,
    pub seqs: u64,
}

impl Sum {
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.seqs += row.seq;
        self.digest = self.digest.wrapping_add(digest_of(row));
    }

    fn remove(&mut self, row: &Row) {
        self.rows -= 1;
        self.seqs -= row.seq;
        self.digest = self.digest.wrapping_sub(digest_of(row));
    }

    /// The sum of a bag, which has nothing but lines.
    pub fn add_line(&mut self, line: &str) {
        self.rows += 1;
        self.digest = self.digest.wrapping_add(digest_of(&line));
    }

    fn remove_line(&mut self, line: &str) {
        self.rows -= 1;
        self.digest = self.digest.wrapping_sub(digest_of(&line));
    }

    /// What is left of it where rows are only counted and their numbers added.
    pub fn counted(self) -> Self {
        Self { digest: 0, ..self }
    }
}

fn digest_of(row: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

/// One partition's past.
#[derive(Default)]
struct Past {
    /// Records there are.
    len: u64,
    sum: Sum,
    /// After how many records each sum was the rows'.
    prefixes: HashMap<Sum, Vec<u64>>,
    rows: BTreeMap<i64, Row>,
    lines: BTreeMap<String, u64>,
    /// Of each key, from which prefix on which record's row it had.
    keys: HashMap<i64, Vec<(u64, Option<u64>)>>,
}

impl Past {
    fn new() -> Self {
        let mut past = Self::default();
        past.note();
        past
    }

    fn note(&mut self) {
        for sum in [self.sum, self.sum.counted()] {
            let prefixes = self.prefixes.entry(sum).or_default();
            if prefixes.last() != Some(&self.len) {
                prefixes.push(self.len);
            }
        }
    }

    fn apply(&mut self, effect: &Effect) {
        self.len += 1;
        match effect {
            Effect::Put(row) => {
                self.forget(row.id);
                self.sum.add(row);
                self.keys
                    .entry(row.id)
                    .or_default()
                    .push((self.len, Some(row.seq)));
                self.rows.insert(row.id, row.clone());
            }
            Effect::Delete(id) => {
                self.forget(*id);
                self.keys.entry(*id).or_default().push((self.len, None));
            }
            Effect::Truncate => {
                for id in self.rows.keys().copied().collect::<Vec<_>>() {
                    self.apply_truncated(id);
                }
            }
            Effect::Add(line) => {
                self.sum.add_line(line);
                *self.lines.entry(line.clone()).or_default() += 1;
            }
            Effect::Remove(line) => {
                self.sum.remove_line(line);
                if let Some(count) = self.lines.get_mut(line) {
                    *count -= 1;
                }
            }
            Effect::Nothing | Effect::Broken => {}
        }
        self.note();
    }

    fn apply_truncated(&mut self, id: i64) {
        self.forget(id);
        self.keys.entry(id).or_default().push((self.len, None));
    }

    fn forget(&mut self, id: i64) {
        if let Some(row) = self.rows.remove(&id) {
            self.sum.remove(&row);
        }
    }
}

/// The halves of a key change: after how many records of which partition each is visible.
type Move = [(i32, u64); 2];

/// All that was ever written.
pub struct History {
    pasts: BTreeMap<Place, Past>,
    moves: BTreeMap<&'static str, Vec<Move>>,
    broken: BTreeMap<&'static str, u64>,
}

impl Default for History {
    fn default() -> Self {
        let places = super::shop::TABLES
            .iter()
            .flat_map(|table| (0..table.partitions).map(|part| ((table.name, part), Past::new())));
        Self {
            pasts: places.collect(),
            moves: BTreeMap::new(),
            broken: BTreeMap::new(),
        }
    }
}

impl History {
    /// The offset of the next record of a partition.
    pub fn next(&self, table: &Table, part: i32) -> u64 {
        self.pasts[&(table.name, part)].len
    }

    pub fn enter(&mut self, written: &Written) {
        let place = (written.table.name, written.record.partition);
        if let Some(past) = self.pasts.get_mut(&place) {
            past.apply(&written.effect);
        }
        if matches!(written.effect, Effect::Broken) {
            *self.broken.entry(written.table.name).or_default() += 1;
        }
    }

    pub fn moved(&mut self, table: &Table, halves: Move) {
        self.moves.entry(table.name).or_default().push(halves);
    }

    /// Records of a table that cannot be read.
    pub fn broken(&self, table: &str) -> u64 {
        self.broken.get(table).copied().unwrap_or(0)
    }

    /// After how many records, but not fewer than `floor`, a partition's rows added up to this: the fewest and the most.
    pub fn prefixes(&self, place: Place, sum: &Sum, floor: u64) -> Option<(u64, u64)> {
        let prefixes = self.pasts[&place].prefixes.get(sum)?;
        let first = prefixes[prefixes.partition_point(|prefix| *prefix < floor)..].first()?;
        Some((*first, *prefixes.last()?))
    }

    /// Whether a partition's rows ever added up to this.
    pub fn knows(&self, place: Place, sum: &Sum) -> bool {
        self.pasts[&place].prefixes.contains_key(sum)
    }

    /// Whether a key had this record's row, or none, after `floor` records of its partition or later.
    pub fn key_had(&self, place: Place, id: i64, seq: Option<u64>, floor: u64) -> bool {
        let past = &self.pasts[&place];
        let changes = past.keys.get(&id).map_or(&[][..], Vec::as_slice);
        let first = changes.partition_point(|(prefix, _)| *prefix <= floor);
        // What it had at the floor itself, and all it had since.
        let at_floor = first.checked_sub(1).and_then(|at| changes[at].1);
        at_floor == seq || changes[first..].iter().any(|(_, had)| *had == seq)
    }

    /// A key change of which these prefixes of a table's partitions (the fewest and the most) show one half only.
    pub fn torn_move(&self, table: &str, prefixes: &BTreeMap<i32, (u64, u64)>) -> Option<Move> {
        let shows = |(part, at): (i32, u64)| {
            let (fewest, most) = prefixes.get(&part)?;
            let (certainly, not) = (*fewest > at, *most <= at);
            (certainly || not).then_some(certainly)
        };
        let moves = self.moves.get(table)?;
        let mut torn = moves.iter().filter(|[leaves, comes]| {
            let halves = shows(*leaves).zip(shows(*comes));
            halves.is_some_and(|(left, came)| left != came)
        });
        torn.next().copied()
    }

    /// What a table holds when all has been applied.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = &Row> {
        let pasts = self
            .pasts
            .iter()
            .filter(move |((name, _), _)| *name == table);
        pasts.flat_map(|(_, past)| past.rows.values())
    }

    /// The same of a table without a key.
    pub fn lines(&self, table: &str) -> BTreeMap<String, u64> {
        let pasts = self.pasts.iter().filter(|((name, _), _)| *name == table);
        let lines = pasts.flat_map(|(_, past)| past.lines.clone());
        lines.filter(|(_, count)| *count > 0).collect()
    }
}
