//! Conditions on related rows, orders by them, embeds and groups: held against `SQLite`, by every way to the rows.

mod oracle;
mod random;

use std::fmt::Write;

use oracle::{database, expected, selected, sql};
use proptest::prelude::*;
use random::{any_condition, any_query, any_rows, column};
use serde_json::Value as Json;
use table_store::IndexKind;

use super::{ANSWER_BYTES_MAX, PAGE_BYTES_MAX, Page, PageRequest, Window, page, page_by};
use crate::bind::{self, BoundQuery};
use crate::fixture::UNBOUND;
use crate::fixture::site::{
    CUSTOMERS, ITEMS, LABELLED, LABELS, ORDERS, PROFILES, Plain, SHAPES, Site, relations,
};
use crate::format::postgres::{Form, Writer};
use crate::format::{Format, RowWriter};
use crate::relation::World;
use crate::run::{Run, Way};
use crate::tree::{
    Aggregate, AggregateFunction, ColumnPath, Condition, Operand, Operator, Ordered, Place, Query,
    RelationRef, Selected, SelectedWhat, Test,
};
use crate::zone::UTC;

/// What a relation is called, where it leads, when rows `o` and `i` are related, and whether to several.
pub(super) type Relation = (&'static str, usize, &'static str, bool);

pub(super) fn ways_from(table: usize) -> &'static [Relation] {
    match table {
        CUSTOMERS => &[
            ("orders", ORDERS, "{i}.customer_id = {o}.id", true),
            ("profile", PROFILES, "{i}.customer_id = {o}.id", false),
        ],
        ORDERS => &[
            ("customer", CUSTOMERS, "{i}.id = {o}.customer_id", false),
            ("items", ITEMS, "{i}.order_id = {o}.id", true),
            ("labelled", LABELLED, "{i}.order_id = {o}.id", true),
            (
                "labels",
                LABELS,
                "EXISTS (SELECT 1 FROM labelled j WHERE j.order_id = {o}.id AND j.label_id = {i}.id)",
                true,
            ),
        ],
        ITEMS => &[("order", ORDERS, "{i}.id = {o}.order_id", false)],
        LABELLED => &[
            ("order", ORDERS, "{i}.id = {o}.order_id", false),
            ("label", LABELS, "{i}.id = {o}.label_id", false),
        ],
        LABELS => &[
            ("labelled", LABELLED, "{i}.label_id = {o}.id", true),
            (
                "orders",
                ORDERS,
                "EXISTS (SELECT 1 FROM labelled j WHERE j.label_id = {o}.id AND j.order_id = {i}.id)",
                true,
            ),
        ],
        _ => &[("customer", CUSTOMERS, "{i}.id = {o}.customer_id", false)],
    }
}

pub(super) fn related_when(way: &Relation, outer: &str, inner: &str) -> String {
    way.2.replace("{o}", outer).replace("{i}", inner)
}

const INDEXES: &[(usize, &[&str], IndexKind)] = &[
    (ORDERS, &["customer_id"], IndexKind::Ordered),
    (ORDERS, &["status", "total"], IndexKind::Ordered),
    (ORDERS, &["status"], IndexKind::Hash),
    (ORDERS, &["total"], IndexKind::Ordered),
    (ITEMS, &["order_id", "qty"], IndexKind::Ordered),
    (ITEMS, &["order_id"], IndexKind::Hash),
    (LABELLED, &["label_id"], IndexKind::Hash),
    (LABELLED, &["order_id"], IndexKind::Ordered),
    (CUSTOMERS, &["tier", "age"], IndexKind::Ordered),
];

/// A site, and a query bound to it.
fn with_bound<T>(
    site: &Site,
    query: &Query,
    table: usize,
    then: impl FnOnce(&table_store::PinnedCut, &BoundQuery) -> T,
) -> T {
    let cut = site.store().pin();
    let relations = relations();
    let world = World::new(&cut, &relations);
    let table = cut.table(SHAPES[table].name).unwrap();
    let bound = bind::bind(query, table, &world);
    then(
        &cut,
        &bound.unwrap_or_else(|error| panic!("{error}: {query:?}")),
    )
}

fn written(site: &Site, bound: &BoundQuery, page: &Page) -> Json {
    let mut writer = RowWriter::new(bound, Format::Objects, false, &site.shapes);
    let mut out = b"[".to_vec();
    page.render(&mut writer, b",", usize::MAX, &mut out)
        .unwrap();
    out.push(b']');
    let text = String::from_utf8(out).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Orders under other numbers, of other customers.
fn copied(orders: &[Vec<Plain>], copy: i64) -> impl Iterator<Item = Vec<Plain>> {
    orders.iter().map(move |order| {
        let mut order = order.clone();
        for (cell, by) in order.iter_mut().zip([8 * copy, copy]) {
            if let Plain::Int(number) = cell {
                *number += by;
            }
        }
        order[1] = match order[1] {
            Plain::Int(customer) => Plain::Int(customer % 8),
            _ => Plain::Null,
        };
        order
    })
}

/// A thousand orders of one customer, who is asked for with each of them.
#[test]
fn rows_that_lead_to_each_other_are_no_endless_answer() {
    let mut rows = SHAPES.each_ref().map(|_| Vec::new());
    rows[CUSTOMERS] = vec![vec![Plain::Int(1), Plain::Null, Plain::Null]];
    let order = |id| vec![Plain::Int(id), Plain::Int(1), Plain::Null, Plain::Null];
    rows[ORDERS] = (0..1_000).map(order).collect();
    let site = Site::new(&rows, INDEXES);
    let too_much = |select| {
        let query = crate::postgrest::read([("select", select)]).unwrap();
        with_bound(&site, &query, CUSTOMERS, |cut, bound| {
            let found = page(cut, bound, &ALL, UNBOUND).unwrap();
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let mut writer = RowWriter::new(bound, Format::Objects, false, &site.shapes);
            let rendered = found.render(&mut writer, b",", PAGE_BYTES_MAX, &mut one);
            let written = Writer::new(bound, Form::WithoutNulls, &UTC).write(
                &found,
                PAGE_BYTES_MAX,
                &mut other,
            );
            assert_eq!(rendered.as_ref().err(), written.as_ref().err());
            assert!(one.len().max(other.len()) < ANSWER_BYTES_MAX + 1_000);
            rendered.is_err()
        })
    };
    assert!(!too_much("orders(customer(id))"));
    assert!(!too_much("orders(customer(orders(id)))"));
    assert!(too_much("orders(customer(orders(*)))"));
    assert!(too_much(
        "orders(customer(orders(customer(orders(customer(orders(customer(id))))))))"
    ));
    // Of the fields of several rows.
    assert!(too_much(
        "orders(customer(...orders(customer(id,orders(id)))))"
    ));
}

const ALL: PageRequest = PageRequest {
    after: None,
    limit: 1_000,
    counted: false,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The planner's way, and every other there is, with indexes and without.
    #[test]
    fn related_rows_are_those_of_sqlite(
        rows in any_rows(),
        (table, query) in (0..SHAPES.len()).prop_flat_map(|table| any_query(table, 2).prop_map(move |query| (table, query))),
    ) {
        let (expected, _) = expected(&database(&rows), &query, table, "TRUE", true);
        for indexes in [&[][..], INDEXES] {
            let site = Site::new(&rows, indexes);
            with_bound(&site, &query, table, |cut, bound| -> Result<(), TestCaseError> {
                let found = page(cut, bound, &ALL, UNBOUND).unwrap();
                prop_assert_eq!(written(&site, bound, &found), expected.clone(), "by choice");
                let run = Run { cut: cut.id, budget: UNBOUND };
                let window = || Window { offset: query.offset, limit: query.limit.unwrap_or(1_000), ..Window::default() };
                for way in bound.access.ways(bound.table(), &Window::default()).into_iter().chain([Way::Scan]) {
                    let found = page_by(&way, bound, &window(), run).unwrap();
                    prop_assert_eq!(written(&site, bound, &found), expected.clone(), "{:?}", way);
                }
                Ok(())
            })?;
        }
    }

    /// A walk by cursor, a few rows at a time, gives the rows of the whole list in its order.
    #[test]
    fn walks_by_every_way_give_each_row_once(
        rows in any_rows(),
        query in any_query(ORDERS, 1),
        limit in 1..4_usize,
    ) {
        let query = Query { limit: None, offset: 0, ..query };
        let (expected, _) = expected(&database(&rows), &query, ORDERS, "TRUE", true);
        let site = Site::new(&rows, INDEXES);
        with_bound(&site, &query, ORDERS, |cut, bound| -> Result<(), TestCaseError> {
            let run = Run { cut: cut.id, budget: UNBOUND };
            let mut ways: Vec<Way> = bound.access.ways(bound.table(), &Window::default()).into_iter().collect();
            ways.push(Way::Scan);
            for way in &ways {
                let (mut after, mut all) = (None, Vec::new());
                loop {
                    let window = Window { after, limit, ..Window::default() };
                    let found = page_by(way, bound, &window, run).unwrap();
                    let Json::Array(some) = written(&site, bound, &found) else { panic!() };
                    all.extend(some);
                    let mut writer = RowWriter::new(bound, Format::Objects, false, &site.shapes);
                    let next = found.render(&mut writer, b",", usize::MAX, &mut Vec::new()).unwrap().next;
                    let Some(next) = next else { break };
                    after = Some(bound.binding().read(&next).unwrap());
                }
                prop_assert_eq!(Json::Array(all), expected.clone(), "{:?}", way);
            }
            // An index that goes after it was chosen.
            for way in &ways {
                if let Way::Index(index) = way {
                    bound.table().table.remove_index(index.index.definition().columns());
                }
                let window = Window { limit, ..Window::default() };
                let found = page_by(way, bound, &window, run).unwrap();
                let Json::Array(mut first) = expected.clone() else { panic!() };
                first.truncate(limit);
                prop_assert_eq!(written(&site, bound, &found), Json::Array(first), "{:?}", way);
            }
            Ok(())
        })?;
    }

    /// Groups by own and related columns, what is made of them, and conditions on that.
    #[test]
    fn groups_are_those_of_sqlite(
        few in any_rows(),
        copies in 1..9_i64,
        filter in proptest::collection::vec(any_condition(ORDERS, 1), 0..2),
        by in proptest::sample::subsequence(vec!["status", "customer_id", "tier"], 0..3),
        at_least in 0..3_i64,
    ) {
        // More rows than are looked at together.
        let mut rows = few;
        let orders = std::mem::take(&mut rows[ORDERS]);
        rows[ORDERS] = (0..copies).flat_map(|copy| copied(&orders, copy)).collect();
        let aggregate = |function, of: Option<&str>, alias: &str| Selected {
            what: SelectedWhat::Aggregate(Aggregate { function, of: of.map(column), cast: None, at: Place::default() }),
            alias: Some(alias.to_owned()),
        };
        let keys = by.iter().map(|name| {
            let via = if *name == "tier" { vec![RelationRef::named("customer")] } else { Vec::new() };
            Selected { what: SelectedWhat::Path(ColumnPath { via, ..column(name) }), alias: None }
        });
        let made = [
            aggregate(AggregateFunction::Count, None, "n"),
            aggregate(AggregateFunction::Count, Some("total"), "totals"),
            aggregate(AggregateFunction::Sum, Some("total"), "revenue"),
            aggregate(AggregateFunction::Min, Some("status"), "least"),
            aggregate(AggregateFunction::Max, Some("total"), "most"),
        ];
        let having = Condition::Test(Test {
            column: column("n"),
            operator: Operator::Gte,
            operand: Operand::One(at_least.to_string()),
            at: Place::default(),
        });
        let query = Query {
            filter: filter.clone(),
            select: Some(keys.chain(made).collect()),
            having: vec![having],
            order: vec![Ordered { by: column("n"), descending: true, nulls_first: true }],
            ..Query::default()
        };
        let mut statement = "SELECT ".to_owned();
        let sql_keys: Vec<String> = by.iter().map(|name| if *name == "tier" { "c.tier".to_owned() } else { format!("a.{name}") }).collect();
        for key in &sql_keys { write!(statement, "{key}, ").unwrap(); }
        statement += "count(*) AS n, count(a.total), sum(a.total), min(a.status), max(a.total) FROM orders a LEFT JOIN customers c ON c.id = a.customer_id WHERE TRUE";
        for part in &filter { write!(statement, " AND {}", sql(part, ORDERS, "a")).unwrap(); }
        if sql_keys.is_empty() {
            statement = format!("SELECT * FROM ({statement}) WHERE n >= {at_least}");
        } else {
            write!(statement, " GROUP BY {} HAVING count(*) >= {at_least}", sql_keys.join(",")).unwrap();
        }
        let mut expected = selected(&database(&rows), &statement);
        let site = Site::new(&rows, INDEXES);
        with_bound(&site, &query, ORDERS, |cut, bound| -> Result<(), TestCaseError> {
            let found = page(cut, bound, &ALL, UNBOUND).unwrap();
            let mut writer = RowWriter::new(bound, Format::Arrays, false, &site.shapes);
            let mut out = b"[".to_vec();
            found.render(&mut writer, b",", usize::MAX, &mut out).unwrap();
            out.push(b']');
            let mut found: Vec<Vec<Json>> = serde_json::from_slice(&out).unwrap();
            let counts = found.iter().map(|row| row[by.len()].as_i64().unwrap());
            prop_assert!(counts.is_sorted_by(|a, b| a >= b));
            let text = |row: &Vec<Json>| format!("{row:?}");
            found.sort_by_key(text);
            expected.sort_by_key(text);
            prop_assert_eq!(found, expected);
            Ok(())
        })?;
    }
}
