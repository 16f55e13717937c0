//! Whatever is written while memory is scarce, and however often the process is killed meanwhile: once
//! there is room, the tables are what the source holds.

use std::collections::BTreeMap;

use testkit::checkpoint_suite::Random;
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Running, Site};

const TOPICS: [&str; 2] = ["shop.public.orders", "shop.public.notes"];
const TABLES: [&str; 2] = ["orders", "notes"];
const PARTITIONS: i64 = 2;
const IDS: u64 = 40;
const LIMIT: u64 = 400_000;
const TEXT_BYTES_MAX: u64 = 30_000;

/// The source, and what it has written.
struct Source {
    random: Random,
    rows: [BTreeMap<i64, String>; 2],
    lsn: u64,
}

impl Source {
    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// Makes one change, and answers its records.
    fn change(&mut self) -> Vec<PlannedRecord> {
        self.lsn += 1;
        let table = self.below(2) as usize;
        let (id, other) = (self.below(IDS) as i64, self.below(IDS) as i64);
        let lsn = self.lsn;
        let at = |id: i64| At::lsn(TOPICS[table], (id % PARTITIONS) as i32, lsn);
        let length = self.below(TEXT_BYTES_MAX) as usize;
        let text = format!("{lsn:0>length$}");
        let kind = self.below(6);
        let rows = &mut self.rows[table];
        let is_held = rows.contains_key(&id);
        match kind {
            0 if is_held => {
                rows.remove(&id);
                vec![CONNECTOR.delete(at(id), id)]
            }
            1 if is_held && !rows.contains_key(&other) => {
                rows.remove(&id);
                rows.insert(other, text.clone());
                vec![
                    CONNECTOR.moved_away(at(id), id, other),
                    CONNECTOR.moved_here(at(other), other, &text, id),
                ]
            }
            _ => {
                rows.insert(id, text.clone());
                let record = if is_held {
                    CONNECTOR.update(at(id), id, &text)
                } else {
                    CONNECTOR.create(at(id), id, &text)
                };
                vec![record]
            }
        }
    }
}

/// Nothing of it is kept for long: a version that a reader holds, a batch of estimates.
fn assert_bounded(running: &Running, context: &str) {
    let used = running.report(|report| report.memory.used_bytes);
    assert!(used < LIMIT + LIMIT / 2, "{context}: {used} bytes are used");
}

#[test]
fn once_there_is_room_tables_are_what_the_source_holds() {
    let mut waited = 0;
    for seed in 0..12 {
        let context = format!("seed {seed}");
        let mut site = Site::default();
        site.settings.memory_bytes_max = LIMIT;
        for topic in TOPICS {
            site.log.create_topic(topic, PARTITIONS as i32);
        }
        let mut source = Source {
            random: Random::new(seed),
            rows: Default::default(),
            lsn: 100,
        };
        let mut running = site.start();
        for round in 0..30 {
            for _ in 0..source.below(8) {
                site.log.append(&source.change());
            }
            assert_bounded(&running, &context);
            match source.below(12) {
                0 => {
                    running.crash(&site);
                    running = site.start();
                }
                1 => {
                    let held = running.pipeline.store().pin();
                    site.log.append(&source.change());
                    drop(held);
                }
                _ => {}
            }
            let waits = running.report(|report| report.memory.partitions_waiting > 0);
            waited += u32::from(waits && round > 0);
        }
        running.pipeline.control().set_memory_max(u64::MAX).unwrap();
        for (table, rows) in TABLES.iter().zip(&source.rows) {
            running.until(
                &format!("{context}: {table} is what it should be"),
                |running| running.rows(table) == *rows,
            );
            running.until_live(table);
        }
    }
    assert!(waited > 0, "memory was never scarce");
}
