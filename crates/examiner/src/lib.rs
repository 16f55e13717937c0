//! Asks the brokers, Kafka Connect and the database what they are like: facts for the [`doctor`].
//!
//! Changes nothing anywhere, commits no offsets, and waits for nobody longer than [`limits`] say. Who does not answer is a
//! fact too. Refuses to judge, and to carry a secret on: settings that hold one are left out, and cut out of what is told.

#![forbid(unsafe_code)]

mod connect;
mod log;
mod postgres;

pub use connect::connect;
pub use log::{SourceToAsk, log};
pub use postgres::{PostgresAddress, PostgresAddressError, postgres};

/// Every bound on what is waited for and taken in.
pub mod limits {
    use std::time::Duration;

    /// One question to the brokers.
    pub const BROKER: Duration = Duration::from_secs(5);
    /// One request to Connect or to a registry.
    pub const REQUEST: Duration = Duration::from_secs(5);
    /// Everything that is asked of the database.
    pub const DATABASE: Duration = Duration::from_secs(10);
    /// Schemas that a registry is asked for: those that the newest records name.
    pub const SCHEMAS_MAX: usize = 64;
    /// Tables of a database that are looked at.
    pub const TABLES_MAX: i64 = 10_000;
}
