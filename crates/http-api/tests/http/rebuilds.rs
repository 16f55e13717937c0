//! Tables that are read from the log's start again, as the admin listener takes it in hand and the status tells it.

use std::sync::Arc;

use api_types::{RebuildState, RebuildStatus};
use axum::body::Body;
use expect_test::{Expect, expect};
use http::Request;
use http_api::{Api, Limits};
use telemetry::MetricsPage;

use crate::doubles::{Operated, Status};
use crate::fixture::{Shop, get, request, shown};

fn admin(operated: Operated) -> Api {
    let state = Shop::open().state(Status::default());
    Api::admin(
        state,
        Arc::new(operated),
        MetricsPage::empty(),
        Limits::default(),
    )
}

async fn check(api: &Api, line: &str, expected: Expect) {
    expected.assert_eq(&shown(api.answer(request(line)).await).await);
}

#[tokio::test]
async fn a_rebuild_is_taken_in_hand_unless_one_runs() {
    let api = admin(Operated::default());
    check(&api, "POST /v1/tables/items/rebuild", expect![[r#"
        202
        content-length: 245
        content-type: application/json
        rowtide-as-of: AgUHFH4Xmh_3AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"table":"items","rebuild":{"number":7,"state":"replaying","progress":0.0,"rows":0},"hint":"The table answers as before until the new rows take its place in one cut. GET /v1/status on the data listener shows how far it is, and what came of it."}
    "#]]).await;
    check(
        &api,
        "POST /v1/tables/items/rebuild?accept_incomplete=true",
        expect![[r#"
            202
            content-length: 279
            content-type: application/json
            rowtide-as-of: AgUHFH4Xmh_3AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"table":"items","rebuild":{"number":7,"state":"replaying","progress":0.0,"rows":0,"detail":"incomplete is accepted"},"hint":"The table answers as before until the new rows take its place in one cut. GET /v1/status on the data listener shows how far it is, and what came of it."}
        "#]],
    )
    .await;
    // By a longer name too.
    check(
        &api,
        "POST /v1/tables/shop.public.orders/rebuild",
        expect![[r#"
            409
            content-length: 461
            content-type: application/problem+json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/operation_refused","title":"Operation refused","status":409,"code":"operation_refused","detail":"Table 'orders' is being rebuilt already.","hint":"GET /v1/status shows how far it is.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let api = admin(Operated::default());
    check(&api, "POST /v1/tables/itms/rebuild", expect![[r#"
        404
        content-length: 550
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_table","title":"Unknown table","status":404,"code":"unknown_table","detail":"There is no table 'itms'.","candidates":["items"],"hint":"GET /v1/tables lists all tables.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(
        &api,
        "POST /v1/tables/items/rebuild?accept_incomplete=yes",
        expect![[r#"
            400
            content-length: 423
            content-type: application/problem+json
            rowtide-as-of: AgUHFH4Xmh_3AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live

            {"type":"https://github.com/rowtide/rowtide/errors/bad_request","title":"Bad request","status":400,"code":"bad_request","detail":"accept_incomplete is true or false.","candidates":["true","false"],"retryable":false,"request_id":"r1","fresh":{"as_of":"AgUHFH4Xmh_3AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
        "#]],
    )
    .await;
    check(&api, "GET /v1/tables/items/rebuild", expect![[r#"
        405
        allow: POST
        content-length: 461
        content-type: application/problem+json
        rowtide-as-of: AgUHFH4Xmh_3AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/method_not_allowed","title":"Method not allowed","status":405,"code":"method_not_allowed","detail":"This path does not take GET.","hint":"The header Allow names the methods it takes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AgUHFH4Xmh_3AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    let busy = admin(Operated { busy: true });
    check(&busy, "POST /v1/tables/items/rebuild", expect![[r#"
        503
        content-length: 418
        content-type: application/problem+json
        retry-after: 1
        rowtide-as-of: AgUHFH4Xmh_3AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/overloaded","title":"Overloaded","status":503,"code":"overloaded","detail":"Too much is asked of the pipeline already.","retryable":true,"retry_after_ms":1000,"request_id":"r1","fresh":{"as_of":"AgUHFH4Xmh_3AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn no_web_page_may_have_a_table_rebuilt() {
    let request = Request::post("/v1/tables/items/rebuild");
    let request = request.header("origin", "http://localhost");
    let request = request.body(Body::empty()).unwrap();
    let response = admin(Operated::default()).answer(request).await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn the_status_tells_how_far_a_rebuild_is() {
    let shop = Shop::open();
    let rebuild = RebuildStatus {
        number: 2,
        state: RebuildState::Replaying,
        progress: 0.5,
        rows: 3,
        detail: None,
    };
    let rebuilds = [("orders".to_owned(), rebuild)].into();
    let status = Status {
        rebuilds,
        ..Status::default()
    };
    let api = Api::data(
        shop.state(status),
        http_api::Hosts::any(),
        Limits::default(),
    );
    let (_, status) = get(&api, "/v1/status").await;
    let tables = status["tables"].as_array().unwrap();
    let told: Vec<String> = tables
        .iter()
        .filter(|table| table.get("rebuild").is_some())
        .map(|table| format!("{} {}", table["name"], table["rebuild"]))
        .collect();
    expect![[r#""orders" {"number":2,"progress":0.5,"rows":3,"state":"replaying"}"#]]
        .assert_eq(&told.join("\n"));
}
