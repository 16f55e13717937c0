//! `cargo xtask postgrest`: the binary, read with `PostgREST`'s own client as it comes from npm.
//!
//! Apart from the other tests because it needs node, npm and its registry.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let folder = root.join("tests/postgrest-js");
    step(
        Command::new("cargo")
            .args(["build", "--quiet", "--bin", "rowtide"])
            .current_dir(root),
    )?;
    step(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder),
    )
    .context("node and npm are needed: apt-get install nodejs npm")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let binary = target.join("debug/rowtide").canonicalize()?;
    let ended = Command::new("node")
        .arg("run.mjs")
        .arg(binary)
        .current_dir(&folder)
        .status()
        .context("cannot start node")?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn step(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let ended = command
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    ensure!(ended.success(), "{name} failed: {ended}");
    Ok(())
}
