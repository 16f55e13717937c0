//! Recognises what a JSON value is: a change, or one of Debezium's other records.

use crate::json_token::{Token, integer};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::nested::members;
use crate::topic::Unwrapped;
use crate::{DecodeError, cloud_event};

/// The members by which records are told apart. Rows and blocks stay raw.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub before: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub after: Option<Token<'a>>,
    /// What an update changed, of connectors that may not know the row as it is then.
    #[serde(borrow, default, rename = "updateDescription")]
    pub update: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub source: Option<Token<'a>>,
    #[serde(borrow, default)]
    pub transaction: Option<Token<'a>>,
    #[serde(borrow, default)]
    op: Option<Token<'a>>,
    #[serde(default, deserialize_with = "whole_number")]
    pub ts_ms: Option<i64>,
    #[serde(borrow, default)]
    status: Option<Token<'a>>,
    #[serde(borrow, default)]
    ddl: Option<Token<'a>>,
    #[serde(borrow, default, rename = "tableChanges")]
    table_changes: Option<Token<'a>>,
    #[serde(borrow, default)]
    aggregate_type: Option<Token<'a>>,
}

/// The members of records that are not about a row: all of them and no others, or it is a row.
const HEARTBEAT: [&str; 1] = ["ts_ms"];
const BOUNDARY: [&str; 5] = ["status", "id", "event_count", "data_collections", "ts_ms"];
const NOTIFICATION: [&str; 5] = [
    "id",
    "type",
    "aggregate_type",
    "additional_data",
    "timestamp",
];

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    Change(Op),
    /// A row and a change of it, inside a cloud event.
    CloudEvent,
    /// Any other object: a row without envelope.
    Row,
    /// `{"ts_ms": …}` and nothing else: the connector is alive.
    Heartbeat,
    /// BEGIN or END of a source transaction.
    TransactionBoundary,
    /// DDL of the source.
    SchemaChange,
    /// Progress of a snapshot.
    Notification,
}

/// The operations that concern a table, and the logical message, which becomes a row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Update,
    Delete,
    Read,
    Truncate,
    Message,
}

impl<'a> Envelope<'a> {
    pub fn of(unwrapped: &Unwrapped<'a>) -> Result<Self, DecodeError> {
        let payload = unwrapped.payload;
        let Some(members) = unwrapped.outline.members() else {
            return Self::parse(payload);
        };
        let mut envelope = Self::default();
        for member in members {
            let token = Some(member.value(payload)).filter(|token| token.get() != "null");
            // As bytes, which are told apart without a call.
            match member.name(payload).as_bytes() {
                b"before" => envelope.before = token,
                b"after" => envelope.after = token,
                b"updateDescription" => envelope.update = token,
                b"source" => envelope.source = token,
                b"transaction" => envelope.transaction = token,
                b"op" => envelope.op = token,
                b"ts_ms" => envelope.ts_ms = token.and_then(integer),
                b"status" => envelope.status = token,
                b"ddl" => envelope.ddl = token,
                b"tableChanges" => envelope.table_changes = token,
                b"aggregate_type" => envelope.aggregate_type = token,
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn parse(payload: &'a str) -> Result<Self, DecodeError> {
        // Serde would also read an array into a struct, member by member.
        if payload.starts_with('{') {
            serde_json::from_str(payload).map_err(|error| DecodeError::malformed("value", &error))
        } else if payload.starts_with("Struct{") {
            Err(DecodeError::JavaText { part: "value" })
        } else {
            Err(DecodeError::NotAnEnvelope)
        }
    }

    /// What makes an object a change: an operation, and the block that tells its source.
    pub fn op_and_source(&self) -> Result<Option<(Op, Token<'a>)>, DecodeError> {
        match (self.op, self.source) {
            (Some(op), Some(source)) if source.get().starts_with('{') => {
                Ok(Some((Op::read(op.get())?, source)))
            }
            _ => Ok(None),
        }
    }

    pub fn recognise(&self, unwrapped: &Unwrapped<'_>) -> Result<Recognised, DecodeError> {
        if let Some((op, _)) = self.op_and_source()? {
            return Ok(Recognised::Change(op));
        }
        let schema = unwrapped
            .schema
            .as_ref()
            .and_then(|node| node.name.as_deref());
        Ok(schema
            .and_then(by_schema_name)
            .unwrap_or_else(|| self.by_members(unwrapped.payload)))
    }

    fn by_members(&self, payload: &str) -> Recognised {
        let of_source = self
            .source
            .is_some_and(|source| source.get().starts_with('{'));
        let status = self.status.map(Token::get);
        if of_source && (self.ddl.is_some() || self.table_changes.is_some()) {
            Recognised::SchemaChange
        } else if matches!(status, Some("\"BEGIN\"" | "\"END\"")) && has_exactly(payload, &BOUNDARY)
        {
            Recognised::TransactionBoundary
        } else if self.aggregate_type.is_some() && has_exactly(payload, &NOTIFICATION) {
            Recognised::Notification
        } else if self.ts_ms.is_some() && has_exactly(payload, &HEARTBEAT) {
            Recognised::Heartbeat
        } else if cloud_event::is_ours(payload) {
            Recognised::CloudEvent
        } else {
            Recognised::Row
        }
    }
}

/// A number, or nothing for whatever else a row may have under that name.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Number;

    impl<'de> Visitor<'de> for Number {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("anything")
        }

        fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number))
        }

        fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
            Ok(i64::try_from(number).ok())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_seq(items)?;
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(members)?;
            Ok(None)
        }
    }

    deserializer.deserialize_any(Number)
}

/// The records that have schemas of their own, which no transform of rows gives a name.
fn by_schema_name(name: &str) -> Option<Recognised> {
    let name = name.strip_prefix("io.debezium.connector.")?;
    Some(match name.rsplit('.').next()? {
        "Heartbeat" => Recognised::Heartbeat,
        "TransactionMetadataValue" => Recognised::TransactionBoundary,
        "SchemaChangeValue" => Recognised::SchemaChange,
        "Notification" => Recognised::Notification,
        _ => return None,
    })
}

fn has_exactly(payload: &str, names: &[&str]) -> bool {
    let Some(members) = members(payload) else {
        return false;
    };
    members.len() == names.len()
        && members
            .iter()
            .all(|(name, _)| names.contains(&name.as_str()))
}

impl Op {
    /// Reads the operation's token, quotes included.
    pub fn read(op: &str) -> Result<Self, DecodeError> {
        Ok(match op {
            // Cassandra's connector calls an insert so.
            "\"c\"" | "\"i\"" => Self::Create,
            "\"u\"" => Self::Update,
            "\"d\"" => Self::Delete,
            "\"r\"" => Self::Read,
            "\"t\"" => Self::Truncate,
            "\"m\"" => Self::Message,
            _ => {
                return Err(DecodeError::UnknownOp {
                    op: op.chars().take(16).collect(),
                });
            }
        })
    }

    pub fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::Create,
            Self::Update,
            Self::Delete,
            Self::Read,
            Self::Truncate,
        ];
        all.into_iter().find(|op| op.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Read => "r",
            Self::Truncate => "t",
            Self::Message => "m",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;

    #[test]
    fn records_are_told_apart_by_their_members() {
        let recognised = |json: &str| {
            let mut outline = Outline::default();
            let unlined = Unwrapped {
                payload: json,
                schema: None,
                outline: &Outline::default(),
            };
            outline.scan(json);
            let unwrapped = Unwrapped {
                payload: json,
                schema: None,
                outline: &outline,
            };
            let parsed = Envelope::of(&unlined)?.recognise(&unlined);
            let recognised = Envelope::of(&unwrapped)?.recognise(&unwrapped);
            assert_eq!(parsed.as_ref().ok(), recognised.as_ref().ok(), "{json}");
            recognised
        };
        assert_eq!(
            recognised(r#"{"op":"c","source":{},"after":{}}"#).unwrap(),
            Recognised::Change(Op::Create)
        );
        assert_eq!(recognised(r#"{"ts_ms":5}"#).unwrap(), Recognised::Heartbeat);
        assert_eq!(
            recognised(
                r#"{"status":"BEGIN","id":"7:9","event_count":null,"data_collections":null,"ts_ms":1}"#
            ).unwrap(),
            Recognised::TransactionBoundary
        );
        assert_eq!(
            recognised(r#"{"source":{},"ddl":"CREATE","ts_ms":1}"#).unwrap(),
            Recognised::SchemaChange
        );
        assert_eq!(
            recognised(
                r#"{"id":"b6b3109e","type":"SKIPPED","aggregate_type":"Initial Snapshot","additional_data":{"connector_name":"g"},"timestamp":1795224627340}"#
            )
            .unwrap(),
            Recognised::Notification
        );
        assert!(matches!(
            recognised(r#"{"op":"zz","source":{}}"#),
            Err(DecodeError::UnknownOp { .. })
        ));
        for row in [
            r#"{"id":1}"#,
            r#"{"ts_ms":5,"id":1}"#,
            r#"{"ts_ms":"now","id":1}"#,
            r#"{"ts_ms":[1,{"a":2}],"id":1}"#,
            r#"{"ts_ms":{"a":[1]},"id":1.5}"#,
            r#"{"ts_ms":1.5}"#,
            r#"{"status":"BEGIN","id":1,"ts_ms":2}"#,
            r#"{"op":"d","source":"web"}"#,
            r#"{"aggregate_type":"Order","id":1,"body":"x"}"#,
            r#"{"specversion":"1.0","type":"com.example","data":{}}"#,
        ] {
            assert_eq!(recognised(row).unwrap(), Recognised::Row, "{row}");
        }
        assert!(Envelope::parse("[1]").is_err());
        assert!(matches!(
            recognised(r#"{"op":7,"source":{}}"#),
            Err(DecodeError::UnknownOp { .. })
        ));
    }
}
