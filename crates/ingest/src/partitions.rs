//! Where each partition stands.

use change_feed::{PartitionFacts, RegistryId, TopicUuid};
use row_model::{ChangeBatch, ChangeKind, NextOffset, PartitionId};
use table_store::Heard;

use crate::messages::Ended;
use crate::resume::{Refusal, SavedPartition};

/// The schema that a partition waits for.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub schema: RegistryId,
    /// What is wrong. Not known while the registry has only just been asked: that is no trouble yet.
    pub reason: Option<String>,
}

/// One partition of one source, as the sequencer follows it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which comes true at a time of its own"
)]
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub id: PartitionId,
    pub topic: String,
    pub partition: i32,
    topic_uuid: Option<TopicUuid>,
    /// The records there were when it was found: what loading is measured by.
    started_at: u64,
    target: u64,
    /// Everything before it has been applied.
    pub next: NextOffset,
    /// Where a restart resumes.
    resume: NextOffset,
    /// The end as last heard of.
    pub end: Option<u64>,
    /// Its end was reached at least once in this process.
    pub reached: bool,
    /// It is at its end now, as far as the source said.
    pub at_end: bool,
    /// When the newest change was committed that this process applied of it.
    pub commit_ms: Option<i64>,
    /// It shows all that was heard of its source before this moment.
    pub read_to_end: Option<Heard>,
    /// Until when it is known to have been at its end, if it is at its end.
    pub ended_ms: Option<i64>,
    /// Its end was reached after the last row of the newest full snapshot was read.
    pub passed_snapshot: bool,
    /// What is missing, if the log did not reach back to its beginning.
    pub late: Option<String>,
    /// Why it is not read.
    pub halted: Option<String>,
    /// Its next record waits for a schema.
    pub awaited: Option<Awaited>,
    /// Why there is no room for its next change.
    pub awaits_memory: Option<String>,
    /// What comes of it would have to wait for other partitions.
    pub awaits_others: bool,
    /// Its table is about to be replaced: nothing of it is to come, and its silence says nothing.
    pub fenced: bool,
    /// Its source was told to pause it.
    pub paused: bool,
    /// What a checkpoint keeps of it has changed.
    pub dirty: bool,
}

impl PartitionState {
    pub fn new(facts: PartitionFacts, start: NextOffset) -> Self {
        Self {
            id: facts.id,
            topic: facts.topic,
            partition: facts.partition,
            topic_uuid: facts.topic_uuid,
            started_at: start.0,
            target: facts.end.map_or(start.0, |end| end.0.max(start.0)),
            next: start,
            resume: start,
            end: facts.end.map(|end| end.0),
            reached: false,
            at_end: false,
            commit_ms: None,
            read_to_end: None,
            ended_ms: None,
            passed_snapshot: false,
            late: None,
            halted: None,
            awaited: None,
            awaits_memory: None,
            awaits_others: false,
            fenced: false,
            paused: false,
            dirty: false,
        }
    }

    /// Takes over what holds of a partition that was gone and is back, whatever its log is now.
    pub fn goes_on_from(&mut self, before: Self) {
        // One that was halted may have been paused for it; resuming what is not paused does nothing.
        self.paused = before.paused || before.halted.is_some();
        // What was applied of it before is still to be kept, with the rows that it made.
        self.dirty = before.dirty;
        self.late = before.late;
    }

    /// Notes that everything in the batch has been applied.
    pub fn applied(&mut self, batch: &ChangeBatch) {
        if batch.next_offset <= self.next {
            return;
        }
        self.next = batch.next_offset;
        // A delete is read again after a restart: the tombstone that follows is known for what it
        // is only right after its delete. Deleting a key twice changes nothing.
        let last = batch
            .changes
            .last()
            .filter(|last| last.offset + 1 == batch.next_offset.0);
        let ends_in_delete =
            last.filter(|last| last.kind == ChangeKind::Delete && !last.key.is_empty());
        self.resume = ends_in_delete.map_or(batch.next_offset, |delete| NextOffset(delete.offset));
        self.end = self.end.max(Some(self.next.0));
        self.at_end = false;
        self.dirty = true;
    }

    /// The source had delivered everything that there was. An error if the log ends before what the
    /// checkpoint has seen.
    pub fn reached_end(&mut self, Ended { next, at_ms }: Ended) -> Result<(), Refusal> {
        self.end = Some(next.0);
        if next < self.next {
            return Err(Refusal::EndsBefore {
                partition: self.partition,
                wanted: self.next.0,
                end: next.0,
            });
        }
        // Records that mean nothing to us (control records of transactions) take offsets too.
        if self.next < next {
            (self.next, self.resume) = (next, next);
            self.dirty = true;
        }
        (self.reached, self.at_end) = (true, true);
        self.ended_ms = self.ended_ms.max(at_ms);
        Ok(())
    }

    /// Notes that the log began only here when it was first read; says what that means.
    pub fn begins_late(&mut self, retained_from: NextOffset) -> String {
        let reason = format!(
            "{}-{} begins at offset {}: rows that did not change since are missing. A new full snapshot of the source mends it",
            self.topic, self.partition, retained_from.0
        );
        self.late = Some(reason.clone());
        reason
    }

    /// What was read from here on does not count.
    pub fn back_to(&mut self, next: NextOffset) {
        (self.next, self.resume, self.at_end) = (next, next, false);
        (self.read_to_end, self.ended_ms) = (None, None);
    }

    /// The same partition as a source knows it by this number, which was told to pause it.
    pub fn known_as(self, id: PartitionId, at_end: bool) -> Self {
        Self {
            id,
            at_end,
            read_to_end: None,
            paused: true,
            dirty: true,
            ..self
        }
    }

    pub fn halt(&mut self, reason: String) {
        self.halted = Some(reason);
        self.at_end = false;
    }

    /// There are records before its end, and they cannot be decoded yet.
    /// Answers what it waited for before.
    pub fn awaits(&mut self, awaited: Awaited) -> Option<Awaited> {
        self.at_end = false;
        self.awaited.replace(awaited)
    }

    /// Why the schema that its next record needs is not there.
    pub fn awaits_in_vain(&self) -> Option<&str> {
        self.awaited.as_ref()?.reason.as_deref()
    }

    pub fn topic_uuid(&self) -> Option<TopicUuid> {
        self.topic_uuid
    }

    /// It stays what was saved of it, because the log that was found is not the one it was read from.
    pub fn stays(&mut self, saved: SavedPartition) {
        self.topic_uuid = saved.topic_uuid;
    }

    pub fn saved(&self) -> SavedPartition {
        SavedPartition {
            next: self.resume,
            applied: self.next,
            topic_uuid: self.topic_uuid,
        }
    }

    /// Records read and records there are to read, if the log ends here at least.
    pub fn read_of(&self, end: u64) -> (u64, u64) {
        let end = end.max(self.target).max(self.next.0);
        (self.next.0 - self.started_at, end - self.started_at)
    }

    /// Records read and records to read, of those there were at the start.
    pub fn progress(&self) -> (u64, u64) {
        let all = self.target - self.started_at;
        (
            if self.reached {
                all
            } else {
                (self.next.0 - self.started_at).min(all)
            },
            all,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(start: u64) -> PartitionState {
        let facts = PartitionFacts {
            id: PartitionId(0),
            topic: "t".to_owned(),
            partition: 0,
            topic_uuid: None,
            retained_from: NextOffset(0),
            end: Some(NextOffset(20)),
            compacted: false,
        };
        PartitionState::new(facts, NextOffset(start))
    }

    #[test]
    fn progress_counts_what_there_was_at_the_start() {
        let mut state = partition(10);
        let mut batch = ChangeBatch::new(PartitionId(0));
        batch.next_offset = NextOffset(15);
        state.applied(&batch);
        assert_eq!(state.progress(), (5, 10));
        batch.next_offset = NextOffset(25);
        state.applied(&batch);
        assert_eq!(state.progress(), (10, 10));
    }

    #[test]
    fn an_end_before_what_was_read_is_another_log() {
        let mut state = partition(10);
        assert!(state.reached_end(Ended::at(NextOffset(9), 1)).is_err());
        assert!(state.reached_end(Ended::at(NextOffset(12), 1)).is_ok());
        assert_eq!(state.saved().next, NextOffset(12));
        assert!(state.at_end && state.reached);
    }
}
