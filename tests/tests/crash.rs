//! Whatever moment a server is killed at, the next one ends where the database ended.
//!
//! A server lives several lives on one data directory. In each life the record file is longer than
//! in the last, and the life ends by kill -9 at a random moment: while it starts, while it reads,
//! or after it has read all and before or after a checkpoint.

use std::time::Duration;

use anyhow::Context;
use black_box::records::{Mischief, delivered};
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::trial::{LARGE, Trial, under_seeds};
use black_box::wait;
use fastrand::Rng;

/// Short beside a life, so that lives end before, between, during and after checkpoints.
const OFTEN: Settings = Settings {
    checkpoint_interval_ms: 20,
    ..Settings::DEFAULT
};

/// Ends one life.
fn end(mut server: Server, rng: &mut Rng) -> anyhow::Result<()> {
    match rng.u8(0..4) {
        // While it starts and reads.
        0 | 1 => wait::pass(Duration::from_millis(rng.u64(0..200))),
        // Around a checkpoint of all it has read.
        2 => {
            server.ready()?;
            wait::pass(Duration::from_millis(rng.u64(0..60)));
        }
        // As it should be ended.
        _ => {
            server.ready()?;
            anyhow::ensure!(server.stop()? == 0, "exit code after SIGTERM");
            return Ok(());
        }
    }
    server.kill()
}

fn several_lives(trial: &Trial, mischief: Mischief, rng: &mut Rng) -> anyhow::Result<()> {
    let site = Site::new(OFTEN)?;
    let records = delivered(&trial.records, mischief, rng);
    let mut lengths: Vec<usize> = (0..rng.usize(2..=5))
        .map(|_| rng.usize(0..=records.len()))
        .collect();
    lengths.sort_unstable();
    for (life, length) in lengths.into_iter().enumerate() {
        site.deliver(&records[..length])?;
        end(site.start()?, rng).with_context(|| format!("life {life}, {length} records"))?;
    }
    site.deliver(&records)?;
    let mut server = site.start()?;
    server.ready()?;
    if mischief.redeliver {
        trial.check_redelivered(&server)?;
    } else {
        trial.check(&server)?;
    }
    anyhow::ensure!(server.stop()? == 0, "exit code after SIGTERM");
    Ok(())
}

#[test]
fn small_scenarios_survive_kills() -> anyhow::Result<()> {
    Trial::each_small(|trial| {
        under_seeds(4, |seed| {
            several_lives(trial, Mischief::default(), &mut Rng::with_seed(seed))
        })
    })
}

#[test]
fn small_scenarios_survive_kills_redelivered_and_interleaved() -> anyhow::Result<()> {
    let mischief = Mischief {
        redeliver: true,
        interleave: true,
    };
    Trial::each_small(|trial| {
        under_seeds(4, |seed| {
            several_lives(trial, mischief, &mut Rng::with_seed(seed))
        })
    })
}

#[test]
fn a_large_replay_survives_kills() -> anyhow::Result<()> {
    for trial in Trial::all(LARGE)? {
        under_seeds(1, |seed| {
            let mut rng = Rng::with_seed(seed);
            let site = Site::new(OFTEN)?;
            site.deliver(&trial.records)?;
            for life in 0..4 {
                let mut server = site.start()?;
                server
                    .applied_at_least(rng.i64(0..trial.records.len() as i64))
                    .with_context(|| format!("life {life}"))?;
                server.kill()?;
            }
            let mut server = site.start()?;
            server.ready()?;
            trial.check(&server)
        })?;
    }
    Ok(())
}
