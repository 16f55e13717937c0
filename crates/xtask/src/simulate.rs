//! Runs the seeded simulation of the pipeline, optimised and on all cores, or one seed of it again.
//!
//! The simulation itself is a test of `ingest`; this only builds and starts it.

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

/// What a campaign is run by.
const TEST: &str = "whatever_happens_the_tables_are_what_the_log_says";

#[derive(Args)]
pub struct SimulateArguments {
    /// How many seeds are run; one is shown with everything that happens in it
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them: the same seed is the same history, to the letter
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Begins no more seeds after so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// What it is built in
    #[arg(long, default_value = "checked")]
    profile: String,
}

pub fn run(root: &Path, arguments: &SimulateArguments) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--quiet", "--profile", &arguments.profile])
        // Of the whole workspace, so that crates have the features that they have for all other tests, and are not built again.
        .args(["--workspace", "--test", "simulation", "--"])
        .args(["--exact", TEST, "--nocapture"])
        .current_dir(root)
        .env("ROWTIDE_SEED", arguments.seed.to_string())
        .env("ROWTIDE_SEEDS", arguments.seeds.to_string());
    if let Some(minutes) = arguments.minutes {
        command.env("ROWTIDE_MINUTES", minutes.to_string());
    }
    Ok(if command.status()?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
