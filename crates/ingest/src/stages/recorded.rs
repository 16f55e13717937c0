//! What is said of records that real connectors wrote, with Debezium's default settings, had they been followed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, Source, SourceEvent, StartAt, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use expect_test::{Expect, expect};
use file_source::{FileOptions, FileSource};
use row_model::SchemaCatalog;

use super::*;

/// From a record's time in the log to its visibility.
const OWN_MS: i64 = 2;

/// Shows each record of a recording at its time, and tells what is said of each topic at the end.
fn check(scenario: &str, expected: &Expect) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    let path = ["events.jsonl", "events.jsonl.gz"].map(|name| folder.join(scenario).join(name));
    let path = path.iter().find(|path| path.exists()).unwrap();
    let mut source = FileSource::open(path, FileOptions::default()).unwrap();
    let mut decoder =
        DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    let mut topics = BTreeMap::new();
    let mut stages: BTreeMap<String, (Stages, i64)> = BTreeMap::new();
    loop {
        let mut events = Vec::new();
        source.poll(Duration::ZERO, &mut events);
        if events.is_empty() {
            break;
        }
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => {
                    source.start(facts.id, StartAt::Earliest).unwrap();
                    topics.insert(facts.id, facts.topic);
                }
                SourceEvent::Records(records) => {
                    let topic = topics[&records.partition].as_str();
                    let context = TopicContext {
                        topic,
                        partition: 0,
                    };
                    let mut batch = ChangeBatch::new(records.partition);
                    decoder.decode(context, &records, 0, &mut batch);
                    let (stages, now_ms) = stages.entry(topic.to_owned()).or_default();
                    for change in &batch.changes {
                        let log_ms = batch.log_time_of(change.offset).unwrap();
                        *now_ms = log_ms + OWN_MS;
                        stages.note(&batch, change);
                        stages.publish(true, *now_ms, |_, _| {});
                    }
                }
                _ => {}
            }
        }
    }
    let mut told = String::new();
    for (topic, (mut stages, now_ms)) in stages {
        let Some(report) = stages.report(now_ms) else {
            continue;
        };
        let median = |lag: &Option<Lag>| lag.as_ref().map_or(0, |lag| lag.median_ms);
        let [connector, broker, own] = report.stages.each_ref().map(median);
        let records = report.records;
        writeln!(
            told,
            "{topic}: {records} records, {connector} + {broker} + {own} ms"
        )
        .unwrap();
        for cause in report.causes {
            writeln!(told, "  {cause}").unwrap();
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn a_connector_that_looks_twice_a_second_is_found_out() {
    check(
        "G_blocking",
        &expect![[r#"
        g_blocking.public.debezium_signal: 1 records, 13 + 323 + 2 ms
        g_blocking.public.orders: 5346 records, 26 + 288 + 2 ms
          Records wait in the connector, evenly up to about 960 ms (416 ms in the middle): so they do with Debezium's default poll.interval.ms=500. Set poll.interval.ms=5 in the connector (measured: 12 ms from commit to Kafka instead of 323), and producer.override.linger.ms=0 (7 ms).
    "#]],
    );
}

/// One burst waits as long as its last record: that has no spread to know a setting by.
#[test]
fn of_a_single_burst_no_cause_is_guessed() {
    check(
        "A_basics_full",
        &expect![[r#"
        a_basics_full.inventory.customers: 3 records, 267 + 176 + 2 ms
        a_basics_full.inventory.empty_table: 4 records, 275 + 341 + 2 ms
        a_basics_full.inventory.orders: 15 records, 278 + 176 + 2 ms
        a_basics_full.inventory.products: 10 records, 285 + 348 + 2 ms
        a_basics_full.inventory.products_on_hand: 4 records, 285 + 176 + 2 ms
    "#]],
    );
}

/// Where the connector itself is behind, it is no setting that its records wait for.
#[test]
fn a_connector_that_is_behind_waits_for_no_setting() {
    check(
        "L_restart_duplicates",
        &expect![[r#"
        l_restart_duplicates.public.customers: 3 records, 5632 + 352 + 2 ms
        l_restart_duplicates.public.orders: 38 records, 5632 + 352 + 2 ms
    "#]],
    );
}
