//! What every store of checkpoints must do, against a naive model: [`check`].
//!
//! The model is the truth of a checkpoint's meaning: a map from slots to rows for each table, and
//! a map of notes. Randomness comes from seeds, and a failure names its own.

#![expect(clippy::expect_used, reason = "a suite tells by panicking")]

mod model;

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_store::{
    Checkpoint, CheckpointError, CheckpointStore, ChunkId, ChunkRows, Note, TableChanges, limits,
};
use row_model::{SlotId, TableId, Version};

pub use model::{Model, Random, SavedRows, assert_holds, load, note, version};

/// Opens one place, again and again; the store opened before has been dropped by then.
pub type Place<'a> = Box<dyn FnMut() -> Box<dyn CheckpointStore> + 'a>;

/// Checks a kind of store. Each call of `new_place` gives an empty place.
///
/// # Panics
/// If the store does anything else than it should.
pub fn check<'a>(mut new_place: impl FnMut() -> Place<'a>) {
    nothing_is_there_at_first(new_place());
    changes_add_up(new_place());
    rows_of_any_length_survive(new_place());
    a_rewritten_chunk_replaces_all_that_was(new_place());
    dropped_tables_are_gone_and_may_begin_anew(new_place());
    notes_change_and_go(new_place());
    large_checkpoints_are_like_small_ones(new_place());
    a_loader_may_stop(new_place());
    space_stays_bounded(new_place());
    for seed in 1..=12 {
        any_history_reads_back(seed, new_place());
    }
}

const TABLE: TableId = TableId(7);

/// A store and what it should hold.
struct Subject<'a> {
    place: Place<'a>,
    store: Option<Box<dyn CheckpointStore>>,
    model: Model,
}

impl<'a> Subject<'a> {
    fn new(mut place: Place<'a>) -> Self {
        let store = Some(place());
        Self {
            place,
            store,
            model: Model::default(),
        }
    }

    fn store(&mut self) -> &mut dyn CheckpointStore {
        self.store.as_deref_mut().expect("a subject has a store")
    }

    fn commit(&mut self, checkpoint: &Checkpoint) {
        let committed = self
            .store()
            .commit(checkpoint)
            .expect("the disk is in order");
        self.model.apply(checkpoint);
        assert_eq!(committed.sequence, self.model.sequence);
    }

    fn changes(&self, table: TableId, changed: Vec<(SlotId, Option<Version>)>) -> TableChanges {
        let store = self.store.as_deref().expect("a subject has a store");
        self.model.changes(store, table, changed)
    }

    /// Commits changed rows of [`TABLE`] and nothing else.
    fn change(&mut self, changed: Vec<(SlotId, Option<Version>)>) {
        self.commit(&one_table(TableChanges {
            table: TABLE,
            changed,
            rewritten: vec![],
        }));
    }

    fn check(&mut self, context: &str) {
        assert_holds(
            self.store.as_deref().expect("a subject has a store"),
            &self.model,
            context,
        );
    }

    /// Checks before and after opening the place again.
    fn check_and_reopen(&mut self, context: &str) {
        self.check(context);
        self.store = None;
        self.store = Some((self.place)());
        self.check(&format!("{context}, opened again"));
    }
}

fn nothing_is_there_at_first(place: Place<'_>) {
    let mut subject = Subject::new(place);
    subject.check_and_reopen("empty");
    assert_eq!(subject.store().tables(), []);
    subject.commit(&Checkpoint::default());
    subject.check_and_reopen("a checkpoint of nothing");
}

fn changes_add_up(place: Place<'_>) {
    let mut subject = Subject::new(place);
    let row = |seed| Some(version(seed, 50));
    subject.change(vec![
        (SlotId(3), row(1)),
        (SlotId(1), row(2)),
        (SlotId(5_000), row(3)),
    ]);
    subject.change(vec![(SlotId(3), row(4)), (SlotId(2), row(5))]);
    subject.change(vec![(SlotId(1), None), (SlotId(9), None)]);
    subject.check_and_reopen("changes");
    subject.change(vec![(SlotId(1), row(6)), (SlotId(3), None)]);
    subject.check_and_reopen("more changes");
}

fn rows_of_any_length_survive(place: Place<'_>) {
    let mut subject = Subject::new(place);
    let piece = limits::PIECE_BYTES_MAX;
    let lens = [0, 1, piece - 40, piece, piece + 1, 3 * piece, 1_000_000, 2];
    let rows = || {
        (0..)
            .zip(lens)
            .map(|(at, len)| (SlotId(at * 700), version(u64::from(at), len)))
    };
    subject.change(rows().map(|(slot, row)| (slot, Some(row))).collect());
    subject.check_and_reopen("long rows as changes");
    let mut chunks: BTreeMap<ChunkId, Vec<(SlotId, Version)>> = BTreeMap::new();
    for (slot, row) in rows() {
        chunks
            .entry(ChunkId::of(slot))
            .or_default()
            .push((slot, row));
    }
    let rewritten = chunks
        .into_iter()
        .map(|(chunk, rows)| ChunkRows { chunk, rows })
        .collect();
    subject.commit(&one_table(TableChanges {
        table: TABLE,
        changed: vec![],
        rewritten,
    }));
    subject.check_and_reopen("long rows in chunks");
}

fn a_rewritten_chunk_replaces_all_that_was(place: Place<'_>) {
    let mut subject = Subject::new(place);
    subject.change(
        (0..2_000)
            .map(|slot| (SlotId(slot), Some(version(u64::from(slot), 40))))
            .collect(),
    );
    let rewrite = |subject: &mut Subject<'_>, slots: &[u32], seed: u64| {
        let rows = slots
            .iter()
            .map(|slot| (SlotId(*slot), version(seed, 40)))
            .collect();
        let changed = vec![
            (SlotId(0), Some(version(99, 9))),
            (SlotId(1_500), Some(version(seed, 9))),
        ];
        let rewritten = vec![ChunkRows {
            chunk: ChunkId(0),
            rows,
        }];
        subject.commit(&one_table(TableChanges {
            table: TABLE,
            changed,
            rewritten,
        }));
    };
    rewrite(&mut subject, &[5, 700], 1);
    subject.check_and_reopen("a chunk with two rows left");
    subject.change(vec![(SlotId(6), Some(version(5, 5))), (SlotId(700), None)]);
    subject.check("changes after a rewrite");
    rewrite(&mut subject, &[], 2);
    subject.check_and_reopen("a chunk with no rows left");
}

fn dropped_tables_are_gone_and_may_begin_anew(place: Place<'_>) {
    let mut subject = Subject::new(place);
    let all = |seed: u64| {
        (0..3_000).map(move |slot| (SlotId(slot), Some(version(seed + u64::from(slot), 30))))
    };
    for table in [TABLE, TableId(8)] {
        let changes = subject.changes(table, all(1).collect());
        subject.commit(&one_table(changes));
    }
    subject.change(vec![(SlotId(5), None)]);
    subject.commit(&Checkpoint {
        dropped: vec![TABLE, TableId(99)],
        ..Checkpoint::default()
    });
    subject.check_and_reopen("dropped");
    assert_eq!(subject.store().tables().len(), 1);
    let anew = TableChanges {
        table: TableId(8),
        changed: vec![(SlotId(2_000), Some(version(5, 5)))],
        rewritten: vec![ChunkRows {
            chunk: ChunkId(0),
            rows: vec![(SlotId(1), version(6, 6))],
        }],
    };
    subject.commit(&Checkpoint {
        dropped: vec![TableId(8)],
        ..one_table(anew)
    });
    subject.check_and_reopen("replaced");
    subject.change(all(7).collect());
    subject.check_and_reopen("used again");
}

fn notes_change_and_go(place: Place<'_>) {
    let mut subject = Subject::new(place);
    let notes = |notes: Vec<Note>| Checkpoint {
        notes,
        ..Checkpoint::default()
    };
    let long = "n".repeat(limits::NOTE_NAME_BYTES_MAX);
    subject.commit(&notes(vec![
        note("a", "1"),
        note("ab", ""),
        note("", "nameless"),
        note(&long, vec![7; 50_000]),
    ]));
    subject.check_and_reopen("notes");
    let gone = |name: &str| Note {
        name: name.as_bytes().to_vec(),
        value: None,
    };
    subject.commit(&notes(vec![
        note("a", "2"),
        gone("ab"),
        gone("never was"),
        note(&long, vec![8; 9_000]),
    ]));
    subject.check_and_reopen("changed notes");
    subject.commit(&notes(vec![gone(&long), gone(""), gone("a")]));
    subject.check_and_reopen("no notes");
}

fn large_checkpoints_are_like_small_ones(place: Place<'_>) {
    let mut subject = Subject::new(place);
    let rows = 3 * limits::AHEAD_BYTES_MAX / 20_000;
    for seed in 1..4 {
        let changed = (0..rows as u32)
            .map(|slot| (SlotId(slot * 2), Some(version(seed, 20_000))))
            .collect();
        let changes = subject.changes(TABLE, changed);
        subject.commit(&Checkpoint {
            notes: vec![note("offset", seed.to_be_bytes())],
            ..one_table(changes)
        });
        subject.check_and_reopen("large");
    }
}

fn a_loader_may_stop(place: Place<'_>) {
    let mut subject = Subject::new(place);
    subject.change(vec![(SlotId(1), Some(version(1, 1)))]);
    let stopped = subject.store().load_table(TABLE, &mut |_| {
        Err(CheckpointError::Stopped("enough".to_owned()))
    });
    assert!(matches!(stopped, Err(CheckpointError::Stopped(reason)) if reason == "enough"));
}

fn space_stays_bounded(place: Place<'_>) {
    const ROWS: u32 = 12_000;
    const DIRTY: usize = 300;
    let mut subject = Subject::new(place);
    let mut random = Random::new(1);
    let all = (0..ROWS)
        .map(|slot| (SlotId(slot), Some(version(u64::from(slot), 100))))
        .collect();
    let changes = subject.changes(TABLE, all);
    subject.commit(&one_table(changes));
    let full = subject.store().tables()[0];
    assert_eq!(
        (full.rows_max, full.delta_bytes),
        (u64::from(ROWS), 0),
        "a first load goes into bases"
    );
    let mut delta_max = 0;
    for step in 0..150_u64 {
        let slots: BTreeSet<u32> = (0..DIRTY)
            .map(|_| random.below(u64::from(ROWS)) as u32)
            .collect();
        let changed = slots
            .into_iter()
            .map(|slot| (SlotId(slot), Some(version(step, 100))))
            .collect();
        let changes = subject.changes(TABLE, changed);
        let before = subject.store().tables()[0].delta_bytes;
        subject.commit(&one_table(changes));
        let now = subject.store().tables()[0];
        delta_max = delta_max
            .max(now.delta_bytes.saturating_sub(before))
            .max(DIRTY as u64 * 130);
        let chunk = now.base_bytes / u64::from(ROWS / limits::CHUNK_SLOTS);
        let bound = now.base_bytes / limits::REWRITE_FACTOR + 2 * delta_max + chunk;
        assert!(
            now.delta_bytes <= bound,
            "step {step}: {now:?}, at most {bound} bytes of deltas"
        );
    }
    subject.check_and_reopen("after many checkpoints");
}

fn any_history_reads_back(seed: u64, place: Place<'_>) {
    let mut random = Random::new(seed);
    let mut subject = Subject::new(place);
    for step in 0..40 {
        let mut checkpoint = Checkpoint::default();
        for table in (0..3).map(TableId) {
            if random.below(12) == 0 {
                checkpoint.dropped.push(table);
            }
            if random.below(3) > 0 && !checkpoint.dropped.contains(&table) {
                checkpoint
                    .tables
                    .push(random_changes(&mut random, &subject, table));
            }
        }
        for _ in 0..random.below(4) {
            let value = (random.below(3) > 0).then(|| vec![step; random.below(20_000) as usize]);
            checkpoint.notes.push(Note {
                name: vec![b'n'; random.below(5) as usize],
                value,
            });
        }
        subject.commit(&checkpoint);
        let context = format!("seed {seed}, step {step}");
        match random.below(5) {
            0 => subject.check_and_reopen(&context),
            1 => subject.check(&context),
            _ => {}
        }
    }
    subject.check_and_reopen(&format!("seed {seed}, at the end"));
}

fn random_changes(random: &mut Random, subject: &Subject<'_>, table: TableId) -> TableChanges {
    let slots = 1 + random.below(6_000);
    let hot = if random.below(2) == 0 {
        slots
    } else {
        1 + slots / 50
    };
    let count = if random.below(8) == 0 {
        slots
    } else {
        random.below(200)
    };
    let dirty: BTreeSet<u32> = (0..count).map(|_| random.below(hot) as u32).collect();
    let changed: Vec<_> = dirty
        .into_iter()
        .map(|slot| {
            let len = if random.below(300) == 0 {
                15_000
            } else {
                random.below(80) as usize
            };
            (
                SlotId(slot),
                (random.below(5) > 0).then(|| version(random.below(1 << 40), len)),
            )
        })
        .collect();
    // Any choice of chunks is correct, none included.
    let mut changes = subject.changes(table, changed);
    changes.rewritten.retain(|_| random.below(10) > 0);
    changes
}

fn one_table(changes: TableChanges) -> Checkpoint {
    Checkpoint {
        tables: vec![changes],
        ..Checkpoint::default()
    }
}
