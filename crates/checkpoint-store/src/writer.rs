//! Writes one checkpoint: whole if it is small, ahead in part if it is large.
//!
//! Invariant: nothing that is written ahead replaces or is listed by anything stored. It becomes
//! true with the last batch, which holds every record, every note and the header, or never.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use row_model::{SlotId, TableId, Version};

use crate::catalog::{Catalog, NotePieces, Table};
use crate::limits::{NOTE_BYTES_MAX, NOTE_NAME_BYTES_MAX, PIECE_BYTES_MAX};
use crate::records::{ChunkRecord, Run};
use crate::rows::RowWriter;
use crate::{
    CheckpointError, ChunkId, ChunkRows, Medium, Note, TableChanges, WriteBatch, keys, sealed,
};

pub(crate) struct Writer<'m> {
    medium: &'m mut dyn Medium,
    sequence: u64,
    /// What must wait for the end.
    last: WriteBatch,
    /// What may go ahead of it.
    ahead: WriteBatch,
    wrote_ahead: bool,
    rows: u64,
    bytes: u64,
}

type RowRef<'a> = (SlotId, Option<&'a Version>);

impl<'m> Writer<'m> {
    pub fn new(medium: &'m mut dyn Medium, sequence: u64) -> Self {
        let (last, ahead) = (WriteBatch::default(), WriteBatch::default());
        Self {
            medium,
            sequence,
            last,
            ahead,
            wrote_ahead: false,
            rows: 0,
            bytes: 0,
        }
    }

    /// Removes what a checkpoint that was never finished had written ahead. At once, because this
    /// one may write the same keys ahead.
    pub fn clear_leftovers(&mut self, catalog: &Catalog) -> Result<(), CheckpointError> {
        let mut batch = WriteBatch::default();
        let table_of = |key: &[u8]| keys::table_of(key).and_then(|id| catalog.tables.get(&id));
        self.medium.scan(&[keys::BASE_PIECES], &mut |key, _| {
            let chunk = keys::chunk_of(key).and_then(|chunk| table_of(key)?.chunks.get(&chunk));
            let pieces = chunk.map_or(0, |chunk| chunk.base.pieces);
            if keys::piece_of(key).is_none_or(|piece| piece >= pieces) {
                batch.remove(key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        self.medium.scan(&[keys::DELTA_PIECES], &mut |key, _| {
            let delta =
                keys::sequence_of(key).and_then(|sequence| table_of(key)?.deltas.get(&sequence));
            if delta.is_none() {
                batch.remove(key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        batch.remove(keys::AHEAD.to_vec());
        self.medium.apply(batch)
    }

    pub fn drop_table(
        &mut self,
        catalog: &mut Catalog,
        table: TableId,
    ) -> Result<(), CheckpointError> {
        catalog.forget_table(table);
        // By what is there, not by what is listed: the way to be rid of a damaged table.
        for kind in keys::OF_TABLES {
            let last = &mut self.last;
            self.medium
                .scan(&keys::of_table(kind, table), &mut |key, _| {
                    last.remove(key.to_vec());
                    ControlFlow::Continue(())
                })?;
        }
        Ok(())
    }

    pub fn write_table(
        &mut self,
        catalog: &mut Catalog,
        changes: &TableChanges,
        replaced: bool,
    ) -> Result<(), CheckpointError> {
        let id = changes.table;
        let table = catalog.tables.entry(id).or_default();
        if let Some(reason) = &table.damaged {
            return Err(CheckpointError::corrupt_table(id, reason.as_str()));
        }
        let due: BTreeSet<ChunkId> = table.due().into_iter().collect();
        let mut rewritten = BTreeSet::new();
        for chunk in &changes.rewritten {
            assert!(
                rewritten.insert(chunk.chunk),
                "a chunk is rewritten twice in one checkpoint"
            );
            self.write_base(id, table, chunk, due.contains(&chunk.chunk), replaced)?;
        }
        let left = |slot: SlotId| !rewritten.contains(&ChunkId::of(slot));
        let mut rows: Vec<RowRef<'_>> = changes
            .changed
            .iter()
            .filter(|(slot, _)| left(*slot))
            .map(|(slot, row)| (*slot, row.as_ref()))
            .collect();
        if !rows.is_empty() {
            rows.sort_unstable_by_key(|(slot, _)| *slot);
            self.write_delta(id, table, &rows)?;
        }
        table.remove_old_deltas(id, &mut self.last);
        catalog.put_ledger(id, &mut self.last);
        Ok(())
    }

    pub fn write_note(&mut self, catalog: &mut Catalog, note: &Note) {
        let Note { name, value } = note;
        assert!(
            name.len() <= NOTE_NAME_BYTES_MAX,
            "a note's name is too long"
        );
        let stored = value.as_ref().map(|value| {
            assert!(value.len() <= NOTE_BYTES_MAX, "a note is too long");
            let mut stored = NotePieces::default();
            // An empty note is one empty piece.
            let empty = value.is_empty().then_some(&value[..]);
            for piece in empty.into_iter().chain(value.chunks(PIECE_BYTES_MAX)) {
                let key = keys::note(name, stored.pieces);
                let sealed = sealed::seal(&key, piece);
                stored.pieces += 1;
                stored.prints.add(&sealed);
                self.last.put(key, sealed);
            }
            stored
        });
        let before = catalog.notes.get(name).map_or(0, |before| before.pieces);
        for piece in stored.map_or(0, |stored| stored.pieces)..before {
            self.last.remove(keys::note(name, piece));
        }
        catalog.set_note(name, stored);
    }

    /// Makes it all durable. Returns how many rows and bytes were written.
    pub fn finish(mut self, catalog: &mut Catalog) -> Result<(u64, u64), CheckpointError> {
        catalog.put_header(self.sequence, &mut self.last);
        self.last.append(self.ahead);
        if self.wrote_ahead {
            self.last.remove(keys::AHEAD.to_vec());
        }
        self.bytes += self.last.bytes() as u64;
        self.medium.apply(self.last)?;
        self.medium.flush()?;
        catalog.sequence = self.sequence;
        catalog.leftovers = false;
        Ok((self.rows, self.bytes))
    }

    fn write_base(
        &mut self,
        id: TableId,
        table: &mut Table,
        chunk_rows: &ChunkRows,
        was_due: bool,
        replaced: bool,
    ) -> Result<(), CheckpointError> {
        let chunk = chunk_rows.chunk;
        let before = table.chunks.get(&chunk).copied().unwrap_or_default();
        let mut rows: Vec<RowRef<'_>> = chunk_rows
            .rows
            .iter()
            .map(|(slot, row)| (*slot, Some(row)))
            .collect();
        rows.sort_unstable_by_key(|(slot, _)| *slot);
        assert!(
            rows.iter().all(|(slot, _)| ChunkId::of(*slot) == chunk),
            "a row is not of its chunk"
        );
        // A base that replaces one has its keys, and must not be seen before the end.
        let may_go_ahead = before.base.pieces == 0 && !replaced;
        let key = |piece| keys::base_piece(id, chunk, piece);
        let base = self.write_run(chunk.first_slot(), &rows, may_go_ahead, &key)?;
        for piece in base.pieces..before.base.pieces {
            self.last.remove(key(piece));
        }
        table
            .rotation
            .chunk_rewritten(chunk, before.first_delta, was_due, before.base.bytes);
        let record = ChunkRecord {
            base_sequence: self.sequence,
            base,
            first_delta: 0,
        };
        table.put_chunk(id, chunk, record, &mut self.last);
        Ok(())
    }

    fn write_delta(
        &mut self,
        id: TableId,
        table: &mut Table,
        rows: &[RowRef<'_>],
    ) -> Result<(), CheckpointError> {
        let sequence = self.sequence;
        let run = self.write_run(SlotId(0), rows, true, &|piece| {
            keys::delta_piece(id, sequence, piece)
        })?;
        table.put_delta(id, sequence, run, &mut self.last);
        let mut newly_in_debt = Vec::new();
        for same_chunk in rows.chunk_by(|(a, _), (b, _)| ChunkId::of(*a) == ChunkId::of(*b)) {
            let chunk = ChunkId::of(same_chunk[0].0);
            let record = table.chunks.get(&chunk).copied().unwrap_or_default();
            if record.first_delta == 0 {
                table.put_chunk(
                    id,
                    chunk,
                    ChunkRecord {
                        first_delta: sequence,
                        ..record
                    },
                    &mut self.last,
                );
                newly_in_debt.push(chunk);
            }
        }
        table
            .rotation
            .delta_written(sequence, run.bytes, &newly_in_debt);
        Ok(())
    }

    fn write_run(
        &mut self,
        first_slot: SlotId,
        rows: &[RowRef<'_>],
        may_go_ahead: bool,
        key: &dyn Fn(u32) -> Vec<u8>,
    ) -> Result<Run, CheckpointError> {
        assert!(
            rows.is_sorted_by(|a, b| a.0 < b.0),
            "a slot is named twice in one checkpoint"
        );
        let mut writer = RowWriter::new(self.sequence, first_slot, |piece, payload| {
            let key = key(piece);
            let value = sealed::seal(&key, payload);
            if may_go_ahead {
                return self.put_ahead(key, value);
            }
            self.last.put(key, value);
            Ok(())
        });
        for (slot, row) in rows {
            writer.push(*slot, *row)?;
        }
        let run = writer.finish()?;
        self.rows += run.rows;
        Ok(run)
    }

    fn put_ahead(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), CheckpointError> {
        self.ahead.put(key, value);
        if self.ahead.bytes() < self.medium.batch_bytes_max() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.ahead);
        if !self.wrote_ahead {
            self.wrote_ahead = true;
            batch.put(keys::AHEAD.to_vec(), sealed::seal(keys::AHEAD, &[]));
        }
        self.bytes += batch.bytes() as u64;
        self.medium.apply(batch)
    }
}
