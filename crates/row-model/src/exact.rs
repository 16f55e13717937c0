//! Numbers of any size and number of digits, as they are written.
//!
//! Never multiplies anything out: `1e199999` takes as little time as `1`.

use std::cmp::Ordering;

/// A number as `0.digits × 10^exponent`, ordered as numbers are.
///
/// Zero has no digits. Otherwise neither the first nor the last digit is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    pub negative: bool,
    pub exponent: i64,
    pub digits: Vec<u8>,
}

impl Exact {
    /// Reads plain or scientific notation; `None` if it is neither.
    #[must_use]
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
        valid.then(|| Self::new(negative, exponent + whole.len() as i64, digits))
    }

    /// `0.digits × 10^exponent` of decimal digits in ASCII, which may begin or end with zeros.
    #[must_use]
    pub fn new(negative: bool, exponent: i64, mut digits: Vec<u8>) -> Self {
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
