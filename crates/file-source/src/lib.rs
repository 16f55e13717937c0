//! Record files as a [`Source`](change_feed::Source): what `rowtide capture` wrote, bug reports, tests.
//!
//! A record file has one JSON object a line; [`record_file`] has the format and its writer. A
//! directory is read in the order of its file names. Refuses to know brokers and what records mean.
//!
//! Invariant: a partition's records leave in the order of their offsets, each at most once between
//! two calls of `start`, whatever the order of the lines.

#![forbid(unsafe_code)]

mod compression;
mod files;
pub mod line;
mod lines;
mod partitions;
mod recognise;
pub mod record_file;
mod source;

pub use source::{FileOptions, FileSource};
