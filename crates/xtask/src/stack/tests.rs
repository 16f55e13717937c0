//! `cargo xtask stack test`: the tests on real servers, and nothing left running behind them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use clap::Args;

use super::part::Part;
use super::place::{Lives, Place};
use super::{alone, clean, process, start, stop};

/// Names the binary that is tested, where it is not to be built.
const BINARY: &str = "BLACK_BOX_BINARY";

#[derive(Args)]
pub struct TestArguments {
    /// Only tests with this in their name
    filter: Option<String>,
    /// One file of `tests/stack/tests` alone
    #[arg(long)]
    test: Option<String>,
    /// What the binary that is tested is built in
    #[arg(long, default_value = "checked")]
    profile: String,
    /// What else the tests' harness is to be told, after `--`
    #[arg(last = true)]
    harness: Vec<String>,
}

pub fn run(place: &Place, arguments: &TestArguments) -> anyhow::Result<ExitCode> {
    with_parts(place, &Part::ALL, || test(place, arguments))
}

pub fn bench(place: Place, cases: &[String]) -> anyhow::Result<ExitCode> {
    let place = &place.with_lives(Lives::Long);
    let needed = [Part::Postgres, Part::Kafka, Part::Connect];
    // What is shipped, and built before anything runs.
    let binary = binary(place, "dist")?;
    with_parts(place, &needed, || {
        let mut command = cargo(place)?;
        command
            .env(BINARY, &binary)
            .args(["bench", "--package", "real-stack", "--features", "stack"])
            .args(["--bench", "figures", "--"])
            .args(cases);
        Ok(command.status().context("cannot run cargo")?.success())
    })
}

/// Starts what is not running of these, without what it stored: a connector that a test was cut off from would run again,
/// and load a machine that is measured.
fn start_anew(place: &Place, parts: &[Part]) -> anyhow::Result<Vec<Part>> {
    let down: Vec<Part> = parts
        .iter()
        .copied()
        .filter(|part| !process::runs(place, *part))
        .collect();
    clean(place, &down)?;
    start(place, &down)
}

/// Starts what is not running of these, does something with them, and stops that again.
fn with_parts(
    place: &Place,
    parts: &[Part],
    work: impl FnOnce() -> anyhow::Result<bool>,
) -> anyhow::Result<ExitCode> {
    let _alone = alone(place, "test.lock")?;
    let whole = process::Watch::start();
    let before: Vec<Part> = Part::ALL
        .into_iter()
        .filter(|part| process::runs(place, *part))
        .collect();
    let tested = {
        let started = alone(place, "lock").and_then(|_alone| start_anew(place, parts));
        eprintln!("stack: all up after {:.0} s", whole.seconds());
        started.and_then(|_| work())
    };
    // Whatever runs now and did not before was started by this command or by a test of it.
    let started: Vec<Part> = Part::ALL
        .into_iter()
        .filter(|part| !before.contains(part))
        .collect();
    let stopped = alone(place, "lock").and_then(|_alone| stop(place, &started, false));
    eprintln!("stack: done after {:.0} s", whole.seconds());
    let passed = tested?;
    stopped?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Cargo, which tells what it runs where the servers are.
fn cargo(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(cargo_path());
    command
        .env("STACK_DIR", place.folder())
        .env("STACK_PORT", place.first_port().to_string())
        .env("STACK_XTASK", std::env::current_exe()?)
        .current_dir(place.project());
    Ok(command)
}

fn cargo_path() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn test(place: &Place, arguments: &TestArguments) -> anyhow::Result<bool> {
    let mut command = cargo(place)?;
    command.env(BINARY, binary(place, &arguments.profile)?);
    command
        .args(["test", "--package", "real-stack", "--features", "stack"])
        .args(["--no-fail-fast"]);
    if let Some(test) = &arguments.test {
        command.args(["--test", test]);
    }
    command.args(&arguments.filter);
    if !arguments.harness.is_empty() {
        command.arg("--").args(&arguments.harness);
    }
    let ended = command.status().context("cannot run cargo")?;
    Ok(ended.success())
}

/// What is tested: what the environment names, or built with TLS, by the system's OpenSSL, and optimised, because it shares the machine with all servers.
fn binary(place: &Place, profile: &str) -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY) {
        return Ok(named.into());
    }
    let built = Command::new(cargo_path())
        .args(["build", "--quiet", "--profile", profile])
        .args(["--bin", "rowtide", "--features", "tls-system"])
        .current_dir(place.project())
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "cargo could not build rowtide");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| place.project().join("target"), PathBuf::from);
    // Another build replaces the one in the target folder, perhaps in the middle of a test.
    let own = place.path("rowtide");
    let folder = if profile == "dev" { "debug" } else { profile };
    fs::copy(target.join(folder).join("rowtide"), &own)?;
    Ok(own)
}
