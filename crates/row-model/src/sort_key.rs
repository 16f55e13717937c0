//! Bytes that sort as rows are ordered: one run for all columns of an `order`, compared at once,
//! carried by cursors and held by indexes.
//!
//! They are the bytes of keys but for what orders and keys see differently: a uuid sorts as its text,
//! what was never sent sorts as null, and long texts and numbers count with their beginning only, which
//! bounds what a row that is kept costs. So values that differ beyond it have equal bytes. No value's
//! bytes begin another's: several follow each other, and turning all bits of one turns its order.

use crate::key::{decimal_digits, encode_key_value, escaped, scaled, tag};
use crate::spelling::uuid_spelling;
use crate::{Exact, Value};

/// Bytes of a text, and digits of a number, that an order looks at.
pub const ORDERED_BYTES_MAX: usize = 512;

const NULL_FIRST: u8 = 0x00;
const NULL_LAST: u8 = 0xff;

/// Appends the sort key of one value.
///
/// Kinds sort as their tags do: truth values, numbers of every type, text, bytes, times, JSON (by its
/// text as it was sent).
pub fn push_sort_key(value: Value<'_>, descending: bool, nulls_first: bool, out: &mut Vec<u8>) {
    let start = out.len();
    match value {
        Value::Null | Value::Unavailable => {
            return out.push(if nulls_first { NULL_FIRST } else { NULL_LAST });
        }
        Value::Float(float) => push_float(float, out),
        Value::Number(text) => push_exact(Exact::parse(text), out),
        Value::Decimal(decimal) => {
            let small = decimal.small().is_some_and(|unscaled| {
                scaled(unscaled < 0, unscaled.unsigned_abs(), decimal.scale, out)
            });
            if !small {
                let (negative, digits) = decimal.digits();
                let exponent = digits.len() as i64 - i64::from(decimal.scale);
                push_exact(Some(Exact::new(negative, exponent, digits.into())), out);
            }
        }
        Value::Text(text) => escaped(tag::TEXT, beginning(text.as_bytes()), out),
        Value::Uuid(uuid) => escaped(tag::TEXT, &uuid_spelling(&uuid), out),
        Value::Bytes(bytes) => escaped(tag::BYTES, beginning(bytes), out),
        Value::Json(text) => escaped(tag::JSON, beginning(text.as_bytes()), out),
        value => encode_key_value(value, out),
    }
    if descending {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

fn beginning(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(ORDERED_BYTES_MAX)]
}

fn push_float(float: f64, out: &mut Vec<u8>) {
    if float.is_finite() {
        // The shortest digits that read back as this number, which are those of answers.
        push_exact(Exact::parse(ryu::Buffer::new().format_finite(float)), out);
    } else {
        encode_key_value(Value::Float(float), out);
    }
}

fn push_exact(number: Option<Exact>, out: &mut Vec<u8>) {
    match number {
        Some(number) => decimal_digits(
            number.negative,
            number.exponent,
            &number.digits,
            ORDERED_BYTES_MAX / 2,
            out,
        ),
        // What is beyond reading as a number stands with what is none.
        None => out.push(tag::NAN),
    }
}

/// How many bytes the sort keys of the first `columns` values take, all ascending with nulls last;
/// `None` if the bytes are not that.
#[must_use]
pub fn sort_key_len(bytes: &[u8], columns: usize) -> Option<usize> {
    (0..columns).try_fold(0, |at, _| Some(at + value_len(bytes.get(at..)?)?))
}

/// Appends the sort keys, all ascending with nulls last, of values whose key is given; `None` if that is no key, or
/// one with nulls or with numbers of absurd length.
pub fn sort_key_of_key(mut key: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let Some((tag, rest)) = key.split_first() {
        let len = match *tag {
            tag::NULL | tag::UNAVAILABLE => return None,
            tag::UUID => {
                let uuid: &[u8; 16] = rest.first_chunk()?;
                escaped(tag::TEXT, &uuid_spelling(uuid), out);
                1 + uuid.len()
            }
            tag::TEXT | tag::BYTES | tag::JSON => {
                let len = escaped_len(rest)?;
                let body = &rest[..len.checked_sub(2)?];
                // A zero byte is followed by one that says it is no end.
                let mut zero = false;
                let plain = body
                    .iter()
                    .filter(|byte| !std::mem::replace(&mut zero, **byte == 0));
                let plain: Vec<u8> = plain.copied().take(ORDERED_BYTES_MAX).collect();
                escaped(*tag, &plain, out);
                1 + len
            }
            _ => {
                let len = value_len(key).filter(|len| *len < ORDERED_BYTES_MAX / 2)?;
                out.extend_from_slice(&key[..len]);
                len
            }
        };
        key = key.get(len..)?;
    }
    Some(())
}

fn value_len(bytes: &[u8]) -> Option<usize> {
    const SIGNED: usize = 8;
    const NANOS: usize = 4;
    let (tag, rest) = bytes.split_first()?;
    let body = match *tag {
        NULL_LAST
        | tag::FALSE
        | tag::TRUE
        | tag::NEG_INFINITY
        | tag::ZERO
        | tag::INFINITY
        | tag::NAN => 0,
        tag::POSITIVE => number_len(rest, 0)?,
        tag::NEGATIVE => number_len(rest, 0xff)?,
        tag::TEXT | tag::BYTES | tag::JSON => escaped_len(rest)?,
        tag::DATE | tag::CLOCK | tag::CLOCK_UTC | tag::DURATION => SIGNED,
        tag::TIMESTAMP | tag::INSTANT => SIGNED + NANOS,
        _ => return None,
    };
    Some(1 + body)
}

/// An exponent of one byte or five, pairs of digits, and the end, all of them turned by `turn`.
fn number_len(bytes: &[u8], turn: u8) -> Option<usize> {
    let exponent = match bytes.first()? ^ turn {
        0x01 | 0xff => 5,
        _ => 1,
    };
    let pairs = bytes.get(exponent..)?;
    let end = pairs.iter().position(|byte| byte ^ turn == 0)?;
    Some(exponent + end + 1)
}

fn escaped_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let zero = at + bytes.get(at..)?.iter().position(|byte| *byte == 0)?;
        at = zero + 2;
        if *bytes.get(zero + 1)? == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Decimal, Moment};

    fn key(value: Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        push_sort_key(value, false, false, &mut out);
        out
    }

    #[test]
    fn one_number_has_one_key_whatever_its_type() {
        for value in [
            Value::UInt(50),
            Value::Float(50.0),
            Value::Number("5e1"),
            Value::Number("+050.00"),
            Value::Decimal(Decimal::new(3, &[0, 0xc3, 0x50])),
        ] {
            assert_eq!(key(value), key(Value::Int(50)), "{value:?}");
        }
        assert_eq!(key(Value::Float(-0.0)), key(Value::Int(0)));
        assert_eq!(key(Value::Unavailable), key(Value::Null));
    }

    #[test]
    fn only_the_beginning_of_what_is_long_counts() {
        let long = "7".repeat(ORDERED_BYTES_MAX + 100);
        let longer = format!("{long}.5");
        let of = |text| key(Value::Text(text));
        assert_eq!(of(&long), of(&longer));
        assert_ne!(of(&long), of(&long[1..ORDERED_BYTES_MAX]));
        let of = |text| key(Value::Number(text));
        assert_eq!(of(&long), of(&longer));
        assert!(of(&long).len() < ORDERED_BYTES_MAX);
        assert!(of(&long[1..]) < of(&long));
    }

    #[test]
    fn nulls_stand_at_either_end() {
        let of = |value, descending, nulls_first| {
            let mut out = Vec::new();
            push_sort_key(value, descending, nulls_first, &mut out);
            out
        };
        for value in [Value::Bool(false), Value::Json("{}"), Value::Int(-1)] {
            for descending in [false, true] {
                let value = of(value, descending, false);
                assert!(of(Value::Null, descending, true) < value);
                assert!(of(Value::Null, descending, false) > value);
            }
        }
    }

    fn some_key() -> impl Strategy<Value = Vec<u8>> {
        let moment = (any::<i64>(), 0..1_000_000_000_u32);
        let number = (any::<i32>(), -2_000_000_000..2_000_000_000_i32);
        let bytes = prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 0..4);
        prop_oneof![
            Just(key(Value::Null)),
            any::<bool>().prop_map(|is| key(Value::Bool(is))),
            any::<i64>().prop_map(|number| key(Value::Int(number))),
            (-300..300_i64).prop_map(|number| key(Value::Int(number))),
            any::<f64>().prop_map(|number| key(Value::Float(number))),
            number.prop_map(|(digits, to)| key(Value::Number(&format!("{digits}e{to}")))),
            "[a\\x00\\x01ÿ]{0,4}".prop_map(|text| key(Value::Text(&text))),
            bytes.prop_map(|bytes| key(Value::Bytes(&bytes))),
            any::<[u8; 16]>().prop_map(|uuid| key(Value::Uuid(uuid))),
            any::<i64>().prop_map(|days| key(Value::Date(days))),
            moment.prop_map(|(seconds, nanos)| key(Value::Instant(Moment { seconds, nanos }))),
            "[a\\x00]{0,4}".prop_map(|text| key(Value::Json(&text))),
        ]
    }

    #[test]
    fn a_key_tells_the_sort_key() {
        let long = "é\0".repeat(ORDERED_BYTES_MAX);
        let values = [
            Value::Int(-7),
            Value::Float(0.1),
            Value::Decimal(Decimal::new(2, &[1, 2, 3])),
            Value::Text("a\0b"),
            Value::Text(&long),
            Value::Bytes(long.as_bytes()),
            Value::Uuid([0xab; 16]),
            Value::Bool(true),
            Value::Instant(Moment::INFINITY),
            Value::Date(3),
            Value::Json("{}"),
        ];
        let (mut of_keys, mut own, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            encode_key_value(value, &mut of_keys);
            push_sort_key(value, false, false, &mut own);
        }
        assert_eq!(sort_key_of_key(&of_keys, &mut out), Some(()));
        assert_eq!(out, own);
        for none in [&[tag::NULL][..], &[tag::TEXT, 1], &[0x77]] {
            assert_eq!(sort_key_of_key(none, &mut out), None);
        }
    }

    proptest! {
        /// Of a run of keys with anything behind it, every key is found by its length.
        #[test]
        fn a_key_tells_its_length(keys in prop::collection::vec(some_key(), 0..6), rest: [u8; 3]) {
            let all = [keys.concat(), rest.to_vec()].concat();
            for count in 0..=keys.len() {
                prop_assert_eq!(sort_key_len(&all, count), Some(keys[..count].concat().len()));
            }
        }

        #[test]
        fn no_key_begins_another(one in some_key(), other in some_key()) {
            prop_assert!(one == other || !one.starts_with(&other));
        }

        #[test]
        fn floats_and_decimals_sort_as_numbers(a in -1e12..1e12_f64, b: i64, scale in 0..18_i32) {
            let unscaled = b.to_be_bytes();
            let decimal = Decimal::new(scale, &unscaled);
            let exact = Exact::parse(&decimal.to_plain());
            let float = Exact::parse(&a.to_string());
            prop_assert_eq!(key(Value::Float(a)).cmp(&key(Value::Decimal(decimal))), float.cmp(&exact));
        }
    }
}
