//! `GET /v1/quarantine`: records that could not be applied, with their bytes.

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
