//! Sort keys sort values of one kind as [`Constant::compare`](super::Constant::compare) does.

pub(crate) use row_model::push_sort_key;

#[cfg(test)]
mod tests {
    use row_model::{Decimal, Moment, Value};

    use super::*;
    use crate::compare::{Constant, Kind};

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
