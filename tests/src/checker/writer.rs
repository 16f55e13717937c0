//! Lets transactions happen and their records arrive, piece by piece, so that readers can look in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::RwLock;

use super::bank::{Bank, TABLES, Transaction};
use super::connector::{Connector, Mishap};
use super::history::History;
use super::moment;
use crate::broker::Log;
use crate::records::Partition;
use crate::wait;

/// While the broker has no room.
const PAUSE: Duration = Duration::from_millis(20);
const HUGE_EVERY: u32 = 400;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Everything is told as it should be.
    Calm,
    Rough,
}

pub struct Writer {
    bank: Bank,
    connector: Connector,
    log: Log,
    rng: Rng,
    pub mood: Mood,
    pub mishaps: u64,
    has_opened: bool,
}

impl Writer {
    pub fn new(seed: u64, log: Log) -> Self {
        Self {
            bank: Bank::new(seed),
            connector: Connector::new(seed),
            log,
            rng: Rng::with_seed(seed),
            mood: Mood::Rough,
            mishaps: 0,
            has_opened: false,
        }
    }

    /// Some transactions, and their records; how long to pause then.
    pub fn write(&mut self, history: &RwLock<History>) -> anyhow::Result<Duration> {
        if !self.log.has_room()? {
            return Ok(PAUSE);
        }
        let mishap = self.mishap();
        let is_huge = self.mood == Mood::Rough && self.rng.u32(0..HUGE_EVERY) == 0;
        let transactions = self.transactions(is_huge);
        history.write().enter(&transactions, mishap, is_huge);
        let records = self.connector.told(&transactions, mishap);
        let mut records = self.connector.arriving(records);
        self.mishaps += u64::from(mishap != Mishap::None) + u64::from(is_huge);
        // Rarely all at once: what is on its way is what can be torn.
        while !records.is_empty() {
            let most = records.len();
            let rest = records.split_off(self.rng.usize(1..=most));
            self.log.write_unacknowledged(&records)?;
            records = rest;
            if self.rng.u8(0..4) == 0 {
                wait::pass(Duration::from_millis(self.rng.u64(0..8)));
            }
        }
        history.write().all_arrived(moment::now());
        Ok(Duration::from_millis(self.rng.u64(0..6)))
    }

    /// Where the partitions end that make up tables.
    pub fn ends(&self) -> BTreeMap<Partition, i64> {
        let topics: Vec<String> = TABLES.iter().map(|table| table.topic()).collect();
        let mut ends = self.log.ends().clone();
        ends.retain(|(topic, _), _| topics.contains(topic));
        ends
    }

    /// The tables that a checkpoint is known to hold.
    pub fn acknowledged(&self) -> anyhow::Result<BTreeSet<&'static str>> {
        let acknowledged = self.log.acknowledged()?;
        let tables = TABLES.into_iter().filter(|table| {
            let topic = table.topic();
            let mut places = acknowledged.iter();
            places.any(|((of, _), next)| *of == topic && *next > 0)
        });
        Ok(tables.map(|table| table.name).collect())
    }

    fn transactions(&mut self, is_huge: bool) -> Vec<Transaction> {
        if !self.has_opened {
            self.has_opened = true;
            return vec![self.bank.opening()];
        }
        if is_huge {
            return vec![self.bank.huge()];
        }
        self.bank.some()
    }

    fn mishap(&mut self) -> Mishap {
        if self.mood == Mood::Calm || !self.has_opened {
            return Mishap::None;
        }
        match self.rng.u8(0..100) {
            0 => Mishap::BeginMissing,
            1 => Mishap::EndMissing,
            2..5 => Mishap::Restart,
            _ => Mishap::None,
        }
    }
}
