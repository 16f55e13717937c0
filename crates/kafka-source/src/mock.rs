//! An in-process broker, for the demo and for tests: librdkafka's mock cluster, over real sockets.
//!
//! What it is not: it keeps about 5 MB a partition and lets older records go, keeps nothing on disk,
//! never compacts, does not tell topic settings, and forgets everything when it is dropped.

mod plain;
mod producer;

use change_feed::Header;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaRespErr;

pub use plain::{PlainConsumer, PlainRecord, Whence};
pub use producer::PlainProducer;

/// What a partition keeps, as librdkafka fixes it. The newest batch is always kept.
pub const RETAINED_BYTES_PER_PARTITION: usize = 5 << 20;

/// The biggest record that can be sent.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

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
    producer: PlainProducer,
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
        config.set(
            "message.timeout.ms",
            producer::SEND_TIMEOUT.as_millis().to_string(),
        );
        Ok(Self {
            producer: PlainProducer::with(&config)?,
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

    /// As [`PlainProducer::send`].
    ///
    /// # Errors
    /// If librdkafka refuses the record.
    pub fn send<'h>(
        &self,
        place: (&str, i32),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = Header<'h>>,
        timestamp_ms: Option<i64>,
    ) -> Result<(), BrokerError> {
        self.producer.send(place, key, value, headers, timestamp_ms)
    }

    /// As [`PlainProducer::flush`].
    ///
    /// # Errors
    /// If the broker does not take everything in time.
    pub fn flush(&self) -> Result<(), BrokerError> {
        self.producer.flush()
    }

    fn cluster(&self) -> Result<MockCluster<'_, producer::Deliveries>, BrokerError> {
        let absent = KafkaError::MockCluster(RDKafkaErrorCode::State);
        self.producer
            .native()
            .client()
            .mock_cluster()
            .ok_or(BrokerError::Kafka(absent))
    }
}
