//! The source block in Avro: blocks of one table differ only in a few values.
//!
//! The last block is kept as a template of fields that repeat to the byte and fields that differ: one
//! that fits it gives its few values without being written out and parsed.

use std::sync::Arc;

use super::cursor::Cursor;
use super::{AvroRow, Reader};
use crate::connect_schema::Node;
use crate::source_block::{HOLES, Hole, SourceFacts, snapshot_mark};

/// A block of `PostgreSQL`, field by field.
#[derive(Debug)]
pub(crate) struct AvroTemplate {
    /// Of the schema it was made by.
    node: Arc<Node>,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(Vec<u8>),
    Hole(Hole, Reader),
}

impl AvroTemplate {
    /// The template of a block that says `facts`, if it reads as that by its template.
    pub fn of(source: AvroRow<'_>, facts: &SourceFacts) -> Option<Self> {
        let schema = source.schema;
        let mut cursor = Cursor { rest: source.bytes };
        let mut parts = Vec::new();
        for field in &schema.records[source.record] {
            let hole = HOLES.iter().find(|(name, _)| *name == field.name());
            let before = cursor.rest;
            schema.skip(&field.reader, &mut cursor, 1).ok()?;
            let bytes = &before[..before.len() - cursor.rest.len()];
            parts.push(match hole {
                Some((_, hole)) => Part::Hole(*hole, field.reader.clone()),
                None => Part::Literal(bytes.to_vec()),
            });
        }
        let template = Self {
            node: Arc::clone(schema.node()),
            parts,
        };
        (template.fit(source)? == *facts).then_some(template)
    }

    pub fn fit(&self, source: AvroRow<'_>) -> Option<SourceFacts> {
        if !Arc::ptr_eq(&self.node, source.schema.node()) {
            return None;
        }
        let mut cursor = Cursor { rest: source.bytes };
        let (mut commit_ms, mut snapshot, mut tx_id, mut lsn) = (None, None, None, None);
        for part in &self.parts {
            let (hole, reader) = match part {
                Part::Literal(bytes) => {
                    cursor.rest = cursor.rest.strip_prefix(&bytes[..])?;
                    continue;
                }
                Part::Hole(hole, reader) => (hole, reader),
            };
            let reader = match reader {
                Reader::Optional(null, reader) => {
                    if !cursor.is_there(*null).ok()? {
                        continue;
                    }
                    &**reader
                }
                reader => reader,
            };
            match (hole, reader) {
                (Hole::TsMs, Reader::Long) => commit_ms = Some(cursor.long().ok()?),
                (Hole::TxId, Reader::Long) => tx_id = Some(cursor.long().ok()?),
                (Hole::Lsn, Reader::Long) => lsn = Some(u64::try_from(cursor.long().ok()?).ok()?),
                (Hole::Snapshot, Reader::String) => {
                    let mark = cursor.text().ok()?;
                    // An incremental row's position stands in its sequence: left to the parser.
                    if mark == "incremental" {
                        return None;
                    }
                    snapshot = snapshot_mark(Some(mark));
                }
                (Hole::Other, reader) => source.schema.skip(reader, &mut cursor, 1).ok()?,
                _ => return None,
            }
        }
        Some(SourceFacts::of_postgres(commit_ms, snapshot, tx_id, lsn))
    }
}
