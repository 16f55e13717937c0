//! The peer: what one would write in an afternoon. Parse everything, keep the parsed row in a `DashMap`.

use std::time::Duration;

use change_feed::{Source, SourceEvent, StartAt};
use dashmap::DashMap;
use serde_json::Value;
use telemetry::clock;

use crate::measure::{Measured, cpu_seconds, status_bytes};

pub fn run(mut source: Box<dyn Source>) -> Measured {
    let tables: DashMap<(u32, String), Value> = DashMap::new();
    let (began, cpu_began, rss_began) = (clock::monotonic(), cpu_seconds(), status_bytes("VmRSS"));
    let (sender, receiver) = crossbeam_channel::bounded(8);
    let mut records = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in receiver {
                apply(&tables, &batch);
            }
        });
        let (mut events, mut started, mut ended) = (Vec::new(), 0, 0);
        let mut complete = false;
        while !(complete && ended >= started) {
            source.poll(Duration::from_millis(20), &mut events);
            for event in events.drain(..) {
                match event {
                    SourceEvent::Discovered(facts) => {
                        started += 1;
                        if let Err(error) = source.start(facts.id, StartAt::Earliest) {
                            panic!("{error}");
                        }
                    }
                    SourceEvent::Records(batch) => {
                        records += batch.len() as u64;
                        let _ = sender.send(batch);
                    }
                    SourceEvent::End { .. } => ended += 1,
                    SourceEvent::DiscoveryComplete => complete = true,
                    _ => {}
                }
            }
        }
        drop(sender);
    });
    let seconds = (clock::monotonic() - began).as_secs_f64();
    Measured {
        records,
        seconds,
        cpu_seconds: cpu_seconds() - cpu_began,
        peak_bytes: status_bytes("VmHWM"),
        rows: tables.len() as u64,
        grown_bytes: status_bytes("VmRSS").saturating_sub(rss_began),
        ..Measured::default()
    }
}

fn apply(tables: &DashMap<(u32, String), Value>, batch: &change_feed::RawBatch) {
    for record in batch.iter() {
        let Some(key) = record
            .key
            .and_then(|key| serde_json::from_slice::<Value>(key).ok())
        else {
            continue;
        };
        let key = (batch.partition.0, key.to_string());
        let value = record
            .value
            .and_then(|value| serde_json::from_slice::<Value>(value).ok());
        match value {
            Some(mut value) if value["after"].is_object() => {
                tables.insert(key, value["after"].take());
            }
            _ => {
                tables.remove(&key);
            }
        }
    }
}
