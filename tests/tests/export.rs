//! `rowtide export` writes all rows of a table as they were at one moment, or fails and says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::orders;
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::{binary, wait};

const FOLLOWED: Settings = Settings {
    follow: true,
    checkpoint_interval_ms: 100,
    ..Settings::DEFAULT
};

/// What the rows are after so many records, as lines of an export.
fn model(records: &[Record]) -> anyhow::Result<Vec<String>> {
    let mut rows = BTreeMap::new();
    for record in records {
        let value = Exact::parse(record.value.as_deref().unwrap_or_default())?;
        let key = Exact::parse(record.key.as_deref().unwrap_or_default())?;
        let id = key.get("id").as_integer().context("a key")?;
        match value.get("after") {
            Exact::Null => drop(rows.remove(&id)),
            after => {
                let status = after.get("status").as_text().context("a status")?;
                rows.insert(id, format!("{{\"id\":{id},\"status\":\"{status}\"}}"));
            }
        }
    }
    Ok(rows.into_values().collect())
}

/// Changes of twenty rows, most of which come and go all the time.
fn churn(offsets: std::ops::Range<i64>) -> Vec<Record> {
    offsets
        .map(|offset| match offset % 7 {
            0 => orders::deleted(offset, offset % 20),
            _ => orders::written(offset, offset % 20, &format!("of {offset}")),
        })
        .collect()
}

fn started(settings: Settings, records: &[Record]) -> anyhow::Result<(Site, Server)> {
    let site = Site::new(settings)?;
    site.deliver(records)?;
    let mut server = site.start()?;
    server.ready()?;
    Ok((site, server))
}

fn url(site: &Site) -> String {
    format!("http://{}", site.data_address())
}

#[test]
fn a_running_server_exports_what_it_lists() -> anyhow::Result<()> {
    let records = churn(0..500);
    let (site, server) = started(Settings::default(), &records)?;
    let said = site.output(&["export", "orders", "--url", &url(&site)])?;
    let expected = model(&records)?;
    ensure!(
        said.code == Some(0) && said.out.lines().eq(&expected),
        "{said:?}"
    );
    let rows = format!(
        "wrote {} rows of orders to standard output, as of",
        expected.len()
    );
    ensure!(said.error.starts_with(&rows), "{said:?}");
    let file = site.path("orders.csv").display().to_string();
    let said = site.output(&[
        "export",
        "public.orders",
        "--url",
        &url(&site),
        "--format",
        "csv",
        "--output",
        &file,
    ])?;
    ensure!(said.code == Some(0) && said.out.is_empty(), "{said:?}");
    let csv = fs::read_to_string(&file)?;
    ensure!(
        csv.starts_with("id,status\r\n") && csv.lines().count() == expected.len() + 1,
        "{csv}"
    );
    ensure!(!site.path("orders.csv.partial").exists());
    drop(server);
    Ok(())
}

#[test]
fn every_export_is_one_moment_of_a_table_that_changes() -> anyhow::Result<()> {
    let (site, mut server) = started(FOLLOWED, &churn(0..100))?;
    let mut seen = 0;
    for step in 0..12 {
        let from = 100 + step * 200;
        site.append(&churn(from..from + 200))?;
        let said = site.output(&["export", "orders", "--url", &url(&site)])?;
        ensure!(said.code == Some(0), "{said:?}");
        // Some length of the log is it, and none before the one that was seen last.
        let lines: Vec<&str> = said.out.lines().collect();
        let log = churn(0..from + 200);
        let mut fits = None;
        for length in seen..=log.len() {
            if model(&log[..length])? == lines {
                fits = Some(length);
                break;
            }
        }
        seen = fits.with_context(|| format!("no moment of the log: {said:?}"))?;
    }
    server.still_runs()
}

#[test]
fn what_cannot_be_exported_leaves_no_file() -> anyhow::Result<()> {
    let (site, server) = started(Settings::default(), &churn(0..10))?;
    let file = site.path("rows.ndjson").display().to_string();
    let said = site.output(&["export", "ordes", "--url", &url(&site), "--output", &file])?;
    ensure!(
        said.code == Some(1) && said.error.contains("candidates: orders"),
        "{said:?}"
    );
    ensure!(!site.path("rows.ndjson").exists());
    let nowhere = site.path("no/such/folder/rows").display().to_string();
    let said = site.output(&[
        "export",
        "orders",
        "--url",
        &url(&site),
        "--output",
        &nowhere,
    ])?;
    ensure!(
        said.code == Some(1) && said.error.contains("cannot write"),
        "{said:?}"
    );
    server.kill()?;
    let said = site.output(&["export", "orders", "--url", &url(&site), "--output", &file])?;
    ensure!(
        said.code == Some(1) && said.error.contains("nothing answers at"),
        "{said:?}"
    );
    ensure!(!site.path("rows.ndjson").exists());
    Ok(())
}

#[test]
fn a_reader_that_leaves_early_is_no_error() -> anyhow::Result<()> {
    let records: Vec<Record> = (0..20_000)
        .map(|offset| orders::written(offset, offset, "long enough to fill more than a pipe"))
        .collect();
    let (site, mut server) = started(Settings::default(), &records)?;
    let mut process = Command::new(binary::path()?)
        .args(["export", "orders", "--url", &url(&site)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut some = [0; 1_000];
    let mut stdout = process.stdout.take().context("a pipe")?;
    stdout.read_exact(&mut some)?;
    drop(stdout);
    let status = wait::until("it ends", || Ok(process.try_wait()?))?;
    let mut error = String::new();
    if let Some(mut stderr) = process.stderr.take() {
        stderr.read_to_string(&mut error)?;
    }
    ensure!(status.success() && error.is_empty(), "{status}: {error}");
    server.still_runs()
}

#[test]
fn the_checkpoint_of_a_server_that_ended_can_be_exported() -> anyhow::Result<()> {
    let records = churn(0..300);
    let (site, server) = started(Settings::default(), &records)?;
    let data = site.path("data").display().to_string();
    let said = site.output(&["export", "orders", "--data-dir", &data])?;
    ensure!(
        said.code == Some(1) && said.error.contains("in use by"),
        "{said:?}"
    );
    ensure!(server.stop()? == 0);
    let before = fs::read(site.path("data/checkpoint/sled/db"))?;
    let said = site.output(&["export", "orders", "--data-dir", &data])?;
    ensure!(
        said.code == Some(0) && said.out.lines().eq(&model(&records)?),
        "{said:?}"
    );
    ensure!(said.error.contains("as of checkpoint"), "{said:?}");
    ensure!(
        before == fs::read(site.path("data/checkpoint/sled/db"))?,
        "it was changed"
    );
    let said = site.output(&["export", "ordes", "--data-dir", &data])?;
    ensure!(
        said.code == Some(2) && said.error.contains("it has: orders"),
        "{said:?}"
    );
    // Half of a table is no table.
    let mut damaged = before;
    let at = damaged.len() / 3;
    for byte in damaged.iter_mut().skip(at) {
        *byte ^= 0x55;
    }
    fs::write(site.path("data/checkpoint/sled/db"), damaged)?;
    let said = site.output(&["export", "orders", "--data-dir", &data])?;
    ensure!(said.code == Some(1) && said.out.is_empty(), "{said:?}");
    Ok(())
}
