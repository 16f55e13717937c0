//! One value of a row, as a view into the row's bytes.
//!
//! Invariant: a value is exactly what the source said. Decimals keep their scale, numbers that no
//! machine type holds keep their digits as text, and "not sent" is not null.

use crate::Decimal;

/// A value borrowed from a row. Nested values (arrays, structs) are held as the JSON they render to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    /// The source did not send it (an unchanged TOAST column) and we never saw it.
    Unavailable,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// A JSON number that fits none of the above without loss, digit for digit.
    Number(&'a str),
    Decimal(Decimal<'a>),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid([u8; 16]),
    /// Days since 1970-01-01; `i64::MAX` and `i64::MIN` are the infinities.
    Date(i64),
    /// Nanoseconds of the day, or a signed duration of a `MySQL` TIME.
    Clock(i64),
    /// The same in UTC, where a zone was sent.
    ClockUtc(i64),
    /// A date and time without zone.
    Timestamp(Moment),
    /// A date and time in UTC.
    Instant(Moment),
    /// Microseconds.
    Duration(i64),
    /// JSON text, embedded token for token.
    Json(&'a str),
}

/// Seconds since 1970 and nanoseconds within the second. Ordered as time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    pub seconds: i64,
    pub nanos: u32,
}

impl Moment {
    pub const INFINITY: Self = Self {
        seconds: i64::MAX,
        nanos: 0,
    };
    pub const NEG_INFINITY: Self = Self {
        seconds: i64::MIN,
        nanos: 0,
    };

    /// `units` of which `per_second` make a second (1, 1e3, 1e6 or 1e9).
    #[must_use]
    #[inline]
    pub fn from_units(units: i64, per_second: i64) -> Self {
        let nanos = units.rem_euclid(per_second) * (1_000_000_000 / per_second);
        Self {
            seconds: units.div_euclid(per_second),
            nanos: nanos as u32,
        }
    }
}

/// Reads the canonical form, `8-4-4-4-12` hexadecimal digits in lower case; `None` for anything else.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut uuid = [0; 16];
    let mut at = 0;
    for (place, byte) in uuid.iter_mut().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_1970_round_down() {
        assert_eq!(
            Moment::from_units(-1, 1000),
            Moment {
                seconds: -1,
                nanos: 999_000_000
            }
        );
        assert_eq!(
            Moment::from_units(1_500_000, 1_000_000),
            Moment {
                seconds: 1,
                nanos: 500_000_000
            }
        );
    }

    #[test]
    fn only_the_canonical_uuid_is_one() {
        assert!(parse_uuid("b68a35a7-17ad-35b3-af2a-ae46edb4545a").is_some());
        assert!(parse_uuid("B68A35A7-17AD-35B3-AF2A-AE46EDB4545A").is_none());
        assert!(parse_uuid("b68a35a717ad35b3af2aae46edb4545a----").is_none());
    }
}
