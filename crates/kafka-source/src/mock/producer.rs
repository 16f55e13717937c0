//! A plain producer of librdkafka, which knows whether what it sent was taken.

use std::sync::Arc;
use std::time::Duration;

use change_feed::Header;
use parking_lot::{Condvar, Mutex};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header as NativeHeader, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use super::BrokerError;

/// How long sending waits for room, and flushing for the broker.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends records to a cluster.
#[derive(Clone)]
pub struct PlainProducer(Arc<ThreadedProducer<Deliveries>>);

/// What became of what was sent.
#[derive(Clone, Default)]
pub(super) struct Deliveries {
    counts: Arc<Mutex<Counts>>,
    /// Rung when nothing is under way any more.
    all_done: Arc<Condvar>,
}

#[derive(Default)]
struct Counts {
    under_way: u64,
    not_taken: u64,
}

impl ClientContext for Deliveries {
    fn log(&self, _level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::trace!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::trace!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut counts = self.counts.lock();
        counts.under_way -= 1;
        counts.not_taken += u64::from(result.is_err());
        if counts.under_way == 0 {
            self.all_done.notify_all();
        }
    }
}

impl PlainProducer {
    /// To a cluster of its own, wherever that is.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn to(bootstrap_servers: &str) -> Result<Self, BrokerError> {
        Self::batching(bootstrap_servers, "lz4", "20")
    }

    /// To an in-process broker under load, for who sends much at a time: in few batches that are large as they lie there. For
    /// every fetch it goes through the batches of a partition from the first one on, and it keeps 5 MB of them.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn to_mock(bootstrap_servers: &str) -> Result<Self, BrokerError> {
        Self::batching(bootstrap_servers, "none", "1")
    }

    fn batching(
        bootstrap_servers: &str,
        compression: &str,
        linger_ms: &str,
    ) -> Result<Self, BrokerError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap_servers)
            .set("compression.type", compression)
            .set("linger.ms", linger_ms);
        Self::with(&config)
    }

    /// Makes a topic in a cluster, of which one broker keeps each partition.
    ///
    /// # Errors
    /// If librdkafka or the cluster refuses.
    pub fn create_topic(
        bootstrap_servers: &str,
        topic: &str,
        partitions: i32,
    ) -> Result<(), BrokerError> {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .create()?;
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let answers = admin.create_topics([&topic], &AdminOptions::new());
        for answer in pollster::block_on(answers)? {
            answer.map_err(|(_, code)| KafkaError::AdminOp(code))?;
        }
        Ok(())
    }

    pub(super) fn with(config: &ClientConfig) -> Result<Self, BrokerError> {
        let producer = config.create_with_context(Deliveries::default())?;
        Ok(Self(Arc::new(producer)))
    }

    pub(super) fn native(&self) -> &ThreadedProducer<Deliveries> {
        &self.0
    }

    /// Sends a record; [`flush`](Self::flush) tells whether it was taken. Waits while too many are under way.
    ///
    /// # Errors
    /// If librdkafka refuses the record.
    pub fn send<'h>(
        &self,
        (topic, partition): (&str, i32),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = Header<'h>>,
        timestamp_ms: Option<i64>,
    ) -> Result<(), BrokerError> {
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |headers, header| {
                headers.insert(NativeHeader {
                    key: header.name,
                    value: header.value,
                })
            });
        let mut record = BaseRecord::to(topic).partition(partition).headers(headers);
        (record.key, record.payload, record.timestamp) = (key, value, timestamp_ms);
        let counts = &self.0.context().counts;
        loop {
            // Before it is sent: it may be delivered before this thread goes on.
            counts.lock().under_way += 1;
            let Err((error, refused)) = self.0.send(record) else {
                return Ok(());
            };
            counts.lock().under_way -= 1;
            if !matches!(
                error,
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
            ) {
                return Err(error.into());
            }
            self.flush()?;
            record = refused;
        }
    }

    /// Waits until everything sent can be read.
    ///
    /// # Errors
    /// If the broker does not take everything in time.
    pub fn flush(&self) -> Result<(), BrokerError> {
        // The producer's own flush looks only every 100 ms whether it is done.
        let Deliveries { counts, all_done } = self.0.context().as_ref();
        let mut counts = counts.lock();
        let under_way = |counts: &mut Counts| counts.under_way > 0;
        all_done.wait_while_for(&mut counts, under_way, SEND_TIMEOUT);
        // What is still under way was not taken either: a timeout ended the wait.
        match std::mem::take(&mut counts.not_taken) + counts.under_way {
            0 => Ok(()),
            not_taken => Err(BrokerError::NotTaken(not_taken)),
        }
    }
}
