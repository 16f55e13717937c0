//! Flattened rows (`ExtractNewRecordState`): the value is the row itself, perhaps with columns that
//! were added to it.
//!
//! The added columns stay columns of the row. Those named as Debezium names them by default
//! (`__op`, `__lsn`, `__source_ts_ms`, `__deleted`, …) also tell what the envelope would have told.
//! Other prefixes are left alone: a column is never read as an instruction on a guess.

use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Change, ChangeKind, Membership, RecordFormat, Row, SnapshotMark, SourcePosition};

use crate::DecodeError;
use crate::block::Block;
use crate::boundary;
use crate::data_change::is_whole;
use crate::decoding::{Decoding, blank};
use crate::envelope::Op;
use crate::headers::HeaderFacts;
use crate::images::KeyPart;
use crate::json_token::{Token, integer, text};
use crate::key;
use crate::row_shape::RowShape;
use crate::row_text::{RowText, RowTokens};
use crate::source_block::{self, SourceFacts};
use crate::topic::{TopicKind, Unwrapped};

/// Before the names of added columns, as Debezium writes them by default.
const PREFIX: &str = "__";

/// A row met before it was recognised, by the shape of the one before.
pub(crate) type KnownRow<'a> = Option<(Arc<RowShape>, RowTokens<'a>)>;

/// Which columns of a shape were added, and what each tells.
#[derive(Debug, Default)]
pub(crate) struct AddedColumns {
    columns: Vec<(usize, Added)>,
    has_snapshot: bool,
}

#[derive(Debug)]
enum Added {
    Op,
    Deleted,
    ConnectorMs,
    TransactionId,
    TransactionOrder,
    /// A field of the source block, by its name there.
    Source(String),
}

/// What the added columns of one row tell.
#[derive(Debug, Default)]
pub(crate) struct AddedFacts {
    pub op: Option<Op>,
    is_deleted: bool,
    connector_ms: Option<i64>,
    source: SourceFacts,
    table: Option<String>,
    membership: Option<Membership>,
}

impl AddedFacts {
    fn kind(&self) -> ChangeKind {
        match self.op {
            Some(Op::Truncate) => ChangeKind::Truncate,
            _ if self.is_deleted || self.op == Some(Op::Delete) => ChangeKind::Delete,
            _ => ChangeKind::Upsert,
        }
    }
}

impl AddedColumns {
    pub fn of(shape: &RowShape) -> Self {
        let mut added = Self::default();
        for (place, column) in shape.columns.iter().enumerate() {
            let Some(name) = column.name.strip_prefix(PREFIX) else {
                continue;
            };
            let fact = match name {
                "op" => Added::Op,
                "deleted" => Added::Deleted,
                "ts_ms" => Added::ConnectorMs,
                "transaction_id" => Added::TransactionId,
                "transaction_total_order" => Added::TransactionOrder,
                _ => Added::Source(name.strip_prefix("source_").unwrap_or(name).to_owned()),
            };
            added.has_snapshot |= matches!(&fact, Added::Source(name) if name == "snapshot");
            added.columns.push((place, fact));
        }
        added
    }

    pub fn facts(
        &self,
        tokens: &RowTokens<'_>,
        headers: HeaderFacts,
    ) -> Result<AddedFacts, DecodeError> {
        let mut facts = AddedFacts {
            op: headers.op,
            ..AddedFacts::default()
        };
        let mut block = Block::default();
        let (mut transaction, mut order) = (None, None);
        for (place, fact) in &self.columns {
            let Some(token) = tokens.get(*place).filter(|token| token.get() != "null") else {
                continue;
            };
            match fact {
                Added::Op => facts.op = Some(Op::read(token.get())?),
                Added::Deleted => facts.is_deleted = is_true(token),
                Added::ConnectorMs => facts.connector_ms = integer(token),
                Added::TransactionId => transaction = text(token),
                Added::TransactionOrder => order = Some(token.get()),
                Added::Source(name) => block.set(name, token),
            }
        }
        facts.membership = transaction.and_then(|id| boundary::member(&id, order));
        facts.source = source_block::read(&block);
        facts.table = block.names_a_table().then(|| block.table_name());
        if facts.source.position.is_none() && self.columns.is_empty() {
            facts.source.position = headers
                .lsn
                .and_then(|lsn| SourcePosition::from_numbers(0, &[lsn]));
        }
        if !self.has_snapshot {
            without_marker(&mut facts);
        }
        Ok(facts)
    }
}

/// Without the source's marker a read row may be of any snapshot, and without the operation any
/// row may be a read one, whose position says less than a change's.
fn without_marker(facts: &mut AddedFacts) {
    match facts.op {
        Some(Op::Read) => facts.source.snapshot = Some(SnapshotMark::Incremental),
        Some(_) => {}
        None => facts.source.position = None,
    }
}

/// `"true"`, or `true` as MongoDB's transform writes it.
fn is_true(token: Token<'_>) -> bool {
    token.get() == "true" || text(token).is_some_and(|text| text == "true")
}

impl Decoding<'_> {
    /// The row in this value, if it has the shape of the one before.
    pub fn known_flat_row<'a>(&mut self, unwrapped: &Unwrapped<'a>) -> KnownRow<'a> {
        let (shape, _) = self.topic.row_shape.as_ref()?;
        if !shape.is_made_from(unwrapped.schema.as_ref()) {
            return None;
        }
        let row = RowText::of_value(unwrapped);
        let tokens = row.read(Some(shape), "value").ok()?;
        let fits = tokens.other_names().is_none();
        fits.then(|| (Arc::clone(shape), tokens))
    }

    pub fn flat_row<'a>(
        &mut self,
        unwrapped: &Unwrapped<'a>,
        known: KnownRow<'a>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Option<Change>, DecodeError> {
        self.enters(RecordFormat::Flat)?;
        if self.topic.kind == TopicKind::Outbox {
            return Err(DecodeError::NoEventId);
        }
        let key = self.key(record, headers)?;
        let declared = self.declared_key.filter(|_| key.shape.is_none()).cloned();
        let key_shape = key.shape.as_ref().or(declared.as_ref());
        let Some(key_shape) = key_shape else {
            return Err(DecodeError::FlatWithoutKey);
        };
        if known.is_none() && self.is_flat_document(unwrapped, key_shape, record) {
            return self
                .flat_document(unwrapped, &key, record, headers)
                .map(Some);
        }
        let schema = unwrapped.schema.as_ref();
        let made_for = |shape: &Arc<RowShape>| self.topic.is_known_for(shape, Some(key_shape));
        let known = known.filter(|(shape, _)| made_for(shape));
        let (shape, tokens) = if let Some(known) = known {
            known
        } else {
            let image = schema.map(|schema| (schema, &**schema));
            let row = RowText::of_value(unwrapped);
            self.tokens(row, "value", schema, image, Some(key_shape))?
        };
        let facts = self.topic.added_columns(&shape).facts(&tokens, headers)?;
        let kind = facts.kind();
        let mut change = Change {
            schema: shape.schema,
            ..self.flat_change(&facts, record, headers, &key)
        };
        match kind {
            ChangeKind::Truncate => {}
            ChangeKind::Delete if declared.is_none() => {}
            _ => {
                let whole = facts
                    .op
                    .is_some_and(|op| is_whole(op, facts.source.connector, headers));
                let placeholder = Some(self.placeholder).filter(|_| !whole);
                change.row = self.encode(&shape, &tokens, placeholder)?;
                self.check_flat_key(&change, key.shape.as_deref(), &shape)?;
                if let Some(declared) = &declared {
                    if kind == ChangeKind::Delete {
                        change.before = std::mem::take(&mut change.row);
                    }
                    self.key_by_declaration(&mut change, declared, &shape)?;
                }
            }
        }
        self.topic.format = Some(RecordFormat::Flat);
        Ok(Some(change))
    }

    /// What a flattened row says of its change, without the row.
    pub fn flat_change(
        &self,
        facts: &AddedFacts,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
        key: &KeyPart,
    ) -> Change {
        let mut change = Change {
            snapshot: facts.source.snapshot,
            position: facts.source.position,
            run: headers.run,
            transaction: facts.source.transaction,
            membership: facts.membership,
            gtid_line: facts.source.gtid_line,
            commit_ms: facts.source.commit_ms,
            connector_ms: facts.connector_ms,
            other_key: key.other.clone(),
            key_change: headers.key_change,
            ..blank(record.offset, facts.kind(), key.range.clone())
        };
        if let Some(table) = &facts.table {
            change.origin = self.topic.history.origin(table);
        }
        if change.kind == ChangeKind::Truncate {
            change.key = 0..0;
        }
        change
    }

    fn check_flat_key(
        &self,
        change: &Change,
        key: Option<&key::KeyShape>,
        shape: &RowShape,
    ) -> Result<(), DecodeError> {
        // MongoDB's key calls `_id` by the name `id`, which the document may use for something else.
        match key.filter(|_| shape.column("_id").is_none()) {
            Some(key) => {
                let row = Row::new(self.out.slice(&change.row));
                key::check_against_row(self.out.slice(&change.key), key, shape, row)
            }
            None => Ok(()),
        }
    }
}
