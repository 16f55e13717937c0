//! What tables are called: the shortest suffix of a topic that no table has yet. Pure.
//!
//! Invariant: a name once given is kept, whatever topics are found later.

use std::collections::BTreeMap;

use row_model::TableId;

/// Given names and topics of all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    by_name: BTreeMap<String, TableId>,
    by_topic: BTreeMap<String, TableId>,
}

/// Why a name finds no single table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No table is called so; the names of all tables.
    Unknown { known: Vec<String> },
    /// A suffix of several topics; the names that fit.
    Ambiguous { candidates: Vec<String> },
}

impl Names {
    /// Takes up a table under a name that config or a checkpoint gave. `false` if it is taken.
    pub fn give(&mut self, name: &str, topic: &str, table: TableId) -> bool {
        if self.by_name.contains_key(name) || self.by_topic.contains_key(topic) {
            return false;
        }
        self.by_name.insert(name.to_owned(), table);
        self.by_topic.insert(topic.to_owned(), table);
        true
    }

    #[must_use]
    pub fn is_free(&self, name: &str) -> bool {
        !self.by_name.contains_key(name)
    }

    /// The name a newly found topic would get: its shortest suffix that is free and not `reserved`.
    #[must_use]
    pub fn propose(&self, topic: &str, reserved: impl Fn(&str) -> bool) -> String {
        let usable = |name: &str| !name.is_empty() && self.is_free(name) && !reserved(name);
        if let Some(suffix) = suffixes(topic).find(|suffix| usable(suffix)) {
            return suffix.to_owned();
        }
        let mut number = 2_u32;
        loop {
            let name = format!("{topic}.{number}");
            if usable(&name) {
                return name;
            }
            number += 1;
        }
    }

    /// The table that `name` means: a given name, a whole topic, or a suffix of one topic only.
    ///
    /// # Errors
    /// If no table or several tables fit.
    pub fn resolve(&self, name: &str) -> Result<TableId, NameError> {
        if let Some(table) = self.by_name.get(name).or_else(|| self.by_topic.get(name)) {
            return Ok(*table);
        }
        let fits = |topic: &str| suffixes(topic).any(|suffix| suffix == name);
        let found: Vec<TableId> = self
            .by_topic
            .iter()
            .filter(|(topic, _)| fits(topic))
            .map(|(_, table)| *table)
            .collect();
        match found[..] {
            [table] => Ok(table),
            [] => Err(NameError::Unknown {
                known: self.by_name.keys().cloned().collect(),
            }),
            _ => {
                let named = self
                    .by_name
                    .iter()
                    .filter(|(_, table)| found.contains(table));
                Err(NameError::Ambiguous {
                    candidates: named.map(|(name, _)| name.clone()).collect(),
                })
            }
        }
    }
}

/// `c`, `b.c`, `a.b.c` of `a.b.c`.
fn suffixes(topic: &str) -> impl Iterator<Item = &str> {
    let dots = topic.rmatch_indices('.').map(|(at, _)| &topic[at + 1..]);
    dots.chain([topic])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovered(topics: &[&str]) -> (Names, Vec<String>) {
        let mut names = Names::default();
        let given = topics.iter().enumerate().map(|(id, topic)| {
            let name = names.propose(topic, |_| false);
            assert!(names.give(&name, topic, TableId(id as u32)));
            name
        });
        let given = given.collect();
        (names, given)
    }

    #[test]
    fn the_shortest_free_suffix_is_the_name() {
        let (_, given) = discovered(&[
            "shop.public.orders",
            "crm.public.orders",
            "erp.sales.orders",
            "people",
        ]);
        assert_eq!(given, ["orders", "public.orders", "sales.orders", "people"]);
    }

    #[test]
    fn a_topic_whose_name_was_taken_as_a_suffix_still_gets_one() {
        let (_, given) = discovered(&["shop.orders", "orders"]);
        assert_eq!(given, ["orders", "orders.2"]);
    }

    #[test]
    fn a_reserved_name_is_left_alone() {
        let names = Names::default();
        assert_eq!(
            names.propose("shop.orders", |name| name == "orders"),
            "shop.orders"
        );
    }

    #[test]
    fn every_longer_suffix_finds_the_table_unless_it_fits_several() {
        let (names, _) = discovered(&[
            "shop.public.orders",
            "crm.public.orders",
            "crm.public.people",
        ]);
        assert_eq!(names.resolve("orders"), Ok(TableId(0)));
        assert_eq!(names.resolve("crm.public.orders"), Ok(TableId(1)));
        assert_eq!(names.resolve("public.people"), Ok(TableId(2)));
        assert_eq!(names.resolve("shop.public.orders"), Ok(TableId(0)));
        let Err(NameError::Unknown { known }) = names.resolve("order") else {
            panic!()
        };
        assert_eq!(known, ["orders", "people", "public.orders"]);
    }

    #[test]
    fn a_suffix_of_several_topics_is_refused_with_the_candidates() {
        let mut names = Names::default();
        names.give("a", "one.public.orders", TableId(0));
        names.give("b", "two.public.orders", TableId(1));
        let candidates = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            names.resolve("public.orders"),
            Err(NameError::Ambiguous { candidates })
        );
    }

    #[test]
    fn a_name_is_given_once() {
        let (mut names, _) = discovered(&["shop.public.orders"]);
        assert!(!names.give("orders", "other", TableId(7)));
        assert!(!names.give("other", "shop.public.orders", TableId(7)));
    }
}
