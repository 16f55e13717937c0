//! Validation of `[[relations]]`: which columns of one table are equal to which columns of another. Whether there
//! are such tables and columns only their records can tell.

use std::collections::BTreeSet;

use query::relation::{Endpoint, Relation};

use super::document::KeyPath;
use super::raw::RawRelation;
use super::validated::{Findings, TableConfig, path};

/// Characters that mean something where a query names a relation.
const SIGNS: &[char] = &['.', ',', ':', '!', '(', ')', '"'];

pub fn relations(
    raw: Vec<RawRelation>,
    tables: &[TableConfig],
    findings: &mut Findings<'_>,
) -> Vec<Relation> {
    let mut relations = Vec::new();
    let mut names = BTreeSet::new();
    for (number, raw) in raw.into_iter().enumerate() {
        let at = path("relations").index(number);
        let name = needed(raw.name, "customer", &at, "name", findings);
        let from = needed(raw.from, "orders.customer_id", &at, "from", findings);
        let to = needed(raw.to, "customers.id", &at, "to", findings);
        let from = from.and_then(|text| endpoint(&text, tables, &at.key("from"), findings));
        let to = to.and_then(|text| endpoint(&text, tables, &at.key("to"), findings));
        if let Some(name) = &name {
            check_name(name, &at.key("name"), findings);
        }
        if let Some(inverse) = &raw.inverse {
            check_name(inverse, &at.key("inverse"), findings);
        }
        let (Some(name), Some(from), Some(to)) = (name, from, to) else {
            continue;
        };
        if from.columns.len() != to.columns.len() {
            let (many, few) = (from.columns.len(), to.columns.len());
            let what = format!("`{at}` has {many} columns in `from` and {few} in `to`");
            let help = "name as many columns on both sides, in the same order";
            findings.find(&at.key("to"), what, help);
        }
        let inverse = raw.inverse.map(|inverse| (&to.table, "inverse", inverse));
        let sides = [Some((&from.table, "name", name.clone())), inverse.clone()];
        for (table, key, name) in sides.into_iter().flatten() {
            if !names.insert((table.clone(), name.clone())) {
                let what = format!("two relations of {table} are called {name}");
                findings.find(&at.key(key), what, "give each its own name");
            }
        }
        relations.push(Relation {
            name,
            inverse: inverse.map(|(_, _, name)| name),
            constraint: raw.constraint,
            is_unique: raw.unique.unwrap_or_default(),
            from,
            to,
        });
    }
    relations
}

fn needed(
    text: Option<String>,
    example: &str,
    at: &KeyPath,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<String> {
    if text.is_none() {
        findings.find(
            at,
            format!("`{at}` has no {key}"),
            format!("add {key} = \"{example}\""),
        );
    }
    text
}

fn check_name(name: &str, at: &KeyPath, findings: &mut Findings<'_>) {
    let is_sign = |character: char| SIGNS.contains(&character) || character.is_control();
    if name.trim().is_empty() || name.contains(is_sign) {
        let what = format!("{name:?} cannot name a relation");
        findings.find(at, what, "write a name without `. , : ! ( )` and quotes");
    }
}

/// `orders.customer_id`, or `items.(tenant, order_id)`.
fn endpoint(
    text: &str,
    tables: &[TableConfig],
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Option<Endpoint> {
    const HELP: &str = "write TABLE.COLUMN, or TABLE.(COLUMN, COLUMN)";
    let several = text
        .strip_suffix(')')
        .and_then(|text| text.split_once(".("));
    let (table, columns) = match several {
        Some((table, columns)) => (table, columns.split(',').map(str::trim).collect()),
        None => match text.rsplit_once('.') {
            Some((table, column)) => (table, vec![column]),
            None => ("", Vec::new()),
        },
    };
    let is_unusable = |name: &&&str| name.is_empty() || name.contains(['(', ')']);
    let unusable = [&table].into_iter().chain(&columns).find(is_unusable);
    if unusable.is_some() || columns.is_empty() {
        findings.find(at, format!("`{at}`: {text:?} names no column"), HELP);
        return None;
    }
    let distinct: BTreeSet<&&str> = columns.iter().collect();
    if distinct.len() < columns.len() {
        findings.find(at, format!("`{at}` names a column twice"), HELP);
    }
    let is_this =
        |config: &&TableConfig| config.name.as_deref() == Some(table) || config.topic == table;
    if let Some(config) = tables.iter().find(is_this) {
        let is_dropped = |column: &&&str| config.columns.drop.iter().any(|drop| drop == **column);
        if let Some(column) = columns.iter().find(is_dropped) {
            let what = format!("`{at}` uses {column}, which is dropped from {table}");
            findings.find(at, what, "hash the column instead: equal values stay equal");
        }
    }
    Some(Endpoint {
        table: table.to_owned(),
        columns: columns.into_iter().map(str::to_owned).collect(),
    })
}
