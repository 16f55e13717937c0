//! Arrays, maps and structs: kept as the JSON text they are answered with, their parts spelled by their types.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use row_model::{ColumnType, Decimal, Value};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::cell::{Mismatch, bits, decimal, special_float, unsigned};
use crate::decoding::ROW_BYTES_MAX;
use crate::json_token::{Token, integer, text};
use crate::places::Places;
use crate::semantic::Semantic;
use crate::temporal_text;

/// Appends the JSON spelling of a token of this type.
pub(crate) fn write_json(
    semantic: &Semantic,
    token: Token<'_>,
    out: &mut String,
) -> Result<(), Mismatch> {
    let raw = token.get();
    if raw == "null" {
        out.push_str("null");
        return Ok(());
    }
    match semantic {
        Semantic::Array(items) => {
            let parts: Vec<Token<'_>> = serde_json::from_str(raw).map_err(|_| Mismatch("array"))?;
            write_list(&parts, out, |part, out| write_json(items, *part, out))
        }
        Semantic::Map(_, values) if raw.starts_with('{') => {
            let members = members(raw).ok_or(Mismatch("map"))?;
            write_object(&members, out, |_| Some(values.as_ref()))
        }
        // A map whose keys are no text: pairs.
        Semantic::Map(keys, values) => {
            let pairs: Vec<[Token<'_>; 2]> =
                serde_json::from_str(raw).map_err(|_| Mismatch("map"))?;
            write_list(&pairs, out, |[key, value], out| {
                out.push('[');
                write_json(keys, *key, out)?;
                out.push(',');
                write_json(values, *value, out)?;
                out.push(']');
                Ok(())
            })
        }
        Semantic::Struct(fields) => {
            let members = members(raw).ok_or(Mismatch("struct"))?;
            let names = fields.iter().map(|(name, _)| name.as_str());
            let places = Places::of(names, members.len());
            write_object(&members, out, |name| Some(&fields[places.get(name)?].1))
        }
        _ => write_scalar(semantic, token, out),
    }
}

fn write_scalar(semantic: &Semantic, token: Token<'_>, out: &mut String) -> Result<(), Mismatch> {
    let raw = token.get();
    match semantic {
        Semantic::PlainDecimal if !raw.starts_with('{') => {
            let number = text(token);
            let number = number.as_deref().unwrap_or(raw);
            quoted(&plain_decimal(number)?, out);
        }
        Semantic::VariableScaleDecimal | Semantic::PlainDecimal => {
            variable_scale(token, |decimal| quoted(&decimal.to_plain(), out))?;
        }
        Semantic::Decimal { scale } => match text(token) {
            Some(base64) => {
                let unscaled = STANDARD
                    .decode(&*base64)
                    .map_err(|_| Mismatch("base64 decimal"))?;
                quoted(&decimal(*scale, &unscaled)?.to_plain(), out);
            }
            None => quoted(&plain_decimal(raw)?, out),
        },
        Semantic::Date
        | Semantic::Clock { .. }
        | Semantic::Timestamp { .. }
        | Semantic::MicroDuration => {
            let value = integer(token)
                .and_then(|number| semantic.of_integer(number))
                .ok_or(semantic.mismatch())?;
            quoted(&temporal_text::spelled(value), out);
        }
        Semantic::ZonedTimestamp
        | Semantic::ZonedTime
        | Semantic::IsoDate
        | Semantic::IsoTime
        | Semantic::IsoTimestamp => {
            let sent = text(token).ok_or(semantic.mismatch())?;
            match semantic.of_text(&sent) {
                Value::Text(unread) => write_string(unread, out),
                value => quoted(&temporal_text::spelled(value), out),
            }
        }
        Semantic::Bits { length } => {
            quoted(
                &bits(&text(token).ok_or(semantic.mismatch())?, *length)?,
                out,
            );
        }
        Semantic::EnumSet => out.push_str(&enum_set(&text(token).ok_or(semantic.mismatch())?)),
        Semantic::Json => {
            let sent = text(token).ok_or(semantic.mismatch())?;
            if is_json(&sent) {
                out.push_str(&sent);
            } else {
                out.push_str(raw);
            }
        }
        Semantic::Float(kind) => write_float(*kind, token, out)?,
        _ => return write_hinted(semantic, token, out),
    }
    Ok(())
}

/// The types that no schema says, only config.
fn write_hinted(semantic: &Semantic, token: Token<'_>, out: &mut String) -> Result<(), Mismatch> {
    let raw = token.get();
    match semantic {
        Semantic::Unsigned => {
            let number = unsigned(raw).ok_or(semantic.mismatch())?;
            let _ = match number {
                Value::UInt(number) => write!(out, "{number}"),
                _ => write!(out, "{raw}"),
            };
        }
        Semantic::Flag => out.push_str(match raw {
            "0" | "false" => "false",
            "1" | "true" => "true",
            _ => return Err(semantic.mismatch()),
        }),
        Semantic::BytesHex | Semantic::BytesUrl => {
            let bytes = semantic.bytes(&text(token).ok_or(semantic.mismatch())?)?;
            quoted(&STANDARD.encode(bytes), out);
        }
        // Everything else is spelled as it was sent.
        _ => out.push_str(raw),
    }
    Ok(())
}

/// In the shortest spelling, whatever the format spelled it like.
fn write_float(kind: ColumnType, token: Token<'_>, out: &mut String) -> Result<(), Mismatch> {
    let mismatch = || Mismatch(kind.name());
    if let Some(sent) = text(token) {
        special_float(&sent).ok_or_else(mismatch)?;
        out.push_str(token.get());
        return Ok(());
    }
    let mut buffer = ryu::Buffer::new();
    let spelled = if kind == ColumnType::Float32 {
        let number = token
            .get()
            .parse()
            .ok()
            .filter(|number: &f32| number.is_finite());
        number.map(|number| buffer.format_finite(number))
    } else {
        let number = token
            .get()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite());
        number.map(|number| buffer.format_finite(number))
    };
    out.push_str(spelled.ok_or_else(mismatch)?);
    Ok(())
}

fn within_bounds(out: &str) -> Result<(), Mismatch> {
    if out.len() > ROW_BYTES_MAX {
        return Err(Mismatch("value that fits a row"));
    }
    Ok(())
}

fn write_list<T>(
    parts: &[T],
    out: &mut String,
    mut write: impl FnMut(&T, &mut String) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    out.push('[');
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(part, out)?;
        within_bounds(out)?;
    }
    out.push(']');
    Ok(())
}

fn write_object<'s>(
    members: &[(String, Token<'_>)],
    out: &mut String,
    semantic_of: impl Fn(&str) -> Option<&'s Semantic>,
) -> Result<(), Mismatch> {
    out.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        write_json(semantic_of(name).unwrap_or(&Semantic::Untyped), *value, out)?;
        within_bounds(out)?;
    }
    out.push('}');
    Ok(())
}

/// The scale and number of a `VariableScaleDecimal`.
pub(crate) fn variable_scale<R>(
    token: Token<'_>,
    take: impl FnOnce(Decimal<'_>) -> R,
) -> Result<R, Mismatch> {
    #[derive(Deserialize)]
    struct Parts {
        scale: i32,
        value: String,
    }
    let parts: Parts =
        serde_json::from_str(token.get()).map_err(|_| Mismatch("decimal with its scale"))?;
    let unscaled = STANDARD
        .decode(parts.value)
        .map_err(|_| Mismatch("base64 decimal"))?;
    Ok(take(decimal(parts.scale, &unscaled)?))
}

fn plain_decimal(number: &str) -> Result<String, Mismatch> {
    let (scale, unscaled) = Decimal::parse(number).map_err(|_| Mismatch("decimal"))?;
    Ok(decimal(scale, &unscaled)?.to_plain())
}

/// The members of a set, as a JSON array. A comma inside a member is escaped by a backslash.
pub(crate) fn enum_set(sent: &str) -> String {
    let mut members = Vec::new();
    let mut member = String::new();
    let mut rest = sent.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' if rest.peek() == Some(&',') => member.extend(rest.next()),
            ',' => members.push(std::mem::take(&mut member)),
            _ => member.push(next),
        }
    }
    if !sent.is_empty() {
        members.push(member);
    }
    let mut out = String::new();
    let written = write_list(&members, &mut out, |member, out| {
        write_string(member, out);
        Ok(())
    });
    debug_assert!(written.is_ok());
    out
}

pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<Token<'_>>(text).is_ok()
}

/// The members of a JSON object in their order, repeated names included.
pub(crate) fn members(raw: &str) -> Option<Vec<(String, Token<'_>)>> {
    struct Members<'a>(Vec<(String, Token<'a>)>);
    struct Collect;

    impl<'de> Visitor<'de> for Collect {
        type Value = Members<'de>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }

    impl<'de> Deserialize<'de> for Members<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Collect)
        }
    }

    serde_json::from_str::<Members<'_>>(raw)
        .ok()
        .map(|members| members.0)
}

/// A text that needs no escapes.
fn quoted(text: &str, out: &mut String) {
    let _ = write!(out, "\"{text}\"");
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
