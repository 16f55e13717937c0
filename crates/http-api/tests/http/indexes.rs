//! Indexes that are added and removed at the admin listener, and shown by both.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use expect_test::{Expect, expect};
use http::Request;
use http_api::{Api, Limits};
use serde_json::{Value, json};
use telemetry::MetricsPage;

use crate::doubles::{Operated, Status};
use crate::fixture::{Shop, get, shown};

fn admin(shop: &Shop) -> Api {
    let limits = Limits {
        body_bytes_max: 1_000,
        ..Limits::default()
    };
    Api::admin(
        shop.state(Status::default()),
        Arc::new(Operated::default()),
        MetricsPage::empty(),
        limits,
    )
}

fn request(method: &str, uri: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("x-request-id", "r1");
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn check(api: &Api, line: &str, body: &str, expected: Expect) {
    let (method, uri) = line.split_once(' ').unwrap();
    expected.assert_eq(&shown(api.answer(request(method, uri, body)).await).await);
}

async fn send(api: &Api, method: &str, uri: &str, body: &Value) -> (u16, Value) {
    let response = api.answer(request(method, uri, &body.to_string())).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Indexes as the data listener shows them once all are ready. Yields to whoever builds them.
async fn shown_when_ready(shop: &Shop) -> Value {
    let api = shop.api();
    loop {
        let (_, mut table) = get(&api, "/v1/tables/orders").await;
        let mut details = table["index_details"].take();
        let list = details.as_array_mut().unwrap();
        if list.iter().all(|index| index["state"] == "ready") {
            for index in list {
                assert!(index["bytes"].take().as_u64() > Some(0));
                index.as_object_mut().unwrap().remove("bytes");
            }
            return json!([table["indexes"], details]);
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn indexes_come_and_go() {
    let shop = Shop::open();
    let api = admin(&shop);
    let path = "/v1/tables/shop.public.orders/indexes";
    let (status, answer) = send(&api, "POST", path, &json!({"columns": ["status", "id"]})).await;
    let index = &answer["index"];
    assert_eq!((status, &answer["table"]), (202, &json!("orders")));
    assert_eq!(
        (&index["columns"], &index["kind"]),
        (&json!(["status", "id"]), &json!("ordered"))
    );
    assert!(answer["hint"].as_str().unwrap().contains("restart"));
    let hash = json!({"columns": ["total"], "kind": "hash"});
    assert_eq!(send(&api, "POST", path, &hash).await.0, 202);
    assert_eq!(
        shown_when_ready(&shop).await,
        json!([
            [["status", "id"], ["total"]],
            [
                {"columns": ["status", "id"], "kind": "ordered", "state": "ready", "entries": 3},
                {"columns": ["total"], "kind": "hash", "state": "ready", "entries": 3},
            ]
        ])
    );
    check(
        &api,
        &format!("DELETE {path}?columns=status,id"),
        "",
        expect![[r#"
            200
            content-length: 136
            content-type: application/json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"table":"orders","removed":["status","id"],"hint":"If the configuration has it, it comes back at the next start: remove it there too."}
        "#]],
    )
    .await;
    let (status, _) = send(&api, "DELETE", path, &json!({"columns": ["total"]})).await;
    assert_eq!(status, 200);
    let (_, table) = get(&shop.api(), "/v1/tables/orders").await;
    assert_eq!(
        (&table["indexes"], &table["index_details"]),
        (&json!([]), &Value::Null)
    );
}

#[tokio::test]
async fn what_is_no_index_is_refused() {
    let shop = Shop::open();
    let api = admin(&shop);
    let post = "POST /v1/tables/orders/indexes";
    check(&api, post, r#"{"columns":["stats"]}"#, expect![[r#"
        400
        content-length: 478
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_column","title":"Unknown column","status":400,"code":"unknown_column","detail":"Table 'orders' has no column 'stats'.","candidates":["status"],"hint":"GET /v1/tables/orders lists all columns.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(&api, post, r#"{"columns":[]}"#, expect![[r#"
        400
        content-length: 462
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"Table 'orders': an index needs a column.","hint":"Name each column once, the one that counts most first.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(
        &api,
        post,
        r#"{"columns":["id"],"kind":"btree"}"#,
        expect![[r#"
            400
            content-length: 573
            content-type: application/problem+json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"The body names no index: unknown variant `btree`, expected `ordered` or `hash` at line 1 column 32.","hint":"Send JSON such as {\"columns\":[\"status\",\"created_at\"],\"kind\":\"ordered\"}; kind is ordered or hash.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    check(&api, post, "", expect![[r#"
        400
        content-length: 544
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"The body names no index: EOF while parsing a value at line 1 column 0.","hint":"Send JSON such as {\"columns\":[\"status\",\"created_at\"],\"kind\":\"ordered\"}; kind is ordered or hash.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn what_is_no_request_for_an_index_is_refused() {
    let shop = Shop::open();
    let api = admin(&shop);
    let post = "POST /v1/tables/orders/indexes";
    check(
        &api,
        &format!("{post}?kind=hash"),
        r#"{"columns":["id"]}"#,
        expect![[r#"
            400
            content-length: 450
            content-type: application/problem+json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/unknown_parameter","title":"Unknown parameter","status":400,"code":"unknown_parameter","detail":"There is no parameter 'kind' here.","hint":"This path takes no parameters.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    check(
        &api,
        "POST /v1/tables/ordres/indexes",
        r#"{"columns":["id"]}"#,
        expect![[r#"
            404
            content-length: 553
            content-type: application/problem+json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/unknown_table","title":"Unknown table","status":404,"code":"unknown_table","detail":"There is no table 'ordres'.","candidates":["orders"],"hint":"GET /v1/tables lists all tables.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    let long = json!({"columns": ["x".repeat(2_000)]}).to_string();
    check(&api, post, &long, expect![[r#"
        413
        content-length: 415
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/body_too_large","title":"Request body too large","status":413,"code":"body_too_large","detail":"A request's body has at most 1000 bytes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(&api, "GET /v1/tables/orders/indexes", "", expect![[r#"
        405
        allow: POST,DELETE
        content-length: 461
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/method_not_allowed","title":"Method not allowed","status":405,"code":"method_not_allowed","detail":"This path does not take GET.","hint":"The header Allow names the methods it takes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn the_same_index_is_not_made_twice_and_only_what_is_there_is_removed() {
    let shop = Shop::open();
    let api = admin(&shop);
    let path = "/v1/tables/orders/indexes";
    let index = json!({"columns": ["status", "id"]});
    assert_eq!(send(&api, "POST", path, &index).await.0, 202);
    let hash = r#"{"columns":["status","id"],"kind":"hash"}"#;
    check(&api, &format!("POST {path}"), hash, expect![[r#"
        409
        content-length: 451
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/index_exists","title":"Index exists","status":409,"code":"index_exists","detail":"Table 'orders' has an index of (status, id).","hint":"To change its kind, DELETE it first.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(
        &api,
        &format!("DELETE {path}?columns=status"),
        "",
        expect![[r#"
            404
            content-length: 481
            content-type: application/problem+json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/unknown_index","title":"Unknown index","status":404,"code":"unknown_index","detail":"Table 'orders' has no index of (status).","candidates":["status,id"],"hint":"GET /v1/tables/orders lists its indexes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    for column in ["id", "status", "total", "doc"] {
        for other in ["id", "status", "total", "doc"] {
            if column != other && [column, other] != ["status", "id"] {
                let body = json!({"columns": [column, other]});
                assert_eq!(send(&api, "POST", path, &body).await.0, 202);
            }
        }
    }
    for column in ["id", "status", "total", "doc"] {
        assert_eq!(
            send(&api, "POST", path, &json!({"columns": [column]}))
                .await
                .0,
            202
        );
    }
    let one_more = r#"{"columns":["id","status","doc"]}"#;
    check(&api, &format!("POST {path}"), one_more, expect![[r#"
        400
        content-length: 445
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"Table 'orders': a table has 16 indexes at most.","hint":"DELETE one that is not needed.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

/// A browser says where its page is from; no page changes the process.
#[tokio::test]
async fn a_web_page_changes_nothing() {
    let shop = Shop::open();
    let api = admin(&shop);
    for method in ["POST", "DELETE"] {
        let mut request = request(method, "/v1/tables/orders/indexes", r#"{"columns":["id"]}"#);
        let origin = "http://localhost:9090".parse().unwrap();
        request.headers_mut().insert("origin", origin);
        assert_eq!(api.answer(request).await.status().as_u16(), 403);
    }
    let (_, table) = get(&shop.api(), "/v1/tables/orders").await;
    assert_eq!(table["indexes"], json!([]));
}
