//! How the rows of an answer are written: as objects, as arrays beside the columns' names, or as CSV.
//!
//! Rows are written where they lie, like those of [`crate::json`], but only what was selected of them, and
//! with the rows that stand inside them, which are objects in every form.
//! A value that was never sent is left out of an object and named in it; in an array it is null, and
//! named beside the rows; in CSV it is an empty field, as null is. Related rows that were cut off at a
//! limit are named in their row's `truncated`.

pub mod postgres;

use std::sync::Arc;

use row_model::{ColumnType, Value};

use crate::bind::{BoundEmbed, BoundQuery, Field, FieldWhat};
use crate::embed::{Node, Related};
use crate::json::{RowShape, RowShapes, write_text, write_value};
use crate::list::{ANSWER_BYTES_MAX, ListError};
use crate::run::{Reader, View};

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

/// How values are written, whatever the form of the rows.
#[derive(Clone, Copy, Debug, Default)]
struct Style {
    /// 64-bit integers as strings.
    int64_as_text: bool,
}

/// Writes rows as a query wants them.
pub struct RowWriter<'a> {
    level: Level<'a>,
    format: Format,
    style: Style,
    /// `[row,"column"]` of each value in an array that was never sent.
    unavailable: Vec<u8>,
    scratch: Vec<u8>,
}

/// One query, with those that stand inside it.
struct Level<'a> {
    query: &'a BoundQuery,
    reader: Reader,
    /// Writes the rows of which everything is shown as it is.
    whole: Option<Arc<RowShape>>,
    embeds: Vec<Level<'a>>,
}

impl<'a> Level<'a> {
    fn new(query: &'a BoundQuery, shapes: &RowShapes, style: Style) -> Self {
        let is_plain = query.fields.begin_whole() && !style.int64_as_text;
        let embeds = query.embeds.iter();
        Self {
            query,
            reader: Reader::of_found(query.output()),
            whole: is_plain.then(|| shapes.of(&query.table)),
            embeds: embeds
                .map(|embed| Self::new(&embed.query, shapes, style))
                .collect(),
        }
    }
}

impl<'a> RowWriter<'a> {
    #[must_use]
    pub fn new(
        query: &'a BoundQuery,
        format: Format,
        int64_as_text: bool,
        shapes: &RowShapes,
    ) -> Self {
        let style = Style { int64_as_text };
        Self {
            level: Level::new(query, shapes, style),
            format,
            style,
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
        let fields = &self.level.query.fields;
        for (at, field) in fields.iter().enumerate() {
            let first = if is_csv { None } else { Some(b'[') };
            out.extend(if at == 0 { first } else { Some(b',') });
            if is_csv {
                write_csv_text(&field.label, out);
            } else {
                write_text(&field.label, out);
            }
        }
        match (is_csv, fields.is_empty()) {
            (true, _) => out.extend_from_slice(b"\r\n"),
            (false, true) => out.extend_from_slice(b"[]"),
            (false, false) => out.push(b']'),
        }
    }

    /// Appends a row; `number` is its place in the answer.
    pub(crate) fn write_row(&mut self, number: usize, node: &Node, out: &mut Vec<u8>) {
        match self.format {
            Format::Objects => self.level.write_object(node, self.style, out),
            Format::Arrays => self.write_array(number, node, out),
            Format::Csv => self.write_line(node, out),
        }
    }

    /// Whether all that stands inside the rows of an answer has been written.
    ///
    /// # Errors
    /// If it was too much.
    pub(crate) fn checked(&self, out: &[u8]) -> Result<(), ListError> {
        check_size(&self.level.query.embeds, out)
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

    fn write_array(&mut self, number: usize, node: &Node, out: &mut Vec<u8>) {
        let Level {
            query,
            reader,
            embeds,
            ..
        } = &mut self.level;
        let Some(view) = reader.view_with(node.version(), &node.related) else {
            return out.extend_from_slice(b"[]");
        };
        out.push(b'[');
        for (at, field) in query.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            if is_unavailable(field, &view) {
                let list = &mut self.unavailable;
                list.extend_from_slice(b",[");
                list.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                list.push(b',');
                write_text(&field.label, list);
                list.push(b']');
            }
            write_field(field, &view, node, query, embeds, self.style, out);
        }
        out.push(b']');
    }

    fn write_line(&mut self, node: &Node, out: &mut Vec<u8>) {
        let Level {
            query,
            reader,
            embeds,
            ..
        } = &mut self.level;
        let Some(view) = reader.view_with(node.version(), &node.related) else {
            return;
        };
        for (at, field) in query.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let scratch = &mut self.scratch;
            scratch.clear();
            let FieldWhat::Value { source, .. } = &field.what else {
                write_field(field, &view, node, query, embeds, self.style, scratch);
                write_csv_text(&String::from_utf8_lossy(scratch), out);
                continue;
            };
            view.with_value(source, |value| match value {
                Value::Null | Value::Unavailable => {}
                Value::Text(text) | Value::Json(text) => write_csv_text(text, out),
                value => {
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

impl Level<'_> {
    fn write_object(&mut self, node: &Node, style: Style, out: &mut Vec<u8>) {
        let start = out.len();
        let fields = if let Some(shape) = &self.whole {
            shape.write_row(node.version(), out);
            if self.query.embeds.is_empty() {
                return;
            }
            // What stands inside the row follows within the same braces.
            out.pop();
            self.query.fields.listed()
        } else {
            out.push(b'{');
            &self.query.fields[..]
        };
        let Some(view) = self.reader.view_with(node.version(), &node.related) else {
            out.truncate(start);
            return out.extend_from_slice(b"{}");
        };
        for field in fields {
            if is_unavailable(field, &view) {
                continue;
            }
            out.push(b',');
            write_text(&field.label, out);
            out.push(b':');
            write_field(field, &view, node, self.query, &mut self.embeds, style, out);
        }
        let unavailable = |field: &&Field| is_unavailable(field, &view);
        let cut = |field: &&Field| matches!(field.what, FieldWhat::Embed(number) if node.embeds[number].more);
        write_list("unavailable", fields.iter().filter(unavailable), out);
        write_list("truncated", fields.iter().filter(cut), out);
        // The first comma, if it stands right after the brace, is one too many.
        if out.get(start + 1) == Some(&b',') {
            out.remove(start + 1);
        }
        out.push(b'}');
    }

    /// The rows of an embed, or the one it has, or null.
    fn write_related(&mut self, related: &Related, is_many: bool, style: Style, out: &mut Vec<u8>) {
        if !is_many {
            return match related.rows.first() {
                Some(node) => self.write_object(node, style, out),
                None => out.extend_from_slice(b"null"),
            };
        }
        out.push(b'[');
        for (at, node) in related.rows.iter().enumerate() {
            if is_too_much(out) {
                break;
            }
            if at > 0 {
                out.push(b',');
            }
            self.write_object(node, style, out);
        }
        out.push(b']');
    }

    /// One field of each row.
    fn write_spread(&mut self, related: &Related, field: usize, style: Style, out: &mut Vec<u8>) {
        out.push(b'[');
        for (at, node) in related.rows.iter().enumerate() {
            if is_too_much(out) {
                break;
            }
            if at > 0 {
                out.push(b',');
            }
            let field = &self.query.fields[field];
            match self.reader.view_with(node.version(), &node.related) {
                Some(view) => {
                    write_field(field, &view, node, self.query, &mut self.embeds, style, out);
                }
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b']');
    }
}

/// No more related rows are written then: the answer is none.
fn is_too_much(out: &[u8]) -> bool {
    out.len() > ANSWER_BYTES_MAX
}

fn check_size(embeds: &[BoundEmbed], out: &[u8]) -> Result<(), ListError> {
    if is_too_much(out) && !embeds.is_empty() {
        return Err(ListError::TooMuch {
            what: "bytes, with the rows inside its rows",
            max: ANSWER_BYTES_MAX,
        });
    }
    Ok(())
}

/// Appends `,"name":["label",…]` if there are any.
fn write_list<'f>(name: &str, fields: impl Iterator<Item = &'f Field>, out: &mut Vec<u8>) {
    let before = out.len();
    for field in fields {
        if out.len() == before {
            out.push(b',');
            write_text(name, out);
            out.extend_from_slice(b":[");
        } else {
            out.push(b',');
        }
        write_text(&field.label, out);
    }
    if out.len() > before {
        out.push(b']');
    }
}

fn is_unavailable(field: &Field, view: &View<'_>) -> bool {
    match &field.what {
        FieldWhat::Value { source, .. } => {
            view.with_value(source, |value| value == Value::Unavailable)
        }
        _ => false,
    }
}

fn write_field(
    field: &Field,
    view: &View<'_>,
    node: &Node,
    query: &BoundQuery,
    embeds: &mut [Level<'_>],
    style: Style,
    out: &mut Vec<u8>,
) {
    match &field.what {
        FieldWhat::Value { source, kind } => {
            view.with_value(source, |value| write_cell(*kind, value, style, out));
        }
        FieldWhat::Embed(number) => {
            let is_many = query.embeds[*number].is_many;
            embeds[*number].write_related(&node.embeds[*number], is_many, style, out);
        }
        FieldWhat::Spread { embed, field } => {
            embeds[*embed].write_spread(&node.embeds[*embed], *field, style, out);
        }
        FieldWhat::Object(fields) => {
            let is_null = |field: &Field| match &field.what {
                FieldWhat::Value { source, .. } => {
                    view.with_value(source, |value| value == Value::Null)
                }
                _ => false,
            };
            if fields.iter().all(is_null) {
                return out.extend_from_slice(b"null");
            }
            for (at, field) in fields.iter().enumerate() {
                out.push(if at == 0 { b'{' } else { b',' });
                write_text(&field.label, out);
                out.push(b':');
                write_field(field, view, node, query, embeds, style, out);
            }
            out.push(b'}');
        }
    }
}

/// In a column of 64-bit integers every integer is a string if so wanted, elsewhere only what a double cannot hold.
fn write_cell(kind: ColumnType, value: Value<'_>, style: Style, out: &mut Vec<u8>) {
    let is_wide = matches!(kind, ColumnType::Int64 | ColumnType::UInt64);
    let magnitude = match value {
        Value::Int(number) => number.unsigned_abs(),
        Value::UInt(number) => number,
        _ => 0,
    };
    let is_integer = matches!(value, Value::Int(_) | Value::UInt(_));
    let as_text = style.int64_as_text && is_integer && (is_wide || magnitude > DOUBLE_INT_MAX);
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
    use crate::fixture::{Shop, UNBOUND, bound};
    use crate::list::random::{any_rows, shop_of};
    use crate::list::{PAGE_BYTES_MAX, PageRequest, page};
    use crate::url;

    /// All rows in a form, and the list of what was never sent.
    fn written(
        shop: &Shop,
        select: &str,
        format: Format,
        int64_as_text: bool,
    ) -> (Vec<Json>, Json) {
        let cut = shop.store().pin();
        let query = bound(&url::read([("select", select)]).unwrap(), &cut);
        let request = PageRequest {
            after: None,
            limit: 1_000,
            counted: false,
        };
        let page = page(&cut, &query, &request, UNBOUND).unwrap();
        let mut writer = RowWriter::new(&query, format, int64_as_text, shop.shapes());
        let mut out = b"[".to_vec();
        if format == Format::Arrays {
            writer.write_header(&mut out);
            out.push(b',');
        }
        let before = out.len();
        page.render(&mut writer, b",", PAGE_BYTES_MAX, &mut out)
            .unwrap();
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
