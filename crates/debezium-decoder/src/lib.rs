//! Debezium records ▶ changes. Pure: no IO, no clock, no knowledge of tables.
//!
//! The way of a record: its headers tell the connector run, its key bytes become a key, its value is
//! recognised ([`envelope`]: a change in Debezium's envelope, a flattened row, a cloud event, a logical
//! message, or a record of no concern; by its headers also an event of an outbox), and the row inside
//! is encoded by the topic's shape ([`row_shape`]).
//! The formats of a schema registry are brought to the JSON of the same value first ([`registry`], [`avro`]).
//! What repeats from record to record (embedded schemas, source blocks, headers, column names) is
//! compared with the last one and not parsed again.
//!
//! Refuses to guess: what cannot be decoded is a failure with its reason, and the next record is
//! decoded as if nothing had happened.

#![forbid(unsafe_code)]

mod avro;
mod block;
mod cell;
mod cloud_event;
mod connect_schema;
mod data_change;
mod decoder;
mod decoding;
mod envelope;
mod error;
mod flat;
mod headers;
mod images;
mod json_token;
mod key;
mod key_header;
mod message;
mod nested;
mod outbox;
mod outline;
mod places;
mod position;
mod registry;
mod row_shape;
mod semantic;
mod source_block;
mod temporal;
mod temporal_text;
mod topic;
mod unavailable;

pub use decoder::DebeziumDecoder;
pub use decoding::RECORD_BYTES_MAX;
pub use error::DecodeError;
pub use unavailable::{Placeholder, PlaceholderError};
