//! The single writer: takes decoded changes and what sources report, changes tables, publishes cuts.
//!
//! Plain synchronous code: no thread, no clock, no channel. The time is an argument; orders to
//! sources are collected for whoever runs it. Sources are known by their place in the set-up.

use std::collections::HashMap;
use std::sync::Arc;

use change_feed::{PartitionFacts, SourceError, StartAt};
use row_model::{ChangeBatch, ChangeKind, NextOffset, PartitionId, SchemaCatalog, TableId};
use table_store::{Names, Publisher, ReadState, TableFacts, TableIdentity, TableStore};
use telemetry::{Event, Operation, count_applied};

use crate::partitions::PartitionState;
use crate::quarantine::{Quarantine, Quarantined};
use crate::resume::{ResumeDecision, SavedPartition, decide_resume};
use crate::settings::{OnBadRecord, Settings, limits};
use crate::status::{PartitionReport, SourceReport, SourceState, StatusReport};
use crate::tables::{Applied, TableState};

/// What a source is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOrder {
    Start(PartitionId, StartAt),
    Pause(Vec<PartitionId>),
    Resume(Vec<PartitionId>),
    /// A durable checkpoint reaches this far.
    Acknowledge(Vec<(PartitionId, NextOffset)>),
}

/// A source as far as the sequencer must know it.
#[derive(Debug)]
pub(crate) struct SourceFacts {
    pub name: String,
    pub kind: &'static str,
    pub on_bad_record: OnBadRecord,
    pub ends: bool,
    pub discovered: bool,
    pub unreachable: Option<String>,
    pub unreadable: u64,
    /// The newest unreadable lines, in words.
    pub unreadable_kept: Vec<String>,
}

/// See the module's head.
#[derive(Debug)]
pub struct Sequencer {
    pub(crate) settings: Settings,
    pub(crate) catalog: Arc<SchemaCatalog>,
    pub(crate) publisher: Publisher,
    pub(crate) names: Names,
    pub(crate) sources: Vec<SourceFacts>,
    pub(crate) tables: Vec<TableState>,
    /// Table of a topic of a source.
    by_topic: HashMap<(usize, String), usize>,
    pub(crate) partitions: HashMap<(usize, PartitionId), PartitionState>,
    /// What the checkpoint remembers of partitions that were not found yet.
    pub(crate) saved: HashMap<(String, String, i32), SavedPartition>,
    pub(crate) quarantine: Quarantine,
    orders: Vec<(usize, SourceOrder)>,
    /// Changes applied since the last cut.
    unpublished: u64,
    /// All partitions are paused because memory is used up.
    over_memory: Option<String>,
    started: bool,
}

impl Sequencer {
    /// A sequencer without tables. `sources` are (name, kind, what bad records do, whether its end is final).
    #[must_use]
    pub fn new(settings: Settings, sources: &[(String, &'static str, OnBadRecord, bool)], catalog: Arc<SchemaCatalog>) -> Self {
        let sources = sources.iter().map(|(name, kind, on_bad_record, ends)| SourceFacts {
            name: name.clone(),
            kind,
            on_bad_record: *on_bad_record,
            ends: *ends,
            discovered: false,
            unreachable: None,
            unreadable: 0,
            unreadable_kept: Vec::new(),
        });
        Self {
            quarantine: Quarantine::new(settings.quarantine_bytes_max),
            settings,
            catalog,
            publisher: Publisher::default(),
            names: Names::default(),
            sources: sources.collect(),
            tables: Vec::new(),
            by_topic: HashMap::new(),
            partitions: HashMap::new(),
            saved: HashMap::new(),
            orders: Vec::new(),
            unpublished: 0,
            over_memory: None,
            started: false,
        }
    }

    /// Where readers find the tables.
    #[must_use]
    pub fn store(&self) -> &Arc<TableStore> {
        self.publisher.store()
    }

    /// Orders to sources that have come up since the last call.
    pub fn take_orders(&mut self) -> Vec<(usize, SourceOrder)> {
        std::mem::take(&mut self.orders)
    }

    pub(crate) fn order(&mut self, source: usize, order: SourceOrder) {
        self.orders.push((source, order));
    }

    /// Changes applied since the last cut.
    #[must_use]
    pub fn unpublished(&self) -> u64 {
        self.unpublished
    }

    pub fn discovered(&mut self, source: usize, facts: PartitionFacts) {
        let name = &self.sources[source].name;
        let saved = self.saved.remove(&(name.clone(), facts.topic.clone(), facts.partition));
        let (id, topic) = (facts.id, facts.topic.clone());
        let retained_from = facts.retained_from;
        let mut state = PartitionState::new(facts.clone(), saved.map_or(retained_from, |saved| saved.next));
        match decide_resume(saved.as_ref(), &facts) {
            ResumeDecision::Start { at, complete } => {
                if !complete {
                    let reason = state.begins_late(retained_from);
                    self.incomplete(source, &topic, reason);
                }
                self.order(source, SourceOrder::Start(id, at));
                if self.over_memory.is_some() {
                    self.order(source, SourceOrder::Pause(vec![id]));
                }
            }
            ResumeDecision::Stall { reason } => {
                state.halt(reason.clone());
                self.stall(source, &topic, reason);
            }
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
        self.partitions.insert((source, id), state);
    }

    /// Everything there was at the start has been reported.
    pub fn discovery_complete(&mut self, source: usize) {
        self.sources[source].discovered = true;
        for table in 0..self.tables.len() {
            let topic = self.tables[table].identity.topic.clone();
            if self.tables[table].identity.source != self.sources[source].name {
                continue;
            }
            self.tables[table].touched = true;
            let found = self.partitions.iter().any(|((of, _), partition)| *of == source && partition.topic == topic);
            if !found {
                self.stall(source, &topic, format!("topic {topic} was not found at source {}", self.sources[source].name));
            }
        }
    }

    pub fn unavailable(&mut self, source: usize, error: &SourceError) {
        let state = &mut self.sources[source];
        Event::SourceLost { source: &state.name, error }.emit();
        state.unreachable = Some(error.to_string());
    }

    pub fn available(&mut self, source: usize) {
        let state = &mut self.sources[source];
        if state.unreachable.take().is_some() {
            Event::SourceBack { source: &state.name }.emit();
        }
    }

    pub fn partition_lost(&mut self, source: usize, id: PartitionId, error: &SourceError) {
        let Some(partition) = self.partitions.get_mut(&(source, id)) else { return };
        partition.halt(error.to_string());
        let topic = partition.topic.clone();
        self.stall(source, &topic, error.to_string());
    }

    pub fn unreadable(&mut self, source: usize, place: &str, reason: &str) {
        let state = &mut self.sources[source];
        state.unreadable += 1;
        tracing::warn!(source = state.name, place, reason, "unreadable record");
        if state.unreadable_kept.len() < limits::UNREADABLE_KEPT_MAX {
            state.unreadable_kept.push(format!("{place}: {reason}"));
        }
    }

    /// Applies a batch. Its changes are visible from the next cut on.
    pub fn apply(&mut self, source: usize, batch: &ChangeBatch) {
        let Some(partition) = self.partitions.get(&(source, batch.partition)) else { return };
        if partition.halted.is_some() {
            return;
        }
        let (topic, number, next) = (partition.topic.clone(), partition.partition, partition.next.0);
        let halts = self.sources[source].on_bad_record == OnBadRecord::Halt;
        let halt_at = batch.failures.first().filter(|_| halts).map(|failure| failure.offset);
        let is_news = |offset: u64| offset >= next && halt_at.is_none_or(|halt_at| offset < halt_at);

        let cut = self.publisher.next_cut();
        let mut refused = Vec::new();
        if batch.changes.iter().any(|change| change.kind != ChangeKind::Advance) {
            let at = self.table_for(source, &topic);
            let table = &mut self.tables[at];
            let mut applied = Applied::default();
            for change in batch.changes.iter().filter(|change| is_news(change.offset)) {
                if let Err(error) = table.apply(cut, batch, change, &mut applied) {
                    refused.push((change.offset, error.to_string()));
                }
            }
            table.touched = true;
            applied.count(&table.identity.name);
            self.unpublished += batch.changes.len() as u64;
        }
        for failure in batch.failures.iter().filter(|failure| is_news(failure.offset)) {
            let record = Quarantined {
                source: self.sources[source].name.clone(),
                topic: topic.clone(),
                partition: number,
                offset: failure.offset,
                timestamp_ms: failure.timestamp_ms,
                reason: failure.reason.clone(),
                key: failure.key.clone(),
                value: failure.value.clone(),
            };
            self.put_aside(source, record, failure.kind);
        }
        for (offset, reason) in refused {
            let source_name = self.sources[source].name.clone();
            let record = Quarantined {
                source: source_name,
                topic: topic.clone(),
                partition: number,
                offset,
                timestamp_ms: batch.log_time_ms,
                reason,
                key: None,
                value: None,
            };
            self.put_aside(source, record, "not_applicable");
        }
        self.after_batch(source, batch, halt_at);
    }

    fn after_batch(&mut self, source: usize, batch: &ChangeBatch, halt_at: Option<u64>) {
        let Some(partition) = self.partitions.get_mut(&(source, batch.partition)) else { return };
        let topic = partition.topic.clone();
        if let Some(offset) = halt_at {
            let mut done = ChangeBatch::new(batch.partition);
            done.next_offset = NextOffset(offset);
            partition.applied(&done);
            let reason = format!("{topic}-{}: record {offset} cannot be decoded and on_bad_record is \"halt\"", partition.partition);
            partition.halt(reason.clone());
            self.order(source, SourceOrder::Pause(vec![batch.partition]));
            self.stall(source, &topic, reason);
        } else {
            partition.applied(batch);
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
    }

    fn put_aside(&mut self, source: usize, record: Quarantined, kind: &'static str) {
        let (topic, partition, offset) = (record.topic.clone(), record.partition, record.offset);
        let reason = record.reason.clone();
        if self.quarantine.add(record) {
            Event::RecordQuarantined { topic: &topic, partition, offset, kind, reason: &reason }.emit();
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
    }

    /// The source has delivered everything there is in a partition, up to `next`.
    pub fn reached_end(&mut self, source: usize, id: PartitionId, next: NextOffset) {
        let Some(partition) = self.partitions.get_mut(&(source, id)) else { return };
        if partition.halted.is_some() {
            return;
        }
        let topic = partition.topic.clone();
        if let Err(reason) = partition.reached_end(next) {
            partition.halt(reason.clone());
            self.stall(source, &topic, reason);
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
    }

    /// The source was asked at `at_ms` and had nothing more for anyone; everything it had delivered
    /// before has been published.
    pub fn quiet(&mut self, source: usize, at_ms: i64) {
        if self.sources[source].unreachable.is_some() || self.unpublished > 0 {
            return;
        }
        for table in 0..self.tables.len() {
            if self.is_at_end(table) && self.tables[table].identity.source == self.sources[source].name {
                self.tables[table].facts.told_at_end(at_ms);
            }
        }
    }

    /// Publishes what changed since the last cut, if anything did.
    pub fn publish(&mut self, now_ms: i64) {
        self.mind_memory();
        if !self.tables.iter().any(|table| table.touched) {
            return;
        }
        for at in 0..self.tables.len() {
            if self.tables[at].touched {
                let facts = self.facts(at, now_ms);
                let table = &mut self.tables[at];
                table.facts = Arc::new(facts);
                table.touched = false;
                self.publisher.set(table.cut());
            }
        }
        let oldest_needed = self.publisher.publish();
        for table in &mut self.tables {
            table.writer.collect_garbage(oldest_needed);
        }
        self.unpublished = 0;
    }

    fn facts(&mut self, at: usize, now_ms: i64) -> TableFacts {
        let caught_up = self.is_caught_up(at);
        let mut offsets: Vec<(i32, u64)> =
            self.partitions_of(at).map(|partition| (partition.partition, partition.next.0)).collect();
        offsets.sort_unstable();
        let (done, all) = self
            .partitions_of(at)
            .map(PartitionState::progress)
            .fold((0, 0), |sum, (done, all)| (sum.0 + done, sum.1 + all));
        let (at_end, ends) = (self.is_at_end(at), self.source_of(at).is_some_and(|source| source.ends));
        let quarantined = self.quarantine.count(&self.tables[at].identity.topic);
        let stalled_by_memory = self.over_memory.clone();
        let table = &mut self.tables[at];
        let mut state = table.read_state(caught_up);
        if state == ReadState::Live && !table.was_live {
            (table.was_live, table.notes_dirty) = (true, true);
        }
        if stalled_by_memory.is_some() && !ends {
            state = ReadState::Stalled;
        }
        let facts = TableFacts {
            state,
            reason: table.stalled.clone().or(stalled_by_memory),
            progress: (state == ReadState::Loading).then(|| if all == 0 { 0.0 } else { done as f64 / all as f64 }),
            complete: table.incomplete.is_none(),
            incomplete_because: table.incomplete.clone(),
            quarantined,
            epoch: table.position.map_or(table.epochs.current(), |(epoch, _)| epoch),
            position: table.position.map(|(_, at)| at),
            offsets,
            commit_ms: table.commit_ms,
            ..TableFacts::default()
        };
        if at_end {
            // The end of a file that is not followed is final: it cannot grow old.
            facts.told_at_end(if ends { i64::MAX } else { now_ms });
        }
        facts
    }

    fn partitions_of(&self, table: usize) -> impl Iterator<Item = &PartitionState> {
        let identity = &self.tables[table].identity;
        self.partitions.iter().filter_map(move |((source, _), partition)| {
            let is_ours = partition.topic == identity.topic && self.sources[*source].name == identity.source;
            is_ours.then_some(partition)
        })
    }

    fn source_of(&self, table: usize) -> Option<&SourceFacts> {
        self.sources.iter().find(|source| source.name == self.tables[table].identity.source)
    }

    /// All of the table's partitions are known and have been read to their end by this process.
    fn is_caught_up(&self, table: usize) -> bool {
        let discovered = self.source_of(table).is_some_and(|source| source.discovered);
        discovered && self.partitions_of(table).all(|partition| partition.reached)
    }

    fn is_at_end(&self, table: usize) -> bool {
        self.is_caught_up(table) && self.partitions_of(table).all(|partition| partition.at_end)
    }

    fn table_of(&mut self, source: usize, topic: &str) -> Option<&mut TableState> {
        let at = *self.by_topic.get(&(source, topic.to_owned()))?;
        self.tables.get_mut(at)
    }

    /// The table of a topic, a new one if the topic has none yet.
    fn table_for(&mut self, source: usize, topic: &str) -> usize {
        if let Some(at) = self.by_topic.get(&(source, topic.to_owned())) {
            return *at;
        }
        let given = self.settings.tables.iter().find(|table| table.topic == topic);
        let name = given.map_or_else(|| self.names.propose(topic), |table| table.name.clone());
        let next_id = self.tables.iter().map(|table| table.identity.id.0 + 1).max().unwrap_or(0);
        let identity = TableIdentity {
            id: TableId(next_id),
            name,
            topic: topic.to_owned(),
            source: self.sources[source].name.clone(),
        };
        tracing::info!(table = identity.name, topic, "table found");
        let state = TableState::new(identity, self.catalog.history(topic));
        self.add_table(source, state)
    }

    /// Takes a table up, under the name it brings.
    pub(crate) fn add_table(&mut self, source: usize, state: TableState) -> usize {
        let identity = &state.identity;
        if !self.names.give(&identity.name, &identity.topic, identity.id) {
            tracing::error!(table = identity.name, topic = identity.topic, "the name or topic is taken: not reachable by name");
        }
        self.publisher.set_names(self.names.clone());
        let at = self.tables.len();
        self.by_topic.insert((source, identity.topic.clone()), at);
        self.tables.push(state);
        // What was found out about the topic before it had a table.
        let topic = self.tables[at].identity.topic.clone();
        for (_, partition) in self.partitions.iter().filter(|((of, _), partition)| *of == source && partition.topic == topic) {
            let table = &mut self.tables[at];
            table.stalled = table.stalled.take().or_else(|| partition.halted.clone());
            table.incomplete = table.incomplete.take().or_else(|| partition.late.clone());
        }
        at
    }

    fn stall(&mut self, source: usize, topic: &str, reason: String) {
        let Some(table) = self.table_of(source, topic) else { return };
        Event::TableStalled { table: &table.identity.name, reason: &reason }.emit();
        table.stalled = Some(reason);
        table.touched = true;
    }

    fn incomplete(&mut self, source: usize, topic: &str, reason: String) {
        let Some(table) = self.table_of(source, topic) else { return };
        (table.incomplete, table.notes_dirty, table.touched) = (Some(reason), true, true);
    }

    /// At the limit everything is paused; a little below it, everything goes on.
    fn mind_memory(&mut self) {
        let used: u64 = self.tables.iter().map(|table| table.memory_bytes).sum();
        let max = self.settings.memory_bytes_max;
        let (over, well_below) = (used > max, used < max - max / 20);
        let change = if over && self.over_memory.is_none() {
            let reason = format!(
                "memory: the tables take {used} bytes and memory.max is {max}. Raise it, or follow fewer tables, and restart"
            );
            tracing::error!(used, max, "memory.max reached: reading is paused, serving goes on");
            Some(Some(reason))
        } else if well_below && self.over_memory.is_some() {
            Some(None)
        } else {
            None
        };
        let Some(reason) = change else { return };
        for source in 0..self.sources.len() {
            let of_source = self.partitions.iter().filter(|((of, _), partition)| *of == source && partition.halted.is_none());
            let ids: Vec<PartitionId> = of_source.map(|((_, id), _)| *id).collect();
            let order = if reason.is_some() { SourceOrder::Pause(ids) } else { SourceOrder::Resume(ids) };
            self.order(source, order);
        }
        self.over_memory = reason;
        self.tables.iter_mut().for_each(|table| table.touched = true);
    }

    /// Everything that was there at the start has been applied once.
    pub fn is_started(&mut self) -> bool {
        let partition_done = |partition: &PartitionState| partition.reached || partition.halted.is_some();
        self.started = self.started
            || (self.sources.iter().all(|source| source.discovered) && self.partitions.values().all(partition_done));
        self.started
    }

    /// Brings the part of the report that the sequencer knows up to date.
    pub fn report(&mut self, report: &mut StatusReport) {
        report.started = self.is_started();
        report.sources = (0..self.sources.len()).map(|at| self.source_report(at)).collect();
        report.quarantine = self.quarantine.held().cloned().collect();
    }

    fn source_report(&self, at: usize) -> SourceReport {
        let source = &self.sources[at];
        let of_source = self.partitions.iter().filter(|((of, _), _)| *of == at).map(|(_, partition)| partition);
        let mut partitions: Vec<PartitionReport> = of_source
            .map(|partition| PartitionReport {
                topic: partition.topic.clone(),
                partition: partition.partition,
                next_offset: partition.next.0,
                end_offset: partition.end,
                reached_end: partition.reached,
                halted: partition.halted.clone(),
            })
            .collect();
        partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let live = source.discovered && partitions.iter().all(|partition| partition.reached_end || partition.halted.is_some());
        let state = match (&source.unreachable, live) {
            (Some(_), _) => SourceState::Unreachable,
            (None, true) => SourceState::Live,
            (None, false) => SourceState::CatchingUp,
        };
        let detail = source.unreachable.clone().or_else(|| source.unreadable_kept.last().cloned());
        SourceReport { name: source.name.clone(), kind: source.kind, state, detail, partitions, unreadable: source.unreadable }
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
