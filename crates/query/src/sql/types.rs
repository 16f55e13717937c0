//! Types by `PostgreSQL`'s names: of columns in answers, and in casts.

use row_model::ColumnType;
use sqlparser::ast::{DataType, ExactNumberInfo, TimezoneInfo};

use super::error::{Spot, SqlError, unsupported};

/// A type as a cast names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedType {
    pub name: &'static str,
    pub kind: ColumnType,
}

/// What `PostgreSQL` calls the type of a column. What it does not have is called by the nearest type that holds
/// the values; a column without a type is `jsonb`.
#[must_use]
pub fn postgresql_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "bool",
        ColumnType::Int16 => "int2",
        ColumnType::Int32 => "int4",
        ColumnType::Int64 => "int8",
        ColumnType::UInt64 | ColumnType::Decimal => "numeric",
        ColumnType::Float32 => "float4",
        ColumnType::Float64 => "float8",
        ColumnType::Text | ColumnType::Enum => "text",
        ColumnType::Bytes => "bytea",
        ColumnType::Bits => "varbit",
        ColumnType::Uuid => "uuid",
        ColumnType::Xml => "xml",
        ColumnType::Date => "date",
        ColumnType::Time => "time",
        ColumnType::TimeTz => "timetz",
        ColumnType::Timestamp => "timestamp",
        ColumnType::TimestampTz => "timestamptz",
        ColumnType::Duration => "interval",
        ColumnType::Any
        | ColumnType::EnumSet
        | ColumnType::Json
        | ColumnType::Array
        | ColumnType::Map
        | ColumnType::Struct => "jsonb",
    }
}

/// The type that a cast was named by [`of_cast`].
pub(super) fn of_name(name: &str) -> Option<ColumnType> {
    use ColumnType::{
        Bool, Bytes, Date, Decimal, Duration, Float32, Float64, Int16, Int32, Int64, Json, Text,
        Time, Timestamp, TimestampTz, Uuid,
    };
    let mut all = [
        Bool,
        Int16,
        Int32,
        Int64,
        Decimal,
        Float32,
        Float64,
        Text,
        Bytes,
        Uuid,
        Date,
        Time,
        Timestamp,
        TimestampTz,
        Duration,
        Json,
    ]
    .into_iter();
    all.find(|kind| postgresql_name(*kind) == name)
}

/// The type of a cast, if it is one that changes no value's digits.
pub(super) fn of_cast(data_type: &DataType) -> Option<NamedType> {
    let kind = match data_type {
        DataType::SmallInt(None) | DataType::Int2(None) => ColumnType::Int16,
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => ColumnType::Int32,
        DataType::BigInt(None) | DataType::Int8(None) => ColumnType::Int64,
        DataType::Real | DataType::Float4 => ColumnType::Float32,
        DataType::Float8
        | DataType::DoublePrecision
        | DataType::Double(ExactNumberInfo::None)
        | DataType::Float(ExactNumberInfo::None) => ColumnType::Float64,
        DataType::Numeric(ExactNumberInfo::None)
        | DataType::Decimal(ExactNumberInfo::None)
        | DataType::Dec(ExactNumberInfo::None) => ColumnType::Decimal,
        DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None) => {
            ColumnType::Text
        }
        DataType::Bool | DataType::Boolean => ColumnType::Bool,
        DataType::Date => ColumnType::Date,
        DataType::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            ColumnType::Time
        }
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            ColumnType::Timestamp
        }
        DataType::Timestamp(None, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
            ColumnType::TimestampTz
        }
        DataType::Interval {
            fields: None,
            precision: None,
        } => ColumnType::Duration,
        DataType::Bytea => ColumnType::Bytes,
        DataType::JSON | DataType::JSONB => ColumnType::Json,
        DataType::Uuid => ColumnType::Uuid,
        _ => return None,
    };
    let name = postgresql_name(kind);
    Some(NamedType { name, kind })
}

pub(super) fn unsupported_cast(data_type: &DataType, at: Spot) -> SqlError {
    unsupported(
        format!("a cast to {data_type}"),
        "Casts are to int2, int4, int8, float4, float8, numeric, text, bool, date, time, timestamp, timestamptz, interval, bytea, jsonb and uuid, without lengths.",
        at,
    )
}
