//! The ids of applied transactions against naive sets of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_transaction_is_seen_completed_and_closed() {
    let mut ids = AppliedIds::default();
    assert_eq!(ids.sighting(7), Sighting::Unseen);
    ids.see(7);
    assert_eq!(ids.sighting(7), Sighting::Open);
    ids.see(9);
    ids.complete(7, Heard(3));
    // Seen once more in another partition: what is known of it stays.
    ids.see(7);
    ids.complete(7, Heard(8));
    assert_eq!(ids.sighting(7), Sighting::Since(Heard(3)));
    ids.complete_all(Heard(5));
    assert_eq!(ids.sighting(9), Sighting::Since(Heard(5)));
    ids.close(9);
    ids.close(11);
    assert_eq!(
        (ids.sighting(9), ids.sighting(11)),
        (Sighting::Closed, Sighting::Closed)
    );
    assert_eq!(ids.last_completed(5), [9, 7]);
    // The same number with the epoch that its source counts in front of it.
    assert_eq!(ids.sighting((5 << 32) + 11), Sighting::Closed);
}

#[test]
fn numbers_go_on_where_32_bits_end() {
    let mut ids = AppliedIds::default();
    ids.see(u32::MAX - 1);
    ids.see(2);
    assert_eq!(ids.newest(), Some(2));
    ids.see(u32::MAX);
    assert_eq!(ids.newest(), Some(2));
    ids.raise_floor(1, Heard(4));
    assert_eq!(ids.sighting(0), Sighting::Below(Heard(4)));
    assert_eq!(
        ids.sighting(u64::from(u32::MAX - 5)),
        Sighting::Below(Heard(4))
    );
    assert_eq!(ids.sighting(3), Sighting::Unseen);
    assert!(ids.is_ahead(3) && !ids.is_ahead(1));
}

#[test]
fn the_lowest_are_forgotten_beyond_the_bound_and_count_as_complete() {
    let mut ids = AppliedIds::default();
    let all = APPLIED_IDS_MAX as u32 + 10_000;
    for id in 0..all {
        ids.see(id);
        if id > 0 {
            ids.complete(id - 1, Heard(u64::from(id)));
        }
    }
    assert!(ids.len() <= APPLIED_IDS_MAX && ids.len() > APPLIED_IDS_MAX - 5_000);
    assert!(matches!(ids.sighting(0), Sighting::Below(_)));
    let Sighting::Since(at) = ids.sighting(500_000) else {
        panic!("it is remembered");
    };
    // Known with all others of its time: later than it was, never earlier.
    assert!(at > Heard(500_000));
    assert_eq!(
        ids.sighting(u64::from(all - 2)),
        Sighting::Since(Heard(u64::from(all - 1)))
    );
    assert!(ids.memory_bytes() < 400_000, "{}", ids.memory_bytes());
}

#[test]
fn ids_far_apart_take_no_more_than_so_many_blocks() {
    let mut ids = AppliedIds::default();
    for step in 0..10_000_u32 {
        ids.see(step * 5_000);
    }
    assert!(ids.blocks().count() <= BLOCKS_MAX);
    assert!(matches!(ids.sighting(0), Sighting::Below(_)));
    assert_eq!(ids.sighting(9_999 * 5_000), Sighting::Open);
    assert_eq!(ids.open.len(), ids.len());
}

#[test]
fn a_cut_is_not_changed_by_what_comes_after_it() {
    let mut ids = AppliedIds::default();
    ids.see(1);
    let cut = ids.clone();
    ids.complete(1, Heard(2));
    ids.see(2);
    assert_eq!(
        (cut.sighting(1), cut.sighting(2)),
        (Sighting::Open, Sighting::Unseen)
    );
}

#[derive(Clone, Debug)]
enum Step {
    See(u32),
    Complete(u32),
    CompleteAll,
    Close(u32),
}

fn steps(first: u32) -> impl Strategy<Value = Vec<Step>> {
    let id = (0..30_000_u32).prop_map(move |id| first.wrapping_add(id));
    let step = prop_oneof![
        8 => id.clone().prop_map(Step::See),
        4 => id.clone().prop_map(Step::Complete),
        1 => Just(Step::CompleteAll),
        2 => id.prop_map(Step::Close),
    ];
    proptest::collection::vec(step, 0..300)
}

/// What the ring says, without the moments.
fn word(sighting: Sighting) -> &'static str {
    match sighting {
        Sighting::Closed => "closed",
        Sighting::Since(_) => "complete",
        Sighting::Open => "open",
        Sighting::Below(_) => "below",
        Sighting::Unseen => "unseen",
    }
}

proptest! {
    #[test]
    fn is_the_same_as_naive_sets(
        steps in prop_oneof![Just(5_u32), Just(u32::MAX - 12_000), Just(u32::MAX / 2)]
            .prop_flat_map(steps),
        keep in any::<bool>(),
    ) {
        let (mut seen, mut open, mut closed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut ids = AppliedIds::default();
        let mut shared = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let at = Heard(at as u64);
            match step {
                Step::See(id) => {
                    ids.see(*id);
                    if seen.insert(*id) {
                        open.insert(*id);
                    }
                }
                Step::Complete(id) => {
                    ids.complete(*id, at);
                    open.remove(id);
                }
                Step::CompleteAll => {
                    ids.complete_all(at);
                    open.clear();
                }
                Step::Close(id) => {
                    ids.close(*id);
                    seen.insert(*id);
                    open.remove(id);
                    closed.insert(*id);
                }
            }
            if keep {
                shared.push(ids.clone());
            }
        }
        let asked = steps.iter().filter_map(|step| match step {
            Step::See(id) | Step::Complete(id) | Step::Close(id) => Some(*id),
            Step::CompleteAll => None,
        });
        for id in asked {
            let expected = match () {
                () if closed.contains(&id) => "closed",
                () if open.contains(&id) => "open",
                () if seen.contains(&id) => "complete",
                () => "unseen",
            };
            prop_assert_eq!(word(ids.sighting(u64::from(id))), expected);
        }
        prop_assert_eq!(ids.len(), seen.len());

        let blocks: Vec<_> = ids.blocks().filter_map(|number| ids.saved(number)).collect();
        let restored = AppliedIds::restored(ids.saved_bounds(), blocks);
        for id in &seen {
            let expected = if closed.contains(id) { "closed" } else { "complete" };
            prop_assert_eq!(word(restored.sighting(u64::from(*id))), expected);
        }
        prop_assert_eq!(restored.len(), ids.len());
        prop_assert_eq!(restored.newest(), ids.newest());
    }
}
