//! Rows without a key: a table of them is a multiset, matched by whole rows.
//!
//! A row's hidden key is the hash of its content and its number among equal rows. The numbers of
//! equal rows have no gaps, so their count is found by doubling steps, and "remove one match"
//! removes the last.

use row_model::{OriginId, Row, Value, encode_key_value};
use siphasher::sip128::SipHasher13;

/// What a row without a key is known by: its source table and all its values, as keys compare them, so
/// that it is still known when a column was added to its table, or got a wider type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content(pub u128);

impl Content {
    pub fn of(origin: OriginId, row: Row<'_>) -> Self {
        let (mut values, mut end) = (Vec::with_capacity(row.as_bytes().len() * 2), 0);
        for value in row.iter() {
            encode_key_value(value, &mut values);
            // A column that was added since is null in an image of a row that is older.
            if value != Value::Null {
                end = values.len();
            }
        }
        // On disk, so the hash must be the same in every process and version; 128 bits, so that rows
        // that differ do not meet.
        let hasher = SipHasher13::new_with_keys(0, u64::from(origin.0));
        Self(hasher.hash(&values[..end]).as_u128())
    }

    /// The hidden key of the `number`th row with this content.
    pub fn key(self, number: u64) -> [u8; 24] {
        let mut key = [0; 24];
        key[..16].copy_from_slice(&self.0.to_be_bytes());
        key[16..].copy_from_slice(&number.to_be_bytes());
        key
    }

    /// What a hidden key says; `None` if it is none.
    pub fn of_key(key: &[u8]) -> Option<(Self, u64)> {
        let (content, number) = key.split_first_chunk()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        Some((Self(u128::from_be_bytes(*content)), number))
    }
}

/// How many numbers from 0 on are held, given a way to ask for one.
pub(crate) fn count(holds: impl Fn(u64) -> bool) -> u64 {
    if !holds(0) {
        return 0;
    }
    let mut step = 1;
    while holds(step) {
        step *= 2;
    }
    // The last held number is in step/2..step.
    let (mut held, mut missing) = (step / 2, step);
    while held + 1 < missing {
        let middle = held.midpoint(missing);
        if holds(middle) {
            held = middle;
        } else {
            missing = middle;
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use row_model::RowBuilder;

    use super::*;

    fn row(values: &[Value<'_>]) -> Vec<u8> {
        let (mut builder, mut bytes) = (RowBuilder::default(), Vec::new());
        for value in values {
            builder.push(*value);
        }
        builder.finish(&mut bytes);
        bytes
    }

    #[test]
    fn equal_rows_are_counted_whatever_their_number() {
        for rows in [0, 1, 2, 3, 4, 5, 31, 32, 33, 1000] {
            assert_eq!(count(|number| number < rows), rows);
        }
    }

    #[test]
    fn keys_tell_content_and_number_and_source_table_apart() {
        let (one, other) = (row(&[Value::Int(1)]), row(&[Value::Int(1), Value::Int(0)]));
        let of = |origin, row: &[u8]| Content::of(OriginId(origin), Row::new(row));
        assert_eq!(of(0, &one).key(0), of(0, &one).key(0));
        assert_ne!(of(0, &one).key(0), of(0, &one).key(1));
        assert_ne!(of(0, &one), of(0, &other));
        assert_ne!(of(0, &one), of(1, &one));
        let key = of(0, &one).key(7);
        assert_eq!(Content::of_key(&key), Some((of(0, &one), 7)));
        assert_eq!(Content::of_key(b"short"), None);
    }

    #[test]
    fn a_row_is_known_in_the_image_of_a_table_that_has_changed() {
        let of = |values: &[Value<'_>]| Content::of(OriginId(0), Row::new(&row(values)));
        let held = of(&[Value::Int(5), Value::Null, Value::Text("x")]);
        let added = [Value::Int(5), Value::Null, Value::Text("x"), Value::Null];
        assert_eq!(of(&added), held);
        let widened = [Value::Number("5.0"), Value::Null, Value::Text("x")];
        assert_eq!(of(&widened), held);
        let other = [Value::Int(5), Value::Text("x"), Value::Null];
        assert_ne!(of(&other), held);
        assert_ne!(of(&[Value::Null]), of(&[Value::Text("")]));
    }
}
