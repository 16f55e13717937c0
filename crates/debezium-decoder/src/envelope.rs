//! Recognises what a JSON value is: a change, or one of Debezium's other records.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::DecodeError;

/// The members by which records are told apart. Rows and blocks stay raw.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub source: Option<&'a RawValue>,
    #[serde(borrow, default)]
    op: Option<&'a RawValue>,
    #[serde(default)]
    pub ts_ms: Option<i64>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ddl: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "tableChanges")]
    table_changes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    aggregate_type: Option<&'a RawValue>,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    Change(Op),
    /// `{"ts_ms": …}` and nothing else: the connector is alive.
    Heartbeat,
    /// BEGIN or END of a source transaction.
    TransactionBoundary,
    /// DDL of the source.
    SchemaChange,
    /// Progress of a snapshot.
    Notification,
}

/// The operations that concern a table, and the logical message that concerns none yet.
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
    pub fn parse(payload: &'a str) -> Result<Self, DecodeError> {
        // Serde would also read an array into a struct, member by member.
        if !payload.starts_with('{') {
            return Err(DecodeError::NotAnEnvelope);
        }
        serde_json::from_str(payload).map_err(|error| DecodeError::malformed("value", &error))
    }

    pub fn recognise(&self) -> Result<Recognised, DecodeError> {
        if let (Some(op), Some(_)) = (self.op, self.source) {
            return Op::read(op.get()).map(Recognised::Change);
        }
        let schema_change =
            self.source.is_some() && (self.ddl.is_some() || self.table_changes.is_some());
        if schema_change {
            Ok(Recognised::SchemaChange)
        } else if matches!(
            self.status.map(RawValue::get),
            Some("\"BEGIN\"" | "\"END\"")
        ) {
            Ok(Recognised::TransactionBoundary)
        } else if self.aggregate_type.is_some() {
            Ok(Recognised::Notification)
        } else if self.is_heartbeat() {
            Ok(Recognised::Heartbeat)
        } else {
            Err(DecodeError::NotAnEnvelope)
        }
    }

    fn is_heartbeat(&self) -> bool {
        self.ts_ms.is_some()
            && self.op.is_none()
            && self.before.is_none()
            && self.after.is_none()
            && self.source.is_none()
    }
}

impl Op {
    /// Reads the operation's token, quotes included.
    fn read(op: &str) -> Result<Self, DecodeError> {
        Ok(match op {
            "\"c\"" => Self::Create,
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

    #[test]
    fn records_are_told_apart_by_their_members() {
        let recognised = |json: &str| Envelope::parse(json).unwrap().recognise();
        assert_eq!(
            recognised(r#"{"op":"c","source":{},"after":{}}"#).unwrap(),
            Recognised::Change(Op::Create)
        );
        assert_eq!(recognised(r#"{"ts_ms":5}"#).unwrap(), Recognised::Heartbeat);
        assert_eq!(
            recognised(r#"{"status":"BEGIN","id":"7:9","ts_ms":1}"#).unwrap(),
            Recognised::TransactionBoundary
        );
        assert_eq!(
            recognised(r#"{"source":{},"ddl":"CREATE","ts_ms":1}"#).unwrap(),
            Recognised::SchemaChange
        );
        assert_eq!(
            recognised(r#"{"id":"1","type":"STARTED","aggregate_type":"Initial Snapshot"}"#)
                .unwrap(),
            Recognised::Notification
        );
        assert!(matches!(
            recognised(r#"{"op":"zz","source":{}}"#),
            Err(DecodeError::UnknownOp { .. })
        ));
        assert!(matches!(
            recognised(r#"{"id":1}"#),
            Err(DecodeError::NotAnEnvelope)
        ));
        assert!(Envelope::parse("[1]").is_err());
        assert!(matches!(
            recognised(r#"{"op":7,"source":{}}"#),
            Err(DecodeError::UnknownOp { .. })
        ));
    }
}
