//! The least and the greatest of some values, in the order that rows are sorted in.

use std::cmp::Ordering;

use row_model::{Row, RowBuilder, Value};

use crate::compare::push_sort_key;

/// The least or greatest value of one group.
#[derive(Clone, Debug, Default)]
pub(super) enum Extreme {
    #[default]
    Nothing,
    /// What most columns hold is held without an allocation.
    Int(i64),
    Kept(Box<Kept>),
}

/// A value, as a row holds it, and where it stands among others.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    sort_key: Box<[u8]>,
    /// A row with this cell only.
    row: Box<[u8]>,
}

/// Reused from value to value.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    sort_key: Vec<u8>,
    builder: RowBuilder,
}

impl Extreme {
    /// Takes the value if it stands on this side of the one that is held.
    pub fn offer(&mut self, value: Value<'_>, side: Ordering, scratch: &mut Scratch) {
        match (&*self, value) {
            (_, Value::Null | Value::Unavailable) => return,
            (Self::Nothing, Value::Int(number)) => return *self = Self::Int(number),
            (Self::Int(held), Value::Int(number)) => {
                if number.cmp(held) == side {
                    *self = Self::Int(number);
                }
                return;
            }
            _ => {}
        }
        scratch.sort_key.clear();
        push_sort_key(value, false, false, &mut scratch.sort_key);
        let beside = match &*self {
            Self::Nothing => side,
            Self::Int(held) => {
                let mut sort_key = Vec::new();
                push_sort_key(Value::Int(*held), false, false, &mut sort_key);
                scratch.sort_key.cmp(&sort_key)
            }
            Self::Kept(kept) => scratch.sort_key[..]
                .cmp(&kept.sort_key)
                // A sort key has a long text's beginning only.
                .then_with(|| whole(&value).cmp(whole(&kept.value()))),
        };
        if beside == side {
            let mut row = Vec::new();
            scratch.builder.push(value);
            scratch.builder.finish(&mut row);
            *self = Self::Kept(Box::new(Kept {
                sort_key: scratch.sort_key.as_slice().into(),
                row: row.into(),
            }));
        }
    }

    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Nothing => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Kept(kept) => kept.value(),
        }
    }

    /// Memory beside the extreme itself.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Int(_) => 0,
            Self::Kept(kept) => size_of::<Kept>() + kept.sort_key.len() + kept.row.len(),
        }
    }
}

impl Kept {
    fn value(&self) -> Value<'_> {
        Row::new(&self.row).get(0).unwrap_or(Value::Null)
    }
}

fn whole<'a>(value: &Value<'a>) -> &'a [u8] {
    match value {
        Value::Text(text) | Value::Json(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremes(values: &[Value<'_>]) -> (String, String) {
        let found = |side| {
            let mut extreme = Extreme::default();
            let mut scratch = Scratch::default();
            for value in values {
                extreme.offer(*value, side, &mut scratch);
            }
            format!("{:?}", extreme.value())
        };
        (found(Ordering::Less), found(Ordering::Greater))
    }

    #[test]
    fn the_least_and_the_greatest_of_what_is_there() {
        let check = |values: &[Value<'_>], least: &str, greatest: &str| {
            assert_eq!(extremes(values), (least.to_owned(), greatest.to_owned()));
        };
        check(&[Value::Null, Value::Unavailable], "Null", "Null");
        check(
            &[Value::Int(2), Value::Int(-5), Value::Null],
            "Int(-5)",
            "Int(2)",
        );
        check(
            &[Value::Int(2), Value::Float(2.5), Value::Int(3)],
            "Int(2)",
            "Int(3)",
        );
        check(
            &[Value::Float(f64::NAN), Value::Float(1.0)],
            "Float(1.0)",
            "Float(NaN)",
        );
        check(
            &[Value::Text("b"), Value::Text("a"), Value::Text("ab")],
            "Text(\"a\")",
            "Text(\"b\")",
        );
        check(
            &[Value::Bool(true), Value::Bool(false)],
            "Bool(false)",
            "Bool(true)",
        );
    }

    #[test]
    fn long_texts_are_compared_to_their_ends() {
        let (less, greater) = ("x".repeat(600) + "a", "x".repeat(600) + "b");
        let both = extremes(&[Value::Text(&greater), Value::Text(&less)]);
        assert_eq!(
            both,
            (format!("Text({less:?})"), format!("Text({greater:?})"))
        );
    }
}
