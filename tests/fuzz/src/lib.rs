//! What the fuzz targets check: every parser of bytes from outside, at its boundary, for more than not panicking.
//!
//! A target is named here, with what it checks and where it begins; a file in `fuzz/fuzz_targets` hands
//! it the inputs of libFuzzer. Seeds are made of the recordings in `tests/corpus` when they are asked
//! for, and never committed. The test of this crate checks every seed of every target, so that what a
//! change means for them is seen without fuzzing.

#![forbid(unsafe_code)]

use std::io;

mod config_file;
mod corpus;
mod decoding;
mod input;
mod meaning;
mod memory;
mod postgrest;
mod query_body;
mod query_text;
mod record_files;
mod seeds;
mod shop;
mod sql;

/// What is checked of any bytes.
pub struct Target {
    pub name: &'static str,
    pub check: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> io::Result<Vec<Vec<u8>>>,
}

pub static JSON: Target = Target {
    name: "json",
    check: decoding::json,
    seeds: seeds::json,
};
pub static AVRO: Target = Target {
    name: "avro",
    check: decoding::avro,
    seeds: seeds::avro,
};
pub static PROTOBUF: Target = Target {
    name: "protobuf",
    check: decoding::protobuf,
    seeds: seeds::protobuf,
};
pub static RECORD_FILES: Target = Target {
    name: "record_files",
    check: record_files::check,
    seeds: seeds::lines,
};
pub static CONFIG: Target = Target {
    name: "config",
    check: config_file::check,
    seeds: seeds::configurations,
};
pub static QUERY_BODY: Target = Target {
    name: "query_body",
    check: query_body::check,
    seeds: || Ok(seeds::query_bodies()),
};
pub static QUERY_TEXT: Target = Target {
    name: "query_text",
    check: query_text::check,
    seeds: || Ok(seeds::query_texts()),
};
pub static POSTGREST: Target = Target {
    name: "postgrest",
    check: postgrest::check,
    seeds: || Ok(seeds::query_strings()),
};
pub static SQL: Target = Target {
    name: "sql",
    check: sql::check,
    seeds: || Ok(seeds::statements()),
};

pub static TARGETS: [&Target; 9] = [
    &JSON,
    &AVRO,
    &PROTOBUF,
    &RECORD_FILES,
    &CONFIG,
    &QUERY_BODY,
    &QUERY_TEXT,
    &POSTGREST,
    &SQL,
];

/// Where a target that is started writes its seeds to, and ends.
const SEEDS_VARIABLE: &str = "ROWTIDE_FUZZ_SEEDS";

impl Target {
    /// The start of a run: writes the seeds and ends if it was started for that.
    pub fn begin(&self) {
        let Some(folder) = std::env::var_os(SEEDS_VARIABLE) else {
            return;
        };
        match seeds::write(self, folder.as_ref()) {
            Ok(count) => {
                println!("{count} seeds");
                std::process::exit(0);
            }
            Err(error) => {
                eprintln!("no seeds for {}: {error}", self.name);
                std::process::exit(1);
            }
        }
    }
}
