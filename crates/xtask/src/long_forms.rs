//! `cargo xtask torture` and `cargo xtask checker`: the long forms of two tests of the real binary, in the optimised
//! profile.
//!
//! Refuses to know what is checked: that is the tests' own programs, and this only starts them.

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

#[derive(Args)]
pub struct CheckerArguments {
    /// How long
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Decides what is written and asked, and what goes wrong
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn torture(root: &Path, arguments: &TortureArguments) -> anyhow::Result<ExitCode> {
    let (kills, seed) = (arguments.kills.to_string(), arguments.seed.to_string());
    start(root, "torture", &["--kills", &kills, "--seed", &seed])
}

pub fn checker(root: &Path, arguments: &CheckerArguments) -> anyhow::Result<ExitCode> {
    let (minutes, seed) = (arguments.minutes.to_string(), arguments.seed.to_string());
    start(root, "checker", &["--minutes", &minutes, "--seed", &seed])
}

fn start(root: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = [
        "run",
        "--quiet",
        "--release",
        "--package",
        "black-box",
        "--bin",
    ];
    let ended = Command::new(cargo)
        .args(run)
        .args([program, "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot run the {program}"))?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
