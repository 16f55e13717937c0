//! Cloud events in structured JSON: the source block is spread over attributes, all of them text.

use change_feed::RecordRef;
use row_model::{Change, OriginId, RecordFormat};
use serde::Deserialize;

use crate::DecodeError;
use crate::block::Block;
use crate::boundary;
use crate::data_change::Event;
use crate::decoding::Decoding;
use crate::envelope::{Envelope, Op};
use crate::headers::HeaderFacts;
use crate::images::Image;
use crate::json_token::{Token, text};
use crate::nested::members;
use crate::source_block::{self, SourceFacts};
use crate::temporal;
use crate::topic::{Reading, Unwrapped};

/// Before the names of Debezium's attributes, which have no underscores.
const PREFIX: &str = "iodebezium";

impl Decoding<'_> {
    pub fn cloud_event(
        &mut self,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        self.enters(RecordFormat::CloudEvents)?;
        let attributes = members(unwrapped.payload).ok_or(DecodeError::NotAnEnvelope)?;
        let mut block = Block::default();
        let (mut op, mut time, mut data) = (None, None, None);
        let (mut transaction, mut order) = (None, None);
        for (name, token) in attributes {
            match name.strip_prefix(PREFIX) {
                Some("op") if token.get() != "null" => op = Some(Op::read(token.get())?),
                Some("txid") => transaction = text(token),
                Some("txtotalorder") => order = text(token),
                Some(name) => block.set(name, token),
                None if name == "data" => data = Some(token),
                None if name == "time" => time = text(token),
                None => {}
            }
        }
        let data = data.ok_or(DecodeError::NotAnEnvelope)?;
        let mut reading = Reading::default();
        let part = "data of the cloud event";
        let data = if let Some(base64) = text(data) {
            // In a text format, base64 of bytes in the framing of a schema registry.
            self.registered.unwrap_base64(&base64, part, &mut reading)?
        } else {
            let (bytes, outline) = (data.get().as_bytes(), &mut reading.outline);
            self.topic.data_schema.unwrap(bytes, part, outline)?
        };
        let images = Envelope::of(&data)?;
        let mut event = Event {
            op: op.unwrap_or_else(|| op_of(&images, record.key.is_some())),
            before: images.before.map(Image::Json),
            after: images.after.map(Image::Json),
            update: images.update,
            source: source_block::read(&block),
            origin: OriginId(0),
            connector_ms: images.ts_ms,
            membership: transaction.and_then(|id| boundary::member(&id, order.as_deref())),
        };
        if let Some((op, source)) = images.op_and_source()? {
            // With its metadata in headers the event holds the whole envelope.
            event.op = op;
            event.source = self.topic.source.facts(source)?;
            event.membership = images.transaction.and_then(boundary::membership);
            event.origin = self.topic.source.origin(&self.topic.history);
        } else if op.is_some() {
            event.origin = self.topic.history.origin(&block.table_name());
        } else {
            event.source = without_attributes(time.as_deref());
        }
        let change = self.data_change(&event, &data, record, headers)?;
        self.topic.format = Some(RecordFormat::CloudEvents);
        Ok(change)
    }
}

/// What happened, as far as the images alone tell.
fn op_of(images: &Envelope<'_>, has_key: bool) -> Op {
    match (images.before, images.after) {
        // Of a row that is gone either the key or the image tells which.
        (_, None) if images.update.is_some() => Op::Update,
        (None, None) if !has_key => Op::Truncate,
        (_, None) => Op::Delete,
        (None, Some(_)) => Op::Create,
        (Some(_), Some(_)) => Op::Update,
    }
}

/// A position would not tell whether a snapshot or a change stands at it: there is none.
fn without_attributes(time: Option<&str>) -> SourceFacts {
    let at = time.and_then(temporal::instant);
    SourceFacts {
        commit_ms: at.map(|at| at.seconds * 1000 + i64::from(at.nanos / 1_000_000)),
        ..SourceFacts::default()
    }
}

/// True for a cloud event whose data is Debezium's: another's may be anything.
pub(crate) fn is_ours(payload: &str) -> bool {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "specversion")]
        _version: Token<'a>,
        #[serde(borrow, rename = "type")]
        kind: Token<'a>,
    }
    serde_json::from_str::<Event<'_>>(payload)
        .is_ok_and(|event| text(event.kind).is_some_and(|kind| kind.starts_with("io.debezium.")))
}
