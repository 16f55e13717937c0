//! How fast a million records of the real broker become rows, and what they take of memory: beside a consumer that
//! does nothing with them, and a tuned one in Python. Once the rows are orders as a shop has them, which Debezium took
//! from PostgreSQL; once they are hard on memory, because hardly anything in them is short or repeats itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use black_box::site::Site;
use kafka_source::mock::{PlainConsumer, Whence};
use real_stack::Stack;

use crate::clock::Clock;
use crate::quantiles::median;
use crate::{orders, readings};

const ROUNDS: usize = 3;
const POLL: Duration = Duration::from_millis(100);
const FETCH_WAIT_MS: u32 = 100;
const LOOKED_AT_EVERY: u64 = 1_000;

/// The bars.
const OF_PLAIN_WANTED: f64 = 0.4;
const OF_PYTHON_WANTED: f64 = 2.5;
const PEAK_WANTED_MB: f64 = 500.0;

/// A topic with a row's creation in each record.
pub struct Rows {
    pub what: &'static str,
    pub topic: String,
    pub table: &'static str,
    pub partitions: i32,
    pub count: u64,
}

pub fn measure(stack: &Stack) -> anyhow::Result<()> {
    let brokers = stack.brokers()?;
    let python = python()?;
    for rows in [orders::captured(stack)?, readings::sent(&brokers)?] {
        measure_rows(&rows, &brokers, &python)?;
    }
    Ok(())
}

fn measure_rows(rows: &Rows, brokers: &str, python: &Path) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (mut ours, mut plain, mut pythons, mut peaks) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut row_bytes = 0.0;
    for _ in 0..ROUNDS {
        let (seconds, bytes) = read_plainly(rows, brokers, &clock)?;
        plain.push(seconds);
        row_bytes = bytes;
        pythons.push(read_with_python(rows, python, brokers)?);
        let (seconds, peak_mb) = read_with_rowtide(rows, brokers, &clock)?;
        ours.push(seconds);
        peaks.push(peak_mb);
    }
    let per_s = |seconds: &[f64]| rows.count as f64 / median(seconds.iter().copied());
    let ratio = |others: &[f64]| median(others.iter().zip(&ours).map(|(other, own)| other / own));
    println!(
        "{} {} of {row_bytes:.0} B in {} partitions; medians of {ROUNDS} interleaved rounds\n",
        rows.count, rows.what, rows.partitions
    );
    println!("{:<46} {:>8} {:>12}", "", "s", "records/s");
    let line = |what: &str, seconds: &[f64]| {
        println!(
            "{what:<46} {:>8.2} {:>12.0}",
            median(seconds.iter().copied()),
            per_s(seconds)
        );
    };
    line("rowtide, from its start to being caught up", &ours);
    line("BaseConsumer::poll, and nothing else", &plain);
    line("Python: confluent-kafka, orjson, a dict", &pythons);
    let judge = |reached: bool| if reached { "reached" } else { "MISSED" };
    let (of_plain, of_python) = (ratio(&plain), ratio(&pythons));
    println!(
        "{of_plain:.2}x of the plain consumer, wanted {OF_PLAIN_WANTED}x: {}",
        judge(of_plain >= OF_PLAIN_WANTED)
    );
    println!(
        "{of_python:.2}x of Python, wanted {OF_PYTHON_WANTED}x: {}",
        judge(of_python >= OF_PYTHON_WANTED)
    );
    let peak_mb = median(peaks.into_iter());
    println!(
        "{peak_mb:.0} MB at most (VmHWM), wanted {PEAK_WANTED_MB} MB: {}\n",
        judge(peak_mb < PEAK_WANTED_MB)
    );
    Ok(())
}

/// Seconds, and what a row takes as compact JSON: of some that were looked at.
fn read_plainly(rows: &Rows, brokers: &str, clock: &Clock) -> anyhow::Result<(f64, f64)> {
    let began = clock.now();
    let partitions = (0..rows.partitions).map(|partition| (rows.topic.clone(), partition));
    let consumer = PlainConsumer::of(brokers, partitions, Whence::Beginning, FETCH_WAIT_MS)?;
    let (mut read, mut looked_at, mut bytes) = (0, 0, 0);
    while read < rows.count {
        let looks = read % LOOKED_AT_EVERY == 0;
        let taken = consumer.next(POLL, |record| {
            if looks {
                looked_at += 1;
                bytes += record.value.map_or(0, row_bytes);
            }
        })?;
        read += u64::from(taken.is_some());
    }
    let seconds = clock.now().saturating_sub(began).as_secs_f64();
    Ok((seconds, bytes as f64 / f64::from(looked_at)))
}

/// Of the row that a record creates, without what is between its parts.
fn row_bytes(record: &[u8]) -> usize {
    let record: Option<serde_json::Value> = serde_json::from_slice(record).ok();
    record.map_or(0, |record| record["after"].to_string().len())
}

/// Seconds, and the most memory it had in megabytes.
fn read_with_rowtide(rows: &Rows, brokers: &str, clock: &Clock) -> anyhow::Result<(f64, f64)> {
    let site = Site::on_kafka(brokers, &[&rows.topic], 1_000)?;
    let began = clock.now();
    let mut server = site.start()?;
    server.ready()?;
    let seconds = clock.now().saturating_sub(began).as_secs_f64();
    let table = server.found(&format!("/v1/tables/{}", rows.table), &[])?;
    ensure!(
        table.get("rows").as_integer() == Some(rows.count as i64),
        "other rows than were sent: {table}"
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process()))?;
    let peak = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    server.stop()?;
    Ok((seconds, peak.context("no VmHWM")? * 1_024.0 / 1e6))
}

fn read_with_python(rows: &Rows, python: &Path, brokers: &str) -> anyhow::Result<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/consumer.py");
    let output = Command::new(python)
        .args([
            script,
            brokers,
            &rows.topic,
            &rows.partitions.to_string(),
            &rows.count.to_string(),
        ])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut figures = said.split_whitespace().map(str::parse::<f64>);
    match (figures.next(), figures.next()) {
        (Some(Ok(seconds)), Some(Ok(_))) => Ok(seconds),
        _ => anyhow::bail!("Python: {said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// An interpreter that has what the peer needs, in a folder of the stack's own.
fn python() -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("STACK_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/stack")),
        PathBuf::from,
    );
    let home = folder.join("python");
    let python = home.join("bin/python");
    let run = |program: &Path, arguments: &[&str]| -> anyhow::Result<()> {
        let status = Command::new(program).args(arguments).status();
        ensure!(
            status
                .with_context(|| program.display().to_string())?
                .success(),
            "{} {arguments:?} failed",
            program.display()
        );
        Ok(())
    };
    if !python.exists() {
        run(
            Path::new("python3"),
            &["-m", "venv", &home.to_string_lossy()],
        )?;
    }
    run(
        &python,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "confluent-kafka",
            "orjson",
        ],
    )?;
    Ok(python)
}
