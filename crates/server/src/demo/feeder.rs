//! Lets time pass in the shop and sends what happens to the broker.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use change_feed::Header;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use kafka_source::mock::{Broker, BrokerError};
use telemetry::clock::{self, now_ms};

use super::connector::{Event, topic};
use super::shop::Shop;

/// Debezium's own default: all changes of a table in one order.
const PARTITIONS: i32 = 1;
const PARTITION: i32 = 0;

/// Longer stories would wrap, and a wrapped line cannot be overwritten.
const STORY_CHARS_MAX: usize = 76;

/// Starts a broker that has the shop's rows as they are now.
pub fn start_broker(shop: &Shop) -> Result<Broker, BrokerError> {
    let broker = Broker::start()?;
    for (table, _) in shop.contents() {
        broker.create_topic(&topic(table), PARTITIONS)?;
    }
    send(&broker, &shop.snapshot(now_ms().unsigned_abs()))?;
    Ok(broker)
}

/// Sends and waits until the broker has everything.
fn send(broker: &Broker, events: &[Event]) -> Result<(), BrokerError> {
    for event in events {
        let headers = event.headers.iter().map(|(name, value)| Header {
            name,
            value: Some(value.as_bytes()),
        });
        broker.send(
            (&event.topic, PARTITION),
            Some(event.key.as_bytes()),
            event.value.as_deref().map(str::as_bytes),
            headers,
            i64::try_from(event.timestamp_ms).ok(),
        )?;
    }
    broker.flush()
}

/// Runs the shop until the other end of `closed` is gone.
pub fn run(mut shop: Shop, broker: &Broker, rate: u32, closed: &Receiver<()>) {
    let pause = Duration::from_secs(1) / rate;
    let on_terminal = std::io::stdout().is_terminal();
    // Not a pause after each: sending takes time too.
    let mut due = clock::monotonic() + pause;
    while let Err(RecvTimeoutError::Timeout) = closed.recv_deadline(due) {
        due += pause;
        let happened = shop.step(now_ms().unsigned_abs());
        if let Err(error) = send(broker, &happened.events) {
            tracing::error!(%error, "the demo's broker takes nothing more; the shop is closed");
            return;
        }
        if on_terminal {
            let story: String = happened.story.chars().take(STORY_CHARS_MAX).collect();
            let mut stdout = std::io::stdout().lock();
            // Overwrites the line before, so that the lines to try stay in sight.
            let _ = write!(stdout, "\r\x1b[2K{story}").and_then(|()| stdout.flush());
        }
    }
    if on_terminal {
        let _ = writeln!(std::io::stdout());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    use config::ConfigArgs;

    use super::*;
    use crate::capture::Capture;
    use crate::source;

    /// What a capture of the whole broker has, as lines.
    fn captured(broker: &Broker) -> Vec<serde_json::Value> {
        let flags = ConfigArgs {
            brokers: Some(broker.bootstrap_servers()),
            topics: vec!["shop.public.*".to_owned()],
            ..ConfigArgs::default()
        };
        let config = config::load(&flags, &BTreeMap::new()).unwrap();
        let mut source = source::open(&config.sources[0]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.jsonl.zst");
        let mut capture = Capture::create(&path, None, true).unwrap();
        capture
            .read(source.as_mut(), &AtomicBool::new(false))
            .unwrap();
        capture.finish().unwrap();
        let plain = directory.path().join("shop.jsonl");
        let mut capture = Capture::create(&plain, None, true).unwrap();
        let mut again =
            file_source::FileSource::open(&path, file_source::FileOptions::default()).unwrap();
        capture.read(&mut again, &AtomicBool::new(false)).unwrap();
        capture.finish().unwrap();
        let text = std::fs::read_to_string(&plain).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn the_broker_holds_the_whole_shop_and_what_happens_in_it() {
        let now = now_ms().unsigned_abs();
        let mut shop = Shop::open(1, now);
        let broker = start_broker(&shop).unwrap();
        let rows: usize = shop.contents().iter().map(|(_, rows)| rows.len()).sum();
        assert_eq!(captured(&broker).len(), rows);

        let happened = shop.step(now);
        send(&broker, &happened.events).unwrap();
        let lines = captured(&broker);
        assert_eq!(lines.len(), rows + happened.events.len());
        for event in &happened.events {
            let sent = |line: &&serde_json::Value| {
                line["topic"] == event.topic
                    && line["key"] == event.key
                    && line["value"] == serde_json::json!(event.value)
            };
            let line = lines.iter().find(sent).expect("it arrived as it was sent");
            assert_eq!(line["headers"][3]["value"], event.headers[3].1);
            assert_eq!(line["timestamp"], event.timestamp_ms);
        }
    }
}
