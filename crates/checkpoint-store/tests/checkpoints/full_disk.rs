//! A real file that cannot grow: the limit on file sizes stands for a full disk.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use checkpoint_store::{Checkpoint, CheckpointError, CheckpointStore, SledStore};
use row_model::{SlotId, TableId};
use testkit::checkpoint_suite::{Model, assert_holds, note, version};

const DIR: &str = "CHECKPOINT_FULL_DISK_TEST_DIR";

/// The shell ignores the signal that would end the process and limits files to 4 MiB; `prlimit`
/// lifts the limit while the process runs.
#[test]
fn a_full_disk_is_told_and_overcome_without_a_restart() {
    if let Some(dir) = std::env::var_os(DIR) {
        return write_until_full_and_on(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 8192; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "full_disk::a_full_disk_is_told_and_overcome_without_a_restart",
            "--nocapture",
        ])
        .env(DIR, dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(
        lines.any(|line| line == "full"),
        "the child came to the end of the disk"
    );
    let lifted = Command::new("prlimit")
        .args(["--fsize=unlimited", "--pid", &child.id().to_string()])
        .status()
        .is_ok_and(|status| status.success());
    child
        .stdin
        .take()
        .unwrap()
        .write_all(if lifted { b"lifted\n" } else { b"left\n" })
        .unwrap();
    let last = lines
        .filter_map(|line| {
            line.strip_prefix("holds ")
                .map(|n| n.parse::<u64>().unwrap())
        })
        .last();
    assert!(child.wait().unwrap().success());
    let store = SledStore::open(dir.path()).unwrap();
    assert_eq!(Some(store.sequence()), last);
}

fn write_until_full_and_on(dir: &Path) {
    let mut store = SledStore::open(dir).unwrap();
    let mut model = Model::default();
    let mut failures = 0;
    while failures < 3 {
        if let Err(error) = write(&mut store, &mut model) {
            assert!(matches!(error, CheckpointError::Write(_)), "{error}");
            failures += 1;
        }
        assert!(model.sequence < 200, "the disk is never full");
    }
    println!("full");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).unwrap();
    if answer == "lifted\n" {
        for _ in 0..3 {
            write(&mut store, &mut model).unwrap();
            assert_holds(&store, &model, "after the disk was full");
        }
    }
    println!("holds {}", store.sequence());
}

/// Commits the next checkpoint. What failed may be durable all the same, when the last write went
/// through and its confirmation did not.
fn write(store: &mut SledStore, model: &mut Model) -> Result<(), CheckpointError> {
    let step = model.sequence;
    let row = |slot| (SlotId(slot + 500 * step as u32), Some(version(step, 1_000)));
    let tables = vec![model.changes(store, TableId(1), (0..500).map(row).collect())];
    let notes = vec![note("n", step.to_be_bytes())];
    let checkpoint = Checkpoint {
        tables,
        notes,
        ..Checkpoint::default()
    };
    let committed = store.commit(&checkpoint);
    if store.sequence() > step {
        model.apply(&checkpoint);
    }
    assert!(
        committed.is_err() || model.sequence > step,
        "said to be durable, and is not"
    );
    committed.map(drop)
}
