//! Whatever moment a server is killed at, the next one goes on where the last checkpoint was, and
//! ends where the database ended.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::records::{Partition, Record};
use black_box::server::Server;
use black_box::site::Site;
use black_box::trial::{LARGE, Trial, under_seeds};
use black_box::wait;
use fastrand::Rng;

use crate::{caught_up, check_exact, site_of};

/// Waits until the server has found its partitions and says where it goes on: never before what
/// earlier lives acknowledged.
fn check_resumes(
    server: &mut Server,
    acknowledged: &BTreeMap<Partition, i64>,
) -> anyhow::Result<()> {
    let resumed = wait::until("the partitions are found", || {
        server.still_runs()?;
        let offsets = server.next_offsets().unwrap_or_default();
        let found = acknowledged.keys().all(|place| offsets.contains_key(place));
        Ok(found.then_some(offsets))
    })?;
    for (place, acknowledged) in acknowledged {
        let resumed = resumed.get(place);
        ensure!(
            resumed >= Some(acknowledged),
            "{place:?}: {acknowledged} was acknowledged, but reading goes on at {resumed:?}"
        );
    }
    Ok(())
}

/// One life: the log grows while the server reads it, until it is killed when it has applied a
/// random part of that.
fn live_and_die(
    site: &Site,
    log: &mut Log,
    records: &[Record],
    rng: &mut Rng,
) -> anyhow::Result<()> {
    let acknowledged = log.acknowledged()?;
    let mut server = site.start()?;
    check_resumes(&mut server, &acknowledged)?;
    let before: i64 = log.ends().values().sum();
    log.write_as_acknowledged(records, &mut server)?;
    let applied = rng.i64(before..=before + i64::try_from(records.len())?);
    server.applied_at_least(applied)?;
    // Before, between, during and after checkpoints.
    wait::pass(Duration::from_millis(rng.u64(0..40)));
    server.kill()
}

fn several_lives(trial: &Trial, rng: &mut Rng) -> anyhow::Result<()> {
    let mut log = Log::start()?;
    log.create_topics(&trial.records)?;
    let site = site_of(trial, &log)?;
    let mut rest = &trial.records[..];
    for life in 0..3 {
        let part;
        (part, rest) = rest.split_at(rng.usize(0..=rest.len() / 2));
        live_and_die(&site, &mut log, part, rng)
            .with_context(|| format!("life {life}, {} records", part.len()))?;
    }
    let mut server = site.start()?;
    log.write_as_acknowledged(rest, &mut server)?;
    caught_up(&mut server, &log)?;
    server.ready()?;
    check_exact(trial, &server)?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    Ok(())
}

#[test]
fn small_scenarios_survive_kills() -> anyhow::Result<()> {
    Trial::each_small(|trial| {
        under_seeds(3, |seed| several_lives(trial, &mut Rng::with_seed(seed)))
    })
}

#[test]
fn a_large_log_survives_kills() -> anyhow::Result<()> {
    for trial in Trial::all(LARGE)? {
        under_seeds(1, |seed| several_lives(&trial, &mut Rng::with_seed(seed)))?;
    }
    Ok(())
}
