//! Reads a table back: deltas newest first, then bases, each slot once.
//!
//! By key and never by scan: the records say which keys there are, so a missing value is noticed,
//! and sled evicts pages that are asked for often while a scan would leave all of them in memory.

use std::collections::BTreeMap;

use row_model::{SlotId, TableId};

use crate::catalog::{Catalog, Table};
use crate::limits::CHUNK_SLOTS;
use crate::records::ChunkRecord;
use crate::rows::RowReader;
use crate::{CheckpointError, ChunkId, LoadSink, Medium, Notes, keys, sealed};

pub(crate) fn load_table(
    medium: &dyn Medium,
    id: TableId,
    table: &Table,
    sink: &mut LoadSink<'_>,
) -> Result<(), CheckpointError> {
    if let Some(reason) = &table.damaged {
        return Err(CheckpointError::corrupt_table(id, reason.as_str()));
    }
    let mut seen = SeenSlots::default();
    for (&sequence, delta) in table.deltas.iter().rev() {
        let run = StoredRun {
            table: id,
            sequence,
            first_slot: SlotId(0),
            pieces: delta.pieces,
            key: &|piece| keys::delta_piece(id, sequence, piece),
        };
        run.read(medium, &mut |rows| {
            let mut newest = Vec::with_capacity(rows.len());
            for (slot, row) in rows {
                let rewritten = table
                    .chunks
                    .get(&ChunkId::of(*slot))
                    .is_some_and(|chunk| chunk.base_sequence >= sequence);
                if !rewritten && seen.insert(*slot) {
                    newest.extend(row.map(|row| (*slot, row)));
                }
            }
            sink(&newest)
        })?;
    }
    for (&chunk, record) in &table.chunks {
        load_base(medium, id, chunk, record, &seen, sink)?;
    }
    Ok(())
}

pub(crate) fn read_notes(medium: &dyn Medium, catalog: &Catalog) -> Result<Notes, CheckpointError> {
    let read = |name: &Vec<u8>| Ok((name.clone(), read_note(medium, catalog, name)?));
    catalog.notes.keys().map(read).collect()
}

/// The value of one note.
pub(crate) fn read_note(
    medium: &dyn Medium,
    catalog: &Catalog,
    name: &[u8],
) -> Result<Vec<u8>, CheckpointError> {
    let mut value = Vec::new();
    for piece in 0..catalog.notes.get(name).map_or(0, |stored| stored.pieces) {
        let key = keys::note(name, piece);
        let mut outcome = Err("a part is missing".to_owned());
        medium.get(&key, &mut |sealed| {
            outcome = sealed::open(&key, sealed)
                .map(|part| value.extend_from_slice(part))
                .map_err(|e| e.to_string());
        })?;
        outcome.map_err(|reason| {
            CheckpointError::corrupt(format!("note {}", String::from_utf8_lossy(name)), reason)
        })?;
    }
    Ok(value)
}

fn load_base(
    medium: &dyn Medium,
    id: TableId,
    chunk: ChunkId,
    record: &ChunkRecord,
    seen: &SeenSlots,
    sink: &mut LoadSink<'_>,
) -> Result<(), CheckpointError> {
    let run = StoredRun {
        table: id,
        sequence: record.base_sequence,
        first_slot: chunk.first_slot(),
        pieces: record.base.pieces,
        key: &|piece| keys::base_piece(id, chunk, piece),
    };
    run.read(medium, &mut |rows| {
        let unchanged = rows.iter().filter(|(slot, _)| !seen.contains(*slot));
        sink(
            &unchanged
                .filter_map(|(slot, row)| Some((*slot, (*row)?)))
                .collect::<Vec<_>>(),
        )
    })
}

/// Where the rows of a base or a delta are.
struct StoredRun<'a> {
    table: TableId,
    sequence: u64,
    first_slot: SlotId,
    pieces: u32,
    key: &'a dyn Fn(u32) -> Vec<u8>,
}

type RowsSeen<'a> = dyn FnMut(&[(SlotId, Option<&[u8]>)]) -> Result<(), CheckpointError> + 'a;

impl StoredRun<'_> {
    fn read(&self, medium: &dyn Medium, take: &mut RowsSeen<'_>) -> Result<(), CheckpointError> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            CheckpointError::corrupt_table(
                self.table,
                format!("{reason} (checkpoint {})", self.sequence),
            )
        };
        let mut reader = RowReader::new(self.sequence, self.first_slot);
        for piece in 0..self.pieces {
            let key = (self.key)(piece);
            let mut outcome = None;
            let found = medium.get(&key, &mut |value| {
                outcome = Some(match sealed::open(&key, value) {
                    Ok(payload) => reader
                        .read(payload)
                        .map_err(|e| corrupt(&e))
                        .and_then(|rows| take(&rows)),
                    Err(unsealed) => Err(corrupt(&unsealed)),
                });
            });
            found.map_err(|error| match error {
                CheckpointError::Corrupt { reason, .. } => corrupt(&reason),
                other => other,
            })?;
            outcome.unwrap_or_else(|| Err(corrupt(&"a value is missing")))?;
        }
        reader.finish().map_err(|e| corrupt(&e))
    }
}

/// One bit for each slot of the chunks that deltas touch.
#[derive(Default)]
struct SeenSlots(BTreeMap<ChunkId, [u64; CHUNK_SLOTS as usize / 64]>);

impl SeenSlots {
    /// False if it was in already.
    fn insert(&mut self, slot: SlotId) -> bool {
        let (word, bit) = Self::place(slot);
        let word = &mut self.0.entry(ChunkId::of(slot)).or_insert([0; _])[word];
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn contains(&self, slot: SlotId) -> bool {
        let (word, bit) = Self::place(slot);
        self.0
            .get(&ChunkId::of(slot))
            .is_some_and(|words| words[word] & bit != 0)
    }

    fn place(slot: SlotId) -> (usize, u64) {
        let within = slot.0 % CHUNK_SLOTS;
        ((within / 64) as usize, 1 << (within % 64))
    }
}
