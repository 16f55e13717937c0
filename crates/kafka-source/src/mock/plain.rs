//! A plain consumer of librdkafka: what this crate's source is compared with.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::{Broker, BrokerError};

/// Reads the first partition of some topics from the beginning, and does nothing with it.
pub struct PlainConsumer(BaseConsumer);

/// A record as it came.
#[derive(Clone, Copy, Debug)]
pub struct PlainRecord<'r> {
    pub topic: &'r str,
    pub key: Option<&'r [u8]>,
    pub value: Option<&'r [u8]>,
}

impl PlainConsumer {
    /// `fetch_wait_ms` is librdkafka's `fetch.wait.max.ms`.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn start(
        broker: &Broker,
        topics: impl IntoIterator<Item = String>,
        fetch_wait_ms: u32,
    ) -> Result<Self, BrokerError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap_servers())
            .set("group.id", "plain")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", fetch_wait_ms.to_string())
            .create()?;
        let mut places = TopicPartitionList::new();
        for topic in topics {
            places.add_partition_offset(&topic, 0, Offset::Beginning)?;
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
        })))
    }
}
