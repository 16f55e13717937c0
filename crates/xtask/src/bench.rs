//! Runs the benches of the crates that have them. Refuses to judge: a bench prints what it measured,
//! beside its peers and the bar, and people read it.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::ValueEnum;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Bench {
    /// From one record's bytes to an encoded row, by format
    Decode,
    /// How much later than to a plain consumer a change is visible over HTTP
    Freshness,
    /// Whether time grows faster than records do, shape by shape
    Growth,
    /// What indexes cost and give, over a million rows
    Indexes,
    /// A row by its key over HTTP, beside a bare server and Redis
    Http,
    /// From records to rows: speed, CPU time, memory
    Ingest,
    /// Questions to a million rows, beside two databases
    Query,
    /// Starts, checkpoints and what they take of the disk, over a million rows
    Recovery,
    /// What it costs that many wait: memory, and the speed of reading records
    Waiters,
}

impl Bench {
    /// The package and the name of the bench in it.
    fn target(self) -> (&'static str, &'static str) {
        match self {
            Self::Decode => ("debezium-decoder", "decode"),
            Self::Freshness => ("server", "freshness"),
            Self::Growth => ("debezium-decoder", "growth"),
            Self::Indexes => ("table-store", "indexes"),
            Self::Http => ("server", "http"),
            Self::Ingest => ("server", "ingest"),
            Self::Query => ("query", "query"),
            Self::Recovery => ("server", "recovery"),
            Self::Waiters => ("server", "waiters"),
        }
    }
}

/// `cases` are what the bench makes of them; without any it runs whole.
pub fn run(root: &Path, bench: Bench, cases: &[String]) -> anyhow::Result<ExitCode> {
    let (package, name) = bench.target();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "bench",
            "--quiet",
            "--package",
            package,
            "--bench",
            name,
            "--",
        ])
        .args(cases)
        .current_dir(root)
        .status()
        .with_context(|| format!("cannot run the bench `{name}` of `{package}`"))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
