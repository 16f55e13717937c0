//! One look at the brokers, for who wants to know what they have and how it is kept: topics, their settings, and the last
//! few records of each. Reads nothing that anybody would have to go on from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use change_feed::SourceError;
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::context::Context;
use crate::discovery::exists;
use crate::options::{KafkaOptions, refused};
use crate::topics::TopicSelection;

/// Topics that are looked at closely; of the others only their names are told.
const TOPICS_MAX: usize = 1_000;
/// Records that are read of one partition, and of all together.
const SAMPLES_PER_PARTITION: u64 = 4;
const SAMPLES_MAX: usize = 10_000;
const SAMPLE_BYTES_MAX: usize = 256 << 10;
/// One wait for records. Each partition says when it has no more.
const POLL: Duration = Duration::from_millis(100);

/// What the brokers have of what is asked for.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    pub topics: Vec<SurveyedTopic>,
    /// Names and globs that nothing is there for, each with a hint that may be empty.
    pub missing: Vec<(String, String)>,
}

/// A topic that is there.
#[derive(Clone, Debug, Default)]
pub struct SurveyedTopic {
    pub name: String,
    /// Whether a source with these options would read it.
    pub is_wanted: bool,
    pub partitions: usize,
    /// From the first that is retained to the end. Compaction leaves fewer of them.
    pub records: u64,
    /// Empty where the brokers do not tell them.
    pub settings: BTreeMap<String, String>,
    /// The last of each partition, in the order of their offsets there.
    pub samples: Vec<SurveyedRecord>,
}

/// A record as it lies there. Records whose key or value is very long are left out.
#[derive(Clone, Debug)]
pub struct SurveyedRecord {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp_ms: Option<i64>,
}

/// Looks once, at what a source with these options would read and at what matches `also` besides. Takes as long as
/// `timeout` at each step, of which there are five.
pub fn survey(
    options: &KafkaOptions,
    also: &[&str],
    timeout: Duration,
) -> Result<Survey, SourceError> {
    let config = options.discovery_config()?;
    let context = Context::default();
    let client = config
        .create_with_context(context.clone())
        .map_err(|error| refused(&error))?;
    let wanted = TopicSelection::new(&options.topics, &options.extra_topics)?;
    let also: Vec<String> = also.iter().map(|glob| (*glob).to_owned()).collect();
    let also = TopicSelection::new(&also, &[])?;
    let surveyor = Surveyor {
        options,
        client,
        config,
        context,
        timeout,
    };
    surveyor
        .look(&wanted, &also)
        .map_err(|error| surveyor.unreachable(options, &error))
}

struct Surveyor<'a> {
    options: &'a KafkaOptions,
    client: BaseConsumer<Context>,
    config: ClientConfig,
    context: Context,
    timeout: Duration,
}

/// From the first record that is retained to the next one to be written.
type Reach = HashMap<(String, i32), (u64, u64)>;

impl Surveyor<'_> {
    fn look(&self, wanted: &TopicSelection, also: &TopicSelection) -> KafkaResult<Survey> {
        let metadata = self.client.fetch_metadata(None, self.timeout)?;
        let existing = metadata.topics().iter().filter(|topic| exists(topic));
        let existing: BTreeSet<&str> = existing.map(MetadataTopic::name).collect();
        let is_chosen = |name: &&&str| wanted.contains(name) || also.contains(name);
        let chosen = existing.iter().filter(is_chosen).copied();
        let chosen: BTreeSet<&str> = chosen.take(TOPICS_MAX).collect();
        let reach = self.reach(&metadata, &chosen)?;
        let mut topics: BTreeMap<String, SurveyedTopic> = BTreeMap::new();
        for name in &chosen {
            let topic = topics.entry((*name).to_owned()).or_default();
            (*name).clone_into(&mut topic.name);
            topic.is_wanted = wanted.contains(name);
        }
        for ((name, _), (first, end)) in &reach {
            if let Some(topic) = topics.get_mut(name) {
                topic.partitions += 1;
                topic.records += end.saturating_sub(*first);
            }
        }
        // Who may read topics may not always ask for their settings.
        for (name, settings) in self.settings(&metadata, &chosen).unwrap_or_default() {
            if let Some(topic) = topics.get_mut(&name) {
                topic.settings = settings;
            }
        }
        let sampled = self.sample(&reach, &mut topics);
        // What there is of them is told all the same.
        let _ =
            sampled.inspect_err(|error| tracing::debug!(%error, "no records are read to look at"));
        let globs = wanted.idle_globs(&existing).into_iter();
        let mut missing = wanted.missing(&existing);
        missing.extend(globs.map(|glob| (glob, String::new())));
        Ok(Survey {
            topics: topics.into_values().collect(),
            missing,
        })
    }

    fn reach(&self, metadata: &Metadata, chosen: &BTreeSet<&str>) -> KafkaResult<Reach> {
        let mut wanted = TopicPartitionList::new();
        let topics = metadata.topics().iter();
        for topic in topics.filter(|topic| chosen.contains(topic.name())) {
            for partition in topic.partitions() {
                wanted.add_partition(topic.name(), partition.id());
            }
        }
        if wanted.count() == 0 {
            return Ok(Reach::new());
        }
        let mut ask = |at: Offset| {
            wanted.set_all_offsets(at)?;
            self.client.offsets_for_times(wanted.clone(), self.timeout)
        };
        let (first, end) = (ask(Offset::Beginning)?, ask(Offset::End)?);
        let offset = |offset: Offset| match offset {
            Offset::Offset(offset) => offset.max(0) as u64,
            _ => 0,
        };
        let partitions = end.elements().into_iter().map(|element| {
            let (topic, number) = (element.topic(), element.partition());
            let first = first.find_partition(topic, number);
            let first = first.map_or(0, |first| offset(first.offset()));
            (
                (topic.to_owned(), number),
                (first, offset(element.offset())),
            )
        });
        Ok(partitions.collect())
    }

    fn settings(
        &self,
        metadata: &Metadata,
        chosen: &BTreeSet<&str>,
    ) -> KafkaResult<HashMap<String, BTreeMap<String, String>>> {
        if chosen.is_empty() {
            return Ok(HashMap::new());
        }
        let admin: AdminClient<Context> = self.config.create_with_context(self.context.clone())?;
        let topics = chosen.iter().map(|name| ResourceSpecifier::Topic(name));
        let topics: Vec<ResourceSpecifier<'_>> = topics.collect();
        // Any broker can answer: no need to find the one that is the controller.
        let broker = metadata
            .brokers()
            .first()
            .map(rdkafka::metadata::MetadataBroker::id);
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let options = match broker {
            Some(id) => options.broker_id(Some(id)),
            None => options,
        };
        let answers = pollster::block_on(admin.describe_configs(&topics, &options))?;
        let told = answers.into_iter().flatten().filter_map(|resource| {
            let entries = resource.entries.into_iter();
            let settings = entries.filter_map(|entry| Some((entry.name, entry.value?)));
            match resource.specifier {
                OwnedResourceSpecifier::Topic(name) => Some((name, settings.collect())),
                _ => None,
            }
        });
        Ok(told.collect())
    }

    /// The last records, by a client that joins no group and commits nothing.
    fn sample(
        &self,
        reach: &Reach,
        topics: &mut BTreeMap<String, SurveyedTopic>,
    ) -> KafkaResult<()> {
        let mut assignment = TopicPartitionList::new();
        for ((topic, number), (first, end)) in reach {
            if first < end {
                let from = end.saturating_sub(SAMPLES_PER_PARTITION).max(*first);
                assignment.add_partition_offset(topic, *number, Offset::Offset(from as i64))?;
            }
        }
        let mut left = assignment.count();
        if left == 0 {
            return Ok(());
        }
        let config = self.options.reading_config(left);
        let client: BaseConsumer<Context> = config.create_with_context(self.context.clone())?;
        client.assign(&assignment)?;
        let mut silent = Duration::ZERO;
        let mut taken = 0;
        while left > 0 && taken < SAMPLES_MAX && silent < self.timeout {
            match client.poll(POLL) {
                Some(Err(KafkaError::PartitionEOF(_))) => left -= 1,
                None | Some(Err(_)) => silent += POLL,
                Some(Ok(message)) => {
                    taken += 1;
                    silent = Duration::ZERO;
                    let is_short = |part: Option<&[u8]>| {
                        part.is_none_or(|part| part.len() <= SAMPLE_BYTES_MAX)
                    };
                    if let Some(topic) = topics.get_mut(message.topic())
                        && is_short(message.key())
                        && is_short(message.payload())
                    {
                        topic.samples.push(SurveyedRecord {
                            key: message.key().map(<[u8]>::to_vec),
                            value: message.payload().map(<[u8]>::to_vec),
                            timestamp_ms: message.timestamp().to_millis(),
                        });
                    }
                }
            }
        }
        client.unassign()
    }

    /// What librdkafka said of the brokers names the cause.
    fn unreachable(&self, options: &KafkaOptions, error: &KafkaError) -> SourceError {
        let _ = self.client.poll(Duration::ZERO);
        let code = error.rdkafka_error_code();
        let code = code.map_or_else(|| error.to_string(), |code| code.to_string());
        let reason = match self.context.take_last_error() {
            Some(cause) => format!("{cause} ({code})"),
            None => code,
        };
        SourceError::Unreachable {
            what: options.brokers.clone(),
            reason,
        }
    }
}
