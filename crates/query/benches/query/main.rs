//! How fast questions are answered by looking at every row: a million orders on one thread, beside the
//! same rows as `serde_json` maps, tested and sorted by hand.
//!
//! Ours and the peer's turns are interleaved, and medians are printed. Run by `cargo xtask bench query`.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot ask its question has nothing to measure"
)]

mod naive;
mod orders;

use std::hint::black_box;
use std::time::Duration;

use mimalloc::MiMalloc;
use query::format::{Format, RowWriter};
use query::json::RowShapes;
use query::list::{self, Budget, PAGE_BYTES_MAX, PageRequest};
use query::relation::{Relations, World};
use query::{bind, url};
use telemetry::clock;

use crate::orders::Orders;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 5;

/// A question, as a URL asks it and as the peer answers it.
struct Case {
    title: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    naive: fn(&[naive::Row]) -> usize,
}

const TWO_TERMS: (&str, &str) = ("total", "gte.900");

fn main() {
    let cases = [
        Case {
            title: "two terms, counted",
            parameters: &[("status", "eq.paid"), TWO_TERMS],
            naive: naive::two_terms,
        },
        Case {
            title: "two terms on numbers, counted",
            parameters: &[("customer_id", "lt.1000"), ("id", "gt.500000")],
            naive: naive::two_numbers,
        },
        Case {
            title: "top 50 by a timestamp",
            parameters: &[("order", "created_at.desc")],
            naive: naive::top_by_time,
        },
        Case {
            title: "two terms, top 50 by total",
            parameters: &[("status", "eq.paid"), TWO_TERMS, ("order", "total.desc")],
            naive: naive::top_by_total,
        },
    ];
    let orders = Orders::new(ROWS);
    let rows = naive::rows(ROWS);
    println!("{ROWS} rows, one thread, medians of {ROUNDS} interleaved turns\n");
    println!(
        "{:<32} {:>9} {:>14} {:>14} {:>7}",
        "", "rows met", "rows/s", "JSON maps", "ratio"
    );
    for case in &cases {
        let (mut ours, mut naive, mut met) = (Vec::new(), Vec::new(), (0, 0));
        for _ in 0..ROUNDS {
            ours.push(timed(|| met.0 = answer(&orders, case.parameters)));
            naive.push(timed(|| met.1 = (case.naive)(&rows)));
        }
        assert_eq!(met.0, met.1, "both answer the same question");
        let (ours, naive) = (median(ours), median(naive));
        println!(
            "{:<32} {:>9} {:>14.0} {:>14.0} {:>7.1}",
            case.title,
            met.0,
            ROWS as f64 / ours,
            ROWS as f64 / naive,
            naive / ours
        );
    }
}

/// Rows that meet the filter; the first 50 of them are written out.
fn answer(orders: &Orders, parameters: &[(&str, &str)]) -> usize {
    let cut = orders.store().pin();
    let Ok(table) = cut.table("orders") else {
        return 0;
    };
    let query = url::read(parameters.iter().copied());
    let query = query.expect("the bench asks what can be read");
    let world = World {
        cut: &cut,
        relations: &Relations::default(),
    };
    let query = bind::bind(&query, table, &world).expect("the bench asks what fits");
    let request = PageRequest {
        after: None,
        limit: 50,
        counted: true,
    };
    let budget = Budget {
        rows_max: u64::MAX,
        workers: &list::Alone,
        is_late: &|| false,
    };
    let page = list::page(&cut, &query, &request, budget);
    let page = page.expect("the bench has no budget");
    let mut writer = RowWriter::new(&query, Format::Objects, false, &RowShapes::default());
    let mut out = Vec::new();
    page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut out);
    black_box(out);
    page.total.unwrap_or_default() as usize
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = clock::monotonic();
    work();
    clock::monotonic().duration_since(started)
}

fn median(mut turns: Vec<Duration>) -> f64 {
    turns.sort_unstable();
    turns[turns.len() / 2].as_secs_f64()
}
