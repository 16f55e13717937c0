//! How fast records become changes with encoded rows, on one thread: each format of the same orders
//! against parsing the same JSON into `serde_json::Value`.
//!
//! Ours and the peer's turns are interleaved, and medians are printed. Run by `cargo xtask bench decode`.

mod avro;
mod orders;
mod wide;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoded, Decoder, RawBatch, RegistryId, SchemaShelf, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use mimalloc::MiMalloc;
use row_model::{ChangeBatch, PartitionId, SchemaCatalog};
use telemetry::clock;

use crate::orders::{Order, Way};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 9;
/// As many as a batch of a source has.
const RECORDS: u64 = 1_000;
const TURN: Duration = Duration::from_millis(100);

/// A format, what it is held to, and whether its records are updates with both images.
struct Case {
    title: &'static str,
    way: Way,
    is_update: bool,
    wanted: Option<f64>,
}

fn main() {
    let case = |title, way, is_update, wanted| Case {
        title,
        way,
        is_update,
        wanted,
    };
    let cases = [
        case("JSON without schemas", Way::Json, false, Some(500_000.0)),
        case("JSON without schemas, updates", Way::Json, true, None),
        case(
            "JSON of a snapshot, 17 columns",
            Way::JsonOfSnapshot,
            false,
            None,
        ),
        case(
            "JSON with schemas",
            Way::JsonWithSchema,
            false,
            Some(400_000.0),
        ),
        case("Avro", Way::Avro, false, Some(500_000.0)),
        case("Avro, updates", Way::Avro, true, None),
    ];
    println!("one thread, medians of {ROUNDS} interleaved turns\n");
    println!(
        "{:<32} {:>8} {:>12} {:>12} {:>8} {:>12}",
        "", "B/record", "records/s", "naive", "ratio", "wanted"
    );
    // One case alone, without its peer, by a part of its title: for a profiler.
    let only = std::env::args().skip(1).find(|arg| arg != "--bench");
    let is_asked = |case: &&Case| only.as_ref().is_none_or(|only| case.title.contains(only));
    for case in cases.iter().filter(is_asked) {
        println!("{}", measured(case, only.is_none()));
    }
}

fn measured(case: &Case, with_peer: bool) -> String {
    let batch = batch(case.way, case.is_update);
    // The peer reads JSON whatever we read: an Avro record's peer is the same record as JSON.
    let peer_way = if matches!(case.way, Way::Avro) {
        Way::Json
    } else {
        case.way
    };
    let peer_batch = self::batch(peer_way, case.is_update);
    let shelf = Arc::new(SchemaShelf::default());
    for (id, schema) in avro::schemas() {
        shelf.put(RegistryId(id), Ok(schema));
    }
    let catalog = Arc::new(SchemaCatalog::default());
    let mut decoder = DebeziumDecoder::new(catalog, Placeholder::default()).with_schemas(shelf);
    let (mut ours, mut naive) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(rate(|| decode(&mut decoder, &batch)));
        if with_peer {
            naive.push(rate(|| parse(&peer_batch)));
        }
    }
    let (ours, naive) = (median(ours), median(naive));
    let wanted = case.wanted.map_or_else(String::new, |wanted| {
        let verdict = if ours >= wanted { "reached" } else { "MISSED" };
        format!("{wanted:>12.0} {verdict}")
    });
    format!(
        "{:<32} {:>8} {ours:>12.0} {naive:>12.0} {:>7.1}x {wanted}",
        case.title,
        batch.bytes_len() as u64 / RECORDS,
        ours / naive,
    )
}

/// Records a second.
fn rate(mut turn: impl FnMut()) -> f64 {
    let began = clock::monotonic();
    let mut turns = 0;
    loop {
        turn();
        turns += 1;
        let took = clock::monotonic() - began;
        if took >= TURN {
            return (turns * RECORDS) as f64 / took.as_secs_f64();
        }
    }
}

fn decode(decoder: &mut DebeziumDecoder, batch: &RawBatch) {
    let mut out = ChangeBatch::new(batch.partition);
    out.bytes.reserve(batch.bytes_len() / 2);
    out.changes.reserve(batch.len());
    let context = TopicContext {
        topic: orders::TOPIC,
        partition: 0,
    };
    let decoded = decoder.decode(context, batch, 0, &mut out);
    assert_eq!(decoded, Decoded::All);
    assert_eq!(
        out.changes.len() as u64,
        RECORDS,
        "{:?}",
        out.failures.first()
    );
    black_box(&out);
}

fn parse(batch: &RawBatch) {
    for record in batch.iter() {
        for part in [record.key, record.value].into_iter().flatten() {
            let value: Result<serde_json::Value, _> = serde_json::from_slice(part);
            assert!(black_box(value).is_ok());
        }
    }
}

fn batch(way: Way, is_update: bool) -> RawBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    for id in 1..=RECORDS {
        let order = Order { id, is_update };
        let (key, value) = order.written(way);
        batch.push(id, Some(1), Some(&key), Some(&value), orders::CONTEXT);
    }
    batch
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}
