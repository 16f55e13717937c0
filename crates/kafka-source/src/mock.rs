//! An in-process broker, for the demo and for tests: librdkafka's mock cluster, over real sockets.
//!
//! What it is not: it keeps about 5 MB a partition and lets older records go, keeps nothing on disk,
//! never compacts, does not tell topic settings, and forgets everything when it is dropped.

mod plain;

use std::sync::Arc;
use std::time::Duration;

use change_feed::Header;
use parking_lot::{Condvar, Mutex};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header as NativeHeader, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext};

pub use plain::{PlainConsumer, PlainRecord};

/// What a partition keeps, as librdkafka fixes it. The newest batch is always kept.
pub const RETAINED_BYTES_PER_PARTITION: usize = 5 << 20;

/// The biggest record that can be sent.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

/// How long sending waits for room, and flushing for the broker.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// One broker is enough: nothing here needs a second to elect.
const BROKER_ID: i32 = 1;

/// The in-process broker did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// librdkafka refused, or the broker is down.
    #[error("in-process broker: {0}")]
    Kafka(#[from] KafkaError),
    /// Records were sent and not taken.
    #[error("in-process broker: {0} records were not taken")]
    NotTaken(u64),
}

/// A broker with topics in memory. Dropping it ends it.
#[derive(Clone)]
pub struct Broker {
    /// The cluster lives inside of this client, which also produces.
    producer: Arc<ThreadedProducer<Deliveries>>,
}

/// What became of what was sent.
#[derive(Clone, Default)]
struct Deliveries {
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

impl Broker {
    /// # Errors
    /// If no socket can be opened on the loopback interface.
    pub fn start() -> Result<Self, BrokerError> {
        let mut config = ClientConfig::new();
        config
            .set("test.mock.num.brokers", "1")
            .set("compression.type", "lz4")
            .set("linger.ms", "2");
        config.set("message.max.bytes", RECORD_BYTES_MAX.to_string());
        config.set("message.timeout.ms", SEND_TIMEOUT.as_millis().to_string());
        Ok(Self {
            producer: Arc::new(config.create_with_context(Deliveries::default())?),
        })
    }

    /// `host:port`, for [`KafkaOptions::brokers`](crate::KafkaOptions::brokers).
    pub fn bootstrap_servers(&self) -> String {
        self.cluster()
            .map(|cluster| cluster.bootstrap_servers())
            .unwrap_or_default()
    }

    /// # Errors
    /// If the topic exists.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), BrokerError> {
        Ok(self.cluster()?.create_topic(topic, partitions, 1)?)
    }

    /// Has the broker deny that the topic exists, or stop denying it.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn set_topic_denied(&self, topic: &str, denied: bool) -> Result<(), BrokerError> {
        let answer = if denied {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        } else {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        };
        Ok(self.cluster()?.topic_error(topic, answer)?)
    }

    /// Has the broker go away: connections break, and new ones are refused.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn go_away(&self) -> Result<(), BrokerError> {
        Ok(self.cluster()?.broker_down(BROKER_ID)?)
    }

    /// Has the broker come back, with everything it had.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn come_back(&self) -> Result<(), BrokerError> {
        Ok(self.cluster()?.broker_up(BROKER_ID)?)
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
        let counts = &self.producer.context().counts;
        loop {
            // Before it is sent: it may be delivered before this thread goes on.
            counts.lock().under_way += 1;
            let Err((error, refused)) = self.producer.send(record) else {
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
        let Deliveries { counts, all_done } = self.producer.context().as_ref();
        let mut counts = counts.lock();
        let under_way = |counts: &mut Counts| counts.under_way > 0;
        all_done.wait_while_for(&mut counts, under_way, SEND_TIMEOUT);
        // What is still under way was not taken either: a timeout ended the wait.
        match std::mem::take(&mut counts.not_taken) + counts.under_way {
            0 => Ok(()),
            not_taken => Err(BrokerError::NotTaken(not_taken)),
        }
    }

    fn cluster(&self) -> Result<MockCluster<'_, Deliveries>, BrokerError> {
        let absent = KafkaError::MockCluster(RDKafkaErrorCode::State);
        self.producer
            .client()
            .mock_cluster()
            .ok_or(BrokerError::Kafka(absent))
    }
}
