//! A short form of `cargo xtask checker`: some lives of the server, with everything that the long one checks.

use std::time::Duration;

use black_box::checker::Checker;
use black_box::trial::under_seeds;

#[test]
fn every_answer_is_explained_by_the_history() -> anyhow::Result<()> {
    under_seeds(1, |seed| {
        let checker = Checker {
            seed,
            lives: 4,
            time: Duration::from_mins(1),
            readers: 3,
            others: 0,
        };
        let report = checker.run(&mut |_| ())?;
        println!("{report}");
        anyhow::ensure!(report.reads.answers() > 0 && report.settled > 0);
        let followed = report.followed;
        anyhow::ensure!(followed.compared > 0 && followed.resumed > 0);
        Ok(())
    })
}
