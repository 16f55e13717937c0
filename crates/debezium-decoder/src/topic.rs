//! What the decoder remembers of one topic: its schemas, its current shape, its last source block.

use std::ops::Range;
use std::sync::Arc;

use row_model::{RecordFormat, Schema, SchemaHistory, SchemaId};
use serde::Deserialize;

use crate::DecodeError;
use crate::columns::ColumnRules;
use crate::connect_schema::Node;
use crate::documents::Documents;
use crate::flat::AddedColumns;
use crate::formats::PartFormat;
use crate::headers::HeaderMemory;
use crate::json_token::Token;
use crate::key::KeyShape;
use crate::nested::is_json;
use crate::outline::{Layout, Outline};
use crate::registry::utf8;
use crate::row_shape::{RowKey, RowShape};
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
    /// The shape of which a row had exactly the names in their order, where that row was in its record, and that record's
    /// layout.
    pub ordered: Option<(Arc<RowShape>, &'static str, Layout)>,
    pub kind: TopicKind,
    /// What config says of its columns.
    pub rules: Arc<ColumnRules>,
    /// What the topic's records have shown themselves to be.
    pub format: Option<RecordFormat>,
    /// The schema inside the data of cloud events.
    pub data_schema: SchemaMemory,
    /// The last shape that was made up here (messages, outbox events), and its number.
    pub made_schema: Option<(Schema, SchemaId)>,
    /// No column of the last shape could be null on the wire.
    pub has_no_nulls: bool,
    /// What is remembered of rows that are documents.
    pub documents: Documents,
    /// The columns that were added to flattened rows of this shape.
    added: Option<(Arc<RowShape>, Arc<AddedColumns>)>,
}

/// Said of rows in Protobuf without `optional`.
const NO_NULLS: &str = "the Protobuf schema of its rows has no scalar that can be null: a null of the source arrives as zero, false or an empty text. Set value.converter.optional.for.nullables=true in the connector";

/// What the topic's name tells, before any of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TopicKind {
    Heartbeat,
    /// As the outbox router names them by default.
    Outbox,
    Message,
    /// `<prefix>.transaction`; a table of that name has a topic of more parts.
    Transaction,
    Other,
}

impl TopicKind {
    fn of(topic: &str) -> Self {
        match topic.rsplit_once('.') {
            _ if topic.starts_with("__debezium-heartbeat.") => Self::Heartbeat,
            _ if topic.starts_with("outbox.event.") => Self::Outbox,
            Some((_, "message")) => Self::Message,
            Some((prefix, "transaction")) if !prefix.contains('.') => Self::Transaction,
            _ => Self::Other,
        }
    }
}

impl TopicState {
    pub fn new(topic: &str, history: Arc<SchemaHistory>) -> Self {
        Self {
            kind: TopicKind::of(topic),
            rules: Arc::default(),
            format: None,
            data_schema: SchemaMemory::default(),
            made_schema: None,
            has_no_nulls: false,
            added: None,
            documents: Documents::of(&history),
            history,
            headers: HeaderMemory::default(),
            source: SourceMemory::default(),
            key_schema: SchemaMemory::default(),
            value_schema: SchemaMemory::default(),
            key_row: None,
            key_shape: None,
            row_shape: None,
            ordered: None,
        }
    }

    /// The shape of the last row, if one with this schema and key has it as far as they tell.
    pub fn known_shape(
        &self,
        record: Option<&Arc<Node>>,
        key: Option<&Arc<KeyShape>>,
    ) -> Option<Arc<RowShape>> {
        let (shape, _) = self.row_shape.as_ref()?;
        (self.is_known_for(shape, key) && shape.is_made_from(record)).then(|| Arc::clone(shape))
    }

    /// True if this is the last row's shape and was made for this key.
    pub fn is_known_for(&self, shape: &Arc<RowShape>, key: Option<&Arc<KeyShape>>) -> bool {
        let Some((known, made_for)) = &self.row_shape else {
            return false;
        };
        let same_key = match (made_for, key) {
            (Some(known), Some(key)) => Arc::ptr_eq(known, key),
            (None, None) => true,
            _ => false,
        };
        same_key && Arc::ptr_eq(known, shape)
    }

    /// True if this part of a record with this layout has exactly the names of the shape, in its order.
    pub fn has_order(&self, shape: &Arc<RowShape>, part: &str, layout: Option<Layout>) -> bool {
        self.ordered.as_ref().is_some_and(|(known, of, ordered)| {
            Arc::ptr_eq(known, shape) && *of == part && Some(*ordered) == layout
        })
    }

    /// The columns of this shape that were added by the transform that flattened its rows.
    pub fn added_columns(&mut self, shape: &Arc<RowShape>) -> Arc<AddedColumns> {
        match &self.added {
            Some((known, added)) if Arc::ptr_eq(known, shape) => Arc::clone(added),
            _ => {
                let added = Arc::new(AddedColumns::of(shape));
                self.added = Some((Arc::clone(shape), Arc::clone(&added)));
                added
            }
        }
    }

    /// What readers of the table should know of how its records are written, once there is a row.
    pub fn notes(&self) -> Option<Vec<String>> {
        let has_rows = self.row_shape.is_some()
            || self.made_schema.is_some()
            || self.documents.columns.has_any();
        let says_something = !self.rules.is_empty() || self.has_no_nulls;
        (has_rows && says_something).then(|| {
            let mut notes = self.rules.notes();
            notes.extend(self.has_no_nulls.then(|| NO_NULLS.to_owned()));
            notes
        })
    }

    /// True if a record with this key and without a value is no deleted row: what its key names
    /// (a connector, a transaction) was never a row of this topic.
    pub fn is_no_row_key(&self, key: &KeyShape) -> bool {
        let of_no_row = match &key.names[..] {
            [name] if name == "serverName" => true,
            [name] if name == "id" => self.kind == TopicKind::Transaction,
            _ => false,
        };
        of_no_row && self.format.is_none() && self.history.shapes().is_empty()
    }

    /// What rows are known by whose records have a key of this shape.
    pub fn row_key<'k>(&'k self, key: Option<&'k Arc<KeyShape>>) -> Option<RowKey<'k>> {
        let key = key?;
        let read = self.key_shape.as_ref();
        let is_read = read.is_some_and(|read| Arc::ptr_eq(read, key));
        Some(RowKey {
            names: &key.names,
            shape: self.key_row.as_deref().filter(|_| is_read),
        })
    }

    /// Takes up a new shape of keys.
    pub fn learn_key(&mut self, shape: RowShape, bare: bool) -> Arc<RowShape> {
        let shape = shape.under(&self.rules);
        let names: Vec<String> = shape
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        let key = KeyShape {
            names,
            typed: shape.is_typed(),
            bare,
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
    /// What config says the part is written in.
    pub format: Option<PartFormat>,
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
    /// Of the payload.
    pub outline: &'a Outline,
}

/// What a part of a record is written to and outlined in, one record after another.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Takes what is no text by itself.
    pub text: String,
    pub outline: Outline,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithSchema<'a> {
    #[serde(borrow)]
    schema: Option<Token<'a>>,
    #[serde(borrow)]
    payload: Option<Token<'a>>,
}

impl SchemaMemory {
    /// Takes the payload out of its embedded schema, if there is one, and outlines it.
    pub fn unwrap<'a>(
        &mut self,
        bytes: &'a [u8],
        part: &'static str,
        outline: &'a mut Outline,
    ) -> Result<Unwrapped<'a>, DecodeError> {
        if let Some(payload) = self.known(bytes)
            && let Ok(payload) = std::str::from_utf8(payload)
        {
            outline.scan(payload);
            // Between the same prefix and a brace there may be more than one value.
            if outline.members().is_some() || is_json(payload) {
                return Ok(Unwrapped {
                    payload,
                    schema: self.node.clone(),
                    outline,
                });
            }
        }
        let (payload, schema) = self.split(utf8(bytes, part)?, part)?;
        outline.scan(payload);
        Ok(Unwrapped {
            payload,
            schema,
            outline,
        })
    }

    /// The payload, if the schema before it is the last one to the byte: those bytes are not even
    /// looked at for being text.
    fn known<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.prefix.is_empty() {
            return None;
        }
        let rest = bytes.strip_prefix(self.prefix.as_bytes())?;
        rest.strip_suffix(b"}")
    }

    fn split<'a>(
        &mut self,
        text: &'a str,
        part: &'static str,
    ) -> Result<(&'a str, Option<Arc<Node>>), DecodeError> {
        let plain = (text, None);
        // Connect writes the schema first; others may not, and are then not recognised by comparison.
        let may_be_wrapped = ["{\"schema\":", "{\"payload\":"]
            .iter()
            .any(|start| text.starts_with(start));
        if !may_be_wrapped {
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
        let payload = payload.map_or("null", Token::get);
        if !node.names_its_fields() {
            return Ok((payload, None));
        }
        let node = Arc::new(node);
        self.prefix.clear();
        if let Some(range) = span_in(text, payload).filter(|range| text[range.end..] == *"}") {
            self.prefix.push_str(&text[..range.start]);
        }
        self.node = Some(Arc::clone(&node));
        Ok((payload, Some(node)))
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
        let mut outline = Outline::default();
        let mut unwrap = |text: &'static str| {
            let unwrapped = memory.unwrap(text.as_bytes(), "value", &mut outline);
            let unwrapped = unwrapped.unwrap();
            (unwrapped.payload.to_owned(), unwrapped.schema.unwrap())
        };
        let (payload, first) = unwrap(int);
        assert_eq!(payload, "7");
        let (payload, again) = unwrap(r#"{"schema":{"type":"int32"},"payload":{"a":8}}"#);
        assert_eq!(payload, r#"{"a":8}"#);
        assert!(Arc::ptr_eq(&first, &again));
        let (_, other) = unwrap(r#"{"schema":{"type":"string"},"payload":"x"}"#);
        assert_eq!(other.kind, "string");
    }

    #[test]
    fn what_follows_a_known_schema_is_read_as_it_would_be_alone() {
        let mut memory = SchemaMemory::default();
        let mut outline = Outline::default();
        let mut has_schema = |text: &'static [u8]| {
            let unwrapped = memory.unwrap(text, "value", &mut outline);
            unwrapped.map(|unwrapped| unwrapped.schema.is_some())
        };
        assert_eq!(
            has_schema(br#"{"schema":{"type":"int32"},"payload":7}"#).ok(),
            Some(true)
        );
        for other in [
            &br#"{"schema":{"type":"int32"},"payload":7,"id":2}"#[..],
            br#"{"schema":{"type":"int32"},"payload":7}:8}"#,
        ] {
            assert_eq!(has_schema(other).ok(), Some(false));
        }
        let bad =
            has_schema(b"{\"schema\":{\"type\":\"int32\"},\"payload\":\"\xff\"}").unwrap_err();
        assert!(matches!(bad, DecodeError::NotText { at: 38, .. }), "{bad}");
    }

    #[test]
    fn a_payload_may_come_before_its_schema() {
        let text = r#"{"payload":{"a":8},"schema":{"type":"int32"}}"#;
        let mut memory = SchemaMemory::default();
        for _ in 0..2 {
            let (payload, schema) = memory.split(text, "value").unwrap();
            assert_eq!(payload, r#"{"a":8}"#);
            assert_eq!(schema.unwrap().kind, "int32");
        }
    }

    #[test]
    fn a_schema_that_names_no_fields_is_none() {
        let text = r#"{"schema":{"type":"struct","fields":[{"type":"int32","name":"id"}]},"payload":{"id":8}}"#;
        let mut memory = SchemaMemory::default();
        let (payload, schema) = memory.split(text, "key").unwrap();
        assert_eq!(payload, r#"{"id":8}"#);
        assert!(schema.is_none());
    }

    #[test]
    fn a_row_with_a_column_called_schema_is_a_row() {
        let text = r#"{"schema":{"type":"x"},"payload":1,"id":2}"#;
        let (payload, schema) = SchemaMemory::default().split(text, "value").unwrap();
        assert!(schema.is_none());
        assert_eq!(payload, text);
    }
}
