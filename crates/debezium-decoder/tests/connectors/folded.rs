//! The rows that changes lead to, by the plainest model there is: of each key the last write wins,
//! unless its position says that it is older than the one held.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use row_model::{Absent, ChangeBatch, ChangeKind, Row, SourcePosition, Value};

/// A row's cells by the names of their columns.
type Cells = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Slot {
    cells: Option<Cells>,
    streamed: Option<SourcePosition>,
}

/// Folds the changes and spells each cell with `spell`; nulls are left out.
pub(crate) fn fold(batch: &ChangeBatch, spell: impl Fn(Value<'_>) -> String) -> Vec<Cells> {
    let reasons: Vec<_> = batch
        .failures
        .iter()
        .map(|failure| &failure.reason)
        .collect();
    assert!(reasons.is_empty(), "{reasons:?}");
    let mut slots: BTreeMap<Vec<u8>, Slot> = BTreeMap::new();
    for change in &batch.changes {
        if change.kind == ChangeKind::Truncate {
            slots.clear();
        }
        if !matches!(change.kind, ChangeKind::Upsert | ChangeKind::Delete) {
            continue;
        }
        let key = batch.slice(&change.key).to_vec();
        assert!(!key.is_empty(), "{change:?}");
        let slot = slots.entry(key).or_default();
        let held = slot.streamed;
        if let (Some(at), Some(held)) = (change.position, held)
            && at.is_before(&held)
        {
            continue;
        }
        if change.snapshot.is_none() {
            slot.streamed = change.position;
        }
        if change.kind == ChangeKind::Delete {
            slot.cells = None;
            continue;
        }
        let schema = batch.schemas.as_ref().unwrap().get(change.schema).unwrap();
        let row = Row::new(batch.slice(&change.row));
        assert_eq!(row.len(), schema.columns.len());
        let held = slot.cells.take();
        let mut cells = Cells::new();
        for (at, (column, value)) in schema.columns.iter().zip(row.iter()).enumerate() {
            let stays = matches!(row.absent(at), Some(Absent::Unset | Absent::Kept));
            let held = held.as_ref().filter(|_| stays);
            let held = held.map(|held| held.get(&column.name).map_or("null", String::as_str));
            let spelled = held.map_or_else(|| spell(value), str::to_owned);
            if spelled != "null" {
                cells.insert(column.name.clone(), spelled);
            }
        }
        slot.cells = Some(cells);
    }
    slots.into_values().filter_map(|slot| slot.cells).collect()
}

/// The rows, a line each, for review.
pub(crate) fn shown(batch: &ChangeBatch) -> String {
    let mut out = String::new();
    for cells in fold(batch, |value| match value {
        Value::Null => "null".to_owned(),
        other => format!("{other:?}"),
    }) {
        let cells = cells.iter().map(|(name, value)| format!("{name}: {value}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(", ")).unwrap();
    }
    out
}

/// As JSON, as far as the documented examples go.
pub(crate) fn json(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => serde_json::Value::from(text).to_string(),
        Value::Number(text) | Value::Json(text) => text.to_owned(),
        Value::Unavailable => "unavailable".to_owned(),
        other => format!("{other:?}"),
    }
}
