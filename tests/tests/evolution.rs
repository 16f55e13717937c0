//! Tables whose shape changes while they are followed, and topics that config says something about.

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::scenario::{Recording, Scenario};
use black_box::server::Server;
use black_box::site::{Settings, Site};

/// What came of `ALTER TABLE` after `ALTER TABLE`: a row that was not written since has what it was
/// last told, and no more.
const EVOLVED: &str = r#"[
    {"id":1,"name":"a","qty":9007199254740993,"with_def":7,"added":"x"},
    {"id":2,"name":"b","qty":"1.2345","with_def":7,"added":null},
    {"id":3,"name":null,"qty":"now text","with_def":7,"added":null},
    {"id":4,"name":"d","qty":"z","with_def":7,"d":"2024-01-01","arr":[1,2],"added":"1.25"},
    {"id":6,"name":"back","qty":null,"with_def":7,"d":"2024-01-01","arr":[1,2],"added":null},
    {"id":7,"name":"keyless update","qty":null,"with_def":7,"d":"2024-01-01","arr":[1,2],"added":null},
    {"id":8,"name":"composite now","qty":null,"with_def":7,"d":"2024-01-01","arr":[1,2],"added":null,"id2":"00000000-0000-0000-0000-000000000008"}
]"#;

fn site_of(scenario: &str, recording: &Recording) -> anyhow::Result<Site> {
    let site = Site::new(Settings::default())?;
    let records = Scenario::open(scenario)?.records(recording)?;
    site.deliver(&records.context("no such recording")?)?;
    Ok(site)
}

fn started(site: &Site) -> anyhow::Result<Server> {
    let mut server = site.start()?;
    server.ready()?;
    Ok(server)
}

/// Names in a list of columns.
fn names(columns: &Exact) -> Vec<&str> {
    let columns = columns.as_list().unwrap_or_default();
    let names = columns.iter();
    names
        .filter_map(|column| column.get("name").as_text())
        .collect()
}

fn topics(server: &Server) -> anyhow::Result<Vec<String>> {
    let tables = server.found("/v1/tables", &[])?;
    let tables = tables.get("tables").as_list().context("no tables")?;
    let topics = tables
        .iter()
        .filter_map(|table| table.get("topic").as_text());
    Ok(topics.map(str::to_owned).collect())
}

fn check_evolved(server: &Server) -> anyhow::Result<()> {
    let mut rows = server.rows("evo")?;
    rows.sort_by_key(|row| row.get("id").as_integer());
    let wanted = Exact::parse(EVOLVED)?;
    for (row, wanted) in rows.iter().zip(wanted.as_list().unwrap_or_default()) {
        ensure!(row == wanted, "{row} should be {wanted}");
    }
    ensure!(rows.len() == 7, "{} rows", rows.len());
    let table = server.found("/v1/tables/evo", &[])?;
    let columns = ["id", "name", "qty", "with_def", "d", "arr", "added", "id2"];
    ensure!(names(table.get("columns")) == columns, "{table}");
    ensure!(
        names(table.get("former_columns")) == ["amount", "old_col"],
        "{table}"
    );
    ensure!(
        table.get("schema_epoch").as_integer() == Some(13),
        "{table}"
    );
    let path = "/v1/tables/evo/rows/8,00000000-0000-0000-0000-000000000008";
    let name = server.found(path, &[])?;
    ensure!(
        name.get("row").get("name").as_text() == Some("composite now"),
        "{name}"
    );
    ensure!(server.get("/v1/tables/evo/rows/8", &[])?.status == 400);
    let status = server.found("/v1/status", &[])?;
    let tables = status.get("tables").as_list().unwrap_or_default();
    let evo = tables
        .iter()
        .find(|table| table.get("name").as_text() == Some("evo"));
    let notes = evo
        .context("no evo")?
        .get("notes")
        .as_list()
        .unwrap_or_default();
    let note = notes.first().and_then(Exact::as_text).unwrap_or_default();
    ensure!(note.starts_with("rows without a key came"), "{note}");
    Ok(())
}

#[test]
fn rows_of_every_shape_live_together_also_after_a_restart() -> anyhow::Result<()> {
    let site = site_of("F_evolution", &Recording::WithSchemas)?;
    for _ in 0..2 {
        let server = started(&site)?;
        check_evolved(&server)?;
        assert_eq!(server.rows("evo2")?.len(), 2);
        assert_eq!(server.rows("newborn")?.len(), 1);
        assert_eq!(server.stop()?, 0);
    }
    Ok(())
}

#[test]
fn the_signal_table_and_boundaries_make_no_tables() -> anyhow::Result<()> {
    let site = site_of("G_incremental", &Recording::Schemaless)?;
    let server = started(&site)?;
    let signals = "g_incremental.public.debezium_signal";
    assert!(topics(&server)?.contains(&signals.to_owned()));
    server.stop()?;
    let config = site.configuration()?;
    let source = "kind = \"file\"";
    let without = config.replace(source, &format!("{source}\nsignal_table = \"{signals}\""));
    site.configure(&without)?;
    let server = started(&site)?;
    assert!(!topics(&server)?.contains(&signals.to_owned()));
    server.stop()?;

    let site = site_of("E_txmeta_heartbeat", &Recording::WithSchemas)?;
    let server = started(&site)?;
    let boundaries = "e_txmeta_heartbeat.transaction".to_owned();
    assert!(!topics(&server)?.contains(&boundaries));
    Ok(())
}

#[test]
fn of_messages_the_newest_are_kept() -> anyhow::Result<()> {
    let site = site_of("E_messages", &Recording::Schemaless)?;
    let all = {
        let server = started(&site)?;
        let all = server.rows("message")?;
        server.stop()?;
        all
    };
    let config = site.configuration()?;
    let table = "\n[[tables]]\ntopic = \"e_messages.message\"\nkeep = \"3 rows\"\n";
    site.configure(&(config + table))?;
    // The second time from what the first has kept.
    for _ in 0..2 {
        let server = started(&site)?;
        assert_eq!(server.rows("message")?, all[all.len() - 3..]);
        server.stop()?;
    }
    Ok(())
}
