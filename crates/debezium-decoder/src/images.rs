//! Keys and images of rows, encoded by the shapes the topic has had.

use std::ops::Range;
use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Change, ChangeKind, Column, ColumnType, Row, Schema, SchemaId, Value, encode_key};

use crate::avro::AvroRow;
use crate::columns::Treatment;
use crate::connect_schema::Node;
use crate::decoding::{Decoding, blank};
use crate::headers::{self, HeaderFacts};
use crate::json_token::Token;
use crate::key::{self, KeyShape};
use crate::row_shape::RowShape;
use crate::row_text::{RowText, RowTokens};
use crate::semantic::Semantic;
use crate::topic::Unwrapped;
use crate::{DecodeError, Placeholder, key_header};

/// The key of a record, where it lies in the batch's bytes.
#[derive(Debug, Default)]
pub(crate) struct KeyPart {
    pub range: Range<u32>,
    pub shape: Option<Arc<KeyShape>>,
    /// The other half of a key change, from the headers.
    pub other: Range<u32>,
}

/// A row as a record has it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Image<'a> {
    Json(Token<'a>),
    Avro(AvroRow<'a>),
}

impl<'a> Image<'a> {
    pub fn json(self) -> Option<Token<'a>> {
        match self {
            Self::Json(token) => Some(token),
            Self::Avro(_) => None,
        }
    }
}

/// The embedded schema of a record and, within it, that of the image in question.
pub(crate) type ImageSchema<'n> = Option<(&'n Arc<Node>, &'n Node)>;

impl Decoding<'_> {
    pub fn key(
        &mut self,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<KeyPart, DecodeError> {
        let Some(key) = record.key else {
            return Ok(KeyPart::default());
        };
        if self.topic.documents.are_met
            && let Some(key) = self.document_key_part(record)?
        {
            return Ok(key);
        }
        let start = self.out.bytes.len();
        let memory = &mut self.topic.key_schema;
        let unwrapped = self
            .registered
            .unwrap(key, "key", memory, self.reading_key)?;
        let shape = key::decode(
            &unwrapped,
            self.topic,
            self.builder,
            self.scratch,
            &mut self.out.bytes,
        )?;
        let range = self.since(start);
        let mut other = 0..0;
        if headers.key_change && shape.is_some() {
            other = self.other_key(record);
        }
        Ok(KeyPart {
            range,
            shape,
            other,
        })
    }

    /// Encodes the key that the headers name as the record's own was, which is still in the scratch
    /// space; empty if it cannot be.
    fn other_key(&mut self, record: &RecordRef<'_>) -> Range<u32> {
        let start = self.out.bytes.len();
        let header = headers::other_key(record);
        if let (Some(header), Some(shape)) = (header, &self.topic.key_row) {
            let own = Row::new(self.scratch);
            let mut other = Vec::new();
            if key_header::encode(header, shape, own, self.builder, &mut other).is_some() {
                self.out.bytes.extend_from_slice(&other);
            }
        }
        self.since(start)
    }

    /// True for a record whose key is no struct: a router or a transform took a field out of it.
    pub fn has_bare_key(&mut self, record: &RecordRef<'_>) -> Result<bool, DecodeError> {
        let Some(key) = record.key else {
            return Ok(true);
        };
        let memory = &mut self.topic.key_schema;
        let key = self
            .registered
            .unwrap(key, "key", memory, self.reading_key)?;
        Ok(!key.payload.starts_with('{'))
    }

    /// Encodes an image of the row and answers its shape and place.
    pub fn row(
        &mut self,
        image: Image<'_>,
        part: &'static str,
        unwrapped: &Unwrapped<'_>,
        key: Option<&Arc<KeyShape>>,
        placeholder: Option<&Placeholder>,
    ) -> Result<(Arc<RowShape>, Range<u32>), DecodeError> {
        let record = unwrapped.schema.as_ref();
        let schema = record.and_then(|record| Some((record, record.field(part)?)));
        let image = match image {
            Image::Json(image) => image,
            Image::Avro(row) => return self.avro_row(row, schema, key, placeholder),
        };
        let text = RowText::of_part(image, part, unwrapped);
        let known = self.topic.known_shape(record, key);
        if let Some(shape) = known.filter(|shape| self.topic.has_order(shape, part, text.layout()))
        {
            let start = self.out.bytes.len();
            let (own_key, values) = (Row::new(self.scratch), text.values().map(Some));
            let out = &mut self.out.bytes;
            shape.encode(values, placeholder, own_key, self.builder, out)?;
            return Ok((shape, self.since(start)));
        }
        let (shape, tokens) = self.tokens(text, part, record, schema, key)?;
        let range = self.encode(&shape, &tokens, placeholder)?;
        let layout = text.layout().filter(|_| tokens.is_in_order());
        self.topic.ordered = layout.map(|layout| (Arc::clone(&shape), part, layout));
        Ok((shape, range))
    }

    fn avro_row(
        &mut self,
        row: AvroRow<'_>,
        schema: ImageSchema<'_>,
        key: Option<&Arc<KeyShape>>,
        placeholder: Option<&Placeholder>,
    ) -> Result<(Arc<RowShape>, Range<u32>), DecodeError> {
        let (record, node) = schema.ok_or(DecodeError::NotAnEnvelope)?;
        let shape = self.typed_shape(record, node, key)?;
        self.topic.row_shape = Some((Arc::clone(&shape), key.cloned()));
        let start = self.out.bytes.len();
        let key = Row::new(self.scratch);
        row.encode(&shape, placeholder, key, self.builder, &mut self.out.bytes)?;
        Ok((shape, self.since(start)))
    }

    pub fn encode(
        &mut self,
        shape: &RowShape,
        tokens: &RowTokens<'_>,
        placeholder: Option<&Placeholder>,
    ) -> Result<Range<u32>, DecodeError> {
        let start = self.out.bytes.len();
        let key = Row::new(self.scratch);
        tokens.encode(shape, placeholder, key, self.builder, &mut self.out.bytes)?;
        Ok(self.since(start))
    }

    /// The shape that `row`, a part of the schema `record`, describes.
    fn typed_shape(
        &mut self,
        record: &Arc<Node>,
        row: &Node,
        key: Option<&Arc<KeyShape>>,
    ) -> Result<Arc<RowShape>, DecodeError> {
        if let Some(shape) = self.topic.known_shape(Some(record), key) {
            return Ok(shape);
        }
        self.topic.has_no_nulls = row.has_no_nulls;
        let (history, rules) = (&self.topic.history, &self.topic.rules);
        let key = self.topic.row_key(key);
        let shape = RowShape::from_schema(record, row, key, history, rules)?;
        Ok(Arc::new(shape))
    }

    /// The tokens of an image, and the shape they have. Inlined: the tokens are large.
    #[inline]
    pub fn tokens<'a>(
        &mut self,
        image: RowText<'a>,
        part: &'static str,
        record: Option<&Arc<Node>>,
        schema: ImageSchema<'_>,
        key: Option<&Arc<KeyShape>>,
    ) -> Result<(Arc<RowShape>, RowTokens<'a>), DecodeError> {
        let (shape, tokens) = if let Some((record, row)) = schema {
            let shape = self.typed_shape(record, row, key)?;
            let tokens = image.read(Some(&shape), part)?;
            (shape, tokens)
        } else {
            let known = self.topic.known_shape(record, key);
            let tokens = image.read(known.as_deref(), part)?;
            match (known, tokens.other_names()) {
                (Some(shape), None) => (shape, tokens),
                (_, others) => {
                    let others = others.unwrap_or_default().iter().map(AsRef::as_ref);
                    let (history, rules) = (&self.topic.history, &self.topic.rules);
                    let key = self.topic.row_key(key);
                    let shape = RowShape::from_names(others, key, history, rules)?;
                    (Arc::new(shape), tokens)
                }
            }
        };
        self.topic.row_shape = Some((Arc::clone(&shape), key.cloned()));
        Ok((shape, tokens))
    }

    /// A row of columns that no table had, keyed by its first one. Its cells are in the builder, as
    /// they were sent.
    pub fn made_row(&mut self, offset: u64, columns: Vec<Column>) -> Result<Change, DecodeError> {
        self.scratch.clear();
        self.builder.finish(self.scratch);
        let columns = self.hide_made(columns)?;
        let row = Row::new(self.scratch);
        let key = row.get(0).unwrap_or(Value::Null);
        let start = self.out.bytes.len();
        encode_key([key], &mut self.out.bytes)?;
        let key = self.since(start);
        let key_column = columns.first().map(|column| column.name.clone());
        let schema = Schema {
            columns,
            key: Some(key_column.into_iter().collect()),
        };
        let id = self.made_schema(schema)?;
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(self.scratch);
        Ok(Change {
            schema: id,
            row: self.since(start),
            ..blank(offset, ChangeKind::Upsert, key)
        })
    }

    /// Does to the row in the scratch space what config says of its columns.
    fn hide_made(&mut self, columns: Vec<Column>) -> Result<Vec<Column>, DecodeError> {
        let rules = &self.topic.rules;
        rules.meet(columns.iter().map(|column| column.name.as_str()));
        if !rules.hides() {
            return Ok(columns);
        }
        let row = Row::new(self.scratch);
        let mut kept = Vec::with_capacity(columns.len());
        for (place, (mut column, value)) in columns.into_iter().zip(row.iter()).enumerate() {
            let treatment = rules.treatment(&column.name);
            treatment.push(value, self.builder);
            match treatment {
                Treatment::Drop if place == 0 => {
                    return Err(DecodeError::KeyDropped {
                        column: column.name,
                    });
                }
                Treatment::Drop => continue,
                Treatment::Hash(_) => column.kind = ColumnType::Text,
                Treatment::Keep => {}
            }
            kept.push(column);
        }
        self.scratch.clear();
        self.builder.finish(self.scratch);
        Ok(kept)
    }

    /// A cell of a row that is made up, of what config or the schema says it is. Answers its type.
    pub fn push_made(
        &mut self,
        name: &str,
        token: Token<'_>,
        sent: &Semantic,
    ) -> Result<ColumnType, DecodeError> {
        let column = self.topic.rules.made_column(name, sent);
        column.push_plain(Some(token), None, self.builder)?;
        Ok(column.semantic.column_type())
    }

    fn made_schema(&mut self, schema: Schema) -> Result<SchemaId, DecodeError> {
        match &self.topic.made_schema {
            Some((known, id)) if *known == schema => Ok(*id),
            _ => {
                let id = self.topic.history.intern(&schema);
                let id = id.ok_or(DecodeError::TooManyShapes)?;
                self.topic.made_schema = Some((schema, id));
                Ok(id)
            }
        }
    }
}
