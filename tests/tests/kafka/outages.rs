//! A broker that is not there is told, keeps nobody from being served, and is gone on with by
//! itself when it comes.

use anyhow::{Context, ensure};
use black_box::broker::Log;
use black_box::exact::Exact;
use black_box::server::Server;
use black_box::trial::Trial;
use black_box::wait;

use crate::{caught_up, check_exact, site_of, source};

fn trial() -> anyhow::Result<Trial> {
    let trials = Trial::all("A_basics_default")?;
    trials.into_iter().next().context("no recording")
}

/// Waits until the status says that the broker is out of reach, and which.
fn told_as_away(server: &mut Server, log: &Log) -> anyhow::Result<()> {
    wait::until("the broker is told to be away", || {
        server.still_runs()?;
        let Ok(source) = source(server) else {
            return Ok(None);
        };
        let detail = source.get("detail").as_text().unwrap_or_default();
        let told = *source.get("state") == Exact::text("stale") && detail.contains(&log.address());
        Ok(told.then_some(()))
    })
}

fn told_as_live(server: &mut Server) -> anyhow::Result<()> {
    wait::until("the source is live again", || {
        server.still_runs()?;
        let source = source(server)?;
        let live = *source.get("state") == Exact::text("live");
        Ok((live && *source.get("detail") == Exact::Null).then_some(()))
    })
}

#[test]
fn a_broker_that_is_away_at_the_start_is_awaited() -> anyhow::Result<()> {
    let trial = trial()?;
    let log = Log::of(&trial.records)?;
    log.go_away()?;
    let site = site_of(&trial, &log)?;
    let mut server = site.start()?;
    told_as_away(&mut server, &log)?;
    ensure!(server.admin("/livez")?.status == 200, "it is alive");
    ensure!(
        server.admin("/startupz")?.status == 503,
        "it has no tables yet"
    );
    ensure!(server.get("/v1/tables", &[])?.status == 200, "it serves");
    log.come_back()?;
    server.ready()?;
    told_as_live(&mut server)?;
    check_exact(&trial, &server)
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_nothing() -> anyhow::Result<()> {
    let trial = trial()?;
    let (first, rest) = trial.records.split_at(trial.records.len() / 2);
    let mut log = Log::start()?;
    log.create_topics(&trial.records)?;
    log.write(first)?;
    let site = site_of(&trial, &log)?;
    let mut server = site.start()?;
    server.applied(log.ends())?;
    server.ready()?;
    let before = server.rows("customers")?;
    log.go_away()?;
    told_as_away(&mut server, &log)?;
    assert_eq!(server.rows("customers")?, before, "serving goes on");
    log.come_back()?;
    log.write(rest)?;
    caught_up(&mut server, &log)?;
    told_as_live(&mut server)?;
    check_exact(&trial, &server)
}

#[test]
fn a_restart_without_a_broker_serves_what_the_checkpoint_holds() -> anyhow::Result<()> {
    let trial = trial()?;
    let log = Log::of(&trial.records)?;
    let site = site_of(&trial, &log)?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    log.go_away()?;
    let mut server = site.start()?;
    told_as_away(&mut server, &log)?;
    trial.check(&server)?;
    let tables = server.found("/v1/tables", &[])?;
    let state = tables.get("fresh").get("state").clone();
    ensure!(state != Exact::text("live"), "nobody can know that");
    ensure!(server.admin("/startupz")?.status == 503, "nothing was read");
    log.come_back()?;
    server.ready()?;
    check_exact(&trial, &server)
}
