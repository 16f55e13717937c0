//! Bytes that sort as rows are ordered: one run for all columns of an `order`, compared at once and
//! carried by cursors.
//!
//! No value's bytes begin another's, so several follow each other, and turning all bits of one turns
//! its order. Long texts and numbers count with their beginning only: that bounds what a row that
//! is kept costs.

use row_model::{Moment, Value};

use super::constant::{Kind, uuid_text};
use super::numeric::{Exact, Number};

/// Bytes of a text, and digits of a number, that an order looks at.
pub(crate) const ORDERED_BYTES_MAX: usize = 512;

/// Appends the sort key of one value.
pub(crate) fn push_sort_key(
    value: Value<'_>,
    descending: bool,
    nulls_first: bool,
    out: &mut Vec<u8>,
) {
    let Some(kind) = Kind::of(&value) else {
        return out.push(if nulls_first { 0 } else { 2 });
    };
    out.push(1);
    let start = out.len();
    out.push(kind as u8);
    push_value(value, out);
    if descending {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

fn push_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Unavailable => {}
        Value::Bool(is) => out.push(u8::from(is)),
        Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Number(_) | Value::Decimal(_) => {
            push_number(Number::of(value), out);
        }
        Value::Text(text) | Value::Json(text) => push_bytes(text.as_bytes(), out),
        Value::Uuid(uuid) => push_bytes(uuid_text(&uuid).as_str().as_bytes(), out),
        Value::Bytes(bytes) => push_bytes(bytes, out),
        Value::Date(number)
        | Value::Clock(number)
        | Value::ClockUtc(number)
        | Value::Duration(number) => {
            push_signed(number, out);
        }
        Value::Timestamp(Moment { seconds, nanos }) | Value::Instant(Moment { seconds, nanos }) => {
            push_signed(seconds, out);
            out.extend_from_slice(&nanos.to_be_bytes());
        }
    }
}

fn push_signed(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number as u64 ^ 1 << 63).to_be_bytes());
}

/// Zero bytes are doubled to `00 ff` and `00 00` ends, so that a prefix sorts before what it begins.
fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in &bytes[..bytes.len().min(ORDERED_BYTES_MAX)] {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

fn push_number(number: Option<Number>, out: &mut Vec<u8>) {
    match number {
        Some(Number::NegInfinity) => out.push(0),
        Some(Number::Finite(digits)) => push_digits(&digits, out),
        Some(Number::Infinity) => out.push(4),
        // What is beyond reading as a number stands with what is none.
        Some(Number::NaN) | None => out.push(5),
    }
}

fn push_digits(number: &Exact, out: &mut Vec<u8>) {
    if number.digits.is_empty() {
        return out.push(2);
    }
    out.push(if number.negative { 1 } else { 3 });
    let start = out.len();
    push_signed(number.exponent, out);
    let used = number.digits.len().min(ORDERED_BYTES_MAX);
    out.extend_from_slice(&number.digits[..used]);
    out.push(0);
    if number.negative {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use row_model::Decimal;

    use super::*;
    use crate::compare::Constant;

    /// Values in their order, of every kind.
    fn sorted() -> Vec<Value<'static>> {
        vec![
            Value::Bool(false),
            Value::Bool(true),
            Value::Float(f64::NEG_INFINITY),
            Value::Number("-1e400"),
            Value::Int(i64::MIN),
            Value::Float(-1.5),
            Value::Decimal(Decimal::new(3, &[0xff])),
            Value::Float(-0.0),
            Value::Decimal(Decimal::new(3, &[1])),
            Value::Float(0.1),
            Value::Int(1),
            Value::Int(10),
            Value::UInt(u64::MAX),
            Value::Number("18446744073709551616"),
            Value::Float(f64::INFINITY),
            Value::Float(f64::NAN),
            Value::Text(""),
            Value::Text("\0"),
            Value::Text("a"),
            Value::Text("a\0"),
            Value::Text("ab"),
            Value::Uuid([0xab; 16]),
            Value::Text("b"),
            Value::Text("é"),
            Value::Bytes(&[]),
            Value::Bytes(&[0]),
            Value::Bytes(&[0, 0]),
            Value::Bytes(&[255]),
            Value::Date(-1),
            Value::Date(i64::MAX),
            Value::Clock(-5),
            Value::ClockUtc(5),
            Value::Timestamp(Moment::NEG_INFINITY),
            Value::Timestamp(Moment {
                seconds: -1,
                nanos: 999,
            }),
            Value::Timestamp(Moment {
                seconds: 0,
                nanos: 1,
            }),
            Value::Instant(Moment {
                seconds: 0,
                nanos: 0,
            }),
            Value::Instant(Moment::INFINITY),
            Value::Duration(-7),
            Value::Duration(7),
            Value::Json("{}"),
        ]
    }

    fn key(value: Value<'_>, descending: bool) -> Vec<u8> {
        let mut out = Vec::new();
        push_sort_key(value, descending, false, &mut out);
        out
    }

    #[test]
    fn keys_sort_as_values_compare_both_ways() {
        let sorted = sorted();
        for (at, one) in sorted.iter().enumerate() {
            for (beside, other) in sorted.iter().enumerate() {
                let up = key(*one, false).cmp(&key(*other, false));
                assert_eq!(up, at.cmp(&beside), "{one:?} {other:?}");
                assert_eq!(key(*one, true).cmp(&key(*other, true)), up.reverse());
                let constant = Constant::of(*other).unwrap();
                if let Some(compared) = constant.compare(one) {
                    assert_eq!(compared, up, "{one:?} {other:?}");
                }
                let kinds = (Kind::of(one), Kind::of(other));
                assert_eq!(
                    constant.compare(one).is_some(),
                    kinds.0 == kinds.1,
                    "{one:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn one_key_never_begins_another() {
        for one in &sorted() {
            for other in &sorted() {
                let (one, other) = (key(*one, false), key(*other, false));
                assert!(
                    one == other || !one.starts_with(&other),
                    "{one:?} {other:?}"
                );
            }
        }
    }
}
