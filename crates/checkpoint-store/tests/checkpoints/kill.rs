//! A process that writes checkpoints, and its store anew between them, is killed at random moments: rows and
//! notes always agree.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use checkpoint_store::{Checkpoint, CheckpointStore, SledStore, TableChanges, limits};
use row_model::{SlotId, TableId, Version};
use testkit::checkpoint_suite::{Model, Random, assert_holds, note, version};

const TRIALS: u64 = 10;
const DIR: &str = "CHECKPOINT_KILL_TEST_DIR";
const TABLE: TableId = TableId(1);

/// What follows `step` checkpoints; the same in every process.
fn changes_after(step: u64) -> Vec<(SlotId, Option<Version>)> {
    let mut random = Random::new(step);
    let slots: BTreeSet<u32> = match step {
        0 => (0..4_000).collect(),
        _ => (0..200).map(|_| random.below(4_000) as u32).collect(),
    };
    // Every tenth is large enough to be written ahead.
    let len = if step % 10 == 5 {
        limits::AHEAD_BYTES_MAX / 150
    } else {
        100
    };
    let mut row = |slot| (random.below(9) > 0).then(|| version(step + u64::from(slot), len));
    slots
        .into_iter()
        .map(|slot| (SlotId(slot), row(slot)))
        .collect()
}

fn checkpoint(step: u64, changes: TableChanges) -> Checkpoint {
    Checkpoint {
        tables: vec![changes],
        notes: vec![note("offset", step.to_be_bytes())],
        ..Checkpoint::default()
    }
}

fn model_at(sequence: u64) -> Model {
    let mut model = Model::default();
    for step in 0..sequence {
        let changes = TableChanges {
            table: TABLE,
            changed: changes_after(step),
            rewritten: vec![],
        };
        model.apply(&checkpoint(step, changes));
    }
    model
}

#[test]
fn a_killed_process_leaves_a_whole_checkpoint() {
    if let Some(dir) = std::env::var_os(DIR) {
        return write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(u64::from(std::process::id()));
    let mut sequence = 0;
    for trial in 0..TRIALS {
        let confirmed = run_and_kill(dir.path(), random.below(25), random.below(2_000_000));
        let store = SledStore::open(dir.path()).unwrap();
        let found = store.sequence();
        assert!(
            found >= confirmed.max(sequence),
            "trial {trial}: {found} of {confirmed} confirmed"
        );
        assert!(
            found <= confirmed.max(sequence) + 1,
            "trial {trial}: {found} of {confirmed} confirmed"
        );
        assert_holds(&store, &model_at(found), &format!("trial {trial}"));
        sequence = found;
    }
}

/// Lets a child confirm some checkpoints and kills it a moment later. Returns its last word.
fn run_and_kill(dir: &Path, checkpoints: u64, moment: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::a_killed_process_leaves_a_whole_checkpoint",
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut confirmed = 0;
    let mut take = |confirmed: &mut u64| match lines.next() {
        Some(line) => {
            if let Some(sequence) = line.unwrap().strip_prefix("confirmed ") {
                *confirmed = sequence.parse().unwrap();
            }
            true
        }
        None => false,
    };
    let mut seen = 0;
    while seen < checkpoints && take(&mut confirmed) {
        seen += 1;
    }
    // Somewhere inside a checkpoint, rather than always at its beginning.
    (0..moment).for_each(|_| std::hint::spin_loop());
    child.kill().unwrap();
    child.wait().unwrap();
    while take(&mut confirmed) {}
    confirmed
}

fn write_until_killed(dir: &Path) {
    let mut store = SledStore::open(dir).unwrap();
    let mut model = model_at(store.sequence());
    loop {
        let step = model.sequence;
        let checkpoint = checkpoint(step, model.changes(&store, TABLE, changes_after(step)));
        let committed = store.commit(&checkpoint).unwrap();
        model.apply(&checkpoint);
        println!("confirmed {}", committed.sequence);
        // As if the store had grown.
        if step % 4 == 3 {
            store.scrub().unwrap();
        }
    }
}
