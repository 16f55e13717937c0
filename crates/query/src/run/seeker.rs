//! Finds the rows of a table for one probe after another.

use std::ops::ControlFlow;

use row_model::{CutId, Version, sort_key_of_key};
use table_store::{IndexGone, IndexReader, Lookup, TableCut};

use super::finder::Cells;
use super::{ColumnReader, Finder};

/// A finder in use: what each probe needs is made once.
pub(crate) struct Seeker<'f> {
    finder: &'f Finder,
    cut: CutId,
    by_index: Option<ByIndex<'f>>,
}

struct ByIndex<'f> {
    table: &'f TableCut,
    cut: CutId,
    index: IndexReader<'f>,
    index_key: Vec<u8>,
    comparing: Comparing,
}

/// Index keys leave out what values have beyond a length, and see a uuid in its text: so each row's values are
/// compared.
struct Comparing {
    columns: ColumnReader,
    key: Vec<u8>,
}

impl<'f> Seeker<'f> {
    pub fn new(finder: &'f Finder, cut: CutId) -> Self {
        let by_index = match finder {
            Finder::Index {
                table,
                index,
                columns,
                ..
            } => Some(ByIndex {
                table,
                cut,
                index: IndexReader::new(&table.table, index, cut),
                index_key: Vec::new(),
                comparing: Comparing {
                    columns: ColumnReader::of(table, columns, None),
                    key: Vec::new(),
                },
            }),
            Finder::Key { .. } | Finder::Rows(_) => None,
        };
        Self {
            finder,
            cut,
            by_index,
        }
    }

    /// Calls `each` for the rows found under a probe, until it breaks.
    pub fn each(
        &mut self,
        probe: &[u8],
        mut each: impl FnMut(&Version) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(by_index) = &mut self.by_index {
            return by_index.each(probe, each);
        }
        match self.finder {
            Finder::Key { table, .. } => match table.table.lookup(probe, self.cut) {
                Lookup::Row(version) => each(&version),
                // The cut is pinned: what is not there is missing.
                Lookup::Missing | Lookup::CutGone => ControlFlow::Continue(()),
            },
            Finder::Rows(rows) => match rows.find(probe) {
                Some(number) => each(rows.version(number)),
                None => ControlFlow::Continue(()),
            },
            Finder::Index { .. } => ControlFlow::Continue(()),
        }
    }
}

impl ByIndex<'_> {
    fn each(
        &mut self,
        probe: &[u8],
        mut each: impl FnMut(&Version) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut ended = ControlFlow::Continue(());
        let comparing = &mut self.comparing;
        self.index_key.clear();
        let found = match sort_key_of_key(probe, &mut self.index_key) {
            Some(()) => self.index.each_candidate(&self.index_key, |lot| {
                ended = comparing.each_of(lot, probe, &mut each);
                ended
            }),
            None => Err(IndexGone),
        };
        if found.is_err() {
            // It is being removed: what it led to is found without it, and nothing was shown yet.
            self.table.table.visit(self.cut, |version| {
                if ended.is_continue() {
                    ended = comparing.each_of(&[version], probe, &mut each);
                }
            });
        }
        ended
    }
}

impl Comparing {
    /// Calls `each` for the rows whose values are those of a probe.
    fn each_of(
        &mut self,
        lot: &[&Version],
        probe: &[u8],
        each: &mut impl FnMut(&Version) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Most rows have the very cells of the one before.
        let mut equal: Option<Cells<'_>> = None;
        for version in lot {
            let is_same = equal
                .as_ref()
                .is_some_and(|cells| self.columns.has(version, cells));
            if !is_same {
                if !self.columns.key(version, &mut self.key) || self.key != probe {
                    continue;
                }
                equal = self.columns.cells(version);
            }
            each(version)?;
        }
        ControlFlow::Continue(())
    }
}
