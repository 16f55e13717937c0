//! Topics as the brokers have them, and the last of their records.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Shape};

/// What one source reads, and what the brokers say of it.
#[derive(Clone, Debug)]
pub struct LogFacts {
    /// The source's name in the configuration.
    pub source: String,
    /// Names and globs, as configured.
    pub wanted: Vec<String>,
    /// Where heartbeats, boundaries of transactions and rows of the heartbeat table come, if config says so.
    pub heartbeat_topic: Option<String>,
    pub transaction_topic: Option<String>,
    pub heartbeat_table: Option<String>,
    /// What config takes for a value that was not sent.
    pub placeholder: String,
    /// Topics whose tables keep rows for a time only.
    pub bounded: BTreeSet<String>,
    /// Topics of which config gives the types of columns.
    pub typed: BTreeSet<String>,
    /// Topics that make no table.
    pub unserved: BTreeSet<String>,
    pub topics: Asked<Vec<TopicFacts>>,
    /// Topics that are wanted by name and do not exist, each with a hint.
    pub missing: Vec<(String, String)>,
    pub registry: Option<RegistryFacts>,
}

/// One topic.
#[derive(Clone, Debug, Default)]
pub struct TopicFacts {
    pub name: String,
    /// It is read by the source. Others are only known to be there.
    pub is_followed: bool,
    pub partitions: usize,
    /// That the brokers still have. Fewer may be left of them in a compacted topic.
    pub records: u64,
    /// As the brokers tell them; empty if they do not.
    pub settings: BTreeMap<String, String>,
    /// The last few of each partition.
    pub samples: Vec<Sample>,
}

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp_ms: Option<i64>,
}

/// The registry of a source's schemas.
#[derive(Clone, Debug)]
pub struct RegistryFacts {
    /// Whether it answers; the schemas that it does not have, by the ids that records name, and what it says of them.
    pub unknown: Asked<Vec<(u32, String)>>,
}

impl LogFacts {
    pub fn found(&self) -> &[TopicFacts] {
        self.topics.fact().map_or(&[], Vec::as_slice)
    }

    pub fn topic(&self, name: &str) -> Option<&TopicFacts> {
        self.found().iter().find(|topic| topic.name == name)
    }

    /// Topics that make tables: what is followed, without what only tells of it.
    pub fn tables(&self) -> impl Iterator<Item = &TopicFacts> {
        let found = self.found().iter();
        found.filter(|topic| {
            topic.is_followed
                && !self.unserved.contains(&topic.name)
                && self.heartbeat_topic.as_ref() != Some(&topic.name)
                && !topic.name.starts_with("__")
                && !topic.tells_boundaries()
        })
    }

    /// What stands before the names of its topics, as far as can be seen.
    pub fn prefixes(&self) -> BTreeSet<String> {
        let of_wanted = self.wanted.iter().filter_map(|topic| topic.split_once('.'));
        let of_wanted = of_wanted.map(|(prefix, _)| prefix.to_owned());
        let of_wanted = of_wanted.filter(|prefix| !prefix.contains('*'));
        let of_records = self.tables().filter_map(TopicFacts::prefix);
        of_wanted.chain(of_records).collect()
    }
}

impl TopicFacts {
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }

    pub fn is_compacted(&self) -> bool {
        self.setting("cleanup.policy")
            .is_some_and(|policy| policy.contains("compact"))
    }

    /// What its records look like.
    pub fn shapes(&self) -> impl Iterator<Item = Shape<'_>> {
        let values = self.samples.iter();
        values.filter_map(|sample| Some(Shape::of(sample.value.as_deref()?)))
    }

    /// The connector's name for itself, in the newest record that has one.
    pub fn prefix(&self) -> Option<String> {
        self.source_texts("name").last()
    }

    /// Schema and table, or database and table, as records name them.
    pub fn tables(&self) -> BTreeSet<(String, String)> {
        let envelopes = self.shapes().filter_map(Shape::envelope);
        let named = envelopes.filter_map(|envelope| {
            let source = envelope.get("source")?;
            let schema = source
                .get("schema")
                .or_else(|| source.get("db"))?
                .as_str()?;
            Some((schema.to_owned(), source.get("table")?.as_str()?.to_owned()))
        });
        named.collect()
    }

    pub fn source_texts(&self, field: &str) -> impl Iterator<Item = String> {
        let envelopes = self.shapes().filter_map(Shape::envelope);
        envelopes.filter_map(move |envelope| {
            Some(envelope.get("source")?.get(field)?.as_str()?.to_owned())
        })
    }

    fn tells_boundaries(&self) -> bool {
        self.name.ends_with(".transaction") && self.shapes().all(|shape| shape.is_boundary())
    }
}
