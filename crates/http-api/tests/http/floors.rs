//! `at_least`: no answer is older than what was asked for, who waits for it is woken by the cut that brings it, and by
//! nothing else.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use expect_test::expect;
use http::Request;
use http_api::{Api, Health, Hosts, Limits, Listener, serve};
use serde_json::{Value, json};
use table_store::LogId;

use crate::doubles::Status;
use crate::fixture::{Shop, get, post, request, shown};
use crate::wakes::Wakes;

/// A shop whose orders have read so far of their two partitions.
fn shop_at(offsets: [u64; 2]) -> Shop {
    let mut shop = Shop::open();
    read_to(&mut shop, offsets);
    shop
}

fn read_to(shop: &mut Shop, [first, second]: [u64; 2]) {
    shop.set_facts("orders", |facts| {
        facts.offsets = vec![(0, first), (1, second)];
        facts.log = Some(LogId(1));
    });
    shop.publish();
}

/// What an answer about orders says of where they stand.
async fn token_of(shop: &Shop) -> String {
    let (_, body) = get(&shop.api(), "/v1/tables/orders/rows/7").await;
    body["fresh"]["as_of"].as_str().unwrap().to_owned()
}

async fn token_at(offsets: [u64; 2]) -> String {
    token_of(&shop_at(offsets)).await
}

fn lookup(token: &str, more: &str) -> Request<Body> {
    request(&format!(
        "GET /v1/tables/orders/rows/7?at_least={token}{more}"
    ))
}

async fn body_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn who_waits_is_woken_once_by_the_cut_that_brings_it() {
    let token = token_at([5, 9]).await;
    let mut shop = shop_at([3, 9]);
    let api = shop.api();
    let mut answer = pin!(api.answer(lookup(&token, "&wait=60s")));
    let wakes = Arc::new(Wakes::default());
    assert!(wakes.poll(answer.as_mut()).is_pending());
    // A cut of another table, one of this table without news of it, and one that is not far enough.
    shop.publish();
    read_to(&mut shop, [4, 10]);
    read_to(&mut shop, [4, 11]);
    assert_eq!(wakes.count(), 0);
    read_to(&mut shop, [5, 11]);
    assert_eq!(wakes.count(), 1);
    let (status, body) = body_of(answer.await).await;
    assert_eq!((status, &body["fresh"]["satisfied"]), (200, &json!(true)));
    assert_eq!(body["row"]["status"], "paid");
}

#[tokio::test(start_paused = true)]
async fn two_seconds_are_waited_unless_something_else_is_said() {
    let token = token_at([5, 9]).await;
    let api = shop_at([5, 8]).api();
    for (more, seconds) in [("", 2), ("&wait=0", 0), ("&wait=60s", 60)] {
        let asked = tokio::time::Instant::now();
        let (status, _) = body_of(api.answer(lookup(&token, more)).await).await;
        assert_eq!(
            (status, asked.elapsed().as_secs()),
            (504, seconds),
            "{more}"
        );
    }
    let head = format!("GET /v1/tables/orders/rows/7\nRowtide-At-Least: {token}\nPrefer: wait=7");
    let asked = tokio::time::Instant::now();
    assert_eq!(api.answer(request(&head)).await.status(), 504);
    assert_eq!(asked.elapsed(), Duration::from_secs(7));
}

#[tokio::test]
async fn what_did_not_come_is_told_or_done_without() {
    let token = token_at([5, 9]).await;
    let api = shop_at([5, 8]).api();
    let answer = api.answer(lookup(&token, "&wait=5ms")).await;
    expect![[r#"
        504
        content-length: 653
        content-type: application/problem+json
        retry-after: 1
        rowtide-as-of: AkS4gE2baFS5AwAABQQBaz9wAAAAAAAAAAEBAgABBQEBAQg
        rowtide-freshness: lag=38, commit=1699999998.412, state=live, satisfied=false

        {"type":"https://github.com/rowtide/rowtide/errors/not_yet_applied","title":"Write not visible yet","status":504,"code":"not_yet_applied","detail":"Waited 5 ms for at_least. Partition 1 of table 'orders' is at record 8; at_least is before record 9.","hint":"Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is.","retryable":true,"retry_after_ms":500,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AwAABQQBaz9wAAAAAAAAAAEBAgABBQEBAQg","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0,"satisfied":false}}
    "#]].assert_eq(&shown(answer).await);
    let answer = api.answer(lookup(&token, "&wait=0&on_miss=serve")).await;
    expect![[r#"
        200
        content-length: 299
        content-type: application/json
        rowtide-as-of: AkS4gE2baFS5AwAABQQBaz9wAAAAAAAAAAEBAgABBQEBAQg
        rowtide-freshness: lag=38, commit=1699999998.412, state=live, satisfied=false

        {"row":{"id":7,"status":"paid","total":"19.90","unavailable":["doc"]},"fresh":{"as_of":"AkS4gE2baFS5AwAABQQBaz9wAAAAAAAAAAEBAgABBQEBAQg","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0,"satisfied":false}}
    "#]].assert_eq(&shown(answer).await);
}

#[tokio::test]
async fn a_floor_of_another_log_is_never_waited_for() {
    let token = token_at([5, 9]).await;
    let mut shop = shop_at([5, 9]);
    shop.set_facts("orders", |facts| {
        facts.offsets = vec![(0, 1), (1, 1)];
        facts.log = Some(LogId(2));
    });
    shop.publish();
    let answer = shop
        .api()
        .answer(lookup(&token, "&wait=60s&on_miss=serve"))
        .await;
    let (status, body) = body_of(answer).await;
    assert_eq!((status, &body["code"]), (410, &json!("position_unknown")));
    expect!["at_least is of another log than the one that table 'orders' follows: its topic was made anew, or it is another cluster's."].assert_eq(body["detail"].as_str().unwrap());

    // Nor is one that names none of our tables, once they are all there.
    let mut elsewhere = Shop::empty();
    elsewhere.add(
        "crm.public.people",
        &[("id", row_model::ColumnType::Int64)],
        Some(&["id"]),
    );
    elsewhere.publish();
    let (_, body) = get(&elsewhere.api(), "/v1/tables/people").await;
    let token = body["fresh"]["as_of"].as_str().unwrap().to_owned();
    let started = Status {
        health: Health {
            started: true,
            ..Health::default()
        },
        ..Status::default()
    };
    let api = Api::data(shop.state(started), Hosts::loopback(&[]), Limits::default());
    let (status, body) = body_of(api.answer(lookup(&token, "")).await).await;
    assert_eq!((status, &body["code"]), (410, &json!("position_unknown")));
    let (status, _) = body_of(shop.api().answer(lookup(&token, "")).await).await;
    assert_eq!(status, 200);
}

/// Everything that answers from tables, with a floor as it is spelled there.
fn surfaces(token: &str) -> Vec<Request<Body>> {
    let query = format!("at_least={token}&wait=0");
    let fields = format!(r#""at_least":"{token}","wait":0"#);
    let with_body = |path: &str, body: String| {
        let mut request = request(&format!("POST {path}"));
        *request.body_mut() = Body::from(body);
        request
    };
    let headers = format!("Rowtide-At-Least: {token}\nPrefer: wait=0");
    vec![
        request(&format!("GET /v1/tables/orders/rows/7?{query}")),
        request(&format!("GET /v1/tables/orders/rows/7\n{headers}")),
        request(&format!("GET /v1/tables/orders/rows?{query}")),
        request(&format!("GET /v1/tables/orders/rows\n{headers}")),
        request(&format!("HEAD /v1/tables/orders/rows?{query}")),
        request(&format!("GET /v1/wait?{query}")),
        request(&format!("GET /v1/wait?tables=items,orders\n{headers}")),
        request(&format!("GET /rest/v1/orders\n{headers}")),
        request(&format!("HEAD /rest/v1/orders\n{headers}")),
        with_body("/v1/query", format!(r#"{{"from":"orders",{fields}}}"#)),
        with_body(
            "/v1/query",
            format!(r#"{{"queries":{{"a":{{"from":"items"}},"b":{{"from":"orders"}}}},{fields}}}"#),
        ),
        with_body(
            "/v1/batch-get",
            format!(r#"{{"get":[{{"table":"orders","keys":[[7]]}}],{fields}}}"#),
        ),
        with_body(
            "/v1/sql",
            format!(r#"{{"sql":"select id from orders","at_least":"{token}","wait":"0"}}"#),
        ),
    ]
}

#[tokio::test]
async fn every_surface_keeps_to_a_floor() {
    let token = token_at([5, 9]).await;
    let (below, above) = (shop_at([5, 8]).api(), shop_at([6, 9]).api());
    let requests = surfaces(&token).into_iter().zip(surfaces(&token));
    for (first, second) in requests {
        let what = format!("{} {}", first.method(), first.uri());
        let below = below.answer(first).await;
        assert_eq!(below.status(), 504, "{what}");
        assert!(below.headers().contains_key("retry-after"), "{what}");
        let above = above.answer(second).await;
        assert_eq!(above.status(), 200, "{what}");
        let said = above.headers()["rowtide-freshness"].to_str().unwrap();
        assert!(said.ends_with("satisfied=true"), "{what}: {said}");
    }
    // A floor is about the tables that it names.
    let (status, body) = get(&below, &format!("/v1/tables/items/rows?at_least={token}")).await;
    assert_eq!((status, &body["fresh"]["satisfied"]), (200, &json!(true)));
    let (_, body) = get(&below, "/v1/tables/items/rows").await;
    assert_eq!(body["fresh"].get("satisfied"), None);
}

#[tokio::test]
async fn a_barrier_is_not_passed_before_its_tables_are_there() {
    let token = token_at([5, 9]).await;
    let mut loading = Shop::empty();
    let id = [("id", row_model::ColumnType::Int64)];
    loading.add("shop.public.items", &id, Some(&["id"]));
    loading.publish();
    let (status, body) = get(&loading.api(), &format!("/v1/wait?at_least={token}")).await;
    assert_eq!((status, &body["code"]), (503, &json!("starting")));
    let path = format!("/v1/wait?tables=items&at_least={token}");
    assert_eq!(get(&loading.api(), &path).await.0, 200);
}

#[tokio::test]
async fn a_parameter_counts_more_than_a_header() {
    let (far, near) = (token_at([9, 9]).await, token_at([1, 1]).await);
    let api = shop_at([5, 5]).api();
    let ask = |query: String, headers: String| {
        let request = request(&format!("GET /v1/tables/orders/rows/7?{query}\n{headers}"));
        api.answer(request)
    };
    let answer = ask(
        format!("at_least={near}"),
        format!("Rowtide-At-Least: {far}"),
    );
    assert_eq!(answer.await.status(), 200);
    let answer = ask(
        format!("at_least={far}&wait=0"),
        "Prefer: wait=60".to_owned(),
    );
    assert_eq!(answer.await.status(), 504);
    let headers = format!("Rowtide-At-Least: {far}\nRowtide-On-Miss: serve");
    assert_eq!(
        ask("wait=0".to_owned(), headers.clone()).await.status(),
        200
    );
    assert_eq!(
        ask("wait=0&on_miss=fail".to_owned(), headers)
            .await
            .status(),
        504
    );
}

/// A request and what it was refused with.
fn refusal(asked: &str, (status, body): (u16, Value)) -> String {
    let [code, detail, hint] = ["code", "detail", "hint"].map(|field| &body[field]);
    format!("{asked}\n  {status} {code} {detail} {hint}\n")
}

#[tokio::test]
async fn what_is_no_floor_is_refused() {
    let api = Shop::open().api();
    let mut refused = String::new();
    for query in [
        "at_least=tx:x",
        "at_least=lsn:16B3F70",
        "at_least=gtid:7",
        "at_least=ts:yesterday",
        "at_least=source_now",
        "at_least=7",
        "at_least=",
        "at_least=Ag&wait=soon",
        "at_least=Ag&wait=61s",
        "at_least=Ag&on_miss=wait",
        "at_least=Ag&at_least=Ag",
        "wait=2s",
        "on_miss=serve",
        "max_lag=soon",
        "at_exact=Ag",
    ] {
        let answer = get(&api, &format!("/v1/tables/orders/rows/7?{query}")).await;
        assert!(answer.1["fresh"]["as_of"].is_string(), "{query}");
        refused.push_str(&refusal(query, answer));
    }
    expect![[r#"
        at_least=tx:x
          400 "bad_request" "at_least cannot be used: tx: wants the number that pg_current_xact_id() answers inside the transaction that writes, as in tx:753." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=lsn:16B3F70
          400 "bad_request" "at_least cannot be used: lsn: wants what pg_current_wal_insert_lsn() answers after COMMIT: two hexadecimal numbers, as in lsn:0/16B3F70." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=gtid:7
          400 "bad_request" "at_least cannot be used: gtid: wants one global transaction id or a set of them, as in gtid:3e11fa47-71ca-11e1-9e33-c80aa9429562:23 or gtid:0-1-42." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=ts:yesterday
          400 "bad_request" "at_least cannot be used: ts: wants a time with its offset from UTC, or milliseconds since 1970, as in ts:2026-11-20T23:59:58.412Z (a + is written as %2B in a URL)." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=source_now
          400 "unknown_parameter" "at_least cannot be used: source_now is not supported: no database is asked." "at_least=log_end waits for everything that is in the log by now."
        at_least=7
          400 "bad_request" "at_least cannot be used: it is no as_of of an answer of this version, and begins with none of tx:, lsn:, gtid:, ts:." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=
          400 "bad_request" "at_least cannot be used: it is no as_of of an answer of this version, and begins with none of tx:, lsn:, gtid:, ts:." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        at_least=Ag&wait=soon
          400 "bad_request" "wait is a whole number of seconds or milliseconds, of at most 60 s." "Write it as 2s or 500ms. To wait for longer, ask again."
        at_least=Ag&wait=61s
          400 "bad_request" "wait is a whole number of seconds or milliseconds, of at most 60 s." "Write it as 2s or 500ms. To wait for longer, ask again."
        at_least=Ag&on_miss=wait
          400 "bad_request" "on_miss is fail or serve." null
        at_least=Ag&at_least=Ag
          400 "bad_request" "The parameter 'at_least' was sent more than once." null
        wait=2s
          400 "bad_request" "wait means nothing without at_least, max_lag or the header If-None-Match." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end; If-None-Match its header ETag, to wait for a change."
        on_miss=serve
          400 "bad_request" "on_miss means nothing without at_least or max_lag." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        max_lag=soon
          400 "bad_request" "max_lag is a whole number of seconds or milliseconds, of at most 86400 s." "Write it as 5s or 500ms."
        at_exact=Ag
          410 "snapshot_expired" "at_exact names no state of this process: it was told by an earlier version." "Ask without at_exact, and go on with the as_of of that answer; to see nothing older than before, send the old one as at_least."
    "#]].assert_eq(&refused);
}

#[tokio::test]
async fn a_floor_where_none_can_be_is_refused() {
    let api = Shop::open().api();
    let nested = r#"{"queries":{"a":{"from":"orders","at_least":"Ag"}}}"#;
    let mut refused = refusal(nested, post(&api, "/v1/query", nested).await);
    refused.push_str(&refusal("/v1/wait", get(&api, "/v1/wait").await));
    for path in ["/v1/tables", "/v1/status"] {
        let head = format!("GET {path}\nRowtide-At-Least: Ag");
        let answer = body_of(api.answer(request(&head)).await).await;
        refused.push_str(&refusal(&head, answer));
    }
    expect![[r#"
        {"queries":{"a":{"from":"orders","at_least":"Ag"}}}
          400 "bad_request" "The body cannot be read: expected 'at_least' beside the outermost fields, at /queries/a/at_least." null
        /v1/wait
          400 "bad_request" "There is no at_least or max_lag to wait for." "at_least is fresh.as_of of an earlier answer (header Rowtide-As-Of), tx:…, lsn:…, gtid:…, ts:…, or log_end."
        GET /v1/tables
        Rowtide-At-Least: Ag
          400 "unknown_parameter" "This path does not take the header 'rowtide-at-least'." "Rows do: lookups, lists, queries, and GET /v1/wait for nothing but that."
        GET /v1/status
        Rowtide-At-Least: Ag
          400 "unknown_parameter" "This path does not take the header 'rowtide-at-least'." "Rows do: lookups, lists, queries, and GET /v1/wait for nothing but that."
    "#]].assert_eq(&refused);
}

#[tokio::test]
async fn who_waits_takes_the_place_of_nobody_and_has_a_limit_of_its_own() {
    let token = token_at([5, 9]).await;
    let mut shop = shop_at([3, 9]);
    let api = shop.api_with(Limits {
        in_flight_max: 1,
        waiters_max: 1,
        ..Limits::default()
    });
    let wakes = Arc::new(Wakes::default());
    let mut waits = pin!(api.answer(lookup(&token, "&wait=60s")));
    assert!(wakes.poll(waits.as_mut()).is_pending());
    assert_eq!(get(&api, "/v1/tables/orders/rows?limit=1").await.0, 200);
    let (status, body) = body_of(api.answer(lookup(&token, "&wait=60s")).await).await;
    assert_eq!((status, &body["code"]), (503, &json!("overloaded")));
    assert_eq!(body["detail"], "Too many requests are waiting already.");
    // Who need not wait needs no place.
    assert_eq!(
        body_of(api.answer(lookup(&token, "&wait=0")).await).await.0,
        504
    );
    {
        // Nor does one that was given up.
        let api = shop.api_with(Limits {
            waiters_max: 1,
            ..Limits::default()
        });
        for _ in 0..3 {
            let mut given_up = pin!(api.answer(lookup(&token, "&wait=60s")));
            assert!(
                Arc::new(Wakes::default())
                    .poll(given_up.as_mut())
                    .is_pending()
            );
        }
    }
    read_to(&mut shop, [5, 9]);
    assert_eq!(waits.await.status(), 200);
}

#[tokio::test]
async fn the_end_of_the_server_ends_all_waits() {
    let token = token_at([5, 9]).await;
    let api = shop_at([3, 9]).api();
    let mut waits = pin!(api.answer(lookup(&token, "&wait=60s")));
    assert!(Arc::new(Wakes::default()).poll(waits.as_mut()).is_pending());
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, api.clone(), std::future::ready(())).await;
    let (status, body) = body_of(waits.await).await;
    assert_eq!((status, &body["code"]), (503, &json!("draining")));
    let (status, body) = body_of(api.answer(lookup(&token, "&wait=60s")).await).await;
    assert_eq!((status, &body["code"]), (503, &json!("draining")));
}
