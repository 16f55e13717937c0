//! The single writer: takes decoded changes and what sources report, changes tables, publishes cuts.
//!
//! Plain synchronous code: no thread, no clock, no channel. The time is an argument; orders to
//! sources are collected for whoever runs it. Sources are known by their place in the set-up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{PartitionFacts, RegistryId, SourceError, StartAt};
use row_model::{NextOffset, PartitionId, SchemaCatalog, TableId};
use table_store::{Names, ProcessId, Publisher, TableIdentity, TableStore};
use telemetry::Event;

use crate::confirmations::Snapshots;
use crate::gates::SourceGate;
use crate::indexes::IndexBuild;
use crate::kept_indexes::KeptIndexes;
use crate::memory::Memory;
use crate::messages::Ended;
use crate::partition_map::PartitionMap;
use crate::positions::{Positions, Unproven};
use crate::quarantine::Quarantine;
use crate::rebuild::{Forgotten, Scrub};
use crate::rebuilds::Rebuilds;
use crate::resume::{Refusal, SavedPartition, SavedPlace};
use crate::settings::{OnBadRecord, Settings, SourceSetup, limits};
use crate::tables::TableState;

/// What a source is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOrder {
    Start(PartitionId, StartAt),
    Pause(Vec<PartitionId>),
    Resume(Vec<PartitionId>),
    /// Say, behind all that was delivered of a paused partition, that nothing more comes of it.
    Fence(PartitionId),
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
    /// What it says is about so long ago.
    pub delayed_ms: i64,
    pub unproven: Unproven,
    /// The topic of the rows by which the source shows that it is alive.
    pub heartbeat_table: Option<String>,
    pub unreadable: u64,
    /// The newest unreadable lines, in words.
    pub unreadable_kept: Vec<String>,
    pub has_registry: bool,
    /// Why schemas that partitions wait for are not there yet.
    pub awaited: BTreeMap<RegistryId, String>,
    /// Orders given so far.
    orders_given: u64,
}

impl SourceFacts {
    pub fn is_heartbeat_topic(&self, topic: &str) -> bool {
        self.heartbeat_table.as_deref() == Some(topic)
    }
}

/// What a checkpoint holds of a partition, and whether it says that the partition makes no table.
pub(crate) type Kept = (SavedPartition, bool);

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
    pub(crate) partitions: PartitionMap,
    /// What the checkpoint remembers of partitions that were not found yet.
    pub(crate) saved: HashMap<(String, String, i32), SavedPlace>,
    /// What the newest checkpoint holds of partitions, found or not.
    pub(crate) kept: HashMap<(String, String, i32), Kept>,
    /// Higher than that of every table which the checkpoint has, those included that are not loaded.
    pub(crate) next_table_id: TableId,
    pub(crate) quarantine: Quarantine,
    /// Partitions of tables about which nothing is decided for good.
    pub(crate) held_back: Vec<(usize, PartitionFacts)>,
    /// What the next checkpoint has to remove.
    pub(crate) forgotten: Vec<Forgotten>,
    pub(crate) scrub: Scrub,
    /// What is known of the snapshots of each connector of each source.
    pub(crate) snapshots: BTreeMap<(usize, String), Snapshots>,
    /// Indexes of tables that were loaded, still to be built.
    pub(crate) index_builds: Vec<IndexBuild>,
    pub(crate) kept_indexes: KeptIndexes,
    orders: Vec<(usize, SourceOrder)>,
    pub(crate) rebuilds: Rebuilds,
    /// Changes applied since the last cut.
    pub(crate) unpublished: u64,
    pub(crate) memory: Memory,
    pub(crate) positions: Positions,
    /// Of each source; none where cuts are nobody's.
    pub(crate) gates: Vec<SourceGate>,
    /// The time as last heard of.
    pub(crate) now_ms: i64,
    pub(crate) started: bool,
    /// Sources of which more or fewer partitions wait for schemas than were counted last.
    pub(crate) waits_changed: BTreeSet<usize>,
}

impl Sequencer {
    /// A sequencer without tables.
    #[must_use]
    pub fn new(settings: Settings, sources: &[SourceSetup], catalog: Arc<SchemaCatalog>) -> Self {
        let gates = sources.iter();
        let gates = gates.map(|setup| SourceGate::new(&settings, &setup.name, setup.kind));
        let gates = gates.collect();
        let sources = sources.iter().map(|setup| SourceFacts {
            name: setup.name.clone(),
            kind: setup.kind,
            on_bad_record: setup.on_bad_record,
            ends: setup.ends,
            discovered: false,
            unreachable: None,
            delayed_ms: 0,
            unproven: Unproven::default(),
            heartbeat_table: setup.heartbeat_table.clone(),
            unreadable: 0,
            unreadable_kept: Vec::new(),
            has_registry: setup.registry.is_some(),
            awaited: BTreeMap::new(),
            orders_given: 0,
        });
        Self {
            quarantine: Quarantine::new(settings.quarantine_bytes_max),
            settings,
            catalog,
            publisher: Publisher::of_process(ProcessId::random()),
            names: Names::default(),
            sources: sources.collect(),
            tables: Vec::new(),
            by_topic: HashMap::new(),
            partitions: PartitionMap::default(),
            saved: HashMap::new(),
            kept: HashMap::new(),
            held_back: Vec::new(),
            next_table_id: TableId(0),
            forgotten: Vec::new(),
            scrub: Scrub::default(),
            snapshots: BTreeMap::new(),
            index_builds: Vec::new(),
            kept_indexes: KeptIndexes::default(),
            orders: Vec::new(),
            rebuilds: Rebuilds::default(),
            unpublished: 0,
            memory: Memory::default(),
            positions: Positions::default(),
            gates,
            now_ms: 0,
            started: false,
            waits_changed: BTreeSet::new(),
        }
    }

    /// Indexes of loaded tables that somebody has to build.
    pub(crate) fn take_index_builds(&mut self) -> Vec<IndexBuild> {
        std::mem::take(&mut self.index_builds)
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
        self.sources[source].orders_given += 1;
        self.orders.push((source, order));
    }

    /// How many orders a source was given. What it says before it has obeyed them all may be about
    /// partitions that were paused at the time.
    #[must_use]
    pub fn orders_given(&self, source: usize) -> u64 {
        self.sources[source].orders_given
    }

    /// Changes applied since the last cut.
    #[must_use]
    pub fn unpublished(&self) -> u64 {
        self.unpublished
    }

    /// A partition was found, or one that was gone is back.
    pub fn discovered(&mut self, source: usize, facts: &PartitionFacts) {
        if !self.holds_back(source, facts) {
            self.take_up(source, facts);
        }
    }

    /// Everything there was at the start has been reported.
    pub fn discovery_complete(&mut self, source: usize) {
        self.sources[source].discovered = true;
        self.decide_about_all(source);
        for table in 0..self.tables.len() {
            if self.tables[table].identity.source != self.sources[source].name {
                continue;
            }
            self.tables[table].touched = true;
            if self.partitions_of(table).next().is_none() {
                self.stall_not_found(source, table);
            }
        }
        self.gate_begins(source);
    }

    pub fn unavailable(&mut self, source: usize, error: &SourceError) {
        let state = &mut self.sources[source];
        Event::SourceLost {
            source: &state.name,
            error,
        }
        .emit();
        state.unreachable = Some(error.to_string());
    }

    pub fn available(&mut self, source: usize) {
        let state = &mut self.sources[source];
        if state.unreachable.take().is_some() {
            Event::SourceBack {
                source: &state.name,
            }
            .emit();
        }
    }

    /// What the source says from now on, also by its silence, is about so long ago.
    pub fn delayed(&mut self, source: usize, by: Duration) {
        self.sources[source].delayed_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    }

    pub fn partition_lost(&mut self, source: usize, id: PartitionId, error: &SourceError) {
        let Some(partition) = self.partitions.get(&(source, id)) else {
            return;
        };
        let (number, topic) = (partition.partition, partition.topic.clone());
        let reason = match Refusal::of(number, error) {
            Some(refusal) => {
                let reason = self.told(source, &topic, &refusal);
                self.note_lost_changes(source, &topic, &refusal, &reason);
                reason
            }
            None => self.better_known(source, &topic, error),
        };
        self.halt(source, id, reason);
    }

    /// A topic that was made anew with fewer partitions lacks the others, which is found out later and
    /// says less.
    fn better_known(&mut self, source: usize, topic: &str, error: &SourceError) -> String {
        let table = self.table_of(source, topic);
        let known = table.and_then(|table| table.stalled.clone());
        let known = known.filter(|_| matches!(error, SourceError::Gone { .. }));
        known.unwrap_or_else(|| error.to_string())
    }

    /// Retention removed changes before they were read: that the table stands still is not all there is to say.
    pub(crate) fn note_lost_changes(
        &mut self,
        source: usize,
        topic: &str,
        refusal: &Refusal,
        reason: &str,
    ) {
        if let Refusal::Expired { .. } = refusal
            && let Some(table) = self.table_of(source, topic)
        {
            table.lost_changes = Some(reason.to_owned());
        }
    }

    /// Stops a partition, and with it its table.
    fn halt(&mut self, source: usize, id: PartitionId, reason: String) {
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        partition.halt(reason.clone());
        let topic = partition.topic.clone();
        self.no_longer_waits(source, id);
        self.stall(source, &topic, reason);
    }

    pub fn unreadable(&mut self, source: usize, place: &str, reason: &str) {
        let state = &mut self.sources[source];
        state.unreadable += 1;
        tracing::warn!(source = state.name, place, reason, "unreadable record");
        if state.unreadable_kept.len() < limits::UNREADABLE_KEPT_MAX {
            state.unreadable_kept.push(format!("{place}: {reason}"));
        }
    }

    /// What the source had delivered of a partition up to `next` has been applied, and that was all.
    pub(crate) fn is_at_end_at(&mut self, source: usize, id: PartitionId, ended: Ended) {
        // What came after it still waits: nothing ends here, and silence since proves nothing.
        let is_passed = self.waits_for_room(source, id) || self.waits_at_gate(source, id);
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        if partition.halted.is_some() {
            return;
        }
        let topic = partition.topic.clone();
        if let Err(refusal) = partition.reached_end(ended) {
            let reason = self.told(source, &topic, &refusal);
            self.halt(source, id, reason);
        } else {
            partition.at_end &= !is_passed;
        }
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
        self.release_at_end(source, &topic);
    }

    /// The topic's records make no table, as config says.
    pub(crate) fn is_unserved(&self, source: usize, topic: &str) -> bool {
        let mut unserved = self.settings.unserved.iter();
        let name = &self.sources[source].name;
        unserved.any(|(of, unserved)| of == name && unserved == topic)
    }

    pub(crate) fn table_at(&self, source: usize, topic: &str) -> Option<usize> {
        self.by_topic.get(&(source, topic.to_owned())).copied()
    }

    pub(crate) fn table_of(&mut self, source: usize, topic: &str) -> Option<&mut TableState> {
        let at = self.table_at(source, topic)?;
        self.tables.get_mut(at)
    }

    /// The table of a topic, a new one if the topic has none yet.
    pub(crate) fn table_for(&mut self, source: usize, topic: &str) -> usize {
        if let Some(at) = self.by_topic.get(&(source, topic.to_owned())) {
            return *at;
        }
        let name = self.name_for(topic, None);
        let id = self.next_table_id;
        self.next_table_id = TableId(id.0 + 1);
        let identity = TableIdentity {
            id,
            name,
            topic: topic.to_owned(),
            source: self.sources[source].name.clone(),
        };
        tracing::info!(table = identity.name, topic, "table found");
        let mut state = TableState::new(identity, self.catalog.history(topic));
        state.prepared = self.preparation(source, topic);
        state.retention = self.retention_of(topic);
        self.add_table(source, state)
    }

    /// What the table of a topic is called: as config says, else as it was called before, else by
    /// the shortest suffix that no other table has and config gives to none.
    pub(crate) fn name_for(&self, topic: &str, before: Option<&str>) -> String {
        let given = self
            .settings
            .tables
            .iter()
            .find(|table| table.topic == topic);
        if let Some(given) = given {
            if self.names.is_free(&given.name) {
                return given.name.clone();
            }
            tracing::error!(
                name = given.name,
                topic,
                "the name that config gives is taken by another table"
            );
        }
        let others = |name: &str| {
            let mut tables = self.settings.tables.iter();
            tables.any(|table| table.name == name && table.topic != topic)
        };
        let kept = before.filter(|name| self.names.is_free(name) && !others(name));
        kept.map_or_else(|| self.names.propose(topic, others), str::to_owned)
    }

    /// Takes a table up, under the name it brings.
    pub(crate) fn add_table(&mut self, source: usize, state: TableState) -> usize {
        self.declare_indexes(&state);
        let identity = &state.identity;
        let topic_is_new = self
            .names
            .give(&identity.name, &identity.topic, identity.id);
        if !topic_is_new {
            let topic = &identity.topic;
            tracing::error!(
                topic,
                "two sources have this topic: the second one's table has no name"
            );
        }
        self.publisher.set_names(self.names.clone());
        let at = self.tables.len();
        self.by_topic.insert((source, identity.topic.clone()), at);
        self.tables.push(state);
        // What was found out about the topic before it had a table.
        let topic = self.tables[at].identity.topic.clone();
        for (_, partition) in self
            .partitions
            .iter()
            .filter(|((of, _), partition)| *of == source && partition.topic == topic)
        {
            let table = &mut self.tables[at];
            table.stalled = table.stalled.take().or_else(|| partition.halted.clone());
            if let Some(reason) = &partition.late {
                table.begins_late(partition.partition, reason.clone());
            }
        }
        at
    }

    pub(crate) fn stall(&mut self, source: usize, topic: &str, reason: String) {
        let Some(table) = self.table_of(source, topic) else {
            return;
        };
        Event::TableStalled {
            table: &table.identity.name,
            reason: &reason,
        }
        .emit();
        table.stalled = Some(reason);
        table.touched = true;
    }
}
