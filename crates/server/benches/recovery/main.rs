//! How soon a million rows are served again after a crash, and what keeping them on disk costs.
//!
//! Starts are the release binary's, on a directory that a first process filled. Every other figure
//! is a process of its own too, so that memory, CPU time and bytes written are its alone; what is compared is
//! interleaved, and medians are printed. Run by `cargo xtask bench recovery`.

mod figures;
#[path = "../../src/huge_pages.rs"]
mod huge_pages;
mod pipeline;
mod process;
mod server;
mod shop;
mod stepped;
mod verdict;

use std::path::Path;
use std::time::Duration;

use mimalloc::MiMalloc;
use row_model::PartitionId;

use crate::figures::{Figures, figures, median, of_child};
use crate::server::Start;
use crate::shop::{COURIERS, ORDERS, ORDERS_EACH, PARTITIONS};
use crate::stepped::Stepped;
use crate::verdict::{at_least, at_most, told};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const STARTS: usize = 5;
const INGESTS: usize = 5;
const LARGE_CHECKPOINTS: usize = 40;
const LARGE_CHECKPOINT_ROWS: u64 = 10_000;

/// An hour of checkpoints, one a second, each with the changes of a busy second, evenly spread.
const CHURN_CHECKPOINTS: usize = 3_600;
const CHURN_ROWS: u64 = 2_000;
/// How often the directory is looked at meanwhile.
const LOOKS_EVERY: usize = 20;

const MEGABYTE: f64 = 1e6;

fn main() -> anyhow::Result<()> {
    huge_pages::refuse();
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let measured = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", directory] => fill(Path::new(directory))?,
        ["large", directory] => large_checkpoints(Path::new(directory))?,
        ["churn", directory] => churn(Path::new(directory))?,
        ["ingest", directory, interval_ms] => ingest(Path::new(directory), interval_ms)?,
        _ => return table(),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

fn table() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let checkpoint = directory.path().join("checkpoint");
    let checkpoint = checkpoint.to_string_lossy();
    let filled = of_child(&["fill", &checkpoint])?;
    println!(
        "{ORDERS} orders and {COURIERS} couriers, {:.0} bytes a row as stored\n",
        filled["live_bytes"] / (ORDERS + COURIERS) as f64
    );
    told("read and made durable", filled["seconds"], "s");
    starts(directory.path(), "after a first run")?;
    checkpoints(&of_child(&["large", &checkpoint])?);
    churned(&of_child(&["churn", &checkpoint])?);
    starts(directory.path(), "after an hour of changes")?;
    ingest_rates()
}

fn starts(directory: &Path, when: &str) -> anyhow::Result<()> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(Start::measure(directory)?);
    }
    let of = |figure: fn(&Start) -> f64| median(starts.iter().map(figure).collect());
    println!("\na start {when}, medians of {STARTS}");
    at_most(
        "first row of the small table",
        of(|start| start.first_row_s),
        1.5,
        "s",
    );
    at_most("all loaded", of(|start| start.all_loaded_s), 3.0, "s");
    told("CPU time", of(|start| start.cpu_s), "s");
    told(
        "peak memory",
        of(|start| start.peak_bytes as f64 / MEGABYTE),
        "MB",
    );
    Ok(())
}

fn checkpoints(large: &Figures) {
    println!(
        "\na checkpoint of {LARGE_CHECKPOINT_ROWS} random rows, medians of {LARGE_CHECKPOINTS}"
    );
    at_most("written and flushed", large["written_ms"], 150.0, "ms");
    told("longest", large["longest_ms"], "ms");
    told(
        "collected, with nothing applied beside",
        large["collected_ms"],
        "ms",
    );
}

fn churned(churn: &Figures) {
    println!("\nan hour: {CHURN_CHECKPOINTS} checkpoints of {CHURN_ROWS} random rows each");
    let live = churn["live_bytes"];
    at_most(
        "disk at the end, of live data",
        churn["end_bytes"] / live,
        2.5,
        "x",
    );
    told(
        "disk at most, of live data",
        churn["most_bytes"] / live,
        "x",
    );
    told(
        "written for a byte changed",
        churn["written_bytes"] / churn["changed_bytes"],
        "x",
    );
    told("a checkpoint, median", churn["written_ms"], "ms");
    told("longest", churn["longest_ms"], "ms");
    told("peak memory", churn["peak_bytes"] / MEGABYTE, "MB");
}

fn ingest_rates() -> anyhow::Result<()> {
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..INGESTS {
        for (interval_ms, runs) in ["1000", "3600000"].into_iter().zip(&mut runs) {
            let directory = tempfile::tempdir()?;
            let directory = directory.path().to_string_lossy();
            runs.push(of_child(&["ingest", &directory, interval_ms])?);
        }
    }
    let middle = |runs: &[Figures], name| median(runs.iter().map(|run| run[name]).collect());
    let [with, without] = [&runs[0], &runs[1]].map(|runs| middle(runs, "records_per_s"));
    println!("\nreading rows and changes of them, medians of {INGESTS} interleaved runs");
    told("with a checkpoint every second", with / 1e3, "K records/s");
    let seconds_each = middle(&runs[0], "seconds_a_checkpoint");
    told("from one to the next meanwhile", seconds_each, "s");
    told("without", without / 1e3, "K records/s");
    at_least("of the rate without", with / without, 0.85, "x");
    Ok(())
}

/// Reads everything for the first time.
fn fill(directory: &Path) -> anyhow::Result<Figures> {
    const AT_ONCE: u64 = 1_000;
    const ROUNDS_A_CHECKPOINT: u64 = 50;
    let began = telemetry::clock::monotonic();
    let mut stepped = Stepped::open(directory)?;
    for _ in 0..COURIERS / AT_ONCE {
        stepped.read(PartitionId(PARTITIONS), AT_ONCE);
    }
    for round in 1..=ORDERS_EACH / AT_ONCE {
        (0..PARTITIONS).for_each(|id| stepped.read(PartitionId(id), AT_ONCE));
        if round % ROUNDS_A_CHECKPOINT == 0 {
            stepped.checkpoint()?;
        }
    }
    let seconds = (telemetry::clock::monotonic() - began).as_secs_f64();
    let live_bytes = stepped.live_bytes() as f64;
    Ok(figures([("seconds", seconds), ("live_bytes", live_bytes)]))
}

fn large_checkpoints(directory: &Path) -> anyhow::Result<Figures> {
    let mut stepped = Stepped::open(directory)?;
    let (mut collected, mut written) = (Vec::new(), Vec::new());
    for _ in 0..LARGE_CHECKPOINTS {
        change(&mut stepped, LARGE_CHECKPOINT_ROWS);
        let checkpoint = stepped.checkpoint()?;
        collected.push(milliseconds(checkpoint.collected));
        written.push(milliseconds(checkpoint.written));
    }
    Ok(figures([
        ("longest_ms", written.iter().copied().fold(0.0, f64::max)),
        ("collected_ms", median(collected)),
        ("written_ms", median(written)),
    ]))
}

fn churn(directory: &Path) -> anyhow::Result<Figures> {
    let mut stepped = Stepped::open(directory)?;
    let this = std::process::id();
    let (mut written, mut most_bytes) = (Vec::new(), 0);
    let written_before = process::written_bytes(this)?;
    for round in 1..=CHURN_CHECKPOINTS {
        change(&mut stepped, CHURN_ROWS);
        written.push(milliseconds(stepped.checkpoint()?.written));
        if round % LOOKS_EVERY == 0 {
            most_bytes = most_bytes.max(process::disk_bytes(directory));
        }
    }
    let written_bytes = process::written_bytes(this)? - written_before;
    let live_bytes = stepped.live_bytes() as f64;
    let changed = CHURN_ROWS as f64 * CHURN_CHECKPOINTS as f64;
    Ok(figures([
        ("live_bytes", live_bytes),
        ("most_bytes", most_bytes as f64),
        ("end_bytes", process::disk_bytes(directory) as f64),
        ("written_bytes", written_bytes as f64),
        (
            "changed_bytes",
            changed * live_bytes / (ORDERS + COURIERS) as f64,
        ),
        ("longest_ms", written.iter().copied().fold(0.0, f64::max)),
        ("written_ms", median(written)),
        ("peak_bytes", process::peak_bytes(this)? as f64),
    ]))
}

fn ingest(directory: &Path, interval_ms: &str) -> anyhow::Result<Figures> {
    let interval = Duration::from_millis(interval_ms.parse()?);
    let (records_per_s, seconds_a_checkpoint) = pipeline::rates(directory, interval)?;
    Ok(figures([
        ("records_per_s", records_per_s),
        ("seconds_a_checkpoint", seconds_a_checkpoint),
    ]))
}

/// Changes so many orders.
fn change(stepped: &mut Stepped, rows: u64) {
    let each = rows / u64::from(PARTITIONS);
    (0..PARTITIONS).for_each(|id| stepped.read(PartitionId(id), each));
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
