//! Changes of Cassandra's tables: each column comes as a cell `{value, deletion_ts, set}`, or as null
//! if the change did not set it.
//!
//! Cassandra writes cells, not rows: an insert, too, leaves what it does not set as it was. So cells that
//! were not set stay as they are held; of an insert they are null where no row is held, and of an update
//! unavailable, because the row's other columns were never seen.
//!
//! Refuses deletions of more than one row (a partition, a range of clustering keys): which rows these
//! are is not said, and the rows that stay would be called live.

use std::sync::Arc;

use change_feed::RecordRef;
use row_model::{Absent, Change, ChangeKind, Row, Value};
use serde::Deserialize;

use crate::DecodeError;
use crate::data_change::Event;
use crate::decoding::Decoding;
use crate::envelope::Op;
use crate::headers::HeaderFacts;
use crate::images::Image;
use crate::json_token::Token;
use crate::key::{self, KeyShape};
use crate::nested::members;
use crate::row_shape::RowShape;
use crate::row_text::{RowText, RowTokens};
use crate::topic::Unwrapped;

/// One column of an image.
#[derive(Deserialize)]
struct Cell<'a> {
    #[serde(borrow, default)]
    value: Option<Token<'a>>,
    #[serde(default = "is_set")]
    set: bool,
}

fn is_set() -> bool {
    true
}

impl Decoding<'_> {
    pub fn cassandra_change(
        &mut self,
        event: &Event<'_>,
        unwrapped: &Unwrapped<'_>,
        record: &RecordRef<'_>,
        headers: HeaderFacts,
    ) -> Result<Change, DecodeError> {
        let (op, offset) = (event.op, record.offset);
        let (kind, absent) = match op {
            // The connector's `r` is no snapshot row but a range of rows that was deleted.
            Op::Read => return Err(DecodeError::DeletesRange),
            Op::Truncate => return Ok(event.change(offset, ChangeKind::Truncate, headers, 0..0)),
            Op::Delete => (ChangeKind::Delete, None),
            _ if event.source.snapshot.is_some() => (ChangeKind::Upsert, None),
            Op::Create => (ChangeKind::Upsert, Some(Absent::Unset)),
            _ => (ChangeKind::Upsert, Some(Absent::Kept)),
        };
        if op == Op::Delete && record.key.is_some_and(|key| self.has_null_column(key)) {
            return Err(DecodeError::DeletesRange);
        }
        let key = self.key(record, headers)?;
        let mut change = event.change(offset, kind, headers, key.range.clone());
        if op == Op::Delete && key.shape.is_some() {
            return Ok(change);
        }
        let image = event
            .after
            .and_then(Image::json)
            .ok_or(DecodeError::MissingImage {
                op: op.name(),
                image: "after",
            })?;
        let declared = self.declared_key.filter(|_| key.shape.is_none()).cloned();
        let key_shape = key.shape.as_ref().or(declared.as_ref());
        let (shape, tokens) = self.cell_tokens(image, unwrapped, key_shape)?;
        let start = self.out.bytes.len();
        self.push_cells(&shape, &tokens, absent)?;
        shape.push_key(Row::new(self.scratch), self.builder);
        self.builder.finish(&mut self.out.bytes);
        (change.schema, change.row) = (shape.schema, self.since(start));
        if let Some(key_shape) = &key.shape {
            let row = Row::new(self.out.slice(&change.row));
            key::check_against_row(self.out.slice(&change.key), key_shape, &shape, row)?;
        }
        if op == Op::Delete {
            change.before = std::mem::take(&mut change.row);
        }
        if let Some(declared) = declared {
            self.key_by_declaration(&mut change, &declared, &shape)?;
        }
        Ok(change)
    }

    /// True if the key has a null: no row's has, so that it stands for all rows of a partition.
    fn has_null_column(&mut self, key: &[u8]) -> bool {
        let memory = &mut self.topic.key_schema;
        let unwrapped = self.registered.unwrap(key, "key", memory, self.reading_key);
        let members = unwrapped
            .ok()
            .and_then(|unwrapped| members(unwrapped.payload));
        members.is_some_and(|members| members.iter().any(|(_, token)| token.get() == "null"))
    }

    /// The cells of an image, by the columns of their row.
    fn cell_tokens<'a>(
        &mut self,
        image: Token<'a>,
        unwrapped: &Unwrapped<'a>,
        key: Option<&Arc<KeyShape>>,
    ) -> Result<(Arc<RowShape>, RowTokens<'a>), DecodeError> {
        const PART: &str = "after";
        let text = RowText::of_part(image, PART, unwrapped);
        let record = unwrapped.schema.as_ref();
        let schema = record.and_then(|record| Some((record, record.field(PART)?)));
        let (Some((record, row)), None) = (schema, self.topic.known_shape(record, key)) else {
            return self.tokens(text, PART, record, schema, key);
        };
        let (history, rules) = (&self.topic.history, &self.topic.rules);
        let shape = RowShape::from_cells(record, row, self.topic.row_key(key), history, rules)?;
        let shape = Arc::new(shape);
        let tokens = text.read(Some(&shape), PART)?;
        self.topic.row_shape = Some((Arc::clone(&shape), key.cloned()));
        Ok((shape, tokens))
    }

    fn push_cells(
        &mut self,
        shape: &RowShape,
        tokens: &RowTokens<'_>,
        absent: Option<Absent>,
    ) -> Result<(), DecodeError> {
        self.builder.clear();
        let kept = shape.columns.iter().enumerate();
        for (place, column) in kept.filter(|(_, column)| column.cell.is_some()) {
            let token = tokens.get(place).filter(|token| token.get() != "null");
            let cell: Option<Cell<'_>> = token
                .map(|token| serde_json::from_str(token.get()))
                .transpose()
                .map_err(|_| DecodeError::BadCell {
                    column: column.name.clone(),
                    expected: "cell of Cassandra",
                })?;
            match cell.filter(|cell| cell.set) {
                Some(Cell { value: None, .. }) => self.builder.push(Value::Null),
                Some(Cell {
                    value: Some(value), ..
                }) => column.push(Some(value), None, self.builder)?,
                None => match absent {
                    Some(absent) => self.builder.push_absent(absent),
                    None => self.builder.push(Value::Null),
                },
            }
        }
        Ok(())
    }
}
