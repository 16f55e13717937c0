//! What a floor lets through, against the naive model: the sets of records that states rest on.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use row_model::{Epoch, SchemaHistory, SourcePosition};
use table_store::{LogId, TableWriter};

use super::*;
use crate::fixture::identity;

/// A table that has read so far of each partition.
fn table(name: &str, offsets: &[u64], set: impl FnOnce(&mut TableFacts)) -> TableCut {
    let mut facts = TableFacts {
        offsets: (0..).zip(offsets.iter().copied()).collect(),
        ..TableFacts::default()
    };
    set(&mut facts);
    let writer = TableWriter::new(identity(name), Arc::new(SchemaHistory::default()));
    TableCut {
        table: Arc::clone(writer.table()),
        rows: 0,
        memory_bytes: 0,
        schema: None,
        schema_epoch: 0,
        facts: Arc::new(facts),
    }
}

fn lsn(lsn: u64) -> Option<SourcePosition> {
    SourcePosition::from_numbers(0, &[lsn])
}

fn behind(partition: i32, wanted: u64, reached: Option<u64>) -> Reach {
    Reach::NotYet(Behind {
        table: "orders".to_owned(),
        partition,
        wanted,
        reached,
    })
}

#[test]
fn every_partition_must_have_been_read_as_far() {
    let floor = AsOf::of([&table("orders", &[4, 7], |_| {})]);
    let stands = |offsets: &[u64]| reach([&table("orders", offsets, |_| {})], &floor);
    assert_eq!(stands(&[4, 7]), Reach::Reached);
    assert_eq!(stands(&[9, 7, 0]), Reach::Reached);
    assert_eq!(stands(&[9, 6]), behind(1, 7, Some(6)));
    assert_eq!(stands(&[9]), behind(1, 7, None));
    assert_eq!(stands(&[]), behind(0, 4, None));
}

#[test]
fn an_equal_position_is_not_enough() {
    // A snapshot gives all its rows one position, and so does a statement that changes many.
    let at = |offsets: &[u64]| table("orders", offsets, |facts| facts.position = lsn(100));
    let floor = AsOf::of([&at(&[5])]);
    assert_eq!(reach([&at(&[3])], &floor), behind(0, 5, Some(3)));
    // Nor is a later one: it was read from another partition.
    let floor = AsOf::of([&table("orders", &[5, 5], |facts| facts.position = lsn(100))]);
    let later = table("orders", &[9, 2], |facts| facts.position = lsn(200));
    assert_eq!(reach([&later], &floor), behind(1, 5, Some(2)));
}

#[test]
fn only_tables_that_are_named_have_a_floor() {
    let floor = AsOf::of([&table("orders", &[4], |_| {})]);
    let items = table("items", &[0], |_| {});
    assert_eq!(reach([&items], &floor), Reach::Reached);
    assert!(!names_any(&floor, [&items]));
    let orders = table("orders", &[3], |_| {});
    assert_eq!(reach([&items, &orders], &floor), behind(0, 4, Some(3)));
    assert!(names_any(&floor, [&items, &orders]));
    assert!(names_all(&floor, [&items, &orders]) && !names_all(&floor, [&items]));
}

#[test]
fn a_log_that_was_made_anew_is_another_log() {
    let of = |log, offsets: &[u64]| table("orders", offsets, |facts| facts.log = log);
    let other = Reach::OtherLog("orders".to_owned());
    let floor = AsOf::of([&of(Some(LogId(1)), &[4])]);
    assert_eq!(reach([&of(Some(LogId(2)), &[9])], &floor), other);
    assert_eq!(reach([&of(Some(LogId(1)), &[9])], &floor), Reach::Reached);
    // A broker that says nothing says nothing either way.
    assert_eq!(reach([&of(None, &[9])], &floor), Reach::Reached);

    let at =
        |position, offsets: &[u64]| table("orders", offsets, |facts| facts.position = position);
    let floor = AsOf::of([&at(lsn(100), &[4])]);
    // Having read as far along the same log it would know that position.
    assert_eq!(reach([&at(lsn(99), &[4])], &floor), other);
    assert_eq!(reach([&at(lsn(99), &[3])], &floor), behind(0, 4, Some(3)));
    assert_eq!(reach([&at(lsn(100), &[4])], &floor), Reach::Reached);
    // Positions that must not be compared are not.
    let moved = SourcePosition::from_numbers(1, &[1]);
    assert_eq!(reach([&at(moved, &[4])], &floor), Reach::Reached);
    let later = |facts: &mut TableFacts| (facts.position, facts.epoch) = (lsn(1), Epoch(1));
    assert_eq!(
        reach([&table("orders", &[4], later)], &floor),
        Reach::Reached
    );
}

/// What a process does next.
#[derive(Clone, Debug)]
enum Step {
    /// Reads a record of a partition, if there is one more.
    Read(usize),
    Publish,
    Checkpoint,
    /// Ends, and another one goes on at the last checkpoint.
    Crash,
    /// Another process, which has its own checkpoint, goes on.
    Turn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..3_usize).prop_map(Step::Read),
        4 => Just(Step::Publish),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        1 => Just(Step::Turn),
    ];
    proptest::collection::vec(step, 0..120)
}

/// How far each partition was read.
type Read = [u64; 3];

#[derive(Clone, Copy, Default)]
struct Process {
    read: Read,
    checkpoint: Read,
}

/// The cut of a process that has read so far, by the positions of all records.
fn cut(read: &Read, positions: &[Vec<u64>], has_positions: bool, log: Option<LogId>) -> TableCut {
    let told = read.iter().zip(positions);
    let newest = told
        .flat_map(|(read, positions)| &positions[..*read as usize])
        .max();
    table("orders", read, |facts| {
        facts.position = newest.and_then(|at| lsn(*at)).filter(|_| has_positions);
        facts.log = log;
    })
}

/// The naive model: a state is the set of records it rests on.
fn records(read: &Read) -> BTreeSet<(usize, u64)> {
    let all = read.iter().enumerate();
    all.flat_map(|(partition, read)| (0..*read).map(move |offset| (partition, offset)))
        .collect()
}

proptest! {
    /// Over restarts from older checkpoints and two replicas: an answer that is let through rests on all that
    /// the token's answer rested on, and one that is held back lacks something of it.
    #[test]
    fn a_floor_is_reached_by_what_rests_on_all_that_it_rested_on(
        steps in steps(),
        // Few, so that many records share one, and in no order.
        positions in proptest::collection::vec(proptest::collection::vec(0..4_u64, 20), 3),
        has_positions: bool,
        log in proptest::option::of(Just(LogId(7))),
    ) {
        let (mut now, mut other) = (Process::default(), Process::default());
        let mut told: Vec<(Read, AsOf)> = Vec::new();
        for step in steps {
            match step {
                Step::Read(partition) => {
                    now.read[partition] = (now.read[partition] + 1).min(20);
                    continue;
                }
                Step::Checkpoint => now.checkpoint = now.read,
                Step::Crash => now.read = now.checkpoint,
                Step::Turn => std::mem::swap(&mut now, &mut other),
                Step::Publish => {}
            }
            let shown = cut(&now.read, &positions, has_positions, log);
            for (then, token) in &told {
                let rests_on_all = records(&now.read).is_superset(&records(then));
                let reach = reach([&shown], token);
                prop_assert_eq!(reach == Reach::Reached, rests_on_all, "{:?} {:?} {:?}", then, now.read, reach);
                prop_assert!(!matches!(reach, Reach::OtherLog(_)));
            }
            let token = AsOf::of([&shown]);
            prop_assert_eq!(reach([&shown], &token), Reach::Reached);
            told.push((now.read, AsOf::decode(&token.encode()).unwrap()));
        }
    }
}
