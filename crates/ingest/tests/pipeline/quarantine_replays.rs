//! Records that were put aside and can be understood now: applied where they belong, or kept with the reason.
//!
//! What cannot be understood at first is a record whose schema the registry does not have yet.

use std::collections::BTreeMap;

use ingest::{OnBadRecord, QuarantineSelection, ReplayOutcome, ReplayedRecord};
use table_store::ReadState;
use testkit::connector::{At, Connector};
use testkit::scripted_registry::ScriptedRegistry;
use testkit::scripted_source::PlannedRecord;

use crate::framed::framed;
use crate::harness::{CONNECTOR, NEVER, Running, Site, expected};

const ORDERS: &str = "shop.public.orders";
/// The schema that is missing.
const MISSING: u32 = 9;

fn at(lsn: u64) -> At<'static> {
    At::lsn(ORDERS, 0, lsn)
}

fn nowhere() -> At<'static> {
    At {
        lsn: None,
        transaction: None,
        ..at(0)
    }
}

fn puzzle(record: PlannedRecord) -> PlannedRecord {
    framed(record, MISSING)
}

fn site(records: &[PlannedRecord]) -> (Site, ScriptedRegistry) {
    let registry = ScriptedRegistry::default();
    let site = Site {
        registry: Some(registry.clone()),
        ..Site::default()
    };
    site.log.append(records);
    (site, registry)
}

/// Starts, and waits until so many records are in the quarantine.
fn started(site: &Site, aside: usize) -> Running {
    let running = site.start();
    running.until_live("orders");
    running.until("they are put aside", |running| {
        running.quarantine().len() == aside
    });
    running
}

fn until_read(running: &Running, records: usize) {
    running.until("all is read", |running| {
        let partition = running.partition(ORDERS, 0);
        partition.is_some_and(|it| it.next_offset == records as u64)
    });
}

/// Replays until no schema is on its way any more; what came of each record in the end.
fn replay(running: &Running, selection: &QuarantineSelection) -> BTreeMap<u64, ReplayOutcome> {
    let mut outcomes = BTreeMap::new();
    running.until("the schema is there", |running| {
        let control = running.pipeline.control();
        let replayed = control.replay_quarantine(selection.clone()).unwrap();
        let waits = |record: &ReplayedRecord| {
            matches!(&record.outcome, ReplayOutcome::Kept(reason) if reason.contains("in a moment"))
        };
        let has_to_wait = replayed.iter().any(waits);
        outcomes.extend(replayed.into_iter().map(|it| (it.offset, it.outcome)));
        !has_to_wait
    });
    outcomes
}

fn replay_all(running: &Running) -> BTreeMap<u64, ReplayOutcome> {
    replay(running, &QuarantineSelection::default())
}

fn reason(outcome: &ReplayOutcome) -> &str {
    match outcome {
        ReplayOutcome::Kept(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn positions_tell_what_is_in_time_and_what_is_settled() {
    let (site, registry) = site(&[
        CONNECTOR.create(at(10), 1, "a"),
        puzzle(CONNECTOR.update(at(11), 1, "b")),
        CONNECTOR.create(at(12), 2, "a"),
        puzzle(CONNECTOR.update(at(13), 2, "b")),
        CONNECTOR.update(at(14), 2, "c"),
        CONNECTOR.create(at(15), 3, "a"),
        puzzle(CONNECTOR.delete(at(16), 3)),
        puzzle(CONNECTOR.create(at(17), 4, "a")),
        puzzle(CONNECTOR.update(at(18), 4, "b")),
    ]);
    let running = started(&site, 5);
    assert_eq!(running.facts("orders").unwrap().quarantined, 5);
    let stale = replay_all(&running);
    assert!(
        stale
            .values()
            .all(|it| reason(it).contains("has no schema 9")),
        "{stale:?}"
    );
    registry.register(MISSING, "\"int\"");
    let outcomes = replay_all(&running);
    let applied = ReplayOutcome::Applied;
    let expected_outcomes = [
        (1, applied.clone()),
        (3, ReplayOutcome::Settled),
        (6, applied.clone()),
        (7, applied.clone()),
        (8, applied),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected_outcomes));
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "b"), (2, "c"), (4, "b")])
    );
    assert_eq!(running.facts("orders").unwrap().quarantined, 0);
    running.until("none is reported", |running| {
        running.quarantine().is_empty()
    });
    assert_eq!(replay_all(&running), BTreeMap::new());
    drop(running);
    let running = started(&site, 0);
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "b"), (2, "c"), (4, "b")])
    );
    assert_eq!(running.facts("orders").unwrap().quarantined, 0);
}

#[test]
fn without_positions_only_a_key_that_was_never_heard_of_is_taken() {
    let (site, registry) = site(&[
        CONNECTOR.create(nowhere(), 1, "a"),
        puzzle(CONNECTOR.update(nowhere(), 1, "b")),
        puzzle(CONNECTOR.create(nowhere(), 2, "a")),
        puzzle(CONNECTOR.update(nowhere(), 2, "b")),
    ]);
    let running = started(&site, 3);
    registry.register(MISSING, "\"int\"");
    let outcomes = replay_all(&running);
    let kept = reason(&outcomes[&1]);
    assert!(
        kept.contains("without a position") && kept.contains("`rowtide rebuild orders`"),
        "{kept}"
    );
    assert_eq!(
        (&outcomes[&2], &outcomes[&3]),
        (&ReplayOutcome::Applied, &ReplayOutcome::Applied)
    );
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (2, "b")]));
    assert_eq!(running.facts("orders").unwrap().quarantined, 1);
    let again = running.quarantine();
    assert_eq!((again.len(), again[0].reason.as_str()), (1, kept));
}

#[test]
fn what_only_the_order_of_all_records_tells_is_left_to_a_rebuild() {
    const NOTES: &str = "shop.public.notes";
    let note = |lsn| At::lsn(NOTES, 0, lsn);
    let (site, registry) = site(&[
        CONNECTOR.create(at(10), 1, "a"),
        puzzle(CONNECTOR.truncate(at(11))),
        CONNECTOR.keyless(note(12), "c", None, Some((1, "a"))),
        puzzle(CONNECTOR.keyless(note(13), "c", None, Some((2, "b")))),
        puzzle(CONNECTOR.keyless(note(14), "d", Some((1, "a")), None)),
    ]);
    let running = started(&site, 3);
    registry.register(MISSING, "\"int\"");
    let before = (running.rows("orders"), running.rows("notes"));
    let only = QuarantineSelection {
        topic: Some(NOTES.to_owned()),
        partition: Some(0),
        offset: Some(1),
    };
    assert_eq!(replay(&running, &only).len(), 1);
    let all = running
        .pipeline
        .control()
        .replay_quarantine(QuarantineSelection::default());
    for record in all.unwrap() {
        let reason = reason(&record.outcome);
        assert!(reason.contains("`rowtide rebuild "), "{reason}");
    }
    assert_eq!((running.rows("orders"), running.rows("notes")), before);
    assert_eq!(running.quarantine().len(), 3);
}

#[test]
fn an_older_run_does_not_come_back_over_a_newer_snapshot() {
    let second = Connector { run: 2 };
    let (site, registry) = site(&[
        CONNECTOR.snapshot(at(10), 1, "old"),
        puzzle(CONNECTOR.update(at(50), 1, "between")),
        puzzle(CONNECTOR.create(at(51), 2, "ghost")),
        // Restored from a backup: its positions are lower.
        second.snapshot(at(20), 1, "new"),
        second.create(at(21), 3, "c"),
        puzzle(second.update(at(22), 1, "newer")),
    ]);
    let running = started(&site, 3);
    registry.register(MISSING, "\"int\"");
    let outcomes = replay_all(&running);
    assert_eq!(outcomes[&1], ReplayOutcome::Settled);
    assert_eq!(outcomes[&5], ReplayOutcome::Applied);
    let rows = running.rows("orders");
    assert_eq!((rows[&1].as_str(), rows[&3].as_str()), ("newer", "c"));
}

#[test]
fn a_crash_undoes_a_replay_as_a_whole() {
    let (mut site, registry) = site(&[
        CONNECTOR.create(at(10), 1, "a"),
        puzzle(CONNECTOR.create(at(11), 2, "b")),
    ]);
    drop(started(&site, 1));
    registry.register(MISSING, "\"int\"");
    site.settings.checkpoint_interval = NEVER;
    let running = started(&site, 1);
    assert_eq!(replay_all(&running)[&1], ReplayOutcome::Applied);
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (2, "b")]));
    running.crash(&site);
    let running = started(&site, 1);
    assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
    assert_eq!(running.facts("orders").unwrap().quarantined, 1);
    assert_eq!(replay_all(&running)[&1], ReplayOutcome::Applied);
    // This time its last checkpoint is made.
    drop(running);
    let running = started(&site, 0);
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (2, "b")]));
    assert_eq!(running.facts("orders").unwrap().quarantined, 0);
}

#[test]
fn a_whole_topic_that_was_put_aside_comes_back() {
    let records: Vec<_> = (0..20)
        .map(|n| puzzle(CONNECTOR.snapshot(at(10), n, "row")))
        .collect();
    let (site, registry) = site(&records);
    let running = site.start();
    running.until("all are put aside", |running| {
        running.quarantine().len() == 20
    });
    registry.register(MISSING, "\"int\"");
    let outcomes = replay_all(&running);
    assert!(
        outcomes.values().all(|it| *it == ReplayOutcome::Applied),
        "{outcomes:?}"
    );
    assert_eq!(running.rows("orders").len(), 20);
}

#[test]
fn a_halted_table_goes_on_after_a_restart_once_its_record_can_be_read() {
    let (mut site, registry) = site(&[
        CONNECTOR.create(at(10), 1, "a"),
        puzzle(CONNECTOR.create(at(11), 2, "b")),
        CONNECTOR.create(at(12), 3, "c"),
    ]);
    site.on_bad_record = OnBadRecord::Halt;
    let running = site.start();
    let told = |running: &Running| {
        running
            .facts("orders")
            .and_then(|facts| facts.reason.clone())
    };
    running.until("it stands still", |running| {
        told(running).is_some_and(|told| told.contains("on_bad_record is \"halt\""))
    });
    let told = told(&running).unwrap();
    assert!(
        told.contains("has no schema 9") && told.contains("A restart reads on from it"),
        "{told}"
    );
    assert_eq!(running.state("orders"), Some(ReadState::Stalled));
    assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
    drop(running);
    registry.register(MISSING, "\"int\"");
    let running = started(&site, 0);
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "a"), (2, "b"), (3, "c")])
    );
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Changes of four keys by two runs, some without a position.
fn history(chance: &mut Chance) -> Vec<PlannedRecord> {
    let (mut connector, mut records) = (CONNECTOR, Vec::new());
    let unplaced_of = [0, 0, 4][chance.below(3) as usize];
    for lsn in 100..100 + 4 + chance.below(12) {
        let place = if unplaced_of > 0 && chance.below(unplaced_of) == 0 {
            nowhere()
        } else {
            at(lsn)
        };
        let (id, v) = (chance.below(4) as i64, format!("v{lsn}"));
        records.push(match chance.below(12) {
            0 | 1 => connector.delete(place, id),
            2 => connector.tombstone(place, id),
            3 => connector.truncate(place),
            4 => connector.snapshot(place, id, &v),
            5 if connector.run == 1 => {
                connector.run = 2;
                connector.snapshot(at(lsn - 60), id, &v)
            }
            _ => connector.update(place, id, &v),
        });
    }
    records
}

#[test]
fn what_has_left_the_quarantine_left_the_table_as_if_it_had_never_been_there() {
    let (mut emptied, mut applied) = (0, 0);
    for seed in 1..=120 {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let records = history(&mut chance);
        let share = 2 + chance.below(6);
        let puzzled: Vec<_> = records
            .iter()
            .map(|record| match (chance.below(share), &record.value) {
                (0, Some(_)) => puzzle(record.clone()),
                _ => record.clone(),
            })
            .collect();
        let aside = records
            .iter()
            .zip(&puzzled)
            .filter(|(a, b)| a.value != b.value)
            .count();
        let (whole, _) = site(&records);
        let running = whole.start();
        until_read(&running, records.len());
        let told = running.rows("orders");
        drop(running);
        let (site, registry) = site(&puzzled);
        let running = site.start();
        running.until("they are put aside", |running| {
            running.quarantine().len() == aside
        });
        until_read(&running, records.len());
        registry.register(MISSING, "\"int\"");
        let outcomes = replay_all(&running);
        applied += outcomes
            .values()
            .filter(|it| **it == ReplayOutcome::Applied)
            .count();
        let left = running.facts("orders").unwrap().quarantined;
        if left == 0 {
            assert_eq!(
                running.rows("orders"),
                told,
                "seed {seed}: {outcomes:?} {records:#?}"
            );
            emptied += usize::from(aside > 0);
        }
    }
    assert!(
        emptied > 20 && applied > 20,
        "{emptied} emptied, {applied} applied"
    );
}
