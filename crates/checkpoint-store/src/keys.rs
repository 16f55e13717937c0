//! Spelling of the keys. Numbers are big endian, so that parts of a whole are neighbours.

use row_model::TableId;

use crate::ChunkId;

pub(crate) const HEADER: &[u8] = b"h";
pub(crate) const AHEAD: &[u8] = b"s";
pub(crate) const LEDGERS: u8 = b't';
pub(crate) const CHUNKS: u8 = b'c';
pub(crate) const DELTAS: u8 = b'e';
pub(crate) const BASE_PIECES: u8 = b'b';
pub(crate) const DELTA_PIECES: u8 = b'd';
pub(crate) const NOTES: u8 = b'n';

/// The kinds whose keys begin with a table's number.
pub(crate) const OF_TABLES: [u8; 5] = [LEDGERS, CHUNKS, DELTAS, BASE_PIECES, DELTA_PIECES];

/// Prefix of all keys of a kind and table; the whole key of its ledger.
pub(crate) fn of_table(kind: u8, table: TableId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(kind);
    key.extend_from_slice(&table.0.to_be_bytes());
    key
}

pub(crate) fn chunk(table: TableId, chunk: ChunkId) -> Vec<u8> {
    with_number(of_table(CHUNKS, table), chunk.0)
}

pub(crate) fn delta(table: TableId, sequence: u64) -> Vec<u8> {
    let mut key = of_table(DELTAS, table);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

pub(crate) fn base_piece(table: TableId, chunk: ChunkId, piece: u32) -> Vec<u8> {
    with_number(with_number(of_table(BASE_PIECES, table), chunk.0), piece)
}

pub(crate) fn delta_piece(table: TableId, sequence: u64, piece: u32) -> Vec<u8> {
    let mut key = of_table(DELTA_PIECES, table);
    key.extend_from_slice(&sequence.to_be_bytes());
    with_number(key, piece)
}

/// The length comes first: no name's keys begin with another's.
pub(crate) fn note(name: &[u8], piece: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(7 + name.len());
    key.push(NOTES);
    key.extend_from_slice(&(name.len() as u16).to_be_bytes());
    key.extend_from_slice(name);
    with_number(key, piece)
}

/// The table of a key of one of the kinds [`OF_TABLES`].
pub(crate) fn table_of(key: &[u8]) -> Option<TableId> {
    number_at(key, 1).map(TableId)
}

/// The chunk of a key of a chunk or of a base's piece.
pub(crate) fn chunk_of(key: &[u8]) -> Option<ChunkId> {
    number_at(key, 5).map(ChunkId)
}

/// The sequence of a key of a delta or of a delta's piece.
pub(crate) fn sequence_of(key: &[u8]) -> Option<u64> {
    key.get(5..13)?.try_into().ok().map(u64::from_be_bytes)
}

/// The number of a piece, the last of its key.
pub(crate) fn piece_of(key: &[u8]) -> Option<u32> {
    number_at(key, key.len().checked_sub(4)?)
}

pub(crate) fn note_name(key: &[u8]) -> Option<&[u8]> {
    key.get(3..key.len().checked_sub(4)?)
}

fn with_number(mut key: Vec<u8>, number: u32) -> Vec<u8> {
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn number_at(key: &[u8], at: usize) -> Option<u32> {
    key.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
