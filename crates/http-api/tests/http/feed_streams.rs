//! Streams that are open side by side, many of them of the same rows, and read at different paces: each tells every
//! commit once, and whoever applies it has the rows as they were at some later state than before.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use http_api::Api;
use http_body_util::BodyExt;
use proptest::prelude::*;
use row_model::Value::{Int, Null, Text};
use serde_json::Value;

use crate::fixture::{Shop, get, request};
use crate::wakes::all_sleep;

type Rows = BTreeMap<i64, String>;

/// By nothing, by what the filter says of a key, of a value, and of neither.
const FILTERS: [&str; 5] = [
    "",
    "id.eq.2",
    "status.eq.a",
    "and(status.in.(b,c),id.gt.1)",
    "or(id.gt.3,status.neq.a)",
];

fn is_followed(filter: &str, id: i64, status: &str) -> bool {
    match filter {
        "" => true,
        "id.eq.2" => id == 2,
        "status.eq.a" => status == "a",
        "and(status.in.(b,c),id.gt.1)" => status != "a" && id > 1,
        _ => id > 3 || status != "a",
    }
}

fn followed(filter: &str, rows: &Rows) -> Rows {
    let rows = rows.iter();
    rows.filter(|(id, status)| is_followed(filter, **id, status))
        .map(|(id, status)| (*id, status.clone()))
        .collect()
}

/// One who keeps a copy.
struct Stream {
    filter: &'static str,
    body: Body,
    unread: Vec<u8>,
    rows: Rows,
    /// Which of the states there were it is at or after.
    at: usize,
}

impl Stream {
    async fn open(api: &Api, nth: usize, states: &[Rows]) -> Self {
        let filter = FILTERS[nth % FILTERS.len()];
        let parameter = match filter {
            "" => String::new(),
            filter => format!("&filter={filter}"),
        };
        // Those that gather find out for themselves.
        let debounce = if nth % 4 == 3 { "&debounce=1ms" } else { "" };
        let path = "/v1/changes?tables=orders&format=ndjson&initial=true";
        let answer = api
            .answer(request(&format!("GET {path}{parameter}{debounce}")))
            .await;
        assert_eq!(answer.status(), 200);
        let mut stream = Self {
            filter,
            body: answer.into_body(),
            unread: Vec::new(),
            rows: Rows::new(),
            at: states.len() - 1,
        };
        stream.read(states).await;
        stream
    }

    /// Reads what there is. Answers whether it goes on.
    async fn read(&mut self, states: &[Rows]) -> bool {
        loop {
            let frame = tokio::time::timeout(Duration::from_millis(5), self.body.frame());
            let Ok(frame) = frame.await else { break };
            let Some(frame) = frame else { return false };
            self.unread
                .extend_from_slice(&frame.unwrap().into_data().unwrap());
            while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if !self.apply(&serde_json::from_slice(&line).unwrap(), states) {
                    return false;
                }
            }
        }
        assert_eq!(
            self.rows,
            followed(self.filter, states.last().unwrap()),
            "{}",
            self.filter
        );
        true
    }

    fn apply(&mut self, event: &Value, states: &[Rows]) -> bool {
        match event["event"].as_str().unwrap() {
            "upsert" => {
                let row = &event["row"];
                let id = row["id"].as_i64().unwrap();
                let status = row["status"].as_str().unwrap().to_owned();
                let before = self.rows.insert(id, status.clone());
                assert_ne!(before.as_ref(), Some(&status), "{event}: nothing new");
            }
            "delete" => {
                let id = event["key"][0].as_i64().unwrap();
                assert!(self.rows.remove(&id).is_some(), "{event}: was not there");
            }
            "commit" => {
                let mut later = states.iter().skip(self.at);
                let found = later.position(|rows| followed(self.filter, rows) == self.rows);
                self.at += found.unwrap();
            }
            "resync" => return false,
            "up_to_date" | "heartbeat" => {}
            other => panic!("{other}"),
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(i64, &'static str),
    Delete(i64),
    Truncate,
    Publish,
    Read(usize),
    Reopen(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        8 => (1..7i64, status).prop_map(|(id, status)| Step::Put(id, status)),
        4 => (1..7i64).prop_map(Step::Delete),
        1 => Just(Step::Truncate),
        6 => Just(Step::Publish),
        12 => (0..12usize).prop_map(Step::Read),
        2 => (0..12usize).prop_map(Step::Reopen),
    ]
}

async fn run(steps: Vec<Step>, bytes_max: u64) -> usize {
    let mut shop = Shop::keeping();
    shop.keeps_bytes_max = bytes_max;
    let mut rows = Rows::new();
    for id in [7, 9, -1] {
        shop.delete("orders", Int(id));
    }
    shop.put("orders", &[Int(1), Text("a"), Null, Null]);
    rows.insert(1, "a".to_owned());
    shop.publish();
    let api = shop.api();
    let mut states = vec![rows.clone()];
    let mut streams = Vec::new();
    for nth in 0..12 {
        streams.push(Stream::open(&api, nth, &states).await);
    }
    let mut resyncs = 0;
    for step in steps {
        match step {
            Step::Put(id, status) => {
                shop.put("orders", &[Int(id), Text(status), Null, Null]);
                rows.insert(id, status.to_owned());
            }
            Step::Delete(id) => {
                shop.delete("orders", Int(id));
                rows.remove(&id);
            }
            Step::Truncate => {
                shop.truncate("orders");
                rows.clear();
                shop.put("orders", &[Int(1), Text("a"), Null, Null]);
                rows.insert(1, "a".to_owned());
            }
            Step::Publish => {
                shop.publish();
                states.push(rows.clone());
                all_sleep().await;
            }
            Step::Read(nth) => {
                if !streams[nth].read(&states).await {
                    resyncs += 1;
                    streams[nth] = Stream::open(&api, nth, &states).await;
                }
            }
            Step::Reopen(nth) => streams[nth] = Stream::open(&api, nth, &states).await,
        }
    }
    resyncs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_stream_tells_each_commit_once(
        steps in proptest::collection::vec(step(), 1..120),
        bytes_max in prop_oneof![Just(u64::MAX), 1_000..12_000u64],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all().start_paused(true).build().unwrap();
        let truncates = steps.iter().filter(|step| matches!(step, Step::Truncate)).count();
        let resyncs = runtime.block_on(run(steps, bytes_max));
        if bytes_max == u64::MAX && truncates == 0 {
            prop_assert_eq!(resyncs, 0, "the ring had room for everything");
        }
    }
}

/// Two publications of changes to rows that nobody asks for wake no stream, and the ids of both go on from there.
#[tokio::test(start_paused = true)]
async fn who_is_told_nothing_still_comes_along() {
    let mut shop = Shop::keeping();
    let api = shop.api();
    let path = "GET /v1/changes?tables=orders&format=ndjson&filter=id.eq.2";
    let mut body = api.answer(request(path)).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(first["event"], "up_to_date");
    // Gone from what is held, were it not passed over.
    shop.keeps_bytes_max = 600;
    for id in 20..40 {
        shop.put("orders", &[Int(id), Text("a"), Null, Null]);
        shop.publish();
        all_sleep().await;
    }
    let beat = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let beat: Value = serde_json::from_slice(&beat).unwrap();
    assert_eq!(beat["event"], "heartbeat");
    let since = beat["id"].as_str().unwrap();
    let path = format!("/v1/changes?tables=orders&filter=id.eq.2&wait=0&since={since}");
    assert_eq!(get(&api, &path).await.0, 204);
}
