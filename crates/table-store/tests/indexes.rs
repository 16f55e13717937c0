//! What readers may rely on of indexes: at every held cut they find the rows that a look at every row
//! finds, in the order that was asked for, whatever is written, let go of, added or built meanwhile.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use proptest::prelude::*;
use row_model::{
    Column, ColumnType, CutId, RowBuilder, Schema, SchemaHistory, SchemaId, Stamp, TableId, Value,
    Version, encode_key, push_sort_key,
};
use table_store::{
    AddIndexError, Direction, Index, IndexDefinition, IndexKind, IndexPlace, IndexReader, KeyRange,
    PinnedCut, Publisher, Table, TableCut, TableFacts, TableIdentity, TableWriter,
};

const NAMES: [&str; 4] = ["id", "status", "number", "note"];

/// Rows of three shapes: two lack a column, and one has them in another order.
const SHAPES: [&[usize]; 3] = [&[0, 1, 2, 3], &[0, 2, 1], &[0, 1]];

#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Unavailable,
    Int(i64),
    Float(f64),
    Text(String),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Unavailable => Value::Unavailable,
            Self::Int(number) => Value::Int(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Text(text) => Value::Text(text),
        }
    }
}

fn cell() -> impl Strategy<Value = Cell> {
    let long = (0..600_usize, "[ab]{0,1}").prop_map(|(len, end)| "l".repeat(len) + &end);
    prop_oneof![
        2 => Just(Cell::Null),
        1 => Just(Cell::Unavailable),
        3 => (-2..3_i64).prop_map(Cell::Int),
        1 => (-2..3_i32).prop_map(|number| Cell::Float(f64::from(number))),
        3 => "[ab\\x00]{0,2}".prop_map(Cell::Text),
        1 => long.prop_map(Cell::Text),
    ]
}

struct Shop {
    publisher: Publisher,
    writer: TableWriter,
    shapes: Vec<SchemaId>,
}

impl Shop {
    fn new(deleted_keys_max: usize) -> Self {
        let identity = TableIdentity {
            id: TableId(0),
            name: "t".to_owned(),
            topic: "s.t".to_owned(),
            source: "s".to_owned(),
        };
        let history = Arc::new(SchemaHistory::default());
        let column = |at: &usize| Column {
            name: NAMES[*at].to_owned(),
            kind: ColumnType::Any,
            nullable: true,
        };
        let shape = |columns: &&[usize]| Schema {
            columns: columns.iter().map(column).collect(),
            key: None,
        };
        let shapes = SHAPES
            .iter()
            .map(|columns| history.intern(&shape(columns)).unwrap());
        let mut shop = Self {
            shapes: shapes.collect(),
            publisher: Publisher::default(),
            writer: TableWriter::new(identity, history).with_deleted_keys_max(deleted_keys_max),
        };
        shop.publish();
        shop
    }

    fn table(&self) -> &Arc<Table> {
        self.writer.table()
    }

    fn put(&mut self, id: i64, shape: usize, cells: &[Cell]) {
        let (mut builder, mut row) = (RowBuilder::default(), Vec::new());
        for column in SHAPES[shape] {
            let id = Cell::Int(id);
            builder.push(
                if *column == 0 {
                    &id
                } else {
                    &cells[*column - 1]
                }
                .value(),
            );
        }
        builder.finish(&mut row);
        let cut = self.publisher.next_cut();
        self.writer
            .write(cut, &row_key(id), self.shapes[shape], Some(&row), |_| {
                Some(Stamp::default())
            });
    }

    fn delete(&mut self, id: i64) {
        let cut = self.publisher.next_cut();
        self.writer
            .write(cut, &row_key(id), self.shapes[0], None, |_| {
                Some(Stamp::default())
            });
    }

    fn publish(&mut self) {
        self.publisher.set(TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: 0,
            schema: None,
            schema_epoch: 1,
            facts: Arc::new(TableFacts::default()),
        });
        let oldest_needed = self.publisher.publish();
        self.writer.collect_garbage(oldest_needed);
    }

    fn pin(&self) -> PinnedCut {
        self.publisher.store().pin()
    }

    fn add(&self, columns: &[usize], kind: IndexKind) -> Result<Arc<Index>, AddIndexError> {
        let columns = columns.iter().map(|at| NAMES[*at].to_owned()).collect();
        self.table()
            .add_index(IndexDefinition::new(columns, kind).unwrap())
    }
}

fn row_key(id: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key([Value::Int(id)], &mut out).unwrap();
    out
}

/// Index key and row key of each row at a cut, by a look at every row.
fn scanned(table: &Table, index: &Index, cut: CutId) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    let mut rows = BTreeSet::new();
    table.visit(cut, |version| {
        rows.insert((index_key(table, index, version), version.key().to_vec()));
    });
    rows
}

fn index_key(table: &Table, index: &Index, version: &Version) -> Vec<u8> {
    let schema = table.schemas().get(version.schema()).unwrap();
    let mut key = Vec::new();
    for name in index.definition().columns() {
        let place = schema.column(name);
        let value = place.and_then(|place| version.row().unwrap().get(place));
        push_sort_key(value.unwrap_or(Value::Null), false, false, &mut key);
    }
    key
}

/// Rows of an ordered index as a walk shows them.
fn walked(
    table: &Table,
    index: &Index,
    range: KeyRange<'_>,
    direction: Direction,
    after: Option<&(Vec<u8>, Vec<u8>)>,
    cut: CutId,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let after = after.map(|(index_key, row_key)| IndexPlace { index_key, row_key });
    let each = |key: &[u8], version: &Version| {
        assert!(*key == index_key(table, index, version));
        rows.push((key.to_vec(), version.key().to_vec()));
        ControlFlow::Continue(())
    };
    table
        .walk(index, range, direction, after, cut, each)
        .unwrap();
    rows
}

/// Index keys in this direction, row keys upwards.
fn in_order(mut rows: Vec<(Vec<u8>, Vec<u8>)>, direction: Direction) -> Vec<(Vec<u8>, Vec<u8>)> {
    rows.sort_by(|one, other| {
        let by_index = one.0.cmp(&other.0);
        let by_index = match direction {
            Direction::Ascending => by_index,
            Direction::Descending => by_index.reverse(),
        };
        by_index.then_with(|| one.1.cmp(&other.1))
    });
    rows
}

/// Bounds mean all keys that begin with them.
fn is_within(key: &[u8], range: KeyRange<'_>) -> bool {
    let cut = |bound: &[u8]| key[..key.len().min(bound.len())].cmp(bound);
    let above = match range.from {
        Bound::Unbounded => true,
        Bound::Included(from) => cut(from).is_ge(),
        Bound::Excluded(from) => cut(from).is_gt(),
    };
    above
        && match range.to {
            Bound::Unbounded => true,
            Bound::Included(to) => cut(to).is_le(),
            Bound::Excluded(to) => cut(to).is_lt(),
        }
}

/// Every way to read an index, against a look at every row.
fn check(table: &Table, index: &Index, cut: CutId, picks: &[usize]) {
    let rows: Vec<_> = scanned(table, index, cut).into_iter().collect();
    let keys: BTreeSet<&Vec<u8>> = rows.iter().map(|(key, _)| key).collect();
    for key in &keys {
        let mut found = Vec::new();
        let each = |version: &Version| {
            found.push(version.key().to_vec());
            ControlFlow::Continue(())
        };
        table.each_equal(index, key, cut, each).unwrap();
        found.sort();
        let expected = rows.iter().filter(|(of, _)| of == *key);
        let expected: Vec<_> = expected.map(|(_, row)| row.clone()).collect();
        assert_eq!(found, expected);
    }
    if index.definition().kind() == IndexKind::Hash {
        return;
    }
    // Bounds that are keys, beginnings of keys, and bytes between.
    let pick = |at: usize| {
        let (key, _) = rows.get(picks[at] % rows.len().max(1))?;
        Some(&key[..key.len() - picks[at + 1] % key.len().min(3)])
    };
    let bound = |at: usize| match (picks[at] % 3, pick(at)) {
        (0, Some(key)) => Bound::Included(key),
        (1, Some(key)) => Bound::Excluded(key),
        _ => Bound::Unbounded,
    };
    for range in [
        KeyRange::all(),
        KeyRange {
            from: bound(0),
            to: bound(2),
        },
        pick(4).map_or(KeyRange::all(), KeyRange::of),
    ] {
        for direction in [Direction::Ascending, Direction::Descending] {
            let within = rows.iter().filter(|(key, _)| is_within(key, range));
            let expected = in_order(within.cloned().collect(), direction);
            assert_eq!(walked(table, index, range, direction, None, cut), expected);
            // On from a place, of a row that may be out of the range.
            let place = rows.get(picks[6] % rows.len().max(1)).cloned();
            let is_behind = |row: &(Vec<u8>, Vec<u8>)| {
                place.as_ref().is_none_or(|place| {
                    let pair = vec![place.clone(), row.clone()];
                    row != place && in_order(pair, direction)[0] == *place
                })
            };
            let expected: Vec<_> = expected.into_iter().filter(is_behind).collect();
            let on = walked(table, index, range, direction, place.as_ref(), cut);
            assert_eq!(on, expected);
        }
    }
}

/// A walk goes on whatever its reader was taken to want.
fn check_wanting(table: &Table, index: &Index, cut: CutId) {
    for direction in [Direction::Ascending, Direction::Descending] {
        let expected = walked(table, index, KeyRange::all(), direction, None, cut);
        for wanted in [1, 40, 300, 2_000] {
            let mut rows = Vec::new();
            let each = |keys: &[&[u8]], lot: &[&Version]| {
                let lot = keys.iter().zip(lot);
                rows.extend(lot.map(|(key, version)| (key.to_vec(), version.key().to_vec())));
                ControlFlow::Continue(())
            };
            let reader = IndexReader::new(table, index, cut).wanting(wanted);
            reader.walk(KeyRange::all(), direction, None, each).unwrap();
            assert!(rows == expected, "{wanted} wanted, {direction:?}");
        }
    }
}

/// All rows by all keys, and nothing else: a look that takes little time.
fn check_whole(table: &Table, index: &Index, cut: CutId) {
    let rows = scanned(table, index, cut);
    let mut found = BTreeSet::new();
    let keys: BTreeSet<&Vec<u8>> = rows.iter().map(|(key, _)| key).collect();
    for key in keys {
        let each = |version: &Version| {
            assert!(found.insert((key.clone(), version.key().to_vec())));
            ControlFlow::Continue(())
        };
        table.each_equal(index, key, cut, each).unwrap();
    }
    let (found_count, count) = (found.len(), rows.len());
    assert!(found == rows, "{found_count} rows, not {count}");
}

#[derive(Clone, Debug)]
enum Step {
    Put(i64, usize, Vec<Cell>),
    Delete(i64),
    Drop(i64),
    Truncate,
    Publish,
    Hold,
    Release,
    Add(usize),
    Build(usize),
    Remove(usize),
}

const INDEXES: [(&[usize], IndexKind); 5] = [
    (&[1], IndexKind::Ordered),
    (&[2], IndexKind::Hash),
    (&[1, 2], IndexKind::Ordered),
    (&[3, 1], IndexKind::Hash),
    (&[2, 3, 1], IndexKind::Ordered),
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0..30_i64;
    let cells = prop::collection::vec(cell(), 3);
    let index = 0..INDEXES.len();
    let step = prop_oneof![
        16 => (id.clone(), 0..SHAPES.len(), cells).prop_map(|(id, shape, cells)| Step::Put(id, shape, cells)),
        4 => id.clone().prop_map(Step::Delete),
        2 => id.prop_map(Step::Drop),
        1 => Just(Step::Truncate),
        5 => Just(Step::Publish),
        2 => Just(Step::Hold),
        2 => Just(Step::Release),
        2 => index.clone().prop_map(Step::Add),
        2 => index.clone().prop_map(Step::Build),
        1 => index.prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..200)
}

fn find(table: &Table, index: usize) -> Option<Arc<Index>> {
    let columns: Vec<_> = INDEXES[index].0.iter().map(|at| NAMES[*at]).collect();
    let all = table.indexes();
    let found = all
        .iter()
        .find(|index| index.definition().columns() == columns);
    found.cloned()
}

impl Shop {
    fn apply(&mut self, step: Step, held: &mut Vec<PinnedCut>) {
        match step {
            Step::Put(id, shape, cells) => self.put(id, shape, &cells),
            Step::Delete(id) => self.delete(id),
            Step::Drop(id) => {
                let cut = self.publisher.next_cut();
                self.writer.drop_row(cut, &row_key(id));
            }
            Step::Truncate => {
                let cut = self.publisher.next_cut();
                self.writer.delete_where(cut, |_| Some(Stamp::default()));
            }
            Step::Publish => self.publish(),
            Step::Hold => held.push(self.pin()),
            Step::Release if !held.is_empty() => drop(held.remove(held.len() / 2)),
            Step::Release => {}
            Step::Add(index) => {
                let (columns, kind) = INDEXES[index];
                let known = find(self.table(), index).is_some();
                assert_eq!(self.add(columns, kind).is_err(), known);
            }
            Step::Build(index) => {
                if let Some(index) = find(self.table(), index) {
                    assert!(self.table().build_index(&index));
                }
            }
            Step::Remove(index) => {
                let known = find(self.table(), index);
                let columns: Vec<_> = INDEXES[index]
                    .0
                    .iter()
                    .map(|at| NAMES[*at].to_owned())
                    .collect();
                assert_eq!(self.table().remove_index(&columns), known.is_some());
                assert!(known.is_none_or(|index| !index.is_ready()));
            }
        }
    }
}

proptest! {
    #[test]
    fn an_index_shows_what_a_scan_shows(
        steps in steps(),
        deleted_keys_max in 0..20_usize,
        picks in prop::collection::vec(0..1_000_usize, 8),
    ) {
        let mut shop = Shop::new(deleted_keys_max);
        let mut held = Vec::new();
        for step in steps {
            let looks = matches!(step, Step::Publish | Step::Build(_));
            shop.apply(step, &mut held);
            if !looks {
                continue;
            }
            for cut in held.iter().map(|cut| cut.id).chain([shop.pin().id]) {
                for index in shop.table().indexes().iter().filter(|index| index.is_ready()) {
                    check(shop.table(), index, cut, &picks);
                }
            }
        }
        // Nothing is left of rows that are gone.
        shop.apply(Step::Truncate, &mut held);
        shop.publish();
        held.clear();
        shop.publish();
        for index in shop.table().indexes().iter() {
            prop_assert_eq!(index.entries(), 0, "{:?}", index.definition());
        }
    }
}

/// A thread adds and builds one index after another and compares, while the writer writes.
#[test]
fn an_index_is_built_while_the_writer_writes() {
    const ROWS: i64 = 5_000;
    let mut shop = Shop::new(0);
    let cells = |id: i64, round: i64| {
        let status = ["paid", "new", "sent"][(id + round) as usize % 3];
        [
            Cell::Text(status.to_owned()),
            Cell::Int(id % 7 + round % 2),
            Cell::Null,
        ]
    };
    for id in 0..ROWS {
        shop.put(id, 0, &cells(id, 0));
    }
    shop.publish();
    let table = Arc::clone(shop.table());
    let store = Arc::clone(shop.publisher.store());
    std::thread::scope(|scope| {
        let builder = scope.spawn(|| {
            for (columns, kind) in INDEXES {
                let before = store.pin();
                let columns: Vec<_> = columns.iter().map(|at| NAMES[*at].to_owned()).collect();
                let definition = IndexDefinition::new(columns.clone(), kind).unwrap();
                let index = table.add_index(definition).unwrap();
                assert!(table.build_index(&index));
                // A cut that shows what was written while it was built.
                let built = store.published().id.next();
                let after = std::iter::repeat_with(|| store.pin()).find(|cut| cut.id > built);
                for cut in [before, after.unwrap()] {
                    check_whole(&table, &index, cut.id);
                }
                assert!(table.remove_index(&columns));
            }
        });
        let mut round = 0;
        while !builder.is_finished() {
            round += 1;
            for id in 0..ROWS / 10 {
                let id = (id * 17 + round) % (ROWS + 500);
                match (id + round) % 5 {
                    0 => shop.delete(id),
                    _ => shop.put(id, (round % 3) as usize, &cells(id, round)),
                }
                if id % 16 == 0 {
                    shop.publish();
                }
            }
        }
    });
}

/// Groups of equal keys longer than a batch, in both directions, on from everywhere.
#[test]
fn thousands_of_equal_keys_come_in_the_order_of_their_rows() {
    let mut shop = Shop::new(0);
    for id in 0..3_000 {
        let status = Cell::Text(["many", "some"][usize::from(id % 10 == 0)].to_owned());
        shop.put(id, 2, &[status]);
    }
    shop.publish();
    for (columns, kind) in INDEXES {
        let index = shop.add(columns, kind).unwrap();
        assert!(shop.table().build_index(&index));
        for pick in [0, 1, 250, 1_250, 2_999] {
            check(
                shop.table(),
                &index,
                shop.pin().id,
                &[0, 0, 1, 0, 2, 0, pick, 0],
            );
        }
        if kind == IndexKind::Ordered {
            check_wanting(shop.table(), &index, shop.pin().id);
        }
    }
    let index = find(shop.table(), 0).unwrap();
    let mut key = Vec::new();
    push_sort_key(Value::Text("some"), false, false, &mut key);
    assert_eq!(index.estimate(KeyRange::of(&key)), 300);
    let mut seen = 0;
    let stop = |_: &[u8], _: &Version| {
        seen += 1;
        ControlFlow::Break(())
    };
    let (all, down, cut) = (KeyRange::all(), Direction::Descending, shop.pin().id);
    shop.table()
        .walk(&index, all, down, None, cut, stop)
        .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn an_index_that_is_not_whole_is_not_read() {
    let mut shop = Shop::new(0);
    shop.put(1, 2, &[Cell::Null]);
    shop.publish();
    let index = shop.add(&[1], IndexKind::Ordered).unwrap();
    let hash = shop.add(&[2], IndexKind::Hash).unwrap();
    let each = |_: &Version| ControlFlow::Continue(());
    let cut = shop.pin();
    let table = shop.table();
    assert!(table.each_equal(&index, &[], cut.id, each).is_err());
    assert!(table.each_equal(&hash, &[], cut.id, each).is_err());
    assert!(table.build_index(&index) && table.build_index(&hash));
    assert!(table.each_equal(&index, &[], cut.id, each).is_ok());
    let all = KeyRange::all();
    let walked = table.walk(&hash, all, Direction::Ascending, None, cut.id, |_, _| {
        ControlFlow::Continue(())
    });
    assert!(walked.is_err(), "a hash index has no order");
    assert!(table.remove_index(index.definition().columns()));
    assert!(table.each_equal(&index, &[], cut.id, each).is_err());
    assert!(!table.build_index(&index));
}
