//! Streams that are open side by side, many of them of the same rows, and read at different paces: each tells every
//! commit once, and whoever applies it has the rows as they were at some later state than before.

use std::time::Duration;

use axum::body::Body;
use http_api::Api;
use http_body_util::BodyExt;
use proptest::prelude::*;
use row_model::Value::{Int, Null, Text};
use serde_json::Value;

use crate::feed_history::{Edit, History, Kept, Rows, edit};
use crate::fixture::{Shop, get, request};
use crate::wakes::all_sleep;

/// By nothing, by what the filter says of a key, of a value, and of neither.
const FILTERS: [&str; 5] = [
    "",
    "id.eq.2",
    "status.eq.a",
    "and(status.in.(b,c),id.gt.1)",
    "or(id.gt.3,status.neq.a)",
];

/// One who keeps a copy.
struct Stream {
    kept: Kept,
    body: Body,
    unread: Vec<u8>,
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
            kept: Kept {
                filter,
                rows: Rows::new(),
                at: states.len() - 1,
            },
            body: answer.into_body(),
            unread: Vec::new(),
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
        self.kept.is_newest(states);
        true
    }

    fn apply(&mut self, event: &Value, states: &[Rows]) -> bool {
        match event["event"].as_str().unwrap() {
            "resync" => return false,
            "up_to_date" | "heartbeat" => {}
            _ => self.kept.apply(event, states),
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Edit(Edit),
    Read(usize),
    Reopen(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        19 => edit().prop_map(Step::Edit),
        12 => (0..12usize).prop_map(Step::Read),
        2 => (0..12usize).prop_map(Step::Reopen),
    ]
}

async fn run(steps: Vec<Step>, bytes_max: u64) -> usize {
    let mut history = History::begin(bytes_max);
    let api = history.shop.api();
    let mut streams = Vec::new();
    for nth in 0..12 {
        streams.push(Stream::open(&api, nth, &history.states).await);
    }
    let mut resyncs = 0;
    for step in steps {
        match step {
            Step::Edit(edit) => {
                history.make(edit);
                if let Edit::Publish = edit {
                    all_sleep().await;
                }
            }
            Step::Read(nth) => {
                if !streams[nth].read(&history.states).await {
                    resyncs += 1;
                    streams[nth] = Stream::open(&api, nth, &history.states).await;
                }
            }
            Step::Reopen(nth) => streams[nth] = Stream::open(&api, nth, &history.states).await,
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
        let truncates = steps.iter().filter(|step| matches!(step, Step::Edit(Edit::Truncate))).count();
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
