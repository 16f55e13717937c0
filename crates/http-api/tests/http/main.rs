//! What a client sees: requests in, whole answers out, against a small shop that is filled as a pipeline would.

#![expect(
    clippy::unwrap_used,
    reason = "what a test unwraps is part of what it asserts"
)]

mod admin;
mod audit;
mod conditions;
mod doubles;
mod dsl;
mod exact;
mod feed;
mod feed_history;
mod feed_model;
mod feed_streams;
mod fixture;
mod floors;
mod indexes;
mod lists;
mod loading;
mod lookups;
mod quarantine_replays;
mod queries;
mod quick;
mod rebuilds;
mod refusals;
mod relations;
mod rest;
mod serving;
mod source_floors;
mod sql;
mod tables;
mod wakes;
