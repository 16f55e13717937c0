//! What is stored, known without reading it: every table's chunks and deltas, and the notes.
//!
//! Invariant: what the catalog lists is what the medium's records say. Each change here goes
//! with the write that makes it so; after a failed write the catalog is thrown away and read anew.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use row_model::TableId;

use crate::records::{ChunkRecord, FORMAT, Fingerprints, Header, Ledger, Run};
use crate::rotation::Rotation;
use crate::{CheckpointError, ChunkId, Medium, TableSummary, WriteBatch, keys, sealed};

#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub sequence: u64,
    pub tables: BTreeMap<TableId, Table>,
    pub notes: BTreeMap<Vec<u8>, NotePieces>,
    /// A checkpoint was being written ahead when the process ended: pieces lie about that no
    /// record lists. They are never read, and the next commit clears them away.
    pub leftovers: bool,
    ledgers: Fingerprints,
    note_pieces: Fingerprints,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub chunks: BTreeMap<ChunkId, ChunkRecord>,
    pub deltas: BTreeMap<u64, Run>,
    pub rotation: Rotation,
    /// Why the table cannot be read.
    pub damaged: Option<String>,
    chunk_prints: Fingerprints,
    delta_prints: Fingerprints,
    /// The ledger as it is stored.
    ledger: Option<Vec<u8>>,
}

/// How a note is stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NotePieces {
    pub pieces: u32,
    pub bytes: u64,
    pub prints: Fingerprints,
}

impl Catalog {
    /// Reads the records and checks that they vouch for each other.
    pub fn read(medium: &dyn Medium) -> Result<Self, CheckpointError> {
        let (catalog, damage) = Self::read_all_there_is(medium);
        damage.into_iter().next().map_or(Ok(catalog), Err)
    }

    /// The same, past everything that is wrong, for who wants to be told of it and not to go on from it.
    pub fn read_all_there_is(medium: &dyn Medium) -> (Self, Vec<CheckpointError>) {
        let mut catalog = Self::default();
        let mut damage = Vec::new();
        let ahead = medium.get(keys::AHEAD, &mut |_| ());
        catalog.leftovers = kept(ahead, &mut damage).unwrap_or_default();
        let header = match kept(read_header(medium), &mut damage) {
            Some(None) if catalog.leftovers => {
                kept(only_written_ahead(medium), &mut damage);
                return (catalog, damage);
            }
            Some(None) => {
                kept(nothing_stored(medium), &mut damage);
                None
            }
            header => header.flatten(),
        };
        catalog.sequence = header.as_ref().map_or(0, |header| header.sequence);
        let mut ledgers = Vec::new();
        kept(catalog.read_ledgers(medium, &mut ledgers), &mut damage);
        let is_told = |told: Option<Fingerprints>, found| told.is_none_or(|told| told == found);
        let lists = header.as_ref().map(|header| header.ledgers);
        if !is_told(lists, catalog.ledgers) {
            damage.push(CheckpointError::corrupt(
                "the list of tables",
                "not what the header says",
            ));
        }
        kept(catalog.read_chunks(medium), &mut damage);
        kept(catalog.read_deltas(medium), &mut damage);
        for (table, ledger) in ledgers {
            if let Some(table) = catalog.tables.get_mut(&table) {
                table.check_against(ledger);
            }
        }
        kept(catalog.read_notes(medium), &mut damage);
        if !is_told(header.map(|header| header.notes), catalog.note_pieces) {
            damage.push(CheckpointError::corrupt(
                "the notes",
                "not what the header says",
            ));
        }
        (catalog, damage)
    }

    /// Bytes of rows and notes, each counted once as far as the records tell: of a row that is in a base
    /// and in a delta only one counts.
    pub fn live_bytes(&self) -> u64 {
        let notes = self.notes.values().map(|note| note.bytes);
        let tables = self.tables.iter().map(|(id, table)| {
            let stored = table.summary(*id);
            stored.base_bytes.max(stored.delta_bytes)
        });
        notes.chain(tables).sum()
    }

    /// That of an empty place which goes on after another's last checkpoint.
    pub fn empty_after(sequence: u64) -> Self {
        Self {
            sequence,
            ..Self::default()
        }
    }

    /// Forgets a table. Removing its keys is the caller's.
    pub fn forget_table(&mut self, table: TableId) {
        if let Some(ledger) = self.tables.remove(&table).and_then(|table| table.ledger) {
            self.ledgers.remove(&ledger);
        }
    }

    /// Puts the table's ledger as it now is.
    pub fn put_ledger(&mut self, id: TableId, batch: &mut WriteBatch) {
        let table = self.tables.entry(id).or_default();
        let key = keys::of_table(keys::LEDGERS, id);
        let ledger = Ledger {
            chunks: table.chunk_prints,
            deltas: table.delta_prints,
            credit: table.rotation.credit(),
        };
        let value = sealed::seal(&key, &ledger.encode());
        if let Some(before) = table.ledger.replace(value.clone()) {
            self.ledgers.remove(&before);
        }
        self.ledgers.add(&value);
        batch.put(key, value);
    }

    pub fn set_note(&mut self, name: &[u8], stored: Option<NotePieces>) {
        let before = match stored {
            Some(pieces) => {
                self.note_pieces.add_all(pieces.prints);
                self.notes.insert(name.to_vec(), pieces)
            }
            None => self.notes.remove(name),
        };
        if let Some(before) = before {
            self.note_pieces.remove_all(before.prints);
        }
    }

    /// Puts the header of checkpoint `sequence`.
    pub fn put_header(&self, sequence: u64, batch: &mut WriteBatch) {
        let header = Header {
            sequence,
            ledgers: self.ledgers,
            notes: self.note_pieces,
        };
        batch.put(
            keys::HEADER.to_vec(),
            sealed::seal_header(keys::HEADER, &header.encode()),
        );
    }

    fn read_ledgers(
        &mut self,
        medium: &dyn Medium,
        ledgers: &mut Vec<(TableId, Ledger)>,
    ) -> Result<(), CheckpointError> {
        scan(medium, &[keys::LEDGERS], |key, value| {
            let id = keys::table_of(key).ok_or("a ledger's key is malformed")?;
            let payload = sealed::open(key, value).map_err(|_| "a ledger is damaged")?;
            let ledger = Ledger::decode(payload).ok_or("a ledger is malformed")?;
            ledgers.push((id, ledger));
            self.ledgers.add(value);
            self.tables.insert(
                id,
                Table {
                    ledger: Some(value.to_vec()),
                    ..Table::default()
                },
            );
            Ok(())
        })
    }

    fn read_chunks(&mut self, medium: &dyn Medium) -> Result<(), CheckpointError> {
        scan(medium, &[keys::CHUNKS], |key, value| {
            let Some(table) = keys::table_of(key).and_then(|id| self.tables.get_mut(&id)) else {
                return Ok(());
            };
            table.chunk_prints.add(value);
            let record = sealed::open(key, value).ok().and_then(ChunkRecord::decode);
            match keys::chunk_of(key).zip(record) {
                Some((chunk, record)) => _ = table.chunks.insert(chunk, record),
                None => table.damaged = Some("a chunk's record is damaged".to_owned()),
            }
            Ok(())
        })
    }

    fn read_deltas(&mut self, medium: &dyn Medium) -> Result<(), CheckpointError> {
        scan(medium, &[keys::DELTAS], |key, value| {
            let Some(table) = keys::table_of(key).and_then(|id| self.tables.get_mut(&id)) else {
                return Ok(());
            };
            table.delta_prints.add(value);
            let record = sealed::open(key, value).ok().and_then(Run::decode);
            match keys::sequence_of(key).zip(record) {
                Some((sequence, record)) => _ = table.deltas.insert(sequence, record),
                None => table.damaged = Some("a delta's record is damaged".to_owned()),
            }
            Ok(())
        })
    }

    fn read_notes(&mut self, medium: &dyn Medium) -> Result<(), CheckpointError> {
        scan(medium, &[keys::NOTES], |key, value| {
            let name = keys::note_name(key).ok_or("a note's key is malformed")?;
            let note = self.notes.entry(name.to_vec()).or_default();
            note.pieces += 1;
            note.bytes += value.len() as u64;
            note.prints.add(value);
            self.note_pieces.add(value);
            sealed::open(key, value).map_err(|_| "a note is damaged")?;
            Ok(())
        })
    }
}

impl Table {
    pub fn summary(&self, table: TableId) -> TableSummary {
        let runs = |runs: &mut dyn Iterator<Item = &Run>| {
            runs.fold((0, 0), |(rows, bytes), run| {
                (rows + run.rows, bytes + run.bytes)
            })
        };
        let (base_rows, base_bytes) = runs(&mut self.chunks.values().map(|chunk| &chunk.base));
        let (delta_rows, delta_bytes) = runs(&mut self.deltas.values());
        TableSummary {
            table,
            rows_max: base_rows + delta_rows,
            chunks: self
                .chunks
                .keys()
                .next_back()
                .map_or(0, |last| last.0.saturating_add(1)),
            base_bytes,
            delta_bytes,
        }
    }

    /// Bytes of a chunk's base; `None` if it has none.
    pub fn base_bytes(&self, chunk: ChunkId) -> Option<u64> {
        self.chunks
            .get(&chunk)
            .filter(|chunk| chunk.base_sequence > 0)
            .map(|chunk| chunk.base.bytes)
    }

    pub fn due(&self) -> Vec<ChunkId> {
        self.rotation
            .due(|chunk| self.base_bytes(chunk).unwrap_or(0))
    }

    pub fn put_chunk(
        &mut self,
        table: TableId,
        chunk: ChunkId,
        record: ChunkRecord,
        batch: &mut WriteBatch,
    ) {
        let key = keys::chunk(table, chunk);
        if let Some(before) = self.chunks.insert(chunk, record) {
            self.chunk_prints
                .remove(&sealed::seal(&key, &before.encode()));
        }
        let value = sealed::seal(&key, &record.encode());
        self.chunk_prints.add(&value);
        batch.put(key, value);
    }

    pub fn put_delta(&mut self, table: TableId, sequence: u64, run: Run, batch: &mut WriteBatch) {
        let key = keys::delta(table, sequence);
        let value = sealed::seal(&key, &run.encode());
        self.delta_prints.add(&value);
        self.deltas.insert(sequence, run);
        batch.put(key, value);
    }

    /// Removes the deltas that no chunk needs any more.
    pub fn remove_old_deltas(&mut self, table: TableId, batch: &mut WriteBatch) {
        let needed = self.rotation.oldest_delta_needed().unwrap_or(u64::MAX);
        while let Some(oldest) = self
            .deltas
            .first_entry()
            .filter(|delta| *delta.key() < needed)
        {
            let (sequence, run) = oldest.remove_entry();
            let key = keys::delta(table, sequence);
            self.delta_prints.remove(&sealed::seal(&key, &run.encode()));
            batch.remove(key);
            for piece in 0..run.pieces {
                batch.remove(keys::delta_piece(table, sequence, piece));
            }
        }
    }

    fn check_against(&mut self, ledger: Ledger) {
        let debts = self
            .chunks
            .iter()
            .map(|(chunk, record)| (record.first_delta, *chunk));
        self.rotation = Rotation::new(
            ledger.credit,
            debts.filter(|(first_delta, _)| *first_delta > 0),
        );
        if self.chunk_prints != ledger.chunks || self.delta_prints != ledger.deltas {
            self.damaged
                .get_or_insert_with(|| "its records are not what its ledger says".to_owned());
        }
    }
}

/// `None` if there is none.
fn read_header(medium: &dyn Medium) -> Result<Option<Header>, CheckpointError> {
    let mut header = None;
    medium.get(keys::HEADER, &mut |value| {
        header = Some(match value.first() {
            Some(&format) if format > FORMAT => Err(CheckpointError::NewerFormat {
                found: u32::from(format),
                written_by: "a newer version".to_owned(),
                supported: u32::from(FORMAT),
            }),
            _ => sealed::open_header(keys::HEADER, value)
                .map_err(|reason| CheckpointError::corrupt("the header", reason.to_string()))
                .and_then(|payload| {
                    Header::decode(payload)
                        .ok_or_else(|| CheckpointError::corrupt("the header", "not a header"))
                }),
        });
    })?;
    header.transpose()
}

/// What is written ahead of the first header is rows, and nothing that lists any.
fn only_written_ahead(medium: &dyn Medium) -> Result<(), CheckpointError> {
    for kind in [keys::LEDGERS, keys::CHUNKS, keys::DELTAS, keys::NOTES] {
        let mut is_there = false;
        medium.scan(&[kind], &mut |_, _| {
            is_there = true;
            ControlFlow::Break(())
        })?;
        if is_there {
            return Err(CheckpointError::corrupt("the header", "lost"));
        }
    }
    Ok(())
}

/// Without a header there must be nothing at all: else it is damage, or somebody else's.
fn nothing_stored(medium: &dyn Medium) -> Result<(), CheckpointError> {
    let mut found = None;
    medium.scan(&[], &mut |key, value| {
        found = Some(sealed::is_sealed(key, value));
        ControlFlow::Break(())
    })?;
    match found {
        None => Ok(()),
        Some(true) => Err(CheckpointError::corrupt("the header", "lost")),
        Some(false) => Err(CheckpointError::Foreign {
            place: "the store".to_owned(),
            found: "it holds values that rowtide did not write".to_owned(),
        }),
    }
}

/// Shows every entry to `visit`; the first that is wrong is the error, once all were seen.
fn scan(
    medium: &dyn Medium,
    prefix: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), &'static str>,
) -> Result<(), CheckpointError> {
    let mut failed = None;
    medium.scan(prefix, &mut |key, value| {
        if let Err(reason) = visit(key, value) {
            failed.get_or_insert(reason);
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(()), |reason| {
        Err(CheckpointError::corrupt("the records", reason))
    })
}

fn kept<T>(read: Result<T, CheckpointError>, damage: &mut Vec<CheckpointError>) -> Option<T> {
    read.map_err(|error| damage.push(error)).ok()
}
