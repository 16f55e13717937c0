//! Directories that earlier versions left behind are read on.
//!
//! `BLACK_BOX_FIXTURE=write cargo test --test damage older` makes the one of the newest format, which is
//! done once for each format, by the version that brings it, and then never again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use black_box::site::Site;
use fastrand::Rng;

use crate::OFTEN;
use crate::harm::copy;
use crate::history::{History, Rows, TABLES, rows_of};

const FORMATS: [u32; 3] = [1, 2, 3];

fn fixture(format: u32) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures.join(format!("checkpoint-format-{format}"))
}

/// A checkpoint of most of a log, the rest of the log, and what all of it makes.
fn write(folder: &Path) -> anyhow::Result<()> {
    let history = History::random(60, &mut Rng::with_seed(60));
    let site = Site::new(OFTEN)?;
    for share in [0.4, 0.6, 0.8] {
        site.deliver(history.beginning(share))?;
        let mut server = site.start()?;
        server.ready()?;
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
    }
    let rest = history.beginning(0.7).len();
    site.deliver(&history.records[rest..])?;
    for part in ["data", "records"] {
        copy(&site.path(part), &folder.join(part))?;
    }
    let rows: BTreeMap<&str, &Rows> = TABLES
        .into_iter()
        .map(|table| (table, history.last(table)))
        .collect();
    let rows = serde_json::to_string_pretty(&rows)?;
    fs::write(folder.join("rows.json"), rows + "\n")?;
    Ok(())
}

#[test]
fn checkpoints_of_every_format_there_was_are_read_on() -> anyhow::Result<()> {
    for format in FORMATS {
        let folder = fixture(format);
        if std::env::var_os("BLACK_BOX_FIXTURE").is_some() && format == FORMATS[FORMATS.len() - 1] {
            write(&folder)?;
        }
        let site = Site::new(OFTEN)?;
        for part in ["data", "records"] {
            copy(&folder.join(part), &site.path(part))?;
        }
        let mut server = site.start()?;
        server.ready()?;
        let rows = fs::read_to_string(folder.join("rows.json"))?;
        let rows: BTreeMap<String, Rows> = serde_json::from_str(&rows)?;
        for (table, rows) in rows {
            let path = format!("/v1/tables/{table}/rows");
            let page = server.found(&path, &[("limit", "1000")])?;
            // The log begins too late for that: it was the checkpoint that knew the other rows.
            ensure!(
                page.get("fresh").get("complete") == &black_box::exact::Exact::Bool(true),
                "format {format}: {table} was not read on: {}",
                page.get("fresh")
            );
            ensure!(
                rows_of(&page)? == rows,
                "format {format}: {table} has other rows"
            );
        }
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
    }
    Ok(())
}
