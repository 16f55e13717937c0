//! The pipeline with all its threads, without broker and without disk: records in, rows, states,
//! acknowledgements and reports out.
//!
//! Nothing here rests on time: every test waits for what it wants to see, in one place.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test tells by panicking"
)]

mod acknowledging;
mod back_pressure;
mod bad_records;
mod completeness;
mod confirmations;
mod damaged_tables;
mod failing_disks;
mod framed;
mod harness;
mod indexes;
mod key_changes;
mod keyless;
mod lag;
mod logs_that_changed;
mod memory;
mod naming;
mod one_by_one;
mod quarantine_replays;
mod rebuilding;
mod rebuilds;
mod restart;
mod retention;
mod scarce_memory;
mod schemas;
mod shapes;
mod source_positions;
mod stepped;
mod transactions;
mod transfers;
mod unserved;
mod verifying;
mod what_records_lack;
