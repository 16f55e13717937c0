//! Statements that are not answered, and what is said of them.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::json;

use super::super::TEXT_BYTES_MAX;
use super::{asked, check};

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
              DISTINCT over groups of which not all keys are selected is not supported, at line 1, column 1
                Select everything that stands in GROUP BY, or leave DISTINCT out."#]],
    );
}

#[test]
fn aggregates_that_cannot_be_are_refused() {
    check(
        &[
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
              a grouping by ROLLUP, CUBE or GROUPING SETS is not supported, at line 1, column 43
                Group by one set of columns at a time.

            select count(*), count(*) from orders
              from orders
              select count(*), count(*)
              grouped
                unfit: two columns of the answer would be called 'count'"#]],
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
              a second table in FROM is not supported, at line 1, column 28
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
fn other_statements_are_named_with_their_place_and_the_nearest_form() {
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
                Compare with ILIKE or ~*, whatever the case."#]],
    );
}

#[test]
fn other_expressions_are_named_too() {
    check(
        &[
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
        ],
        &expect![[r#"
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
                A literal is never rounded or cut to its type."#]],
    );
}

#[test]
fn other_forms_are_named_too() {
    check(
        &[
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
              an alias that names the columns of a table is not supported, at line 1, column 28
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
              expected an expression and found EOF, at line 1, column 28

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
