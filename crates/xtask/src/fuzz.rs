//! Runs the fuzz targets: seeds first, then each for some time. Fails on a finding and says where its input lies.
//!
//! Stable Rust will do: `--sanitizer none` needs no unstable flag. What an address sanitizer would watch
//! for is not there to be found in code without `unsafe`; memory is bounded by the targets
//! themselves, per input, and by libFuzzer for the whole process.

mod report;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, bail, ensure};
use clap::Args;

use report::Report;

/// Every target of `fuzz/Cargo.toml`.
const TARGETS: &[&str] = &[
    "json",
    "avro",
    "protobuf",
    "record_files",
    "config",
    "query_body",
    "query_text",
    "postgrest",
    "sql",
];

/// Limits of every run, in libFuzzer's words. An input that takes longer than the timeout is a finding.
const LIMITS: &[&str] = &[
    "-timeout=10",
    "-rss_limit_mb=1024",
    "-max_len=65536",
    "-print_final_stats=1",
];

#[derive(Args)]
pub struct FuzzArguments {
    /// How long each target runs
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How many inputs each target tries at most; -1 for as many as there is time for
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    runs: i64,
    /// Where libFuzzer's choices begin: the same seed makes the same ones
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// How many targets run beside each other
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Which targets; all, if none is named
    targets: Vec<String>,
}

pub fn run(root: &Path, arguments: &FuzzArguments) -> anyhow::Result<ExitCode> {
    let targets = chosen(&arguments.targets)?;
    ensure!(arguments.jobs > 0, "--jobs 0 would run nothing");
    ensure!(
        cargo_fuzz(root, "--version", &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?
            .success(),
        "cargo-fuzz is not installed: `cargo install --locked cargo-fuzz`"
    );
    let built = cargo_fuzz(root, "build", &[]).status()?;
    ensure!(built.success(), "the targets cannot be built");
    for target in &targets {
        write_seeds(root, target)?;
    }
    println!("{}", Report::HEADINGS);
    let mut is_clean = true;
    for beside in targets.chunks(arguments.jobs) {
        let reports: Vec<anyhow::Result<Report>> = thread::scope(|scope| {
            let running: Vec<_> = beside
                .iter()
                .map(|target| scope.spawn(|| run_target(root, target, arguments)))
                .collect();
            running
                .into_iter()
                .map(|run| run.join().unwrap_or_else(|_| bail!("a runner panicked")))
                .collect()
        });
        for report in reports {
            let report = report?;
            println!("{report}");
            is_clean &= report.finding.is_none();
        }
    }
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if names.is_empty() {
        return Ok(TARGETS.to_vec());
    }
    let known = |name: &String| {
        let target = TARGETS.iter().find(|target| *target == name).copied();
        target.with_context(|| format!("no fuzz target {name}; there are {}", TARGETS.join(", ")))
    };
    names.iter().map(known).collect()
}

fn cargo_fuzz(root: &Path, chore: &str, target: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("fuzz").arg(chore).current_dir(root);
    if chore != "--version" {
        // With the one unit that cargo-fuzz would have, one core builds alone.
        command
            .args(["--sanitizer", "none", "--codegen-units", "16"])
            .args(target);
    }
    command
}

/// A target that is started with this variable writes its seeds there, and ends.
fn write_seeds(root: &Path, target: &str) -> anyhow::Result<()> {
    let written = cargo_fuzz(root, "run", &[target])
        .env("ROWTIDE_FUZZ_SEEDS", corpus(root, target)?)
        .stdout(Stdio::null())
        .stderr(File::create(log(root, target)?)?)
        .status()?;
    ensure!(
        written.success(),
        "no seeds for {target}: {}",
        fs::read_to_string(log(root, target)?)?
    );
    Ok(())
}

fn run_target(
    root: &Path,
    target: &'static str,
    arguments: &FuzzArguments,
) -> anyhow::Result<Report> {
    let log = log(root, target)?;
    let status = cargo_fuzz(root, "run", &[target])
        .arg("--")
        .args(LIMITS)
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-seed={}", arguments.seed))
        .arg(format!("-runs={}", arguments.runs))
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .status()?;
    let text = fs::read(&log).with_context(|| log.display().to_string())?;
    let text = String::from_utf8_lossy(&text);
    Ok(Report::of(target, &text, status.success(), &log))
}

fn corpus(root: &Path, target: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
}

/// What the target says while it runs; kept until it runs again.
fn log(root: &Path, target: &str) -> anyhow::Result<PathBuf> {
    let folder = root.join("fuzz/target/logs");
    fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?.join(format!("{target}.log")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_run() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
        let built: Vec<&str> = manifest["bin"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| target["name"].as_str().unwrap())
            .collect();
        assert_eq!(built, TARGETS);
    }
}
