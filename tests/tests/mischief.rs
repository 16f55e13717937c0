//! Records that come twice, and partitions that run ahead of each other, change nothing about the
//! end.

use black_box::records::{Mischief, delivered};
use black_box::site::{Settings, Site};
use black_box::trial::{LARGE, Trial, under_seeds};
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
    if mischief.redeliver {
        trial.check_redelivered(&server)
    } else {
        trial.check(&server)
    }
}

fn check_small(mischief: Mischief) -> anyhow::Result<()> {
    Trial::each_small(|trial| under_seeds(3, |seed| check(trial, mischief, seed)))
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
