//! The contracts at the front of the pipeline: [`Source`] brings records, [`Decoder`] says what they mean.
//!
//! Refuses to know any broker, file or format. Both contracts work in batches of one partition, so
//! that dynamic dispatch and allocation are paid once a batch and never once a record.

#![forbid(unsafe_code)]

mod batch;
mod decoder;
mod ends;
mod schemas;
mod source;

pub use batch::{Header, RawBatch, RawRecord, RecordRef};
pub use decoder::{Decoded, Decoder, TopicContext};
pub use ends::{EndsQuestion, LogEnd};
pub use schemas::{
    RegisteredSchema, RegistryError, RegistryId, SchemaLanguage, SchemaRegistry, SchemaShelf,
    ShelvedSchema,
};
pub use source::{PartitionFacts, Source, SourceError, SourceEvent, StartAt, TopicUuid};
