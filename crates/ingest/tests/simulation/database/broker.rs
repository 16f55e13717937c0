//! What happens to the log: partitions come, topics go and come back, retention takes the oldest.

use change_feed::{SourceError, SourceEvent};
use testkit::connector::At;

use super::{Database, PARTITIONS_MAX, Written};
use crate::coverage::Happening;
use crate::truth::Place;

impl Database {
    /// Offsets that hold no record, as a broker's own records take.
    pub(super) fn skip_offsets(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let At { partition, .. } = self.at_any(topic, rng);
        self.count(Happening::OffsetsSkipped, topic);
        let table = &mut self.topics[topic];
        self.written += 1;
        let nothing = Written {
            record: None,
            copy_of: None,
            number: self.written,
        };
        table.written[partition as usize].push(nothing);
        self.log.skip_offsets(table.name, partition, 1);
    }

    /// From now on keys go to other partitions. What becomes of a key may then be read before it came by
    /// a key change, or left by one: such tables have none.
    pub(super) fn add_partition(&mut self, topic: usize) {
        let changes_keys = self.truth.spread(topic).next().is_some();
        let table = &mut self.topics[topic];
        if table.partitions == PARTITIONS_MAX || changes_keys {
            return;
        }
        table.partitions += 1;
        table.written.push(Vec::new());
        table.back_to.push(0);
        table.had_more_partitions = true;
        self.log.add_partitions(table.name, table.partitions);
        self.count(Happening::PartitionsAdded, topic);
    }

    /// The broker has lost sight of a topic.
    pub(super) fn take_topic(&mut self, topic: usize) {
        let taken = self.log.take_topic(self.topics[topic].name);
        self.gone = Some((topic, taken));
        self.count(Happening::TopicGone, topic);
    }

    pub(super) fn lose_broker(&mut self) {
        self.is_unreachable = true;
        self.trace.count(Happening::Unreachable, format_args!(""));
        let error = SourceError::Unreachable {
            what: "the broker".to_owned(),
            reason: "no route to host".to_owned(),
        };
        self.log.push_event(SourceEvent::Unavailable(error));
    }

    /// What is away comes back, now or later.
    pub(super) fn mend(&mut self, rng: &mut fastrand::Rng) {
        if rng.u32(..6) == 0 {
            self.bring_back();
        }
    }

    pub(super) fn bring_back(&mut self) {
        if let Some((topic, taken)) = self.gone.take() {
            self.log.put_back(taken);
            self.count(Happening::TopicBack, topic);
        }
        if std::mem::take(&mut self.is_unreachable) {
            self.log.push_event(SourceEvent::Available);
        }
    }

    /// Retention takes the oldest records of a topic, by time or by the size of a partition, unless that
    /// would tear apart what only makes sense together: the halves of a key change, or a record and
    /// its repetition.
    pub(super) fn trim(&mut self, topic: usize, rng: &mut fastrand::Rng) {
        let by_size = rng.bool().then(|| self.at_any(topic, rng).partition);
        let table = &self.topics[topic];
        let since = rng.u64(..=self.written);
        let before = |partition: i32| {
            let from = self.log.retained_from(table.name, partition);
            let written = &table.written[partition as usize];
            let older = written.partition_point(|written| written.number < since) as u64;
            match by_size {
                Some(of) if of != partition => from,
                _ => from.max(older),
            }
        };
        let before: Vec<u64> = (0..table.partitions).map(before).collect();
        let goes = |place: &Place| place.1 < before[place.0 as usize];
        let mut spread = self.truth.spread(topic);
        if spread.any(|all| all.iter().any(goes) && !all.iter().all(goes)) {
            return;
        }
        let mut rest = table.written.iter().zip(&before).flat_map(|(all, before)| {
            let rest = all[*before as usize..].iter();
            rest.filter(|it| it.copy_of.is_some_and(|offset| offset < *before))
        });
        if rest.next().is_some() {
            return;
        }
        for (partition, before) in before.iter().enumerate() {
            self.log.trim(table.name, partition as i32, *before);
        }
        self.trace.count(
            Happening::Trimmed,
            format_args!("{} before {before:?}, by size {by_size:?}", table.name),
        );
        self.topics[topic].was_cut_by_size |= by_size.is_some();
    }
}
