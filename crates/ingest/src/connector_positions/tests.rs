//! What is concluded from what was heard of a source, and when.

use row_model::{ChangeKind, OriginId, SchemaId, SnapshotMark, Transaction};

use super::*;

const FIRST: PartitionId = PartitionId(0);
const SECOND: PartitionId = PartitionId(1);
const ORDERS: TableId = TableId(0);
const ITEMS: TableId = TableId(1);

fn change(transaction: u64, lsn: u64, run: u128) -> Change {
    Change {
        offset: 0,
        kind: ChangeKind::Upsert,
        snapshot: None,
        schema: SchemaId(0),
        origin: OriginId(0),
        key: 0..0,
        row: 0..0,
        before: 0..0,
        position: SourcePosition::from_numbers(0, &[lsn]),
        run: Some(RunId(run)),
        transaction: Some(Transaction(transaction)),
        membership: None,
        gtid_line: None,
        commit_ms: Some(lsn as i64 * 10),
        connector_ms: None,
        other_key: 0..0,
        key_change: false,
    }
}

fn snapshot_row(transaction: u64, run: u128) -> Change {
    Change {
        snapshot: Some(SnapshotMark::Row),
        ..change(transaction, 5_000, run)
    }
}

#[derive(Default)]
struct Seen {
    positions: ConnectorPositions,
    heard: u64,
}

impl Seen {
    fn hear(&mut self, partition: PartitionId, changes: &[Change]) -> Heard {
        self.heard += 1;
        self.hear_at(partition, changes, self.heard)
    }

    fn hear_at(&mut self, partition: PartitionId, changes: &[Change], at: u64) -> Heard {
        for change in changes {
            self.positions.see(partition, change, Heard(at));
        }
        self.positions.seen(Heard(at));
        Heard(at)
    }

    fn lsn_of(&self, table: TableId) -> Option<u64> {
        self.positions.cut.table(table)?.reached.lsn
    }
}

#[test]
fn a_table_comes_along_with_what_was_seen_before_it_was_read_to_its_end() {
    let mut seen = Seen::default();
    let first = seen.hear(FIRST, &[change(7, 100, 1)]);
    let second = seen.hear(FIRST, &[change(8, 300, 1), change(9, 200, 1)]);
    seen.positions.comes_along(ORDERS, Some(first), true);
    seen.positions.comes_along(ITEMS, None, true);
    assert_eq!((seen.lsn_of(ORDERS), seen.lsn_of(ITEMS)), (Some(100), None));
    // Positions go down inside a topic: what was reached stays reached.
    seen.positions.comes_along(ORDERS, Some(second), true);
    assert_eq!(seen.lsn_of(ORDERS), Some(300));
    assert_eq!(seen.positions.cut.newest.lsn, Some(300));
    // Older news of it changes nothing.
    seen.positions.comes_along(ORDERS, Some(first), true);
    assert_eq!(seen.lsn_of(ORDERS), Some(300));
}

#[test]
fn what_was_heard_later_and_seen_first_counts_from_when_it_was_heard() {
    let mut seen = Seen::default();
    seen.hear_at(FIRST, &[change(8, 300, 1)], 7);
    seen.hear_at(SECOND, &[change(7, 200, 1)], 5);
    seen.positions.comes_along(ORDERS, Some(Heard(6)), true);
    seen.positions.comes_along(ITEMS, Some(Heard(7)), true);
    // The newest of all that was seen by then, which may be more than what was heard by then: never less.
    assert_eq!(seen.lsn_of(ITEMS), Some(300));
    assert!(seen.lsn_of(ORDERS) <= Some(300));
}

#[test]
fn moments_beyond_the_bound_make_a_table_come_less_far_never_further() {
    let mut seen = Seen::default();
    let mut all = Vec::new();
    for lsn in 1..=500 {
        all.push((seen.hear(FIRST, &[change(lsn, lsn * 10, 1)]), lsn * 10));
    }
    for (at, lsn) in all {
        let mut table = Seen::default();
        std::mem::swap(&mut table.positions, &mut seen.positions);
        table.positions.cut.tables = Arc::default();
        table.positions.comes_along(ORDERS, Some(at), true);
        assert!(table.lsn_of(ORDERS) <= Some(lsn), "{lsn}");
        if at == Heard(500) {
            assert_eq!(table.lsn_of(ORDERS), Some(lsn));
        }
        std::mem::swap(&mut table.positions, &mut seen.positions);
    }
}

#[test]
fn a_transaction_is_complete_when_another_follows_it_in_a_partition() {
    let mut seen = Seen::default();
    seen.hear(FIRST, &[change(7, 100, 1)]);
    seen.hear(SECOND, &[change(8, 200, 1)]);
    let applied = |seen: &Seen, id| seen.positions.cut.applied.sighting(id);
    // In different partitions, nothing is known of their order.
    assert_eq!(
        (applied(&seen, 7), applied(&seen, 8)),
        (Sighting::Open, Sighting::Open)
    );
    let at = seen.hear(FIRST, &[change(8, 210, 1), change(9, 300, 1)]);
    assert_eq!(applied(&seen, 7), Sighting::Since(at));
    assert_eq!(applied(&seen, 8), Sighting::Since(at));
    assert_eq!(applied(&seen, 9), Sighting::Open);
    seen.positions.quiet(Heard(9));
    assert_eq!(applied(&seen, 9), Sighting::Since(Heard(9)));
}

#[test]
fn rows_of_a_snapshot_reach_nothing_and_stand_for_older_transactions_once_more_was_streamed() {
    let mut seen = Seen::default();
    seen.hear(FIRST, &[snapshot_row(700, 1)]);
    assert_eq!(seen.positions.cut.newest, Reached::default());
    assert_eq!(seen.positions.cut.applied.sighting(650), Sighting::Unseen);
    let at = seen.hear(FIRST, &[change(712, 6_000, 1)]);
    assert_eq!(
        seen.positions.cut.applied.sighting(650),
        Sighting::Below(at)
    );
    assert_eq!(seen.positions.cut.applied.sighting(705), Sighting::Unseen);
}

#[test]
fn a_source_that_begins_anew_has_reached_nothing() {
    let mut seen = Seen::default();
    let at = seen.hear(FIRST, &[change(900, 8_000, 1)]);
    seen.positions.comes_along(ORDERS, Some(at), true);
    // Another run that goes on where the first one stopped.
    let at = seen.hear(FIRST, &[change(901, 8_100, 2)]);
    seen.positions.comes_along(ORDERS, Some(at), true);
    assert_eq!(
        (seen.lsn_of(ORDERS), seen.positions.cut.timeline),
        (Some(8_100), 0)
    );
    // One that reads everything again, of a source that was restored.
    seen.hear(FIRST, &[snapshot_row(50, 3)]);
    assert_eq!(seen.lsn_of(ORDERS), Some(8_100));
    let at = seen.hear(FIRST, &[change(60, 700, 3)]);
    let cut = &seen.positions.cut;
    assert_eq!(
        (cut.timeline, cut.newest.lsn, cut.former.lsn),
        (1, Some(700), Some(8_100))
    );
    assert_eq!(
        (seen.lsn_of(ORDERS), cut.applied.sighting(900)),
        (None, Sighting::Unseen)
    );
    assert_eq!(cut.applied.sighting(40), Sighting::Below(at));
    seen.positions.comes_along(ORDERS, Some(at), true);
    assert_eq!(seen.lsn_of(ORDERS), Some(700));
}

#[test]
fn nothing_is_said_to_be_new_that_is_not() {
    let mut seen = Seen::default();
    let at = seen.hear(FIRST, &[change(7, 100, 1)]);
    seen.positions.comes_along(ORDERS, Some(at), true);
    assert!(std::mem::take(&mut seen.positions.touched));
    seen.positions.comes_along(ORDERS, Some(at), true);
    seen.hear(FIRST, &[change(7, 100, 1)]);
    assert!(!seen.positions.touched);
    seen.positions.quiet(Heard(3));
    assert!(std::mem::take(&mut seen.positions.touched));
    seen.positions.quiet(Heard(4));
    assert!(!seen.positions.touched);
}

#[test]
fn a_closed_transaction_has_come_to_the_positions_in_it() {
    let mut seen = Seen::default();
    seen.positions.close(Some(752), Some(1));
    seen.hear(FIRST, &[change(753, 100, 1), change(753, 130, 1)]);
    seen.hear(SECOND, &[change(754, 120, 1), change(754, 140, 1)]);
    assert_eq!(seen.positions.cut.closed.lsn, None);
    seen.positions.close(Some(753), Some(2));
    assert_eq!(seen.positions.cut.closed.lsn, Some(130));
    seen.positions.close(Some(754), Some(3));
    assert_eq!(seen.positions.cut.closed.lsn, Some(140));
    // Of heartbeats the end may be told before the record is seen.
    seen.positions.close(Some(755), Some(4));
    seen.hear(SECOND, &[change(755, 150, 1)]);
    assert_eq!(seen.positions.cut.closed.lsn, Some(150));
}

#[test]
fn a_heartbeat_that_overtook_rows_proves_nothing_where_transactions_are_followed() {
    let mut seen = Seen::default();
    seen.positions.close(Some(752), Some(700));
    let at = seen.hear(FIRST, &[change(755, 100, 1)]);
    seen.positions.comes_along(ORDERS, Some(at), true);
    let proof = |seen: &Seen, told| seen.positions.proof_of(ORDERS, told);
    assert_eq!(proof(&seen, Transactions::Whole), None);
    seen.positions.beat(1_000);
    assert_eq!(proof(&seen, Transactions::Whole), Some(700));
    assert_eq!(proof(&seen, Transactions::Partial), Some(1_000));
    seen.positions.close(Some(755), Some(1_000));
    assert_eq!(proof(&seen, Transactions::Whole), Some(1_000));
}
