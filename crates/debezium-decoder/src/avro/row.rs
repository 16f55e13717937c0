//! A record of Avro as a row: its scalars become values without being text in between.

use row_model::{Row, RowBuilder, Value};

use super::cursor::{BadBody, Cursor};
use super::{AvroSchema, Reader};
use crate::cell::{Mismatch, decimal};
use crate::json_token::Token;
use crate::row_shape::{RowShape, within_bounds};
use crate::semantic::Semantic;
use crate::{DecodeError, Placeholder};

/// A record within a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AvroRow<'a> {
    pub schema: &'a AvroSchema,
    pub record: usize,
    pub bytes: &'a [u8],
}

/// Why a cell is no value of its column.
enum BadCell {
    Body(BadBody),
    Mismatch(Mismatch),
}

impl From<BadBody> for BadCell {
    fn from(bad: BadBody) -> Self {
        Self::Body(bad)
    }
}

impl From<Mismatch> for BadCell {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

impl AvroRow<'_> {
    /// Encodes the row by the shape that was made of its record.
    pub fn encode(
        self,
        shape: &RowShape,
        placeholder: Option<&Placeholder>,
        key: Row<'_>,
        row: &mut RowBuilder,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let fields = &self.schema.records[self.record];
        assert_eq!(
            fields.len(),
            shape.columns.len(),
            "the shape of this record"
        );
        let mut cursor = Cursor { rest: self.bytes };
        row.clear();
        let mut json = String::new();
        for (field, column) in fields.iter().zip(&shape.columns) {
            if !column.is_plain() {
                json.clear();
                let written = self
                    .schema
                    .write_value(&field.reader, &mut cursor, &mut json);
                written.map_err(|bad| malformed(&bad))?;
                column.push(Some(Token::of_valid(&json)), placeholder, row)?;
                continue;
            }
            let cell = Cell {
                schema: self.schema,
                semantic: &column.semantic,
                placeholder,
            };
            let pushed = cell.push(&field.reader, &mut cursor, row);
            pushed.map_err(|bad| match bad {
                BadCell::Mismatch(mismatch) => DecodeError::bad_cell(&column.name, &mismatch),
                BadCell::Body(bad) => malformed(&bad),
            })?;
            within_bounds(row)?;
        }
        shape.push_key(key, row);
        row.finish(out);
        Ok(())
    }

    /// Writes it as JSON.
    pub fn write_json(self, out: &mut String) -> Result<(), BadBody> {
        let mut cursor = Cursor { rest: self.bytes };
        self.schema
            .write_value(&Reader::Record(self.record), &mut cursor, out)
    }
}

fn malformed(bad: &BadBody) -> DecodeError {
    DecodeError::Malformed {
        part: "row",
        reason: bad.0.to_owned(),
    }
}

/// A column as its schema alone says it is.
struct Cell<'s> {
    schema: &'s AvroSchema,
    semantic: &'s Semantic,
    placeholder: Option<&'s Placeholder>,
}

impl Cell<'_> {
    fn push(
        &self,
        reader: &Reader,
        cursor: &mut Cursor<'_>,
        row: &mut RowBuilder,
    ) -> Result<(), BadCell> {
        match (reader, self.semantic) {
            (Reader::Optional(null, reader), _) => {
                if cursor.is_there(*null)? {
                    return self.push(reader, cursor, row);
                }
                row.push(Value::Null);
            }
            (
                Reader::Long,
                Semantic::Integer(_)
                | Semantic::Date
                | Semantic::Clock { .. }
                | Semantic::Timestamp { .. }
                | Semantic::MicroDuration,
            ) => {
                let value = self.semantic.of_integer(cursor.long()?);
                row.push(value.ok_or(self.semantic.mismatch())?);
            }
            (Reader::Boolean, Semantic::Boolean) => row.push(Value::Bool(cursor.boolean()?)),
            (Reader::Double, Semantic::Float(_)) => {
                row.push(Value::Float(f64::from_le_bytes(cursor.array()?)));
            }
            (Reader::String, semantic) if semantic.is_sent_as_text() => {
                semantic.push_sent_text(cursor.text()?, self.placeholder, row)?;
            }
            (Reader::Bytes, Semantic::Bytes) => {
                let bytes = cursor.sized()?;
                let is_missing = self
                    .placeholder
                    .is_some_and(|placeholder| placeholder.is_bytes(bytes));
                row.push(if is_missing {
                    Value::Unavailable
                } else {
                    Value::Bytes(bytes)
                });
            }
            (Reader::Bytes, Semantic::Decimal { scale }) => {
                row.push(Value::Decimal(decimal(*scale, cursor.sized()?)?));
            }
            (reader, semantic) => {
                let mut json = String::new();
                self.schema.write_value(reader, cursor, &mut json)?;
                semantic.push(Token::of_valid(&json), self.placeholder, row)?;
            }
        }
        Ok(())
    }
}
