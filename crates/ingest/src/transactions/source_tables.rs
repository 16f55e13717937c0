//! Which partitions may carry the changes of a table, as the source calls it.
//!
//! A topic carries the source tables that its rows have named, and the one that it is called after,
//! which it may be before its first row. What no partition carries is not followed, and not waited for.

use std::collections::{BTreeMap, HashMap};

use row_model::PartitionId;

/// A source table that changes named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TableNumber(pub u32);

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct SourceTables {
    numbers: HashMap<String, TableNumber>,
    topics: BTreeMap<String, Topic>,
    /// What is known of collections, until anything more is known of topics.
    found: HashMap<String, Carried>,
}

#[derive(Debug, Default)]
struct Topic {
    lanes: Vec<PartitionId>,
    tables: Vec<String>,
}

/// Who carries a collection: source tables by their numbers, and partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    pub tables: Vec<TableNumber>,
    pub lanes: Vec<PartitionId>,
}

impl SourceTables {
    pub fn add_lane(&mut self, topic: &str, lane: PartitionId) {
        self.found.clear();
        let topic = self.topics.entry(topic.to_owned()).or_default();
        if !topic.lanes.contains(&lane) {
            topic.lanes.push(lane);
        }
    }

    pub fn remove_lane(&mut self, lane: PartitionId) {
        self.found.clear();
        for topic in self.topics.values_mut() {
            topic.lanes.retain(|known| *known != lane);
        }
    }

    /// The number of a source table whose changes a topic carries. Its name's parts are separated by zero
    /// bytes, the connector's name first.
    pub fn number(&mut self, topic: &str, origin: &str) -> TableNumber {
        let (_, name) = origin.split_once('\0').unwrap_or(("", origin));
        let name = name.replace('\0', ".");
        let next = TableNumber(self.numbers.len() as u32);
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        let topic = self.topics.entry(topic.to_owned()).or_default();
        if !topic.tables.contains(&name) {
            topic.tables.push(name);
            self.found.clear();
        }
        number
    }

    /// Who carries the changes of a collection, as a boundary calls it.
    pub fn carried(&mut self, collection: &str) -> &Carried {
        if !self.found.contains_key(collection) {
            let carried = self.find(collection);
            self.found.insert(collection.to_owned(), carried);
        }
        &self.found[collection]
    }

    fn find(&self, collection: &str) -> Carried {
        let names =
            |name: &str| ends_with_parts(name, collection) || ends_with_parts(collection, name);
        let of_name = self.numbers.iter().filter(|(name, _)| names(name));
        let as_topic = topic_part(collection);
        let carries = |(topic, known): &(&String, &Topic)| {
            known.tables.iter().any(|table| names(table)) || ends_with_parts(topic, &as_topic)
        };
        let topics = self.topics.iter().filter(carries);
        Carried {
            tables: of_name.map(|(_, number)| *number).collect(),
            lanes: topics.flat_map(|(_, topic)| topic.lanes.clone()).collect(),
        }
    }
}

/// `d.public.orders` ends with `public.orders`, and not with `lic.orders`.
fn ends_with_parts(name: &str, end: &str) -> bool {
    let before = name.strip_suffix(end);
    before.is_some_and(|before| !end.is_empty() && (before.is_empty() || before.ends_with('.')))
}

/// As a connector writes names into those of topics.
fn topic_part(collection: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let part = collection.chars();
    part.map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_found_by_the_names_of_topics_and_of_source_tables() {
        let mut tables = SourceTables::default();
        let lane = PartitionId;
        tables.add_lane("shop.public.orders", lane(1));
        tables.add_lane("shop.public.orders", lane(2));
        tables.add_lane("shop.public.reorders", lane(3));
        tables.add_lane("all", lane(4));
        let lanes = |tables: &mut SourceTables, name: &str| -> Vec<u32> {
            let lanes = tables.carried(name).lanes.iter();
            lanes.map(|lane| lane.0).collect()
        };
        assert_eq!(lanes(&mut tables, "public.orders"), [1, 2]);
        assert_eq!(lanes(&mut tables, "public.audit"), [0; 0]);
        let audit = tables.number("all", "shop\0d\0public\0audit");
        assert_eq!(lanes(&mut tables, "public.audit"), [4]);
        assert_eq!(tables.carried("public.audit").tables, [audit]);
        assert_eq!(tables.number("all", "shop\0d\0public\0audit"), audit);
        tables.remove_lane(lane(4));
        assert_eq!(lanes(&mut tables, "public.audit"), [0; 0]);
        tables.add_lane("shop.public.odd_name", lane(5));
        assert_eq!(lanes(&mut tables, "public.odd name"), [5]);
    }
}
