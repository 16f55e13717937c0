//! What tables there are, where everything stands, and what could not be applied.

use std::collections::BTreeMap;
use std::fmt::Write;

use api_types::{StageTimes, TableStages};
use expect_test::expect;
use http_api::{Api, Hosts, Limits};
use serde_json::json;
use table_store::{ReadState, TableFacts};

use crate::doubles::Status;
use crate::fixture::{Shop, check, get};

#[tokio::test]
async fn one_table() {
    let api = Shop::open().api();
    check(&api, "GET /v1/tables/shop.public.orders", expect![[r#"
        200
        content-length: 622
        content-type: application/json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"name":"orders","topic":"shop.public.orders","key":["id"],"columns":[{"name":"id","type":"int64","nullable":false},{"name":"status","type":"text","nullable":true},{"name":"total","type":"decimal","nullable":true},{"name":"doc","type":"json","nullable":true}],"schema_epoch":1,"indexes":[],"relations":[],"rows":3,"bytes":300,"memory":{"rows":0,"deleted":0,"versions":0,"slots":0,"indexes":0,"beside":0,"waiting":0},"quarantined":0,"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn all_tables_are_as_fresh_as_the_worst() {
    let mut shop = Shop::open();
    shop.set_facts("items", |facts| {
        facts.state = ReadState::Loading;
        facts.progress = Some(0.25);
    });
    shop.publish();
    let (status, body) = get(&shop.api(), "/v1/tables").await;
    let names: Vec<_> = body["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        (status, names),
        (200, vec!["orders", "items", "notes", "events", "log"])
    );
    assert_eq!(body["tables"][4]["key"], json!(null));
    assert_eq!(body["tables"][0]["fresh"]["state"], "live");
    assert_eq!(body["fresh"]["state"], "loading");
    assert_eq!(
        (&body["fresh"]["progress"], &body["fresh"]["lag_ms"]),
        (&json!(0.25), &json!(null))
    );
}

#[tokio::test]
async fn without_tables_the_sources_say_how_fresh_that_is() {
    let api = Shop::empty().api();
    check(&api, "GET /v1/tables", expect![[r#"
        200
        content-length: 159
        content-type: application/json
        rowtide-as-of: Ag
        rowtide-freshness: state=live

        {"tables":[],"fresh":{"as_of":"Ag","commit_time":null,"lag_ms":null,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
}

#[tokio::test]
async fn where_everything_stands() {
    let mut shop = Shop::empty();
    shop.add(
        "shop.public.orders",
        &[("id", row_model::ColumnType::Int64)],
        Some(&["id"]),
    );
    shop.set_facts("orders", |facts| {
        facts.state = ReadState::Stalled;
        facts.reason = Some("record at offset 12 could not be applied".to_owned());
        facts.quarantined = 1;
    });
    shop.publish();
    check(&shop.api(), "GET /v1/status", expect![[r#"
        200
        content-length: 1679
        content-type: application/json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=stalled, quarantined=1

        {"sources":[{"name":"shop","kind":"kafka","state":"live","detail":null,"partitions":[{"topic":"shop.public.orders","partition":0,"next_offset":40,"end_offset":42,"state":"live"}],"unreadable":0}],"tables":[{"name":"orders","topic":"shop.public.orders","rows":0,"bytes":0,"memory":{"rows":0,"deleted":0,"versions":0,"slots":0,"indexes":0,"beside":0,"waiting":0},"state":"stalled","quarantined":1,"reason":"record at offset 12 could not be applied","unknown":[{"field":"source_lag_ms","reason":"Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."},{"field":"stages","reason":"Told of what comes while the table is live: what is read in a replay was committed long ago."}],"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"stalled","transactions":"none","complete":true,"quarantined":1}}],"quarantine":[{"topic":"shop.public.orders","partition":0,"offset":12,"timestamp":1700000000000,"reason":"not JSON"},{"topic":"shop.public.hopeless","partition":0,"offset":3,"timestamp":1700000000000,"reason":"not JSON"}],"checkpoint":{"state":"ok","last_ms":700,"sequence":12,"store_bytes":4096,"live_bytes":2048,"rewrites":0},"start":{"phase":"started"},"memory":{"used_bytes":300,"max_bytes":1000,"partitions_waiting":0},"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"stalled","transactions":"none","complete":true,"quarantined":1}}
    "#]]).await;
}

#[tokio::test]
async fn what_could_not_be_applied() {
    let api = Shop::open().api();
    check(&api, "GET /v1/quarantine?table=orders", expect![[r#"
        200
        content-length: 326
        content-type: application/json
        rowtide-as-of: AkS4gE2baFS5AQAABQQBaz9wAA
        rowtide-freshness: lag=38, commit=1699999998.412, state=live

        {"records":[{"topic":"shop.public.orders","partition":0,"offset":12,"time":null,"reason":"not JSON","key_b64":null,"value_b64":"ew=="}],"fresh":{"as_of":"AkS4gE2baFS5AQAABQQBaz9wAA","commit_time":"2023-11-14T22:13:18.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    let (_, all) = get(&api, "/v1/quarantine").await;
    assert_eq!(all["records"].as_array().unwrap().len(), 2);
    let (_, one) = get(&api, "/v1/quarantine?limit=1").await;
    assert_eq!(one["records"].as_array().unwrap().len(), 1);
    // Nothing of it could be applied, so there is no such table.
    let (status, hopeless) = get(&api, "/v1/quarantine?table=shop.public.hopeless").await;
    assert_eq!(
        (status, &hopeless["records"][0]["offset"]),
        (200, &json!(3))
    );
    assert_eq!(get(&api, "/v1/quarantine?table=hopeful").await.0, 404);
    assert_eq!(get(&api, "/v1/quarantine?limit=1001").await.0, 400);
}

fn bringing_tickets() -> Status {
    Status {
        starting: BTreeMap::from([("tickets".to_owned(), 0.437)]),
        ..Status::default()
    }
}

#[tokio::test]
async fn a_table_that_is_still_being_loaded_is_starting_and_not_unknown() {
    let api = Api::data(
        Shop::open().state(bringing_tickets()),
        Hosts::any(),
        Limits::default(),
    );
    check(&api, "GET /v1/tables/tickets/rows/7", expect![[r#"
        503
        content-length: 480
        content-type: application/problem+json
        retry-after: 1
        rowtide-as-of: Ag
        rowtide-freshness: state=loading

        {"type":"https://github.com/rowtide/rowtide/errors/starting","title":"Starting","status":503,"code":"starting","detail":"Table 'tickets' is being loaded from the checkpoint (43 %).","hint":"It answers as soon as all of it is loaded. Try again in a moment.","retryable":true,"retry_after_ms":1000,"request_id":"r1","fresh":{"as_of":"Ag","commit_time":null,"lag_ms":null,"source_lag_ms":null,"state":"loading","progress":0.437,"transactions":"none","complete":true,"quarantined":0}}
    "#]]).await;
    for path in [
        "/v1/tables/tickets",
        "/v1/tables/tickets/rows",
        "/v1/quarantine?table=tickets",
    ] {
        assert_eq!(get(&api, path).await.0, 503, "{path}");
    }
}

#[tokio::test]
async fn the_status_says_where_time_goes_and_why_something_is_not_known() {
    let times = |ms| StageTimes {
        median_ms: ms,
        p99_ms: 2 * ms,
        worst_ms: 3 * ms,
    };
    let stages = |connector| TableStages {
        records: 40,
        connector,
        broker: Some(times(-30)),
        rowtide: Some(times(2)),
        whole: connector,
        causes: vec!["A clock is behind.".to_owned()],
    };
    let told = [("orders", stages(Some(times(4)))), ("events", stages(None))];
    let status = Status {
        stages: told.map(|(name, stages)| (name.to_owned(), stages)).into(),
        ..Status::default()
    };
    let mut shop = Shop::open();
    shop.set_facts("notes", |facts| *facts = TableFacts::default());
    shop.set_facts("log", |facts| facts.commit_ms = None);
    shop.publish();
    let api = Api::data(shop.state(status), Hosts::any(), Limits::default());
    let (_, body) = get(&api, "/v1/status").await;
    let mut text = String::new();
    for table in body["tables"].as_array().unwrap() {
        writeln!(text, "{} {}", table["name"], table["stages"]).unwrap();
        for unknown in table["unknown"].as_array().unwrap() {
            writeln!(text, "  {}: {}", unknown["field"], unknown["reason"]).unwrap();
        }
    }
    expect![[r#"
        "orders" {"broker":{"median_ms":-30,"p99_ms":-60,"worst_ms":-90},"causes":["A clock is behind."],"connector":{"median_ms":4,"p99_ms":8,"worst_ms":12},"records":40,"rowtide":{"median_ms":2,"p99_ms":4,"worst_ms":6},"whole":{"median_ms":4,"p99_ms":8,"worst_ms":12}}
          "source_lag_ms": "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."
        "items" null
          "source_lag_ms": "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."
          "stages": "The last minute brought no change that says when it was committed or when the connector saw it."
        "notes" null
          "commit_time": "No record that was applied says when the source committed it."
          "lag_ms": "The table is read for the first time: how old what is still missing may be is not known."
          "source_lag_ms": "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."
          "stages": "Told of what comes while the table is live: what is read in a replay was committed long ago."
        "events" {"broker":{"median_ms":-30,"p99_ms":-60,"worst_ms":-90},"causes":["A clock is behind."],"connector":null,"records":40,"rowtide":{"median_ms":2,"p99_ms":4,"worst_ms":6},"whole":null}
          "source_lag_ms": "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."
          "stages.connector": "Its records do not say when the source committed them (source.ts_ms)."
        "log" null
          "commit_time": "No record was applied yet."
          "source_lag_ms": "Nothing tells a quiet source from a connector that stands still. A table that the connector writes to itself would: heartbeat.interval.ms and heartbeat.action.query in the connector, heartbeat_table here. It is known from the first of its rows on."
          "stages": "The last minute brought no change that says when it was committed or when the connector saw it."
    "#]].assert_eq(&text);
}

#[tokio::test]
async fn a_relation_to_a_table_that_is_still_being_loaded_is_starting_and_not_unknown() {
    let mut shop = Shop::open();
    shop.relate("ticket", ("orders", "id"), "tickets");
    let api = Api::data(
        shop.state(bringing_tickets()),
        Hosts::any(),
        Limits::default(),
    );
    for path in [
        "/v1/tables/orders/rows?select=id,ticket(id)",
        "/v1/tables/orders/rows?select=id,tickets(id)",
        "/v1/tables/orders/rows?ticket.id=eq.1",
    ] {
        let (status, body) = get(&api, path).await;
        assert_eq!(
            (status, &body["code"], &body["fresh"]["state"]),
            (503, &json!("starting"), &json!("live")),
            "{path}: {body}"
        );
        assert!(
            body["detail"].as_str().unwrap().contains("'tickets'"),
            "{body}"
        );
    }
    let (status, body) = get(&api, "/rest/v1/orders?select=id,ticket(id)").await;
    assert_eq!((status, &body["code"]), (503, &json!("PGRST002")), "{body}");
    // Nobody is bringing that one.
    let mut shop = Shop::open();
    shop.relate("ticket", ("orders", "id"), "tockets");
    let api = Api::data(
        shop.state(bringing_tickets()),
        Hosts::any(),
        Limits::default(),
    );
    let (status, body) = get(&api, "/v1/tables/orders/rows?select=id,ticket(id)").await;
    assert_eq!(
        (status, &body["code"]),
        (400, &json!("unknown_relation")),
        "{body}"
    );
}
