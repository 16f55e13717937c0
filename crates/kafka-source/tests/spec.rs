//! The source suite over the in-process broker: the real client, real sockets.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use change_feed::{Header, Source};
use kafka_source::mock::Broker;
use kafka_source::{KafkaOptions, KafkaSource};
use testkit::source_suite::{self, LogUnderTest, PlannedRecord, TOPIC_PREFIX};

#[test]
fn the_suite_passes() {
    source_suite::check(&mut || {
        Box::new(Topics {
            broker: Broker::start().unwrap(),
        })
    });
}

struct Topics {
    broker: Broker,
}

impl LogUnderTest for Topics {
    fn create_topic(&mut self, topic: &str, partitions: i32) {
        self.broker.create_topic(topic, partitions).unwrap();
    }

    fn append(&mut self, records: &[PlannedRecord]) {
        for record in records {
            let headers = record.headers.iter();
            let headers = headers.map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            });
            let place = (record.topic.as_str(), record.partition);
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            self.broker
                .send(place, key, value, headers, Some(record.timestamp_ms))
                .unwrap();
        }
        self.broker.flush().unwrap();
    }

    fn open(&mut self) -> Box<dyn Source> {
        let all = format!("{TOPIC_PREFIX}*");
        let mut options = KafkaOptions::new("suite", &self.broker.bootstrap_servers(), &[&all]);
        options.refresh_interval = Duration::from_millis(50);
        options.settings = BTreeMap::from([("fetch.wait.max.ms".to_owned(), "20".to_owned())]);
        Box::new(KafkaSource::connect(options).unwrap())
    }
}
