//! The directory of a checkpoint on disk: whose it is, who has it open, whether it was ever used.
//!
//! Decided before sled opens anything, because sled would create its files anywhere. Refuses to
//! touch a directory that holds something else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::CheckpointError;
use crate::records::{BINARY_VERSION, FORMAT};

const MARKER: &str = "rowtide-checkpoint";
const MARKER_DRAFT: &str = "rowtide-checkpoint.new";
const LOCK: &str = "lock";
const TITLE: &str = "rowtide checkpoint";

/// A directory that is ours while this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    used: bool,
    /// Holds the operating system's lock, which ends with the process whatever happens to it.
    _lock: File,
}

impl Directory {
    /// Takes possession of `path`, which is created if it does not exist.
    pub fn claim(path: &Path) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Open {
            dir: path.to_path_buf(),
            source,
        };
        fs::create_dir_all(path).map_err(failed)?;
        let foreign = |found: &str| CheckpointError::Foreign {
            place: path.display().to_string(),
            found: found.to_owned(),
        };
        let marked = path.join(MARKER).try_exists().map_err(failed)?;
        if !marked && let Some(name) = first_foreign_entry(path).map_err(failed)? {
            return Err(foreign(&format!("it contains {name}")));
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => CheckpointError::Locked {
                place: path.display().to_string(),
            },
            TryLockError::Error(source) => failed(source),
        })?;
        // Only now: the other process may have been about to write it.
        let used = match fs::read(path.join(MARKER)) {
            Ok(marker) => read_marker(&marker).map_err(|refused| match refused {
                Refused::Newer { found, written_by } => CheckpointError::NewerFormat {
                    found,
                    written_by,
                    supported: u32::from(FORMAT),
                },
                Refused::Unknown => foreign(&format!("{MARKER} is not a marker")),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_marker(path, false).map_err(failed)?;
                false
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self {
            path: path.to_path_buf(),
            used,
            _lock: lock,
        })
    }

    /// Where sled keeps its files.
    pub fn sled_path(&self) -> PathBuf {
        self.path.join("sled")
    }

    /// Where a copy of them is made that is to take their place, and where they make room for it.
    pub fn exchange_paths(&self) -> (PathBuf, PathBuf) {
        (self.path.join("sled.fresh"), self.path.join("sled.old"))
    }

    /// What all files below take of the disk.
    pub fn disk_bytes(&self) -> u64 {
        taken(&self.path)
    }

    /// What the file system has left for us; without limit where it does not say.
    pub fn free_bytes(&self) -> u64 {
        let free = rustix::fs::statvfs(&self.path);
        free.map_or(u64::MAX, |free| free.f_bavail.saturating_mul(free.f_frsize))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a checkpoint was ever completed here.
    pub fn used(&self) -> bool {
        self.used
    }

    pub fn mark_used(&mut self) -> io::Result<()> {
        if !self.used {
            write_marker(&self.path, true)?;
            self.used = true;
        }
        Ok(())
    }
}

/// What is removed meanwhile takes nothing.
fn taken(folder: &Path) -> u64 {
    const BLOCK_BYTES: u64 = 512;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let taken = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => taken(&entry.path()),
        Ok(metadata) => metadata.blocks() * BLOCK_BYTES,
        Err(_) => 0,
    });
    taken.sum()
}

enum Refused {
    Newer { found: u32, written_by: String },
    Unknown,
}

/// Replaces the marker whole or not at all.
fn write_marker(path: &Path, used: bool) -> io::Result<()> {
    let mut draft = File::create(path.join(MARKER_DRAFT))?;
    let used = if used { "yes" } else { "no" };
    write!(
        draft,
        "{TITLE}\nformat {FORMAT}\nwritten by {BINARY_VERSION}\nused {used}\n"
    )?;
    draft.sync_all()?;
    fs::rename(path.join(MARKER_DRAFT), path.join(MARKER))?;
    File::open(path)?.sync_all()
}

/// Whether the directory was used, as its marker says.
fn read_marker(marker: &[u8]) -> Result<bool, Refused> {
    let text = str::from_utf8(marker).map_err(|_| Refused::Unknown)?;
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err(Refused::Unknown);
    }
    let mut field = |name: &str| {
        lines
            .next()
            .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    let format: u32 = field("format")
        .and_then(|format| format.parse().ok())
        .ok_or(Refused::Unknown)?;
    let written_by = field("written by")
        .unwrap_or("an unknown version")
        .to_owned();
    if format > u32::from(FORMAT) {
        return Err(Refused::Newer {
            found: format,
            written_by,
        });
    }
    match field("used") {
        Some("yes") => Ok(true),
        Some("no") => Ok(false),
        _ => Err(Refused::Unknown),
    }
}

fn first_foreign_entry(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if ![LOCK, MARKER_DRAFT, "lost+found"]
            .iter()
            .any(|ours| name == *ours)
        {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}
