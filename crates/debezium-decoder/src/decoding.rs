//! One batch being decoded: what each record is, and what becomes of it.
//!
//! Invariant: a record either becomes its changes or leaves no trace but a failure. The first record
//! whose format is beyond doubt settles its topic's: any object could be a flattened row, so a row
//! does so only once it was decoded, an envelope by being one.

use std::ops::Range;
use std::sync::Arc;

use change_feed::{RecordRef, RegistryId};
use row_model::{
    Change, ChangeBatch, ChangeKind, Failure, NextOffset, OriginId, RecordFormat, RowBuilder,
    SchemaId, SourcePosition,
};

use crate::block::Connector;
use crate::data_change::Event;
use crate::envelope::{Envelope, Op, Recognised};
use crate::headers::HeaderFacts;
use crate::images::Image;
use crate::key::KeyShape;
use crate::outline::Outline;
use crate::registry::Registered;
use crate::topic::{Reading, TopicKind, TopicState, Unwrapped};
use crate::{DecodeError, Placeholder, boundary, notification};

/// A larger record is put aside: a single row must not outweigh everything else.
pub const RECORD_BYTES_MAX: usize = 8 << 20;
/// A row that takes more than this is put aside: a few bytes of a record can stand for many in its row,
/// as where a schema says how many zeros to put before a bit string.
pub(crate) const ROW_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;
/// What a failure keeps of a record's key and value.
const FAILURE_BYTES_MAX: usize = 64 << 10;
/// Longer reasons are cut: names of columns, operations and what a parser met are as long as their sender likes.
const REASON_BYTES_MAX: usize = 500;

/// One batch being decoded.
pub(crate) struct Decoding<'d> {
    pub topic: &'d mut TopicState,
    pub placeholder: &'d Placeholder,
    pub declared_key: Option<&'d Arc<KeyShape>>,
    pub builder: &'d mut RowBuilder,
    pub scratch: &'d mut Vec<u8>,
    pub registered: &'d mut Registered,
    pub reading_key: &'d mut Reading,
    pub reading_value: &'d mut Reading,
    pub out: &'d mut ChangeBatch,
}

impl Decoding<'_> {
    /// Decodes one record; or answers the schema it waits for, and nothing has happened.
    pub fn record(
        &mut self,
        record: &RecordRef<'_>,
        last_delete: &mut Vec<u8>,
    ) -> Result<(), RegistryId> {
        let (start, changes) = (self.out.bytes.len(), self.out.changes.len());
        let is_second_half =
            record.value.is_none() && record.key.is_some_and(|key| key == last_delete.as_slice());
        // A tombstone right after its delete is the same delete: it has no position of its own that
        // could tell a redelivered one from a new one.
        if is_second_half {
            last_delete.clear();
        } else {
            let change = self.change(record);
            if let Err(DecodeError::Waits { schema }) = change {
                self.out.bytes.truncate(start);
                self.out.changes.truncate(changes);
                return Err(schema);
            }
            last_delete.clear();
            match change {
                Ok(Some(change)) => {
                    if change.kind == ChangeKind::Delete {
                        last_delete.extend_from_slice(record.key.unwrap_or_default());
                    }
                    self.out.changes.push(change);
                }
                Ok(None) => {}
                Err(error) => {
                    self.out.bytes.truncate(start);
                    self.out.changes.truncate(changes);
                    let hides = self.topic.rules.hides();
                    self.out.failures.push(failure(record, &error, hides));
                }
            }
        }
        self.out.records += 1;
        let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
        self.out.push_log_time(offset, timestamp_ms);
        self.out.next_offset = NextOffset(record.offset + 1);
        Ok(())
    }

    fn change(&mut self, record: &RecordRef<'_>) -> Result<Option<Change>, DecodeError> {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if bytes > RECORD_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                bytes,
                max: RECORD_BYTES_MAX,
            });
        }
        // Whatever a heartbeat looks like in this converter.
        if self.topic.kind == TopicKind::Heartbeat {
            return Ok(None);
        }
        let headers = self.topic.headers.facts(record);
        if headers.event_id && self.has_bare_key(record)? {
            return self.outbox_event(record, headers).map(Some);
        }
        let Some(value) = record.value else {
            return self.tombstone(record, headers);
        };
        let mut reading = std::mem::take(self.reading_value);
        let change = self.value(value, &mut reading, record, headers);
        *self.reading_value = reading;
        change
    }

    fn value(
        &mut self,
        value: &[u8],
        reading: &mut Reading,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        if let Some(change) = self.avro_change(value, record, headers)? {
            return Ok(Some(change));
        }
        let memory = &mut self.topic.value_schema;
        let unwrapped = self.registered.unwrap(value, "value", memory, reading)?;
        if unwrapped.payload == "null" {
            return self.tombstone(record, headers);
        }
        if self.topic.format == Some(RecordFormat::Flat) {
            let known_row = self.known_flat_row(&unwrapped);
            if known_row.is_some() {
                return self.flat_row(&unwrapped, known_row, record, headers);
            }
        }
        self.recognised(&unwrapped, record, headers)
    }

    /// A change in Avro that need not be written out; `None` for everything else.
    fn avro_change(
        &mut self,
        value: &[u8],
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        let format = self.topic.value_schema.format;
        let Some((schema, body)) = self.registered.avro(value, "value", format)? else {
            return Ok(None);
        };
        // What is wrong with a body is said by the common way.
        let Ok(Some(avro)) = schema.change(body) else {
            return Ok(None);
        };
        let is_of_table =
            matches!(avro.op, "c" | "r" | "u" | "d" | "t") && self.topic.kind != TopicKind::Message;
        let Some(op) = Op::of_name(avro.op).filter(|_| is_of_table) else {
            return Ok(None);
        };
        let source = self.topic.source.avro_facts(avro.source)?;
        if source.connector == Connector::Cassandra {
            return Ok(None);
        }
        let event = Event {
            op,
            before: avro.before.map(Image::Avro),
            after: avro.after.map(Image::Avro),
            update: None,
            source,
            origin: self.topic.source.origin(&self.topic.history),
            connector_ms: avro.ts_ms,
            membership: avro.transaction.and_then(boundary::avro_membership),
        };
        self.enters(RecordFormat::Envelope)?;
        self.topic.format = Some(RecordFormat::Envelope);
        let unwrapped = Unwrapped {
            payload: "",
            schema: Some(Arc::clone(schema.node())),
            outline: &Outline::default(),
        };
        self.data_change(&event, &unwrapped, record, headers)
            .map(Some)
    }

    #[inline]
    fn recognised(
        &mut self,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        let envelope = Envelope::of(unwrapped)?;
        match envelope.recognise(unwrapped)? {
            Recognised::Change(Op::Message) => self.message(unwrapped, record, headers).map(Some),
            Recognised::Change(op) => {
                let Some(source) = envelope.source else {
                    return Err(DecodeError::NotAnEnvelope);
                };
                let event = Event {
                    op,
                    before: envelope.before.map(Image::Json),
                    after: envelope.after.map(Image::Json),
                    update: envelope.update,
                    source: self.topic.source.facts(source)?,
                    origin: self.topic.source.origin(&self.topic.history),
                    connector_ms: envelope.ts_ms,
                    membership: envelope.transaction.and_then(boundary::membership),
                };
                let may_be_message = self.topic.kind == TopicKind::Message
                    && op == Op::Create
                    && record.key.is_none();
                if may_be_message
                    && let Some(change) = self.decoded_message(source, &event, record, headers)?
                {
                    return Ok(Some(change));
                }
                self.enters(RecordFormat::Envelope)?;
                self.topic.format = Some(RecordFormat::Envelope);
                self.data_change(&event, unwrapped, record, headers)
                    .map(Some)
            }
            Recognised::CloudEvent => self.cloud_event(unwrapped, record, headers).map(Some),
            Recognised::Row => self.flat_row(unwrapped, None, record, headers),
            Recognised::Notification => {
                let notice = notification::read(unwrapped.payload, record.offset);
                self.out.notices.extend(notice);
                Ok(None)
            }
            Recognised::TransactionBoundary => {
                let boundary = boundary::read(unwrapped.payload, record.offset)?;
                self.out.boundaries.push(boundary);
                Ok(None)
            }
            Recognised::Heartbeat | Recognised::SchemaChange => Ok(None),
        }
    }

    /// A null value with a key, not right after its delete: a compacted log, a connector that writes
    /// no deletes, or flattened rows.
    fn tombstone(
        &mut self,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        let key = self.key(record, headers)?;
        let Some(shape) = &key.shape else {
            // In a topic of envelopes it follows the delete that said everything.
            let is_delete = self.topic.format == Some(RecordFormat::Flat);
            return Ok(is_delete.then(|| Change {
                run: headers.run,
                ..blank(record.offset, ChangeKind::DeleteOfUnknown, 0..0)
            }));
        };
        // Cloud events leave heartbeats and transaction boundaries without a value.
        if self.topic.is_no_row_key(shape) {
            return Ok(None);
        }
        let position = headers
            .lsn
            .and_then(|lsn| SourcePosition::from_numbers(0, &[lsn]));
        Ok(Some(Change {
            run: headers.run,
            position,
            other_key: key.other,
            key_change: headers.key_change,
            ..blank(record.offset, ChangeKind::Delete, key.range)
        }))
    }

    /// A topic that has shown one format takes no other: what its rows mean would be a guess.
    pub fn enters(&self, format: RecordFormat) -> Result<(), DecodeError> {
        match self.topic.format {
            Some(known) if known != format => Err(DecodeError::OtherFormat {
                known: known.name(),
                met: format.name(),
            }),
            _ => Ok(()),
        }
    }

    pub fn since(&self, start: usize) -> Range<u32> {
        start as u32..self.out.bytes.len() as u32
    }
}

pub(crate) fn blank(offset: u64, kind: ChangeKind, key: Range<u32>) -> Change {
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
        membership: None,
        gtid_line: None,
        commit_ms: None,
        connector_ms: None,
        other_key: 0..0,
        key_change: false,
    }
}

/// Of a topic with hidden columns no byte is kept: the record can be read again from the log.
fn failure(record: &RecordRef<'_>, error: &DecodeError, hides: bool) -> Failure {
    let keep = |bytes: &[u8]| bytes[..bytes.len().min(FAILURE_BYTES_MAX)].to_vec();
    let parts = [record.key, record.value, Some(record.header_bytes())];
    let mut parts = parts.iter().flatten();
    let is_whole = !hides && parts.all(|bytes| bytes.len() <= FAILURE_BYTES_MAX);
    Failure {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        kind: error.kind(),
        reason: cut(error.reason(hides)),
        key: record.key.filter(|_| !hides).map(keep),
        value: record.value.filter(|_| !hides).map(keep),
        headers: is_whole.then(|| record.header_bytes().to_vec()),
    }
}

fn cut(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        reason.push('…');
    }
    reason
}
