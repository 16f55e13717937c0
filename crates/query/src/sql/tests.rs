//! Statements and the trees they become, or what is said of them.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
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
    let world = World {
        cut: &cut,
        relations: &tables.relations,
    };
    match read(text, parameters, &world) {
        Ok(read) => match read.bind(&world) {
            Ok(_) => shown(&read),
            Err(refused) => format!("{}\n  unfit: {refused}", shown(&read)),
        },
        Err(refused) => {
            let mut said = refused.to_string();
            match &refused {
                SqlError::Unsupported { nearest, .. } => said += &format!("\n  {nearest}"),
                SqlError::Meaningless { hint, .. } => said += &format!("\n  {hint}"),
                SqlError::UnknownColumn { known, .. } | SqlError::NoSource { known, .. } => {
                    said += &format!("\n  {known:?}");
                }
                SqlError::AmbiguousColumn { candidates, .. } => {
                    said += &format!("\n  {candidates:?}")
                }
                _ => {}
            }
            said
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
    out.replace('\u{1}', "#")
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
        out += &format!("{arrow}{}", step.0);
    }
    if let Some(cast) = &path.cast {
        out += &format!("::{cast}");
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
                unfit: there is no cast to 'int8', in the value of 'sql' at character 32

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
fn conditions_of_every_kind() {
    check(
        &[
            "select id from orders where status = 'paid' and (total >= 100 or total < -5.5) and not id <> 7",
            "select id from orders where 5 < total and status in ('a', 'b''c') and total not between 1 and 2",
            "select id from orders where status like 'a*\\_%' and status not ilike 'x!%%' escape '!' and status ~ '^a' and status !~* 'b'",
            "select id from orders where paid and not paid or paid is true or paid is not false or paid is unknown",
            "select id from orders where status is null and total is not null and doc @> '{\"a\":1}' and doc->>'k' = 'v'",
            "select id from orders where total = customer_id and customer_id between id and 9",
            "select id from orders where (status is distinct from 'a') and (total is not distinct from customer_id) and total is distinct from null",
            "select id from orders where id = 1 and status is distinct from 'a' or id = 2",
            "select id from orders where \"placedAt\" >= '2026-11-20' and \"placedAt\" < timestamptz '2026-11-21 10:00+02' and \"placedAt\" <> '2026-11-20 10:00:00.5'::timestamptz",
            "select id from orders where true and 1 = 1 and not 'a' = 'b'",
            "select id from orders where id = any(array[1,2]) and status <> all(array['a'])",
        ],
        &expect![[r#"
            select id from orders where status = 'paid' and (total >= 100 or total < -5.5) and not id <> 7
              from orders
              select id
              where status eq "paid", any(total gte "100", total lt "-5.5"), not id neq "7"
                unfit: column 'total' is of type int64: expected an integer, in the value of 'sql' at character 75

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
              where total eq customer_id, all(customer_id gte id, customer_id lte "9")

            select id from orders where status is distinct from 'a' and total is not distinct from customer_id and total is distinct from null
              the operator AND here is not supported, at line 1, column 53
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

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
                unfit: column 'total' is of type int64: expected an integer, in the value of 'sql' at character 53

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
fn joins_that_are_no_relations_are_refused() {
    check(
        &[
            "select 1 from orders o join items i on i.id = o.id",
            "select o.id from orders o join items i on i.id = o.id",
            "select c.id from customers c join items i on i.id = c.id",
            "select c.id from customers c left join orders o on o.customer_id = c.id",
            "select o.id from orders o left join customers c on o.customer_id = c.id and c.tier = 'gold'",
            "select o.id from orders o cross join customers c",
            "select o.id from orders o right join customers c on o.customer_id = c.id",
            "select o.id from orders o, customers c where o.customer_id = c.id",
            "select o.id from orders o natural join customers c",
            "select o.id from orders o join customers c using (id)",
            "select id from orders o join customers c on o.customer_id = c.id",
            "select x.id from orders o join customers c on o.customer_id = c.id",
        ],
        &expect![[r#"
            select 1 from orders o join items i on i.id = o.id
              a join that follows no declared relation is not supported, at line 1, column 29
                Join ON o.id = i.order_id.

            select o.id from orders o join items i on i.id = o.id
              a join that follows no declared relation is not supported, at line 1, column 32
                Join ON o.id = i.order_id.

            select c.id from customers c join items i on i.id = c.id
              a join that follows no declared relation is not supported, at line 1, column 35
                No relation of 'i' with the tables before it is declared: it would stand under [[relations]] in the configuration.

            select c.id from customers c left join orders o on o.customer_id = c.id
              LEFT JOIN to several rows is not supported, at line 1, column 40
                Use JOIN, or ask of 'o' by itself; rows without any are found with NOT EXISTS.

            select o.id from orders o left join customers c on o.customer_id = c.id and c.tier = 'gold'
              a condition beside the relation in the ON of a LEFT JOIN is not supported, at line 1, column 77
                Put it into WHERE, where it also drops rows without a related one; or use JOIN.

            select o.id from orders o cross join customers c
              this kind of join is not supported, at line 1, column 38
                Joins are JOIN (INNER) and LEFT JOIN, with ON or USING, along declared relations.

            select o.id from orders o right join customers c on o.customer_id = c.id
              this kind of join is not supported, at line 1, column 38
                Joins are JOIN (INNER) and LEFT JOIN, with ON or USING, along declared relations.

            select o.id from orders o, customers c where o.customer_id = c.id
              several tables in FROM is not supported, at line 1, column 28
                Joins are JOIN (INNER) and LEFT JOIN, with ON or USING, along declared relations.

            select o.id from orders o natural join customers c
              a join without ON or USING is not supported, at line 1, column 40
                Joins are JOIN (INNER) and LEFT JOIN, with ON or USING, along declared relations.

            select o.id from orders o join customers c using (id)
              a join that follows no declared relation is not supported, at line 1, column 32
                Join ON o.customer_id = c.id.

            select id from orders o join customers c on o.customer_id = c.id
              column 'id' is in several tables, at line 1, column 8
                ["o.id", "c.id"]

            select x.id from orders o join customers c on o.customer_id = c.id
              the statement has no table 'x', at line 1, column 8
                ["o", "c"]"#]],
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
            "select distinct count(*) from orders",
            "select c.tier, count(*) n, sum(o.total) from orders o join customers c on o.customer_id = c.id group by c.tier having max(c.name) < 'x'",
            "select count(1) from orders having count(*) > 0",
            "select doc->>'k' as k, count(*) from orders group by k having doc->>'k' = 'a'",
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
              select status as s, sum(total)::int8, avg(total), min(id), max(placedAt), count(doc) as docs hiding count(*) as #6, sum(total) as #7
              grouped
              having #6 gt "10", s neq "a"
              order #7 down, nulls first
              order s up, nulls last
                unfit: there is no cast to 'int8', in the value of 'sql' at character 21

            select count(*) from orders group by status, customer_id order by customer_id
              from orders
              select count(*) hiding status as #1, customer_id as #2
              grouped
              order #2 up, nulls last

            select distinct status, total from orders order by 2
              from orders
              select status, total
              grouped
              order total up, nulls last

            select distinct count(*) from orders
              from orders
              select count(*)
              grouped

            select c.tier, count(*) n, sum(o.total) from orders o join customers c on o.customer_id = c.id group by c.tier having max(c.name) < 'x'
              from orders
              select customer.tier, count(*) as n, sum(total) hiding max(customer.name) as #3
              where some customer()
              grouped
              having #3 lt "x"

            select count(1) from orders having count(*) > 0
              from orders
              select count(*)
              grouped
              having count gt "0"

            select doc->>'k' as k, count(*) from orders group by k having doc->>'k' = 'a'
              from orders
              select doc->>k, count(*)
              grouped
              having k eq "a""#]],
    );
}

#[test]
fn groups_that_cannot_be_are_refused() {
    check(
        &[
            "select status, count(*) from orders",
            "select * from orders group by status",
            "select status from orders group by status order by total",
            "select distinct status from orders order by total",
            "select status from orders group by 2",
            "select status, count(*) from orders group by n",
            "select count(*) as n from orders group by n",
            "select distinct count(*) from orders group by status",
            "select distinct on (status) id from orders",
            "select count(distinct status) from orders",
            "select count(*) filter (where paid) from orders",
            "select sum(*) from orders",
            "select sum(status) from orders",
            "select id from orders where count(*) > 1",
            "select sum(total) over () from orders",
            "select status from orders group by rollup(status)",
            "select count(*), count(*) from orders",
        ],
        &expect![[r#"
            select status, count(*) from orders
              column 'status' is neither in GROUP BY nor in an aggregate, at line 1, column 8
                Group by it too, or take min or max of it.

            select * from orders group by status
              column 'id' is neither in GROUP BY nor in an aggregate, at line 1, column 8
                Group by it too, or take min or max of it.

            select status from orders group by status order by total
              column 'total' is neither in GROUP BY nor in an aggregate, at line 1, column 52
                Group by it too, or take min or max of it.

            select distinct status from orders order by total
              column 'total' is neither in GROUP BY nor in an aggregate, at line 1, column 45
                Group by it too, or take min or max of it.

            select status from orders group by 2
              there is no column 2 in SELECT, at line 1, column 36
                Columns are counted from 1.

            select status, count(*) from orders group by n
              there is no column 'n', at line 1, column 46
                ["id", "customer_id", "status", "total", "paid", "placedAt", "doc"]

            select count(*) as n from orders group by n
              an aggregate stands in GROUP BY, at line 1, column 43
                Group by columns; ask of aggregates in HAVING.

            select distinct count(*) from orders group by status
              from orders
              select count(*) hiding status as #1
              grouped

            select distinct on (status) id from orders
              DISTINCT ON is not supported, at line 1, column 1
                Group by the columns and take min or max of the others.

            select count(distinct status) from orders
              count(DISTINCT …) is not supported, at line 1, column 8
                Select the distinct values (SELECT DISTINCT column) and count or add them in the client.

            select count(*) filter (where paid) from orders
              count() with FILTER is not supported, at line 1, column 8
                Put the condition into WHERE, in a statement of its own.

            select sum(*) from orders
              sum() takes one column, at line 1, column 8
                Aggregates are count(*), and count, sum, avg, min and max of a column.

            select sum(status) from orders
              from orders
              select sum(status)
              grouped
                unfit: sum cannot be made of column 'status', which is of type text, in the value of 'sql' at character 8

            select id from orders where count(*) > 1
              count() here is not supported, at line 1, column 29
                Aggregates are selected, ordered by, or asked of groups in HAVING; rows are asked in WHERE.

            select sum(total) over () from orders
              the window function sum is not supported, at line 1, column 8
                Aggregate with GROUP BY; rank in the client.

            select status from orders group by rollup(status)
              GROUPING SETS, CUBE and ROLLUP is not supported, at line 1, column 43
                Group by one set of columns at a time.

            select count(*), count(*) from orders
              from orders
              select count(*), count(*)
              grouped
                unfit: two columns of the answer would be called 'count'"#]],
    );
}

#[test]
fn what_is_not_supported_is_named_with_its_place_and_the_nearest_form() {
    check(
        &[
            "with x as (select 1) select * from x",
            "select id from orders union all select id from items",
            "select id from orders; select id from items",
            "insert into orders values (1)",
            "drop table orders",
            "select id from orders for update",
            "select 1",
            "select id from (select * from orders) o",
            "select id from orders where id in (select order_id from items)",
            "select lower(status) from orders",
            "select id from orders where \"placedAt\" > now() - interval '1 day'",
            "select total * 2 from orders",
            "select case when paid then 1 end from orders",
            "select id from orders where total + 1 > 2",
            "select (select 1) from orders",
            "select id from orders where status similar to 'a'",
            "select id from orders where (id, total) = (1, 2)",
            "select id from orders where total = '3.7'::int4",
            "select total::numeric(10,2) from orders",
            "select id from orders where doc->>'n'::int = 3",
            "select id from orders order by lower(status)",
            "select id from orders limit 1 + 1",
            "select extract(year from \"placedAt\") from orders",
            "select id as a from orders o (x, y)",
            "select id from generate_series(1, 3)",
            "explain select 1",
            "table orders",
            "select id into x from orders",
        ],
        &expect![[r#"
            with x as (select 1) select * from x
              WITH is not supported, at line 1, column 1
                Select from the tables themselves, one SELECT without WITH.

            select id from orders union all select id from items
              UNION is not supported, at line 1, column 23
                Ask for alternatives with OR or IN in one SELECT, or send several statements.

            select id from orders; select id from items
              more than one statement is not supported, at line 1, column 22
                Send one SELECT at a time.

            insert into orders values (1)
              INSERT is not supported, at line 1, column 1
                Everything here is read-only: send one SELECT.

            drop table orders
              DROP is not supported, at line 1, column 1
                Everything here is read-only: send one SELECT.

            select id from orders for update
              FOR after a SELECT is not supported, at line 1, column 23
                Everything here is read-only: leave it out.

            select 1
              a SELECT without FROM is not supported, at line 1, column 1
                Select from a table.

            select id from (select * from orders) o
              a subquery in FROM is not supported, at line 1, column 17
                Select from the table itself; aggregates go with GROUP BY and HAVING.

            select id from orders where id in (select order_id from items)
              IN with a subquery is not supported, at line 1, column 29
                Join along a declared relation, or ask for related rows with EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id).

            select lower(status) from orders
              the function lower is not supported, at line 1, column 8
                Compare with ILIKE or ~*, whatever the case.

            select id from orders where "placedAt" > now() - interval '1 day'
              the operator - here is not supported, at line 1, column 42
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

            select total * 2 from orders
              the operator * here is not supported, at line 1, column 8
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

            select case when paid then 1 end from orders
              CASE is not supported, at line 1, column 8
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

            select id from orders where total + 1 > 2
              the operator + here is not supported, at line 1, column 29
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

            select (select 1) from orders
              a subquery is not supported, at line 1, column 9
                Join along a declared relation, or ask for related rows with EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id).

            select id from orders where status similar to 'a'
              SIMILAR TO is not supported, at line 1, column 29
                Use LIKE, or a regular expression with ~ or ~*.

            select id from orders where (id, total) = (1, 2)
              a row of several values is not supported, at line 1, column 30
                Compare each column by itself, with AND between.

            select id from orders where total = '3.7'::int4
              '3.7' is no int4: expected an integer, at line 1, column 37
                A literal is never rounded or cut to its type.

            select total::numeric(10,2) from orders
              a cast to NUMERIC(10,2) is not supported, at line 1, column 8
                Casts are to int2, int4, int8, float4, float8, numeric, text, bool, date, time, timestamp, timestamptz, interval, bytea, jsonb and uuid, without lengths.

            select id from orders where doc->>'n'::int = 3
              'n' is no int4: expected an integer, at line 1, column 35
                A literal is never rounded or cut to its type.

            select id from orders order by lower(status)
              the function lower is not supported, at line 1, column 32
                Compare with ILIKE or ~*, whatever the case.

            select id from orders limit 1 + 1
              LIMIT is no whole number, at line 1, column 29
                Write a whole number from 0 on, or a parameter ($1) that is one.

            select extract(year from "placedAt") from orders
              EXTRACT is not supported, at line 1, column 26
                Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).

            select id as a from orders o (x, y)
              names for the columns of a table is not supported, at line 1, column 28
                Name columns in SELECT with AS.

            select id from generate_series(1, 3)
              what is no table in FROM is not supported, at line 1, column 16
                Select from a table by its name; GET /v1/tables lists all tables.

            explain select 1
              EXPLAIN is not supported, at line 1, column 1
                Everything here is read-only: send one SELECT.

            table orders
              expected an SQL statement and found table, at line 1, column 1

            select id into x from orders
              SELECT INTO is not supported, at line 1, column 1
                Leave it out: FROM, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT and OFFSET are answered."#]],
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    check(
        &[
            "",
            "  -- nothing",
            "selec id from orders",
            "select id from\n  orders wher id = 1",
            "select id from orders where",
            "select 'open from orders",
            "select id from ordres",
            "select idd from orders",
            "select o.idd from orders o",
            "select c.id from orders o",
            "select \"ID\" from orders",
        ],
        &expect![[r#"

              there is no statement, at line 1, column 1

              -- nothing
              there is no statement, at line 1, column 1

            selec id from orders
              expected an SQL statement and found selec, at line 1, column 1

            select id from
              orders wher id = 1
              expected end of statement and found id, at line 2, column 15

            select id from orders where
              expected an expression and found EOF, at line 1, column 1

            select 'open from orders
              Unterminated string literal, at line 1, column 8

            select id from ordres
              there is no one table 'ordres', at line 1, column 16

            select idd from orders
              there is no column 'idd', at line 1, column 8
                ["id", "customer_id", "status", "total", "paid", "placedAt", "doc"]

            select o.idd from orders o
              there is no column 'idd', at line 1, column 8
                ["id", "customer_id", "status", "total", "paid", "placedAt", "doc"]

            select c.id from orders o
              the statement has no table 'c', at line 1, column 8
                ["o"]

            select "ID" from orders
              there is no column 'ID', at line 1, column 8
                ["id", "customer_id", "status", "total", "paid", "placedAt", "doc"]"#]],
    );
}

#[test]
fn what_is_too_much_is_refused_before_it_costs_anything() {
    let many = |part: &str, times: usize| part.repeat(times);
    let of = |text: &str| asked(text, &[]).lines().next().unwrap().to_owned();
    let conditions = format!(
        "select id from orders where {} id = 1",
        many("id = 1 or ", 64)
    );
    assert_eq!(
        of(&conditions),
        "there are more than 64 conditions and groups of them"
    );
    let list = format!("select id from orders where id in (1{})", many(",1", 1_000));
    assert_eq!(of(&list), "there are more than 1000 values in one list");
    let deep = format!(
        "select id from orders where {}id = 1{}",
        many("(id = 2 or (id = 3 and ", 5),
        many("))", 5)
    );
    assert_eq!(
        of(&deep),
        "there are more than 8 groups of conditions inside each other"
    );
    let text = format!(
        "select id from orders where status = '{}'",
        many("x", TEXT_BYTES_MAX)
    );
    assert_eq!(of(&text), "there are more than 65536 bytes of SQL");
    for part in [
        "not ",
        "(",
        "- ",
        "case when ",
        "(select ",
        "exists (select ",
        "array[",
        "a::b<",
        "cast(",
        "f(",
        "$$",
        "x is null is null ",
        "1+",
        "a->b->",
        "x collate y ",
    ] {
        for times in [20, 400, 4_000, 20_000] {
            let text = format!("select id from orders where {}", many(part, times));
            assert!(!of(&text).starts_with("from"), "{part}");
        }
    }
}

/// Words of statements, so that some of what is put together can be read.
const WORDS: &[&str] = &[
    "select",
    "from",
    "orders",
    "o",
    "items",
    "i",
    "where",
    "and",
    "or",
    "not",
    "(",
    ")",
    ",",
    "*",
    "=",
    "<",
    "id",
    "o.id",
    "order_id",
    "status",
    "'a'",
    "1",
    "$1",
    "null",
    "is",
    "in",
    "between",
    "like",
    "group by",
    "having",
    "order by",
    "desc",
    "limit",
    "count(*)",
    "sum(",
    "join",
    "left join",
    "on",
    "exists (select 1 from",
    "as",
    "distinct",
    "->",
    "->>",
    "::",
    "int",
    "total",
    ";",
    ".",
    "case",
    "when",
    "union",
    "any(",
    "[",
    "]",
    "-",
    "+",
    "~",
    "@>",
    "\"",
    "$$",
    "true",
    "interval",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_is_too_strange(words in proptest::collection::vec(0..WORDS.len(), 0..40), strange in ".{0,20}", at in 0..40_usize) {
        let mut words: Vec<&str> = words.into_iter().map(|at| WORDS[at]).collect();
        if at < 5 {
            words.insert(at.min(words.len()), &strange);
        }
        let text = format!("select id from orders o where {}", words.join(" "));
        prop_assert!(!asked(&text, &[json!(1)]).is_empty());
        prop_assert!(!asked(&words.join(" "), &[json!(1)]).is_empty());
    }
}
