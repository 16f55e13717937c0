//! Disks that can be filled under a running server, and freed again.
//!
//! A small file system in memory is the real thing, and takes the right to mount. A limit on the size of the
//! server's files works everywhere: what would make a file longer is refused, as on a full disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::server::Server;

/// Enough for the server's files while nothing is in the way.
const BYTES: &str = "size=24m";

/// What the ballast is made of: with the last pieces smaller ones, so that nothing is left.
const PIECES: [usize; 3] = [1 << 20, 16 << 10, 512];

/// A limit that leaves the server's log a little room, and a checkpoint none.
const FULL_BYTES: u64 = 256 << 10;

/// Where a server keeps its data.
#[derive(Debug)]
pub enum Disk {
    /// A file system of its own.
    Small(Mounted),
    /// Any place, and the sizes of files are limited while it is full.
    Limited { full: bool },
}

/// A small file system; it is let go of when this is dropped.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // What still uses it keeps it for as long as it does.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

impl Disk {
    /// A file system at `path`. `None`, and loudly so, where nothing may be mounted.
    pub fn small(path: &Path) -> anyhow::Result<Option<Self>> {
        fs::create_dir_all(path)?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", BYTES, "tmpfs"])
            .arg(path)
            .output();
        match mount {
            Ok(output) if output.status.success() => Ok(Some(Self::Small(Mounted(path.into())))),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                skipped(why.trim());
                Ok(None)
            }
            Err(error) => {
                skipped(&error.to_string());
                Ok(None)
            }
        }
    }

    #[must_use]
    pub fn limited() -> Self {
        Self::Limited { full: false }
    }

    /// The limit on file sizes that a server has to be started with.
    #[must_use]
    pub fn file_bytes_max(&self) -> Option<u64> {
        matches!(self, Self::Limited { full: true }).then_some(FULL_BYTES)
    }

    /// Leaves no room, neither for this server nor for those to come.
    pub fn fill(&mut self, server: Option<&Server>) -> anyhow::Result<()> {
        match self {
            Self::Small(mounted) => fill(&mounted.0.join("ballast")),
            Self::Limited { full } => {
                *full = true;
                server.map_or(Ok(()), |server| server.limit_files(Some(FULL_BYTES)))
            }
        }
    }

    pub fn free(&mut self, server: Option<&Server>) -> anyhow::Result<()> {
        match self {
            Self::Small(mounted) => {
                fs::remove_file(mounted.0.join("ballast")).context("no ballast")
            }
            Self::Limited { full } => {
                *full = false;
                server.map_or(Ok(()), |server| server.limit_files(None))
            }
        }
    }
}

fn skipped(why: &str) {
    eprintln!(
        "NOT TESTED on a really full file system, which cannot be mounted here: {why}. A limit on file sizes stands for it"
    );
}

fn fill(ballast: &Path) -> anyhow::Result<()> {
    let mut file = File::create(ballast)?;
    for piece in PIECES {
        loop {
            match file.write_all(&vec![0; piece]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => bail!("the disk cannot be filled: {error}"),
            }
            ensure!(file.metadata()?.len() < 1 << 30, "the disk is not small");
        }
    }
    Ok(())
}
