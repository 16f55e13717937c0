//! Histories of a connector, read in any order, against what whole means.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use row_model::{BoundaryKind, TransactionKey};

use super::*;

const WAIT_MS: i64 = 1_000;
const LANES: u32 = 3;
const ROW_BYTES: usize = 100;

/// What a connector writes of one transaction, and what gets lost of it.
#[derive(Clone, Debug)]
struct Plan {
    /// Where its changes go.
    changes: Vec<u32>,
    /// Changes that are filtered after they were counted.
    filtered: BTreeSet<usize>,
    begins: bool,
    ends: bool,
    /// Afterwards the connector falls back by so many transactions, and writes them again.
    falls_back: usize,
    /// It does so in the middle of this one.
    in_middle: bool,
    commit_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    transaction: Option<usize>,
    order: u64,
}

/// The log: partitions of changes, and one of boundaries.
#[derive(Clone, Debug, Default)]
struct Log {
    lanes: BTreeMap<u32, Vec<Record>>,
    boundaries: Vec<Boundary>,
}

fn key(transaction: usize) -> TransactionKey {
    TransactionKey(100 + transaction as u64)
}

fn topic(lane: u32) -> String {
    format!("s.public.t{lane}")
}

impl Log {
    fn write(plans: &[Plan], snapshot_rows: u32) -> Self {
        let mut log = Self::default();
        for lane in 0..LANES {
            let rows = log.lanes.entry(lane).or_default();
            for _ in 0..snapshot_rows {
                rows.push(Record {
                    transaction: None,
                    order: 0,
                });
            }
        }
        let (mut at, mut fallen) = (0, BTreeSet::new());
        while at < plans.len() {
            let plan = &plans[at];
            let falls = plan.falls_back > 0 && fallen.insert(at);
            if falls && plan.in_middle {
                log.boundary(plan, at, false);
                log.changes(plan, at, plan.changes.len() / 2);
                at = (at + 1).saturating_sub(plan.falls_back);
                continue;
            }
            log.boundary(plan, at, false);
            log.changes(plan, at, plan.changes.len());
            log.boundary(plan, at, true);
            at += 1;
            if falls {
                at = at.saturating_sub(plan.falls_back);
            }
        }
        log
    }

    fn changes(&mut self, plan: &Plan, at: usize, count: usize) {
        for (order, lane) in plan.changes.iter().enumerate().take(count) {
            if !plan.filtered.contains(&order) {
                let record = Record {
                    transaction: Some(at),
                    order: order as u64 + 1,
                };
                self.lanes.entry(*lane).or_default().push(record);
            }
        }
    }

    fn boundary(&mut self, plan: &Plan, at: usize, ends: bool) {
        if (ends && !plan.ends) || (!ends && !plan.begins) {
            return;
        }
        let mut events: BTreeMap<String, u64> = BTreeMap::new();
        for lane in &plan.changes {
            *events.entry(format!("public.t{lane}")).or_default() += 1;
        }
        events.insert("public.audit".to_owned(), 7);
        let kind = if ends {
            BoundaryKind::Ends {
                events: events.into_iter().collect(),
            }
        } else {
            BoundaryKind::Begins
        };
        self.boundaries.push(Boundary {
            offset: self.boundaries.len() as u64,
            transaction: key(at),
            at_ms: Some(plan.commit_ms),
            kind,
        });
    }
}

/// A gate, and how much of the log it was given.
struct Run<'a> {
    plans: &'a [Plan],
    log: &'a Log,
    gate: Gate,
    read: BTreeMap<u32, usize>,
    told: usize,
    now_ms: i64,
    limits: BTreeMap<u32, u64>,
}

impl<'a> Run<'a> {
    fn new(plans: &'a [Plan], log: &'a Log, held_bytes_max: usize) -> Self {
        let is_late = log.boundaries.first().is_none_or(|first| first.offset > 0);
        let mut gate = Gate::new(Bounds {
            wait_ms: WAIT_MS,
            held_bytes_max,
            can_pause: true,
        });
        for lane in 0..LANES {
            gate.start(PartitionId(lane), &topic(lane), is_late, 0);
        }
        Self {
            plans,
            log,
            gate,
            read: (0..LANES).map(|lane| (lane, 0)).collect(),
            told: 0,
            now_ms: 1,
            limits: BTreeMap::new(),
        }
    }

    /// Reads some records of a partition; its end, if there are none.
    fn read(&mut self, lane: u32, count: usize) {
        let id = PartitionId(lane);
        if self.gate.is_paused(id) {
            return;
        }
        let records = &self.log.lanes[&lane];
        let from = self.read[&lane];
        let until = (from + count).min(records.len());
        if from == until {
            return self.gate.end(id, false, self.now_ms);
        }
        let table = self
            .gate
            .table(&topic(lane), &format!("s\0d\0public\0t{lane}"));
        let arriving = (from..until).map(|offset| Arriving {
            offset: offset as u64,
            membership: records[offset].transaction.map(|transaction| Membership {
                transaction: key(transaction),
                order: records[offset].order.try_into().ok(),
            }),
            table,
            bytes: ROW_BYTES,
            commit_ms: records[offset]
                .transaction
                .map(|it| self.plans[it].commit_ms),
        });
        let arriving: Vec<_> = arriving.collect();
        self.gate
            .arrive(id, arriving.into_iter(), until as u64, self.now_ms);
        self.read.insert(lane, until);
    }

    fn hear(&mut self, count: usize) {
        let until = (self.told + count).min(self.log.boundaries.len());
        for boundary in &self.log.boundaries[self.told..until] {
            self.gate.hear(boundary, self.now_ms);
        }
        if self.told == until {
            self.gate.boundaries_end(false, self.now_ms);
        }
        self.told = until;
    }

    /// Publishes a cut, and looks whether it is what the gate says of it.
    fn publish(&mut self) -> Result<(), TestCaseError> {
        self.gate.advance(self.now_ms);
        let mut shown: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for (lane, records) in &self.log.lanes {
            let limit = self.gate.limit(PartitionId(*lane));
            let before = self.limits.insert(*lane, limit).unwrap_or_default();
            prop_assert!(before <= limit, "what was shown stays shown");
            prop_assert!(limit <= self.read[lane] as u64, "nothing is shown unread");
            for record in &records[..limit as usize] {
                if let Some(transaction) = record.transaction {
                    shown.entry(transaction).or_default().insert(record.order);
                }
            }
        }
        if self.gate.partial().is_some() {
            return Ok(());
        }
        let mut ended = None;
        for (at, plan) in self.plans.iter().enumerate() {
            let orders = (0..plan.changes.len()).filter(|order| !plan.filtered.contains(order));
            let all: BTreeSet<u64> = orders.map(|order| order as u64 + 1).collect();
            if all.is_empty() {
                continue;
            }
            let shown = shown.remove(&at).unwrap_or_default();
            prop_assert!(
                shown.is_empty() || shown == all,
                "a cut that says whole shows {shown:?} of {all:?} of transaction {at}"
            );
            if shown.is_empty() {
                ended.get_or_insert(at);
            } else if let Some(ended) = ended {
                prop_assert!(false, "transaction {at} is shown before {ended}");
            }
        }
        Ok(())
    }

    fn shows_all(&self) -> bool {
        let lanes = self.log.lanes.iter();
        let mut shown = lanes.map(|(lane, records)| (self.limits[lane], records.len() as u64));
        shown.all(|(limit, all)| limit == all)
    }
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let changes = prop::collection::vec(0..LANES, 0..6);
    let rarely = || prop::bool::weighted(0.1);
    let plan = (
        changes,
        prop::collection::btree_set(0..6_usize, 0..2),
        (rarely(), rarely(), rarely(), rarely()),
        1..4_usize,
    );
    let plan = plan.prop_map(
        |(changes, filtered, (filters, loses_end, falls, in_middle), back)| Plan {
            filtered: if filters { filtered } else { BTreeSet::new() },
            begins: true,
            ends: !loses_end,
            falls_back: if falls { back } else { 0 },
            in_middle,
            changes,
            commit_ms: 0,
        },
    );
    let dated = |mut plans: Vec<Plan>| {
        for (at, plan) in plans.iter_mut().enumerate() {
            plan.commit_ms = at as i64;
        }
        plans
    };
    prop::collection::vec(plan, 1..12).prop_map(dated)
}

/// What is read next: so many records of a partition, or of the boundaries, and how much time goes by.
fn schedule() -> impl Strategy<Value = Vec<(u32, usize, i64)>> {
    prop::collection::vec(
        (
            0..=LANES,
            1..8_usize,
            prop_oneof![9 => 0..30_i64, 1 => 500..1_500_i64],
        ),
        0..120,
    )
}

fn follow(
    plans: &[Plan],
    log: &Log,
    schedule: &[(u32, usize, i64)],
    held_bytes_max: usize,
) -> Result<(), TestCaseError> {
    let mut run = Run::new(plans, log, held_bytes_max);
    for (place, count, passes_ms) in schedule {
        if *place == LANES {
            run.hear(*count);
        } else {
            run.read(*place, *count);
        }
        run.now_ms += passes_ms;
        run.publish()?;
    }
    // Everything is read at last, and nothing waits for ever: not even for the source.
    for _ in 0..400 {
        run.hear(1);
        (0..LANES).for_each(|lane| run.read(lane, 1));
        run.now_ms += WAIT_MS / 4;
        run.publish()?;
    }
    prop_assert!(run.shows_all(), "something waits for ever: {:?}", run.gate);
    Ok(())
}

/// The gate has the first change of a transaction and its END; the second comes late or never.
fn all_but_one_change(run: &mut Run<'_>) {
    run.hear(2);
    run.read(0, 1);
    (0..LANES).for_each(|lane| run.gate.end(PartitionId(lane), false, run.now_ms));
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.limit(PartitionId(0)), 0, "it is waited for");
    run.now_ms += WAIT_MS;
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.limit(PartitionId(0)), 1, "but not for ever");
}

fn plans_of_two_changes(count: usize) -> Vec<Plan> {
    let plan = Plan {
        changes: vec![0, 1],
        filtered: BTreeSet::new(),
        begins: true,
        ends: true,
        falls_back: 0,
        in_middle: false,
        commit_ms: 0,
    };
    vec![plan; count]
}

#[test]
fn what_is_shown_without_a_counted_change_is_called_partial_until_its_partition_was_read_past_it() {
    let plans = plans_of_two_changes(2);
    let log = Log::write(&plans, 0);
    let mut run = Run::new(&plans, &log, usize::MAX);
    all_but_one_change(&mut run);
    assert_eq!(run.gate.partial(), Some(Partial::Behind(PartitionId(1))));
    assert_eq!(run.gate.take_whole(), []);
    run.read(1, 1);
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.limit(PartitionId(1)), 1, "it is shown as it comes");
    run.hear(2);
    run.read(0, 1);
    run.read(1, 1);
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.limit(PartitionId(1)), 2);
    assert_eq!(run.gate.partial(), None);
    let both = [(key(0), Some(0)), (key(1), Some(0))];
    assert_eq!(run.gate.take_whole(), both);
}

#[test]
fn a_counted_change_that_never_comes_is_given_up_at_last() {
    let plans = plans_of_two_changes(1);
    let log = Log::write(&plans, 0);
    let mut run = Run::new(&plans, &log, usize::MAX);
    all_but_one_change(&mut run);
    run.now_ms += 3 * WAIT_MS;
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.partial(), Some(Partial::Behind(PartitionId(1))));
    run.now_ms += WAIT_MS;
    run.gate.advance(run.now_ms);
    assert_eq!(run.gate.partial(), None);
    assert_eq!(run.gate.take_whole(), [(key(0), Some(0))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_cut_that_says_whole_shows_a_prefix_of_whole_transactions(
        plans in plans(),
        schedule in schedule(),
        snapshot_rows in 0..3_u32,
    ) {
        follow(&plans, &Log::write(&plans, snapshot_rows), &schedule, usize::MAX)?;
    }

    #[test]
    fn it_is_said_when_there_is_no_room_for_a_transaction(
        plans in plans(),
        schedule in schedule(),
        rows in 1..12_usize,
    ) {
        follow(&plans, &Log::write(&plans, 0), &schedule, rows * ROW_BYTES)?;
    }

    #[test]
    fn boundaries_that_were_let_go_of_are_not_waited_for(
        plans in plans(),
        schedule in schedule(),
        gone in 0..8_usize,
    ) {
        let mut plans = plans;
        // Of a stretch that was written twice, only the second pass may be told of: then nothing says
        // that what was told of first is newer.
        for plan in &mut plans {
            plan.falls_back = 0;
        }
        let mut log = Log::write(&plans, 0);
        log.boundaries.drain(..gone.min(log.boundaries.len()));
        follow(&plans, &log, &schedule, usize::MAX)?;
    }
}
