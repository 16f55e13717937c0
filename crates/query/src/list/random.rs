//! Random tables, filters and orders, with what is needed to answer them by other means.
//!
//! Values come from small pools, so that rows meet conditions and each other.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use row_model::{Column, ColumnType, Decimal, Moment, Value};

use crate::fixture::{Shop, UNBOUND, column};
use crate::format::{Format, RowWriter};
use crate::list::{PAGE_BYTES_MAX, PageRequest, page};
use crate::tree::{
    ColumnPath, Condition, IsWhat, Operand, Operator, Ordered, Place, Query, Step, Test,
};
use crate::url;

/// A value as the oracles know it: written without looking at how the product compares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    NeverSent,
    Bool(bool),
    /// In millionths.
    Number(i128),
    Text(&'static str),
    Bytes(&'static [u8]),
    Date(i64),
    /// Nanoseconds.
    Instant(i128),
    Json(&'static str),
}

/// A value of the pool: as a row holds it, as the oracles know it, and how it is written in a filter.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub value: Value<'static>,
    pub cell: Cell,
    pub text: &'static str,
}

pub(crate) const UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
const UUID_BYTES: [u8; 16] = [
    0xb6, 0x8a, 0x35, 0xa7, 0x17, 0xad, 0x35, 0xb3, 0xaf, 0x2a, 0xae, 0x46, 0xed, 0xb4, 0x54, 0x5a,
];

fn known(value: Value<'static>, cell: Cell, text: &'static str) -> Known {
    Known { value, cell, text }
}

fn number(value: Value<'static>, millionths: i128, text: &'static str) -> Known {
    known(value, Cell::Number(millionths), text)
}

fn text(text: &'static str) -> Known {
    known(Value::Text(text), Cell::Text(text), text)
}

fn integers() -> Vec<Known> {
    vec![
        number(Value::Int(0), 0, "0"),
        number(Value::Int(-3), -3_000_000, "-3"),
        number(Value::Int(7), 7_000_000, "7"),
        number(Value::Int(10), 10_000_000, "10"),
        number(
            Value::UInt(u64::MAX),
            i128::from(u64::MAX) * 1_000_000,
            "18446744073709551615",
        ),
    ]
}

fn texts() -> Vec<Known> {
    let uuid = known(Value::Uuid(UUID_BYTES), Cell::Text(UUID), UUID);
    [
        ["", "a", "ab", "a%b"],
        ["B", "é", "null", "7"],
        ["true", "b", "c,d", "x\"y"],
    ]
    .concat()
    .into_iter()
    .map(text)
    .chain([uuid])
    .collect()
}

/// Everything a column can hold besides nothing.
pub(crate) fn pool(column: &str) -> Vec<Known> {
    match column {
        "i" | "old" => integers(),
        "d" => vec![
            number(
                Value::Decimal(Decimal::new(2, &[0x00, 0xc8])),
                2_000_000,
                "2.0",
            ),
            number(Value::Decimal(Decimal::new(1, &[0x14])), 2_000_000, "2"),
            number(Value::Decimal(Decimal::new(4, &[0xff])), -100, "-0.0001"),
            number(Value::Number("7.000001"), 7_000_001, "7.000001"),
        ],
        "f" => vec![
            number(Value::Float(0.5), 500_000, "0.5"),
            number(Value::Float(-2.25), -2_250_000, "-2.25"),
            number(Value::Float(1e9), 1_000_000_000_000_000, "1e9"),
            number(Value::Int(7), 7_000_000, "7.0"),
        ],
        "b" => vec![
            known(Value::Bool(true), Cell::Bool(true), "true"),
            known(Value::Bool(false), Cell::Bool(false), "false"),
        ],
        "t" | "late" => texts(),
        column => other_pool(column),
    }
}

fn other_pool(column: &str) -> Vec<Known> {
    match column {
        "y" => vec![
            known(Value::Bytes(&[]), Cell::Bytes(&[]), ""),
            known(
                Value::Bytes(&[0xff, 0xfe]),
                Cell::Bytes(&[0xff, 0xfe]),
                "//4=",
            ),
            known(Value::Bytes(&[0xff]), Cell::Bytes(&[0xff]), "/w=="),
        ],
        "day" => vec![
            known(Value::Date(19_782), Cell::Date(19_782), "2024-02-29"),
            known(Value::Date(-1), Cell::Date(-1), "1969-12-31"),
        ],
        "at" => vec![
            known(
                Value::Instant(Moment {
                    seconds: 1,
                    nanos: 5_000_000,
                }),
                Cell::Instant(1_005_000_000),
                "1970-01-01T00:00:01.005Z",
            ),
            known(
                Value::Instant(Moment {
                    seconds: 1,
                    nanos: 0,
                }),
                Cell::Instant(1_000_000_000),
                "1970-01-01T02:00:01+02:00",
            ),
            known(
                Value::Instant(Moment {
                    seconds: -1,
                    nanos: 1,
                }),
                Cell::Instant(-999_999_999),
                "1969-12-31T23:59:59.000000001Z",
            ),
        ],
        "any" => {
            let mut all = [texts(), integers(), pool("b")].concat();
            all.push(number(Value::Number("7.0"), 7_000_000, "7.0"));
            all.push(number(Value::Float(0.5), 500_000, "0.50"));
            all
        }
        "doc" => vec![
            known(
                Value::Json(r#"{"k":"a","n":7}"#),
                Cell::Json(r#"{"k":"a","n":7}"#),
                r#"{ "n":7.0, "k":"a" }"#,
            ),
            known(
                Value::Json(r#"{"n":2,"k":"ab"}"#),
                Cell::Json(r#"{"n":2,"k":"ab"}"#),
                r#"{"n":2,"k":"ab"}"#,
            ),
            known(
                Value::Json(r#"{"n":null}"#),
                Cell::Json(r#"{"n":null}"#),
                r#"{"n":null}"#,
            ),
            known(Value::Json("[1]"), Cell::Json("[1]"), "[1]"),
        ],
        _ => Vec::new(),
    }
}

/// What `doc->>k` and `doc->n` are.
fn part(doc: &Cell, step: &str) -> Cell {
    match (doc, step) {
        (Cell::NeverSent, _) => Cell::NeverSent,
        (Cell::Json(r#"{"k":"a","n":7}"#), "k") => Cell::Text("a"),
        (Cell::Json(r#"{"n":2,"k":"ab"}"#), "k") => Cell::Text("ab"),
        (Cell::Json(r#"{"k":"a","n":7}"#), "n") => Cell::Number(7_000_000),
        (Cell::Json(r#"{"n":2,"k":"ab"}"#), "n") => Cell::Number(2_000_000),
        _ => Cell::Null,
    }
}

pub(crate) const COLUMNS: [(&str, ColumnType); 10] = [
    ("i", ColumnType::Int64),
    ("d", ColumnType::Decimal),
    ("f", ColumnType::Float64),
    ("b", ColumnType::Bool),
    ("t", ColumnType::Text),
    ("y", ColumnType::Bytes),
    ("day", ColumnType::Date),
    ("at", ColumnType::TimestampTz),
    ("any", ColumnType::Any),
    ("doc", ColumnType::Json),
];

/// The columns of a shape: the older one has `old` last, the newer one `late` first and the others turned round.
pub(crate) fn shape(newer: bool) -> Vec<(&'static str, ColumnType)> {
    let mut columns = COLUMNS.to_vec();
    if newer {
        columns.reverse();
        columns.insert(0, ("late", ColumnType::Text));
    } else {
        columns.push(("old", ColumnType::Int64));
    }
    columns.insert(0, ("id", ColumnType::Int64));
    columns
}

/// A row: its key and, of each column of its shape, a value; one the row's shape lacks is null.
#[derive(Clone, Debug)]
pub(crate) struct RandomRow {
    pub id: i64,
    newer: bool,
    cells: Vec<(&'static str, Known)>,
}

impl RandomRow {
    pub fn cell(&self, path: &ColumnPath) -> Cell {
        if path.column == "id" {
            return Cell::Number(i128::from(self.id) * 1_000_000);
        }
        let found = self.cells.iter().find(|(name, _)| *name == path.column);
        let cell = found.map_or(Cell::Null, |(_, known)| known.cell.clone());
        path.steps
            .first()
            .map_or(cell.clone(), |step| part(&cell, &step.0))
    }
}

pub(crate) fn any_rows(ids: std::ops::Range<i64>) -> impl Strategy<Value = Vec<RandomRow>> {
    let row = (
        any::<bool>(),
        proptest::collection::vec((any::<Index>(), 0..12_u8), 12),
    );
    proptest::collection::btree_map(ids, row, 0..40).prop_map(|rows| {
        let row = |(id, (newer, picks)): (i64, (bool, Vec<(Index, u8)>))| {
            let columns = shape(newer);
            let cells = columns[1..]
                .iter()
                .zip(picks)
                .map(|((name, _), (index, nothing))| {
                    let cell = match nothing {
                        0 | 1 => known(Value::Null, Cell::Null, ""),
                        2 => known(Value::Unavailable, Cell::NeverSent, ""),
                        _ => index.get(&pool(name)).clone(),
                    };
                    (*name, cell)
                });
            RandomRow {
                id,
                newer,
                cells: cells.collect(),
            }
        };
        rows.into_iter().map(row).collect()
    })
}

/// A table of these rows, of both shapes.
pub(crate) fn shop_of(rows: &[RandomRow]) -> Shop {
    let mut shop = Shop::new();
    // Both shapes are known, whatever the rows have.
    for newer in [false, true] {
        put(
            &mut shop,
            &RandomRow {
                id: -1,
                newer,
                cells: Vec::new(),
            },
        );
    }
    shop.delete(-1);
    for row in rows {
        put(&mut shop, row);
    }
    shop.publish();
    shop
}

fn put(shop: &mut Shop, row: &RandomRow) {
    let columns: Vec<Column> = shape(row.newer)
        .iter()
        .map(|(name, kind)| column(name, *kind))
        .collect();
    let mut values = vec![Value::Int(row.id)];
    values.extend(row.cells.iter().map(|(_, known)| known.value));
    values.resize(columns.len(), Value::Null);
    shop.put_row(columns, &values);
}

pub(crate) fn path(column: &str) -> ColumnPath {
    let (column, step) = column
        .split_once('>')
        .map_or((column, None), |(column, step)| (column, Some(step)));
    ColumnPath {
        column: column.to_owned(),
        steps: step.iter().map(|step| Step((*step).to_owned())).collect(),
        as_text: step == Some("k"),
        ..ColumnPath::default()
    }
}

/// A literal for this column.
fn any_literal(column: &'static str) -> BoxedStrategy<String> {
    let texts: Vec<String> = match column {
        "id" => {
            let others = ["7.5", "7.0", "1e1", "-0.5"].map(str::to_owned);
            (0..20).map(|id| id.to_string()).chain(others).collect()
        }
        "doc>k" => vec!["a".to_owned(), "ab".to_owned(), "7".to_owned()],
        "doc>n" => vec!["7".to_owned(), "2.0".to_owned(), "a".to_owned()],
        column => pool(column)
            .iter()
            .map(|known| known.text.to_owned())
            .collect(),
    };
    select(texts).boxed()
}

/// A condition that this column's type can answer.
fn any_test(column: &'static str) -> BoxedStrategy<Condition> {
    use Operator::{Between, Contains, Eq, Gt, Gte, In, Is, Like, Lt, Lte, Neq, Starts};
    let textual = ["t", "late", "any", "doc>k"].contains(&column);
    let mut operators = vec![Eq, Neq];
    if column != "doc" {
        operators.extend([Gt, Gte, Lt, Lte]);
    }
    if textual {
        operators.extend([Starts, Contains]);
    }
    let truths = if ["b", "any"].contains(&column) {
        4
    } else {
        2_usize
    };
    let is = (0..truths).prop_map(|at| {
        (
            Is,
            Operand::Is([IsWhat::Null, IsWhat::NotNull, IsWhat::True, IsWhat::False][at]),
        )
    });
    let one = (select(operators), any_literal(column))
        .prop_map(|(operator, text)| (operator, Operand::One(text)));
    let list = proptest::collection::vec(any_literal(column), 0..12)
        .prop_map(|texts| (In, Operand::List(texts)));
    let mut kinds = vec![is.boxed(), one.clone().boxed(), one.boxed(), list.boxed()];
    if column != "doc" {
        let bounds = (any_literal(column), any_literal(column));
        kinds.push(
            bounds
                .prop_map(|(low, high)| (Between, Operand::List(vec![low, high])))
                .boxed(),
        );
    }
    if textual {
        let patterns = select(vec![
            "%", "a%", "%b", "_", "a_b", "*7*", "%a%b%", "", "a\\%b",
        ]);
        kinds.push(
            patterns
                .prop_map(|text| (Like, Operand::One(text.to_owned())))
                .boxed(),
        );
    }
    let of = move |(operator, operand)| {
        Condition::Test(Test {
            column: path(column),
            operator,
            operand,
            at: Place::default(),
        })
    };
    proptest::strategy::Union::new(kinds).prop_map(of).boxed()
}

/// A filter on these columns.
pub(crate) fn any_filter(columns: Vec<&'static str>) -> impl Strategy<Value = Vec<Condition>> {
    let test = select(columns).prop_flat_map(any_test);
    let condition = test.prop_recursive(3, 8, 3, |inner| {
        let group = (proptest::collection::vec(inner, 1..4), 0..3_u8);
        group.prop_map(|(parts, kind)| match kind {
            0 => Condition::All(parts),
            1 => Condition::Any(parts),
            _ => Condition::Not(Box::new(Condition::All(parts))),
        })
    });
    proptest::collection::vec(condition, 0..3)
}

pub(crate) fn any_order(columns: Vec<&'static str>) -> impl Strategy<Value = Vec<Ordered>> {
    let item = (select(columns), any::<bool>(), any::<bool>());
    let item = item.prop_map(|(column, descending, nulls_first)| Ordered {
        by: path(column),
        descending,
        nulls_first,
    });
    proptest::collection::vec(item, 0..3)
}

/// The ids of all rows that meet the query, page by page, and how many were counted on the first.
/// The query is asked as a URL spells it.
pub(crate) fn asked(
    shop: &Shop,
    filter: &[Condition],
    order: &[Ordered],
    limit: usize,
) -> (Vec<i64>, u64) {
    let (filter, order) = (url::print_conditions(filter), url::print_order(order));
    let mut parameters = vec![("select", "id")];
    if filter != "()" {
        parameters.push(("and", &filter));
    }
    if !order.is_empty() {
        parameters.push(("order", &order));
    }
    let query = url::read(parameters).unwrap();
    let (mut ids, mut total, mut after) = (Vec::new(), None, None);
    loop {
        let cut = shop.store().pin();
        let query: &Query = &query;
        let bound = crate::fixture::bound(query, &cut);
        let request = PageRequest {
            after,
            limit,
            counted: total.is_none(),
        };
        let page = page(&cut, &bound, &request, UNBOUND).unwrap();
        total = total.or(page.total);
        let mut writer = RowWriter::new(&bound, Format::Arrays, false, shop.shapes());
        let mut out = b"[".to_vec();
        let rendered = page
            .render(&mut writer, b",", PAGE_BYTES_MAX, &mut out)
            .unwrap();
        out.push(b']');
        let rows: Vec<[i64; 1]> = serde_json::from_slice(&out).unwrap();
        assert!(rows.len() <= limit);
        assert!(ids.len() < 1_000, "the walk does not end");
        ids.extend(rows.iter().map(|row| row[0]));
        match rendered.next {
            Some(next) => after = Some(bound.binding().read(&next).unwrap()),
            None => return (ids, total.unwrap()),
        }
    }
}
