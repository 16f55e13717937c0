//! Records of the connectors that no database was run for: documented examples, and what the
//! connectors' classes write.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

mod cassandra;
mod documented;
mod documents;
mod flat_documents;
mod folded;
mod hidden;

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use change_feed::{Decoder, RawBatch, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use row_model::{ChangeBatch, PartitionId, SchemaCatalog};
use serde::Deserialize;

/// One line of a record file.
#[derive(Debug, Deserialize)]
struct Line {
    topic: String,
    key: Option<String>,
    value: Option<String>,
}

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let bytes = std::fs::read(&path).unwrap();
    let mut text = String::new();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
        _ => (&bytes[..]).read_to_string(&mut text),
    }
    .unwrap();
    text
}

/// The records of a file, of all its topics.
fn lines(name: &str) -> Vec<Line> {
    let text = fixture(name);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn decoder() -> DebeziumDecoder {
    DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default())
}

fn decode(records: &[(Option<&str>, Option<&str>)]) -> ChangeBatch {
    decode_by(&mut decoder(), "m.inventory.customers", records)
}

fn decode_by(
    decoder: &mut DebeziumDecoder,
    topic: &str,
    records: &[(Option<&str>, Option<&str>)],
) -> ChangeBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, (key, value)) in records.iter().enumerate() {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        batch.push(offset as u64, Some(1), key, value, []);
    }
    let mut out = ChangeBatch::new(batch.partition);
    decoder.decode(
        TopicContext {
            topic,
            partition: 0,
        },
        &batch,
        0,
        &mut out,
    );
    assert_eq!(out.records, batch.len() as u64);
    out
}

/// The changes of the file's records of one topic.
fn decode_file(name: &str, topic: &str) -> ChangeBatch {
    let lines = lines(name);
    let of_topic = lines.iter().filter(|line| line.topic == topic);
    let records: Vec<_> = of_topic
        .map(|line| (line.key.as_deref(), line.value.as_deref()))
        .collect();
    assert!(!records.is_empty(), "{name} has no records of {topic}");
    decode_by(&mut decoder(), topic, &records)
}
