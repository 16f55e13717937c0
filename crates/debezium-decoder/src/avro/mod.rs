//! Avro in the framing of a schema registry: a body is written as the JSON the JSON converter would
//! have written for the same value, beside the Connect schema that the Avro schema stands for.
//!
//! From there it goes the way of JSON with an embedded schema, so that every corner of Debezium is
//! decided in one place. Reading is ours because the semantic types hang on attributes of primitive
//! types (`connect.name`), which Avro libraries drop, and because it is a part of every record's way.

mod body;
mod change;
mod cursor;
mod row;
mod schema;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use cursor::BadBody;
pub(crate) use row::AvroRow;
pub(crate) use source::AvroTemplate;

use std::sync::Arc;

use change_feed::RegisteredSchema;

use crate::connect_schema::Node;

/// One step of reading a body, made of the writer's schema once.
#[derive(Clone, Debug)]
enum Reader {
    Null,
    Boolean,
    /// `int` and `long` are written alike.
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    /// A `fixed` of 16 bytes that is a uuid.
    Uuid,
    /// The symbols as they stand in JSON, quotes included.
    Enum(Arc<[String]>),
    Array(Box<Reader>),
    Map(Box<Reader>),
    /// A map of Connect whose keys are no plain strings: an array of records of a key and a value.
    Entries(Box<Entries>),
    /// By its number among the schema's records, which may contain themselves.
    Record(usize),
    /// `null` and one other type; the branch that is `null`.
    Optional(i64, Box<Reader>),
    Union(Arc<[Reader]>),
}

#[derive(Clone, Debug)]
struct Entries {
    key: Reader,
    value: Reader,
    /// Keys that are strings make an object, others an array of pairs.
    as_object: bool,
}

#[derive(Debug)]
struct Field {
    /// What stands before the value: `{"name":` or `,"name":`.
    lead: String,
    reader: Reader,
}

/// A writer's schema, ready to read bodies by.
#[derive(Debug)]
pub(crate) struct AvroSchema {
    root: Reader,
    records: Vec<Vec<Field>>,
    node: Arc<Node>,
    /// Where the parts of a change stand, if that is what it describes.
    change: Option<change::Places>,
}

impl Field {
    fn name(&self) -> &str {
        &self.lead[2..self.lead.len() - 2]
    }
}

impl AvroSchema {
    /// # Errors
    /// In words, if the schema is none.
    pub fn parse(schema: &RegisteredSchema) -> Result<Self, String> {
        schema::compile(schema)
    }

    /// The Connect schema it stands for.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }
}
