//! `cargo xtask torture`: the long form of the tests that kill the real binary, in the optimised profile.
//!
//! Refuses to know what is checked: that is the tests' own program, and this only starts it.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

#[derive(Args)]
pub struct TortureArguments {
    /// How often the server is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Decides what is written and asked, and when is killed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(root: &Path, arguments: &TortureArguments) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (kills, seed) = (arguments.kills.to_string(), arguments.seed.to_string());
    let run = [
        "run",
        "--quiet",
        "--release",
        "--package",
        "black-box",
        "--bin",
        "torture",
        "--",
    ];
    let ended = Command::new(cargo)
        .args(run)
        .args(["--kills", &kills, "--seed", &seed])
        .current_dir(root)
        .status()
        .context("cannot run the torture")?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
