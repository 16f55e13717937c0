//! `GET /v1/changes`: what a follower is told, from where it goes on, and when it has to begin anew.

use std::fmt::Write;
use std::time::Duration;

use axum::body::Body;
use expect_test::expect;
use http_api::{Api, Limits};
use http_body_util::BodyExt;
use query::as_of::AsOf;
use row_model::Value::{Int, Null, Text};
use serde_json::{Value, json};

use crate::fixture::{Shop, get, request};
use crate::wakes::all_sleep;

fn order(shop: &mut Shop, id: i64, status: &str) {
    shop.put("orders", &[Int(id), Text(status), Null, Null]);
}

/// Publishes what was written, as the state of the log up to an offset.
fn read_to(shop: &mut Shop, offset: u64) {
    shop.set_facts("orders", |facts| facts.offsets = vec![(0, offset)]);
    shop.publish();
}

/// A stream that is being read.
struct Feed {
    body: Body,
    read: String,
}

impl Feed {
    async fn open(api: &Api, head: &str) -> Self {
        let answer = api.answer(request(head)).await;
        assert_eq!(answer.status(), 200, "{head}");
        Self {
            body: answer.into_body(),
            read: String::new(),
        }
    }

    /// Events up to one of this name; without what differs from run to run.
    async fn until(&mut self, name: &str) -> String {
        loop {
            let end = format!("event: {name}\n");
            if let Some(at) = self.read.find(&end)
                && let Some(len) = self.read[at..].find("\n\n")
            {
                let rest = self.read.split_off(at + len + 2);
                return std::mem::replace(&mut self.read, rest);
            }
            let Some(frame) = self.next().await else {
                return std::mem::take(&mut self.read);
            };
            self.read.push_str(&frame);
        }
    }

    async fn next(&mut self) -> Option<String> {
        let frame = tokio::time::timeout(Duration::from_mins(2), self.body.frame());
        let frame = frame.await.unwrap()?;
        let bytes = frame.unwrap().into_data().unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }
}

/// The last id of these events.
fn last_id(events: &str) -> String {
    let mut ids = events
        .lines()
        .rev()
        .filter_map(|line| line.strip_prefix("id: "));
    ids.next().unwrap().to_owned()
}

fn without_ids(events: &str) -> String {
    let mut out = String::new();
    for line in events.lines() {
        match line.strip_prefix("id: ") {
            Some(_) => out.push_str("id: ID"),
            None => match line.split_once("\"as_of\":\"") {
                Some((before, rest)) => {
                    let (_, after) = rest.split_once('"').unwrap();
                    write!(out, "{before}\"as_of\":\"ID\"{after}").unwrap();
                }
                None => out.push_str(line),
            },
        }
        out.push('\n');
    }
    out
}

#[tokio::test]
async fn rows_that_enter_and_leave_a_filter_are_told_commit_by_commit() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let path = "GET /v1/changes?tables=orders&filter=status.eq.paid&select=id,status";
    let mut feed = Feed::open(&api, path).await;
    let mut told = feed.until("up_to_date").await;
    shop.in_transaction("orders", 753);
    order(&mut shop, 8, "paid");
    order(&mut shop, 9, "open");
    shop.publish();
    told += &feed.until("commit").await;
    // What does not concern it says nothing.
    order(&mut shop, 9, "closed");
    shop.put("items", &[Int(7), Text("A,1/🦀"), Int(4)]);
    shop.publish();
    shop.in_transaction("orders", 754);
    order(&mut shop, 8, "shipped");
    shop.delete("orders", Int(7));
    order(&mut shop, 10, "paid");
    order(&mut shop, 11, "paid");
    shop.in_transaction("orders", 755);
    order(&mut shop, 9, "paid");
    shop.delete("orders", Int(10));
    shop.publish();
    told += &feed.until("commit").await;
    expect![[r#"
        retry: 1000

        event: up_to_date
        id: ID
        data: {"as_of":"ID","lag_ms":38,"state":"live"}

        event: upsert
        data: {"table":"orders","key":[8],"row":{"id":8,"status":"paid"},"tx":"753"}

        event: commit
        id: ID
        data: {"tx":"753","commit_time":"2023-11-14T22:13:18.412Z"}

        event: delete
        data: {"table":"orders","key":[8],"reason":"left_filter","tx":"754"}

        event: delete
        data: {"table":"orders","key":[7],"reason":"deleted","tx":"754"}

        event: upsert
        data: {"table":"orders","key":[11],"row":{"id":11,"status":"paid"},"tx":"754"}

        event: upsert
        data: {"table":"orders","key":[9],"row":{"id":9,"status":"paid"},"changed":["status"],"tx":"755"}

        event: commit
        id: ID
        data: {"txs":["754","755"],"commit_time":"2023-11-14T22:13:18.412Z"}

    "#]].assert_eq(&without_ids(&told));
}

#[tokio::test]
async fn a_stream_goes_on_where_another_one_stopped() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let mut feed = Feed::open(&api, "GET /v1/changes?tables=orders").await;
    let seen = last_id(&feed.until("up_to_date").await);
    drop(feed);
    order(&mut shop, 1, "a");
    shop.publish();
    order(&mut shop, 1, "b");
    shop.publish();
    let head = format!("GET /v1/changes?tables=orders\nLast-Event-ID: {seen}");
    let mut feed = Feed::open(&api, &head).await;
    let first = feed.until("commit").await;
    assert!(first.contains(r#""status":"a""#), "{first}");
    let second = feed.until("up_to_date").await;
    assert!(second.contains(r#""status":"b""#), "{second}");
    let head = format!("GET /v1/changes?tables=orders&since={}", last_id(&first));
    let again = Feed::open(&api, &head).await.until("up_to_date").await;
    assert!(!again.contains(r#""status":"a""#), "{again}");
    assert!(again.contains(r#""changed":["status"]"#), "{again}");
    // An as_of of any answer is such a place too.
    let (_, body) = get(&api, "/v1/tables/orders/rows/1").await;
    let token = body["fresh"]["as_of"].as_str().unwrap();
    let head = format!("GET /v1/changes?tables=orders&since={token}");
    let nothing = Feed::open(&api, &head).await.until("up_to_date").await;
    assert!(!nothing.contains("upsert"), "{nothing}");
}

/// Another process reads the same log in cuts of its own: what had been told of between two of them must be put right.
#[tokio::test]
async fn who_has_seen_more_elsewhere_is_told_of_all_that_it_may_have_seen() {
    let mut one = Shop::keeping();
    for id in 71..74 {
        order(&mut one, id, "a");
    }
    read_to(&mut one, 4);
    let (_, body) = get(&one.api(), "/v1/tables/orders/rows?id=gt.70").await;
    assert_eq!(body["count"], 3, "{body}");
    let seen = AsOf {
        cut: None,
        ..AsOf::decode(body["fresh"]["as_of"].as_str().unwrap()).unwrap()
    };

    let mut other = Shop::keeping();
    order(&mut other, 8, "b");
    read_to(&mut other, 1);
    for (id, status) in [(71, "a"), (72, "a"), (73, "a"), (72, "b")] {
        order(&mut other, id, status);
    }
    other.delete("orders", Int(71));
    read_to(&mut other, 6);
    let head = format!("GET /v1/changes?tables=orders&since={}", seen.encode());
    let mut told = String::new();
    for filter in ["", "&filter=status.eq.a"] {
        let mut feed = Feed::open(&other.api(), &format!("{head}{filter}")).await;
        told += &without_ids(&feed.until("commit").await);
    }
    let since = format!("status=eq.a&select=id&since={}", seen.encode());
    let (_, body) = get(&other.api(), &format!("/v1/tables/orders/rows?{since}")).await;
    writeln!(told, "{} {}", body["changed"], body["deleted"]).unwrap();
    expect![[r#"
        retry: 1000

        event: delete
        data: {"table":"orders","key":[71],"reason":"deleted"}

        event: upsert
        data: {"table":"orders","key":[72],"row":{"id":72,"status":"b","total":null,"doc":null}}

        event: upsert
        data: {"table":"orders","key":[73],"row":{"id":73,"status":"a","total":null,"doc":null}}

        event: commit
        id: ID
        data: {"commit_time":"2023-11-14T22:13:18.412Z"}

        retry: 1000

        event: delete
        data: {"table":"orders","key":[71],"reason":"deleted"}

        event: delete
        data: {"table":"orders","key":[72],"reason":"left_filter"}

        event: upsert
        data: {"table":"orders","key":[73],"row":{"id":73,"status":"a","total":null,"doc":null}}

        event: commit
        id: ID
        data: {"commit_time":"2023-11-14T22:13:18.412Z"}

        [{"id":73}] [[71],[72]]
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn an_id_says_of_no_table_more_than_was_told() {
    let mut shop = Shop::keeping();
    let at = |shop: &mut Shop, table: &str, offset| {
        shop.set_facts(table, |facts| facts.offsets = vec![(0, offset)]);
    };
    at(&mut shop, "orders", 1);
    at(&mut shop, "items", 1);
    shop.publish();
    let (_, body) = get(&shop.api(), "/v1/wait?at_least=Ag").await;
    let seen = body["fresh"]["as_of"].as_str().unwrap().to_owned();
    order(&mut shop, 7, "new");
    at(&mut shop, "orders", 2);
    shop.publish();
    shop.put("items", &[Int(7), Text("A,1/🦀"), Int(4)]);
    at(&mut shop, "items", 2);
    shop.publish();
    let head = format!("GET /v1/changes?tables=orders,items&since={seen}");
    let first = Feed::open(&shop.api(), &head).await.until("commit").await;
    let told = AsOf::decode(&last_id(&first)).unwrap();
    let offsets: Vec<_> = told.tables.iter().map(|table| table.offsets[0].1).collect();
    assert_eq!(offsets, [2, 1], "{first}");
}

#[tokio::test]
async fn rows_that_are_there_come_first_if_they_are_wanted() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let path = "GET /v1/changes?tables=orders&filter=id.gt.0&initial=true&format=ndjson&select=id";
    let mut feed = Feed::open(&api, path).await;
    let mut told = String::new();
    while !told.contains("up_to_date") {
        told += &feed.next().await.unwrap();
    }
    order(&mut shop, 3, "new");
    shop.publish();
    told += &feed.next().await.unwrap();
    let events: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["upsert", "upsert", "up_to_date", "upsert", "commit"]
    );
    let mut ids: Vec<i64> = events[..2]
        .iter()
        .map(|it| it["row"]["id"].as_i64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [7, 9]);
    assert_eq!(
        events[3],
        json!({"event":"upsert","table":"orders","key":[3],"row":{"id":3}})
    );
}

#[tokio::test]
async fn what_cannot_be_told_row_by_row_ends_the_stream() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let mut feed = Feed::open(&api, "GET /v1/changes?tables=orders").await;
    let mut other = Feed::open(&api, "GET /v1/changes?tables=items").await;
    feed.until("up_to_date").await;
    other.until("up_to_date").await;
    shop.truncate("orders");
    shop.put("items", &[Int(7), Text("A,1/🦀"), Int(5)]);
    shop.publish();
    let told = feed.until("resync").await;
    assert_eq!(told, "event: resync\ndata: {\"reason\":\"truncate\"}\n\n");
    assert!(feed.next().await.is_none());
    assert!(other.until("commit").await.contains(r#""qty":5"#));
}

#[tokio::test]
async fn who_is_too_late_begins_anew() {
    let mut shop = Shop::keeping();
    shop.keeps_bytes_max = 2_000;
    let api = shop.api();
    let mut feed = Feed::open(&api, "GET /v1/changes?tables=orders").await;
    let seen = last_id(&feed.until("up_to_date").await);
    for round in 0..50 {
        order(&mut shop, 7, &format!("round {round}"));
        shop.publish();
    }
    // It reads nothing, while a piece of what changed waits for it.
    let told = feed.until("resync").await;
    assert!(
        told.ends_with("data: {\"reason\":\"slow_consumer\"}\n\n"),
        "{told}"
    );
    let head = format!("GET /v1/changes?tables=orders&since={seen}");
    let told = Feed::open(&api, &head).await.until("resync").await;
    assert!(
        told.ends_with("data: {\"reason\":\"retention\"}\n\n"),
        "{told}"
    );
    // Changes of another table push out nothing of one that did not change.
    let head = format!("GET /v1/changes?tables=items&since={seen}");
    let items = Feed::open(&api, &head).await.until("up_to_date").await;
    assert!(items.contains("up_to_date"), "{items}");
    let path = format!("/v1/changes?tables=orders&since={seen}&wait=1s");
    let (status, body) = get(&api, &path).await;
    assert_eq!((status, &body["code"]), (410, &json!("snapshot_expired")));
}

#[tokio::test(start_paused = true)]
async fn one_batch_is_waited_for() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let answer = api.answer(request("GET /v1/changes?tables=orders&wait=20s"));
    let started = tokio::time::Instant::now();
    let answer = answer.await;
    assert_eq!(
        (answer.status().as_u16(), started.elapsed().as_secs()),
        (204, 20)
    );
    let token = answer.headers()["rowtide-as-of"]
        .to_str()
        .unwrap()
        .to_owned();
    order(&mut shop, 7, "new");
    shop.publish();
    let path = format!("/v1/changes?tables=orders&wait=20s&since={token}");
    let (status, body) = get(&api, &path).await;
    assert_eq!(status, 200);
    let events = body["changes"].as_array().unwrap();
    assert_eq!(events[0]["row"]["status"], "new");
    assert_eq!(events[1]["event"], "commit");
    assert_eq!(body["as_of"], body["changes"][1]["id"]);
    // Asleep until its table changes.
    let next = body["as_of"].as_str().unwrap().to_owned();
    let (waiting, asked) = (api.clone(), next.clone());
    let waits = tokio::spawn(async move {
        let path = format!("/v1/changes?tables=orders&wait=20s&since={asked}");
        get(&waiting, &path).await
    });
    all_sleep().await;
    shop.put("items", &[Int(7), Text("A,1/🦀"), Int(9)]);
    shop.publish();
    order(&mut shop, 7, "newer");
    shop.publish();
    let (status, body) = waits.await.unwrap();
    assert_eq!(
        (status, &body["changes"][0]["row"]["status"]),
        (200, &json!("newer"))
    );
}

#[tokio::test(start_paused = true)]
async fn who_hears_nothing_is_told_that_all_is_well() {
    let shop = Shop::keeping();
    let api = shop.api();
    let mut feed = Feed::open(&api, "GET /v1/changes?tables=orders").await;
    feed.until("up_to_date").await;
    let started = tokio::time::Instant::now();
    let told = feed.until("heartbeat").await;
    assert_eq!(started.elapsed().as_secs(), 15);
    expect![[r#"
        event: heartbeat
        id: ID
        data: {"as_of":"ID","lag_ms":38,"state":"live"}

    "#]]
    .assert_eq(&without_ids(&told));
}

#[tokio::test]
async fn changes_are_gathered_for_as_long_as_is_asked() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let path = "GET /v1/changes?tables=orders&debounce=50ms&format=ndjson&select=status";
    let mut feed = Feed::open(&api, path).await;
    feed.next().await.unwrap();
    order(&mut shop, 7, "a");
    order(&mut shop, 8, "x");
    shop.publish();
    shop.delete("orders", Int(8));
    order(&mut shop, 7, "b");
    shop.publish();
    let told = feed.next().await.unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines[0].contains(r#""row":{"status":"b"}"#), "{told}");
}

#[tokio::test]
async fn the_end_of_the_process_ends_all_streams() {
    let shop = Shop::keeping();
    let api = shop.api();
    let mut feed = Feed::open(&api, "GET /v1/changes?tables=orders").await;
    feed.until("up_to_date").await;
    let listener = http_api::Listener::bind("127.0.0.1:0");
    http_api::serve(listener.await.unwrap(), api.clone(), async {}).await;
    let told = feed.until("resync").await;
    assert!(told.ends_with("data: {\"reason\":\"drain\"}\n\n"), "{told}");
    assert!(feed.next().await.is_none());
}

#[tokio::test]
async fn only_so_many_follow() {
    let shop = Shop::keeping();
    let limits = Limits {
        feeds_max: 1,
        ..Limits::default()
    };
    let api = shop.api_with(limits);
    let mut feed = Feed::open(&api, "GET /v1/changes").await;
    feed.until("up_to_date").await;
    let (status, body) = get(&api, "/v1/changes").await;
    assert_eq!((status, &body["code"]), (503, &json!("overloaded")));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_before_the_stream() {
    let api = Shop::keeping().api();
    let mut told = String::new();
    for query in [
        "tables=ordres",
        "table=orders",
        "tables=orders&filter=stats.eq.paid",
        "tables=orders&filter=status.foo.paid",
        "filter=status.eq.paid",
        "tables=orders&select=count()",
        "tables=orders&since=x",
        "tables=orders&debounce=soon",
        "tables=orders&debounce=20s",
        "tables=orders&wait=1s&format=sse",
        "tables=orders&initial=true&wait=1s",
        "tables=orders&format=xml",
    ] {
        let (status, body) = get(&api, &format!("/v1/changes?{query}")).await;
        writeln!(
            told,
            "{query}\n  {status} {} {}",
            body["code"], body["detail"]
        )
        .unwrap();
        assert!(body["fresh"].is_object(), "{query}");
    }
    expect![[r#"
        tables=ordres
          404 "unknown_table" "There is no table 'ordres'."
        table=orders
          400 "unknown_parameter" "There is no parameter 'table' here."
        tables=orders&filter=stats.eq.paid
          400 "unknown_column" "Table 'orders' has no column 'stats'."
        tables=orders&filter=status.foo.paid
          400 "bad_request" "The query cannot be read: there is no operator 'foo', in the value of 'and' at character 2."
        filter=status.eq.paid
          400 "bad_request" "filter and select are about one table."
        tables=orders&select=count()
          400 "bad_request" "Changes are told of rows by themselves: filter and select name columns of the table, and no relations or aggregates."
        tables=orders&since=x
          400 "bad_request" "since (or Last-Event-ID) is no as_of of this version."
        tables=orders&debounce=soon
          400 "bad_request" "debounce is a whole number of seconds or milliseconds, of at most 10 s."
        tables=orders&debounce=20s
          400 "bad_request" "debounce is a whole number of seconds or milliseconds, of at most 10 s."
        tables=orders&wait=1s&format=sse
          400 "bad_request" "wait asks for one batch, which is JSON."
        tables=orders&initial=true&wait=1s
          400 "bad_request" "initial=true goes with neither since nor one batch."
        tables=orders&format=xml
          400 "bad_request" "format is sse or ndjson or json."
    "#]].assert_eq(&told);
}
