//! A plain consumer of librdkafka: when does it have the records of a probe?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka_source::mock::Broker;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::load::{PROBED_ROW, probe_of, topic, topics, transaction_topic};
use crate::moments::Moments;

const POLL: Duration = Duration::from_millis(100);

pub fn start(
    broker: &Broker,
    moments: Arc<Moments>,
    running: Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "plain")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "1")
        .create()?;
    let mut places = TopicPartitionList::new();
    for topic in topics() {
        places.add_partition_offset(&topic, 0, Offset::Beginning)?;
    }
    consumer.assign(&places)?;
    let (probed, boundaries) = (topic(0), transaction_topic());
    let probed_key = format!(r#"{{"id":{PROBED_ROW}}}"#);
    Ok(std::thread::spawn(move || {
        while running.load(Ordering::Relaxed) {
            let Some(message) = consumer.poll(POLL) else {
                continue;
            };
            let message = message?;
            let value = message.payload().unwrap_or_default();
            if message.topic() == boundaries && value.starts_with(br#"{"status":"END""#) {
                let id = number_behind(value, br#""id":""#);
                if let Some(probe) = id.and_then(probe_of) {
                    moments.end_received(probe);
                }
            }
            if message.topic() == probed
                && message.key() == Some(probed_key.as_bytes())
                && let Some(probe) = number_behind(value, br#""probe":"#)
            {
                moments.row_received(probe);
            }
        }
        Ok(())
    }))
}

pub fn number_behind(text: &[u8], before: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, before)? + before.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
