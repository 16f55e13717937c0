//! What it costs that many wait: memory of each, and the speed at which records are read beside them.
//!
//! The release binary follows a record file of changes to one table. Each pair of rounds reads as many of them, once
//! with nobody there and once beside 10,000 requests that wait for a transaction that never comes, each over a
//! connection of its own, all of them for the very table that changes. Then the same beside 1,000 readers of the
//! change feed, who each follow a row of their own that never changes. Run by `cargo xtask bench waiters`.

mod crowd;
mod records;
mod server;

use std::time::Duration;

use anyhow::Context;
use mimalloc::MiMalloc;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::crowd::{Crowd, Kind};
use crate::records::Records;
use crate::server::Server;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const PAIRS: usize = 5;

/// The bars.
const BYTES_WANTED: f64 = 64.0 * 1024.0;
const RATE_WANTED: f64 = 0.9;

fn main() -> anyhow::Result<()> {
    let files = open_all_files()?;
    let named: Vec<String> = std::env::args().skip(1).collect();
    // Cargo itself passes an argument, too.
    let mut kinds = Kind::ALL.to_vec();
    let is_named = |kind: &Kind| named.iter().any(|name| name == kind.name());
    if kinds.iter().any(is_named) {
        kinds.retain(is_named);
    }
    println!(
        "{} changes a round of a table of {} rows, medians of {PAIRS} interleaved pairs; {files} files may be open\n",
        records::CHANGES_A_ROUND,
        records::ROWS
    );
    for kind in kinds {
        measure(kind)?;
    }
    Ok(())
}

/// As many open files as this process and its children may have.
fn open_all_files() -> anyhow::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, all).context("cannot raise the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

fn measure(kind: Kind) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut records = Records::create(&directory.path().join("orders.jsonl"))?;
    let server = Server::start(directory.path(), records.path())?;
    // Memory grows to what reading takes before anything is counted.
    for _ in 0..2 {
        rate(&server, &mut records)?;
    }
    let (mut ratios, mut without, mut with, mut bytes) = (vec![], vec![], vec![], vec![]);
    for _ in 0..PAIRS {
        let alone = rate(&server, &mut records)?;
        let before = server.resident_bytes()?;
        let crowd = Crowd::gather(kind, &server)?;
        bytes.push((server.resident_bytes()? - before) / kind.count() as f64);
        let beside = rate(&server, &mut records)?;
        crowd.still_waits()?;
        drop(crowd);
        server.wait_for(kind.gauge(), 0)?;
        ratios.push(beside / alone);
        without.push(alone);
        with.push(beside);
    }
    println!("{kind}");
    // Later ones find memory that earlier ones have left.
    let bytes = bytes.into_iter().fold(0.0, f64::max);
    let verdict = |reached: bool| if reached { "reached" } else { "MISSED" };
    println!(
        "  memory of each, at most                {:>8.1} KB   wanted less than {:.0} KB: {}",
        bytes / 1024.0,
        BYTES_WANTED / 1024.0,
        verdict(bytes < BYTES_WANTED)
    );
    println!(
        "  changes read, with nobody there        {:>8.0} K/s",
        median(without) / 1e3
    );
    println!(
        "  beside them                            {:>8.0} K/s",
        median(with) / 1e3
    );
    let ratio = median(ratios);
    println!(
        "  of the rate without                    {ratio:>8.2} x    wanted at least {RATE_WANTED} x: {}\n",
        verdict(ratio >= RATE_WANTED)
    );
    Ok(())
}

/// Changes a second, from when they are there to when the last one is visible.
fn rate(server: &Server, records: &mut Records) -> anyhow::Result<f64> {
    let last = records.append()?;
    let began = telemetry::clock::monotonic();
    server.wait_for_change(last)?;
    let took: Duration = telemetry::clock::monotonic() - began;
    Ok(records::CHANGES_A_ROUND as f64 / took.as_secs_f64())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
