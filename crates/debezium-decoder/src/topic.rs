//! What the decoder remembers of one topic: its schemas, its current shape, its last source block.

use std::ops::Range;
use std::sync::Arc;

use row_model::SchemaHistory;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::DecodeError;
use crate::connect_schema::Node;
use crate::headers::HeaderMemory;
use crate::key::KeyShape;
use crate::row_shape::RowShape;
use crate::source_block::SourceMemory;

/// State of one topic in one decoder.
#[derive(Debug)]
pub(crate) struct TopicState {
    pub history: Arc<SchemaHistory>,
    pub headers: HeaderMemory,
    pub source: SourceMemory,
    pub key_schema: SchemaMemory,
    pub value_schema: SchemaMemory,
    /// How the last key was read, and which columns it had.
    pub key_row: Option<Arc<RowShape>>,
    pub key_shape: Option<Arc<KeyShape>>,
    /// The shape of the last row, with the key it was made for.
    pub row_shape: Option<(Arc<RowShape>, Option<Arc<KeyShape>>)>,
}

impl TopicState {
    pub fn new(history: Arc<SchemaHistory>) -> Self {
        Self {
            history,
            headers: HeaderMemory::default(),
            source: SourceMemory::default(),
            key_schema: SchemaMemory::default(),
            value_schema: SchemaMemory::default(),
            key_row: None,
            key_shape: None,
            row_shape: None,
        }
    }

    /// Takes up a new shape of keys.
    pub fn learn_key(&mut self, shape: RowShape) -> Arc<RowShape> {
        let names: Vec<String> = shape
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        let key = KeyShape {
            names,
            typed: shape.is_typed(),
        };
        if self.key_shape.as_deref() != Some(&key) {
            self.key_shape = Some(Arc::new(key));
        }
        let shape = Arc::new(shape);
        self.key_row = Some(Arc::clone(&shape));
        shape
    }
}

/// The embedded schema met last: as text, to recognise it, and parsed.
#[derive(Debug, Default)]
pub(crate) struct SchemaMemory {
    /// Everything before the payload: `{"schema":{…},"payload":`.
    prefix: String,
    node: Option<Arc<Node>>,
}

/// A record's payload, and the schema that was around it.
#[derive(Debug)]
pub(crate) struct Unwrapped<'a> {
    pub payload: &'a str,
    /// The same reference for as long as the schema repeats.
    pub schema: Option<Arc<Node>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithSchema<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl SchemaMemory {
    /// Takes the payload out of its embedded schema, if there is one.
    pub fn unwrap<'a>(
        &mut self,
        text: &'a str,
        part: &'static str,
    ) -> Result<Unwrapped<'a>, DecodeError> {
        if !self.prefix.is_empty()
            && let Some(payload) = text
                .strip_prefix(self.prefix.as_str())
                .and_then(|rest| rest.strip_suffix('}'))
        {
            return Ok(Unwrapped {
                payload,
                schema: self.node.clone(),
            });
        }
        let plain = Unwrapped {
            payload: text,
            schema: None,
        };
        if !text.starts_with("{\"schema\":") {
            return Ok(plain);
        }
        // A row may have columns of these names: only exactly the two members are an embedded schema.
        let Ok(WithSchema {
            schema: Some(schema),
            payload,
        }) = serde_json::from_str::<WithSchema<'_>>(text)
        else {
            return Ok(plain);
        };
        let node: Node = serde_json::from_str(schema.get())
            .map_err(|error| DecodeError::malformed(part, &error))?;
        let node = Arc::new(node);
        let payload = payload.map_or("null", RawValue::get);
        self.prefix.clear();
        if let Some(range) = span_in(text, payload).filter(|range| text[range.end..] == *"}") {
            self.prefix.push_str(&text[..range.start]);
        }
        self.node = Some(Arc::clone(&node));
        Ok(Unwrapped {
            payload,
            schema: Some(node),
        })
    }
}

/// Where `part`, a piece of `whole` borrowed by the parser, lies in it.
fn span_in(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let range = start..start.checked_add(part.len())?;
    (whole.get(range.clone())? == part).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_schema_is_recognised_and_a_new_one_is_read() {
        let mut memory = SchemaMemory::default();
        let int = r#"{"schema":{"type":"int32"},"payload":7}"#;
        let first = memory.unwrap(int, "value").unwrap();
        assert_eq!(first.payload, "7");
        let again = memory
            .unwrap(r#"{"schema":{"type":"int32"},"payload":{"a":8}}"#, "value")
            .unwrap();
        assert_eq!(again.payload, r#"{"a":8}"#);
        assert!(Arc::ptr_eq(&first.schema.unwrap(), &again.schema.unwrap()));
        let other = memory
            .unwrap(r#"{"schema":{"type":"string"},"payload":"x"}"#, "value")
            .unwrap();
        assert_eq!(other.schema.unwrap().kind, "string");
    }

    #[test]
    fn a_row_with_a_column_called_schema_is_a_row() {
        let text = r#"{"schema":{"type":"x"},"payload":1,"id":2}"#;
        let unwrapped = SchemaMemory::default().unwrap(text, "value").unwrap();
        assert!(unwrapped.schema.is_none());
        assert_eq!(unwrapped.payload, text);
    }
}
