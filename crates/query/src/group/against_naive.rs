//! Random rows, grouped by a list that is looked through and summed in millionths.

use num_bigint::BigInt;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use row_model::{ColumnType, Decimal, Value, Version};

use super::*;
use crate::list::random::{Cell, Known, pool};
use crate::tree::AggregateFunction;

/// A row: two keys, a number and a text. `None` is null, or was never sent.
type RandomRow = ([Option<Known>; 2], Option<Known>, Option<Known>);

fn any_of(columns: Vec<&'static str>) -> impl Strategy<Value = Option<Known>> {
    let value = (select(columns), any::<Index>(), 0..5_u8);
    value.prop_map(|(column, index, nothing)| {
        (nothing > 0).then(|| index.get(&pool(column)).clone())
    })
}

fn any_rows() -> impl Strategy<Value = Vec<RandomRow>> {
    let key = || any_of(vec!["any", "d", "b", "doc", "day"]);
    let number = any_of(vec!["i", "d"]);
    let row = ([key(), key()], number, any_of(vec!["t"]));
    proptest::collection::vec(row, 0..40)
}

fn value(known: Option<&Known>) -> Value<'static> {
    known.map_or(Value::Null, |known| known.value)
}

fn cell(known: Option<&Known>) -> Cell {
    known.map_or(Cell::Null, |known| known.cell.clone())
}

const FUNCTIONS: [(AggregateFunction, ColumnType); 6] = [
    (AggregateFunction::Count, ColumnType::Decimal),
    (AggregateFunction::Sum, ColumnType::Decimal),
    (AggregateFunction::Avg, ColumnType::Decimal),
    (AggregateFunction::Min, ColumnType::Decimal),
    (AggregateFunction::Max, ColumnType::Decimal),
    (AggregateFunction::Min, ColumnType::Text),
];

/// Of rows that have the numbers of their keys if they are `numbered`, as if those were of a related row.
fn grouped(rows: &[RandomRow], numbered: bool) -> Groups {
    let number_of = |keys: &[Option<Known>; 2]| {
        let cells = |keys: &[Option<Known>; 2]| keys.each_ref().map(|key| cell(key.as_ref()));
        let met = rows
            .iter()
            .position(|(other, _, _)| cells(other) == cells(keys));
        met.filter(|_| numbered).map(|number| number as u32)
    };
    let aggregations = FUNCTIONS.map(|(function, kind)| Aggregation { function, kind });
    let mut groups = Groups::new(true, &aggregations, Bounds::default()).unwrap();
    for (keys, number, text) in rows {
        let group = groups
            .enter(number_of(keys), |each| {
                for key in keys {
                    each(value(key.as_ref()));
                }
            })
            .unwrap();
        for aggregate in 0..5 {
            groups
                .offer(group, aggregate, value(number.as_ref()))
                .unwrap();
        }
        groups.offer(group, 5, value(text.as_ref())).unwrap();
    }
    groups
}

fn columns() -> Vec<GroupColumn> {
    let mut values = vec![GroupValue::Key(0), GroupValue::Key(1), GroupValue::Rows];
    values.extend((0..FUNCTIONS.len()).map(GroupValue::Aggregate));
    let column = |value| GroupColumn {
        label: format!("{value:?}"),
        kind: ColumnType::Any,
        value,
    };
    values.into_iter().map(column).collect()
}

/// What a value is, as the model knows it. Numbers have a few digits after the point.
fn known_cell(value: Value<'_>) -> Cell {
    let millionths = |scale: i32, unscaled: &BigInt| {
        let whole = unscaled * BigInt::from(10).pow((6 - scale) as u32);
        Cell::Number(i128::try_from(whole).unwrap())
    };
    match value {
        Value::Null => Cell::Null,
        Value::Int(number) => millionths(0, &BigInt::from(number)),
        Value::UInt(number) => millionths(0, &BigInt::from(number)),
        Value::Decimal(decimal) => millionths(
            decimal.scale,
            &BigInt::from_signed_bytes_be(decimal.unscaled),
        ),
        Value::Number(text) => {
            let (scale, unscaled) = Decimal::parse(text).unwrap();
            millionths(scale, &BigInt::from_signed_bytes_be(&unscaled))
        }
        other => {
            let everything = ["any", "b", "doc", "day", "t"].into_iter().flat_map(pool);
            let mut same = everything.filter(|known| known.value == other);
            same.next().map_or(Cell::NeverSent, |known| known.cell)
        }
    }
}

/// An average is the sum by the count, rounded at its last digit.
fn is_average(average: Value<'_>, sum: i128, count: i64) -> bool {
    let Value::Decimal(decimal) = average else {
        return false;
    };
    let unscaled = BigInt::from_signed_bytes_be(decimal.unscaled);
    let power = BigInt::from(10).pow(decimal.scale as u32);
    let whole: BigInt = BigInt::from(count) * 1_000_000;
    let off: BigInt = unscaled * &whole - BigInt::from(sum) * power;
    off.magnitude() * 2_u8 <= *whole.magnitude()
}

fn check_group(version: &Version, rows: &[RandomRow]) -> Result<(), TestCaseError> {
    let row = version.row().unwrap();
    let shown = |at| known_cell(row.get(at).unwrap());
    let keys = [shown(0), shown(1)];
    let of_group =
        |(others, ..): &&RandomRow| [cell(others[0].as_ref()), cell(others[1].as_ref())] == keys;
    let own: Vec<&RandomRow> = rows.iter().filter(of_group).collect();
    prop_assert_eq!(row.get(2), Some(Value::Int(own.len() as i64)), "{:?}", keys);
    let numbers: Vec<i128> = own
        .iter()
        .filter_map(|(_, number, _)| match cell(number.as_ref()) {
            Cell::Number(millionths) => Some(millionths),
            _ => None,
        })
        .collect();
    let or_null = |number: Option<i128>| number.map_or(Cell::Null, Cell::Number);
    let sum = (!numbers.is_empty()).then(|| numbers.iter().sum());
    prop_assert_eq!(row.get(3), Some(Value::Int(numbers.len() as i64)));
    prop_assert_eq!(shown(4), or_null(sum));
    match (sum, row.get(5).unwrap()) {
        (None, average) => prop_assert_eq!(average, Value::Null),
        (Some(sum), average) => {
            prop_assert!(is_average(average, sum, numbers.len() as i64));
        }
    }
    prop_assert_eq!(shown(6), or_null(numbers.iter().min().copied()));
    prop_assert_eq!(shown(7), or_null(numbers.iter().max().copied()));
    let texts = own
        .iter()
        .filter_map(|(.., text)| match cell(text.as_ref()) {
            Cell::Text(text) => Some(text),
            _ => None,
        });
    prop_assert_eq!(shown(8), texts.min().map_or(Cell::Null, Cell::Text));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn groups_are_what_a_naive_model_finds(rows in any_rows(), split: Index, numbered: bool) {
        let (some, others) = rows.split_at(split.index(rows.len() + 1));
        let mut groups = grouped(some, numbered);
        groups.merge(grouped(others, numbered)).unwrap();
        prop_assert_eq!(groups.len(), grouped(&rows, numbered).len());
        let found = groups.finish(&columns()).unwrap();
        let mut met: Vec<[Cell; 2]> = Vec::new();
        for (keys, ..) in &rows {
            let keys = [cell(keys[0].as_ref()), cell(keys[1].as_ref())];
            if !met.contains(&keys) {
                met.push(keys);
            }
        }
        prop_assert_eq!(found.rows.len(), met.len());
        for version in &found.rows {
            check_group(version, &rows)?;
        }
    }
}
