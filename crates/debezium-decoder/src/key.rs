//! The key of a record: its columns, and its bytes.

use std::sync::Arc;

use crate::DecodeError;
use crate::columns::Treatment;
use crate::json_token::Token;
use crate::row_shape::RowShape;
use crate::row_text::RowText;
use crate::topic::{TopicState, Unwrapped};
use row_model::{KEY_BYTES_MAX, Row, RowBuilder, encode_key, encode_key_value};

/// The column name of a key that is a bare value (a transform took it out of its struct). Which
/// column of the row it was is not known, so it is none that a row is likely to have.
const BARE_KEY_COLUMN: &str = "__key";

/// The key columns of a topic, in key order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyShape {
    pub names: Vec<String>,
    /// From an embedded schema: its values have types.
    pub typed: bool,
    /// The key is a bare value: its one column is none of the row's.
    pub bare: bool,
}

/// Decodes the key in `text` and appends its encoding to `out`; `None` for a null key.
pub(crate) fn decode(
    unwrapped: &Unwrapped<'_>,
    topic: &mut TopicState,
    builder: &mut RowBuilder,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Option<Arc<KeyShape>>, DecodeError> {
    if unwrapped.payload == "null" {
        return Ok(None);
    }
    if unwrapped.payload.starts_with("Struct{") {
        return Err(DecodeError::JavaText { part: "key" });
    }
    let wrapped;
    let text;
    let bare = !unwrapped.payload.starts_with('{');
    let node = if bare {
        wrapped = in_a_struct(unwrapped.payload);
        text = RowText::of_text(&wrapped);
        None
    } else {
        text = RowText::of_value(unwrapped);
        unwrapped.schema.as_ref()
    };
    let known = topic
        .key_row
        .clone()
        .filter(|shape| shape.is_made_from(node));
    let (shape, tokens) = match (node, known) {
        (Some(_), Some(shape)) => {
            let tokens = text.read(Some(&shape), "key")?;
            (shape, tokens)
        }
        (Some(node), _) => {
            let shape = topic.learn_key(RowShape::of_key_schema(node), bare);
            let tokens = text.read(Some(&shape), "key")?;
            (shape, tokens)
        }
        (None, known) => {
            let tokens = text.read(known.as_deref(), "key")?;
            match (known, tokens.other_names()) {
                (Some(shape), None) => (shape, tokens),
                (_, names) => {
                    let names = names.unwrap_or_default().iter().map(AsRef::as_ref);
                    (topic.learn_key(RowShape::of_key_names(names), bare), tokens)
                }
            }
        }
    };
    if let Some(column) = shape.dropped() {
        return Err(DecodeError::KeyDropped {
            column: column.to_owned(),
        });
    }
    // Which column of the row it was is not known, so it may be one that must not be seen.
    if bare && topic.rules.hides() && topic.rules.treatment(BARE_KEY_COLUMN) == Treatment::Keep {
        return Err(DecodeError::BareKeyHides);
    }
    // As it was sent: the other half of a key change is read by it.
    scratch.clear();
    tokens.encode_plain(&shape, builder, scratch)?;
    shape.encode_key(Row::new(scratch), out)?;
    Ok(topic.key_shape.clone())
}

/// A bare value, or the bare text of the string converter, as the one member of an object.
fn in_a_struct(bare: &str) -> String {
    match serde_json::from_str::<Token<'_>>(bare) {
        Ok(_) => format!("{{\"{BARE_KEY_COLUMN}\":{bare}}}"),
        Err(_) => format!(
            "{{\"{BARE_KEY_COLUMN}\":{}}}",
            serde_json::Value::from(bare)
        ),
    }
}

/// Checks that the row says of its key columns what the key says. Columns that only the key has
/// (a router added them) and keys of another encoding than the row's are left alone.
pub(crate) fn check_against_row(
    key: &[u8],
    shape: &KeyShape,
    row_shape: &RowShape,
    row: Row<'_>,
) -> Result<(), DecodeError> {
    if shape.bare || shape.typed != row_shape.is_typed() {
        return Ok(());
    }
    let mut encoded = Vec::with_capacity(key.len().min(KEY_BYTES_MAX));
    let mut last = None;
    for name in &shape.names {
        let Some(value) = row_shape.cell(name).and_then(|cell| row.get(cell)) else {
            return Ok(());
        };
        encode_key_value(value, &mut encoded);
        if !key.starts_with(&encoded) {
            return Err(DecodeError::KeyMismatch {
                column: name.clone(),
            });
        }
        last = Some(name);
    }
    match last {
        Some(name) if encoded.len() != key.len() => Err(DecodeError::KeyMismatch {
            column: name.clone(),
        }),
        _ => Ok(()),
    }
}

/// Encodes the key that lies in these columns of a row.
pub(crate) fn encode_from_row(
    declared: &KeyShape,
    shape: &RowShape,
    row: Row<'_>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    for name in &declared.names {
        let value = shape.cell(name).and_then(|cell| row.get(cell));
        let value = value.ok_or_else(|| DecodeError::NoKeyColumn {
            column: name.clone(),
        })?;
        encode_key([value], out)?;
    }
    Ok(())
}
