//! Numbers by their decimal digits, so that every type of number compares with every other exactly.

use std::cmp::Ordering;

use row_model::{Decimal, Exact, Value};

/// A number as `0.digits × 10^exponent`. Ordered as numbers are; not a number is the greatest, and equals itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    NegInfinity,
    Finite(Exact),
    Infinity,
    NaN,
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

/// A number of few digits as `unscaled × 10^-scale`: what nearly every number of a row is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    unscaled: i64,
    scale: i32,
}

impl Fixed {
    /// Digits before and after the point.
    const DIGITS_MAX: i64 = 18;

    pub fn of(number: &Number) -> Option<Self> {
        let Number::Finite(number) = number else {
            return None;
        };
        let scale = number.digits.len() as i64 - number.exponent;
        if number.digits.len() as i64 > Self::DIGITS_MAX || scale.abs() > Self::DIGITS_MAX {
            return None;
        }
        let digits = number.digits.iter();
        let unscaled = digits.fold(0, |all, digit| all * 10 + i64::from(digit - b'0'));
        let unscaled = if number.negative { -unscaled } else { unscaled };
        // Integers as rows have them, if they stay as short.
        let zeros = u32::try_from(-scale).unwrap_or(0);
        Some(if number.exponent <= Self::DIGITS_MAX && zeros > 0 {
            Self {
                unscaled: unscaled * 10_i64.pow(zeros),
                scale: 0,
            }
        } else {
            Self {
                unscaled,
                scale: scale as i32,
            }
        })
    }

    /// The number, if it is an integer.
    pub fn integer(self) -> Option<i64> {
        (self.scale == 0).then_some(self.unscaled)
    }

    pub fn order(self, other: Self) -> Ordering {
        other.compare(self.unscaled.into(), self.scale)
    }

    /// The same, to be compared with many numbers of one scale; `None` if that is far from its own.
    pub fn at_scale(self, scale: i32) -> Option<ScaledFixed> {
        const POWERS: [i64; 19] = {
            let mut powers = [1; 19];
            let mut at = 1;
            while at < powers.len() {
                powers[at] = powers[at - 1] * 10;
                at += 1;
            }
            powers
        };
        let power = |places: i32| POWERS.get(usize::try_from(places).ok()?).copied();
        let finer = self.scale.checked_sub(scale)?;
        let (times, own) = if finer >= 0 {
            (power(finer)?, self.unscaled.into())
        } else {
            // Of at most 18 digits: it stays far below 128 bits.
            let power = power(finer.checked_neg()?)?;
            (1, i128::from(self.unscaled) * i128::from(power))
        };
        Some(ScaledFixed { scale, times, own })
    }

    /// How `unscaled × 10^-scale` stands to this.
    pub fn compare(self, unscaled: i128, scale: i32) -> Ordering {
        let own = i128::from(self.unscaled);
        if unscaled == 0 || own == 0 {
            return unscaled.cmp(&own);
        }
        let finer = i64::from(self.scale) - i64::from(scale);
        let power = |places: i64| {
            let places = u32::try_from(places).unwrap_or(u32::MAX);
            10_i128.checked_pow(places)
        };
        let times = |number: i128, places| power(places).and_then(|by| number.checked_mul(by));
        match finer.cmp(&0) {
            Ordering::Equal => unscaled.cmp(&own),
            // What outgrows 128 bits is beyond the other, to the side of its sign.
            Ordering::Greater => match times(unscaled, finer) {
                Some(unscaled) => unscaled.cmp(&own),
                None => unscaled.cmp(&0),
            },
            Ordering::Less => match times(own, -finer) {
                Some(own) => unscaled.cmp(&own),
                None => 0.cmp(&own),
            },
        }
    }
}

/// A [`Fixed`] as numbers of one scale are compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScaledFixed {
    scale: i32,
    /// What their unscaled numbers are multiplied with, ...
    times: i64,
    /// ... to be compared with this.
    own: i128,
}

impl ScaledFixed {
    pub fn scale(self) -> i32 {
        self.scale
    }

    /// How a number of this scale stands to it.
    pub fn compare(self, unscaled: i64) -> Ordering {
        (i128::from(unscaled) * i128::from(self.times)).cmp(&self.own)
    }
}

fn of_integer(negative: bool, magnitude: u64) -> Exact {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(magnitude).as_bytes();
    Exact::new(negative, digits.len() as i64, digits.to_vec())
}

fn of_decimal(decimal: Decimal<'_>) -> Exact {
    let (negative, digits) = decimal.digits();
    let exponent = digits.len() as i64 - i64::from(decimal.scale);
    Exact::new(negative, exponent, digits.into_bytes())
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
        fn few_digits_compare_as_many_do(a: i64, from in -40..40_i32, b in -1_000_000_000_i64..1_000_000_000, to in -12..12_i32, near: bool) {
            let a = if near { a % 1_000 } else { a };
            let constant = number(&format!("{b}e{to}"));
            let value = number(&format!("{a}e{}", -from));
            if let Some(fixed) = Fixed::of(&constant) {
                prop_assert_eq!(fixed.compare(i128::from(a), from), value.cmp(&constant));
            }
        }

        #[test]
        fn machine_numbers_compare_as_machines_do(a: i64, b: i64, x in -1e300..1e300_f64, y in -1e3..1e3_f64) {
            let of = |value| Number::of(value).unwrap();
            prop_assert_eq!(of(Value::Int(a)).cmp(&of(Value::Int(b))), a.cmp(&b));
            prop_assert_eq!(of(Value::Float(x)).cmp(&of(Value::Float(y))), x.partial_cmp(&y).unwrap());
            prop_assert_eq!(of(Value::Int(a)).cmp(&of(Value::UInt(b.unsigned_abs()))), i128::from(a).cmp(&i128::from(b.unsigned_abs())));
        }
    }
}
