//! An in-process Kafka broker and what was written to it.
//!
//! It keeps about 5 MB a partition and lets older records go. What is too long for that is written
//! no faster than it is acknowledged ([`Log::write_as_acknowledged`]): then only records are let go
//! of that a checkpoint holds, and a server that acknowledged sooner would lose some.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use change_feed::Header;
use kafka_source::mock::{Broker, RETAINED_BYTES_PER_PARTITION};

use crate::records::{Partition, Record};
use crate::server::Server;
use crate::site::{SOURCE, forking};
use crate::{group_offsets, wait};

/// Bytes of one partition that may be written and not acknowledged. Batches are compressed, so
/// they take less; what surrounds a record in a batch is far less than the fifth left over.
const UNACKNOWLEDGED_BYTES_MAX: usize = RETAINED_BYTES_PER_PARTITION / 5 * 4;

/// A broker, and where its partitions end.
pub struct Log {
    broker: Broker,
    ends: BTreeMap<Partition, i64>,
    unacknowledged: BTreeMap<Partition, Unacknowledged>,
}

/// What of a partition is not known to be acknowledged.
#[derive(Default)]
struct Unacknowledged {
    /// Offset and size of each record.
    records: VecDeque<(i64, usize)>,
    bytes: usize,
}

impl Log {
    /// A broker without topics.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self {
            broker: Broker::start()?,
            ends: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
        })
    }

    /// A broker with the topics of these records, and the records in them.
    pub fn of(records: &[Record]) -> anyhow::Result<Self> {
        let mut log = Self::start()?;
        log.create_topics(records)?;
        log.write(records)?;
        Ok(log)
    }

    pub fn address(&self) -> String {
        self.broker.bootstrap_servers()
    }

    /// Creates a topic.
    pub fn create_topic(&mut self, topic: &str, partitions: i32) -> anyhow::Result<()> {
        self.broker
            .create_topic(topic, partitions)
            .with_context(|| format!("create {topic}"))?;
        for partition in 0..partitions {
            self.ends.insert((topic.to_owned(), partition), 0);
        }
        Ok(())
    }

    /// Creates the topics of these records, each with the partitions that the recording has.
    pub fn create_topics(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
        for record in records {
            let count = counts.entry(&record.topic).or_default();
            *count = (*count).max(record.partition + 1);
        }
        for (topic, count) in counts {
            self.create_topic(topic, count)?;
        }
        Ok(())
    }

    /// Writes records and waits until they can be read. Offsets are counted by the broker.
    pub fn write(&mut self, records: &[Record]) -> anyhow::Result<()> {
        for record in records {
            self.send(record)?;
        }
        self.broker.flush()?;
        Ok(())
    }

    /// Writes records, waiting for the server's acknowledgement where the broker would have to let
    /// go of records without it.
    pub fn write_as_acknowledged(
        &mut self,
        records: &[Record],
        server: &mut Server,
    ) -> anyhow::Result<()> {
        for record in records {
            let place = record.place();
            if self.has_no_room(&place) {
                self.broker.flush()?;
                wait::until("what was written is acknowledged", || {
                    server.still_runs()?;
                    self.forget_acknowledged()?;
                    Ok((!self.has_no_room(&place)).then_some(()))
                })?;
            }
            self.send_unacknowledged(record)?;
        }
        self.broker.flush()?;
        Ok(())
    }

    /// Writes records if there is room for them everywhere, which acknowledgements make; whether it did.
    pub fn write_if_room(&mut self, records: impl FnOnce() -> Vec<Record>) -> anyhow::Result<bool> {
        let has_room = self.has_room()?;
        if has_room {
            self.write_unacknowledged(&records())?;
        }
        Ok(has_room)
    }

    /// Whether there is room everywhere.
    pub fn has_room(&mut self) -> anyhow::Result<bool> {
        if self.is_full() {
            self.forget_acknowledged()?;
        }
        Ok(!self.is_full())
    }

    /// Writes records that take room until they are acknowledged.
    pub fn write_unacknowledged(&mut self, records: &[Record]) -> anyhow::Result<()> {
        for record in records {
            self.send_unacknowledged(record)?;
        }
        self.broker.flush()?;
        Ok(())
    }

    /// The offset of the next record of each partition.
    pub fn ends(&self) -> &BTreeMap<Partition, i64> {
        &self.ends
    }

    /// How far the server's group has acknowledged.
    pub fn acknowledged(&self) -> anyhow::Result<BTreeMap<Partition, i64>> {
        group_offsets::fetch(&self.address(), &group(), self.ends.keys().cloned())
    }

    /// Acknowledges in the name of the server's group.
    pub fn acknowledge(&self, offsets: &BTreeMap<Partition, i64>) -> anyhow::Result<()> {
        group_offsets::commit(&self.address(), &group(), offsets)
    }

    /// Has the broker go away: connections break, and new ones are refused.
    pub fn go_away(&self) -> anyhow::Result<()> {
        // It closes its listener and binds its port again at once: a copy in a process that is just
        // being started would keep the port, and the broker ends the process then.
        let _forking = forking();
        Ok(self.broker.go_away()?)
    }

    /// Has the broker come back, with everything it had.
    pub fn come_back(&self) -> anyhow::Result<()> {
        Ok(self.broker.come_back()?)
    }

    fn send_unacknowledged(&mut self, record: &Record) -> anyhow::Result<()> {
        let place = record.place();
        let offset = self.ends.get(&place).copied().unwrap_or_default();
        let unacknowledged = self.unacknowledged.entry(place).or_default();
        let bytes = size_of(record);
        unacknowledged.records.push_back((offset, bytes));
        unacknowledged.bytes += bytes;
        self.send(record)
    }

    fn send(&mut self, record: &Record) -> anyhow::Result<()> {
        let bytes = |text: &Option<String>, encoded: &Option<String>| match encoded {
            Some(encoded) => STANDARD.decode(encoded).map(Some),
            None => Ok(text.clone().map(String::into_bytes)),
        };
        let (key, value) = (
            bytes(&record.key, &record.key_b64)?,
            bytes(&record.value, &record.value_b64)?,
        );
        let headers = record.headers.iter().map(|header| Header {
            name: &header.key,
            value: header.value.as_deref().map(str::as_bytes),
        });
        self.broker.send(
            (&record.topic, record.partition),
            key.as_deref(),
            value.as_deref(),
            headers,
            Some(record.timestamp),
        )?;
        *self.ends.entry(record.place()).or_default() += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.unacknowledged
            .keys()
            .any(|place| self.has_no_room(place))
    }

    fn has_no_room(&self, place: &Partition) -> bool {
        let unacknowledged = self.unacknowledged.get(place);
        unacknowledged
            .is_some_and(|unacknowledged| unacknowledged.bytes >= UNACKNOWLEDGED_BYTES_MAX)
    }

    fn forget_acknowledged(&mut self) -> anyhow::Result<()> {
        for (place, next) in self.acknowledged()? {
            let Some(unacknowledged) = self.unacknowledged.get_mut(&place) else {
                continue;
            };
            while let Some((_, bytes)) = unacknowledged
                .records
                .pop_front_if(|(offset, _)| *offset < next)
            {
                unacknowledged.bytes -= bytes;
            }
        }
        Ok(())
    }
}

fn size_of(record: &Record) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let headers = record.headers.iter();
    let headers = headers.map(|header| header.key.len() + of(&header.value));
    of(&record.key) + of(&record.value) + headers.sum::<usize>()
}

fn group() -> String {
    format!("rowtide-{SOURCE}")
}
