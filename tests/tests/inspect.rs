//! `rowtide inspect` tells what a directory holds, whatever state it is in, and leaves it as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;
use black_box::exact::Exact;
use black_box::orders::{self, TOPIC};
use black_box::site::{Said, Settings, Site};
use black_box::{binary, wait};

/// A site whose server has ended, with two rows, one deletion and a record in the quarantine.
fn ended() -> anyhow::Result<Site> {
    let site = Site::new(Settings::default())?;
    site.deliver(&[
        orders::written(0, 1, "new"),
        orders::written(1, 2, "new"),
        orders::written(2, 3, "new"),
        orders::deleted(3, 3),
        orders::nonsense(4, 1),
    ])?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(server.stop()? == 0);
    Ok(site)
}

fn inspect(site: &Site, more: &[&str]) -> anyhow::Result<(Said, Exact)> {
    let data = site.path("data");
    let said = site.output(&[&["inspect", &*data.to_string_lossy()], more].concat())?;
    let report = Exact::parse(&said.out)?;
    Ok((said, report))
}

/// Every file below a directory, with what is in it.
fn everything(dir: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            all.append(&mut everything(&path)?);
        } else {
            all.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(all)
}

fn text<'a>(value: &'a Exact, name: &str) -> &'a str {
    value.get(name).as_text().unwrap_or_default()
}

fn first<'a>(value: &'a Exact, name: &str) -> &'a Exact {
    static NOTHING: Exact = Exact::Null;
    let list = value.get(name).as_list().unwrap_or_default();
    list.first().unwrap_or(&NOTHING)
}

#[test]
fn a_whole_directory_is_told_and_left_as_it_is() -> anyhow::Result<()> {
    let site = ended()?;
    let before = everything(&site.path("data"))?;
    let (said, report) = inspect(&site, &[])?;
    ensure!(before == everything(&site.path("data"))?, "it was changed");
    ensure!(
        said.code == Some(0) && text(&report, "state") == "whole",
        "{said:?}"
    );
    ensure!(report.get("sequence").as_integer() > Some(0), "{report}");
    let table = first(&report, "tables");
    ensure!(
        text(table, "name") == "orders" && text(table, "topic") == TOPIC,
        "{table}"
    );
    ensure!(table.get("rows").as_integer() == Some(2), "{table}");
    ensure!(first(table, "key").as_text() == Some("id"), "{table}");
    let partition = first(&report, "partitions");
    ensure!(
        partition.get("next_offset").as_integer() == Some(5),
        "{partition}"
    );
    let quarantine = first(&report, "quarantine");
    ensure!(
        quarantine.get("count").as_integer() == Some(1),
        "{quarantine}"
    );
    // The checkpoint's own directory means the same.
    let inner = site.path("data/checkpoint");
    let inner = site.output(&[
        "inspect",
        &inner.to_string_lossy(),
        "--table",
        "public.orders",
    ])?;
    let report = Exact::parse(&inner.out)?;
    let shape = first(first(&report, "tables"), "columns");
    ensure!(text(first(shape, "columns"), "name") == "id", "{report}");
    let unknown = site.output(&[
        "inspect",
        &site.path("data").to_string_lossy(),
        "--table",
        "ordes",
    ])?;
    ensure!(
        unknown.code == Some(2) && unknown.error.contains("it has: orders"),
        "{unknown:?}"
    );
    Ok(())
}

#[test]
fn a_directory_in_use_names_its_user_and_is_not_waited_for() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&[orders::written(0, 1, "new")])?;
    let mut server = site.start()?;
    server.ready()?;
    let (said, report) = inspect(&site, &[])?;
    ensure!(
        said.code == Some(1) && text(&report, "state") == "in_use",
        "{said:?}"
    );
    ensure!(
        text(report.get("holder"), "command").contains("serve --config"),
        "{report}"
    );
    ensure!(said.error.contains("is in use by process "), "{said:?}");
    server.still_runs()
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_told() -> anyhow::Result<()> {
    let site = ended()?;
    let checkpoint = site.path("data/checkpoint");
    let log = checkpoint.join("sled/db");
    let whole = fs::read(&log)?;
    let mut flips = 0;
    // Wherever a byte is flipped: a report, with a reason, or the same as before.
    for at in (0..whole.len()).filter(|at| whole[*at] != 0).step_by(211) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&log, damaged)?;
        let (said, report) = inspect(&site, &[])?;
        let is_damaged = text(&report, "state") == "damaged";
        let reasons = report.get("damage").as_list().unwrap_or_default();
        ensure!(is_damaged != reasons.is_empty(), "byte {at}: {said:?}");
        ensure!(
            said.code == Some(i32::from(is_damaged)),
            "byte {at}: {said:?}"
        );
        ensure!(!said.error.contains("panicked"), "byte {at}: {said:?}");
        flips += usize::from(is_damaged);
    }
    ensure!(flips > 0, "no flip did any harm");
    fs::write(&log, &whole)?;
    fs::write(checkpoint.join("rowtide-checkpoint"), "nonsense")?;
    let (said, report) = inspect(&site, &[])?;
    ensure!(
        said.code == Some(1) && text(&report, "state") == "damaged",
        "{said:?}"
    );
    ensure!(report.get("bytes").as_integer() > Some(0), "{report}");
    Ok(())
}

#[test]
fn what_is_not_ours_is_said_and_left_alone() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    let data = site.path("data");
    let check = |state: &str, error: &str| -> anyhow::Result<()> {
        let before = everything(&data).unwrap_or_default();
        let (said, report) = inspect(&site, &[])?;
        ensure!(
            said.code == Some(1) && text(&report, "state") == state,
            "{said:?}"
        );
        ensure!(said.error.contains(error), "{said:?}");
        ensure!(
            before == everything(&data).unwrap_or_default(),
            "it was changed"
        );
        Ok(())
    };
    check("empty", "there is nothing in")?;
    ensure!(!data.exists(), "it was made");
    fs::create_dir(&data)?;
    check("empty", "there is nothing in")?;
    fs::write(data.join("notes.txt"), "mine")?;
    check("foreign", "it contains notes.txt")?;
    fs::remove_file(data.join("notes.txt"))?;
    let marker = "rowtide checkpoint\nformat 9\nwritten by 7.0.0\nsomething else\n";
    fs::write(data.join("rowtide-checkpoint"), marker)?;
    check("newer", "format 9, written by rowtide 7.0.0")
}

#[test]
fn a_reader_that_leaves_is_no_error() -> anyhow::Result<()> {
    let site = ended()?;
    let mut process = Command::new(binary::path()?)
        .args(["inspect", &site.path("data").to_string_lossy()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(process.stdout.take());
    let status = wait::until("it ends", || Ok(process.try_wait()?))?;
    let mut error = String::new();
    if let Some(mut stderr) = process.stderr.take() {
        stderr.read_to_string(&mut error)?;
    }
    ensure!(status.success() && error.is_empty(), "{status}: {error}");
    Ok(())
}
