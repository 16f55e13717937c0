//! What a change of a table is for somebody who follows some of its rows, and how it is written.
//!
//! A filter is asked of the row before and of the row after: a row that comes to meet it is there from then on, and
//! one that does not meet it any more is gone. Only the row's own columns count, so that nothing but a change of the
//! row can change what is followed.

use std::sync::Arc;

use row_model::{Row, Schema, Value, Version};
use table_store::RowChange;

use crate::bind::{BoundQuery, Output};
use crate::embed::Node;
use crate::format::{Format, RowWriter};
use crate::json::{RowShapes, write_text, write_value};
use crate::least::Candidate;
use crate::predicate::Predicate;
use crate::run::Reader;
use crate::tree::Query;

/// What a follower is told of a row.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// It is there, as it is after the change; and was like this, if that is what the follower knows.
    Upsert { before: Option<&'a Version> },
    /// It was like this, or there was one with its key.
    Delete { row: &'a Version, reason: Reason },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Deleted,
    LeftFilter,
}

impl Reason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::LeftFilter => "left_filter",
        }
    }
}

/// Whether rows can be followed that a query asks for: it filters and selects, and does nothing else.
#[must_use]
pub fn is_plain(query: &Query) -> bool {
    !query.is_grouped() && query.order.is_empty() && query.limit.is_none() && query.offset == 0
}

/// The same of what it was bound to: no other table counts.
#[must_use]
pub fn is_of_one_table(query: &BoundQuery) -> bool {
    query.tables().len() == 1 && query.embeds.is_empty() && query.scope.exists.is_empty()
}

/// Whether an answer rests on nothing but the rows of the table that meet the filter, and shows some of them.
#[must_use]
pub fn is_of_own_rows(query: &BoundQuery) -> bool {
    let levels = query.scope.levels.len().max(query.output().levels.len());
    matches!(query.output, Output::Rows(_)) && is_of_one_table(query) && levels == 1
}

/// Follows the rows that a query asks for. Belongs to one thread.
pub struct Follower<'a> {
    predicate: &'a Predicate,
    /// It may have seen the rows as they were before, or any state since.
    is_ahead: bool,
    reader: Reader,
    writer: RowWriter<'a>,
    shapes: Arc<[Arc<Schema>]>,
    rows: usize,
}

impl<'a> Follower<'a> {
    #[must_use]
    pub fn new(query: &'a BoundQuery, shapes: &RowShapes) -> Self {
        debug_assert!(
            matches!(query.output, Output::Rows(_)),
            "groups are not followed"
        );
        Self {
            predicate: &query.predicate,
            is_ahead: false,
            reader: Reader::of_found(&query.scope),
            writer: RowWriter::new(query, Format::Objects, false, shapes),
            shapes: query.table.table.schemas().shapes(),
            rows: 0,
        }
    }

    /// Whether a row is followed.
    pub fn meets(&mut self, version: &Version) -> bool {
        let view = self.reader.view(version);
        view.is_some_and(|view| self.predicate.test(&view) == Some(true))
    }

    /// Follows rows that it may have seen already as the changes leave them, or as they were in between.
    #[must_use]
    pub fn ahead(self, is_ahead: bool) -> Self {
        Self { is_ahead, ..self }
    }

    /// What is told of a change, if anything.
    pub fn told<'c>(&mut self, change: &'c RowChange) -> Option<Told<'c>> {
        if !self.is_ahead && !change.is_news() {
            return None;
        }
        let before = change.before.as_ref();
        if self.meets(&change.after) {
            let before = before.filter(|_| !self.is_ahead);
            return Some(Told::Upsert { before });
        }
        let (row, reason) = if change.after.is_deleted() {
            (before.or(change.meanwhile.as_ref())?, Reason::Deleted)
        } else {
            (before.unwrap_or(&change.after), Reason::LeftFilter)
        };
        // Whether a row between these was followed is not known.
        let is_told = self.is_ahead || before.is_some_and(|before| self.meets(before));
        is_told.then_some(Told::Delete { row, reason })
    }

    /// Appends a row as an object.
    pub fn write_row(&mut self, version: &Version, out: &mut Vec<u8>) {
        let node = Node {
            row: Candidate::by_key(version.clone()),
            related: Box::default(),
            embeds: Box::default(),
        };
        self.rows += 1;
        self.writer.write_row(self.rows, &node, out);
    }

    /// Appends the values of a row's key as an array; null if its table has none.
    pub fn write_key(&self, version: &Version, out: &mut Vec<u8>) {
        let shape = self.shape_of(version);
        let Some(((shape, names), row)) = shape
            .and_then(|shape| Some((shape, shape.key.as_ref()?)))
            .zip(version.row())
        else {
            return out.extend_from_slice(b"null");
        };
        out.push(b'[');
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let place = shape.column(name);
            write_value(place.map_or(Value::Null, |at| cell(row, at)), out);
        }
        out.push(b']');
    }

    /// Appends the names of the columns whose values differ.
    pub fn write_changed(&self, before: &Version, after: &Version, out: &mut Vec<u8>) {
        let shapes = self.shape_of(before).zip(self.shape_of(after));
        let rows = before.row().zip(after.row());
        out.push(b'[');
        if let (Some((shape_before, shape_after)), Some((before, after))) = (shapes, rows) {
            let start = out.len();
            let columns = shape_after.columns.iter().enumerate();
            for (at, column) in columns {
                let was = shape_before.column(&column.name);
                if was.map(|at| cell(before, at)) != Some(cell(after, at)) {
                    if out.len() > start {
                        out.push(b',');
                    }
                    write_text(&column.name, out);
                }
            }
        }
        out.push(b']');
    }

    fn shape_of(&self, version: &Version) -> Option<&Schema> {
        self.shapes
            .get(version.schema().0 as usize)
            .map(|shape| &**shape)
    }
}

/// Trailing nulls are not in rows.
fn cell(row: Row<'_>, at: usize) -> Value<'_> {
    row.get(at).unwrap_or(Value::Null)
}
