//! A place for a copy of a checkpoint while it is read. Removed at the end, also when that is Ctrl-C.

use std::path::Path;
use std::thread;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::failure::Failure;

/// A directory that nobody else can read, for as long as this lives.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
}

impl Scratch {
    /// Makes one in `place`, or where the system keeps temporary files.
    pub fn new(place: Option<&Path>) -> Result<Self, Failure> {
        let place = place.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let directory = tempfile::Builder::new()
            .prefix("rowtide-")
            .tempdir_in(&place)
            .with_context(|| {
                format!(
                    "cannot copy the checkpoint into {}: name another place with --scratch",
                    place.display()
                )
            })?;
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
        let path = directory.path().to_owned();
        thread::Builder::new()
            .name("scratch-removal".to_owned())
            .spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    // Half of it may be gone already: all there is to do is done.
                    let _ = std::fs::remove_dir_all(&path);
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            })
            .context("cannot start a thread")?;
        Ok(Self { directory })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}
