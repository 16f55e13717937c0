//! Rebuilds tables whose rows were made by other settings than config's now.
//!
//! A table that holds what nobody may see any more is not even loaded: it begins empty. One that is
//! merely made otherwise is served until its partitions are known, and then rebuilt if the log has
//! all of it. Either way the rows on disk go with the same checkpoint that holds the new beginning.

use checkpoint_store::CheckpointError;
use row_model::TableId;

use crate::beside;
use crate::checkpoints::Pending;
use crate::multisets::Keyless;
use crate::notes::{self, TableNote};
use crate::preparation::{Preparation, Rebuild, decide_rebuild};
use crate::resume::RebuildCause;
use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// What the next checkpoint has to remove from the disk.
#[derive(Clone, Debug)]
pub(crate) struct Forgotten {
    pub table: TableId,
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
    pub(crate) fn begin_anew(
        &mut self,
        source: usize,
        mut state: TableState,
        cause: &RebuildCause,
    ) {
        let topic = state.identity.topic.clone();
        let id = state.identity.id;
        self.scrub = Scrub::Due;
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        state.retention = self.retention_of(&topic);
        let at = self.add_table(source, state);
        let told = cause.told(self.named(at));
        tracing::warn!(
            table = self.tables[at].identity.name,
            reason = told,
            "a table is rebuilt"
        );
        self.tables[at].rebuilding = Some(told);
        self.forget(source, &topic, id, Vec::new());
    }

    /// Has the next checkpoint remove what the disk has of a table and its partitions, with `others`
    /// of them.
    pub(crate) fn forget(&mut self, source: usize, topic: &str, table: TableId, others: Vec<i32>) {
        let source = self.sources[source].name.clone();
        let of_table = |(of, name, _): &(String, String, i32)| *of == source && name == topic;
        let partitions = self.saved.keys().filter(|place| of_table(place));
        let partitions = partitions
            .map(|(_, _, number)| *number)
            .chain(others)
            .collect();
        self.saved.retain(|place, _| !of_table(place));
        self.quarantine.forget(&source, topic);
        self.forgotten.push(Forgotten {
            table,
            source,
            topic: topic.to_owned(),
            partitions,
        });
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
