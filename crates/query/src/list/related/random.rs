//! Random rows of the site, and queries of them.

use proptest::prelude::*;
use proptest::sample::select;
use row_model::ColumnType;

use super::ways_from;
use crate::fixture::site::{
    CUSTOMERS, ITEMS, LABELLED, LABELS, ORDERS, PROFILES, Plain, Rows, SHAPES,
};
use crate::tree::{
    ColumnPath, Condition, Embed, IsWhat, Lift, Operand, Operator, Ordered, Place, Query, Related,
    RelationRef, Selected, SelectedWhat, Test,
};

pub(super) fn any_rows() -> impl Strategy<Value = Rows> {
    let of = |table: usize, cell: BoxedStrategy<Plain>, max: usize| {
        let width = SHAPES[table].columns.len();
        let rows = proptest::collection::vec(proptest::collection::vec(cell, width), 0..max);
        let texts = ["a", "b", "ab"];
        (rows, any::<[u8; 4]>()).prop_map(move |(mut rows, seed)| {
            for (number, row) in rows.iter_mut().enumerate() {
                for (at, (_, kind)) in SHAPES[table].columns.iter().enumerate() {
                    let is_key = at < SHAPES[table].key;
                    let number = match &row[at] {
                        Plain::Null if is_key => Plain::Int(i64::from(seed[number % 4] % 5)),
                        cell => cell.clone(),
                    };
                    row[at] = match (kind, number) {
                        (ColumnType::Text, Plain::Int(number)) => {
                            Plain::Text(texts[number.unsigned_abs() as usize % 3])
                        }
                        (_, cell) => cell,
                    };
                }
            }
            rows.sort_by(|a, b| a[..SHAPES[table].key].cmp(&b[..SHAPES[table].key]));
            rows.dedup_by(|a, b| a[..SHAPES[table].key] == b[..SHAPES[table].key]);
            rows
        })
    };
    let cell = || prop_oneof![5 => (0..8_i64).prop_map(Plain::Int), 1 => Just(Plain::Null)].boxed();
    (
        of(CUSTOMERS, cell(), 8),
        of(ORDERS, cell(), 20),
        of(ITEMS, cell(), 20),
        of(LABELLED, cell(), 12),
        of(LABELS, cell(), 6),
        of(PROFILES, cell(), 6),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f])
}

pub(super) fn column(name: &str) -> ColumnPath {
    ColumnPath {
        column: name.to_owned(),
        ..ColumnPath::default()
    }
}

fn any_test(table: usize) -> impl Strategy<Value = Condition> {
    let value = prop_oneof![(0..8_i64).prop_map(|number| number.to_string())];
    (select(SHAPES[table].columns), value, 0..8_usize).prop_map(|((name, kind), value, which)| {
        let is_text = kind == ColumnType::Text;
        let value = if is_text {
            ["a", "b", "ab"][value.parse::<usize>().unwrap() % 3].to_owned()
        } else {
            value
        };
        let (operator, operand) = match which {
            0 | 1 => (Operator::Eq, Operand::One(value)),
            2 => (Operator::Gte, Operand::One(value)),
            3 => (Operator::Lt, Operand::One(value)),
            4 => (Operator::In, Operand::List(vec![value.clone(), value])),
            5 => (Operator::Is, Operand::Is(IsWhat::Null)),
            6 if is_text => (Operator::Starts, Operand::One(value)),
            _ => (Operator::Neq, Operand::One(value)),
        };
        Condition::Test(Test {
            column: column(name),
            operator,
            operand,
            at: Place::default(),
        })
    })
}

pub(super) fn any_condition(table: usize, depth: usize) -> BoxedStrategy<Condition> {
    if depth == 0 {
        return any_test(table).boxed();
    }
    let related = select(ways_from(table)).prop_flat_map(move |way| {
        let filter = proptest::collection::vec(any_condition(way.1, depth - 1), 0..3);
        filter.prop_map(move |filter| {
            Condition::Related(Related {
                relation: RelationRef::named(way.0),
                filter,
                at: Place::default(),
            })
        })
    });
    let inner = || any_condition(table, depth - 1);
    prop_oneof![
        4 => any_test(table),
        3 => related,
        1 => inner().prop_map(|part| Condition::Not(Box::new(part))),
        1 => proptest::collection::vec(inner(), 1..3).prop_map(Condition::Any),
    ]
    .boxed()
}

fn any_order(table: usize) -> impl Strategy<Value = Vec<Ordered>> {
    let own = SHAPES[table].columns.iter().map(|(name, _)| column(name));
    let to_one = ways_from(table).iter().filter(|way| !way.3);
    let theirs = to_one.flat_map(|way| {
        SHAPES[way.1].columns.iter().map(|(name, _)| ColumnPath {
            via: vec![RelationRef::named(way.0)],
            ..column(name)
        })
    });
    let paths: Vec<ColumnPath> = own.chain(theirs).collect();
    let item = (select(paths), any::<bool>(), any::<bool>(), any::<bool>());
    let item = item.prop_map(|(by, descending, usual, first)| Ordered {
        by,
        descending,
        nulls_first: if usual { descending } else { first },
    });
    proptest::collection::vec(item, 0..3)
}

pub(super) fn any_query(table: usize, depth: usize) -> BoxedStrategy<Query> {
    let filter = proptest::collection::vec(any_condition(table, depth), 0..3);
    let embeds = if depth == 0 {
        Just(Vec::new()).boxed()
    } else {
        let embed = select(ways_from(table)).prop_flat_map(move |way| {
            (any_query(way.1, depth - 1), any::<bool>()).prop_map(move |(query, required)| Embed {
                relation: RelationRef::named(way.0),
                query,
                required,
                lift: Lift::Nested,
                at: Place::default(),
            })
        });
        proptest::collection::vec(embed, 0..3).boxed()
    };
    let limit = proptest::option::of(0..4_usize);
    (filter, embeds, any_order(table), limit, 0..2_usize)
        .prop_map(move |(filter, embeds, order, limit, offset)| {
            let own = SHAPES[table].columns.iter().map(|(name, _)| Selected {
                what: SelectedWhat::Path(column(name)),
                alias: None,
            });
            let embeds = embeds
                .into_iter()
                .enumerate()
                .map(|(number, embed)| Selected {
                    what: SelectedWhat::Embed(embed),
                    alias: Some(format!("embed{number}")),
                });
            Query {
                filter,
                select: Some(own.chain(embeds).collect()),
                order,
                limit,
                offset,
                ..Query::default()
            }
        })
        .boxed()
}
