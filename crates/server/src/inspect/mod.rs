//! `rowtide inspect`: what a data directory holds, told without changing a byte of it.
//!
//! What is damaged is named, and the rest is told. Refuses to look into rows of a checkpoint that a server has
//! open: its files change while they are read.

mod files;
mod holder;
mod report;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use checkpoint_store::{CheckpointError, Copied, Owner};
use clap::Args;

use crate::data_dir;
use crate::failure::Failure;
use crate::output::{self, Style};
use crate::scratch::Scratch;
pub use report::timestamp;
use report::{Report, State};

#[derive(Args, Clone, Debug)]
pub struct InspectArgs {
    /// A data directory, or the checkpoint in it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Tell more of one table: its columns in all shapes
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,

    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    pub json: bool,

    /// Where the checkpoint is copied to while it is read, and removed again [default: the system's place for temporary files]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let dir = checkpoint_in(&args.dir);
    let mut report = look(&dir, args.scratch.as_deref())?;
    if let Some(table) = &args.table {
        report.keep_only(table).map_err(Failure::Usage)?;
    }
    match Style::choose(args.json) {
        Style::Json => output::print(&serde_json::to_string(&report).context("no report")?)?,
        Style::Human { color } => output::print(&text::of(&report, color))?,
    }
    match report.state {
        State::Whole => Ok(()),
        _ => Err(anyhow!(report.verdict()).into()),
    }
}

/// The checkpoint's directory, where that or the one around it is named.
pub fn checkpoint_in(dir: &Path) -> PathBuf {
    let inner = data_dir::checkpoint_path(dir);
    let is_ours = |path: &Path| {
        matches!(
            checkpoint_store::owner(path),
            Ok(Owner::Ours(_) | Owner::Unclear)
        )
    };
    if !is_ours(dir) && inner.is_dir() {
        return inner;
    }
    dir.to_owned()
}

fn look(dir: &Path, scratch: Option<&Path>) -> Result<Report, Failure> {
    let unreadable = || format!("cannot read {}", dir.display());
    let owner = checkpoint_store::owner(dir).with_context(unreadable)?;
    let files = files::of(dir).with_context(unreadable)?;
    let mut report = Report::new(dir, &owner, files);
    if report.state != State::Whole {
        return Ok(report);
    }
    let scratch = Scratch::new(scratch)?;
    let contents = Copied::of(dir, scratch.path())
        .and_then(|copied| copied.contents(&ingest::inspect::is_row));
    match contents {
        Ok(contents) => report.fill(&contents),
        Err(CheckpointError::Locked { .. }) => {
            report.state = State::InUse;
            report.holder = holder::of(dir);
        }
        Err(error @ CheckpointError::Corrupt { .. }) => report.is_damaged(error.to_string()),
        Err(error) => return Err(anyhow!(error).into()),
    }
    Ok(report)
}

/// A checkpoint that cannot be copied; by whom it is used, where that is why.
pub fn in_use(dir: &Path, error: CheckpointError) -> Failure {
    if !matches!(error, CheckpointError::Locked { .. }) {
        return Failure::Failed(anyhow!(error));
    }
    let holder = holder::of(dir).map(|holder| format!(" ({holder})"));
    Failure::Failed(anyhow!(
        "{error}{}: ask the server itself (--url), or stop it first",
        holder.unwrap_or_default()
    ))
}
