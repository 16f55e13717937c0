//! All partitions that are followed, and which of them are of one topic.
//!
//! A topic's are found without looking at the others: every cut asks for those of each table that changed.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;

use row_model::PartitionId;

use crate::partitions::PartitionState;

/// Source and partition.
type Place = (usize, PartitionId);

#[derive(Debug, Default)]
pub(crate) struct PartitionMap {
    states: HashMap<Place, PartitionState>,
    /// By source, then by topic.
    topics: Vec<HashMap<String, BTreeSet<PartitionId>>>,
}

impl PartitionMap {
    pub fn insert(&mut self, place: Place, state: PartitionState) {
        self.remove(place);
        let (source, id) = place;
        if self.topics.len() <= source {
            self.topics.resize_with(source + 1, HashMap::new);
        }
        let of_topic = self.topics[source].entry(state.topic.clone()).or_default();
        of_topic.insert(id);
        self.states.insert(place, state);
    }

    pub fn remove(&mut self, place: Place) -> Option<PartitionState> {
        let gone = self.states.remove(&place)?;
        let (source, id) = place;
        let topics = &mut self.topics[source];
        if let Some(of_topic) = topics.get_mut(&gone.topic) {
            of_topic.remove(&id);
            if of_topic.is_empty() {
                topics.remove(&gone.topic);
            }
        }
        Some(gone)
    }

    pub fn get_mut(&mut self, place: &Place) -> Option<&mut PartitionState> {
        self.states.get_mut(place)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Place, &mut PartitionState)> {
        self.states.iter_mut()
    }

    pub fn of_topic(&self, source: usize, topic: &str) -> impl Iterator<Item = &PartitionState> {
        let topics = self.topics.get(source);
        let ids = topics.and_then(|topics| topics.get(topic));
        let ids = ids.into_iter().flatten();
        ids.filter_map(move |id| self.states.get(&(source, *id)))
    }
}

impl IntoIterator for PartitionMap {
    type Item = (Place, PartitionState);
    type IntoIter = std::collections::hash_map::IntoIter<Place, PartitionState>;

    fn into_iter(self) -> Self::IntoIter {
        self.states.into_iter()
    }
}

/// To look, not to change: the index must know what comes and goes.
impl Deref for PartitionMap {
    type Target = HashMap<Place, PartitionState>;

    fn deref(&self) -> &Self::Target {
        &self.states
    }
}

#[cfg(test)]
mod tests {
    use change_feed::PartitionFacts;
    use row_model::NextOffset;

    use super::*;

    #[test]
    fn the_partitions_of_a_topic_are_those_that_are_there() {
        let mut map = PartitionMap::default();
        let state = |id, topic: &str| {
            let facts = PartitionFacts {
                id: PartitionId(id),
                topic: topic.to_owned(),
                partition: 0,
                topic_uuid: None,
                retained_from: NextOffset(0),
                end: None,
                compacted: false,
            };
            PartitionState::new(facts, NextOffset(0))
        };
        let of = |map: &PartitionMap, source, topic| {
            let ids = map.of_topic(source, topic).map(|partition| partition.id.0);
            ids.collect::<Vec<_>>()
        };
        for (source, id, topic) in [(1, 4, "a"), (1, 2, "a"), (1, 3, "b"), (0, 2, "a")] {
            map.insert((source, PartitionId(id)), state(id, topic));
        }
        assert_eq!(of(&map, 1, "a"), [2, 4]);
        assert_eq!(of(&map, 0, "a"), [2]);
        assert_eq!(of(&map, 0, "b"), [0; 0]);
        assert_eq!(of(&map, 2, "a"), [0; 0]);
        // A topic that was made anew may have the number of another's.
        map.insert((1, PartitionId(4)), state(4, "b"));
        assert_eq!((of(&map, 1, "a"), of(&map, 1, "b")), (vec![2], vec![3, 4]));
        assert!(map.remove((1, PartitionId(2))).is_some());
        assert!(map.remove((1, PartitionId(2))).is_none());
        assert_eq!(of(&map, 1, "a"), [0; 0]);
    }
}
