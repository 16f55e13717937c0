//! Applies a decoded batch: each change to its table, each failure to the quarantine, the offset last.

use row_model::{Change, ChangeBatch, ChangeKind, Failure, NextOffset, PartitionId};
use table_store::ReadState;
use telemetry::{Event, Operation, count_applied};

use crate::pairs::Refused;
use crate::quarantine::Quarantined;
use crate::sequencer::{Sequencer, SourceOrder};
use crate::settings::OnBadRecord;
use crate::tables::Applied;

/// Which records of a batch count: none twice, and none from the first on that halts its partition or
/// has to wait.
#[derive(Clone, Copy)]
struct News {
    from: u64,
    until: u64,
}

impl News {
    fn has(self, offset: u64) -> bool {
        offset >= self.from && offset < self.until
    }

    /// The changes of a batch that count; they are in the order of their records.
    fn of(self, batch: &ChangeBatch) -> &[Change] {
        let place = |offset| batch.changes.partition_point(|it| it.offset < offset);
        let (from, until) = (place(self.from), place(self.until));
        &batch.changes[from.min(until)..until]
    }
}

impl Sequencer {
    /// Applies the records of a batch before one, up to the first change for which there is no room.
    /// Answers whether there was room for all; a partition that is not read takes all, and nothing comes of it.
    pub(crate) fn apply_what_fits(
        &mut self,
        source: usize,
        batch: &ChangeBatch,
        before: Option<u64>,
    ) -> bool {
        let Some(partition) = self.partitions.get(&(source, batch.partition)) else {
            return true;
        };
        if partition.halted.is_some() {
            return true;
        }
        let (topic, number) = (partition.topic.clone(), partition.partition);
        if self.is_unserved(source, &topic) {
            // Read and counted, and that is all: also where it cannot be decoded.
            let news = partition.next.0..before.unwrap_or(u64::MAX);
            self.see_positions(source, &topic, batch, &news);
            self.advance_partition(source, batch, before);
            return true;
        }
        let halts = self.sources[source].on_bad_record == OnBadRecord::Halt;
        let from = partition.next.0;
        let halt_at = batch.failures.first().filter(|_| halts);
        let halt_at = halt_at.map(|failure| failure.offset);
        let halt_at = halt_at.filter(|halt_at| before.is_none_or(|before| *halt_at < before));
        let whole = News {
            from,
            until: before.unwrap_or(u64::MAX),
        };
        let full_at = self.first_without_room(source, &topic, batch, whole.of(batch));
        let full_at = full_at.filter(|full_at| halt_at.is_none_or(|halt_at| *full_at < halt_at));
        let until = full_at.or(halt_at).or(before);
        if until == Some(from) && full_at.is_some() {
            return false;
        }
        let news = News {
            from,
            until: until.unwrap_or(u64::MAX),
        };
        self.hear(source, batch, news.from);
        let refused = self.apply_changes(source, (&topic, number), batch, news);
        self.see_positions(source, &topic, batch, &(news.from..news.until));
        self.settle_read_again(source, (&topic, number), batch, news);
        let failed = batch
            .failures
            .iter()
            .filter(|failure| news.has(failure.offset));
        for failure in failed.cloned() {
            self.put_aside(source, &topic, number, failure);
        }
        if let (Some(notes), Some(table)) = (&batch.notes, self.table_of(source, &topic)) {
            table.take_column_notes(notes);
        }
        self.put_all_aside(source, &topic, refused);
        self.advance_partition(source, batch, until);
        let halts_here = batch
            .failures
            .first()
            .filter(|_| halt_at.is_some() && full_at.is_none());
        if let Some(failure) = halts_here {
            self.halt_at(source, batch.partition, failure);
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.see_failures(batch);
            table.touched = true;
        }
        full_at.is_none()
    }

    /// Answers the changes that no table can take.
    fn apply_changes(
        &mut self,
        source: usize,
        (topic, number): (&str, i32),
        batch: &ChangeBatch,
        news: News,
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        let changes = news.of(batch);
        if changes
            .iter()
            .all(|change| change.kind == ChangeKind::Advance)
        {
            return refused;
        }
        let cut = self.publisher.next_cut();
        let at = self.table_for(source, topic);
        let partitions = self.partitions_of(at).take(2).count();
        let full_runs = self.full_runs(source);
        let table = &mut self.tables[at];
        (table.partitions, table.full_runs) = (partitions, full_runs);
        (table.keyless.partition, table.keyless.is_spread) = (number, partitions > 1);
        table.see(batch);
        let mut applied = Applied::default();
        let (closed, runs) = (table.closed(), table.runs());
        let is_live = table.facts.state == ReadState::Live;
        for change in changes {
            let stale = applied.stale;
            refused.extend(table.take(cut, batch, change, &mut applied));
            if is_live && applied.stale == stale {
                table.stages.note(batch, change);
            }
        }
        applied.count(&table.identity.name);
        let snapshot_closed = table.closed() != closed;
        let runs_changed = table.runs() != runs;
        self.unpublished += changes.len() as u64;
        if snapshot_closed {
            self.await_ends(source, topic);
        }
        if runs_changed {
            self.notice_snapshots(source, at);
        }
        refused
    }

    /// What was put aside may come once more, and be understood this time.
    fn settle_read_again(
        &mut self,
        source: usize,
        (topic, number): (&str, i32),
        batch: &ChangeBatch,
        news: News,
    ) {
        if self.quarantine.count(topic) == 0 {
            return;
        }
        let name = &self.sources[source].name;
        let held = self.quarantine.held_from((name, topic), number, news.from);
        let is_read = |offset: u64| offset < batch.next_offset.0 && news.has(offset);
        let fails = |offset: u64| batch.failures.iter().any(|it| it.offset == offset);
        // One that was decoded before and could not be applied is not understood better now.
        let settled = held.filter(|record| {
            record.headers.is_some() && is_read(record.offset) && !fails(record.offset)
        });
        let settled: Vec<_> = settled.map(Quarantined::place).collect();
        for place in settled {
            self.quarantine.settle(&place);
        }
    }

    fn advance_partition(&mut self, source: usize, batch: &ChangeBatch, until: Option<u64>) {
        let Some(partition) = self.partitions.get_mut(&(source, batch.partition)) else {
            return;
        };
        let applied = batch.changes.iter().rev();
        let mut applied = applied.skip_while(|change| until.is_some_and(|it| change.offset >= it));
        let commit_ms = applied.find_map(|change| change.commit_ms);
        partition.commit_ms = partition.commit_ms.max(commit_ms);
        let Some(offset) = until else {
            return partition.applied(batch);
        };
        let mut until_there = ChangeBatch::new(batch.partition);
        until_there.next_offset = NextOffset(offset);
        partition.applied(&until_there);
    }

    fn halt_at(&mut self, source: usize, id: PartitionId, failure: &Failure) {
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        let topic = partition.topic.clone();
        let Failure { offset, reason, .. } = failure;
        let reason = format!(
            "{topic}-{}: record {offset} cannot be decoded and on_bad_record is \"halt\": {reason}. A restart reads on from it, once what is wrong is mended or on_bad_record is \"quarantine\"",
            partition.partition
        );
        partition.halt(reason.clone());
        self.order(source, SourceOrder::Pause(vec![id]));
        self.stall(source, &topic, reason);
    }

    pub(crate) fn put_aside(
        &mut self,
        source: usize,
        topic: &str,
        partition: i32,
        failure: Failure,
    ) {
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
            headers: failure.headers,
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
    pub fn count(&self, table: &str) {
        count_applied(table, Operation::Upsert, self.upserts);
        count_applied(table, Operation::Delete, self.deletes);
        count_applied(table, Operation::Truncate, self.truncates);
        count_applied(table, Operation::Stale, self.stale);
    }
}
