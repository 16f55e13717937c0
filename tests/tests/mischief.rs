//! Records that come twice, and partitions that run ahead of each other, change nothing about the
//! end.

use anyhow::Context;
use black_box::records::{Mischief, delivered};
use black_box::site::{Settings, Site};
use black_box::trial::{LARGE, SMALL, Trial, under_seeds};
use fastrand::Rng;

const REDELIVERED: Mischief = Mischief {
    redeliver: true,
    interleave: false,
};
const INTERLEAVED: Mischief = Mischief {
    redeliver: false,
    interleave: true,
};
const BOTH: Mischief = Mischief {
    redeliver: true,
    interleave: true,
};

fn check(trial: &Trial, mischief: Mischief, seed: u64) -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&delivered(
        &trial.records,
        mischief,
        &mut Rng::with_seed(seed),
    ))?;
    let mut server = site.start()?;
    server.ready()?;
    trial.check(&server)
}

fn check_small(mischief: Mischief) -> anyhow::Result<()> {
    for scenario in SMALL {
        for trial in Trial::all(scenario)? {
            under_seeds(3, |seed| check(&trial, mischief, seed))
                .with_context(|| format!("{mischief:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn redelivered() -> anyhow::Result<()> {
    check_small(REDELIVERED)
}

#[test]
fn interleaved() -> anyhow::Result<()> {
    check_small(INTERLEAVED)
}

#[test]
fn redelivered_and_interleaved() -> anyhow::Result<()> {
    check_small(BOTH)
}

#[test]
fn a_large_replay_redelivered_and_interleaved() -> anyhow::Result<()> {
    for trial in Trial::all(LARGE)? {
        under_seeds(1, |seed| check(&trial, BOTH, seed))?;
    }
    Ok(())
}
