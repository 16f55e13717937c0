//! Questions with a body: `POST /v1/query` and `POST /v1/batch-get`.

use std::fmt::Write;

use axum::body::Body;
use expect_test::{Expect, expect};
use http_api::Limits;
use serde_json::json;

use crate::fixture::{check, get, post, request, said, sales, shown};

/// What each body is answered with.
async fn answers(path: &str, bodies: &[&str], expected: Expect) {
    let api = sales().api();
    let mut out = String::new();
    for body in bodies {
        let (status, answer) = post(&api, path, body).await;
        writeln!(out, "{body}\n    {}", said(status, answer)).unwrap();
    }
    expected.assert_eq(&out);
}

#[tokio::test]
async fn queries() {
    answers(
        "/v1/query",
        &[
            r#"{"from":"orders","select":["id","total"],"include":[{"rel":"customer","select":["name","tier"]},{"rel":"items","select":["sku","qty"],"where":[{"column":"qty","op":"gt","value":1}],"order":["-qty"],"limit":5,"required":true}],"where":[{"column":"status","op":"in","value":["paid","shipped"]},{"or":[{"column":"total","op":"gte","value":100},{"column":"customer.tier","op":"eq","value":"gold"}]}],"order":["-id"],"limit":50}"#,
            r#"{"from":"orders","select":["id","customer.name"],"format":"arrays","count":"exact","explain":true,"limit":"1","int64":"string"}"#,
            r#"{"from":"orders","select":"id","include":[{"rel":"customer","select":["name"],"flatten":true}],"where":{"column":"id","op":"eq","value":7}}"#,
            r#"{"from":"orders","where":[],"group_by":["customer.tier"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"total","as":"revenue"}],"having":[{"column":"n","op":"gt","value":1}],"order":["-revenue"]}"#,
            r#"{"queries":{"order":{"from":"orders","select":["id"],"limit":1},"stock":{"from":"items","select":["sku"],"where":[{"column":"qty","op":"gt","value":1}],"format":"arrays"}}}"#,
        ],
        expect![[r#"
            {"from":"orders","select":["id","total"],"include":[{"rel":"customer","select":["name","tier"]},{"rel":"items","select":["sku","qty"],"where":[{"column":"qty","op":"gt","value":1}],"order":["-qty"],"limit":5,"required":true}],"where":[{"column":"status","op":"in","value":["paid","shipped"]},{"or":[{"column":"total","op":"gte","value":100},{"column":"customer.tier","op":"eq","value":"gold"}]}],"order":["-id"],"limit":50}
                200 {"count":2,"next":null,"rows":[{"customer":{"name":"Ada","tier":"gold"},"id":9,"items":[{"qty":5,"sku":"A1"}],"total":"240.00"},{"customer":{"name":"Ada","tier":"gold"},"id":7,"items":[{"qty":3,"sku":"A1"}],"total":"19.90"}],"truncated":false}
            {"from":"orders","select":["id","customer.name"],"format":"arrays","count":"exact","explain":true,"limit":"1","int64":"string"}
                200 {"columns":["id","name"],"count":1,"next":"QkS4gE2baFS5zTClZKJZm4zOX8dx3OPjfCOBCAA","plan":{"access":"scan","rows_examined":4},"rows":[["7","Ada"]],"total":4,"truncated":false}
            {"from":"orders","select":"id","include":[{"rel":"customer","select":["name"],"flatten":true}],"where":{"column":"id","op":"eq","value":7}}
                200 {"count":1,"next":null,"rows":[{"customer_name":"Ada","id":7}],"truncated":false}
            {"from":"orders","where":[],"group_by":["customer.tier"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"total","as":"revenue"}],"having":[{"column":"n","op":"gt","value":1}],"order":["-revenue"]}
                200 {"count":1,"next":null,"rows":[{"n":2,"revenue":"259.90","tier":"gold"}],"truncated":false}
            {"queries":{"order":{"from":"orders","select":["id"],"limit":1},"stock":{"from":"items","select":["sku"],"where":[{"column":"qty","op":"gt","value":1}],"format":"arrays"}}}
                200 {"results":{"order":{"count":1,"next":"QkS4gE2baFS5zTClZKJZm4zOX8dx3OPjfCOBCAA","rows":[{"id":7}],"truncated":false},"stock":{"columns":["sku"],"count":2,"next":null,"rows":[["A1"],["A1"]],"truncated":false}}}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn bodies_that_are_no_queries_are_refused_with_the_place() {
    answers(
        "/v1/query",
        &[
            "",
            r#"{"from":"orders",}"#,
            r#"{"table":"orders"}"#,
            r#"{"from":"order"}"#,
            r#"{"from":"orders","filter":[]}"#,
            r#"{"from":"orders","wait":"2s"}"#,
            r#"{"from":"orders","since":"x"}"#,
            r#"{"from":"orders","since":"x","limit":2}"#,
            r#"{"from":"orders","since":"x","order":"id"}"#,
            r#"{"queries":{"paid":{"from":"orders","since":"x"}}}"#,
            r#"{"from":"orders","offset":20}"#,
            r#"{"from":"orders","limit":20000}"#,
            r#"{"from":"orders","cursor":"abc"}"#,
            r#"{"from":"orders","where":["status = 'paid'"]}"#,
            r#"{"from":"orders","where":[{"column":"state","op":"eq","value":"paid"}]}"#,
            r#"{"from":"orders","where":[{"column":"total","op":"gt","value":"much"}]}"#,
            r#"{"from":"orders","where":[{"column":"status","op":"equal","value":"paid"}]}"#,
            r#"{"from":"orders","include":[{"rel":"client"}]}"#,
            r#"{"from":"orders","include":["items(skew)"]}"#,
            r#"{"queries":{"a":{"from":"orders"},"b":{"from":"orders","select":["x"]}}}"#,
        ],
        expect![[r#"

                400 {"code":"bad_request","detail":"The body cannot be read: this is no JSON: EOF while parsing a value at line 1 column 0, in the body.","hint":"A query is an object, as in {\"from\":\"orders\",\"where\":[{\"column\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}],\"order\":[\"-id\"],\"limit\":20}."}
            {"from":"orders",}
                400 {"code":"bad_request","detail":"The body cannot be read: this is no JSON: key must be a string at line 1 column 18, in the body.","hint":"A query is an object, as in {\"from\":\"orders\",\"where\":[{\"column\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}],\"order\":[\"-id\"],\"limit\":20}."}
            {"table":"orders"}
                400 {"candidates":["since","where","count","from","having","include","int64","limit","order","select"],"code":"unknown_parameter","detail":"The body cannot be read: there is no field 'table' here, at /table.","hint":"The fields here are from, select, include, where, group_by, aggregate, having, order, limit, cursor, count, explain, format, int64, since."}
            {"from":"order"}
                404 {"candidates":["orders"],"code":"unknown_table","detail":"There is no table 'order'.","hint":"GET /v1/tables lists all tables."}
            {"from":"orders","filter":[]}
                400 {"candidates":["int64","order","since","cursor","format","from","limit","select","where","count"],"code":"unknown_parameter","detail":"The body cannot be read: there is no field 'filter' here, at /filter.","hint":"The fields here are from, select, include, where, group_by, aggregate, having, order, limit, cursor, count, explain, format, int64, since."}
            {"from":"orders","wait":"2s"}
                400 {"code":"bad_request","detail":"wait means nothing without at_least, max_lag or the header If-None-Match.","hint":"at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end; If-None-Match its header ETag, to wait for a change."}
            {"from":"orders","since":"x"}
                400 {"code":"bad_request","detail":"since (or Last-Event-ID) is no as_of of this version.","hint":"since is the id of an event, or fresh.as_of of an answer, unchanged."}
            {"from":"orders","since":"x","limit":2}
                400 {"code":"bad_request","detail":"limit does not go with since.","hint":"since answers all rows that changed, as objects; filters and select go with it."}
            {"from":"orders","since":"x","order":"id"}
                400 {"code":"bad_request","detail":"Changes are told of rows by themselves: filter and select name columns of the table, and no relations or aggregates.","hint":"Follow the other table as well, or read related rows when a row changes."}
            {"queries":{"paid":{"from":"orders","since":"x"}}}
                400 {"code":"bad_request","detail":"since is asked of one query by itself.","hint":"Send the query alone, or follow the tables with GET /v1/changes."}
            {"from":"orders","offset":20}
                400 {"candidates":["format","order","count","cursor","from","limit","select","since","where","having"],"code":"unknown_parameter","detail":"The body cannot be read: there is no field 'offset' here, at /offset.","hint":"Rows that come and go would be shown twice or not at all: pass next of the previous page as cursor."}
            {"from":"orders","limit":20000}
                400 {"code":"bad_request","detail":"The body cannot be read: expected a whole number from 1 to 10000, at /limit."}
            {"from":"orders","cursor":"abc"}
                400 {"code":"bad_cursor","detail":"The cursor cannot be used: it is not a cursor of this server.","hint":"Pass next of the previous page unchanged, with the same table, or leave the cursor out to begin anew."}
            {"from":"orders","where":["status = 'paid'"]}
                400 {"code":"bad_request","detail":"The body cannot be read: expected {\"column\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}, at /where/0."}
            {"from":"orders","where":[{"column":"state","op":"eq","value":"paid"}]}
                400 {"candidates":["status"],"code":"unknown_column","detail":"Table 'orders' has no column 'state'.","hint":"GET /v1/tables/orders lists all columns."}
            {"from":"orders","where":[{"column":"total","op":"gt","value":"much"}]}
                400 {"code":"type_mismatch","detail":"Table 'orders': column 'total' is of type decimal: expected a decimal number, at /where/0/value.","hint":"Write the value as answers do. GET /v1/tables/orders lists the columns and their types."}
            {"from":"orders","where":[{"column":"status","op":"equal","value":"paid"}]}
                400 {"candidates":["eq","neq","cd","gt","gte","ilike","in","is","is_null","like"],"code":"bad_request","detail":"The body cannot be read: 'equal' is not known here, at /where/0/op."}
            {"from":"orders","include":[{"rel":"client"}]}
                400 {"candidates":["items","customer"],"code":"unknown_relation","detail":"Table 'orders' has no relation 'client', at /include/0/rel.","hint":"Relations are said in the configuration ([[relations]]): change events carry no foreign keys."}
            {"from":"orders","include":["items(skew)"]}
                400 {"candidates":["sku"],"code":"unknown_column","detail":"Table 'items' has no column 'skew'.","hint":"GET /v1/tables/items lists all columns."}
            {"queries":{"a":{"from":"orders"},"b":{"from":"orders","select":["x"]}}}
                400 {"candidates":["id","total","status","customer_id"],"code":"unknown_column","detail":"Table 'orders' has no column 'x'.","hint":"GET /v1/tables/orders lists all columns."}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn pages_are_walked_with_the_cursor() {
    let api = sales().api();
    let mut cursor = json!(null);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let body = json!({"from": "orders", "select": ["id"], "order": ["customer.name", "-id"], "limit": 2, "cursor": cursor});
        let (status, answer) = post(&api, "/v1/query", &body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        ids.extend(
            answer["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["id"].clone()),
        );
        cursor = answer["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(json!(ids), json!([9, 7, 8, 10]));
}

#[tokio::test]
async fn a_batch_of_keys() {
    answers(
        "/v1/batch-get",
        &[
            r#"{"get":[{"table":"orders","keys":[[7],["99"],9,{"id":"8"},7],"select":["id","status"]},{"table":"public.customers","keys":[[3]],"select":["name"]}]}"#,
            r#"{"get":{"table":"orders","keys":[[7]],"include":["customer(name)",{"rel":"items","select":["sku"],"limit":1}]},"int64":"string"}"#,
            r#"{"get":[{"table":"orders","keys":[]}]}"#,
            r#"{"get":[{"table":"orders","keys":[[7,8]]}]}"#,
            r#"{"get":[{"table":"orders","keys":[{"order":7}]}]}"#,
            r#"{"get":[{"table":"orders","keys":[["x"]]}]}"#,
            r#"{"get":[{"table":"orders","keys":[[7]],"select":["count()"]}]}"#,
            r#"{"get":[{"table":"order","keys":[[7]]}]}"#,
            r#"{"get":[{"table":"orders","key":[[7]]}]}"#,
            r#"{"keys":[[7]]}"#,
        ],
        expect![[r#"
            {"get":[{"table":"orders","keys":[[7],["99"],9,{"id":"8"},7],"select":["id","status"]},{"table":"public.customers","keys":[[3]],"select":["name"]}]}
                200 {"results":[{"rows":[{"id":7,"status":"paid"},null,{"id":9,"status":"shipped"},{"id":8,"status":"paid"},{"id":7,"status":"paid"}],"table":"orders"},{"rows":[{"name":"Ada"}],"table":"customers"}]}
            {"get":{"table":"orders","keys":[[7]],"include":["customer(name)",{"rel":"items","select":["sku"],"limit":1}]},"int64":"string"}
                200 {"results":[{"rows":[{"customer":{"name":"Ada"},"customer_id":"3","id":"7","items":[{"sku":"A1"}],"status":"paid","total":"19.90","truncated":["items"]}],"table":"orders"}]}
            {"get":[{"table":"orders","keys":[]}]}
                200 {"results":[{"rows":[],"table":"orders"}]}
            {"get":[{"table":"orders","keys":[[7,8]]}]}
                400 {"code":"bad_request","detail":"Table 'orders': the key has 1 value (id), not 2, at /get/0/keys/0.","hint":"A key is a list of its values in key order. GET /v1/tables/orders lists the key and its types."}
            {"get":[{"table":"orders","keys":[{"order":7}]}]}
                400 {"code":"bad_request","detail":"Table 'orders': the key is made of id, not order, at /get/0/keys/0.","hint":"A key is a list of its values in key order. GET /v1/tables/orders lists the key and its types."}
            {"get":[{"table":"orders","keys":[["x"]]}]}
                400 {"code":"type_mismatch","detail":"Table 'orders': key column 'id' is of type int64: expected an integer, at /get/0/keys/0.","hint":"A key is a list of its values in key order. GET /v1/tables/orders lists the key and its types."}
            {"get":[{"table":"orders","keys":[[7]],"select":["count()"]}]}
                400 {"code":"bad_request","detail":"A row that is looked up by its key cannot be aggregated.","hint":"Aggregate rows with GET /v1/tables/orders/rows?aggregate=n:count(). Related rows are aggregated within their own brackets: select=*,items(qty.sum())."}
            {"get":[{"table":"order","keys":[[7]]}]}
                404 {"candidates":["orders"],"code":"unknown_table","detail":"There is no table 'order'.","hint":"GET /v1/tables lists all tables."}
            {"get":[{"table":"orders","key":[[7]]}]}
                400 {"candidates":["keys"],"code":"unknown_parameter","detail":"The body cannot be read: there is no field 'key' here, at /get/0/key.","hint":"The fields here are table, keys, select, include."}
            {"keys":[[7]]}
                400 {"candidates":["get","int64"],"code":"unknown_parameter","detail":"The body cannot be read: there is no field 'keys' here, at /keys.","hint":"The fields here are get, int64."}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_asked_with_a_body_is_refused() {
    let api = sales().api();
    for path in ["/v1/query", "/v1/batch-get"] {
        let response = api.answer(request(&format!("GET {path}"))).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST,QUERY");
        let (status, body) = post(&api, &format!("{path}?limit=5"), "{}").await;
        assert_eq!((status, &body["code"]), (400, &json!("unknown_parameter")));
    }
    let body = r#"{"from":"orders","select":["id"],"limit":1}"#;
    let mut asked = request("QUERY /v1/query\naccept: application/x-ndjson");
    *asked.body_mut() = Body::from(body);
    expect![[r#"
        200
        content-length: 297
        content-type: application/x-ndjson
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"columns":["id"]}
        {"id":7}
        {"count":1,"next":"QkS4gE2baFS5zTClZKJZm4zOX8dx3OPjfCOBCAA","truncated":false,"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}

    "#]].assert_eq(&shown(api.answer(asked).await).await);
}

#[tokio::test]
async fn a_body_without_a_length_is_limited_too() {
    let api = sales().api_with(Limits {
        body_bytes_max: 10,
        ..Limits::default()
    });
    let (status, body) = post(&api, "/v1/query", r#"{"from":"orders"}"#).await;
    assert_eq!((status, &body["code"]), (413, &json!("body_too_large")));
    assert_eq!(get(&api, "/v1/tables/orders/rows/7").await.0, 200);
}

#[tokio::test]
async fn the_url_and_json_say_the_same() {
    let api = sales().api();
    let (_, by_url) = get(&api, "/v1/tables/orders/rows?select=id,customer(name),items(sku)&items.order=qty.desc&customer.tier=eq.gold&order=total.desc").await;
    let body = r#"{"from":"orders","select":["id"],"include":["customer(name)",{"rel":"items","select":["sku"],"order":["-qty"]}],"where":[{"column":"customer.tier","op":"eq","value":"gold"}],"order":["-total"]}"#;
    let (status, by_json) = post(&api, "/v1/query", body).await;
    assert_eq!(status, 200, "{by_json}");
    assert_eq!(by_url, by_json);
    check(
        &api,
        "HEAD /v1/query",
        expect![[r#"
            405
            allow: POST,QUERY
            content-length: 534
            content-type: application/problem+json
            rowtide-as-of: Avq5NW_ZS35NAQAABQQBaz9wAM2bnYWBJStxAQAABQQBaz9wAES4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live


        "#]],
    )
    .await;
}
