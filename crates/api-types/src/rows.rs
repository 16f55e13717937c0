//! Rows: a lookup's answer and a list's.
//!
//! Rows are rendered where they lie and never pass through serde on the way out. The server writes
//! `{"rows":[`, the rows, `],`, a [`ListTail`] without its braces, `,"fresh":`, a [`Fresh`] and `}`; readers
//! parse the whole as a [`ListResponse`]. A lookup is `{"row":`, the row, `,"fresh":`, a [`Fresh`] and `}`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Fresh;

/// `GET /v1/tables/{t}/rows/{key}`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RowResponse {
    pub row: Box<RawValue>,
    pub fresh: Fresh,
}

/// `GET /v1/tables/{t}/rows`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListResponse {
    pub rows: Vec<Box<RawValue>>,
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    pub next: Option<String>,
    pub truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ListPlan>,
    pub fresh: Fresh,
}

/// How the rows of a list were found, if `explain=true` asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlan {
    /// `key(id)`: looked up by the keys that the filter names. `scan`: every row was looked at.
    pub access: String,
    pub rows_examined: u64,
}

/// What stands between the rows of a list and how fresh they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListTail {
    /// Rows in this answer.
    pub count: u64,
    /// All rows that meet the filter, if `count=exact` asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Cursor of the next page; `None` at the end.
    pub next: Option<String>,
    /// The answer stopped before its limit, at the bound on its size.
    pub truncated: bool,
    /// How to continue or narrow down, if it was truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ListPlan>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{State, Transactions};

    #[test]
    fn rows_written_as_text_and_a_tail_make_a_list() {
        let fresh = Fresh {
            as_of: "AQ".to_owned(),
            commit_time: None,
            lag_ms: Some(0),
            source_lag_ms: None,
            state: State::Live,
            progress: None,
            transactions: Transactions::None,
            complete: true,
            quarantined: 0,
            satisfied: None,
            precision: None,
            bound: None,
        };
        let tail = ListTail {
            count: 1,
            total: None,
            next: None,
            truncated: false,
            hint: None,
            plan: None,
        };
        let tail = serde_json::to_string(&tail).unwrap();
        let tail = &tail[1..tail.len() - 1];
        let fresh = serde_json::to_string(&fresh).unwrap();
        let text = format!(r#"{{"rows":[{{"id":7,"total":1.10}}],{tail},"fresh":{fresh}}}"#);
        let list: ListResponse = serde_json::from_str(&text).unwrap();
        assert_eq!(list.rows[0].get(), r#"{"id":7,"total":1.10}"#);
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
    }
}
