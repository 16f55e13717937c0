//! What is wrong or risky between a database and Rowtide, and the line that mends it: rules over facts.
//!
//! Pure. Whoever calls has asked the brokers, Kafka Connect and the database ([`Facts`]); what was not asked is not judged.
//! Refuses to guess: a rule speaks of what was seen, with its value and its place.
//!
//! Invariant: every finding is of a [`Rule`] in [`rules::ALL`], and each of those has its page in `docs/doctor`, which is
//! written from it.

#![forbid(unsafe_code)]

pub mod facts;
mod finding;
#[cfg(test)]
mod page;
pub mod rules;

pub use facts::Facts;
pub use finding::{Finding, Rule, Severity};
