//! Lists that are refused, and with which words.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::sales;
use crate::fixture::get;

/// What each query is refused with.
async fn refused(queries: &[&str], expected: Expect) {
    let api = sales().api();
    let mut out = String::new();
    for query in queries {
        let (status, body) = get(&api, &format!("/v1/tables/sales/rows?{query}")).await;
        assert!(body["fresh"]["as_of"].is_string(), "{query}");
        writeln!(
            out,
            "{query}\n  {status} {} {} {} {}",
            body["code"], body["detail"], body["candidates"], body["hint"]
        )
        .unwrap();
    }
    expected.assert_eq(&out);
}

#[tokio::test]
async fn unknown_names_are_refused_with_candidates() {
    let queries = [
        "state=eq.paid",
        "f.state=eq.paid",
        "statsu=eq.paid",
        "limt=5",
        "select=id,totl",
        "order=statsu",
        "or=(id.eq.1,statsu.eq.2)",
        "status=paid",
        "status=equals.paid",
    ];
    refused(
        &queries,
        expect![[r#"
            state=eq.paid
              400 "unknown_parameter" "There is no parameter 'state', and table 'sales' has no such column." ["status"] "GET /v1/tables/sales lists all columns."
            f.state=eq.paid
              400 "unknown_column" "Table 'sales' has no column 'state'." ["status"] "GET /v1/tables/sales lists all columns."
            statsu=eq.paid
              400 "unknown_parameter" "There is no parameter 'statsu', and table 'sales' has no such column." ["status"] "GET /v1/tables/sales lists all columns."
            limt=5
              400 "unknown_parameter" "There is no parameter 'limt', and table 'sales' has no such column." ["limit"] "GET /v1/tables/sales lists all columns."
            select=id,totl
              400 "unknown_column" "Table 'sales' has no column 'totl'." ["total","note"] "GET /v1/tables/sales lists all columns."
            order=statsu
              400 "unknown_column" "Table 'sales' has no column 'statsu'." ["status"] "GET /v1/tables/sales lists all columns."
            or=(id.eq.1,statsu.eq.2)
              400 "unknown_column" "Table 'sales' has no column 'statsu'." ["status"] "GET /v1/tables/sales lists all columns."
            status=paid
              400 "bad_request" "The query cannot be read: there is no operator 'paid', in the value of 'status' at character 1." ["cd","in","is","eq","gt","gte","ilike","like","lt","lte"] "A filter is column=operator.value, as in status=eq.paid."
            status=equals.paid
              400 "bad_request" "The query cannot be read: there is no operator 'equals', in the value of 'status' at character 1." ["eq","is","lt","neq","starts","between","cd","contains","gt","gte"] "A filter is column=operator.value, as in status=eq.paid."
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_does_not_fit_a_type_is_refused_with_what_does() {
    let queries = [
        "id=eq.x",
        "id=in.(1,x)",
        "total=gt.1e5000",
        "paid=eq.yes",
        "at=gt.2023-11-14",
        "total=like.1*",
        "meta=gt.5",
        "order=meta",
        "status-%3Ex=eq.1",
        "id=is.true",
        "select=id,id",
        "select=*,id",
    ];
    refused(
        &queries,
        expect![[r#"
            id=eq.x
              400 "type_mismatch" "Table 'sales': column 'id' is of type int64: expected an integer, in the value of 'id' at character 4." null "Write the value as answers do. GET /v1/tables/sales lists the columns and their types."
            id=in.(1,x)
              400 "type_mismatch" "Table 'sales': column 'id' is of type int64: expected an integer as value 2 of the list, in the value of 'id' at character 4." null "Write the value as answers do. GET /v1/tables/sales lists the columns and their types."
            total=gt.1e5000
              400 "type_mismatch" "Table 'sales': column 'total' is of type decimal: expected a number of at most 1000 digits, below 1e1000, in the value of 'total' at character 4." null "Write the value as answers do. GET /v1/tables/sales lists the columns and their types."
            paid=eq.yes
              400 "type_mismatch" "Table 'sales': column 'paid' is of type boolean: expected true or false, in the value of 'paid' at character 4." null "Write the value as answers do. GET /v1/tables/sales lists the columns and their types."
            at=gt.2023-11-14
              400 "type_mismatch" "Table 'sales': column 'at' is of type timestamptz: expected a timestamp with zone, as in 2024-02-29T12:34:56.789Z, in the value of 'at' at character 4." null "Write the value as answers do. GET /v1/tables/sales lists the columns and their types."
            total=like.1*
              400 "type_mismatch" "Table 'sales': like cannot be asked of column 'total', which is of type decimal, in the value of 'total' at character 6." null "Ask eq, neq, gt, gte, lt, lte, between, in or is of it."
            meta=gt.5
              400 "type_mismatch" "Table 'sales': gt cannot be asked of column 'meta', which is of type json, in the value of 'meta' at character 4." null "Ask eq, neq, in, is or contains of it, or compare a part of it, as in doc->>name."
            order=meta
              400 "type_mismatch" "Table 'sales': rows cannot be ordered by column 'meta', which is of type json, in the value of 'order' at character 1." null "Order by a part of it, as in doc->>name."
            status-%3Ex=eq.1
              400 "type_mismatch" "Table 'sales': column 'status' is of type text and has no parts, in the parameter name 'status->x'." null "Only json, arrays, maps, structs and columns without a type have parts."
            id=is.true
              400 "type_mismatch" "Table 'sales': is cannot be asked of column 'id', which is of type int64, in the value of 'id' at character 4." null "Ask is.null or is.not_null of it; true and false are asked of boolean columns."
            select=id,id
              400 "bad_request" "Table 'sales': two columns of the answer would be called 'id'." null "Give one of them another name, as in select=total:amount."
            select=*,id
              400 "bad_request" "Table 'sales': two columns of the answer would be called 'id'." null "Give one of them another name, as in select=total:amount."
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_built_or_cannot_be_read_is_refused_by_name() {
    let queries = [
        "customer.tier=eq.gold",
        "select=customer(name)",
        "or=(id.eq.1",
        "count=planned",
        "format=csv",
        "explain=maybe",
        "int64=text",
        "order=id&order=status",
        "group_by=status",
        "include=customer",
        "at_least=tx:",
        "since=x",
    ];
    refused(
        &queries,
        expect![[r#"
            customer.tier=eq.gold
              400 "unknown_relation" "Table 'sales' has no relation 'customer', in the parameter name 'customer.tier'." null "Relations are said in the configuration ([[relations]]): change events carry no foreign keys."
            select=customer(name)
              400 "unknown_relation" "Table 'sales' has no relation 'customer', in the value of 'select' at character 1." null "Relations are said in the configuration ([[relations]]): change events carry no foreign keys."
            or=(id.eq.1
              400 "bad_request" "The query cannot be read: expected ',' or ')', in the value of 'or' at character 9." null "In groups and lists a value that has a comma, a parenthesis or a quote stands in double quotes; inside them a backslash goes before a quote or a backslash."
            count=planned
              400 "bad_request" "count is exact." ["exact"] null
            format=csv
              400 "bad_request" "format is objects or arrays." ["objects","arrays"] null
            explain=maybe
              400 "bad_request" "explain is true or false." ["true","false"] null
            int64=text
              400 "bad_request" "int64 is string or number." ["string","number"] null
            order=id&order=status
              400 "bad_request" "The parameter 'order' was sent more than once." null null
            group_by=status
              200 null null null null
            include=customer
              400 "unknown_relation" "Table 'sales' has no relation 'customer', in the value of 'include' at character 1." null "Relations are said in the configuration ([[relations]]): change events carry no foreign keys."
            at_least=tx:
              400 "bad_request" "at_least cannot be used: tx: wants the number that pg_current_xact_id() answers inside the transaction that writes, as in tx:753." null "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
            since=x
              400 "bad_request" "since (or Last-Event-ID) is no as_of of this version." null "since is the id of an event, or fresh.as_of of an answer, unchanged."
        "#]],
    )
    .await;
}
