//! Everything that was ever committed, and when the broker had it: what an answer is held against.
//!
//! A state is known by how many changes had been made when it was, counted over all transactions in the order of
//! their commits: a prefix of the history. One that ends where a transaction ends is whole.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::bank::{Row, Table, Transaction};
use super::connector::Mishap;
use super::judge::Place;

/// Prefixes from the first to before the second.
pub type Span = (u64, u64);

/// One transaction that was committed.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: u64,
    /// How many changes there are when it is done.
    pub end: u64,
    pub lsn: u64,
    pub committed_ms: i64,
    /// The partitions that it changed something in.
    pub places: BTreeSet<Place>,
    /// Whether its boundaries were told as they should be, and it was small.
    is_regular: bool,
}

/// From this change on a key had this row, or none.
type Version = (u64, Option<Row>);

#[derive(Default)]
pub struct History {
    keys: HashMap<(&'static str, i64), Vec<Version>>,
    commits: Vec<Commit>,
    /// When the broker had everything of the commits, and of those before.
    arrived: Vec<Instant>,
    changes: u64,
    /// How many commits there were when all of them were last known to be applied.
    settled: usize,
}

impl History {
    /// Enters transactions in the order of their commits, before anything of them is sent.
    pub fn enter(&mut self, transactions: &[Transaction], mishap: Mishap, is_huge: bool) {
        for transaction in transactions {
            let mut places = BTreeSet::new();
            for change in &transaction.changes {
                if Table::named(change.table.name).is_none() {
                    continue;
                }
                self.changes += 1;
                let versions = self.keys.entry((change.table.name, change.id)).or_default();
                versions.push((self.changes, change.after));
                let partition = change.table.partition_of(change.id);
                places.insert((change.table.name, partition));
            }
            self.commits.push(Commit {
                id: transaction.id,
                end: self.changes,
                lsn: transaction.commit_lsn,
                committed_ms: transaction.committed_ms,
                places,
                is_regular: mishap == Mishap::None && !is_huge,
            });
        }
    }

    /// Everything that was entered is in the log.
    pub fn all_arrived(&mut self, when: Instant) {
        self.arrived.resize(self.commits.len(), when);
    }

    pub fn transactions(&self) -> usize {
        self.commits.len()
    }

    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Commits that are in the log, the newest last.
    pub fn commits(&self) -> &[Commit] {
        &self.commits[..self.arrived.len()]
    }

    /// How many changes had arrived before this moment.
    pub fn arrived_before(&self, moment: Instant) -> u64 {
        let count = self.arrived.partition_point(|arrived| *arrived < moment);
        self.end_of(count)
    }

    /// How many changes had been committed by then, that moment included.
    pub fn committed_until(&self, ms: i64) -> u64 {
        let commits = self.commits();
        self.end_of(commits.partition_point(|commit| commit.committed_ms <= ms))
    }

    /// The fewest changes after which a partition is as it was after so many.
    pub fn as_after(&self, place: Place, changes: u64) -> u64 {
        let until = self.commits.partition_point(|commit| commit.end <= changes);
        let mut before = self.commits[..until].iter().rev();
        let last = before.find(|commit| commit.places.contains(&place));
        last.map_or(0, |commit| commit.end)
    }

    /// Everything is applied.
    pub fn settle(&mut self) {
        self.settled = self.commits.len();
    }

    /// Whether all transactions that may not be applied yet were told as they should be.
    pub fn is_regular(&self) -> bool {
        self.commits[self.settled..]
            .iter()
            .all(|commit| commit.is_regular)
    }

    /// The keys that a table ever had.
    pub fn keys(&self, table: &str) -> impl Iterator<Item = i64> {
        let keys = self.keys.keys();
        keys.filter(move |(of, _)| *of == table).map(|(_, id)| *id)
    }

    /// In which of these prefixes a key has this row, or none.
    pub fn held(
        &self,
        table: &'static str,
        id: i64,
        row: Option<Row>,
        within: &[Span],
    ) -> Vec<Span> {
        let versions = self.keys.get(&(table, id)).map_or(&[][..], Vec::as_slice);
        let until = |at: usize| versions.get(at + 1).map_or(u64::MAX, |(from, _)| *from);
        // Only one change wrote a row.
        if let Some(written) = row.map(|row| row.written) {
            let at = versions.partition_point(|(from, _)| *from < written);
            let is_it = versions.get(at) == Some(&(written, row));
            let span = (written, until(at));
            return if is_it {
                cut(within, span).collect()
            } else {
                Vec::new()
            };
        }
        let mut held = Vec::new();
        for span in within {
            let first = versions.partition_point(|(from, _)| *from <= span.0);
            if first == 0 {
                let before_all = (0, versions.first().map_or(u64::MAX, |(from, _)| *from));
                held.extend(cut(&[*span], before_all));
            }
            let since = versions.iter().enumerate().skip(first.saturating_sub(1));
            let meanwhile = since.take_while(|(_, (from, _))| *from < span.1);
            let absent = meanwhile.filter(|(_, (_, had))| had.is_none());
            for (at, (from, _)) in absent {
                held.extend(cut(&[*span], (*from, until(at))));
            }
        }
        held
    }

    /// The first and the last of these prefixes that end where a transaction ends.
    pub fn whole(&self, spans: &[Span]) -> Option<Span> {
        let mut whole = spans.iter().filter_map(|(from, until)| {
            let below = |prefix: u64| self.commits.partition_point(|commit| commit.end < prefix);
            let (first, behind) = (below(*from), below(*until));
            // Nothing at all is whole, too.
            let least = if *from == 0 {
                0
            } else {
                self.commits.get(first)?.end
            };
            let most = self.end_of(behind);
            (least < *until && *from <= most).then_some((least, most))
        });
        let first = whole.next()?;
        Some(whole.fold(first, |all, span| (all.0, span.1)))
    }

    fn end_of(&self, count: usize) -> u64 {
        count
            .checked_sub(1)
            .map_or(0, |last| self.commits[last].end)
    }
}

/// What of these lies in that one.
fn cut(spans: &[Span], (from, until): Span) -> impl Iterator<Item = Span> {
    let cut = spans
        .iter()
        .map(move |span| (span.0.max(from), span.1.min(until)));
    cut.filter(|span| span.0 < span.1)
}
