//! The way to the rows that a query needs to look at.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use row_model::{Version, sort_key_len};
use table_store::{Direction, Index, IndexGone, IndexPlace, KeyRange, Lookup, TableCut};

use super::{Run, Sink, visit_shared};
use crate::bind::access::Access;
use crate::bind::{BoundQuery, SortColumn};
use crate::least::Window;
use crate::list::ListError;

/// Rows that are looked at between two looks at the clock.
const ROWS_BETWEEN_LOOKS: u64 = 256;

#[derive(Debug)]
pub(crate) enum Way {
    Keys(Vec<Vec<u8>>),
    Index(IndexWay),
    Scan,
}

/// Some stretches of an index.
#[derive(Debug)]
pub(crate) struct IndexWay {
    pub index: Arc<Index>,
    pub ranges: Vec<KeyBounds>,
    /// About how many rows they have.
    pub estimate: u64,
    /// All of them are wanted.
    pub covers: bool,
    /// Rows come in the order that is wanted.
    pub in_order: Option<InOrder>,
}

/// One stretch of an index has rows in a query's order.
#[derive(Debug)]
pub(crate) struct InOrder {
    pub direction: Direction,
    /// What all index keys of the stretch begin with.
    pub fixed: Vec<u8>,
    /// Of each column that rows are ordered by: whether it follows in the index key. The others are the same in all rows.
    pub follows: Vec<bool>,
}

/// Index keys between the beginnings of keys, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyBounds {
    pub from: Option<Vec<u8>>,
    pub to: Option<Vec<u8>>,
}

impl KeyBounds {
    pub fn range(&self) -> KeyRange<'_> {
        fn bound(key: Option<&Vec<u8>>) -> Bound<&[u8]> {
            key.map_or(Bound::Unbounded, |key| Bound::Included(key))
        }
        KeyRange {
            from: bound(self.from.as_ref()),
            to: bound(self.to.as_ref()),
        }
    }

    /// The only key, or beginning of keys, that is in it.
    fn only(&self) -> Option<&[u8]> {
        self.from
            .as_deref()
            .filter(|from| self.to.as_deref() == Some(from))
    }
}

impl Way {
    /// About how many rows will be looked at.
    pub fn expected(&self, table: &TableCut) -> u64 {
        match self {
            Self::Keys(keys) => keys.len() as u64,
            Self::Index(way) => way.estimate,
            Self::Scan => table.rows,
        }
    }

    pub fn is_in_order(&self) -> bool {
        matches!(self, Self::Index(way) if way.in_order.is_some())
    }

    /// `key(id)`, `index(status,created_at)` or `scan`.
    pub fn described(&self, access: &Access) -> String {
        match self {
            Self::Keys(_) => format!("key({})", access.key_columns.join(",")),
            Self::Index(way) => format!("index({})", way.index.definition().columns().join(",")),
            Self::Scan => "scan".to_owned(),
        }
    }

    /// Offers the rows. Only a scan has several sinks.
    pub fn offer<S: Sink + Send>(
        &self,
        query: &BoundQuery,
        window: &Window,
        aside: bool,
        sinks: &mut [S],
        run: Run<'_>,
    ) -> Result<(), ListError> {
        let Some(first) = sinks.first_mut() else {
            return Ok(());
        };
        match self {
            Self::Keys(keys) => {
                for key in keys {
                    if let Lookup::Row(version) = query.table.table.lookup(key, run.cut)
                        && first.offer(&version).is_break()
                    {
                        break;
                    }
                }
                Ok(())
            }
            Self::Index(way) => {
                if way.offer(query, window, first, run)? == Err(IndexGone) {
                    // It was there when the way was chosen, and nothing was shown of it.
                    first.without_order();
                    return visit_shared(&query.table, aside, &mut sinks[..1], run);
                }
                Ok(())
            }
            Self::Scan => visit_shared(&query.table, aside, sinks, run),
        }
    }
}

impl IndexWay {
    fn offer(
        &self,
        query: &BoundQuery,
        window: &Window,
        sink: &mut impl Sink,
        run: Run<'_>,
    ) -> Result<Result<(), IndexGone>, ListError> {
        let table = &query.table.table;
        let (mut examined, mut stopped) = (0, Ok(()));
        let mut each = |version: &Version| {
            examined += 1;
            if examined % ROWS_BETWEEN_LOOKS == 0 && (run.budget.is_late)() {
                stopped = Err(ListError::late(&query.table, examined));
                return ControlFlow::Break(());
            }
            sink.offer(version)
        };
        let (in_order, begin) = (self.in_order.as_ref(), window.after.as_deref());
        let place = in_order.zip(begin);
        let place = place.and_then(|(in_order, begin)| in_order.place(&query.order, begin));
        let after = place
            .as_ref()
            .map(|(index_key, row_key)| IndexPlace { index_key, row_key });
        let direction = self
            .in_order
            .as_ref()
            .map_or(Direction::Ascending, |order| order.direction);
        for bounds in &self.ranges {
            let only = bounds.only().filter(|_| self.in_order.is_none());
            let walked = if let Some(key) = only {
                table.each_equal(&self.index, key, run.cut, &mut each)
            } else {
                let each = |_: &[u8], version: &Version| each(version);
                table.walk(&self.index, bounds.range(), direction, after, run.cut, each)
            };
            if walked.is_err() {
                return Ok(walked);
            }
        }
        stopped.map(Ok)
    }
}

impl InOrder {
    /// The index key and the row key of a place in the query's order.
    fn place<'a>(&self, order: &[SortColumn], place: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        let mut index_key = self.fixed.clone();
        let mut rest = place;
        for (column, follows) in order.iter().zip(&self.follows) {
            // Descending sort keys are ascending ones with all bits turned.
            let upright: Vec<u8> = if column.descending {
                rest.iter().map(|byte| !byte).collect()
            } else {
                rest.to_vec()
            };
            let len = sort_key_len(&upright, 1)?;
            if *follows {
                index_key.extend_from_slice(&upright[..len]);
            }
            rest = &rest[len..];
        }
        Some((index_key, rest))
    }
}
