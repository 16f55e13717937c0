//! What stands where a checkpoint should be, and who else is using it.

use std::fs;
use std::path::Path;

use super::reopened;
use checkpoint_store::{Checkpoint, CheckpointError, CheckpointStore, SledStore};
use testkit::checkpoint_suite::note;

fn commit_something(dir: &Path) {
    let checkpoint = Checkpoint {
        notes: vec![note("a", "1")],
        ..Checkpoint::default()
    };
    SledStore::open(dir).unwrap().commit(&checkpoint).unwrap();
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_directory_with_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = SledStore::open(dir.path()).unwrap_err();
    assert!(matches!(&error, CheckpointError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    assert_eq!(entries(dir.path()), ["thesis.tex"]);
    fs::rename(
        dir.path().join("thesis.tex"),
        dir.path().join("rowtide-checkpoint"),
    )
    .unwrap();
    assert!(matches!(
        SledStore::open(dir.path()),
        Err(CheckpointError::Foreign { .. })
    ));
}

#[test]
fn sled_files_of_others_are_foreign_too() {
    let dir = tempfile::tempdir().unwrap();
    commit_something(dir.path());
    fs::remove_file(dir.path().join("rowtide-checkpoint")).unwrap();
    assert!(matches!(
        SledStore::open(dir.path()),
        Err(CheckpointError::Foreign { .. })
    ));
}

#[test]
fn a_directory_has_one_user_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    match SledStore::open(dir.path()) {
        Err(CheckpointError::Locked { process, .. }) => {
            assert_eq!(process, Some(std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    drop(store);
    drop(reopened(dir.path()));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    commit_something(dir.path());
    let marker = dir.path().join("rowtide-checkpoint");
    let newer = fs::read_to_string(&marker)
        .unwrap()
        .replace("format 3", "format 4");
    fs::write(&marker, newer.replace("written by ", "written by 7.")).unwrap();
    match SledStore::open(dir.path()) {
        Err(CheckpointError::NewerFormat {
            found: 4,
            written_by,
            supported: 3,
        }) => {
            assert!(written_by.starts_with("7."));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_that_was_never_used_is_empty_whatever_state_it_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not/yet/there");
    assert_eq!(reopened(&path).sequence(), 0);
    assert_eq!(reopened(&path).sequence(), 0);
    // As if the process had ended before sled had written anything, and before the marker was in place.
    fs::remove_dir_all(path.join("sled")).unwrap();
    assert_eq!(reopened(&path).sequence(), 0);
    fs::remove_dir_all(path.join("sled")).unwrap();
    fs::rename(
        path.join("rowtide-checkpoint"),
        path.join("rowtide-checkpoint.new"),
    )
    .unwrap();
    assert_eq!(reopened(&path).sequence(), 0);
}

/// sled itself would refuse both for ever.
#[test]
fn what_a_crash_leaves_of_sleds_own_files_is_overcome() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    fs::write(dir.path().join("sled/conf"), "segment_size: 524").unwrap();
    commit_something(dir.path());
    let draft = dir.path().join("sled/snap.7FFFFFFFFFFFFFFF.generating");
    fs::write(draft, "begun and not").unwrap();
    assert_eq!(reopened(dir.path()).sequence(), 1);
}

#[test]
fn a_directory_that_was_used_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    commit_something(dir.path());
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert!(matches!(
        SledStore::open(dir.path()),
        Err(CheckpointError::Corrupt { .. })
    ));
}

#[test]
fn a_place_that_cannot_be_a_directory_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = SledStore::open(&dir.path().join("file/data")).unwrap_err();
    assert!(matches!(&error, CheckpointError::Open { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
}
