//! The admin listener: probes and metrics.

use std::sync::Arc;

use expect_test::expect;
use http_api::{Api, Health, Limits};
use telemetry::MetricsPage;

use crate::doubles::{Operated, Status, check_of};
use crate::fixture::{Shop, check, request, shown};

fn admin(health: Health, metrics: MetricsPage) -> Api {
    let status = Status {
        health,
        ..Status::default()
    };
    Api::admin(
        Shop::open().state(status),
        Arc::new(Operated::default()),
        metrics,
        Limits::default(),
    )
}

fn loading() -> Health {
    Health {
        alive: true,
        ready: true,
        started: false,
        checks: vec![
            check_of("pipeline", true, "running"),
            check_of("tables", false, "2 of 5 caught up"),
        ],
    }
}

#[tokio::test]
async fn probes_say_what_they_look_at() {
    let api = admin(loading(), MetricsPage::empty());
    check(
        &api,
        "GET /livez",
        expect![[r#"
        200
        content-length: 3
        content-type: text/plain; charset=utf-8

        ok

    "#]],
    )
    .await;
    check(
        &api,
        "GET /startupz",
        expect![[r#"
        503
        content-length: 51
        content-type: text/plain; charset=utf-8

        [-] tables: 2 of 5 caught up
        startupz check failed

    "#]],
    )
    .await;
    check(
        &api,
        "GET /readyz?verbose",
        expect![[r#"
        200
        content-length: 71
        content-type: text/plain; charset=utf-8

        [+] pipeline: running
        [-] tables: 2 of 5 caught up
        readyz check passed

    "#]],
    )
    .await;
    check(
        &api,
        "HEAD /startupz\nHost: 10.1.2.3:9090",
        expect![[r#"
        503
        content-length: 51
        content-type: text/plain; charset=utf-8


    "#]],
    )
    .await;
}

#[tokio::test]
async fn the_admin_listener_has_no_tables_and_refuses_alike() {
    let api = admin(loading(), MetricsPage::empty());
    check(&api, "GET /v1/tables", expect![[r#"
        404
        content-length: 647
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_path","title":"Unknown path","status":404,"code":"unknown_path","detail":"The admin listener has no path '/v1/tables'.","hint":"It has /livez, /readyz, /startupz, /metrics, /v1/tables/{table}/indexes and /v1/tables/{table}/rebuild. Tables are on the data listener.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(&api, "GET /livez?exclude=tables", expect![[r#"
        400
        content-length: 582
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/unknown_parameter","title":"Unknown parameter","status":400,"code":"unknown_parameter","detail":"There is no parameter 'exclude' here.","candidates":["verbose"],"hint":"This path takes the parameter verbose.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    check(&api, "POST /metrics", expect![[r#"
        405
        allow: GET,HEAD
        content-length: 558
        content-type: application/problem+json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"type":"https://github.com/rowtide/rowtide/errors/method_not_allowed","title":"Method not allowed","status":405,"code":"method_not_allowed","detail":"This path does not take POST.","hint":"The header Allow names the methods it takes.","retryable":false,"request_id":"r1","fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAAUHFH4Xmh_3AQAABQQBaz9wAEveZCG4KR_ZAQAABQQBaz9wAAJ-3rw0CsdBAQAABQQBaz9wAI55CzMhi8amAQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn metrics_are_of_the_newest_cut() {
    let metrics = MetricsPage::install("1.2.3").unwrap();
    let shop = Shop::open();
    shop.api()
        .answer(request("GET /v1/tables/orders/rows/7"))
        .await;
    let api = Api::admin(
        shop.state(Status::default()),
        Arc::new(Operated::default()),
        metrics,
        Limits::default(),
    );
    let page = shown(api.answer(request("GET /metrics")).await).await;
    for line in [
        "content-type: text/plain; version=0.0.4; charset=utf-8",
        r#"rowtide_build_info{version="1.2.3"} 1"#,
        r#"rowtide_rows{table="orders"} 3"#,
        r#"rowtide_memory_bytes{table="orders"} 300"#,
        r#"rowtide_lag_seconds{source="shop",table="orders"} 0.038"#,
        r#"rowtide_last_commit_timestamp_seconds{source="shop",table="orders"} 1699999998.412"#,
        r#"rowtide_consumer_lag_records{source="shop",topic="shop.public.orders",partition="0"} 2"#,
        r#"rowtide_state{state="live"} 1"#,
        r#"rowtide_state{state="stalled"} 0"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
    // How many there were, only the other tests know: they share the process.
    let counted = r#"rowtide_request_duration_seconds_count{route="/v1/tables/{table}/rows/{key}",status="200"} "#;
    assert!(
        page.lines().any(|found| found.starts_with(counted)),
        "{page}"
    );
}
