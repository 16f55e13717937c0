//! Puts a table that was read again in the place of the one that is served, in one cut.
//!
//! The partitions of the table are paused, and each is *fenced*: a message travels the way of its
//! records, behind all of them, so that nothing of it is on its way any more when it arrives. Then the
//! replay goes on until it shows all that the serving table shows, takes its place, and reading goes on
//! from where the replay stopped.
//!
//! Invariant: no cut shows less of the log than the one before it, and no record between the two
//! tables is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use change_feed::StartAt;
use row_model::{NextOffset, PartitionId};

use crate::indexes;
use crate::partitions::PartitionState;
use crate::replay::{Replayed, Targets};
use crate::sequencer::{Sequencer, SourceOrder};
use crate::tables::TableState;

impl Sequencer {
    /// The replay has read the log to its end: has the serving table's partitions be still.
    pub(crate) fn fence(&mut self) {
        let Some(at) = self.running_table() else {
            return;
        };
        let places = self.places_of(at);
        for (source, id) in &places {
            if let Some(partition) = self.partitions.get_mut(&(*source, *id)) {
                (partition.fenced, partition.paused) = (true, true);
            }
            // Pausing what is paused already does nothing.
            self.order(*source, SourceOrder::Pause(vec![*id]));
            self.order(*source, SourceOrder::Fence(*id));
        }
        if let Some(running) = &mut self.rebuilds.running {
            running.fences = Some(places.into_iter().collect());
        }
        self.tables[at].touched = true;
    }

    /// Nothing more of a partition is on its way.
    pub fn fenced(&mut self, source: usize, id: PartitionId) {
        let running = self.rebuilds.running.as_mut();
        if let Some(fences) = running.and_then(|running| running.fences.as_mut()) {
            fences.remove(&(source, id));
        }
    }

    /// How far the replay has to come, once nothing moves any more. A partition that is not read
    /// asks for nothing: the replay has been at the end of its log, whichever log that is.
    pub(crate) fn replay_targets(&self) -> Option<Targets> {
        let fences = self.rebuilds.running.as_ref()?.fences.as_ref()?;
        if !fences.is_empty() {
            return None;
        }
        let at = self.running_table()?;
        let read = self.partitions_of(at).filter(|it| it.halted.is_none());
        let holding = &self.tables[at].holding;
        let target = |partition: &PartitionState| {
            let waiting = holding.floor(partition.id).map(NextOffset);
            let next = waiting.map_or(partition.next, |floor| floor.min(partition.next));
            (partition.partition, next)
        };
        Some(read.map(target).collect())
    }

    /// Puts what was replayed in the place of the table. Answers what was there, for whoever has time
    /// to let go of it.
    ///
    /// # Errors
    /// If the partitions are not any more what they were when they were fenced.
    pub(crate) fn swap(&mut self, replayed: Replayed) -> Result<TableState, String> {
        let at = self.running_table().ok_or("the table is gone")?;
        let source = self.source_at(at).ok_or("the source is gone")?;
        let Replayed {
            mut state,
            partitions,
            quarantined,
            quarantined_count,
        } = replayed;
        self.check_places(at, &partitions)?;
        let identity = state.identity.clone();
        let (id, topic) = (identity.id, identity.topic);
        state.was_live |= self.tables[at].was_live;
        state.shapes_saved = self.tables[at].shapes_saved;
        (state.notes_dirty, state.touched) = (true, true);
        state.facts = Arc::clone(&self.tables[at].facts);
        indexes::reconcile(&self.tables[at], &state, &mut self.index_builds);
        let old = std::mem::replace(&mut self.tables[at], state);
        let gone = self.take_partitions_over(source, at, partitions);
        self.forget(source, &topic, id, gone);
        self.held_back
            .retain(|(of, facts)| *of != source || facts.topic != topic);
        for record in quarantined {
            self.quarantine.add(record);
        }
        self.quarantine.restore_count(&topic, quarantined_count);
        self.notice_snapshots(source, at);
        self.gate_disturbed(source);
        if let Some(running) = self.rebuilds.running.take() {
            self.rebuild_swapped(&running);
        }
        let (table, rows) = (
            &self.tables[at].identity.name,
            self.tables[at].writer.rows(),
        );
        tracing::info!(
            table,
            rows,
            before = old.writer.rows(),
            "rebuilt: the new rows are served"
        );
        Ok(old)
    }

    /// The rebuild came to nothing: reading goes on.
    pub(crate) fn unfence(&mut self, at: usize) {
        for (source, id) in self.places_of(at) {
            if let Some(partition) = self.partitions.get_mut(&(source, id)) {
                partition.fenced = false;
            }
            self.mind_pause(source, id);
        }
        self.tables[at].touched = true;
    }

    fn check_places(&self, at: usize, replayed: &[PartitionState]) -> Result<(), String> {
        let topic = &self.tables[at].identity.topic;
        let changed = |number: i32| {
            format!("{topic}-{number} came, went or moved while the table was rebuilt: ask again")
        };
        for partition in self.partitions_of(at).filter(|it| it.halted.is_none()) {
            let mut others = replayed.iter();
            let same = others.find(|it| it.partition == partition.partition);
            if !partition.fenced || same.is_none() {
                return Err(changed(partition.partition));
            }
        }
        for partition in replayed {
            let mut known = self.partitions_of(at);
            if !known.any(|it| it.partition == partition.partition) {
                return Err(changed(partition.partition));
            }
        }
        Ok(())
    }

    /// Has reading go on from where the replay stopped. Answers the partitions that are no more.
    fn take_partitions_over(
        &mut self,
        source: usize,
        at: usize,
        replayed: Vec<PartitionState>,
    ) -> Vec<i32> {
        let mut gone = Vec::new();
        let replayed = replayed.into_iter();
        let mut replayed: BTreeMap<i32, PartitionState> = replayed
            .map(|partition| (partition.partition, partition))
            .collect();
        for (_, id) in self.places_of(at) {
            let Some(old) = self.partitions.remove((source, id)) else {
                continue;
            };
            let Some(new) = replayed.remove(&old.partition) else {
                gone.push(old.partition);
                self.gate_loses(source, id);
                continue;
            };
            let resume = new.saved().next;
            // Where the two stand at the same place, what is read next is what would have been.
            let follows = old.halted.is_none() && old.next == new.next;
            let state = new.known_as(id, follows && old.at_end);
            self.partitions.insert((source, id), state);
            if !follows {
                self.order(source, SourceOrder::Start(id, StartAt::Offset(resume)));
            }
            self.mind_pause(source, id);
        }
        gone
    }

    fn running_table(&self) -> Option<usize> {
        let running = self.rebuilds.running.as_ref()?;
        self.place_of(running.table)
    }

    fn places_of(&self, at: usize) -> Vec<(usize, PartitionId)> {
        let Some(source) = self.source_at(at) else {
            return Vec::new();
        };
        let partitions = self.partitions_of(at);
        partitions.map(|partition| (source, partition.id)).collect()
    }
}

#[cfg(test)]
mod tests;
