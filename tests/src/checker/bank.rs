//! A bank with a shop, as a Postgres database: transactions over several tables that run at the same time, and
//! commit in an order of their own.
//!
//! Money only moves: the balances always add up to [`MONEY`]. An order says how many lines it has, and has them.
//! Every row says which change wrote it (`written`), so that whoever reads it can tell which states it can be of.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::moment;

pub const PREFIX: &str = "bank";

/// What all accounts hold together.
pub const MONEY: i64 = ACCOUNTS_COUNT * 1_000;

const ACCOUNTS_COUNT: i64 = 40;
pub const ORDERS_COUNT: i64 = 40;
/// The ids of an order's lines are these many from its own, times these many, on.
pub const LINES_MAX: i64 = 8;
/// Transactions that are open at the same time, at most.
const CONCURRENT_MAX: usize = 4;
/// Changes of the one that is huge.
const HUGE_CHANGES: usize = 4_000;
/// Numbers of transactions have 64 bits, of which records carry 32: they soon begin anew.
const FIRST_TRANSACTION: u64 = (1 << 32) - 200;
/// Those numbers, in 32 bits, that Postgres gives to no transaction.
const RESERVED_TRANSACTIONS: u64 = 3;

/// A table: its rows are an id, one number, and what wrote them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    pub name: &'static str,
    /// What the number is called.
    pub cell: &'static str,
    pub partitions: i32,
}

pub static ACCOUNTS: Table = Table {
    name: "accounts",
    cell: "balance",
    partitions: 3,
};
pub static ORDERS: Table = Table {
    name: "orders",
    cell: "stated",
    partitions: 2,
};
pub static LINES: Table = Table {
    name: "lines",
    cell: "order_id",
    partitions: 3,
};
pub static HEARTBEATS: Table = Table {
    name: "heartbeats",
    cell: "beat",
    partitions: 1,
};
/// Written like the others, and not followed.
pub static AUDIT: Table = Table {
    name: "audit",
    cell: "what",
    partitions: 1,
};

/// Those that are followed.
pub static TABLES: [&Table; 4] = [&ACCOUNTS, &ORDERS, &LINES, &HEARTBEATS];

impl Table {
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLES.into_iter().find(|table| table.name == name)
    }

    pub fn topic(&self) -> String {
        format!("{PREFIX}.public.{}", self.name)
    }

    pub fn partition_of(&self, id: i64) -> i32 {
        id.rem_euclid(i64::from(self.partitions)) as i32
    }
}

/// What a row says beside its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub cell: i64,
    /// The number of the change that wrote it, counted from one over all transactions in the order of their commits.
    pub written: u64,
}

/// One change of one row.
#[derive(Clone, Debug)]
pub struct Change {
    pub table: &'static Table,
    pub id: i64,
    pub before: Option<Row>,
    pub after: Option<Row>,
    /// Where it stands in the write-ahead log: before or after those of transactions that ran at the same time.
    pub lsn: u64,
}

/// A transaction that was committed.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// All 64 bits of its number.
    pub id: u64,
    pub changes: Vec<Change>,
    pub begin_lsn: u64,
    pub commit_lsn: u64,
    pub committed_ms: i64,
}

/// The database.
pub struct Bank {
    rng: Rng,
    /// Cells and their changes' numbers, as the last commit left them.
    rows: BTreeMap<(&'static Table, i64), Row>,
    next_transaction: u64,
    lsn: u64,
    changes: u64,
}

/// What a transaction is about to write: a row's cell, or nothing.
type Write = (&'static Table, i64, Option<i64>);

impl Bank {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            rows: BTreeMap::new(),
            next_transaction: FIRST_TRANSACTION,
            lsn: 26_000_000,
            changes: 0,
        }
    }

    /// The transaction that everything begins with.
    pub fn opening(&mut self) -> Transaction {
        let accounts = (0..ACCOUNTS_COUNT).map(|id| (&ACCOUNTS, id, Some(MONEY / ACCOUNTS_COUNT)));
        let heart = [(&HEARTBEATS, 1, Some(0))];
        self.committed(vec![accounts.chain(heart).collect()])
            .remove(0)
    }

    /// Some transactions that ran at the same time, in the order of their commits.
    pub fn some(&mut self) -> Vec<Transaction> {
        let count = self.rng.usize(1..=CONCURRENT_MAX);
        let mut touched = BTreeSet::new();
        let mut concurrent = Vec::new();
        for _ in 0..count {
            let writes = self.transaction();
            // What another one has locked is not written meanwhile.
            let keys: Vec<_> = writes.iter().map(|(table, id, _)| (*table, *id)).collect();
            if keys.iter().all(|key| !touched.contains(key)) {
                touched.extend(keys);
                concurrent.push(writes);
            }
        }
        self.committed(concurrent)
    }

    /// A transaction that is too large to be held for long.
    pub fn huge(&mut self) -> Transaction {
        let mut writes: Vec<Write> = Vec::new();
        let mut balances: Vec<i64> = (0..ACCOUNTS_COUNT)
            .map(|id| self.cell(&ACCOUNTS, id).unwrap_or_default())
            .collect();
        for _ in 0..HUGE_CHANGES / 2 {
            let (from, to) = self.two_accounts();
            balances[from as usize] -= 1;
            balances[to as usize] += 1;
            for id in [from, to] {
                writes.push((&ACCOUNTS, id, Some(balances[id as usize])));
            }
        }
        self.committed(vec![writes]).remove(0)
    }

    fn transaction(&mut self) -> Vec<Write> {
        let order = self.rng.i64(0..ORDERS_COUNT);
        match self.rng.u8(0..100) {
            0..45 => self.transfer(),
            45..50 => {
                let mut writes = self.transfer();
                writes.push((&AUDIT, self.rng.i64(0..1_000), Some(1)));
                writes
            }
            50..52 => vec![(&AUDIT, self.rng.i64(0..1_000), Some(2))],
            52..56 => vec![(&HEARTBEATS, 1, Some(moment::wall_ms()))],
            56..66 => self.delete(order),
            _ => self.order(order),
        }
    }

    /// Money moves from one account to others, a little at a time.
    fn transfer(&mut self) -> Vec<Write> {
        let (from, to) = self.two_accounts();
        let mut source = self.cell(&ACCOUNTS, from).unwrap_or_default();
        let mut target = self.cell(&ACCOUNTS, to).unwrap_or_default();
        let mut writes: Vec<Write> = Vec::new();
        for _ in 0..self.rng.u8(1..=2) {
            let amount = self.rng.i64(1..50);
            source -= amount;
            target += amount;
            writes.push((&ACCOUNTS, from, Some(source)));
            writes.push((&ACCOUNTS, to, Some(target)));
        }
        writes
    }

    fn two_accounts(&mut self) -> (i64, i64) {
        let from = self.rng.i64(0..ACCOUNTS_COUNT);
        let further = self.rng.i64(1..ACCOUNTS_COUNT);
        (from, (from + further) % ACCOUNTS_COUNT)
    }

    /// An order gets another number of lines, after they have come or gone.
    fn order(&mut self, order: i64) -> Vec<Write> {
        let had = self.cell(&ORDERS, order).unwrap_or(0);
        let has = self.rng.i64(1..=LINES_MAX);
        let come = (had..has).map(|nth| (&LINES, line(order, nth), Some(order)));
        let go = (has..had).map(|nth| (&LINES, line(order, nth), None));
        let stated = (&ORDERS, order, Some(has));
        let mut writes: Vec<Write> = come.chain(go).chain([stated]).collect();
        if self.rng.bool() {
            writes.reverse();
        }
        writes
    }

    fn delete(&mut self, order: i64) -> Vec<Write> {
        let had = self.cell(&ORDERS, order).unwrap_or(0);
        let lines = (0..had).map(|nth| (&LINES, line(order, nth), None));
        let own = (had > 0).then_some((&ORDERS, order, None));
        lines.chain(own).collect()
    }

    fn cell(&self, table: &'static Table, id: i64) -> Option<i64> {
        Some(self.rows.get(&(table, id))?.cell)
    }

    /// Transactions that ran at the same time take places in the write-ahead log in any order, and commit in any.
    fn committed(&mut self, concurrent: Vec<Vec<Write>>) -> Vec<Transaction> {
        let mut open: Vec<(Transaction, Vec<Write>)> = Vec::new();
        for writes in concurrent.into_iter().filter(|writes| !writes.is_empty()) {
            let transaction = Transaction {
                id: self.next_id(),
                changes: Vec::new(),
                begin_lsn: self.next_lsn(),
                commit_lsn: 0,
                committed_ms: 0,
            };
            open.push((transaction, writes));
        }
        let lsns = self.places(&open);
        self.rng.shuffle(&mut open);
        let commit = |(mut transaction, writes): (Transaction, Vec<Write>)| {
            let lsns = lsns[&transaction.id].iter();
            transaction.changes = lsns
                .zip(writes)
                .map(|(lsn, write)| self.change(write, *lsn))
                .collect();
            transaction.commit_lsn = self.next_lsn();
            transaction.committed_ms = moment::wall_ms();
            transaction
        };
        open.into_iter().map(commit).collect()
    }

    /// Where each transaction's changes stand in the log.
    fn places(&mut self, open: &[(Transaction, Vec<Write>)]) -> BTreeMap<u64, Vec<u64>> {
        let mut turns: Vec<u64> = Vec::new();
        for (transaction, writes) in open {
            turns.extend(std::iter::repeat_n(transaction.id, writes.len()));
        }
        self.rng.shuffle(&mut turns);
        let mut places: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for id in turns {
            let lsn = self.next_lsn();
            places.entry(id).or_default().push(lsn);
        }
        places
    }

    fn change(&mut self, (table, id, cell): Write, lsn: u64) -> Change {
        let key = (table, id);
        let is_followed = Table::named(table.name).is_some();
        self.changes += u64::from(is_followed);
        let after = cell.map(|cell| Row {
            cell,
            written: self.changes,
        });
        let before = match after {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
        Change {
            table,
            id,
            before,
            after,
            lsn,
        }
    }

    fn next_id(&mut self) -> u64 {
        if self.next_transaction as u32 == 0 {
            self.next_transaction += RESERVED_TRANSACTIONS;
        }
        self.next_transaction += 1;
        self.next_transaction - 1
    }

    fn next_lsn(&mut self) -> u64 {
        self.lsn += 8;
        self.lsn
    }
}

fn line(order: i64, nth: i64) -> i64 {
    order * LINES_MAX + nth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_only_moves_and_orders_have_their_lines() {
        let mut bank = Bank::new(3);
        bank.opening();
        for _ in 0..300 {
            bank.some();
        }
        bank.huge();
        let of = |table: &'static Table| {
            let rows = bank.rows.iter();
            rows.filter(move |((of, _), _)| *of == table)
                .map(|((_, id), row)| (*id, row.cell))
        };
        assert_eq!(of(&ACCOUNTS).map(|(_, cell)| cell).sum::<i64>(), MONEY);
        assert!(of(&ORDERS).count() > 10);
        for (order, stated) in of(&ORDERS) {
            let lines = of(&LINES).filter(|(_, cell)| *cell == order).count();
            assert_eq!(stated, lines as i64, "order {order}");
        }
    }

    #[test]
    fn places_in_the_log_go_down_between_transactions_and_commits_do_not() {
        let mut bank = Bank::new(5);
        let mut all = vec![bank.opening()];
        (0..200).for_each(|_| all.extend(bank.some()));
        assert!(all.is_sorted_by_key(|transaction| transaction.commit_lsn));
        let places: Vec<u64> = all
            .iter()
            .flat_map(|transaction| transaction.changes.iter().map(|change| change.lsn))
            .collect();
        assert!(!places.is_sorted());
        assert!(!all.is_sorted_by_key(|transaction| transaction.id));
        let numbers: BTreeSet<u32> = all
            .iter()
            .map(|transaction| transaction.id as u32)
            .collect();
        assert!(
            numbers.contains(&RESERVED_TRANSACTIONS.try_into().unwrap()) && !numbers.contains(&0)
        );
    }
}
