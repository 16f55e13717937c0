//! Scalars: which there are, how they lie on the wire, and the JSON that Connect's converter writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{Kind, Value};

use super::wire::{Fault, Packing, Token, unzigzag};

pub(super) const OTHER_TYPE: Fault = "has another type on the wire than its schema says";
const NOT_TEXT: Fault = "is not UTF-8 text";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Int32,
    Sint32,
    Sfixed32,
    Uint32,
    Fixed32,
    Int64,
    Sint64,
    Sfixed64,
    Uint64,
    Fixed64,
    Float,
    Double,
    Bool,
    Text,
    Bytes,
}

impl Scalar {
    pub fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Int32 => Self::Int32,
            Kind::Sint32 => Self::Sint32,
            Kind::Sfixed32 => Self::Sfixed32,
            Kind::Uint32 => Self::Uint32,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Int64 => Self::Int64,
            Kind::Sint64 => Self::Sint64,
            Kind::Sfixed64 => Self::Sfixed64,
            Kind::Uint64 => Self::Uint64,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            Kind::Bool => Self::Bool,
            Kind::String => Self::Text,
            Kind::Bytes => Self::Bytes,
            Kind::Message(_) | Kind::Enum(_) => return None,
        })
    }

    /// How it lies in a packed field; `None` if it cannot be packed.
    pub fn packing(self) -> Option<Packing> {
        match self {
            Self::Int32
            | Self::Sint32
            | Self::Uint32
            | Self::Int64
            | Self::Sint64
            | Self::Uint64
            | Self::Bool => Some(Packing::Varint),
            Self::Sfixed32 | Self::Fixed32 | Self::Float => Some(Packing::Fixed32),
            Self::Sfixed64 | Self::Fixed64 | Self::Double => Some(Packing::Fixed64),
            Self::Text | Self::Bytes => None,
        }
    }

    /// The JSON of the value that is not sent.
    pub fn zero(self) -> &'static str {
        match self {
            Self::Float | Self::Double => "0.0",
            Self::Bool => "false",
            Self::Text | Self::Bytes => "\"\"",
            _ => "0",
        }
    }

    #[inline]
    pub fn write(self, token: Token<'_>, out: &mut String) -> Result<(), Fault> {
        match (self, token) {
            (Self::Int32, Token::Varint(value)) => write_integer(value as i32, out),
            (Self::Uint32, Token::Varint(value)) => write_integer(value as u32, out),
            (Self::Sint32, Token::Varint(value)) => {
                write_integer(unzigzag(u64::from(value as u32)) as i32, out);
            }
            (Self::Sint64, Token::Varint(value)) => write_integer(unzigzag(value), out),
            (Self::Int64, Token::Varint(value)) | (Self::Sfixed64, Token::Fixed64(value)) => {
                write_integer(value as i64, out);
            }
            (Self::Uint64, Token::Varint(value)) | (Self::Fixed64, Token::Fixed64(value)) => {
                write_integer(value, out);
            }
            (Self::Bool, Token::Varint(value)) => {
                out.push_str(if value == 0 { "false" } else { "true" });
            }
            (Self::Fixed32, Token::Fixed32(value)) => write_integer(value, out),
            (Self::Sfixed32, Token::Fixed32(value)) => write_integer(value as i32, out),
            (Self::Float, Token::Fixed32(value)) => write_float(f32::from_bits(value), out),
            (Self::Double, Token::Fixed64(value)) => write_float(f64::from_bits(value), out),
            (Self::Text, Token::Bytes(bytes)) => {
                write_text(std::str::from_utf8(bytes).map_err(|_| NOT_TEXT)?, out);
            }
            (Self::Bytes, Token::Bytes(bytes)) => write_base64(bytes, out),
            _ => return Err(OTHER_TYPE),
        }
        Ok(())
    }
}

fn write_integer(value: impl itoa::Integer, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

fn write_float<F: ryu::Float + Into<f64> + Copy>(value: F, out: &mut String) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.push_str("\"NaN\"");
    } else if wide.is_infinite() {
        out.push_str(if wide > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else {
        out.push_str(ryu::Buffer::new().format_finite(value));
    }
}

pub(super) fn write_text(text: &str, out: &mut String) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&quoted(text));
    }
}

pub(super) fn write_base64(bytes: &[u8], out: &mut String) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The JSON of a scalar's default.
pub(super) fn json_of(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::I32(value) => write_integer(*value, &mut out),
        Value::I64(value) => write_integer(*value, &mut out),
        Value::U32(value) => write_integer(*value, &mut out),
        Value::U64(value) => write_integer(*value, &mut out),
        Value::F32(value) => write_float(*value, &mut out),
        Value::F64(value) => write_float(*value, &mut out),
        Value::String(value) => write_text(value, &mut out),
        Value::Bytes(value) => write_base64(value, &mut out),
        // Messages and collections have no default of their own.
        _ => out.push_str("null"),
    }
    out
}
