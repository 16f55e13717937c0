//! Transactions over eight tables, with their boundaries, as Debezium writes them for Postgres, at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka_source::mock::PlainProducer;
use telemetry::clock;

use crate::moments::Moments;

pub const TABLES: u64 = 8;
pub const EVENTS_PER_S: u64 = 20_000;
/// One of each table.
pub const EVENTS_A_TRANSACTION: u64 = TABLES;
const TRANSACTIONS_PER_S: u64 = EVENTS_PER_S / EVENTS_A_TRANSACTION;
/// Every so many transactions one is a probe: it writes the row that is looked at.
const TRANSACTIONS_A_PROBE: u64 = 10;
pub const PROBES_PER_S: u64 = TRANSACTIONS_PER_S / TRANSACTIONS_A_PROBE;

/// The table and the row that tell the newest probe: neither the first nor the last that a transaction writes.
pub const PROBED: u64 = TABLES / 2;
pub const PROBED_TABLE: &str = "t4";
pub const PROBED_ROW: u64 = 0;

const ROWS: u64 = 10_000;
const FIRST_TRANSACTION: u64 = 1_000;
const PREFIX: &str = "bench";
/// What came meanwhile is sent together: Connect's producer sends what waits for all partitions of a broker once that of one
/// has waited for long enough, 5 ms by default. That of librdkafka lets each of them wait on its own.
const PAUSE: Duration = Duration::from_millis(5);

pub fn topics() -> impl Iterator<Item = String> {
    (0..TABLES).map(topic).chain([transaction_topic()])
}

pub fn topic(table: u64) -> String {
    format!("{PREFIX}.public.t{table}")
}

pub fn transaction_topic() -> String {
    format!("{PREFIX}.transaction")
}

/// The number of a probe's transaction in the database.
pub fn transaction_of(probe: u64) -> u64 {
    FIRST_TRANSACTION + probe * TRANSACTIONS_A_PROBE
}

/// The probe that this number in the database belongs to.
pub fn probe_of(transaction: u64) -> Option<u64> {
    let nth = transaction.checked_sub(FIRST_TRANSACTION)?;
    nth.is_multiple_of(TRANSACTIONS_A_PROBE)
        .then_some(nth / TRANSACTIONS_A_PROBE)
}

/// Writes until it is told to stop; events a second, as they came to be.
pub fn start(
    producer: PlainProducer,
    moments: Arc<Moments>,
    running: Arc<AtomicBool>,
) -> JoinHandle<anyhow::Result<f64>> {
    std::thread::spawn(move || {
        let began = moments.now();
        let mut random = fastrand::Rng::with_seed(5);
        let mut written = 0;
        while running.load(Ordering::Relaxed)
            && moments.has_room_for(written / TRANSACTIONS_A_PROBE)
        {
            let due = moments.now().saturating_sub(began).as_secs_f64() * TRANSACTIONS_PER_S as f64;
            while written < due as u64 {
                write(&producer, &moments, written, &mut random)?;
                written += 1;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a steady rate is what is measured under"
            )]
            std::thread::sleep(PAUSE);
        }
        producer.flush()?;
        let seconds = moments.now().saturating_sub(began).as_secs_f64();
        Ok((written * EVENTS_A_TRANSACTION) as f64 / seconds)
    })
}

fn write(
    producer: &PlainProducer,
    moments: &Moments,
    nth: u64,
    random: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let transaction = FIRST_TRANSACTION + nth;
    let probe = probe_of(transaction);
    let now_ms = clock::now_ms();
    let lsn = |event: u64| (transaction << 12) + event * 64;
    let boundary = |status: &str, event: u64, counts: &str| {
        let id = format!("{transaction}:{}", lsn(event));
        let value = format!(r#"{{"status":"{status}","id":"{id}",{counts},"ts_ms":{now_ms}}}"#);
        let key = format!(r#"{{"id":"{id}"}}"#);
        send(producer, &transaction_topic(), &key, &value, now_ms)
    };
    boundary("BEGIN", 0, r#""event_count":null,"data_collections":null"#)?;
    for table in 0..TABLES {
        let id = match probe {
            Some(_) => PROBED_ROW,
            None => random.u64(1..ROWS),
        };
        let value = event(
            table,
            id,
            transaction,
            lsn(table + 1),
            now_ms,
            probe.unwrap_or(0),
        );
        if let Some(probe) = probe.filter(|_| table == PROBED) {
            moments.sent(probe);
        }
        let key = format!(r#"{{"id":{id}}}"#);
        send(producer, &topic(table), &key, &value, now_ms)?;
    }
    let each = (0..TABLES)
        .map(|table| format!(r#"{{"data_collection":"public.t{table}","event_count":1}}"#));
    let each = each.collect::<Vec<_>>().join(",");
    boundary(
        "END",
        TABLES + 1,
        &format!(r#""event_count":{TABLES},"data_collections":[{each}]"#),
    )
}

fn send(
    producer: &PlainProducer,
    topic: &str,
    key: &str,
    value: &str,
    now_ms: i64,
) -> anyhow::Result<()> {
    let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
    Ok(producer.send((topic, 0), key, value, [], Some(now_ms))?)
}

fn event(table: u64, id: u64, transaction: u64, lsn: u64, now_ms: i64, probe: u64) -> String {
    format!(
        r#"{{"before":null,"after":{{"id":{id},"probe":{probe},"status":"shipped","total":"19.90","note":"leave at the door","address":"{id} Long Street, Springfield"}},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"{PREFIX}","ts_ms":{now_ms},"snapshot":"false","db":"shop","sequence":"[null,\"{lsn}\"]","schema":"public","table":"t{table}","txId":{transaction},"lsn":{lsn},"xmin":null}},"transaction":{{"id":"{transaction}:{lsn}","total_order":{},"data_collection_order":1}},"op":"u","ts_ms":{now_ms}}}"#,
        table + 1
    )
}
