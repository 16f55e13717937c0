//! Rows without a key: a table of them is a multiset, matched by whole rows.
//!
//! A row's hidden key is the hash of its content and its number among equal rows. The numbers of
//! equal rows have no gaps, so their count is found by doubling steps, and "remove one match"
//! removes the last.

use row_model::Row;
use siphasher::sip128::SipHasher13;

/// The hidden key of the `number`th row with this content.
pub(crate) fn key(row: Row<'_>, number: u64) -> Vec<u8> {
    // On disk, so the hash must be the same in every process and version; 128 bits, so that rows
    // that differ do not meet.
    let hash = SipHasher13::new().hash(row.as_bytes());
    let mut key = Vec::with_capacity(24);
    key.extend_from_slice(&hash.as_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
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
    use super::*;

    #[test]
    fn equal_rows_are_counted_whatever_their_number() {
        for rows in [0, 1, 2, 3, 4, 5, 31, 32, 33, 1000] {
            assert_eq!(count(|number| number < rows), rows);
        }
    }

    #[test]
    fn keys_tell_content_and_number_apart() {
        let (one, other) = ([1, 0, 0], [1, 1, 0, 0, 0]);
        assert_eq!(key(Row::new(&one), 0), key(Row::new(&one), 0));
        assert_ne!(key(Row::new(&one), 0), key(Row::new(&one), 1));
        assert_ne!(key(Row::new(&one), 0), key(Row::new(&other), 0));
    }
}
