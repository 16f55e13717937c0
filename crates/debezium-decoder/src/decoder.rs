//! The decoder: one record after another, each to a change, a failure, or nothing.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use change_feed::{Decoder, RawBatch, RecordRef, TopicContext};
use row_model::{
    Change, ChangeBatch, ChangeKind, Failure, NextOffset, OriginId, PartitionId, Row, RowBuilder,
    SchemaCatalog, SchemaId,
};
use serde_json::value::RawValue;

use crate::envelope::{Envelope, Op, Recognised};
use crate::headers::HeaderFacts;
use crate::key::{self, KeyShape};
use crate::row_shape::{RowShape, RowTokens};
use crate::topic::{TopicState, Unwrapped};
use crate::{DecodeError, Placeholder};

/// A larger record is put aside: a single row must not outweigh everything else.
pub const RECORD_BYTES_MAX: usize = 8 << 20;
/// What a failure keeps of a record's key and value.
const FAILURE_BYTES_MAX: usize = 4096;

/// Decodes the JSON of Debezium's connectors, with and without embedded schemas.
#[derive(Debug)]
pub struct DebeziumDecoder {
    catalog: Arc<SchemaCatalog>,
    placeholder: Placeholder,
    /// Key columns of topics whose records carry no key.
    declared_keys: HashMap<String, Arc<KeyShape>>,
    topics: HashMap<String, TopicState>,
    /// The raw key of the record before, where that was a delete: the tombstone after it is part of it.
    last_deletes: HashMap<PartitionId, Vec<u8>>,
    builder: RowBuilder,
    scratch: Vec<u8>,
}

impl DebeziumDecoder {
    /// A decoder that numbers schemas together with all others of the same catalog.
    #[must_use]
    pub fn new(catalog: Arc<SchemaCatalog>, placeholder: Placeholder) -> Self {
        Self {
            catalog,
            placeholder,
            declared_keys: HashMap::new(),
            topics: HashMap::new(),
            last_deletes: HashMap::new(),
            builder: RowBuilder::default(),
            scratch: Vec::new(),
        }
    }
}

impl DebeziumDecoder {
    /// Takes the key of a topic's records from these columns of the row, where a record carries no key.
    #[must_use]
    pub fn with_declared_key(mut self, topic: &str, columns: &[String]) -> Self {
        let shape = KeyShape {
            names: columns.to_vec(),
            typed: false,
        };
        self.declared_keys.insert(topic.to_owned(), Arc::new(shape));
        self
    }
}

impl Decoder for DebeziumDecoder {
    fn decode(&mut self, context: TopicContext<'_>, batch: &RawBatch, out: &mut ChangeBatch) {
        if !self.topics.contains_key(context.topic) {
            let history = self.catalog.history(context.topic);
            self.topics
                .insert(context.topic.to_owned(), TopicState::new(history));
        }
        let Some(topic) = self.topics.get_mut(context.topic) else {
            return;
        };
        let last_delete = self.last_deletes.entry(batch.partition).or_default();
        let mut decoding = Decoding {
            topic,
            placeholder: &self.placeholder,
            declared_key: self.declared_keys.get(context.topic),
            builder: &mut self.builder,
            scratch: &mut self.scratch,
            out,
        };
        for record in batch.iter() {
            decoding.record(&record, last_delete);
        }
        out.schemas = Some(Arc::clone(&topic.history));
    }
}

/// One batch being decoded.
struct Decoding<'d> {
    topic: &'d mut TopicState,
    placeholder: &'d Placeholder,
    declared_key: Option<&'d Arc<KeyShape>>,
    builder: &'d mut RowBuilder,
    scratch: &'d mut Vec<u8>,
    out: &'d mut ChangeBatch,
}

/// The key of a record, where it lies in the batch's bytes.
struct KeyPart {
    range: Range<u32>,
    shape: Option<Arc<KeyShape>>,
}

impl Decoding<'_> {
    fn record(&mut self, record: &RecordRef<'_>, last_delete: &mut Vec<u8>) {
        let start = self.out.bytes.len();
        let is_second_half =
            record.value.is_none() && record.key.is_some_and(|key| key == last_delete.as_slice());
        last_delete.clear();
        // A tombstone right after its delete is the same delete: it has no position of its own that
        // could tell a redelivered one from a new one.
        if !is_second_half {
            match self.change(record) {
                Ok(Some(change)) => {
                    if change.kind == ChangeKind::Delete {
                        last_delete.extend_from_slice(record.key.unwrap_or_default());
                    }
                    self.out.changes.push(change);
                }
                Ok(None) => {}
                Err(error) => {
                    self.out.bytes.truncate(start);
                    self.out.failures.push(failure(record, &error));
                }
            }
        }
        self.out.records += 1;
        self.out.log_time_ms = self.out.log_time_ms.max(record.timestamp_ms);
        self.out.next_offset = NextOffset(record.offset + 1);
    }

    fn change(&mut self, record: &RecordRef<'_>) -> Result<Option<Change>, DecodeError> {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if bytes > RECORD_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                bytes,
                max: RECORD_BYTES_MAX,
            });
        }
        let headers = self.topic.headers.facts(record);
        let Some(value) = record.value else {
            return self.tombstone(record, headers);
        };
        let value = text(value, "value")?;
        let unwrapped = self.topic.value_schema.unwrap(value, "value")?;
        if unwrapped.payload == "null" {
            return self.tombstone(record, headers);
        }
        let envelope = Envelope::parse(unwrapped.payload)?;
        match envelope.recognise()? {
            Recognised::Change(Op::Message)
            | Recognised::Heartbeat
            | Recognised::TransactionBoundary
            | Recognised::SchemaChange
            | Recognised::Notification => Ok(None),
            Recognised::Change(op) => self
                .data_change(op, &envelope, &unwrapped, record, headers)
                .map(Some),
        }
    }

    /// A null value with a key, not right after its delete: a compacted log, or a connector that writes no deletes.
    fn tombstone(
        &mut self,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        let key = self.key(record)?;
        Ok(key.shape.is_some().then(|| Change {
            run: headers.run,
            ..blank(record.offset, ChangeKind::Delete, key.range)
        }))
    }

    fn data_change(
        &mut self,
        op: Op,
        envelope: &Envelope<'_>,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        let source = match envelope.source {
            Some(source) => self.topic.source.facts(source)?,
            None => return Err(DecodeError::NotAnEnvelope),
        };
        let (kind, image) = match op {
            Op::Truncate => (ChangeKind::Truncate, None),
            Op::Delete => (ChangeKind::Delete, None),
            _ => {
                let after = envelope.after.ok_or(DecodeError::MissingImage {
                    op: op.name(),
                    image: "after",
                })?;
                (ChangeKind::Upsert, Some(after))
            }
        };
        let key = if op == Op::Truncate {
            KeyPart {
                range: 0..0,
                shape: None,
            }
        } else {
            self.key(record)?
        };
        let mut change = Change {
            snapshot: source.snapshot,
            position: source.position,
            run: headers.run,
            transaction: source.transaction,
            commit_ms: source.commit_ms,
            connector_ms: envelope.ts_ms,
            ..blank(record.offset, kind, key.range.clone())
        };
        let declared = self.declared_key.filter(|_| key.shape.is_none()).cloned();
        let key_shape = key.shape.as_ref().or(declared.as_ref());
        let mut row_shape = None;
        if let Some(after) = image {
            let (shape, range) = self.row(after, "after", unwrapped, key_shape)?;
            if let Some(key_shape) = &key.shape {
                let row = Row::new(self.out.slice(&range));
                key::check_against_row(self.out.slice(&key.range), key_shape, &shape, row)?;
            }
            (change.schema, change.row) = (shape.schema, range);
            row_shape = Some(shape);
        }
        // Only a row whose record carries no key is known by what it was.
        let was_known = key.shape.is_none() && matches!(op, Op::Update | Op::Delete);
        if was_known {
            match (envelope.before, &declared) {
                (Some(before), _) => {
                    let (shape, range) = self.row(before, "before", unwrapped, key_shape)?;
                    change.before = range;
                    row_shape = row_shape.or(Some(shape));
                }
                // An update that kept the declared key needs no image of what was.
                (None, Some(_)) if op == Op::Update => {}
                (None, _) => {
                    return Err(DecodeError::MissingImage {
                        op: op.name(),
                        image: "before",
                    });
                }
            }
        }
        if let (Some(declared), Some(shape)) = (declared, row_shape) {
            self.key_by_declaration(&mut change, &declared, &shape)?;
        }
        Ok(change)
    }

    /// Keys a change by the declared columns of its row. One that moved its row to another key is
    /// preceded by the deletion of the old one.
    fn key_by_declaration(
        &mut self,
        change: &mut Change,
        declared: &KeyShape,
        shape: &RowShape,
    ) -> Result<(), DecodeError> {
        let before = std::mem::take(&mut change.before);
        let old = if before.is_empty() {
            None
        } else {
            Some(self.declared_key(&before, declared, shape)?)
        };
        if change.row.is_empty() {
            change.key = old.unwrap_or_default();
            return Ok(());
        }
        change.key = self.declared_key(&change.row.clone(), declared, shape)?;
        let moved = old.filter(|old| self.out.slice(old) != self.out.slice(&change.key));
        if let Some(key) = moved {
            let deletion = Change {
                kind: ChangeKind::Delete,
                key,
                row: 0..0,
                ..change.clone()
            };
            self.out.changes.push(deletion);
        }
        Ok(())
    }

    fn declared_key(
        &mut self,
        row: &Range<u32>,
        declared: &KeyShape,
        shape: &RowShape,
    ) -> Result<Range<u32>, DecodeError> {
        self.scratch.clear();
        key::encode_from_row(declared, shape, Row::new(self.out.slice(row)), self.scratch)?;
        let start = self.out.bytes.len();
        self.out.bytes.extend_from_slice(self.scratch);
        Ok(self.since(start))
    }

    fn key(&mut self, record: &RecordRef<'_>) -> Result<KeyPart, DecodeError> {
        let Some(key) = record.key else {
            return Ok(KeyPart {
                range: 0..0,
                shape: None,
            });
        };
        let text = text(key, "key")?;
        let start = self.out.bytes.len();
        let shape = key::decode(
            text,
            self.topic,
            self.placeholder,
            self.builder,
            self.scratch,
            &mut self.out.bytes,
        )?;
        Ok(KeyPart {
            range: self.since(start),
            shape,
        })
    }

    /// Encodes an image of the row and answers its shape and place.
    fn row(
        &mut self,
        image: &RawValue,
        part: &'static str,
        unwrapped: &Unwrapped<'_>,
        key: Option<&Arc<KeyShape>>,
    ) -> Result<(Arc<RowShape>, Range<u32>), DecodeError> {
        let same_key = |known: Option<&Arc<KeyShape>>| match (known, key) {
            (Some(known), Some(key)) => Arc::ptr_eq(known, key),
            (None, None) => true,
            _ => false,
        };
        let known = self
            .topic
            .row_shape
            .as_ref()
            .filter(|(_, known)| same_key(known.as_ref()));
        let known = known.map(|(shape, _)| Arc::clone(shape));
        let names = key.map(|key| key.names.as_slice());
        let record = unwrapped.schema.as_ref();
        let known = known.filter(|shape| shape.is_made_from(record));
        let node = record.and_then(|record| Some((record, record.field(part)?)));
        let (shape, tokens) = match (node, known) {
            (Some(_), Some(shape)) => {
                let tokens = RowTokens::read(image.get(), Some(&shape), part)?;
                (shape, tokens)
            }
            (Some((record, row)), None) => {
                let shape = Arc::new(RowShape::from_schema(
                    record,
                    row,
                    names,
                    &self.topic.history,
                )?);
                let tokens = RowTokens::read(image.get(), Some(&shape), part)?;
                (shape, tokens)
            }
            (None, known) => {
                let tokens = RowTokens::read(image.get(), known.as_deref(), part)?;
                match (known, tokens.other_names()) {
                    (Some(shape), None) => (shape, tokens),
                    (_, others) => {
                        let others = others.unwrap_or_default().iter().map(AsRef::as_ref);
                        (
                            Arc::new(RowShape::from_names(others, names, &self.topic.history)?),
                            tokens,
                        )
                    }
                }
            }
        };
        let start = self.out.bytes.len();
        tokens.encode(&shape, self.placeholder, self.builder, &mut self.out.bytes)?;
        let range = self.since(start);
        self.topic.row_shape = Some((Arc::clone(&shape), key.cloned()));
        Ok((shape, range))
    }

    fn since(&self, start: usize) -> Range<u32> {
        start as u32..self.out.bytes.len() as u32
    }
}

fn blank(offset: u64, kind: ChangeKind, key: Range<u32>) -> Change {
    Change {
        offset,
        kind,
        snapshot: None,
        schema: SchemaId(0),
        origin: OriginId(0),
        key,
        row: 0..0,
        before: 0..0,
        position: None,
        run: None,
        transaction: None,
        commit_ms: None,
        connector_ms: None,
        other_key: 0..0,
    }
}

fn text<'a>(bytes: &'a [u8], part: &'static str) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| DecodeError::NotText {
        part,
        at: error.valid_up_to(),
    })
}

fn failure(record: &RecordRef<'_>, error: &DecodeError) -> Failure {
    let keep = |bytes: &[u8]| bytes[..bytes.len().min(FAILURE_BYTES_MAX)].to_vec();
    Failure {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        kind: error.kind(),
        reason: error.to_string(),
        key: record.key.map(keep),
        value: record.value.map(keep),
    }
}
