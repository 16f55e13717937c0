//! Against std's ordered map, with entries that share much, little, or grow beyond a leaf.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<Vec<u8>, SlotId>;

fn entry() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |max| prop::collection::vec(prop_oneof![Just(0_u8), Just(7), Just(255)], 0..max);
    prop_oneof![
        8 => bytes(8),
        4 => (0..3_000_u16).prop_map(|number| [&b"shared"[..], &number.to_be_bytes()].concat()),
        1 => (bytes(3), 1..9_000_usize).prop_map(|(start, len)| [start, vec![7; len]].concat()),
        1 => (bytes(2), 30_000..40_000_usize).prop_map(|(start, len)| [start, vec![9; len]].concat()),
    ]
}

fn range() -> impl Strategy<Value = EntryRange> {
    (entry(), prop::option::of(entry())).prop_map(|(from, to)| EntryRange { from, to })
}

fn whole() -> EntryRange {
    EntryRange {
        from: Vec::new(),
        to: None,
    }
}

fn of_model<'a>(
    model: &'a Model,
    range: &'a EntryRange,
) -> impl DoubleEndedIterator<Item = (Vec<u8>, SlotId)> + 'a {
    let within = |entry: &[u8]| {
        *range.from <= *entry && range.to.as_ref().is_none_or(|to| entry < to.as_slice())
    };
    let held = model.iter().filter(move |(entry, _)| within(entry));
    held.map(|(entry, slot)| (entry.clone(), *slot))
}

fn upwards(entries: &OrderedEntries, mut range: EntryRange, max: usize) -> Vec<(Vec<u8>, SlotId)> {
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    while entries.copy_first(&range, max, &mut batch) {
        all.extend((0..batch.len()).map(|at| (batch.entry(at).to_vec(), batch.slot(at))));
        range.from = [batch.entry(batch.len() - 1), &[0]].concat();
    }
    all.extend((0..batch.len()).map(|at| (batch.entry(at).to_vec(), batch.slot(at))));
    all
}

fn downwards(
    entries: &OrderedEntries,
    mut range: EntryRange,
    max: usize,
) -> Vec<(Vec<u8>, SlotId)> {
    let (mut all, mut batch) = (Vec::new(), Batch::default());
    loop {
        entries.copy_last(&range, max, &mut batch);
        let Some(last) = batch.len().checked_sub(1) else {
            return all;
        };
        all.extend((0..batch.len()).map(|at| (batch.entry(at).to_vec(), batch.slot(at))));
        range.to = Some(batch.entry(last).to_vec());
    }
}

/// What the tree says it takes is what its leaves take.
fn assert_accounted(entries: &OrderedEntries) {
    let tree = entries.tree.read();
    let held = tree.leaves.iter();
    let bytes: usize = held
        .map(|(first, leaf)| spilled(first) + leaf.memory_bytes())
        .sum();
    assert_eq!(tree.bytes, bytes);
}

proptest! {
    #[test]
    fn walks_as_an_ordered_map_does(
        steps in prop::collection::vec((entry(), any::<u32>(), prop::bool::weighted(0.7)), 0..400),
        ranges in prop::collection::vec(range(), 1..6),
        max in 1..300_usize,
    ) {
        let (entries, mut model) = (OrderedEntries::default(), Model::new());
        for (entry, slot, inserted) in steps {
            if inserted {
                entries.insert(&entry, SlotId(slot));
                model.insert(entry, SlotId(slot));
            } else {
                // One that is there, if there is one behind.
                let known = model.range(entry.clone()..).next();
                let gone = known.map_or(entry, |(known, _)| known.clone());
                entries.remove(&gone);
                model.remove(&gone);
            }
        }
        prop_assert_eq!(entries.len(), model.len() as u64);
        assert_accounted(&entries);
        for range in ranges.into_iter().chain([whole()]) {
            let up: Vec<_> = of_model(&model, &range).collect();
            prop_assert_eq!(entries.estimate(&range), up.len() as u64);
            prop_assert!(upwards(&entries, range.clone(), max) == up);
            let down: Vec<_> = of_model(&model, &range).rev().collect();
            prop_assert!(downwards(&entries, range, max) == down);
        }
    }
}

#[test]
fn many_entries_come_and_go_in_any_order() {
    const MANY: u64 = 40_000;
    let odd = 7_919; // Prime to the number of entries: visits all of them.
    for (insert, remove) in [(1, odd), (odd, 1), (MANY - 1, MANY - 1)] {
        let entries = OrderedEntries::default();
        let entry = |number: u64| [&b"status"[..], &number.to_be_bytes()].concat();
        for at in 0..MANY {
            entries.insert(&entry(at * insert % MANY), SlotId(at as u32));
        }
        let per_entry = entries.memory_bytes() as f64 / MANY as f64;
        assert!(per_entry < 12.0, "{per_entry}");
        assert_eq!(upwards(&entries, whole(), 256).len(), MANY as usize);
        let half = EntryRange {
            from: entry(MANY / 4),
            to: Some(entry(MANY / 4 * 3)),
        };
        let estimated = entries.estimate(&half).abs_diff(MANY / 2);
        assert!(estimated < MANY / 10);
        for at in 0..MANY {
            entries.remove(&entry(at * remove % MANY));
        }
        assert_eq!(entries.len(), 0);
        assert_accounted(&entries);
        let tree = entries.tree.read();
        assert!(tree.leaves.len() == 1 && tree.bytes < 300, "{}", tree.bytes);
    }
}
