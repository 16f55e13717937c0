//! The HTTP surface: two listeners, their routes, limits, and every error as `application/problem+json`.
//!
//! Reads tables through `query` and knows nothing of how they are filled: where sources and the
//! checkpoint stand is asked of a [`StatusProvider`]. Refuses to ignore anything it is asked:
//! a parameter that is not understood is an error, because an ignored filter is a wrong answer.
//!
//! Invariant: every answer about a table, errors included, says how fresh the table is.

#![forbid(unsafe_code)]

mod admin;
mod api;
mod candidates;
mod condition;
mod conditional;
mod error;
mod etag;
mod exact;
mod feed;
mod floor;
mod fresh;
mod head_timer;
mod hosts;
mod limits;
mod listener;
mod log_ends;
mod media;
mod operator;
mod params;
mod patience;
mod problem;
mod quick;
mod request_id;
mod respond;
mod round;
mod route;
mod routes;
mod serve;
mod sleepers;
mod state;
mod told;
mod waits;

pub use api::Api;
pub use hosts::Hosts;
pub use limits::Limits;
pub use listener::Listener;
pub use log_ends::{EndsAnswer, LogEnds, NoLogEnds, PartitionEnd};
pub use operator::{ChosenRecords, Operator, OperatorError};
pub use serve::serve;
pub use state::{ApiState, Check, Health, StatusProvider};
