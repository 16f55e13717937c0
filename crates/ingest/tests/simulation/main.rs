//! The deterministic simulation: a seed picks what happens in a database, in what order it arrives,
//! what the disk does and when the process crashes. What the pipeline then shows is compared with
//! tables kept the naive way.
//!
//! `cargo xtask simulate` runs many seeds, and one that failed again; the tests here run a few.

#![expect(clippy::expect_used, reason = "a test tells by panicking")]

mod bag_run;
mod bags;
mod campaign;
mod canary;
mod coverage;
mod database;
mod process;
mod readers;
mod run;
mod scenario;
mod trace;
mod truth;

use std::time::Duration;

use testkit::faulty_store::Fault;

use campaign::{Campaign, attempt, replayed};
use canary::Canary;
use run::Plan;
use trace::Trace;

/// Seeds of every run of the tests.
const SEEDS: u64 = 300;
/// Events that are shown of a run that failed.
const LINES_MAX: usize = 50;
/// A bug must be found within so many.
const CANARY_SEEDS: u64 = 1_000;
/// In so many seeds everything happens that can.
const COVERING_SEEDS: u64 = 1_000;
/// In their histories a lot is written.
const WRITING_SEEDS: [u64; 4] = [1000, 1002, 1003, 1004];

const NONE: Campaign = Campaign {
    first: 0,
    seeds: SEEDS,
    time_max: None,
    canary: Canary::None,
};

/// With `ROWTIDE_SEED`, `ROWTIDE_SEEDS` and `ROWTIDE_MINUTES`, as `cargo xtask simulate` sets them, of other seeds.
#[test]
fn whatever_happens_the_tables_are_what_the_log_says() {
    let given = |name: &str| {
        let value = std::env::var(name).ok()?;
        Some(value.parse::<u64>().expect("a number"))
    };
    let campaign = Campaign {
        first: given("ROWTIDE_SEED").unwrap_or(NONE.first),
        seeds: given("ROWTIDE_SEEDS").unwrap_or(NONE.seeds),
        time_max: given("ROWTIDE_MINUTES").map(|minutes| Duration::from_secs(60 * minutes)),
        ..NONE
    };
    if campaign.seeds == 1 {
        println!("{}", replayed(campaign.first, Canary::None, usize::MAX));
    }
    let outcome = campaign.run();
    println!("{outcome}");
    if let Some((seed, _)) = outcome.failure {
        panic!("{}", replayed(seed, Canary::None, LINES_MAX));
    }
    let missing = outcome.coverage.missing();
    assert!(
        missing.is_empty() || outcome.seeds < COVERING_SEEDS,
        "{missing:?} never happened"
    );
}

/// Nothing but the seed decides: no clock, no order of a hash map, no address.
#[test]
fn a_seed_replays_exactly() {
    for seed in 0..40 {
        let hashes = [(); 2].map(|()| {
            let trace = Trace::default();
            let result = attempt(seed, Canary::None, &trace);
            (trace.hash(), result)
        });
        assert_eq!(hashes[0], hashes[1], "seed {seed}");
    }
}

#[test]
fn every_write_may_be_the_last_one() {
    for seed in WRITING_SEEDS {
        for fault in Fault::ALL {
            for writes in 0.. {
                println!("seed {seed}, {fault:?} after {writes} writes");
                let rng = fastrand::Rng::with_seed(seed);
                let plan = Plan::Once { writes, fault };
                let ran = run::run(rng, plan, Canary::None, &Trace::default());
                let ran = ran.unwrap_or_else(|wrong| {
                    panic!("seed {seed}, {fault:?} after {writes} writes: {wrong}")
                });
                if !ran.faults_happened {
                    assert!(writes > 8, "the history hardly writes anything");
                    break;
                }
            }
        }
    }
}

/// The harness itself: each of these bugs must be found soon.
#[test]
fn bugs_are_found() {
    for canary in Canary::ALL {
        let campaign = Campaign {
            seeds: CANARY_SEEDS,
            canary: *canary,
            ..NONE
        };
        let Some((seed, wrong)) = campaign.run().failure else {
            panic!("{canary:?} was not found in {CANARY_SEEDS} seeds");
        };
        println!("{canary:?} was found at seed {seed}: {wrong}");
    }
}
