//! A plain consumer of librdkafka: when does it have the records of a probe?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka_source::mock::{Broker, PlainConsumer};

use crate::load::{PROBED, PROBED_ROW, probe_of, topic, topics, transaction_topic};
use crate::moments::Moments;

const POLL: Duration = Duration::from_millis(100);
/// As the server's.
const FETCH_WAIT_MS: u32 = 1;

pub fn start(
    broker: &Broker,
    moments: Arc<Moments>,
    running: Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let consumer = PlainConsumer::start(broker, topics(), FETCH_WAIT_MS)?;
    let (probed, boundaries) = (topic(PROBED), transaction_topic());
    let probed_key = format!(r#"{{"id":{PROBED_ROW}}}"#);
    Ok(std::thread::spawn(move || {
        while running.load(Ordering::Relaxed) {
            consumer.next(POLL, |record| {
                let value = record.value.unwrap_or_default();
                if record.topic == boundaries && value.starts_with(br#"{"status":"END""#) {
                    let id = number_behind(value, br#""id":""#);
                    if let Some(probe) = id.and_then(probe_of) {
                        moments.end_received(probe);
                        moments.any_received(probe);
                    }
                }
                if record.key == Some(probed_key.as_bytes())
                    && let Some(probe) = number_behind(value, br#""probe":"#)
                {
                    if record.topic == probed {
                        moments.row_received(probe);
                    }
                    moments.any_received(probe);
                }
            })?;
        }
        Ok(())
    }))
}

pub fn number_behind(text: &[u8], before: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, before)? + before.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
