//! One cell: how the JSON of each semantic type becomes a value.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use row_model::{ColumnType, Decimal, Moment, RowBuilder, Value, parse_uuid};

use crate::json_token::{self, Token, integer, text};
use crate::semantic::Semantic;
use crate::{Placeholder, nested, temporal};

/// What a column should have held and did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(pub &'static str);

/// Debezium's numbers for PostgreSQL's infinite timestamps, by units a second: in another unit the
/// same number is a moment like any other.
const INFINITE_STAMPS: [(i64, i64, Moment); 6] = [
    (1_000_000, 9_223_372_036_825_200_000, Moment::INFINITY),
    (1_000_000, -9_223_372_036_832_400_000, Moment::NEG_INFINITY),
    (1_000, 9_223_372_036_825_200, Moment::INFINITY),
    (1_000, -9_223_372_036_832_400, Moment::NEG_INFINITY),
    (1_000_000_000, i64::MAX, Moment::INFINITY),
    (1_000_000_000, i64::MIN, Moment::NEG_INFINITY),
];
/// The same for dates: snapshots and the stream write different ones, all beyond any date there is.
const INFINITE_DATES: [(i64, i64); 4] = [
    (-2_147_472_692, i64::MAX),
    (-2_147_472_691, i64::MIN),
    (-622_191_234, i64::MAX),
    (-625_821_272, i64::MIN),
];
/// And as text, where times are text.
const INFINITE_TEXTS: [(&str, bool); 6] = [
    ("+292278994-08-16", true),
    ("-5877611-06-21", true),
    ("+294247-01-10T04:00:25.2", true),
    ("+292269055-12-02", false),
    ("-5877611-06-22", false),
    ("-290308-12-21T19:59:27.6", false),
];
/// Digits after the point: `PostgreSQL` has up to 16,383, others a few dozen. Every answer writes them all.
pub(crate) const SCALE_MAX: i32 = 20_000;
/// Zeros before the point: `PostgreSQL` has up to 131,072 digits there.
const SCALE_MIN: i32 = -140_000;
/// As many bytes as 200,000 digits take, more than any database has.
const UNSCALED_BYTES_MAX: usize = 83_100;
/// The URL's alphabet, with or without padding.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// More zeros than this are not put before the bits that were sent (a connector may leave out leading zero
/// bytes). `bit varying` without a length says 2^31 - 1: then as many digits as the value needs.
const BITS_ADDED_MAX: usize = 4_096;

impl Semantic {
    /// Appends the value of `token` to the row.
    pub fn push(
        &self,
        token: Token<'_>,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), Mismatch> {
        let value = token.get();
        match value.as_bytes().first() {
            // No other value begins with it.
            Some(b'n') => {
                row.push(Value::Null);
                return Ok(());
            }
            Some(b'"') => {
                let text = text(token).ok_or(Mismatch("text"))?;
                return self.push_sent_text(&text, placeholder, row);
            }
            _ => {}
        }
        match self {
            Self::Untyped | Self::Array(_) | Self::Map(..) | Self::Struct(_)
                if matches!(value.as_bytes()[0], b'[' | b'{')
                    && placeholder.is_some_and(|placeholder| placeholder.is_nested(token)) =>
            {
                row.push(Value::Unavailable);
            }
            Self::Untyped => json_token::untyped(token, |value| row.push(value)),
            Self::Flag => row.push(Value::Bool(match value {
                "0" | "false" => false,
                "1" | "true" => true,
                _ => return Err(self.mismatch()),
            })),
            Self::Unsigned => row.push(unsigned(value).ok_or(self.mismatch())?),
            // Text was taken apart before it came here.
            Self::Json if value.starts_with(['{', '[']) => row.push(Value::Json(value)),
            Self::PlainDecimal if value.starts_with('{') => {
                nested::variable_scale(token, |decimal| row.push(Value::Decimal(decimal)))?;
            }
            Self::Boolean => row.push(Value::Bool(value.parse().map_err(|_| Mismatch("boolean"))?)),
            Self::Float(_) => row.push(Value::Float(
                value
                    .parse()
                    .map_err(|_| Mismatch("floating-point number"))?,
            )),
            Self::Decimal { .. } | Self::PlainDecimal => push_decimal_text(value, row)?,
            Self::VariableScaleDecimal => {
                nested::variable_scale(token, |decimal| row.push(Value::Decimal(decimal)))?;
            }
            Self::Array(_) | Self::Map(..) | Self::Struct(_) => {
                let mut json = String::with_capacity(value.len());
                nested::write_json(self, token, &mut json)?;
                row.push(Value::Json(&json));
            }
            _ => row.push(
                self.of_integer(integer(token).ok_or(self.mismatch())?)
                    .ok_or(self.mismatch())?,
            ),
        }
        Ok(())
    }

    /// Appends the value of a text, which may stand for one that was not sent.
    pub fn push_sent_text(
        &self,
        text: &str,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), Mismatch> {
        if placeholder.is_some_and(|placeholder| self.is_unavailable(text, placeholder)) {
            row.push(Value::Unavailable);
            return Ok(());
        }
        self.push_text(text, placeholder, row)
    }

    /// The same for a column whose type only a hint says: what does not read as that type fails,
    /// instead of staying the text it is.
    pub fn push_strictly(
        &self,
        token: Token<'_>,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), Mismatch> {
        if let Some(text) = text(token) {
            let stands_for_none =
                placeholder.is_some_and(|placeholder| self.is_unavailable(&text, placeholder));
            let is_read = match self {
                Self::ZonedTimestamp
                | Self::ZonedTime
                | Self::IsoDate
                | Self::IsoTime
                | Self::IsoTimestamp
                | Self::Uuid => !matches!(self.of_text(&text), Value::Text(_)),
                Self::Json => nested::is_json(&text),
                _ => true,
            };
            if !stands_for_none && !is_read {
                return Err(self.mismatch());
            }
        }
        self.push(token, placeholder, row)
    }

    /// A text that stands for a value which was not sent.
    fn is_unavailable(&self, text: &str, placeholder: &Placeholder) -> bool {
        match self {
            Self::Untyped => placeholder.is_untyped_text(text),
            // Not every format says that a text is JSON.
            Self::Json | Self::Text(ColumnType::Text) => placeholder.is_json_text(text),
            _ => placeholder.is_text(text),
        }
    }

    /// What a whole number means for this type; `None` if it cannot be one.
    pub fn of_integer(&self, number: i64) -> Option<Value<'static>> {
        Some(match self {
            Self::Integer(ColumnType::Int16) => Value::Int(i64::from(i16::try_from(number).ok()?)),
            Self::Integer(ColumnType::Int32) => Value::Int(i64::from(i32::try_from(number).ok()?)),
            Self::Integer(_) => Value::Int(number),
            Self::Date => {
                let infinite = INFINITE_DATES.iter().find(|(sent, _)| *sent == number);
                Value::Date(infinite.map_or(number, |(_, days)| *days))
            }
            Self::Clock { per_second } => {
                Value::Clock(number.checked_mul(1_000_000_000 / per_second)?)
            }
            Self::Timestamp { per_second } => {
                let infinite = INFINITE_STAMPS
                    .iter()
                    .find(|(unit, sent, _)| unit == per_second && *sent == number);
                Value::Timestamp(
                    infinite
                        .map_or_else(|| Moment::from_units(number, *per_second), |(_, _, at)| *at),
                )
            }
            Self::MicroDuration => Value::Duration(number),
            _ => return None,
        })
    }

    fn push_text(
        &self,
        text: &str,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), Mismatch> {
        match self {
            Self::Untyped | Self::Text(_) => row.push(Value::Text(text)),
            Self::Bytes | Self::BytesHex | Self::BytesUrl => {
                let bytes = self.bytes(text)?;
                row.push(
                    if placeholder.is_some_and(|placeholder| placeholder.is_bytes(&bytes)) {
                        Value::Unavailable
                    } else {
                        Value::Bytes(&bytes)
                    },
                );
            }
            Self::Decimal { scale } => {
                let unscaled = STANDARD
                    .decode(text)
                    .map_err(|_| Mismatch("base64 decimal"))?;
                row.push(Value::Decimal(decimal(*scale, &unscaled)?));
            }
            Self::PlainDecimal => match no_number(text) {
                Some(name) => row.push(Value::Text(name)),
                None => push_decimal_text(text, row)?,
            },
            Self::Float(_) => row.push(Value::Float(special_float(text).ok_or(self.mismatch())?)),
            Self::Json => row.push(if nested::is_json(text) {
                Value::Json(text)
            } else {
                Value::Text(text)
            }),
            Self::EnumSet => row.push(Value::Json(&nested::enum_set(text))),
            Self::Bits { length } => row.push(Value::Text(&bits(text, *length)?)),
            Self::ZonedTimestamp
            | Self::ZonedTime
            | Self::IsoDate
            | Self::IsoTime
            | Self::IsoTimestamp
            | Self::Uuid => {
                row.push(self.of_text(text));
            }
            _ => return Err(self.mismatch()),
        }
        Ok(())
    }

    /// What a text means for a type that is spelled as text; the text itself if it does not read as one.
    pub fn of_text<'a>(&self, text: &'a str) -> Value<'a> {
        // ISO modes write a Z although the time is local.
        let local = text.strip_suffix('Z').unwrap_or(text);
        let infinite = INFINITE_TEXTS.iter().find(|(sent, _)| *sent == local);
        let read = match (self, infinite) {
            (Self::IsoDate, Some((_, after))) => {
                return Value::Date(if *after { i64::MAX } else { i64::MIN });
            }
            (Self::IsoTimestamp, Some((_, after))) => {
                return Value::Timestamp(if *after {
                    Moment::INFINITY
                } else {
                    Moment::NEG_INFINITY
                });
            }
            _ => self.read_text(text, local),
        };
        let iso = matches!(self, Self::IsoDate | Self::IsoTime | Self::IsoTimestamp);
        read.unwrap_or(Value::Text(if iso { local } else { text }))
    }

    fn read_text(&self, text: &str, local: &str) -> Option<Value<'static>> {
        match self {
            Self::ZonedTimestamp => temporal::instant(text).map(Value::Instant),
            Self::ZonedTime => temporal::clock_utc(text).map(Value::ClockUtc),
            Self::IsoDate => temporal::date_days(local).map(Value::Date),
            Self::IsoTime => temporal::clock(local).map(Value::Clock),
            Self::IsoTimestamp if local.len() < text.len() => {
                temporal::instant(text).map(Value::Timestamp)
            }
            Self::Uuid => parse_uuid(text).map(Value::Uuid),
            _ => None,
        }
    }

    /// Bytes in the text that this type sends them as.
    pub fn bytes(&self, text: &str) -> Result<Vec<u8>, Mismatch> {
        match self {
            Self::BytesHex => from_hex(text).ok_or(Mismatch("hexadecimal text")),
            Self::BytesUrl => BASE64_URL
                .decode(text)
                .map_err(|_| Mismatch("base64url text")),
            _ => STANDARD.decode(text).map_err(|_| Mismatch("base64 text")),
        }
    }

    pub fn mismatch(&self) -> Mismatch {
        Mismatch(self.column_type().name())
    }
}

fn push_decimal_text(text: &str, row: &mut RowBuilder) -> Result<(), Mismatch> {
    let (scale, unscaled) = Decimal::parse(text).map_err(|_| Mismatch("decimal"))?;
    row.push(Value::Decimal(decimal(scale, &unscaled)?));
    Ok(())
}

/// A decimal as long as any database has it: a few bytes could else become gigabytes of zeros.
pub(crate) fn decimal(scale: i32, unscaled: &[u8]) -> Result<Decimal<'_>, Mismatch> {
    if (SCALE_MIN..=SCALE_MAX).contains(&scale) && unscaled.len() <= UNSCALED_BYTES_MAX {
        Ok(Decimal::new(scale, unscaled))
    } else {
        Err(Mismatch("decimal: it has more digits than any database"))
    }
}

/// What `decimal.handling.mode=string` writes for what is no number.
fn no_number(text: &str) -> Option<&'static str> {
    Some(match text {
        "NAN" | "NaN" => "NaN",
        "POSITIVE_INFINITY" | "Infinity" => "Infinity",
        "NEGATIVE_INFINITY" | "-Infinity" => "-Infinity",
        _ => return None,
    })
}

/// 64 bits without sign, sent with one or, by other converters, as they are.
pub(crate) fn unsigned(token: &str) -> Option<Value<'static>> {
    let number = match token.parse::<i64>() {
        Ok(number) => number as u64,
        Err(_) => token.parse::<u64>().ok()?,
    };
    Some(i64::try_from(number).map_or(Value::UInt(number), Value::Int))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

pub(crate) fn special_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Little-endian bytes as binary digits, most significant first, as long as the column.
pub(crate) fn bits(base64: &str, length: usize) -> Result<String, Mismatch> {
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| Mismatch("base64 bits"))?;
    let all = bytes
        .iter()
        .rev()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let digits: String = all.map(|bit| if bit == 1 { '1' } else { '0' }).collect();
    let significant = digits.trim_start_matches('0');
    let sent = 8 * bytes.len();
    let wanted = if length <= sent.max(BITS_ADDED_MAX) {
        length
    } else {
        1
    };
    Ok(format!("{significant:0>wanted$}"))
}

#[cfg(test)]
mod tests {
    use row_model::Row;

    use super::*;
    use crate::connect_schema::Node;

    fn pushed(schema: &str, token: &str) -> Result<String, Mismatch> {
        let node: Node = serde_json::from_str(schema).unwrap();
        let token: Token<'_> = serde_json::from_str(token).unwrap();
        let mut builder = RowBuilder::default();
        Semantic::of(&node).push(token, Some(&Placeholder::default()), &mut builder)?;
        let mut bytes = Vec::new();
        builder.finish(&mut bytes);
        Ok(format!("{:?}", Row::new(&bytes).get(0).unwrap()))
    }

    fn named(kind: &str, name: &str) -> String {
        format!(
            r#"{{"type":"{kind}","optional":true,"name":"{name}","parameters":{{"scale":"2","length":"8"}}}}"#
        )
    }

    fn check(cases: &[(String, &str, &str)]) {
        for (schema, token, expected) in cases {
            assert_eq!(
                pushed(schema, token).as_deref(),
                Ok(*expected),
                "{schema} {token}"
            );
        }
    }

    #[test]
    fn numbers_and_times() {
        check(&[
            (
                named("bytes", "org.apache.kafka.connect.data.Decimal"),
                r#""D54=""#,
                "Decimal(Decimal { scale: 2, unscaled: [15, 158] })",
            ),
            (
                named("bytes", "org.apache.kafka.connect.data.Decimal"),
                "1.10",
                "Decimal(Decimal { scale: 2, unscaled: [110] })",
            ),
            (
                named("struct", "io.debezium.data.VariableScaleDecimal"),
                r#"{"scale":1,"value":"Dw=="}"#,
                "Decimal(Decimal { scale: 1, unscaled: [15] })",
            ),
            (
                named("int32", "io.debezium.time.Date"),
                "16816",
                "Date(16816)",
            ),
            (
                named("int32", "io.debezium.time.Date"),
                "-2147472692",
                "Date(9223372036854775807)",
            ),
            (
                named("int64", "io.debezium.time.MicroTime"),
                "1000000",
                "Clock(1000000000)",
            ),
            (
                named("int64", "io.debezium.time.MicroTimestamp"),
                "1500000",
                "Timestamp(Moment { seconds: 1, nanos: 500000000 })",
            ),
            (
                named("string", "io.debezium.time.ZonedTimestamp"),
                r#""1970-01-01T00:00:01Z""#,
                "Instant(Moment { seconds: 1, nanos: 0 })",
            ),
            (
                named("string", "io.debezium.time.IsoTimestamp"),
                r#""1970-01-01T00:00:01Z""#,
                "Timestamp(Moment { seconds: 1, nanos: 0 })",
            ),
        ]);
    }

    #[test]
    fn texts_bytes_and_nested_values() {
        check(&[
            (
                named("string", "io.debezium.data.Json"),
                r#""{\"a\": 1.0}""#,
                r#"Json("{\"a\": 1.0}")"#,
            ),
            (
                named("string", "io.debezium.data.Json"),
                r#""{broken""#,
                r#"Text("{broken")"#,
            ),
            (
                named("string", "io.debezium.data.EnumSet"),
                r#""a\\,b,c""#,
                r#"Json("[\"a,b\",\"c\"]")"#,
            ),
            (
                named("bytes", "io.debezium.data.Bits"),
                r#""BQ==""#,
                r#"Text("00000101")"#,
            ),
            (
                named("bytes", "io.debezium.data.Bits"),
                r#""""#,
                r#"Text("00000000")"#,
            ),
            // What the schema claims is believed as far as it costs little.
            (
                named("bytes", "io.debezium.data.Bits")
                    .replace(r#""length":"8""#, r#""length":"1000000""#),
                r#""BQ==""#,
                r#"Text("101")"#,
            ),
            (r#"{"type":"double"}"#.to_owned(), r#""NaN""#, "Float(NaN)"),
            (
                r#"{"type":"string"}"#.to_owned(),
                r#""__debezium_unavailable_value""#,
                "Unavailable",
            ),
            (
                r#"{"type":"bytes"}"#.to_owned(),
                r#""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#,
                "Unavailable",
            ),
            (
                r#"{"type":"int64"}"#.to_owned(),
                "9007199254740993",
                "Int(9007199254740993)",
            ),
            (
                r#"{"type":"array","items":{"type":"int32"}}"#.to_owned(),
                "[1, null]",
                r#"Json("[1,null]")"#,
            ),
        ]);
    }

    #[test]
    fn a_cell_of_another_type_is_refused() {
        assert_eq!(
            pushed(r#"{"type":"int32"}"#, r#""7""#),
            Err(Mismatch("int32"))
        );
        assert_eq!(
            pushed(r#"{"type":"int32"}"#, "2147483648"),
            Err(Mismatch("int32"))
        );
        assert_eq!(pushed(r#"{"type":"int32"}"#, "1.5"), Err(Mismatch("int32")));
        assert_eq!(
            pushed(r#"{"type":"boolean"}"#, "1"),
            Err(Mismatch("boolean"))
        );
        assert_eq!(pushed(r#"{"type":"string"}"#, "1"), Err(Mismatch("text")));
        assert_eq!(
            pushed(
                &named("bytes", "org.apache.kafka.connect.data.Decimal"),
                r#""*""#
            ),
            Err(Mismatch("base64 decimal"))
        );
        assert_eq!(
            pushed(r#"{"type":"array","items":{"type":"int32"}}"#, "{}"),
            Err(Mismatch("array"))
        );
    }
}
