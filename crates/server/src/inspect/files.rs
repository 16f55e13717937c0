//! What kinds of files a checkpoint consists of, and what they take on the disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

/// Files of one kind.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FileKind {
    pub kind: &'static str,
    pub files: u64,
    /// Taken on the disk.
    pub bytes: u64,
}

/// All files of a directory.
#[derive(Debug, Default)]
pub struct Files {
    pub kinds: Vec<FileKind>,
    /// When any of them was last written.
    pub modified: Option<SystemTime>,
}

/// Unit of `st_blocks`, whatever the file system's blocks are.
const BLOCK_BYTES: u64 = 512;

/// Counts what is there. What vanishes meanwhile is not.
pub fn of(dir: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    if dir.is_dir() {
        add(&mut files, dir, Path::new(""))?;
    }
    Ok(files)
}

fn add(files: &mut Files, dir: &Path, within: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = within.join(entry.file_name());
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() {
            add(files, &entry.path(), &name)?;
            continue;
        }
        let kind = kind(&name);
        let bytes = metadata.blocks() * BLOCK_BYTES;
        if kind == "rows" {
            files.modified = files.modified.max(metadata.modified().ok());
        }
        match files.kinds.iter_mut().find(|known| known.kind == kind) {
            Some(known) => {
                known.files += 1;
                known.bytes += bytes;
            }
            None => files.kinds.push(FileKind {
                kind,
                files: 1,
                bytes,
            }),
        }
    }
    files.kinds.sort_by_key(|kind| kind.kind);
    Ok(())
}

/// What a file is for, by its place in the directory.
fn kind(name: &Path) -> &'static str {
    let name = name.to_string_lossy();
    match &*name {
        "lock" => "lock",
        "rowtide-checkpoint" | "rowtide-checkpoint.new" => "marker",
        "sled/db" => "rows",
        "sled/conf" => "store settings",
        name if name.starts_with("sled/blobs/") => "long values",
        name if name.starts_with("sled/snap.") => "store snapshots",
        name if name.starts_with("sled.fresh/") || name.starts_with("sled.old/") => {
            "unfinished exchange"
        }
        _ => "other",
    }
}
