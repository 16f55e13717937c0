//! One cell: how the JSON of each semantic type becomes a value.

use crate::json_token::Token;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use row_model::{ColumnType, Decimal, Moment, RowBuilder, Value, parse_uuid};

use crate::json_token::{self, integer, text};
use crate::semantic::Semantic;
use crate::{Placeholder, nested, temporal};

/// What a column should have held and did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(pub &'static str);

/// Debezium's numbers for PostgreSQL's infinite timestamps, in each unit, and for infinite dates.
const INFINITE_STAMPS: [(i64, Moment); 6] = [
    (9_223_372_036_825_200_000, Moment::INFINITY),
    (-9_223_372_036_832_400_000, Moment::NEG_INFINITY),
    (9_223_372_036_825_200, Moment::INFINITY),
    (-9_223_372_036_832_400, Moment::NEG_INFINITY),
    (i64::MAX, Moment::INFINITY),
    (i64::MIN, Moment::NEG_INFINITY),
];
const INFINITE_DATES: [(i64, i64); 2] = [(-2_147_472_692, i64::MAX), (-2_147_472_691, i64::MIN)];
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
        if value == "null" {
            row.push(Value::Null);
            return Ok(());
        }
        if value.starts_with('"') {
            let text = text(token).ok_or(Mismatch("text"))?;
            return self.push_sent_text(&text, placeholder, row);
        }
        match self {
            Self::Untyped | Self::Array(_) | Self::Map(..) | Self::Struct(_)
                if matches!(value.as_bytes()[0], b'[' | b'{')
                    && placeholder.is_some_and(|placeholder| placeholder.is_nested(token)) =>
            {
                row.push(Value::Unavailable);
            }
            Self::Untyped => json_token::untyped(token, |value| row.push(value)),
            Self::Boolean => row.push(Value::Bool(value.parse().map_err(|_| Mismatch("boolean"))?)),
            Self::Float(_) => row.push(Value::Float(
                value
                    .parse()
                    .map_err(|_| Mismatch("floating-point number"))?,
            )),
            Self::Decimal { .. } => push_decimal_text(value, row)?,
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

    /// A text that stands for a value which was not sent.
    fn is_unavailable(&self, text: &str, placeholder: &Placeholder) -> bool {
        match self {
            Self::Untyped => placeholder.is_untyped_text(text),
            Self::Json => placeholder.is_json_text(text),
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
                let infinite = INFINITE_STAMPS.iter().find(|(sent, _)| *sent == number);
                Value::Timestamp(
                    infinite.map_or_else(|| Moment::from_units(number, *per_second), |(_, at)| *at),
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
            Self::Bytes => {
                let bytes = STANDARD.decode(text).map_err(|_| Mismatch("base64 text"))?;
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
                row.push(Value::Decimal(Decimal::new(*scale, &unscaled)));
            }
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
        let read = match self {
            Self::ZonedTimestamp => temporal::instant(text).map(Value::Instant),
            Self::ZonedTime => temporal::clock_utc(text).map(Value::ClockUtc),
            Self::IsoDate => temporal::date_days(local).map(Value::Date),
            Self::IsoTime => temporal::clock(local).map(Value::Clock),
            Self::IsoTimestamp if local.len() < text.len() => {
                temporal::instant(text).map(Value::Timestamp)
            }
            Self::Uuid => parse_uuid(text).map(Value::Uuid),
            _ => None,
        };
        let iso = matches!(self, Self::IsoDate | Self::IsoTime | Self::IsoTimestamp);
        read.unwrap_or(Value::Text(if iso { local } else { text }))
    }

    pub fn mismatch(&self) -> Mismatch {
        Mismatch(self.column_type().name())
    }
}

fn push_decimal_text(text: &str, row: &mut RowBuilder) -> Result<(), Mismatch> {
    let (scale, unscaled) = Decimal::parse(text).map_err(|_| Mismatch("decimal"))?;
    row.push(Value::Decimal(Decimal::new(scale, &unscaled)));
    Ok(())
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
