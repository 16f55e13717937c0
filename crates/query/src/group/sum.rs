//! The sum and the average of numbers of any type.
//!
//! Integers and decimals are added as integers of one scale, the greatest that was met: in 128 bits as long
//! as they fit, which is nearly always, and in as many as it takes from then on.

use num_bigint::BigInt;
use row_model::{Decimal, RowBuilder, SmallNumber, Value};

use super::average::average;
use super::error::{GroupError, described};
use super::float_sum::FloatSum;

/// Longer numbers are refused: what a row says must not decide what a query costs. About 1,200 digits.
const UNSCALED_BYTES_MAX: usize = 512;
const SCALE_MAX: u32 = 1_000;

/// What the numbers of one group add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    /// Values that are not null.
    count: u64,
    exact: Option<Exact>,
    floats: Option<Box<FloatSum>>,
    /// Not a number and the infinities, which no sum of others changes.
    special: Option<f64>,
    /// There are decimals among the numbers, so the sum is one.
    is_decimal: bool,
}

/// `unscaled × 10^-scale`.
#[derive(Clone, Debug)]
struct Exact {
    unscaled: Unscaled,
    scale: i32,
}

#[derive(Clone, Debug)]
enum Unscaled {
    Small(i128),
    Great(Box<BigInt>),
}

impl Sum {
    /// Adds a value; what is null is not one.
    pub fn add(&mut self, value: Value<'_>, function: &'static str) -> Result<(), GroupError> {
        match value {
            Value::Null | Value::Unavailable => return Ok(()),
            Value::Int(number) => self.add_exact(Unscaled::Small(i128::from(number)), 0),
            Value::UInt(number) => self.add_exact(Unscaled::Small(i128::from(number)), 0),
            Value::Float(number) if number.is_finite() => {
                self.floats.get_or_insert_default().add(number);
            }
            Value::Float(special) => self.add_special(special),
            Value::Decimal(decimal) => {
                self.is_decimal = true;
                self.add_decimal(decimal)?;
            }
            Value::Number(text) => {
                let (scale, unscaled) =
                    Decimal::parse(text).map_err(|_| GroupError::TooManyDigits)?;
                self.add_decimal(Decimal::new(scale, &unscaled))?;
            }
            other => {
                let what = described(&other);
                return Err(GroupError::NotSummable { function, what });
            }
        }
        self.count += 1;
        Ok(())
    }

    /// The same for what most numbers are.
    pub fn add_small(&mut self, number: SmallNumber) {
        self.count += 1;
        self.is_decimal |= number.is_decimal;
        let unscaled = i128::from(number.unscaled);
        if let Some(exact) = &mut self.exact
            && let Unscaled::Small(sum) = &mut exact.unscaled
            && exact.scale == number.scale
            && let Some(more) = sum.checked_add(unscaled)
        {
            *sum = more;
        } else {
            self.add_exact(Unscaled::Small(unscaled), number.scale);
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.is_decimal |= other.is_decimal;
        if let Some(exact) = other.exact {
            self.add_exact(exact.unscaled, exact.scale);
        }
        if let Some(floats) = other.floats {
            self.floats.get_or_insert_default().merge(&floats);
        }
        if let Some(special) = other.special {
            self.add_special(special);
        }
    }

    /// Memory beside the sum itself.
    pub fn held_bytes(&self) -> usize {
        let exact = self
            .exact
            .as_ref()
            .map_or(0, |exact| exact.unscaled.held_bytes());
        exact
            + self
                .floats
                .as_ref()
                .map_or(0, |floats| floats.memory_bytes())
    }

    /// Appends the sum as a cell: an integer of integers, a decimal of decimals, a float if there was one.
    pub fn push_sum(&self, row: &mut RowBuilder) {
        match (self.float(), &self.exact) {
            (Some(float), _) => row.push(Value::Float(float)),
            (None, Some(exact)) => exact.push(self.is_decimal, row),
            (None, None) => row.push(Value::Null),
        }
    }

    /// Appends the average as a cell: a float if there was one, else a decimal.
    pub fn push_average(&self, row: &mut RowBuilder) {
        match (self.float(), &self.exact) {
            (Some(float), _) => row.push(Value::Float(float / self.count as f64)),
            (None, Some(exact)) => {
                let (average, scale) = average(&exact.unscaled.to_great(), exact.scale, self.count);
                push_decimal(&average, scale, row);
            }
            (None, None) => row.push(Value::Null),
        }
    }

    /// The sum, if it is a float.
    fn float(&self) -> Option<f64> {
        if self.special.is_some() {
            return self.special;
        }
        let floats = self.floats.as_ref()?;
        let Some(exact) = &self.exact else {
            return Some(floats.total());
        };
        let mut all = floats.clone();
        // A number that no float holds is as good as infinite beside one.
        let nearest: f64 = exact.plain().parse().unwrap_or(f64::NAN);
        if nearest.is_finite() {
            all.add(nearest);
            return Some(all.total());
        }
        Some(nearest)
    }

    fn add_special(&mut self, special: f64) {
        // Infinity less infinity is not a number.
        self.special = Some(self.special.unwrap_or(special) + special);
    }

    fn add_decimal(&mut self, decimal: Decimal<'_>) -> Result<(), GroupError> {
        let Decimal { scale, unscaled } = decimal;
        if unscaled.len() > UNSCALED_BYTES_MAX || scale.unsigned_abs() > SCALE_MAX {
            return Err(GroupError::TooManyDigits);
        }
        let unscaled = match decimal.small() {
            Some(small) => Unscaled::Small(small),
            None => Unscaled::great(BigInt::from_signed_bytes_be(unscaled)),
        };
        self.add_exact(unscaled, scale);
        Ok(())
    }

    fn add_exact(&mut self, unscaled: Unscaled, scale: i32) {
        match &mut self.exact {
            Some(exact) => exact.add(unscaled, scale),
            None => self.exact = Some(Exact { unscaled, scale }),
        }
    }
}

impl Exact {
    fn add(&mut self, mut unscaled: Unscaled, scale: i32) {
        if scale > self.scale {
            self.unscaled.shift(scale.abs_diff(self.scale));
            self.scale = scale;
        } else if scale < self.scale {
            unscaled.shift(scale.abs_diff(self.scale));
        }
        self.unscaled.add(unscaled);
    }

    fn push(&self, is_decimal: bool, row: &mut RowBuilder) {
        if is_decimal {
            return push_decimal(&self.unscaled.to_great(), self.scale, row);
        }
        let machine = match &self.unscaled {
            Unscaled::Small(number) if self.scale == 0 => Some(*number),
            _ => None,
        };
        let signed = machine.and_then(|number| i64::try_from(number).ok());
        let unsigned = machine.and_then(|number| u64::try_from(number).ok());
        match (signed, unsigned) {
            (Some(number), _) => row.push(Value::Int(number)),
            (None, Some(number)) => row.push(Value::UInt(number)),
            (None, None) => row.push(Value::Number(&self.plain())),
        }
    }

    fn plain(&self) -> String {
        let bytes = self.unscaled.to_great().to_signed_bytes_be();
        Decimal::new(self.scale, &bytes).to_plain()
    }
}

impl Unscaled {
    fn great(number: BigInt) -> Self {
        Self::Great(Box::new(number))
    }

    fn to_great(&self) -> BigInt {
        match self {
            Self::Small(number) => BigInt::from(*number),
            Self::Great(number) => (**number).clone(),
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Small(_) => 0,
            Self::Great(number) => size_of::<BigInt>() + number.bits().div_ceil(8) as usize,
        }
    }

    /// Times 10 to the power of `places`.
    fn shift(&mut self, places: u32) {
        if let Self::Small(number) = self {
            let power = 10_i128.checked_pow(places);
            if let Some(shifted) = power.and_then(|power| number.checked_mul(power)) {
                *number = shifted;
                return;
            }
        }
        *self = Self::great(self.to_great() * BigInt::from(10).pow(places));
    }

    fn add(&mut self, other: Self) {
        if let (Self::Small(own), Self::Small(other)) = (&*self, &other)
            && let Some(sum) = own.checked_add(*other)
        {
            *self = Self::Small(sum);
            return;
        }
        let mut sum = self.to_great();
        match other {
            Self::Small(number) => sum += number,
            Self::Great(number) => sum += *number,
        }
        *self = Self::great(sum);
    }
}

fn push_decimal(unscaled: &BigInt, scale: i32, row: &mut RowBuilder) {
    let bytes = unscaled.to_signed_bytes_be();
    row.push(Value::Decimal(Decimal::new(scale, &bytes)));
}

/// What the durations of one group add up to, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Durations {
    count: u64,
    micros: i128,
}

impl Durations {
    pub fn add(&mut self, value: Value<'_>, function: &'static str) -> Result<(), GroupError> {
        match value {
            Value::Null | Value::Unavailable => return Ok(()),
            Value::Duration(micros) => self.micros += i128::from(micros),
            other => {
                let what = described(&other);
                return Err(GroupError::NotSummable { function, what });
            }
        }
        self.count += 1;
        Ok(())
    }

    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.micros += other.micros;
    }

    /// Appends the sum, or the average to the next microsecond.
    pub fn push(self, averaged: bool, row: &mut RowBuilder) -> Result<(), GroupError> {
        if self.count == 0 {
            row.push(Value::Null);
            return Ok(());
        }
        let count = i128::from(self.count);
        let micros = if averaged {
            let half = count / 2 * self.micros.signum();
            (self.micros + half) / count
        } else {
            self.micros
        };
        row.push(Value::Duration(
            i64::try_from(micros).map_err(|_| GroupError::OutOfRange)?,
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use row_model::Row;

    use super::*;

    fn summed(values: &[Value<'_>]) -> (String, String) {
        let mut sum = Sum::default();
        for value in values {
            sum.add(*value, "sum").unwrap();
        }
        let mut row = RowBuilder::default();
        sum.push_sum(&mut row);
        sum.push_average(&mut row);
        let mut out = Vec::new();
        row.finish(&mut out);
        let row = Row::new(&out);
        let shown = |at| match row.get(at).unwrap() {
            Value::Decimal(decimal) => decimal.to_plain(),
            other => format!("{other:?}"),
        };
        (shown(0), shown(1))
    }

    fn check(values: &[Value<'_>], sum: &str, average: &str) {
        let turned: Vec<Value<'_>> = values.iter().rev().copied().collect();
        assert_eq!(summed(values), (sum.to_owned(), average.to_owned()));
        assert_eq!(summed(&turned), (sum.to_owned(), average.to_owned()));
    }

    #[test]
    fn a_sum_is_of_its_values_type_and_whole() {
        let cent = Value::Decimal(Decimal::new(2, &[1]));
        let ten = Value::Decimal(Decimal::new(-1, &[1]));
        check(&[Value::Null, Value::Unavailable], "Null", "Null");
        check(
            &[Value::Int(1), Value::Null, Value::Int(2)],
            "Int(3)",
            "1.5000000000000000",
        );
        check(
            &[Value::Int(i64::MAX), Value::Int(1)],
            "UInt(9223372036854775808)",
            "4611686018427387904",
        );
        check(
            &[Value::UInt(u64::MAX), Value::Int(1)],
            "Number(\"18446744073709551616\")",
            "9223372036854775808",
        );
        check(
            &[Value::Int(i64::MIN), Value::Int(-1)],
            "Number(\"-9223372036854775809\")",
            "-4611686018427387905",
        );
        check(&[cent, cent], "0.02", "0.01000000000000000000");
        check(&[cent, ten, Value::Int(1)], "11.01", "3.6700000000000000");
        check(&[ten, ten], "20", "10.0000000000000000");
        check(
            &[Value::Number("0.5"), Value::Int(1)],
            "Number(\"1.5\")",
            "0.75000000000000000000",
        );
    }

    #[test]
    fn floats_make_a_float_and_what_is_not_a_number_stays() {
        let (nan, infinite) = (Value::Float(f64::NAN), Value::Float(f64::INFINITY));
        check(
            &[Value::Float(0.1), Value::Float(0.2)],
            "Float(0.30000000000000004)",
            "Float(0.15000000000000002)",
        );
        check(
            &[Value::Float(0.5), Value::Int(1), Value::Number("0.25")],
            "Float(1.75)",
            "Float(0.5833333333333334)",
        );
        check(&[Value::Int(1), nan], "Float(NaN)", "Float(NaN)");
        check(&[infinite, Value::Int(1)], "Float(inf)", "Float(inf)");
        check(
            &[infinite, Value::Float(f64::NEG_INFINITY)],
            "Float(NaN)",
            "Float(NaN)",
        );
    }

    #[test]
    fn what_cannot_be_summed_is_refused() {
        let refused = |value| Sum::default().add(value, "sum").unwrap_err().to_string();
        assert_eq!(
            refused(Value::Text("1")),
            "sum was asked of a column that has text in it"
        );
        assert_eq!(
            refused(Value::Number("1e1001")),
            "a number of more than 1000 digits cannot be summed"
        );
        let mut durations = Durations::default();
        durations.add(Value::Duration(i64::MAX), "sum").unwrap();
        durations.add(Value::Duration(i64::MAX), "sum").unwrap();
        let mut row = RowBuilder::default();
        assert_eq!(durations.push(false, &mut row), Err(GroupError::OutOfRange));
        assert_eq!(durations.push(true, &mut row), Ok(()));
    }

    #[test]
    fn small_numbers_add_up_as_their_values_do() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let (mut small, mut whole) = (Sum::default(), Sum::default());
            for _ in 0..random.usize(1..6) {
                let unscaled = random.i64(..) >> random.u32(0..64);
                let is_decimal = random.bool();
                let scale = if is_decimal { random.i32(-3..4) } else { 0 };
                let bytes = unscaled.to_be_bytes();
                let value = if is_decimal {
                    Value::Decimal(Decimal::new(scale, &bytes))
                } else {
                    Value::Int(unscaled)
                };
                small.add_small(SmallNumber {
                    unscaled,
                    scale,
                    is_decimal,
                });
                whole.add(value, "sum").unwrap();
            }
            let cells = |sum: &Sum| {
                let (mut row, mut cells) = (RowBuilder::default(), Vec::new());
                sum.push_sum(&mut row);
                sum.push_average(&mut row);
                row.finish(&mut cells);
                cells
            };
            assert_eq!(cells(&small), cells(&whole));
        }
    }
}
