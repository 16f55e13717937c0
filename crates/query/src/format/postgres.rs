//! Rows as `PostgREST` writes them: objects, the same without nulls, and lines of CSV.
//!
//! A row has every column of the answer. A value that was never sent is null like one that is not there,
//! and the names of such columns are noted for whoever sends the answer.

use std::collections::BTreeSet;
use std::fmt;

use row_model::{ColumnType, Value};
use serde::Deserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{check_size, is_too_much};
use crate::bind::{BoundQuery, Field, FieldWhat};
use crate::embed::{Node, Related};
use crate::json::postgres::{Spelling, spell, write_value};
use crate::json::{write_array, write_text};
use crate::list::{ListError, Page};
use crate::run::{Reader, View};
use crate::zone::Zone;

/// Objects inside each other that nulls are looked for in.
const DEPTH_MAX: usize = 64;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Objects with a comma between.
    Objects,
    /// The same without what is null.
    WithoutNulls,
    /// Lines, after one with the columns' names.
    Csv,
}

/// Writes rows of a query.
pub struct Writer<'a> {
    level: Level<'a>,
    form: Form,
    zone: &'a Zone,
    unavailable: BTreeSet<&'a str>,
}

/// One query, with those that stand inside it.
struct Level<'a> {
    query: &'a BoundQuery,
    reader: Reader,
    embeds: Vec<Level<'a>>,
}

impl<'a> Level<'a> {
    fn new(query: &'a BoundQuery) -> Self {
        Self {
            query,
            reader: Reader::of_found(query.output()),
            embeds: query
                .embeds
                .iter()
                .map(|embed| Self::new(&embed.query))
                .collect(),
        }
    }
}

impl<'a> Writer<'a> {
    #[must_use]
    pub fn new(query: &'a BoundQuery, form: Form, zone: &'a Zone) -> Self {
        Self {
            level: Level::new(query),
            form,
            zone,
            unavailable: BTreeSet::new(),
        }
    }

    /// Appends rows of a page as long as they stay below `bytes_max`, and says how many. The first is always written.
    ///
    /// # Errors
    /// If already that is too much with all that stands inside it.
    pub fn write(
        &mut self,
        page: &Page,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, ListError> {
        let start = out.len();
        for (count, node) in page.rows.iter().enumerate() {
            let before = out.len();
            match self.form {
                Form::Csv => self.write_line(node, count == 0, out),
                Form::Objects | Form::WithoutNulls => {
                    if count > 0 {
                        out.push(b',');
                    }
                    let mut pen = self.pen();
                    pen.object(node, out);
                }
            }
            if count > 0 && out.len() - start > bytes_max {
                out.truncate(before);
                return Ok(count);
            }
            check_size(&self.level.query.embeds, out)?;
        }
        Ok(page.rows.len())
    }

    /// Columns of which some value was never sent.
    pub fn unavailable(&self) -> impl Iterator<Item = &str> {
        self.unavailable.iter().copied()
    }

    fn pen(&mut self) -> Pen<'_, 'a> {
        Pen {
            level: &mut self.level,
            without_nulls: self.form == Form::WithoutNulls,
            zone: self.zone,
            unavailable: &mut self.unavailable,
        }
    }

    /// As a row of `PostgreSQL` is written as text. There are names only if there are rows.
    fn write_line(&mut self, node: &Node, is_first: bool, out: &mut Vec<u8>) {
        let query = self.level.query;
        if is_first {
            let labels: Vec<&str> = query.labels().collect();
            out.extend_from_slice(labels.join(",").as_bytes());
        }
        out.push(b'\n');
        let mut pen = self.pen();
        let mut json = Vec::new();
        for (at, field) in query.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let mut text = String::new();
            let is_null = pen.text(field, node, &mut json, &mut text);
            if !is_null {
                write_field_of_row(&text, out);
            }
        }
    }
}

/// Writes rows of one level.
struct Pen<'p, 'a> {
    level: &'p mut Level<'a>,
    without_nulls: bool,
    zone: &'a Zone,
    unavailable: &'p mut BTreeSet<&'a str>,
}

impl<'a> Pen<'_, 'a> {
    fn object(&mut self, node: &Node, out: &mut Vec<u8>) {
        let query = self.level.query;
        self.fields(&query.fields, node, out);
    }

    fn fields(&mut self, fields: &'a [Field], node: &Node, out: &mut Vec<u8>) {
        out.push(b'{');
        let start = out.len();
        for field in fields {
            let before = out.len();
            if before > start {
                out.push(b',');
            }
            write_text(&field.label, out);
            out.push(b':');
            let value = out.len();
            self.field(field, node, out);
            if self.without_nulls && out[value..] == *b"null" {
                out.truncate(before);
            }
        }
        out.push(b'}');
    }

    fn field(&mut self, field: &'a Field, node: &Node, out: &mut Vec<u8>) {
        let query = self.level.query;
        match &field.what {
            FieldWhat::Value { .. } => {
                let (without_nulls, zone) = (self.without_nulls, self.zone);
                self.value(field, node, |value| match value {
                    Value::Json(json) if without_nulls => strip_nulls(json, DEPTH_MAX, out),
                    value => write_value(value, zone, out),
                });
            }
            FieldWhat::Embed(number) => {
                let is_many = query.embeds[*number].is_many;
                self.inside(*number)
                    .related(&node.embeds[*number], is_many, out);
            }
            FieldWhat::Spread { embed, field } => {
                let related = &node.embeds[*embed];
                let mut inside = self.inside(*embed);
                let field = &inside.level.query.fields[*field];
                inside.array(related, out, |pen, node, out| pen.field(field, node, out));
            }
            FieldWhat::Object(fields) => {
                let is_null = |field: &Field| match &field.what {
                    FieldWhat::Value { source, .. } => self
                        .view(node)
                        .is_none_or(|view| view.with_value(source, |value| value == Value::Null)),
                    _ => false,
                };
                if fields.iter().all(is_null) {
                    return out.extend_from_slice(b"null");
                }
                self.fields(fields, node, out);
            }
        }
    }

    /// The rows of an embed, or the one it has, or null.
    fn related(&mut self, related: &Related, is_many: bool, out: &mut Vec<u8>) {
        if is_many {
            return self.array(related, out, Self::object);
        }
        match related.rows.first() {
            Some(node) => self.object(node, out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn array(
        &mut self,
        related: &Related,
        out: &mut Vec<u8>,
        mut write: impl FnMut(&mut Self, &Node, &mut Vec<u8>),
    ) {
        out.push(b'[');
        for (at, node) in related.rows.iter().enumerate() {
            if is_too_much(out) {
                break;
            }
            if at > 0 {
                out.push(b',');
            }
            write(self, node, out);
        }
        out.push(b']');
    }

    /// A field as text; whether it is null.
    fn text(
        &mut self,
        field: &'a Field,
        node: &Node,
        json: &mut Vec<u8>,
        text: &mut String,
    ) -> bool {
        if let FieldWhat::Value { kind, .. } = &field.what {
            let is_array = *kind == ColumnType::Array;
            let (mut is_null, zone) = (true, self.zone);
            self.value(field, node, |value| {
                is_null = value == Value::Null;
                match value {
                    Value::Json(array) if is_array => write_array(array, text),
                    value => spell(value, Spelling::Field, zone, text),
                }
            });
            return is_null;
        }
        json.clear();
        self.field(field, node, json);
        text.push_str(&String::from_utf8_lossy(json));
        json == b"null"
    }

    /// Calls `then` with the value of a field that is one; what was never sent is noted, and null.
    fn value(&mut self, field: &'a Field, node: &Node, then: impl FnOnce(Value<'_>)) {
        let mut is_unavailable = false;
        match (self.view(node), &field.what) {
            (Some(view), FieldWhat::Value { source, .. }) => view.with_value(source, |value| {
                is_unavailable = value == Value::Unavailable;
                then(if is_unavailable { Value::Null } else { value });
            }),
            _ => then(Value::Null),
        }
        if is_unavailable {
            self.unavailable.insert(&field.label);
        }
    }

    fn view<'v>(&'v mut self, node: &'v Node) -> Option<View<'v>> {
        self.level.reader.view_with(node.version(), &node.related)
    }

    fn inside(&mut self, embed: usize) -> Pen<'_, 'a> {
        Pen {
            level: &mut self.level.embeds[embed],
            without_nulls: self.without_nulls,
            zone: self.zone,
            unavailable: self.unavailable,
        }
    }
}

/// As `record_out` quotes: where the text is empty or has what means something in a row.
fn write_field_of_row(text: &str, out: &mut Vec<u8>) {
    let means_something =
        |found: char| matches!(found, '"' | '\\' | '(' | ')' | ',') || found.is_ascii_whitespace();
    if !text.is_empty() && !text.contains(means_something) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Appends JSON without the members of objects that are null.
fn strip_nulls(json: &str, depth: usize, out: &mut Vec<u8>) {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let before = out.len();
    let stripper = Stripper { depth, out };
    let stripped = match json.trim_start().as_bytes().first() {
        Some(b'{') if depth > 0 => deserializer.deserialize_map(stripper),
        Some(b'[') if depth > 0 => deserializer.deserialize_seq(stripper),
        _ => return out.extend_from_slice(json.as_bytes()),
    };
    if stripped.is_err() {
        out.truncate(before);
        out.extend_from_slice(json.as_bytes());
    }
}

struct Stripper<'o> {
    depth: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> Visitor<'de> for Stripper<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut separator = b'{';
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            if value.get() == "null" {
                continue;
            }
            self.out.push(separator);
            separator = b',';
            write_text(&key, self.out);
            self.out.push(b':');
            strip_nulls(value.get(), self.depth - 1, self.out);
        }
        if separator == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let mut separator = b'[';
        while let Some(value) = seq.next_element::<&RawValue>()? {
            self.out.push(separator);
            separator = b',';
            strip_nulls(value.get(), self.depth - 1, self.out);
        }
        if separator == b'[' {
            self.out.push(b'[');
        }
        self.out.push(b']');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(json: &str) -> String {
        let mut out = Vec::new();
        strip_nulls(json, DEPTH_MAX, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nulls_are_taken_out_of_objects_only() {
        assert_eq!(
            stripped(r#"{"a":null,"b":[null,{"c":null}],"d":1.50}"#),
            r#"{"b":[null,{}],"d":1.50}"#
        );
        assert_eq!(stripped("[]"), "[]");
        assert_eq!(stripped("{}"), "{}");
        assert_eq!(stripped("null"), "null");
        let deep = "[".repeat(1_000);
        assert_eq!(stripped(&deep), deep);
    }

    #[test]
    fn fields_of_rows_are_quoted_where_they_must_be() {
        let written = |text: &str| {
            let mut out = Vec::new();
            write_field_of_row(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("plain"), "plain");
        assert_eq!(written(""), "\"\"");
        assert_eq!(written("a b"), "\"a b\"");
        assert_eq!(written("\\xff"), "\"\\\\xff\"");
        assert_eq!(written("say \"x\""), "\"say \"\"x\"\"\"");
    }
}
