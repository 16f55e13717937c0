//! The only crate that speaks to a schema registry: Confluent's, or any that speaks like it
//! (Apicurio's `/apis/ccompat/v7`, Karapace, Redpanda).
//!
//! What it speaks with serves for other servers beside the brokers too ([`RestServer`]).
//!
//! Refuses to know what a schema says, who needs it, and when to ask again: one call is one attempt.
//! Secrets go into requests and nowhere else: no error, no address and no `Debug` shows them.
//!
//! Invariant: only an answer in the words of a schema registry says that a schema does not exist.
//! Whatever else comes back is trouble that may pass, because on it nobody may give records up.

#![forbid(unsafe_code)]

mod address;
mod answer;
mod connection;
mod options;
mod registry;
mod rest;
#[cfg(feature = "tls")]
mod tls;

pub use address::{AddressError, RegistryAddress};
pub use options::{ClientCertificate, Login, OptionsError, RegistryOptions};
pub use registry::HttpRegistry;
pub use rest::RestServer;

/// Every bound on what is asked for and taken in, in one place.
pub mod limits {
    use std::time::Duration;

    /// One answer. The largest schemas seen are some hundred kilobytes.
    pub const ANSWER_BYTES_MAX: u64 = 4 << 20;
    /// All texts of one schema together.
    pub const SCHEMA_BYTES_MAX: usize = 16 << 20;
    /// Schemas that one schema refers to, directly or not, and how far away they may be.
    pub const REFERENCES_MAX: usize = 512;
    pub const REFERENCE_DEPTH_MAX: usize = 32;
    /// How much of a registry's own words goes into an error.
    pub const WORDS_MAX: usize = 200;
    /// One request with its answer, unless the options say otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// Certificates and keys are read whole; more than this is something else.
    pub const PEM_BYTES_MAX: u64 = 4 << 20;
    /// Addresses of one registry.
    pub const ADDRESSES_MAX: usize = 16;

    const _: () = assert!(ANSWER_BYTES_MAX as usize <= SCHEMA_BYTES_MAX);
}
