//! What a filter says of the rows that need be looked at: the keys they must have.
//!
//! Only ever a shortcut: what is found is tested against the whole filter like any other row.

use std::sync::Arc;

use row_model::{
    Column, ColumnType, KEY_BYTES_MAX, Schema, SchemaHistory, Value, encode_key_value,
};
use table_store::TableCut;

use super::ranges::{self, ColumnTest};
use super::scope::newest;
use super::tests_of::is_modest;
use crate::least::Window;
use crate::literal;
use crate::run::{IndexWay, Way};
use crate::tree::{Condition, Operand, Operator, Ordered, Query};

/// Fetching a row by an index costs about so many times what passing it in a scan does.
const FETCH_COST: u64 = 4;
/// Beginning to walk a stretch of an index, in rows passed.
const RANGE_COST: u64 = 20;
/// Of rows that come in order, one in so many is taken to meet a condition that the index does not know.
const REJECTED_GUESS: u64 = 50;

/// More keys than this are looked for by a scan.
const KEYS_MAX: usize = 1_000;

/// What is known of the rows that a query may find.
#[derive(Debug)]
pub(crate) struct Access {
    /// They have one of these keys.
    keys: Option<Arc<[Vec<u8>]>>,
    /// The newest shape of the table.
    pub schema: Arc<Schema>,
    /// If keys are not known: what all of them meet, of columns that an index may have.
    pub(super) tests: Vec<ColumnTest>,
    /// More than `tests` is asked of them.
    pub(super) has_more: bool,
    /// The columns of their order, and whether it descends, if an index may have it.
    pub(super) order: Option<Vec<(String, bool)>>,
}

impl Access {
    pub fn new(query: &Query, table: &TableCut) -> Self {
        let schema = newest(table);
        let keys = keys(&query.filter, &schema, table.table.schemas());
        let (tests, has_more) = match keys {
            None => ranges::tests(&query.filter, table),
            Some(_) => (Vec::new(), true),
        };
        Self {
            keys: keys.map(Arc::from),
            schema,
            tests,
            has_more,
            order: (!query.is_grouped())
                .then(|| plain_order(&query.order))
                .flatten(),
        }
    }

    /// The keys that the rows have, if that is known.
    pub fn keys(&self) -> Option<&[Vec<u8>]> {
        self.keys.as_deref()
    }

    /// The way that looks at least.
    pub fn choose(&self, table: &TableCut, window: &Window) -> Way {
        let mut best = (table.rows, Way::Scan);
        for way in self.ways(table, window) {
            let cost = match &way {
                Way::Keys(_) => 0,
                Way::Index(index) => self.cost(index, window),
                Way::Scan => table.rows,
            };
            if cost < best.0 || matches!(way, Way::Keys(_)) {
                best = (cost, way);
            }
        }
        best.1
    }

    /// Every way there is but that of looking at all rows.
    pub fn ways(&self, table: &TableCut, window: &Window) -> Vec<Way> {
        if let Some(keys) = &self.keys {
            return vec![Way::Keys(Arc::clone(keys))];
        }
        let indexes = table.table.indexes();
        let ready = indexes.iter().filter(|index| index.is_ready());
        let ways = ready.filter_map(|index| self.by_index(index, window));
        ways.map(Way::Index).collect()
    }

    fn cost(&self, way: &IndexWay, window: &Window) -> u64 {
        let wanted = window.rows();
        let looked_at = match way.in_order {
            Some(_) if window.counted => way.estimate,
            // Who knows how many of them are not wanted.
            Some(_) if self.has_more || !way.covers => {
                wanted.saturating_mul(REJECTED_GUESS).min(way.estimate)
            }
            Some(_) => wanted.min(way.estimate),
            None => way.estimate,
        };
        let ranges = way.ranges.len() as u64 * RANGE_COST;
        looked_at.saturating_mul(FETCH_COST).saturating_add(ranges)
    }
}

/// The names of plain columns that are ordered as an index is, one way or the other.
fn plain_order(order: &[Ordered]) -> Option<Vec<(String, bool)>> {
    let plain = |item: &Ordered| {
        let path = &item.by;
        let is_plain = path.via.is_empty() && path.steps.is_empty() && path.cast.is_none();
        // Nulls are the greatest in an index.
        let nulls = item.nulls_first == item.descending;
        (is_plain && nulls).then(|| (path.column.clone(), item.descending))
    };
    order.iter().map(plain).collect()
}

/// If the columns are the table's key, and values that are equal have equal keys: the place among the columns of
/// the key's first, second, ...
pub(crate) fn key_order(table: &TableCut, columns: &[Column]) -> Option<Vec<usize>> {
    let schema = newest(table);
    let key = schema
        .key
        .as_ref()
        .filter(|key| key.len() == columns.len())?;
    let shapes = table.table.schemas().shapes();
    if shapes.iter().any(|shape| shape.key != schema.key) {
        return None;
    }
    let place = |name: &String| {
        let place = columns.iter().position(|column| column.name == *name)?;
        has_one_encoding(columns[place].kind).then_some(place)
    };
    key.iter().map(place).collect()
}

/// The keys of which a row that meets all conditions has one: `eq` or `in` on every key column.
/// `None` if there may be rows under other keys: those written before the table's key was changed.
fn keys(filter: &[Condition], schema: &Schema, history: &SchemaHistory) -> Option<Vec<Vec<u8>>> {
    let names = schema.key.as_ref().filter(|names| !names.is_empty())?;
    let shapes = history.shapes();
    if shapes.iter().any(|shape| shape.key != schema.key) {
        return None;
    }
    let mut keys = vec![Vec::new()];
    for name in names {
        let kind = schema.columns[schema.column(name)?].kind;
        let ways = filter.iter().find_map(|part| ways(part, name, kind))?;
        if keys.len() * ways.len() > KEYS_MAX {
            return None;
        }
        keys = if matches!(&keys[..], [beginning] if beginning.is_empty()) {
            ways
        } else {
            let longer = |key: &Vec<u8>| {
                let key = key.clone();
                ways.iter()
                    .map(move |way| [&key[..], way].concat())
                    .collect::<Vec<_>>()
            };
            keys.iter().flat_map(longer).collect()
        };
    }
    keys.retain(|key| key.len() <= KEY_BYTES_MAX);
    keys.sort_unstable();
    keys.dedup();
    Some(keys)
}

/// The encodings of what a key column must be.
fn ways(condition: &Condition, name: &str, kind: ColumnType) -> Option<Vec<Vec<u8>>> {
    let test = match condition {
        Condition::All(parts) => return parts.iter().find_map(|part| ways(part, name, kind)),
        Condition::Test(test) => test,
        _ => return None,
    };
    let is_plain =
        test.column.steps.is_empty() && test.column.via.is_empty() && test.column.cast.is_none();
    if test.column.column != name || !is_plain || !has_one_encoding(kind) {
        return None;
    }
    let texts = match (&test.operand, test.operator) {
        (Operand::One(text), Operator::Eq) => std::slice::from_ref(text),
        (Operand::List(texts), Operator::In) => texts,
        _ => return None,
    };
    let (mut ways, mut certain) = (Vec::new(), true);
    for text in texts {
        if !is_modest(text) {
            return None;
        }
        let read = literal::each_operand(kind, text, |value| match value {
            // Null is equal to nothing.
            Value::Null => {}
            // Equal to others that are spelled otherwise.
            Value::Json(_) => certain = false,
            value => {
                let mut way = Vec::new();
                encode_key_value(value, &mut way);
                ways.push(way);
            }
        });
        read.ok()?;
    }
    certain.then_some(ways)
}

/// Values that are equal have equal bytes in keys. JSON can be spelled in several ways.
pub(crate) fn has_one_encoding(kind: ColumnType) -> bool {
    !matches!(
        kind,
        ColumnType::EnumSet
            | ColumnType::Json
            | ColumnType::Array
            | ColumnType::Map
            | ColumnType::Struct
    )
}
