//! `cargo xtask checker`: the long form of the test that explains every answer by what was written, in the optimised
//! profile.
//!
//! Refuses to know what is checked: that is the tests' own program, and this only starts it.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

#[derive(Args)]
pub struct CheckerArguments {
    /// How long
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Decides what is written and asked, and what goes wrong
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(root: &Path, arguments: &CheckerArguments) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let (minutes, seed) = (arguments.minutes.to_string(), arguments.seed.to_string());
    let run = [
        "run",
        "--quiet",
        "--release",
        "--package",
        "black-box",
        "--bin",
        "checker",
        "--",
    ];
    let ended = Command::new(cargo)
        .args(run)
        .args(["--minutes", &minutes, "--seed", &seed])
        .current_dir(root)
        .status()
        .context("cannot run the checker")?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
