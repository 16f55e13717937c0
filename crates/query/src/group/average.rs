//! Averages of exact numbers, with as many digits as `PostgreSQL` gives its `numeric`.

use num_bigint::{BigInt, BigUint, Sign};

/// An average has at least so many digits that say something, ...
const SIGNIFICANT_DIGITS_MIN: i64 = 16;
/// ... and at most so many after the point.
const SCALE_MAX: i64 = 1_000;
/// `PostgreSQL` counts in digits of 10,000: what it shows depends on it.
const DIGITS_TOGETHER: i64 = 4;

/// `sum × 10^-scale / count`, rounded half away from zero, and its scale.
pub(super) fn average(sum: &BigInt, scale: i32, count: u64) -> (BigInt, i32) {
    let quotient_scale = quotient_scale(sum, scale, count);
    let places = (i64::from(quotient_scale) - i64::from(scale)).max(0) as u32;
    let dividend = sum.magnitude() * BigUint::from(10_u8).pow(places);
    let divisor = BigUint::from(count);
    let quotient = (dividend * 2_u8 + &divisor) / (divisor * 2_u8);
    let sign = match sum.sign() {
        Sign::Minus => Sign::Minus,
        _ => Sign::Plus,
    };
    (BigInt::from_biguint(sign, quotient), quotient_scale)
}

/// What `select_div_scale` of `PostgreSQL` chooses.
fn quotient_scale(sum: &BigInt, scale: i32, count: u64) -> i32 {
    let (sum_weight, sum_first) = leading(&sum.magnitude().to_string(), scale);
    let (count_weight, count_first) = leading(&count.to_string(), 0);
    let is_below = sum_first <= count_first;
    let weight = sum_weight - count_weight - i64::from(is_below);
    let wanted = SIGNIFICANT_DIGITS_MIN - weight * DIGITS_TOGETHER;
    wanted.max(i64::from(scale)).clamp(0, SCALE_MAX) as i32
}

/// The place and the value of the first digit of 10,000.
fn leading(digits: &str, scale: i32) -> (i64, u32) {
    if digits == "0" {
        return (0, 0);
    }
    let whole = digits.len() as i64 - i64::from(scale);
    let weight = (whole - 1).div_euclid(DIGITS_TOGETHER);
    let first = (whole - weight * DIGITS_TOGETHER) as usize;
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(first);
    (
        weight,
        padded.fold(0, |all, digit| all * 10 + u32::from(digit - b'0')),
    )
}

#[cfg(test)]
mod tests {
    use row_model::Decimal;

    use super::*;

    fn shown(sum: &str, count: u64) -> String {
        let (scale, unscaled) = Decimal::parse(sum).unwrap();
        let (average, scale) = average(&BigInt::from_signed_bytes_be(&unscaled), scale, count);
        Decimal::new(scale, &average.to_signed_bytes_be()).to_plain()
    }

    /// Each line as `select SUM::numeric / COUNT` of `PostgreSQL` 16 answers.
    #[test]
    fn averages_have_the_digits_that_postgresql_gives_them() {
        assert_eq!(shown("3", 2), "1.5000000000000000");
        assert_eq!(shown("1", 3), "0.33333333333333333333");
        assert_eq!(shown("20", 3), "6.6666666666666667");
        assert_eq!(shown("-20", 3), "-6.6666666666666667");
        assert_eq!(shown("0", 7), "0.00000000000000000000");
        assert_eq!(shown("10.00", 1), "10.0000000000000000");
        assert_eq!(shown("100000", 3), "33333.333333333333");
        assert_eq!(shown("0.0001", 3), "0.000033333333333333333333");
        assert_eq!(shown("1e20", 3), "33333333333333333333");
        assert_eq!(
            shown("1.00000000000000000000000000000000000001", 2),
            "0.50000000000000000000000000000000000001"
        );
    }
}
