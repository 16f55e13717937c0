//! Where the transactions of a source begin and end, as its transaction topic tells, and which of them a change is of.

use std::num::NonZeroU64;

/// What the boundaries of a transaction and all its changes have in common, as a number.
///
/// `PostgreSQL`'s ids are a number and the position of *each* event (`781:39950456`): only the number is
/// common, and counts modulo 2^32. Everything else (a gtid, a place in a binlog, digits of other bases)
/// is common as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey(pub u64);

/// Set in keys that are made of text, so that none of them is a number.
const OF_TEXT: u64 = 1 << 63;
/// A transaction number of 64 bits has more digits only after 10^10 transactions; ids of other sources
/// that happen to be all digits have sixteen.
const NUMBER_DIGITS_MAX: usize = 10;

impl TransactionKey {
    /// The id itself, where it is a number.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        u32::try_from(self.0).ok()
    }

    /// The key of an id as boundaries and changes spell it; `None` if there is no id.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let number = match id.split_once(':') {
            Some((number, position)) => is_number(position).then_some(number),
            None => Some(id).filter(|id| id.len() <= NUMBER_DIGITS_MAX),
        };
        let number = number.filter(|number| is_number(number));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            return Some(Self(u64::from(number as u32)));
        }
        (!id.is_empty()).then(|| Self(hash(id) | OF_TEXT))
    }
}

/// FNV-1a. Kept in checkpoints, so that it must be the same in every process and version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The transaction that a change is of, as the change itself tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    pub transaction: TransactionKey,
    /// Which of the transaction's events it is, counted from one; the same when it is delivered again.
    pub order: Option<NonZeroU64>,
}

/// A transaction begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    pub offset: u64,
    pub transaction: TransactionKey,
    /// When the source committed; milliseconds since 1970.
    pub at_ms: Option<i64>,
    pub kind: BoundaryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundaryKind {
    Begins,
    /// With how many events each source table has in it, as the connector calls the table.
    Ends {
        events: Vec<(String, u64)>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_transaction_have_one_key() {
        let key = |id| TransactionKey::of(id).map(|key| key.0);
        assert_eq!(key("118037:1097471208"), Some(118_037));
        assert_eq!(key("118037:1097471472"), Some(118_037));
        assert_eq!(key("4295085333:7"), Some(118_037));
        assert_eq!(key("118037"), Some(118_037));
        assert_eq!(key(""), None);
        let texts = [
            "0-11-39",
            "0-11-40",
            "36c6c3a0-5b0e-11ef-8c5a-0242ac110002:39",
            "file=binlog.000001,pos=14622",
            "00000027:00000758:0005",
            "0500110028010000",
            ":5",
            "5:",
            "99999999999999999999999:1",
        ];
        let mut keys: Vec<u64> = texts.into_iter().filter_map(key).collect();
        assert!(keys.iter().all(|key| key & OF_TEXT > 0));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), texts.len());
    }
}
