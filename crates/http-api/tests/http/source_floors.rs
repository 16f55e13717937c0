//! Floors that are places in the history of a source, bounds on the lag, and the end of the log: what they let through,
//! who is woken, and what their errors teach.

use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use axum::body::Body;
use expect_test::expect;
use http::Request;
use http_api::{Api, EndsAnswer, Hosts, Limits, LogEnds};
use parking_lot::Mutex;
use serde_json::{Value, json};
use table_store::{Heard, Heartbeats, Reached, SourceCut, TableReach};

use crate::doubles::Status;
use crate::fixture::{NOW_MS, Shop, get, request};

/// A shop whose tables have come along with their source up to a place.
struct Site {
    shop: Shop,
    source: SourceCut,
}

impl Site {
    fn new() -> Self {
        let source = SourceCut {
            name: "shop".into(),
            connector: "shop".into(),
            ..SourceCut::default()
        };
        Self {
            shop: Shop::open(),
            source,
        }
    }

    /// All tables show what was heard before this moment, and what the source had reached then.
    fn read_to_end(&mut self, heard: u64) {
        let along = TableReach {
            heard: Some(Heard(heard)),
            reached: self.source.newest.clone(),
            is_whole: true,
        };
        let tables = ["orders", "items"].map(|table| self.shop.id_of(table));
        self.source.tables = Arc::new(tables.map(|id| (id, along.clone())).to_vec());
        self.publish();
    }

    fn publish(&mut self) {
        self.shop.set_source(self.source.clone());
        self.shop.publish();
    }

    fn saw(&mut self, transaction: u32, lsn: u64) {
        self.source.applied.see(transaction);
        self.source.newest = Reached {
            lsn: Some(lsn),
            commit_ms: Some(NOW_MS - 5_000),
            ..Reached::default()
        };
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn lookup(query: &str) -> Request<Body> {
    request(&format!("GET /v1/tables/orders/rows/7?{query}"))
}

#[tokio::test]
async fn who_waits_for_its_own_write_is_woken_when_the_table_has_come_along() {
    let mut site = Site::new();
    site.read_to_end(1);
    let api = site.shop.api();
    let mut answer = pin!(api.answer(lookup("at_least=tx:753&wait=60s")));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poll = || answer.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    site.saw(753, 0x100);
    site.publish();
    site.source.applied.complete(753, Heard(4));
    site.read_to_end(3);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    site.read_to_end(4);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert_eq!(answer.await.status(), 200);
    let (status, body) = get(&api, "/v1/tables/orders/rows/7?at_least=tx:753").await;
    let fresh = &body["fresh"];
    assert_eq!(
        (status, &fresh["satisfied"], &fresh["precision"]),
        (200, &json!(true), &json!("weak"))
    );
    site.source.applied.close(753);
    site.publish();
    let (_, body) = get(&api, "/v1/tables/orders/rows/7?at_least=tx:shop/753").await;
    assert_eq!(body["fresh"]["precision"], "exact");
}

/// A request, and what it was refused with.
async fn told(api: &Api, query: &str) -> String {
    let (status, body) = get(api, &format!("/v1/tables/orders/rows/7?{query}")).await;
    let mut told = format!("{query}\n  {status} {} {}\n", body["code"], body["detail"]);
    for field in ["candidates", "recent_tx", "hint"] {
        if let Some(value) = body.get(field) {
            writeln!(told, "  {field}: {value}").unwrap();
        }
    }
    assert!(body["fresh"]["as_of"].is_string(), "{query}");
    told
}

const TAUGHT: [&str; 11] = [
    "at_least=tx:753&wait=5ms",
    "at_least=tx:740&wait=0",
    "at_least=lsn:0/26B3F70&wait=0",
    "at_least=lsn:0/1A00000&wait=0",
    "at_least=ts:99999999999999&wait=0",
    "at_least=gtid:0-1-7",
    "at_least=tx:crm/7",
    "at_least=log_end",
    "at_least=source_now",
    "max_lag=10ms",
    "max_lag=10ms&wait=5ms",
];

#[tokio::test]
async fn errors_teach() {
    let mut site = Site::new();
    let api = site.shop.api();
    let mut all = String::new();
    all += "— nothing was read of any source\n";
    all += &told(&api, "at_least=tx:753&wait=0").await;
    for id in 748..=752 {
        site.saw(id, 0x16B_3F70);
        site.source.applied.complete(id, Heard(2));
    }
    site.source.former.lsn = Some(0x1FF_FFFF);
    site.read_to_end(2);
    for query in TAUGHT {
        all += &told(&api, query).await;
    }
    expect![[r#"
        — nothing was read of any source
        at_least=tx:753&wait=0
          504 "not_yet_applied" "Waited 0 ms for tx:753. Nothing has been read of its source yet."
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is."
        at_least=tx:753&wait=5ms
          504 "not_yet_applied" "Waited 5 ms for tx:753. No change of that transaction has been seen of source 'shop'."
          recent_tx: ["752","751","750","749","748"]
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. If it never appears, pg_current_xact_id() was probably called outside the transaction that wrote, or that transaction changed no table that is followed."
        at_least=tx:740&wait=0
          504 "not_yet_applied" "Waited 0 ms for tx:740. No change of that transaction has been seen of source 'shop'."
          recent_tx: ["752","751","750","749","748"]
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. Newer transactions are shown already. If it never appears, pg_current_xact_id() was probably called outside the transaction that wrote, or that transaction changed no table that is followed."
        at_least=lsn:0/26B3F70&wait=0
          504 "not_yet_applied" "Waited 0 ms for lsn:0/26B3F70. Source 'shop' has been seen up to 0/16B3F70."
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. A source that writes nothing more never comes to a place that was read after a commit: have it write heartbeats (heartbeat.interval.ms and heartbeat.action.query of the connector) and name their table in heartbeat_table of the source."
        at_least=lsn:0/1A00000&wait=0
          410 "position_unknown" "lsn:0/1A00000 was reached by source 'shop' before it began anew with another snapshot, and has not been reached since: it is most likely of its former timeline."
          hint: "Positions of the two cannot be compared. Ask without at_least; if the position is of a write since then, retry with a longer wait."
        at_least=ts:99999999999999&wait=0
          504 "not_yet_applied" "Waited 0 ms for ts:99999999999999. Source 'shop' has been seen up to 2023-11-14T22:13:15Z."
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. The time has not come yet: ts: wants the time of a commit."
        at_least=gtid:0-1-7
          400 "bad_request" "Source 'shop' has no such positions: it has transaction ids (tx:) and log sequence numbers (lsn:)."
        at_least=tx:crm/7
          400 "bad_request" "No table of this answer is of a source 'crm'."
          candidates: ["shop"]
          hint: "A position says nothing of tables of other sources."
        at_least=log_end
          504 "not_yet_applied" "It is not known where the log ends: nothing is known yet of the log of table 'orders'."
          hint: "Without an answer of the broker nothing can be promised. Retry, or add on_miss=serve to read the table as it is."
        at_least=source_now
          400 "unknown_parameter" "at_least cannot be used: source_now is not supported: no database is asked."
          hint: "at_least=log_end waits for everything that is in the log by now."
        max_lag=10ms
          503 "too_stale" "The answer may be 38 ms behind the log; max_lag is 10 ms."
          hint: "Retry, add wait=2s to be answered as soon as it is fresh enough, or on_miss=serve to read it as it is. GET /v1/status says what is behind."
        max_lag=10ms&wait=5ms
          503 "too_stale" "Waited 5 ms. The answer may be 38 ms behind the log; max_lag is 10 ms."
          hint: "Retry, add wait=2s to be answered as soon as it is fresh enough, or on_miss=serve to read it as it is. GET /v1/status says what is behind."
    "#]].assert_eq(&all);
}

#[tokio::test]
async fn errors_tell_of_heartbeats_and_of_sources_that_could_be_meant() {
    let mut site = Site::new();
    let api = site.shop.api();
    site.saw(752, 0x16B_3F70);
    site.read_to_end(2);
    let mut all = String::new();
    for heartbeats in [Heartbeats::Awaited, Heartbeats::Last(NOW_MS - 20_000)] {
        site.source.heartbeats = heartbeats;
        site.publish();
        all += &told(&api, "at_least=lsn:0/26B3F70&wait=0").await;
    }
    all += "— of two databases in one source\n";
    let tables = Arc::clone(&site.source.tables);
    site.shop.set_source(SourceCut {
        name: "shop".into(),
        connector: "archive".into(),
        tables,
        ..SourceCut::default()
    });
    site.publish();
    all += &told(&api, "at_least=tx:753").await;
    expect![[r#"
        at_least=lsn:0/26B3F70&wait=0
          504 "not_yet_applied" "Waited 0 ms for lsn:0/26B3F70. Source 'shop' has been seen up to 0/16B3F70."
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. heartbeat_table is configured and no row of it has come yet: look at heartbeat.interval.ms and heartbeat.action.query of the connector."
        at_least=lsn:0/26B3F70&wait=0
          504 "not_yet_applied" "Waited 0 ms for lsn:0/26B3F70. Source 'shop' has been seen up to 0/16B3F70."
          hint: "Applying continues. Retry with a longer wait (at most 60s), or add on_miss=serve to read the table as it is. The newest heartbeat was committed at 2023-11-14T22:13:00Z."
        — of two databases in one source
        at_least=tx:753
          400 "bad_request" "at_least may be a position of several sources."
          candidates: ["shop","archive"]
          hint: "Say which one: tx:shop/753, lsn:shop/0/16B3F70, gtid:shop/…, ts:shop/…"
    "#]].assert_eq(&all);
}

#[tokio::test]
async fn a_bound_on_the_lag_is_about_the_source_where_that_is_known() {
    let mut site = Site::new();
    site.read_to_end(1);
    let api = site.shop.api();
    // It was told 38 ms ago that it is at the end of the log.
    let path = |max: &str| format!("/v1/tables/orders/rows/7?max_lag={max}");
    let (status, body) = get(&api, &path("38ms")).await;
    assert_eq!((status, &body["fresh"]["bound"]), (200, &json!("log")));
    assert_eq!(body["fresh"]["satisfied"], true);
    let (status, body) = get(&api, &path("37ms")).await;
    assert_eq!((status, &body["code"]), (503, &json!("too_stale")));
    assert_eq!(
        (&body["fresh"]["bound"], &body["fresh"]["satisfied"]),
        (&json!("log"), &json!(false))
    );
    let (status, body) = get(&api, &(path("37ms") + "&on_miss=serve")).await;
    assert_eq!((status, &body["fresh"]["satisfied"]), (200, &json!(false)));
    // A connector that has stopped leaves the log quiet, and the source unseen for longer.
    site.shop
        .set_facts("orders", |facts| facts.shows_source_of(NOW_MS - 9_000));
    site.publish();
    let (status, body) = get(&api, &path("8s")).await;
    assert_eq!((status, &body["fresh"]["bound"]), (503, &json!("source")));
    assert_eq!(body["fresh"]["source_lag_ms"], 9_000);
    assert_eq!(get(&api, &path("9s")).await.0, 200);
    let (status, _) = get(&api, &(path("9s") + "&at_least=tx:7&wait=0")).await;
    assert_eq!(status, 504);
}

#[tokio::test]
async fn who_waits_for_a_fresher_answer_is_woken_by_contact_with_the_log() {
    let mut site = Site::new();
    site.shop
        .set_facts("orders", |facts| facts.commit_ms = None);
    site.read_to_end(1);
    let api = site.shop.api();
    let mut answer = pin!(api.answer(lookup("max_lag=5ms&wait=60s")));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poll = || answer.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    site.shop.contact("shop");
    site.shop.contact("crm");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    let cut = site.shop.store().published();
    cut.table("orders").unwrap().facts.told_at_end(NOW_MS - 5);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
    site.shop.contact("shop");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert_eq!(answer.await.status(), 200);
}

/// Everything that answers from tables, with a bound on its lag as it is spelled there.
fn surfaces(max: &str) -> Vec<Request<Body>> {
    let with_body = |path: &str, body: String| {
        let mut request = request(&format!("POST {path}"));
        *request.body_mut() = Body::from(body);
        request
    };
    let header = format!("Rowtide-Max-Lag: {max}");
    vec![
        request(&format!("GET /v1/tables/orders/rows/7?max_lag={max}")),
        request(&format!("GET /v1/tables/orders/rows/7\n{header}")),
        request(&format!("GET /v1/tables/orders/rows?max_lag={max}")),
        request(&format!("GET /v1/tables/orders/rows\n{header}")),
        request(&format!("GET /v1/wait?max_lag={max}")),
        request(&format!("GET /v1/wait?tables=orders\n{header}")),
        request(&format!("GET /rest/v1/orders\n{header}")),
        with_body(
            "/v1/query",
            format!(r#"{{"from":"orders","max_lag":"{max}"}}"#),
        ),
        with_body(
            "/v1/batch-get",
            format!(r#"{{"get":[{{"table":"orders","keys":[[7]]}}],"max_lag":"{max}"}}"#),
        ),
        with_body(
            "/v1/sql",
            format!(r#"{{"sql":"select id from orders","max_lag":"{max}"}}"#),
        ),
    ]
}

#[tokio::test]
async fn every_surface_keeps_to_a_bound_on_the_lag() {
    let api = Shop::open().api();
    for (tight, loose) in surfaces("10ms").into_iter().zip(surfaces("1s")) {
        let what = format!("{} {}", tight.method(), tight.uri());
        assert_eq!(api.answer(tight).await.status(), 503, "{what}");
        let answer = api.answer(loose).await;
        assert_eq!(answer.status(), 200, "{what}");
        let said = answer.headers()["rowtide-freshness"].to_str().unwrap();
        assert!(
            said.ends_with("satisfied=true, bound=log"),
            "{what}: {said}"
        );
    }
    let (status, body) = get(&api, "/v1/status").await;
    assert_eq!((status, body.get("code")), (200, None));
    let refused = api
        .answer(request("GET /v1/status\nRowtide-Max-Lag: 5s"))
        .await;
    assert_eq!(refused.status(), 400);
}

/// A source, its partitions, and the way back.
type Question = (String, Vec<(String, i32)>, EndsAnswer);

/// Answers when the test says so.
#[derive(Default)]
struct Broker {
    asked: Mutex<Vec<Question>>,
}

struct Asked(Arc<Broker>);

impl LogEnds for Asked {
    fn ask(&self, source: &str, of: Vec<(String, i32)>, answer: EndsAnswer) {
        self.0.asked.lock().push((source.to_owned(), of, answer));
    }
}

impl Broker {
    fn answer(&self, ends: &[(&str, i32, u64)]) {
        let ends = ends
            .iter()
            .map(|(topic, partition, next)| ((*topic).to_owned(), *partition, *next));
        let (.., answer) = self.asked.lock().pop().unwrap();
        answer(Ok(ends.collect()));
    }
}

fn with_broker(shop: &Shop) -> (Api, Arc<Broker>) {
    let broker = Arc::new(Broker::default());
    let state = shop.state(Status::default());
    let state = state.with_log_ends(Arc::new(Asked(Arc::clone(&broker))));
    (
        Api::data(state, Hosts::loopback(&[]), Limits::default()),
        broker,
    )
}

fn read_to(shop: &mut Shop, next: u64) {
    shop.set_facts("orders", |facts| facts.offsets = vec![(0, next)]);
    shop.publish();
}

#[tokio::test]
async fn the_end_of_the_log_is_the_one_at_arrival() {
    let mut shop = Shop::open();
    read_to(&mut shop, 5);
    let (api, broker) = with_broker(&shop);
    let mut answer = pin!(api.answer(lookup("at_least=log_end&wait=60s")));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut poll = || answer.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    assert_eq!(broker.asked.lock()[0].0, "shop");
    assert_eq!(
        broker.asked.lock()[0].1,
        [("shop.public.orders".to_owned(), 0)]
    );
    broker.answer(&[("shop.public.orders", 0, 7), ("shop.public.items", 0, 99)]);
    assert!(poll().is_pending());
    let before = wakes.0.load(Ordering::SeqCst);
    read_to(&mut shop, 6);
    assert_eq!(wakes.0.load(Ordering::SeqCst), before);
    read_to(&mut shop, 7);
    assert_eq!(wakes.0.load(Ordering::SeqCst), before + 1);
    assert_eq!(answer.await.status(), 200);
    assert!(broker.asked.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_told_of() {
    let mut shop = Shop::open();
    read_to(&mut shop, 5);
    let (api, broker) = with_broker(&shop);
    let path = "/v1/tables/orders/rows/7?at_least=log_end";
    let asked = tokio::time::Instant::now();
    let (status, body) = get(&api, &format!("{path}&wait=0")).await;
    assert_eq!((status, asked.elapsed().as_millis()), (504, 500));
    assert_eq!(
        body["detail"],
        "It is not known where the log ends: source shop did not answer within 500 ms."
    );
    let (status, body) = get(&api, &format!("{path}&wait=0&on_miss=serve")).await;
    assert_eq!((status, &body["fresh"]["satisfied"]), (200, &json!(false)));
    let refused = tokio::join!(get(&api, path), async {
        while broker.asked.lock().len() < 3 {
            tokio::task::yield_now().await;
        }
        let (.., answer) = broker.asked.lock().pop().unwrap();
        answer(Err("all brokers are down".to_owned()));
    });
    assert_eq!(
        refused.0.1["detail"],
        "It is not known where the log ends: all brokers are down."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_wait_and_a_publication_that_is_none_of_their_concern_touches_none() {
    const WAITERS: usize = 10_000;
    let mut site = Site::new();
    site.read_to_end(1);
    // They come all at once, each as one in flight before it waits.
    let api = site.shop.api_with(Limits {
        in_flight_max: WAITERS + 1,
        ..Limits::default()
    });
    let waits = (0..WAITERS).map(|at| {
        let api = api.clone();
        // Half of them wait for something else, which does not come.
        let transaction = if at % 2 == 0 { 753 } else { 754 };
        let asked = lookup(&format!("at_least=tx:{transaction}&wait=60s"));
        tokio::spawn(async move { api.answer(asked).await.status().as_u16() })
    });
    let waits: Vec<_> = waits.collect();
    let full = || async {
        let (_, body) = get(&api, "/v1/tables/orders/rows/7?at_least=tx:755&wait=1ms").await;
        body["code"].clone()
    };
    assert_eq!(full().await, Value::from("not_yet_applied"));
    site.source.applied.close(753);
    // Whoever comes later finds it there: all that waited are woken, or need not wait.
    site.publish();
    let (mut done, mut others) = (0, Vec::new());
    for (at, wait) in waits.into_iter().enumerate() {
        if at % 2 == 0 {
            assert_eq!(wait.await.unwrap(), 200);
            done += 1;
        } else {
            others.push(wait);
        }
    }
    assert_eq!(done, WAITERS / 2);
    assert!(others.iter().all(|wait| !wait.is_finished()));
    // This time no table shows anything new.
    site.source.applied.close(754);
    site.shop.set_source(site.source.clone());
    site.shop.publish_sources();
    for wait in others {
        // Long before their own time is over, at which they would look once more.
        let woken = tokio::time::timeout(Duration::from_secs(30), wait).await;
        assert_eq!(woken.unwrap().unwrap(), 200);
    }
}
