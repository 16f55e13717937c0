//! What tests of several crates share: a log and a schema registry in memory, a disk that fails on command, the events of
//! a connector, and the suites that every source and every store of checkpoints must pass.
//!
//! Only ever a dev-dependency. Refuses to know anything behind the contracts (`change-feed`,
//! `checkpoint-store`): what a pipeline makes of a log is for its own tests to say.

#![forbid(unsafe_code)]

pub mod checkpoint_suite;
pub mod connector;
pub mod faulty_store;
pub mod scripted_registry;
pub mod scripted_source;
pub mod source_suite;
