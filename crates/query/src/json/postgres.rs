//! One value as `PostgreSQL` spells it: in JSON as `to_json` does, and as text.
//!
//! Decimals are numbers with all their digits, instants have an offset, bytes are hexadecimal. A value
//! that was never sent is null: rows of `PostgreSQL` have every column.

use std::fmt::{self, Write};

use row_model::{Moment, Value, write_clock, write_date, write_timestamp, write_uuid};

use super::value::{write_text, write_value as write_plain_value};
use crate::zone::Zone;

/// Powers of ten that a float is written out with, as `float8out` does.
const PLAIN_EXPONENTS: std::ops::Range<i32> = -4..15;

/// Where a text is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Inside JSON: a `T` between date and time, and minutes in offsets.
    Json,
    /// What a cast to text gives.
    Text,
    /// A field of a row that is written as text, as in CSV: truth is a letter.
    Field,
}

/// Appends a value as `to_json` has it in a session of this time zone.
pub fn write_value(value: Value<'_>, zone: &Zone, out: &mut Vec<u8>) {
    match value {
        Value::Null
        | Value::Unavailable
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Text(_)
        | Value::Uuid(_)
        | Value::Number(_)
        | Value::Json(_) => write_plain_value(value, out),
        Value::Decimal(decimal) => out.extend_from_slice(decimal.to_plain().as_bytes()),
        Value::Float(number) if number.is_finite() => out.extend(float(number).bytes()),
        value => {
            let mut text = String::new();
            spell(value, Spelling::Json, zone, &mut text);
            write_text(&text, out);
        }
    }
}

/// Appends a value as text; nothing for null.
pub fn spell(value: Value<'_>, spelling: Spelling, zone: &Zone, out: &mut String) {
    let written = try_spell(value, spelling, zone, out);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

fn try_spell(value: Value<'_>, spelling: Spelling, zone: &Zone, out: &mut String) -> fmt::Result {
    match value {
        Value::Null | Value::Unavailable => Ok(()),
        Value::Bool(truth) => out.write_str(match (truth, spelling) {
            (true, Spelling::Field) => "t",
            (false, Spelling::Field) => "f",
            (true, _) => "true",
            (false, _) => "false",
        }),
        Value::Int(number) => write!(out, "{number}"),
        Value::UInt(number) => write!(out, "{number}"),
        Value::Float(number) => out.write_str(&float(number)),
        Value::Decimal(decimal) => out.write_str(&decimal.to_plain()),
        Value::Number(text) | Value::Text(text) | Value::Json(text) => out.write_str(text),
        Value::Bytes(bytes) => {
            out.write_str("\\x")?;
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        Value::Uuid(uuid) => write_uuid(&uuid, out),
        Value::Date(days) => write_with_era(out, "", |text| write_date(days, text)),
        Value::Clock(nanos) => write_clock(nanos, out),
        Value::ClockUtc(nanos) => {
            write_clock(nanos, out)?;
            out.write_str("+00")
        }
        Value::Timestamp(at) => write_moment(at, "", spelling, out),
        Value::Instant(at) => {
            let offset = offset(zone.offset_at(at), spelling);
            write_moment(zone.local(at), &offset, spelling, out)
        }
        Value::Duration(micros) => write_interval(micros, out),
    }
}

/// `+05:45`; minutes that are none are told in JSON alone, and seconds only where there are some.
fn offset(seconds: i32, spelling: Spelling) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs();
    let (hour, minute, second) = (all / 3_600, all / 60 % 60, all % 60);
    let mut text = format!("{sign}{hour:02}");
    if minute != 0 || second != 0 || spelling == Spelling::Json {
        let _ = write!(text, ":{minute:02}");
    }
    if second != 0 {
        let _ = write!(text, ":{second:02}");
    }
    text
}

fn write_moment(at: Moment, offset: &str, spelling: Spelling, out: &mut String) -> fmt::Result {
    let offset = match at {
        Moment::INFINITY | Moment::NEG_INFINITY => "",
        _ => offset,
    };
    write_with_era(out, offset, |text| {
        write_timestamp(at, text)?;
        if spelling != Spelling::Json
            && let Some(between) = text.find('T')
        {
            text.replace_range(between..=between, " ");
        }
        Ok(())
    })
}

/// Years outside 0001 to 9999 stand in ISO's expanded form with us; with `PostgreSQL` those
/// before the first are counted backwards from it, and called `BC` behind everything else.
fn write_with_era(
    out: &mut String,
    behind: &str,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    let mut text = String::new();
    write(&mut text)?;
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => ('+', &text[1..]),
        Some(b'-') if !text.ends_with("infinity") => ('-', &text[1..]),
        _ => (' ', &*text),
    };
    let digits = rest.find('-').unwrap_or(rest.len());
    let year: i64 = rest[..digits].parse().unwrap_or(1);
    if sign == '-' || year == 0 {
        return write!(out, "{:04}{}{behind} BC", year + 1, &rest[digits..]);
    }
    write!(out, "{rest}{behind}")
}

/// `1 day 02:03:04.5`, as `interval` is written unless a session says otherwise.
fn write_interval(micros: i64, out: &mut String) -> fmt::Result {
    const DAY: u64 = 86_400_000_000;
    let all = micros.unsigned_abs();
    let (days, rest) = (all / DAY, all % DAY);
    let sign = if micros < 0 { "-" } else { "" };
    if days > 0 {
        let plural = if days == 1 && micros > 0 { "" } else { "s" };
        write!(out, "{sign}{days} day{plural}")?;
        if rest == 0 {
            return Ok(());
        }
        out.write_char(' ')?;
    }
    out.write_str(sign)?;
    write_clock((rest * 1_000) as i64, out)
}

/// The shortest digits that mean the number, with an exponent only where it is far from one.
fn float(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN".to_owned()
        } else if number > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || PLAIN_EXPONENTS.contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use row_model::Decimal;

    use super::*;

    /// As JSON, as text, as a field of a row.
    fn check(values: &[Value<'_>], expected: &Expect) {
        let mut lines = String::new();
        for value in values {
            let mut json = Vec::new();
            write_value(*value, &Zone::default(), &mut json);
            let (mut text, mut field) = (String::new(), String::new());
            spell(*value, Spelling::Text, &Zone::default(), &mut text);
            spell(*value, Spelling::Field, &Zone::default(), &mut field);
            let json = String::from_utf8(json).unwrap();
            serde_json::from_str::<serde_json::Value>(&json).unwrap();
            writeln!(lines, "{json} | {text} | {field}").unwrap();
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn numbers() {
        let decimal = |scale, unscaled| Value::Decimal(Decimal::new(scale, unscaled));
        check(
            &[
                Value::Int(i64::MIN),
                Value::UInt(u64::MAX),
                Value::Float(1.0),
                Value::Float(-0.1),
                Value::Float(0.0001),
                Value::Float(0.00001),
                Value::Float(123_456_789_012_345.0),
                Value::Float(1e15),
                Value::Float(1.5e300),
                Value::Float(f64::NAN),
                Value::Float(f64::NEG_INFINITY),
                Value::Number("0.1000000000000000055511151231257827"),
                decimal(2, &[0x07, 0xc6]),
                decimal(3, &[0xff, 0xce]),
                decimal(-3, &[0x2a]),
                decimal(5, &[0x7f; 20]),
            ],
            &expect![[r#"
                -9223372036854775808 | -9223372036854775808 | -9223372036854775808
                18446744073709551615 | 18446744073709551615 | 18446744073709551615
                1 | 1 | 1
                -0.1 | -0.1 | -0.1
                0.0001 | 0.0001 | 0.0001
                1e-05 | 1e-05 | 1e-05
                123456789012345 | 123456789012345 | 123456789012345
                1e+15 | 1e+15 | 1e+15
                1.5e+300 | 1.5e+300 | 1.5e+300
                "NaN" | NaN | NaN
                "-Infinity" | -Infinity | -Infinity
                0.1000000000000000055511151231257827 | 0.1000000000000000055511151231257827 | 0.1000000000000000055511151231257827
                19.90 | 19.90 | 19.90
                -0.050 | -0.050 | -0.050
                42000 | 42000 | 42000
                7278851291804889043602665637449723274364840.50815 | 7278851291804889043602665637449723274364840.50815 | 7278851291804889043602665637449723274364840.50815
            "#]],
        );
    }

    #[test]
    fn times() {
        let at = |seconds, nanos| Moment { seconds, nanos };
        let both = |moment| [Value::Timestamp(moment), Value::Instant(moment)];
        let moments = [
            at(1_709_210_096, 789_000_000),
            at(0, 0),
            at(-62_135_596_801, 0),
            at(253_402_300_800, 1_000),
            Moment::INFINITY,
            Moment::NEG_INFINITY,
        ];
        let values: Vec<Value<'_>> = moments.into_iter().flat_map(both).collect();
        check(
            &values,
            &expect![[r#"
            "2024-02-29T12:34:56.789" | 2024-02-29 12:34:56.789 | 2024-02-29 12:34:56.789
            "2024-02-29T12:34:56.789+00:00" | 2024-02-29 12:34:56.789+00 | 2024-02-29 12:34:56.789+00
            "1970-01-01T00:00:00" | 1970-01-01 00:00:00 | 1970-01-01 00:00:00
            "1970-01-01T00:00:00+00:00" | 1970-01-01 00:00:00+00 | 1970-01-01 00:00:00+00
            "0001-12-31T23:59:59 BC" | 0001-12-31 23:59:59 BC | 0001-12-31 23:59:59 BC
            "0001-12-31T23:59:59+00:00 BC" | 0001-12-31 23:59:59+00 BC | 0001-12-31 23:59:59+00 BC
            "10000-01-01T00:00:00.000001" | 10000-01-01 00:00:00.000001 | 10000-01-01 00:00:00.000001
            "10000-01-01T00:00:00.000001+00:00" | 10000-01-01 00:00:00.000001+00 | 10000-01-01 00:00:00.000001+00
            "infinity" | infinity | infinity
            "infinity" | infinity | infinity
            "-infinity" | -infinity | -infinity
            "-infinity" | -infinity | -infinity
        "#]],
        );
        check(
            &[
                Value::Date(19_782),
                Value::Date(-719_163),
                Value::Date(-735_164),
                Value::Date(2_932_897),
                Value::Date(i64::MAX),
                Value::Clock(45_296_123_456_000),
                Value::Clock(-3_020_399_000_000_000),
                Value::ClockUtc(45_296_000_000_000),
                Value::Duration(0),
                Value::Duration(93_784_500_000),
                Value::Duration(-86_400_000_000),
                Value::Duration(172_800_000_001),
                Value::Duration(-1_500_000),
            ],
            &expect![[r#"
                "2024-02-29" | 2024-02-29 | 2024-02-29
                "0001-12-31 BC" | 0001-12-31 BC | 0001-12-31 BC
                "0044-03-11 BC" | 0044-03-11 BC | 0044-03-11 BC
                "10000-01-01" | 10000-01-01 | 10000-01-01
                "infinity" | infinity | infinity
                "12:34:56.123456" | 12:34:56.123456 | 12:34:56.123456
                "-838:59:59" | -838:59:59 | -838:59:59
                "12:34:56+00" | 12:34:56+00 | 12:34:56+00
                "00:00:00" | 00:00:00 | 00:00:00
                "1 day 02:03:04.5" | 1 day 02:03:04.5 | 1 day 02:03:04.5
                "-1 days" | -1 days | -1 days
                "2 days 00:00:00.000001" | 2 days 00:00:00.000001 | 2 days 00:00:00.000001
                "-00:00:01.5" | -00:00:01.5 | -00:00:01.5
            "#]],
        );
    }

    #[test]
    fn all_else() {
        check(
            &[
                Value::Null,
                Value::Unavailable,
                Value::Bool(true),
                Value::Bool(false),
                Value::Text("a \"b\"\n\u{1f980}"),
                Value::Bytes(&[0, 0xde, 0xad]),
                Value::Bytes(&[]),
                Value::Uuid([0xb6; 16]),
                Value::Json(r#"{"a":1.50,"b":[1, 2]}"#),
            ],
            &expect![[r#"
                null |  | 
                null |  | 
                true | true | t
                false | false | f
                "a \"b\"\n🦀" | a "b"
                🦀 | a "b"
                🦀
                "\\x00dead" | \x00dead | \x00dead
                "\\x" | \x | \x
                "b6b6b6b6-b6b6-b6b6-b6b6-b6b6b6b6b6b6" | b6b6b6b6-b6b6-b6b6-b6b6-b6b6b6b6b6b6 | b6b6b6b6-b6b6-b6b6-b6b6-b6b6b6b6b6b6
                {"a":1.50,"b":[1, 2]} | {"a":1.50,"b":[1, 2]} | {"a":1.50,"b":[1, 2]}
            "#]],
        );
    }
}
