//! A million generated readings, as Debezium writes them without schemas: rows of 383 bytes of compact JSON, created
//! once each, of which half are random letters. They are sent to the broker directly.

use anyhow::Context;
use kafka_source::mock::PlainProducer;

use crate::rates::Rows;

const ROWS: u64 = 1_000_000;
const PARTITIONS: i32 = 4;
const ROW_BYTES: usize = 383;
const FLUSHED_EVERY: u64 = 50_000;

pub fn sent(bootstrap_servers: &str) -> anyhow::Result<Rows> {
    let topic = format!("plant_{}.public.readings", fastrand::u32(..));
    PlainProducer::create_topic(bootstrap_servers, &topic, PARTITIONS)?;
    send(bootstrap_servers, &topic)?;
    Ok(Rows {
        what: "generated readings, half random letters,",
        topic,
        table: "readings",
        partitions: PARTITIONS,
        count: ROWS,
    })
}

fn send(bootstrap_servers: &str, topic: &str) -> anyhow::Result<()> {
    let producer = PlainProducer::to(bootstrap_servers)?;
    for id in 0..ROWS {
        let place = (topic, (id % PARTITIONS as u64) as i32);
        let (key, value) = (format!(r#"{{"id":{id}}}"#), event(id));
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        producer.send(place, key, value, [], None)?;
        if id % FLUSHED_EVERY == 0 {
            producer.flush()?;
        }
    }
    producer
        .flush()
        .context("the broker did not take all readings")
}

fn event(id: u64) -> String {
    let row = row(id);
    let lsn = 822_357_448 + id * 96;
    format!(
        r#"{{"before":null,"after":{row},"source":{{"version":"3.7.0.Final","connector":"postgresql","name":"plant","ts_ms":1795223140099,"snapshot":"false","db":"plant","sequence":"[null,\"{lsn}\"]","ts_us":1795223140099432,"ts_ns":1795223140099432000,"schema":"public","table":"readings","txId":{id},"lsn":{lsn},"xmin":null}},"transaction":null,"op":"c","ts_ms":1795223140421,"ts_us":1795223140421658,"ts_ns":1795223140421658192}}"#
    )
}

/// Of which every value but the filling differs from row to row.
fn row(id: u64) -> String {
    let begun = format!(
        r#"{{"id":{id},"sensor":"sensor-{:05}","site":"{}","taken_at":"2026-11-20T23:{:02}:{:02}.{:06}Z","value":"{}.{:03}","unit":"kPa","valid":{},"note":{},"trace":""#,
        id * 7919 % 100_000,
        ["north", "south", "east", "west"][id as usize % 4],
        id / 60 % 60,
        id % 60,
        id * 31 % 1_000_000,
        id % 5_000,
        id % 1_000,
        !id.is_multiple_of(7),
        if id.is_multiple_of(3) {
            "null"
        } else {
            r#""within its limits""#
        },
    );
    let mut row = begun;
    let mut filling = id;
    while row.len() < ROW_BYTES - 2 {
        filling = filling
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        row.push(char::from(b'a' + (filling >> 33) as u8 % 26));
    }
    row + "\"}"
}
