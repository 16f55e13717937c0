//! Money that is moved between accounts, read while everything runs: no cut that says whole has more or less of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use ingest::TransactionSetup;
use table_store::Transactions;
use testkit::connector::{At, boundary};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Running, Site, rows_of};

const ACCOUNTS: &str = "s.public.accounts";
const SAVINGS: &str = "s.public.savings";
const BOUNDARIES: &str = "s.transaction";
const OWNERS: i64 = 4;
const EACH: i64 = 100;

/// A bank whose accounts are in two tables.
struct Bank {
    site: Site,
    balances: BTreeMap<(&'static str, i64), i64>,
    transaction: u64,
}

impl Bank {
    fn new() -> Self {
        let mut site = Site::default();
        let setup = TransactionSetup {
            wait: Duration::from_millis(100),
            ..TransactionSetup::default()
        };
        site.settings.transactions = vec![("s".to_owned(), setup)];
        site.log.create_topic(ACCOUNTS, 2);
        site.log.create_topic(SAVINGS, 1);
        site.log.create_topic(BOUNDARIES, 1);
        let mut bank = Self {
            site,
            balances: BTreeMap::new(),
            transaction: 100,
        };
        let all = (0..OWNERS).flat_map(|owner| [(ACCOUNTS, owner), (SAVINGS, owner)]);
        let opened = all.map(|account| (account, EACH)).collect();
        bank.changes(opened);
        bank
    }

    /// Moves an amount from one account to another.
    fn moves(&mut self, round: i64) {
        let (from, to) = (
            (ACCOUNTS, round % OWNERS),
            (SAVINGS, (round * 3 + 1) % OWNERS),
        );
        let amount = round % 7 + 1;
        let moved = [(from, -amount), (to, amount)];
        let changed = moved.map(|(account, by)| (account, self.balances[&account] + by));
        self.changes(changed.into());
    }

    /// One transaction. Which of its records are written first is nobody's to choose.
    fn changes(&mut self, balances: BTreeMap<(&'static str, i64), i64>) {
        self.transaction += 1;
        let id = self.transaction;
        let mut records = Vec::new();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (order, ((topic, owner), balance)) in (1..).zip(&balances) {
            let partition = if *topic == ACCOUNTS {
                *owner as i32 % 2
            } else {
                0
            };
            let at = At {
                topic,
                partition,
                lsn: Some(id * 10 + order),
                transaction: Some(id),
            };
            let record = CONNECTOR.update(at, *owner, &balance.to_string());
            records.push(record.within(id, order));
            *counts.entry(topic.trim_start_matches("s.")).or_default() += 1;
        }
        let counts: Vec<_> = counts.into_iter().collect();
        let (begins, ends) = (
            boundary(BOUNDARIES, id, None),
            boundary(BOUNDARIES, id, Some(&counts)),
        );
        let written: [&[PlannedRecord]; 3] = if id.is_multiple_of(2) {
            [&records, &[begins], &[ends]]
        } else {
            [&[begins], &[ends], &records]
        };
        for records in written {
            for record in records {
                self.site.log.append(std::slice::from_ref(record));
            }
        }
        self.balances.extend(balances);
    }

    /// What a cut shows of all balances, if it shows any and says that it shows transactions whole.
    fn whole(running: &Running) -> Option<BTreeMap<(&'static str, i64), i64>> {
        let cut = running.pipeline.store().pin();
        let mut shown = BTreeMap::new();
        for (name, topic) in [("accounts", ACCOUNTS), ("savings", SAVINGS)] {
            let table = cut.table(name).ok()?;
            if table.facts.transactions != Transactions::Whole {
                return None;
            }
            let rows = rows_of(table, cut.id).into_iter();
            shown.extend(rows.map(|(owner, v)| ((topic, owner), v.parse().unwrap())));
        }
        Some(shown)
    }

    /// Waits until everything is shown, and counts cuts that say whole on the way.
    fn until_all(&self, running: &Running) -> u32 {
        let whole = Cell::new(0);
        running.until("all that was moved is shown", |running| {
            let Some(shown) = Self::whole(running) else {
                return false;
            };
            whole.set(whole.get() + 1);
            let sum: i64 = shown.values().sum();
            assert_eq!(sum, EACH * 2 * OWNERS, "money came or went: {shown:?}");
            shown == self.balances
        });
        whole.get()
    }
}

#[test]
fn no_cut_that_says_whole_has_more_or_less_money() {
    let mut bank = Bank::new();
    let mut running = bank.site.start();
    bank.until_all(&running);
    let mut looked = 0;
    for round in 0..200 {
        bank.moves(round);
        if let Some(shown) = Bank::whole(&running) {
            let sum: i64 = shown.values().sum();
            assert_eq!(sum, EACH * 2 * OWNERS, "money came or went: {shown:?}");
            looked += 1;
        }
        if round % 50 == 49 {
            // While some of it is on its way: half of a transaction may be waiting.
            drop(running);
            running = bank.site.start();
        }
        if round % 20 == 19 {
            bank.until_all(&running);
        }
    }
    bank.until_all(&running);
    assert!(looked > 20, "{looked}");
}
