//! How the rows of a table are found whose columns are equal to given values.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use foldhash::fast::FixedState;
use row_model::{CutId, RawCell, Row, RowBuilder, Value, Version, encode_key_value};
use smallvec::SmallVec;
use table_store::{Index, IndexKind, TableCut};

use super::{Prepared, Reader, Run, Seeker, Sink, View, visit};
use crate::bind::access;
use crate::bind::scope::{BoundLink, Join, Scope};
use crate::list::ListError;
use crate::predicate::{Layouts, Predicate};

/// Values that a relation compares: their keys' bytes one after the other, so that equal numbers of any type are equal.
pub(crate) type JoinKey = SmallVec<[u8; 16]>;

/// The same values as a row holds them. Equal ones are equal values; others may be, too.
pub(crate) type Cells<'a> = SmallVec<[RawCell<'a>; 2]>;

/// Finding by lookup costs about so many times what passing a row in a visit does.
const LOOKUP_COST: u64 = 4;

#[derive(Clone, Debug)]
pub(crate) enum Finder {
    /// The columns are the table's key. Which of the given values is the key's first, second, ...
    Key {
        table: Arc<TableCut>,
        order: Vec<usize>,
    },
    /// The columns are what an index begins with. Which of the given values is its first, second, ...
    Index {
        table: Arc<TableCut>,
        index: Arc<Index>,
        order: Vec<usize>,
        /// Names of the columns, in that order.
        columns: Vec<String>,
    },
    /// All rows of the table that count, by these columns.
    Rows(Arc<RowTable>),
}

/// One row for each of the values that lead to one. What is read of the rows lies close together: a join of many
/// rows finds it without going to the rows themselves.
#[derive(Debug, Default)]
pub(crate) struct RowTable {
    /// If all keys are integers that lie close together, as ids do.
    dense: Option<Dense>,
    /// Made when first asked for where keys are dense.
    keys: OnceLock<KeyTable>,
    versions: Vec<Version>,
    /// Where each row's cells begin.
    starts: Vec<u32>,
    cells: Vec<u8>,
}

/// Numbers of rows by their keys' bytes.
#[derive(Debug, Default)]
struct KeyTable {
    /// Of keys of eight bytes at most, as [`packed`]: what most tables have, in half the room.
    short: HashMap<u64, u32, FixedState>,
    long: HashMap<JoinKey, u32, FixedState>,
}

impl KeyTable {
    fn of_integers(keys: &[i64]) -> Self {
        let (mut table, mut bytes) = (Self::default(), Vec::new());
        table.short.reserve(keys.len());
        for (number, key) in keys.iter().enumerate() {
            bytes.clear();
            encode_key_value(Value::Int(*key), &mut bytes);
            if table.find(&bytes).is_none() {
                table.insert(&bytes, number as u32);
            }
        }
        table
    }

    fn find(&self, key: &[u8]) -> Option<u32> {
        let found = match packed(key) {
            Some(key) => self.short.get(&key),
            None => self.long.get(key),
        };
        found.copied()
    }

    fn insert(&mut self, key: &[u8], number: u32) {
        match packed(key) {
            Some(key) => self.short.insert(key, number),
            None => self.long.insert(SmallVec::from_slice(key), number),
        };
    }
}

/// Numbers of rows by an integer, from the first on.
#[derive(Debug)]
pub(crate) struct Dense {
    first: i64,
    numbers: Vec<u32>,
    /// Of each row. Of rows with the same one only the first is found.
    keys: Vec<i64>,
}

/// No row has this number.
const NO_ROW: u32 = u32::MAX;
/// So many places may be empty for each that is not.
const PLACES_A_ROW_MAX: u64 = 4;

impl Dense {
    /// The number of each row is its place among `keys`, which are answered if they are too far apart.
    fn of(keys: Vec<i64>) -> Result<Self, Vec<i64>> {
        let (Some(first), Some(last)) = (keys.iter().min(), keys.iter().max()) else {
            return Err(keys);
        };
        let (first, span) = (*first, last.abs_diff(*first));
        if span / PLACES_A_ROW_MAX > keys.len() as u64 {
            return Err(keys);
        }
        let mut numbers = vec![NO_ROW; span as usize + 1];
        for (number, key) in keys.iter().enumerate() {
            let place = &mut numbers[key.abs_diff(first) as usize];
            *place = (*place).min(number as u32);
        }
        Ok(Self {
            first,
            numbers,
            keys,
        })
    }

    pub fn find(&self, key: i64) -> Option<u32> {
        let place = usize::try_from(key.checked_sub(self.first)?).ok()?;
        let number = self.numbers.get(place).copied()?;
        (number != NO_ROW).then_some(number)
    }
}

impl RowTable {
    /// Numbers of rows by an integer, if that is what leads to them.
    pub fn dense(&self) -> Option<&Dense> {
        self.dense.as_ref()
    }

    /// The number of the row that these values lead to.
    pub fn find(&self, probe: &[u8]) -> Option<u32> {
        let keys = self.keys.get_or_init(|| {
            let dense = self.dense.as_ref();
            dense.map_or_else(KeyTable::default, |dense| {
                KeyTable::of_integers(&dense.keys)
            })
        });
        keys.find(probe)
    }

    pub fn version(&self, number: u32) -> &Version {
        &self.versions[number as usize]
    }

    /// What is read of a row: the columns in use, in their order.
    pub fn row(&self, number: u32) -> Row<'_> {
        let number = number as usize;
        let end = self
            .starts
            .get(number + 1)
            .map_or(self.cells.len(), |end| *end as usize);
        Row::new(&self.cells[self.starts[number] as usize..end])
    }
}

impl Finder {
    /// The way to be used for so many rows. `in_use` are the columns that will be read.
    pub fn new(
        join: &Join,
        in_use: Layouts,
        expected: u64,
        run: Run<'_>,
    ) -> Result<Self, ListError> {
        let target = &join.link.target;
        match Self::without_visit(&join.link) {
            Some(finder) if expected.saturating_mul(LOOKUP_COST) < target.rows => Ok(finder),
            _ => Self::of_rows(join, in_use, run),
        }
    }

    /// A way that is less work than a visit of the table, for so many rows.
    pub fn for_some(link: &BoundLink, expected: u64) -> Option<Self> {
        let is_less = expected * LOOKUP_COST < link.target.rows.max(1) * 2;
        Self::without_visit(link).filter(|_| is_less)
    }

    /// In which order the values of a link are looked for.
    pub fn order(&self, link: &BoundLink) -> Vec<usize> {
        match self {
            Self::Key { order, .. } | Self::Index { order, .. } => order.clone(),
            Self::Rows(_) => (0..link.to.len()).collect(),
        }
    }

    /// A way that needs no visit of the table, if there is one.
    pub fn without_visit(link: &BoundLink) -> Option<Self> {
        let by_key = access::key_order(&link.target, &link.to).map(|order| Self::Key {
            table: Arc::clone(&link.target),
            order,
        });
        by_key.or_else(|| {
            let indexes = link.target.table.indexes();
            indexes.iter().find_map(|index| Self::by_index(link, index))
        })
    }

    fn by_index(link: &BoundLink, index: &Arc<Index>) -> Option<Self> {
        let all = index.definition().columns();
        let is_whole = all.len() == link.to.len();
        let is_ordered = index.definition().kind() == IndexKind::Ordered;
        if !index.is_ready() || all.len() < link.to.len() || !(is_whole || is_ordered) {
            return None;
        }
        let columns = &all[..link.to.len()];
        let place = |name: &String| {
            let place = link.to.iter().position(|column| column.name == *name)?;
            access::has_one_encoding(link.to[place].kind).then_some(place)
        };
        Some(Self::Index {
            table: Arc::clone(&link.target),
            index: Arc::clone(index),
            order: columns.iter().map(place).collect::<Option<_>>()?,
            columns: columns.to_vec(),
        })
    }

    /// Whether looking takes locks of the table.
    pub fn locks(&self) -> bool {
        !matches!(self, Self::Rows(_))
    }

    fn of_rows(join: &Join, in_use: Layouts, run: Run<'_>) -> Result<Self, ListError> {
        let target = &join.link.target;
        let none = Predicate::All(Vec::new());
        let (scope, predicate) = match &join.filter {
            Some((scope, predicate)) => (Arc::clone(scope), predicate),
            None => (Arc::new(Scope::of_table(target)), &none),
        };
        let prepared = Prepared::new(&scope, target.rows, run)?;
        let mut sink = RowsByColumns {
            reader: Reader::new(&scope, &prepared, run.cut),
            columns: ColumnReader::new(&join.link),
            predicate,
            in_use,
            takes_all: predicate.takes_all(),
            rows: RowTable::default(),
            integers: Some(Vec::new()),
            keys: KeyTable::default(),
            key: Vec::new(),
            builder: RowBuilder::default(),
        };
        let aside = predicate.is_costly() || prepared.locks();
        visit(target, aside, &mut sink, run)?;
        Ok(Self::Rows(Arc::new(sink.finish())))
    }

    /// Writes what is looked for; `false` if a value is null, which is equal to nothing.
    pub fn probe(&self, view: &View<'_>, link: &BoundLink, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Key { order, .. } | Self::Index { order, .. } => {
                out.clear();
                let mut sources = order.iter().map(|number| &link.from[*number]);
                sources.all(|source| view.with_value(source, |value| push_equal(value, out)))
            }
            Self::Rows(_) => probe(view, link, out),
        }
    }

    /// Calls `each` for the rows found under a probe. For many probes there is [`Seeker`].
    pub fn each(
        &self,
        probe: &[u8],
        cut: CutId,
        each: impl FnMut(&Version) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        Seeker::new(self, cut).each(probe, each)
    }
}

/// Writes the values of a row that a relation compares, in its order; `false` if one is null.
pub(crate) fn probe(view: &View<'_>, link: &BoundLink, out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut sources = link.from.iter();
    sources.all(|source| view.with_value(source, |value| push_equal(value, out)))
}

/// Appends a value as relations compare it; `false` if it is equal to nothing.
pub(crate) fn push_equal(value: Value<'_>, out: &mut Vec<u8>) -> bool {
    if matches!(value, Value::Null | Value::Unavailable) {
        return false;
    }
    encode_key_value(value, out);
    true
}

/// Reads the columns of the target's side.
#[derive(Debug)]
pub(crate) struct ColumnReader {
    layouts: Layouts,
}

impl ColumnReader {
    pub fn new(link: &BoundLink) -> Self {
        let names = link.to.iter().map(|column| column.name.clone());
        Self::named(&link.target, names.collect())
    }

    /// Of a table's columns, in this order of theirs.
    pub fn of(table: &TableCut, columns: &[String], order: Option<&[usize]>) -> Self {
        let names = match order {
            Some(order) => order.iter().map(|place| columns[*place].clone()).collect(),
            None => columns.to_vec(),
        };
        Self::named(table, names)
    }

    fn named(table: &TableCut, names: Vec<String>) -> Self {
        Self {
            layouts: Layouts::new(Arc::clone(table.table.schemas()), names.into()),
        }
    }

    /// The key of a row of the target, if it is one small integer.
    fn integer(&mut self, version: &Version) -> Option<i64> {
        match self.layouts.of(version.schema()) {
            [Some(place)] => version.row()?.small_number(*place)?.integer(),
            _ => None,
        }
    }

    /// Whether a row has these very cells.
    pub fn has(&mut self, version: &Version, cells: &[RawCell<'_>]) -> bool {
        let Some(row) = version.row() else {
            return false;
        };
        let mut places = self.layouts.of(version.schema()).iter().zip(cells);
        places.all(|(place, cell)| place.and_then(|place| row.raw(place)) == Some(*cell))
    }

    /// The cells of a row that has all of the columns.
    pub fn cells<'a>(&mut self, version: &'a Version) -> Option<Cells<'a>> {
        let row = version.row()?;
        let places = self.layouts.of(version.schema()).iter();
        places.map(|place| row.raw((*place)?)).collect()
    }

    /// The key of a row of the target; `false` if a value is null.
    pub fn key(&mut self, version: &Version, out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(row) = version.row() else {
            return false;
        };
        let places = self.layouts.of(version.schema()).iter();
        let mut values = places.map(|place| place.and_then(|place| row.get(place)));
        values.all(|value| push_equal(value.unwrap_or(Value::Null), out))
    }
}

/// The bytes of a short key as a number. No key begins another, so zeros behind it change nothing.
fn packed(key: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..key.len())?.copy_from_slice(key);
    Some(u64::from_le_bytes(bytes))
}

struct RowsByColumns<'a> {
    reader: Reader,
    columns: ColumnReader,
    predicate: &'a Predicate,
    takes_all: bool,
    in_use: Layouts,
    rows: RowTable,
    /// The key of each row, as long as all are integers; ...
    integers: Option<Vec<i64>>,
    /// ... from then on, of each its bytes.
    keys: KeyTable,
    key: Vec<u8>,
    builder: RowBuilder,
}

impl RowsByColumns<'_> {
    fn finish(self) -> RowTable {
        let mut rows = self.rows;
        match self.integers.map(Dense::of) {
            Some(Ok(dense)) => rows.dense = Some(dense),
            Some(Err(keys)) => rows.keys = KeyTable::of_integers(&keys).into(),
            None => rows.keys = self.keys.into(),
        }
        rows
    }

    /// Whether the next row is to be kept, and enters its key.
    fn enter(&mut self, version: &Version) -> bool {
        if let Some(integers) = &mut self.integers
            && let Some(integer) = self.columns.integer(version)
        {
            integers.push(integer);
            return true;
        }
        if !self.columns.key(version, &mut self.key) {
            return false;
        }
        if let Some(integers) = self.integers.take() {
            self.keys = KeyTable::of_integers(&integers);
        }
        let is_first = self.keys.find(&self.key).is_none();
        if is_first {
            let number = self.rows.versions.len() as u32;
            self.keys.insert(&self.key, number);
        }
        is_first
    }
}

impl Sink for RowsByColumns<'_> {
    fn offer(&mut self, version: &Version) -> ControlFlow<()> {
        let meets = |view: View<'_>| self.predicate.test(&view) == Some(true);
        let is_wanted = self.takes_all || self.reader.view(version).is_some_and(meets);
        // Beyond four gigabytes of cells there would be no memory for the rows either.
        if let (true, Some(row), Ok(start)) =
            (is_wanted, version.row(), self.rows.cells.len().try_into())
            && self.enter(version)
        {
            self.builder.clear();
            for place in self.in_use.of(version.schema()) {
                let value = place.and_then(|place| row.get(place));
                self.builder.push(value.unwrap_or(Value::Null));
            }
            self.rows.versions.push(version.clone());
            self.rows.starts.push(start);
            self.builder.finish(&mut self.rows.cells);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use table_store::IndexKind;

    use super::*;
    use crate::fixture::site::{ITEMS, Plain, Rows, Site};

    #[test]
    fn an_index_finds_exactly_equal_values_and_one_that_went_away_loses_none() {
        // Index keys hold only the beginning of a text.
        let alike = |end: &str| -> &'static str {
            let text = "x".repeat(row_model::ORDERED_BYTES_MAX) + end;
            Box::leak(text.into_boxed_str())
        };
        let (one, other) = (alike("one"), alike("other"));
        let mut rows = Rows::default();
        rows[ITEMS] = [one, other, one, "x"]
            .into_iter()
            .enumerate()
            .map(|(line, sku)| {
                let line = Plain::Int(line as i64);
                vec![Plain::Int(1), line, Plain::Text(sku), Plain::Null]
            })
            .collect();
        let site = Site::new(&rows, &[(ITEMS, &["sku"], IndexKind::Ordered)]);
        let cut = site.store().pin();
        let items = cut.table("items").unwrap();
        let link = BoundLink::new(Vec::new(), items, &["sku".to_owned()]).unwrap();
        let finder = Finder::without_visit(&link).unwrap();
        let found = |sku: &str| {
            let (mut probe, mut lines) = (Vec::new(), Vec::new());
            assert!(push_equal(Value::Text(sku), &mut probe));
            let _ = finder.each(&probe, cut.id, |version| {
                lines.push(format!("{:?}", version.row().unwrap().get(1).unwrap()));
                ControlFlow::Continue(())
            });
            lines.sort();
            lines
        };
        let all = || [one, other, "x", "y"].map(found);
        let expected = [
            vec!["Int(0)".to_owned(), "Int(2)".to_owned()],
            vec!["Int(1)".to_owned()],
            vec!["Int(3)".to_owned()],
            Vec::new(),
        ];
        assert_eq!(all(), expected);
        assert!(items.table.remove_index(&["sku".to_owned()]));
        assert_eq!(all(), expected);
    }
}
