//! The tests that know Rowtide only from outside: they start the real binary, feed it recorded
//! change events, and compare its HTTP answers, cell by cell, with what the source database held.
//!
//! Depends on no crate of the product: what it believes about the wire comes from the recordings
//! and from the documented contract, so that a mistake in the product cannot hide in its own test.

mod binary;
pub mod calendar;
pub mod compare;
pub mod decimal;
pub mod exact;
pub mod records;
pub mod scenario;
pub mod server;
pub mod site;
pub mod spelling;
pub mod trial;
pub mod wait;
