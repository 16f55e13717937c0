//! The transactions that a source tells of, in the order in which it does, and what was read of each.
//!
//! A transaction is *open* from its first boundary until all of it is let through, and *closed* from then
//! on: what is delivered of it again is no transaction any more. A connector writes one transaction after
//! the other, so the order of first boundaries is the order of ends, also where boundaries come again.

use std::collections::{HashMap, HashSet, VecDeque};

use row_model::{Boundary, BoundaryKind, Membership, PartitionId, TransactionKey};

use super::source_tables::TableNumber;

/// Closed transactions that are remembered. One that is forgotten and delivered again would wait for
/// boundaries that were read long ago, and pass when they do not come.
const CLOSED_MAX: usize = 1 << 16;
/// So many of them outlive the process: what a restart reads again is the end of what was read.
const CLOSED_KEPT: usize = 512;
/// Open transactions, beyond which no more boundaries are read.
const OPEN_MAX: usize = 1 << 16;

/// What was read of a transaction.
#[derive(Debug, Default)]
pub(super) struct Seen {
    changes: Vec<(TableNumber, Orders)>,
    /// Partitions it was read from.
    pub lanes: Vec<PartitionId>,
}

/// Changes of one source table, each counted once, however often it is delivered.
#[derive(Debug, Default)]
struct Orders {
    told: HashSet<u64>,
    untold: u64,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open {
    pub key: TransactionKey,
    /// The record that told of it first.
    pub offset: u64,
    pub at_ms: Option<i64>,
    pub end: Option<End>,
    /// When another one was begun though this one had not ended: its end is lost.
    pub overtaken_ms: Option<i64>,
    pub seen: Seen,
    /// It is let through as it comes.
    pub is_parted: bool,
    /// When anything of it was read last.
    pub touched_ms: i64,
}

#[derive(Debug)]
pub(super) struct End {
    pub events: Vec<(String, u64)>,
    pub read_ms: i64,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: VecDeque<Open>,
    /// The number of the first open one; they are numbered as they are told of.
    first: u64,
    numbers: HashMap<TransactionKey, u64>,
    /// What was read of transactions that nobody has told of yet.
    early: HashMap<TransactionKey, Seen>,
    closed: HashMap<TransactionKey, Option<u64>>,
    closed_in_order: VecDeque<TransactionKey>,
    /// Open ones that were let through in part before a restart.
    parted_before: HashSet<TransactionKey>,
    /// When the newest closed one was committed.
    pub closed_ms: Option<i64>,
    /// What outlives the process has changed.
    pub dirty: bool,
}

impl Seen {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn count(&mut self, lane: PartitionId, table: TableNumber, membership: Membership) {
        if !self.lanes.contains(&lane) {
            self.lanes.push(lane);
        }
        let known = self.changes.iter().position(|(of, _)| *of == table);
        let known = known.unwrap_or_else(|| {
            self.changes.push((table, Orders::default()));
            self.changes.len() - 1
        });
        let orders = &mut self.changes[known].1;
        match membership.order {
            Some(order) => drop(orders.told.insert(order.get())),
            None => orders.untold += 1,
        }
    }

    /// How many changes there are of these source tables.
    pub fn changes_of(&self, tables: &[TableNumber]) -> u64 {
        let of = |(table, _): &&(TableNumber, Orders)| tables.contains(table);
        let of = self.changes.iter().filter(of);
        of.map(|(_, orders)| orders.told.len() as u64 + orders.untold)
            .sum()
    }
}

impl Ledger {
    pub fn front(&self) -> Option<&Open> {
        self.open.front()
    }

    /// The number of the first open one, or of the next to be told of.
    pub fn front_number(&self) -> u64 {
        self.first
    }

    /// The number of the next one to be told of.
    pub fn next_number(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    pub fn number(&self, key: TransactionKey) -> Option<u64> {
        self.numbers.get(&key).copied()
    }

    pub fn is_known(&self, key: TransactionKey) -> bool {
        self.numbers.contains_key(&key) || self.closed.contains_key(&key)
    }

    pub fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    /// Whether changes of a transaction need not wait.
    pub fn passes(&self, key: TransactionKey) -> bool {
        let is_parted = || self.number(key).is_some_and(|it| self.at(it).is_parted);
        self.closed.contains_key(&key) || is_parted()
    }

    /// The number that a transaction has or had, if it is still known.
    pub fn number_ever(&self, key: TransactionKey) -> Option<u64> {
        let closed = || self.closed.get(&key).copied().flatten();
        self.number(key).or_else(closed)
    }

    /// The first record of boundaries that is still needed.
    pub fn first_offset(&self) -> Option<u64> {
        self.open.iter().map(|open| open.offset).min()
    }

    pub fn shows_parts(&self) -> bool {
        let mut open = self.open.iter();
        open.any(|open| open.is_parted && !open.seen.is_empty()) || !self.parted_before.is_empty()
    }

    /// Takes a boundary in. True if it is the first that is told of its transaction.
    pub fn hear(&mut self, boundary: &Boundary, now_ms: i64) -> bool {
        let key = boundary.transaction;
        if self.closed.contains_key(&key) {
            return false;
        }
        let is_new = !self.numbers.contains_key(&key);
        if is_new {
            self.overtake(now_ms);
            self.numbers.insert(key, self.next_number());
            self.open.push_back(Open {
                key,
                offset: boundary.offset,
                at_ms: boundary.at_ms,
                end: None,
                overtaken_ms: None,
                seen: self.early.remove(&key).unwrap_or_default(),
                is_parted: self.parted_before.remove(&key),
                touched_ms: now_ms,
            });
        }
        if let Some(open) = self.open_mut(key) {
            open.touched_ms = now_ms;
            if let BoundaryKind::Ends { events } = &boundary.kind
                && open.end.is_none()
            {
                open.end = Some(End {
                    events: events.clone(),
                    read_ms: now_ms,
                });
            }
        }
        is_new
    }

    /// The newest one will not end any more, if it has not: another was begun.
    pub fn overtake(&mut self, now_ms: i64) {
        let newest = self.open.back_mut().filter(|newest| newest.end.is_none());
        if let Some(newest) = newest {
            newest.overtaken_ms.get_or_insert(now_ms);
        }
    }

    /// A change was read that waits.
    pub fn count(
        &mut self,
        lane: PartitionId,
        table: TableNumber,
        membership: Membership,
        now_ms: i64,
    ) {
        let key = membership.transaction;
        if let Some(open) = self.open_mut(key) {
            open.touched_ms = now_ms;
            open.seen.count(lane, table, membership);
        } else if !self.closed.contains_key(&key) {
            let seen = self.early.entry(key).or_default();
            seen.count(lane, table, membership);
        }
    }

    /// Lets the first open one that does not yet pass go through as it comes.
    pub fn part(&mut self, any: bool) -> Option<TransactionKey> {
        let reach = if any { self.open.len() } else { 1 };
        let mut open = self.open.iter_mut().take(reach);
        let open = open.find(|open| !open.is_parted)?;
        open.is_parted = true;
        self.dirty = true;
        Some(open.key)
    }

    /// All of the first open one is let through.
    pub fn close_front(&mut self) -> Option<Open> {
        let open = self.open.pop_front()?;
        self.numbers.remove(&open.key);
        self.closed_ms = open.at_ms.or(self.closed_ms);
        self.remember(open.key, Some(self.first));
        self.first += 1;
        Some(open)
    }

    /// A transaction that nobody has told of need not wait any more. Answers the partitions it waits in.
    pub fn give_up(&mut self, key: TransactionKey) -> Vec<PartitionId> {
        self.remember(key, None);
        let seen = self.early.remove(&key);
        seen.map_or_else(Vec::new, |seen| seen.lanes)
    }

    fn remember(&mut self, key: TransactionKey, number: Option<u64>) {
        self.dirty = true;
        if self.closed.insert(key, number).is_none() {
            self.closed_in_order.push_back(key);
        }
        if self.closed_in_order.len() > CLOSED_MAX
            && let Some(oldest) = self.closed_in_order.pop_front()
        {
            self.closed.remove(&oldest);
        }
    }

    /// What is to outlive the process: the newest closed ones, and those of which parts are shown.
    pub fn kept(&self) -> (Vec<u64>, Vec<u64>) {
        let newest = self.closed_in_order.iter().rev().take(CLOSED_KEPT).rev();
        let parted = self.open.iter().filter(|open| open.is_parted);
        let parted = parted.map(|open| open.key.0);
        let before = self.parted_before.iter().map(|key| key.0);
        (
            newest.map(|key| key.0).collect(),
            parted.chain(before).collect(),
        )
    }

    pub fn restore(&mut self, closed: &[u64], parted: &[u64]) {
        for key in closed {
            self.remember(TransactionKey(*key), None);
        }
        self.parted_before = parted.iter().copied().map(TransactionKey).collect();
        self.dirty = false;
    }

    /// Partitions that an open transaction was read from.
    pub fn lanes_of(&self, number: u64) -> &[PartitionId] {
        &self.at(number).seen.lanes
    }

    fn at(&self, number: u64) -> &Open {
        &self.open[(number - self.first) as usize]
    }

    fn open_mut(&mut self, key: TransactionKey) -> Option<&mut Open> {
        let number = self.number(key)?;
        self.open.get_mut((number - self.first) as usize)
    }
}
