//! What a server holds, as text that a person can review and a test can compare: tables, their
//! columns with types, their rows, and what was set aside.
//!
//! The order of rows and tables is the text's own, so that equal contents are equal texts whatever
//! order the records came in.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Context;

use crate::exact::Exact;
use crate::server::Server;

/// Longest value that is shown; of a longer one the beginning and the length are.
const SHOWN_MAX: usize = 160;

/// Each table that `wanted` picks by its topic, with every row.
pub fn tables(server: &Server, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
    tables_with(server, "-", wanted)
}

/// All tables with what their rows say, where a column that a row was written before says as much as
/// null: the same row delivered again, after the column is known, has it.
pub fn meanings(server: &Server) -> anyhow::Result<String> {
    tables_with(server, "null", |_| true)
}

fn tables_with(
    server: &Server,
    absent: &str,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    let mut texts = BTreeSet::new();
    for table in list(server)? {
        if wanted(table.get("topic").as_text().unwrap_or_default()) {
            texts.insert(table_with_rows(server, &table, absent)?);
        }
    }
    Ok(texts.into_iter().collect())
}

/// The columns of each table, with their types.
pub fn columns(server: &Server) -> anyhow::Result<String> {
    let head = |table: &Exact| format!("{}{}", head(table), columns_of(table));
    let texts: BTreeSet<String> = list(server)?.iter().map(head).collect();
    Ok(texts.into_iter().collect())
}

/// Why records were set aside, each reason once per topic.
pub fn quarantine(server: &Server) -> anyhow::Result<String> {
    let body = server.found("/v1/quarantine", &[("limit", "1000")])?;
    let reason = |record: &Exact| {
        let text = |name: &str| record.get(name).as_text().unwrap_or("?").to_owned();
        format!("set aside, of {}: {}\n", text("topic"), text("reason"))
    };
    let records = body.get("records").as_list().unwrap_or_default();
    let reasons: BTreeSet<String> = records.iter().map(reason).collect();
    Ok(reasons.into_iter().collect())
}

fn list(server: &Server) -> anyhow::Result<Vec<Exact>> {
    let body = server.found("/v1/tables", &[])?;
    let tables = body.get("tables").as_list().context("no list of tables")?;
    Ok(tables.to_vec())
}

fn head(table: &Exact) -> String {
    let topic = table.get("topic").as_text().unwrap_or("?");
    format!("table {topic}, key {}\n", table.get("key"))
}

fn columns_of(table: &Exact) -> String {
    let mut text = String::new();
    for column in table.get("columns").as_list().unwrap_or_default() {
        let part = |name: &str| column.get(name).as_text().unwrap_or("?");
        let nullable = match column.get("nullable") {
            Exact::Bool(false) => " not null",
            _ => "",
        };
        // Writing to text does not fail.
        let _ = writeln!(text, "  {} {}{nullable}", part("name"), part("type"));
    }
    text
}

fn table_with_rows(server: &Server, table: &Exact, absent: &str) -> anyhow::Result<String> {
    let name = table
        .get("name")
        .as_text()
        .context("a table without name")?;
    let columns: Vec<&str> = table
        .get("columns")
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(|column| column.get("name").as_text())
        .collect();
    let rows = server.rows(&encoded(name))?;
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| row_of(row, &columns, absent))
        .collect();
    // Keys of one length sort as numbers do.
    lines.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    lines.sort_by_key(|line| line.split(',').next().map_or(0, str::len));
    Ok(format!(
        "{}{}{}",
        head(table),
        columns_of(table),
        lines.concat()
    ))
}

/// Values in the order of the columns; `absent` where there is none, not even null.
fn row_of(row: &Exact, columns: &[&str], absent: &str) -> String {
    let members = row.as_object();
    let value = |column: &&str| match members.and_then(|members| members.get(*column)) {
        Some(value) => shown(&value.to_string()),
        None => absent.to_owned(),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let unavailable = match row.get("unavailable") {
        Exact::Null => String::new(),
        names => format!(" unavailable {names}"),
    };
    format!("  [{}]{unavailable}\n", values.join(","))
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}… of {} bytes", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// A name as one segment of a path.
fn encoded(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}
