//! How the rows of an answer are written: as objects, as arrays beside the columns' names, or as CSV.
//!
//! Rows are written where they lie, like those of [`crate::json`], but only what was selected of them.
//! A value that was never sent is left out of an object and named in it; in an array it is null, and
//! named beside the rows; in CSV it is an empty field, as null is.

use std::sync::Arc;

use row_model::{ColumnType, Value, Version};

use crate::bind::{BoundQuery, Field};
use crate::json::{RowShape, write_text, write_value};
use crate::predicate::Layouts;

/// Integers beyond this are not whole numbers to a reader that has only doubles.
const DOUBLE_INT_MAX: u64 = 1 << 53;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `{"id":7,"status":"paid"}`
    Objects,
    /// `[7,"paid"]`
    Arrays,
    /// `7,paid` and a line's end. Text is quoted where it must be, and if it is empty: null is nothing.
    Csv,
}

/// Writes rows as a query wants them.
pub struct RowWriter<'a> {
    fields: &'a [Field],
    layouts: Layouts,
    format: Format,
    /// 64-bit integers as strings.
    int64_as_text: bool,
    /// Writes the rows of which everything is shown as it is.
    whole: Option<Arc<RowShape>>,
    /// `[row,"column"]` of each value in an array that was never sent.
    unavailable: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'a> RowWriter<'a> {
    /// `shape` is that of the table the query is bound to.
    #[must_use]
    pub fn new(
        query: &'a BoundQuery,
        format: Format,
        int64_as_text: bool,
        shape: &Arc<RowShape>,
    ) -> Self {
        let is_plain = query.is_whole_row && format == Format::Objects && !int64_as_text;
        Self {
            fields: &query.fields,
            layouts: query.columns.layouts(),
            format,
            int64_as_text,
            whole: is_plain.then(|| Arc::clone(shape)),
            unavailable: Vec::new(),
            scratch: Vec::new(),
        }
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Appends the columns' names as an array of texts, or as a line of CSV.
    pub fn write_header(&mut self, out: &mut Vec<u8>) {
        let is_csv = self.format == Format::Csv;
        for (at, field) in self.fields.iter().enumerate() {
            let first = if is_csv { None } else { Some(b'[') };
            out.extend(if at == 0 { first } else { Some(b',') });
            if is_csv {
                write_csv_text(&field.label, out);
            } else {
                write_text(&field.label, out);
            }
        }
        match (is_csv, self.fields.is_empty()) {
            (true, _) => out.extend_from_slice(b"\r\n"),
            (false, true) => out.extend_from_slice(b"[]"),
            (false, false) => out.push(b']'),
        }
    }

    /// Appends a row; `number` is its place in the answer.
    pub fn write_row(&mut self, number: usize, version: &Version, out: &mut Vec<u8>) {
        if let Some(shape) = &self.whole {
            return shape.write_row(version, out);
        }
        match self.format {
            Format::Objects => self.write_object(version, out),
            Format::Arrays => self.write_array(number, version, out),
            Format::Csv => self.write_line(version, out),
        }
    }

    /// Takes the list of what was never sent, an array, if there is any.
    pub fn take_unavailable(&mut self) -> Option<Vec<u8>> {
        let mut list = std::mem::take(&mut self.unavailable);
        let first = list.first_mut()?;
        // The first comma gives its place to the bracket.
        *first = b'[';
        list.push(b']');
        Some(list)
    }

    /// How long the list of what was never sent has become: it is part of the answer's size.
    #[must_use]
    pub fn unavailable_bytes(&self) -> usize {
        self.unavailable.len()
    }

    /// Forgets what was noted after this length.
    pub fn forget_unavailable(&mut self, bytes: usize) {
        self.unavailable.truncate(bytes);
    }

    fn write_object(&mut self, version: &Version, out: &mut Vec<u8>) {
        let Some(row) = version.row() else {
            return out.extend_from_slice(b"{}");
        };
        let places = self.layouts.of(version.schema());
        let as_text = self.int64_as_text;
        self.scratch.clear();
        let start = out.len();
        for field in self.fields {
            let scratch = &mut self.scratch;
            field.source.with_value(row, places, |value| {
                if value == Value::Unavailable {
                    scratch.push(b',');
                    return write_text(&field.label, scratch);
                }
                out.push(b',');
                write_text(&field.label, out);
                out.push(b':');
                write_field(field, value, as_text, out);
            });
        }
        if let Some(first) = self.scratch.first_mut() {
            *first = b'[';
            out.extend_from_slice(b",\"unavailable\":");
            out.extend_from_slice(&self.scratch);
            out.push(b']');
        }
        match out.get_mut(start) {
            // The first comma gives its place to the brace.
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }

    fn write_array(&mut self, number: usize, version: &Version, out: &mut Vec<u8>) {
        let Some(row) = version.row() else {
            return out.extend_from_slice(b"[]");
        };
        let places = self.layouts.of(version.schema());
        out.push(b'[');
        for (at, field) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let unavailable = &mut self.unavailable;
            field.source.with_value(row, places, |value| {
                if value == Value::Unavailable {
                    unavailable.extend_from_slice(b",[");
                    unavailable.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                    unavailable.push(b',');
                    write_text(&field.label, unavailable);
                    unavailable.push(b']');
                }
                write_field(field, value, self.int64_as_text, out);
            });
        }
        out.push(b']');
    }

    fn write_line(&mut self, version: &Version, out: &mut Vec<u8>) {
        let Some(row) = version.row() else {
            return;
        };
        let places = self.layouts.of(version.schema());
        for (at, field) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let scratch = &mut self.scratch;
            field.source.with_value(row, places, |value| match value {
                Value::Null | Value::Unavailable => {}
                Value::Text(text) | Value::Json(text) => write_csv_text(text, out),
                value => {
                    scratch.clear();
                    write_value(value, scratch);
                    // What is neither text nor JSON needs no escapes: without its quotes it is itself.
                    let bare = scratch
                        .strip_prefix(b"\"")
                        .and_then(|rest| rest.strip_suffix(b"\""));
                    out.extend_from_slice(bare.unwrap_or(scratch));
                }
            });
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// In a column of 64-bit integers every integer is a string, elsewhere only what a double cannot hold.
fn write_field(field: &Field, value: Value<'_>, int64_as_text: bool, out: &mut Vec<u8>) {
    let is_wide = matches!(field.kind, ColumnType::Int64 | ColumnType::UInt64);
    let magnitude = match value {
        Value::Int(number) => number.unsigned_abs(),
        Value::UInt(number) => number,
        _ => 0,
    };
    let is_integer = matches!(value, Value::Int(_) | Value::UInt(_));
    let as_text = int64_as_text && is_integer && (is_wide || magnitude > DOUBLE_INT_MAX);
    if as_text {
        out.push(b'"');
    }
    write_value(value, out);
    if as_text {
        out.push(b'"');
    }
}

/// As RFC 4180 has it.
fn write_csv_text(text: &str, out: &mut Vec<u8>) {
    let needs_quotes =
        text.is_empty() || text.contains([',', '"', '\r', '\n']) || text.trim() != text;
    if !needs_quotes {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value as Json};

    use super::*;
    use crate::fixture::{Shop, UNBOUND};
    use crate::list::random::{any_rows, shop_of};
    use crate::list::{PAGE_BYTES_MAX, PageRequest, page};
    use crate::{bind, url};

    /// All rows in a form, and the list of what was never sent.
    fn written(
        shop: &Shop,
        select: &str,
        format: Format,
        int64_as_text: bool,
    ) -> (Vec<Json>, Json) {
        let cut = shop.store().pin();
        let table = cut.table("orders").unwrap();
        let query = bind::bind(&url::read([("select", select)]).unwrap(), table).unwrap();
        let request = PageRequest {
            after: None,
            limit: 1_000,
            counted: false,
        };
        let page = page(&cut, table, &query, &request, UNBOUND).unwrap();
        let mut writer = RowWriter::new(&query, format, int64_as_text, &shop.shape(table));
        let mut out = b"[".to_vec();
        if format == Format::Arrays {
            writer.write_header(&mut out);
            out.push(b',');
        }
        let before = out.len();
        page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut out);
        if out.len() == before && format == Format::Arrays {
            out.pop();
        }
        out.push(b']');
        let unavailable = writer.take_unavailable().unwrap_or_else(|| b"[]".to_vec());
        (
            serde_json::from_slice(&out).unwrap(),
            serde_json::from_slice(&unavailable).unwrap(),
        )
    }

    /// Rows as objects, from their form as arrays.
    fn zipped(arrays: &[Json], unavailable: &Json) -> Vec<Map<String, Json>> {
        let Some((header, rows)) = arrays.split_first() else {
            return Vec::new();
        };
        let labels = header.as_array().unwrap();
        let row = |(number, row): (usize, &Json)| {
            let labels = labels
                .iter()
                .map(|label| label.as_str().unwrap().to_owned());
            let mut object: Map<_, _> = labels
                .zip(row.as_array().unwrap().iter().cloned())
                .collect();
            for gap in unavailable.as_array().unwrap() {
                if gap[0] == number {
                    let label = gap[1].as_str().unwrap();
                    assert_eq!(object.remove(label), Some(Json::Null));
                    let list = object
                        .entry("unavailable")
                        .or_insert_with(|| Json::Array(Vec::new()));
                    list.as_array_mut().unwrap().push(gap[1].clone());
                }
            }
            object
        };
        rows.iter().enumerate().map(row).collect()
    }

    proptest! {
        #[test]
        fn objects_and_arrays_say_the_same(rows in any_rows(0..20), int64_as_text: bool) {
            let shop = shop_of(&rows);
            let select = "id,i,other:any,doc->n,doc->>k,t,y,late,old";
            let (objects, none) = written(&shop, select, Format::Objects, int64_as_text);
            let (arrays, unavailable) = written(&shop, select, Format::Arrays, int64_as_text);
            prop_assert_eq!(none, Json::Array(Vec::new()));
            let zipped: Vec<Json> = zipped(&arrays, &unavailable).into_iter().map(Json::Object).collect();
            prop_assert_eq!(objects.len(), rows.len());
            prop_assert_eq!(&objects, &zipped);
            for object in objects {
                prop_assert_eq!(object["id"].is_string(), int64_as_text);
                prop_assert!(!(object["other"].is_u64() && int64_as_text && object["other"].as_u64() > Some(1 << 53)));
            }
        }
    }
}
