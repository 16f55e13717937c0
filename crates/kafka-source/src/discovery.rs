//! Looks at the broker again and again: which topics there are, and from where to where they reach.
//!
//! On a thread and a client of its own, for each look may wait for a broker that is slow or gone, and
//! records must not wait with it. The thread ends when its source is dropped, after the look it is at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{EndsQuestion, LogEnd, SourceError, TopicUuid};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use row_model::PartitionId;

use crate::bell::Bell;
use crate::context::Context;
use crate::native::topic_uuids;
use crate::options::{KafkaOptions, refused};
use crate::topics::TopicSelection;
use crate::tracker::{ListedPartition, ListedTopic, Listing};

/// How long one question to the broker may take. The first are short, so that a broker that is not
/// there is reported soon; then longer, for brokers that are slow.
const QUESTION_TIMEOUTS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// The pause after a failed look.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Partitions that wait for an answer. One more is told at once that there is none.
const QUESTIONS_MAX: usize = 1_024;

/// Errors and log lines of the client that are served with each look. More wait for the next.
const CLIENT_EVENTS_MAX: usize = 256;

/// What the thread found.
pub(crate) enum Finding {
    Listing(Listing),
    Unreachable {
        reason: String,
    },
    /// How far a partition reaches, asked for by [`Discovery::ask_reach`].
    Reach(Reach),
}

pub(crate) struct Reach {
    pub(crate) partition: PartitionId,
    /// Offset of the first record, and of the next one to be written. `None` if the broker did not say.
    pub(crate) offsets: Option<(u64, u64)>,
}

/// The source's end of the thread.
pub(crate) struct Discovery {
    reach_wanted: Sender<(PartitionId, String, i32)>,
    look_wanted: Sender<()>,
    ends_wanted: Sender<EndsQuestion>,
    findings: Receiver<Finding>,
}

impl Discovery {
    pub(crate) fn spawn(options: &KafkaOptions, bell: Arc<Bell>) -> Result<Self, SourceError> {
        let config = options.discovery_config()?;
        let context = Context::default();
        let (reach_wanted, reach_asked) = bounded(QUESTIONS_MAX);
        let (look_wanted, look_asked) = bounded(1);
        let (ends_wanted, ends_asked) = bounded(QUESTIONS_MAX);
        // One finding at a time: a source that is not polled needs no newer ones.
        let (found, findings) = bounded(1);
        let looker = Looker {
            selection: TopicSelection::new(&options.topics, &options.extra_topics)?,
            client: config
                .create_with_context(context.clone())
                .map_err(|error| refused(&error))?,
            config,
            context,
            compacted: HashMap::new(),
            failures: 0,
            trouble: None,
            reach_asked,
            look_asked,
            ends_asked,
            found,
            bell,
            refresh_interval: options.refresh_interval,
        };
        let thread = std::thread::Builder::new().name("kafka-discovery".to_owned());
        let started = thread.spawn(move || looker.run());
        started
            .map_err(|error| SourceError::Config(format!("no thread can be started: {error}")))?;
        Ok(Self {
            reach_wanted,
            look_wanted,
            ends_wanted,
            findings,
        })
    }

    /// Does not wait; the answer is a [`Reach`]. False if too many are waiting for one.
    pub(crate) fn ask_reach(&self, partition: PartitionId, topic: &str, number: i32) -> bool {
        self.reach_wanted
            .try_send((partition, topic.to_owned(), number))
            .is_ok()
    }

    /// Does not wait; the question is answered by the thread, or here if too many wait.
    pub(crate) fn ask_ends(&self, question: EndsQuestion) {
        if let Err(refused) = self.ends_wanted.try_send(question) {
            let question = refused.into_inner();
            question.answer(Err("too many are asking already".to_owned()));
        }
    }

    /// Asks for a look before the next one is due, without waiting.
    pub(crate) fn look_now(&self) {
        self.look_now_handle()();
    }

    /// The same for other threads.
    pub(crate) fn look_now_handle(&self) -> impl Fn() + Send + Sync + use<> {
        let look_wanted = self.look_wanted.clone();
        move || {
            // If one is wanted already, that is enough.
            let _ = look_wanted.try_send(());
        }
    }

    pub(crate) fn finding(&self) -> Option<Finding> {
        self.findings.try_recv().ok()
    }
}

/// The thread's own.
struct Looker {
    selection: TopicSelection,
    client: BaseConsumer<Context>,
    config: ClientConfig,
    context: Context,
    /// Asked for once per topic, and again when it is recreated.
    compacted: HashMap<(String, Option<TopicUuid>), bool>,
    /// In a row.
    failures: usize,
    /// Why the last look failed, if it did.
    trouble: Option<String>,
    reach_asked: Receiver<(PartitionId, String, i32)>,
    look_asked: Receiver<()>,
    ends_asked: Receiver<EndsQuestion>,
    found: Sender<Finding>,
    bell: Arc<Bell>,
    refresh_interval: Duration,
}

/// The thread has nobody to look for any more.
struct SourceDropped;

impl Looker {
    fn run(mut self) {
        loop {
            let (finding, pause) = match self.look() {
                Ok(listing) => {
                    (self.failures, self.trouble) = (0, None);
                    (Finding::Listing(listing), self.refresh_interval)
                }
                Err(error) => {
                    let reason = self.reason(&error);
                    self.failures += 1;
                    self.trouble = Some(reason.clone());
                    (Finding::Unreachable { reason }, RETRY_INTERVAL)
                }
            };
            if self
                .tell(finding)
                .and_then(|()| self.answer_until_next_look(pause))
                .is_err()
            {
                return;
            }
        }
    }

    fn tell(&self, finding: Finding) -> Result<(), SourceDropped> {
        self.found.send(finding).map_err(|_| SourceDropped)?;
        self.bell.call();
        Ok(())
    }

    fn answer_until_next_look(&self, pause: Duration) -> Result<(), SourceDropped> {
        loop {
            select! {
                recv(self.reach_asked) -> asked => {
                    let (partition, topic, number) = asked.map_err(|_| SourceDropped)?;
                    let watermarks = self.client.fetch_watermarks(&topic, number, self.timeout());
                    let offsets = watermarks.ok().map(|(low, high)| (low.max(0) as u64, high.max(0) as u64));
                    self.tell(Finding::Reach(Reach { partition, offsets }))?;
                }
                recv(self.ends_asked) -> asked => self.answer_ends(asked.map_err(|_| SourceDropped)?),
                recv(self.look_asked) -> asked => return asked.map_err(|_| SourceDropped),
                default(pause) => return Ok(()),
            }
        }
    }

    /// A broker that was away a moment ago would keep whoever asks waiting: they are told so at once.
    fn answer_ends(&self, question: EndsQuestion) {
        let ends = match &self.trouble {
            Some(trouble) => Err(trouble.clone()),
            None => self
                .ends_of(&question.of)
                .map_err(|error| self.reason(&error)),
        };
        question.answer(ends);
    }

    /// The last stable offsets: records of transactions of Kafka's that are still open are behind them.
    fn ends_of(&self, partitions: &[(String, i32)]) -> KafkaResult<Vec<LogEnd>> {
        let mut wanted = TopicPartitionList::new();
        for (topic, number) in partitions {
            wanted.add_partition(topic, *number);
        }
        if wanted.count() == 0 {
            return Ok(Vec::new());
        }
        wanted.set_all_offsets(Offset::End)?;
        let answer = self.client.offsets_for_times(wanted, self.timeout())?;
        let mut ends = Vec::new();
        for element in answer.elements() {
            element.error()?;
            if let Offset::Offset(next) = element.offset() {
                ends.push(LogEnd {
                    topic: element.topic().to_owned(),
                    partition: element.partition(),
                    next: next.max(0) as u64,
                });
            }
        }
        Ok(ends)
    }

    fn look(&mut self) -> KafkaResult<Listing> {
        self.serve_client();
        let metadata = self.client.fetch_metadata(None, self.timeout())?;
        let existing: BTreeSet<&str> = metadata
            .topics()
            .iter()
            .filter(|topic| exists(topic))
            .map(MetadataTopic::name)
            .collect();
        let chosen = metadata
            .topics()
            .iter()
            .filter(|topic| exists(topic) && self.selection.contains(topic.name()));
        let mut topics: Vec<ListedTopic> = chosen.map(listed).collect();
        let missing = self.selection.missing(&existing);
        self.find_reach(&mut topics)?;
        // Any broker can answer the rest: no need to find the one that is the controller.
        let answering = Some(metadata.orig_broker_id()).filter(|id| *id >= 0);
        if let Some(broker_id) = answering.or_else(|| Some(metadata.brokers().first()?.id())) {
            self.find_uuids(broker_id, &mut topics);
            self.find_compaction(broker_id, &mut topics);
        }
        Ok(Listing { topics, missing })
    }

    /// Two questions for all partitions together, not two for each.
    fn find_reach(&self, topics: &mut [ListedTopic]) -> KafkaResult<()> {
        let mut wanted = TopicPartitionList::new();
        for topic in &*topics {
            for (number, found) in &topic.partitions {
                if matches!(found, ListedPartition::Readable { .. }) {
                    wanted.add_partition(&topic.name, *number);
                }
            }
        }
        if wanted.count() == 0 {
            return Ok(());
        }
        let mut ask = |at: Offset| {
            wanted.set_all_offsets(at)?;
            self.client
                .offsets_for_times(wanted.clone(), self.timeout())
        };
        let (first, end) = (ask(Offset::Beginning)?, ask(Offset::End)?);
        let offset_in = |answer: &TopicPartitionList, topic: &str, number: i32| {
            let element = answer
                .find_partition(topic, number)
                .ok_or_else(|| "not answered for".to_owned())?;
            element.error().map_err(|error| error.to_string())?;
            match element.offset() {
                Offset::Offset(offset) => Ok(offset.max(0) as u64),
                other => Err(format!("answered with {other:?}")),
            }
        };
        for ListedTopic {
            name, partitions, ..
        } in topics
        {
            for (number, found) in partitions.iter_mut() {
                if matches!(found, ListedPartition::Readable { .. }) {
                    *found = match (
                        offset_in(&first, name, *number),
                        offset_in(&end, name, *number),
                    ) {
                        (Ok(retained_from), Ok(end)) => {
                            ListedPartition::Readable { retained_from, end }
                        }
                        (Err(reason), _) | (_, Err(reason)) => ListedPartition::Unready { reason },
                    };
                }
            }
        }
        Ok(())
    }

    fn find_uuids(&self, broker_id: i32, topics: &mut [ListedTopic]) {
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        if names.is_empty() {
            return;
        }
        let uuids: HashMap<_, _> =
            topic_uuids(self.client.client(), broker_id, &names, self.timeout())
                .into_iter()
                .collect();
        for topic in topics {
            topic.uuid = uuids.get(&topic.name).copied();
        }
    }

    /// A broker that does not tell has its topics taken for not compacted: the careful assumption.
    fn find_compaction(&mut self, broker_id: i32, topics: &mut [ListedTopic]) {
        let key = |topic: &ListedTopic| (topic.name.clone(), topic.uuid);
        let unknown: Vec<_> = topics
            .iter()
            .map(key)
            .filter(|key| !self.compacted.contains_key(key))
            .collect();
        if !unknown.is_empty() {
            let policies =
                self.cleanup_policies(broker_id, unknown.iter().map(|(name, _)| name.as_str()));
            let policies = policies
                .inspect_err(|error| tracing::debug!(%error, "cleanup policies are not told"));
            let policies = policies.unwrap_or_default();
            // "compact,delete" also loses the newest record of a key.
            let is_compact =
                |name: &str| policies.get(name).is_some_and(|policy| policy == "compact");
            let found: Vec<_> = unknown
                .into_iter()
                .map(|key| (is_compact(&key.0), key))
                .collect();
            self.compacted
                .extend(found.into_iter().map(|(compacted, key)| (key, compacted)));
        }
        for topic in topics {
            topic.compacted = self.compacted.get(&key(topic)).copied().unwrap_or_default();
        }
    }

    fn cleanup_policies<'a>(
        &self,
        broker_id: i32,
        topics: impl Iterator<Item = &'a str>,
    ) -> KafkaResult<HashMap<String, String>> {
        let admin: AdminClient<Context> = self.config.create_with_context(self.context.clone())?;
        let topics: Vec<ResourceSpecifier<'_>> = topics.map(ResourceSpecifier::Topic).collect();
        let options = AdminOptions::new()
            .request_timeout(Some(self.timeout()))
            .broker_id(Some(broker_id));
        let answers = pollster::block_on(admin.describe_configs(&topics, &options));
        // It takes a tenth of a second to end, for which nothing should be read later.
        let _ = std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(move || drop(admin));
        let answers = answers?;
        let mut policies = HashMap::new();
        for resource in answers.into_iter().flatten() {
            let policy = resource
                .get("cleanup.policy")
                .and_then(|entry| entry.value.clone());
            if let (OwnedResourceSpecifier::Topic(name), Some(policy)) =
                (resource.specifier, policy)
            {
                policies.insert(name, policy);
            }
        }
        Ok(policies)
    }

    fn timeout(&self) -> Duration {
        QUESTION_TIMEOUTS[self.failures.min(QUESTION_TIMEOUTS.len() - 1)]
    }

    /// What librdkafka said about the brokers, which names the cause; else the error.
    fn reason(&self, error: &KafkaError) -> String {
        self.serve_client();
        let code = error
            .rdkafka_error_code()
            .map_or_else(|| error.to_string(), |code| code.to_string());
        match self.context.take_last_error() {
            Some(cause) => format!("{cause} ({code})"),
            None => code,
        }
    }

    /// Has librdkafka call back what it has to say: one thing with each poll, which does not tell whether
    /// it was the last.
    fn serve_client(&self) {
        for _ in 0..CLIENT_EVENTS_MAX {
            let _ = self.client.poll(Duration::ZERO);
        }
    }
}

/// A topic that was asked for by name is in the answer even if it does not exist.
pub(crate) fn exists(topic: &MetadataTopic) -> bool {
    let unknown = RDKafkaErrorCode::UnknownTopicOrPartition;
    topic
        .error()
        .is_none_or(|error| RDKafkaErrorCode::from(error) != unknown)
}

fn listed(topic: &MetadataTopic) -> ListedTopic {
    let partitions = topic.partitions().iter().map(|partition| {
        // The reach is asked for next. Partition errors other than a missing leader do not keep one from reading.
        let found = if partition.leader() >= 0 {
            ListedPartition::Readable {
                retained_from: 0,
                end: 0,
            }
        } else {
            ListedPartition::Unready {
                reason: "no broker leads it".to_owned(),
            }
        };
        (partition.id(), found)
    });
    let partitions: BTreeMap<i32, ListedPartition> = partitions.collect();
    ListedTopic {
        name: topic.name().to_owned(),
        uuid: None,
        compacted: false,
        partitions,
    }
}
