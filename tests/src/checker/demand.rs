//! How fresh an answer is asked to be, and what of the history it must then show.

use std::fmt::Write as _;
use std::time::Instant;

use fastrand::Rng;
use serde_json::{Value, json};
use ureq::RequestBuilder;

use super::history::History;
use super::judge::{Floors, all_at};

/// A floor, as it is spelled and as it is understood.
#[derive(Clone, Debug, Default)]
pub struct Floor {
    pub spelled: String,
    /// What an answer must show that meets it.
    pub floors: Floors,
    /// The same of an answer that is whole.
    pub whole: Floors,
    /// It was told by the process that is asked: it cannot be ahead of that.
    pub is_of_this_life: bool,
}

/// All that is asked of an answer beside its contents.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    pub floor: Option<Floor>,
    pub wait: Option<&'static str>,
    pub serves: bool,
    pub max_lag_ms: Option<u64>,
    /// The moment of an earlier answer.
    pub at_exact: Option<String>,
    /// Whether that must still be there.
    pub is_askable: bool,
    /// The tag of what is known: only another answer is wanted, and for a while waited for.
    pub if_none_match: Option<String>,
}

/// Floors that the source's own positions make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Transaction,
    Lsn,
    CommitTime,
    LogEnd,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Transaction, Self::Lsn, Self::CommitTime, Self::LogEnd];

    /// A floor of this kind: mostly of the newest commits, as a writer asks for what it has just written.
    pub fn floor(self, history: &History, sent: Instant, rng: &mut Rng) -> Option<Floor> {
        let commits = history.commits();
        let back = if rng.bool() { 3 } else { commits.len() };
        let commit = &commits[commits
            .len()
            .checked_sub(1 + rng.usize(..back.clamp(1, commits.len().max(1))))?];
        let all = all_at(commit.end);
        let (spelled, floors) = match self {
            Self::Transaction => {
                // In an answer that shows transactions in parts, those of others may be missing elsewhere.
                let own = commit.places.iter().map(|place| (*place, commit.end));
                (format!("tx:{}", commit.id), own.collect())
            }
            Self::Lsn => {
                let (high, low) = (commit.lsn >> 32, commit.lsn as u32);
                (format!("lsn:{high:X}/{low:X}"), all.clone())
            }
            Self::CommitTime => {
                let until = all_at(history.committed_until(commit.committed_ms));
                (format!("ts:{}", commit.committed_ms), until)
            }
            Self::LogEnd => {
                let arrived = all_at(history.arrived_before(sent));
                ("log_end".to_owned(), arrived)
            }
        };
        let whole = if self == Self::Transaction {
            all
        } else {
            floors.clone()
        };
        Some(Floor {
            spelled,
            floors,
            whole,
            is_of_this_life: false,
        })
    }
}

impl Demand {
    /// As a question's path says it.
    pub fn add_to_path(&self, path: &mut String) {
        for (name, value) in self.spelled() {
            let separator = if path.contains('?') { '&' } else { '?' };
            let value = value.replace('/', "%2F");
            let _ = write!(path, "{separator}{name}={value}");
        }
    }

    /// As its body says it.
    pub fn add_to_body(&self, body: &mut Value) {
        for (name, value) in self.spelled() {
            body[name] = json!(value);
        }
    }

    pub fn conditional<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.if_none_match {
            Some(tag) => request
                .header("If-None-Match", tag)
                .header("Prefer", "wait=1"),
            None => request,
        }
    }

    fn spelled(&self) -> Vec<(&'static str, String)> {
        let mut spelled = Vec::new();
        if let Some(floor) = &self.floor {
            spelled.push(("at_least", floor.spelled.clone()));
        }
        if let Some(at_exact) = &self.at_exact {
            return vec![("at_exact", at_exact.clone())];
        }
        if let Some(max_lag) = self.max_lag_ms {
            spelled.push(("max_lag", format!("{max_lag}ms")));
        }
        if !spelled.is_empty() {
            spelled.extend(self.wait.map(|wait| ("wait", wait.to_owned())));
        }
        if self.serves && self.floor.is_some() {
            spelled.push(("on_miss", "serve".to_owned()));
        }
        spelled
    }
}
