//! Rows one after the other, cut into pieces.
//!
//! ```text
//! piece: sequence, then rows: distance to the slot expected next, length + 1 (0 = empty slot), bytes
//! ```
//! A row begins in a new piece when it does not fit the rest of one; only rows longer than a
//! piece span several. So nearly every piece can be read in place.

use row_model::{SlotId, Version};

use crate::CheckpointError;
use crate::limits::PIECE_BYTES_MAX;
use crate::records::{Run, put_number, take_number};

/// Encodes rows with ascending slots and hands out pieces.
pub(crate) struct RowWriter<F> {
    emit: F,
    piece: Vec<u8>,
    prefix_len: usize,
    row: Vec<u8>,
    expected_slot: u32,
    run: Run,
}

/// Puts rows together again from pieces in their order.
pub(crate) struct RowReader {
    sequence: u64,
    expected_slot: u32,
    /// The front of a row that goes on in the next piece, behind bytes that are read already.
    begun: Vec<u8>,
    begun_from: usize,
}

/// Rows as they are read: where they belong, and their bytes unless the slot is empty.
pub(crate) type RowsRead<'a> = Vec<(SlotId, Option<&'a [u8]>)>;

/// Pieces do not contain rows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a value of checkpoint {found} stands where one of {expected} should")]
    OtherCheckpoint { found: u64, expected: u64 },
    #[error("a value holds no rows")]
    NoRows,
    #[error("the last row is cut off")]
    CutOff,
}

impl<F: FnMut(u32, &[u8]) -> Result<(), CheckpointError>> RowWriter<F> {
    pub fn new(sequence: u64, first_slot: SlotId, emit: F) -> Self {
        let mut piece = Vec::with_capacity(PIECE_BYTES_MAX);
        put_number(sequence, &mut piece);
        let prefix_len = piece.len();
        Self {
            emit,
            piece,
            prefix_len,
            row: Vec::new(),
            expected_slot: first_slot.0,
            run: Run::default(),
        }
    }

    /// Adds a row or an empty slot. Slots must ascend.
    pub fn push(&mut self, slot: SlotId, row: Option<&Version>) -> Result<(), CheckpointError> {
        assert!(
            slot.0 >= self.expected_slot,
            "rows must be in the order of their slots"
        );
        self.row.clear();
        put_number(u64::from(slot.0 - self.expected_slot), &mut self.row);
        put_number(
            row.map_or(0, |row| row.saved_len() as u64 + 1),
            &mut self.row,
        );
        if let Some(row) = row {
            row.saved_bytes(&mut self.row);
            self.run.rows += 1;
        }
        self.expected_slot = slot.0 + 1;
        self.run.bytes += self.row.len() as u64;
        if self.piece.len() + self.row.len() > PIECE_BYTES_MAX {
            self.end_piece()?;
        }
        let row = std::mem::take(&mut self.row);
        let mut rest = row.as_slice();
        while self.piece.len() + rest.len() > PIECE_BYTES_MAX {
            let (front, tail) = rest.split_at(PIECE_BYTES_MAX - self.piece.len());
            self.piece.extend_from_slice(front);
            self.end_piece()?;
            rest = tail;
        }
        self.piece.extend_from_slice(rest);
        self.row = row;
        Ok(())
    }

    pub fn finish(mut self) -> Result<Run, CheckpointError> {
        self.end_piece()?;
        Ok(self.run)
    }

    fn end_piece(&mut self) -> Result<(), CheckpointError> {
        if self.piece.len() > self.prefix_len {
            (self.emit)(self.run.pieces, &self.piece)?;
            self.run.pieces += 1;
            self.piece.truncate(self.prefix_len);
        }
        Ok(())
    }
}

impl RowReader {
    pub fn new(sequence: u64, first_slot: SlotId) -> Self {
        Self {
            sequence,
            expected_slot: first_slot.0,
            begun: Vec::new(),
            begun_from: 0,
        }
    }

    /// The rows that end in `piece`.
    pub fn read<'a>(&'a mut self, mut piece: &'a [u8]) -> Result<RowsRead<'a>, Malformed> {
        let found = take_number(&mut piece).ok_or(Malformed::NoRows)?;
        if found != self.sequence {
            return Err(Malformed::OtherCheckpoint {
                found,
                expected: self.sequence,
            });
        }
        let mut rows = Vec::new();
        self.begun.drain(..std::mem::take(&mut self.begun_from));
        if self.begun.is_empty() {
            let rest = take_rows(piece, &mut self.expected_slot, &mut rows)?;
            self.begun.extend_from_slice(rest);
        } else {
            self.begun.extend_from_slice(piece);
            let rest = take_rows(&self.begun, &mut self.expected_slot, &mut rows)?;
            self.begun_from = self.begun.len() - rest.len();
        }
        Ok(rows)
    }

    /// To be asked after the last piece.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.begun.len() == self.begun_from {
            Ok(())
        } else {
            Err(Malformed::CutOff)
        }
    }
}

/// Takes all whole rows from the front of `bytes` and returns what is left.
fn take_rows<'a>(
    mut bytes: &'a [u8],
    expected_slot: &mut u32,
    rows: &mut RowsRead<'a>,
) -> Result<&'a [u8], Malformed> {
    loop {
        let mut rest = bytes;
        let (Some(distance), Some(len)) = (take_number(&mut rest), take_number(&mut rest)) else {
            return Ok(bytes);
        };
        let row = match len.checked_sub(1) {
            None => None,
            Some(len) => {
                let Some((row, tail)) = usize::try_from(len)
                    .ok()
                    .and_then(|len| rest.split_at_checked(len))
                else {
                    return Ok(bytes);
                };
                rest = tail;
                Some(row)
            }
        };
        let slot = u32::try_from(distance)
            .ok()
            .and_then(|distance| expected_slot.checked_add(distance));
        let slot = slot.ok_or(Malformed::NoRows)?;
        *expected_slot = slot.checked_add(1).ok_or(Malformed::NoRows)?;
        rows.push((SlotId(slot), row));
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use row_model::{CutId, SchemaId, Stamp, VersionParts};

    use super::*;

    type OwnedRow = (u32, Option<Vec<u8>>);

    fn version(row: &[u8]) -> Version {
        let stamp = &Stamp::default();
        let parts = VersionParts {
            cut: CutId(1),
            schema: SchemaId(1),
            stamp,
            key: b"key",
            row,
        };
        Version::new(parts, &mut Vec::new())
    }

    fn write(rows: &[OwnedRow]) -> (Run, Vec<Vec<u8>>) {
        let mut pieces = Vec::new();
        let mut writer = RowWriter::new(300, SlotId(0), |number, piece: &[u8]| {
            assert_eq!(number as usize, pieces.len());
            assert!(piece.len() <= PIECE_BYTES_MAX);
            pieces.push(piece.to_vec());
            Ok(())
        });
        for (slot, row) in rows {
            writer
                .push(SlotId(*slot), row.as_deref().map(version).as_ref())
                .unwrap();
        }
        (writer.finish().unwrap(), pieces)
    }

    fn read(pieces: &[Vec<u8>]) -> Result<Vec<OwnedRow>, Malformed> {
        let mut reader = RowReader::new(300, SlotId(0));
        let mut rows = Vec::new();
        for piece in pieces {
            let read = reader.read(piece)?.into_iter();
            rows.extend(read.map(|(slot, saved)| (slot.0, saved.map(row_bytes))));
        }
        reader.finish().map(|()| rows)
    }

    fn row_bytes(saved: &[u8]) -> Vec<u8> {
        let head = version(&[]).saved_len();
        let mut expected = Vec::new();
        version(&saved[head..]).saved_bytes(&mut expected);
        assert_eq!(saved, expected);
        saved[head..].to_vec()
    }

    #[test]
    fn rows_of_every_length_survive() {
        let lens = (0..8).chain(5_960..6_010).chain([200, 12_000, 100_000, 3]);
        let mut rows: Vec<OwnedRow> = (0..)
            .zip(lens)
            .map(|(at, len)| (at * at * 1000, Some(vec![at as u8; len])))
            .collect();
        let count = rows.len() as u64;
        rows.insert(3, (5_000, None));
        let (run, pieces) = write(&rows);
        assert_eq!(run.rows, count);
        assert_eq!(run.pieces as usize, pieces.len());
        assert_eq!(read(&pieces), Ok(rows));
        assert_eq!(write(&[]), (Run::default(), vec![]));
    }

    #[test]
    fn missing_and_foreign_pieces_are_noticed() {
        let (_, mut pieces) = write(&[(1, Some(vec![7; 20_000])), (2, Some(vec![8; 10]))]);
        assert_eq!(read(&pieces[..2]), Err(Malformed::CutOff));
        pieces[1][0] ^= 1;
        assert_eq!(
            read(&pieces),
            Err(Malformed::OtherCheckpoint {
                found: 301,
                expected: 300
            })
        );
        assert_eq!(read(&[vec![]]), Err(Malformed::NoRows));
    }

    #[test]
    fn slots_beyond_the_last_are_not_rows() {
        let mut piece = Vec::new();
        for number in [300, u64::from(u32::MAX), 0] {
            put_number(number, &mut piece);
        }
        assert_eq!(read(&[piece]), Err(Malformed::NoRows));
    }
}
