//! The long form of the checker, for `cargo xtask checker`: lets the binary be written to, asked and killed for minutes.

#![forbid(unsafe_code)]

use std::time::Duration;

use black_box::checker::{Checker, Report};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Explains every answer of the server by what was written")]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Decides what is written and asked, and what goes wrong
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Readers that ask at once
    #[arg(long, default_value_t = 4)]
    readers: usize,
    /// Threads that want all of the machine beside it, in every other life
    #[arg(long, default_value_t = 2)]
    others: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let checker = Checker {
        seed: arguments.seed,
        lives: u32::MAX,
        time: Duration::from_mins(arguments.minutes),
        readers: arguments.readers,
        others: arguments.others,
    };
    println!("seed {}", checker.seed);
    let mut progress = |report: &Report| {
        if report.lives.is_multiple_of(20) {
            let (lives, answers) = (report.lives, report.reads.answers());
            println!("{lives} lives, {answers} answers judged");
        }
    };
    println!("{}", checker.run(&mut progress)?);
    Ok(())
}
