//! Types that config gives to columns whose records say none.
//!
//! A hint stands for one row of the table of semantic types. Where a record has a schema of its own,
//! the schema rules; a hint may only say what a bare wire type leaves open (a `string` may be JSON, an
//! `int64` may be unsigned). Refuses to guess: a cell that does not fit its hint fails its record.

use std::fmt;
use std::str::FromStr;

use row_model::ColumnType;

use crate::cell::SCALE_MAX;
use crate::semantic::Semantic;

/// What a column holds, as config says.
#[derive(Clone, PartialEq, Eq)]
pub struct TypeHint {
    name: String,
    pub(crate) semantic: Semantic,
}

/// The text names no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type")]
pub struct UnknownType(String);

/// Arrays in arrays, as deep as anybody would write them.
const DEPTH_MAX: usize = 4;
/// `bits(n)`: `PostgreSQL` and `MySQL` stop far below.
const BITS_MAX: usize = 1 << 20;

/// Every name, as it is offered to somebody who wrote another.
const NAMES: [&str; 37] = [
    "bool",
    "int16",
    "int32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "decimal",
    "decimal(2)",
    "text",
    "uuid",
    "json",
    "xml",
    "enum",
    "enum_set",
    "bytes",
    "bytes_hex",
    "bytes_base64url",
    "bits(8)",
    "date",
    "time",
    "micro_time",
    "nano_time",
    "zoned_time",
    "timestamp",
    "micro_timestamp",
    "nano_timestamp",
    "zoned_timestamp",
    "iso_date",
    "iso_time",
    "iso_timestamp",
    "year",
    "micro_duration",
    "interval",
    "array(int32)",
    "map(text)",
    "struct",
];

impl TypeHint {
    /// The names there are; where one takes an argument, with an example of it.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// True if this says more of a column than its schema does, and nothing against it.
    pub(crate) fn refines(&self, sent: &Semantic) -> bool {
        refines(&self.semantic, sent)
    }
}

impl fmt::Display for TypeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for TypeHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeHint({})", self.name)
    }
}

impl FromStr for TypeHint {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        let unknown = || UnknownType(text.to_owned());
        let name: String = text.chars().filter(|letter| *letter != ' ').collect();
        let semantic = parse(&name, 0).ok_or_else(unknown)?;
        Ok(Self { name, semantic })
    }
}

fn parse(name: &str, depth: usize) -> Option<Semantic> {
    let argument = name
        .split_once('(')
        .and_then(|(kind, rest)| Some((kind, rest.strip_suffix(')')?)));
    if let Some((kind, argument)) = argument {
        return with_argument(kind, argument, depth);
    }
    Some(match name {
        "bool" => Semantic::Flag,
        "int16" => Semantic::Integer(ColumnType::Int16),
        "int32" | "year" => Semantic::Integer(ColumnType::Int32),
        "int64" => Semantic::Integer(ColumnType::Int64),
        "uint64" => Semantic::Unsigned,
        "float32" => Semantic::Float(ColumnType::Float32),
        "float64" => Semantic::Float(ColumnType::Float64),
        "decimal" => Semantic::PlainDecimal,
        "text" => Semantic::Text(ColumnType::Text),
        "uuid" => Semantic::Uuid,
        "json" => Semantic::Json,
        "xml" => Semantic::Text(ColumnType::Xml),
        "enum" => Semantic::Text(ColumnType::Enum),
        "enum_set" => Semantic::EnumSet,
        "bytes" => Semantic::Bytes,
        "bytes_hex" => Semantic::BytesHex,
        "bytes_base64url" => Semantic::BytesUrl,
        "date" => Semantic::Date,
        "time" => Semantic::Clock { per_second: 1_000 },
        "micro_time" => Semantic::Clock {
            per_second: 1_000_000,
        },
        "nano_time" => Semantic::Clock {
            per_second: 1_000_000_000,
        },
        "zoned_time" => Semantic::ZonedTime,
        "timestamp" => Semantic::Timestamp { per_second: 1_000 },
        "micro_timestamp" => Semantic::Timestamp {
            per_second: 1_000_000,
        },
        "nano_timestamp" => Semantic::Timestamp {
            per_second: 1_000_000_000,
        },
        "zoned_timestamp" => Semantic::ZonedTimestamp,
        "iso_date" => Semantic::IsoDate,
        "iso_time" => Semantic::IsoTime,
        "iso_timestamp" => Semantic::IsoTimestamp,
        "micro_duration" => Semantic::MicroDuration,
        "interval" => Semantic::Text(ColumnType::Duration),
        "struct" => Semantic::Struct(Vec::new()),
        _ => return None,
    })
}

fn with_argument(kind: &str, argument: &str, depth: usize) -> Option<Semantic> {
    let part = || {
        (depth < DEPTH_MAX)
            .then(|| parse(argument, depth + 1))
            .flatten()
    };
    Some(match kind {
        "decimal" => Semantic::Decimal {
            scale: argument
                .parse()
                .ok()
                .filter(|scale| (0..=SCALE_MAX).contains(scale))?,
        },
        "bits" => Semantic::Bits {
            length: argument
                .parse()
                .ok()
                .filter(|length| (1..=BITS_MAX).contains(length))?,
        },
        "array" => Semantic::Array(Box::new(part()?)),
        "map" => Semantic::Map(
            Box::new(Semantic::Text(ColumnType::Text)),
            Box::new(part()?),
        ),
        _ => return None,
    })
}

fn refines(hint: &Semantic, sent: &Semantic) -> bool {
    match (sent, hint) {
        // Converters that keep no semantic names send times as bare numbers.
        (Semantic::Untyped, _)
        | (Semantic::Integer(ColumnType::Int64), Semantic::Unsigned)
        | (
            Semantic::Integer(_),
            Semantic::Flag
            | Semantic::Date
            | Semantic::Clock { .. }
            | Semantic::Timestamp { .. }
            | Semantic::MicroDuration,
        )
        | (Semantic::Bytes, Semantic::Decimal { .. } | Semantic::Bits { .. }) => true,
        (Semantic::Text(ColumnType::Text), hint) => matches!(
            hint,
            Semantic::BytesHex
                | Semantic::BytesUrl
                | Semantic::Json
                | Semantic::Uuid
                | Semantic::EnumSet
                | Semantic::PlainDecimal
                | Semantic::Text(_)
                | Semantic::ZonedTimestamp
                | Semantic::ZonedTime
                | Semantic::IsoDate
                | Semantic::IsoTime
                | Semantic::IsoTimestamp
        ),
        (Semantic::Array(sent), Semantic::Array(hint))
        | (Semantic::Map(_, sent), Semantic::Map(_, hint)) => refines(hint, sent),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_offered_is_a_type() {
        for name in TypeHint::names() {
            let hint: TypeHint = name.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(hint.to_string(), *name);
            assert!(hint.refines(&Semantic::Untyped));
        }
        assert_eq!(
            "decimal( 2 )".parse::<TypeHint>().unwrap().to_string(),
            "decimal(2)"
        );
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for name in [
            "",
            "micro-timestamp",
            "Date",
            "decimal(-1)",
            "decimal(x)",
            "decimal(999999999)",
            "bits",
            "bits(0)",
            "bits(9999999999)",
            "array",
            "array(x)",
            "date(3)",
            "decimal(2",
            "array(array(array(array(array(int16)))))",
        ] {
            assert_eq!(name.parse::<TypeHint>().unwrap_err().0, name);
        }
    }

    #[test]
    fn a_schema_rules_where_it_says_more_than_a_wire_type() {
        let refines = |hint: &str, sent: &Semantic| hint.parse::<TypeHint>().unwrap().refines(sent);
        let (int64, text) = (
            Semantic::Integer(ColumnType::Int64),
            Semantic::Text(ColumnType::Text),
        );
        assert!(
            refines("uint64", &int64) && refines("bool", &Semantic::Integer(ColumnType::Int16))
        );
        assert!(refines("bytes_hex", &text) && refines("bytes_base64url", &text));
        assert!(refines("decimal(2)", &Semantic::Bytes) && !refines("decimal(2)", &text));
        assert!(!refines(
            "timestamp",
            &Semantic::Timestamp {
                per_second: 1_000_000
            }
        ));
        assert!(!refines("uint64", &Semantic::Integer(ColumnType::Int32)));
        assert!(!refines("text", &int64) && !refines("json", &Semantic::Uuid));
    }
}
