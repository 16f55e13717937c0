//! Placeholder.

pub mod checkpoint_suite;
pub mod faulty_store;
pub mod scripted_source;
pub mod source_suite;
