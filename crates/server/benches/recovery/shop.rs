//! The records that are measured with: a million orders whose rows are 400 bytes of compact JSON, and a
//! small table beside them.
//!
//! Behind a partition's first records, which create its rows, every record updates one of them, at random
//! and always the same.

use std::time::Duration;

use change_feed::{Header, PartitionFacts, RawBatch, Source, SourceError, SourceEvent, StartAt};
use row_model::{NextOffset, PartitionId};

pub const ORDERS: u64 = 1_000_000;
pub const COURIERS: u64 = 10_000;
pub const ORDERS_TOPIC: &str = "shop.public.orders";
pub const COURIERS_TOPIC: &str = "shop.public.couriers";

/// Of the orders; the couriers have one more.
pub const PARTITIONS: u32 = 4;
pub const ORDERS_EACH: u64 = ORDERS / PARTITIONS as u64;

const BATCH_RECORDS: u64 = 1_000;
const RUN: [Header<'static>; 1] = [Header {
    name: "__debezium.context.runId",
    value: Some(b"01a1fbb5-4ae7-7171-8aee-e0087b028db0"),
}];

/// Every partition, in the order of its number.
pub fn partitions() -> impl Iterator<Item = PartitionFacts> {
    (0..=PARTITIONS).map(|id| {
        let is_order = id < PARTITIONS;
        PartitionFacts {
            id: PartitionId(id),
            topic: if is_order {
                ORDERS_TOPIC
            } else {
                COURIERS_TOPIC
            }
            .to_owned(),
            partition: if is_order { id as i32 } else { 0 },
            topic_uuid: None,
            retained_from: NextOffset(0),
            end: None,
            compacted: false,
        }
    })
}

/// Records of one partition, from one offset to before another.
pub fn batch(partition: PartitionId, from: u64, to: u64) -> RawBatch {
    let mut batch = RawBatch::new(partition);
    for offset in from..to {
        let (key, event) = record(partition.0, offset);
        let (key, event) = (Some(key.as_bytes()), Some(event.as_bytes()));
        batch.push(offset, Some(1_795_223_140_875), key, event, RUN);
    }
    batch
}

fn record(partition: u32, offset: u64) -> (String, String) {
    let lsn = 822_357_448 + (offset * 8 + u64::from(partition)) * 96;
    if partition == PARTITIONS {
        return (
            key(offset + 1),
            event("couriers", "c", lsn, &courier(offset + 1)),
        );
    }
    let is_new = offset < ORDERS_EACH;
    let nth = if is_new {
        offset
    } else {
        mixed(offset) % ORDERS_EACH
    };
    let id = nth * u64::from(PARTITIONS) + u64::from(partition) + 1;
    let op = if is_new { "c" } else { "u" };
    (key(id), event("orders", op, lsn, &order(id, offset)))
}

fn key(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn event(table: &str, op: &str, lsn: u64, row: &str) -> String {
    let transaction = lsn / 96;
    format!(
        r#"{{"before":null,"after":{row},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"shop","ts_ms":1795223140099,"snapshot":"false","db":"shop","sequence":"[null,\"{lsn}\"]","ts_us":1795223140099432,"ts_ns":1795223140099432000,"schema":"public","table":"{table}","txId":{transaction},"lsn":{lsn},"xmin":null}},"transaction":null,"op":"{op}","ts_ms":1795223140421,"ts_us":1795223140421658,"ts_ns":1795223140421658192}}"#
    )
}

/// About 400 bytes.
fn order(id: u64, version: u64) -> String {
    format!(
        r#"{{"id":{id},"customer_id":{},"status":"{}","total":"{}.{:02}","currency":"EUR","items":{},"note":"leave it with the neighbours at number {}, bell {:08x}","address":"{} Long Street, Springfield, Upper Valley District","email":"customer{}@mail.example.org","phone":"+49 170 {:09}","paid":{},"version":{version},"created_at":"2026-11-20T23:59:{:02}.{:06}Z","updated_at":"2026-11-20T23:59:58.412345Z"}}"#,
        id * 7919 % 100_000,
        ["new", "paid", "shipped", "returned"][(id + version) as usize % 4],
        version % 1000,
        id % 100,
        id % 9 + 1,
        id % 90,
        mixed(id) as u32,
        id % 1000,
        id % 100_000,
        mixed(id) % 1_000_000_000,
        version.is_multiple_of(2),
        id % 60,
        version % 1_000_000,
    )
}

fn courier(id: u64) -> String {
    format!(
        r#"{{"id":{id},"name":"Courier {id}","depot":{},"active":true}}"#,
        id % 40
    )
}

/// Spreads numbers evenly, and equal ones alike.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
    (number ^ (number >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d) >> 16
}

/// The orders as a source: each partition up to the same offset, and no further.
pub struct Orders {
    until: u64,
    /// Next offset of each partition, once started.
    next: [Option<u64>; PARTITIONS as usize],
    discovered: bool,
    turn: usize,
}

impl Orders {
    /// So many records of each partition.
    pub fn new(until: u64) -> Self {
        Self {
            until,
            next: [None; PARTITIONS as usize],
            discovered: false,
            turn: 0,
        }
    }
}

impl Source for Orders {
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) {
        if !self.discovered {
            self.discovered = true;
            let orders = partitions().take(PARTITIONS as usize);
            events.extend(orders.map(SourceEvent::Discovered));
            events.push(SourceEvent::DiscoveryComplete);
            return;
        }
        for _ in 0..PARTITIONS {
            self.turn = (self.turn + 1) % self.next.len();
            let until = self.until;
            let next = self.next[self.turn].as_mut().filter(|next| **next < until);
            let Some(next) = next else {
                continue;
            };
            let partition = PartitionId(self.turn as u32);
            let end = (*next + BATCH_RECORDS).min(until);
            events.push(SourceEvent::Records(batch(partition, *next, end)));
            *next = end;
            if end == until {
                let next = NextOffset(end);
                events.push(SourceEvent::End { partition, next });
            }
            return;
        }
        std::thread::park_timeout(timeout);
    }

    fn start(&mut self, partition: PartitionId, at: StartAt) -> Result<(), SourceError> {
        self.next[partition.0 as usize] = Some(match at {
            StartAt::Earliest => 0,
            StartAt::Offset(next) => next.0,
        });
        Ok(())
    }

    fn pause(&mut self, _partitions: &[PartitionId]) {}

    fn resume(&mut self, _partitions: &[PartitionId]) {}

    fn acknowledge(&mut self, _offsets: &[(PartitionId, NextOffset)]) {}

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        let ends = (0..PARTITIONS).map(|id| (PartitionId(id), NextOffset(self.until)));
        ends.collect()
    }
}
