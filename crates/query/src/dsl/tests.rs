//! The JSON grammar: what it reads, what it refuses and where, and that it says what the URL says.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::any_tree::{any_condition, any_order};
use crate::said;
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, RelationRef};
use crate::url::{NODES_MAX, print_order};

const LIMIT_MAX: usize = 10_000;

fn shown(body: &str) -> String {
    let question = |question: &Question| {
        let mut out = format!("{}: {}", question.from, said::query(&question.query));
        let limit = question.limit.map(|limit| format!("limit {limit}"));
        let cursor = question
            .cursor
            .as_ref()
            .map(|cursor| format!("cursor {cursor}"));
        let arrays = question.as_arrays.map(|arrays| format!("arrays {arrays}"));
        let flags = [
            (question.counted, "counted"),
            (question.explained, "explained"),
            (question.int64_as_text, "int64 as text"),
        ];
        let flags = flags.into_iter().filter(|(set, _)| *set);
        let flags = flags.map(|(_, word)| word.to_owned());
        for part in [limit, cursor, arrays].into_iter().flatten().chain(flags) {
            write!(out, "; {part}").unwrap();
        }
        out
    };
    match read(body.as_bytes(), LIMIT_MAX) {
        Ok(Asked::One(one)) => question(&one),
        Ok(Asked::Several(several)) => {
            let several = several.iter();
            let several = several.map(|(name, one)| format!("{name} = {}", question(one)));
            several.collect::<Vec<_>>().join("\n    ")
        }
        Err(error) => match error.candidates() {
            Some((_, known)) => format!("{error} {known:?}"),
            None => error.to_string(),
        },
    }
}

/// What each body is read as; or why not.
fn check(bodies: &[&str], expected: &Expect) {
    let mut out = String::new();
    for body in bodies {
        writeln!(out, "{body}\n    {}", shown(body)).unwrap();
    }
    expected.assert_eq(&out);
}

/// The same of conditions on orders.
fn check_where(conditions: &[&str], expected: &Expect) {
    let mut out = String::new();
    for conditions in conditions {
        let shown = shown(&format!("{{\"from\":\"t\",\"where\":{conditions}}}"));
        writeln!(out, "{conditions}\n    {}", shown.trim_start_matches("t: ")).unwrap();
    }
    expected.assert_eq(&out);
}

#[test]
fn whole_queries() {
    check(
        &[
            r#"{"from":"orders","select":["id","total","created_at"],"include":[{"rel":"customer","select":["name","tier"]},{"rel":"items","select":["sku","qty"],"where":[{"column":"qty","op":"gt","value":1}],"order":["-qty"],"limit":5,"required":true}],"where":[{"column":"status","op":"in","value":["paid","shipped"]},{"or":[{"column":"total","op":"gte","value":"100"},{"column":"customer.tier","op":"eq","value":"gold"}]}],"order":["-created_at","id"],"limit":50,"format":"arrays"}"#,
            r#"{"from":"orders","where":[],"group_by":["status"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"total","as":"revenue"}],"having":[{"column":"n","op":"gt","value":10}],"order":["-revenue"]}"#,
            r#"{"from":"orders"}"#,
            r#"{"from":"orders","limit":"20","count":"exact","explain":"true","int64":"string","format":"objects","cursor":"abc","select":null}"#,
            r#"{"from":"orders","count":true,"select":"id,plan:meta->>plan,customer(name)","order":"-total","include":"items"}"#,
            r#"{"from":"orders","include":["customer(name)",{"rel":"items!fk","as":"lines","flatten":"true","offset":2,"include":[{"rel":"product","hint":"p","select":["*"]}]}]}"#,
            r#"{"from":"orders","include":{"rel":"items","aggregate":["n:count()",{"fn":"max","column":"qty"}]}}"#,
            r#"{"from":"orders","aggregate":["count","sum(total)","revenue:total.sum()"],"group_by":"customer.tier"}"#,
            r#"{"queries":{"order":{"from":"orders","limit":1},"stock":{"from":"items"}}}"#,
        ],
        &expect![[r#"
            {"from":"orders","select":["id","total","created_at"],"include":[{"rel":"customer","select":["name","tier"]},{"rel":"items","select":["sku","qty"],"where":[{"column":"qty","op":"gt","value":1}],"order":["-qty"],"limit":5,"required":true}],"where":[{"column":"status","op":"in","value":["paid","shipped"]},{"or":[{"column":"total","op":"gte","value":"100"},{"column":"customer.tier","op":"eq","value":"gold"}]}],"order":["-created_at","id"],"limit":50,"format":"arrays"}
                orders: [id, total, created_at, customer{[name, tier] limit 20}, required items{[sku, qty] (qty.gt.1) qty.desc.nullsfirst limit 5}] (status.in.(paid,shipped),or(total.gte.100,customer.and(tier.eq.gold))) created_at.desc.nullsfirst,id.asc.nullslast; limit 50; arrays true
            {"from":"orders","where":[],"group_by":["status"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"total","as":"revenue"}],"having":[{"column":"n","op":"gt","value":10}],"order":["-revenue"]}
                orders: [status, count() as n, sum(total) as revenue] grouped having(n.gt.10) revenue.desc.nullsfirst
            {"from":"orders"}
                orders: 
            {"from":"orders","limit":"20","count":"exact","explain":"true","int64":"string","format":"objects","cursor":"abc","select":null}
                orders: ; limit 20; cursor abc; arrays false; counted; explained; int64 as text
            {"from":"orders","count":true,"select":"id,plan:meta->>plan,customer(name)","order":"-total","include":"items"}
                orders: [id, meta->>plan as plan, customer{[name] limit 20}, items{limit 20}] total.desc.nullsfirst; counted
            {"from":"orders","include":["customer(name)",{"rel":"items!fk","as":"lines","flatten":"true","offset":2,"include":[{"rel":"product","hint":"p","select":["*"]}]}]}
                orders: [*, customer{[name] limit 20}, prefixed items!fk{[*, product!p{[*] limit 20}] limit 20 offset 2} as lines]
            {"from":"orders","include":{"rel":"items","aggregate":["n:count()",{"fn":"max","column":"qty"}]}}
                orders: [*, items{[count() as n, max(qty)] limit 20}]
            {"from":"orders","aggregate":["count","sum(total)","revenue:total.sum()"],"group_by":"customer.tier"}
                orders: [customer.tier, count(), sum(total), sum(total) as revenue] grouped
            {"queries":{"order":{"from":"orders","limit":1},"stock":{"from":"items"}}}
                order = orders: ; limit 1
                stock = items: 
        "#]],
    );
}

#[test]
fn conditions() {
    check_where(
        &[
            r#"{"column":"status","op":"eq","value":"paid"}"#,
            r#"[{"column":"total","op":">=","value":19.900000000000000000001},{"column":"paid","op":"=","value":true}]"#,
            r#"[{"column":"customer.tier","op":"eq","value":"gold"},{"column":"customer.age","op":"gt","value":3}]"#,
            r#"[{"rel":"items","where":[{"column":"qty","op":"gt","value":1}]},{"not":{"rel":"notes"}}]"#,
            r#"{"not":{"or":[{"column":"a","op":"is_null"},{"column":"b","op":"not_null"}]}}"#,
            r#"{"not":{"column":"customer.tier","op":"eq","value":"gold"}}"#,
            r#"{"not":[{"column":"a","op":"eq","value":1},{"column":"b","op":"eq","value":2}]}"#,
            r#"[{"column":"a","op":"not_in","value":["x",7]},{"column":"b","op":"IN","value":"[\"x\",7]"},{"column":"c","op":"not like","value":"x%"}]"#,
            r#"[{"column":"a","op":"eq","value":null},{"column":"b","op":"!=","value":null},{"column":"c","op":"is","value":false}]"#,
            r#"{"column":"meta->tags","op":"contains","value":["a", {"b":1.10}]}"#,
            r#"{"column":"total","op":"between","value":[1,"5.50"]}"#,
            r#"{"column":"total","op":"gt","value":{"column":"paid"}}"#,
            r#"{"column":"\"a.b\"::text","op":"starts_with","value":"é\n"}"#,
        ],
        &expect![[r#"
            {"column":"status","op":"eq","value":"paid"}
                (status.eq.paid)
            [{"column":"total","op":">=","value":19.900000000000000000001},{"column":"paid","op":"=","value":true}]
                (total.gte.19.900000000000000000001,paid.eq.true)
            [{"column":"customer.tier","op":"eq","value":"gold"},{"column":"customer.age","op":"gt","value":3}]
                (customer.and(tier.eq.gold,age.gt.3))
            [{"rel":"items","where":[{"column":"qty","op":"gt","value":1}]},{"not":{"rel":"notes"}}]
                (items.and(qty.gt.1),not.and(notes.and()))
            {"not":{"or":[{"column":"a","op":"is_null"},{"column":"b","op":"not_null"}]}}
                (not.or(a.is.null,b.is.not_null))
            {"not":{"column":"customer.tier","op":"eq","value":"gold"}}
                (not.and(customer.and(tier.eq.gold)))
            {"not":[{"column":"a","op":"eq","value":1},{"column":"b","op":"eq","value":2}]}
                (not.and(a.eq.1,b.eq.2))
            [{"column":"a","op":"not_in","value":["x",7]},{"column":"b","op":"IN","value":"[\"x\",7]"},{"column":"c","op":"not like","value":"x%"}]
                (a.not.in.(x,7),b.in.(x,7),c.not.like."x%")
            [{"column":"a","op":"eq","value":null},{"column":"b","op":"!=","value":null},{"column":"c","op":"is","value":false}]
                (a.is.null,b.is.not_null,c.is.false)
            {"column":"meta->tags","op":"contains","value":["a", {"b":1.10}]}
                (meta->tags.contains."[\"a\", {\"b\":1.10}]")
            {"column":"total","op":"between","value":[1,"5.50"]}
                (total.between.(1,5.50))
            {"column":"total","op":"gt","value":{"column":"paid"}}
                (total.gt.column(paid))
            {"column":"\"a.b\"::text","op":"starts_with","value":"é\n"}
                ("a.b"::text.starts."é
            ")
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    check(
        &[
            "",
            "{\"from\":\"orders\",\n  \"limit\":}",
            "[]",
            "{}",
            r#"{"from":7}"#,
            r#"{"from":"orders","fields":["id"]}"#,
            r#"{"from":"orders","limit":0}"#,
            r#"{"from":"orders","limit":1.5}"#,
            r#"{"from":"orders","limit":1,"limit":2}"#,
            r#"{"from":"orders","at_least":"tx:753"}"#,
            r#"{"from":"orders","offset":5}"#,
            r#"{"from":"orders","format":"csv"}"#,
            r#"{"from":"orders","count":"all"}"#,
        ],
        &expect![[r#"

                this is no JSON: EOF while parsing a value at line 1 column 0, in the body
            {"from":"orders",
              "limit":}
                this is no JSON: expected value at line 2 column 11, in the body
            []
                expected an object in braces, in the body
            {}
                expected the name of a table, as in "from":"orders", in the body
            {"from":7}
                expected a text in quotes, at /from
            {"from":"orders","fields":["id"]}
                there is no field 'fields' here, at /fields ["from", "select", "include", "where", "group_by", "aggregate", "having", "order", "limit", "cursor", "count", "explain", "format", "int64", "since"]
            {"from":"orders","limit":0}
                expected a whole number from 1 to 10000, at /limit
            {"from":"orders","limit":1.5}
                expected a whole number from 1 to 10000, at /limit
            {"from":"orders","limit":1,"limit":2}
                expected each field once, at /limit
            {"from":"orders","at_least":"tx:753"}
                orders: 
            {"from":"orders","offset":5}
                there is no field 'offset' here, at /offset ["from", "select", "include", "where", "group_by", "aggregate", "having", "order", "limit", "cursor", "count", "explain", "format", "int64", "since"]
            {"from":"orders","format":"csv"}
                expected "objects" or "arrays", at /format
            {"from":"orders","count":"all"}
                expected "exact", at /count
        "#]],
    );
}

#[test]
fn parts_that_cannot_be_read_are_refused_with_their_place() {
    check(
        &[
            r#"{"from":"orders","select":["id","total:"]}"#,
            r#"{"from":"orders","select":[7]}"#,
            r#"{"from":"orders","order":["id.down up"]}"#,
            r#"{"from":"orders","include":[{"select":["name"]}]}"#,
            r#"{"from":"orders","include":[{"rel":"customer","columns":["name"]}]}"#,
            r#"{"from":"orders","include":[{"rel":"a","include":[{"rel":"b","include":["c(d(e))"]}]}]}"#,
            r#"{"from":"orders","include":[{"rel":"customer.region"}]}"#,
            r#"{"from":"orders","aggregate":[{"fn":"mean","column":"total"}]}"#,
            r#"{"from":"orders","aggregate":[{"fn":"sum"}]}"#,
            r#"{"from":"orders","having":[{"column":"n","op":"gt","value":10}]}"#,
            r#"{"from":"orders","select":["id"],"group_by":["status"]}"#,
            r#"{"queries":{}}"#,
            r#"{"queries":{"a":{"from":"orders"}},"limit":5}"#,
            r#"{"queries":{"a/b":{"form":"orders"}}}"#,
            r#"{"queries":{"a":{"from":"orders"},"a":{"from":"orders"}}}"#,
        ],
        &expect![[r#"
            {"from":"orders","select":["id","total:"]}
                expected a column, at /select/1, character 7
            {"from":"orders","select":[7]}
                expected a text in quotes, at /select/0
            {"from":"orders","order":["id.down up"]}
                expected ',' or the end, at /order/0, character 9
            {"from":"orders","include":[{"select":["name"]}]}
                expected the name of a relation, as in "rel":"customer", at /include/0
            {"from":"orders","include":[{"rel":"customer","columns":["name"]}]}
                there is no field 'columns' here, at /include/0/columns ["rel", "hint", "as", "select", "include", "where", "group_by", "aggregate", "order", "limit", "offset", "required", "flatten"]
            {"from":"orders","include":[{"rel":"a","include":[{"rel":"b","include":["c(d(e))"]}]}]}
                there are more than 3 relations inside each other, at /include/0/include/0/include/0, character 3
            {"from":"orders","include":[{"rel":"customer.region"}]}
                expected one relation; what it leads to stands in its include, at /include/0/rel
            {"from":"orders","aggregate":[{"fn":"mean","column":"total"}]}
                'mean' is not known here, at /aggregate/0/fn ["count", "sum", "avg", "min", "max"]
            {"from":"orders","aggregate":[{"fn":"sum"}]}
                expected a column that it is made of, as in {"fn":"sum","column":"total"}, at /aggregate/0
            {"from":"orders","having":[{"column":"n","op":"gt","value":10}]}
                having goes with group_by or aggregate only, in the body
            {"from":"orders","select":["id"],"group_by":["status"]}
                select and group_by name different columns: a group shows what it is grouped by, and aggregates, in the body
            {"queries":{}}
                expected at least one query, at /queries
            {"queries":{"a":{"from":"orders"}},"limit":5}
                there is no field 'limit' here, at /limit ["queries"]
            {"queries":{"a/b":{"form":"orders"}}}
                there is no field 'form' here, at /queries/a~1b/form ["from", "select", "include", "where", "group_by", "aggregate", "having", "order", "limit", "cursor", "count", "explain", "format", "int64", "since"]
            {"queries":{"a":{"from":"orders"},"a":{"from":"orders"}}}
                expected each field once, at /queries/a
        "#]],
    );
}

#[test]
fn conditions_that_cannot_be_read_are_refused_with_their_place() {
    check_where(
        &[
            r#""status = 'it''s'""#,
            r#"["total >= 10.50"]"#,
            r#"["status is not null"]"#,
            r#"{"status":"paid"}"#,
            r#"{"column":"a"}"#,
            r#"{"column":"a","op":"eq"}"#,
            r#"{"column":"a","op":"equals","value":1}"#,
            r#"{"column":"a","op":"gt","value":null}"#,
            r#"{"column":"a","op":"in","value":"paid,shipped"}"#,
            r#"{"column":"a","op":"in","value":["x",null]}"#,
            r#"{"column":"a","op":"between","value":[1]}"#,
            r#"{"column":"a","op":"is_null","value":7}"#,
            r#"{"column":"a b.","op":"eq","value":1}"#,
            r#"{"column":"meta->","op":"eq","value":1}"#,
            r#"{"and":[]}"#,
            r#"{"or":[{"column":"a","op":"eq","value":1}],"and":[]}"#,
            r#"{"or":[{"column":"a","op":"eq","value":1},7]}"#,
            r#"{"rel":"items","column":"a"}"#,
        ],
        &expect![[r#"
            "status = 'it''s'"
                expected {"column":"status","op":"eq","value":"it's"}, at /where
            ["total >= 10.50"]
                expected {"column":"total","op":"gte","value":10.50}, at /where/0
            ["status is not null"]
                expected a condition, as in {"column":"status","op":"eq","value":"paid"}, at /where/0
            {"status":"paid"}
                expected {"column":"status","op":"eq","value":"paid"}, at /where
            {"column":"a"}
                expected an operator, as in "op":"eq", at /where
            {"column":"a","op":"eq"}
                expected a value, as in "value":"paid", at /where
            {"column":"a","op":"equals","value":1}
                'equals' is not known here, at /where/op ["eq", "neq", "gt", "gte", "lt", "lte", "in", "not_in", "like", "ilike", "starts_with", "is", "is_null", "not_null", "contains", "between", "match", "imatch", "cd", "ov"]
            {"column":"a","op":"gt","value":null}
                expected a value; null is asked for with "op":"is_null", at /where/value
            {"column":"a","op":"in","value":"paid,shipped"}
                expected a list of values, as in ["paid","shipped"], at /where/value
            {"column":"a","op":"in","value":["x",null]}
                expected a value; null is asked for with "op":"is_null", at /where/value/1
            {"column":"a","op":"between","value":[1]}
                expected two bounds, as in [1,5], at /where/value
            {"column":"a","op":"is_null","value":7}
                expected no value beside this operator, at /where/value
            {"column":"a b.","op":"eq","value":1}
                expected a column, at /where/column, character 5
            {"column":"meta->","op":"eq","value":1}
                expected a column, at /where/column, character 7
            {"and":[]}
                expected at least one condition, at /where/and
            {"or":[{"column":"a","op":"eq","value":1}],"and":[]}
                expected either column, op and value, or one of and, or and not, or rel and where, at /where
            {"or":[{"column":"a","op":"eq","value":1},7]}
                expected a condition, as in {"column":"status","op":"eq","value":"paid"}, at /where/or/1
            {"rel":"items","column":"a"}
                expected either column, op and value, or one of and, or and not, or rel and where, at /where
        "#]],
    );
}

#[test]
fn batches() {
    let mut out = String::new();
    for body in [
        r#"{"get":[{"table":"orders","keys":[[7],["9"]]},{"table":"customers","keys":[[3]],"select":["name"]}]}"#,
        r#"{"get":{"table":"items","keys":[["eu",7],{"region":"eu","id":7},8],"include":["product(name)"]},"int64":"string"}"#,
        r#"{"get":[{"table":"orders"}]}"#,
        r#"{"get":[{"table":"orders","keys":7}]}"#,
        r#"{"get":[{"table":"orders","keys":[[null]]}]}"#,
        r#"{"get":[{"table":"orders","keys":[[7]],"where":[]}]}"#,
        r#"{"gets":[]}"#,
    ] {
        let shown = match read_batch(body.as_bytes()) {
            Ok(batch) => {
                let get = |get: &Get| {
                    let keys: Vec<_> = get
                        .keys
                        .iter()
                        .map(|key| format!("{:?}", key.values))
                        .collect();
                    format!(
                        "{} {} {}",
                        get.table,
                        keys.join(" "),
                        said::query(&get.query)
                    )
                };
                let gets: Vec<String> = batch.gets.iter().map(get).collect();
                format!("{} {}", gets.join("; "), batch.int64_as_text)
            }
            Err(error) => error.to_string(),
        };
        writeln!(out, "{body}\n    {shown}").unwrap();
    }
    expect![[r#"
        {"get":[{"table":"orders","keys":[[7],["9"]]},{"table":"customers","keys":[[3]],"select":["name"]}]}
            orders InOrder(["7"]) InOrder(["9"]) ; customers InOrder(["3"]) [name] false
        {"get":{"table":"items","keys":[["eu",7],{"region":"eu","id":7},8],"include":["product(name)"]},"int64":"string"}
            items InOrder(["eu", "7"]) ByColumn([("region", "eu"), ("id", "7")]) InOrder(["8"]) [*, product{[name] limit 20}] true
        {"get":[{"table":"orders"}]}
            expected a list of keys, as in "keys":[[7],[9]], at /get/0
        {"get":[{"table":"orders","keys":7}]}
            expected a list of keys, as in [[7],[9]], at /get/0/keys
        {"get":[{"table":"orders","keys":[[null]]}]}
            expected a value; null is asked for with "op":"is_null", at /get/0/keys/0/0
        {"get":[{"table":"orders","keys":[[7]],"where":[]}]}
            there is no field 'where' here, at /get/0/where
        {"gets":[]}
            there is no field 'gets' here, at /gets
    "#]].assert_eq(&out);
}

#[test]
fn a_request_has_bounds() {
    let keys = |count: usize| {
        let keys = vec!["[1]"; count].join(",");
        read_batch(format!(r#"{{"get":[{{"table":"t","keys":[{keys}]}}]}}"#).as_bytes())
    };
    assert!(keys(1_000).is_ok() && keys(1_001).is_err());
    let queries = |count: usize| {
        let queries: Vec<String> = (0..count)
            .map(|at| format!(r#""q{at}":{{"from":"t"}}"#))
            .collect();
        read(
            format!(r#"{{"queries":{{{}}}}}"#, queries.join(",")).as_bytes(),
            LIMIT_MAX,
        )
    };
    assert!(queries(16).is_ok() && queries(17).is_err());
    let groups = |count: usize| {
        let test = r#"{"column":"a","op":"eq","value":1}"#;
        let body = format!(
            r#"{{"from":"t","where":{}{test}{}}}"#,
            r#"{"or":["#.repeat(count),
            "]}".repeat(count)
        );
        read(body.as_bytes(), LIMIT_MAX)
    };
    assert!(groups(7).is_ok() && groups(8).is_err() && groups(10_000).is_err());
}

#[test]
fn an_error_repeats_little_of_what_was_sent() {
    let long = "x".repeat(100_000);
    for body in [
        json!({ &long: 1 }),
        json!({"from": &long}),
        json!({"from": "t", "where": [{&long: "a"}]}),
        json!({"from": "t", "where": [{"status": &long}]}),
        json!({"from": "t", "where": [format!("status = '{long}'")]}),
        json!({"from": "t", "where": [{"column": &long, "op": "eq", "value": 1}]}),
        json!({"from": "t", "where": [{"column": "a", "op": &long, "value": 1}]}),
        json!({"from": "t", "limit": &long}),
        json!({"queries": {&long: {"from": 1}}}),
        json!({"get": [{"table": "t", "keys": [{&long: 1}]}]}),
    ] {
        let body = body.to_string();
        for error in [
            read(body.as_bytes(), LIMIT_MAX).unwrap_err(),
            read_batch(body.as_bytes()).unwrap_err(),
        ] {
            assert!(error.to_string().len() < 500, "{error}");
        }
    }
}

/// A condition as JSON says it.
fn to_json(condition: &Condition) -> Value {
    let all = |parts: &[Condition]| parts.iter().map(to_json).collect::<Vec<_>>();
    match condition {
        Condition::All(parts) => json!({"and": all(parts)}),
        Condition::Any(parts) => json!({"or": all(parts)}),
        Condition::Not(part) => json!({"not": to_json(part)}),
        Condition::Related(related) => {
            json!({"rel": relation_text(&related.relation), "where": all(&related.filter)})
        }
        Condition::Test(test) => {
            let value = match &test.operand {
                Operand::One(text) => json!(text),
                Operand::List(texts) => json!(texts),
                Operand::Is(IsWhat::Null) => json!(null),
                Operand::Is(IsWhat::NotNull) => json!("not_null"),
                Operand::Is(IsWhat::True) => json!(true),
                Operand::Is(IsWhat::False) => json!("false"),
                Operand::Column(path) => json!({"column": column_text(path)}),
            };
            let op = match test.operator {
                Operator::Starts => "starts_with",
                operator => operator.spelling(),
            };
            json!({"column": column_text(&test.column), "op": op, "value": value})
        }
    }
}

fn column_text(path: &ColumnPath) -> String {
    let by = path.clone();
    let ordered = Ordered {
        by,
        descending: false,
        nulls_first: false,
    };
    let printed = print_order(&[ordered]);
    printed.strip_suffix(".asc.nullslast").unwrap().to_owned()
}

fn relation_text(relation: &RelationRef) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match &relation.hint {
        Some(hint) => format!("{}!{}", quoted(&relation.name), quoted(hint)),
        None => quoted(&relation.name),
    }
}

#[test]
fn a_negation_is_the_same_in_both_spellings() {
    for (json, url) in [
        (r#"{"not":{"rel":"a"}}"#, "(not.and(a.and()))"),
        (
            r#"{"not":{"not":{"rel":"a"}}}"#,
            "(not.and(not.and(a.and())))",
        ),
        (
            r#"{"not":{"column":"a.b","op":"eq","value":1}}"#,
            "(not.and(a.b.eq.1))",
        ),
        (
            r#"{"not":{"column":"b","op":"not_eq","value":1}}"#,
            "(not.and(b.not.eq.1))",
        ),
        (
            r#"{"not":{"column":"b","op":"eq","value":1}}"#,
            "(b.not.eq.1)",
        ),
        (
            r#"{"not":{"or":[{"column":"b","op":"eq","value":1}]}}"#,
            "(not.or(b.eq.1))",
        ),
    ] {
        let body = format!(r#"{{"from":"t","where":[{json}]}}"#);
        let Ok(Asked::One(question)) = read(body.as_bytes(), LIMIT_MAX) else {
            panic!("{json}")
        };
        let by_url = url::read([("and", url)]).unwrap();
        let by_json = [Condition::All(question.query.filter)];
        assert_eq!(by_url.filter, by_json, "{json}");
    }
}

proptest! {
    #[test]
    fn json_says_all_that_the_url_says(filter in proptest::collection::vec(any_condition(), 0..3), order in any_order()) {
        let filter = crate::tree::gather(filter);
        prop_assume!(filter.iter().map(Condition::nodes).sum::<usize>() < NODES_MAX);
        let conditions: Vec<Value> = filter.iter().map(to_json).collect();
        let order_texts: Vec<String> = order.iter().map(|item| print_order(std::slice::from_ref(item))).collect();
        let body = json!({"from": "t", "where": conditions, "order": order_texts}).to_string();
        let asked = read(body.as_bytes(), LIMIT_MAX).map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
        let Asked::One(question) = asked else { panic!("one was asked") };
        prop_assert_eq!(&question.query.filter, &filter);
        prop_assert_eq!(question.query.order, order);
    }

    #[test]
    fn no_body_makes_reading_panic(
        field in "from|select|include|where|order|limit|queries|get|keys|having|aggregate",
        value in "[\\[\\]{}:,\"a-d0-9.\\\\-]{0,30}|\\PC{0,20}",
    ) {
        for body in [value.clone(), format!("{{\"from\":\"t\",\"{field}\":{value}}}"), format!("{{\"from\":\"t\",\"{field}\":{}}}", json!(value))] {
            let _ = read(body.as_bytes(), LIMIT_MAX);
            let _ = read_batch(body.as_bytes());
        }
    }
}
