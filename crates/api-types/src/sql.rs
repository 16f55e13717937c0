//! `POST /v1/sql`.
//!
//! As in lists, rows never pass through serde on the way out: the server writes `{"columns":[…],"types":[…],"rows":[…]`
//! and then a [`SqlTail`] without its braces and `fresh`; readers parse the whole as a [`SqlResponse`].

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Fresh;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// One `SELECT`.
    pub sql: String,
    /// What `$1`, `$2`, … stand for.
    #[serde(default)]
    pub params: Vec<Box<RawValue>>,
    /// What the answer must not be older than: `as_of` of an earlier one, `tx:…`, `lsn:…`, `gtid:…`, `ts:…`, `log_end`.
    #[serde(default)]
    pub at_least: Option<String>,
    /// How old it may be, as `5s` or `500ms`.
    #[serde(default)]
    pub max_lag: Option<String>,
    /// How long that is waited for, as `2s` or `500ms`.
    #[serde(default)]
    pub wait: Option<String>,
    /// `serve`: answer nevertheless, if it did not come.
    #[serde(default)]
    pub on_miss: Option<String>,
    /// `as_of` of an earlier answer whose state this one is to be of.
    #[serde(default)]
    pub at_exact: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct SqlResponse {
    pub columns: Vec<String>,
    /// PostgreSQL's names of the columns' types.
    pub types: Vec<String>,
    pub rows: Vec<Vec<Box<RawValue>>>,
    /// `[row,"column"]` of each value that was never sent, and is null in its row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<Vec<(u64, String)>>,
    pub truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub engine: String,
    pub fresh: Fresh,
}

/// What stands between the rows of an answer and how fresh they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SqlTail {
    /// There are more rows than these, though the statement did not ask for fewer.
    pub truncated: bool,
    /// How to narrow the statement down, if it was truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What ran the statement.
    pub engine: String,
}
