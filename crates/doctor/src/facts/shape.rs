//! What the value of a record looks like from outside. No decoder: enough to tell what wrote it.

use serde_json::{Map, Value};

/// What wrote a record, as far as it shows.
#[derive(Clone, Debug)]
pub enum Shape<'a> {
    /// The framing of a schema registry, and the id of the schema.
    Framed(u32),
    /// JSON, without the schema that may have been around it.
    Json { value: Value, has_schema: bool },
    /// Anything else.
    Other(&'a [u8]),
}

impl<'a> Shape<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        if let [0, a, b, c, d, _, ..] = *bytes {
            return Self::Framed(u32::from_be_bytes([a, b, c, d]));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(mut fields))
                if fields.len() == 2
                    && fields.contains_key("schema")
                    && fields.contains_key("payload") =>
            {
                let value = fields.remove("payload").unwrap_or_default();
                Self::Json {
                    value,
                    has_schema: true,
                }
            }
            Ok(value) => Self::Json {
                value,
                has_schema: false,
            },
            Err(_) => Self::Other(bytes),
        }
    }

    /// The change event, if it is one in JSON.
    pub fn envelope(self) -> Option<Map<String, Value>> {
        match self {
            Self::Json {
                value: Value::Object(fields),
                ..
            } if fields.contains_key("op") && fields.contains_key("source") => Some(fields),
            _ => None,
        }
    }

    /// Whether something can be made of it: a framed record, or an object.
    pub fn is_usable(&self) -> bool {
        match self {
            Self::Framed(_) => true,
            Self::Json { value, .. } => value.is_object(),
            Self::Other(_) => false,
        }
    }

    pub fn is_boundary(&self) -> bool {
        match self {
            Self::Framed(_) => true,
            Self::Json { value, .. } => value.get("status").is_some() && value.get("id").is_some(),
            Self::Other(_) => false,
        }
    }
}

#[test]
fn what_wrote_a_record_is_told_apart() {
    let told = |text: &str| match Shape::of(text.as_bytes()) {
        Shape::Framed(id) => format!("framed {id}"),
        shape @ Shape::Json { .. } if shape.clone().envelope().is_some() => "event".to_owned(),
        Shape::Json { value, has_schema } => format!("{value} {has_schema}"),
        Shape::Other(_) => "other".to_owned(),
    };
    assert_eq!(told("\0\0\0\x01\x02x"), "framed 258");
    assert_eq!(told("Struct{id=1}"), "other");
    assert_eq!(told(r#"{"op":"c","source":{}}"#), "event");
    assert_eq!(
        told(r#"{"schema":{},"payload":{"op":"c","source":{}}}"#),
        "event"
    );
    assert_eq!(told(r#"{"schema":{},"payload":7}"#), "7 true");
    assert_eq!(
        told(r#"{"schema":"public"}"#),
        r#"{"schema":"public"} false"#
    );
}
