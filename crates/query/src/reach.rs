//! Whether tables have come as far as an `as_of` says: the floor below which an answer must not be.
//!
//! A state of a table is what the records before its offsets say, so one log's offsets decide it exactly:
//! all that the token's state rested on is in a state that has read each partition as far. Positions of
//! the source decide nothing here (the newest one may be reached long before the last record that was
//! read then), but they can prove that two logs of one name are not the same.
//!
//! A floor is about the tables it names. One that it does not name has none, and nothing is made up for it.

use table_store::{TableCut, TableFacts};

use crate::as_of::{AsOf, TableHash, TableStanding};

/// How tables stand to a floor: the worst of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing that the floor's state rested on is missing.
    Reached,
    /// What is missing may come.
    NotYet(Behind),
    /// This table, by name, follows another log than the floor is of: nothing can be told, now or later.
    OtherLog(String),
}

/// The first thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub table: String,
    pub partition: i32,
    pub wanted: u64,
    /// `None` if nothing is known of the partition yet.
    pub reached: Option<u64>,
}

/// How these tables stand to a floor.
#[must_use]
pub fn reach<'a>(tables: impl IntoIterator<Item = &'a TableCut>, floor: &AsOf) -> Reach {
    let mut worst = Reach::Reached;
    for table in tables {
        let hash = TableHash::of(table.table.identity());
        let named = floor.tables.iter().filter(|wanted| wanted.table == hash);
        for wanted in named {
            if is_of_another_log(&table.facts, wanted) {
                return Reach::OtherLog(table.table.identity().name.clone());
            }
            if worst == Reach::Reached
                && let Some(behind) = behind(table, wanted)
            {
                worst = Reach::NotYet(behind);
            }
        }
    }
    worst
}

/// Whether a floor names any of these tables. One that names none was made elsewhere.
#[must_use]
pub fn names_any<'a>(floor: &AsOf, tables: impl IntoIterator<Item = &'a TableCut>) -> bool {
    let mut hashes = tables
        .into_iter()
        .map(|table| TableHash::of(table.table.identity()));
    hashes.any(|hash| floor.tables.iter().any(|wanted| wanted.table == hash))
}

/// Whether all tables that a floor names are among these.
#[must_use]
pub fn names_all<'a>(floor: &AsOf, tables: impl IntoIterator<Item = &'a TableCut>) -> bool {
    let known: Vec<TableHash> = tables
        .into_iter()
        .map(|table| TableHash::of(table.table.identity()))
        .collect();
    let mut named = floor.tables.iter();
    named.all(|wanted| known.contains(&wanted.table))
}

fn behind(table: &TableCut, wanted: &TableStanding) -> Option<Behind> {
    let missing = |(partition, wanted): &(i32, u64)| {
        let reached = offset_of(&table.facts, *partition);
        (reached < Some(*wanted)).then(|| Behind {
            table: table.table.identity().name.clone(),
            partition: *partition,
            wanted: *wanted,
            reached,
        })
    };
    wanted.offsets.iter().find_map(missing)
}

fn offset_of(facts: &TableFacts, partition: i32) -> Option<u64> {
    let mut offsets = facts.offsets.iter();
    offsets
        .find(|(known, _)| *known == partition)
        .map(|(_, offset)| *offset)
}

/// A broker's word decides. Without it: the newest position only ever grows along one log, so a table
/// that has read as far and knows an older one read something else.
fn is_of_another_log(facts: &TableFacts, wanted: &TableStanding) -> bool {
    if let (Some(ours), Some(theirs)) = (facts.log, wanted.log) {
        return ours != theirs;
    }
    let (Some(ours), Some((epoch, theirs))) = (facts.position, wanted.position) else {
        return false;
    };
    let mut offsets = wanted.offsets.iter();
    let as_far = offsets.all(|(partition, wanted)| offset_of(facts, *partition) >= Some(*wanted));
    as_far && facts.epoch == epoch && ours.is_before(&theirs)
}

#[cfg(test)]
mod tests;
