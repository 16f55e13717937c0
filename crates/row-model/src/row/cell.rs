//! One column of a row: where it lies, and what it holds.

use super::{ENDS_OPEN, HEADER_BYTES, PER_SECOND, Row, SECONDS_AND_NANOS, tag};
use crate::{Decimal, Moment, Value, varint};

/// A cell that was not read. Equal ones hold equal values; others may, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawCell<'a> {
    pub tag: u8,
    pub bytes: &'a [u8],
}

impl<'a> RawCell<'a> {
    /// The bytes of a text, which were UTF-8 when they were written; `None` of anything else.
    #[inline]
    #[must_use]
    pub fn text(self) -> Option<&'a [u8]> {
        (self.tag & tag::KIND == tag::TEXT).then_some(self.bytes)
    }

    /// What it holds; `None` if it was damaged.
    #[inline]
    #[must_use]
    pub fn value(self) -> Option<Value<'a>> {
        read(self.tag, self.bytes)
    }

    /// An integer, or a decimal with its scale, that is small: most numbers are. `None` of anything else, null too.
    #[inline]
    #[must_use]
    pub fn small_number(self) -> Option<SmallNumber> {
        read_small(self.tag, self.bytes)
    }
}

/// An integer or a decimal, `unscaled × 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallNumber {
    pub unscaled: i64,
    pub scale: i32,
    pub is_decimal: bool,
}

impl SmallNumber {
    /// The number, if it was written without digits behind a point.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        (self.scale == 0).then_some(self.unscaled)
    }
}

/// Finds a column in rows that come one after another: in nearly all it lies where it lay in the one before.
#[derive(Clone, Copy, Debug)]
pub struct CellFinder {
    column: usize,
    spot: Option<Spot>,
}

impl CellFinder {
    #[must_use]
    pub fn new(column: usize) -> Self {
        Self { column, spot: None }
    }

    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What [`Row::raw`] finds.
    #[inline]
    pub fn cell<'a>(&mut self, row: Row<'a>) -> Option<RawCell<'a>> {
        let cell = self.spot.and_then(|spot| spot.cell(row));
        cell.or_else(|| self.cell_anew(row))
    }

    #[inline(never)]
    fn cell_anew<'a>(&mut self, row: Row<'a>) -> Option<RawCell<'a>> {
        self.spot = Spot::of(row, self.column);
        row.raw(self.column)
    }
}

/// Where a column lies in rows of one form.
#[derive(Clone, Copy, Debug)]
struct Spot {
    header: [u8; HEADER_BYTES],
    tag: usize,
    /// Where it is written where the cell begins, and where it ends, among all cells: unless there, or at the end.
    start: Option<usize>,
    end: Option<usize>,
    cells: usize,
}

impl Spot {
    /// Of the form of a row; `None` if that is not the usual one, or has no such column.
    fn of(row: Row<'_>, column: usize) -> Option<Self> {
        let header = *row.0.first_chunk()?;
        let count = row.len();
        // Ends of one byte, and the last cell's is not written.
        if header[0] != ENDS_OPEN | 1 || column >= count {
            return None;
        }
        let ends = HEADER_BYTES + count;
        let last = count - 1;
        Some(Self {
            header,
            tag: HEADER_BYTES + column,
            start: column.checked_sub(1).map(|before| ends + before),
            end: (column < last).then_some(ends + column),
            cells: ends + last,
        })
    }

    /// The cell of the column in a row; `None` if that is of another form.
    #[inline]
    fn cell<'a>(&self, row: Row<'a>) -> Option<RawCell<'a>> {
        let bytes = row.0;
        if *bytes.first_chunk()? != self.header {
            return None;
        }
        let cells = bytes.get(self.cells..)?;
        let start = self.start.map_or(0, |at| usize::from(bytes[at]));
        let end = self.end.map_or(cells.len(), |at| usize::from(bytes[at]));
        Some(RawCell {
            tag: bytes[self.tag],
            bytes: cells.get(start..end)?,
        })
    }
}

// Parts of cells are handed on one by one: put together in memory and taken apart again they would be waited for.

fn read(tagged: u8, cell: &[u8]) -> Option<Value<'_>> {
    let unit = tagged >> tag::UNIT_SHIFT;
    let text = || std::str::from_utf8(cell).ok();
    Some(match tagged & tag::KIND {
        tag::NULL | tag::UNSET => Value::Null,
        tag::UNAVAILABLE | tag::KEPT | tag::LOST => Value::Unavailable,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::INT => Value::Int(read_int(cell)?),
        tag::UINT => {
            let mut bytes = [0; 8];
            bytes.get_mut(..cell.len())?.copy_from_slice(cell);
            Value::UInt(u64::from_le_bytes(bytes))
        }
        tag::FLOAT => Value::Float(f64::from_le_bytes(cell.try_into().ok()?)),
        tag::NUMBER => Value::Number(text()?),
        tag::DECIMAL => {
            let (zigzag, len) = varint::get(cell)?;
            let zigzag = u32::try_from(zigzag).ok()?;
            let scale = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
            Value::Decimal(Decimal {
                scale,
                unscaled: &cell[len..],
            })
        }
        tag::TEXT => Value::Text(text()?),
        tag::BYTES => Value::Bytes(cell),
        tag::UUID => Value::Uuid(cell.try_into().ok()?),
        tag::DATE => Value::Date(read_int(cell)?),
        tag::CLOCK => Value::Clock(read_nanos(unit, cell)?),
        tag::CLOCK_UTC => Value::ClockUtc(read_nanos(unit, cell)?),
        tag::TIMESTAMP => Value::Timestamp(read_moment(unit, cell)?),
        tag::INSTANT => Value::Instant(read_moment(unit, cell)?),
        tag::DURATION => Value::Duration(read_int(cell)?),
        tag::JSON => Value::Json(text()?),
        _ => return None,
    })
}

fn read_small(tagged: u8, cell: &[u8]) -> Option<SmallNumber> {
    match tagged & tag::KIND {
        tag::INT => Some(SmallNumber {
            unscaled: read_int(cell)?,
            scale: 0,
            is_decimal: false,
        }),
        tag::DECIMAL => {
            let (zigzag, unscaled) = cell.split_first()?;
            // One byte of scale, and digits that a register holds.
            if *zigzag >= 0x80 || unscaled.is_empty() || unscaled.len() > 8 {
                return None;
            }
            let seed = i64::from(unscaled[0] as i8) >> 7;
            let digits = unscaled.iter();
            let unscaled = digits.fold(seed, |all, byte| all << 8 | i64::from(*byte));
            Some(SmallNumber {
                unscaled,
                scale: i32::from(zigzag >> 1) ^ -i32::from(zigzag & 1),
                is_decimal: true,
            })
        }
        _ => None,
    }
}

fn read_int(cell: &[u8]) -> Option<i64> {
    let Some((last, rest)) = cell.split_last() else {
        return Some(0);
    };
    // A loop over so few bytes is sooner done than a copy of so many as there are.
    let number = rest
        .iter()
        .rev()
        .fold(i64::from(*last as i8), |high, byte| {
            high << 8 | i64::from(*byte)
        });
    (rest.len() < 8).then_some(number)
}

fn read_nanos(unit: u8, cell: &[u8]) -> Option<i64> {
    read_int(cell)?.checked_mul(1_000_000_000 / PER_SECOND.get(usize::from(unit))?)
}

fn read_moment(unit: u8, cell: &[u8]) -> Option<Moment> {
    if unit == SECONDS_AND_NANOS {
        let (nanos, seconds) = cell.split_first_chunk::<4>()?;
        return Some(Moment {
            seconds: read_int(seconds)?,
            nanos: u32::from_le_bytes(*nanos),
        });
    }
    let units = read_int(cell)?;
    // To divide by what is known beforehand takes a few cycles, by anything else some forty.
    Some(match unit {
        0 => Moment::from_units(units, PER_SECOND[0]),
        1 => Moment::from_units(units, PER_SECOND[1]),
        2 => Moment::from_units(units, PER_SECOND[2]),
        3 => Moment::from_units(units, PER_SECOND[3]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::RowBuilder;

    fn row(texts: &[String]) -> Vec<u8> {
        let mut builder = RowBuilder::default();
        for text in texts {
            builder.push(Value::Text(text));
        }
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        bytes
    }

    /// Of a checkpoint from before the last end was left out.
    fn older(texts: &[String]) -> Vec<u8> {
        let count = texts.len() as u8;
        let ends = texts.iter().scan(0, |end, text| {
            *end += text.len() as u8;
            Some(*end)
        });
        let tags = texts.iter().map(|_| tag::TEXT);
        let header = [1, count, 0].into_iter().chain(tags).chain(ends);
        header.chain(texts.concat().into_bytes()).collect()
    }

    proptest! {
        #[test]
        fn a_finder_finds_what_the_row_has_whatever_was_before(
            rows in prop::collection::vec(prop_oneof![
                4 => prop::collection::vec("[a-z]{0,3}|[a-z]{200}", 3).prop_map(|texts| row(&texts)),
                1 => prop::collection::vec("[a-z]{0,3}|[a-z]{200}", 0..5).prop_map(|texts| row(&texts)),
                1 => prop::collection::vec("[a-z]{0,9}", 0..5).prop_map(|texts| older(&texts)),
                1 => any::<Vec<u8>>(),
            ], 1..20),
        ) {
            for column in 0..5 {
                let mut finder = CellFinder::new(column);
                for row in rows.iter().map(|bytes| Row::new(bytes)) {
                    prop_assert_eq!(finder.cell(row), row.raw(column));
                }
            }
        }
    }
}
