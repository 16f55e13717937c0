//! `POST /v1/sql`.

use std::fmt::Write;

use axum::body::{Body, to_bytes};
use expect_test::{Expect, expect};
use http::Request;
use http_api::{Api, ApiState, Hosts, Limits};
use query::relation::{Endpoint, Relation, Relations};
use row_model::Value;

use crate::doubles::Status;
use crate::fixture::{NOW_MS, Shop};

/// Items belong to orders here.
fn api(shop: &Shop) -> Api {
    let endpoint = |table: &str, column: &str| Endpoint {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
    };
    let relations: Relations = vec![Relation {
        name: "order".to_owned(),
        from: endpoint("items", "order_id"),
        to: endpoint("orders", "id"),
        inverse: Some("items".to_owned()),
        constraint: None,
        is_unique: false,
    }]
    .into();
    let store = std::sync::Arc::clone(shop.store());
    let status = std::sync::Arc::new(Status::default());
    let state = ApiState::new(store, || NOW_MS, status, relations);
    Api::data(state, Hosts::loopback(&[]), Limits::default())
}

async fn sent(api: &Api, method: &str, body: &str) -> String {
    let request = Request::builder()
        .method(method)
        .uri("/v1/sql")
        .header("x-request-id", "r1")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = api.answer(request).await;
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    // How fresh an answer is, other tests tell.
    let text = text.split(",\"fresh\":").next().unwrap();
    let text = text.split("\"code\":").last().unwrap();
    format!("{status} {text}")
}

async fn check(bodies: &[&str], expected: Expect) {
    let shop = Shop::open();
    let api = api(&shop);
    let mut out = String::new();
    for body in bodies {
        let answer = sent(&api, "POST", body).await;
        writeln!(out, "{body}\n  {answer}").unwrap();
    }
    expected.assert_eq(&out);
}

#[tokio::test]
async fn a_statement_is_answered_with_columns_types_and_rows() {
    check(
        &[
            r#"{"sql":"SELECT id, status FROM orders WHERE status = $1 OR id < $2 ORDER BY id DESC","params":["paid",0]}"#,
            r#"{"sql":"select * from orders order by id limit 1"}"#,
            r#"{"sql":"select status, count(*) as n, sum(total), avg(id) from orders group by status having count(*) > 0 order by status desc limit 2"}"#,
            r#"{"sql":"select o.status, i.sku, i.qty from orders o join items i on i.order_id = o.id"}"#,
            r#"{"sql":"select id from orders where not exists (select 1 from items i where i.order_id = orders.id) order by 1"}"#,
            r#"{"sql":"select count(*) from notes where title = 'none'"}"#,
            r#"{"sql":"select line from log"}"#,
            r#"{"sql":"select id from orders order by id offset 1 limit 1"}"#,
            r#"{"sql":"select id from orders limit 0"}"#,
        ],
        expect![[r#"
            {"sql":"SELECT id, status FROM orders WHERE status = $1 OR id < $2 ORDER BY id DESC","params":["paid",0]}
              200 {"columns":["id","status"],"types":["int8","text"],"rows":[[7,"paid"],[-1,"it's \"new\""]],"truncated":false,"engine":"core"
            {"sql":"select * from orders order by id limit 1"}
              200 {"columns":["id","status","total","doc"],"types":["int8","text","numeric","jsonb"],"rows":[[-1,"it's \"new\"","19.90",null]],"unavailable":[[0,"doc"]],"truncated":false,"engine":"core"
            {"sql":"select status, count(*) as n, sum(total), avg(id) from orders group by status having count(*) > 0 order by status desc limit 2"}
              200 {"columns":["status","n","sum","avg"],"types":["text","int8","numeric","numeric"],"rows":[["shipped",1,"19.90","9.0000000000000000"],["paid",1,"19.90","7.0000000000000000"]],"truncated":false,"engine":"core"
            {"sql":"select o.status, i.sku, i.qty from orders o join items i on i.order_id = o.id"}
              200 {"columns":["status","sku","qty"],"types":["text","text","int4"],"rows":[["paid","A,1/🦀",3]],"truncated":false,"engine":"core"
            {"sql":"select id from orders where not exists (select 1 from items i where i.order_id = orders.id) order by 1"}
              200 {"columns":["id"],"types":["int8"],"rows":[[-1],[9]],"truncated":false,"engine":"core"
            {"sql":"select count(*) from notes where title = 'none'"}
              200 {"columns":["count"],"types":["int8"],"rows":[[0]],"truncated":false,"engine":"core"
            {"sql":"select line from log"}
              200 {"columns":["line"],"types":["text"],"rows":[],"truncated":false,"engine":"core"
            {"sql":"select id from orders order by id offset 1 limit 1"}
              200 {"columns":["id"],"types":["int8"],"rows":[[7]],"truncated":false,"engine":"core"
            {"sql":"select id from orders limit 0"}
              200 {"columns":["id"],"types":["int8"],"rows":[],"truncated":false,"engine":"core"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_answered_says_why_and_what_can_be_asked() {
    check(
        &[
            r#"{"sql":"select lower(status) from orders"}"#,
            r#"{"sql":"select id from"}"#,
            r#"{"sql":"select id from ordres"}"#,
            r#"{"sql":"select statsu from orders"}"#,
            r#"{"sql":"select id from orders where id = 'x'"}"#,
            r#"{"sql":"select id from orders where id = $1"}"#,
            r#"{"sql":"select id, id from orders"}"#,
            r#"{"sql":"select sum(status) from orders"}"#,
            r#"{"sql":"select id from orders","since":"x"}"#,
            r#"{"sql":"select id from orders","parms":[]}"#,
            r#"{"sql":1}"#,
            r"[]",
            r"",
        ],
        expect![[r#"
            {"sql":"select lower(status) from orders"}
              422 "unsupported_sql","detail":"The function lower is not supported, at line 1, column 8.","hint":"Compare with ILIKE or ~*, whatever the case.","retryable":false,"request_id":"r1"
            {"sql":"select id from"}
              400 "bad_request","detail":"Expected identifier and found EOF, at line 1, column 15.","hint":"Send one SELECT of PostgreSQL's dialect.","retryable":false,"request_id":"r1"
            {"sql":"select id from ordres"}
              404 "unknown_table","detail":"There is no table 'ordres'.","candidates":["orders"],"hint":"GET /v1/tables lists all tables.","retryable":false,"request_id":"r1"
            {"sql":"select statsu from orders"}
              400 "unknown_column","detail":"There is no column 'statsu', at line 1, column 8.","candidates":["status"],"hint":"GET /v1/tables/orders lists all columns.","retryable":false,"request_id":"r1"
            {"sql":"select id from orders where id = 'x'"}
              400 "type_mismatch","detail":"Table 'orders': column 'id' is of type int64: expected an integer, in the value of 'sql' at character 34.","hint":"Write the value as answers do. GET /v1/tables/orders lists the columns and their types.","retryable":false,"request_id":"r1"
            {"sql":"select id from orders where id = $1"}
              400 "bad_request","detail":"There is no value for $1 (params has 0), at line 1, column 34.","hint":"params has one value for each of $1, $2, … in their order.","retryable":false,"request_id":"r1"
            {"sql":"select id, id from orders"}
              400 "bad_request","detail":"Table 'orders': two columns of the answer would be called 'id'.","hint":"Give one of them another name, as in total AS amount; with joins name the columns instead of *.","retryable":false,"request_id":"r1"
            {"sql":"select sum(status) from orders"}
              400 "type_mismatch","detail":"Table 'orders': sum cannot be made of column 'status', which is of type text, in the value of 'sql' at character 8.","hint":"Only numbers and durations are summed; count, min and max take others too.","retryable":false,"request_id":"r1"
            {"sql":"select id from orders","since":"x"}
              400 "unknown_parameter","detail":"The field 'since' is not supported by this version.","hint":"The fields are sql, params, at_least, max_lag, wait, on_miss and at_exact. fresh in every answer says how fresh it is.","retryable":false,"request_id":"r1"
            {"sql":"select id from orders","parms":[]}
              400 "unknown_parameter","detail":"There is no field 'parms' here.","candidates":["params"],"hint":"Send {\"sql\":\"SELECT id FROM orders WHERE status = $1\",\"params\":[\"paid\"]}.","retryable":false,"request_id":"r1"
            {"sql":1}
              400 "bad_request","detail":"The body cannot be read: invalid type: integer `1`, expected a string at line 1 column 8.","hint":"Send {\"sql\":\"SELECT id FROM orders WHERE status = $1\",\"params\":[\"paid\"]}.","retryable":false,"request_id":"r1"
            []
              400 "bad_request","detail":"The body cannot be read: invalid type: sequence, expected a map at line 1 column 0.","hint":"Send {\"sql\":\"SELECT id FROM orders WHERE status = $1\",\"params\":[\"paid\"]}.","retryable":false,"request_id":"r1"

              400 "bad_request","detail":"The body cannot be read: EOF while parsing a value at line 1 column 0.","hint":"Send {\"sql\":\"SELECT id FROM orders WHERE status = $1\",\"params\":[\"paid\"]}.","retryable":false,"request_id":"r1"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn only_post_is_taken_and_the_uri_has_no_parameters() {
    let shop = Shop::open();
    let api = api(&shop);
    assert!(sent(&api, "GET", "").await.starts_with("405"));
    let request = Request::builder()
        .method("POST")
        .uri("/v1/sql?wait=2s")
        .body(Body::from(r#"{"sql":"select id from orders"}"#))
        .unwrap();
    assert_eq!(api.answer(request).await.status(), 400);
}

#[tokio::test]
async fn an_answer_stops_at_its_bounds_and_says_so() {
    let mut shop = Shop::open();
    for id in 0..10_001 {
        let title = format!("{id}");
        shop.put("notes", &[Value::Text(&title), Value::Null]);
    }
    shop.publish();
    let api = api(&shop);
    let of = async |statement: &str| {
        let answer = sent(&api, "POST", &format!(r#"{{"sql":"{statement}"}}"#)).await;
        let (rows, tail) = answer.rsplit_once(']').unwrap();
        (rows.matches("[\"").count() - 2, tail.to_owned())
    };
    let whole = of("select title from notes limit 10000").await;
    assert_eq!(
        whole,
        (
            10_000,
            ",\"truncated\":false,\"engine\":\"core\"".to_owned()
        )
    );
    let (rows, tail) = of("select title from notes").await;
    assert_eq!(rows, 10_000);
    expect![[r#","truncated":true,"hint":"The answer stopped at 10,000 rows. Add a LIMIT, filter with WHERE or aggregate; to read all rows, follow next of GET /v1/tables/notes/rows.","engine":"core""#]].assert_eq(&tail);
    let (rows, tail) = of("select title from notes limit 20000").await;
    assert!(
        rows == 10_000 && tail.starts_with(",\"truncated\":true"),
        "{tail}"
    );
    let (rows, tail) = of("select count(*) from notes").await;
    assert!(
        rows == 0 && tail.starts_with(",\"truncated\":false"),
        "{tail}"
    );
}
