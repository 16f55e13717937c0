//! Rebuilds tables whose rows were made by other settings than config's now.
//!
//! A table that holds what nobody may see any more is not even loaded: it begins empty. One that is
//! merely made otherwise is served until its partitions are known, and then rebuilt if the log has
//! all of it. Either way the rows on disk go with the same checkpoint that holds the new beginning.

use change_feed::PartitionFacts;
use checkpoint_store::CheckpointError;
use row_model::TableId;

use crate::beside;
use crate::checkpoints::Pending;
use crate::indexes;
use crate::multisets::Keyless;
use crate::notes::{self, TableNote};
use crate::partitions::PartitionState;
use crate::preparation::{Decision, Preparation, Rebuild, decide_from_log, decide_rebuild};
use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// What the next checkpoint has to remove from the disk.
#[derive(Clone, Debug)]
pub(crate) struct Forgotten {
    table: TableId,
    source: String,
    topic: String,
    partitions: Vec<i32>,
}

/// Whether what was removed can still be read on the medium. A checkpoint says so until it is not so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scrub {
    #[default]
    NotNeeded,
    /// With the next checkpoint.
    Due,
    /// It was done: the next checkpoint need no longer say that it is due.
    Done,
    /// It failed: the next start tries again.
    Failed,
}

impl Sequencer {
    /// How this topic's records become rows.
    pub(crate) fn preparation(&self, source: usize, topic: &str) -> Preparation {
        let name = &self.sources[source].name;
        self.settings.preparations.of(name, topic)
    }

    /// What config's change means for a table of the checkpoint.
    pub(crate) fn rebuild_of(&self, source: usize, note: &TableNote) -> Option<Rebuild> {
        let now = self.preparation(source, &note.topic);
        decide_rebuild(&note.prepared_given(&now), &now)
    }

    /// Begins a table of the checkpoint anew, without a look at its rows.
    pub(crate) fn begin_anew(&mut self, source: usize, mut state: TableState, rebuild: &Rebuild) {
        let topic = state.identity.topic.clone();
        let id = state.identity.id;
        self.scrub = Scrub::Due;
        state.rebuilding = Some(told(&state, rebuild));
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        self.add_table(source, state);
        self.forget(source, &topic, id);
    }

    /// True if a partition waits until all of its table's are known: whether the table is rebuilt
    /// rests on all of them.
    pub(crate) fn holds_back(&mut self, source: usize, facts: &PartitionFacts) -> bool {
        let Some(at) = self.table_at(source, &facts.topic) else {
            return false;
        };
        if self.tables[at].rebuild.is_none() {
            return false;
        }
        let halted = self
            .partitions_of(at)
            .find_map(|partition| partition.halted.clone());
        if let Some(reason) = halted {
            // Decided already: this is one that was gone, or new.
            self.stall_all(source, std::slice::from_ref(facts), &reason);
            return true;
        }
        self.held_back.push((source, facts.clone()));
        if self.sources[source].discovered {
            self.settle_rebuilds(source);
        }
        true
    }

    /// All partitions there were at the start are known: decides what waited for that.
    pub(crate) fn settle_rebuilds(&mut self, source: usize) {
        let held = std::mem::take(&mut self.held_back);
        let (ours, others): (Vec<_>, Vec<_>) = held.into_iter().partition(|(of, _)| *of == source);
        self.held_back = others;
        let ours: Vec<PartitionFacts> = ours.into_iter().map(|(_, facts)| facts).collect();
        for at in 0..self.tables.len() {
            let topic = self.tables[at].identity.topic.clone();
            if self.table_at(source, &topic) != Some(at) {
                continue;
            }
            let of_table: Vec<PartitionFacts> = ours
                .iter()
                .filter(|facts| facts.topic == topic)
                .cloned()
                .collect();
            let Some(rebuild) = self.tables[at].rebuild.clone() else {
                continue;
            };
            if of_table.is_empty() {
                continue;
            }
            match decide_from_log(&rebuild, &of_table) {
                Decision::FromTheLog => {
                    self.empty(source, at, &rebuild);
                    for facts in &of_table {
                        self.discovered(source, facts);
                    }
                }
                Decision::Stall { reason } => self.stall_all(source, &of_table, &reason),
            }
        }
    }

    /// Replaces a table that is served by an empty one of the same name. Readers of older cuts keep
    /// the old one until they let go.
    fn empty(&mut self, source: usize, at: usize, rebuild: &Rebuild) {
        let identity = self.tables[at].identity.clone();
        let (id, topic) = (identity.id, identity.topic.clone());
        let mut state = TableState::new(identity, self.catalog.history(&topic));
        state.prepared = self.preparation(source, &topic);
        state.rebuilding = Some(told(&state, rebuild));
        state.shapes_saved = self.tables[at].shapes_saved;
        indexes::take_over(&self.tables[at], &state);
        self.tables[at] = state;
        self.forget(source, &topic, id);
    }

    fn forget(&mut self, source: usize, topic: &str, table: TableId) {
        let source = self.sources[source].name.clone();
        let of_table = |(of, name, _): &(String, String, i32)| *of == source && name == topic;
        let partitions = self.saved.keys().filter(|place| of_table(place));
        let partitions = partitions.map(|(_, _, number)| *number).collect();
        self.saved.retain(|place, _| !of_table(place));
        self.quarantine.forget(&source, topic);
        self.forgotten.push(Forgotten {
            table,
            source,
            topic: topic.to_owned(),
            partitions,
        });
    }

    fn stall_all(&mut self, source: usize, partitions: &[PartitionFacts], reason: &str) {
        for facts in partitions {
            let place = (
                self.sources[source].name.clone(),
                facts.topic.clone(),
                facts.partition,
            );
            // What is saved stays saved: a restored setting resumes there.
            let saved = self.saved.get(&place).copied();
            let start = saved.map_or(facts.retained_from, |saved| saved.next);
            let mut state = PartitionState::new(facts.clone(), start);
            state.halt(reason.to_owned());
            self.partitions.insert((source, facts.id), state);
        }
        if let Some(facts) = partitions.first() {
            self.stall(source, &facts.topic, reason.to_owned());
        }
    }

    /// Has the medium forget what this checkpoint removes, if nobody may read it any more.
    pub(crate) fn collect_scrub(&mut self, pending: &mut Pending) {
        pending.scrub = self.scrub == Scrub::Due;
        if pending.scrub {
            pending.checkpoint.notes.push(notes::scrub(true));
        } else if self.scrub == Scrub::Done {
            pending.checkpoint.notes.push(notes::scrub(false));
            self.scrub = Scrub::NotNeeded;
        }
    }

    /// The medium was scrubbed, or not.
    pub(crate) fn scrubbed(&mut self, result: Result<(), CheckpointError>) {
        self.scrub = match result {
            Ok(()) => {
                tracing::info!("nothing of what is hidden now is left in the data directory");
                Scrub::Done
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "what is hidden now may still be read in the data directory: make room and restart, or delete the directory"
                );
                Scrub::Failed
            }
        };
    }

    /// Puts what is to be removed into a checkpoint, before anything it adds.
    pub(crate) fn collect_forgotten(&mut self, pending: &mut Pending) {
        pending.forgotten = std::mem::take(&mut self.forgotten);
        for forgotten in &pending.forgotten {
            let Forgotten { source, topic, .. } = forgotten;
            let checkpoint = &mut pending.checkpoint;
            let stage = Keyless::stage_id(forgotten.table);
            checkpoint.dropped.extend([forgotten.table, stage]);
            checkpoint.notes.extend(beside::gone(forgotten.table));
            let is_of = |(of, name, _): &(String, String, i32)| of == source && name == topic;
            self.kept.retain(|place, _| !is_of(place));
            let partitions = forgotten.partitions.iter();
            let gone = partitions.map(|number| notes::no_partition(source, topic, *number));
            checkpoint.notes.extend(gone);
            let count = self.quarantine.count(topic);
            checkpoint
                .notes
                .push(notes::quarantined_count(topic, count));
        }
    }
}

fn told(state: &TableState, rebuild: &Rebuild) -> String {
    let table = &state.identity.name;
    tracing::warn!(
        table,
        changed = rebuild.changed.join(", "),
        "config has changed what is done to this table's records: it is rebuilt from the log"
    );
    format!("{rebuild}: it is being rebuilt from the log")
}
