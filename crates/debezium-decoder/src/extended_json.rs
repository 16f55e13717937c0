//! MongoDB's extended JSON: documents as the connector writes them, in the legacy strict form, and
//! keys, in a newer one. Both are read everywhere.
//!
//! A field becomes the value it spells (`{"$numberLong":"7"}` is 7); inside nested documents and arrays
//! the spelling stays, because JSON has no other for it. Bare `NaN` and `Infinity`, which make a
//! document no JSON, are read, and inside nested values respelled as `{"$numberDouble":"NaN"}`.
//!
//! Refuses what is no extended JSON, and what is nested deeper than MongoDB can hold.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use row_model::{Absent, ColumnType, Decimal, Moment, RowBuilder, Value, parse_uuid};
use serde::Deserialize;

use crate::DecodeError;
use crate::json_token::{Token, integer, text};
use crate::nested::members;
use crate::temporal;

/// MongoDB nests documents 100 levels deep; the spelling of a value adds up to two.
const NESTING_MAX: usize = 102;
/// What Java writes of a double that JSON has no number for; the longer one first.
const NON_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int32(i64),
    Int64(i64),
    Float(f64),
    /// A number that is none of BSON's, digit for digit.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    Decimal(i32, Vec<u8>),
    Instant(Moment),
    Uuid([u8; 16]),
    Bytes(Vec<u8>),
    Json(String),
    /// Changed to something that was not sent whole.
    Lost,
}

impl<'a> Cell<'a> {
    pub fn read(token: Token<'a>) -> Self {
        let raw = token.get();
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => match text(token) {
                Some(text) => Self::Text(text),
                None => Self::Json(raw.to_owned()),
            },
            Some(b'{') => special(raw).unwrap_or_else(|| Self::Json(compact(raw))),
            Some(b'[') => Self::Json(compact(raw)),
            _ => number(raw),
        }
    }

    /// The type of its column; `None` for a null, which may be of any.
    pub fn column_type(&self) -> Option<ColumnType> {
        Some(match self {
            Self::Null | Self::Lost => return None,
            Self::Bool(_) => ColumnType::Bool,
            Self::Int32(_) => ColumnType::Int32,
            Self::Int64(_) => ColumnType::Int64,
            Self::Float(_) => ColumnType::Float64,
            Self::Number(_) => ColumnType::Any,
            Self::Text(_) => ColumnType::Text,
            Self::Decimal(..) => ColumnType::Decimal,
            Self::Instant(_) => ColumnType::TimestampTz,
            Self::Uuid(_) => ColumnType::Uuid,
            Self::Bytes(_) => ColumnType::Bytes,
            Self::Json(_) => ColumnType::Json,
        })
    }

    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Lost => Value::Unavailable,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int32(number) | Self::Int64(number) => Value::Int(*number),
            Self::Float(number) => Value::Float(*number),
            Self::Number(text) => Value::Number(text),
            Self::Text(text) => Value::Text(text),
            Self::Decimal(scale, unscaled) => Value::Decimal(Decimal::new(*scale, unscaled)),
            Self::Instant(at) => Value::Instant(*at),
            Self::Uuid(uuid) => Value::Uuid(*uuid),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Json(json) => Value::Json(json),
        }
    }

    pub fn push(&self, row: &mut RowBuilder) {
        match self {
            Self::Lost => row.push_absent(Absent::Lost),
            _ => row.push(self.value()),
        }
    }

    /// The value of a key. A text of 24 hexadecimal digits is not the object id spelled so, which
    /// would otherwise be the same key: it keeps its quotes.
    pub fn of_key(token: Token<'_>) -> Cell<'static> {
        match Cell::read(token) {
            Cell::Text(text) if token.get().starts_with('"') && is_object_id(&text) => {
                Cell::Json(token.get().to_owned())
            }
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Number(text) => Cell::Number(Cow::Owned(text.into_owned())),
            Cell::Null => Cell::Null,
            Cell::Bool(value) => Cell::Bool(value),
            Cell::Int32(number) => Cell::Int32(number),
            Cell::Int64(number) => Cell::Int64(number),
            Cell::Float(number) => Cell::Float(number),
            Cell::Decimal(scale, unscaled) => Cell::Decimal(scale, unscaled),
            Cell::Instant(at) => Cell::Instant(at),
            Cell::Uuid(uuid) => Cell::Uuid(uuid),
            Cell::Bytes(bytes) => Cell::Bytes(bytes),
            Cell::Json(json) => Cell::Json(json),
            Cell::Lost => Cell::Lost,
        }
    }

    /// True for a document, whose spelling a key may have and an image not.
    pub fn is_document(&self) -> bool {
        matches!(self, Self::Json(json) if json.starts_with('{'))
    }
}

/// True for what an object id is spelled as.
fn is_object_id(text: &str) -> bool {
    text.len() == 24
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks the nesting, and makes JSON of extended JSON that is none.
pub(crate) fn as_json<'a>(sent: &'a str, part: &'static str) -> Result<Cow<'a, str>, DecodeError> {
    let (mut out, mut copied) = (String::new(), 0);
    let (mut depth, mut at) = (0_usize, 0);
    let bytes = sent.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_len(&bytes[at..]);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'N' | b'I' | b'-' => {
                let found = NON_FINITE
                    .iter()
                    .find(|name| sent[at..].starts_with(**name));
                if let Some(name) = found {
                    out.push_str(&sent[copied..at]);
                    out.push_str("{\"$numberDouble\":\"");
                    out.push_str(name);
                    out.push_str("\"}");
                    at += name.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        if depth > NESTING_MAX {
            return Err(DecodeError::TooDeep {
                part,
                max: NESTING_MAX,
            });
        }
        at += 1;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(sent));
    }
    out.push_str(&sent[copied..]);
    Ok(Cow::Owned(out))
}

/// The length of the string at the front, quotes included, or of all there is if it does not end.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// One field of a document.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub name: String,
    pub token: Token<'a>,
    pub cell: Cell<'a>,
    /// The cell is no longer what was sent.
    pub is_hidden: bool,
}

/// The fields of a document, in their order.
pub(crate) fn fields<'a>(
    document: &'a str,
    part: &'static str,
) -> Result<Vec<Field<'a>>, DecodeError> {
    let Some(members) = members(document) else {
        let error = serde_json::from_str::<HashMap<String, Token<'_>>>(document).err();
        return Err(error.map_or(DecodeError::NoDocument { part }, |error| {
            DecodeError::malformed(part, &error)
        }));
    };
    let field = |(name, token)| Field {
        name,
        token,
        cell: Cell::read(token),
        is_hidden: false,
    };
    Ok(members.into_iter().map(field).collect())
}

/// The fields of these names and JSON texts as one document.
pub(crate) fn document_of<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut out = String::from("{");
    for (name, json) in fields {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(name).to_string());
        out.push(':');
        out.push_str(&json);
    }
    out.push('}');
    out
}

/// A number: whole ones of 32 bits are bare in every form, larger ones only in keys.
fn number(raw: &str) -> Cell<'_> {
    if let Ok(number) = raw.parse::<i64>()
        && raw != "-0"
    {
        return if i32::try_from(number).is_ok() {
            Cell::Int32(number)
        } else {
            Cell::Int64(number)
        };
    }
    match raw.parse::<f64>() {
        Ok(number) if number.is_finite() && raw.contains(['.', 'e', 'E']) => Cell::Float(number),
        _ => Cell::Number(Cow::Borrowed(raw)),
    }
}

/// What an object with a `$` name spells; `None` if it is a document, or a value that JSON and our
/// types have no other spelling for (regular expressions, code, timestamps of the log, …).
fn special(raw: &str) -> Option<Cell<'static>> {
    // Most nested documents are ruled out by their first name, without being parsed.
    if !raw[1..].trim_start().starts_with("\"$") {
        return None;
    }
    let members = members(raw)?;
    let (name, token) = members.first()?;
    let second = members.get(1);
    let sent = text(*token);
    match (name.as_str(), second) {
        ("$oid", None) => sent.map(|hex| Cell::Text(Cow::Owned(hex.into_owned()))),
        ("$numberLong", None) => Some(Cell::Int64(sent?.parse().ok()?)),
        ("$numberInt", None) => Some(Cell::Int32(sent?.parse().ok()?)),
        ("$numberDouble", None) => sent?.parse().ok().map(Cell::Float),
        ("$numberDecimal", None) => decimal(&sent?),
        ("$date", None) => instant(*token).map(Cell::Instant),
        ("$uuid", None) => parse_uuid(&sent?.to_ascii_lowercase()).map(Cell::Uuid),
        ("$binary", Some((other, kind))) if other == "$type" => binary(&sent?, &text(*kind)?),
        ("$binary", None) => {
            #[derive(Deserialize)]
            struct Binary {
                base64: String,
                #[serde(rename = "subType")]
                kind: String,
            }
            let parts: Binary = serde_json::from_str(token.get()).ok()?;
            binary(&parts.base64, &parts.kind)
        }
        _ => None,
    }
}

fn decimal(sent: &str) -> Option<Cell<'static>> {
    match sent {
        "NaN" => Some(Cell::Float(f64::NAN)),
        "Infinity" => Some(Cell::Float(f64::INFINITY)),
        "-Infinity" => Some(Cell::Float(f64::NEG_INFINITY)),
        _ => {
            let (scale, unscaled) = Decimal::parse(sent).ok()?;
            Some(Cell::Decimal(scale, unscaled))
        }
    }
}

/// Milliseconds, bare or in quotes; a text, or `{"$numberLong":"…"}` outside the years that text can spell.
fn instant(token: Token<'_>) -> Option<Moment> {
    if let Some(millis) = integer(token) {
        return Some(Moment::from_units(millis, 1000));
    }
    if let Some(sent) = text(token) {
        return temporal::instant(&sent);
    }
    match special(token.get())? {
        Cell::Int64(millis) => Some(Moment::from_units(millis, 1000)),
        _ => None,
    }
}

/// Subtype 4 is a uuid; of the older subtype 3 nobody knows the order of its bytes.
fn binary(base64: &str, kind: &str) -> Option<Cell<'static>> {
    let bytes = STANDARD.decode(base64).ok()?;
    let uuid = match kind {
        "04" | "4" => bytes.as_slice().try_into().ok(),
        _ => None,
    };
    Some(uuid.map_or(Cell::Bytes(bytes), Cell::Uuid))
}

/// Valid JSON without the blanks between its tokens.
pub(crate) fn compact(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let len = match byte {
            b'"' => string_len(&bytes[at..]),
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            _ => {
                let rest = &bytes[at..];
                let stop = |byte: &u8| matches!(byte, b'"' | b' ' | b'\t' | b'\n' | b'\r');
                rest.iter().position(stop).unwrap_or(rest.len())
            }
        };
        out.push_str(&raw[at..at + len]);
        at += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(sent: &str, expected: &str) {
        let json = as_json(sent, "document").unwrap();
        let token: Token<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(
            format!("{:?}", Cell::read(token).value()),
            expected,
            "{sent}"
        );
    }

    #[test]
    fn every_spelling_of_a_value_is_that_value() {
        for (sent, expected) in [
            (
                r#"{"$oid": "596e275826f08b2730779e1f"}"#,
                r#"Text("596e275826f08b2730779e1f")"#,
            ),
            (
                r#"{"$numberLong": "9007199254740993"}"#,
                "Int(9007199254740993)",
            ),
            ("9007199254740993", "Int(9007199254740993)"),
            ("1004", "Int(1004)"),
            ("1.0E10", "Float(10000000000.0)"),
            ("-0.0", "Float(-0.0)"),
            ("1e400", r#"Number("1e400")"#),
            ("NaN", "Float(NaN)"),
            ("-Infinity", "Float(-inf)"),
            (r#"{"$numberDouble":"Infinity"}"#, "Float(inf)"),
            (
                r#"{"$numberDecimal": "1.10"}"#,
                "Decimal(Decimal { scale: 2, unscaled: [110] })",
            ),
            (r#"{"$numberDecimal": "NaN"}"#, "Float(NaN)"),
            (
                r#"{"$date": 1500}"#,
                "Instant(Moment { seconds: 1, nanos: 500000000 })",
            ),
            (
                r#"{"$date": -1}"#,
                "Instant(Moment { seconds: -1, nanos: 999000000 })",
            ),
            (
                r#"{"$date": "1970-01-01T00:00:01.5Z"}"#,
                "Instant(Moment { seconds: 1, nanos: 500000000 })",
            ),
            (
                r#"{"$date": {"$numberLong": "-1000"}}"#,
                "Instant(Moment { seconds: -1, nanos: 0 })",
            ),
            (
                r#"{"$binary": "AQL/", "$type": "00"}"#,
                "Bytes([1, 2, 255])",
            ),
            (
                r#"{"$binary": {"base64": "AQL/", "subType": "05"}}"#,
                "Bytes([1, 2, 255])",
            ),
            (
                r#"{"$timestamp": {"t": 7, "i": 1}}"#,
                r#"Json("{\"$timestamp\":{\"t\":7,\"i\":1}}")"#,
            ),
            (r#"{"$oid": 5}"#, r#"Json("{\"$oid\":5}")"#),
            (
                r#"{"$numberLong": "1e9"}"#,
                r#"Json("{\"$numberLong\":\"1e9\"}")"#,
            ),
            (
                r#"[1, NaN, "NaN \" {", {"a":  -Infinity}]"#,
                r#"Json("[1,{\"$numberDouble\":\"NaN\"},\"NaN \\\" {\",{\"a\":{\"$numberDouble\":\"-Infinity\"}}]")"#,
            ),
        ] {
            check(sent, expected);
        }
        let uuid = r#"{"$binary": "9HrBC1jMQ3KlZw4CssPUeQ==", "$type": "04"}"#;
        let newer = r#"{"$uuid": "F47AC10B-58CC-4372-A567-0E02B2C3D479"}"#;
        let read = |sent: &str| format!("{:?}", Cell::read(serde_json::from_str(sent).unwrap()));
        assert_eq!(read(uuid), read(newer));
        assert!(read(uuid).starts_with("Uuid([244, 122"));
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_reason() {
        let reason = |sent: &str| {
            let json = as_json(sent, "document")?;
            fields(&json, "document").map(|_| ())
        };
        for sent in [
            "",
            "{\"a",
            "{\"a\":",
            "{\"a\": NaN",
            "{\"a\": Inf}",
            "[1]",
            "7",
            "{\"a\":1}}",
        ] {
            assert!(
                matches!(reason(sent), Err(DecodeError::Malformed { .. })),
                "{sent}"
            );
        }
        let deep =
            |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(reason(&deep(NESTING_MAX - 1)).is_ok());
        let error = reason(&deep(NESTING_MAX)).unwrap_err();
        assert!(error.to_string().contains("nested deeper"), "{error}");
        assert!(reason(&"[".repeat(1 << 20)).is_err());
    }

    /// A random value as extended JSON, with what it reads as.
    fn value() -> impl Strategy<Value = (String, String)> {
        let json = |text: &str| serde_json::Value::from(text).to_string();
        prop_oneof![
            any::<i32>().prop_map(|n| (n.to_string(), format!("Int({n})"))),
            any::<i64>()
                .prop_map(|n| { (format!("{{\"$numberLong\": \"{n}\"}}"), format!("Int({n})")) }),
            any::<f64>().prop_map(|n| {
                let spelled = if n.is_nan() {
                    "NaN".to_owned()
                } else if n.is_infinite() {
                    format!("{}Infinity", if n < 0.0 { "-" } else { "" })
                } else {
                    format!("{n:E}")
                };
                // What has neither point nor exponent is a whole number.
                (spelled, format!("Float({n:?})"))
            }),
            any::<String>().prop_map(move |s| (json(&s), format!("Text({s:?})"))),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
                let spelled = STANDARD.encode(&bytes);
                (
                    format!("{{\"$binary\" : \"{spelled}\", \"$type\" : \"00\"}}"),
                    format!("Bytes({bytes:?})"),
                )
            }),
            any::<i64>().prop_map(|ms| {
                let at = Moment::from_units(ms, 1000);
                (format!("{{\"$date\": {ms}}}"), format!("Instant({at:?})"))
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_document_reads_as_its_fields(given in prop::collection::vec((any::<String>(), value()), 0..8)) {
            let members: Vec<_> = given
                .iter()
                .map(|(name, (spelled, _))| format!("{}: {spelled}", serde_json::Value::from(name.as_str())))
                .collect();
            let document = format!("{{{}}}", members.join(", "));
            let json = as_json(&document, "document").unwrap();
            let read = fields(&json, "document").unwrap();
            prop_assert_eq!(read.len(), given.len());
            for (field, (name, (_, expected))) in read.iter().zip(&given) {
                prop_assert_eq!(&field.name, name);
                prop_assert_eq!(&format!("{:?}", field.cell.value()), expected);
            }
            // Nested, it stays what it is, and is JSON.
            let nested = format!("{{\"d\": [{document}]}}");
            let json = as_json(&nested, "document").unwrap();
            let read = fields(&json, "document").unwrap();
            let Cell::Json(kept) = &read[0].cell else { panic!("{read:?}") };
            let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
            prop_assert!(kept[0].is_object());
        }

        #[test]
        fn any_text_is_refused_or_read(sent: String, cut: prop::sample::Index) {
            let sent = format!("{{\"a\": {sent}, \"b\": [{{\"$date\": NaN}}, \"\\u00e9\"]}}");
            let end = (0..=cut.index(sent.len() + 1)).rev().find(|at| sent.is_char_boundary(*at));
            let sent = &sent[..end.unwrap_or(0)];
            if let Ok(json) = as_json(sent, "document") {
                let _ = fields(&json, "document");
            }
        }
    }
}
