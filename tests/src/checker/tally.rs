//! What became of questions: a run in which a promise was never put to the test says nothing about it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers, by what they say of transactions.
    answers: BTreeMap<String, u64>,
    /// Answers that met their floor, by its kind.
    met: BTreeMap<&'static str, u64>,
    /// Answers that were held to the age that they tell.
    pub aged: u64,
    /// Answers that were held to the lag that was asked for.
    pub bounded: u64,
    pub served_below: u64,
    /// Waits that ended with their floor reached.
    pub waited: u64,
    /// Answers for the moment of an earlier one.
    pub exact: u64,
    /// Answers that were the same as before, and that were not.
    pub unchanged: u64,
    pub changed: u64,
    /// By the code of the refusal.
    refused: BTreeMap<String, u64>,
    pub unanswered: u64,
}

impl Tally {
    pub fn answered(&mut self, fresh: &Value) {
        let said = |name: &str| fresh[name].as_str().unwrap_or("?").to_owned();
        let kind = format!("{} {}", said("state"), said("transactions"));
        *self.answers.entry(kind).or_default() += 1;
    }

    pub fn met(&mut self, spelled: &str, is_of_this_life: bool) {
        let kinds = ["tx:", "lsn:", "ts:", "log_end"];
        let kind = kinds.into_iter().find(|kind| spelled.starts_with(kind));
        let kind = kind.unwrap_or(if is_of_this_life {
            "as_of"
        } else {
            "as_of of an earlier life"
        });
        *self.met.entry(kind).or_default() += 1;
    }

    pub fn refused(&mut self, code: &str) {
        *self.refused.entry(code.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.aged += other.aged;
        self.bounded += other.bounded;
        self.served_below += other.served_below;
        self.waited += other.waited;
        self.exact += other.exact;
        self.unchanged += other.unchanged;
        self.changed += other.changed;
        self.unanswered += other.unanswered;
        add(&mut self.answers, &other.answers);
        add(&mut self.met, &other.met);
        add(&mut self.refused, &other.refused);
    }

    /// How many answers were judged.
    pub fn answers(&self) -> u64 {
        self.answers.values().sum()
    }

    /// How many of them met a floor of this kind.
    pub fn met_of(&self, kind: &str) -> u64 {
        self.met.get(kind).copied().unwrap_or(0)
    }
}

fn add<K: Ord + Clone>(all: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    for (name, count) in other {
        *all.entry(name.clone()).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} answers judged: {:?}", self.answers(), self.answers)?;
        writeln!(
            f,
            "met their at_least: {:?}; below it, and said so: {}",
            self.met, self.served_below
        )?;
        writeln!(
            f,
            "held to the lag they tell: {}; to their max_lag: {}",
            self.aged, self.bounded
        )?;
        writeln!(
            f,
            "waited for: {}; at_exact: {}; If-None-Match: {} unchanged, {} changed",
            self.waited, self.exact, self.unchanged, self.changed
        )?;
        write!(
            f,
            "refused: {:?}, nobody there: {}",
            self.refused, self.unanswered
        )
    }
}
