//! How fast questions are answered: a million orders and a hundred thousand customers, beside `SQLite` and
//! `DuckDB` with the same rows and indexes in memory.
//!
//! All sides take turns, and medians are printed. Rowtide is asked with a tree that is bound anew each time, and
//! writes its answer as JSON; `SQLite`'s statements are prepared, and every value is read; `DuckDB` is asked
//! from Python, and its rows are fetched. Run by `cargo xtask bench query`; cases that are named (`cargo xtask
//! bench query equality`) are asked of Rowtide alone, again and again, for a profiler to look at.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot ask its question has nothing to measure"
)]

mod duckdb;
mod ours;
mod shop;
mod sqlite;

use std::time::Duration;

use mimalloc::MiMalloc;
use telemetry::clock;

use crate::duckdb::DuckDb;
use crate::ours::Ours;
use crate::shop::Picks;
use crate::sqlite::Sqlite;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: u64 = 7;

/// A question, and how each side answers it: with a number that is the same on all sides where it is not picked.
struct Case {
    title: &'static str,
    /// What the script of `DuckDB` calls it.
    name: &'static str,
    /// Asked so often in one turn, ...
    times: u32,
    /// ... but by `DuckDB` so often.
    times_duckdb: u32,
    wanted: Duration,
    ours: fn(&Ours, &mut Picks) -> u64,
    sqlite: fn(&Sqlite, &mut Picks) -> u64,
}

const CASES: [Case; 7] = [
    Case {
        title: "lookup by key",
        name: "lookup",
        times: 20_000,
        times_duckdb: 50,
        wanted: Duration::from_micros(1),
        ours: Ours::lookup,
        sqlite: Sqlite::lookup,
    },
    Case {
        title: "equality by index, 10 rows",
        name: "equality",
        times: 2_000,
        times_duckdb: 50,
        wanted: Duration::from_micros(10),
        ours: Ours::equality,
        sqlite: Sqlite::equality,
    },
    Case {
        title: "range in order by index, 50 rows",
        name: "ordered_range",
        times: 1_000,
        times_duckdb: 10,
        wanted: Duration::from_micros(50),
        ours: Ours::ordered_range,
        sqlite: Sqlite::ordered_range,
    },
    Case {
        title: "two terms over 1 M rows, 1 thread",
        name: "two_terms",
        times: 1,
        times_duckdb: 1,
        // 20 million rows a second.
        wanted: Duration::from_millis(50),
        ours: Ours::two_terms,
        sqlite: Sqlite::two_terms,
    },
    Case {
        title: "50 orders with 5 items each",
        name: "embed",
        times: 200,
        times_duckdb: 10,
        wanted: Duration::from_micros(200),
        ours: Ours::embed,
        sqlite: Sqlite::embed,
    },
    Case {
        title: "1 M x 100 K joined, aggregated",
        name: "join",
        times: 1,
        times_duckdb: 1,
        wanted: Duration::from_millis(150),
        ours: Ours::join,
        sqlite: Sqlite::join,
    },
    Case {
        title: "1 M rows counted by group",
        name: "group",
        times: 1,
        times_duckdb: 1,
        wanted: Duration::from_millis(60),
        ours: Ours::group,
        sqlite: Sqlite::group,
    },
];

fn main() {
    let ours = Ours::new();
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    if !named.is_empty() {
        return alone(&ours, &named);
    }
    let sqlite = Sqlite::new().expect("SQLite takes the rows");
    let mut duckdb = DuckDb::new();
    println!(
        "{} orders, {} customers; medians of {ROUNDS} interleaved turns; two threads where not said.\nRowtide reads, fits and runs a query (found), and writes its rows as JSON (written); the others hand over every value\n",
        shop::ORDERS,
        shop::CUSTOMERS
    );
    println!(
        "{:<34} {:>10} {:>8} {:>10} {:>10} {:>10} {:>10}",
        "", "wanted", "", "found", "written", "SQLite", "DuckDB"
    );
    for case in &CASES {
        run(case, &ours, &sqlite, duckdb.as_mut().ok());
    }
    match duckdb {
        Ok(_) => println!("\nDuckDB {} as its Python wheel", duckdb::VERSION),
        Err(error) => println!("\nDuckDB: not measured, {error}"),
    }
    print_memory(&ours);
}

fn alone(ours: &Ours, named: &[String]) {
    for case in CASES
        .iter()
        .filter(|case| named.iter().any(|name| name == case.name))
    {
        let mut turns = [const { Vec::new() }; 2];
        for turn in 0..ROUNDS * 10 {
            for (writes, turns) in [false, true].into_iter().zip(&mut turns) {
                ours.writes.set(writes);
                turns.push(timed(case.times, turn, |picks| (case.ours)(ours, picks)).0);
            }
        }
        let [found, written] = turns.map(median);
        println!(
            "{:<34} {:>10} {:>10}",
            case.title,
            shown(found),
            shown(written)
        );
    }
}

fn run(case: &Case, ours: &Ours, sqlite: &Sqlite, mut duckdb: Option<&mut DuckDb>) {
    let mut turns = [const { Vec::new() }; 4];
    for turn in 0..ROUNDS {
        ours.writes.set(false);
        let (took, _) = timed(case.times, turn, |picks| (case.ours)(ours, picks));
        turns[3].push(took);
        ours.writes.set(true);
        let (took, met) = timed(case.times, turn, |picks| (case.ours)(ours, picks));
        turns[0].push(took);
        let (took, met_by_sqlite) = timed(case.times, turn, |picks| (case.sqlite)(sqlite, picks));
        turns[1].push(took);
        if case.name != "lookup" {
            assert_eq!(met, met_by_sqlite, "{}: one question", case.title);
        }
        if let Some(duckdb) = &mut duckdb {
            let asked = duckdb.ask(case.name, turn, case.times_duckdb);
            let (took, _) = asked.expect("DuckDB answers what it is asked");
            turns[2].push(took / case.times_duckdb);
        }
    }
    let [written, sqlite, duckdb, found] = turns.map(median);
    let within = |took: Option<Duration>| took.is_some_and(|took| took <= case.wanted);
    let verdict = match (within(written), within(found)) {
        (true, _) => "reached",
        (false, true) => "found",
        (false, false) => "MISSED",
    };
    println!(
        "{:<34} {:>10} {:>8} {:>10} {:>10} {:>10} {:>10}",
        case.title,
        shown(Some(case.wanted)),
        verdict,
        shown(found),
        shown(written),
        shown(sqlite),
        shown(duckdb)
    );
}

/// How long one of so many took, and what the last of them answered.
fn timed(times: u32, turn: u64, mut ask: impl FnMut(&mut Picks) -> u64) -> (Duration, u64) {
    let mut picks = Picks::of_turn(turn);
    let mut met = 0;
    let started = clock::monotonic();
    for _ in 0..times {
        met = ask(&mut picks);
    }
    (clock::monotonic().duration_since(started) / times, met)
}

fn median(mut turns: Vec<Duration>) -> Option<Duration> {
    turns.sort_unstable();
    turns.get(turns.len() / 2).copied()
}

fn shown(duration: Option<Duration>) -> String {
    let Some(duration) = duration else {
        return "-".to_owned();
    };
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..10.0 => format!("{micros:.2} us"),
        ..1_000.0 => format!("{micros:.0} us"),
        _ => format!("{:.1} ms", micros / 1e3),
    }
}

fn print_memory(ours: &Ours) {
    let json = ours.json_bytes as f64;
    let line = |title: &str, bytes: usize, wanted: &str| {
        let each = bytes as f64 / shop::ORDERS as f64;
        let ratio = bytes as f64 / json;
        println!("{title:<34} {each:>8.1} B {ratio:>7.2}x {wanted}");
    };
    println!(
        "\nan order of {:.1} B of compact JSON takes",
        json / shop::ORDERS as f64
    );
    let [bare, indexed] = ours.memory;
    line("row, key and stamp", bare.rows, "wanted 0.75x");
    line("with its slot", bare.total(), "");
    line("with two indexes", indexed.total(), "wanted 1.00x");
}
