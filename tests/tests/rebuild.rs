//! Tables are read from their logs again, by a server or by the command itself, and compared with them.

use std::fs;

use anyhow::{Context, ensure};
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use serde_json::json;

const DONE: i32 = 0;
const FAILED: i32 = 1;
const NOT_READY: i32 = 3;

const ORDERS: usize = 3_000;

fn record(topic: &str, offset: usize, id: usize, v: &str) -> Record {
    let source = json!({
        "connector": "postgresql", "name": "shop", "db": "d", "schema": "public", "table": topic,
        "snapshot": "false", "lsn": 10 + offset, "txId": offset,
    });
    let value = json!({"before": null, "after": {"id": id, "v": v}, "op": "c", "source": source});
    Record {
        key: Some(json!({"id": id}).to_string()),
        value: Some(value.to_string()),
        ..Record::new(&format!("shop.public.{topic}"), 0, offset as i64)
    }
}

/// Many orders and one person.
fn records() -> Vec<Record> {
    let orders = (0..ORDERS).map(|id| record("orders", id, id, "as it was"));
    orders.chain([record("people", 0, 1, "somebody")]).collect()
}

/// A site of which a server has read everything, and that server.
fn served() -> anyhow::Result<(Site, Server)> {
    let site = Site::new(Settings {
        follow: true,
        ..Settings::DEFAULT
    })?;
    site.deliver(&records())?;
    let mut server = site.start()?;
    server.ready()?;
    Ok((site, server))
}

/// Runs a verb with the site's configuration; what it adds to what was said before.
fn run(site: &Site, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
    let before = fs::read_to_string(site.path("log"))
        .unwrap_or_default()
        .len();
    let config = site.path("rowtide.toml");
    let config = config.to_string_lossy();
    let (code, said) = site.run(&[arguments, &["--config", &config]].concat())?;
    Ok((code, said.get(before..).unwrap_or_default().to_owned()))
}

fn check(site: &Site, arguments: &[&str], code: i32, words: &[&str]) -> anyhow::Result<()> {
    let (ended, said) = run(site, arguments)?;
    ensure!(
        ended == code,
        "{arguments:?}: exit code {ended}, should be {code}: {said}"
    );
    for word in words {
        ensure!(
            said.contains(word),
            "{arguments:?} says nothing of {word:?}: {said}"
        );
    }
    Ok(())
}

fn count(server: &Server) -> anyhow::Result<i64> {
    let page = server.found(
        "/v1/tables/orders/rows",
        &[("limit", "1"), ("count", "exact")],
    )?;
    page.get("total").as_integer().context("no total")
}

#[test]
fn readers_of_a_running_server_never_see_half_a_table() -> anyhow::Result<()> {
    let (site, server) = served()?;
    let looks = std::thread::scope(|scope| {
        let rebuilding = scope.spawn(|| run(&site, &["rebuild"]));
        let mut looks = 0;
        while !rebuilding.is_finished() {
            let seen = count(&server)?;
            ensure!(seen == ORDERS as i64, "{seen} rows after {looks} looks");
            looks += 1;
        }
        let rebuilt = rebuilding
            .join()
            .ok()
            .context("the command's thread failed")?;
        let (code, said) = rebuilt?;
        ensure!(code == DONE, "exit code {code}: {said}");
        for words in ["orders: rebuilt, 3000 rows", "people: rebuilt, 1 rows"] {
            ensure!(said.contains(words), "{said}");
        }
        Ok(looks)
    })?;
    ensure!(looks > 0, "nobody looked");
    let status = server.found("/v1/status", &[])?;
    for table in status.get("tables").as_list().context("no tables")? {
        let state = table.get("rebuild").get("state");
        ensure!(state.as_text() == Some("done"), "{table}");
    }
    // What is written now goes to the tables that were swapped in.
    site.append(&[record("orders", ORDERS, ORDERS, "next")])?;
    black_box::wait::until("the new order is there", || {
        Ok((count(&server)? == ORDERS as i64 + 1).then_some(()))
    })?;
    check(
        &site,
        &["rebuild", "ordes"],
        FAILED,
        &["There is no table 'ordes'", "candidates: orders"],
    )?;
    // A checkpoint in use is not compared.
    check(
        &site,
        &["verify"],
        NOT_READY,
        &["in use by another process", "stop the server first"],
    )?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    check(
        &site,
        &["verify"],
        DONE,
        &[r#""rows":3001,"state":"equal","table":"orders""#],
    )
}

#[test]
fn an_edited_record_is_found_and_rebuilt_from() -> anyhow::Result<()> {
    let (site, server) = served()?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    let mut edited = records();
    edited[77] = record("orders", 77, 77, "as it is");
    site.deliver(&edited)?;
    let difference =
        r#"{"columns":[{"checkpoint":"as it was","column":"v","log":"as it is"}],"key":{"id":77}}"#;
    check(
        &site,
        &["verify"],
        FAILED,
        &[
            difference,
            r#""different":1,"#,
            r#""state":"equal","table":"people""#,
            "not what the log says: orders",
            "rowtide rebuild orders makes them so",
        ],
    )?;
    check(
        &site,
        &["rebuild", "public.orders"],
        DONE,
        &["orders: rebuilt, 3000 rows"],
    )?;
    check(
        &site,
        &["verify"],
        DONE,
        &[r#""rows":3000,"state":"equal","table":"orders""#],
    )?;
    check(
        &site,
        &["rebuild", "others"],
        FAILED,
        &["There is no table 'others'", "candidates: orders, people"],
    )
}

#[test]
fn a_log_that_lost_its_beginning_is_refused_and_accepted() -> anyhow::Result<()> {
    let (site, server) = served()?;
    ensure!(server.stop()? == 0, "exit code after SIGTERM");
    let rest: Vec<Record> = records().split_off(10);
    site.deliver(&rest)?;
    let begins = "begins at offset 10";
    check(
        &site,
        &["verify", "orders"],
        FAILED,
        &["\"state\":\"not_compared\"", begins],
    )?;
    check(
        &site,
        &["rebuild", "orders"],
        FAILED,
        &[
            "orders: not rebuilt, and served as before",
            begins,
            "--accept-incomplete",
        ],
    )?;
    check(
        &site,
        &["rebuild", "orders", "--accept-incomplete"],
        DONE,
        &["orders: rebuilt, 2990 rows"],
    )?;
    let mut server = site.start()?;
    server.ready()?;
    ensure!(count(&server)? == 2_990);
    let table = server.found("/v1/tables/orders", &[])?;
    ensure!(
        table.get("fresh").get("complete") == &black_box::exact::Exact::Bool(false),
        "{table}"
    );
    Ok(())
}
