//! The demo shows what it promises: lines that work, and answers that change.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::wait;

/// The paths of the lines to try that were printed for the data listener.
fn printed_paths(site: &Site, server: &mut Server) -> anyhow::Result<Vec<String>> {
    let url = format!("http://{}", site.data_address());
    let last = "Ctrl-C";
    let said = wait::until("the demo has said what to try", || {
        server.still_runs()?;
        let said = fs::read_to_string(site.path("log"))?;
        Ok(said.contains(last).then_some(said))
    })?;
    let path = |line: &str| {
        let quoted = line.trim().strip_prefix("curl -sS '")?;
        let path = quoted.strip_suffix('\'')?.strip_prefix(&url)?;
        Some(path.to_owned())
    };
    Ok(said.lines().filter_map(path).collect())
}

/// How many rows each table has.
fn rows_by_table(server: &Server, path: &str) -> anyhow::Result<BTreeMap<String, i64>> {
    let answer = server.found(path, &[])?;
    let tables = answer.get("tables").as_list().context("no tables")?;
    let rows = |table: &Exact| {
        let name = table.get("name").as_text()?.to_owned();
        Some((name, table.get("rows").as_integer()?))
    };
    Ok(tables.iter().filter_map(rows).collect())
}

#[test]
fn lines_that_are_printed_work_and_their_answers_change() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    let mut server = site.start_with(&[
        "demo",
        "--rate",
        "100",
        "--listen",
        &site.data_address(),
        "--admin",
        &site.admin_address(),
    ])?;
    let paths = printed_paths(&site, &mut server)?;
    server.ready()?;
    let path_with = |words: &str| {
        let path = paths.iter().find(|path| path.contains(words));
        path.with_context(|| format!("no line for {words} in {paths:?}"))
    };
    let tables_path = path_with("/v1/tables")?;
    let first = rows_by_table(&server, tables_path)?;
    for wanted in ["customers", "order_items", "orders", "tickets"] {
        let rows = first.get(wanted).copied();
        ensure!(rows > Some(0), "{wanted}: {rows:?} rows");
    }
    wait::until("tables grow", || {
        server.still_runs()?;
        let changed = rows_by_table(&server, tables_path)? != first;
        Ok(changed.then_some(()))
    })?;
    let (path, query) = path_with("tickets/rows?")?
        .split_once('?')
        .context("no query")?;
    let query: Vec<_> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let tickets = |server: &Server| Ok(server.found(path, &query)?.get("rows").clone());
    let first: anyhow::Result<Exact> = tickets(&server);
    let first = first?;
    wait::until("tickets change", || {
        server.still_runs()?;
        Ok((tickets(&server)? != first).then_some(()))
    })?;
    assert_eq!(server.stop()?, 0, "exit code after SIGTERM");
    Ok(())
}
