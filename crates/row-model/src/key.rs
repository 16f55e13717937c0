//! Keys as bytes: equal keys have equal bytes, and the bytes sort as the keys do.
//!
//! Numbers of every type share one encoding (`5`, `5.0` and a decimal 5 are one key), so a key keeps
//! its identity when a column's type changes. Text sorts by its bytes, nulls first.

use crate::{Decimal, Moment, Value};

/// A longer key is refused by the decoder: one key must not outweigh a table.
pub const KEY_BYTES_MAX: usize = 32 * 1024;

/// The key of a record takes more than [`KEY_BYTES_MAX`] bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is longer than {KEY_BYTES_MAX} bytes")]
pub struct KeyTooLong;

/// First byte of an encoded value. The order of the tags is the order of the kinds; they are on disk.
pub(crate) mod tag {
    pub const NULL: u8 = 0x08;
    pub const UNAVAILABLE: u8 = 0x09;
    pub const FALSE: u8 = 0x10;
    pub const TRUE: u8 = 0x11;
    pub const NEG_INFINITY: u8 = 0x20;
    pub const NEGATIVE: u8 = 0x21;
    pub const ZERO: u8 = 0x22;
    pub const POSITIVE: u8 = 0x23;
    pub const INFINITY: u8 = 0x24;
    pub const NAN: u8 = 0x25;
    pub const TEXT: u8 = 0x40;
    pub const UUID: u8 = 0x44;
    pub const BYTES: u8 = 0x48;
    pub const DATE: u8 = 0x50;
    pub const CLOCK: u8 = 0x52;
    pub const CLOCK_UTC: u8 = 0x53;
    pub const TIMESTAMP: u8 = 0x54;
    pub const INSTANT: u8 = 0x56;
    pub const DURATION: u8 = 0x58;
    pub const JSON: u8 = 0x5a;
}

/// Appends the encoding of a whole key to `out`.
///
/// # Errors
/// If the key is too long; `out` is then as it was.
pub fn encode_key<'a>(
    values: impl IntoIterator<Item = Value<'a>>,
    out: &mut Vec<u8>,
) -> Result<(), KeyTooLong> {
    let start = out.len();
    for value in values {
        encode_key_value(value, out);
        if out.len() - start > KEY_BYTES_MAX {
            out.truncate(start);
            return Err(KeyTooLong);
        }
    }
    Ok(())
}

/// Appends the encoding of one value of a key to `out`.
pub fn encode_key_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Unavailable => out.push(tag::UNAVAILABLE),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::Int(number) => {
            scaled(number < 0, number.unsigned_abs().into(), 0, out);
        }
        Value::UInt(number) => {
            scaled(false, number.into(), 0, out);
        }
        Value::Float(number) => float(number, out),
        Value::Number(text) => written_number(text, out),
        Value::Decimal(value) => decimal(value, out),
        Value::Text(text) => escaped(tag::TEXT, text.as_bytes(), out),
        Value::Bytes(bytes) => escaped(tag::BYTES, bytes, out),
        Value::Uuid(uuid) => {
            out.push(tag::UUID);
            out.extend_from_slice(&uuid);
        }
        Value::Date(days) => signed(tag::DATE, days, out),
        Value::Clock(nanos) => signed(tag::CLOCK, nanos, out),
        Value::ClockUtc(nanos) => signed(tag::CLOCK_UTC, nanos, out),
        Value::Timestamp(at) => moment(tag::TIMESTAMP, at, out),
        Value::Instant(at) => moment(tag::INSTANT, at, out),
        Value::Duration(micros) => signed(tag::DURATION, micros, out),
        Value::Json(text) => escaped(tag::JSON, text.as_bytes(), out),
    }
}

fn written_number(text: &str, out: &mut Vec<u8>) {
    // Nearly every number that is a key.
    if let Ok(number) = text.parse::<i64>() {
        return encode_key_value(Value::Int(number), out);
    }
    match Decimal::parse(text) {
        Ok((scale, unscaled)) => decimal(Decimal::new(scale, &unscaled), out),
        // A number of absurd length: still a key, only not ordered among the numbers.
        Err(_) => escaped(tag::TEXT, text.as_bytes(), out),
    }
}

/// Zero bytes are doubled to `00 ff` and `00 00` ends, so that a prefix sorts before what it begins.
pub(crate) fn escaped(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    for part in bytes.split_inclusive(|byte| *byte == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn signed(tag: u8, number: i64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(number as u64 ^ 1 << 63).to_be_bytes());
}

fn moment(tag: u8, at: Moment, out: &mut Vec<u8>) {
    signed(tag, at.seconds, out);
    out.extend_from_slice(&at.nanos.to_be_bytes());
}

fn float(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.push(tag::NAN);
    } else if number.is_infinite() {
        out.push(if number < 0.0 {
            tag::NEG_INFINITY
        } else {
            tag::INFINITY
        });
    } else {
        // The shortest text that reads back as this number, which `Display` never writes with an exponent.
        let text = number.to_string();
        match Decimal::parse(&text) {
            Ok((scale, unscaled)) => decimal(Decimal::new(scale, &unscaled), out),
            Err(_) => out.push(tag::NAN),
        }
    }
}

/// Exponents that take one byte.
const EXPONENTS_SHORT: std::ops::RangeInclusive<i64> = -100..=100;
/// Digits in base 100 of the greatest magnitude.
const PAIRS_MAX: usize = 20;

/// `magnitude × 10^-scale`, whose digits in base 100 are taken off without going through text.
/// Answers whether it was done: with an odd scale the greatest magnitudes grow out of a machine number.
pub(crate) fn scaled(negative: bool, magnitude: u128, scale: i32, out: &mut Vec<u8>) -> bool {
    if magnitude == 0 {
        out.push(tag::ZERO);
        return true;
    }
    let mut scale = i64::from(scale);
    let mut rest = magnitude;
    if scale % 2 != 0 {
        let Some(finer) = rest.checked_mul(10) else {
            return false;
        };
        (rest, scale) = (finer, scale + 1);
    }
    // Put together from its end, behind room for the tag and the exponent: nearly every key is a number.
    let mut bytes = [0; 2 + PAIRS_MAX + 1];
    let mut first = bytes.len() - 1;
    while rest > u128::from(u64::MAX) {
        first -= 1;
        bytes[first] = (rest % 100) as u8 + 1;
        rest /= 100;
    }
    // Nearly all numbers come here at once: dividing half the width takes a tenth of the time.
    let mut rest = rest as u64;
    while rest > 0 {
        first -= 1;
        bytes[first] = (rest % 100) as u8 + 1;
        rest /= 100;
    }
    let mut end = bytes.len() - 1;
    let exponent = (end - first) as i64 - scale / 2;
    while bytes[end - 1] == 1 {
        end -= 1;
    }
    if !EXPONENTS_SHORT.contains(&exponent) {
        let pairs = bytes[first..end].iter().map(|byte| byte - 1);
        number(negative, exponent, &pairs.collect::<Vec<_>>(), out);
        return true;
    }
    bytes[end] = 0;
    first -= 1;
    bytes[first] = (exponent + 128) as u8;
    if negative {
        for byte in &mut bytes[first..=end] {
            *byte = !*byte;
        }
    }
    first -= 1;
    bytes[first] = if negative {
        tag::NEGATIVE
    } else {
        tag::POSITIVE
    };
    out.extend_from_slice(&bytes[first..=end]);
    true
}

fn decimal(value: Decimal<'_>, out: &mut Vec<u8>) {
    if let Some(unscaled) = value.small()
        && scaled(unscaled < 0, unscaled.unsigned_abs(), value.scale, out)
    {
        return;
    }
    let (negative, digits) = value.digits();
    let exponent = digits.len() as i64 - i64::from(value.scale);
    decimal_digits(negative, exponent, digits.as_bytes(), usize::MAX, out);
}

/// `0.digits × 10^exponent`, of which the first pairs in base 100 count.
pub(crate) fn decimal_digits(
    negative: bool,
    exponent: i64,
    digits: &[u8],
    pairs_max: usize,
    out: &mut Vec<u8>,
) {
    if digits.is_empty() || digits == b"0" {
        out.push(tag::ZERO);
        return;
    }
    // Line the digits up with base 100: the number of digits before the point must be even.
    let odd = exponent.rem_euclid(2) == 1;
    let mut padded = Vec::with_capacity(digits.len() + 2);
    padded.extend(odd.then_some(b'0'));
    padded.extend_from_slice(digits);
    if padded.len() % 2 == 1 {
        padded.push(b'0');
    }
    let pairs: Vec<u8> = padded
        .chunks(2)
        .take(pairs_max)
        .map(|pair| (pair[0] - b'0') * 10 + pair[1] - b'0')
        .collect();
    number(
        negative,
        (exponent + i64::from(odd)).div_euclid(2),
        &pairs,
        out,
    );
}

/// `0.p1p2p3… × 100^exponent`, the first pair not zero. Negative numbers have all their bytes inverted.
fn number(negative: bool, exponent: i64, pairs: &[u8], out: &mut Vec<u8>) {
    let used = pairs
        .iter()
        .rposition(|pair| *pair != 0)
        .map_or(0, |last| last + 1);
    out.push(if negative {
        tag::NEGATIVE
    } else {
        tag::POSITIVE
    });
    let start = out.len();
    match exponent {
        short if EXPONENTS_SHORT.contains(&short) => out.push((short + 128) as u8),
        101.. => {
            out.push(0xff);
            out.extend_from_slice(&(exponent as u32).to_be_bytes());
        }
        _ => {
            out.push(0x01);
            out.extend_from_slice(&(exponent as i32).wrapping_add(i32::MAX).to_be_bytes());
        }
    }
    out.extend(pairs[..used].iter().map(|pair| pair + 1));
    out.push(0);
    if negative {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode_key_value(value, &mut out);
        out
    }

    #[test]
    fn one_number_is_one_key_whatever_its_type() {
        let five = encoded(Value::Int(5));
        assert_eq!(encoded(Value::UInt(5)), five);
        assert_eq!(encoded(Value::Float(5.0)), five);
        assert_eq!(encoded(Value::Number("5.0")), five);
        assert_eq!(
            encoded(Value::Decimal(Decimal::new(2, &[0x01, 0xf4]))),
            five
        );
        assert_eq!(encoded(Value::Number("0.5e1")), five);
        assert_ne!(encoded(Value::Text("5")), five);
    }

    #[test]
    fn numbers_sort_numerically() {
        let sorted = [
            "-1e300",
            "-12345",
            "-100",
            "-99.5",
            "-1",
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
            "101",
            "9999",
            "10000",
            "18446744073709551616",
            "1e300",
        ];
        let keys: Vec<_> = sorted
            .iter()
            .map(|text| encoded(Value::Number(text)))
            .collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn a_key_cannot_be_read_as_another() {
        let pair = |a, b| {
            let mut out = Vec::new();
            encode_key([Value::Text(a), Value::Text(b)], &mut out).unwrap();
            out
        };
        assert_ne!(pair("a", "b"), pair("ab", ""));
        assert_ne!(pair("a\0", "b"), pair("a", "\0b"));
        assert!(pair("a", "z") < pair("a\0", "a"));
    }

    #[test]
    fn a_key_has_a_limit() {
        let long = "x".repeat(KEY_BYTES_MAX);
        let mut out = vec![1];
        assert_eq!(
            encode_key([Value::Int(1), Value::Text(&long)], &mut out),
            Err(KeyTooLong)
        );
        assert_eq!(out, [1]);
    }

    proptest! {
        #[test]
        fn small_and_long_decimals_are_encoded_alike(unscaled: i128, bits in 0..127_u32, scale in -300..300_i32) {
            let unscaled = unscaled >> bits;
            let digits = unscaled.unsigned_abs().to_string();
            let (mut long, mut small) = (Vec::new(), Vec::new());
            decimal_digits(unscaled < 0, digits.len() as i64 - i64::from(scale), digits.as_bytes(), usize::MAX, &mut long);
            if scaled(unscaled < 0, unscaled.unsigned_abs(), scale, &mut small) {
                prop_assert_eq!(small, long);
            }
        }

        #[test]
        fn integers_sort_as_numbers(a: i64, b: i64) {
            prop_assert_eq!(encoded(Value::Int(a)).cmp(&encoded(Value::Int(b))), a.cmp(&b));
        }

        #[test]
        fn integers_and_their_text_are_one_key(a: i64) {
            prop_assert_eq!(encoded(Value::Int(a)), encoded(Value::Number(&a.to_string())));
        }

        #[test]
        fn floats_sort_as_numbers(a in -1e12..1e12_f64, b in -1e12..1e12_f64) {
            prop_assert_eq!(encoded(Value::Float(a)).cmp(&encoded(Value::Float(b))), a.partial_cmp(&b).unwrap());
        }

        #[test]
        fn texts_sort_by_their_bytes(a: String, b: String) {
            prop_assert_eq!(encoded(Value::Text(&a)).cmp(&encoded(Value::Text(&b))), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
