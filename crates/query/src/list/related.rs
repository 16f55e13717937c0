//! Conditions on related rows, orders by them, embeds and groups: held against `SQLite`, by every way to the rows.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::select;
use row_model::ColumnType;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value as Json};
use table_store::IndexKind;

use super::{Page, PageRequest, Window, page, page_by};
use crate::bind::{self, BoundQuery};
use crate::fixture::UNBOUND;
use crate::fixture::site::{
    CUSTOMERS, ITEMS, LABELLED, LABELS, ORDERS, PROFILES, Plain, Rows, SHAPES, Site, relations,
};
use crate::format::{Format, RowWriter};
use crate::relation::World;
use crate::run::{Run, Way};
use crate::tree::{
    Aggregate, AggregateFunction, ColumnPath, Condition, Embed, IsWhat, Lift, Operand, Operator,
    Ordered, Place, Query, Related, RelationRef, Selected, SelectedWhat, Test,
};

/// What a relation is called, where it leads, when rows `o` and `i` are related, and whether to several.
type Way2 = (&'static str, usize, &'static str, bool);

fn ways_from(table: usize) -> &'static [Way2] {
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

fn related_when(way: &Way2, outer: &str, inner: &str) -> String {
    way.2.replace("{o}", outer).replace("{i}", inner)
}

fn any_rows() -> impl Strategy<Value = Rows> {
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

fn column(name: &str) -> ColumnPath {
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

fn any_condition(table: usize, depth: usize) -> BoxedStrategy<Condition> {
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

fn any_query(table: usize, depth: usize) -> BoxedStrategy<Query> {
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

fn database(rows: &Rows) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    for (table, rows) in SHAPES.iter().zip(rows) {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let create = format!("CREATE TABLE {} ({})", table.name, names.join(","));
        database.execute_batch(&create).unwrap();
        for row in rows {
            let cells: Vec<String> = row.iter().map(literal).collect();
            let insert = format!("INSERT INTO {} VALUES ({})", table.name, cells.join(","));
            database.execute_batch(&insert).unwrap();
        }
    }
    database
}

fn literal(cell: &Plain) -> String {
    match cell {
        Plain::Null => "NULL".to_owned(),
        Plain::Int(number) => number.to_string(),
        Plain::Text(text) => format!("'{text}'"),
    }
}

/// A condition on row `o` of a table.
fn sql(condition: &Condition, table: usize, o: &str) -> String {
    let all = |parts: &[Condition], word: &str, none: &str| {
        let parts: Vec<String> = parts.iter().map(|part| sql(part, table, o)).collect();
        if parts.is_empty() {
            none.to_owned()
        } else {
            format!("({})", parts.join(word))
        }
    };
    match condition {
        Condition::All(parts) => all(parts, " AND ", "TRUE"),
        Condition::Any(parts) => all(parts, " OR ", "FALSE"),
        Condition::Not(part) => format!("NOT {}", sql(part, table, o)),
        Condition::Related(related) => {
            let way = way_named(table, &related.relation);
            exists(way, o, &related.filter)
        }
        Condition::Test(test) => {
            let name = &test.column.column;
            let text = SHAPES[table]
                .columns
                .iter()
                .any(|(column, kind)| column == name && *kind == ColumnType::Text);
            let quoted = |value: &String| {
                if text {
                    format!("'{value}'")
                } else {
                    value.clone()
                }
            };
            let of = |operator: &str, value: &String| {
                format!("({o}.{name} {operator} {})", quoted(value))
            };
            match (&test.operand, test.operator) {
                (Operand::Is(_), _) => format!("({o}.{name} IS NULL)"),
                (Operand::List(values), _) => {
                    let values: Vec<String> = values.iter().map(quoted).collect();
                    format!("({o}.{name} IN ({}))", values.join(","))
                }
                (Operand::One(value), Operator::Eq) => of("=", value),
                (Operand::One(value), Operator::Gte) => of(">=", value),
                (Operand::One(value), Operator::Lt) => of("<", value),
                (Operand::One(value), Operator::Starts) => {
                    format!("(substr({o}.{name}, 1, {}) = '{value}')", value.len())
                }
                (Operand::One(value), _) => of("<>", value),
                (Operand::Column(_), _) => unreachable!("none is asked"),
            }
        }
    }
}

fn way_named(table: usize, relation: &RelationRef) -> &'static Way2 {
    let mut ways = ways_from(table).iter();
    ways.find(|way| way.0 == relation.name).unwrap()
}

/// A row `x` is there that is related to `o` and meets all of these.
fn exists(way: &Way2, o: &str, filter: &[Condition]) -> String {
    let inner = format!("{o}x");
    let mut out = format!(
        "EXISTS (SELECT 1 FROM {} {inner} WHERE {}",
        SHAPES[way.1].name,
        related_when(way, o, &inner)
    );
    for part in filter {
        write!(out, " AND {}", sql(part, way.1, &inner)).unwrap();
    }
    out + ")"
}

/// What embeds without which a row is not shown ask of row `o`.
fn required(query: &Query, table: usize, o: &str, out: &mut String) {
    for item in query.select.iter().flatten() {
        let SelectedWhat::Embed(embed) = &item.what else {
            continue;
        };
        if !embed.required {
            continue;
        }
        let way = way_named(table, &embed.relation);
        let mut found = exists(way, o, &embed.query.filter);
        found.pop();
        required(&embed.query, way.1, &format!("{o}x"), &mut found);
        write!(out, " AND {found})").unwrap();
    }
}

fn order_by(order: &[Ordered], table: usize, o: &str) -> String {
    let mut out = String::new();
    for item in order {
        let by = match &item.by.via[..] {
            [] => format!("{o}.{}", item.by.column),
            via => {
                let way = way_named(table, &via[0]);
                let inner = SHAPES[way.1].name;
                let when = related_when(way, o, "v");
                format!("(SELECT v.{} FROM {inner} v WHERE {when})", item.by.column)
            }
        };
        let direction = if item.descending { "DESC" } else { "ASC" };
        let nulls = if item.nulls_first { "FIRST" } else { "LAST" };
        write!(out, "{by} {direction} NULLS {nulls}, ").unwrap();
    }
    let key = &SHAPES[table].columns[..SHAPES[table].key];
    let key: Vec<String> = key.iter().map(|(name, _)| format!("{o}.{name}")).collect();
    out + &key.join(", ")
}

fn selected(database: &Connection, statement: &str) -> Vec<Vec<Json>> {
    let mut prepared = database
        .prepare(statement)
        .unwrap_or_else(|error| panic!("{error}: {statement}"));
    let width = prepared.column_count();
    let mut rows = prepared.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cells = (0..width).map(|at| match row.get_ref(at).unwrap() {
            ValueRef::Integer(number) => Json::from(number),
            ValueRef::Text(text) => Json::from(std::str::from_utf8(text).unwrap()),
            _ => Json::Null,
        });
        all.push(cells.collect());
    }
    all
}

/// The rows of a query as objects, with all that stands inside them.
fn expected(
    database: &Connection,
    query: &Query,
    table: usize,
    when: &str,
    is_many: bool,
) -> (Json, bool) {
    let shape = &SHAPES[table];
    let mut statement = format!("SELECT * FROM {} a WHERE {when}", shape.name);
    for part in &query.filter {
        write!(statement, " AND {}", sql(part, table, "a")).unwrap();
    }
    required(query, table, "a", &mut statement);
    write!(
        statement,
        " ORDER BY {}",
        order_by(&query.order, table, "a")
    )
    .unwrap();
    let rows = selected(database, &statement);
    let wanted = rows.iter().skip(query.offset);
    let limit = query.limit.unwrap_or(usize::MAX);
    let more = rows.len() > query.offset.saturating_add(limit);
    let objects = wanted.take(limit).map(|row| {
        let mut object = Map::new();
        let mut cut = Vec::new();
        for item in query.select.iter().flatten() {
            let SelectedWhat::Embed(embed) = &item.what else {
                continue;
            };
            let label = item.alias.clone().unwrap();
            let way = way_named(table, &embed.relation);
            let mut when = related_when(way, "{o}", "a");
            for ((name, kind), cell) in shape.columns.iter().zip(row) {
                let quoted = match (kind, cell) {
                    (_, Json::Null) => "NULL".to_owned(),
                    (ColumnType::Text, cell) => format!("'{}'", cell.as_str().unwrap()),
                    (_, cell) => cell.to_string(),
                };
                when = when.replace(&format!("{{o}}.{name}"), &quoted);
            }
            let (rows, more) = expected(database, &embed.query, way.1, &when, way.3);
            if more {
                cut.push(Json::from(label.clone()));
            }
            object.insert(label, rows);
        }
        for ((name, _), cell) in shape.columns.iter().zip(row) {
            object.insert((*name).to_owned(), cell.clone());
        }
        if !cut.is_empty() {
            object.insert("truncated".to_owned(), Json::Array(cut));
        }
        Json::Object(object)
    });
    let mut objects: Vec<Json> = objects.collect();
    if is_many {
        (Json::Array(objects), more)
    } else {
        let first = (!objects.is_empty()).then(|| objects.swap_remove(0));
        (first.unwrap_or(Json::Null), more)
    }
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
    page.render(&mut writer, b",", usize::MAX, &mut out);
    out.push(b']');
    let text = String::from_utf8(out).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
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
            for way in bound.access.ways(bound.table(), &Window::default()).into_iter().chain([Way::Scan]) {
                let (mut after, mut all) = (None, Vec::new());
                loop {
                    let window = Window { after, limit, ..Window::default() };
                    let found = page_by(&way, bound, &window, run).unwrap();
                    let Json::Array(some) = written(&site, bound, &found) else { panic!() };
                    all.extend(some);
                    let mut writer = RowWriter::new(bound, Format::Objects, false, &site.shapes);
                    let next = found.render(&mut writer, b",", usize::MAX, &mut Vec::new()).next;
                    let Some(next) = next else { break };
                    after = Some(bound.binding().read(&next).unwrap());
                }
                prop_assert_eq!(Json::Array(all), expected.clone(), "{:?}", way);
            }
            Ok(())
        })?;
    }

    /// Groups by own and related columns, what is made of them, and conditions on that.
    #[test]
    fn groups_are_those_of_sqlite(
        rows in any_rows(),
        filter in proptest::collection::vec(any_condition(ORDERS, 1), 0..2),
        by in proptest::sample::subsequence(vec!["status", "customer_id", "tier"], 0..3),
        at_least in 0..3_i64,
    ) {
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
            found.render(&mut writer, b",", usize::MAX, &mut out);
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
