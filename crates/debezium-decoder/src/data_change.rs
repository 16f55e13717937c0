//! A change with its images before and after, whatever envelope they came in.

use std::ops::Range;

use change_feed::RecordRef;
use row_model::{Change, ChangeKind, Membership, OriginId, Row};

use crate::DecodeError;
use crate::block::Connector;
use crate::decoding::{Decoding, blank};
use crate::documents;
use crate::envelope::Op;
use crate::headers::HeaderFacts;
use crate::images::{Image, KeyPart};
use crate::json_token::Token;
use crate::key::{self, KeyShape};
use crate::row_shape::RowShape;
use crate::source_block::SourceFacts;
use crate::topic::Unwrapped;

/// What an envelope says of one change.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub op: Op,
    pub before: Option<Image<'a>>,
    pub after: Option<Image<'a>>,
    pub update: Option<Token<'a>>,
    pub source: SourceFacts,
    pub origin: OriginId,
    pub connector_ms: Option<i64>,
    pub membership: Option<Membership>,
}

impl Event<'_> {
    /// A change of this kind, without its row.
    pub fn change(
        &self,
        offset: u64,
        kind: ChangeKind,
        headers: HeaderFacts,
        key: Range<u32>,
    ) -> Change {
        Change {
            origin: self.origin,
            snapshot: self.source.snapshot,
            position: self.source.position,
            run: headers.run,
            transaction: self.source.transaction,
            membership: self.membership,
            gtid_line: self.source.gtid_line,
            commit_ms: self.source.commit_ms,
            connector_ms: self.connector_ms,
            key_change: headers.key_change,
            ..blank(offset, kind, key)
        }
    }
}

impl Decoding<'_> {
    pub fn data_change(
        &mut self,
        event: &Event<'_>,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        if documents::is_of_document(event) {
            return self.document_change(event, record, headers);
        }
        if event.source.connector == Connector::Cassandra {
            return self.cassandra_change(event, unwrapped, record, headers);
        }
        let op = event.op;
        let (kind, image) = match op {
            Op::Truncate => (ChangeKind::Truncate, None),
            Op::Delete => (ChangeKind::Delete, None),
            _ => {
                let after = event.after.ok_or(DecodeError::MissingImage {
                    op: op.name(),
                    image: "after",
                })?;
                (ChangeKind::Upsert, Some(after))
            }
        };
        let key = match op {
            Op::Truncate => KeyPart::default(),
            _ => self.key(record, headers)?,
        };
        let mut change = Change {
            other_key: key.other.clone(),
            ..event.change(record.offset, kind, headers, key.range.clone())
        };
        let declared = self.declared_key.filter(|_| key.shape.is_none()).cloned();
        let key_shape = key.shape.as_ref().or(declared.as_ref());
        let placeholder = self.placeholder;
        let whole = is_whole(op, event.source.connector, headers);
        let placeholder = Some(placeholder).filter(|_| !whole);
        let mut row_shape = None;
        if let Some(after) = image {
            let (shape, range) = self.row(after, "after", unwrapped, key_shape, placeholder)?;
            if let Some(key_shape) = &key.shape {
                let row = Row::new(self.out.slice(&range));
                key::check_against_row(self.out.slice(&key.range), key_shape, &shape, row)?;
            }
            (change.schema, change.row) = (shape.schema, range);
            row_shape = Some(shape);
        }
        if let Some(before) = needed_before(event, &key, declared.is_some(), headers)? {
            match self.row(before, "before", unwrapped, key_shape, None) {
                Ok((shape, range)) => {
                    change.before = range;
                    if change.row.is_empty() {
                        change.schema = shape.schema;
                    }
                    row_shape = row_shape.or(Some(shape));
                }
                // The key names the row well enough.
                Err(_) if key.shape.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        if let (Some(declared), Some(shape)) = (declared, row_shape) {
            self.key_by_declaration(&mut change, &declared, &shape)?;
        }
        Ok(change)
    }

    /// Keys a change by the declared columns of its row. One that moved its row to another key is
    /// preceded by the deletion of the old one.
    pub fn key_by_declaration(
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
}

/// The image before, where something rests on it.
fn needed_before<'a>(
    event: &Event<'a>,
    key: &KeyPart,
    is_declared: bool,
    headers: HeaderFacts,
) -> Result<Option<Image<'a>>, DecodeError> {
    let op = event.op;
    if key.shape.is_some() {
        // Under a key that another row has taken meanwhile, a delete tells by it which row it means.
        let moves = headers.key_change && op == Op::Delete;
        return Ok(event.before.filter(|_| moves));
    }
    // A row whose record carries no key is known by what it was.
    if !matches!(op, Op::Update | Op::Delete) {
        return Ok(None);
    }
    // An update that kept the declared key needs no image of what was.
    if event.before.is_none() && !(is_declared && op == Op::Update) {
        return Err(DecodeError::MissingImage {
            op: op.name(),
            image: "before",
        });
    }
    Ok(event.before)
}

/// True if every value of the row was at hand, so that what looks like the placeholder is a value
/// like any other: in a snapshot, and in an insert that is no half of a key change. Oracle's large
/// objects may be missing from any row, and of unknown connectors nothing is known.
pub(crate) fn is_whole(op: Op, connector: Connector, headers: HeaderFacts) -> bool {
    let is_new = match op {
        Op::Read => true,
        Op::Create => !headers.key_change,
        _ => false,
    };
    is_new && !matches!(connector, Connector::Oracle | Connector::Other)
}
