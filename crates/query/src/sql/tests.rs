//! Statements and the trees they become, or what is said of them.

use std::fmt::Write;

use expect_test::{Expect, expect};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::fixture::Tables;
use super::*;
use crate::tree::{
    ColumnPath, Condition, IsWhat, Operand, RelationRef, Selected, SelectedWhat, Test,
};

fn none() -> Tables {
    Tables::new(&[Vec::new(), Vec::new(), Vec::new()])
}

fn asked(text: &str, parameters: &[Json]) -> String {
    let tables = none();
    let cut = tables.store().pin();
    let world = World::new(&cut, &tables.relations);
    let raw: Vec<Box<RawValue>> =
        serde_json::from_str(&Json::from(parameters).to_string()).unwrap();
    let parameters: Vec<Parameter> = raw.iter().map(|json| Parameter::of_json(json)).collect();
    match read(text, &parameters, &world) {
        Ok(read) => match read.bind(&world) {
            Ok(_) => shown(&read),
            Err(refused) => format!("{}\n  unfit: {refused}", shown(&read)),
        },
        Err(refused) => {
            let more = match &refused {
                SqlError::Unsupported { nearest, .. } => nearest.clone(),
                SqlError::Meaningless { hint, .. } => (*hint).to_owned(),
                SqlError::UnknownColumn { known, .. } | SqlError::NoSource { known, .. } => {
                    format!("{known:?}")
                }
                SqlError::AmbiguousColumn { candidates, .. } => format!("{candidates:?}"),
                _ => return refused.to_string(),
            };
            format!("{refused}\n  {more}")
        }
    }
}

fn shown(read: &SqlQuery) -> String {
    let query = &read.query;
    let mut out = format!("from {}", read.table.table.identity().name);
    let select = query.select.iter().flatten().take(read.shown).map(selected);
    write!(out, "\nselect {}", select.collect::<Vec<_>>().join(", ")).unwrap();
    let hidden = query.select.iter().flatten().skip(read.shown).map(selected);
    let hidden: Vec<String> = hidden.collect();
    if !hidden.is_empty() {
        write!(out, " hiding {}", hidden.join(", ")).unwrap();
    }
    if !query.filter.is_empty() {
        write!(out, "\nwhere {}", conditions(&query.filter, ", ")).unwrap();
    }
    if query.grouped {
        out += "\ngrouped";
    }
    if !query.having.is_empty() {
        write!(out, "\nhaving {}", conditions(&query.having, ", ")).unwrap();
    }
    for item in &query.order {
        let direction = if item.descending { "down" } else { "up" };
        let nulls = if item.nulls_first { "first" } else { "last" };
        write!(out, "\norder {} {direction}, nulls {nulls}", path(&item.by)).unwrap();
    }
    if query.limit.is_some() || query.offset > 0 {
        write!(out, "\nlimit {:?} offset {}", query.limit, query.offset).unwrap();
    }
    out
}

fn selected(item: &Selected) -> String {
    let what = match &item.what {
        SelectedWhat::Star => "*".to_owned(),
        SelectedWhat::Path(of) => path(of),
        SelectedWhat::Aggregate(aggregate) => {
            let of = aggregate.of.as_ref().map_or("*".to_owned(), path);
            let cast = aggregate
                .cast
                .as_ref()
                .map_or(String::new(), |cast| format!("::{cast}"));
            format!("{}({of}){cast}", aggregate.function.spelling())
        }
        SelectedWhat::Embed(_) => "embed".to_owned(),
    };
    match &item.alias {
        Some(alias) => format!("{what} as {alias}"),
        None => what,
    }
}

fn path(path: &ColumnPath) -> String {
    let mut out: String = path.via.iter().map(|way| relation(way) + ".").collect();
    out += &path.column;
    for (at, step) in path.steps.iter().enumerate() {
        let arrow = if path.as_text && at + 1 == path.steps.len() {
            "->>"
        } else {
            "->"
        };
        write!(out, "{arrow}{}", step.0).unwrap();
    }
    if let Some(cast) = &path.cast {
        write!(out, "::{cast}").unwrap();
    }
    out
}

fn relation(relation: &RelationRef) -> String {
    match &relation.hint {
        Some(hint) => format!("{}!{hint}", relation.name),
        None => relation.name.clone(),
    }
}

fn conditions(conditions: &[Condition], between: &str) -> String {
    let conditions: Vec<String> = conditions.iter().map(condition).collect();
    conditions.join(between)
}

fn condition(condition_of: &Condition) -> String {
    match condition_of {
        Condition::All(parts) => format!("all({})", conditions(parts, ", ")),
        Condition::Any(parts) => format!("any({})", conditions(parts, ", ")),
        Condition::Not(part) => format!("not {}", condition(part)),
        Condition::Related(related) => {
            let filter = conditions(&related.filter, ", ");
            format!("some {}({filter})", relation(&related.relation))
        }
        Condition::Test(test) => tested(test),
    }
}

fn tested(test: &Test) -> String {
    let operand = match &test.operand {
        Operand::One(text) => format!("{text:?}"),
        Operand::List(texts) => format!("{texts:?}"),
        Operand::Column(other) => path(other),
        Operand::Is(what) => match what {
            IsWhat::Null => "null",
            IsWhat::NotNull => "not null",
            IsWhat::True => "true",
            IsWhat::False => "false",
        }
        .to_owned(),
    };
    format!(
        "{} {} {operand}",
        path(&test.column),
        test.operator.spelling()
    )
}

fn check(statements: &[&str], expected: &Expect) {
    let mut out = String::new();
    for statement in statements {
        let answer = asked(statement, &[]).replace('\n', "\n  ");
        write!(out, "{statement}\n  {answer}\n\n").unwrap();
    }
    expected.assert_eq(out.trim_end());
}

fn check_with(statements: &[(&str, Json)], expected: &Expect) {
    let mut out = String::new();
    for (statement, parameters) in statements {
        let answer = asked(statement, parameters.as_array().unwrap()).replace('\n', "\n  ");
        write!(out, "{statement} {parameters}\n  {answer}\n\n").unwrap();
    }
    expected.assert_eq(out.trim_end());
}

#[test]
fn columns_are_selected_ordered_and_bounded() {
    check(
        &[
            "select * from orders",
            "SELECT id, Total AS \"Sum\", o.status S FROM orders o ORDER BY total DESC, 3 NULLS FIRST LIMIT 5 OFFSET 2;",
            "select doc->'a'->>0 as first, (doc->>'n')::int8, cast(total as text) from public.orders where public.orders.id = 1",
            "select PLACEDAT, \"placedAt\" p from Orders order by p fetch first 3 rows only",
            "select o.*, id as again from orders o order by again desc nulls last",
        ],
        &expect![[r#"
            select * from orders
              from orders
              select *

            SELECT id, Total AS "Sum", o.status S FROM orders o ORDER BY total DESC, 3 NULLS FIRST LIMIT 5 OFFSET 2;
              from orders
              select id, total as Sum, status as s
              order total down, nulls first
              order status up, nulls first
              limit Some(5) offset 2

            select doc->'a'->>0 as first, (doc->>'n')::int8, cast(total as text) from public.orders where public.orders.id = 1
              from orders
              select doc->a->>0 as first, doc->>n::int8, total::text
              where id eq "1"

            select PLACEDAT, "placedAt" p from Orders order by p fetch first 3 rows only
              from orders
              select placedAt, placedAt as p
              order placedAt up, nulls last
              limit Some(3) offset 0

            select o.*, id as again from orders o order by again desc nulls last
              from orders
              select *, id as again
              order id down, nulls last"#]],
    );
}

#[test]
fn comparisons_and_their_groups() {
    check(
        &[
            "select id from orders where status = 'paid' and (total >= 100 or total < -5.5) and not id <> 7",
            "select id from orders where 5 < total and status in ('a', 'b''c') and total not between 1 and 2",
            "select id from orders where status like 'a*\\_%' and status not ilike 'x!%%' escape '!' and status ~ '^a' and status !~* 'b'",
            "select id from orders where paid and not paid or paid is true or paid is not false or paid is unknown",
            "select id from orders where status is null and total is not null and doc @> '{\"a\":1}' and doc->>'k' = 'v'",
            "select id from orders where total = customer_id and customer_id between id and 9",
        ],
        &expect![[r#"
            select id from orders where status = 'paid' and (total >= 100 or total < -5.5) and not id <> 7
              from orders
              select id
              where status eq "paid", any(total gte "100", total lt "-5.5"), not id neq "7"

            select id from orders where 5 < total and status in ('a', 'b''c') and total not between 1 and 2
              from orders
              select id
              where total gt "5", status in ["a", "b'c"], not total between ["1", "2"]

            select id from orders where status like 'a*\_%' and status not ilike 'x!%%' escape '!' and status ~ '^a' and status !~* 'b'
              from orders
              select id
              where status like "a\\*\\_%", not status ilike "x\\%%", status match "^a", not status imatch "b"

            select id from orders where paid and not paid or paid is true or paid is not false or paid is unknown
              from orders
              select id
              where any(all(paid eq "true", not paid eq "true"), paid is true, not paid is false, paid is null)

            select id from orders where status is null and total is not null and doc @> '{"a":1}' and doc->>'k' = 'v'
              from orders
              select id
              where status is null, total is not null, doc contains "{\"a\":1}", doc->>k eq "v"

            select id from orders where total = customer_id and customer_id between id and 9
              from orders
              select id
              where total eq customer_id, all(customer_id gte id, customer_id lte "9")"#]],
    );
}

#[test]
fn conditions_on_what_is_distinct_on_moments_and_on_values() {
    check(
        &[
            "select id from orders where (status is distinct from 'a') and (total is not distinct from customer_id) and total is distinct from null",
            "select id from orders where id = 1 and status is distinct from 'a' or id = 2",
            "select id from orders where \"placedAt\" >= '2026-11-20' and \"placedAt\" < timestamptz '2026-11-21 10:00+02' and \"placedAt\" <> '2026-11-20 10:00:00.5'::timestamptz",
            "select id from orders where true and 1 = 1 and not 'a' = 'b'",
            "select id from orders where id = any(array[1,2]) and status <> all(array['a'])",
        ],
        &expect![[r#"
            select id from orders where (status is distinct from 'a') and (total is not distinct from customer_id) and total is distinct from null
              from orders
              select id
              where any(status is null, status neq "a"), not any(all(total is null, customer_id is not null), all(customer_id is null, total is not null), all(total is not null, customer_id is not null, total neq customer_id)), total is not null

            select id from orders where id = 1 and status is distinct from 'a' or id = 2
              IS DISTINCT FROM before AND or OR, without brackets is not supported, at line 1, column 40
                Write (a IS DISTINCT FROM b) AND ….

            select id from orders where "placedAt" >= '2026-11-20' and "placedAt" < timestamptz '2026-11-21 10:00+02' and "placedAt" <> '2026-11-20 10:00:00.5'::timestamptz
              from orders
              select id
              where placedAt gte "2026-11-20T00:00:00Z", placedAt lt "2026-11-21T10:00:00+02:00", placedAt neq "2026-11-20T10:00:00.5Z"

            select id from orders where true and 1 = 1 and not 'a' = 'b'
              from orders
              select id
              where all(), all(), not any()

            select id from orders where id = any(array[1,2]) and status <> all(array['a'])
              from orders
              select id
              where id in ["1", "2"], not status in ["a"]"#]],
    );
}

#[test]
fn a_comparison_with_null_is_neither_true_nor_its_negation() {
    check(
        &[
            "select id from orders where total = null",
            "select id from orders where not (total = null or id = 1)",
            "select id from orders where total in (1, null)",
            "select id from orders where total not in (1, null)",
            "select id from orders where total not between 1 and null",
            "select id from orders where not null",
        ],
        &expect![[r#"
            select id from orders where total = null
              from orders
              select id
              where any()

            select id from orders where not (total = null or id = 1)
              from orders
              select id
              where not any(all(), id eq "1")

            select id from orders where total in (1, null)
              from orders
              select id
              where any(total in ["1"], any())

            select id from orders where total not in (1, null)
              from orders
              select id
              where not any(total in ["1"], all())

            select id from orders where total not between 1 and null
              from orders
              select id
              where not all(total gte "1", all())

            select id from orders where not null
              from orders
              select id
              where not all()"#]],
    );
}

#[test]
fn parameters_stand_for_values() {
    check_with(
        &[
            (
                "select id from orders where status = $1 and total > $2 and paid = $3 and customer_id is not distinct from $4 limit $5",
                json!(["a'b", 1.50, true, null, 10]),
            ),
            (
                "select id from orders where id = any($1) and status <> all($2)",
                json!([[1, 2], ["a", null]]),
            ),
            ("select id from orders where doc->>$1 = $1", json!(["k"])),
            ("select id from orders where id = $2", json!([1])),
            ("select id from orders where id = $1", json!([1, 2])),
            ("select id from orders where id = $1", json!([{"a": 1}])),
            ("select id from orders where id = ?", json!([1])),
            ("select id from orders limit $1", json!([-1])),
        ],
        &expect![[r#"
            select id from orders where status = $1 and total > $2 and paid = $3 and customer_id is not distinct from $4 limit $5 ["a'b",1.5,true,null,10]
              from orders
              select id
              where status eq "a'b", total gt "1.5", paid eq "true", not customer_id is not null
              limit Some(10) offset 0

            select id from orders where id = any($1) and status <> all($2) [[1,2],["a",null]]
              from orders
              select id
              where id in ["1", "2"], not any(status in ["a"], all())

            select id from orders where doc->>$1 = $1 ["k"]
              from orders
              select id
              where doc->>k eq "k"

            select id from orders where id = $2 [1]
              there is no value for $2 (params has 1), at line 1, column 34

            select id from orders where id = $1 [1,2]
              there is a value for $2, which the statement does not use

            select id from orders where id = $1 [{"a":1}]
              an array or object as a parameter is not supported, at line 1, column 34
                Pass one value for each parameter, JSON as a text; an array goes with column = ANY ($1).

            select id from orders where id = ? [1]
              expected an expression and found ?, at line 1, column 34

            select id from orders limit $1 [-1]
              LIMIT is no whole number, at line 1, column 29
                Write a whole number from 0 on, or a parameter ($1) that is one."#]],
    );
}

#[test]
fn tables_are_joined_along_their_relations() {
    check(
        &[
            "select o.id, c.name from orders o join customers c on c.id = o.customer_id where c.tier = 'gold' or c.name is null order by c.name",
            "select o.id, c.name from orders o left join customers c on o.customer_id = c.id",
            "select c.name, i.sku from customers c join orders o on o.customer_id = c.id join items i on (i.order_id = o.id and i.qty > 1)",
            "select sku, name from items left join orders on orders.id = order_id left join customers on customer_id = customers.id",
            "select sku from customers c join (orders o) on true",
            "select * from items i join orders o on i.order_id = o.id",
            "select i.*, o.status from items i inner join orders o on i.order_id = o.id and o.total > i.qty",
        ],
        &expect![[r#"
            select o.id, c.name from orders o join customers c on c.id = o.customer_id where c.tier = 'gold' or c.name is null order by c.name
              from orders
              select id, customer.name
              where some customer(), any(customer.tier eq "gold", customer.name is null)
              order customer.name up, nulls last

            select o.id, c.name from orders o left join customers c on o.customer_id = c.id
              from orders
              select id, customer.name

            select c.name, i.sku from customers c join orders o on o.customer_id = c.id join items i on (i.order_id = o.id and i.qty > 1)
              from items
              select order.customer.name, sku
              where some order(some customer()), qty gt "1"

            select sku, name from items left join orders on orders.id = order_id left join customers on customer_id = customers.id
              from items
              select sku, order.customer.name

            select sku from customers c join (orders o) on true
              expected joined table and found ), at line 1, column 43

            select * from items i join orders o on i.order_id = o.id
              from items
              select id, order_id, sku, qty, order.id, order.customer_id, order.status, order.total, order.paid, order.placedAt, order.doc
              where some order()
                unfit: two columns of the answer would be called 'id'

            select i.*, o.status from items i inner join orders o on i.order_id = o.id and o.total > i.qty
              from items
              select *, order.status
              where some order(), order.total gt qty"#]],
    );
}

#[test]
fn related_rows_are_asked_for_with_exists() {
    check(
        &[
            "select id from orders o where exists (select 1 from items i where i.order_id = o.id and i.qty > 2)",
            "select id from orders where not exists (select * from items where order_id = orders.id)",
            "select id from customers c where exists (select 1 from orders o where o.customer_id = c.id and exists (select 1 from items i where i.order_id = o.id and sku = 'A'))",
            "select i.id from items i join orders o on i.order_id = o.id where exists (select 1 from customers c where c.id = o.customer_id and c.tier = 'gold')",
            "select id from orders o where exists (select 1 from items i where i.qty > 2)",
            "select id from orders o where exists (select 1 from items i join orders p on i.order_id = p.id where i.order_id = o.id)",
            "select id from orders o where exists (select 1 from items i where i.order_id = o.id limit 1)",
            "select id from orders o where exists (select 1 from items i where i.order_id = o.id and i.qty > o.total)",
        ],
        &expect![[r#"
            select id from orders o where exists (select 1 from items i where i.order_id = o.id and i.qty > 2)
              from orders
              select id
              where some items(qty gt "2")

            select id from orders where not exists (select * from items where order_id = orders.id)
              from orders
              select id
              where not some items()

            select id from customers c where exists (select 1 from orders o where o.customer_id = c.id and exists (select 1 from items i where i.order_id = o.id and sku = 'A'))
              from customers
              select id
              where some orders(some items(sku eq "A"))

            select i.id from items i join orders o on i.order_id = o.id where exists (select 1 from customers c where c.id = o.customer_id and c.tier = 'gold')
              from items
              select id
              where some order(), some order(some customer(tier eq "gold"))

            select id from orders o where exists (select 1 from items i where i.qty > 2)
              a join that follows no declared relation is not supported, at line 1, column 53
                Join ON o.id = i.order_id.

            select id from orders o where exists (select 1 from items i join orders p on i.order_id = p.id where i.order_id = o.id)
              a join inside EXISTS is not supported, at line 1, column 66
                Ask for the next table with an EXISTS of its own inside this one.

            select id from orders o where exists (select 1 from items i where i.order_id = o.id limit 1)
              this form of EXISTS is not supported, at line 1, column 39
                EXISTS is of one table and its relation: EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id AND i.qty > 1).

            select id from orders o where exists (select 1 from items i where i.order_id = o.id and i.qty > o.total)
              the statement has no table 'o', at line 1, column 97
                ["i"]"#]],
    );
}

#[test]
fn rows_are_grouped() {
    check(
        &[
            "select count(*) from orders",
            "select status, count(*) as n from orders where total > 1 group by status order by n desc",
            "select status as s, sum(total)::int8, avg(total), min(id), max(\"placedAt\"), count(doc) as docs from orders group by 1 having count(*) > 10 and s <> 'a' order by sum(total) desc, status",
            "select count(*) from orders group by status, customer_id order by customer_id",
            "select distinct status, total from orders order by 2",
        ],
        &expect![[r#"
            select count(*) from orders
              from orders
              select count(*)
              grouped

            select status, count(*) as n from orders where total > 1 group by status order by n desc
              from orders
              select status, count(*) as n
              where total gt "1"
              grouped
              order n down, nulls first

            select status as s, sum(total)::int8, avg(total), min(id), max("placedAt"), count(doc) as docs from orders group by 1 having count(*) > 10 and s <> 'a' order by sum(total) desc, status
              from orders
              select status as s, sum(total)::int8, avg(total), min(id), max(placedAt), count(doc) as docs hiding count(*) as count(*), sum(total) as sum(total)
              grouped
              having count(*) gt "10", s neq "a"
              order sum(total) down, nulls first
              order s up, nulls last

            select count(*) from orders group by status, customer_id order by customer_id
              from orders
              select count(*) hiding status, customer_id
              grouped
              order customer_id up, nulls last

            select distinct status, total from orders order by 2
              from orders
              select status, total
              grouped
              order total up, nulls last"#]],
    );
}

#[test]
fn groups_have_hidden_columns_where_they_need_them() {
    check(
        &[
            "select distinct count(*) from orders",
            "select c.tier, count(*) n, sum(o.total) from orders o join customers c on o.customer_id = c.id group by c.tier having max(c.name) < 'x'",
            "select count(1) from orders having count(*) > 0",
            "select status as \"count(*)\" from orders group by status having count(*) > 1.5 and count(total) > 0",
            "select doc->>'k' as k, count(*) from orders group by k having doc->>'k' = 'a'",
        ],
        &expect![[r#"
            select distinct count(*) from orders
              from orders
              select count(*)
              grouped

            select c.tier, count(*) n, sum(o.total) from orders o join customers c on o.customer_id = c.id group by c.tier having max(c.name) < 'x'
              from orders
              select customer.tier, count(*) as n, sum(total) hiding max(customer.name) as max(name)
              where some customer()
              grouped
              having max(name) lt "x"

            select count(1) from orders having count(*) > 0
              from orders
              select count(*)
              grouped
              having count gt "0"

            select status as "count(*)" from orders group by status having count(*) > 1.5 and count(total) > 0
              from orders
              select status as count(*) hiding count(*) as count(*) , count(total) as count(total)
              grouped
              having count(*)  gt "1.5", count(total) gt "0"

            select doc->>'k' as k, count(*) from orders group by k having doc->>'k' = 'a'
              from orders
              select doc->>k, count(*)
              grouped
              having k eq "a""#]],
    );
}

mod refused;
