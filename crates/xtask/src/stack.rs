//! `cargo xtask stack`: a real Kafka with Kafka Connect and Debezium, a schema registry, PostgreSQL, MariaDB and
//! MySQL on loopback, from packages of the ordinary registries, and the tests that run on them.
//!
//! Everything lies in one folder (`STACK_DIR`, `target/stack` by default) and listens on ports one after the other
//! (from `STACK_PORT`, 29000 by default). Only processes that were started here are ever signalled.

mod broker;
mod certificates;
mod databases;
mod install;
mod part;
mod place;
mod process;
mod services;
mod tests;

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use part::Part;
use place::{Lives, Place};

#[derive(Subcommand)]
pub enum StackChore {
    /// Downloads what the parts need, where it is not there yet
    Install { parts: Vec<Part> },
    /// Starts parts and waits until they answer
    Start {
        parts: Vec<Part>,
        /// As for measuring: slow in their first minutes, and faster from then on
        #[arg(long)]
        long: bool,
    },
    /// Stops parts, those that need others first
    Stop {
        parts: Vec<Part>,
        /// As a crash would: nothing is finished, flushed or closed
        #[arg(long)]
        kill: bool,
    },
    /// Tells what runs, and where
    Status,
    /// Stops parts and forgets what they stored; what was downloaded stays
    Clean { parts: Vec<Part> },
    /// Runs the tests on real servers: starts what is not running, and stops that again
    Test(tests::TestArguments),
    /// Measures from a commit to the answer that shows it, and rates beside other consumers
    Bench {
        /// `latency` or `rates`; both without any
        cases: Vec<String>,
    },
}

pub fn run(root: &Path, chore: StackChore) -> anyhow::Result<ExitCode> {
    let place = Place::from_environment(root)?;
    match chore {
        StackChore::Test(arguments) => return tests::run(&place, &arguments),
        StackChore::Bench { cases } => return tests::bench(place, &cases),
        StackChore::Status => status(&place),
        StackChore::Install { parts } => {
            let _alone = alone(&place, "lock")?;
            install::install(&place, &all_if_none(parts))?;
        }
        StackChore::Start { parts, long } => {
            let _alone = alone(&place, "lock")?;
            let lives = if long { Lives::Long } else { Lives::Short };
            start(&place.with_lives(lives), &all_if_none(parts))?;
        }
        StackChore::Stop { parts, kill } => {
            let _alone = alone(&place, "lock")?;
            stop(&place, &all_if_none(parts), kill)?;
        }
        StackChore::Clean { parts } => {
            let _alone = alone(&place, "lock")?;
            clean(&place, &all_if_none(parts))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn all_if_none(parts: Vec<Part>) -> Vec<Part> {
    if parts.is_empty() {
        Part::ALL.to_vec()
    } else {
        parts
    }
}

/// Held by one command at a time; who comes second is told, and does not wait.
fn alone(place: &Place, lock: &str) -> anyhow::Result<File> {
    let path = place.path(lock);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another `cargo xtask stack` works in {}: wait for it, or set STACK_DIR and STACK_PORT to have a stack of your own",
            place.folder().display()
        ),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the stack's folder"),
    }
}

/// Starts those that do not run, Connect last because it needs the broker; gives those it started.
fn start(place: &Place, parts: &[Part]) -> anyhow::Result<Vec<Part>> {
    let missing: Vec<Part> = Part::ALL
        .into_iter()
        .filter(|part| parts.contains(part) && !process::runs(place, *part))
        .collect();
    install::install(place, &missing)?;
    let (last, first): (Vec<Part>, Vec<Part>) =
        missing.iter().partition(|part| **part == Part::Connect);
    std::thread::scope(|scope| {
        let starting: Vec<_> = first
            .iter()
            .map(|part| scope.spawn(|| start_one(place, *part)))
            .collect();
        starting.into_iter().try_for_each(|started| {
            started
                .join()
                .unwrap_or_else(|_| bail!("a thread that starts a part panicked"))
        })
    })?;
    for part in last {
        start_one(place, part)?;
    }
    Ok(missing)
}

fn start_one(place: &Place, part: Part) -> anyhow::Result<()> {
    let watch = process::Watch::start();
    let started = match part {
        Part::Postgres => databases::start_postgres(place),
        Part::Mariadb => databases::start_mariadb(place),
        Part::Mysql => databases::start_mysql(place),
        Part::Kafka => broker::start_kafka(place),
        Part::Connect => broker::start_connect(place),
        Part::Registry => services::start_registry(place),
        Part::Toxiproxy => services::start_toxiproxy(place),
    };
    started.with_context(|| format!("cannot start {part}"))?;
    eprintln!("stack: {part} up in {:.1} s", watch.seconds());
    Ok(())
}

fn stop(place: &Place, parts: &[Part], kill: bool) -> anyhow::Result<()> {
    let (first, rest): (Vec<Part>, Vec<Part>) =
        parts.iter().partition(|part| **part == Part::Connect);
    for together in [first, rest] {
        process::stop(place, &together, kill)?;
    }
    Ok(())
}

fn clean(place: &Place, parts: &[Part]) -> anyhow::Result<()> {
    stop(place, parts, true)?;
    for part in parts {
        for path in [place.data(*part), place.temporary(*part), place.log(*part)] {
            let gone = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot delete {}", path.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn status(place: &Place) {
    for part in Part::ALL {
        let state = match process::id(place, part) {
            Some(id) => format!("up, process {id}"),
            None => "down".to_owned(),
        };
        println!("{part:10} {:45} {state}", place.address(part));
    }
}
