//! How fast records become rows, and what the rows weigh: the whole pipeline against the naive way.
//!
//! Each measurement is a process of its own (memory and CPU time are then its alone); ours and the
//! peer's are interleaved, and medians are printed. Run by `cargo xtask bench ingest`.

mod measure;
mod naive;
#[path = "../order/mod.rs"]
mod order;
mod orders;
mod ours;

use std::path::{Path, PathBuf};

use change_feed::Source;
use file_source::{FileOptions, FileSource};
use mimalloc::MiMalloc;

use crate::measure::{Measured, median};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 5;
const ORDERS: u64 = 1_000_000;
/// The bar for the recorded volume, in records per second on two cores.
const RECORDS_PER_S_WANTED: f64 = 250_000.0;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["one", way, what] => println!("{}", one(way, what).to_line()),
        _ => table(),
    }
}

/// One measurement, in this process.
fn one(way: &str, what: &str) -> Measured {
    let source: Box<dyn Source> = match what {
        "orders" => Box::new(orders::Orders::new(ORDERS)),
        path => match FileSource::open(path, FileOptions::default()) {
            Ok(source) => Box::new(source),
            Err(error) => panic!("{path}: {error}"),
        },
    };
    if way == "ours" {
        ours::run(source)
    } else {
        naive::run(source)
    }
}

fn table() {
    let recorded = unpacked(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/M_volume/events.jsonl.gz"),
    );
    println!("medians of {ROUNDS} interleaved runs\n");
    println!(
        "{:<34} {:>12} {:>14} {:>12} {:>10}",
        "", "records/s", "CPU us/record", "peak MB", "vs naive"
    );
    for (title, what) in [
        (
            "recorded volume, plain file",
            recorded.to_string_lossy().into_owned(),
        ),
        ("1 M generated orders, in memory", "orders".to_owned()),
    ] {
        let mut runs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (way, runs) in ["ours", "naive"].iter().zip(&mut runs) {
                runs.push(Measured::of_child(&["one", way, &what]));
            }
        }
        let [ours, naive] = runs.map(median);
        let ratio = ours.records_per_s() / naive.records_per_s();
        println!("{title}");
        println!("{}", ours.row("  rowtide", &format!("{ratio:.2}x")));
        println!("{}", naive.row("  serde_json::Value in a DashMap", ""));
        if what == "orders" {
            println!("{}", ours.memory_line());
        } else {
            let verdict = if ours.records_per_s() >= RECORDS_PER_S_WANTED {
                "reached"
            } else {
                "MISSED"
            };
            println!("  wanted: {RECORDS_PER_S_WANTED:.0} records/s: {verdict}");
        }
    }
}

/// The recording without its compression, so that the file and not gzip is measured.
fn unpacked(packed: &Path) -> PathBuf {
    let plain = std::env::temp_dir().join(format!("rowtide-bench-{}.jsonl", std::process::id()));
    let open =
        std::fs::File::open(packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut out = std::fs::File::create(&plain)
        .unwrap_or_else(|error| panic!("{}: {error}", plain.display()));
    let mut reader = flate2::read::MultiGzDecoder::new(std::io::BufReader::new(open));
    std::io::copy(&mut reader, &mut out)
        .unwrap_or_else(|error| panic!("{}: {error}", plain.display()));
    plain
}
