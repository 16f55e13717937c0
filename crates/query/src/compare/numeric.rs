//! Numbers by their decimal digits, so that every type of number compares with every other exactly.
//!
//! Never multiplies anything out: `1e199999` takes as little time as `1`.

use std::cmp::Ordering;

use row_model::{Decimal, Value};

/// A number as `0.digits × 10^exponent`. Ordered as numbers are; not a number is the greatest, and equals itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    NegInfinity,
    Finite(Exact),
    Infinity,
    NaN,
}

/// Zero has no digits. Otherwise neither the first nor the last digit is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    pub negative: bool,
    pub exponent: i64,
    pub digits: Vec<u8>,
}

impl Number {
    /// `None` for what is no number.
    pub fn of(value: Value<'_>) -> Option<Self> {
        let finite = |digits| Some(Self::Finite(digits));
        match value {
            Value::Int(number) => finite(of_integer(number < 0, number.unsigned_abs())),
            Value::UInt(number) => finite(of_integer(false, number)),
            Value::Float(number) if number.is_nan() => Some(Self::NaN),
            Value::Float(number) if number.is_infinite() => Some(if number > 0.0 {
                Self::Infinity
            } else {
                Self::NegInfinity
            }),
            // The shortest digits that read back as this number, which are those of answers.
            Value::Float(number) => finite(Exact::parse(ryu::Buffer::new().format_finite(number))?),
            Value::Number(text) => finite(Exact::parse(text)?),
            Value::Decimal(decimal) => finite(of_decimal(decimal)),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::NegInfinity => 0,
            Self::Finite(_) => 1,
            Self::Infinity => 2,
            Self::NaN => 3,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Finite(one), Self::Finite(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Exact {
    /// Reads plain or scientific notation.
    pub fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        valid.then(|| Self::trimmed(negative, exponent + whole.len() as i64, digits))
    }

    fn trimmed(negative: bool, exponent: i64, mut digits: Vec<u8>) -> Self {
        let last = digits.iter().rposition(|digit| *digit != b'0');
        digits.truncate(last.map_or(0, |last| last + 1));
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        let is_zero = digits.is_empty();
        Self {
            negative: negative && !is_zero,
            exponent: if is_zero {
                0
            } else {
                exponent - leading as i64
            },
            digits,
        }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal || self.digits.is_empty() {
            return by_sign;
        }
        let by_size = self
            .exponent
            .cmp(&other.exponent)
            .then_with(|| self.digits.cmp(&other.digits));
        if self.negative {
            by_size.reverse()
        } else {
            by_size
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn of_integer(negative: bool, magnitude: u64) -> Exact {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(magnitude).as_bytes();
    Exact::trimmed(negative, digits.len() as i64, digits.to_vec())
}

fn of_decimal(decimal: Decimal<'_>) -> Exact {
    let (negative, digits) = decimal.digits();
    let exponent = digits.len() as i64 - i64::from(decimal.scale);
    Exact::trimmed(negative, exponent, digits.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::of(Value::Number(text)).unwrap()
    }

    #[test]
    fn numbers_sort_whatever_their_spelling_and_size() {
        let sorted = [
            "-1e199999",
            "-12345.6",
            "-100",
            "-99.5",
            "-0.01",
            "-1e-250",
            "0",
            "1e-250",
            "0.009",
            "0.01",
            "1",
            "1.5",
            "99",
            "100",
            "1e2000000000",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (beside, other) in sorted.iter().enumerate() {
                assert_eq!(
                    number(one).cmp(&number(other)),
                    at.cmp(&beside),
                    "{one} {other}"
                );
            }
        }
        for (one, same) in [
            ("5", "5.00"),
            ("0.5e1", "5"),
            ("-0.0", "0"),
            ("007", "7"),
            ("1e3", "1000"),
        ] {
            assert_eq!(number(one), number(same));
        }
        assert!(Number::of(Value::Float(f64::NAN)) > Number::of(Value::Float(f64::INFINITY)));
        assert!(Number::of(Value::Float(f64::NEG_INFINITY)) < Some(number("-1e199999")));
    }

    proptest! {
        #[test]
        fn machine_numbers_compare_as_machines_do(a: i64, b: i64, x in -1e300..1e300_f64, y in -1e3..1e3_f64) {
            let of = |value| Number::of(value).unwrap();
            prop_assert_eq!(of(Value::Int(a)).cmp(&of(Value::Int(b))), a.cmp(&b));
            prop_assert_eq!(of(Value::Float(x)).cmp(&of(Value::Float(y))), x.partial_cmp(&y).unwrap());
            prop_assert_eq!(of(Value::Int(a)).cmp(&of(Value::UInt(b.unsigned_abs()))), i128::from(a).cmp(&i128::from(b.unsigned_abs())));
        }
    }
}
