//! Changes of documents (MongoDB): images that are texts of extended JSON, and keys that are too.
//!
//! A document becomes a row of its top-level fields. Its key column is `_id`, whatever the record's key
//! calls it; keys are compared by the value they spell, because key and document spell it differently.
//! An update without the document is merged: the fields it names are set, those it removed are null, and
//! a field of which it changed only a part (`address.city`, an array cut short) is lost until the
//! document is sent again. Refuses to invent: an update that says nothing changes nothing.

use std::borrow::Cow;
use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Absent, Change, ChangeKind, ColumnType, SchemaHistory, Value};
use serde::Deserialize;

use crate::DecodeError;
use crate::block::Connector;
use crate::columns::Treatment;
use crate::data_change::Event;
use crate::decoding::Decoding;
use crate::document_columns::{DocumentColumns, Placement};
use crate::document_key::DocumentKey;
use crate::envelope::Op;
use crate::extended_json::{self, Cell, Field, as_json};
use crate::headers::HeaderFacts;
use crate::images::Image;
use crate::json_token::{self, Token};
use crate::key::KeyShape;
use crate::row_shape::RowShape;

/// The key of every collection.
pub(crate) const ID: &str = "_id";
/// What the records' keys call it.
pub(crate) const KEY_ID: &str = "id";
const BEFORE: &str = "document in `before`";
const AFTER: &str = "document in `after`";

/// What is remembered of a topic of documents.
#[derive(Debug)]
pub(crate) struct Documents {
    pub columns: DocumentColumns,
    pub key: Arc<KeyShape>,
    /// A record with an envelope around a document was met: keys are extended JSON.
    pub are_met: bool,
    /// How the last flattened document was read.
    pub flat_shape: Option<Arc<RowShape>>,
}

impl Documents {
    /// What a topic's history tells: only shapes of documents are keyed by an `_id` that, because the
    /// record's key has it too, is never null.
    pub fn of(history: &SchemaHistory) -> Self {
        let shapes = history.shapes();
        let is_met = shapes.last().is_some_and(|shape| {
            let keyed = shape.key.as_deref().is_some_and(|key| key == [ID]);
            keyed
                && shape
                    .column(ID)
                    .is_some_and(|at| !shape.columns[at].nullable)
        });
        Self {
            columns: DocumentColumns::default(),
            key: Arc::new(KeyShape {
                names: vec![ID.to_owned()],
                typed: false,
                bare: false,
            }),
            are_met: is_met,
            flat_shape: None,
        }
    }
}

/// True for a change whose images are documents. Only samples lack the connector's name.
pub(crate) fn is_of_document(event: &Event<'_>) -> bool {
    let is_text = |image: Option<Image<'_>>| {
        let json = image.and_then(Image::json);
        json.is_some_and(|it| it.get().starts_with('"'))
    };
    match event.source.connector {
        Connector::MongoDb => true,
        Connector::Other => is_text(event.after) || is_text(event.before),
        _ => false,
    }
}

/// What an update says it changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    #[serde(borrow, default)]
    updated_fields: Option<Token<'a>>,
    #[serde(default)]
    removed_fields: Option<Vec<String>>,
    #[serde(default)]
    truncated_arrays: Option<Vec<TruncatedArray>>,
}

#[derive(Deserialize)]
struct TruncatedArray {
    field: String,
}

impl Decoding<'_> {
    pub fn document_change(
        &mut self,
        event: &Event<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        self.topic.documents.are_met = true;
        let (op, offset) = (event.op, record.offset);
        let begun = |kind, key| event.change(offset, kind, headers, key);
        match (op, event.after.and_then(Image::json), event.update) {
            (Op::Truncate, ..) => Ok(begun(ChangeKind::Truncate, 0..0)),
            (Op::Delete, ..) => {
                let before = event.before.and_then(Image::json);
                let before = before.map(|image| sent(image, BEFORE)).transpose()?;
                let json = as_json(before.as_deref().unwrap_or("{}"), BEFORE)?;
                // The key names the document well enough.
                let fields = extended_json::fields(&json, BEFORE).unwrap_or_default();
                let key = self.key_of_document(record, headers, &fields)?;
                Ok(begun(ChangeKind::Delete, key.range))
            }
            (_, Some(after), _) => {
                let text = sent(after, AFTER)?;
                let json = as_json(&text, AFTER)?;
                let fields = extended_json::fields(&json, AFTER)?;
                let key = self.key_of_document(record, headers, &fields)?;
                let change = begun(ChangeKind::Upsert, key.range.clone());
                self.document(change, fields, &key)
            }
            (Op::Update, None, Some(update)) => {
                let key = self.key_of_document(record, headers, &[])?;
                let change = begun(ChangeKind::Upsert, key.range.clone());
                self.update(change, update, &key)
            }
            // The document was gone before it was looked up: its delete follows.
            (Op::Update, None, None) => Ok(begun(ChangeKind::Advance, 0..0)),
            _ => Err(DecodeError::MissingImage {
                op: op.name(),
                image: "after",
            }),
        }
    }

    /// A field's value as it may be seen; `None` if it is dropped.
    pub fn seen<'c>(&self, column: &str, cell: Cell<'c>) -> Option<Cell<'c>> {
        match self.topic.rules.treatment(column) {
            Treatment::Drop => None,
            Treatment::Keep => Some(cell),
            Treatment::Hash(key) => {
                let hash = Some(&cell).filter(|cell| **cell != Cell::Lost);
                let hash = hash.and_then(|cell| key.hash(cell.value()));
                Some(hash.map_or(cell, |hash| Cell::Text(Cow::Owned(hash))))
            }
        }
    }

    /// Does to a document's fields what config says of their columns.
    fn hide(&self, fields: &mut Vec<Field<'_>>) {
        let rules = &self.topic.rules;
        if rules.is_empty() {
            return;
        }
        rules.meet(fields.iter().map(|field| field.name.as_str()));
        fields.retain_mut(|field| {
            let sent = std::mem::replace(&mut field.cell, Cell::Null);
            let seen = self.seen(&field.name, sent);
            field.is_hidden = rules.treatment(&field.name) != Treatment::Keep;
            field.cell = seen.unwrap_or(Cell::Null);
            rules.treatment(&field.name) != Treatment::Drop
        });
    }

    /// The row of a whole document.
    fn document(
        &mut self,
        change: Change,
        mut fields: Vec<Field<'_>>,
        key: &DocumentKey,
    ) -> Result<Change, DecodeError> {
        self.hide(&mut fields);
        // A document as an id is shown as the key spells it, because it is looked up by that. Some
        // transforms leave the id to the key.
        let mut id = key.id.clone();
        for field in fields.iter_mut().filter(|field| field.name == ID) {
            if let Some(id) = id.take().filter(|id| id.is_document() || field.is_hidden) {
                field.cell = id;
            }
        }
        let named = fields.iter();
        let named = named.map(|field| (field.name.as_str(), field.cell.column_type()));
        let from_key = id.as_ref().map(|id| (ID, id.column_type()));
        let mut placement = self.placement(named.chain(from_key), &key.names.names, false)?;
        let from_key = id.and_then(|id| Some((placement.places.pop()??, id)));
        let others = placement.others.map(|at| {
            let places = placement.places.iter().zip(&fields);
            let others = places.filter(|(place, _)| place.is_none());
            let others = others.map(|(_, field)| (field.name.as_str(), other_json(field)));
            (at, Cell::Json(extended_json::document_of(others)))
        });
        let cells = fields.into_iter().map(|field| field.cell);
        let cells = placement.places.iter().copied().zip(cells);
        let placed = cells.filter_map(|(place, cell)| Some((place?, cell)));
        let placed = placed.chain(others).chain(from_key);
        Ok(self.placed_row(change, &placement, placed))
    }

    /// The row of an update without its document: what it does not name stays as it is held.
    fn update(
        &mut self,
        change: Change,
        update: Token<'_>,
        key: &DocumentKey,
    ) -> Result<Change, DecodeError> {
        const PART: &str = "update description";
        let malformed = |error| DecodeError::malformed(PART, &error);
        let update: Update<'_> = serde_json::from_str(update.get()).map_err(malformed)?;
        let text = update
            .updated_fields
            .map(|token| sent(token, PART))
            .transpose()?;
        let json = as_json(text.as_deref().unwrap_or("{}"), PART)?;
        let updated = extended_json::fields(&json, PART)?;
        self.topic
            .documents
            .columns
            .refresh(&key.names.names, &self.topic.history, true);
        let columns = &self.topic.documents.columns;
        let removed = update.removed_fields.unwrap_or_default();
        let removed = removed.into_iter().map(|name| (name, Cell::Null));
        let updated = updated.into_iter().map(|field| (field.name, field.cell));
        let truncated = update.truncated_arrays.unwrap_or_default();
        let truncated = truncated.into_iter().map(|array| (array.field, Cell::Lost));
        let mut fields = Vec::new();
        for (path, cell) in updated.chain(removed).chain(truncated) {
            match path.split_once('.') {
                None => fields.push((path, cell)),
                Some((root, _)) => {
                    // A field may also have a dot in its name. Which of the two it is, is not said.
                    let is_name = columns.has(&path);
                    if columns.has(root) || !is_name {
                        fields.push((root.to_owned(), Cell::Lost));
                    }
                    if is_name {
                        fields.push((path, Cell::Lost));
                    }
                }
            }
        }
        let rules = &self.topic.rules;
        rules.meet(fields.iter().map(|(name, _)| name.as_str()));
        let fields = fields.into_iter();
        let seen = fields.filter_map(|(name, cell)| Some((self.seen(&name, cell)?, name)));
        let mut fields: Vec<_> = seen.map(|(cell, name)| (name, cell)).collect();
        if let Some(id) = &key.id {
            fields.push((ID.to_owned(), id.clone()));
        }
        let named = fields.iter();
        let named = named.map(|(name, cell)| (name.as_str(), cell.column_type()));
        let placement = self.placement(named, &key.names.names, true)?;
        let others = placement.others.map(|at| (at, Cell::Lost));
        let cells = fields.into_iter().map(|(_, cell)| cell);
        let cells = placement.places.iter().copied().zip(cells);
        let placed = cells.filter_map(|(place, cell)| Some((place?, cell)));
        Ok(self.placed_row(change, &placement, placed.chain(others)))
    }

    /// Where the fields of these names and types go.
    pub fn placement<'f>(
        &mut self,
        fields: impl Iterator<Item = (&'f str, Option<ColumnType>)>,
        key: &[String],
        is_partial: bool,
    ) -> Result<Placement, DecodeError> {
        let fields: Vec<_> = fields.collect();
        let topic = &mut *self.topic;
        let columns = &mut topic.documents.columns;
        columns.place(&fields, key, is_partial, &topic.history)
    }

    /// Encodes the cells at their places; all others are null, or stay.
    fn placed_row<'c>(
        &mut self,
        change: Change,
        placement: &Placement,
        cells: impl Iterator<Item = (usize, Cell<'c>)>,
    ) -> Change {
        let mut row: Vec<Option<Cell<'_>>> = vec![None; placement.columns];
        for (place, cell) in cells {
            row[place] = match (&row[place], cell) {
                // Part of a value is lost whatever else is said of it.
                (Some(Cell::Lost), _) => Some(Cell::Lost),
                (_, cell) => Some(cell),
            };
        }
        self.builder.clear();
        for cell in &row {
            match cell {
                Some(cell) => cell.push(self.builder),
                None if placement.is_partial => self.builder.push_absent(Absent::Kept),
                None => self.builder.push(Value::Null),
            }
        }
        let start = self.out.bytes.len();
        self.builder.finish(&mut self.out.bytes);
        Change {
            schema: placement.schema,
            row: self.since(start),
            ..change
        }
    }
}

/// A field among the others, as it may be seen.
fn other_json(field: &Field<'_>) -> String {
    match &field.cell {
        Cell::Text(hash) if field.is_hidden => serde_json::Value::from(&**hash).to_string(),
        _ if field.is_hidden => "null".to_owned(),
        _ => extended_json::compact(field.token.get()),
    }
}

/// The text of an image; the image itself where a transform has made an object of it.
fn sent<'a>(image: Token<'a>, part: &'static str) -> Result<Cow<'a, str>, DecodeError> {
    if !image.get().starts_with('"') {
        return Ok(Cow::Borrowed(image.get()));
    }
    json_token::text(image).ok_or(DecodeError::NoDocument { part })
}
