//! One value as JSON bytes. Whole numbers stay whole, decimals keep every digit, and what has no
//! JSON spelling of its own (times, bytes, infinities) is a string.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use row_model::{
    Decimal, Moment, TimestampText, Value, write_clock, write_date, write_duration,
    write_timestamp, write_uuid,
};

/// Appends a value. [`Value::Unavailable`] is null here: its place in a row is for the row to leave out.
pub fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Unavailable => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::UInt(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Value::Float(number) => write_float(number, out),
        // Both are JSON already, and stay as they were sent.
        Value::Number(text) | Value::Json(text) => out.extend_from_slice(text.as_bytes()),
        Value::Decimal(decimal) => write_decimal(decimal, out),
        Value::Text(text) => write_text(text, out),
        Value::Bytes(bytes) => write_base64(bytes, out),
        Value::Uuid(uuid) => quoted(out, |text| write_uuid(&uuid, text)),
        Value::Date(days) => quoted(out, |text| write_date(days, text)),
        Value::Clock(nanos) => quoted(out, |text| write_clock(nanos, text)),
        Value::ClockUtc(nanos) => quoted(out, |text| {
            write_clock(nanos, text)?;
            fmt::Write::write_char(text, 'Z')
        }),
        Value::Timestamp(at) => write_moment(at, false, out),
        Value::Instant(at) => write_moment(at, true, out),
        Value::Duration(micros) => quoted(out, |text| write_duration(micros, text)),
    }
}

/// Appends a string in quotes, escaped.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Bytes of a text that are looked at together.
const WORD: usize = 16;

/// The same of bytes that are a text: most have nothing to escape, and are copied as they are.
pub(crate) fn write_text_bytes(text: &[u8], out: &mut Vec<u8>) {
    if let Some(last) = text.last_chunk::<WORD>() {
        // Some bytes are looked at twice: sooner done than one by one.
        let (words, _) = text.as_chunks::<WORD>();
        if !words.iter().any(is_any_escaped) && !is_any_escaped(last) {
            out.push(b'"');
            out.extend_from_slice(text);
            return out.push(b'"');
        }
    } else {
        let mut word = [b' '; WORD];
        word[..text.len()].copy_from_slice(text);
        if !is_any_escaped(&word) {
            // A copy of a length that is known takes a fraction of one that is not.
            word[text.len()] = b'"';
            let end = out.len() + text.len() + 2;
            out.push(b'"');
            out.extend_from_slice(&word);
            return out.truncate(end);
        }
    }
    match str::from_utf8(text) {
        Ok(text) => write_text(text, out),
        Err(_) => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn is_any_escaped(word: &[u8; WORD]) -> bool {
    let is_escaped = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    // Without an early end, which would keep them from being looked at together.
    word.iter().fold(false, |any, byte| any | is_escaped(byte))
}

/// `NaN` and the infinities are strings: JSON has no number for them.
fn write_float(number: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if number.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
        return;
    } else if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(text);
}

fn write_decimal(decimal: Decimal<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    match (decimal.unscaled.len(), usize::try_from(decimal.scale)) {
        // Nearly every decimal there is: no need for a string in between.
        (1..=16, Ok(scale)) => write_small_decimal(decimal.unscaled, scale, out),
        _ => out.extend_from_slice(decimal.to_plain().as_bytes()),
    }
    out.push(b'"');
}

/// A number of at most 16 bytes in two's complement.
fn write_small_decimal(unscaled: &[u8], scale: usize, out: &mut Vec<u8>) {
    let negative = unscaled[0] & 0x80 != 0;
    let mut buffer = itoa::Buffer::new();
    let digits = if unscaled.len() <= 8 {
        // Half the width takes a third of the time.
        let seed = if negative { -1_i64 } else { 0 };
        let bytes = unscaled.iter();
        let number = bytes.fold(seed, |n, byte| n << 8 | i64::from(*byte));
        buffer.format(number.unsigned_abs())
    } else {
        let seed = if negative { -1_i128 } else { 0 };
        let bytes = unscaled.iter();
        let number = bytes.fold(seed, |n, byte| n << 8 | i128::from(*byte));
        buffer.format(number.unsigned_abs())
    };
    let digits = digits.as_bytes();
    if negative {
        out.push(b'-');
    }
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if scale >= digits.len() {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    } else {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(
        written,
        Ok(out.len() - start),
        "base64 is four bytes for three"
    );
    out.push(b'"');
}

fn write_moment(at: Moment, in_utc: bool, out: &mut Vec<u8>) {
    let Some(text) = TimestampText::of(at) else {
        let is_finite = !matches!(at, Moment::INFINITY | Moment::NEG_INFINITY);
        let zone = if in_utc && is_finite { "Z" } else { "" };
        return quoted(out, |text| {
            write_timestamp(at, text)?;
            fmt::Write::write_str(text, zone)
        });
    };
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(if in_utc { b"Z\"" } else { b"\"" });
}

/// Bytes that text is written to.
struct Utf8<'a>(&'a mut Vec<u8>);

impl fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Quotes around a spelling that needs no escapes.
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Utf8<'_>) -> fmt::Result) {
    out.push(b'"');
    let written = write(&mut Utf8(out));
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn json(value: Value<'_>) -> String {
        let mut out = Vec::new();
        write_value(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn check(values: &[Value<'_>], expected: &Expect) {
        let lines: String = values.iter().map(|value| json(*value) + "\n").collect();
        expected.assert_eq(&lines);
    }

    #[test]
    fn numbers() {
        let values = [
            Value::Int(i64::MIN),
            Value::UInt(u64::MAX),
            Value::Float(1.0),
            Value::Float(-0.1),
            Value::Float(1e300),
            Value::Float(f64::NAN),
            Value::Float(f64::INFINITY),
            Value::Float(f64::NEG_INFINITY),
            Value::Number("0.1000000000000000055511151231257827"),
            Value::Number("1E+2"),
        ];
        check(
            &values,
            &expect![[r#"
                -9223372036854775808
                18446744073709551615
                1.0
                -0.1
                1e300
                "NaN"
                "Infinity"
                "-Infinity"
                0.1000000000000000055511151231257827
                1E+2
            "#]],
        );
    }

    #[test]
    fn decimals_keep_every_digit() {
        let long = [0x7f; 20];
        let decimal = |scale, unscaled| Value::Decimal(Decimal::new(scale, unscaled));
        let values = [
            decimal(2, &[0x07, 0xc6]),
            decimal(2, &[0x00]),
            decimal(3, &[0xff, 0xce]),
            decimal(0, &[0x2a]),
            decimal(-3, &[0x2a]),
            decimal(5, &long),
        ];
        check(
            &values,
            &expect![[r#"
                "19.90"
                "0.00"
                "-0.050"
                "42"
                "42000"
                "7278851291804889043602665637449723274364840.50815"
            "#]],
        );
    }

    #[test]
    fn text_bytes_and_json() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Text("a \"b\" \\ \n\t\u{1} é 🦀 </script>"),
            Value::Bytes(b""),
            Value::Bytes(&[0xff, 0xfe, 0x00, 0x01]),
            Value::Uuid([0xab; 16]),
            Value::Json("{\"b\": 1.00, \"a\": [1e2]}"),
        ];
        check(
            &values,
            &expect![[r#"
                null
                true
                "a \"b\" \\ \n\t\u0001 é 🦀 </script>"
                ""
                "//4AAQ=="
                "abababab-abab-abab-abab-abababababab"
                {"b": 1.00, "a": [1e2]}
            "#]],
        );
    }

    #[test]
    fn dates_and_times() {
        let values = [
            Value::Date(19_782),
            Value::Date(106_751_991_167),
            Value::Date(-735_000),
            Value::Date(i64::MAX),
            Value::Clock(45_296_123_456_000),
            Value::Clock(86_400_000_000_000),
            Value::Clock(-3_020_399_000_000_000),
            Value::ClockUtc(25_496_123_456_000),
            Value::Timestamp(Moment::from_units(1_709_210_096_123_456, 1_000_000)),
            Value::Timestamp(Moment::INFINITY),
            Value::Instant(Moment::from_units(1_709_202_896_500, 1_000)),
            Value::Instant(Moment::from_units(0, 1)),
            Value::Instant(Moment::NEG_INFINITY),
            Value::Duration(93_784_500_000),
        ];
        check(
            &values,
            &expect![[r#"
                "2024-02-29"
                "+292278994-08-17"
                "-0043-08-22"
                "infinity"
                "12:34:56.123456"
                "24:00:00"
                "-838:59:59"
                "07:04:56.123456Z"
                "2024-02-29T12:34:56.123456"
                "infinity"
                "2024-02-29T10:34:56.5Z"
                "1970-01-01T00:00:00Z"
                "-infinity"
                "P1DT2H3M4.5S"
            "#]],
        );
    }

    proptest! {
        #[test]
        fn the_bytes_of_a_text_are_written_as_the_text_is(text in "\\PC{0,40}|[\u{0}-\u{22}\\\\é]{0,9}|[a-z]{0,33}[\"\\\\\n]?[a-z]{0,33}") {
            let (mut of_text, mut of_bytes) = (Vec::new(), Vec::new());
            write_text(&text, &mut of_text);
            write_text_bytes(text.as_bytes(), &mut of_bytes);
            prop_assert_eq!(of_text, of_bytes);
        }

        #[test]
        fn any_text_is_read_back(text: String) {
            prop_assert_eq!(serde_json::from_str::<String>(&json(Value::Text(&text))).unwrap(), text);
        }

        #[test]
        fn any_float_is_read_back(number in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            prop_assert_eq!(json(Value::Float(number)).parse::<f64>().unwrap().to_bits(), number.to_bits());
        }

        #[test]
        fn the_short_way_and_the_long_way_spell_decimals_alike(scale in 0..40_i32, unscaled in proptest::collection::vec(any::<u8>(), 1..17)) {
            let decimal = Decimal::new(scale, &unscaled);
            prop_assert_eq!(json(Value::Decimal(decimal)), format!("\"{}\"", decimal.to_plain()));
        }
    }
}
