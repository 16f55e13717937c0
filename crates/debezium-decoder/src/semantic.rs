//! The table of semantic types: what a Connect schema node means.

use row_model::ColumnType;

use crate::connect_schema::Node;

/// What a column holds, as far as decoding it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Semantic {
    /// No schema: the token itself.
    Untyped,
    Boolean,
    /// A number that is 0 or 1: `MySQL`'s `TINYINT(1)`. Only a hint says so.
    Flag,
    /// 64 bits without sign, sent as if they had one. Only a hint says so.
    Unsigned,
    Integer(ColumnType),
    Float(ColumnType),
    Text(ColumnType),
    Bytes,
    /// Bytes sent as text, in the connector's other modes. Only hints say so.
    BytesHex,
    BytesUrl,
    /// A decimal that tells its scale itself: as text, as a number, or beside its digits. Only a hint says so.
    PlainDecimal,
    Decimal {
        scale: i32,
    },
    VariableScaleDecimal,
    Date,
    Clock {
        per_second: i64,
    },
    Timestamp {
        per_second: i64,
    },
    ZonedTimestamp,
    ZonedTime,
    IsoDate,
    IsoTime,
    IsoTimestamp,
    MicroDuration,
    Json,
    Uuid,
    EnumSet,
    Bits {
        length: usize,
    },
    Array(Box<Semantic>),
    Map(Box<Semantic>, Box<Semantic>),
    Struct(Vec<(String, Semantic)>),
}

impl Semantic {
    pub fn of(node: &Node) -> Self {
        let named = node
            .is_debezium_or_connect()
            .then(|| node.short_name())
            .flatten();
        match (named, node.kind.as_str()) {
            (Some("Decimal"), _) => Self::Decimal {
                // A scale beyond what a scale may be is refused with the first cell.
                scale: node
                    .number_parameter("scale")
                    .map_or(0, |scale| i32::try_from(scale).unwrap_or(i32::MAX)),
            },
            (Some("VariableScaleDecimal"), _) => Self::VariableScaleDecimal,
            (Some("Date"), _) => Self::Date,
            (Some("Time"), _) => Self::Clock { per_second: 1_000 },
            (Some("MicroTime"), _) => Self::Clock {
                per_second: 1_000_000,
            },
            (Some("NanoTime"), _) => Self::Clock {
                per_second: 1_000_000_000,
            },
            (Some("Timestamp"), _) => Self::Timestamp { per_second: 1_000 },
            (Some("MicroTimestamp"), _) => Self::Timestamp {
                per_second: 1_000_000,
            },
            (Some("NanoTimestamp"), _) => Self::Timestamp {
                per_second: 1_000_000_000,
            },
            (Some("ZonedTimestamp"), _) => Self::ZonedTimestamp,
            (Some("ZonedTime"), _) => Self::ZonedTime,
            (Some("IsoDate"), _) => Self::IsoDate,
            (Some("IsoTime"), _) => Self::IsoTime,
            (Some("IsoTimestamp"), _) => Self::IsoTimestamp,
            (Some("MicroDuration"), _) => Self::MicroDuration,
            (Some("Interval"), _) => Self::Text(ColumnType::Duration),
            (Some("Json"), _) => Self::Json,
            (Some("Uuid"), _) => Self::Uuid,
            (Some("EnumSet"), _) => Self::EnumSet,
            (Some("Enum"), _) => Self::Text(ColumnType::Enum),
            (Some("Xml"), _) => Self::Text(ColumnType::Xml),
            (Some("Bits"), _) => Self::Bits {
                length: node.number_parameter("length").unwrap_or(0) as usize,
            },
            (_, "boolean") => Self::Boolean,
            (_, "int8" | "int16") => Self::Integer(ColumnType::Int16),
            (_, "int32") => Self::Integer(ColumnType::Int32),
            (_, "int64") => Self::Integer(ColumnType::Int64),
            (_, "float") => Self::Float(ColumnType::Float32),
            (_, "double") => Self::Float(ColumnType::Float64),
            (_, "string") => Self::Text(ColumnType::Text),
            (_, "bytes") => Self::Bytes,
            (_, "array") => Self::Array(Box::new(Self::of_part(node.items.as_deref()))),
            (_, "map") => Self::Map(
                Box::new(Self::of_part(node.keys.as_deref())),
                Box::new(Self::of_part(node.values.as_deref())),
            ),
            (_, "struct") => Self::Struct(
                node.fields
                    .iter()
                    .map(|field| (field.field.clone().unwrap_or_default(), Self::of(field)))
                    .collect(),
            ),
            _ => Self::Untyped,
        }
    }

    fn of_part(node: Option<&Node>) -> Self {
        node.map_or(Self::Untyped, Self::of)
    }

    /// True for types whose values are texts in every format, so that their JSON is the text.
    pub fn is_sent_as_text(&self) -> bool {
        matches!(
            self,
            Self::Text(_)
                | Self::ZonedTimestamp
                | Self::ZonedTime
                | Self::IsoDate
                | Self::IsoTime
                | Self::IsoTimestamp
                | Self::Json
                | Self::Uuid
                | Self::EnumSet
        )
    }

    pub fn column_type(&self) -> ColumnType {
        match self {
            Self::Untyped => ColumnType::Any,
            Self::Boolean | Self::Flag => ColumnType::Bool,
            Self::Unsigned => ColumnType::UInt64,
            Self::Integer(kind) | Self::Float(kind) | Self::Text(kind) => *kind,
            Self::Bytes | Self::BytesHex | Self::BytesUrl => ColumnType::Bytes,
            Self::Decimal { .. } | Self::VariableScaleDecimal | Self::PlainDecimal => {
                ColumnType::Decimal
            }
            Self::Date | Self::IsoDate => ColumnType::Date,
            Self::Clock { .. } | Self::IsoTime => ColumnType::Time,
            Self::ZonedTime => ColumnType::TimeTz,
            Self::Timestamp { .. } | Self::IsoTimestamp => ColumnType::Timestamp,
            Self::ZonedTimestamp => ColumnType::TimestampTz,
            Self::MicroDuration => ColumnType::Duration,
            Self::Json => ColumnType::Json,
            Self::Uuid => ColumnType::Uuid,
            Self::EnumSet => ColumnType::EnumSet,
            Self::Bits { .. } => ColumnType::Bits,
            Self::Array(_) => ColumnType::Array,
            Self::Map(..) => ColumnType::Map,
            Self::Struct(_) => ColumnType::Struct,
        }
    }
}
