//! The gate behind which changes wait for their transactions, so that cuts show them whole. Pure.
//!
//! A partition's changes are let through up to the first of a transaction that is not complete. A complete one
//! is let through on all partitions at once, in the order in which ends are told. A partition has its part of a
//! transaction when its source tables' counts are met, or a change of a later transaction was read from it, or
//! the end was read and it has had nothing more for a while.
//!
//! Refuses to wait for ever: changes are filtered, compacted, put aside, and ends and beginnings get lost. What
//! was let through without being known to be whole is said ([`Gate::partial`]) until every partition was read
//! past it.
//!
//! Invariant: what waits of a partition is a suffix of what was read of it.

mod lane;
mod ledger;
mod patience;
mod source_tables;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use row_model::{Boundary, Membership, PartitionId, TransactionKey};

use self::lane::{Behind, Lane, LaneEnd, Lanes};
use self::ledger::{Ledger, Open};
use self::source_tables::SourceTables;
pub(crate) use self::source_tables::TableNumber;

/// A change that was committed so long before a transaction of which all is shown is of an older one: commits
/// are ordered by their times only roughly.
const COMMITS_APART_MS: i64 = 10_000;
/// Transactions that are remembered while something is shown in part. What is forgotten is told of by later ones.
const CLOSED_MAX: usize = 10_000;

/// What a gate is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub wait_ms: i64,
    pub held_bytes_max: usize,
    /// A partition can be paused without holding others up.
    pub can_pause: bool,
}

/// A change that has come to the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arriving {
    pub offset: u64,
    pub membership: Option<Membership>,
    pub table: TableNumber,
    pub bytes: usize,
    pub commit_ms: Option<i64>,
}

/// See the module's head.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which comes true at a time of its own"
)]
#[derive(Debug)]
pub(crate) struct Gate {
    bounds: Bounds,
    lanes: Lanes,
    tables: SourceTables,
    ledger: Ledger,
    /// Where boundaries are told.
    boundaries: LaneEnd,
    /// Whether anything waits at all.
    holds: bool,
    /// When the first boundary of all was committed.
    first_ms: Option<i64>,
    /// Cuts may show parts of transactions that are yet to be told of: until all that is told has been read.
    shows_untold: bool,
    /// Let through before the boundaries were read that may tell of them, and since when.
    unheard: HashSet<TransactionKey>,
    unheard_ms: i64,
    held_bytes: usize,
    news_ms: i64,
    has_exceeded: bool,
    any_paused: bool,
    any_behind: bool,
    /// Partitions of which more may go on than was last asked for.
    moved: Vec<PartitionId>,
    /// Transactions that were let through, with when they were committed, in the order of their ends: all of them
    /// are whole as soon as nothing is shown in part.
    closed: Vec<(TransactionKey, Option<i64>)>,
    /// Those of which that was found since it was last asked for.
    whole: Vec<(TransactionKey, Option<i64>)>,
}

/// A partition without which a transaction is let through. Until it was read past it, or had nothing more for so long
/// after this moment, cuts may show a part of that.
#[derive(Clone, Copy, Debug)]
struct Lacking {
    lane: PartitionId,
    since_ms: i64,
}

impl Gate {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            lanes: Lanes::new(),
            tables: SourceTables::default(),
            ledger: Ledger::default(),
            boundaries: LaneEnd::default(),
            holds: true,
            first_ms: None,
            shows_untold: false,
            unheard: HashSet::new(),
            unheard_ms: 0,
            held_bytes: 0,
            news_ms: 0,
            has_exceeded: false,
            any_paused: false,
            any_behind: false,
            moved: Vec::new(),
            closed: Vec::new(),
            whole: Vec::new(),
        }
    }

    /// Has changes wait, or lets all of them through.
    pub fn hold(&mut self, holds: bool, now_ms: i64) {
        if holds && !self.holds {
            self.disturb(now_ms);
        }
        self.holds = holds;
        self.news_ms = now_ms;
    }

    /// A partition is read, from wherever.
    pub fn start(&mut self, lane: PartitionId, topic: &str, is_behind: bool, now_ms: i64) {
        self.forget(lane);
        self.tables.add_lane(topic, lane);
        let number = self.ledger.front_number();
        let behind = is_behind.then_some(Behind {
            number,
            since_ms: now_ms,
        });
        let mut started = Lane::default();
        started.behind = behind;
        self.any_behind |= is_behind;
        self.shows_untold |= is_behind;
        self.lanes.insert(lane, started);
        self.news_ms = now_ms;
    }

    /// Forgets what waits of a partition, which is read again or never.
    pub fn forget(&mut self, lane: PartitionId) {
        if let Some(gone) = self.lanes.remove(&lane) {
            self.held_bytes -= gone.held_bytes;
        }
        self.tables.remove_lane(lane);
    }

    /// Bytes of changes that wait, of each partition that has any.
    pub fn held(&self) -> impl Iterator<Item = (PartitionId, usize)> {
        let lanes = (self.held_bytes > 0).then_some(&self.lanes);
        let held = lanes
            .into_iter()
            .flatten()
            .map(|(id, lane)| (*id, lane.held_bytes));
        held.filter(|(_, bytes)| *bytes > 0)
    }

    pub fn has(&self, lane: PartitionId) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// Nothing is waited for from a partition while it is not read.
    pub fn excuse(&mut self, lane: PartitionId, is_excused: bool, now_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            if lane.is_excused && !is_excused {
                // Perhaps transactions were let through without it.
                self.any_behind = true;
                lane.behind.get_or_insert(Behind {
                    number: self.ledger.front_number(),
                    since_ms: now_ms,
                });
            }
            lane.is_excused = is_excused;
        }
    }

    pub fn table(&mut self, topic: &str, origin: &str) -> TableNumber {
        self.tables.number(topic, origin)
    }

    /// Cuts show of some partition more than was let through of it.
    pub fn disturb(&mut self, now_ms: i64) {
        self.shows_untold = true;
        self.all_behind(now_ms);
    }

    /// Takes in what was read of the boundaries.
    pub fn hear(&mut self, boundary: &Boundary, now_ms: i64) {
        self.news_ms = now_ms;
        self.boundaries.passed();
        self.first_ms = self.first_ms.or(boundary.at_ms);
        if self.unheard.remove(&boundary.transaction) {
            self.ledger.overtake(now_ms);
            self.all_behind(now_ms);
        }
        if !self.ledger.hear(boundary, now_ms) {
            return;
        }
        let number = self.ledger.next_number() - 1;
        let lanes = self.ledger.lanes_of(number).to_vec();
        for lane in lanes {
            let lane = self.lanes.get_mut(&lane);
            let untold = lane.map(|lane| lane.judge(boundary.transaction, &self.ledger));
            for key in untold.into_iter().flatten() {
                self.give_up(key, now_ms);
            }
        }
    }

    /// There are no more boundaries for now, or (`is_final`) ever.
    pub fn boundaries_end(&mut self, is_final: bool, now_ms: i64) {
        self.boundaries.reached(is_final, now_ms);
    }

    /// There are no more records of a partition for now, or ever.
    pub fn end(&mut self, lane: PartitionId, is_final: bool, now_ms: i64) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.end.reached(is_final, now_ms);
        }
    }

    /// Takes in what was read of a partition, up to a record.
    pub fn arrive(
        &mut self,
        id: PartitionId,
        changes: impl Iterator<Item = Arriving>,
        next: u64,
        now_ms: i64,
    ) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.end.passed();
        self.news_ms = now_ms;
        let from = lane.next;
        let held = lane.held_bytes;
        let mut untold = Vec::new();
        for change in changes.filter(|change| change.offset >= from) {
            let key = change.membership.map(|it| it.transaction);
            if let Some(membership) = change.membership.filter(|_| self.holds) {
                let key = membership.transaction;
                self.ledger.count(id, change.table, membership, now_ms);
                let shown_ms = self.ledger.closed_ms.or(self.first_ms);
                let is_older = |shown_ms, commit_ms| commit_ms + COMMITS_APART_MS < shown_ms;
                if !self.ledger.is_known(key)
                    && shown_ms
                        .zip(change.commit_ms)
                        .is_some_and(|(a, b)| is_older(a, b))
                {
                    untold.push(key);
                }
            }
            lane.push(key, change.offset, change.bytes, now_ms);
            if let Some(told) = key.filter(|key| self.ledger.number(*key).is_some()) {
                untold.extend(lane.judge(told, &self.ledger));
            }
        }
        lane.next = lane.next.max(next);
        self.held_bytes += lane.held_bytes - held;
        for key in untold {
            self.give_up(key, now_ms);
        }
        self.let_through(id);
    }

    /// Partitions of which more records need not wait than when this was last asked.
    pub fn take_moved(&mut self) -> Vec<PartitionId> {
        std::mem::take(&mut self.moved)
    }

    /// Transactions that were let through whole since this was last asked, and nothing before them in part.
    pub fn take_whole(&mut self) -> Vec<(TransactionKey, Option<i64>)> {
        std::mem::take(&mut self.whole)
    }

    /// Records of a partition before this one need not wait.
    pub fn limit(&self, lane: PartitionId) -> u64 {
        self.lanes.get(&lane).map_or(u64::MAX, |lane| lane.limit)
    }

    /// The first record of the boundaries that a restart has to read again.
    pub fn first_boundary(&self) -> Option<u64> {
        self.ledger.first_offset()
    }

    /// Lets through whatever is complete, or cannot be waited for any longer.
    pub fn advance(&mut self, now_ms: i64) {
        if !self.holds {
            let lanes: Vec<PartitionId> = self.lanes.keys().copied().collect();
            return self.let_all_through(&lanes);
        }
        loop {
            if let Some(lacking) = self.completed(now_ms) {
                self.close_front(&lacking, now_ms);
            } else if !self.gives_in(now_ms) {
                break;
            }
        }
        if self.shows_untold && self.boundaries.is_now() {
            self.shows_untold = false;
            self.all_behind(now_ms);
        }
        self.look_at_those_behind(now_ms);
        if self.partial().is_none() {
            self.whole.append(&mut self.closed);
        }
        self.mind_pauses();
    }

    /// Why cuts may show parts of transactions.
    pub fn partial(&self) -> Option<Partial> {
        let mut lanes = self.lanes.iter();
        let excused = lanes.find(|(_, lane)| lane.is_excused);
        if let Some((lane, _)) = excused {
            return Some(Partial::NotRead(*lane));
        }
        if self.ledger.shows_parts() {
            return Some(if self.has_exceeded {
                Partial::TooLarge(self.bounds.held_bytes_max)
            } else {
                Partial::NotEnded
            });
        }
        if self.shows_untold || !self.unheard.is_empty() {
            return Some(Partial::Untold);
        }
        let mut lanes = self.lanes.iter();
        let behind = lanes.find(|(_, lane)| lane.behind.is_some());
        behind.map(|(lane, _)| Partial::Behind(*lane))
    }

    /// Whether changes wait at all.
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// Whether anything is better not read on.
    pub fn pauses_any(&self) -> bool {
        self.any_paused || self.pauses_boundaries()
    }

    /// Whether reading on of a partition would only make more wait.
    pub fn is_paused(&self, lane: PartitionId) -> bool {
        self.lanes.get(&lane).is_some_and(|lane| lane.is_paused)
    }

    /// Whether reading on of the boundaries would.
    pub fn pauses_boundaries(&self) -> bool {
        self.holds && self.ledger.is_full()
    }

    /// What is to outlive the process: closed transactions, and those of which parts are shown.
    pub fn kept(&self) -> (Vec<u64>, Vec<u64>) {
        self.ledger.kept()
    }

    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.ledger.dirty)
    }

    pub fn restore(&mut self, closed: &[u64], parted: &[u64]) {
        self.ledger.restore(closed, parted);
    }

    fn let_through(&mut self, id: PartitionId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let (held, limit) = (lane.held_bytes, lane.limit);
        lane.let_through(&self.ledger, self.holds);
        self.held_bytes -= held - lane.held_bytes;
        if lane.limit > limit && !self.moved.contains(&id) {
            self.moved.push(id);
        }
    }

    fn let_all_through(&mut self, lanes: &[PartitionId]) {
        for lane in lanes {
            self.let_through(*lane);
        }
    }

    /// Whether the first open transaction is complete, or is not waited for any longer: then the partitions that
    /// may lack some of it.
    fn completed(&mut self, now_ms: i64) -> Option<Vec<Lacking>> {
        let number = self.ledger.front_number();
        let front = self.ledger.front()?;
        let is_counted = front.end.is_some() && !front.is_parted;
        let since_ms = match &front.end {
            Some(end) => end.read_ms,
            None => front.overtaken_ms?,
        };
        let wait_ms = self.bounds.wait_ms;
        let mut lacking = Vec::new();
        for lane in self.lanes_owing() {
            let Some(lane_of) = self.lanes.get(&lane) else {
                continue;
            };
            if lane_of.is_past(number, &self.ledger) || lane_of.end.is_final() {
                continue;
            }
            let since_ms = if lane_of.is_excused {
                now_ms
            } else if !lane_of.end.is_settled(since_ms, now_ms, wait_ms) {
                return None;
            } else if is_counted {
                // What is counted and has not come may be late, or never come.
                now_ms.saturating_add(patience::rest(wait_ms))
            } else {
                continue;
            };
            lacking.push(Lacking { lane, since_ms });
        }
        Some(lacking)
    }

    /// Partitions that may have more of the first open transaction than was read.
    fn lanes_owing(&mut self) -> Vec<PartitionId> {
        let Some(front) = self.ledger.front() else {
            return Vec::new();
        };
        let Some(end) = front.end.as_ref().filter(|_| !front.is_parted) else {
            return self.lanes.keys().copied().collect();
        };
        let mut owing = Vec::new();
        for (collection, count) in &end.events {
            let carried = self.tables.carried(collection);
            if front.seen.changes_of(&carried.tables) < *count {
                owing.extend(&carried.lanes);
            }
        }
        owing
    }

    fn close_front(&mut self, lacking: &[Lacking], now_ms: i64) {
        let Some(Open {
            key,
            at_ms,
            is_parted,
            seen,
            ..
        }) = self.ledger.close_front()
        else {
            return;
        };
        let number = self.ledger.front_number();
        for Lacking { lane, since_ms } in lacking {
            if let Some(lane) = self.lanes.get_mut(lane) {
                let since_ms = *since_ms;
                lane.behind = Some(Behind { number, since_ms });
                self.any_behind = true;
            }
        }
        self.news_ms = now_ms;
        self.let_all_through(&seen.lanes);
        self.has_exceeded &= self.ledger.shows_parts();
        if self.closed.len() >= CLOSED_MAX {
            self.closed.clear();
        }
        if !is_parted {
            self.closed.push((key, at_ms));
        }
    }

    fn all_behind(&mut self, since_ms: i64) {
        let number = self.ledger.next_number();
        self.any_behind = true;
        for lane in self.lanes.values_mut() {
            lane.behind = Some(Behind { number, since_ms });
        }
    }

    fn look_at_those_behind(&mut self, now_ms: i64) {
        let heard = self
            .boundaries
            .is_settled(self.unheard_ms, now_ms, self.bounds.wait_ms);
        if heard && !self.unheard.is_empty() {
            // Nothing is told of them.
            self.unheard.clear();
            self.all_behind(now_ms);
        }
        if !std::mem::take(&mut self.any_behind) {
            return;
        }
        let (ledger, wait_ms) = (&self.ledger, self.bounds.wait_ms);
        for lane in self.lanes.values_mut() {
            lane.behind = lane.behind.filter(|behind| {
                let is_past = match behind.number.checked_sub(1) {
                    Some(before) => lane.is_past(before, ledger),
                    None => lane.is_past_anything(ledger),
                };
                let is_told = |(key, _)| ledger.is_known(key);
                let shows_all = lane.head().is_none_or(is_told)
                    && lane.end.is_settled(behind.since_ms, now_ms, wait_ms);
                let follows = ledger.front_number() < behind.number;
                follows || (!is_past && !shows_all)
            });
            self.any_behind |= lane.behind.is_some();
        }
    }

    /// Pauses partitions that run ahead, once much waits. One that the first open transaction may need is
    /// read on, whatever waits.
    fn mind_pauses(&mut self) {
        let enough = self.bounds.held_bytes_max / 2;
        if self.held_bytes <= enough / 2 && !self.any_paused {
            return;
        }
        self.any_paused = false;
        let number = self.ledger.front_number();
        for lane in self.lanes.values_mut() {
            let is_much =
                self.held_bytes > enough / 2 && lane.is_paused || self.held_bytes > enough;
            lane.is_paused = self.bounds.can_pause
                && is_much
                && self.holds
                && lane.is_ahead(number, &self.ledger);
            self.any_paused |= lane.is_paused;
        }
    }
}

/// Why cuts may show parts of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// A partition is not read, for a reason that its table tells.
    NotRead(PartitionId),
    /// A transaction takes more than may wait.
    TooLarge(usize),
    /// The end of a transaction was not told.
    NotEnded,
    /// A transaction was not waited for, because nobody told of it.
    Untold,
    /// A partition may have more of what is shown of others.
    Behind(PartitionId),
}
