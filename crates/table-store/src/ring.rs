//! What the newest cuts changed, as references to rows: who follows tables takes it from here at its own pace.
//!
//! Bounded by bytes and by cuts, oldest out first, so that who reads slowly costs nothing: it falls out, and begins
//! anew. Also who comes from another process finds its place here, by how far its tables had been read.
//!
//! Invariant: what is here of a table is all that changed of it since the last of its changes that were let go of.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use row_model::{CutId, TableId, Transaction, Version};

use crate::TableFacts;

/// Cuts whose changes are held. They are small when cuts are many.
pub const RING_COMMITS_MAX: usize = 65_536;

/// One row before and after something, as readers saw it.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// `None` if there was no row.
    pub before: Option<Version>,
    /// Of a deleted key, if there is no row now.
    pub after: Version,
    /// A row that came and went: there was none before, and is none now. It is news for who has seen it in between.
    pub meanwhile: Option<Version>,
    /// The transaction that wrote it last.
    pub transaction: Option<Transaction>,
}

impl RowChange {
    /// Whether readers can tell before from after.
    #[must_use]
    pub fn is_news(&self) -> bool {
        match &self.before {
            None => !self.after.is_deleted(),
            Some(before) => {
                before.schema() != self.after.schema() || before.row() != self.after.row()
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        // A row that is there now is counted by its table; once it is replaced, it is the one before.
        let gone = self.before.as_ref().or(self.meanwhile.as_ref());
        size_of::<Self>() + gone.map_or(0, Version::memory_bytes)
    }
}

/// What changes come to together: of each key, from what it was at first to what it is at last, also where that is the same.
#[must_use]
pub fn merged<'a>(changes: impl IntoIterator<Item = &'a RowChange>) -> Vec<RowChange> {
    let mut places: HashMap<&[u8], usize, foldhash::fast::FixedState> = HashMap::default();
    let mut merged: Vec<RowChange> = Vec::new();
    for change in changes {
        if let Some(at) = places.get(change.after.key()) {
            let known = &mut merged[*at];
            let last = std::mem::replace(&mut known.after, change.after.clone());
            known.transaction = change.transaction;
            let came = [Some(last), change.meanwhile.clone(), known.meanwhile.take()];
            if known.before.is_none() && known.after.is_deleted() {
                let mut came = came.into_iter().flatten();
                known.meanwhile = came.find(|version| !version.is_deleted());
            }
        } else {
            places.insert(change.after.key(), merged.len());
            merged.push(change.clone());
        }
    }
    merged
}

/// Why what is known of a table before is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// It had not been loaded.
    Loaded,
    /// It was truncated, or rows were swept.
    Emptied,
    Rebuilt,
    /// Its rows have another shape.
    Reshaped,
}

#[derive(Clone, Debug)]
pub enum News {
    Rows(Box<[RowChange]>),
    Anew(Anew),
}

/// What a cut changed of a table, and what it says of it.
#[derive(Clone, Debug)]
pub struct TableNews {
    pub table: TableId,
    pub facts: Arc<TableFacts>,
    pub news: News,
}

/// What one cut changed.
#[derive(Debug)]
pub struct Commit {
    pub cut: CutId,
    pub tables: Vec<TableNews>,
    bytes: u64,
}

impl Commit {
    #[must_use]
    pub fn new(cut: CutId, tables: Vec<TableNews>) -> Self {
        let of_table = |news: &TableNews| {
            let rows = match &news.news {
                News::Rows(rows) => rows.iter().map(RowChange::memory_bytes).sum(),
                News::Anew(_) => 0,
            };
            let partitions = news.facts.offsets.len() * size_of::<(i32, u64)>();
            size_of::<TableNews>() + size_of::<TableFacts>() + partitions + rows
        };
        let bytes = size_of::<Self>() + tables.iter().map(of_table).sum::<usize>();
        Self {
            cut,
            tables,
            bytes: bytes as u64,
        }
    }

    #[must_use]
    pub fn of(&self, table: TableId) -> Option<&TableNews> {
        self.tables.iter().find(|news| news.table == table)
    }
}

/// The newest change of a table that is not held any more, with what was said of the table then.
#[derive(Clone, Debug)]
pub struct Gone {
    pub cut: CutId,
    pub facts: Arc<TableFacts>,
}

/// Everything the ring holds.
#[derive(Clone, Debug)]
pub struct Changes {
    pub gone: HashMap<TableId, Gone>,
    pub commits: Vec<Arc<Commit>>,
}

/// The changes of the newest cuts, oldest first.
#[derive(Debug)]
pub(crate) struct Ring {
    commits: VecDeque<Arc<Commit>>,
    bytes: u64,
    /// Of no table is anything held that was changed by this cut or before.
    from: CutId,
    gone: HashMap<TableId, Gone>,
}

impl Default for Ring {
    fn default() -> Self {
        Self::from(CutId(0))
    }
}

impl Ring {
    fn from(from: CutId) -> Self {
        Self {
            commits: VecDeque::new(),
            bytes: 0,
            from,
            gone: HashMap::new(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn push(&mut self, commit: Commit, bytes_max: u64) {
        self.bytes += commit.bytes;
        self.commits.push_back(Arc::new(commit));
        while self.bytes > bytes_max || self.commits.len() > RING_COMMITS_MAX {
            let Some(gone) = self.commits.pop_front() else {
                return;
            };
            self.bytes -= gone.bytes;
            for news in &gone.tables {
                let (cut, facts) = (gone.cut, Arc::clone(&news.facts));
                self.gone.insert(news.table, Gone { cut, facts });
            }
        }
    }

    /// Lets go of everything. Who follows tables goes on from this cut, or begins anew.
    pub fn clear(&mut self, at: CutId) {
        *self = Self::from(at);
    }

    /// The next cuts after one, and up to another, that changed any of these tables, at most so many; `None` if some of them are
    /// not held.
    pub fn between(
        &self,
        cut: CutId,
        last: CutId,
        tables: &[TableId],
        commits_max: usize,
    ) -> Option<Vec<Arc<Commit>>> {
        let is_gone = |table| self.gone.get(table).is_some_and(|gone| gone.cut > cut);
        if cut < self.from || tables.iter().any(is_gone) {
            return None;
        }
        let first = self.commits.partition_point(|commit| commit.cut <= cut);
        let after = self.commits.range(first..);
        let after = after.take_while(|commit| commit.cut <= last);
        let after = after.filter(|commit| tables.iter().any(|table| commit.of(*table).is_some()));
        Some(after.take(commits_max).cloned().collect())
    }

    /// What one cut changed, if it is held and changed anything.
    pub fn of(&self, cut: CutId) -> Option<Arc<Commit>> {
        let found = self.commits.binary_search_by_key(&cut, |commit| commit.cut);
        found.ok().map(|at| Arc::clone(&self.commits[at]))
    }

    pub fn until(&self, last: CutId) -> Changes {
        let commits = self.commits.iter();
        Changes {
            gone: self.gone.clone(),
            commits: commits.take_while(|it| it.cut <= last).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_changes_is_told_of_from_when_it_can_be_read() {
        let table = TableId(0);
        let mut ring = Ring::default();
        for cut in 1..=3 {
            let news = TableNews {
                table,
                facts: Arc::default(),
                news: News::Rows(Box::default()),
            };
            ring.push(Commit::new(CutId(cut), vec![news]), u64::MAX);
        }
        let told = |last| {
            let commits = ring.between(CutId(1), CutId(last), &[table], usize::MAX);
            let commits = commits.into_iter().flatten();
            commits.map(|commit| commit.cut.0).collect::<Vec<_>>()
        };
        assert_eq!((told(1), told(2), told(3)), (vec![], vec![2], vec![2, 3]));
        assert_eq!(ring.until(CutId(2)).commits.len(), 2);
    }
}
