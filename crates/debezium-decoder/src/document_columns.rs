//! The columns of a topic whose rows are documents: every field that some document has had.
//!
//! Documents of one collection differ in their fields, so a shape for each set of fields would be as
//! many shapes as documents. Here the topic has one list of columns that only grows: a new field adds
//! a column at its end, and a document without it has null there. A row is written by the shortest
//! of these shapes that has all its fields, so that fields which only others have cost it nothing.
//!
//! Bounded: beyond [`FIELDS_MAX`] columns fields share one, [`OTHER_FIELDS`], as JSON.

use std::collections::HashMap;
use std::sync::Arc;

use row_model::{Column, ColumnType, Schema, SchemaHistory, SchemaId};

use crate::DecodeError;

/// More top-level fields than this share a column. Each is new at most once and changes its type at
/// most three times, so that shapes stay well below [`SchemaHistory::SHAPES_MAX`].
pub(crate) const FIELDS_MAX: usize = 512;
/// A longer name is no field somebody thought of, but data.
const NAME_BYTES_MAX: usize = 256;
/// The column of the fields that have none of their own.
pub(crate) const OTHER_FIELDS: &str = "__other_fields";

const _: () = assert!(4 * (FIELDS_MAX + 1) < SchemaHistory::SHAPES_MAX);

/// What a column's values have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nulls only.
    Unknown,
    One(ColumnType),
    Several,
}

impl Kind {
    fn with(self, other: Option<ColumnType>) -> Self {
        use ColumnType::{Any, Int32, Int64};
        match (self, other) {
            (kind, None) => kind,
            (_, Some(Any)) => Self::Several,
            (Self::Unknown, Some(other)) => Self::One(other),
            (Self::One(Int32), Some(Int64)) | (Self::One(Int64), Some(Int32)) => Self::One(Int64),
            (Self::One(kind), Some(other)) if kind == other => self,
            _ => Self::Several,
        }
    }

    fn column_type(self) -> ColumnType {
        match self {
            Self::One(kind) => kind,
            Self::Unknown | Self::Several => ColumnType::Any,
        }
    }
}

/// Columns in their order.
#[derive(Clone, Debug, Default)]
struct List {
    kinds: Vec<(String, Kind)>,
    places: HashMap<String, usize>,
}

/// The running list of columns of one topic, as far as this decoder has met it.
#[derive(Debug, Default)]
pub(crate) struct DocumentColumns {
    /// The rows were flattened: a row may lack its key.
    pub is_flat: bool,
    /// The key that the shapes were made for.
    key: Vec<String>,
    list: List,
    /// The shapes that are a beginning of the list: their number of columns, growing, and their number.
    shapes: Vec<(usize, SchemaId)>,
    /// How much of the topic's history was looked at.
    read: usize,
}

/// Where the fields of one document go.
#[derive(Debug)]
pub(crate) struct Placement {
    pub schema: SchemaId,
    pub columns: usize,
    /// For each field its column; those without one are in [`OTHER_FIELDS`].
    pub places: Vec<Option<usize>>,
    pub others: Option<usize>,
    /// Columns without a field stay as they are held.
    pub is_partial: bool,
}

impl List {
    fn has_room(&self) -> bool {
        let own = self.kinds.len() - usize::from(self.places.contains_key(OTHER_FIELDS));
        own < FIELDS_MAX
    }

    /// The column of a field, if it has one of its own.
    fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied().filter(|_| has_own(name))
    }

    /// True if the field needs a column that is not there, or one of another type.
    fn lacks(&self, name: &str, kind: Option<ColumnType>) -> bool {
        match self.place(name) {
            Some(place) => {
                let known = self.kinds[place].1;
                known.with(kind) != known
            }
            None if has_own(name) && self.has_room() => true,
            None => !self.places.contains_key(OTHER_FIELDS),
        }
    }

    fn take_field(&mut self, name: &str, kind: Option<ColumnType>) {
        if self.place(name).is_some() || (has_own(name) && self.has_room()) {
            self.take(name, kind);
        } else {
            self.take(OTHER_FIELDS, Some(ColumnType::Json));
        }
    }

    fn take(&mut self, name: &str, kind: Option<ColumnType>) {
        if let Some(place) = self.places.get(name) {
            let known = &mut self.kinds[*place].1;
            *known = known.with(kind);
        } else {
            self.places.insert(name.to_owned(), self.kinds.len());
            self.kinds.push((name.to_owned(), Kind::Unknown.with(kind)));
        }
    }

    /// The shape of these columns. A key that is in every record makes its column not nullable.
    fn schema(&self, key: &[String], is_flat: bool) -> Schema {
        let columns = self.kinds.iter().map(|(name, kind)| Column {
            name: name.clone(),
            kind: kind.column_type(),
            nullable: is_flat || !key.contains(name),
        });
        Schema {
            columns: columns.collect(),
            key: Some(key.to_vec()),
        }
    }
}

impl DocumentColumns {
    /// The place of every field (its name, and its type if its value has one). `is_partial` asks for a
    /// shape of all columns, for a row that leaves those it does not name as they are.
    pub fn place(
        &mut self,
        fields: &[(&str, Option<ColumnType>)],
        key: &[String],
        is_partial: bool,
        history: &SchemaHistory,
    ) -> Result<Placement, DecodeError> {
        self.refresh(key, history, is_partial);
        let lacks = |(name, kind): &(&str, Option<ColumnType>)| self.list.lacks(name, *kind);
        let grows = self.shapes.is_empty() || fields.iter().any(lacks);
        if grows {
            self.grow(fields, history)?;
        }
        let places = fields.iter().map(|(name, _)| self.list.place(name));
        let places: Vec<_> = places.collect();
        let others = self.list.places.get(OTHER_FIELDS).copied();
        let others = others.filter(|_| places.contains(&None));
        let last = places.iter().flatten().chain(&others).max();
        let needed = last.map_or(0, |last| last + 1);
        // What was just added is told to readers by a row of that shape.
        let shortest = self.shapes.iter().find(|(columns, _)| *columns >= needed);
        let (columns, schema) = *shortest
            .filter(|_| !grows && !is_partial)
            .or(self.shapes.last())
            .ok_or(DecodeError::TooManyShapes)?;
        Ok(Placement {
            schema,
            columns,
            places,
            others,
            is_partial,
        })
    }

    /// Takes up what the topic's rows have had before, for this key.
    pub fn refresh(&mut self, key: &[String], history: &SchemaHistory, always: bool) {
        let is_new = self.key != key;
        if is_new {
            *self = Self {
                is_flat: self.is_flat,
                key: key.to_vec(),
                ..Self::default()
            };
        }
        if is_new || always {
            self.catch_up(&history.shapes());
        }
    }

    /// True once some document's fields were placed.
    pub fn has_any(&self) -> bool {
        !self.shapes.is_empty()
    }

    /// True if this is the name of a column.
    pub fn has(&self, name: &str) -> bool {
        self.list.places.contains_key(name)
    }

    /// Adds the fields to the list, on top of what other decoders have added meanwhile.
    fn grow(
        &mut self,
        fields: &[(&str, Option<ColumnType>)],
        history: &SchemaHistory,
    ) -> Result<(), DecodeError> {
        let id = history.grow(|shapes| {
            self.catch_up(shapes);
            let mut next = self.list.clone();
            for (name, kind) in fields {
                next.take_field(name, *kind);
            }
            next.schema(&self.key, self.is_flat)
        });
        id.ok_or(DecodeError::TooManyShapes)?;
        self.catch_up(&history.shapes());
        // A shape does not tell a column of several types from one of nulls.
        for (name, kind) in fields {
            self.list.take_field(name, *kind);
        }
        Ok(())
    }

    /// Takes up the shapes that were added to the history since it was last looked at.
    fn catch_up(&mut self, history: &[Arc<Schema>]) {
        let added = history.iter().enumerate().skip(self.read);
        for (number, shape) in added {
            if shape.key.as_ref() != Some(&self.key) {
                continue;
            }
            let continues = shape.columns.len() >= self.list.kinds.len()
                && self
                    .list
                    .kinds
                    .iter()
                    .zip(&shape.columns)
                    .all(|(known, column)| known.0 == column.name);
            if !continues {
                // Not of this list: rows of another kind that had the same key.
                self.list = List::default();
                self.shapes.clear();
            }
            // A type that changed makes a shape of the same length.
            let length = shape.columns.len();
            self.shapes.retain(|(columns, _)| *columns < length);
            self.shapes.push((length, SchemaId(number as u32)));
            for column in &shape.columns {
                let known = self.list.places.get(&column.name);
                let was_typed = known.is_some_and(|at| self.list.kinds[*at].1 != Kind::Unknown);
                let kind = Some(column.kind).filter(|kind| *kind != ColumnType::Any || was_typed);
                self.list.take(&column.name, kind);
            }
        }
        self.read = history.len();
    }
}

/// False for a field that is kept among the others whatever room there is.
fn has_own(name: &str) -> bool {
    name != OTHER_FIELDS && name.len() <= NAME_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(
        columns: &mut DocumentColumns,
        history: &SchemaHistory,
        fields: &[(&str, ColumnType)],
    ) -> Placement {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, kind)| (*name, Some(*kind)))
            .collect();
        columns
            .place(&fields, &["_id".to_owned()], false, history)
            .unwrap()
    }

    fn newest(history: &SchemaHistory) -> String {
        let shapes = history.shapes();
        let columns = shapes.last().unwrap().columns.iter();
        let columns = columns.map(|column| format!("{} {}", column.name, column.kind.name()));
        columns.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn decoders_of_one_topic_grow_one_list() {
        use ColumnType::{Any, Int32, Int64, Json, Text};
        let history = SchemaHistory::default();
        let (mut one, mut other) = (DocumentColumns::default(), DocumentColumns::default());
        placed(&mut one, &history, &[("_id", Int32)]);
        placed(&mut other, &history, &[("_id", Int32), ("b", Text)]);
        // The first one does not know of `b`, and adds what it needs behind it.
        let placement = placed(&mut one, &history, &[("_id", Int64), ("a", Json)]);
        assert_eq!(placement.places, [Some(0), Some(2)]);
        assert_eq!(newest(&history), "_id int64, b text, a json");
        let placement = placed(&mut other, &history, &[("_id", Text), ("b", Text)]);
        assert_eq!((placement.columns, history.shapes().len()), (3, 4));
        assert_eq!(newest(&history), "_id any, b text, a json");
        // Rows without the newest fields are as short as they can be, and what is known adds nothing.
        for _ in 0..3 {
            let placement = placed(&mut one, &history, &[("b", Text)]);
            assert_eq!((placement.columns, placement.schema), (2, SchemaId(1)));
            placed(&mut other, &history, &[("_id", Any), ("a", Any)]);
        }
        assert_eq!(newest(&history), "_id any, b text, a any");
        assert_eq!(history.shapes().len(), 5);
        // A decoder that starts with this history goes on where it ends.
        let mut restarted = DocumentColumns::default();
        let placement = placed(&mut restarted, &history, &[("a", Int32), ("_id", Int32)]);
        assert_eq!(placement.places, [Some(2), Some(0)]);
        assert_eq!(history.shapes().len(), 5);
    }

    #[test]
    fn fields_beyond_the_limit_share_a_column() {
        let history = SchemaHistory::default();
        let mut columns = DocumentColumns::default();
        for number in 0..4 * FIELDS_MAX {
            let name = format!("f{number}");
            let placement = placed(
                &mut columns,
                &history,
                &[("_id", ColumnType::Text), (&name, ColumnType::Bool)],
            );
            let own = number + 1 < FIELDS_MAX;
            assert_eq!(
                (placement.places[1].is_some(), placement.others.is_none()),
                (own, own)
            );
        }
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in [OTHER_FIELDS, long.as_str()] {
            let placement = placed(
                &mut DocumentColumns::default(),
                &history,
                &[(name, ColumnType::Text)],
            );
            assert_eq!(
                (placement.places, placement.others),
                (vec![None], Some(FIELDS_MAX))
            );
        }
        // One for each field but the first two, which came together, and one for what they share.
        assert_eq!(history.shapes().len(), FIELDS_MAX);
    }
}
