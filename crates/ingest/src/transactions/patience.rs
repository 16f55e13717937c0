//! What is done about transactions that are not known to be complete, and may never be.

use row_model::TransactionKey;

use super::lane::Lane;
use super::{Gate, Lacking};

/// This many times the wait is allowed for what the source still owes: an end, or any news at all.
const PATIENCE: i64 = 5;

/// What is left of it after a wait, but for one that is made then.
pub(super) fn rest(wait_ms: i64) -> i64 {
    wait_ms.saturating_mul(PATIENCE - 2)
}

impl Gate {
    /// Lets something through that is not known to be complete, if it has to. Answers whether it did.
    pub(super) fn gives_in(&mut self, now_ms: i64) -> bool {
        if self.held_bytes == 0 {
            return false;
        }
        let long_ms = self.bounds.wait_ms.saturating_mul(PATIENCE);
        if self.held_bytes > self.bounds.held_bytes_max {
            self.has_exceeded = true;
            return self.part(!self.bounds.can_pause) || self.rushes(now_ms);
        }
        let (boundaries, wait_ms) = (self.boundaries, self.bounds.wait_ms);
        let untold = |since_ms| boundaries.is_settled(since_ms, now_ms, wait_ms);
        if self.give_up_heads(now_ms, untold) {
            return true;
        }
        if let Some(front) = self.ledger.front()
            && front.end.is_none()
            && front.overtaken_ms.is_none()
            && !front.is_parted
            && !front.seen.is_empty()
            && boundaries.is_now()
            && (boundaries.is_final() || now_ms - front.touched_ms >= long_ms)
        {
            return self.part(false);
        }
        now_ms - self.news_ms >= long_ms && self.forces(now_ms)
    }

    /// Nothing has come for long, and something waits for more than will come.
    fn forces(&mut self, now_ms: i64) -> bool {
        let ended = self
            .ledger
            .front()
            .is_some_and(|it| it.end.is_some() || it.overtaken_ms.is_some());
        if ended {
            let lanes = self.lanes_owing().into_iter();
            let since_ms = now_ms;
            let lacking: Vec<Lacking> = lanes.map(|lane| Lacking { lane, since_ms }).collect();
            self.close_front(&lacking, now_ms);
            return true;
        }
        self.part(false) || self.rushes(now_ms)
    }

    /// Lets changes through of whose transactions boundaries may still tell.
    fn rushes(&mut self, now_ms: i64) -> bool {
        let heads = self.lanes.values().filter_map(Lane::head);
        let untold = heads.map(|(key, _)| key);
        let untold: Vec<_> = untold.filter(|key| !self.ledger.is_known(*key)).collect();
        self.unheard.extend(untold);
        self.unheard_ms = now_ms;
        self.give_up_heads(now_ms, |_| true)
    }

    fn part(&mut self, any: bool) -> bool {
        let Some(key) = self.ledger.part(any) else {
            return false;
        };
        let number = self.ledger.number(key).unwrap_or_default();
        let lanes = self.ledger.lanes_of(number).to_vec();
        self.let_all_through(&lanes);
        true
    }

    /// Lets the first changes of partitions through whose transactions nobody has told of.
    fn give_up_heads(&mut self, now_ms: i64, which: impl Fn(i64) -> bool) -> bool {
        let heads = self.lanes.values().filter_map(Lane::head);
        let untold =
            heads.filter(|(key, since_ms)| !self.ledger.is_known(*key) && which(*since_ms));
        let untold: Vec<TransactionKey> = untold.map(|(key, _)| key).collect();
        for key in &untold {
            self.give_up(*key, now_ms);
        }
        !untold.is_empty()
    }

    /// Nobody will tell when a transaction is complete: cuts are whole when all that may be of it was read.
    pub(super) fn give_up(&mut self, key: TransactionKey, now_ms: i64) {
        let lanes = self.ledger.give_up(key);
        self.all_behind(now_ms);
        self.let_all_through(&lanes);
    }
}
