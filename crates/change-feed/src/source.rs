//! Where records come from.
//!
//! A source is driven by one thread that calls [`Source::poll`] in a loop. It *reports* partitions
//! as it discovers them and reads none before it is told where to start: where to resume is the
//! pipeline's decision (the checkpoint rules, never the broker's group).

use std::time::Duration;

use row_model::{NextOffset, PartitionId};

use crate::{EndsQuestion, RawBatch};

/// Identity of a topic beyond its name, where the broker has one: a recreated topic has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicUuid(pub [u8; 16]);

/// What a source knows of a partition when it finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFacts {
    /// The source's own number for it, used in every later call.
    pub id: PartitionId,
    pub topic: String,
    pub partition: i32,
    pub topic_uuid: Option<TopicUuid>,
    /// Offset of the first record still retained.
    pub retained_from: NextOffset,
    /// Offset of the next record to be written; `None` where only reading tells, as with a file.
    pub end: Option<NextOffset>,
    /// Only the newest record of a key is retained.
    pub compacted: bool,
}

/// Where reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    Earliest,
    Offset(NextOffset),
}

/// What a source has to say.
#[derive(Debug)]
pub enum SourceEvent {
    /// A partition was found. Nothing of it is read until [`Source::start`].
    /// One that was lost as [`Gone`](SourceError::Gone) and is back is found again under its old number.
    Discovered(PartitionFacts),
    /// Every partition there was at the time of start-up has been reported by now.
    DiscoveryComplete,
    /// Records of one partition, in the order of their offsets.
    Records(RawBatch),
    /// Everything in the partition before `next` has been delivered and there was no more just now.
    End {
        partition: PartitionId,
        next: NextOffset,
    },
    /// The source cannot go on for now. It keeps trying by itself; readers are told.
    Unavailable(SourceError),
    /// The source can be reached again.
    Available,
    /// Whatever the source says or does not say is about a moment that is so long ago, until it says
    /// otherwise: what it reads from has not answered for so long, or took so long to answer. Zero once
    /// it answers as usual. Nothing is wrong with the source: a silent or slow network looks like this
    /// before anybody knows that it is an outage, and nothing is to be called fresh meanwhile.
    Delayed(Duration),
    /// One partition cannot go on: nothing more of it comes before it is started anew. The others go on.
    PartitionLost {
        partition: PartitionId,
        error: SourceError,
    },
    /// A line of a record file, or its like, that is no record at all. It has no partition to blame.
    Unreadable { place: String, reason: String },
}

/// Why a source or one of its partitions cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The settings contradict each other or name something this binary does not have.
    #[error("{0}")]
    Config(String),
    /// The broker or file cannot be reached or read.
    #[error("{what}: {reason}")]
    Unreachable { what: String, reason: String },
    /// A topic that config names does not exist (yet).
    #[error("topic {topic} does not exist{hint}")]
    UnknownTopic { topic: String, hint: String },
    /// Retention overtook the reader: records between were never seen.
    #[error(
        "offset {wanted} of {topic}-{partition} is no longer retained (the log starts at {retained_from})"
    )]
    OffsetLost {
        topic: String,
        partition: i32,
        wanted: u64,
        retained_from: u64,
    },
    /// The log is shorter than the reader remembers: the topic was recreated, or a broker lost its tail.
    #[error("offset {wanted} of {topic}-{partition} is beyond the end of the log ({end})")]
    OffsetBeyondLog {
        topic: String,
        partition: i32,
        wanted: u64,
        end: u64,
    },
    /// The partition or its topic was deleted.
    #[error("{topic}-{partition} does not exist any more")]
    Gone { topic: String, partition: i32 },
}

/// A stream of raw records from many partitions. Two implementations ship: Kafka and record files.
pub trait Source: Send {
    /// Waits for news, at most `timeout`. Appends to `events` and returns; an empty append means nothing happened.
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>);

    /// Begins to read a discovered partition, or moves a started one to another place. Whether it is
    /// paused does not change. An offset that the log does not reach is answered by [`SourceEvent::PartitionLost`].
    ///
    /// # Errors
    /// If the source cannot take the order; the partition is not read then.
    fn start(&mut self, partition: PartitionId, at: StartAt) -> Result<(), SourceError>;

    /// Stops delivery of some partitions until [`resume`](Self::resume). Others go on.
    fn pause(&mut self, partitions: &[PartitionId]);

    fn resume(&mut self, partitions: &[PartitionId]);

    /// Tells the broker how far a durable checkpoint reaches. For lag monitors only: never read back.
    fn acknowledge(&mut self, offsets: &[(PartitionId, NextOffset)]);

    /// The end of each started partition as last heard of, without waiting; what lag is measured by.
    fn ends(&self) -> Vec<(PartitionId, NextOffset)>;

    /// Asks where logs end from now on, without waiting for the answer. A consumer that reads committed records
    /// only is told the ends of those. What holds the answer up, holds no record up.
    fn ask_ends(&mut self, question: EndsQuestion) {
        question.answer(Err("this source cannot tell where its log ends".to_owned()));
    }
}
