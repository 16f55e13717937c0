//! An index that was added over HTTP is there after a crash, and one that was removed is not.

use anyhow::{Context, ensure};
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::trial::Trial;
use black_box::wait;

const SCENARIO: &str = "A_basics_default";

const SETTINGS: Settings = Settings {
    follow: true,
    checkpoint_interval_ms: 20,
    ..Settings::DEFAULT
};

/// Number of the newest checkpoint.
fn sequence(server: &Server) -> anyhow::Result<i64> {
    let status = server.found("/v1/status", &[])?;
    let sequence = status.get("checkpoint").get("sequence").as_integer();
    sequence.context("a checkpoint without a number")
}

/// The columns of the table's indexes, ready or not.
fn indexes(server: &Server, table: &str) -> anyhow::Result<Vec<String>> {
    let found = server.found(&format!("/v1/tables/{table}"), &[])?;
    let details = found.get("index_details").as_list().unwrap_or_default();
    let columns = details.iter().map(|index| index.get("columns").to_string());
    Ok(columns.collect())
}

#[test]
fn added_and_removed_indexes_survive_kills() -> anyhow::Result<()> {
    let trial = Trial::all(SCENARIO)?.into_iter().next();
    let trial = trial.context("no recording")?;
    let tables = trial.expected.as_ref().context("no tables")?;
    let table = tables.first().context("no table")?.topic.clone();
    let path = format!("/v1/tables/{table}/indexes");
    let site = Site::new(SETTINGS)?;
    // Four records are held back: each makes one more checkpoint due.
    let (first, mut rest) = trial.records.split_at(trial.records.len() - 4);
    site.deliver(first)?;
    // A checkpoint may be on its way already; the one after it holds everything that was there before.
    let mut two_checkpoints = |server: &mut Server| -> anyhow::Result<()> {
        for _ in 0..2 {
            let before = sequence(server)?;
            let (next, others) = rest.split_at(1);
            rest = others;
            site.append(next)?;
            wait::until("a checkpoint more", || {
                server.still_runs()?;
                Ok((sequence(server)? > before).then_some(()))
            })?;
        }
        Ok(())
    };

    let mut server = site.start()?;
    server.ready()?;
    ensure!(indexes(&server, &table)?.is_empty());
    let answer = server.change(&path, Some(r#"{"columns":["id"]}"#))?;
    ensure!(answer.status == 202, "{} {}", answer.status, answer.text);
    two_checkpoints(&mut server)?;
    server.kill()?;

    let mut server = site.start()?;
    server.ready()?;
    ensure!(
        indexes(&server, &table)? == [r#"["id"]"#],
        "the index is gone"
    );
    let answer = server.change(&format!("{path}?columns=id"), None)?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    two_checkpoints(&mut server)?;
    server.kill()?;

    let mut server = site.start()?;
    server.ready()?;
    ensure!(indexes(&server, &table)?.is_empty(), "the index is back");
    Ok(())
}
