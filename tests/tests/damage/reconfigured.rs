//! Sources that a configuration leaves out for a while.

use anyhow::ensure;
use black_box::site::Site;
use fastrand::Rng;

use crate::history::History;
use crate::{OFTEN, see_through};

/// Its tables stay in the checkpoint, whatever is kept beside them meanwhile, and are read on later.
#[test]
fn a_source_that_comes_back_goes_on_where_it_stopped() -> anyhow::Result<()> {
    let history = History::random(400, &mut Rng::with_seed(2));
    let site = Site::new(OFTEN)?;
    let ours = site.configuration()?;
    let others = ours.replace("name = \"corpus\"", "name = \"other\"");
    ensure!(ours != others, "the configuration has another form: {ours}");
    for (config, share) in [(&ours, 0.5), (&others, 0.8)] {
        site.configure(config)?;
        site.deliver(history.beginning(share))?;
        let mut server = site.start()?;
        server.ready()?;
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
    }
    for config in [&ours, &others] {
        site.configure(config)?;
        // Without its beginning: what came before is only in the checkpoint.
        site.deliver(&history.records[history.beginning(0.4).len()..])?;
        let told = see_through(&site, &history)?;
        ensure!(told.is_none(), "refused: {told:?}");
    }
    Ok(())
}
