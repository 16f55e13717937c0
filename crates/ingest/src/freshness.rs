//! What each cut says of each table's freshness, and when a cut is published.
//!
//! Invariant: nothing fresher is ever claimed than what was proven. A table is live once every
//! partition it has was read to its end by this process, and at the end only while each one is.

use std::sync::Arc;

use change_feed::TopicUuid;
use row_model::Epoch;
use table_store::{LogId, ReadState, TableFacts, Transactions};

use crate::confirmations::UNCONFIRMED;
use crate::partitions::PartitionState;
use crate::resume::{SavedPartition, SavedPlace};
use crate::sequencer::{Sequencer, SourceFacts};

/// Said of a table whose snapshot came without `runId` headers.
const UNSWEPT: &str = "unswept: its snapshot carried no runId headers, so rows deleted while the connector was down cannot be told. Set extended.headers.enabled=true in the connector";

/// Said of a table that has never been whole.
const SNAPSHOT_RUNS: &str = "the connector has not written the last row of its first snapshot of this table: rows are still to come";

/// The share of what there was at the start that has been read.
fn share(done: u64, all: u64, all_reached: bool) -> f64 {
    match all {
        // Nothing was there, or nobody has looked yet.
        0 => f64::from(u8::from(all_reached)),
        all => done as f64 / all as f64,
    }
}

/// A table of which rows are still to come shows no transaction for sure.
fn promised(transactions: Transactions, state: ReadState) -> Transactions {
    match state {
        ReadState::Loading => transactions.max(Transactions::Partial),
        _ => transactions,
    }
}

impl Sequencer {
    /// The source was asked at `at_ms` and had nothing more for anyone; everything it had delivered
    /// before has been published.
    pub fn quiet(&mut self, source: usize, at_ms: i64) {
        if self.sources[source].unreachable.is_some() || self.unpublished > 0 {
            return;
        }
        if self.all_were_at_end(source, at_ms) {
            self.all_quiet(source);
        }
        self.tell_ends(source);
    }

    /// Publishes what changed since the last cut, if anything did.
    pub fn publish(&mut self, now_ms: i64) {
        self.mind_gates(now_ms);
        self.release_overdue(now_ms);
        self.let_go_of_old_rows();
        self.go_on_with_what_waits();
        self.count_waits();
        self.keep_cuts(now_ms);
        if !self.tables.iter().any(|table| table.touched) && !self.sources_are_touched() {
            // Readers may have let go of cuts since.
            return self.let_go_of_garbage();
        }
        for at in 0..self.tables.len() {
            if self.tables[at].touched {
                let facts = self.facts(at);
                let table = &mut self.tables[at];
                let states = [table.facts.state, facts.state];
                let counts = states == [ReadState::Live; 2];
                table.publish_stages(counts, now_ms);
                table.facts = Arc::new(facts);
                table.touched = false;
                self.keep_versions_if_live(at);
                let table = &mut self.tables[at];
                self.publisher.set(table.cut());
            }
        }
        self.record_changes();
        self.set_sources();
        self.publisher.publish();
        self.let_go_of_garbage();
        self.unpublished = 0;
    }

    fn facts(&mut self, at: usize) -> TableFacts {
        let snapshot_runs = self.first_snapshot_runs(at);
        let caught_up = self.is_caught_up(at) && !snapshot_runs;
        let (offsets, log) = (self.shown_offsets(at), self.log_of(at));
        let awaits_memory = self.awaits_memory(at);
        let (done, all) = self
            .partitions_of(at)
            .map(PartitionState::progress)
            .fold((0, 0), |sum, (done, all)| (sum.0 + done, sum.1 + all));
        let in_contact = self.is_in_contact(at);
        let at_end = self.is_at_end(at) && in_contact;
        let all_reached = self.partitions_of(at).all(|partition| partition.reached);
        let quarantined = self.quarantine.count(&self.tables[at].identity.topic);
        let whole_until_ms = self.whole_until_ms(at);
        let awaits = self.awaits(at).or(awaits_memory);
        let (transactions, partial) = self.transactions_of(at);
        let table = &mut self.tables[at];
        let mut state = table.read_state(caught_up);
        if state == ReadState::Live && !table.was_live {
            (table.was_live, table.notes_dirty) = (true, true);
        }
        if awaits.is_some() {
            state = ReadState::Stalled;
        }
        if state == ReadState::Live {
            table.rebuilding = None;
        }
        let unconfirmed = table.is_unconfirmed();
        let unswept = (table.is_unswept().then_some(UNSWEPT))
            .or(unconfirmed.then_some(UNCONFIRMED))
            .map(str::to_owned);
        let snapshot = snapshot_runs.then(|| SNAPSHOT_RUNS.to_owned());
        let reasons = [
            table.stalled.clone(),
            awaits,
            table.rebuilding.clone(),
            snapshot,
            unswept,
        ];
        let facts = TableFacts {
            state,
            reason: reasons.into_iter().flatten().next(),
            notes: table.notes().into_iter().chain(partial).collect(),
            transactions: promised(transactions, state),
            progress: (state == ReadState::Loading).then(|| share(done, all, all_reached)),
            complete: table.incomplete.is_none() && table.lost_changes.is_none(),
            incomplete_because: (table.incomplete.clone()).or_else(|| table.lost_changes.clone()),
            quarantined,
            epoch: table
                .position
                .map_or_else(Epoch::default, |(epoch, _)| epoch),
            position: table.position.map(|(_, at)| at),
            offsets,
            log,
            commit_ms: table.commit_ms,
            whole_until_ms,
            memory: table.memory_now(),
            ..TableFacts::default()
        };
        if let Some(until_ms) = self.ended_ms(at).filter(|_| at_end) {
            facts.told_at_end(until_ms);
        }
        facts
    }

    /// Has tables that are at the ends of their logs say as of when that is known. What was applied and is not visible
    /// yet is told of with its cut.
    pub(crate) fn tell_ends(&mut self, source: usize) {
        for table in 0..self.tables.len() {
            let state = &self.tables[table];
            if state.identity.source == self.sources[source].name
                && !state.touched
                && self.is_at_end(table)
                && let Some(until_ms) = self.ended_ms(table)
            {
                self.tables[table].facts.told_at_end(until_ms);
            }
        }
        self.publisher.contact(&self.sources[source].name);
    }

    /// A partition at its end lacks nothing that was there when that was heard. One that is read on lacks what was committed
    /// after its last change: the newest change of the table says nothing of its other partitions.
    fn whole_until_ms(&self, at: usize) -> Option<i64> {
        if !self.is_discovered(at) {
            return None;
        }
        let in_contact = self.is_in_contact(at);
        let read = self.partitions_of(at).map(|partition| {
            let is_at_end = in_contact && partition.at_end && !partition.fenced;
            let ended_ms = partition.ended_ms.filter(|_| is_at_end);
            ended_ms.max(partition.commit_ms)
        });
        let waiting = self.tables[at].holding.since_commit_ms();
        // Nothing known is less than anything.
        read.chain(waiting).min().flatten()
    }

    fn is_in_contact(&self, at: usize) -> bool {
        self.source_of(at)
            .is_some_and(|source| source.unreachable.is_none())
    }

    /// Until when a table that is at the end of its log is known to have been there. The end of a file that is not followed is
    /// final: it cannot grow old.
    fn ended_ms(&self, at: usize) -> Option<i64> {
        if self.source_of(at).is_some_and(|source| source.ends) {
            return Some(i64::MAX);
        }
        let ended = self.partitions_of(at).map(|partition| partition.ended_ms);
        ended.min().flatten()
    }

    /// The next offset of each partition of which anything is not shown. Of one that the source has not
    /// named yet it is what the checkpoint says.
    fn shown_offsets(&self, at: usize) -> Vec<(i32, u64)> {
        let holding = &self.tables[at].holding;
        let shown = self.partitions_of(at).map(|partition| {
            let next = partition.next.0;
            let waiting = holding.floor(partition.id).unwrap_or(next);
            (partition.partition, next.min(waiting))
        });
        let saved = self.unfound_of(at);
        let saved = saved.map(|(partition, saved)| (partition, saved.next.0));
        let mut offsets: Vec<(i32, u64)> = shown.chain(saved).collect();
        offsets.sort_unstable();
        offsets
    }

    /// The topic that the table was made of, as far as its broker says.
    pub(crate) fn log_ids_of(&self, at: usize) -> impl Iterator<Item = TopicUuid> {
        let found = self
            .partitions_of(at)
            .filter_map(PartitionState::topic_uuid);
        let saved = self
            .unfound_of(at)
            .filter_map(|(_, saved)| saved.topic_uuid);
        found.chain(saved)
    }

    /// The log that these offsets are of.
    fn log_of(&self, at: usize) -> Option<LogId> {
        let TopicUuid(uuid) = self.log_ids_of(at).next()?;
        uuid.first_chunk()
            .map(|half| LogId(u64::from_be_bytes(*half)))
    }

    /// Partitions of a table that the checkpoint knows and the source has not named yet.
    fn unfound_of(&self, at: usize) -> impl Iterator<Item = (i32, &SavedPartition)> {
        let identity = &self.tables[at].identity;
        self.saved
            .iter()
            .filter(|((source, topic, _), _)| {
                *source == identity.source && *topic == identity.topic
            })
            .filter_map(|((.., partition), saved)| match saved {
                SavedPlace::At(saved) => Some((*partition, saved)),
                SavedPlace::PassedOver => None,
            })
    }

    pub(crate) fn partitions_of(&self, table: usize) -> impl Iterator<Item = &PartitionState> {
        let topic = self.tables[table].identity.topic.as_str();
        let source = self.source_at(table).into_iter();
        source.flat_map(move |source| self.partitions.of_topic(source, topic))
    }

    fn source_of(&self, table: usize) -> Option<&SourceFacts> {
        self.sources
            .iter()
            .find(|source| source.name == self.tables[table].identity.source)
    }

    /// All partitions the table had at the start are known.
    pub(crate) fn is_discovered(&self, table: usize) -> bool {
        self.source_of(table)
            .is_some_and(|source| source.discovered)
    }

    /// All of the table's partitions are known and have been read to their end by this process.
    fn is_caught_up(&self, table: usize) -> bool {
        let state = &self.tables[table];
        // Once it has been live, a change that waits for another does not make it less so.
        self.is_discovered(table)
            && state.undecided.is_none()
            && (state.was_live || state.holding.is_empty())
            && self.partitions_of(table).all(|partition| partition.reached)
    }

    /// The connector is still writing the first snapshot of a table that was never live: that the log
    /// was read to its end does not mean that all rows are in it.
    fn first_snapshot_runs(&self, at: usize) -> bool {
        let table = &self.tables[at];
        let Some(run) = table.snapshot_of().filter(|_| !table.was_live) else {
            return false;
        };
        // The mark of its last row may have been filtered; a run streams when all tables are read.
        let source = &table.identity.source;
        let mut of_source = self.tables.iter();
        !of_source.any(|other| other.identity.source == *source && other.streamed() >= Some(run))
    }

    pub(crate) fn is_at_end(&self, table: usize) -> bool {
        self.is_caught_up(table)
            && self.tables[table].holding.is_empty()
            && self
                .partitions_of(table)
                .all(|partition| partition.at_end && !partition.fenced)
    }
}
