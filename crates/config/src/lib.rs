//! Configuration: written settings in, one validated [`Config`] out.
//!
//! File, environment and flags are laid over each other as a tree that remembers where each value was
//! written (`document`), compared with the schema (`check`), read into structs of text (`raw`) and
//! given meaning (`validated`). Nothing is ignored: what has no effect in this version is refused.
//! Refuses to know what is done with it.

#![forbid(unsafe_code)]

mod check;
mod columns;
mod document;
mod environment;
mod error;
mod flags;
mod indexes;
mod interpolate;
mod keep;
mod load;
mod raw;
mod registry;
mod relations;
mod schema;
mod sources;
mod unbuilt;
mod units;
mod validated;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use columns::ColumnsConfig;
pub use environment::of_process as process_environment;
pub use error::ConfigErrors;
pub use flags::{ConfigArgs, key_value};
pub use load::load;
pub use schema::json_schema;
pub use units::ListenAddress;
pub use validated::{Config, Listen, OnBadRecord, Reads, SourceConfig, Storage, TableConfig};
