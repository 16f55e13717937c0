//! Placeholder.

pub mod checkpoint_suite;
pub mod faulty_store;
