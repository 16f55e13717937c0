//! Errors: the closed set of codes, and the `application/problem+json` body (RFC 9457) that carries one.
//!
//! A hint or detail never repeats a cell's value: rows can carry text that is meant to be obeyed.

use serde::{Deserialize, Serialize};

use crate::Fresh;

pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";

/// What an error's `type` begins with; the code follows.
const TYPE_BASE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/errors/");

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub type_uri: String,
    pub title: String,
    pub status: u16,
    pub code: ErrorCode,
    pub detail: String,
    /// What could have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// Of a transaction that was waited for in vain: others of its source that are shown, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_tx: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
}

impl Problem {
    /// A problem with everything that its code alone decides.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("{TYPE_BASE}{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            candidates: Vec::new(),
            recent_tx: Vec::new(),
            hint: None,
            retryable: code.retry_after_ms().is_some(),
            retry_after_ms: code.retry_after_ms(),
            request_id: None,
            fresh: None,
        }
    }

    #[must_use]
    pub fn with_candidates(mut self, candidates: Vec<String>) -> Self {
        self.candidates = candidates;
        self
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_fresh(mut self, fresh: Fresh) -> Self {
        self.fresh = Some(fresh);
        self
    }

    #[must_use]
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }
}

/// Declares each code once, with its spelling, status and title, so that no two of these can drift apart.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// Every error the API can answer with. Closed: clients match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl ErrorCode {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

error_codes! {
    BadRequest = "bad_request", 400, "Bad request";
    AmbiguousTable = "ambiguous_table", 400, "Ambiguous table name";
    UnknownParameter = "unknown_parameter", 400, "Unknown parameter";
    UnknownColumn = "unknown_column", 400, "Unknown column";
    TypeMismatch = "type_mismatch", 400, "Value does not fit the column's type";
    BadCursor = "bad_cursor", 400, "Unusable cursor";
    UnknownRelation = "unknown_relation", 400, "Unknown relation";
    AmbiguousRelation = "ambiguous_relation", 400, "Ambiguous relation";
    Unauthorized = "unauthorized", 401, "Not authenticated";
    InsufficientScope = "insufficient_scope", 403, "Not allowed";
    /// Also what a caller is told who may not see the table.
    UnknownTable = "unknown_table", 404, "Unknown table";
    RowNotFound = "row_not_found", 404, "Row not found";
    /// No endpoint has this path.
    UnknownPath = "unknown_path", 404, "Unknown path";
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    UnknownIndex = "unknown_index", 404, "Unknown index";
    IndexExists = "index_exists", 409, "Index exists";
    /// What an operator asks for cannot be done as things stand.
    OperationRefused = "operation_refused", 409, "Operation refused";
    SnapshotExpired = "snapshot_expired", 410, "Snapshot expired";
    PositionUnknown = "position_unknown", 410, "Position of another source timeline";
    CursorExpired = "cursor_expired", 410, "Cursor expired";
    BodyTooLarge = "body_too_large", 413, "Request body too large";
    ScanTooLarge = "scan_too_large", 422, "Query would examine too many rows";
    UnsupportedSql = "unsupported_sql", 422, "Unsupported SQL";
    RateLimited = "rate_limited", 429, "Too many requests";
    /// Our own fault. The log has the rest, under the request id.
    Internal = "internal", 500, "Internal error";
    TooStale = "too_stale", 503, "Data older than asked for";
    /// The table is being loaded from the checkpoint and cannot answer yet.
    Starting = "starting", 503, "Starting";
    Overloaded = "overloaded", 503, "Overloaded";
    Draining = "draining", 503, "Shutting down";
    NotYetApplied = "not_yet_applied", 504, "Write not visible yet";
    QueryTimeout = "query_timeout", 504, "Query took too long";
}

impl ErrorCode {
    /// How long to wait before the same request may succeed; `None` if it would fail again as it is.
    ///
    /// A query that timed out is not offered for repetition: it would cost the same again.
    #[must_use]
    pub fn retry_after_ms(self) -> Option<u64> {
        match self {
            Self::NotYetApplied => Some(500),
            Self::RateLimited
            | Self::TooStale
            | Self::Starting
            | Self::Overloaded
            | Self::Draining => Some(1000),
            _ => None,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn is_spelled_as_documented_and_read_back() {
        let problem = Problem::new(
            ErrorCode::UnknownColumn,
            "Table 'orders' has no column 'state'.",
        )
        .with_candidates(vec!["status".to_owned()])
        .with_hint("Use status. GET /v1/tables/orders lists all columns.")
        .with_request_id("01J");
        let text = serde_json::to_string(&problem).unwrap();
        expect![[r#"{"type":"https://github.com/rowtide/rowtide/errors/unknown_column","title":"Unknown column","status":400,"code":"unknown_column","detail":"Table 'orders' has no column 'state'.","candidates":["status"],"hint":"Use status. GET /v1/tables/orders lists all columns.","retryable":false,"request_id":"01J"}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        let problem = Problem::new(ErrorCode::Starting, "…");
        assert_eq!(
            (problem.retryable, problem.retry_after_ms, problem.status),
            (true, Some(1000), 503)
        );
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{code}\""));
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(
                code.retry_after_ms().is_none() || [429, 503, 504].contains(&code.status()),
                "{code}"
            );
        }
    }
}
