//! Random statements over random tables, read and run here and by `SQLite`.

use proptest::prelude::*;
use proptest::sample::select;
use row_model::Value;
use rusqlite::Connection;
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::Value as Json;

use super::fixture::Tables;
use super::read;
use crate::fixture::UNBOUND;
use crate::format::{Format, RowWriter};
use crate::json::RowShapes;
use crate::list::{PAGE_BYTES_MAX, PageRequest, page};
use crate::relation::World;

/// Of every table the columns that both sides know.
#[derive(Clone, Debug)]
struct RandomTables {
    customers: Vec<(Option<&'static str>, Option<&'static str>)>,
    /// Customer, status, total.
    orders: Vec<(Option<i64>, Option<&'static str>, Option<i64>)>,
    /// Order, sku, quantity.
    items: Vec<(Option<i64>, Option<&'static str>, Option<i64>)>,
}

fn any_tables() -> impl Strategy<Value = RandomTables> {
    let text = || proptest::option::weighted(0.8, select(vec!["a", "b", "ab", "B", ""]));
    let number = || proptest::option::weighted(0.8, -2..4_i64);
    let reference = || proptest::option::weighted(0.9, 0..5_i64);
    (
        proptest::collection::vec((text(), text()), 0..5),
        proptest::collection::vec((reference(), text(), number()), 0..8),
        proptest::collection::vec(
            (proptest::option::weighted(0.9, 0..8_i64), text(), number()),
            0..12,
        ),
    )
        .prop_map(|(customers, orders, items)| RandomTables {
            customers,
            orders,
            items,
        })
}

impl RandomTables {
    fn ours(&self) -> Tables {
        let text = |text: Option<&'static str>| text.map_or(Value::Null, Value::Text);
        let number = |number: Option<i64>| number.map_or(Value::Null, Value::Int);
        let customers = self.customers.iter().zip(0..);
        let customers =
            customers.map(|((name, tier), id)| vec![Value::Int(id), text(*name), text(*tier)]);
        let orders = self
            .orders
            .iter()
            .zip(0..)
            .map(|((customer, status, total), id)| {
                let mut row = vec![
                    Value::Int(id),
                    number(*customer),
                    text(*status),
                    number(*total),
                ];
                row.resize(7, Value::Null);
                row
            });
        let items = self.items.iter().zip(0..);
        let items = items.map(|((order, sku, qty), id)| {
            vec![Value::Int(id), number(*order), text(*sku), number(*qty)]
        });
        Tables::new(&[customers.collect(), orders.collect(), items.collect()])
    }

    fn theirs(&self) -> Connection {
        let database = Connection::open_in_memory().unwrap();
        let schema = "PRAGMA case_sensitive_like = ON;
            CREATE TABLE customers (id INTEGER, name TEXT, tier TEXT);
            CREATE TABLE orders (id INTEGER, customer_id INTEGER, status TEXT, total INTEGER);
            CREATE TABLE items (id INTEGER, order_id INTEGER, sku TEXT, qty INTEGER);";
        database.execute_batch(schema).unwrap();
        for ((name, tier), id) in self.customers.iter().zip(0..) {
            let row = rusqlite::params![id, name, tier];
            database
                .execute("INSERT INTO customers VALUES (?, ?, ?)", row)
                .unwrap();
        }
        for ((customer, status, total), id) in self.orders.iter().zip(0..) {
            let row = rusqlite::params![id, customer, status, total];
            database
                .execute("INSERT INTO orders VALUES (?, ?, ?, ?)", row)
                .unwrap();
        }
        for ((order, sku, qty), id) in self.items.iter().zip(0..) {
            let row = rusqlite::params![id, order, sku, qty];
            database
                .execute("INSERT INTO items VALUES (?, ?, ?, ?)", row)
                .unwrap();
        }
        database
    }
}

/// Tables that are joined, and which of their columns there are: texts, then numbers.
#[derive(Clone, Copy, Debug)]
struct Joined {
    from: &'static str,
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    /// Columns that tell every row of the join from every other.
    keys: &'static str,
    /// Conditions with subqueries that go with these tables.
    exists: &'static [&'static str],
}

const JOINED: &[Joined] = &[
    Joined {
        from: "orders o",
        texts: &["o.status"],
        numbers: &["o.id", "o.customer_id", "o.total"],
        keys: "o.id",
        exists: &[
            "exists (select 1 from items i where i.order_id = o.id and i.qty > 0)",
            "not exists (select 1 from items where order_id = o.id and (sku = 'a' or qty is null))",
            "exists (select 1 from customers c where c.id = o.customer_id and c.tier <> 'b')",
        ],
    },
    Joined {
        from: "orders o join customers c on o.customer_id = c.id",
        texts: &["o.status", "c.name", "c.tier"],
        numbers: &["o.id", "o.total", "c.id"],
        keys: "o.id",
        exists: &["exists (select 1 from items i where i.order_id = o.id)"],
    },
    Joined {
        from: "orders o left join customers c on c.id = o.customer_id",
        texts: &["o.status", "c.name", "c.tier"],
        numbers: &["o.total", "c.id"],
        keys: "o.id",
        exists: &["not exists (select 1 from items i where o.id = i.order_id and i.sku like 'a%')"],
    },
    Joined {
        from: "customers c join orders o on o.customer_id = c.id join items i on i.order_id = o.id and (i.qty > 0 or c.tier = 'a')",
        texts: &["i.sku", "c.tier", "o.status"],
        numbers: &["i.qty", "o.total", "c.id"],
        keys: "i.id",
        exists: &[
            "exists (select 1 from customers x where x.id = o.customer_id and x.name is not null)",
        ],
    },
    Joined {
        from: "items i left join orders o on i.order_id = o.id left join customers c on c.id = o.customer_id",
        texts: &["i.sku", "c.tier", "o.status"],
        numbers: &["i.qty", "o.total", "c.id"],
        keys: "i.id",
        exists: &["exists (select 1 from customers x where x.id = o.customer_id)"],
    },
];

/// A condition of these columns.
fn any_condition(joined: Joined) -> impl Strategy<Value = String> {
    let (texts, numbers) = (joined.texts.to_vec(), joined.numbers.to_vec());
    let comparison = || select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let literal = || select(vec!["'a'", "'b'", "'ab'", "''", "null"]);
    let digit = || select(vec!["-1", "0", "1", "1.0", "1.5", "2", "+3", "null"]);
    let leaf = prop_oneof![
        (select(texts.clone()), comparison(), literal())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (select(numbers.clone()), comparison(), digit())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (digit(), comparison(), select(numbers.clone()))
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (
            select(numbers.clone()),
            comparison(),
            select(numbers.clone())
        )
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (select(numbers.clone()), digit(), digit())
            .prop_map(|(a, b, c)| format!("{a} not in ({b}, {c})")),
        (select(texts.clone()), literal(), literal())
            .prop_map(|(a, b, c)| format!("{a} in ({b}, {c})")),
        (select(numbers.clone()), digit(), select(numbers.clone()))
            .prop_map(|(a, b, c)| format!("{a} between {b} and {c}")),
        (select(numbers.clone()), digit(), digit())
            .prop_map(|(a, b, c)| format!("{a} not between {b} and {c}")),
        (
            select(texts.clone()),
            select(vec!["'a%'", "'_'", "'%b'", "'*'"])
        )
            .prop_map(|(a, b)| format!("{a} like {b} escape '!'")),
        (
            select(texts.clone()),
            select(vec!["is null", "is not null"])
        )
            .prop_map(|(a, b)| format!("{a} {b}")),
        (select(texts), literal()).prop_map(|(a, b)| format!("({a} is distinct from {b})")),
        (select(numbers.clone()), select(numbers))
            .prop_map(|(a, b)| format!("({a} is not distinct from {b})")),
        select(joined.exists.to_vec()).prop_map(str::to_owned),
    ];
    // What binds tighter is left to both parsers where there are no brackets.
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (
            inner.clone(),
            inner.clone(),
            any::<bool>(),
            select(vec!["and", "or"]),
        );
        prop_oneof![
            2 => two.prop_map(|(a, b, brackets, word)| {
                if brackets { format!("({a} {word} {b})") } else { format!("{a} {word} {b}") }
            }),
            1 => (inner, any::<bool>()).prop_map(|(a, brackets)| {
                if brackets { format!("not ({a})") } else { format!("not {a}") }
            }),
        ]
    })
}

fn any_rows_statement(joined: Joined) -> impl Strategy<Value = String> {
    let columns = [joined.texts, joined.numbers].concat();
    let direction = select(vec![
        "",
        " desc",
        " nulls first",
        " desc nulls last",
        " asc nulls last",
    ]);
    let order = proptest::collection::vec((select(columns.clone()), direction), 0..3);
    let shown = proptest::collection::vec(select(columns), 1..4);
    let bounds = select(vec!["", " limit 3", " limit 2 offset 1"]);
    (any_condition(joined), shown, order, bounds).prop_map(
        move |(condition, shown, order, bounds)| {
            let named = shown
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{column} as c{at}"));
            let shown: Vec<String> = named.collect();
            // As in PostgreSQL nulls are the greatest; SQLite has to be told.
            let order = order.iter().map(|(column, way)| match *way {
                "" => format!("{column} nulls last, "),
                " desc" => format!("{column} desc nulls first, "),
                way => format!("{column}{way}, "),
            });
            let (from, keys, order) = (joined.from, joined.keys, order.collect::<String>());
            format!(
                "select {} from {from} where {condition} order by {order}{keys}{bounds}",
                shown.join(", ")
            )
        },
    )
}

fn any_groups_statement(joined: Joined) -> impl Strategy<Value = String> {
    let keys = [joined.texts, joined.numbers].concat();
    let aggregates: Vec<String> = joined
        .numbers
        .iter()
        .flat_map(|column| {
            ["count", "sum", "min", "max"].map(|function| format!("{function}({column})"))
        })
        .chain(joined.texts.iter().flat_map(|column| {
            ["min", "max", "count"].map(|function| format!("{function}({column})"))
        }))
        .chain(["count(*)".to_owned()])
        .collect();
    let keys = proptest::sample::subsequence(keys, 0..3);
    let numbers = joined.numbers.to_vec();
    let having = prop_oneof![
        Just(String::new()),
        (0..3_u8).prop_map(|rows| format!(" having count(*) > {rows}")),
        select(numbers)
            .prop_map(|column| format!(" having sum({column}) >= 0 or max({column}) is null")),
    ];
    let shown = proptest::collection::vec(select(aggregates), 1..4);
    (any_condition(joined), keys, shown, having, any::<bool>()).prop_map(
        move |(condition, keys, shown, having, hides)| {
            let numbered = |columns: &[String], prefix: &str| {
                let named = columns
                    .iter()
                    .enumerate()
                    .map(|(at, column)| format!("{column} as {prefix}{at}"));
                named.collect::<Vec<String>>()
            };
            let mut columns = numbered(&shown, "a");
            let own: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            if !hides {
                columns.extend(numbered(&own, "k"));
            }
            let group = if own.is_empty() {
                String::new()
            } else {
                format!(" group by {}", own.join(", "))
            };
            let order: Vec<String> = own.iter().map(|key| format!("{key} nulls last")).collect();
            let order = if order.is_empty() {
                String::new()
            } else {
                format!(" order by {}", order.join(", "))
            };
            format!(
                "select {} from {} where {condition}{group}{having}{order}",
                columns.join(", "),
                joined.from
            )
        },
    )
}

fn any_statement() -> impl Strategy<Value = String> {
    select(JOINED.to_vec()).prop_flat_map(|joined| {
        let columns = [joined.texts, joined.numbers].concat();
        let distinct = (
            any_condition(joined),
            proptest::sample::subsequence(columns, 1..3),
        );
        let distinct = distinct.prop_map(move |(condition, columns)| {
            let named = columns
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{column} as d{at}"));
            let named: Vec<String> = named.collect();
            let order: Vec<String> = (0..columns.len())
                .map(|at| format!("d{at} nulls last"))
                .collect();
            format!(
                "select distinct {} from {} where {condition} order by {}",
                named.join(", "),
                joined.from,
                order.join(", ")
            )
        });
        prop_oneof![
            any_rows_statement(joined),
            any_groups_statement(joined),
            distinct,
        ]
    })
}

fn our_rows(tables: &Tables, statement: &str) -> Vec<Vec<Json>> {
    let cut = tables.store().pin();
    let world = World::new(&cut, &tables.relations);
    let read =
        read(statement, &[], &world).unwrap_or_else(|refused| panic!("{statement}: {refused}"));
    let bound = read
        .bind(&world)
        .unwrap_or_else(|refused| panic!("{statement}: {refused}"));
    let request = PageRequest {
        after: None,
        limit: 1_000,
        counted: false,
    };
    let page = page(&cut, &bound, &request, UNBOUND).unwrap();
    let shapes = RowShapes::default();
    let mut writer = RowWriter::new(&bound, Format::Arrays, false, &shapes);
    let mut out = b"[".to_vec();
    page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut out)
        .unwrap();
    out.push(b']');
    serde_json::from_slice(&out).unwrap()
}

fn their_rows(database: &Connection, statement: &str) -> Vec<Vec<Json>> {
    let statement = statement
        .replace("is not distinct from", "IS")
        .replace("is distinct from", "IS NOT");
    let mut prepared = database.prepare(&statement).unwrap();
    let columns = prepared.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns)
            .map(|at| row.get_ref(at).map(json))
            .collect::<Result<Vec<Json>, _>>()
    };
    let rows = prepared.query_map([], row).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn json(value: ValueRef<'_>) -> Json {
    match Sql::from(value) {
        Sql::Null => Json::Null,
        Sql::Integer(number) => number.into(),
        Sql::Text(text) => text.into(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn sqlite_answers_statements_the_same(tables in any_tables(), statement in any_statement()) {
        let ours = our_rows(&tables.ours(), &statement);
        let theirs = their_rows(&tables.theirs(), &statement);
        prop_assert_eq!(ours, theirs, "{}", statement);
    }
}
