//! One look at a broker tells what is there, what is missing, and the last records of each topic.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::time::Duration;

use kafka_source::mock::Broker;
use kafka_source::{KafkaOptions, survey};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Ten records and, in another partition, a tombstone without a key; beside empty topics.
fn filled() -> Broker {
    let broker = Broker::start().unwrap();
    for (topic, partitions) in [
        ("shop.a", 2),
        ("shop.empty", 1),
        ("shop.transaction", 1),
        ("crm.b", 1),
    ] {
        broker.create_topic(topic, partitions).unwrap();
    }
    for number in 0..10 {
        let value = number.to_string();
        broker
            .send(
                ("shop.a", 0),
                Some(b"k"),
                Some(value.as_bytes()),
                [],
                Some(number),
            )
            .unwrap();
    }
    broker
        .send(("shop.a", 1), None, None, [], Some(77))
        .unwrap();
    broker.flush().unwrap();
    broker
}

#[test]
fn topics_are_told_with_their_last_records() {
    let broker = filled();
    let options = KafkaOptions::new(
        "shop",
        &broker.bootstrap_servers(),
        &["shop.a", "shop.e*", "shop.x", "*.y"],
    );
    let survey = survey(&options, &["*.transaction"], TIMEOUT).unwrap();
    let told: Vec<_> = survey
        .topics
        .iter()
        .map(|topic| {
            (
                topic.name.as_str(),
                topic.is_wanted,
                topic.partitions,
                topic.records,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("shop.a", true, 2, 11),
            ("shop.empty", true, 1, 0),
            ("shop.transaction", false, 1, 0)
        ]
    );
    let samples = &survey.topics[0].samples;
    let mut values: Vec<_> = samples
        .iter()
        .filter_map(|record| record.value.clone())
        .collect();
    values.sort();
    assert_eq!(values, [b"6", b"7", b"8", b"9"].map(|value| value.to_vec()));
    let tombstone = samples
        .iter()
        .find(|record| record.value.is_none())
        .unwrap();
    assert_eq!(
        (tombstone.key.as_deref(), tombstone.timestamp_ms),
        (None, Some(77))
    );
    let missing: Vec<&str> = survey
        .missing
        .iter()
        .map(|(topic, _)| topic.as_str())
        .collect();
    assert_eq!(missing, ["shop.x", "*.y"]);
}

#[test]
fn a_broker_that_is_away_is_named() {
    let options = KafkaOptions::new("shop", "127.0.0.1:1", &["shop.*"]);
    let error = survey(&options, &["*.transaction"], Duration::from_millis(300)).unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1:1: "), "{error}");
}
