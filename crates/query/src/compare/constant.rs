//! A literal as values are compared with it.

use std::cmp::Ordering;

use row_model::{Moment, Value, write_uuid};

use super::json::canonical;
use super::numeric::{Fixed, Number};

/// What a value is, as far as comparing goes. Where values of several kinds are sorted together, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Bool,
    Number,
    Text,
    Bytes,
    Date,
    Clock,
    ClockUtc,
    Timestamp,
    Instant,
    Duration,
    Json,
}

impl Kind {
    /// `None` of null and of what was never sent.
    pub fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null | Value::Unavailable => return None,
            Value::Bool(_) => Self::Bool,
            Value::Int(_)
            | Value::UInt(_)
            | Value::Float(_)
            | Value::Number(_)
            | Value::Decimal(_) => Self::Number,
            // A uuid is held in its short form wherever a text reads as one.
            Value::Text(_) | Value::Uuid(_) => Self::Text,
            Value::Bytes(_) => Self::Bytes,
            Value::Date(_) => Self::Date,
            Value::Clock(_) => Self::Clock,
            Value::ClockUtc(_) => Self::ClockUtc,
            Value::Timestamp(_) => Self::Timestamp,
            Value::Instant(_) => Self::Instant,
            Value::Duration(_) => Self::Duration,
            Value::Json(_) => Self::Json,
        })
    }
}

/// One value that a literal stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Bool(bool),
    /// The number, and the same as a machine number with a scale if it is small enough.
    Number(Number, Option<Fixed>),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    Date(i64),
    Clock(i64),
    ClockUtc(i64),
    Timestamp(Moment),
    Instant(Moment),
    Duration(i64),
    /// In canonical form.
    Json(Box<str>),
}

impl Constant {
    /// `None` of null, of what was never sent, and of numbers beyond reading.
    pub fn of(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null | Value::Unavailable => return None,
            Value::Bool(is) => Self::Bool(is),
            Value::Int(_)
            | Value::UInt(_)
            | Value::Float(_)
            | Value::Number(_)
            | Value::Decimal(_) => {
                let number = Number::of(value)?;
                let fixed = Fixed::of(&number);
                Self::Number(number, fixed)
            }
            Value::Text(text) => Self::Text(text.into()),
            Value::Uuid(uuid) => Self::Text(uuid_text(&uuid).as_str().into()),
            Value::Bytes(bytes) => Self::Bytes(bytes.into()),
            Value::Date(days) => Self::Date(days),
            Value::Clock(nanos) => Self::Clock(nanos),
            Value::ClockUtc(nanos) => Self::ClockUtc(nanos),
            Value::Timestamp(at) => Self::Timestamp(at),
            Value::Instant(at) => Self::Instant(at),
            Value::Duration(micros) => Self::Duration(micros),
            Value::Json(text) => Self::Json(canonical(text).into()),
        })
    }

    /// How a value stands to this one; `None` if it is of another kind.
    pub fn compare(&self, value: &Value<'_>) -> Option<Ordering> {
        Some(match (value, self) {
            (Value::Int(value), Self::Number(_, Some(fixed))) => {
                fixed.compare(i128::from(*value), 0)
            }
            (Value::Decimal(value), Self::Number(number, Some(fixed))) => match value.small() {
                Some(unscaled) => fixed.compare(unscaled, value.scale),
                None => Number::of(Value::Decimal(*value))?.cmp(number),
            },
            (Value::Date(value), Self::Date(number))
            | (Value::Clock(value), Self::Clock(number))
            | (Value::ClockUtc(value), Self::ClockUtc(number))
            | (Value::Duration(value), Self::Duration(number)) => value.cmp(number),
            (Value::Text(value), Self::Text(text)) => value.as_bytes().cmp(text.as_bytes()),
            (Value::Uuid(value), Self::Text(text)) => uuid_text(value).as_str().cmp(text),
            (Value::Bool(value), Self::Bool(is)) => value.cmp(is),
            (Value::Bytes(value), Self::Bytes(bytes)) => (*value).cmp(bytes),
            (Value::Timestamp(value), Self::Timestamp(at))
            | (Value::Instant(value), Self::Instant(at)) => value.cmp(at),
            (Value::Json(value), Self::Json(text)) => canonical(value).as_str().cmp(text),
            (value, Self::Number(number, _)) => Number::of(*value)?.cmp(number),
            _ => return None,
        })
    }

    /// The number, if it is an integer that a machine holds.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(_, fixed) => fixed.as_ref()?.integer(),
            _ => None,
        }
    }

    /// Whether a value is compared with it in a few instructions, whatever the value is.
    pub fn is_compared_at_once(&self) -> bool {
        matches!(
            self,
            Self::Bool(_)
                | Self::Date(_)
                | Self::Clock(_)
                | Self::ClockUtc(_)
                | Self::Timestamp(_)
                | Self::Instant(_)
                | Self::Duration(_)
        )
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Bool,
            Self::Number(..) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
            Self::Date(_) => Kind::Date,
            Self::Clock(_) => Kind::Clock,
            Self::ClockUtc(_) => Kind::ClockUtc,
            Self::Timestamp(_) => Kind::Timestamp,
            Self::Instant(_) => Kind::Instant,
            Self::Duration(_) => Kind::Duration,
            Self::Json(_) => Kind::Json,
        }
    }

    /// The order that lists of constants are searched in: by kind, then as values are compared.
    pub fn order(&self, other: &Self) -> Ordering {
        self.kind()
            .cmp(&other.kind())
            .then_with(|| match (self, other) {
                (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
                (Self::Number(_, Some(one)), Self::Number(_, Some(other))) => one.order(*other),
                (Self::Number(one, _), Self::Number(other, _)) => one.cmp(other),
                (Self::Text(one), Self::Text(other)) | (Self::Json(one), Self::Json(other)) => {
                    one.cmp(other)
                }
                (Self::Bytes(one), Self::Bytes(other)) => one.cmp(other),
                (Self::Timestamp(one), Self::Timestamp(other))
                | (Self::Instant(one), Self::Instant(other)) => one.cmp(other),
                (Self::Date(one), Self::Date(other))
                | (Self::Clock(one), Self::Clock(other))
                | (Self::ClockUtc(one), Self::ClockUtc(other))
                | (Self::Duration(one), Self::Duration(other)) => one.cmp(other),
                // Kinds are equal here.
                _ => Ordering::Equal,
            })
    }
}

/// The spelling of a uuid, without an allocation.
pub(crate) fn uuid_text(uuid: &[u8; 16]) -> UuidText {
    let mut text = UuidText {
        bytes: [b'0'; 36],
        len: 0,
    };
    let written = write_uuid(uuid, &mut text);
    debug_assert!(written.is_ok(), "a uuid has 36 characters");
    text
}

pub(crate) struct UuidText {
    bytes: [u8; 36],
    len: usize,
}

impl UuidText {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl std::fmt::Write for UuidText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len());
        room.ok_or(std::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}
