//! The way to the rows that a query needs to look at.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use row_model::{Schema, Version, sort_key_len};
use table_store::{Direction, Index, IndexGone, IndexPlace, IndexReader, KeyRange, TableCut};

use super::{Run, Sink, visit_shared};
use crate::bind::access::Access;
use crate::bind::{BoundQuery, SortColumn};
use crate::least::Window;
use crate::list::ListError;

/// Rows that are looked at between two looks at the clock.
const ROWS_BETWEEN_LOOKS: u64 = 256;

#[derive(Debug)]
pub(crate) enum Way {
    Keys(Arc<[Vec<u8>]>),
    Index(IndexWay),
    Scan,
}

/// The way that was taken to the rows.
#[derive(Clone, Debug)]
pub enum Taken {
    /// By the key of this shape.
    Keys(Arc<Schema>),
    Index(Arc<Index>),
    Scan,
}

/// `key(id)`, `index(status,created_at)` or `scan`.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(schema) => {
                write!(
                    f,
                    "key({})",
                    schema.key.as_deref().unwrap_or_default().join(",")
                )
            }
            Self::Index(index) => write!(f, "index({})", index.definition().columns().join(",")),
            Self::Scan => f.write_str("scan"),
        }
    }
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

    pub fn taken(&self, access: &Access) -> Taken {
        match self {
            Self::Keys(_) => Taken::Keys(Arc::clone(&access.schema)),
            Self::Index(way) => Taken::Index(Arc::clone(&way.index)),
            Self::Scan => Taken::Scan,
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
                let table = &query.table.table;
                table.lookup_in_lots(keys, run.cut, |lot| first.offer_lot(lot, None));
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
        let (in_order, begin) = (self.in_order.as_ref(), window.after.as_deref());
        let place = in_order.zip(begin);
        let place = place.and_then(|(in_order, begin)| in_order.place(&query.order, begin));
        let after = place
            .as_ref()
            .map(|(index_key, row_key)| IndexPlace { index_key, row_key });
        let direction = in_order.map_or(Direction::Ascending, |order| order.direction);
        let keys_are_order = in_order.is_some_and(InOrder::is_keys);
        let (mut examined, mut late) = (0, Ok(()));
        let mut look = |rows: usize| {
            let before = examined;
            examined += rows as u64;
            let is_due = examined / ROWS_BETWEEN_LOOKS > before / ROWS_BETWEEN_LOOKS;
            if is_due && (run.budget.is_late)() {
                late = Err(ListError::late(&query.table, examined));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let reader = IndexReader::new(table, &self.index, run.cut);
        let wanted = in_order.map_or(0, |_| window.rows());
        let mut reader = reader.wanting(usize::try_from(wanted).unwrap_or(0));
        for bounds in &self.ranges {
            let only = bounds.only().filter(|_| in_order.is_none());
            let walked = if let Some(key) = only {
                let each = |lot: &[&Version]| {
                    look(lot.len())?;
                    sink.offer_lot(lot, None)
                };
                // Whoever takes rows looks at their values. Under two keys no row may come twice.
                if self.ranges.len() == 1 {
                    reader.each_candidate(key, each)
                } else {
                    reader.each_equal(key, each)
                }
            } else {
                reader.walk(bounds.range(), direction, after, |keys, lot| {
                    look(lot.len())?;
                    sink.offer_lot(lot, keys_are_order.then_some(keys))
                })
            };
            if walked.is_err() {
                return Ok(walked);
            }
        }
        late.map(Ok)
    }
}

impl InOrder {
    /// Whether index keys are the sort keys of what rows are ordered by, no more and no less.
    fn is_keys(&self) -> bool {
        let all_follow = self.fixed.is_empty() && self.follows.iter().all(|follows| *follows);
        all_follow && self.direction == Direction::Ascending
    }

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
