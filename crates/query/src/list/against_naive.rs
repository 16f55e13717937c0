//! Random questions about random tables of several shapes, against an evaluator that was written
//! from the documentation alone; and walks that go on while rows change.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::random::{Cell, RandomRow, any_filter, any_order, any_rows, asked, path, pool, shop_of};
use crate::fixture::Shop;
use crate::tree::{Condition, IsWhat, Operand, Operator, Ordered, Test};

const EVERYWHERE: [&str; 15] = [
    "id", "i", "d", "f", "b", "t", "y", "day", "at", "any", "doc", "old", "late", "doc>k", "doc>n",
];

/// What a literal may mean in a column.
fn readings(test: &Test, text: &str) -> Vec<Cell> {
    let column = &*test.column.column;
    let step = test.column.steps.first().map(|step| &*step.0);
    let number = |text: &str| match text {
        "7" => Some(7_000_000),
        "2.0" => Some(2_000_000),
        _ => None,
    };
    let cell = |text: &str| {
        let known = pool("t").into_iter().find(|known| known.text == text);
        known.map_or(Cell::Null, |known| known.cell)
    };
    match (column, step) {
        ("id", _) => vec![Cell::Number((text.parse::<f64>().unwrap() * 1e6) as i128)],
        ("doc", Some("k")) => vec![cell(text)],
        ("doc", Some(_)) => vec![number(text).map_or(cell(text), Cell::Number)],
        // Without a type a text is itself, and what else it can be read as.
        ("any", _) => {
            let of_pool = pool("any").into_iter().filter(|known| known.text == text);
            let itself = Cell::Text(text.to_owned().leak());
            of_pool.map(|known| known.cell).chain([itself]).collect()
        }
        _ => pool(column)
            .into_iter()
            .find(|known| known.text == text)
            .map(|known| known.cell)
            .into_iter()
            .collect(),
    }
}

fn compared(one: &Cell, other: &Cell) -> Option<Ordering> {
    match (one, other) {
        (Cell::Bool(one), Cell::Bool(other)) => Some(one.cmp(other)),
        (Cell::Text(one), Cell::Text(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Cell::Bytes(one), Cell::Bytes(other)) => Some(one.cmp(other)),
        (Cell::Date(one), Cell::Date(other)) => Some(one.cmp(other)),
        (Cell::Number(one), Cell::Number(other)) | (Cell::Instant(one), Cell::Instant(other)) => {
            Some(one.cmp(other))
        }
        (Cell::Json(one), Cell::Json(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%' | '*', rest)) => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        Some(('\\', rest)) => {
            text.first() == rest.first() && !text.is_empty() && like(&rest[1..], &text[1..])
        }
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(is, after)| (*wanted == '_' || wanted == is) && like(rest, after)),
    }
}

fn holds(test: &Test, row: &RandomRow) -> Option<bool> {
    let cell = row.cell(&test.column);
    let nothing = matches!(cell, Cell::Null | Cell::NeverSent);
    let order = |text: &str| {
        readings(test, text)
            .iter()
            .find_map(|reading| compared(&cell, reading))
    };
    let equal = |text: &str| {
        readings(test, text)
            .iter()
            .any(|reading| compared(&cell, reading) == Some(Ordering::Equal))
    };
    match (&test.operand, test.operator) {
        (Operand::Is(_), _) if cell == Cell::NeverSent => None,
        (Operand::Is(what), _) => Some(match what {
            IsWhat::Null => cell == Cell::Null,
            IsWhat::NotNull => cell != Cell::Null,
            IsWhat::True => cell == Cell::Bool(true),
            IsWhat::False => cell == Cell::Bool(false),
        }),
        (Operand::List(texts), Operator::In) if texts.is_empty() => Some(false),
        _ if nothing => None,
        (Operand::List(texts), Operator::In) => Some(texts.iter().any(|text| equal(text))),
        (Operand::List(bounds), _) => {
            let parts = [
                order(&bounds[0]).map(Ordering::is_ge),
                order(&bounds[1]).map(Ordering::is_le),
            ];
            if parts.contains(&Some(false)) {
                Some(false)
            } else {
                (!parts.contains(&None)).then_some(true)
            }
        }
        (Operand::Column(_), _) => unreachable!("no column is compared with another"),
        (Operand::One(text), operator) => match operator {
            Operator::Eq => Some(equal(text)),
            Operator::Neq => Some(!equal(text)),
            Operator::Gt => order(text).map(Ordering::is_gt),
            Operator::Gte => order(text).map(Ordering::is_ge),
            Operator::Lt => order(text).map(Ordering::is_lt),
            Operator::Lte => order(text).map(Ordering::is_le),
            operator => {
                let Cell::Text(value) = cell else { return None };
                let characters = |text: &str| text.chars().collect::<Vec<_>>();
                Some(match operator {
                    Operator::Starts => value.starts_with(&**text),
                    Operator::Contains => value.contains(&**text),
                    _ => like(&characters(text), &characters(value)),
                })
            }
        },
    }
}

fn meets(condition: &Condition, row: &RandomRow) -> Option<bool> {
    let of = |parts: &[Condition], decisive: bool| {
        let parts: Vec<_> = parts.iter().map(|part| meets(part, row)).collect();
        if parts.contains(&Some(decisive)) {
            return Some(decisive);
        }
        (!parts.contains(&None)).then_some(!decisive)
    };
    match condition {
        Condition::All(parts) => of(parts, false),
        Condition::Any(parts) => of(parts, true),
        Condition::Not(part) => meets(part, row).map(|met| !met),
        Condition::Test(test) => holds(test, row),
        Condition::Related(_) => unreachable!("one table has no relations"),
    }
}

fn in_order(order: &[Ordered], one: &RandomRow, other: &RandomRow) -> Ordering {
    let kind = |cell: &Cell| match cell {
        Cell::Bool(_) => 0,
        Cell::Number(_) => 1,
        _ => 2,
    };
    for item in order {
        let (a, b) = (one.cell(&item.by), other.cell(&item.by));
        let nothing = |cell: &Cell| matches!(cell, Cell::Null | Cell::NeverSent);
        let by = match (nothing(&a), nothing(&b)) {
            (true, true) => Ordering::Equal,
            (true, false) if item.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if item.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let up = kind(&a)
                    .cmp(&kind(&b))
                    .then_with(|| compared(&a, &b).unwrap_or(Ordering::Equal));
                if item.descending { up.reverse() } else { up }
            }
        };
        if by != Ordering::Equal {
            return by;
        }
    }
    one.id.cmp(&other.id)
}

fn sortable() -> Vec<&'static str> {
    EVERYWHERE
        .into_iter()
        .filter(|column| *column != "doc")
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_question_is_answered_as_documented(
        rows in any_rows(0..20),
        filter in any_filter(EVERYWHERE.to_vec()),
        order in any_order(sortable()),
        limit in 1..9_usize,
    ) {
        let mut wanted: Vec<&RandomRow> = rows.iter().filter(|row| filter.iter().all(|part| meets(part, row) == Some(true))).collect();
        wanted.sort_by(|one, other| in_order(&order, one, other));
        let wanted: Vec<i64> = wanted.iter().map(|row| row.id).collect();
        let (ids, total) = asked(&shop_of(&rows), &filter, &order, limit);
        prop_assert_eq!(total as usize, wanted.len());
        prop_assert_eq!(ids, wanted);
    }
}

/// Puts or deletes; the value that rows are ordered by never changes while a row is there.
#[derive(Clone, Debug)]
enum Step {
    Put(i64),
    Delete(i64),
    Page(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..60_i64).prop_map(Step::Put),
        2 => (0..60_i64).prop_map(Step::Delete),
        3 => (1..9_usize).prop_map(Step::Page),
    ]
}

/// Ordered by this, with many ties.
fn status(id: i64) -> &'static str {
    ["new", "paid", "shipped", "lost"][id as usize % 4]
}

proptest! {
    /// Rows that are there during the whole walk appear once, and no row twice, whatever changes meanwhile.
    #[test]
    fn a_walk_in_any_order_gives_each_lasting_row_once(
        first in proptest::collection::btree_set(0..60_i64, 0..60),
        steps in proptest::collection::vec(any_step(), 0..80),
        descending: bool,
    ) {
        let mut shop = Shop::new();
        for id in &first { shop.put(*id, status(*id)); }
        shop.publish();
        let order = [Ordered { by: path("status"), descending, nulls_first: descending }];
        let mut walk = Walk::new(&order);
        let (mut there, mut lasting) = (first.clone(), first);
        let mut steps = steps.into_iter();
        while !walk.done {
            match steps.next().unwrap_or(Step::Page(3)) {
                Step::Put(id) => { shop.put(id, status(id)); there.insert(id); }
                Step::Delete(id) => { shop.delete(id); there.remove(&id); lasting.remove(&id); }
                Step::Page(limit) => walk.page(&shop, limit),
            }
            shop.publish();
        }
        let seen: BTreeSet<i64> = walk.ids.iter().copied().collect();
        prop_assert_eq!(seen.len(), walk.ids.len());
        prop_assert!(seen.is_superset(&lasting) || there.is_empty(), "{:?} {:?}", seen, lasting);
        let statuses: Vec<&str> = walk.ids.iter().map(|id| status(*id)).collect();
        let sorted = if descending { statuses.is_sorted_by(|a, b| a >= b) } else { statuses.is_sorted() };
        prop_assert!(sorted);
    }
}

/// A walk that was begun.
struct Walk {
    parameters: String,
    ids: Vec<i64>,
    after: Option<Vec<u8>>,
    done: bool,
}

impl Walk {
    fn new(order: &[Ordered]) -> Self {
        Self {
            parameters: crate::url::print_order(order),
            ids: Vec::new(),
            after: None,
            done: false,
        }
    }

    fn page(&mut self, shop: &Shop, limit: usize) {
        use crate::fixture::UNBOUND;
        use crate::list::{PageRequest, page};
        let cut = shop.store().pin();
        let table = cut.table("orders").unwrap();
        if table.rows == 0 && table.schema.is_none() {
            self.done = true;
            return;
        }
        let query = crate::url::read([("order", &*self.parameters)]).unwrap();
        let bound = crate::fixture::bound(&query, &cut);
        let request = PageRequest {
            after: self.after.take(),
            limit,
            counted: false,
        };
        let page = page(&cut, &bound, &request, UNBOUND).unwrap();
        let ids = page
            .rows
            .iter()
            .map(|row| match row.version().row().unwrap().get(0).unwrap() {
                row_model::Value::Int(id) => id,
                other => panic!("{other:?}"),
            });
        self.ids.extend(ids);
        self.done = !page.more;
        self.after = page.rows.last().map(|last| last.row.place().to_vec());
    }
}
