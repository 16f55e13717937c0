//! Directories that a process was just making when it was killed.

use std::time::Duration;

use anyhow::{Context, ensure};
use black_box::site::Site;
use black_box::trial::under_seeds;
use black_box::wait;
use fastrand::Rng;

use crate::history::History;
use crate::{OFTEN, see_through};

#[test]
fn a_first_start_may_be_killed_at_any_moment() -> anyhow::Result<()> {
    under_seeds(15, |seed| {
        let mut rng = Rng::with_seed(seed);
        let history = History::random(300, &mut rng);
        let site = Site::new(OFTEN)?;
        site.deliver(&history.records)?;
        for _ in 0..2 {
            let server = site.start()?;
            wait::pass(Duration::from_millis(rng.u64(0..120)));
            server.kill()?;
        }
        let told = see_through(&site, &history).context("after the kills")?;
        ensure!(told.is_none(), "refused: {told:?}");
        Ok(())
    })
}
