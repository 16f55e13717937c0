//! Casts: a value turned into one of another type, as `PostgreSQL` would.
//!
//! Knows the types that values have a meaning in: whole and other numbers, truth, text, JSON, dates, times,
//! uuids and bytes. Refuses what is no spelling of the type, and numbers that it does not hold.

use row_model::{ColumnType, Decimal, Moment, Value};

use crate::json::postgres::{self, Spelling};
use crate::json::write_array;
use crate::literal;
use crate::zone::Zone;

const SECONDS_PER_DAY: i64 = 86_400;
/// Digits behind the point beyond which a rounded number is no number of any column.
const SCALE_MAX: usize = 16_383;

/// A type that values can be turned into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    kind: ColumnType,
    /// In which instants have a date and a time of day.
    zone: Zone,
    /// It is an array that is turned.
    is_of_array: bool,
}

/// The value has no counterpart in the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CastError {
    /// It is no spelling of any value of the type.
    #[error("invalid input syntax for type {to}: \"{text}\"")]
    Syntax { to: &'static str, text: String },
    /// The type does not hold so great a number.
    #[error("{to} out of range")]
    Range { to: &'static str },
    /// Values of this kind are never turned into that type.
    #[error("cannot cast to {to}")]
    Kind { to: &'static str },
}

/// Names of types, and what they hold.
const NAMES: &[(&str, ColumnType)] = &[
    ("text", ColumnType::Text),
    ("varchar", ColumnType::Text),
    ("character varying", ColumnType::Text),
    ("bool", ColumnType::Bool),
    ("boolean", ColumnType::Bool),
    ("int2", ColumnType::Int16),
    ("smallint", ColumnType::Int16),
    ("int", ColumnType::Int32),
    ("int4", ColumnType::Int32),
    ("integer", ColumnType::Int32),
    ("int8", ColumnType::Int64),
    ("bigint", ColumnType::Int64),
    ("float4", ColumnType::Float32),
    ("real", ColumnType::Float32),
    ("float", ColumnType::Float64),
    ("float8", ColumnType::Float64),
    ("double precision", ColumnType::Float64),
    ("numeric", ColumnType::Decimal),
    ("decimal", ColumnType::Decimal),
    ("json", ColumnType::Json),
    ("jsonb", ColumnType::Json),
    ("date", ColumnType::Date),
    ("time", ColumnType::Time),
    ("timestamp", ColumnType::Timestamp),
    ("timestamptz", ColumnType::TimestampTz),
    ("uuid", ColumnType::Uuid),
    ("bytea", ColumnType::Bytes),
];

impl Cast {
    /// How every type that can be cast to is called.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let known = NAMES.iter().find(|(known, _)| *known == name)?;
        Some(Self {
            kind: known.1,
            zone: Zone::default(),
            is_of_array: false,
        })
    }

    /// The same for values of columns of this type.
    #[must_use]
    pub fn of(self, kind: ColumnType) -> Self {
        Self {
            is_of_array: kind == ColumnType::Array,
            ..self
        }
    }

    /// The same in a session of this time zone.
    #[must_use]
    pub fn within(self, zone: &Zone) -> Self {
        Self {
            zone: zone.clone(),
            ..self
        }
    }

    /// The type of what it makes.
    #[must_use]
    pub fn kind(&self) -> ColumnType {
        self.kind
    }

    /// Turns a value into one of the type; null stays null. `scratch` holds what is made, if it must be held.
    ///
    /// # Errors
    /// If the type has no such value.
    pub fn apply<'v>(
        &self,
        value: Value<'v>,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>, CastError> {
        match (self.kind, value) {
            (_, Value::Null | Value::Unavailable)
            | (ColumnType::Text, Value::Text(_))
            | (ColumnType::Uuid, Value::Uuid(_))
            | (ColumnType::Bytes, Value::Bytes(_)) => Ok(value),
            (ColumnType::Text, _) => Ok(Value::Text(self.spelled(value, scratch))),
            (ColumnType::Bool, value) => self.truth(value),
            (ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64, value) => self.whole(value),
            (ColumnType::Float32 | ColumnType::Float64, value) => self.float(value),
            (ColumnType::Decimal, value) => self.decimal(value, scratch),
            (ColumnType::Json, value) => self.json(value, scratch),
            (
                ColumnType::Date
                | ColumnType::Time
                | ColumnType::Timestamp
                | ColumnType::TimestampTz,
                value,
            ) => self.time(value, scratch),
            (ColumnType::Uuid, Value::Text(text)) => {
                let canonical = text.trim().to_ascii_lowercase();
                let uuid = row_model::parse_uuid(&canonical);
                uuid.map(Value::Uuid).ok_or_else(|| self.no_spelling(text))
            }
            (ColumnType::Bytes, Value::Text(text)) => {
                scratch.clear();
                scratch.extend_from_slice(text.as_bytes());
                Ok(Value::Bytes(scratch))
            }
            _ => Err(CastError::Kind {
                to: self.type_name(),
            }),
        }
    }

    fn truth<'v>(&self, value: Value<'v>) -> Result<Value<'v>, CastError> {
        match value {
            Value::Bool(_) => Ok(value),
            Value::Int(number) => Ok(Value::Bool(number != 0)),
            Value::UInt(number) => Ok(Value::Bool(number != 0)),
            Value::Text(text) | Value::Json(text) => {
                let truth = postgres_truth(text).ok_or_else(|| self.no_spelling(text))?;
                Ok(Value::Bool(truth))
            }
            _ => Err(CastError::Kind {
                to: self.type_name(),
            }),
        }
    }

    /// Fractions are rounded: decimals away from zero at the half, floats to the even number.
    fn whole(&self, value: Value<'_>) -> Result<Value<'static>, CastError> {
        let number = match value {
            Value::Bool(truth) => i64::from(truth),
            Value::Int(number) => number,
            Value::UInt(number) => i64::try_from(number).map_err(|_| self.too_great())?,
            Value::Float(number) => {
                let rounded = number.round_ties_even();
                // As floats the bounds are whole, and the upper one is one too many.
                let holds = rounded >= i64::MIN as f64 && rounded < i64::MAX as f64;
                if !holds {
                    return Err(self.too_great());
                }
                rounded as i64
            }
            Value::Decimal(decimal) => self.rounded(&decimal.to_plain())?,
            // A number of JSON may have a fraction, and a text that stands for a whole number may not.
            Value::Number(text) | Value::Json(text) => self.rounded(text)?,
            Value::Text(text) => {
                let digits = text.trim();
                let plain = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                if plain.is_empty() || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(self.no_spelling(text));
                }
                digits.parse().map_err(|_| self.too_great())?
            }
            _ => {
                return Err(CastError::Kind {
                    to: self.type_name(),
                });
            }
        };
        let holds = match self.kind {
            ColumnType::Int16 => i16::try_from(number).is_ok(),
            ColumnType::Int32 => i32::try_from(number).is_ok(),
            _ => true,
        };
        if holds {
            Ok(Value::Int(number))
        } else {
            Err(self.too_great())
        }
    }

    fn rounded(&self, text: &str) -> Result<i64, CastError> {
        let (scale, unscaled) = Decimal::parse(text).map_err(|_| self.no_spelling(text))?;
        let (negative, digits) = Decimal::new(scale, &unscaled).digits();
        let magnitude = match usize::try_from(scale) {
            Ok(scale) if scale > digits.len() => 0,
            Ok(scale) => {
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let up = i128::from(
                    fraction
                        .as_bytes()
                        .first()
                        .is_some_and(|digit| *digit >= b'5'),
                );
                let whole = if whole.is_empty() { "0" } else { whole };
                whole.parse::<i128>().map_err(|_| self.too_great())? + up
            }
            Err(_) => {
                let ten = scale.unsigned_abs();
                let number: i128 = digits.parse().map_err(|_| self.too_great())?;
                let power = 10_i128.checked_pow(ten).filter(|_| number != 0);
                match power {
                    Some(power) => number.checked_mul(power).ok_or_else(|| self.too_great())?,
                    None if number == 0 => 0,
                    None => return Err(self.too_great()),
                }
            }
        };
        let number = if negative { -magnitude } else { magnitude };
        i64::try_from(number).map_err(|_| self.too_great())
    }

    fn float(&self, value: Value<'_>) -> Result<Value<'static>, CastError> {
        let number = match value {
            Value::Int(number) => number as f64,
            Value::UInt(number) => number as f64,
            Value::Float(number) => number,
            Value::Decimal(decimal) => self.parsed(&decimal.to_plain())?,
            Value::Number(text) | Value::Text(text) | Value::Json(text) => self.parsed(text)?,
            _ => {
                return Err(CastError::Kind {
                    to: self.type_name(),
                });
            }
        };
        let single = number as f32;
        match self.kind {
            ColumnType::Float32 if single.is_infinite() && number.is_finite() => {
                Err(self.too_great())
            }
            // The number whose shortest digits are those of the single.
            ColumnType::Float32 => Ok(Value::Float(single.to_string().parse().unwrap_or(number))),
            _ => Ok(Value::Float(number)),
        }
    }

    fn parsed(&self, text: &str) -> Result<f64, CastError> {
        let number: f64 = text.trim().parse().map_err(|_| self.no_spelling(text))?;
        let says_so = text.to_ascii_lowercase().contains("inf");
        if number.is_infinite() && !says_so {
            return Err(self.too_great());
        }
        Ok(number)
    }

    fn decimal<'v>(
        &self,
        value: Value<'v>,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>, CastError> {
        let text = match value {
            Value::Int(_) | Value::UInt(_) | Value::Decimal(_) | Value::Number(_) => {
                return Ok(value);
            }
            Value::Float(number) if number.is_finite() => number.to_string(),
            Value::Float(_) => return Ok(value),
            Value::Text(text) | Value::Json(text) => text.trim().to_owned(),
            _ => {
                return Err(CastError::Kind {
                    to: self.type_name(),
                });
            }
        };
        let (scale, unscaled) = Decimal::parse(&text).map_err(|_| self.no_spelling(&text))?;
        if usize::try_from(scale).is_ok_and(|scale| scale > SCALE_MAX) {
            return Err(self.too_great());
        }
        *scratch = unscaled;
        Ok(Value::Decimal(Decimal::new(scale, scratch)))
    }

    fn json<'v>(&self, value: Value<'v>, scratch: &'v mut Vec<u8>) -> Result<Value<'v>, CastError> {
        if let Value::Text(text) = value {
            if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
                return Err(self.no_spelling(text));
            }
            return Ok(Value::Json(text));
        }
        scratch.clear();
        postgres::write_value(value, &self.zone, scratch);
        Ok(match std::str::from_utf8(scratch) {
            Ok(text) => Value::Json(text),
            Err(_) => Value::Null,
        })
    }

    fn time<'v>(&self, value: Value<'v>, scratch: &'v mut Vec<u8>) -> Result<Value<'v>, CastError> {
        let midnight = |days: i64| match days {
            i64::MAX => Moment::INFINITY,
            i64::MIN => Moment::NEG_INFINITY,
            _ => Moment {
                seconds: days.saturating_mul(SECONDS_PER_DAY),
                nanos: 0,
            },
        };
        let value = match value {
            Value::Instant(at) if self.kind != ColumnType::TimestampTz => {
                Value::Timestamp(self.zone.local(at))
            }
            value => value,
        };
        Ok(match (self.kind, value) {
            (ColumnType::Date, Value::Date(_))
            | (ColumnType::Time, Value::Clock(_))
            | (ColumnType::Timestamp, Value::Timestamp(_))
            | (ColumnType::TimestampTz, Value::Instant(_)) => value,
            (ColumnType::Date, Value::Timestamp(at)) => Value::Date(match at {
                Moment::INFINITY => i64::MAX,
                Moment::NEG_INFINITY => i64::MIN,
                at => at.seconds.div_euclid(SECONDS_PER_DAY),
            }),
            (ColumnType::Time, Value::ClockUtc(nanos)) => Value::Clock(nanos),
            (ColumnType::Time, Value::Timestamp(at)) => {
                let second = at.seconds.rem_euclid(SECONDS_PER_DAY);
                Value::Clock(second * 1_000_000_000 + i64::from(at.nanos))
            }
            (ColumnType::TimestampTz, Value::Timestamp(at)) => {
                Value::Instant(self.zone.instant(at))
            }
            (ColumnType::Timestamp, Value::Date(days)) => Value::Timestamp(midnight(days)),
            (ColumnType::TimestampTz, Value::Date(days)) => {
                Value::Instant(self.zone.instant(midnight(days)))
            }
            (_, Value::Text(text)) => return self.time_of(text, scratch),
            _ => {
                return Err(CastError::Kind {
                    to: self.type_name(),
                });
            }
        })
    }

    /// A date alone is its midnight; a time without an offset is one of the zone.
    fn time_of<'v>(&self, text: &str, scratch: &'v mut Vec<u8>) -> Result<Value<'v>, CastError> {
        let kinds: &[ColumnType] = match self.kind {
            ColumnType::Time => &[ColumnType::Time, ColumnType::TimeTz],
            _ => &[
                ColumnType::Timestamp,
                ColumnType::TimestampTz,
                ColumnType::Date,
            ],
        };
        for kind in kinds {
            let mut found = None;
            let read = literal::each_value(*kind, text.trim(), |value| {
                found = found.or(match value {
                    Value::Date(days) => Some(Value::Date(days)),
                    Value::Clock(nanos) | Value::ClockUtc(nanos) => Some(Value::Clock(nanos)),
                    Value::Timestamp(at) => Some(Value::Timestamp(at)),
                    Value::Instant(at) => Some(Value::Instant(at)),
                    _ => None,
                });
            });
            if let (Ok(()), Some(found)) = (read, found) {
                return self.time(found, scratch);
            }
        }
        Err(self.no_spelling(text))
    }

    fn spelled<'v>(&self, value: Value<'_>, scratch: &'v mut Vec<u8>) -> &'v str {
        let mut text = String::new();
        match value {
            Value::Json(array) if self.is_of_array => write_array(array, &mut text),
            value => postgres::spell(value, Spelling::Text, &self.zone, &mut text),
        }
        *scratch = text.into_bytes();
        std::str::from_utf8(scratch).unwrap_or_default()
    }

    fn type_name(&self) -> &'static str {
        type_name(self.kind)
    }

    fn no_spelling(&self, text: &str) -> CastError {
        CastError::Syntax {
            to: self.type_name(),
            text: text.to_owned(),
        }
    }

    fn too_great(&self) -> CastError {
        CastError::Range {
            to: self.type_name(),
        }
    }
}

/// What `PostgreSQL` calls a type in its messages.
#[must_use]
pub fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "boolean",
        ColumnType::Int16 => "smallint",
        ColumnType::Int32 => "integer",
        ColumnType::Int64 => "bigint",
        ColumnType::Float32 => "real",
        ColumnType::Float64 => "double precision",
        ColumnType::Decimal | ColumnType::UInt64 => "numeric",
        ColumnType::Bytes => "bytea",
        ColumnType::TimeTz => "time with time zone",
        ColumnType::TimestampTz => "timestamp with time zone",
        ColumnType::Duration => "interval",
        ColumnType::Bits => "bit",
        ColumnType::Any | ColumnType::Map | ColumnType::Struct | ColumnType::EnumSet => "json",
        other => other.name(),
    }
}

/// As `boolin` reads it: any beginning of a word that cannot be taken for another.
#[must_use]
pub fn postgres_truth(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&*text);
    match &*text {
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        "o" => None,
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(casts: &[(Value<'_>, &str)], expected: &Expect) {
        let lines: String = casts
            .iter()
            .map(|(value, name)| {
                let mut scratch = Vec::new();
                let cast = Cast::from_name(name).unwrap();
                match cast.apply(*value, &mut scratch) {
                    Ok(made) => format!("{value:?}::{name} = {made:?}\n"),
                    Err(error) => format!("{value:?}::{name}: {error}\n"),
                }
            })
            .collect();
        expected.assert_eq(&lines);
    }

    #[test]
    fn types_are_called_as_in_postgresql() {
        for name in Cast::names() {
            assert!(Cast::from_name(name).is_some());
        }
        assert_eq!(Cast::from_name("INT8").unwrap().kind(), ColumnType::Int64);
        assert_eq!(Cast::from_name("fakecolumntype"), None);
    }

    #[test]
    fn numbers() {
        let decimal = Value::Decimal(Decimal::new(2, &[0x07, 0xc6]));
        check(
            &[
                (Value::Int(7), "text"),
                (Value::Int(70_000), "int2"),
                (Value::Text(" 42 "), "int"),
                (Value::Text("4.2"), "int"),
                (Value::Text("99999999999"), "int"),
                (Value::Text(""), "int"),
                (decimal, "int"),
                (decimal, "float8"),
                (decimal, "text"),
                (Value::Number("-2.5"), "int"),
                (Value::Number("1e3"), "int8"),
                (Value::Number("1e300"), "int8"),
                (Value::Float(2.5), "int"),
                (Value::Float(1e30), "int8"),
                (Value::Float(0.1), "numeric"),
                (Value::Float(0.1), "float4"),
                (Value::Float(1e300), "real"),
                (Value::Text("1e999"), "float8"),
                (Value::Text("NaN"), "float8"),
                (Value::Text("x"), "numeric"),
                (Value::Bool(true), "int"),
                (Value::Date(1), "int"),
                (Value::Null, "int"),
            ],
            &expect![[r#"
                Int(7)::text = Text("7")
                Int(70000)::int2: smallint out of range
                Text(" 42 ")::int = Int(42)
                Text("4.2")::int: invalid input syntax for type integer: "4.2"
                Text("99999999999")::int: integer out of range
                Text("")::int: invalid input syntax for type integer: ""
                Decimal(Decimal { scale: 2, unscaled: [7, 198] })::int = Int(20)
                Decimal(Decimal { scale: 2, unscaled: [7, 198] })::float8 = Float(19.9)
                Decimal(Decimal { scale: 2, unscaled: [7, 198] })::text = Text("19.90")
                Number("-2.5")::int = Int(-3)
                Number("1e3")::int8 = Int(1000)
                Number("1e300")::int8: bigint out of range
                Float(2.5)::int = Int(2)
                Float(1e30)::int8: bigint out of range
                Float(0.1)::numeric = Decimal(Decimal { scale: 1, unscaled: [1] })
                Float(0.1)::float4 = Float(0.1)
                Float(1e300)::real: real out of range
                Text("1e999")::float8: double precision out of range
                Text("NaN")::float8 = Float(NaN)
                Text("x")::numeric: invalid input syntax for type numeric: "x"
                Bool(true)::int = Int(1)
                Date(1)::int: cannot cast to integer
                Null::int = Null
            "#]],
        );
    }

    #[test]
    fn all_else() {
        let at = Moment {
            seconds: 1_709_210_096,
            nanos: 500_000_000,
        };
        check(
            &[
                (Value::Bool(true), "text"),
                (Value::Text("YES"), "bool"),
                (Value::Text("maybe"), "bool"),
                (Value::Int(0), "bool"),
                (Value::Instant(at), "text"),
                (Value::Instant(at), "date"),
                (Value::Instant(at), "time"),
                (Value::Timestamp(at), "timestamptz"),
                (Value::Date(19_782), "timestamp"),
                (Value::Text("2024-02-29"), "timestamptz"),
                (Value::Text("2024-02-29T12:34:56+02:00"), "timestamptz"),
                (Value::Text("yesterday"), "date"),
                (Value::Text("{\"a\": 1}"), "jsonb"),
                (Value::Text("{"), "json"),
                (Value::Int(7), "json"),
                (Value::Text("B6b6b6b6-b6b6-b6b6-b6b6-b6b6b6b6b6b6"), "uuid"),
                (Value::Text("b6"), "uuid"),
                (Value::Text("hi"), "bytea"),
                (Value::Bytes(&[1, 255]), "text"),
                (Value::Json("[1]"), "text"),
                (Value::Unavailable, "text"),
            ],
            &expect![[r#"
                Bool(true)::text = Text("true")
                Text("YES")::bool = Bool(true)
                Text("maybe")::bool: invalid input syntax for type boolean: "maybe"
                Int(0)::bool = Bool(false)
                Instant(Moment { seconds: 1709210096, nanos: 500000000 })::text = Text("2024-02-29 12:34:56.5+00")
                Instant(Moment { seconds: 1709210096, nanos: 500000000 })::date = Date(19782)
                Instant(Moment { seconds: 1709210096, nanos: 500000000 })::time = Clock(45296500000000)
                Timestamp(Moment { seconds: 1709210096, nanos: 500000000 })::timestamptz = Instant(Moment { seconds: 1709210096, nanos: 500000000 })
                Date(19782)::timestamp = Timestamp(Moment { seconds: 1709164800, nanos: 0 })
                Text("2024-02-29")::timestamptz = Instant(Moment { seconds: 1709164800, nanos: 0 })
                Text("2024-02-29T12:34:56+02:00")::timestamptz = Instant(Moment { seconds: 1709202896, nanos: 0 })
                Text("yesterday")::date: invalid input syntax for type date: "yesterday"
                Text("{\"a\": 1}")::jsonb = Json("{\"a\": 1}")
                Text("{")::json: invalid input syntax for type json: "{"
                Int(7)::json = Json("7")
                Text("B6b6b6b6-b6b6-b6b6-b6b6-b6b6b6b6b6b6")::uuid = Uuid([182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182, 182])
                Text("b6")::uuid: invalid input syntax for type uuid: "b6"
                Text("hi")::bytea = Bytes([104, 105])
                Bytes([1, 255])::text = Text("\\x01ff")
                Json("[1]")::text = Text("[1]")
                Unavailable::text = Unavailable
            "#]],
        );
    }
}
