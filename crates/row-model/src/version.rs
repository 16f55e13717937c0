//! One immutable state of one key: a single allocation, shared by reference.
//!
//! ```text
//! count, length | cut, schema, key start, key length | stamp, key, row
//! ```
//! The key lives here and nowhere else: the map from keys to slots holds slot numbers only and
//! compares with these bytes. A version without a row remembers a deleted key's position.

use triomphe::ThinArc;

use crate::{CutId, KEY_BYTES_MAX, Row, SchemaId, Stamp};

#[derive(Clone, Copy, Debug)]
struct Head {
    cut: CutId,
    schema: SchemaId,
    key_start: u16,
    key_len: u16,
}

/// What a key held from one cut on: a row, or its absence.
#[derive(Clone, Debug)]
pub struct Version(ThinArc<Head, u8>);

/// What a version is made of.
#[derive(Clone, Copy, Debug)]
pub struct VersionParts<'a> {
    pub cut: CutId,
    pub schema: SchemaId,
    pub stamp: &'a Stamp,
    pub key: &'a [u8],
    /// Bytes of a [`Row`], or empty for a deleted key.
    pub row: &'a [u8],
}

/// Bytes of the allocation that are not stamp, key or row.
const FIXED_BYTES: usize = 2 * size_of::<usize>() + size_of::<Head>();
const SAVED_HEAD_BYTES: usize = 8;
/// What memory brings at a time.
const LINE_BYTES: usize = 64;
/// Of a longer row the processor sees by itself what is read next.
const LINES_MAX: usize = 8;

impl Version {
    /// Builds a version; `scratch` is a reused buffer.
    #[must_use]
    pub fn new(parts: VersionParts<'_>, scratch: &mut Vec<u8>) -> Self {
        assert!(
            parts.key.len() <= KEY_BYTES_MAX,
            "the decoder refuses such keys"
        );
        scratch.clear();
        parts.stamp.encode(scratch);
        let head = Head {
            cut: parts.cut,
            schema: parts.schema,
            key_start: scratch.len() as u16,
            key_len: parts.key.len() as u16,
        };
        scratch.extend_from_slice(parts.key);
        scratch.extend_from_slice(parts.row);
        Self(ThinArc::from_header_and_slice(head, scratch))
    }

    /// The cut from which on this version is visible.
    #[must_use]
    pub fn cut(&self) -> CutId {
        self.0.header.header.cut
    }

    #[must_use]
    pub fn schema(&self) -> SchemaId {
        self.0.header.header.schema
    }

    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp::decode(&self.0.slice).map_or_else(Stamp::default, |(stamp, _)| stamp)
    }

    #[must_use]
    pub fn key(&self) -> &[u8] {
        let head = &self.0.header.header;
        &self.0.slice[usize::from(head.key_start)..][..usize::from(head.key_len)]
    }

    /// The row, or `None` if the key is deleted.
    #[must_use]
    pub fn row(&self) -> Option<Row<'_>> {
        let bytes = self.row_bytes();
        (!bytes.is_empty()).then(|| Row::new(bytes))
    }

    /// Something of each line of memory that it takes, of the first few: who has seen this finds the rest near.
    #[must_use]
    pub fn glance(&self) -> u8 {
        let lines = self.0.slice.iter().step_by(LINE_BYTES);
        lines.take(LINES_MAX).fold(0, |all, byte| all ^ byte)
    }

    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.row_bytes().is_empty()
    }

    /// Size of the allocation.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        FIXED_BYTES + self.0.slice.len()
    }

    /// Appends the form a checkpoint keeps. The cut is not in it: numbers of cuts end with the process.
    pub fn saved_bytes(&self, out: &mut Vec<u8>) {
        let head = &self.0.header.header;
        out.extend_from_slice(&head.schema.0.to_le_bytes());
        out.extend_from_slice(&head.key_start.to_le_bytes());
        out.extend_from_slice(&head.key_len.to_le_bytes());
        out.extend_from_slice(&self.0.slice);
    }

    /// Length of [`saved_bytes`](Self::saved_bytes).
    #[must_use]
    pub fn saved_len(&self) -> usize {
        SAVED_HEAD_BYTES + self.0.slice.len()
    }

    /// Reads what [`saved_bytes`](Self::saved_bytes) wrote; `None` if it is not that.
    #[must_use]
    pub fn from_saved(cut: CutId, saved: &[u8]) -> Option<Self> {
        let (&[s0, s1, s2, s3, k0, k1, l0, l1], slice) =
            saved.split_first_chunk::<SAVED_HEAD_BYTES>()?;
        let head = Head {
            cut,
            schema: SchemaId(u32::from_le_bytes([s0, s1, s2, s3])),
            key_start: u16::from_le_bytes([k0, k1]),
            key_len: u16::from_le_bytes([l0, l1]),
        };
        let (_, stamp_len) = Stamp::decode(slice)?;
        let whole = stamp_len == usize::from(head.key_start)
            && usize::from(head.key_start) + usize::from(head.key_len) <= slice.len();
        whole.then(|| Self(ThinArc::from_header_and_slice(head, slice)))
    }

    fn row_bytes(&self) -> &[u8] {
        let head = &self.0.header.header;
        &self.0.slice[usize::from(head.key_start) + usize::from(head.key_len)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, RowBuilder, SourcePosition, Value};

    fn sample(row: &[u8]) -> Version {
        let stamp = Stamp {
            epoch: Epoch(1),
            streamed: SourcePosition::from_numbers(0, &[77]),
            ..Stamp::default()
        };
        let parts = VersionParts {
            cut: CutId(9),
            schema: SchemaId(2),
            stamp: &stamp,
            key: b"key",
            row,
        };
        Version::new(parts, &mut Vec::new())
    }

    #[test]
    fn a_saved_version_reads_back_and_its_fragments_do_not() {
        let mut row = Vec::new();
        let mut builder = RowBuilder::default();
        builder.push(Value::Int(5));
        builder.finish(&mut row);
        let version = sample(&row);
        let mut saved = Vec::new();
        version.saved_bytes(&mut saved);
        let read = Version::from_saved(CutId(1), &saved).unwrap();
        assert_eq!(read.row().unwrap().get(0), Some(Value::Int(5)));
        assert_eq!(
            (read.key(), read.schema(), read.cut()),
            (&b"key"[..], SchemaId(2), CutId(1))
        );
        assert_eq!(read.stamp(), version.stamp());
        assert_eq!(saved.len(), version.saved_len());
        for cut in 0..saved.len() - row.len() {
            assert!(Version::from_saved(CutId(1), &saved[..cut]).is_none());
        }
    }

    #[test]
    fn a_version_without_a_row_is_a_deleted_key() {
        let version = sample(&[]);
        assert!(version.is_deleted() && version.row().is_none());
        assert_eq!(version.key(), b"key");
    }

    #[test]
    fn the_fixed_part_is_two_words_and_a_head() {
        assert_eq!(FIXED_BYTES, 32);
    }
}
