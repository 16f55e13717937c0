//! The promises of both stores, and what crashes, damage and full disks do to them.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

mod anew;
mod damage;
mod directory;
mod full_disk;
mod kill;
mod scrub;
mod space;
mod spec;
mod write_points;

use std::path::Path;

use checkpoint_store::{CheckpointError, SledStore};

/// Opens a store that was let go of. A program that another test is just starting holds our files, and so
/// their lock, until it runs itself.
fn reopened(dir: &Path) -> SledStore {
    const TRIES: usize = 1_000_000;
    for _ in 0..TRIES {
        match SledStore::open(dir) {
            Err(CheckpointError::Locked { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays locked", dir.display());
}
