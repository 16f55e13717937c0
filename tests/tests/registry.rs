//! The schema registry from outside: one that is away holds what needs it, and only that.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, ensure};
use black_box::registry::Registry;
use black_box::scenario::{Recording, Scenario};
use black_box::site::{Settings, Site};
use black_box::trial::Trial;
use black_box::wait;

/// An address of this machine where nobody listens.
fn nobody() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

#[test]
fn records_wait_for_a_registry_that_is_away_and_are_read_when_it_is_back() -> anyhow::Result<()> {
    let scenario = Scenario::open("A_basics_default")?;
    let trial = Trial::of(&scenario, Recording::Other("events-avro".to_owned()))?
        .context("no Avro recording")?;
    let schemas = trial.registry.clone().context("no schemas")?;
    let address = nobody()?;
    let site = Site::new(Settings {
        registry_url: Some(format!("http://{address}")),
        ..Settings::DEFAULT
    })?;
    site.deliver(&trial.records)?;
    let mut server = site.start()?;
    let waits = wait::until("the status says what is waited for", || {
        server.still_runs()?;
        // Before it listens it answers nothing.
        let status = server.get("/v1/status", &[]).map(|answer| answer.text);
        Ok(status
            .ok()
            .filter(|status| status.contains("waits for schema")))
    })?;
    ensure!(
        waits.contains(&address.to_string()),
        "names the registry: {waits}"
    );
    ensure!(
        !waits.contains("\"quarantined\":1"),
        "nothing is put aside: {waits}"
    );
    // It waits across a restart, too.
    server.kill()?;
    let mut server = site.start()?;
    let _registry = Registry::start_at(address, schemas)?;
    server.ready()?;
    trial.check(&server)?;
    let after = server.get("/v1/status", &[])?.text;
    ensure!(!after.contains("waits for schema"), "{after}");
    server.stop()?;
    Ok(())
}
