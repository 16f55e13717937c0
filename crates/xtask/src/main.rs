//! The project's own chores, run as `cargo xtask <name>`. Never part of the product: no other crate
//! may depend on it.

#![forbid(unsafe_code)]

mod bench;
mod fuzz;
mod long_forms;
mod manifests;
mod postgrest;
mod simulate;
mod stack;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks the house rules: edges between crates, purity, file and function lengths, forgotten
    /// tests, reference docs
    Tidy,
    /// Measures, and prints a table with the peers of the same run
    Bench {
        #[arg(value_enum)]
        what: bench::Bench,
        /// Cases to run alone, where the bench knows them by name
        cases: Vec<String>,
    },
    /// Feeds every parser of outside bytes with inputs that nobody thought of
    Fuzz(fuzz::FuzzArguments),
    /// Kills the binary at random moments while it reads, and checks every answer
    Torture(long_forms::TortureArguments),
    /// Lets the binary be written to, asked and killed, and explains every answer by what was written
    Checker(long_forms::CheckerArguments),
    /// Lets histories that seeds choose happen to the pipeline, and compares it with naive tables
    Simulate(simulate::SimulateArguments),
    /// Reads what is deployed with the tools of those it is written for: Compose, Helm, Kubernetes, Prometheus
    Manifests,
    /// Reads from the binary with the client of PostgREST, which comes from npm
    Postgrest,
    /// Real servers on loopback: a broker with Debezium, databases, a registry; and the tests on them
    #[command(subcommand)]
    Stack(stack::StackChore),
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match Arguments::parse().chore {
        Chore::Tidy => tidy::run(&root),
        Chore::Bench { what, cases } => bench::run(&root, what, &cases),
        Chore::Fuzz(arguments) => fuzz::run(&root, &arguments),
        Chore::Torture(arguments) => long_forms::torture(&root, &arguments),
        Chore::Checker(arguments) => long_forms::checker(&root, &arguments),
        Chore::Simulate(arguments) => simulate::run(&root, &arguments),
        Chore::Manifests => manifests::run(&root),
        Chore::Postgrest => postgrest::run(&root),
        Chore::Stack(chore) => stack::run(&root, chore),
    }
}
