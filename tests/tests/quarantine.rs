//! `rowtide quarantine` lists what was put aside and tries it once more; what stays, stays across kill -9.

use anyhow::ensure;
use black_box::exact::Exact;
use black_box::orders::{self, TOPIC};
use black_box::server::Server;
use black_box::site::{Settings, Site};

const OFTEN: Settings = Settings {
    checkpoint_interval_ms: 20,
    ..Settings::DEFAULT
};

/// One row, and two records that nobody can decode.
fn started() -> anyhow::Result<(Site, Server)> {
    let site = Site::new(OFTEN)?;
    site.deliver(&[
        orders::written(0, 1, "new"),
        orders::nonsense(1, 2),
        orders::nonsense(2, 3),
    ])?;
    let mut server = site.start()?;
    server.ready()?;
    Ok((site, server))
}

fn offsets(listed: &Exact) -> Vec<i64> {
    let records = listed.get("records").as_list().unwrap_or_default();
    let offsets = records
        .iter()
        .map(|record| record.get("offset").as_integer());
    offsets.flatten().collect()
}

/// What is told of so many records, on every surface.
fn check_told(server: &Server, quarantined: i64) -> anyhow::Result<()> {
    for path in [
        "/v1/tables/orders",
        "/v1/tables/orders/rows",
        "/v1/tables/orders/rows/1",
        "/v1/status",
        "/v1/quarantine",
    ] {
        let fresh = server
            .found(path, &[])?
            .get("fresh")
            .get("quarantined")
            .as_integer();
        ensure!(fresh == Some(quarantined), "{path}: {fresh:?}");
    }
    Ok(())
}

#[test]
fn what_was_put_aside_is_listed_and_survives_a_kill() -> anyhow::Result<()> {
    let (site, server) = started()?;
    let url = format!("http://{}", site.data_address());
    check_told(&server, 2)?;
    let said = site.output(&["quarantine", "list", "--url", &url])?;
    ensure!(
        said.code == Some(0) && offsets(&Exact::parse(&said.out)?) == [2, 1],
        "{said:?}"
    );
    let said = site.output(&[
        "quarantine",
        "list",
        "--table",
        "orders",
        "--limit",
        "1",
        "--url",
        &url,
    ])?;
    ensure!(offsets(&Exact::parse(&said.out)?) == [2], "{said:?}");
    let said = site.output(&["quarantine", "list", "--table", "ordes", "--url", &url])?;
    ensure!(
        said.code == Some(1) && said.error.contains("candidates: orders"),
        "{said:?}"
    );
    // Durable with the next checkpoint at the latest.
    black_box::wait::until("a checkpoint is made", || {
        let sequence = server.found("/v1/status", &[])?;
        let checkpoint = sequence.get("checkpoint").get("last_ms").as_integer();
        Ok(checkpoint.is_some().then_some(()))
    })?;
    server.kill()?;
    let mut server = site.start()?;
    server.ready()?;
    check_told(&server, 2)?;
    Ok(())
}

#[test]
fn what_is_still_wrong_stays_and_the_command_fails() -> anyhow::Result<()> {
    let (site, mut server) = started()?;
    let admin = format!("http://{}", site.admin_address());
    let one = [
        "quarantine",
        "replay",
        "--topic",
        TOPIC,
        "--partition",
        "0",
        "--offset",
        "1",
        "--admin-url",
        &admin,
    ];
    let said = site.output(&one)?;
    ensure!(
        said.code == Some(1) && said.error.contains("1 records stay"),
        "{said:?}"
    );
    let told = Exact::parse(&said.out)?;
    ensure!(
        told.get("kept").as_integer() == Some(1) && offsets(&told) == [1],
        "{told}"
    );
    let said = site.output(&["quarantine", "replay", "--all", "--admin-url", &admin])?;
    ensure!(
        said.code == Some(1) && offsets(&Exact::parse(&said.out)?) == [1, 2],
        "{said:?}"
    );
    let said = site.output(&["quarantine", "replay", "--admin-url", &admin])?;
    ensure!(said.code == Some(2), "{said:?}");
    check_told(&server, 2)?;
    server.still_runs()
}
