//! What a client relies on in every answer: lookups agree with lists, pages lose nothing, an error
//! says its code and how fresh it is.

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::scenario::{Recording, Scenario};
use black_box::server::{Server, check_fresh};
use black_box::site::{Settings, Site};

/// A server that has replayed the scenario. The site must outlive it.
fn replayed(scenario: &str, recording: &Recording) -> anyhow::Result<(Site, Server)> {
    let site = Site::new(Settings::default())?;
    let records = Scenario::open(scenario)?.records(recording)?;
    site.deliver(&records.context("no such recording")?)?;
    let mut server = site.start()?;
    server.ready()?;
    Ok((site, server))
}

fn check_problem(
    server: &Server,
    path: &str,
    query: &[(&str, &str)],
    status: u16,
    code: &str,
) -> anyhow::Result<Exact> {
    let answer = server.get(path, query)?;
    let problem = answer.body()?;
    let told = (
        answer.status,
        problem.get("code").as_text(),
        problem.get("status").as_integer(),
    );
    ensure!(
        told == (status, Some(code), Some(i64::from(status))),
        "GET {path} {query:?}: {} {}",
        answer.status,
        answer.text
    );
    ensure!(
        answer.content_type.starts_with("application/problem+json"),
        "GET {path}: {}",
        answer.content_type
    );
    for member in ["type", "title", "detail"] {
        ensure!(
            problem.get(member).as_text().is_some(),
            "GET {path}: no {member}: {}",
            answer.text
        );
    }
    Ok(problem)
}

#[test]
fn a_lookup_answers_the_row_that_the_list_has() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    for (table, key) in [
        ("customers", "id"),
        ("orders", "id"),
        ("products_on_hand", "product_id"),
    ] {
        for row in server.rows(table)? {
            let found = server.found(&format!("/v1/tables/{table}/rows/{}", row.get(key)), &[])?;
            assert_eq!(found.get("row"), &row, "{table}");
        }
    }
    Ok(())
}

#[test]
fn pages_are_in_key_order_and_lose_nothing() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    let whole = server.rows("products")?;
    let keys: Vec<_> = whole.iter().map(|row| row.get("id").as_integer()).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "3")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = server.found("/v1/tables/products/rows", &query)?;
        let part = page.get("rows").as_list().context("no rows")?;
        assert!(part.len() <= 3);
        assert_eq!(page.get("count").as_integer(), Some(part.len() as i64));
        rows.extend_from_slice(part);
        match page.get("next").as_text() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(rows, whole);
    Ok(())
}

#[test]
fn a_replayed_file_is_live_and_complete() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    let fresh = server
        .found("/v1/tables/orders/rows", &[])?
        .get("fresh")
        .clone();
    assert_eq!(fresh.get("state"), &Exact::text("live"));
    assert_eq!(fresh.get("lag_ms").as_integer(), Some(0));
    assert_eq!(fresh.get("complete"), &Exact::Bool(true));
    assert_eq!(fresh.get("quarantined").as_integer(), Some(0));
    Ok(())
}

#[test]
fn a_row_that_is_not_there_is_told_with_freshness() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    let problem = check_problem(
        &server,
        "/v1/tables/orders/rows/424242",
        &[],
        404,
        "row_not_found",
    )?;
    check_fresh(problem.get("fresh"))
}

#[test]
fn what_is_misspelled_is_refused_with_candidates() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    let problem = check_problem(&server, "/v1/tables/orderz/rows", &[], 404, "unknown_table")?;
    assert!(
        problem
            .get("candidates")
            .as_list()
            .is_some_and(|names| names.contains(&Exact::text("orders"))),
        "{problem}"
    );
    check_problem(
        &server,
        "/v1/tables/orders/rows",
        &[("limt", "3")],
        400,
        "unknown_parameter",
    )?;
    check_problem(
        &server,
        "/v1/tables/orders/rows",
        &[("cursor", "nonsense")],
        400,
        "bad_cursor",
    )?;
    check_problem(
        &server,
        "/v1/tables/orders/rows",
        &[("limit", "many")],
        400,
        "bad_request",
    )?;
    Ok(())
}

#[test]
fn a_key_of_another_type_is_refused_where_types_are_known() -> anyhow::Result<()> {
    let path = "/v1/tables/orders/rows/notanumber";
    let (_site, server) = replayed("A_basics_default", &Recording::WithSchemas)?;
    check_problem(&server, path, &[], 400, "type_mismatch")?;
    // Without schemas any value may be a key; this one is not there.
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    check_problem(&server, path, &[], 404, "row_not_found")?;
    Ok(())
}

#[test]
fn every_longer_suffix_of_its_topic_finds_a_table() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    let wanted = server.rows("orders")?;
    for name in ["inventory.orders", "a_basics_default.inventory.orders"] {
        assert_eq!(server.rows(name)?, wanted, "{name}");
    }
    Ok(())
}

#[test]
fn a_table_without_key_has_no_lookup() -> anyhow::Result<()> {
    let (_site, server) = replayed("E_truncate", &Recording::Schemaless)?;
    check_problem(&server, "/v1/tables/nokey/rows/1", &[], 400, "bad_request")?;
    Ok(())
}

#[test]
fn the_admin_listener_has_the_probes_and_the_metrics_alone() -> anyhow::Result<()> {
    let (_site, server) = replayed("A_basics_default", &Recording::Schemaless)?;
    for probe in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(server.admin(probe)?.status, 200, "{probe}");
    }
    let metrics = server.admin("/metrics")?.text;
    let rows = metrics
        .lines()
        .find(|line| line.starts_with("rowtide_rows{") && line.contains("\"orders\""));
    assert!(rows.is_some_and(|line| line.ends_with(" 7")), "{rows:?}");
    assert_eq!(
        server.admin("/v1/tables")?.status,
        404,
        "rows are not for those who may only probe"
    );
    Ok(())
}
