//! A short form of `cargo xtask torture`: some kills, with everything that the long one checks.

use black_box::torture::Torture;
use black_box::trial::under_seeds;

#[test]
fn twenty_kills_lead_to_no_wrong_answer() -> anyhow::Result<()> {
    under_seeds(1, |seed| {
        let torture = Torture {
            kills: 20,
            seed,
            rows: 2_000,
            settle_every: 7,
            readers: 2,
        };
        let report = torture.run(&mut |_, _| Ok(()))?;
        println!("{report}");
        anyhow::ensure!(report.reads.checked > 0 && report.cells_compared > 0);
        Ok(())
    })
}
