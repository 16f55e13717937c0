//! The deterministic simulation: a seed picks what happens in a database, in what order it arrives,
//! what the disk does and when the process crashes. What the pipeline then shows is compared with
//! tables kept the naive way.
//!
//! A seed that fails is in the message; `ROWTIDE_SEED=<seed>` runs that one alone.

#![expect(clippy::expect_used, reason = "a test tells by panicking")]

mod bag_run;
mod bags;
mod database;
mod process;
mod run;

use testkit::faulty_store::Fault;

use process::Canary;
use run::{Plan, run};

/// Seeds of every run of the tests.
const SEEDS: u64 = 400;

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("ROWTIDE_SEED").ok();
    let seed = given.map(|seed| seed.parse::<u64>().expect("a seed is a number"));
    seed.map_or(0..SEEDS, |seed| seed..seed + 1)
}

#[test]
fn whatever_happens_the_tables_are_what_the_log_says() {
    for seed in seeds() {
        // Shown if something panics.
        println!("seed {seed}");
        if let Err(wrong) = run(seed, Plan::Random, Canary::None) {
            panic!("seed {seed}: {wrong}");
        }
    }
}

/// Tables without a key: of one partition and of several, with and without run ids.
#[test]
fn a_multiset_is_what_the_source_holds_whatever_is_written_again() {
    let kinds = [(1, true), (1, false), (3, true)];
    for (partitions, tells_runs) in kinds {
        let kind = bags::Kind {
            partitions,
            tells_runs,
        };
        for seed in seeds() {
            println!("seed {seed}, {kind:?}");
            if let Err(wrong) = bag_run::run(seed, kind) {
                panic!("seed {seed}, {kind:?}: {wrong}");
            }
        }
    }
}

#[test]
fn every_write_may_be_the_last_one() {
    for seed in 1000..1004 {
        for fault in Fault::ALL {
            for writes in 0.. {
                println!("seed {seed}, {fault:?} after {writes} writes");
                let ran = run(seed, Plan::Once { writes, fault }, Canary::None);
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
    for canary in [
        Canary::AcknowledgesEarly,
        Canary::ResumesOneLate,
        Canary::ForgetsFailedCheckpoints,
    ] {
        let found = (0..50).find_map(|seed| Some((seed, run(seed, Plan::Random, canary).err()?)));
        let (seed, wrong) = found.unwrap_or_else(|| panic!("{canary:?} was never found"));
        println!("{canary:?} was found at seed {seed}: {wrong}");
    }
}
