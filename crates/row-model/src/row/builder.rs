//! Writes rows.

use super::{Absent, COLUMNS_MAX, ENDS_OPEN, HEADER_BYTES, PER_SECOND, SECONDS_AND_NANOS, tag};
use crate::{Decimal, Moment, Value, varint};

/// Collects the cells of one row after another; reused, so that a row costs no allocation.
#[derive(Debug, Default)]
pub struct RowBuilder {
    tags: Vec<u8>,
    ends: Vec<u32>,
    cells: Vec<u8>,
}

impl RowBuilder {
    /// Number of cells pushed since the last [`finish`](Self::finish) or [`clear`](Self::clear).
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Bytes of the cells pushed so far.
    #[must_use]
    pub fn cell_bytes(&self) -> usize {
        self.cells.len()
    }

    pub fn clear(&mut self) {
        self.tags.clear();
        self.ends.clear();
        self.cells.clear();
    }

    /// Appends the next column's cell.
    pub fn push(&mut self, value: Value<'_>) {
        let tag = match value {
            Value::Null => tag::NULL,
            Value::Unavailable => tag::UNAVAILABLE,
            Value::Bool(false) => tag::FALSE,
            Value::Bool(true) => tag::TRUE,
            Value::Int(number) => self.int(tag::INT, number),
            Value::UInt(number) => self.bytes(tag::UINT, trimmed(&number.to_le_bytes())),
            Value::Float(number) => self.bytes(tag::FLOAT, &number.to_le_bytes()),
            Value::Number(text) => self.bytes(tag::NUMBER, text.as_bytes()),
            Value::Decimal(decimal) => self.decimal(decimal),
            Value::Text(text) => return self.push_text(text),
            Value::Bytes(bytes) => self.bytes(tag::BYTES, bytes),
            Value::Uuid(uuid) => self.bytes(tag::UUID, &uuid),
            Value::Date(days) => self.int(tag::DATE, days),
            Value::Clock(nanos) => self.clock(tag::CLOCK, nanos),
            Value::ClockUtc(nanos) => self.clock(tag::CLOCK_UTC, nanos),
            Value::Timestamp(at) => self.moment(tag::TIMESTAMP, at),
            Value::Instant(at) => self.moment(tag::INSTANT, at),
            Value::Duration(micros) => self.int(tag::DURATION, micros),
            Value::Json(text) => self.bytes(tag::JSON, text.as_bytes()),
        };
        self.tags.push(tag);
        self.ends.push(self.cells.len() as u32);
    }

    /// The same for a text.
    pub fn push_text(&mut self, text: &str) {
        self.cells.extend_from_slice(text.as_bytes());
        self.tags.push(tag::TEXT);
        self.ends.push(self.cells.len() as u32);
    }

    /// Appends the next column's cell, of which this change has no value.
    pub fn push_absent(&mut self, why: Absent) {
        self.tags.push(match why {
            Absent::Unset => tag::UNSET,
            Absent::Kept => tag::KEPT,
            Absent::Lost => tag::LOST,
        });
        self.ends.push(self.cells.len() as u32);
    }

    /// Writes the row to the end of `out` and forgets it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        assert!(
            self.tags.len() <= COLUMNS_MAX,
            "a row of {} columns",
            self.tags.len()
        );
        self.ends.pop();
        let width = match self.ends.last() {
            None | Some(0..=0xff) => 1,
            Some(0x100..=0xffff) => 2,
            Some(_) => 4,
        };
        out.reserve(HEADER_BYTES + self.tags.len() * (1 + width) + self.cells.len());
        out.push(width as u8 | ENDS_OPEN);
        out.extend_from_slice(&(self.tags.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.tags);
        match width {
            1 => out.extend(self.ends.iter().map(|end| *end as u8)),
            2 => self.put_ends(out, |end| (end as u16).to_le_bytes()),
            _ => self.put_ends(out, u32::to_le_bytes),
        }
        out.extend_from_slice(&self.cells);
        self.clear();
    }

    fn put_ends<const WIDTH: usize>(&self, out: &mut Vec<u8>, spelled: fn(u32) -> [u8; WIDTH]) {
        for end in &self.ends {
            out.extend_from_slice(&spelled(*end));
        }
    }

    fn bytes(&mut self, tag: u8, bytes: &[u8]) -> u8 {
        self.cells.extend_from_slice(bytes);
        tag
    }

    fn int(&mut self, tag: u8, number: i64) -> u8 {
        // All eight and back again: a copy of a length that is known takes a fraction of one that is not.
        let end = self.cells.len() + int_len(number);
        self.cells.extend_from_slice(&number.to_le_bytes());
        self.cells.truncate(end);
        tag
    }

    fn decimal(&mut self, decimal: Decimal<'_>) -> u8 {
        let zigzag = (decimal.scale << 1) ^ (decimal.scale >> 31);
        varint::put(u64::from(zigzag as u32), &mut self.cells);
        self.bytes(tag::DECIMAL, decimal.unscaled)
    }

    fn clock(&mut self, tag: u8, nanos: i64) -> u8 {
        let unit = coarsest_unit(nanos.unsigned_abs() % 1_000_000_000);
        self.int(
            tag | unit << tag::UNIT_SHIFT,
            nanos / (1_000_000_000 / PER_SECOND[usize::from(unit)]),
        )
    }

    fn moment(&mut self, tag: u8, at: Moment) -> u8 {
        let unit = coarsest_unit(u64::from(at.nanos));
        let per_second = PER_SECOND[usize::from(unit)];
        let fraction = i64::from(at.nanos) / (1_000_000_000 / per_second);
        let units = at.seconds.checked_mul(per_second);
        if let Some(units) = units.and_then(|units| units.checked_add(fraction)) {
            return self.int(tag | unit << tag::UNIT_SHIFT, units);
        }
        self.cells.extend_from_slice(&at.nanos.to_le_bytes());
        self.int(tag | SECONDS_AND_NANOS << tag::UNIT_SHIFT, at.seconds)
    }
}

/// The largest unit (as an index into [`PER_SECOND`]) in which this fraction of a second is whole.
fn coarsest_unit(nanos: u64) -> u8 {
    match nanos {
        0 => 0,
        nanos if nanos % 1_000_000 == 0 => 1,
        nanos if nanos % 1_000 == 0 => 2,
        _ => 3,
    }
}

/// Bytes needed to hold `number` in two's complement; none for zero.
fn int_len(number: i64) -> usize {
    if number == 0 {
        return 0;
    }
    let magnitude = if number < 0 { !number } else { number };
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let len = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    &bytes[..len]
}
