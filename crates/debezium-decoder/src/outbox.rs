//! Events of an outbox (`EventRouter`): rows of an append-only table, keyed by the event's id.
//!
//! The value may be anything: JSON, a string that holds JSON, text, or nothing. What names an event
//! is its header `id`, beside a key that is no struct (the aggregate's id).

use change_feed::RecordRef;
use row_model::{Change, Column, ColumnType, RecordFormat, Value};

use crate::connect_schema::Node;
use crate::decoding::Decoding;
use crate::headers::{self, EVENT_ID, HeaderFacts};
use crate::json_token::Token;
use crate::nested::{is_json, members};
use crate::semantic::Semantic;
use crate::{DecodeError, json_token};

const ID: &str = "id";
const AGGREGATE_ID: &str = "aggregateid";
const PAYLOAD: &str = "payload";

impl Decoding<'_> {
    pub fn outbox_event(
        &mut self,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        self.enters(RecordFormat::Outbox)?;
        let facts: Vec<_> = record
            .headers()
            .filter(|header| !header.name.starts_with("__debezium."))
            .map(|header| (header.name, header.value.and_then(headers::plain)))
            .collect();
        let id = facts.iter().find(|(name, _)| *name == EVENT_ID);
        let id = id.and_then(|(_, id)| id.clone());
        let id = id.ok_or(DecodeError::NoEventId)?;
        self.builder.clear();
        let mut columns = vec![
            column(ID, ColumnType::Text, false),
            column(AGGREGATE_ID, ColumnType::Text, true),
        ];
        self.builder.push(Value::Text(&id));
        self.push_aggregate(record)?;
        let taken: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
        self.push_value(record, &taken, &mut columns)?;
        for (name, value) in &facts {
            if columns.iter().any(|column| column.name == *name) {
                continue;
            }
            columns.push(column(name, ColumnType::Text, true));
            self.builder
                .push(value.as_deref().map_or(Value::Null, Value::Text));
        }
        let change = self.made_row(record.offset, columns)?;
        self.topic.format = Some(RecordFormat::Outbox);
        Ok(Change {
            run: headers.run,
            ..change
        })
    }

    fn push_aggregate(&mut self, record: &RecordRef<'_>) -> Result<(), DecodeError> {
        let Some(key) = record.key else {
            self.builder.push(Value::Null);
            return Ok(());
        };
        let memory = &mut self.topic.key_schema;
        let key = self
            .registered
            .unwrap(key, "key", memory, self.reading_key)?;
        let payload = key.payload;
        let unquoted = serde_json::from_str::<Token<'_>>(payload)
            .ok()
            .and_then(json_token::text);
        self.builder.push(match (&unquoted, payload) {
            (Some(text), _) => Value::Text(text),
            (None, "null") => Value::Null,
            // A number, or the bare text of the string converter.
            (None, text) => Value::Text(text),
        });
        Ok(())
    }

    /// The payload, with the fields that were placed beside it.
    fn push_value(
        &mut self,
        record: &RecordRef<'_>,
        taken: &[&str],
        columns: &mut Vec<Column>,
    ) -> Result<(), DecodeError> {
        let Some(value) = record.value else {
            return self.push_payload("null", None, columns);
        };
        let memory = &mut self.topic.value_schema;
        let mut reading = std::mem::take(self.reading_value);
        let unwrapped = self
            .registered
            .unwrap(value, "value", memory, &mut reading)?;
        let schema = unwrapped.schema.as_deref();
        let spread = fields(unwrapped.payload).filter(|fields| {
            let is_free =
                |name: &str| name != AGGREGATE_ID && (name == PAYLOAD || !taken.contains(&name));
            fields.iter().any(|(name, _)| name == PAYLOAD)
                && fields.iter().all(|(name, _)| is_free(name))
        });
        let Some(fields) = spread else {
            return self.push_payload(unwrapped.payload, schema, columns);
        };
        for (name, token) in fields {
            let node = schema.and_then(|schema| schema.field(&name));
            if name == PAYLOAD {
                self.push_payload(token.get(), node, columns)?;
                continue;
            }
            let semantic = node.map_or(Semantic::Untyped, Semantic::of);
            let kind = self.push_made(&name, token, &semantic)?;
            columns.push(column(&name, kind, true));
        }
        Ok(())
    }

    /// A string that holds a JSON object or array is that; any other text is text.
    fn push_payload(
        &mut self,
        payload: &str,
        node: Option<&Node>,
        columns: &mut Vec<Column>,
    ) -> Result<(), DecodeError> {
        let semantic = node.map_or(Semantic::Untyped, Semantic::of);
        let may_hold_json = matches!(
            semantic,
            Semantic::Untyped | Semantic::Text(_) | Semantic::Json
        );
        let kind = match semantic.column_type() {
            _ if may_hold_json => ColumnType::Json,
            other => other,
        };
        columns.push(column(PAYLOAD, kind, true));
        let Ok(token) = serde_json::from_str::<Token<'_>>(payload) else {
            // The string converter's.
            self.builder.push(Value::Text(payload));
            return Ok(());
        };
        match json_token::text(token).filter(|_| may_hold_json) {
            Some(text) if text.starts_with(['{', '[']) && is_json(&text) => {
                self.builder.push(Value::Json(&text));
                Ok(())
            }
            Some(text) => {
                self.builder.push(Value::Text(&text));
                Ok(())
            }
            None => self.push_made(PAYLOAD, token, &semantic).map(|_| ()),
        }
    }
}

/// The members of an object of which the payload is one.
fn fields(payload: &str) -> Option<Vec<(String, Token<'_>)>> {
    payload.starts_with('{').then(|| members(payload))?
}

fn column(name: &str, kind: ColumnType, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable,
    }
}
