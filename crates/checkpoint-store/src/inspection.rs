//! Looks into a checkpoint that nobody has open, and leaves it exactly as it is.
//!
//! sled has no way to open its files for reading only: it replays its log, and cuts off or rewrites
//! what it finds torn. So a copy is opened, and may be changed. Where the file system shares blocks
//! between copies that costs nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use row_model::TableId;

use crate::catalog::{Catalog, Table};
use crate::directory::{self, LOCK};
use crate::sled_medium::{SledMedium, SledStore};
use crate::{CheckpointError, Medium, TableSummary, load};

/// A copy of a checkpoint, in a place of the caller's, who removes it.
#[derive(Debug)]
pub struct Copied {
    path: PathBuf,
}

/// Tells what a slot holds, as it was saved: a row or what is left of one; `None` if neither.
pub type IsRow<'a> = &'a dyn Fn(&[u8]) -> Option<bool>;

/// All that a checkpoint holds and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Contents {
    /// Number of the last checkpoint; 0 if there is none, or it cannot be told.
    pub sequence: u64,
    pub tables: Vec<TableContents>,
    pub notes: Vec<NoteContents>,
    /// What is wrong beyond single tables and notes. With any of it the checkpoint cannot be used.
    pub damage: Vec<CheckpointError>,
}

/// A table, every row of which was read.
#[derive(Debug)]
pub struct TableContents {
    pub summary: TableSummary,
    /// How many rows it has, or why they cannot be read.
    pub rows: Result<u64, CheckpointError>,
}

/// A note, as far as it can be read.
#[derive(Debug)]
pub struct NoteContents {
    pub name: Vec<u8>,
    pub value: Result<Vec<u8>, CheckpointError>,
}

impl Copied {
    /// Copies the checkpoint in `from` into the empty directory `into`, while nobody can open it.
    ///
    /// # Errors
    /// If somebody has it open, or it cannot be read, or copied.
    pub fn of(from: &Path, into: &Path) -> Result<Self, CheckpointError> {
        let held = directory::hold(from)?;
        let failed = |source| CheckpointError::Open {
            dir: into.to_path_buf(),
            source,
        };
        copy_all(from, into).map_err(failed)?;
        if held.is_none() && from.join(LOCK).try_exists().map_err(failed)? {
            return Err(CheckpointError::Locked {
                place: from.display().to_string(),
                process: None,
            });
        }
        Ok(Self {
            path: into.to_path_buf(),
        })
    }

    /// Opens the copy as a start would open the checkpoint.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open(&self) -> Result<SledStore, CheckpointError> {
        SledStore::open(&self.path)
    }

    /// Reads all there is, past what is damaged. `is_row` tells rows from what is left of deleted ones, and
    /// knows neither from what is no row at all.
    ///
    /// # Errors
    /// If the files cannot be opened at all.
    pub fn contents(&self, is_row: IsRow<'_>) -> Result<Contents, CheckpointError> {
        let medium = SledMedium::open(&self.path)?;
        let mut contents = Contents::of(&medium, is_row);
        if contents.sequence == 0 && contents.damage.is_empty() && medium.was_used() {
            contents.damage.push(SledStore::all_lost());
        }
        Ok(contents)
    }
}

impl Contents {
    fn of(medium: &dyn Medium, is_row: IsRow<'_>) -> Self {
        let (catalog, damage) = Catalog::read_all_there_is(medium);
        let tables = catalog.tables.iter().map(|(id, table)| TableContents {
            summary: table.summary(*id),
            rows: count_rows(medium, *id, table, is_row),
        });
        let notes = catalog.notes.keys();
        let notes = notes.map(|name| NoteContents {
            name: name.clone(),
            value: load::read_note(medium, &catalog, name),
        });
        Self {
            sequence: catalog.sequence,
            tables: tables.collect(),
            notes: notes.collect(),
            damage,
        }
    }
}

fn count_rows(
    medium: &dyn Medium,
    id: TableId,
    table: &Table,
    is_row: IsRow<'_>,
) -> Result<u64, CheckpointError> {
    let mut count = 0;
    load::load_table(medium, id, table, &mut |rows| {
        for (slot, bytes) in rows {
            let is_row = is_row(bytes).ok_or_else(|| {
                CheckpointError::corrupt_table(id, format!("slot {} holds no row", slot.0))
            })?;
            count += u64::from(is_row);
        }
        Ok(())
    })?;
    Ok(count)
}

/// Copies files and directories, except the lock, which is its holder's.
fn copy_all(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, into.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir(&to)?;
            copy_all(&entry.path(), &to)?;
        } else if kind.is_file() && entry.file_name() != LOCK {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use row_model::SlotId;

    use super::*;
    use crate::{Checkpoint, MemoryDisk, MemoryMedium, Note, TableChanges, WriteBatch, keys};

    /// A medium with one table of no rows and two notes.
    fn medium() -> MemoryMedium {
        let disk = MemoryDisk::default();
        let mut store = crate::MemoryStore::open_memory(&disk).unwrap();
        let note = |name: &[u8]| Note {
            name: name.to_vec(),
            value: Some(b"{}".to_vec()),
        };
        let changes = TableChanges {
            table: TableId(3),
            changed: vec![(SlotId(0), None)],
            rewritten: Vec::new(),
        };
        let checkpoint = Checkpoint {
            tables: vec![changes],
            notes: vec![note(b"one"), note(b"two")],
            ..Checkpoint::default()
        };
        crate::CheckpointStore::commit(&mut store, &checkpoint).unwrap();
        drop(store);
        MemoryMedium::open(&disk).unwrap()
    }

    fn overwritten(key: &[u8]) -> Contents {
        let mut medium = medium();
        let mut batch = WriteBatch::default();
        batch.put(key.to_vec(), b"nonsense".to_vec());
        medium.apply(batch).unwrap();
        Contents::of(&medium, &|_| Some(true))
    }

    #[test]
    fn what_is_whole_is_read_past_what_is_damaged() {
        let whole = Contents::of(&medium(), &|_| Some(true));
        assert_eq!((whole.sequence, whole.damage.len()), (1, 0));
        assert!(matches!(whole.tables[0].rows, Ok(0)));

        let note = overwritten(&keys::note(b"one", 0));
        assert!(note.notes[0].value.is_err() && note.notes[1].value.is_ok());
        assert!(!note.damage.is_empty() && note.tables[0].rows.is_ok());

        let header = overwritten(keys::HEADER);
        assert_eq!((header.sequence, header.notes.len()), (0, 2));
        assert!(!header.damage.is_empty() && header.tables[0].rows.is_ok());

        let delta = overwritten(&keys::delta(TableId(3), 1));
        assert!(delta.damage.is_empty() && delta.tables[0].rows.is_err());
    }
}
