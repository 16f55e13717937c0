//! Whether a filter names the keys that rows must have, so that they can be looked up.
//!
//! Only ever a shortcut: what is found is tested against the whole filter like any other row.

use row_model::{ColumnType, KEY_BYTES_MAX, Schema, SchemaHistory, Value, encode_key_value};

use super::tests_of::is_modest;
use crate::literal;
use crate::tree::{Condition, Operand, Operator};

/// More keys than this are looked for by a scan.
const KEYS_MAX: usize = 1_000;

/// The keys of which a row that meets all conditions has one: `eq` or `in` on every key column.
/// `None` if there may be rows under other keys: those written before the table's key was changed.
pub(super) fn keys(
    filter: &[Condition],
    schema: &Schema,
    history: &SchemaHistory,
) -> Option<Vec<Vec<u8>>> {
    let names = schema.key.as_ref().filter(|names| !names.is_empty())?;
    let shapes = history.shapes();
    if shapes.iter().any(|shape| shape.key != schema.key) {
        return None;
    }
    let mut keys = vec![Vec::new()];
    for name in names {
        let kind = schema.columns[schema.column(name)?].kind;
        let ways = filter.iter().find_map(|part| ways(part, name, kind))?;
        if keys.len() * ways.len() > KEYS_MAX {
            return None;
        }
        let longer = |key: &Vec<u8>| {
            let key = key.clone();
            ways.iter()
                .map(move |way| [&key[..], way].concat())
                .collect::<Vec<_>>()
        };
        keys = keys.iter().flat_map(longer).collect();
    }
    keys.retain(|key| key.len() <= KEY_BYTES_MAX);
    keys.sort_unstable();
    keys.dedup();
    Some(keys)
}

/// The encodings of what a key column must be.
fn ways(condition: &Condition, name: &str, kind: ColumnType) -> Option<Vec<Vec<u8>>> {
    let test = match condition {
        Condition::All(parts) => return parts.iter().find_map(|part| ways(part, name, kind)),
        Condition::Test(test) => test,
        _ => return None,
    };
    if test.column.column != name || !test.column.steps.is_empty() || !has_one_encoding(kind) {
        return None;
    }
    let texts = match (&test.operand, test.operator) {
        (Operand::One(text), Operator::Eq) => std::slice::from_ref(text),
        (Operand::List(texts), Operator::In) => texts,
        _ => return None,
    };
    let (mut ways, mut certain) = (Vec::new(), true);
    for text in texts {
        if !is_modest(text) {
            return None;
        }
        let read = literal::each_value(kind, text, |value| match value {
            // Null is equal to nothing.
            Value::Null => {}
            // Equal to others that are spelled otherwise.
            Value::Json(_) => certain = false,
            value => {
                let mut way = Vec::new();
                encode_key_value(value, &mut way);
                ways.push(way);
            }
        });
        read.ok()?;
    }
    certain.then_some(ways)
}

/// Values that are equal have equal bytes in keys. JSON can be spelled in several ways.
fn has_one_encoding(kind: ColumnType) -> bool {
    !matches!(
        kind,
        ColumnType::EnumSet
            | ColumnType::Json
            | ColumnType::Array
            | ColumnType::Map
            | ColumnType::Struct
    )
}
