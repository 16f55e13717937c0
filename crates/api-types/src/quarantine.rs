//! `GET /v1/quarantine`: records that could not be applied, with their bytes; and what came of trying them once more.

use serde::{Deserialize, Serialize};

use crate::Fresh;

/// Bytes of a key or value that are shown; the rest is cut off.
pub const QUARANTINE_BYTES_SHOWN_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineResponse {
    pub records: Vec<QuarantineRecord>,
    pub fresh: Fresh,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRecord {
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    /// RFC 3339 in UTC, from the record's own timestamp.
    pub time: Option<String>,
    pub reason: String,
    /// `None` for Kafka's null. At most [`QUARANTINE_BYTES_SHOWN_MAX`] bytes before encoding.
    pub key_b64: Option<String>,
    pub value_b64: Option<String>,
}

/// What came of `POST /v1/quarantine/replay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineReplayResponse {
    /// In the order of their logs.
    pub records: Vec<QuarantineReplayed>,
    pub applied: u64,
    pub settled: u64,
    pub kept: u64,
    pub fresh: Fresh,
}

/// A record of the quarantine that was tried once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReplayed {
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    pub outcome: QuarantineOutcome,
    /// Why it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineOutcome {
    /// It changed its table, and has left the quarantine.
    Applied,
    /// Later records have made up for it, or it changes nothing: it has left the quarantine.
    Settled,
    /// It stays in the quarantine.
    Kept,
}
