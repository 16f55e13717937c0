//! How fresh an answer is. Every answer says it, errors and "not found" included.

use serde::{Deserialize, Serialize};

/// Over several tables: the worst of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fresh {
    /// Opaque token of the cut that was read.
    pub as_of: String,
    /// When the source committed the newest change in the cut, RFC 3339 in UTC. `None` if nothing was applied yet.
    pub commit_time: Option<String>,
    /// Upper bound on the age against the log. `None` before the end of the log was seen once and
    /// nothing was applied: no bound is known then, and none is invented.
    pub lag_ms: Option<u64>,
    /// The same against the source database. `None` without a heartbeat table.
    pub source_lag_ms: Option<u64>,
    pub state: State,
    /// While loading: share of what the log held at the start that has been read, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    pub transactions: Transactions,
    /// Every row the log ever named is here. False if retention had shortened the log before it was read.
    pub complete: bool,
    /// Records of these tables that could not be applied.
    pub quarantined: u64,
    /// With `at_least` or `max_lag`: whether the answer is as fresh as that. False with `on_miss=serve` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satisfied: Option<bool>,
    /// With `at_least=tx:…` and its like, where satisfied: what that rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// With `max_lag`: which lag was bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// What it rests on that an answer is not older than a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The boundaries of transactions were followed.
    Exact,
    /// Something later was seen, and the tables were read to their ends since.
    Weak,
}

/// Which lag `max_lag` bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `source_lag_ms`.
    Source,
    /// `lag_ms`: nothing is known of the source itself.
    Log,
}

/// Where a table, partition or source stands. Ordered from best to worst, so that the worst of several is `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At the end of the log, or was a moment ago.
    Live,
    /// Whole, but older than the log; reading on.
    CatchingUp,
    /// No contact with the log beyond a bound.
    Stale,
    /// Not whole yet: read for the first time.
    Loading,
    /// Halted by an error that the status names.
    Stalled,
}

impl State {
    /// As it is spelled in JSON, metrics and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::CatchingUp => "catching_up",
            Self::Stale => "stale",
            Self::Loading => "loading",
            Self::Stalled => "stalled",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the cut holds the source's transactions whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transactions {
    /// All of each, or nothing of it, across tables.
    Whole,
    /// Of some tables or some stretch of the log only.
    Partial,
    /// The source sends no transaction boundaries that could be kept.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = r#"{"as_of":"AZ1w","commit_time":"2026-11-20T23:59:58.412Z","lag_ms":38,"source_lag_ms":null,"state":"live","transactions":"whole","complete":true,"quarantined":0}"#;

    #[test]
    fn is_spelled_as_documented_and_read_back() {
        let fresh: Fresh = serde_json::from_str(LIVE).unwrap();
        assert_eq!(serde_json::to_string(&fresh).unwrap(), LIVE);
        let loading = Fresh {
            state: State::Loading,
            progress: Some(0.25),
            ..fresh
        };
        let text = serde_json::to_string(&loading).unwrap();
        assert!(
            text.contains(r#""state":"loading","progress":0.25,"#),
            "{text}"
        );
    }

    #[test]
    fn every_state_is_spelled_alike_in_json_and_in_text() {
        use State::{CatchingUp, Live, Loading, Stale, Stalled};
        for state in [Live, CatchingUp, Stale, Loading, Stalled] {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("\"{state}\"")
            );
        }
        assert_eq!([CatchingUp, Stalled, Live].into_iter().max(), Some(Stalled));
    }
}
