//! Every recording of the corpus leads to what the database held, cell by cell, however it is
//! delivered; and the matrix in `docs/conformance.md` says what came of each.
//!
//! What no oracle knows is pinned in `snapshots/`. `UPDATE_EXPECT=1` writes matrix and snapshots anew;
//! `CONFORMANCE=K_mysql` runs the cases alone whose names have that in them.

mod case;
mod features;
mod matrix;
mod particulars;
mod snapshots;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, ensure};
use black_box::trial::seeds;

use crate::case::{Case, Outcome};

/// Servers that run at once: they wait for their disk and for being asked more than they work.
const AT_ONCE: usize = 4;

/// Seeds of each mischief, where `BLACK_BOX_SEED` says no others.
const SEEDS: u64 = 1;

#[test]
fn every_recording_leads_to_what_the_database_held() -> anyhow::Result<()> {
    let only = std::env::var("CONFORMANCE").ok();
    let mut cases = Case::all()?;
    if let Some(only) = &only {
        cases.retain(|case| case.name().contains(only.as_str()));
    }
    let seeds = seeds(SEEDS)?;
    println!("{} cases, seeds {seeds:?}", cases.len());
    let outcomes = run(&cases, &seeds)?;
    let wrong: Vec<String> = outcomes.iter().filter_map(differences).collect();
    // Told first: a snapshot that differs ends the test.
    println!("{}", wrong.join("\n"));
    snapshots::check(&outcomes, only.is_none())?;
    if only.is_none() {
        matrix::check(&outcomes)?;
    }
    ensure!(
        wrong.is_empty(),
        "{} of {} cases differ, see above",
        wrong.len(),
        outcomes.len()
    );
    Ok(())
}

fn differences(outcome: &Outcome) -> Option<String> {
    let lines: Vec<String> = outcome
        .wrong
        .iter()
        .map(|wrong| format!("    {wrong}"))
        .collect();
    let name = format!("{} {}", outcome.scenario, outcome.stem);
    (!lines.is_empty()).then(|| format!("{name}\n{}", lines.join("\n")))
}

/// The outcomes in the order of the cases.
fn run(cases: &[Case], seeds: &[u64]) -> anyhow::Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        while let Some((index, case)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            cases.get(index).map(|case| (index, case))
        } {
            outcomes.push((index, case.run(seeds).with_context(|| case.name())?));
        }
        anyhow::Ok(outcomes)
    };
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(outcomes) => all.extend(outcomes?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(all)
    })?;
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}
