//! `rowtide rebuild`: has tables read from the log's start again, by the server that runs on the data
//! directory, or by this process if none does.

mod offline;
mod online;

use std::collections::BTreeMap;

use api_types::{RebuildState, RebuildStatus};
use clap::Args;
use config::ConfigArgs;

use crate::cli::LogArgs;
use crate::data_dir::InUse;
use crate::failure::Failure;
use crate::output;
use crate::progress::{self, Progress};

#[derive(Args, Clone, Debug)]
pub struct RebuildArgs {
    /// Tables: their names, or any longer suffixes of their topics [default: all]
    pub tables: Vec<String>,

    /// Take a log that retention has shortened; the table then says that rows may be missing
    #[arg(long)]
    pub accept_incomplete: bool,

    /// Do not wait until a running server has done it
    #[arg(long)]
    pub no_wait: bool,

    #[command(flatten)]
    pub config: ConfigArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// A rebuild that was asked for.
#[derive(Debug)]
struct Asked {
    table: String,
    number: u64,
}

/// What is known at one moment.
#[derive(Debug, Default)]
struct Look {
    rebuilds: BTreeMap<String, RebuildStatus>,
    /// Why nothing becomes durable.
    no_checkpoint: Option<String>,
}

pub fn run(args: &RebuildArgs) -> Result<(), Failure> {
    args.log.start("warn")?;
    if args.config.admin.is_some() {
        return online::run(args, &online::Server::named(&args.config)?);
    }
    let config = config::load(&args.config, &config::process_environment())?;
    let server = online::Server::of(&config);
    match offline::run(args, config) {
        Err(Failure::Failed(error)) if error.is::<InUse>() => {
            progress::say_aside(&format!(
                "a process has the data directory open: asking it at {server} (--admin and --listen name another place)"
            ));
            online::run(args, &server)
        }
        result => result,
    }
}

/// Follows rebuilds until all are over, and says what came of them. `look` waits a moment, and then
/// tells what is known.
fn follow(asked: &[Asked], mut look: impl FnMut() -> Result<Look, Failure>) -> Result<(), Failure> {
    let mut progress = Progress::of(asked.iter().map(|asked| &*asked.table));
    let mut failures = Vec::new();
    let mut open: Vec<&Asked> = asked.iter().collect();
    while !open.is_empty() {
        let now = look()?;
        let mut rebuilt = Vec::new();
        open.retain(|asked| {
            let known = now.rebuilds.get(&asked.table);
            let Some(status) = known.filter(|status| status.number == asked.number) else {
                failures.push(format!(
                    "{}: what came of it is not known any more: the server was restarted, or asked again",
                    asked.table
                ));
                return false;
            };
            progress.show(&asked.table, status);
            match (status.state, &now.no_checkpoint) {
                (RebuildState::Done, _) => rebuilt.push(told(&asked.table, status)),
                (RebuildState::Failed, _) => failures.push(format!(
                    "{}: not rebuilt, and served as before: {}",
                    asked.table,
                    status.detail.as_deref().unwrap_or("see the log")
                )),
                (RebuildState::Swapped, Some(reason)) => failures.push(format!(
                    "{}: rebuilt and served, but no checkpoint has it: {reason}",
                    asked.table
                )),
                _ => return true,
            }
            false
        });
        for line in rebuilt {
            progress.say(&line)?;
        }
    }
    progress.end();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(anyhow::Error::msg(failures.join("\n"))))
}

fn told(table: &str, status: &RebuildStatus) -> String {
    output::harmless(&format!("{table}: rebuilt, {} rows", status.rows))
}
