//! Kafka as a [`Source`](change_feed::Source): the only crate that names rdkafka.
//!
//! Partitions are assigned by hand, for each source reads all of them; the consumer group serves lag
//! monitors only and is never read back. Being at the end is librdkafka's partition EOF, which comes with
//! an answer that has nothing new, or that the log ended behind the last record when that was fetched: where somebody
//! writes all the time, no answer is empty. One thread looks for topics; records are read on the thread that polls.
//!
//! Refuses to know what records mean, and to decide where reading begins or resumes.
//!
//! Invariant: between two calls of `start`, a partition's records leave in the order of their offsets
//! with none left out. Where librdkafka would pass over records, the partition is lost instead.

#![deny(unsafe_code)]

mod bell;
mod contact;
mod context;
mod discovery;
mod faults;
mod intake;
#[cfg(feature = "mock")]
pub mod mock;
#[expect(
    unsafe_code,
    reason = "it holds the calls of librdkafka that rdkafka does not offer; its head says why"
)]
mod native;
mod options;
mod source;
mod survey;
mod topics;
mod tracker;

pub use options::KafkaOptions;
pub use source::KafkaSource;
pub use survey::{Survey, SurveyedRecord, SurveyedTopic, survey};
