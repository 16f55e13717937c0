//! What the brokers have of a source's topics, and whether its registry knows what they name.

use std::collections::BTreeSet;

use change_feed::{RegistryError, RegistryId, SchemaRegistry as _, SourceError};
use doctor::facts::{Asked, LogFacts, RegistryFacts, Sample, Shape, TopicFacts};
use kafka_source::{KafkaOptions, SurveyedTopic, survey};
use registry_client::{HttpRegistry, RegistryOptions};

use crate::limits;

/// Topics that are looked at beside those of the source, for connectors whose prefix is not known: where Debezium puts
/// heartbeats and the boundaries of transactions.
const ALSO: [&str; 2] = ["__debezium-heartbeat.*", "*.transaction"];

/// Where one source is asked.
pub struct SourceToAsk {
    pub options: KafkaOptions,
    pub registry: Option<RegistryOptions>,
}

/// Fills in what `log` does not know yet: topics, missing ones, and what the registry says.
///
/// # Errors
/// Where the settings themselves are wrong. Brokers that do not answer are a fact.
pub fn log(ask: &SourceToAsk, log: LogFacts) -> Result<LogFacts, SourceError> {
    let address = ask.options.brokers.clone();
    let (answer, missing) = match survey(&ask.options, &ALSO, limits::BROKER) {
        Ok(survey) => (
            Ok(survey.topics.into_iter().map(topic).collect()),
            survey.missing,
        ),
        Err(error @ SourceError::Config(_)) => return Err(error),
        Err(SourceError::Unreachable { reason, .. }) => (Err(reason), Vec::new()),
        Err(error) => (Err(error.to_string()), Vec::new()),
    };
    let mut log = LogFacts {
        topics: Asked { address, answer },
        missing,
        ..log
    };
    log.registry = ask.registry.as_ref().map(|options| registry(options, &log));
    Ok(log)
}

fn topic(found: SurveyedTopic) -> TopicFacts {
    let samples = found.samples.into_iter().map(|record| Sample {
        key: record.key,
        value: record.value,
        timestamp_ms: record.timestamp_ms,
    });
    TopicFacts {
        name: found.name,
        is_followed: found.is_wanted,
        partitions: found.partitions,
        records: found.records,
        settings: found.settings,
        samples: samples.collect(),
    }
}

/// Asks for the schemas that the newest records name; for any, where none names one.
fn registry(options: &RegistryOptions, log: &LogFacts) -> RegistryFacts {
    let mut options = options.clone();
    options.timeout = options.timeout.min(limits::REQUEST);
    let addresses: Vec<String> = options.addresses.iter().map(ToString::to_string).collect();
    let address = addresses.join(", ");
    let shapes = log.tables().flat_map(TopicFacts::shapes);
    let ids = shapes.filter_map(|shape| match shape {
        Shape::Framed(id) => Some(id),
        _ => None,
    });
    let named: BTreeSet<u32> = ids.collect();
    let answer = ask_for(&options, &named);
    RegistryFacts {
        unknown: Asked { address, answer },
    }
}

fn ask_for(options: &RegistryOptions, named: &BTreeSet<u32>) -> Result<Vec<(u32, String)>, String> {
    let mut registry = HttpRegistry::new(options).map_err(|error| error.to_string())?;
    let mut unknown = Vec::new();
    // Whether it has the first schema there ever was does not matter: it answers.
    let probe = named.is_empty().then_some(1);
    for id in named.iter().copied().take(limits::SCHEMAS_MAX).chain(probe) {
        match registry.fetch(RegistryId(id)) {
            Err(RegistryError::Unknown { reason, .. }) if probe.is_none() => {
                unknown.push((id, reason));
            }
            Ok(_) | Err(RegistryError::Unknown { .. }) => {}
            Err(RegistryError::Unavailable { reason, .. }) => return Err(reason),
        }
    }
    Ok(unknown)
}
