//! The compact encoding of a row: one run of bytes, columns addressed by offset.
//!
//! ```text
//! form:u8  count:u16  tag:u8 × count  end:width × (count - 1)  cells
//! ```
//! A cell's tag says what it holds and its end where it ends, so a row is read without its schema;
//! the schema adds only names. The last cell ends where the row does. Numbers take as few bytes as they
//! need, and the width is the smallest of 1, 2, 4 that holds the largest end: a long text at the end, where
//! tables often have one, costs the others nothing. The form is the width, and `ENDS_OPEN`: rows of older
//! checkpoints are without it, and have the last cell's end, too.

mod builder;
mod cell;

use std::ops::Range;

pub use builder::RowBuilder;
pub use cell::{CellFinder, RawCell, SmallNumber};

use crate::Value;

/// More columns than this are refused by the decoder (`PostgreSQL` stops at 1,600, `MySQL` at 4,096).
pub const COLUMNS_MAX: usize = u16::MAX as usize;

const HEADER_BYTES: usize = 3;
/// The last cell's end is not written.
const ENDS_OPEN: u8 = 1 << OPEN_SHIFT;
const OPEN_SHIFT: u8 = 7;

/// A cell's kind. The values are on disk: never renumber.
mod tag {
    pub const NULL: u8 = 0;
    pub const UNAVAILABLE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const TRUE: u8 = 3;
    pub const INT: u8 = 4;
    pub const UINT: u8 = 5;
    pub const FLOAT: u8 = 6;
    pub const NUMBER: u8 = 7;
    pub const DECIMAL: u8 = 8;
    pub const TEXT: u8 = 9;
    pub const BYTES: u8 = 10;
    pub const UUID: u8 = 11;
    pub const DATE: u8 = 12;
    pub const CLOCK: u8 = 13;
    pub const CLOCK_UTC: u8 = 14;
    pub const TIMESTAMP: u8 = 15;
    pub const INSTANT: u8 = 16;
    pub const DURATION: u8 = 17;
    pub const JSON: u8 = 18;
    pub const UNSET: u8 = 19;
    pub const KEPT: u8 = 20;
    pub const LOST: u8 = 21;
    /// The upper bits of a time's tag: 0 = seconds, 1 = milli-, 2 = micro-, 3 = nanoseconds, 4 = seconds and nanoseconds.
    pub const UNIT_SHIFT: u8 = 5;
    pub const KIND: u8 = (1 << UNIT_SHIFT) - 1;
}

const PER_SECOND: [i64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];
const SECONDS_AND_NANOS: u8 = 4;

/// Why a change that names only some columns has no value of another one. Where a row is held, its
/// value stays, null if it has no such column; only a lost one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Not set by a change that makes a row: null where none is held.
    Unset,
    /// Not set by a change of a row: [`Value::Unavailable`] where none is held.
    Kept,
    /// Set to something that was not sent whole: [`Value::Unavailable`], whatever is held.
    Lost,
}

/// A row borrowed from its version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    /// Bytes written by [`RowBuilder::finish`].
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            [_, low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])),
            _ => 0,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a column; `None` if the row has no such column.
    #[must_use]
    pub fn get(self, column: usize) -> Option<Value<'a>> {
        self.raw(column)?.value()
    }

    /// A column's cell as it is held; `None` if the row has no such column.
    #[inline]
    #[must_use]
    pub fn raw(self, column: usize) -> Option<RawCell<'a>> {
        let (tag, bytes) = self.cell(column)?;
        Some(RawCell { tag, bytes })
    }

    /// A column's tag and bytes. Not by way of all parts: a scan looks at one cell of each row.
    fn cell(self, column: usize) -> Option<(u8, &'a [u8])> {
        let count = self.len();
        if column >= count {
            return None;
        }
        let form = self.0[0];
        let width = usize::from(form & !ENDS_OPEN);
        let written = count - usize::from(form >> OPEN_SHIFT);
        let ends = self.0.get(HEADER_BYTES + count..)?;
        let cells = ends.get(written * width..)?;
        let start = if column == 0 {
            0
        } else {
            end_at(ends, column - 1, width)?
        };
        let end = if column < written {
            end_at(ends, column, width)?
        } else {
            cells.len()
        };
        Some((self.0[HEADER_BYTES + column], cells.get(start..end)?))
    }

    /// Without any columns if the bytes are no row.
    fn parts(&self) -> Parts<'a> {
        let parts = || {
            let (header, rest) = self.0.split_first_chunk::<HEADER_BYTES>()?;
            let count = self.len();
            let width = usize::from(header[0] & !ENDS_OPEN);
            let written = count - usize::from(header[0] >> OPEN_SHIFT).min(count);
            let (tags, rest) = rest.split_at_checked(count)?;
            let (ends, cells) = rest.split_at_checked(written * width)?;
            Some(Parts {
                tags,
                ends,
                width,
                cells,
            })
        };
        parts().unwrap_or_default()
    }

    /// Finds the cells of columns, sooner where they are asked for in their order.
    #[must_use]
    pub fn cells(&self) -> RowCells<'a> {
        RowCells {
            parts: self.parts(),
            next: 0,
            start: 0,
        }
    }

    /// Whether a column holds exactly this text; `None` if it holds none. Cheaper than to read it.
    #[must_use]
    pub fn is_text(self, column: usize, text: &str) -> Option<bool> {
        let cell = self.raw(column)?.text()?;
        Some(cell == text.as_bytes())
    }

    /// An integer, or a decimal with its scale, that is small: most numbers are. `None` of anything else, null too.
    #[must_use]
    pub fn small_number(self, column: usize) -> Option<SmallNumber> {
        self.raw(column)?.small_number()
    }

    /// True if some column's value is to be taken from the row that is held.
    #[must_use]
    pub fn has_unavailable(&self) -> bool {
        let tags = self.0.get(HEADER_BYTES..HEADER_BYTES + self.len());
        let is_held = |tag: &u8| matches!(*tag, tag::UNAVAILABLE | tag::UNSET | tag::KEPT);
        tags.is_some_and(|tags| tags.iter().any(is_held))
    }

    /// Why this change has no value of the column; `None` if it has one, or nobody says why.
    #[must_use]
    pub fn absent(&self, column: usize) -> Option<Absent> {
        if column >= self.len() {
            return None;
        }
        match *self.0.get(HEADER_BYTES + column)? {
            tag::UNSET => Some(Absent::Unset),
            tag::KEPT => Some(Absent::Kept),
            tag::LOST => Some(Absent::Lost),
            _ => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let row = *self;
        (0..row.len()).map(move |column| row.get(column).unwrap_or(Value::Null))
    }
}

impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The parts of a row's bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Parts<'a> {
    tags: &'a [u8],
    ends: &'a [u8],
    /// Of each end.
    width: usize,
    cells: &'a [u8],
}

impl<'a> Parts<'a> {
    fn cell(&self, column: usize, bytes: Range<usize>) -> Option<RawCell<'a>> {
        Some(RawCell {
            tag: *self.tags.get(column)?,
            bytes: self.cells.get(bytes)?,
        })
    }

    /// Where the cell of a column begins.
    fn start(&self, column: usize) -> Option<usize> {
        column
            .checked_sub(1)
            .map_or(Some(0), |before| self.end(before))
    }

    /// Where it ends.
    #[inline]
    fn end(&self, column: usize) -> Option<usize> {
        // Nearly all rows have ends of one byte. Of the last column it may not be written.
        match self.ends.get(column) {
            Some(end) if self.width == 1 => Some(usize::from(*end)),
            _ if column * self.width < self.ends.len() => end_at(self.ends, column, self.width),
            _ => Some(self.cells.len()),
        }
    }
}

fn end_at(ends: &[u8], column: usize, width: usize) -> Option<usize> {
    // Nearly all rows have ends of one byte or two, and every value that is read asks for two of them.
    if width == 1 {
        return ends.get(column).copied().map(usize::from);
    }
    let bytes = ends.get(column * width..)?;
    if let (2, Some(end)) = (width, bytes.first_chunk()) {
        return Some(usize::from(u16::from_le_bytes(*end)));
    }
    let bytes = bytes.get(..width)?.iter().rev();
    Some(bytes.fold(0, |end, byte| end << 8 | usize::from(*byte)))
}

/// A row whose cells are looked at one after another.
#[derive(Clone, Debug)]
pub struct RowCells<'a> {
    parts: Parts<'a>,
    /// The column after the one that was looked at last, and where its cell begins.
    next: usize,
    start: usize,
}

impl<'a> RowCells<'a> {
    /// A column's cell as it is held; `None` if the row has no such column.
    #[inline]
    pub fn raw(&mut self, column: usize) -> Option<RawCell<'a>> {
        let end = self.parts.end(column)?;
        let start = if column == self.next {
            self.start
        } else {
            self.parts.start(column)?
        };
        (self.next, self.start) = (column + 1, end);
        self.parts.cell(column, start..end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Decimal, Moment};

    /// Each column, in its order and the other way round.
    fn cells_agree(row: &Row<'_>) {
        let columns = 0..row.len() + 1;
        let (mut up, mut down) = (row.cells(), row.cells());
        for column in columns.clone() {
            assert_eq!(up.raw(column), row.raw(column));
        }
        for column in columns.rev() {
            assert_eq!(down.raw(column), row.raw(column));
        }
    }

    fn round_trip(values: &[Value<'_>]) {
        let mut builder = RowBuilder::default();
        for value in values {
            builder.push(*value);
        }
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        let row = Row::new(&bytes);
        assert_eq!(row.iter().collect::<Vec<_>>(), values);
        cells_agree(&row);
        assert_eq!(row.get(values.len()), None);
    }

    #[test]
    fn every_kind_of_value_survives() {
        let long = "x".repeat(70_000);
        round_trip(&[
            Value::Null,
            Value::Unavailable,
            Value::Bool(true),
            Value::Bool(false),
            Value::UInt(u64::MAX),
            Value::Float(-0.0),
            Value::Number("5.3999999999999995"),
            Value::Decimal(Decimal::new(-3, &[0x81])),
            Value::Text(""),
            Value::Bytes(&[0, 255]),
            Value::Uuid([7; 16]),
            Value::Clock(-3_020_399_000_000_000),
            Value::ClockUtc(1),
            Value::Timestamp(Moment {
                seconds: -1,
                nanos: 999_999_999,
            }),
            Value::Instant(Moment::INFINITY),
            Value::Instant(Moment {
                seconds: i64::MAX / 2,
                nanos: 1,
            }),
            Value::Json("{\"a\": 1}"),
            Value::Text(&long),
        ]);
        round_trip(&[]);
    }

    #[test]
    fn small_values_take_few_bytes() {
        let mut builder = RowBuilder::default();
        builder.push(Value::Int(0));
        builder.push(Value::Int(-128));
        builder.push(Value::Timestamp(Moment {
            seconds: 1_704_153_757,
            nanos: 261_000_000,
        }));
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        assert_eq!(bytes.len(), HEADER_BYTES + 3 + 2 + 1 + 6);
    }

    #[test]
    fn a_long_text_at_the_end_does_not_widen_the_ends() {
        let mut builder = RowBuilder::default();
        builder.push(Value::Text("short"));
        builder.push(Value::Text("short"));
        builder.push(Value::Text(&"long".repeat(100)));
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        assert_eq!(bytes.len(), HEADER_BYTES + 3 + 2 + 5 + 5 + 400);
    }

    #[test]
    fn rows_of_older_checkpoints_are_read() {
        let old = [1, 2, 0, tag::TEXT, tag::INT, 3, 4, b'o', b'l', b'd', 7];
        let read: Vec<_> = Row::new(&old).iter().collect();
        assert_eq!(read, [Value::Text("old"), Value::Int(7)]);
    }

    proptest! {
        #[test]
        fn small_numbers_are_what_their_cells_hold(int: i64, unscaled: i64, scale in -70_i32..70) {
            let mut builder = RowBuilder::default();
            builder.push(Value::Int(int));
            builder.push(Value::Decimal(Decimal::new(scale, &unscaled.to_be_bytes())));
            builder.push(Value::Decimal(Decimal::new(0, &[1; 9])));
            builder.push(Value::Null);
            let mut bytes = Vec::new();
            builder.finish(&mut bytes);
            let row = Row::new(&bytes);
            let small = |unscaled, scale, is_decimal| SmallNumber { unscaled, scale, is_decimal };
            prop_assert_eq!(row.small_number(0), Some(small(int, 0, false)));
            let is_short = (-64..64).contains(&scale);
            prop_assert_eq!(row.small_number(1), is_short.then_some(small(unscaled, scale, true)));
            prop_assert_eq!((row.small_number(2), row.small_number(3)), (None, None));
        }

        #[test]
        fn numbers_and_times_survive(
            int: i64, uint: u64, days: i64, micros: i64, nanos in -4_000_000_000_000_000_i64..4_000_000_000_000_000,
            seconds: i64, fraction in 0_u32..1_000_000_000, text: String,
        ) {
            round_trip(&[
                Value::Int(int), Value::UInt(uint), Value::Date(days), Value::Duration(micros), Value::Clock(nanos),
                Value::Timestamp(Moment { seconds, nanos: fraction }), Value::Text(&text),
            ]);
        }

        #[test]
        fn no_bytes_make_a_row_panic(bytes: Vec<u8>) {
            let row = Row::new(&bytes);
            let mut cells = row.cells();
            for column in 0..row.len().min(1000) {
                let _ = (row.get(column), cells.raw(column).and_then(RawCell::value));
            }
        }
    }
}
