//! Records in, changes out: the decoder at its boundary.

mod anything;
mod cloud_events;
mod columns;
mod envelopes;
mod flat_rows;
mod formats;
mod key_changes;
mod messages;
mod outbox;
mod placeholders;
mod repeated;
mod type_hints;

use std::fmt::Write as _;
use std::sync::Arc;

use change_feed::{Decoder, Header, RawBatch, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use expect_test::Expect;
use row_model::{Change, ChangeBatch, PartitionId, Row, SchemaCatalog};

const TOPIC: &str = "s.public.t";
const SOURCE: &str = r#""source":{"version":"3","connector":"postgresql","name":"s","ts_ms":5,"snapshot":"false","db":"d","sequence":"[null,\"7\"]","schema":"public","table":"t","txId":12,"lsn":77}"#;
const RUN: Header<'_> = Header {
    name: "__debezium.context.runId",
    value: Some(b"01a1fbb5-4ae7-7171-8aee-e0087b028db0"),
};

/// A key, a value and headers. An absent header value is null.
type Record<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    &'a [(&'a str, Option<&'a str>)],
);

/// What records without headers of their own become.
fn check(records: &[(Option<&str>, Option<&str>)], expected: &Expect) {
    let records: Vec<Record<'_>> = records
        .iter()
        .map(|(key, value)| (*key, *value, &[][..]))
        .collect();
    check_with_headers(TOPIC, &records, expected);
}

fn check_with_headers(topic: &str, records: &[Record<'_>], expected: &Expect) {
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, (key, value, headers)) in records.iter().enumerate() {
        let headers = headers.iter().map(|(name, value)| Header {
            name,
            value: value.map(str::as_bytes),
        });
        batch.push(
            offset as u64,
            Some(1),
            key.map(str::as_bytes),
            value.map(str::as_bytes),
            [RUN].into_iter().chain(headers),
        );
    }
    expected.assert_eq(&shown(&decode_batch(topic, &batch)));
}

fn decode_batch(topic: &str, batch: &RawBatch) -> ChangeBatch {
    let decoder = DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    decode_by(decoder, topic, batch)
}

fn decode_by(mut decoder: DebeziumDecoder, topic: &str, batch: &RawBatch) -> ChangeBatch {
    let mut out = ChangeBatch::new(batch.partition);
    let context = TopicContext {
        topic,
        partition: 0,
    };
    decoder.decode(context, batch, 0, &mut out);
    assert_eq!(out.records, batch.len() as u64);
    out
}

fn shown(out: &ChangeBatch) -> String {
    let mut text = String::new();
    for change in &out.changes {
        let _ = writeln!(text, "{}", shown_change(out, change));
    }
    for failure in &out.failures {
        let _ = writeln!(text, "{} failed: {}", failure.offset, failure.reason);
    }
    for shape in out
        .schemas
        .iter()
        .flat_map(|schemas| schemas.shapes().to_vec())
    {
        let columns: Vec<_> = shape
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.kind.name()))
            .collect();
        let _ = writeln!(text, "shape: {} key {:?}", columns.join(", "), shape.key);
    }
    text
}

fn shown_change(out: &ChangeBatch, change: &Change) -> String {
    let mut text = format!("{} {:?}", change.offset, change.kind);
    if !change.row.is_empty() {
        let _ = write!(text, " {:?}", Row::new(out.slice(&change.row)));
    }
    if !change.before.is_empty() {
        let _ = write!(text, " was {:?}", Row::new(out.slice(&change.before)));
    }
    if change.key_change {
        let other = out.slice(&change.other_key);
        let place = out.changes.iter().find(|of| out.slice(&of.key) == other);
        let other = match place {
            _ if other.is_empty() => "unknown".to_owned(),
            Some(of) => format!("that of {}", of.offset),
            None => format!("{other:02x?}"),
        };
        let _ = write!(text, " (other key: {other})");
    }
    if let Some(mark) = change.snapshot {
        let _ = write!(text, " {mark:?}");
    }
    let _ = write!(text, " at {:?}", change.position);
    text
}
