//! The other half of a key change, from the header that names it.
//!
//! The header's text depends on the header converter, not on the key's: the default one writes
//! decimals plainly where the key has base64, dates as text where it has numbers, and strings with
//! hardly an escape. Refuses to guess: a header that cannot be read as the record's own key was is
//! no key.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use row_model::{Decimal, Row, RowBuilder, Value};

use crate::json_token::{Token, text};
use crate::nested::members;
use crate::row_shape::RowShape;
use crate::semantic::Semantic;
use crate::temporal;

type Member<'a> = (String, Token<'a>);

/// Appends the encoding of the key in `header` to `out`. `own` is the record's own key, of this shape.
pub(crate) fn encode(
    header: &[u8],
    shape: &RowShape,
    own: Row<'_>,
    builder: &mut RowBuilder,
    out: &mut Vec<u8>,
) -> Option<()> {
    let header = std::str::from_utf8(header).ok()?;
    let repaired;
    let given = if let Some(given) = members(header) {
        given
    } else {
        repaired = repair(header);
        members(&repaired)?
    };
    let given = match &given[..] {
        // The JSON converter with schemas.
        [(schema, _), (payload, inner)] if schema == "schema" && payload == "payload" => {
            members(inner.get())?
        }
        _ => given,
    };
    let tokens = by_column(&given, shape)?;
    builder.clear();
    for (place, (column, token)) in shape.columns.iter().zip(tokens).enumerate() {
        let own = own.get(place)?;
        match token {
            Some(token) => push(&column.semantic, token, own, builder)?,
            // A router's: the same for both halves.
            None => builder.push(own),
        }
    }
    let mut row = Vec::new();
    builder.finish(&mut row);
    shape.encode_key(Row::new(&row), out).ok()
}

/// The header's members in the order of the key's columns. A column that only the key has was added
/// by a router; one that only the header has was renamed, and nobody knows to what.
fn by_column<'a>(given: &[Member<'a>], shape: &RowShape) -> Option<Vec<Option<Token<'a>>>> {
    if let ([(_, token)], [_]) = (given, &shape.columns[..]) {
        return Some(vec![Some(*token)]);
    }
    let mut tokens = vec![None; shape.columns.len()];
    for (name, token) in given {
        tokens[shape.column(name)?] = Some(*token);
    }
    (!given.is_empty()).then_some(tokens)
}

fn push(
    semantic: &Semantic,
    token: Token<'_>,
    own: Value<'_>,
    builder: &mut RowBuilder,
) -> Option<()> {
    let raw = token.get();
    let sent = text(token);
    match (semantic, &sent) {
        // The key has the unscaled bytes, the header the number.
        (Semantic::Untyped, None) if matches!(own, Value::Text(_)) && is_number(raw) => {
            let (_, unscaled) = Decimal::parse(raw).ok()?;
            builder.push(Value::Text(&STANDARD.encode(unscaled)));
        }
        // The key has a number, the header a date or a time: in which unit is not known.
        (Semantic::Untyped, Some(_)) if matches!(own, Value::Int(_)) => return None,
        (Semantic::Date | Semantic::Clock { .. } | Semantic::Timestamp { .. }, Some(sent)) => {
            builder.push(date_or_time(semantic, sent)?);
        }
        _ => semantic.push(token, None, builder).ok()?,
    }
    Some(())
}

/// Java's dates are written by their value, not by their type: midnights without a time, the first
/// day without a date.
fn date_or_time(semantic: &Semantic, sent: &str) -> Option<Value<'static>> {
    let at = if sent.contains('T') {
        temporal::instant(sent)?
    } else if sent.contains(':') {
        temporal::instant(&format!("1970-01-01T{sent}"))?
    } else {
        temporal::instant(&format!("{sent}T00:00:00Z"))?
    };
    Some(match semantic {
        Semantic::Date => Value::Date(at.seconds.div_euclid(86_400)),
        Semantic::Clock { .. } => Value::Clock(
            at.seconds
                .checked_mul(1_000_000_000)?
                .checked_add(i64::from(at.nanos))?,
        ),
        _ => Value::Timestamp(at),
    })
}

fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Makes JSON of the text of the default converter, which escapes only quotes and backslashes and
/// leaves dates bare.
fn repair(header: &str) -> String {
    let mut out = String::with_capacity(header.len() + 8);
    let mut rest = header;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '"' => string_len(rest),
            '{' | '}' | '[' | ']' | ',' | ':' | ' ' => {
                out.push(first);
                rest = &rest[1..];
                continue;
            }
            _ => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        };
        let (scalar, tail) = rest.split_at(len);
        out.push_str(&repaired_scalar(scalar));
        rest = tail;
    }
    out
}

/// Length of the string at the front, quotes included.
fn string_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    // A cut inside a character or beyond the end is no string: nothing of the rest is.
    let end = at + 1;
    if text.is_char_boundary(end.min(text.len())) {
        end.min(text.len())
    } else {
        text.len()
    }
}

fn repaired_scalar(scalar: &str) -> Cow<'_, str> {
    if serde_json::from_str::<Token<'_>>(scalar).is_ok() {
        return Cow::Borrowed(scalar);
    }
    if !scalar.starts_with('"') {
        return Cow::Owned(serde_json::Value::from(scalar).to_string());
    }
    let mut out = String::with_capacity(scalar.len() + 8);
    for character in scalar.chars() {
        if (character as u32) < 0x20 {
            let _ = write!(out, "\\u{:04x}", character as u32);
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use row_model::encode_key;

    use super::*;
    use crate::connect_schema::Node;
    use crate::row_text::RowText;

    /// Encodes `key`, then the key in `header`, and tells whether `expected`, a key like the first,
    /// is the same as the latter.
    fn check(schema: Option<&str>, key: &str, header: &str, expected: Option<&str>) {
        let mut builder = RowBuilder::default();
        let shape = if let Some(fields) = schema {
            let node = format!(r#"{{"type":"struct","fields":[{fields}]}}"#);
            let node: Node = serde_json::from_str(&node).unwrap();
            RowShape::of_key_schema(&std::sync::Arc::new(node))
        } else {
            let names = members(key).unwrap();
            RowShape::of_key_names(names.iter().map(|(name, _)| name.as_str()))
        };
        let row = |key: &str, builder: &mut RowBuilder| {
            let mut row = Vec::new();
            let tokens = RowText::of_text(key).read(Some(&shape), "key").unwrap();
            tokens.encode_plain(&shape, builder, &mut row).unwrap();
            row
        };
        let own = row(key, &mut builder);
        let expected = expected.map(|expected| {
            let (row, mut key) = (row(expected, &mut builder), Vec::new());
            encode_key(Row::new(&row).iter(), &mut key).unwrap();
            key
        });
        let mut other = Vec::new();
        let read = encode(
            header.as_bytes(),
            &shape,
            Row::new(&own),
            &mut builder,
            &mut other,
        );
        assert_eq!(read.map(|()| other), expected, "{header}");
    }

    #[test]
    fn what_the_default_converter_writes_is_read_as_the_key_is() {
        let same = |key: &str, header: &str, expected: &str| {
            check(None, key, header, Some(expected));
        };
        same(r#"{"id":1}"#, r#"{"id":44}"#, r#"{"id":44}"#);
        same(
            r#"{"id":1}"#,
            r#"{"id":9007199254740993}"#,
            r#"{"id":9007199254740993}"#,
        );
        // Decimals are plain in the header and base64 in the key.
        same(r#"{"id":"AJY="}"#, r#"{"id":2.20}"#, r#"{"id":"ANw="}"#);
        same(r#"{"id":"AJY="}"#, r#"{"id":-1.28}"#, r#"{"id":"gA=="}"#);
        // In the string mode both are text.
        same(r#"{"id":"1.50"}"#, r#"{"id":"2.20"}"#, r#"{"id":"2.20"}"#);
        // Hardly an escape.
        same(
            r#"{"t":"x"}"#,
            "{\"t\":\"a\nb\t\\\"c\\\\\"}",
            r#"{"t":"a\nb\t\"c\\"}"#,
        );
        same(
            r#"{"a":"x","b":null}"#,
            r#"{"a":"ü,}😀","b":null}"#,
            r#"{"a":"ü,}😀","b":null}"#,
        );
    }

    #[test]
    fn the_json_converter_writes_what_the_key_has() {
        let header = r#"{"schema":{"type":"struct","fields":[]},"payload":{"id":"ANw="}}"#;
        check(None, r#"{"id":"AJY="}"#, header, Some(r#"{"id":"ANw="}"#));
    }

    #[test]
    fn typed_keys_are_read_by_their_types() {
        let decimal = r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"field":"id"}"#;
        check(
            Some(decimal),
            r#"{"id":"AJY="}"#,
            r#"{"id":2.20}"#,
            Some(r#"{"id":"ANw="}"#),
        );
        check(
            Some(decimal),
            r#"{"id":"AJY="}"#,
            r#"{"id":"ANw="}"#,
            Some(r#"{"id":"ANw="}"#),
        );
        let date = r#"{"type":"int32","name":"org.apache.kafka.connect.data.Date","field":"d"}"#;
        check(
            Some(date),
            r#"{"d":1}"#,
            r#"{"d":2024-02-29}"#,
            Some(r#"{"d":19782}"#),
        );
        let stamp =
            r#"{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","field":"t"}"#;
        let header = r#"{"t":2024-02-29T12:34:56.789Z}"#;
        check(
            Some(stamp),
            r#"{"t":1}"#,
            header,
            Some(r#"{"t":1709210096789}"#),
        );
        check(
            Some(stamp),
            r#"{"t":1}"#,
            r#"{"t":2024-02-29}"#,
            Some(r#"{"t":1709164800000}"#),
        );
        let clock = r#"{"type":"int32","name":"org.apache.kafka.connect.data.Time","field":"t"}"#;
        check(
            Some(clock),
            r#"{"t":1}"#,
            r#"{"t":00:00:01.500Z}"#,
            Some(r#"{"t":1500}"#),
        );
    }

    #[test]
    fn what_a_router_added_is_the_same_in_both_halves() {
        let key = r#"{"id":3,"__dbz__physicalTableIdentifier":"s.public.shard2"}"#;
        let other = r#"{"id":2,"__dbz__physicalTableIdentifier":"s.public.shard2"}"#;
        check(None, key, r#"{"id":2}"#, Some(other));
    }

    #[test]
    fn what_cannot_be_read_as_the_key_is_no_key() {
        check(None, r#"{"d":19782}"#, r#"{"d":2024-02-29}"#, None);
        check(None, r#"{"id":1,"b":2}"#, r#"{"other":2}"#, None);
        check(None, r#"{"id":1}"#, "{\"id", None);
        check(None, r#"{"id":1}"#, "\"\\é", None);
        check(None, r#"{"id":1,"b":2}"#, "{}", None);
    }
}
