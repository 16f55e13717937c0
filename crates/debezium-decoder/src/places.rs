//! Where names stand in a list, for many look-ups as for few.
//!
//! Invariant: looking up every name of a wide row costs no more than going through it a few times. Rows of
//! tables are narrow: there, comparing one by one beats building an index.

use std::collections::HashMap;

/// So few look-ups are done one by one.
const FEW: usize = 32;

/// Where each name stands; of a repeated one, where it stands first.
pub(crate) enum Places<'n, I> {
    OneByOne(I),
    Indexed(HashMap<&'n str, usize>),
}

impl<'n, I: Iterator<Item = &'n str> + Clone> Places<'n, I> {
    /// The places of `names`, in which so many look-ups will be done.
    pub fn of(names: I, lookups: usize) -> Self {
        if lookups <= FEW {
            return Self::OneByOne(names);
        }
        let mut indexed = HashMap::new();
        for (place, name) in names.enumerate() {
            indexed.entry(name).or_insert(place);
        }
        Self::Indexed(indexed)
    }

    pub fn get(&self, name: &str) -> Option<usize> {
        match self {
            Self::OneByOne(names) => names.clone().position(|known| known == name),
            Self::Indexed(indexed) => indexed.get(name).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_where_it_stands_first() {
        let names = ["a", "b", "a"];
        for lookups in [FEW, FEW + 1] {
            let places = Places::of(names.into_iter(), lookups);
            assert_eq!(
                ["a", "b", "c"].map(|name| places.get(name)),
                [Some(0), Some(1), None]
            );
        }
    }
}
