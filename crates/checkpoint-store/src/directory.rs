//! The directory of a checkpoint on disk: whose it is, who has it open, whether it was ever used.
//!
//! Decided before sled opens anything, because sled would create its files anywhere. Refuses to
//! touch a directory that holds something else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::CheckpointError;
use crate::records::{BINARY_VERSION, FORMAT};

const MARKER: &str = "rowtide-checkpoint";
const MARKER_DRAFT: &str = "rowtide-checkpoint.new";
pub(crate) const LOCK: &str = "lock";
const TITLE: &str = "rowtide checkpoint";
/// More than any process number takes.
const SIGNATURE_BYTES_MAX: u64 = 32;

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
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join(LOCK))
            .map_err(failed)?;
        match lock.try_lock() {
            // It only makes another's message better.
            Ok(()) => _ = sign(&mut lock),
            Err(TryLockError::WouldBlock) => {
                return Err(CheckpointError::Locked {
                    place: path.display().to_string(),
                    process: signature(&mut lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
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

/// Says in the lock's file who holds it. What stands there says nothing while nobody does.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn signature(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(SIGNATURE_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    text.trim().parse().ok()
}

/// What the marker of a directory says, whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub format: u32,
    /// The version of rowtide that wrote it.
    pub written_by: String,
    /// Whether a checkpoint was ever completed; `None` if it says so in words of another format.
    pub used: Option<bool>,
    /// Whether this binary reads the format.
    pub is_readable: bool,
}

/// Whose a directory is, told without touching it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It is not there, or nothing is in it.
    Nobody,
    Ours(Marker),
    /// The marker that would say so is there and is none.
    Unclear,
    /// There is no marker, and something else: this, for one.
    Somebody {
        found: String,
    },
}

/// Looks whose a directory is. Writes nothing, and takes no lock.
///
/// # Errors
/// If it cannot be read.
pub fn owner(path: &Path) -> io::Result<Owner> {
    match fs::read(path.join(MARKER)) {
        Ok(marker) => Ok(parse_marker(&marker).map_or(Owner::Unclear, Owner::Ours)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !path.try_exists()? {
                return Ok(Owner::Nobody);
            }
            let found = first_foreign_entry(path)?;
            Ok(found.map_or(Owner::Nobody, |found| Owner::Somebody { found }))
        }
        Err(error) => Err(error),
    }
}

/// Keeps every process from opening the checkpoint in `path` while it lives. Creates nothing: where there is
/// no lock yet, nobody has the checkpoint open.
///
/// # Errors
/// If somebody has it open, or the lock cannot be read.
pub(crate) fn hold(path: &Path) -> Result<Option<File>, CheckpointError> {
    let failed = |source| CheckpointError::Open {
        dir: path.to_path_buf(),
        source,
    };
    let mut lock = match File::open(path.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lock => lock.map_err(failed)?,
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(CheckpointError::Locked {
            place: path.display().to_string(),
            process: signature(&mut lock),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
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
    let marker = parse_marker(marker).ok_or(Refused::Unknown)?;
    if !marker.is_readable {
        return Err(Refused::Newer {
            found: marker.format,
            written_by: marker.written_by,
        });
    }
    marker.used.ok_or(Refused::Unknown)
}

fn parse_marker(marker: &[u8]) -> Option<Marker> {
    let mut lines = str::from_utf8(marker).ok()?.lines();
    if lines.next() != Some(TITLE) {
        return None;
    }
    let mut field = |name: &str| {
        lines
            .next()
            .and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    let format: u32 = field("format")?.parse().ok()?;
    let written_by = field("written by").unwrap_or("an unknown version");
    let used = match field("used") {
        Some("yes") => Some(true),
        Some("no") => Some(false),
        _ => None,
    };
    Some(Marker {
        format,
        written_by: written_by.to_owned(),
        used,
        is_readable: format <= u32::from(FORMAT),
    })
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
