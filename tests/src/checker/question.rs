//! What is asked of the server, and what its answer shows.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::bank::{ACCOUNTS, LINES, LINES_MAX, ORDERS, ORDERS_COUNT, Row, TABLES, Table};
use super::history::History;
use super::judge::Fact;

/// Rows of one page; no table has as many.
const ROWS_MAX: usize = 10_000;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Several tables of one moment, over `/v1/query`.
    Tables(Vec<&'static Table>),
    List(&'static Table),
    Row(&'static Table, i64),
    /// Rows of several tables by their keys.
    Batch(Vec<(&'static Table, i64)>),
    /// Every order with its lines in it.
    Orders,
    /// Nothing but that these tables have come so far.
    Wait(BTreeSet<&'static str>),
}

impl Question {
    pub fn any(rng: &mut Rng) -> Self {
        match rng.u8(0..10) {
            0..3 => Self::Tables(TABLES.to_vec()),
            3 => Self::Tables(vec![&ORDERS, &LINES]),
            4 => Self::Orders,
            5..7 => Self::List(TABLES[rng.usize(..TABLES.len())]),
            7 => Self::Batch((0..rng.u8(2..12)).map(|_| any_key(rng)).collect()),
            _ => {
                let (table, id) = any_key(rng);
                Self::Row(table, id)
            }
        }
    }

    pub fn tables(&self) -> BTreeSet<&'static str> {
        let names = |tables: &[&'static Table]| tables.iter().map(|table| table.name).collect();
        match self {
            Self::Tables(tables) => names(tables),
            Self::List(table) | Self::Row(table, _) => names(&[table]),
            Self::Batch(keys) => keys.iter().map(|(table, _)| table.name).collect(),
            Self::Orders => names(&[&ORDERS, &LINES]),
            Self::Wait(tables) => tables.clone(),
        }
    }

    pub fn path(&self) -> String {
        match self {
            Self::Tables(_) | Self::Orders => "/v1/query".to_owned(),
            Self::List(table) => format!("/v1/tables/{}/rows?limit={ROWS_MAX}", table.name),
            Self::Row(table, id) => format!("/v1/tables/{}/rows/{id}?int64=number", table.name),
            Self::Batch(_) => "/v1/batch-get".to_owned(),
            Self::Wait(tables) => {
                let tables: Vec<&str> = tables.iter().copied().collect();
                format!("/v1/wait?tables={}", tables.join(","))
            }
        }
    }

    /// `None` where the path says all.
    pub fn body(&self) -> Option<Value> {
        match self {
            Self::Tables(tables) => {
                let query = |table: &&'static Table| {
                    let query = json!({"from": table.name, "limit": ROWS_MAX});
                    (table.name.to_owned(), query)
                };
                let queries: Map<String, Value> = tables.iter().map(query).collect();
                Some(json!({ "queries": queries }))
            }
            Self::Orders => Some(json!({
                "from": ORDERS.name, "limit": ROWS_MAX,
                "include": [{"rel": LINES.name, "limit": LINES_MAX}],
            })),
            Self::Batch(keys) => {
                let get = keys
                    .iter()
                    .map(|(table, id)| json!({"table": table.name, "keys": [[id]]}));
                Some(json!({ "get": get.collect::<Vec<_>>() }))
            }
            Self::List(_) | Self::Row(..) | Self::Wait(_) => None,
        }
    }

    /// Whether an answer shows every account, or every order and every line.
    pub fn is_balanced(&self) -> bool {
        match self {
            Self::Orders => true,
            Self::Tables(tables) => tables.contains(&&ORDERS),
            Self::List(table) => *table == &ACCOUNTS,
            Self::Row(..) | Self::Batch(_) | Self::Wait(_) => false,
        }
    }

    /// What an answer shows, what is not there included.
    pub fn facts(&self, body: &Value, history: &History) -> anyhow::Result<Vec<Fact>> {
        match self {
            Self::Tables(tables) => {
                let mut facts = Vec::new();
                for table in tables {
                    facts.extend(listed(table, &body["results"][table.name], history)?);
                }
                Ok(facts)
            }
            Self::List(table) => listed(table, body, history),
            Self::Row(table, id) => Ok(vec![fact(table, *id, body.get("row"))?]),
            Self::Batch(keys) => {
                let results = body["results"].as_array().context("no results")?;
                ensure!(results.len() == keys.len(), "not as many as asked for");
                let found = keys.iter().zip(results);
                found
                    .map(|((table, id), result)| fact(table, *id, result["rows"].get(0)))
                    .collect()
            }
            Self::Orders => orders(body, history),
            Self::Wait(_) => Ok(Vec::new()),
        }
    }
}

/// An order's lines are shown if it is.
fn orders(body: &Value, history: &History) -> anyhow::Result<Vec<Fact>> {
    let mut facts = listed(&ORDERS, body, history)?;
    for order in rows_of(body)? {
        let id = integer(&order["id"])?;
        let lines = order[LINES.name].as_array().context("no lines")?;
        let own = (0..LINES_MAX).map(|nth| id * LINES_MAX + nth);
        facts.extend(with_absent(&LINES, lines, own)?);
    }
    Ok(facts)
}

fn listed(table: &'static Table, page: &Value, history: &History) -> anyhow::Result<Vec<Fact>> {
    let next = &page["next"];
    ensure!(next.is_null(), "a page that goes on: {}", page["count"]);
    with_absent(table, rows_of(page)?, history.keys(table.name))
}

fn rows_of(page: &Value) -> anyhow::Result<&[Value]> {
    Ok(page["rows"].as_array().context("no rows")?)
}

/// The rows, and of all these keys that have none that they have none.
fn with_absent(
    table: &'static Table,
    rows: &[Value],
    keys: impl Iterator<Item = i64>,
) -> anyhow::Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let mut shown = BTreeSet::new();
    for row in rows {
        let id = integer(&row["id"])?;
        ensure!(
            shown.insert(id),
            "WRONG: {} {id} is listed twice",
            table.name
        );
        facts.push(fact(table, id, Some(row))?);
    }
    let absent = keys.filter(|id| !shown.contains(id));
    let row = None;
    facts.extend(absent.map(|id| Fact { table, id, row }));
    Ok(facts)
}

/// What is said of one key.
pub fn fact(table: &'static Table, id: i64, row: Option<&Value>) -> anyhow::Result<Fact> {
    let row = row.filter(|row| !row.is_null()).map(|row| {
        ensure!(integer(&row["id"])? == id, "WRONG: asked for {id}: {row}");
        Ok(Row {
            cell: integer(&row[table.cell])?,
            written: integer(&row["written"])? as u64,
        })
    });
    Ok(Fact {
        table,
        id,
        row: row.transpose()?,
    })
}

pub fn any_key(rng: &mut Rng) -> (&'static Table, i64) {
    let table = [&ACCOUNTS, &ORDERS, &LINES][rng.usize(..3)];
    let ids = if table == &LINES {
        ORDERS_COUNT * LINES_MAX
    } else {
        ORDERS_COUNT
    };
    (table, rng.i64(0..ids))
}

pub fn integer(value: &Value) -> anyhow::Result<i64> {
    let text = value.as_str().and_then(|text| text.parse().ok());
    match value.as_i64().or(text) {
        Some(number) => Ok(number),
        None => bail!("no whole number: {value}"),
    }
}
