//! Flattened documents (MongoDB's `ExtractNewDocumentState`): rows whose key is called `id` in the
//! record's key and `_id` in the row.
//!
//! They differ in their columns as the documents do, and share one growing list of them. An update of
//! which the connector had no document names only what changed, `_id` last, where a document has it
//! first: what such a row does not have stays as it is held.

use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Absent, Change, ChangeKind, ColumnType, RecordFormat, Row, RowBuilder, Value};

use crate::DecodeError;
use crate::columns::Treatment;
use crate::decoding::Decoding;
use crate::document_columns::Placement;
use crate::documents::{ID, KEY_ID};
use crate::envelope::Op;
use crate::extended_json;
use crate::flat::AddedColumns;
use crate::headers::HeaderFacts;
use crate::images::KeyPart;
use crate::json_token::Token;
use crate::key::KeyShape;
use crate::nested::members;
use crate::row_shape::{RowShape, ShapeColumn};
use crate::row_text::{RowText, RowTokens};
use crate::topic::Unwrapped;

impl Decoding<'_> {
    /// True if the row is a flattened document: it says under `_id` what its key says under `id`. A table
    /// that has columns of both names is told by which of them is the key.
    pub fn is_flat_document(
        &self,
        unwrapped: &Unwrapped<'_>,
        key: &KeyShape,
        record: &RecordRef<'_>,
    ) -> bool {
        if key.bare || key.names != [KEY_ID] {
            return false;
        }
        if self.topic.documents.columns.is_flat {
            return true;
        }
        // Rows of other connectors are told apart without being parsed.
        let row = unwrapped.payload;
        if memchr::memmem::find(row.as_bytes(), b"\"_id\"").is_none() {
            return false;
        }
        let (Some(row), Some(key)) = (members(row), key_token(record)) else {
            return false;
        };
        let says = |column: &str| {
            row.iter()
                .any(|(name, token)| name == column && token.get() == key.get())
        };
        says(ID) && !says(KEY_ID)
    }

    pub fn flat_document(
        &mut self,
        unwrapped: &Unwrapped<'_>,
        key: &KeyPart,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        const PART: &str = "value";
        let schema = unwrapped.schema.as_ref();
        let known = self.topic.documents.flat_shape.take();
        let known = known.filter(|shape| shape.is_made_from(schema));
        let mut shape = match (schema, known) {
            (_, Some(known)) => known,
            (Some(schema), None) => Arc::new(self.flat_shape(RowShape::of_key_schema(schema))),
            (None, None) => Arc::new(RowShape::of_key_names(std::iter::empty())),
        };
        let tokens = RowText::of_value(unwrapped).read(Some(&shape), PART)?;
        if let Some(names) = tokens.other_names() {
            let names = names.iter().map(AsRef::as_ref);
            shape = Arc::new(self.flat_shape(RowShape::of_key_names(names)));
        }
        let hides = |name: &str| self.topic.rules.treatment(name) != Treatment::Keep;
        if hides(ID) && !hides(KEY_ID) {
            return Err(DecodeError::KeyNameHides);
        }
        let facts = AddedColumns::of(&shape).facts(&tokens, headers)?;
        let change = self.flat_change(&facts, record, headers, key);
        let change = if change.kind == ChangeKind::Upsert {
            let first = shape.columns.first();
            // Of an id that was flattened too, the columns begin with its name.
            let is_whole = first.is_none_or(|column| column.name.starts_with(ID))
                || matches!(facts.op, Some(Op::Create | Op::Read));
            self.document_row(change, &shape, &tokens, !is_whole)?
        } else {
            change
        };
        self.topic.documents.flat_shape = Some(shape);
        self.topic.documents.columns.is_flat = true;
        self.topic.format = Some(RecordFormat::Flat);
        Ok(change)
    }

    /// The shape with what config says of its columns.
    fn flat_shape(&self, shape: RowShape) -> RowShape {
        shape.under(&self.topic.rules)
    }

    fn document_row(
        &mut self,
        change: Change,
        shape: &RowShape,
        tokens: &RowTokens<'_>,
        is_partial: bool,
    ) -> Result<Change, DecodeError> {
        let mut fields: Vec<(&str, Option<ColumnType>)> = Vec::new();
        // Where each was sent, and whether as a whole.
        let mut sent: Vec<(usize, bool)> = Vec::new();
        for (at, column) in shape.columns.iter().enumerate() {
            let part_of = column.name.split_once('.').filter(|_| is_partial);
            let whole = part_of.map_or(column.name.as_str(), |(root, _)| root);
            if self.topic.rules.treatment(whole) == Treatment::Drop || column.cell.is_none() {
                continue;
            }
            let token = tokens.get(at);
            let kind = token.filter(|token| token.get() != "null");
            let kind = kind.map(|_| match column.treatment {
                Treatment::Hash(_) => ColumnType::Text,
                _ => column.semantic.column_type(),
            });
            // Part of a nested document: of the whole nothing is known any more.
            let is_whole = part_of.is_none();
            fields.push((whole, kind.filter(|_| is_whole)));
            sent.push((at, is_whole));
        }
        self.topic.documents.columns.is_flat = true;
        let key = Arc::clone(&self.topic.documents.key);
        let placement = self.placement(fields.into_iter(), &key.names, is_partial)?;
        self.push_placed(shape, tokens, &placement, &sent)?;
        let start = self.out.bytes.len();
        self.builder.finish(&mut self.out.bytes);
        Ok(Change {
            schema: placement.schema,
            row: self.since(start),
            ..change
        })
    }

    /// Pushes the cells of one row: those that were sent, and why the others were not.
    fn push_placed(
        &mut self,
        shape: &RowShape,
        tokens: &RowTokens<'_>,
        placement: &Placement,
        sent: &[(usize, bool)],
    ) -> Result<(), DecodeError> {
        let mut row = vec![None; placement.columns];
        for (place, sent) in placement.places.iter().zip(sent) {
            if let Some(place) = place {
                row[*place] = Some(*sent);
            }
        }
        self.builder.clear();
        for (at, cell) in row.iter().enumerate() {
            match cell {
                Some((_, false)) => self.builder.push_absent(Absent::Lost),
                Some((column, true)) => {
                    let token = tokens.get(*column);
                    shape.columns[*column].push(token, None, self.builder)?;
                }
                None if placement.others == Some(at) && placement.is_partial => {
                    self.builder.push_absent(Absent::Lost);
                }
                None if placement.others == Some(at) => {
                    let others = placement.places.iter().zip(sent);
                    let others = others.filter(|(place, _)| place.is_none());
                    let mut json = Vec::new();
                    for (_, (at, _)) in others {
                        let column = &shape.columns[*at];
                        json.push((column.name.as_str(), other_json(column, tokens.get(*at))?));
                    }
                    let json = extended_json::document_of(json.into_iter());
                    self.builder.push(Value::Json(&json));
                }
                None if placement.is_partial => self.builder.push_absent(Absent::Kept),
                None => self.builder.push(Value::Null),
            }
        }
        Ok(())
    }
}

/// A field among the others, as it may be seen.
fn other_json(column: &ShapeColumn, token: Option<Token<'_>>) -> Result<String, DecodeError> {
    let plain = token.map_or_else(
        || "null".to_owned(),
        |token| extended_json::compact(token.get()),
    );
    if column.treatment == Treatment::Keep {
        return Ok(plain);
    }
    let (mut builder, mut cell) = (RowBuilder::default(), Vec::new());
    column.push(token, None, &mut builder)?;
    builder.finish(&mut cell);
    Ok(match Row::new(&cell).get(0) {
        Some(Value::Text(hash)) => serde_json::Value::from(hash).to_string(),
        _ => "null".to_owned(),
    })
}

/// What the record's key says under `id`.
fn key_token<'r>(record: &RecordRef<'r>) -> Option<Token<'r>> {
    let key = std::str::from_utf8(record.key?).ok()?;
    let of_name = |object: &'r str, name: &str| {
        let found = members(object)?.into_iter().find(|member| member.0 == name);
        found.map(|(_, token)| token)
    };
    let payload = of_name(key, "payload").map_or(key, Token::get);
    of_name(payload, KEY_ID)
}
