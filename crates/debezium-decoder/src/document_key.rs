//! Keys of documents: the record's, in the connector's own extended JSON, or the document's.
//!
//! Invariant: of one document both are the same key, whatever they spell it like.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Value, encode_key};

use crate::DecodeError;
use crate::decoding::Decoding;
use crate::documents::{ID, KEY_ID};
use crate::extended_json::{Cell, Field, as_json};
use crate::headers::HeaderFacts;
use crate::images::KeyPart;
use crate::json_token::{self, Token};
use crate::key::KeyShape;
use crate::nested::members;

/// A key, and the value it spells if the record had it.
pub(crate) struct DocumentKey {
    pub range: Range<u32>,
    pub id: Option<Cell<'static>>,
    pub names: Arc<KeyShape>,
}

impl Decoding<'_> {
    /// A key in the connector's own spelling; `None` for any other.
    pub fn document_key_part(
        &mut self,
        record: &RecordRef<'_>,
    ) -> Result<Option<KeyPart>, DecodeError> {
        let key = self.spelled_key(record)?;
        Ok(key.map(|key| KeyPart {
            range: key.range,
            shape: Some(key.names),
            other: 0..0,
        }))
    }

    fn spelled_key(&mut self, record: &RecordRef<'_>) -> Result<Option<DocumentKey>, DecodeError> {
        let Some(key) = record.key else {
            return Ok(None);
        };
        let memory = &mut self.topic.key_schema;
        let key = self
            .registered
            .unwrap(key, "key", memory, self.reading_key)?;
        let payload = key.payload.to_owned();
        let Some(spelled) = spelled_id(&payload) else {
            return Ok(None);
        };
        let json = as_json(&spelled, "key")?;
        let id = match serde_json::from_str::<Token<'_>>(&json) {
            Ok(token) => Cell::of_key(token),
            // A transform took it out of its extended JSON.
            Err(_) => Cell::Text(Cow::Owned(spelled.into_owned())),
        };
        let id = self.seen_key(ID, id)?;
        let range = self.encoded_key([id.value()])?;
        Ok(Some(DocumentKey {
            range,
            id: Some(id),
            names: Arc::clone(&self.topic.documents.key),
        }))
    }

    /// The key of the record, or, where it has none, the declared columns of its document or its `_id`.
    pub fn key_of_document(
        &mut self,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
        fields: &[Field<'_>],
    ) -> Result<DocumentKey, DecodeError> {
        if let Some(key) = self.spelled_key(record)? {
            return Ok(key);
        }
        if record.key.is_some() {
            let part = self.key(record, headers)?;
            if let Some(names) = part.shape {
                return Ok(DocumentKey {
                    range: part.range,
                    id: None,
                    names,
                });
            }
        }
        let names = Arc::clone(self.declared_key.unwrap_or(&self.topic.documents.key));
        let mut cells = Vec::with_capacity(names.names.len());
        for name in &names.names {
            let field = fields.iter().rfind(|field| field.name == *name);
            let field = field.ok_or_else(|| DecodeError::NoKeyColumn {
                column: name.clone(),
            })?;
            cells.push(self.seen_key(name, Cell::of_key(field.token))?);
        }
        let range = self.encoded_key(cells.iter().map(Cell::value))?;
        let id = cells.pop().filter(|_| names.names == [ID]);
        Ok(DocumentKey { range, id, names })
    }

    /// A value of a key as it may be seen.
    fn seen_key(&self, column: &str, cell: Cell<'static>) -> Result<Cell<'static>, DecodeError> {
        let seen = self.seen(column, cell);
        seen.ok_or_else(|| DecodeError::KeyDropped {
            column: column.to_owned(),
        })
    }

    fn encoded_key<'v>(
        &mut self,
        values: impl IntoIterator<Item = Value<'v>>,
    ) -> Result<Range<u32>, DecodeError> {
        let start = self.out.bytes.len();
        encode_key(values, &mut self.out.bytes)?;
        Ok(self.since(start))
    }
}

/// The id in a key's payload as the connector spells it: a text in a struct, or what a transform left
/// of that. `None` for a key that is made of something else.
fn spelled_id(payload: &str) -> Option<Cow<'_, str>> {
    match payload.as_bytes().first()? {
        b'{' => match &members(payload)?[..] {
            [(name, token)] if name == KEY_ID => json_token::text(*token),
            [(name, _), ..] if name.starts_with('$') => Some(Cow::Borrowed(payload)),
            _ => None,
        },
        b'"' => json_token::text(serde_json::from_str(payload).ok()?),
        b'n' | b'S' => None,
        _ => Some(Cow::Borrowed(payload)),
    }
}
