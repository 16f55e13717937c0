//! Validation of `[tables.columns]`, `[secrets]` and `formats`: what may not be seen, and what records
//! do not say themselves. Nothing here may be misspelt in silence: a name that is no type is refused,
//! a column that no record has is told by the status.

use std::collections::{BTreeMap, BTreeSet};

use debezium_decoder::{
    FormatOverride, HASH_KEY_BYTES_MIN, HashKey, PartFormat, TopicFormats, TypeHint,
};

use super::check::nearest;
use super::document::KeyPath;
use super::raw::{RawColumns, RawFormat, RawPartFormat};
use super::sources::check_topic;
use super::validated::Findings;

/// What is said of one table's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnsConfig {
    pub drop: Vec<String>,
    pub hash: Vec<String>,
    pub types: BTreeMap<String, TypeHint>,
}

impl ColumnsConfig {
    /// True if nobody may see all of a record.
    pub fn hides(&self) -> bool {
        !self.drop.is_empty() || !self.hash.is_empty()
    }
}

/// What is said of the columns of a table with this declared key.
pub fn columns(
    raw: RawColumns,
    key: &[String],
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> ColumnsConfig {
    for (name, list) in [("drop", &raw.drop), ("hash", &raw.hash)] {
        let at = at.key(name);
        let distinct: BTreeSet<&String> = list.iter().collect();
        if distinct.len() < list.len() || distinct.first().is_some_and(|first| first.is_empty()) {
            findings.find(
                &at,
                format!("`{at}` names a column twice or not at all"),
                "name each column once",
            );
        }
    }
    let dropped = at.key("drop");
    let distinct: BTreeSet<&String> = raw.drop.iter().collect();
    for column in distinct {
        if key.contains(column) {
            findings.find(
                &dropped,
                format!("`{dropped}` names {column}, a column of the key"),
                "name it in `hash` instead: without it rows could not be told apart",
            );
        }
        if raw.hash.contains(column) {
            findings.find(
                &at.key("hash"),
                format!("{column} is in both `{dropped}` and `{}`", at.key("hash")),
                "leave it in one of them",
            );
        }
        if raw.types.contains_key(column) {
            let typed = at.key("types").key(column);
            let what = format!("`{typed}` does nothing: the column is dropped");
            findings.find(&typed, what, "remove it");
        }
    }
    let mut types = BTreeMap::new();
    for (column, name) in raw.types {
        let at = at.key("types").key(&column);
        match name.parse::<TypeHint>() {
            Ok(hint) => _ = types.insert(column, hint),
            Err(error) => findings.find(&at, format!("`{at}`: {error}"), candidates(&name)),
        }
    }
    ColumnsConfig {
        drop: raw.drop,
        hash: raw.hash,
        types,
    }
}

fn candidates(written: &str) -> String {
    let names = TypeHint::names();
    // Arguments say little about which name was meant.
    let plain = |name: &'static str| name.split('(').next().unwrap_or(name);
    let kind = written.split('(').next().unwrap_or(written);
    let near = nearest(&kind.to_lowercase(), names.iter().map(|name| plain(name)));
    let near = near.and_then(|near| names.iter().find(|name| plain(name) == near));
    match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of \"{}\"", names.join("\", \"")),
    }
}

/// The key of all hashes. The text itself is told to nobody.
pub fn hash_key(raw: Option<String>, findings: &mut Findings<'_>) -> Option<HashKey> {
    let secret = raw?;
    match HashKey::new(&secret) {
        Ok(key) => Some(key),
        Err(error) => {
            let at = KeyPath::default().key("secrets").key("hash_key");
            let help = format!(
                "write at least {HASH_KEY_BYTES_MIN} characters that nobody can guess, such as those of `openssl rand -hex 32`"
            );
            findings.find(&at, format!("`{at}`: {error}"), help);
            None
        }
    }
}

pub fn formats(raw: Vec<RawFormat>, at: &KeyPath, findings: &mut Findings<'_>) -> TopicFormats {
    let mut overrides = Vec::new();
    let mut topics = BTreeSet::new();
    for (index, RawFormat { topic, key, value }) in raw.into_iter().enumerate() {
        let at = at.index(index);
        let Some(topic) = topic else {
            findings.find(
                &at,
                format!("`{at}` has no topic"),
                "add topic = \"…\": a topic's name or a glob, in which `*` is any text",
            );
            continue;
        };
        check_topic(&topic, true, &at.key("topic"), findings);
        if key.is_none() && value.is_none() {
            findings.find(
                &at,
                format!("`{at}` says nothing of its topics"),
                "add key = \"…\" or value = \"…\", or remove it",
            );
        }
        if !topics.insert(topic.clone()) {
            findings.find(
                &at.key("topic"),
                format!("two formats are for {topic}"),
                "join the two: the first would count",
            );
        }
        let formats = FormatOverride {
            key: key.map(Into::into),
            value: value.map(Into::into),
        };
        overrides.push((topic, formats));
    }
    TopicFormats::new(overrides)
}

impl From<RawPartFormat> for PartFormat {
    fn from(raw: RawPartFormat) -> Self {
        match raw {
            RawPartFormat::Json => Self::Json,
            RawPartFormat::Avro => Self::Avro,
            RawPartFormat::Protobuf => Self::Protobuf,
            RawPartFormat::String => Self::String,
        }
    }
}
