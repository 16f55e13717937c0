//! What a slot remembers beside its row: how the row came to be, so that time never turns back.
//!
//! Encoded in front of the key in a version's bytes, a few bytes long in the common case.

use crate::varint;
use crate::{Epoch, SourcePosition};

/// Which source table a row came from, where one topic carries several (routers). 0 = the first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginId(pub u16);

/// Everything key order and snapshot sweeps need to know about the last writer of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    pub epoch: Epoch,
    /// Position of the last *streamed* change that wrote or deleted the key.
    pub streamed: Option<SourcePosition>,
    /// Position of the snapshot row that is held, if a snapshot wrote it.
    pub snapshot: Option<SourcePosition>,
    pub origin: OriginId,
    /// When the row was written at its source, milliseconds since 1970; only in tables that are bounded
    /// by age or number, whose oldest rows go first.
    pub written_ms: Option<i64>,
}

const HAS_STREAMED: u8 = 1;
const HAS_SNAPSHOT: u8 = 2;
const HAS_ORIGIN: u8 = 4;
const HAS_WRITTEN: u8 = 8;

impl Stamp {
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(
            flag(self.streamed.is_some(), HAS_STREAMED)
                | flag(self.snapshot.is_some(), HAS_SNAPSHOT)
                | flag(self.origin.0 != 0, HAS_ORIGIN)
                | flag(self.written_ms.is_some(), HAS_WRITTEN),
        );
        varint::put(u64::from(self.epoch.0), out);
        for position in [&self.streamed, &self.snapshot].into_iter().flatten() {
            varint::put(position.domain(), out);
            out.push(position.as_bytes().len() as u8);
            out.extend_from_slice(position.as_bytes());
        }
        if self.origin.0 != 0 {
            varint::put(u64::from(self.origin.0), out);
        }
        if let Some(written_ms) = self.written_ms {
            out.extend_from_slice(&written_ms.to_le_bytes());
        }
    }

    /// Reads a stamp from the front of `bytes`; `None` if they are not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let flags = *bytes.first()?;
        let mut at = 1;
        let number = |at: &mut usize| {
            let (value, len) = varint::get(bytes.get(*at..)?)?;
            *at += len;
            Some(value)
        };
        let position = |at: &mut usize| {
            let domain = number(at)?;
            let len = usize::from(*bytes.get(*at)?);
            let order = bytes.get(*at + 1..*at + 1 + len)?;
            *at += 1 + len;
            SourcePosition::from_bytes(domain, order)
        };
        let mut stamp = Self {
            epoch: Epoch(u32::try_from(number(&mut at)?).ok()?),
            ..Self::default()
        };
        if flags & HAS_STREAMED != 0 {
            stamp.streamed = Some(position(&mut at)?);
        }
        if flags & HAS_SNAPSHOT != 0 {
            stamp.snapshot = Some(position(&mut at)?);
        }
        if flags & HAS_ORIGIN != 0 {
            stamp.origin = OriginId(u16::try_from(number(&mut at)?).ok()?);
        }
        if flags & HAS_WRITTEN != 0 {
            let written_ms = bytes.get(at..)?.first_chunk()?;
            stamp.written_ms = Some(i64::from_le_bytes(*written_ms));
            at += written_ms.len();
        }
        Some((stamp, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive_encoding() {
        let lsn = SourcePosition::from_numbers(0, &[851_657_488]);
        let stamps = [
            Stamp::default(),
            Stamp {
                epoch: Epoch(3),
                streamed: lsn,
                ..Stamp::default()
            },
            Stamp {
                snapshot: lsn,
                origin: OriginId(2),
                ..Stamp::default()
            },
            Stamp {
                written_ms: Some(-5),
                origin: OriginId(2),
                ..Stamp::default()
            },
        ];
        for stamp in stamps {
            let mut bytes = Vec::new();
            stamp.encode(&mut bytes);
            assert_eq!(Stamp::decode(&bytes), Some((stamp, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(Stamp::decode(&bytes[..cut]), None);
            }
        }
    }
}
