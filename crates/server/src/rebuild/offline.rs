//! Rebuilds by this process: the pipeline without HTTP, on the data directory that nobody has open.

use std::time::Duration;

use anyhow::anyhow;
use config::{Config, Storage};
use crossbeam_channel::RecvTimeoutError;
use ingest::{Pipeline, RebuildError, SourceState, StatusReport};

use super::{Asked, Look, RebuildArgs, follow};
use crate::failure::Failure;
use crate::serve::start_pipeline;
use crate::status_provider::rebuild;
use crate::table_names;

/// How often it is looked how far things are.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whoever waits for the last checkpoint does not want to wait for the next one.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

pub fn run(args: &RebuildArgs, config: Config) -> Result<(), Failure> {
    if config.storage == Storage::Memory {
        return Err(Failure::Usage(
            "nothing is kept with --ephemeral, so that there is nothing to rebuild: name the admin listener of the server with --admin".to_owned(),
        ));
    }
    let config = Config {
        checkpoint_interval: config.checkpoint_interval.min(CHECKPOINT_INTERVAL),
        ..config
    };
    let pipeline = start_pipeline(&config)?;
    let result = rebuild_all(args, &pipeline);
    pipeline.stop();
    result
}

fn rebuild_all(args: &RebuildArgs, pipeline: &Pipeline) -> Result<(), Failure> {
    while !pipeline.board().read(is_loaded) {
        wait(pipeline)?;
    }
    let cut = pipeline.store().published();
    let tables = table_names::chosen(&cut, &args.tables)?;
    if tables.is_empty() {
        return Err(Failure::Failed(anyhow!(
            "the data directory holds no table: rowtide serve reads the log from its start"
        )));
    }
    let mut asked = Vec::new();
    for table in tables {
        asked.push(ask(args, pipeline, table)?);
    }
    follow(&asked, || {
        wait(pipeline)?;
        Ok(pipeline.board().read(look))
    })
}

/// Asks as soon as the source has told which partitions there are.
fn ask(args: &RebuildArgs, pipeline: &Pipeline, table: String) -> Result<Asked, Failure> {
    let mut told = None;
    loop {
        match pipeline.control().rebuild(&table, args.accept_incomplete) {
            Ok(report) => {
                let number = report.number;
                return Ok(Asked { table, number });
            }
            Err(RebuildError::Refused(refused)) if refused.is_for_now => {
                let trouble = pipeline.board().read(trouble);
                if trouble.is_some() && told != trouble {
                    tracing::warn!("{}", trouble.as_deref().unwrap_or_default());
                    told = trouble;
                }
                wait(pipeline)?;
            }
            Err(RebuildError::Refused(refused)) => {
                return Err(Failure::Failed(anyhow!("{refused}\n{}", refused.hint)));
            }
            Err(error) => return Err(Failure::Failed(anyhow!(error))),
        }
    }
}

/// Waits a moment; an error if the pipeline has given up.
fn wait(pipeline: &Pipeline) -> Result<(), Failure> {
    match pipeline.failed().recv_timeout(LOOK_EVERY) {
        Err(RecvTimeoutError::Timeout) => Ok(()),
        Ok(error) => Err(Failure::Failed(anyhow!(error))),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::Failed(anyhow!(
            "the pipeline has ended unexpectedly: see the log above"
        ))),
    }
}

/// The sources are reported once the checkpoint is loaded.
fn is_loaded(report: &StatusReport) -> bool {
    !report.sources.is_empty() && report.loading.is_empty()
}

fn trouble(report: &StatusReport) -> Option<String> {
    let mut sources = report.sources.iter();
    let source = sources.find(|source| source.state == SourceState::Unreachable)?;
    let detail = source.detail.as_deref().unwrap_or("it does not answer");
    Some(format!(
        "source {} cannot be reached: {detail}",
        source.name
    ))
}

fn look(report: &StatusReport) -> Look {
    let rebuilds = report.rebuilds.iter();
    Look {
        rebuilds: rebuilds
            .map(|report| (report.table.clone(), rebuild(report)))
            .collect(),
        no_checkpoint: match &report.checkpoint.state {
            ingest::CheckpointState::Failing(trouble) => Some(trouble.detail.clone()),
            ingest::CheckpointState::Ok | ingest::CheckpointState::Volatile => None,
        },
    }
}
