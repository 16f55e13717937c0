//! Lists: the rows of a table that meet a query, in its order, a page at a time.
//!
//! A page is the least rows after the cursor, found by one visit of the table with a bounded heap, or
//! by looking up the keys that the filter names. The heap holds references and sort keys only, one more
//! than the page has rows. Pages of one walk may be of different cuts: a row that was there all along,
//! and whose ordered values did not change, is in exactly one of them.
//!
//! A scan stops when its time is up. It has nothing to show then, because the rows it has not seen may
//! come before those it has.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use row_model::{CutId, Version};
use table_store::{Lookup, PinnedCut, TableCut};

use crate::bind::BoundQuery;
use crate::compare::push_sort_key;
use crate::cursor::Binding;
use crate::format::{Format, RowWriter};
use crate::predicate::Layouts;

pub const LIMIT_DEFAULT: usize = 100;
pub const LIMIT_MAX: usize = 10_000;

/// Rows stop here, whatever the limit. A single row that is larger is a page of its own.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Costly rows that are tested between two looks at the clock.
const ROWS_BETWEEN_LOOKS: usize = 64;

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The place that the page comes after.
    pub after: Option<Vec<u8>>,
    pub limit: usize,
    /// All rows that meet the filter are to be counted.
    pub counted: bool,
}

/// What a list may cost.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// Rows of a table that is scanned.
    pub rows_max: u64,
    /// Whether the time is up.
    pub is_late: &'a dyn Fn() -> bool,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The table would have to be scanned, and has more rows than a query may look at.
    #[error("it would look at {rows} rows, and may look at {max}")]
    TooManyRows { rows: u64, max: u64 },
    /// The time was up before all rows were seen.
    #[error("the time was up after {examined} rows")]
    TooLate { examined: u64 },
}

/// How rows were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `key(id)` or `scan`.
    pub access: String,
    pub rows_examined: u64,
}

/// The rows of a page, before they are rendered.
#[derive(Debug)]
pub struct Page {
    /// In order, at most as many as asked for.
    rows: Vec<Candidate>,
    /// There are rows after these.
    more: bool,
    binding: Binding,
    /// Rows that meet the filter, if they were counted.
    pub total: Option<u64>,
    pub plan: Plan,
}

/// What became of a page when it was rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub count: usize,
    /// Cursor of the next page; `None` at the end.
    pub next: Option<String>,
    /// It stopped at the bound on its size.
    pub truncated: bool,
}

/// Finds a page of the rows that meet a query. The query must be bound to this table at this cut.
///
/// # Errors
/// If it would cost more than it may.
pub fn page(
    cut: &PinnedCut,
    table: &TableCut,
    query: &BoundQuery,
    request: &PageRequest,
    budget: Budget<'_>,
) -> Result<Page, ListError> {
    let mut collector = Collector::new(query, request);
    let access = if let Some(keys) = &query.keys {
        for key in keys {
            if let Lookup::Row(version) = table.table.lookup(key, cut.id) {
                collector.offer(&version);
            }
        }
        format!("key({})", query.key_columns.join(","))
    } else {
        scan(
            cut.id,
            table,
            query.predicate.is_costly(),
            &mut collector,
            budget,
        )?;
        "scan".to_owned()
    };
    let plan = Plan {
        access,
        rows_examined: collector.examined,
    };
    let total = request.counted.then_some(collector.matched);
    let mut rows = collector.least.into_sorted_vec();
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    Ok(Page {
        rows,
        more,
        binding: query.binding,
        total,
        plan,
    })
}

fn scan(
    cut: CutId,
    table: &TableCut,
    costly: bool,
    collector: &mut Collector<'_>,
    budget: Budget<'_>,
) -> Result<(), ListError> {
    if table.rows > budget.rows_max {
        return Err(ListError::TooManyRows {
            rows: table.rows,
            max: budget.rows_max,
        });
    }
    let mut aside: Vec<Version> = Vec::new();
    for chunk in 0.. {
        let there = if costly {
            // Tested aside, so that the writer need not wait for it.
            table
                .table
                .visit_chunk(chunk, cut, |version| aside.push(version.clone()))
        } else {
            table
                .table
                .visit_chunk(chunk, cut, |version| collector.offer(version))
        };
        for some in aside.chunks(ROWS_BETWEEN_LOOKS) {
            collector.or_late(budget)?;
            for version in some {
                collector.offer(version);
            }
        }
        aside.clear();
        if !there {
            break;
        }
        collector.or_late(budget)?;
    }
    Ok(())
}

/// Keeps the least rows after a place, of those that meet the filter.
struct Collector<'a> {
    query: &'a BoundQuery,
    request: &'a PageRequest,
    layouts: Layouts,
    least: BinaryHeap<Candidate>,
    examined: u64,
    matched: u64,
    /// The place of the row that is looked at: its sort key, then its key.
    place: Vec<u8>,
}

impl<'a> Collector<'a> {
    fn new(query: &'a BoundQuery, request: &'a PageRequest) -> Self {
        Self {
            query,
            request,
            layouts: query.columns.layouts(),
            least: BinaryHeap::new(),
            examined: 0,
            matched: 0,
            place: Vec::new(),
        }
    }

    fn offer(&mut self, version: &Version) {
        self.examined += 1;
        let by_key = self.query.order.is_empty();
        if by_key && !self.request.counted && !self.may_enter(version.key()) {
            return;
        }
        let Some(row) = version.row() else {
            return;
        };
        let places = self.layouts.of(version.schema());
        if self.query.predicate.test(row, places) != Some(true) {
            return;
        }
        self.matched += 1;
        self.place.clear();
        if !by_key {
            for column in &self.query.order {
                let place = &mut self.place;
                column.source.with_value(row, places, |value| {
                    push_sort_key(value, column.descending, column.nulls_first, place);
                });
            }
            self.place.extend_from_slice(version.key());
        }
        let place = if by_key { version.key() } else { &self.place };
        if self.may_enter(place) {
            if self.least.len() > self.request.limit {
                self.least.pop();
            }
            self.least.push(Candidate {
                place: self.place.as_slice().into(),
                version: version.clone(),
            });
        }
    }

    fn or_late(&self, budget: Budget<'_>) -> Result<(), ListError> {
        let examined = self.examined;
        if (budget.is_late)() {
            return Err(ListError::TooLate { examined });
        }
        Ok(())
    }

    /// Whether a row at this place comes after the cursor and before the last of those that are kept.
    fn may_enter(&self, place: &[u8]) -> bool {
        self.request
            .after
            .as_deref()
            .is_none_or(|after| place > after)
            && (self.least.len() <= self.request.limit
                || self.least.peek().is_some_and(|last| place < last.place()))
    }
}

impl Page {
    /// Appends the rows as long as they stay below `bytes_max`; JSON's are separated by `separator`.
    pub fn render(
        &self,
        writer: &mut RowWriter<'_>,
        separator: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Rendered {
        let start = out.len();
        let mut count = 0;
        for candidate in &self.rows {
            let (before, noted) = (out.len(), writer.unavailable_bytes());
            if count > 0 && writer.format() != Format::Csv {
                out.extend_from_slice(separator);
            }
            writer.write_row(count, &candidate.version, out);
            if count > 0 && out.len() - start + writer.unavailable_bytes() > bytes_max {
                out.truncate(before);
                writer.forget_unavailable(noted);
                break;
            }
            count += 1;
        }
        let truncated = count < self.rows.len();
        let last = self.rows[..count].last().filter(|_| truncated || self.more);
        Rendered {
            count,
            next: last.map(|last| self.binding.after(last.place())),
            truncated,
        }
    }
}

/// A row that may be on the page. Ordered by its place.
#[derive(Debug)]
struct Candidate {
    /// Empty if rows are ordered by key alone: the key is in the version.
    place: Box<[u8]>,
    version: Version,
}

impl Candidate {
    fn place(&self) -> &[u8] {
        if self.place.is_empty() {
            self.version.key()
        } else {
            &self.place
        }
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(other.place())
    }
}

#[cfg(test)]
mod against_naive;
#[cfg(test)]
mod against_sqlite;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod tests;
