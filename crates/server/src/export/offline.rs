//! Exports from the checkpoint in a data directory that no server has open.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, anyhow};
use checkpoint_store::{CheckpointStore, Copied, Owner};
use ingest::{OfflineError, OfflineTable};
use query::bind;
use query::format::{Format, RowWriter};
use query::json::RowShapes;
use query::list::{self, Alone, Budget, ListError};
use query::relation::{Relations, World};
use query::tree::Query;
use query::whole::{self, Ended};

use super::{ExportArgs, ExportFormat, Output, Told};
use crate::failure::Failure;
use crate::inspect::{checkpoint_in, in_use, timestamp};
use crate::scratch::Scratch;

pub fn write(args: &ExportArgs, dir: &Path, output: &mut Output) -> Result<Told, Failure> {
    let dir = checkpoint_in(dir);
    let owner = checkpoint_store::owner(&dir);
    if !matches!(owner, Ok(Owner::Ours(_))) {
        return Err(Failure::Failed(anyhow!(
            "there is no checkpoint in {}: rowtide inspect tells what is there",
            dir.display()
        )));
    }
    let scratch = Scratch::new(args.scratch.as_deref())?;
    let copied = Copied::of(&dir, scratch.path()).map_err(|error| in_use(&dir, error))?;
    let store = copied.open().context("cannot read the checkpoint")?;
    let table = ingest::offline_table(&store, &args.table).map_err(|error| match error {
        OfflineError::Load(error) => Failure::Failed(anyhow!(error)),
        refused => Failure::Usage(refused.to_string()),
    })?;
    write_rows(&table, args.format, output)?;
    let committed = table.commit_ms.map(timestamp);
    let mut doubts = Vec::new();
    if table.is_loading {
        doubts.push("its log had not been read to the end yet: rows are missing".to_owned());
    }
    doubts.extend(
        table
            .incomplete
            .map(|reason| format!("incomplete: {reason}")),
    );
    if table.quarantined > 0 {
        doubts.push(format!("{} records were put aside", table.quarantined));
    }
    Ok(Told {
        table: table.name,
        as_of: format!(
            "as of checkpoint {}{}",
            store.sequence(),
            committed.map_or(String::new(), |at| format!(", last commit {at}"))
        ),
        doubts,
    })
}

fn write_rows(
    table: &OfflineTable,
    format: ExportFormat,
    output: &mut Output,
) -> Result<(), Failure> {
    let cut = table.store.pin();
    let relations = Relations::default();
    let world = World::new(&cut, &relations);
    let of_name = cut.table(&table.name);
    let of_name = of_name.map_err(|_| anyhow!("table '{}' was not loaded", table.name))?;
    let query =
        bind::bind(&Query::default(), of_name, &world).map_err(|error| anyhow!("{error}"))?;
    let format = match format {
        ExportFormat::Ndjson => Format::Objects,
        ExportFormat::Csv => Format::Csv,
    };
    let shapes = RowShapes::default();
    let mut writer = RowWriter::new(&query, format, false, &shapes);
    let budget = Budget {
        rows_max: u64::MAX,
        workers: &Alone,
        is_late: &|| false,
    };
    let mut failed = None;
    let written = whole::write_all::<ListError>(
        &query,
        &mut writer,
        |request| list::page(&cut, &query, request, budget),
        |piece| match output.write(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                failed = Some(failure);
                ControlFlow::Break(())
            }
        },
    );
    match (written, failed) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(failure)) => Err(failure),
        (Err(Ended::Failed(error)), None) => Err(anyhow!(error).into()),
        (Err(Ended::NotWanted), None) => Err(anyhow!("the export was broken off").into()),
    }
}
