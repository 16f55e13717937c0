//! Every recording, through a broker: the tables it leads to, kills, outages, acknowledgements,
//! captures.
//!
//! The broker lives in the test's process, so it outlives every server. It can neither add
//! partitions to a topic nor delete one.

mod acknowledgements;
mod captures;
mod kills;
mod outages;
mod rebuilds;
mod topics;

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::exact::Exact;
use black_box::server::Server;
use black_box::site::Site;
use black_box::trial::{LARGE, Trial};
use black_box::wait;

/// Short beside what a test does, so that checkpoints are made all along.
const CHECKPOINT_OFTEN_MS: u32 = 20;

/// The glob that matches all topics of a recording.
fn topics_of(trial: &Trial) -> anyhow::Result<String> {
    let topic = &trial.records.first().context("no records")?.topic;
    let (prefix, _) = topic.split_once('.').context("a topic without prefix")?;
    Ok(format!("{prefix}.*"))
}

/// A site whose servers follow all topics of a recording.
fn site_of(trial: &Trial, log: &Log) -> anyhow::Result<Site> {
    Site::on_kafka(&log.address(), &[&topics_of(trial)?], CHECKPOINT_OFTEN_MS)
}

/// The one source in the status.
fn source(server: &Server) -> anyhow::Result<Exact> {
    let status = server.found("/v1/status", &[])?;
    let sources = status.get("sources").as_list().context("no sources")?;
    Ok(sources.first().context("no source")?.clone())
}

/// Waits until all that was written has been applied and every table says that it is live.
fn caught_up(server: &mut Server, log: &Log) -> anyhow::Result<()> {
    server.applied(log.ends())?;
    wait::until("every table is live", || {
        server.still_runs()?;
        let tables = server.found("/v1/tables", &[])?;
        let state = tables.get("fresh").get("state");
        Ok((*state == Exact::text("live")).then_some(()))
    })
}

/// Every cell is right, and every table says so.
fn check_exact(trial: &Trial, server: &Server) -> anyhow::Result<()> {
    trial.check(server)?;
    let tables = server.found("/v1/tables", &[])?;
    for table in tables.get("tables").as_list().context("no tables")? {
        let fresh = table.get("fresh");
        ensure!(
            *fresh.get("state") == Exact::text("live")
                && *fresh.get("complete") == Exact::Bool(true)
                && fresh.get("quarantined").as_integer() == Some(0),
            "{}: {} is {fresh}",
            trial.name,
            table.get("name")
        );
    }
    ensure!(*source(server)?.get("state") == Exact::text("live"));
    Ok(())
}

#[test]
fn small_scenarios_lead_to_exactly_their_tables() -> anyhow::Result<()> {
    Trial::each_small(|trial| {
        let log = Log::of(&trial.records)?;
        let site = site_of(trial, &log)?;
        // Flags alone suffice.
        let mut server = site.start_with(&[
            "serve",
            "--brokers",
            &log.address(),
            "--topics",
            &topics_of(trial)?,
            "--data-dir",
            &site.path("data").to_string_lossy(),
            "--listen",
            &site.data_address(),
            "--admin",
            &site.admin_address(),
        ])?;
        server.ready()?;
        check_exact(trial, &server)?;
        ensure!(server.next_offsets().as_ref() == Some(log.ends()));
        ensure!(server.stop()? == 0, "exit code after SIGTERM");
        Ok(())
    })
}

#[test]
fn a_quarter_of_a_million_records_lead_to_exactly_their_tables() -> anyhow::Result<()> {
    for trial in Trial::all(LARGE)? {
        let mut log = Log::start()?;
        log.create_topics(&trial.records)?;
        let site = site_of(&trial, &log)?;
        let mut server = site.start()?;
        log.write_as_acknowledged(&trial.records, &mut server)?;
        caught_up(&mut server, &log)?;
        check_exact(&trial, &server)?;
    }
    Ok(())
}
