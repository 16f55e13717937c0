//! Everything that is refused, and that it is refused in the same form everywhere.

use std::time::Duration;

use expect_test::expect;
use http_api::{Api, Hosts, Limits};
use row_model::ColumnType;
use serde_json::json;

use crate::doubles::Status;
use crate::fixture::{Shop, check, get, request};

#[tokio::test]
async fn an_unknown_table_names_candidates() {
    let api = Shop::open().api();
    check(&api, "GET /v1/tables/ordres/rows/7", expect![[r#"
        404
        content-length: 553
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_table","title":"Unknown table","status":404,"code":"unknown_table","detail":"There is no table 'ordres'.","candidates":["orders"],"hint":"GET /v1/tables lists all tables.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn a_suffix_of_several_topics_names_them() {
    let mut shop = Shop::empty();
    for (name, topic) in [
        ("sales", "one.public.orders"),
        ("returns", "two.public.orders"),
    ] {
        shop.add_named(name, topic, &[("id", ColumnType::Int64)], Some(&["id"]));
    }
    shop.publish();
    let api = shop.api();
    let (status, body) = get(&api, "/v1/tables/public.orders/rows").await;
    assert_eq!((status, &body["code"]), (400, &json!("ambiguous_table")));
    assert_eq!(body["candidates"], json!(["returns", "sales"]));
    assert_eq!(get(&api, "/v1/tables/one.public.orders/rows").await.0, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let api = Shop::open().api();
    check(&api, "GET /v1/table", expect![[r#"
        404
        content-length: 536
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_path","title":"Unknown path","status":404,"code":"unknown_path","detail":"No endpoint has the path '/v1/table'.","hint":"GET /v1/tables lists all tables.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(&api, "DELETE /v1/tables/orders/rows/7", expect![[r#"
        405
        allow: GET,HEAD
        content-length: 464
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/method_not_allowed","title":"Method not allowed","status":405,"code":"method_not_allowed","detail":"This path does not take DELETE.","hint":"The header Allow names the methods it takes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    for (path, hint) in [
        (
            "/v1/tables/notes/rows/a/b",
            "A '/' inside a key is written %2F.",
        ),
        ("/", "GET /v1/tables lists all tables."),
    ] {
        let (status, body) = get(&api, path).await;
        assert_eq!(
            (status, &body["code"], &body["hint"]),
            (404, &json!("unknown_path"), &json!(hint)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn no_parameter_is_ignored() {
    let api = Shop::open().api();
    let mut refused = String::new();
    for path in [
        "/v1/tables/orders/rows?order=id",
        "/v1/tables/orders/rows?status=eq.paid",
        "/v1/tables/orders/rows?f.limit=eq.1",
        "/v1/tables/orders/rows?f.status=eq.paid",
        "/v1/tables/orders/rows?limt=5",
        "/v1/tables/orders/rows?%F0%9F%A6%80",
        "/v1/tables/orders/rows?limit=%zz",
        "/v1/tables/orders/rows/7?at_least=tx:",
        "/v1/tables/orders/rows/7?wait=2s",
        "/v1/tables/orders?verbose",
        "/v1/tables?limit=1",
        "/v1/status?x=",
        "/v1/quarantine?topic=orders",
    ] {
        let (status, body) = get(&api, path).await;
        assert!(body["fresh"]["as_of"].is_string(), "{path}");
        let line = format!(
            "{path}\n  {status} {} {} {} {}\n",
            body["code"], body["detail"], body["candidates"], body["hint"]
        );
        refused.push_str(&line);
    }
    expect![[r#"
        /v1/tables/orders/rows?order=id
          200 null null null null
        /v1/tables/orders/rows?status=eq.paid
          200 null null null null
        /v1/tables/orders/rows?f.limit=eq.1
          400 "unknown_column" "Table 'orders' has no column 'limit'." ["id","doc","total","status"] "GET /v1/tables/orders lists all columns."
        /v1/tables/orders/rows?f.status=eq.paid
          200 null null null null
        /v1/tables/orders/rows?limt=5
          400 "unknown_parameter" "There is no parameter 'limt', and table 'orders' has no such column." ["limit"] "GET /v1/tables/orders lists all columns."
        /v1/tables/orders/rows?%F0%9F%A6%80
          400 "unknown_parameter" "There is no parameter '🦀', and table 'orders' has no such column." ["id","or","and","doc","not","wait","count","int64","limit","order"] "GET /v1/tables/orders lists all columns."
        /v1/tables/orders/rows?limit=%zz
          400 "bad_request" "The query string is not percent-encoded text: '%' is not followed by two hexadecimal digits (a percent sign itself is written %25)." null null
        /v1/tables/orders/rows/7?at_least=tx:
          400 "bad_request" "at_least cannot be used: tx: wants the number that pg_current_xact_id() answers inside the transaction that writes, as in tx:753." null "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        /v1/tables/orders/rows/7?wait=2s
          400 "bad_request" "wait means nothing without at_least, max_lag or the header If-None-Match." null "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end; If-None-Match its header ETag, to wait for a change."
        /v1/tables/orders?verbose
          400 "unknown_parameter" "There is no parameter 'verbose' here." null "This path takes no parameters."
        /v1/tables?limit=1
          400 "unknown_parameter" "There is no parameter 'limit' here." null "This path takes no parameters."
        /v1/status?x=
          400 "unknown_parameter" "There is no parameter 'x' here." null "This path takes no parameters."
        /v1/quarantine?topic=orders
          400 "unknown_parameter" "There is no parameter 'topic' here." ["limit","table"] "This path takes the parameters table, limit."
    "#]].assert_eq(&refused);
}

#[tokio::test]
async fn a_header_that_asks_for_more_than_there_is_is_not_ignored_either() {
    let api = Shop::open().api();
    check(
        &api,
        "GET /v1/tables/orders/rows/7\nRowtide-Max-Lag: 5s",
        expect![[r#"
            200
            content-length: 291
            content-type: application/json
            rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
            rowtide-freshness: lag=38, commit=1699999998.412, state=live, satisfied=true, bound=log

            {"row":{"id":7,"status":"paid","total":"19.90","unavailable":["doc"]},"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0,"satisfied":true,"bound":"log"}}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_foreign_host_or_origin_is_refused_before_anything_is_looked_at() {
    let api = Shop::open().api();
    check(
        &api,
        "GET /v1/tables/orders/rows/7\nHost: evil.example",
        expect![[r#"
            403
            content-length: 318
            content-type: application/problem+json

            {"type":"https://github.com/rowtide/rowtide/errors/insufficient_scope","title":"Not allowed","status":403,"code":"insufficient_scope","detail":"This listener does not answer to this Host or Origin.","hint":"Use localhost, 127.0.0.1 or [::1], or name the host in the configuration.","retryable":false,"request_id":"r1"}
        "#]],
    )
    .await;
    for (lines, status) in [
        ("GET /v1/tables/orders/rows/7\nHost: localhost:8080", 200),
        (
            "GET /v1/tables/orders/rows/7\nHost: localhost:8080\nOrigin: https://evil.example",
            403,
        ),
        ("GET /nothing\nHost: evil.example", 403),
    ] {
        assert_eq!(api.answer(request(lines)).await.status(), status, "{lines}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let api = Shop::open().api();
    check(&api, "GET /v1/status\nContent-Length: 1048577", expect![[r#"
        413
        content-length: 514
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/body_too_large","title":"Request body too large","status":413,"code":"body_too_large","detail":"A request's body has at most 1048576 bytes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn a_panic_ends_one_request_only() {
    let status = Status {
        panics: true,
        ..Status::default()
    };
    let api = Api::data(Shop::open().state(status), Hosts::any(), Limits::default());
    check(&api, "GET /v1/status", expect![[r#"
        500
        content-length: 555
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/internal","title":"Internal error","status":500,"code":"internal","detail":"The request failed in the server, and only this request.","hint":"The log has the rest under request_id.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    assert_eq!(get(&api, "/v1/tables/orders/rows/7").await.0, 200);
}

#[tokio::test]
async fn one_request_too_many_is_to_be_tried_again() {
    let api = Shop::open().api_with(Limits {
        in_flight_max: 0,
        ..Limits::default()
    });
    check(&api, "GET /v1/tables/orders/rows/7", expect![[r#"
        503
        content-length: 421
        content-type: application/problem+json
        retry-after: 1
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/overloaded","title":"Overloaded","status":503,"code":"overloaded","detail":"Too many requests are being answered already.","retryable":true,"retry_after_ms":1000,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up_with_its_freshness() {
    let limits = Limits {
        scans_max: 0,
        request_timeout: Duration::from_millis(1),
        ..Limits::default()
    };
    let api = Shop::open().api_with(limits);
    let (status, body) = get(&api, "/v1/tables/orders/rows").await;
    assert_eq!(
        (status, &body["code"], &body["fresh"]["lag_ms"]),
        (504, &json!("query_timeout"), &json!(38))
    );
}
