//! What the fuzz targets check: every parser of bytes from outside, at its boundary, for more than not panicking.
//!
//! A target is a function of this library and a file in `fuzz_targets` that names it. Seeds are made
//! of the recordings in `tests/corpus` when a target is asked for them, and never committed.
//! Started by `cargo xtask fuzz`.

pub mod config;
pub mod corpus;
pub mod decoding;
pub mod input;
pub mod meaning;
pub mod memory;
pub mod postgrest;
pub mod query_body;
pub mod query_text;
pub mod record_files;
pub mod seeds;
pub mod sql;

// Two parsers that their crates keep to themselves, compiled in from where they are.
#[allow(dead_code, reason = "the parser's crate uses all of it")]
#[path = "../../crates/file-source/src/line.rs"]
mod line;
#[allow(dead_code, reason = "the parser's crate uses all of it")]
#[path = "../../crates/file-source/src/recognise.rs"]
mod recognise;
#[allow(dead_code, unused_imports, reason = "the server uses all of it")]
#[path = "../../crates/server/src/config/mod.rs"]
mod server_config;

/// Where a target that is started writes its seeds to, and ends.
const SEEDS_VARIABLE: &str = "ROWTIDE_FUZZ_SEEDS";

/// The start of every target: writes the seeds if it was started for that.
pub fn begin(target: &str) {
    let Some(folder) = std::env::var_os(SEEDS_VARIABLE) else {
        return;
    };
    match seeds::write(target, folder.as_ref()) {
        Ok(count) => {
            println!("{count} seeds");
            std::process::exit(0);
        }
        Err(error) => {
            eprintln!("no seeds for {target}: {error}");
            std::process::exit(1);
        }
    }
}
