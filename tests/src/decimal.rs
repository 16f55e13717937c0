//! Decimals of any length as text: no float, no rounding, no limit on digits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One text for all spellings of a number: `[-]digits e exponent`, without zeros at either end.
/// Text that is no number stays as it is.
pub fn canonical(text: &str) -> String {
    match Parts::of(text) {
        Some(Parts {
            negative,
            digits,
            exponent,
        }) => format!("{}{digits}e{exponent}", if negative { "-" } else { "" }),
        None => text.to_owned(),
    }
}

/// The number in plain notation, every digit of it kept: `1.50e1` is `15.0`.
pub fn plain(text: &str) -> Option<String> {
    let (negative, whole, fraction, exponent) = pieces(text)?;
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    Some(with_point(negative, &digits, digits.len() as i64 - point))
}

/// What Connect's `Decimal` is on the wire: base64 of the big-endian two's complement of the
/// unscaled number.
pub fn from_base64(text: &str, scale: i64) -> Option<String> {
    let bytes = STANDARD.decode(text).ok()?;
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let magnitude = if negative { negated(bytes) } else { bytes };
    let digits = decimal_digits(magnitude);
    Some(with_point(negative, &digits, scale))
}

/// A number without its insignificant zeros.
struct Parts {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let (negative, whole, fraction, exponent) = pieces(text)?;
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits: "0".to_owned(),
                exponent: 0,
            });
        }
        let exponent = exponent - fraction.len() as i64 + (significant.len() - digits.len()) as i64;
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent,
        })
    }
}

/// Sign, digits before and after the point, exponent.
fn pieces(text: &str) -> Option<(bool, &str, &str, i64)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = !whole.is_empty() && all_digits(whole) && all_digits(fraction);
    Some((
        unsigned.len() < text.len(),
        whole,
        fraction,
        exponent.parse().ok().filter(|_| well_formed)?,
    ))
}

/// `digits` with the point `scale` places from the right, zeros filled in where it lies outside.
fn with_point(negative: bool, digits: &str, scale: i64) -> String {
    let sign = if negative { "-" } else { "" };
    let Ok(places) = usize::try_from(scale) else {
        let zeros = "0".repeat(scale.unsigned_abs() as usize);
        let digits = digits.trim_start_matches('0');
        return if digits.is_empty() {
            format!("{sign}0")
        } else {
            format!("{sign}{digits}{zeros}")
        };
    };
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// Two's complement, big-endian.
fn negated(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
    bytes
}

/// The decimal digits of a big-endian number, by repeated division.
fn decimal_digits(mut number: Vec<u8>) -> String {
    const CHUNK: u64 = 1_000_000_000;
    let mut chunks = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest << 8 | u64::from(*byte);
            *byte = (value / CHUNK) as u8;
            rest = value % CHUNK;
        }
        chunks.push(format!("{rest:09}"));
    }
    let digits: String = chunks.into_iter().rev().collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        "0".to_owned()
    } else {
        digits.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_form() {
        for (text, form) in [
            ("0", "0e0"),
            ("-0.00", "0e0"),
            ("1.10", "11e-1"),
            ("1100", "11e2"),
            ("-1E+3", "-1e3"),
            ("0.0010", "1e-3"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(canonical(text), form, "{text}");
        }
    }

    #[test]
    fn plain_notation_keeps_every_digit() {
        for (text, form) in [
            ("1.50", "1.50"),
            ("1.50e1", "15.0"),
            ("1e16", "10000000000000000"),
            ("1E-7", "0.0000001"),
            ("-12e-1", "-1.2"),
            ("0.10", "0.10"),
        ] {
            assert_eq!(plain(text).as_deref(), Some(form), "{text}");
        }
        assert_eq!(plain("."), None);
        assert_eq!(plain("1e"), None);
    }

    #[test]
    fn the_wires_bytes_become_digits() {
        for (wire, scale, form) in [
            ("D54=", 2, "39.98"),
            ("AA==", 2, "0.00"),
            ("/fM=", 2, "-5.25"),
            ("/w==", 0, "-1"),
            ("gA==", 1, "-12.8"),
            ("AMg=", 2, "2.00"),
            (
                "DG7FBX0qplY2jz9nAAAAAA==",
                10,
                "1652588467342774007965877032.3195559936",
            ),
            ("BQ==", -3, "5000"),
            ("", 2, "0.00"),
        ] {
            assert_eq!(
                from_base64(wire, scale).as_deref(),
                Some(form),
                "{wire} {scale}"
            );
        }
        assert_eq!(from_base64("not base64", 2), None);
    }
}
