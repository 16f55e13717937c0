//! What a decoded batch says, in words that can be compared: numbers of schemas and source tables
//! replaced by what they stand for.

use std::fmt::Write as _;

use query::json::write_value;
use row_model::{Change, ChangeBatch, Row, Schema, Value};

/// What reading a cell may cost beyond what it takes in its row. A decimal is written with all digits of its scale.
const CELL_JSON_BYTES_MAX: usize = 200_000;
/// JSON spells a byte in at most six: `\u0000`.
const JSON_BYTES_PER_BYTE: usize = 6;

/// What one change means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The source table; `None` for the first one, which a record that does not say it counts as one of.
    origin: Option<String>,
    said: String,
}

impl Meaning {
    /// Whether it is the same as that of a record that was decoded alone, where every table is the first.
    pub fn is_that_of_alone(&self, alone: &Self, origin: Option<&String>) -> bool {
        self.said == alone.said && (self.origin.is_none() || self.origin.as_ref() == origin)
    }
}

/// Checks on the way that all of it can be read.
pub fn of_change(out: &ChangeBatch, change: &Change) -> Meaning {
    let mut text = format!(
        "{:?} {:?} at {:?} of {:?} in {:?}, {:?} {:?} {}",
        change.kind,
        change.snapshot,
        change.position,
        change.run,
        change.transaction,
        change.commit_ms,
        change.connector_ms,
        change.key_change,
    );
    let schemas = out.schemas.as_ref();
    let history = schemas.unwrap_or_else(|| panic!("a change without the schemas of its topic"));
    let _ = write!(text, " key {:02x?}", out.slice(&change.key));
    for (part, range) in [("row", &change.row), ("before", &change.before)] {
        if range.is_empty() {
            continue;
        }
        let schema = history.get(change.schema);
        let schema = schema.unwrap_or_else(|| panic!("a row without a shape: {change:?}"));
        let _ = write!(text, " {part} by {:?}", schema.key);
        write_row(&mut text, Row::new(out.slice(range)), &schema);
    }
    let origins = history.origins();
    let origin = usize::from(change.origin.0);
    Meaning {
        origin: origins.get(origin).cloned().filter(|_| origin > 0),
        said: text,
    }
}

fn write_row(text: &mut String, row: Row<'_>, schema: &Schema) {
    assert_eq!(row.len(), schema.columns.len(), "cells and columns");
    let mut json = Vec::new();
    let mut cells = Vec::new();
    for (place, column) in schema.columns.iter().enumerate() {
        let value = row.get(place);
        let value = value.unwrap_or_else(|| panic!("column {place} cannot be read: {row:?}"));
        json.clear();
        write_value(value, &mut json);
        let json_bytes_max = CELL_JSON_BYTES_MAX + JSON_BYTES_PER_BYTE * row.as_bytes().len();
        assert!(json.len() <= json_bytes_max, "{} bytes of JSON", json.len());
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok();
        assert!(is_json, "{value:?} of {column:?} is answered as no JSON");
        // Documents show their columns and types one after another: what is null or was not sent may be a
        // column of others, and a type is what all so far had.
        if !matches!(value, Value::Null | Value::Unavailable) {
            let json = String::from_utf8_lossy(&json);
            cells.push(format!("{:?}={json}", column.name));
        }
    }
    cells.sort();
    let _ = write!(text, " {cells:?}");
}
