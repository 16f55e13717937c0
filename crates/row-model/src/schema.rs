//! The shapes a table's rows have had: column names and types, held once for all rows.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::{COLUMNS_MAX, OriginId, SchemaId};

/// What the source says a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// The stream carries no types: values are kept as they were sent.
    Any,
    Bool,
    Int16,
    Int32,
    Int64,
    UInt64,
    Float32,
    Float64,
    Decimal,
    Text,
    Bytes,
    Bits,
    Uuid,
    Enum,
    EnumSet,
    Json,
    Xml,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Duration,
    Array,
    Map,
    Struct,
}

const TYPES: [(ColumnType, &str); 26] = [
    (ColumnType::Any, "any"),
    (ColumnType::Bool, "boolean"),
    (ColumnType::Int16, "int16"),
    (ColumnType::Int32, "int32"),
    (ColumnType::Int64, "int64"),
    (ColumnType::UInt64, "uint64"),
    (ColumnType::Float32, "float32"),
    (ColumnType::Float64, "float64"),
    (ColumnType::Decimal, "decimal"),
    (ColumnType::Text, "text"),
    (ColumnType::Bytes, "bytes"),
    (ColumnType::Bits, "bits"),
    (ColumnType::Uuid, "uuid"),
    (ColumnType::Enum, "enum"),
    (ColumnType::EnumSet, "enum_set"),
    (ColumnType::Json, "json"),
    (ColumnType::Xml, "xml"),
    (ColumnType::Date, "date"),
    (ColumnType::Time, "time"),
    (ColumnType::TimeTz, "timetz"),
    (ColumnType::Timestamp, "timestamp"),
    (ColumnType::TimestampTz, "timestamptz"),
    (ColumnType::Duration, "duration"),
    (ColumnType::Array, "array"),
    (ColumnType::Map, "map"),
    (ColumnType::Struct, "struct"),
];

impl ColumnType {
    /// The name the API and the checkpoint use.
    #[must_use]
    pub fn name(self) -> &'static str {
        TYPES
            .iter()
            .find(|(known, _)| *known == self)
            .map_or("any", |(_, name)| name)
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(known, _)| *known)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub nullable: bool,
}

/// One shape of a table's rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema {
    pub columns: Vec<Column>,
    /// The key columns in key order; `None` for a keyless table.
    pub key: Option<Vec<String>>,
}

impl Schema {
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// Every shape one topic's rows have had, and every source table they came from, numbered in the
/// order they were met. Append-only.
///
/// Shared between the decoders (which add to it) and readers (which look numbers up).
#[derive(Debug, Default)]
pub struct SchemaHistory {
    // Guards only the swap of the list; readers take a reference out and let go.
    shapes: RwLock<Arc<[Arc<Schema>]>>,
    /// Guards one look or one insertion. Looked at when a source block is met that differs from the last.
    origins: RwLock<Vec<String>>,
}

impl SchemaHistory {
    /// More shapes than this of one topic are a stream gone wrong: later ones are refused.
    pub const SHAPES_MAX: usize = 10_000;

    /// The history a checkpoint remembers.
    #[must_use]
    pub fn restore(shapes: Vec<Schema>, origins: Vec<String>) -> Self {
        Self {
            shapes: RwLock::new(shapes.into_iter().map(Arc::new).collect()),
            origins: RwLock::new(origins),
        }
    }

    /// The number of a source table, by its full name. Beyond the last number all share it.
    pub fn origin(&self, name: &str) -> OriginId {
        let known = |origins: &[String]| origins.iter().position(|known| known == name);
        if let Some(number) = known(&self.origins.read()) {
            return OriginId(number as u16);
        }
        let mut origins = self.origins.write();
        let number = known(&origins).unwrap_or_else(|| {
            if u16::try_from(origins.len()).is_ok() {
                origins.push(name.to_owned());
            }
            origins.len() - 1
        });
        OriginId(number as u16)
    }

    /// The source tables met so far; an [`OriginId`] is an index into them.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        self.origins.read().clone()
    }

    /// All shapes met so far; a [`SchemaId`] is an index into them.
    #[must_use]
    pub fn shapes(&self) -> Arc<[Arc<Schema>]> {
        Arc::clone(&self.shapes.read())
    }

    #[must_use]
    pub fn get(&self, id: SchemaId) -> Option<Arc<Schema>> {
        self.shapes().get(id.0 as usize).cloned()
    }

    /// The number of this shape, a new one if it was never met; `None` if there are too many
    /// shapes or columns.
    pub fn intern(&self, schema: &Schema) -> Option<SchemaId> {
        self.grow(|_| schema.clone())
    }

    /// The number of the shape that `next` makes of those there are. Nobody adds another meanwhile,
    /// so that of several decoders each builds on what the others have met.
    pub fn grow(&self, next: impl FnOnce(&[Arc<Schema>]) -> Schema) -> Option<SchemaId> {
        let mut shapes = self.shapes.write();
        let schema = next(&shapes);
        if let Some(known) = shapes.iter().position(|known| **known == schema) {
            return Some(SchemaId(known as u32));
        }
        if shapes.len() >= Self::SHAPES_MAX || schema.columns.len() > COLUMNS_MAX {
            return None;
        }
        let id = SchemaId(shapes.len() as u32);
        *shapes = shapes.iter().cloned().chain([Arc::new(schema)]).collect();
        Some(id)
    }
}

/// The schema histories of all topics, shared by every decoder.
#[derive(Debug, Default)]
pub struct SchemaCatalog {
    topics: RwLock<HashMap<String, Arc<SchemaHistory>>>,
}

impl SchemaCatalog {
    /// Takes up what a checkpoint remembers of a topic, before anything of it is decoded.
    pub fn restore(&self, topic: &str, history: Arc<SchemaHistory>) {
        self.topics.write().insert(topic.to_owned(), history);
    }

    /// The history of a topic, empty at first.
    pub fn history(&self, topic: &str) -> Arc<SchemaHistory> {
        if let Some(known) = self.topics.read().get(topic) {
            return Arc::clone(known);
        }
        let mut topics = self.topics.write();
        Arc::clone(topics.entry(topic.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_met_again_keeps_its_number() {
        let shape = |names: &[&str]| Schema {
            columns: names
                .iter()
                .map(|name| Column {
                    name: (*name).to_owned(),
                    kind: ColumnType::Any,
                    nullable: true,
                })
                .collect(),
            key: None,
        };
        let history = SchemaHistory::default();
        assert_eq!(history.intern(&shape(&["a"])), Some(SchemaId(0)));
        assert_eq!(history.intern(&shape(&["a", "b"])), Some(SchemaId(1)));
        assert_eq!(history.intern(&shape(&["a"])), Some(SchemaId(0)));
        assert_eq!(history.get(SchemaId(1)).unwrap().column("b"), Some(1));
        assert_eq!(history.get(SchemaId(2)), None);
    }

    #[test]
    fn source_tables_keep_their_numbers() {
        let history = SchemaHistory::restore(Vec::new(), vec!["a".to_owned()]);
        assert_eq!(history.origin("b"), OriginId(1));
        assert_eq!(history.origin("a"), OriginId(0));
        assert_eq!(history.origins(), ["a", "b"]);
    }

    #[test]
    fn type_names_read_back() {
        for (kind, name) in TYPES {
            assert_eq!(
                (kind.name(), ColumnType::from_name(name)),
                (name, Some(kind))
            );
        }
    }
}
