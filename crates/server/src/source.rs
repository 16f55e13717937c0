//! Opens what a validated source describes.

use std::collections::BTreeSet;
use std::path::Path;

use change_feed::{Source, SourceError};
use file_source::{FileOptions, FileSource};
use kafka_source::{KafkaOptions, KafkaSource};

use crate::config::{Reads, SourceConfig};

/// What Debezium puts before its topic prefix, unless it is told otherwise.
const HEARTBEAT_PREFIX: &str = "__debezium-heartbeat.";

/// Opens the source, without reading anything yet.
pub fn open(config: &SourceConfig) -> Result<Box<dyn Source>, SourceError> {
    match &config.reads {
        Reads::File { path, follow } => Ok(Box::new(open_files(path, *follow)?)),
        Reads::Kafka {
            brokers,
            topics,
            settings,
        } => {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            let mut options = KafkaOptions::new(&config.name, brokers, &names);
            options.extra_topics = heartbeat_topics(config.heartbeat_topic.as_deref(), topics);
            options.extra_topics.extend(config.heartbeat_table.clone());
            options.settings.clone_from(settings);
            Ok(Box::new(KafkaSource::connect(options)?))
        }
    }
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
    if let Some(topic) = given {
        return vec![topic.to_owned()];
    }
    let prefix = |topic: &String| {
        let (prefix, _) = topic.split_once('.')?;
        (!prefix.contains('*')).then(|| format!("{HEARTBEAT_PREFIX}{prefix}"))
    };
    let usual: BTreeSet<String> = topics.iter().filter_map(prefix).collect();
    usual.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_looked_for_where_connectors_put_them() {
        let topics = ["shop.public.*", "crm.a", "shop.b", "*.c", "plain"].map(str::to_owned);
        let usual = ["__debezium-heartbeat.crm", "__debezium-heartbeat.shop"];
        assert_eq!(heartbeat_topics(None, &topics), usual);
        assert_eq!(heartbeat_topics(Some("beats"), &topics), ["beats"]);
    }
}
