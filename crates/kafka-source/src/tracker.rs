//! Turns what the broker lists into what is news. Pure: no broker, thread or clock.
//!
//! Invariants: a partition keeps its number for the life of the source; discovery is complete only
//! when everything that was listed at the start could also be read; what is wrong is told once, and
//! that all is well again once nothing is wrong any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use change_feed::{PartitionFacts, SourceError, SourceEvent, TopicUuid};
use row_model::{NextOffset, PartitionId};

/// In so many listings in a row a partition must be absent before it is believed to be gone: a
/// broker that has just started may not know of all topics yet.
const ABSENCES_BEFORE_GONE: u8 = 2;

/// All topics chosen, as one look at the broker found them.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) topics: Vec<ListedTopic>,
    /// Topics that were named and do not exist, each with a hint.
    pub(crate) missing: Vec<(String, String)>,
}

impl Listing {
    /// The topic is there under another id: what it does not have any more is gone for good, and waiting for
    /// another look would tell half of the same news later.
    fn has_made_anew(&self, before: &PartitionFacts) -> bool {
        let mut topics = self.topics.iter();
        let topic = topics.find(|topic| topic.name == before.topic);
        let ids = topic.and_then(|topic| topic.uuid).zip(before.topic_uuid);
        ids.is_some_and(|(now, then)| now != then)
    }
}

#[derive(Debug, Default)]
pub(crate) struct ListedTopic {
    pub(crate) name: String,
    pub(crate) uuid: Option<TopicUuid>,
    pub(crate) compacted: bool,
    pub(crate) partitions: BTreeMap<i32, ListedPartition>,
}

#[derive(Debug)]
pub(crate) enum ListedPartition {
    Readable {
        retained_from: u64,
        end: u64,
    },
    /// It exists, but nothing can be read from it just now.
    Unready {
        reason: String,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Tracker {
    partitions: Vec<Tracked>,
    by_name: HashMap<(String, i32), usize>,
    problems: BTreeSet<Problem>,
    discovery_complete: bool,
}

#[derive(Debug)]
struct Tracked {
    facts: PartitionFacts,
    present: bool,
    absences: u8,
}

/// Something that keeps the source from reading everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    Brokers,
    MissingTopic(String),
    Unready(String, i32),
}

impl Tracker {
    /// The broker was reached.
    pub(crate) fn listed(&mut self, listing: &Listing, events: &mut Vec<SourceEvent>) {
        let mut problems = BTreeMap::new();
        let mut seen = vec![false; self.partitions.len()];
        for topic in &listing.topics {
            for (number, found) in &topic.partitions {
                let known = self.by_name.get(&(topic.name.clone(), *number)).copied();
                if let Some(seen) = known.and_then(|index| seen.get_mut(index)) {
                    *seen = true;
                }
                match found {
                    ListedPartition::Readable { retained_from, end } => {
                        self.readable(
                            known,
                            topic,
                            *number,
                            NextOffset(*retained_from),
                            NextOffset(*end),
                            events,
                        );
                    }
                    ListedPartition::Unready { reason } => {
                        let what = format!("{}-{number}", topic.name);
                        let error = SourceError::Unreachable {
                            what,
                            reason: reason.clone(),
                        };
                        problems.insert(Problem::Unready(topic.name.clone(), *number), error);
                    }
                }
            }
        }
        for (topic, hint) in &listing.missing {
            let error = SourceError::UnknownTopic {
                topic: topic.clone(),
                hint: hint.clone(),
            };
            problems.insert(Problem::MissingTopic(topic.clone()), error);
        }
        for (tracked, seen) in self.partitions.iter_mut().zip(seen) {
            if !seen && listing.has_made_anew(&tracked.facts) {
                tracked.lose(events);
            }
            tracked.note_presence(seen, events);
        }
        let unready = problems
            .keys()
            .any(|problem| matches!(problem, Problem::Unready(..)));
        if !unready && !std::mem::replace(&mut self.discovery_complete, true) {
            events.push(SourceEvent::DiscoveryComplete);
        }
        self.settle(problems, events);
    }

    /// The broker was not reached.
    pub(crate) fn unreachable(
        &mut self,
        brokers: &str,
        reason: &str,
        events: &mut Vec<SourceEvent>,
    ) {
        if self.problems.insert(Problem::Brokers) {
            let (what, reason) = (format!("brokers {brokers}"), reason.to_owned());
            events.push(SourceEvent::Unavailable(SourceError::Unreachable {
                what,
                reason,
            }));
        }
    }

    pub(crate) fn facts(&self, id: PartitionId) -> Option<&PartitionFacts> {
        self.partitions
            .get(id.0 as usize)
            .map(|tracked| &tracked.facts)
    }

    pub(crate) fn is_present(&self, id: PartitionId) -> bool {
        self.partitions
            .get(id.0 as usize)
            .is_some_and(|tracked| tracked.present)
    }

    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<PartitionId> {
        let index = self.by_name.get(&(topic.to_owned(), partition))?;
        Some(PartitionId(*index as u32))
    }

    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    fn readable(
        &mut self,
        known: Option<usize>,
        topic: &ListedTopic,
        number: i32,
        retained_from: NextOffset,
        end: NextOffset,
        events: &mut Vec<SourceEvent>,
    ) {
        let index = known.unwrap_or(self.partitions.len());
        let facts = PartitionFacts {
            id: PartitionId(index as u32),
            topic: topic.name.clone(),
            partition: number,
            topic_uuid: topic.uuid,
            retained_from,
            end: Some(end),
            compacted: topic.compacted,
        };
        let Some(tracked) = self.partitions.get_mut(index) else {
            self.by_name.insert((topic.name.clone(), number), index);
            events.push(SourceEvent::Discovered(facts.clone()));
            self.partitions.push(Tracked {
                facts,
                present: true,
                absences: 0,
            });
            return;
        };
        // A broker that does not tell an id says nothing about another one.
        let recreated = tracked
            .facts
            .topic_uuid
            .zip(topic.uuid)
            .is_some_and(|(before, now)| before != now);
        if recreated {
            tracked.lose(events);
        }
        if !tracked.present {
            events.push(SourceEvent::Discovered(facts.clone()));
        }
        let topic_uuid = facts.topic_uuid.or(tracked.facts.topic_uuid);
        *tracked = Tracked {
            facts: PartitionFacts {
                topic_uuid,
                ..facts
            },
            present: true,
            absences: 0,
        };
    }

    fn settle(&mut self, now: BTreeMap<Problem, SourceError>, events: &mut Vec<SourceEvent>) {
        let had_problems = !self.problems.is_empty();
        let before = std::mem::replace(&mut self.problems, now.keys().cloned().collect());
        let news = now
            .into_iter()
            .filter(|(problem, _)| !before.contains(problem));
        events.extend(news.map(|(_, error)| SourceEvent::Unavailable(error)));
        if had_problems && self.problems.is_empty() {
            events.push(SourceEvent::Available);
        }
    }
}

impl Tracked {
    fn note_presence(&mut self, seen: bool, events: &mut Vec<SourceEvent>) {
        self.absences = if seen {
            0
        } else {
            self.absences.saturating_add(1)
        };
        if self.absences == ABSENCES_BEFORE_GONE {
            self.lose(events);
        }
    }

    fn lose(&mut self, events: &mut Vec<SourceEvent>) {
        if std::mem::replace(&mut self.present, false) {
            let error = SourceError::Gone {
                topic: self.facts.topic.clone(),
                partition: self.facts.partition,
            };
            events.push(SourceEvent::PartitionLost {
                partition: self.facts.id,
                error,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"a:3 b:2!"` lists topic a with three partitions, and b with two of which the last is unready.
    fn listing(text: &str, uuid: u8, missing: &[&str]) -> Listing {
        let topics = text.split_whitespace().map(|topic| {
            let (name, count) = topic.split_once(':').unwrap();
            let unready = count.ends_with('!');
            let count: i32 = count.trim_end_matches('!').parse().unwrap();
            let partitions = (0..count).map(|number| {
                let found = if unready && number + 1 == count {
                    ListedPartition::Unready {
                        reason: "no leader".to_owned(),
                    }
                } else {
                    ListedPartition::Readable {
                        retained_from: 1,
                        end: 9,
                    }
                };
                (number, found)
            });
            let uuid = (uuid > 0).then_some(TopicUuid([uuid; 16]));
            ListedTopic {
                name: name.to_owned(),
                uuid,
                compacted: false,
                partitions: partitions.collect(),
            }
        });
        let missing = missing
            .iter()
            .map(|topic| ((*topic).to_owned(), " (hint)".to_owned()));
        Listing {
            topics: topics.collect(),
            missing: missing.collect(),
        }
    }

    struct Check(Tracker);

    impl Check {
        fn told(&mut self, listing: Option<&Listing>) -> String {
            let mut events = Vec::new();
            match listing {
                Some(listing) => self.0.listed(listing, &mut events),
                None => self.0.unreachable("kafka:9092", "refused", &mut events),
            }
            let told = events.iter().map(|event| match event {
                SourceEvent::Discovered(facts) => {
                    format!("{}={}-{}", facts.id.0, facts.topic, facts.partition)
                }
                SourceEvent::DiscoveryComplete => "complete".to_owned(),
                SourceEvent::Unavailable(error) => format!("unavailable: {error}"),
                SourceEvent::PartitionLost { partition, error } => {
                    format!("{} lost: {error}", partition.0)
                }
                other => format!("{other:?}"),
            });
            told.collect::<Vec<_>>().join("; ")
        }

        fn listed(&mut self, text: &str) -> String {
            self.told(Some(&listing(text, 1, &[])))
        }
    }

    #[test]
    fn only_news_is_told() {
        let mut check = Check(Tracker::default());
        assert_eq!(check.listed("a:2 b:1"), "0=a-0; 1=a-1; 2=b-0; complete");
        assert_eq!(check.listed("a:2 b:1"), "");
        assert_eq!(check.listed("a:3 b:1 c:1"), "3=a-2; 4=c-0");
    }

    #[test]
    fn a_topic_is_gone_when_it_is_absent_twice_and_keeps_its_number_when_it_is_back() {
        let mut check = Check(Tracker::default());
        check.listed("a:1 b:1");
        assert_eq!(check.listed("b:1"), "");
        assert_eq!(check.listed("a:1 b:1"), "");
        assert_eq!(check.listed("b:1"), "");
        assert_eq!(check.listed("b:1"), "0 lost: a-0 does not exist any more");
        assert_eq!(check.listed("b:1"), "");
        assert!(!check.0.is_present(PartitionId(0)));
        assert_eq!(check.listed("a:1 b:1"), "0=a-0");
    }

    #[test]
    fn a_recreated_topic_is_lost_and_found() {
        let mut check = Check(Tracker::default());
        check.listed("a:1");
        assert_eq!(check.told(Some(&listing("a:1", 0, &[]))), "");
        assert_eq!(
            check.told(Some(&listing("a:1", 2, &[]))),
            "0 lost: a-0 does not exist any more; 0=a-0"
        );
        assert_eq!(check.told(Some(&listing("a:1", 2, &[]))), "");
    }

    #[test]
    fn what_a_recreated_topic_has_no_longer_is_lost_with_the_rest() {
        let mut check = Check(Tracker::default());
        check.listed("a:2");
        assert_eq!(
            check.told(Some(&listing("a:1", 2, &[]))),
            "0 lost: a-0 does not exist any more; 0=a-0; 1 lost: a-1 does not exist any more"
        );
        assert_eq!(check.told(Some(&listing("a:1", 2, &[]))), "");
        assert_eq!(check.told(Some(&listing("a:2", 2, &[]))), "1=a-1");
    }

    #[test]
    fn troubles_are_told_once_and_their_end_when_none_is_left() {
        let mut check = Check(Tracker::default());
        assert_eq!(check.told(None), "unavailable: brokers kafka:9092: refused");
        assert_eq!(check.told(None), "");
        let with_missing = listing("a:1", 1, &["x"]);
        let told = "0=a-0; complete; unavailable: topic x does not exist (hint)";
        assert_eq!(check.told(Some(&with_missing)), told);
        assert_eq!(check.told(Some(&with_missing)), "");
        assert_eq!(check.told(None), "unavailable: brokers kafka:9092: refused");
        assert_eq!(
            check.told(Some(&listing("a:1 x:1", 1, &[]))),
            "1=x-0; Available"
        );
    }

    #[test]
    fn discovery_is_not_complete_while_a_partition_cannot_be_read() {
        let mut check = Check(Tracker::default());
        assert_eq!(check.listed("a:2!"), "0=a-0; unavailable: a-1: no leader");
        assert_eq!(check.listed("a:2"), "1=a-1; complete; Available");
        // Later it is a trouble like any other, and the partition is not gone.
        assert_eq!(check.listed("a:2!"), "unavailable: a-1: no leader");
        assert_eq!(check.listed("a:2!"), "");
        assert_eq!(check.listed("a:2"), "Available");
    }
}
