//! Every kind of error on every kind of route: each says how fresh that is which it is about, in its body where the
//! body has a place for it, and in its headers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api_types::ErrorCode;
use axum::body::{Body, to_bytes};
use http::Request;
use http_api::{Api, Hosts, Limits, Listener, serve};
use row_model::ColumnType;
use serde_json::Value;
use table_store::{LogId, ReadState, TableFacts};
use telemetry::MetricsPage;

use crate::doubles::{Operated, Status};
use crate::fixture::{NOW_MS, Shop, request};

/// What nobody can be told yet; what is told to those who are to learn nothing; and what is said of a table of which nothing
/// is known yet.
const ELSEWHERE: [ErrorCode; 4] = [
    ErrorCode::Unauthorized,
    ErrorCode::InsufficientScope,
    ErrorCode::RateLimited,
    ErrorCode::Starting,
];

/// What an answer about all tables, and one about orders only, says of how fresh they are.
const ALL_LAG_MS: u64 = 500;
const ORDERS_LAG_MS: u64 = 38;

/// A shop in which another table is worse off than orders.
fn shop() -> Shop {
    let mut shop = Shop::open();
    lag(&mut shop);
    shop
}

fn lag(shop: &mut Shop) {
    for (name, topic) in [("one", "shop.left.both"), ("two", "shop.right.both")] {
        shop.add_named(name, topic, &[("id", ColumnType::Int64)], Some(&["id"]));
    }
    shop.set_facts("notes", |facts| {
        *facts = TableFacts {
            state: ReadState::Live,
            commit_ms: Some(NOW_MS - 2_000),
            ..TableFacts::default()
        };
        facts.told_at_end(NOW_MS - ALL_LAG_MS as i64);
    });
    shop.publish();
}

/// A request line, headers and perhaps a body behind an empty line.
fn asking(text: &str) -> Request<Body> {
    match text.split_once("\n\n") {
        None => request(text),
        Some((head, body)) => request(head).map(|_| Body::from(body.to_owned())),
    }
}

/// Which error this is, once it has been seen that it says how fresh things are.
async fn audited(api: &Api, text: &str, lag_ms: u64) -> ErrorCode {
    let (head, body) = api.answer(asking(text)).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let header = |name: &str| {
        let value = head.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("{text}: no {name}: {body}"));
        value.to_str().unwrap().to_owned()
    };
    let freshness = header("rowtide-freshness");
    assert!(
        freshness.starts_with(&format!("lag={lag_ms}, ")),
        "{text}: {freshness} {body}"
    );
    assert!(!header("rowtide-as-of").is_empty(), "{text}");
    assert!(header("server-timing").contains(";dur="), "{text}");
    assert_eq!(header("cache-control"), "private, no-cache", "{text}");
    assert_eq!(body["fresh"]["lag_ms"], lag_ms, "{text}: {body}");
    assert_eq!(body["fresh"]["as_of"], header("rowtide-as-of"), "{text}");
    serde_json::from_value(body["code"].clone()).unwrap()
}

/// What can be refused of a shop as it is: the error, and how fresh that is which it is about.
const OF_A_SHOP: [(&str, ErrorCode, u64); 53] = {
    use ErrorCode::*;
    const OWN: u64 = ORDERS_LAG_MS;
    const ALL: u64 = ALL_LAG_MS;
    [
        ("GET /", UnknownPath, ALL),
        ("GET /v1/tables/orders/rows/a/b", UnknownPath, OWN),
        ("DELETE /v1/tables/orders/rows/7", MethodNotAllowed, OWN),
        ("GET /v1/query", MethodNotAllowed, ALL),
        ("GET /v1/batch-get", MethodNotAllowed, ALL),
        ("GET /v1/sql", MethodNotAllowed, ALL),
        ("GET /v1/tables?x=1", UnknownParameter, ALL),
        ("GET /v1/tables/orders?x=1", UnknownParameter, OWN),
        ("GET /v1/tables/order", UnknownTable, ALL),
        ("GET /v1/tables/%zz", BadRequest, ALL),
        ("GET /v1/tables/both/rows", AmbiguousTable, ALL),
        ("GET /v1/tables/orders/export?x=1", UnknownParameter, OWN),
        ("GET /v1/tables/orders/export?format=xml", BadRequest, OWN),
        ("GET /v1/tables/order/export", UnknownTable, ALL),
        ("GET /v1/status?x=1", UnknownParameter, ALL),
        ("GET /v1/quarantine?x=1", UnknownParameter, ALL),
        ("GET /v1/quarantine?limit=0", BadRequest, ALL),
        ("GET /v1/quarantine?table=order", UnknownTable, ALL),
        ("GET /v1/wait", BadRequest, ALL),
        ("GET /v1/wait?x=1", UnknownParameter, ALL),
        ("GET /v1/wait?at_least=Ag&tables=order", UnknownTable, ALL),
        ("GET /v1/tables/orders/rows/8", RowNotFound, OWN),
        ("GET /v1/tables/orders/rows/8?select=id", RowNotFound, OWN),
        ("GET /v1/tables/orders/rows/x", TypeMismatch, OWN),
        ("GET /v1/tables/orders/rows/7,8", BadRequest, OWN),
        ("GET /v1/tables/order/rows/7", UnknownTable, ALL),
        ("GET /v1/tables/orders/rows/7?x=1", UnknownParameter, OWN),
        ("GET /v1/tables/orders/rows/7?select=x", UnknownColumn, OWN),
        (
            "GET /v1/tables/orders/rows/7?select=x(id)",
            UnknownRelation,
            OWN,
        ),
        ("GET /v1/tables/orders/rows/7?at_least=7", BadRequest, OWN),
        ("GET /v1/tables/orders/rows/7?wait=1", BadRequest, OWN),
        (
            "GET /v1/tables/orders/rows/7\nIf-None-Match: 7",
            BadRequest,
            OWN,
        ),
        (
            "GET /v1/tables/orders/rows/7\nRowtide-Nothing: 7",
            UnknownParameter,
            OWN,
        ),
        (
            "GET /v1/tables\nRowtide-At-Least: Ag",
            UnknownParameter,
            ALL,
        ),
        (
            "GET /v1/tables/orders/rows\nContent-Length: 1048577",
            BodyTooLarge,
            OWN,
        ),
        ("GET /v1/tables/orders/rows?limit=0", BadRequest, OWN),
        ("GET /v1/tables/orders/rows?max_lag=1ms", TooStale, OWN),
        ("GET /v1/tables/orders/rows?f.x=eq.1", UnknownColumn, OWN),
        ("GET /v1/tables/orders/rows?id=eq.x", TypeMismatch, OWN),
        ("GET /v1/tables/orders/rows?cursor=x", BadCursor, OWN),
        ("GET /v1/tables/orders/rows?at_least=7", BadRequest, OWN),
        ("POST /v1/query\n\n{", BadRequest, ALL),
        ("POST /v1/query\n\n{\"from\":\"order\"}", UnknownTable, ALL),
        (
            "POST /v1/query\n\n{\"from\":\"orders\",\"select\":[\"x\"]}",
            UnknownColumn,
            OWN,
        ),
        (
            "POST /v1/query?x=1\n\n{\"from\":\"orders\"}",
            UnknownParameter,
            ALL,
        ),
        ("POST /v1/batch-get\n\n{}", BadRequest, ALL),
        (
            "POST /v1/batch-get\n\n{\"get\":[{\"table\":\"orders\",\"keys\":[[\"x\"]]}]}",
            TypeMismatch,
            OWN,
        ),
        (
            "POST /v1/batch-get\n\n{\"get\":[{\"table\":\"order\",\"keys\":[[7]]}]}",
            UnknownTable,
            ALL,
        ),
        ("POST /v1/sql\n\n{}", BadRequest, ALL),
        (
            "POST /v1/sql\n\n{\"sql\":\"SELECT x FROM orders\"}",
            UnknownColumn,
            OWN,
        ),
        (
            "POST /v1/sql\n\n{\"sql\":\"SELECT id FROM order_\"}",
            UnknownTable,
            ALL,
        ),
        (
            "POST /v1/sql\n\n{\"sql\":\"SELECT id + 1 FROM orders\"}",
            UnsupportedSql,
            ALL,
        ),
        (
            "POST /v1/sql\n\n{\"sql\":\"SELECT id FROM orders\",\"x\":1}",
            UnknownParameter,
            ALL,
        ),
    ]
};

/// What the admin listener refuses, after an index of orders by status was added.
const OF_OPERATORS: [(&str, ErrorCode, u64); 7] = {
    use ErrorCode::*;
    const BY_STATUS: &str = "POST /v1/tables/orders/indexes\n\n{\"columns\":[\"status\"]}";
    [
        ("GET /v1/tables", UnknownPath, ALL_LAG_MS),
        (
            "GET /v1/tables/orders/indexes",
            MethodNotAllowed,
            ORDERS_LAG_MS,
        ),
        (BY_STATUS, IndexExists, ORDERS_LAG_MS),
        (
            "DELETE /v1/tables/orders/indexes?columns=total",
            UnknownIndex,
            ORDERS_LAG_MS,
        ),
        (
            "POST /v1/tables/orders/rebuild",
            OperationRefused,
            ORDERS_LAG_MS,
        ),
        ("POST /v1/tables/order/rebuild", UnknownTable, ALL_LAG_MS),
        ("POST /v1/quarantine/replay", BadRequest, ALL_LAG_MS),
    ]
};

fn api_of(status: Status, limits: Limits) -> Api {
    Api::data(shop().state(status), Hosts::loopback(&[]), limits)
}

async fn header_of(api: &Api, text: &str, name: &str) -> String {
    let answer = api.answer(asking(text)).await;
    answer.headers()[name].to_str().unwrap().to_owned()
}

/// A listener that has ended.
async fn ended() -> Api {
    let api = shop().api();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, api.clone(), std::future::ready(())).await;
    api
}

/// Where orders come from, and how far they were read.
fn read_to(offset: u64, log: u64) -> Shop {
    let mut shop = shop();
    shop.set_facts("orders", |facts| {
        facts.offsets = vec![(0, offset)];
        facts.log = Some(LogId(log));
    });
    shop.publish();
    shop
}

/// A shop in which orders are related to events in two ways.
fn ambiguous() -> Api {
    let mut shop = shop();
    for name in ["first", "second"] {
        shop.relate(name, ("orders", "id"), "events");
    }
    shop.api()
}

/// Sizes that are numbers or texts, and a cursor in their order.
async fn stale_cursor() -> (Api, String) {
    use ColumnType::{Int64, Text};
    let of = |kind| {
        let mut shop = shop();
        let columns = [("id", Int64), ("size", kind)];
        shop.add("shop.public.sizes", &columns, Some(&["id"]));
        for id in [1, 2] {
            shop.put(
                "sizes",
                &[row_model::Value::Int(id), row_model::Value::Null],
            );
        }
        shop.publish();
        shop.api()
    };
    let path = "GET /v1/tables/sizes/rows?order=size&limit=1";
    let link = header_of(&of(Int64), path, "link").await;
    let cursor = link.split("cursor=").nth(1).unwrap();
    let cursor = cursor.split('>').next().unwrap();
    (of(Text), format!("{path}&cursor={cursor}"))
}

/// What is refused only as a server is set up, or after something else.
async fn of_circumstances() -> Vec<(Api, String, ErrorCode, u64)> {
    use ErrorCode::*;
    let usual = Limits::default;
    let panics = Status {
        panics: true,
        ..Status::default()
    };
    let in_flight = Limits {
        in_flight_max: 0,
        ..usual()
    };
    let exports = Limits {
        exports_max: 0,
        ..usual()
    };
    let waiters = Limits {
        waiters_max: 0,
        ..usual()
    };
    let rows = Limits {
        scan_rows_max: 0,
        ..usual()
    };
    let time = Limits {
        scans_max: 0,
        request_timeout: Duration::from_millis(1),
        ..usual()
    };
    let of = |limits| api_of(Status::default(), limits);
    let row = "GET /v1/tables/orders/rows/7";
    let missing = "GET /v1/tables/orders/rows/8";
    let tag = header_of(&shop().api(), missing, "etag").await;
    let sleeps = format!("{missing}\nPrefer: wait=1\nIf-None-Match: {tag}");
    let token = header_of(&read_to(9, 1).api(), row, "rowtide-as-of").await;
    let waits = |ms: u64| format!("{row}?at_least={token}&wait={ms}ms");
    let exact = format!("{row}?at_exact={token}");
    let by_status = "GET /v1/tables/orders/rows?status=eq.paid";
    let two_ways = "GET /v1/tables/orders/rows?select=id,events(id)";
    let (sizes, stale) = stale_cursor().await;
    let (own, all) = (ORDERS_LAG_MS, ALL_LAG_MS);
    [
        (api_of(panics, usual()), "GET /v1/status", Internal, all),
        (of(in_flight), row, Overloaded, own),
        (of(exports), "GET /v1/tables/orders/export", Overloaded, own),
        (of(waiters), &sleeps, Overloaded, own),
        (of(waiters), &waits(9), Overloaded, own),
        (ended().await, &sleeps, Draining, own),
        (of(rows), by_status, ScanTooLarge, own),
        (of(time), by_status, QueryTimeout, own),
        (ambiguous(), two_ways, AmbiguousRelation, own),
        (sizes, &stale, CursorExpired, own),
        (shop().api(), &exact, SnapshotExpired, own),
        (read_to(3, 1).api(), &waits(0), NotYetApplied, own),
        (read_to(3, 2).api(), &waits(0), PositionUnknown, own),
    ]
    .map(|(api, text, code, lag_ms)| (api, text.to_owned(), code, lag_ms))
    .into()
}

/// An admin listener with an index more.
async fn operated() -> Api {
    let state = shop().state(Status::default());
    let api = Api::admin(
        state,
        Arc::new(Operated::default()),
        MetricsPage::empty(),
        Limits::default(),
    );
    assert_eq!(api.answer(asking(OF_OPERATORS[2].0)).await.status(), 202);
    api
}

#[tokio::test]
async fn whatever_is_refused_says_how_fresh_it_is() {
    let mut asked = of_circumstances().await;
    let (data, admin) = (shop().api(), operated().await);
    for (api, cases) in [(&data, &OF_A_SHOP[..]), (&admin, &OF_OPERATORS)] {
        let cases = cases.iter();
        asked.extend(
            cases.map(|(text, code, lag_ms)| (api.clone(), (*text).to_owned(), *code, *lag_ms)),
        );
    }
    let mut seen = BTreeSet::new();
    for (api, text, code, lag_ms) in asked {
        assert_eq!(audited(&api, &text, lag_ms).await, code, "{text}");
        seen.insert(code.as_str());
    }
    let unseen = ErrorCode::ALL
        .iter()
        .filter(|code| !seen.contains(code.as_str()));
    let unseen: Vec<ErrorCode> = unseen.copied().collect();
    assert_eq!(unseen, ELSEWHERE, "no request has been refused so");
}

#[tokio::test]
async fn answers_in_postgrests_words_say_it_in_their_headers() {
    let api = shop().api();
    for (text, status, lag_ms) in [
        ("GET /rest/v1/", 404, ALL_LAG_MS),
        ("GET /rest/v1/order", 404, ALL_LAG_MS),
        ("GET /rest/v1/orders?x=eq.1", 400, ORDERS_LAG_MS),
        ("GET /rest/v1/orders?id=eq.x", 400, ORDERS_LAG_MS),
        (
            "GET /rest/v1/orders?id=eq.8\nAccept: application/vnd.pgrst.object+json",
            406,
            ORDERS_LAG_MS,
        ),
        (
            "GET /rest/v1/orders\nAccept: text/plain",
            406,
            ORDERS_LAG_MS,
        ),
        ("GET /rest/v1/orders\nRange: 9-1", 416, ORDERS_LAG_MS),
        ("GET /rest/v1/orders\nIf-None-Match: 7", 400, ORDERS_LAG_MS),
        (
            "GET /rest/v1/orders\nRowtide-At-Least: 7",
            400,
            ORDERS_LAG_MS,
        ),
        ("POST /rest/v1/orders", 405, ORDERS_LAG_MS),
        ("GET /rest/v1/orders", 200, ORDERS_LAG_MS),
    ] {
        let response = api.answer(asking(text)).await;
        assert_eq!(response.status(), status, "{text}");
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap())
        };
        let freshness = header("rowtide-freshness");
        assert!(
            freshness.starts_with(&format!("lag={lag_ms}, ")),
            "{text}: {freshness}"
        );
        assert!(!header("rowtide-as-of").is_empty() && !header("server-timing").is_empty());
    }
}
