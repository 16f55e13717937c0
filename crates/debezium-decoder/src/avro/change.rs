//! A change in Avro, taken apart without being written out: the way of most records.
//!
//! Only what is plainly a change of a table's row in Debezium's envelope goes this way; everything else
//! is written as JSON and goes the common one. Both ways lead to the same changes (a test compares them
//! over recorded events).

use super::cursor::{BadBody, Cursor, DEPTH_MAX, NO_BRANCH, NO_SYMBOL, TOO_DEEP};
use super::{AvroSchema, Field, Reader};
use crate::RECORD_BYTES_MAX;
use crate::avro::AvroRow;
use crate::connect_schema::Node;

/// Which of the value's fields are the parts of a change.
#[derive(Debug)]
pub(super) struct Places {
    before: usize,
    after: usize,
    source: usize,
    op: usize,
    ts_ms: usize,
    /// The block that tells the transaction, and its record's number.
    transaction: Option<(usize, usize)>,
    /// The numbers of the records.
    before_record: usize,
    after_record: usize,
    source_record: usize,
}

/// A change, its parts still as they were sent.
#[derive(Debug)]
pub(crate) struct AvroChange<'a> {
    pub op: &'a str,
    pub before: Option<AvroRow<'a>>,
    pub after: Option<AvroRow<'a>>,
    pub source: AvroRow<'a>,
    pub ts_ms: Option<i64>,
    pub transaction: Option<AvroRow<'a>>,
}

impl Places {
    pub fn of(root: &Reader, records: &[Vec<Field>], node: &Node) -> Option<Self> {
        let fields = &records[record_of(root)?];
        let place = |name: &str| {
            let of_name = |node: &Node| node.field.as_deref() == Some(name);
            node.fields.iter().position(of_name)
        };
        let places = Self {
            before: place("before")?,
            after: place("after")?,
            source: place("source")?,
            op: place("op")?,
            ts_ms: place("ts_ms")?,
            transaction: place("transaction")
                .and_then(|place| Some((place, record_of(&fields[place].reader)?))),
            before_record: record_of(&fields[place("before")?].reader)?,
            after_record: record_of(&fields[place("after")?].reader)?,
            source_record: record_of(&fields[place("source")?].reader)?,
        };
        let op = matches!(fields[places.op].reader, Reader::String);
        let ts_ms = match &fields[places.ts_ms].reader {
            Reader::Optional(_, reader) => matches!(**reader, Reader::Long),
            reader => matches!(reader, Reader::Long),
        };
        (op && ts_ms).then_some(places)
    }
}

fn record_of(reader: &Reader) -> Option<usize> {
    match reader {
        Reader::Record(number) => Some(*number),
        Reader::Optional(_, reader) => record_of(reader),
        _ => None,
    }
}

impl AvroSchema {
    /// Takes a body apart; `None` if its schema is not that of a change.
    pub fn change<'a>(&'a self, body: &'a [u8]) -> Result<Option<AvroChange<'a>>, BadBody> {
        let Some(places) = &self.change else {
            return Ok(None);
        };
        let Some(root) = record_of(&self.root) else {
            return Ok(None);
        };
        let mut cursor = Cursor { rest: body };
        let mut change = AvroChange {
            op: "",
            before: None,
            after: None,
            source: self.row(places.source_record, &[]),
            ts_ms: None,
            transaction: None,
        };
        for (place, field) in self.records[root].iter().enumerate() {
            let reader = match &field.reader {
                Reader::Optional(null, reader) => {
                    if !cursor.is_there(*null)? {
                        continue;
                    }
                    &**reader
                }
                reader => reader,
            };
            if place == places.op {
                change.op = cursor.text()?;
                continue;
            }
            if place == places.ts_ms {
                change.ts_ms = Some(cursor.long()?);
                continue;
            }
            let start = cursor.rest;
            self.skip(reader, &mut cursor, 1)?;
            let bytes = &start[..start.len() - cursor.rest.len()];
            if place == places.before {
                change.before = Some(self.row(places.before_record, bytes));
            } else if place == places.after {
                change.after = Some(self.row(places.after_record, bytes));
            } else if place == places.source {
                change.source = self.row(places.source_record, bytes);
            } else if let Some((_, record)) = places.transaction.filter(|it| it.0 == place) {
                change.transaction = Some(self.row(record, bytes));
            }
        }
        cursor.ends()?;
        Ok(Some(change))
    }

    fn row<'a>(&'a self, record: usize, bytes: &'a [u8]) -> AvroRow<'a> {
        AvroRow {
            schema: self,
            record,
            bytes,
        }
    }

    /// Takes one value off the cursor, and sees that it is one.
    pub(super) fn skip(&self, reader: &Reader, cursor: &mut Cursor<'_>, depth: usize) -> Skipped {
        match reader {
            Reader::Null => Ok(()),
            Reader::Boolean => cursor.boolean().map(drop),
            Reader::Long => cursor.long().map(drop),
            Reader::Float => cursor.take(4).map(drop),
            Reader::Double => cursor.take(8).map(drop),
            Reader::Bytes => cursor.sized().map(drop),
            Reader::String => cursor.text().map(drop),
            Reader::Fixed(size) => cursor.take(*size).map(drop),
            Reader::Uuid => cursor.take(16).map(drop),
            Reader::Enum(symbols) => cursor.choice(symbols, NO_SYMBOL).map(drop),
            Reader::Optional(null, reader) => {
                if cursor.is_there(*null)? {
                    self.skip(reader, cursor, depth)?;
                }
                Ok(())
            }
            Reader::Union(branches) => {
                let branch = cursor.choice(branches, NO_BRANCH)?;
                self.skip(branch, cursor, depth)
            }
            Reader::Record(number) => {
                if depth > DEPTH_MAX {
                    return Err(TOO_DEEP);
                }
                let mut fields = self.records[*number].iter();
                fields.try_for_each(|field| self.skip(&field.reader, cursor, depth + 1))
            }
            Reader::Array(items) => blocks(cursor, depth, |cursor, depth| {
                self.skip(items, cursor, depth)
            }),
            Reader::Map(values) => blocks(cursor, depth, |cursor, depth| {
                cursor.text()?;
                self.skip(values, cursor, depth)
            }),
            Reader::Entries(entries) => blocks(cursor, depth, |cursor, depth| {
                self.skip(&entries.key, cursor, depth)?;
                self.skip(&entries.value, cursor, depth)
            }),
        }
    }
}

type Skipped = Result<(), BadBody>;

fn blocks(
    cursor: &mut Cursor<'_>,
    depth: usize,
    mut item: impl FnMut(&mut Cursor<'_>, usize) -> Skipped,
) -> Skipped {
    if depth > DEPTH_MAX {
        return Err(TOO_DEEP);
    }
    // Items may take no bytes at all: their number has a bound of its own.
    let mut items = 0;
    loop {
        let count = cursor.long()?;
        if count == 0 {
            return Ok(());
        }
        if count < 0 {
            cursor.long()?;
        }
        for _ in 0..count.unsigned_abs() {
            items += 1;
            if items > RECORD_BYTES_MAX {
                return Err(BadBody("an array has too many items"));
            }
            item(cursor, depth + 1)?;
        }
    }
}
