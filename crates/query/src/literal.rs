//! Reads a value from its spelling, by the type of the column it is compared with.
//!
//! The spelling is that of answers. A column can hold a value in more than one form (a stream
//! without schemas holds what was sent; a uuid that is not in its canonical form is text), so a
//! text stands for a few values, the likeliest first. One that can stand for none is an error.

mod calendar;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use row_model::{ColumnType, Decimal, Value, parse_uuid};
use serde_json::value::RawValue;

/// The text is no spelling of any value of the column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct LiteralError {
    pub expected: &'static str,
}

/// Calls `each` with every value that `text` stands for in a column of this type, the likeliest first.
///
/// # Errors
/// If it stands for none; `each` is not called then.
pub fn each_value(
    kind: ColumnType,
    text: &str,
    mut each: impl FnMut(Value<'_>),
) -> Result<(), LiteralError> {
    let expected = match kind {
        ColumnType::Any => {
            each_untyped(text, &mut each);
            return Ok(());
        }
        ColumnType::Text
        | ColumnType::Enum
        | ColumnType::Xml
        | ColumnType::Bits
        | ColumnType::Uuid => {
            return each_text(kind, text, each);
        }
        ColumnType::EnumSet
        | ColumnType::Json
        | ColumnType::Array
        | ColumnType::Map
        | ColumnType::Struct => {
            if is_json(text) {
                each(Value::Json(text));
            }
            each(Value::Text(text));
            return Ok(());
        }
        ColumnType::Bytes => {
            let bytes = from_base64(text).ok_or(LiteralError { expected: "base64" })?;
            each(Value::Bytes(&bytes));
            return Ok(());
        }
        ColumnType::Bool => "true or false",
        ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 | ColumnType::UInt64 => {
            "an integer"
        }
        ColumnType::Float32 | ColumnType::Float64 => "a number, NaN, Infinity or -Infinity",
        ColumnType::Decimal => "a decimal number",
        ColumnType::Date => "a date, as in 2024-02-29",
        ColumnType::Time => "a time of day, as in 12:34:56.789",
        ColumnType::TimeTz => "a time of day in UTC, as in 12:34:56.789Z",
        ColumnType::Timestamp => "a timestamp without zone, as in 2024-02-29T12:34:56.789",
        ColumnType::TimestampTz => "a timestamp with zone, as in 2024-02-29T12:34:56.789Z",
        ColumnType::Duration => "an ISO 8601 duration, as in P1DT2H3M4.5S",
    };
    each(one_value(kind, text).ok_or(LiteralError { expected })?);
    Ok(())
}

/// The same for what a column's values are compared with: for integers that may be any number.
///
/// # Errors
/// If `text` stands for nothing that they can be compared with.
pub fn each_operand(
    kind: ColumnType,
    text: &str,
    mut each: impl FnMut(Value<'_>),
) -> Result<(), LiteralError> {
    let is_number = || Decimal::parse(text).is_ok();
    if is_integer(kind) && integer(text).is_none() && is_number() {
        each(Value::Number(text));
        return Ok(());
    }
    each_value(kind, text, each)
}

/// Types whose values have no fractions.
pub(crate) fn is_integer(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 | ColumnType::UInt64
    )
}

/// A value of a type that spells each value in one way only.
fn one_value(kind: ColumnType, text: &str) -> Option<Value<'_>> {
    match kind {
        ColumnType::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        kind if is_integer(kind) => integer(text),
        ColumnType::Float32 | ColumnType::Float64 | ColumnType::Decimal => number(text),
        ColumnType::Date => calendar::read_date(text).map(Value::Date),
        ColumnType::Time => calendar::read_clock(text).map(Value::Clock),
        ColumnType::TimeTz => calendar::read_clock(text.strip_suffix('Z')?).map(Value::ClockUtc),
        ColumnType::Timestamp => calendar::read_timestamp(text).map(Value::Timestamp),
        ColumnType::TimestampTz => calendar::read_instant(text).map(Value::Instant),
        ColumnType::Duration => match calendar::read_duration(text) {
            Some(micros) => Some(Value::Duration(micros)),
            // Years and months have no length in microseconds: such a duration is kept as text.
            None => text
                .trim_start_matches('-')
                .starts_with('P')
                .then_some(Value::Text(text)),
        },
        _ => None,
    }
}

fn integer(text: &str) -> Option<Value<'_>> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Int(number));
    }
    // Beyond 64 bits: no row has it, but it is an integer.
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then_some(Value::Number(text))
}

fn number(text: &str) -> Option<Value<'_>> {
    match text {
        "NaN" => Some(Value::Float(f64::NAN)),
        "Infinity" => Some(Value::Float(f64::INFINITY)),
        "-Infinity" => Some(Value::Float(f64::NEG_INFINITY)),
        _ => Decimal::parse(text).is_ok().then_some(Value::Number(text)),
    }
}

/// Text, in the form a uuid takes if it is one.
fn each_text(
    kind: ColumnType,
    text: &str,
    mut each: impl FnMut(Value<'_>),
) -> Result<(), LiteralError> {
    if kind == ColumnType::Uuid {
        let canonical = text.to_ascii_lowercase();
        let uuid = parse_uuid(&canonical).ok_or(LiteralError {
            expected: "a uuid, as in b68a35a7-17ad-35b3-af2a-ae46edb4545a",
        })?;
        each(Value::Uuid(uuid));
    } else if let Some(uuid) = parse_uuid(text) {
        each(Value::Uuid(uuid));
    }
    each(Value::Text(text));
    // Where object ids are texts, a text of as many digits is kept with its quotes.
    if is_object_id(text) {
        each(Value::Json(&format!("\"{text}\"")));
    }
    Ok(())
}

/// What an object id of `MongoDB` is spelled as.
fn is_object_id(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 24 && text.bytes().all(is_digit)
}

/// What a stream without schemas may have sent for it: a JSON value that reads so, or the text itself.
fn each_untyped(text: &str, each: &mut impl FnMut(Value<'_>)) {
    match text.as_bytes() {
        b"true" => each(Value::Bool(true)),
        b"false" => each(Value::Bool(false)),
        b"null" => each(Value::Null),
        [b'-' | b'0'..=b'9', ..] if is_count(text) || is_json(text) => each(Value::Number(text)),
        // A column of several types (an id of MongoDB) may hold dates among them.
        [b'-' | b'+' | b'0'..=b'9', ..] if text.ends_with('Z') => {
            if let Some(at) = calendar::read_instant(text) {
                each(Value::Instant(at));
            }
        }
        [b'{' | b'[', ..] if is_json(text) => each(Value::Json(text)),
        _ => {
            if let Some(uuid) = parse_uuid(text) {
                each(Value::Uuid(uuid));
            }
        }
    }
    each(Value::Text(text));
    if is_object_id(text) {
        each(Value::Json(&format!("\"{text}\"")));
    }
}

/// The milliseconds since 1970 of a time with its offset from UTC.
pub(crate) fn instant_ms(text: &str) -> Option<i64> {
    let moment = calendar::read_instant(text).filter(|_| !text.ends_with("infinity"))?;
    let seconds = moment.seconds.checked_mul(1_000)?;
    seconds.checked_add(i64::from(moment.nanos / 1_000_000))
}

/// Digits and nothing else, as JSON writes them: most numbers that are asked for.
fn is_count(text: &str) -> bool {
    let is_all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_all_digits && (text.len() == 1 || !text.starts_with('0'))
}

/// One JSON value, and nothing around it.
pub(crate) fn is_json(text: &str) -> bool {
    // Blanks around the value are no part of it, and would not have been sent.
    serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get().len() == text.len())
}

/// Either alphabet, padded or not.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(kind: ColumnType, texts: &[&str], expected: &Expect) {
        let mut out = String::new();
        for text in texts {
            let mut values = Vec::new();
            let read = each_value(kind, text, |value| values.push(format!("{value:?}")));
            let line = match read {
                Ok(()) => values.join(" | "),
                Err(error) => error.to_string(),
            };
            writeln!(out, "{text} -> {line}").unwrap();
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn integers_are_compared_with_any_number() {
        let read = |text| {
            let mut values = Vec::new();
            let read = each_operand(ColumnType::Int64, text, |value| {
                values.push(format!("{value:?}"));
            });
            read.map(|()| values.join(" | "))
        };
        assert_eq!(read("7").unwrap(), "Int(7)");
        assert_eq!(read("7.5").unwrap(), "Number(\"7.5\")");
        assert_eq!(read("1e3").unwrap(), "Number(\"1e3\")");
        for text in ["NaN", "Infinity", "", "x", "1e"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        check(
            ColumnType::Int64,
            &[
                "7",
                "-9223372036854775808",
                "18446744073709551615",
                "7.5",
                "",
                "-",
                "x7",
            ],
            &expect![[r#"
                7 -> Int(7)
                -9223372036854775808 -> Int(-9223372036854775808)
                18446744073709551615 -> Number("18446744073709551615")
                7.5 -> expected an integer
                 -> expected an integer
                - -> expected an integer
                x7 -> expected an integer
            "#]],
        );
        check(
            ColumnType::Decimal,
            &["19.90", "1e3", "1,5"],
            &expect![[r#"
                19.90 -> Number("19.90")
                1e3 -> Number("1e3")
                1,5 -> expected a decimal number
            "#]],
        );
        check(
            ColumnType::Float64,
            &["0.1", "-Infinity", "nan"],
            &expect![[r#"
                0.1 -> Number("0.1")
                -Infinity -> Float(-inf)
                nan -> expected a number, NaN, Infinity or -Infinity
            "#]],
        );
    }

    #[test]
    fn texts_uuids_and_bytes() {
        let uuid = "B68A35A7-17ad-35b3-af2a-ae46edb4545a";
        check(
            ColumnType::Text,
            &["", "paid", &uuid.to_lowercase(), "596e275826f08b2730779e1f"],
            &expect![[r#"
                 -> Text("")
                paid -> Text("paid")
                b68a35a7-17ad-35b3-af2a-ae46edb4545a -> Uuid([182, 138, 53, 167, 23, 173, 53, 179, 175, 42, 174, 70, 237, 180, 84, 90]) | Text("b68a35a7-17ad-35b3-af2a-ae46edb4545a")
                596e275826f08b2730779e1f -> Text("596e275826f08b2730779e1f") | Json("\"596e275826f08b2730779e1f\"")
            "#]],
        );
        check(
            ColumnType::Uuid,
            &[uuid, "b68a"],
            &expect![[r#"
            B68A35A7-17ad-35b3-af2a-ae46edb4545a -> Uuid([182, 138, 53, 167, 23, 173, 53, 179, 175, 42, 174, 70, 237, 180, 84, 90]) | Text("B68A35A7-17ad-35b3-af2a-ae46edb4545a")
            b68a -> expected a uuid, as in b68a35a7-17ad-35b3-af2a-ae46edb4545a
        "#]],
        );
        check(
            ColumnType::Bytes,
            &["//4=", "__4", "?"],
            &expect![[r#"
            //4= -> Bytes([255, 254])
            __4 -> Bytes([255, 254])
            ? -> expected base64
        "#]],
        );
    }

    #[test]
    fn without_a_type_a_text_may_be_several_values() {
        check(
            ColumnType::Any,
            &[
                "7",
                "007",
                "-1.50",
                "true",
                "null",
                "paid",
                "[1, 2]",
                "[1",
                " 7",
                "1970-01-01T00:00:01.5Z",
                "1970-01-01",
                "596e275826f08b2730779e1f",
                "596e275826f08b2730779e1F",
            ],
            &expect![[r#"
                7 -> Number("7") | Text("7")
                007 -> Text("007")
                -1.50 -> Number("-1.50") | Text("-1.50")
                true -> Bool(true) | Text("true")
                null -> Null | Text("null")
                paid -> Text("paid")
                [1, 2] -> Json("[1, 2]") | Text("[1, 2]")
                [1 -> Text("[1")
                 7 -> Text(" 7")
                1970-01-01T00:00:01.5Z -> Instant(Moment { seconds: 1, nanos: 500000000 }) | Text("1970-01-01T00:00:01.5Z")
                1970-01-01 -> Text("1970-01-01")
                596e275826f08b2730779e1f -> Text("596e275826f08b2730779e1f") | Json("\"596e275826f08b2730779e1f\"")
                596e275826f08b2730779e1F -> Text("596e275826f08b2730779e1F")
            "#]],
        );
    }

    #[test]
    fn dates_and_times() {
        check(
            ColumnType::Date,
            &["2024-02-29", "2023-02-29", "yesterday"],
            &expect![[r#"
                2024-02-29 -> Date(19782)
                2023-02-29 -> expected a date, as in 2024-02-29
                yesterday -> expected a date, as in 2024-02-29
            "#]],
        );
        check(
            ColumnType::TimeTz,
            &["12:00:00Z", "12:00:00"],
            &expect![[r#"
                12:00:00Z -> ClockUtc(43200000000000)
                12:00:00 -> expected a time of day in UTC, as in 12:34:56.789Z
            "#]],
        );
        check(
            ColumnType::Duration,
            &["PT1S", "P1Y", "1 day"],
            &expect![[r#"
                PT1S -> Duration(1000000)
                P1Y -> Text("P1Y")
                1 day -> expected an ISO 8601 duration, as in P1DT2H3M4.5S
            "#]],
        );
    }
}
