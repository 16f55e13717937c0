//! Applies a decoded batch: each change to its table, each failure to the quarantine, the offset last.

use row_model::{ChangeBatch, ChangeKind, Failure, NextOffset};
use telemetry::{Event, Operation, count_applied};

use crate::quarantine::Quarantined;
use crate::sequencer::{Sequencer, SourceOrder};
use crate::settings::OnBadRecord;
use crate::tables::Applied;

/// Which records of a batch count: none twice, and none after one that halts its partition.
#[derive(Clone, Copy)]
struct News {
    from: u64,
    halt_at: Option<u64>,
}

impl News {
    fn has(self, offset: u64) -> bool {
        offset >= self.from && self.halt_at.is_none_or(|halt_at| offset < halt_at)
    }
}

impl Sequencer {
    /// Applies a batch. Its changes are visible from the next cut on.
    pub fn apply(&mut self, source: usize, batch: &ChangeBatch) {
        let Some(partition) = self.partitions.get(&(source, batch.partition)) else {
            return;
        };
        if partition.halted.is_some() {
            return;
        }
        let (topic, number) = (partition.topic.clone(), partition.partition);
        let halts = self.sources[source].on_bad_record == OnBadRecord::Halt;
        let news = News {
            from: partition.next.0,
            halt_at: batch
                .failures
                .first()
                .filter(|_| halts)
                .map(|failure| failure.offset),
        };
        let refused = self.apply_changes(source, &topic, batch, news);
        let failed = batch
            .failures
            .iter()
            .filter(|failure| news.has(failure.offset))
            .cloned();
        for failure in failed.chain(refused) {
            self.put_aside(source, &topic, number, failure);
        }
        if let (Some(notes), Some(table)) = (&batch.notes, self.table_of(source, &topic)) {
            table.take_column_notes(notes);
        }
        self.advance_partition(source, batch, news.halt_at);
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
    }

    /// Answers the changes that no table can take.
    fn apply_changes(
        &mut self,
        source: usize,
        topic: &str,
        batch: &ChangeBatch,
        news: News,
    ) -> Vec<Failure> {
        let mut refused = Vec::new();
        if batch
            .changes
            .iter()
            .all(|change| change.kind == ChangeKind::Advance)
        {
            return refused;
        }
        let cut = self.publisher.next_cut();
        let at = self.table_for(source, topic);
        let table = &mut self.tables[at];
        let mut applied = Applied::default();
        let closed = table.closed();
        for change in batch
            .changes
            .iter()
            .filter(|change| news.has(change.offset))
        {
            if let Err(error) = table.apply(cut, batch, change, &mut applied) {
                refused.push(Failure {
                    offset: change.offset,
                    timestamp_ms: batch.log_time_ms,
                    kind: "not_applicable",
                    reason: error.to_string(),
                    key: None,
                    value: None,
                });
            }
        }
        applied.count(&table.identity.name);
        let snapshot_closed = table.closed() != closed;
        self.unpublished += batch.changes.len() as u64;
        if snapshot_closed {
            self.await_ends(source, topic);
        }
        refused
    }

    fn advance_partition(&mut self, source: usize, batch: &ChangeBatch, halt_at: Option<u64>) {
        let Some(partition) = self.partitions.get_mut(&(source, batch.partition)) else {
            return;
        };
        let Some(offset) = halt_at else {
            return partition.applied(batch);
        };
        let mut until_halt = ChangeBatch::new(batch.partition);
        until_halt.next_offset = NextOffset(offset);
        partition.applied(&until_halt);
        let topic = partition.topic.clone();
        let reason = format!(
            "{topic}-{}: record {offset} cannot be decoded and on_bad_record is \"halt\"",
            partition.partition
        );
        partition.halt(reason.clone());
        self.order(source, SourceOrder::Pause(vec![batch.partition]));
        self.stall(source, &topic, reason);
    }

    fn put_aside(&mut self, source: usize, topic: &str, partition: i32, failure: Failure) {
        let Failure { offset, kind, .. } = failure;
        let reason = failure.reason.clone();
        let is_new = self.quarantine.add(Quarantined {
            source: self.sources[source].name.clone(),
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp_ms: failure.timestamp_ms,
            reason: failure.reason,
            key: failure.key,
            value: failure.value,
        });
        if is_new {
            Event::RecordQuarantined {
                topic,
                partition,
                offset,
                kind,
                reason: &reason,
            }
            .emit();
        }
    }
}

impl Applied {
    fn count(&self, table: &str) {
        count_applied(table, Operation::Upsert, self.upserts);
        count_applied(table, Operation::Delete, self.deletes);
        count_applied(table, Operation::Truncate, self.truncates);
        count_applied(table, Operation::Stale, self.stale);
    }
}
