//! A plain consumer of librdkafka: what this crate's source is compared with.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::{Broker, BrokerError};

/// Reads partitions of some topics from the beginning, and does nothing with them.
pub struct PlainConsumer(BaseConsumer);

/// Where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    Beginning,
    /// With what is written from now on.
    End,
}

/// A record as it came.
#[derive(Clone, Copy, Debug)]
pub struct PlainRecord<'r> {
    pub topic: &'r str,
    pub key: Option<&'r [u8]>,
    pub value: Option<&'r [u8]>,
    /// When the producer made it, or the broker took it: milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl PlainConsumer {
    /// Reads the first partition of each topic. `fetch_wait_ms` is librdkafka's `fetch.wait.max.ms`.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn start(
        broker: &Broker,
        topics: impl IntoIterator<Item = String>,
        fetch_wait_ms: u32,
    ) -> Result<Self, BrokerError> {
        let places = topics.into_iter().map(|topic| (topic, 0));
        Self::of(
            &broker.bootstrap_servers(),
            places,
            Whence::Beginning,
            fetch_wait_ms,
        )
    }

    /// The same of any cluster and of any partitions.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn of(
        bootstrap_servers: &str,
        partitions: impl IntoIterator<Item = (String, i32)>,
        whence: Whence,
        fetch_wait_ms: u32,
    ) -> Result<Self, BrokerError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("group.id", "plain")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", fetch_wait_ms.to_string())
            .create()?;
        let mut places = TopicPartitionList::new();
        let offset = match whence {
            Whence::Beginning => Offset::Beginning,
            Whence::End => Offset::End,
        };
        for (topic, partition) in partitions {
            places.add_partition_offset(&topic, partition, offset)?;
        }
        consumer.assign(&places)?;
        Ok(Self(consumer))
    }

    /// The next record, if there is one in time.
    ///
    /// # Errors
    /// What librdkafka tells instead of a record.
    pub fn next<T>(
        &self,
        timeout: Duration,
        take: impl FnOnce(PlainRecord<'_>) -> T,
    ) -> Result<Option<T>, BrokerError> {
        let Some(message) = self.0.poll(timeout) else {
            return Ok(None);
        };
        let message = message?;
        Ok(Some(take(PlainRecord {
            topic: message.topic(),
            key: message.key(),
            value: message.payload(),
            timestamp_ms: message.timestamp().to_millis(),
        })))
    }
}
