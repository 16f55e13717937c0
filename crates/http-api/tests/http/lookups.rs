//! `GET /v1/tables/{t}/rows/{key}`: one row, or exactly why there is none.

use std::fmt::Write;

use expect_test::expect;
use serde_json::json;
use table_store::ReadState;

use crate::fixture::{NOW_MS, Shop, check, get, request, shown};

#[tokio::test]
async fn a_row_with_its_freshness() {
    let api = Shop::open().api();
    check(&api, "GET /v1/tables/orders/rows/7", expect![[r#"
        200
        content-type: application/json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"row":{"id":7,"status":"paid","total":"19.90","unavailable":["doc"]},"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn the_head_of_a_row() {
    let api = Shop::open().api();
    check(
        &api,
        "HEAD /v1/tables/orders/rows/7",
        expect![[r#"
            200
            content-length: 260
            content-type: application/json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live


        "#]],
    )
    .await;
}

#[tokio::test]
async fn the_short_way_and_the_router_answer_alike() {
    let shop = Shop::open();
    let api = shop.api();
    for path in [
        "/v1/tables/orders/rows/7",
        "/v1/tables/orders/rows/8",
        "/v1/tables/notes/rows/",
        "/v1/tables/x/rows/7",
        "/v1/tables/orders/rows/7?wait=2s",
    ] {
        // HEAD takes the long way. Only its body is missing.
        let get = api.answer(request(&format!("GET {path}"))).await;
        let head = api.answer(request(&format!("HEAD {path}"))).await;
        assert_eq!(get.status(), head.status(), "{path}");
        let length = axum::body::to_bytes(get.into_body(), usize::MAX)
            .await
            .unwrap()
            .len();
        assert_eq!(
            head.headers()["content-length"],
            length.to_string(),
            "{path}"
        );
    }
    assert_eq!(
        api.answer(request("HEAD /v1/tables/orders/rows/7"))
            .await
            .headers()["x-request-id"],
        "r1"
    );
}

#[tokio::test]
async fn keys_of_every_spelling() {
    let api = Shop::open().api();
    for (path, row) in [
        (
            "orders/rows/-1",
            json!({"id": -1, "status": "it's \"new\"", "total": "19.90", "unavailable": ["doc"]}),
        ),
        (
            "items/rows/7,A%2C1%2F%F0%9F%A6%80",
            json!({"order_id": 7, "sku": "A,1/🦀", "qty": 3}),
        ),
        ("notes/rows/", json!({"title": "", "body": null})),
        ("notes/rows/a%2Fb", json!({"title": "a/b", "body": null})),
        ("notes/rows/a%2cb", json!({"title": "a,b", "body": null})),
        (
            "notes/rows/50%25%20%22off%22",
            json!({"title": "50% \"off\"", "body": null}),
        ),
        ("events/rows/7", json!({"id": 7, "kind": "number"})),
        ("events/rows/8", json!({"id": "8", "kind": "text"})),
        (
            "shop.public.orders/rows/9",
            json!({"id": 9, "status": "shipped", "total": "19.90", "unavailable": ["doc"]}),
        ),
        (
            "public.orders/rows/09",
            json!({"id": 9, "status": "shipped", "total": "19.90", "unavailable": ["doc"]}),
        ),
    ] {
        let (status, body) = get(&api, &format!("/v1/tables/{path}")).await;
        assert_eq!((status, &body["row"]), (200, &row), "{path}");
    }
}

#[tokio::test]
async fn no_row_with_this_key() {
    let api = Shop::open().api();
    check(&api, "GET /v1/tables/orders/rows/8", expect![[r#"
        404
        content-length: 404
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/row_not_found","title":"Row not found","status":404,"code":"row_not_found","detail":"Table 'orders' has no row with this key.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn a_missing_row_says_what_that_does_not_prove() {
    let mut hints = String::new();
    let mut hint_when = async |set: &dyn Fn(&mut table_store::TableFacts)| {
        let mut shop = Shop::open();
        shop.set_facts("orders", |facts| set(facts));
        shop.publish();
        let (status, body) = get(&shop.api(), "/v1/tables/orders/rows/8").await;
        assert_eq!((status, &body["code"]), (404, &json!("row_not_found")));
        writeln!(
            hints,
            "{}: {}",
            body["fresh"]["state"].as_str().unwrap(),
            body["hint"].as_str().unwrap()
        )
        .unwrap();
    };
    hint_when(&|facts| facts.state = ReadState::Loading).await;
    hint_when(&|facts| facts.state = ReadState::CatchingUp).await;
    hint_when(&|facts| facts.state = ReadState::Stalled).await;
    hint_when(&|facts| {
        *facts = table_store::TableFacts::default();
        facts.state = ReadState::Live;
        facts.told_at_end(NOW_MS - 31_000);
    })
    .await;
    hint_when(&|facts| facts.quarantined = 2).await;
    hint_when(&|facts| facts.complete = false).await;
    hint_when(&|facts| {
        facts.complete = false;
        facts.incomplete_because = Some("retention had removed offsets below 1200".to_owned());
    })
    .await;
    expect![[r#"
        loading: The table is still being read for the first time: the row may not have been reached yet.
        catching_up: The table is catching up with its log: the row may be there in a moment.
        stalled: The table takes no changes at the moment: the row may have been written since. GET /v1/status says why.
        stale: There was no contact with the log for a while: the row may have been written since.
        live: Some records of this table could not be applied: the row may be among them. GET /v1/quarantine lists them.
        live: The table is not complete (the log had been shortened before it was read): the row may exist in the source.
        live: The table is not complete (retention had removed offsets below 1200): the row may exist in the source.
    "#]].assert_eq(&hints);
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_what_was_expected() {
    let api = Shop::open().api();
    let mut refused = String::new();
    for path in [
        "orders/rows/x",
        "orders/rows/7,8",
        "orders/rows/",
        "items/rows/7",
        "orders/rows/%zz",
        "notes/rows/%ff",
        "log/rows/1",
    ] {
        let (status, body) = get(&api, &format!("/v1/tables/{path}")).await;
        assert!(body["fresh"]["as_of"].is_string(), "{path}");
        writeln!(
            refused,
            "{path}: {status} {} {} | {}",
            body["code"], body["detail"], body["hint"]
        )
        .unwrap();
    }
    expect![[r#"
        orders/rows/x: 400 "type_mismatch" "Table 'orders': key column 'id' is of type int64: expected an integer." | "Write the value as answers do. GET /v1/tables/orders lists the key and its types."
        orders/rows/7,8: 400 "bad_request" "Table 'orders': the key has 1 value (id), not 2." | "The values stand in key order with a comma between; a comma inside a value is written %2C."
        orders/rows/: 400 "type_mismatch" "Table 'orders': key column 'id' is of type int64: expected an integer." | "Write the value as answers do. GET /v1/tables/orders lists the key and its types."
        items/rows/7: 400 "bad_request" "Table 'items': the key has 2 values (order_id,sku), not 1." | "The values stand in key order with a comma between; a comma inside a value is written %2C."
        orders/rows/%zz: 400 "bad_request" "Table 'orders': the key is not percent-encoded text: '%' is not followed by two hexadecimal digits (a percent sign itself is written %25)." | null
        notes/rows/%ff: 400 "bad_request" "Table 'notes': the key is not percent-encoded text: the decoded bytes are not UTF-8." | null
        log/rows/1: 404 "row_not_found" "Table 'log' has no row with this key." | null
    "#]].assert_eq(&refused);
}

#[tokio::test]
async fn a_table_without_rows_has_none() {
    let mut shop = Shop::open();
    shop.add(
        "shop.public.empty",
        &[("id", row_model::ColumnType::Int64)],
        Some(&["id"]),
    );
    shop.publish();
    let response = shop
        .api()
        .answer(request("GET /v1/tables/empty/rows/whatever"))
        .await;
    assert!(shown(response).await.starts_with("404\n"));
}

#[tokio::test]
async fn answers_follow_the_published_cut() {
    let mut shop = Shop::open();
    let api = shop.api();
    let api_of = |id: &str| format!("/v1/tables/events/rows/{id}");
    shop.put(
        "events",
        &[row_model::Value::Int(10), row_model::Value::Null],
    );
    assert_eq!(get(&api, &api_of("10")).await.0, 404);
    shop.publish();
    assert_eq!(get(&api, &api_of("10")).await.0, 200);
}
