//! Does what a start decides about the tables of a checkpoint, as their partitions are found.
//!
//! The partitions of a table are held back until all that were saved are found, or all there are: a
//! partition that is gone says that the log is another one, and nothing of it may be applied before
//! that is known. A table that takes no changes is decided about again whenever more is found.

use std::collections::BTreeMap;

use change_feed::{PartitionFacts, StartAt};

use crate::indexes;
use crate::partitions::PartitionState;
use crate::preparation::Rebuild;
use crate::resume::{Findings, Named, Outcome, Refusal, SavedPlace, SavedRows, Start, decide};
use crate::sequencer::{Sequencer, SourceOrder};
use crate::tables::TableState;

/// A table of the checkpoint about which nothing is decided yet, or nothing for good.
#[derive(Clone, Debug)]
pub(crate) struct Undecided {
    pub rows: SavedRows,
    /// What config says otherwise than its rows were made by.
    pub change: Option<Rebuild>,
}

impl Undecided {
    /// What is decided about the table before anything is known of its log.
    pub fn decide_unseen(&self, served: bool) -> Outcome {
        decide(&Findings {
            served,
            rows: &self.rows,
            change: self.change.as_ref(),
            saved: BTreeMap::new(),
            found: &[],
            all_found: false,
        })
    }
}

impl Sequencer {
    /// True if the partition belongs to a table that is decided about as a whole.
    pub(crate) fn holds_back(&mut self, source: usize, facts: &PartitionFacts) -> bool {
        let Some(at) = self.table_at(source, &facts.topic) else {
            return false;
        };
        if self.tables[at].undecided.is_none() {
            return false;
        }
        let is_other = |(of, held): &(usize, PartitionFacts)| (*of, held.id) != (source, facts.id);
        self.held_back.retain(is_other);
        self.held_back.push((source, facts.clone()));
        self.decide_about(source, at);
        true
    }

    /// All partitions there were at the start are known: decides what waited for that.
    pub(crate) fn decide_about_all(&mut self, source: usize) {
        for at in 0..self.tables.len() {
            if self.tables[at].identity.source == self.sources[source].name {
                self.decide_about(source, at);
            }
        }
    }

    fn decide_about(&mut self, source: usize, at: usize) {
        let table = &self.tables[at];
        let Some(undecided) = table.undecided.clone() else {
            return;
        };
        let topic = table.identity.topic.clone();
        let is_ours =
            |(of, facts): &&(usize, PartitionFacts)| *of == source && facts.topic == topic;
        let found: Vec<PartitionFacts> = self
            .held_back
            .iter()
            .filter(is_ours)
            .map(|(_, facts)| facts.clone())
            .collect();
        let outcome = decide(&Findings {
            served: true,
            rows: &undecided.rows,
            change: undecided.change.as_ref(),
            saved: self.saved_of(source, &topic),
            found: &found,
            all_found: self.sources[source].discovered,
        });
        match outcome {
            Outcome::LeaveOut | Outcome::Wait => return,
            Outcome::Refuse(refusal) => {
                let reason = refusal.told(self.named(at));
                self.note_lost_changes(source, &topic, &refusal, &reason);
                return self.stall_all(source, &topic, &found, &reason);
            }
            Outcome::Resume(starts) => {
                self.tables[at].undecided = None;
                for (facts, (_, start)) in found.iter().zip(starts) {
                    self.begin(source, facts, start);
                }
            }
            Outcome::Rebuild(cause) => {
                let told = cause.told(self.named(at));
                self.empty(source, at, told);
                for facts in &found {
                    self.begin(source, facts, Start::earliest(facts));
                }
            }
        }
        self.held_back.retain(|held| !is_ours(&held));
    }

    /// Decides about a partition of a table that was decided about, or that is not there yet.
    pub(crate) fn take_up(&mut self, source: usize, facts: &PartitionFacts) {
        let known = self.partitions.get(&(source, facts.id));
        let known = known.map(|known| SavedPlace::At(known.saved()));
        let place = self.place(source, facts);
        let saved = known.or_else(|| self.saved.get(&place).copied());
        // This process has passed nothing over.
        let saved = saved.filter(|saved| *saved != SavedPlace::PassedOver);
        let at = self.table_at(source, &facts.topic);
        let rows = if at.is_some() {
            SavedRows::Whole
        } else {
            SavedRows::None
        };
        let outcome = decide(&Findings {
            served: true,
            rows: &rows,
            change: None,
            saved: saved
                .map(|saved| (facts.partition, saved))
                .into_iter()
                .collect(),
            found: std::slice::from_ref(facts),
            all_found: true,
        });
        match outcome {
            Outcome::Resume(starts) => {
                for (_, start) in starts {
                    self.begin(source, facts, start);
                }
            }
            Outcome::Refuse(refusal) => {
                if let Some(at) = at {
                    let reason = refusal.told(self.named(at));
                    self.note_lost_changes(source, &facts.topic, &refusal, &reason);
                    self.stall_all(source, &facts.topic, std::slice::from_ref(facts), &reason);
                }
            }
            Outcome::LeaveOut | Outcome::Wait | Outcome::Rebuild(_) => {}
        }
    }

    /// Has a partition read from there.
    fn begin(&mut self, source: usize, facts: &PartitionFacts, start: Start) {
        let id = facts.id;
        self.no_longer_waits(source, id);
        let known = self.partitions.remove((source, id));
        let (next, acknowledged) = match start.at {
            StartAt::Earliest => (facts.retained_from, None),
            StartAt::Offset(next) => (next, Some(next)),
        };
        self.saved.remove(&self.place(source, facts));
        let mut state = PartitionState::new(facts.clone(), next);
        // The end of the last process may have come between its checkpoint and this. What this one has
        // applied since is not durable yet.
        let acknowledged = acknowledged.filter(|_| known.is_none());
        if let Some(known) = known {
            state.goes_on_from(known);
        }
        if !start.complete {
            let reason = state.begins_late(facts.retained_from);
            if let Some(table) = self.table_of(source, &facts.topic) {
                table.begins_late(facts.partition, reason);
            }
        }
        self.order(source, SourceOrder::Start(id, start.at));
        if let Some(next) = acknowledged {
            self.order(source, SourceOrder::Acknowledge(vec![(id, next)]));
        }
        self.partitions.insert((source, id), state);
        self.gate_starts(source, facts, start.at == StartAt::Earliest);
        self.mind_pause(source, id);
        self.all_well(source, &facts.topic);
    }

    /// A table stands still only as long as any of its partitions does.
    fn all_well(&mut self, source: usize, topic: &str) {
        let is_well = |partition: &PartitionState| partition.halted.is_none();
        let is_well = self.partitions.of_topic(source, topic).all(is_well);
        if let Some(table) = self.table_of(source, topic) {
            table.touched = true;
            if is_well {
                (table.stalled, table.lost_changes) = (None, None);
            }
        }
    }

    fn stall_all(
        &mut self,
        source: usize,
        topic: &str,
        partitions: &[PartitionFacts],
        reason: &str,
    ) {
        for facts in partitions {
            self.no_longer_waits(source, facts.id);
            // What is saved stays saved: a restored setting resumes there.
            let known = self.partitions.remove((source, facts.id));
            let applied = known.as_ref().map(PartitionState::saved);
            let saved = applied.or_else(|| match self.saved.get(&self.place(source, facts))? {
                SavedPlace::At(saved) => Some(*saved),
                SavedPlace::PassedOver => None,
            });
            let start = saved.map_or(facts.retained_from, |saved| saved.next);
            let mut state = PartitionState::new(facts.clone(), start);
            if let Some(known) = known {
                state.goes_on_from(known);
            }
            state.halt(reason.to_owned());
            if let Some(saved) = saved {
                state.stays(saved);
            }
            self.partitions.insert((source, facts.id), state);
            self.gate_starts(source, facts, false);
        }
        self.stall(source, topic, reason.to_owned());
    }

    /// The source has no partition of this table's topic.
    pub(crate) fn stall_not_found(&mut self, source: usize, at: usize) {
        let reason = Refusal::NotFound.told(self.named(at));
        let topic = self.tables[at].identity.topic.clone();
        self.stall(source, &topic, reason);
    }

    /// Replaces a table that is served by an empty one of the same name. Readers of older cuts keep
    /// the old one until they let go.
    fn empty(&mut self, source: usize, at: usize, told: String) {
        let identity = self.tables[at].identity.clone();
        let (id, topic) = (identity.id, identity.topic.clone());
        tracing::warn!(table = identity.name, reason = told, "a table is rebuilt");
        let mut state = TableState::new(identity, self.catalog.history(&topic));
        state.prepared = self.preparation(source, &topic);
        state.retention = self.retention_of(&topic);
        state.rebuilding = Some(told);
        state.shapes_saved = self.tables[at].shapes_saved;
        indexes::take_over(&self.tables[at], &state);
        self.tables[at] = state;
        self.forget(source, &topic, id, Vec::new());
    }

    pub(crate) fn named(&self, at: usize) -> Named<'_> {
        let identity = &self.tables[at].identity;
        Named {
            table: &identity.name,
            topic: &identity.topic,
            source: &identity.source,
        }
    }

    /// A refusal in words, also where the topic has no table yet.
    pub(crate) fn told(&self, source: usize, topic: &str, refusal: &Refusal) -> String {
        let source_name = &self.sources[source].name;
        let nameless = Named {
            table: topic,
            topic,
            source: source_name,
        };
        let named = self.table_at(source, topic).map(|at| self.named(at));
        refusal.told(named.unwrap_or(nameless))
    }

    pub(crate) fn saved_of(&self, source: usize, topic: &str) -> BTreeMap<i32, SavedPlace> {
        let source = &self.sources[source].name;
        let saved = self.saved.iter();
        saved
            .filter(|((of, name, _), _)| of == source && name == topic)
            .map(|((_, _, number), saved)| (*number, *saved))
            .collect()
    }

    fn place(&self, source: usize, facts: &PartitionFacts) -> (String, String, i32) {
        let source = self.sources[source].name.clone();
        (source, facts.topic.clone(), facts.partition)
    }
}
