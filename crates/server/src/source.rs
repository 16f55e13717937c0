//! Opens what a validated source describes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use change_feed::{Source, SourceError};
use config::{Reads, SourceConfig};
use file_source::{FileOptions, FileSource};
use kafka_source::{KafkaOptions, KafkaSource};

/// What Debezium puts before its topic prefix, unless it is told otherwise.
const HEARTBEAT_PREFIX: &str = "__debezium-heartbeat.";

/// What it puts behind the topic prefix where boundaries of transactions are told.
const TRANSACTION_SUFFIX: &str = ".transaction";

/// Opens the source, without reading anything yet.
pub fn open(config: &SourceConfig) -> Result<Box<dyn Source>, SourceError> {
    match &config.reads {
        Reads::File { path, follow } => Ok(Box::new(open_files(path, *follow)?)),
        Reads::Kafka {
            brokers,
            topics,
            settings,
        } => {
            let options = options(config, brokers, topics, settings);
            Ok(Box::new(KafkaSource::connect(options)?))
        }
    }
}

/// What Kafka is asked for, if the source reads Kafka.
pub fn kafka_options(config: &SourceConfig) -> Option<KafkaOptions> {
    match &config.reads {
        Reads::File { .. } => None,
        Reads::Kafka {
            brokers,
            topics,
            settings,
        } => Some(options(config, brokers, topics, settings)),
    }
}

fn options(
    config: &SourceConfig,
    brokers: &str,
    topics: &[String],
    settings: &BTreeMap<String, String>,
) -> KafkaOptions {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut options = KafkaOptions::new(&config.name, brokers, &names);
    options.extra_topics = heartbeat_topics(config.heartbeat_topic.as_deref(), topics);
    let boundaries = transaction_topics(config.transaction_topic.as_deref(), topics);
    options.extra_topics.extend(boundaries);
    options.extra_topics.extend(config.heartbeat_table.clone());
    options.settings.clone_from(settings);
    options
}

/// Opens it so that it reads one topic and knows of no other.
pub fn open_topic(config: &SourceConfig, topic: &str) -> Result<Box<dyn Source>, SourceError> {
    match &config.reads {
        Reads::File { path, follow } => Ok(Box::new(open_files(path, *follow)?.only(topic))),
        Reads::Kafka {
            brokers, settings, ..
        } => {
            let mut options = KafkaOptions::new(&config.name, brokers, &[topic]);
            options.settings.clone_from(settings);
            Ok(Box::new(KafkaSource::connect(options)?))
        }
    }
}

fn open_files(path: &Path, follow: bool) -> Result<FileSource, SourceError> {
    FileSource::open(path, FileOptions { follow })
}

/// The topic that is given, or the usual ones of the connectors whose topics are followed.
fn heartbeat_topics(given: Option<&str>, topics: &[String]) -> Vec<String> {
    let usual = |prefix| format!("{HEARTBEAT_PREFIX}{prefix}");
    given.map_or_else(
        || prefixes(topics).into_iter().map(usual).collect(),
        |topic| vec![topic.to_owned()],
    )
}

/// The topic of boundaries of transactions, found in the same way.
fn transaction_topics(given: Option<&str>, topics: &[String]) -> Vec<String> {
    let usual = |prefix| format!("{prefix}{TRANSACTION_SUFFIX}");
    given.map_or_else(
        || prefixes(topics).into_iter().map(usual).collect(),
        |topic| vec![topic.to_owned()],
    )
}

/// What connectors may put before the names of these topics.
fn prefixes(topics: &[String]) -> BTreeSet<&str> {
    let prefixes = topics.iter().filter_map(|topic| topic.split_once('.'));
    let prefixes = prefixes.map(|(prefix, _)| prefix);
    prefixes.filter(|prefix| !prefix.contains('*')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_and_boundaries_are_looked_for_where_connectors_put_them() {
        let topics = ["shop.public.*", "crm.a", "shop.b", "*.c", "plain"].map(str::to_owned);
        let usual = ["__debezium-heartbeat.crm", "__debezium-heartbeat.shop"];
        assert_eq!(heartbeat_topics(None, &topics), usual);
        assert_eq!(heartbeat_topics(Some("beats"), &topics), ["beats"]);
        let usual = ["crm.transaction", "shop.transaction"];
        assert_eq!(transaction_topics(None, &topics), usual);
        assert_eq!(transaction_topics(Some("ends"), &topics), ["ends"]);
    }
}
