//! SIGHUP applies what a running server can change, names what it cannot, and changes nothing for a
//! configuration that is wrong.

use std::collections::BTreeMap;

use anyhow::ensure;
use black_box::exact::Exact;
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use black_box::wait;
use rustix::process::Signal;

const TOPIC: &str = "shop.public.orders";

/// Together more than the least limit there may be.
const ROWS: i64 = 400;
const TEXT_BYTES: usize = 60_000;

fn rows() -> Vec<Record> {
    let row = |id: i64| {
        let mut record = Record::new(TOPIC, 0, id);
        let text = "x".repeat(TEXT_BYTES);
        let lsn = 100 + id;
        record.key = Some(format!(r#"{{"id":{id}}}"#));
        record.value = Some(format!(
            r#"{{"before":null,"after":{{"id":{id},"v":"{text}"}},"source":{{"connector":"postgresql","name":"shop","db":"shop","schema":"public","table":"orders","lsn":{lsn},"ts_ms":{lsn}}},"ts_ms":{lsn},"op":"c"}}"#
        ));
        record
    };
    (0..ROWS).map(row).collect()
}

fn status(server: &Server) -> anyhow::Result<Exact> {
    server.get("/v1/status", &[])?.body()
}

fn table(server: &Server) -> anyhow::Result<Exact> {
    let tables = status(server)?.get("tables").clone();
    Ok(tables
        .as_list()
        .and_then(|tables| tables.first())
        .cloned()
        .unwrap_or(Exact::Null))
}

fn until_logged(server: &Server, words: &str) -> anyhow::Result<()> {
    wait::until(&format!("the log says {words:?}"), || {
        Ok(server.log().contains(words).then_some(()))
    })
}

fn until_waiting(server: &mut Server) -> anyhow::Result<()> {
    wait::until("a partition waits for room", || {
        server.still_runs()?;
        let waiting = status(server).ok();
        let waiting =
            waiting.and_then(|status| status.get("memory").get("partitions_waiting").as_integer());
        Ok((waiting == Some(1)).then_some(()))
    })
}

/// What everybody is told while a partition waits.
fn check_told(server: &Server) -> anyhow::Result<()> {
    let stalled = table(server)?;
    ensure!(
        stalled.get("state").as_text() == Some("stalled"),
        "{stalled}"
    );
    let reason = stalled.get("reason").as_text().unwrap_or_default();
    ensure!(
        reason.contains("memory.max is 16777216") && reason.contains("SIGHUP"),
        "{reason}"
    );
    check_startup_tells(server)?;
    let metrics = server.admin("/metrics")?.text;
    for line in [
        "\nrowtide_memory_max_bytes 16777216",
        "\nrowtide_partitions_awaiting_memory 1",
    ] {
        ensure!(metrics.contains(line), "{metrics}");
    }
    Ok(())
}

/// It has started, and says what is scarce.
fn check_startup_tells(server: &Server) -> anyhow::Result<()> {
    let verbose = server.admin("/startupz?verbose")?;
    ensure!(verbose.status == 200, "{}", verbose.text);
    ensure!(verbose.text.contains("[-] memory: "), "{}", verbose.text);
    Ok(())
}

fn rows_held(server: &Server) -> anyhow::Result<Option<i64>> {
    Ok(table(server)?.get("rows").as_integer())
}

/// A site whose limit on memory is as told, and which has more rows than the least limit bears.
fn site(max: &str) -> anyhow::Result<(Site, String)> {
    let site = Site::new(Settings {
        follow: true,
        ..Settings::DEFAULT
    })?;
    let plain = site.configuration()?;
    site.configure(&limited(&plain, max))?;
    site.deliver(&rows())?;
    Ok((site, plain))
}

fn limited(plain: &str, max: &str) -> String {
    format!("{plain}[memory]\nmax = \"{max}\"\n[quarantine]\nmax = \"1MiB\"\n")
}

fn until_all_is_there(server: &mut Server) -> anyhow::Result<()> {
    server.applied(&BTreeMap::from([((TOPIC.to_owned(), 0), ROWS)]))?;
    wait::until("the table is live", || {
        let live = table(server)?;
        Ok((live.get("state").as_text() == Some("live")).then_some(()))
    })?;
    ensure!(rows_held(server)? == Some(ROWS), "rows are missing");
    Ok(())
}

#[test]
fn a_higher_memory_limit_is_taken_up_and_a_wrong_configuration_is_not() -> anyhow::Result<()> {
    let (site, plain) = site("16MiB")?;
    let mut server = site.start()?;
    server.ready()?;
    until_waiting(&mut server)?;
    check_told(&server)?;
    let held = rows_held(&server)?;

    site.configure(&limited(&plain, "sixteen"))?;
    server.signal(Signal::HUP)?;
    until_logged(&server, "is not reloaded")?;
    ensure!(rows_held(&server)? == held, "it took more");

    let elsewhere = limited(&plain, "64MiB");
    site.configure(&elsewhere.replace("interval = \"1000ms\"", "interval = \"900ms\""))?;
    server.signal(Signal::HUP)?;
    until_logged(
        &server,
        "a restart is needed for what changed of checkpoint.interval",
    )?;
    until_all_is_there(&mut server)?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    Ok(())
}

#[test]
fn a_checkpoint_larger_than_the_limit_is_served_whole() -> anyhow::Result<()> {
    let (site, plain) = site("64MiB")?;
    let mut server = site.start()?;
    server.ready()?;
    until_all_is_there(&mut server)?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");

    site.configure(&limited(&plain, "16MiB"))?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(rows_held(&server)? == Some(ROWS), "rows are missing");
    check_startup_tells(&server)?;
    let told = server.log();
    ensure!(
        told.contains("the checkpoint takes more than memory.max"),
        "{told}"
    );
    Ok(())
}
