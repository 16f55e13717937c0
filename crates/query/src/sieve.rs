//! The plain conditions of a filter, asked of several rows at a time.
//!
//! Most filters begin with comparisons of a row's own columns with texts, numbers and times. Asked of one row after another,
//! each in a few instructions, they take a third of the time of the whole predicate on each row. A sieve only decides
//! what it is sure of; what is left open is asked as if there were none, so it changes no answer.

use std::cmp::Ordering;
use std::sync::Arc;

use row_model::{CellFinder, RawCell, Row, Version};

use crate::compare::{Constant, Fixed, ScaledFixed};
use crate::predicate::{Check, Comparison, Layouts, Predicate};

/// Rows that are sifted at a time, at most.
const LOT_MAX: usize = u32::BITS as usize;

/// The plain conditions that a filter begins with, all of which its rows must meet.
#[derive(Debug)]
pub(crate) struct Sieve {
    tests: Vec<Test>,
    /// The filter asks for nothing else.
    is_whole: bool,
}

/// What became of the rows of a lot, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sifted {
    /// They meet the filter.
    pub met: u32,
    /// The filter is to be asked of them.
    pub open: u32,
}

impl Sifted {
    /// Nothing was asked of so many rows; `None` if they are too many at once.
    pub fn open(rows: usize) -> Option<Self> {
        let open = all(rows)?;
        Some(Self { met: 0, open })
    }

    /// The filter wants every row of so many; `None` if they are too many at once.
    pub fn met(rows: usize) -> Option<Self> {
        let met = all(rows)?;
        Some(Self { met, open: 0 })
    }

    /// The rows that are left, with whether they meet the filter.
    pub fn left(self) -> impl Iterator<Item = (usize, bool)> {
        let mut left = self.met | self.open;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            Some((at as usize, self.met >> at & 1 == 1))
        })
    }
}

/// A bit for each of so many rows.
fn all(rows: usize) -> Option<u32> {
    let others = LOT_MAX.checked_sub(rows)?;
    Some(u32::MAX.checked_shr(others as u32).unwrap_or(0))
}

#[derive(Debug)]
struct Test {
    /// Of the column, among those in use.
    slot: usize,
    /// Where it lies in the rows that were met last.
    finder: CellFinder,
    is: Plain,
}

#[derive(Debug)]
enum Plain {
    Text {
        text: Box<str>,
        equal: bool,
    },
    /// One of these integers, which are sorted.
    Among(Arc<[i64]>),
    Number {
        comparison: Comparison,
        fixed: Fixed,
        /// The same for numbers of the scale met last: nearly all of a column have it.
        scaled: Option<ScaledFixed>,
    },
    /// Times and what else is compared without being taken apart.
    Value {
        comparison: Comparison,
        constant: Constant,
    },
}

impl Sieve {
    /// `None` if the filter does not begin with a plain condition.
    pub fn of(filter: &Predicate) -> Option<Self> {
        let parts = match filter {
            Predicate::All(parts) => &parts[..],
            part => std::slice::from_ref(part),
        };
        let tests: Vec<Test> = parts.iter().map_while(Test::of).collect();
        let is_whole = tests.len() == parts.len();
        (!tests.is_empty()).then_some(Self { tests, is_whole })
    }

    /// Sifts rows; `None` if they are too many at once.
    pub fn sift(&mut self, lot: &[&Version], layouts: &mut Layouts) -> Option<Sifted> {
        let first = lot.first()?.schema();
        let places = layouts.of(first);
        let mut rows = [Row::new(&[]); LOT_MAX];
        let (mut left, mut open) = (0_u32, 0_u32);
        for (at, (place, version)) in rows.get_mut(..lot.len())?.iter_mut().zip(lot).enumerate() {
            match version.row() {
                Some(row) if version.schema() == first => {
                    *place = row;
                    left |= 1 << at;
                }
                // Of another shape.
                Some(_) => open |= 1 << at,
                None => {}
            }
        }
        for test in &mut self.tests {
            let Some(place) = places.get(test.slot).copied().flatten() else {
                // Nothing is known of a column that rows lack.
                open |= left;
                left = 0;
                break;
            };
            if test.finder.column() != place {
                test.finder = CellFinder::new(place);
            }
            let sifted = test.ask(&rows, left);
            left = sifted.met;
            open |= sifted.open;
        }
        Some(if self.is_whole {
            Sifted { met: left, open }
        } else {
            let met = 0;
            let open = open | left;
            Sifted { met, open }
        })
    }
}

impl Test {
    fn of(part: &Predicate) -> Option<Self> {
        let Predicate::Test { source, check } = part else {
            return None;
        };
        let is = match check {
            Check::In(among) => Plain::Among(Arc::clone(among.integers.as_ref()?)),
            Check::Compare(comparison, constants) => match &constants[..] {
                [Constant::Text(text)] => Plain::Text {
                    text: text.clone(),
                    equal: comparison.for_equal()?,
                },
                [Constant::Number(_, Some(fixed))] => Plain::Number {
                    comparison: *comparison,
                    fixed: *fixed,
                    scaled: None,
                },
                [constant] if constant.is_compared_at_once() => Plain::Value {
                    comparison: *comparison,
                    constant: constant.clone(),
                },
                _ => return None,
            },
            _ => return None,
        };
        let slot = source.slot;
        source.is_plain().then_some(Self {
            slot,
            finder: CellFinder::new(slot),
            is,
        })
    }

    /// Which of some rows meet it, and of which that is not to be seen at once.
    fn ask(&mut self, rows: &[Row<'_>; LOT_MAX], asked: u32) -> Sifted {
        let mut column = Column {
            rows,
            asked,
            finder: &mut self.finder,
        };
        match &mut self.is {
            Plain::Text { text, equal } => {
                column.ask(|cell| Some((cell.text()? == text.as_bytes()) == *equal))
            }
            Plain::Number {
                comparison,
                fixed,
                scaled,
            } => column.ask(|cell| {
                let number = cell.small_number()?;
                let scaled = match scaled {
                    Some(scaled) if scaled.scale() == number.scale => scaled,
                    _ => scaled.insert(fixed.at_scale(number.scale)?),
                };
                Some(comparison.is_met_by(scaled.compare(number.unscaled)))
            }),
            Plain::Among(integers) => column.ask(|cell| {
                let integer = cell.small_number()?.integer()?;
                Some(integers.binary_search(&integer).is_ok())
            }),
            Plain::Value {
                comparison,
                constant,
            } => column.ask(|cell| {
                let ordering = constant.compare(&cell.value()?)?;
                Some(comparison.is_met_by(ordering))
            }),
        }
    }
}

/// A column of some rows of a lot.
struct Column<'a> {
    rows: &'a [Row<'a>; LOT_MAX],
    asked: u32,
    finder: &'a mut CellFinder,
}

impl<'a> Column<'a> {
    /// What is answered of each cell. Without a jump that depends on the answer: it would be foreseen wrongly too often.
    fn ask(&mut self, mut ask: impl FnMut(RawCell<'a>) -> Option<bool>) -> Sifted {
        let mut sifted = Sifted::default();
        let mut asked = self.asked;
        while asked != 0 {
            let at = asked.trailing_zeros();
            asked &= asked - 1;
            let cell = self.finder.cell(self.rows[at as usize]);
            let answer = cell.and_then(&mut ask);
            sifted.met |= u32::from(answer == Some(true)) << at;
            sifted.open |= u32::from(answer.is_none()) << at;
        }
        sifted
    }
}

impl Comparison {
    fn is_met_by(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_has_a_bit_for_each_of_its_rows() {
        let left = |rows| Some(Sifted::met(rows)?.left().count());
        assert_eq!(
            [0, 1, 16, 32, 33].map(left),
            [Some(0), Some(1), Some(16), Some(32), None]
        );
        let some = Sifted {
            met: 0b100,
            open: 0b1010,
        };
        let expected = [(1, false), (2, true), (3, false)];
        assert_eq!(some.left().collect::<Vec<_>>(), expected);
    }
}
