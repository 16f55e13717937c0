//! The tests that know Rowtide only from outside: they start the real binary, feed it recorded
//! change events, and compare its HTTP answers, cell by cell, with what the source database held.
//!
//! Uses nothing of the product but its in-process broker: what it believes about the wire comes from
//! the recordings and from the documented contract, so that a mistake in the product cannot hide in
//! its own test.

#![forbid(unsafe_code)]

pub mod avro_schema;
pub mod binary;
pub mod broker;
pub mod calendar;
pub mod checker;
pub mod compare;
pub mod decimal;
pub mod disk;
pub mod exact;
mod group_offsets;
pub mod orders;
pub mod records;
pub mod registry;
pub mod rendering;
pub mod scenario;
pub mod server;
pub mod site;
pub mod spelling;
pub mod torture;
pub mod trial;
pub mod wait;
