//! Where a change stands in its source's order.
//!
//! Invariant: positions that must not be compared never are. [`SourcePosition::order`] answers
//! `None` across domains, and the caller then falls back to the order of the log.

use std::cmp::Ordering;

/// A timeline of a source table: a full snapshot by a new connector run opens the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

const ORDER_BYTES_MAX: usize = 30;

/// A point in the order of one source, comparable only with points of the same domain.
///
/// The decoder writes a connector's native position (a Postgres LSN; file, position and row of a
/// MySQL server; ...) as bytes whose lexicographic order is the source's order. The domain names
/// what may be compared: the server id of a binlog, 0 for a database that has one order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourcePosition {
    domain: u64,
    order: [u8; ORDER_BYTES_MAX],
    len: u8,
}

impl SourcePosition {
    /// A position made of numbers, most significant first. Leading zero bytes are not kept.
    #[must_use]
    pub fn from_numbers(domain: u64, numbers: &[u64]) -> Option<Self> {
        let mut order = [0; ORDER_BYTES_MAX];
        let mut len = 0;
        for number in numbers {
            let bytes = number.to_be_bytes();
            let skip = (number.leading_zeros() / 8) as usize;
            let used = &bytes[skip..];
            // A length byte first keeps numbers of different widths in order.
            let field = order.get_mut(len..=len + used.len())?;
            field[0] = used.len() as u8;
            field[1..].copy_from_slice(used);
            len += 1 + used.len();
        }
        Some(Self {
            domain,
            order,
            len: len as u8,
        })
    }

    /// A position whose bytes are already in source order; `None` if there are too many of them.
    #[must_use]
    pub fn from_bytes(domain: u64, bytes: &[u8]) -> Option<Self> {
        let mut order = [0; ORDER_BYTES_MAX];
        order.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            domain,
            order,
            len: bytes.len() as u8,
        })
    }

    #[must_use]
    pub fn domain(&self) -> u64 {
        self.domain
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.order[..usize::from(self.len)]
    }

    /// How `self` stands to `other` in the source's order, `None` if that cannot be said.
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        (self.domain == other.domain).then(|| self.as_bytes().cmp(other.as_bytes()))
    }

    /// True only if `self` is known to be strictly before `other`.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.order(other) == Some(Ordering::Less)
    }

    /// True for a position that no two changes share: file, position and row of a binlog.
    #[must_use]
    pub fn is_of_one_change(&self) -> bool {
        self.numbers().is_some_and(|numbers| numbers.len() == 3)
    }

    /// The numbers it was made of by [`from_numbers`](Self::from_numbers); `None` if it was not.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<u64>> {
        let mut rest = self.as_bytes();
        let mut numbers = Vec::new();
        while let Some((&len, tail)) = rest.split_first() {
            let field = tail
                .get(..usize::from(len))
                .filter(|field| field.len() <= 8)?;
            numbers.push(field.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
            rest = &tail[field.len()..];
        }
        Some(numbers)
    }
}

impl std::fmt::Debug for SourcePosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.numbers() {
            Some(numbers) => write!(f, "{}@{numbers:?}", self.domain),
            None => write!(f, "{}@{:02x?}", self.domain, self.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_numerically_whatever_their_width() {
        let at = |numbers: &[u64]| SourcePosition::from_numbers(7, numbers).unwrap();
        let mut sorted = vec![at(&[0]), at(&[1]), at(&[255]), at(&[256]), at(&[u64::MAX])];
        let expected = sorted.clone();
        sorted.reverse();
        sorted.sort_by(|a, b| a.order(b).unwrap());
        assert_eq!(sorted, expected);
        assert!(at(&[3, 900, 1]).is_before(&at(&[4, 4, 0])));
        assert_eq!(at(&[3, 900, 1]).numbers(), Some(vec![3, 900, 1]));
    }

    #[test]
    fn positions_of_different_domains_do_not_compare() {
        let one = SourcePosition::from_numbers(1, &[5]).unwrap();
        let other = SourcePosition::from_numbers(2, &[9]).unwrap();
        assert_eq!(one.order(&other), None);
        assert!(!one.is_before(&other) && !other.is_before(&one));
    }

    #[test]
    fn a_position_that_does_not_fit_is_refused() {
        assert_eq!(SourcePosition::from_bytes(0, &[1; 31]), None);
        assert_eq!(SourcePosition::from_numbers(0, &[u64::MAX; 4]), None);
    }
}
