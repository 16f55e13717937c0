//! The same rows in `SQLite`, and the same questions as SQL.

use std::fmt::Write;

use row_model::ColumnType;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value as Json};

use super::{Relation, related_when, ways_from};
use crate::fixture::site::{Plain, Rows, SHAPES};
use crate::tree::{Condition, Operand, Operator, Ordered, Query, RelationRef, SelectedWhat};

pub(super) fn database(rows: &Rows) -> Connection {
    let database = Connection::open_in_memory().unwrap();
    for (table, rows) in SHAPES.iter().zip(rows) {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let create = format!("CREATE TABLE {} ({})", table.name, names.join(","));
        database.execute_batch(&create).unwrap();
        for row in rows {
            let cells: Vec<String> = row.iter().map(literal).collect();
            let insert = format!("INSERT INTO {} VALUES ({})", table.name, cells.join(","));
            database.execute_batch(&insert).unwrap();
        }
    }
    database
}

fn literal(cell: &Plain) -> String {
    match cell {
        Plain::Null => "NULL".to_owned(),
        Plain::Int(number) => number.to_string(),
        Plain::Text(text) => format!("'{text}'"),
    }
}

/// A condition on row `o` of a table.
pub(super) fn sql(condition: &Condition, table: usize, o: &str) -> String {
    let all = |parts: &[Condition], word: &str, none: &str| {
        let parts: Vec<String> = parts.iter().map(|part| sql(part, table, o)).collect();
        if parts.is_empty() {
            none.to_owned()
        } else {
            format!("({})", parts.join(word))
        }
    };
    match condition {
        Condition::All(parts) => all(parts, " AND ", "TRUE"),
        Condition::Any(parts) => all(parts, " OR ", "FALSE"),
        Condition::Not(part) => format!("NOT {}", sql(part, table, o)),
        Condition::Related(related) => {
            let way = way_named(table, &related.relation);
            exists(way, o, &related.filter)
        }
        Condition::Test(test) => {
            let name = &test.column.column;
            let text = SHAPES[table]
                .columns
                .iter()
                .any(|(column, kind)| column == name && *kind == ColumnType::Text);
            let quoted = |value: &String| {
                if text {
                    format!("'{value}'")
                } else {
                    value.clone()
                }
            };
            let of = |operator: &str, value: &String| {
                format!("({o}.{name} {operator} {})", quoted(value))
            };
            match (&test.operand, test.operator) {
                (Operand::Is(_), _) => format!("({o}.{name} IS NULL)"),
                (Operand::List(values), _) => {
                    let values: Vec<String> = values.iter().map(quoted).collect();
                    format!("({o}.{name} IN ({}))", values.join(","))
                }
                (Operand::One(value), Operator::Eq) => of("=", value),
                (Operand::One(value), Operator::Gte) => of(">=", value),
                (Operand::One(value), Operator::Lt) => of("<", value),
                (Operand::One(value), Operator::Starts) => {
                    format!("(substr({o}.{name}, 1, {}) = '{value}')", value.len())
                }
                (Operand::One(value), _) => of("<>", value),
                (Operand::Column(_), _) => unreachable!("none is asked"),
            }
        }
    }
}

fn way_named(table: usize, relation: &RelationRef) -> &'static Relation {
    let mut ways = ways_from(table).iter();
    ways.find(|way| way.0 == relation.name).unwrap()
}

/// A row `x` is there that is related to `o` and meets all of these.
fn exists(way: &Relation, o: &str, filter: &[Condition]) -> String {
    let inner = format!("{o}x");
    let mut out = format!(
        "EXISTS (SELECT 1 FROM {} {inner} WHERE {}",
        SHAPES[way.1].name,
        related_when(way, o, &inner)
    );
    for part in filter {
        write!(out, " AND {}", sql(part, way.1, &inner)).unwrap();
    }
    out + ")"
}

/// What embeds without which a row is not shown ask of row `o`.
fn required(query: &Query, table: usize, o: &str, out: &mut String) {
    for item in query.select.iter().flatten() {
        let SelectedWhat::Embed(embed) = &item.what else {
            continue;
        };
        if !embed.required {
            continue;
        }
        let way = way_named(table, &embed.relation);
        let mut found = exists(way, o, &embed.query.filter);
        found.pop();
        required(&embed.query, way.1, &format!("{o}x"), &mut found);
        write!(out, " AND {found})").unwrap();
    }
}

fn order_by(order: &[Ordered], table: usize, o: &str) -> String {
    let mut out = String::new();
    for item in order {
        let by = match &item.by.via[..] {
            [] => format!("{o}.{}", item.by.column),
            via => {
                let way = way_named(table, &via[0]);
                let inner = SHAPES[way.1].name;
                let when = related_when(way, o, "v");
                format!("(SELECT v.{} FROM {inner} v WHERE {when})", item.by.column)
            }
        };
        let direction = if item.descending { "DESC" } else { "ASC" };
        let nulls = if item.nulls_first { "FIRST" } else { "LAST" };
        write!(out, "{by} {direction} NULLS {nulls}, ").unwrap();
    }
    let key = &SHAPES[table].columns[..SHAPES[table].key];
    let key: Vec<String> = key.iter().map(|(name, _)| format!("{o}.{name}")).collect();
    out + &key.join(", ")
}

pub(super) fn selected(database: &Connection, statement: &str) -> Vec<Vec<Json>> {
    let mut prepared = database
        .prepare(statement)
        .unwrap_or_else(|error| panic!("{error}: {statement}"));
    let width = prepared.column_count();
    let mut rows = prepared.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cells = (0..width).map(|at| match row.get_ref(at).unwrap() {
            ValueRef::Integer(number) => Json::from(number),
            ValueRef::Text(text) => Json::from(std::str::from_utf8(text).unwrap()),
            _ => Json::Null,
        });
        all.push(cells.collect());
    }
    all
}

/// The rows of a query as objects, with all that stands inside them.
pub(super) fn expected(
    database: &Connection,
    query: &Query,
    table: usize,
    when: &str,
    is_many: bool,
) -> (Json, bool) {
    let shape = &SHAPES[table];
    let mut statement = format!("SELECT * FROM {} a WHERE {when}", shape.name);
    for part in &query.filter {
        write!(statement, " AND {}", sql(part, table, "a")).unwrap();
    }
    required(query, table, "a", &mut statement);
    write!(
        statement,
        " ORDER BY {}",
        order_by(&query.order, table, "a")
    )
    .unwrap();
    let rows = selected(database, &statement);
    let wanted = rows.iter().skip(query.offset);
    let limit = query.limit.unwrap_or(usize::MAX);
    let more = rows.len() > query.offset.saturating_add(limit);
    let objects = wanted.take(limit).map(|row| {
        let mut object = Map::new();
        let mut cut = Vec::new();
        for item in query.select.iter().flatten() {
            let SelectedWhat::Embed(embed) = &item.what else {
                continue;
            };
            let label = item.alias.clone().unwrap();
            let way = way_named(table, &embed.relation);
            let mut when = related_when(way, "{o}", "a");
            for ((name, kind), cell) in shape.columns.iter().zip(row) {
                let quoted = match (kind, cell) {
                    (_, Json::Null) => "NULL".to_owned(),
                    (ColumnType::Text, cell) => format!("'{}'", cell.as_str().unwrap()),
                    (_, cell) => cell.to_string(),
                };
                when = when.replace(&format!("{{o}}.{name}"), &quoted);
            }
            let (rows, more) = expected(database, &embed.query, way.1, &when, way.3);
            if more {
                cut.push(Json::from(label.clone()));
            }
            object.insert(label, rows);
        }
        for ((name, _), cell) in shape.columns.iter().zip(row) {
            object.insert((*name).to_owned(), cell.clone());
        }
        if !cut.is_empty() {
            object.insert("truncated".to_owned(), Json::Array(cut));
        }
        Json::Object(object)
    });
    let mut objects: Vec<Json> = objects.collect();
    if is_many {
        (Json::Array(objects), more)
    } else {
        let first = (!objects.is_empty()).then(|| objects.swap_remove(0));
        (first.unwrap_or(Json::Null), more)
    }
}
