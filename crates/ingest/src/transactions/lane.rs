//! What waits of one partition, as far as the gate must know it: stretches of changes of one transaction.

use std::collections::VecDeque;

use row_model::{PartitionId, TransactionKey};

use super::ledger::Ledger;

/// Changes that follow each other and are of one transaction, or of none.
#[derive(Debug)]
struct Stretch {
    transaction: Option<TransactionKey>,
    /// The record of its first change.
    from: u64,
    bytes: usize,
    since_ms: i64,
}

/// A partition has to be read past the transactions before a number, before cuts are whole again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    pub number: u64,
    pub since_ms: i64,
}

/// When a partition was last found to have nothing more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneEnd {
    at_ms: Option<i64>,
    /// Nothing came since.
    is_now: bool,
    /// Nothing can come.
    is_final: bool,
}

impl LaneEnd {
    pub fn reached(&mut self, is_final: bool, now_ms: i64) {
        (self.at_ms, self.is_now, self.is_final) = (Some(now_ms), true, is_final);
    }

    pub fn passed(&mut self) {
        self.is_now = false;
    }

    pub fn is_now(self) -> bool {
        self.is_now
    }

    pub fn is_final(self) -> bool {
        self.is_now && self.is_final
    }

    /// Whether it had nothing more so long after a moment: what was on its way then has come.
    pub fn is_settled(self, since_ms: i64, now_ms: i64, wait_ms: i64) -> bool {
        let last_ms = if self.is_now {
            Some(now_ms)
        } else {
            self.at_ms
        };
        let long = |last_ms: i64| last_ms.saturating_sub(since_ms) >= wait_ms;
        self.is_final() || last_ms.filter(|_| self.at_ms.is_some()).is_some_and(long)
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<Stretch>,
    /// How many stretches went before the first that waits.
    passed: u64,
    /// The first stretch of which it is open whether its transaction will ever be told of.
    unjudged: u64,
    /// The newest transaction that was told of and is in it.
    newest: Option<u64>,
    /// The record after the last one that was taken in.
    pub next: u64,
    /// Records before it are let through.
    pub limit: u64,
    pub end: LaneEnd,
    /// It is not read for now, whatever there may be.
    pub is_excused: bool,
    /// The newest transaction of which it has let a change through.
    reached: Option<u64>,
    pub behind: Option<Behind>,
    pub is_paused: bool,
    pub held_bytes: usize,
}

impl Lane {
    /// The transaction of the first change that waits, and since when it does.
    pub fn head(&self) -> Option<(TransactionKey, i64)> {
        let head = self.waiting.front()?;
        Some((head.transaction?, head.since_ms))
    }

    pub fn push(
        &mut self,
        transaction: Option<TransactionKey>,
        offset: u64,
        bytes: usize,
        now_ms: i64,
    ) {
        self.held_bytes += bytes;
        match self.waiting.back_mut() {
            Some(last) if last.transaction == transaction => last.bytes += bytes,
            _ => self.waiting.push_back(Stretch {
                transaction,
                from: offset,
                bytes,
                since_ms: now_ms,
            }),
        }
    }

    /// Lets through what passes.
    pub fn let_through(&mut self, ledger: &Ledger, holds: bool) {
        while let Some(head) = self.waiting.front() {
            let passes = |key: TransactionKey| !holds || ledger.passes(key);
            if !head.transaction.is_none_or(passes) {
                self.limit = self.limit.max(head.from);
                return;
            }
            let number = head.transaction.and_then(|key| ledger.number_ever(key));
            self.reached = self.reached.max(number);
            self.held_bytes -= head.bytes;
            self.passed += 1;
            self.waiting.pop_front();
        }
        self.limit = self.limit.max(self.next);
    }

    /// Whether it was read past a transaction: a change of a later one was.
    pub fn is_past(&self, number: u64, ledger: &Ledger) -> bool {
        self.reached.is_some_and(|reached| reached > number) || self.waits_behind(number, ledger)
    }

    /// Whether a change of any transaction that was told of was read from it.
    pub fn is_past_anything(&self, ledger: &Ledger) -> bool {
        let mut waiting = self.waiting.iter().filter_map(|it| it.transaction);
        let waits = waiting.find(|key| !ledger.passes(*key));
        self.reached.is_some() || waits.is_some_and(|key| ledger.number(key).is_some())
    }

    /// Whether a change of a later transaction waits. One that nobody has told of yet is later than all
    /// that were told of, if only for being so many they are not told of.
    fn waits_behind(&self, number: u64, ledger: &Ledger) -> bool {
        let waiting = self.waiting.iter().filter_map(|it| it.transaction);
        for key in waiting.filter(|key| !ledger.passes(*key)) {
            match ledger.number(key) {
                Some(of) if of <= number => {}
                Some(_) => return true,
                None => return ledger.is_full(),
            }
        }
        false
    }

    /// Whether to read on would bring nothing for the transaction with this number.
    pub fn is_ahead(&self, number: u64, ledger: &Ledger) -> bool {
        let mut waiting = self.waiting.iter().filter_map(|it| it.transaction);
        waiting.any(|key| !ledger.passes(key) && ledger.number(key) != Some(number))
    }

    /// A transaction is in it that was told of. If it is the newest one, those before it that were never
    /// told of will never be: answers them. An older one is there again, which says nothing.
    pub fn judge(&mut self, told: TransactionKey, ledger: &Ledger) -> Vec<TransactionKey> {
        let number = ledger.number(told);
        if number <= self.newest {
            return Vec::new();
        }
        self.newest = number;
        let from = self.unjudged.saturating_sub(self.passed) as usize;
        let rest = || self.waiting.iter().enumerate().skip(from);
        let Some((place, _)) = rest().find(|(_, it)| it.transaction == Some(told)) else {
            return Vec::new();
        };
        let before = rest().take_while(|(at, _)| *at < place);
        let untold = before.filter_map(|(_, it)| it.transaction);
        let untold = untold.filter(|key| !ledger.is_known(*key)).collect();
        self.unjudged = self.passed + place as u64 + 1;
        untold
    }
}

/// Partitions of a gate.
pub(super) type Lanes = std::collections::BTreeMap<PartitionId, Lane>;
