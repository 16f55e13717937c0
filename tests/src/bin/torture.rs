//! The long form of the torture, for `cargo xtask torture`: kills the binary many times, and prints what was seen.

#![forbid(unsafe_code)]

use std::path::Path;

use black_box::torture::{Report, Torture};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Kills the server at random moments, and checks every answer")]
struct Arguments {
    /// How often
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Decides what is written and asked, and when is killed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows of the table that takes a while to load
    #[arg(long, default_value_t = 20_000)]
    rows: i64,
    /// Readers that ask at once
    #[arg(long, default_value_t = 3)]
    readers: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let torture = Torture {
        kills: arguments.kills,
        seed: arguments.seed,
        rows: arguments.rows,
        settle_every: 20,
        readers: arguments.readers,
    };
    println!("seed {}", torture.seed);
    let mut progress = |report: &Report, _: &Path| {
        if report.kills > 0 && report.kills.is_multiple_of(20) {
            let (kills, cells) = (report.kills, report.cells_compared);
            println!("{kills} kills, {cells} cells compared");
        }
        Ok(())
    };
    println!("{}", torture.run(&mut progress)?);
    Ok(())
}
