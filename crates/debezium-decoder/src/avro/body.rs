//! Bodies of Avro ▶ JSON text.
//!
//! Invariant: whatever the bytes say, reading ends: nothing is allocated for a length that is only
//! claimed, nesting has a bound, and so has the text (an array of nulls takes no bytes at all).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::cursor::{BadBody, Cursor, DEPTH_MAX, NO_BRANCH, NO_SYMBOL, TOO_DEEP};
use super::{AvroSchema, Entries, Reader};
use crate::outline::Outline;

/// More text than this of one record is refused.
const TEXT_BYTES_MAX: usize = 4 * crate::RECORD_BYTES_MAX;

/// Before a field's name stand a bracket and a quote, behind it a quote and a colon.
const NAME_AT: usize = 2;

const TOO_LONG: BadBody = BadBody("written out it is too long");

impl AvroSchema {
    /// Writes and outlines the JSON of a body, which must end where its value ends.
    pub fn write_json(
        &self,
        body: &[u8],
        out: &mut String,
        outline: &mut Outline,
    ) -> Result<(), BadBody> {
        outline.clear();
        let mut writer = Writer {
            schema: self,
            cursor: Cursor { rest: body },
            out,
            outline,
        };
        writer.value(&self.root, 0)?;
        writer.cursor.ends()
    }

    /// Appends the JSON of one value, and takes it off the cursor.
    pub(super) fn write_value(
        &self,
        reader: &Reader,
        cursor: &mut Cursor<'_>,
        out: &mut String,
    ) -> Written {
        let mut unused = Outline::default();
        let mut writer = Writer {
            schema: self,
            cursor: *cursor,
            out,
            outline: &mut unused,
        };
        // Not the depth of a record's fields, which are outlined.
        writer.value(reader, 2)?;
        cursor.rest = writer.cursor.rest;
        Ok(())
    }
}

struct Writer<'s, 'b> {
    schema: &'s AvroSchema,
    cursor: Cursor<'b>,
    out: &'s mut String,
    outline: &'s mut Outline,
}

type Written = Result<(), BadBody>;

impl Writer<'_, '_> {
    fn value(&mut self, reader: &Reader, depth: usize) -> Written {
        match reader {
            Reader::Null => self.out.push_str("null"),
            Reader::Boolean => {
                let truth = if self.cursor.boolean()? {
                    "true"
                } else {
                    "false"
                };
                self.out.push_str(truth);
            }
            Reader::Long => {
                let number = self.cursor.long()?;
                self.out.push_str(itoa::Buffer::new().format(number));
            }
            Reader::Float => {
                let number = f32::from_le_bytes(self.cursor.array()?);
                self.float(f64::from(number), ryu::Buffer::new().format(number));
            }
            Reader::Double => {
                let number = f64::from_le_bytes(self.cursor.array()?);
                self.float(number, ryu::Buffer::new().format(number));
            }
            Reader::Bytes => {
                let bytes = self.cursor.sized()?;
                self.base64(bytes);
            }
            Reader::Fixed(size) => {
                let bytes = self.cursor.take(*size)?;
                self.base64(bytes);
            }
            Reader::Uuid => self.uuid()?,
            Reader::String => {
                let bytes = self.cursor.sized()?;
                self.string(bytes)?;
            }
            Reader::Enum(symbols) => {
                self.out.push_str(self.cursor.choice(symbols, NO_SYMBOL)?);
            }
            Reader::Optional(null, reader) => {
                if self.cursor.is_there(*null)? {
                    return self.value(reader, depth);
                }
                self.out.push_str("null");
            }
            Reader::Union(branches) => {
                let branch = self.cursor.choice(branches, NO_BRANCH)?;
                return self.value(branch, depth);
            }
            Reader::Record(number) => self.record(*number, depth)?,
            Reader::Array(items) => {
                self.blocks(('[', ']'), depth, |writer, depth| {
                    writer.value(items, depth)
                })?;
            }
            Reader::Map(values) => self.blocks(('{', '}'), depth, |writer, depth| {
                let name = writer.cursor.sized()?;
                writer.string(name)?;
                writer.out.push(':');
                writer.value(values, depth)
            })?,
            Reader::Entries(entries) => self.entries(entries, depth)?,
        }
        Ok(())
    }

    fn record(&mut self, number: usize, depth: usize) -> Written {
        if depth > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        let schema = self.schema;
        let fields = &schema.records[number];
        if depth == 0 {
            self.outline.begin();
        }
        for field in fields {
            let name_start = self.out.len() + NAME_AT;
            self.out.push_str(&field.lead);
            let start = self.out.len();
            self.value(&field.reader, depth + 1)?;
            let (name, value) = ((name_start, start - NAME_AT), (start, self.out.len()));
            match depth {
                0 => self.outline.push_outer(name, value),
                1 => self.outline.push_inner(name, value),
                _ => {}
            }
        }
        self.out
            .push_str(if fields.is_empty() { "{}" } else { "}" });
        self.within_bounds()
    }

    fn entries(&mut self, entries: &Entries, depth: usize) -> Written {
        let brackets = if entries.as_object {
            ('{', '}')
        } else {
            ('[', ']')
        };
        self.blocks(brackets, depth, |writer, depth| {
            if !entries.as_object {
                writer.out.push('[');
            }
            writer.value(&entries.key, depth)?;
            writer.out.push(if entries.as_object { ':' } else { ',' });
            writer.value(&entries.value, depth)?;
            if !entries.as_object {
                writer.out.push(']');
            }
            Ok(())
        })
    }

    /// Blocks of items, each with its number of items before it; a negative one is followed by the
    /// block's length in bytes.
    fn blocks(
        &mut self,
        (open, close): (char, char),
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Written,
    ) -> Written {
        if depth > DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        self.out.push(open);
        let mut is_first = true;
        loop {
            let count = self.cursor.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.cursor.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !is_first {
                    self.out.push(',');
                }
                is_first = false;
                item(self, depth + 1)?;
                self.within_bounds()?;
            }
        }
        self.out.push(close);
        Ok(())
    }

    fn within_bounds(&self) -> Written {
        if self.out.len() > TEXT_BYTES_MAX {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    fn float(&mut self, number: f64, finite: &str) {
        // As the JSON converter spells what JSON has no number for.
        self.out.push_str(if number.is_nan() {
            "\"NaN\""
        } else if number == f64::INFINITY {
            "\"Infinity\""
        } else if number == f64::NEG_INFINITY {
            "\"-Infinity\""
        } else {
            finite
        });
    }

    fn string(&mut self, bytes: &[u8]) -> Written {
        let text = std::str::from_utf8(bytes).map_err(|_| BadBody("a string is not UTF-8"))?;
        let is_plain = bytes
            .iter()
            .all(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\'));
        if is_plain {
            self.out.push('"');
            self.out.push_str(text);
            self.out.push('"');
        } else {
            self.out.push_str(&Value::from(text).to_string());
        }
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push('"');
        STANDARD.encode_string(bytes, self.out);
        self.out.push('"');
    }

    fn uuid(&mut self) -> Written {
        let bytes: [u8; 16] = self.cursor.array()?;
        let mut hex = format!("{:032x}", u128::from_be_bytes(bytes));
        for at in [20, 16, 12, 8] {
            hex.insert(at, '-');
        }
        self.out.push('"');
        self.out.push_str(&hex);
        self.out.push('"');
        Ok(())
    }
}
