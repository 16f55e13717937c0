//! Debezium records ▶ changes. Pure: no IO, no clock, no knowledge of tables.
//!
//! The way of a record: its headers tell the connector run, its key bytes become a key, its value is
//! recognised ([`envelope`]: a change in Debezium's envelope, a flattened row, a cloud event, a logical
//! message, or a record of no concern; by its headers also an event of an outbox), and the row inside
//! is encoded by the topic's shape ([`row_shape`]).
//! The formats of a schema registry are brought to the JSON of the same value first ([`registry`], [`avro`], [`protobuf`]).
//! What repeats from record to record (embedded schemas, source blocks, headers, column names) is
//! compared with the last one and not parsed again.
//!
//! Refuses to guess: what cannot be decoded is a failure with its reason, and the next record is
//! decoded as if nothing had happened.

#![forbid(unsafe_code)]

mod avro;
mod block;
mod boundary;
mod cassandra;
mod cell;
mod cloud_event;
mod columns;
mod connect_schema;
mod data_change;
mod decoder;
mod decoding;
mod document_columns;
mod document_key;
mod documents;
mod envelope;
mod error;
mod extended_json;
mod flat;
mod flat_documents;
mod formats;
mod hash_key;
mod headers;
mod images;
mod json_token;
mod key;
mod key_header;
mod message;
mod nested;
mod notification;
mod outbox;
mod outline;
mod places;
mod position;
mod protobuf;
mod registry;
mod row_shape;
mod row_text;
mod semantic;
mod source_block;
mod temporal;
mod temporal_text;
mod topic;
mod type_hint;
mod unavailable;

/// Counts up when the same records would make other rows, so that what a checkpoint holds of them is
/// made anew.
pub const DECODER_VERSION: u32 = 1;

pub use columns::ColumnRules;
pub use decoder::DebeziumDecoder;
pub use decoding::RECORD_BYTES_MAX;
pub use error::DecodeError;
pub use formats::{FormatOverride, PartFormat, TopicFormats};
pub use hash_key::{HASH_KEY_BYTES_MIN, HashKey, HashKeyTooShort};
pub use type_hint::{TypeHint, UnknownType};
pub use unavailable::{Placeholder, PlaceholderError};
