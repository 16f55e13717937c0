//! Lists: the rows of a table that meet a query, in its order, a page at a time.
//!
//! A page is the least rows after the cursor, found by one visit of the table with a bounded heap, or
//! by looking up the keys that the filter names. The heap holds references and sort keys only, one more
//! than the page has rows. Pages of one walk may be of different cuts: a row that was there all along,
//! and whose ordered values did not change, is in exactly one of them.
//!
//! A scan stops when its time is up. It has nothing to show then, because the rows it has not seen may
//! come before those it has.

use table_store::{PinnedCut, TableCut};

use crate::bind::BoundQuery;
pub use crate::cast::CastError;
use crate::cursor::Binding;
use crate::embed::{self, Node};
use crate::format::{Format, RowWriter};
pub use crate::group::GroupError;
use crate::grouped::{self, GroupSink, Grouper};
use crate::least::{Collector, Found, Window};
pub use crate::run::Taken;
use crate::run::{Prepared, Run, Way, sinks_for};

pub const LIMIT_DEFAULT: usize = 100;
pub const LIMIT_MAX: usize = 10_000;

/// Rows stop here, whatever the limit. A single row that is larger is a page of its own.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes of an answer whose rows have others inside them. Few rows that lead to each other are shown as often as there
/// are ways to them.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Rows of an answer with all that stands inside them.
pub const NODES_MAX: usize = 500_000;

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The place that the page comes after. The query's offset counts from the first page only.
    pub after: Option<Vec<u8>>,
    /// At most so many rows, and at most what the query says.
    pub limit: usize,
    /// All rows that meet the filter are to be counted.
    pub counted: bool,
}

/// What a list may cost.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// Rows of a table that is visited.
    pub rows_max: u64,
    /// Who looks at the rows of a visit.
    pub workers: &'a dyn Workers,
    /// Whether the time is up.
    pub is_late: &'a (dyn Fn() -> bool + Sync),
}

/// Several that share one piece of work, perhaps at the same time.
pub trait Workers: Sync {
    /// How many a visit of so many rows is to be shared among.
    fn for_rows(&self, rows: u64) -> usize;

    /// Has the work of each number below `count` done once, and comes back when all of it is done.
    fn all(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// One, who does one thing after the other.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Workers for Alone {
    fn for_rows(&self, _: u64) -> usize {
        1
    }

    fn all(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A table would have to be visited, and has more rows than a query may look at.
    #[error("it would look at {rows} rows of '{table}', and may look at {max}")]
    TooManyRows { table: String, rows: u64, max: u64 },
    /// The time was up before all rows were seen.
    #[error("the time was up after {examined} rows of '{table}'")]
    TooLate { table: String, examined: u64 },
    /// More groups, or related rows, than an answer may be made of.
    #[error("its answer has more than {max} {what}")]
    TooMuch { what: &'static str, max: usize },
    /// Rows cannot be grouped.
    #[error("{0}")]
    Group(#[from] GroupError),
    /// A value is none of the type that it was to be turned into.
    #[error(transparent)]
    Cast(#[from] CastError),
}

impl ListError {
    pub(crate) fn late(table: &TableCut, examined: u64) -> Self {
        Self::TooLate {
            table: table.table.identity().name.clone(),
            examined,
        }
    }
}

/// How rows were found.
#[derive(Clone, Debug)]
pub struct Plan {
    pub access: Taken,
    pub rows_examined: u64,
}

/// The rows of a page, before they are rendered.
#[derive(Debug)]
pub struct Page {
    /// In order, at most as many as asked for.
    pub(crate) rows: Vec<Node>,
    /// There are rows after these.
    pub more: bool,
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

/// Finds a page of the rows that meet a query. The query must be bound at this cut.
///
/// # Errors
/// If it would cost more than it may.
pub fn page(
    cut: &PinnedCut,
    query: &BoundQuery,
    request: &PageRequest,
    budget: Budget<'_>,
) -> Result<Page, ListError> {
    let run = Run {
        cut: cut.id,
        budget,
    };
    let limit = query
        .limit
        .map_or(request.limit, |limit| limit.min(request.limit));
    let window = Window {
        offset: if request.after.is_some() {
            0
        } else {
            query.offset
        },
        after: request.after.clone(),
        limit,
        counted: request.counted,
    };
    let way = query.access.choose(&query.table, &window);
    page_by(&way, query, &window, run)
}

/// The same by a way that was chosen.
fn page_by(
    way: &Way,
    query: &BoundQuery,
    window: &Window,
    run: Run<'_>,
) -> Result<Page, ListError> {
    let prepared = Prepared::new(&query.scope, way.expected(&query.table), run)?;
    let aside = query.predicate.is_costly() || prepared.locks();
    let shares = match way {
        Way::Scan => sinks_for(&query.table, run),
        _ => 1,
    };
    let found = match query.group() {
        None => {
            let collector = || {
                let collector = Collector::new(query, &prepared, window.clone(), run.cut);
                if way.is_in_order() {
                    collector.in_order()
                } else {
                    collector
                }
            };
            let mut sinks: Vec<_> = std::iter::repeat_with(collector).take(shares).collect();
            way.offer(query, window, aside, &mut sinks, run)?;
            Collector::finish(sinks)?
        }
        Some(group) => {
            let sink = || GroupSink::new(Grouper::new(query, group, &prepared, run.cut));
            let mut sinks: Vec<_> = std::iter::repeat_with(sink).take(shares).collect();
            way.offer(query, &Window::default(), aside, &mut sinks, run)?;
            match GroupSink::finish(sinks)? {
                None => Found::default(),
                Some((groups, examined)) => Found {
                    examined,
                    ..grouped::pick(query, group, groups, window, run)?
                },
            }
        }
    };
    let plan = Plan {
        access: way.taken(&query.access),
        rows_examined: found.examined,
    };
    Ok(Page {
        rows: embed::nodes(query, found.rows, run)?,
        more: found.more,
        binding: *query.binding(),
        total: window.counted.then_some(found.matched),
        plan,
    })
}

impl Page {
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends the rows as long as they stay below `bytes_max`; JSON's are separated by `separator`.
    ///
    /// # Errors
    /// If already the first is too much with all that stands inside it.
    pub fn render(
        &self,
        writer: &mut RowWriter<'_>,
        separator: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<Rendered, ListError> {
        let start = out.len();
        let mut count = 0;
        for node in &self.rows {
            let (before, noted) = (out.len(), writer.unavailable_bytes());
            if count > 0 && writer.format() != Format::Csv {
                out.extend_from_slice(separator);
            }
            writer.write_row(count, node, out);
            if count > 0 && out.len() - start + writer.unavailable_bytes() > bytes_max {
                out.truncate(before);
                writer.forget_unavailable(noted);
                break;
            }
            count += 1;
        }
        writer.checked(out)?;
        let truncated = count < self.rows.len();
        let last = self.rows[..count].last().filter(|_| truncated || self.more);
        Ok(Rendered {
            count,
            next: last.map(|last| self.binding.after(last.row.place())),
            truncated,
        })
    }
}

#[cfg(test)]
mod against_naive;
#[cfg(test)]
mod against_sqlite;
#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod related;
#[cfg(test)]
mod tests;
