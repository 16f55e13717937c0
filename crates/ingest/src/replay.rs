//! Reads one topic from its log's start into a table that nobody serves.
//!
//! A replay has a sequencer of its own, which publishes nothing: all its versions are of the first
//! cut, so that they can be seen at every cut once the table is served, and none is kept that another
//! has replaced. Only the shapes are shared with the serving tables: a shape has one number.
//!
//! Plain synchronous code, as the sequencer is. Refuses checkpoints and acknowledgements.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use change_feed::{PartitionFacts, SourceEvent, TopicUuid};
use row_model::{ChangeBatch, ChangeKind, CutId, NextOffset, SchemaCatalog};
use table_store::{IndexDefinition, TableIdentity};

use crate::confirmations::Snapshots;
use crate::holding::Holding;
use crate::indexes;
use crate::messages::ToSequencer;
use crate::partitions::PartitionState;
use crate::quarantine::Quarantined;
use crate::sequencer::{Sequencer, SourceOrder};
use crate::settings::{Settings, SourceSetup};
use crate::tables::TableState;

/// All that a replay writes is of this cut: the first that any sequencer publishes.
const CUT: CutId = CutId(1);

/// What a replay has to know of the table that it builds anew.
#[derive(Debug)]
pub(crate) struct ReplayPlan {
    pub identity: TableIdentity,
    /// The log may begin after its beginning.
    pub accept_incomplete: bool,
    /// Where each partition of the log ends, as far as is known. Tells how far the replay is.
    pub ends: BTreeMap<i32, u64>,
    /// The log that it was made of, as far as its broker says.
    log: HashSet<TopicUuid>,
    indexes: Vec<IndexDefinition>,
    /// What is known of the snapshots of the source's connectors from other topics.
    snapshots: Vec<(String, Snapshots)>,
    settings: Settings,
    catalog: Arc<SchemaCatalog>,
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Replay {
    pub sequencer: Sequencer,
    plan: ReplayPlan,
    /// Records from here on are passed over, where partitions are named.
    until: Targets,
    /// Keys whose deletes are the first records that are passed over.
    unsettled: HashSet<Box<[u8]>>,
    /// Partitions that were found and not asked for.
    found: Vec<PartitionFacts>,
    /// Partitions of another log than the table was made of, whole as it is: what the former one said is not in it.
    of_another_log: HashSet<i32>,
}

/// Where a replay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Reading,
    /// Every partition was read to its end once.
    AtEnd,
}

/// How far the table that is served has come, in each partition that it reads.
pub(crate) type Targets = BTreeMap<i32, NextOffset>;

/// What a replay has made, and where reading goes on from it.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub state: TableState,
    pub partitions: Vec<PartitionState>,
    pub quarantined: Vec<Quarantined>,
    /// How many there were: the oldest may be gone.
    pub quarantined_count: u64,
}

impl Sequencer {
    /// What a replay has to know of a table.
    pub(crate) fn replay_plan(
        &self,
        source: usize,
        at: usize,
        accept_incomplete: bool,
    ) -> ReplayPlan {
        let table = &self.tables[at];
        let indexes = table.writer.table().indexes();
        let definitions = indexes.iter().map(|index| index.definition().clone());
        let ends = self.partitions_of(at).map(|partition| {
            let end = partition.end.unwrap_or_default().max(partition.next.0);
            (partition.partition, end)
        });
        let of_source = self.snapshots.iter().filter(|((of, _), _)| *of == source);
        let snapshots = of_source.map(|((_, connector), it)| (connector.clone(), it.clone()));
        ReplayPlan {
            identity: table.identity.clone(),
            accept_incomplete,
            ends: ends.collect(),
            log: self.log_ids_of(at).collect(),
            indexes: definitions.collect(),
            snapshots: snapshots.collect(),
            settings: self.settings.clone(),
            catalog: Arc::clone(&self.catalog),
        }
    }

    /// What publishing does beside publishing, for tables that nobody reads.
    fn settle(&mut self, now_ms: i64) {
        self.release_overdue(now_ms);
        self.let_go_of_old_rows();
        self.count_waits();
        self.collect_garbage(CUT, CUT);
        self.unpublished = 0;
    }
}

impl Sequencer {
    /// Has happen to a table what would happen if its log ended here and its time were up: sweeps that
    /// are due, halves of key changes that wait, rows that are too old.
    pub(crate) fn conclude(&mut self, at: usize) {
        if !self.tables[at].holding.is_empty() {
            self.release(at);
        }
        let topic = self.tables[at].identity.topic.clone();
        let Some(source) = self.source_at(at) else {
            return;
        };
        self.sources[source].discovered = true;
        for ((of, _), partition) in self.partitions.iter_mut() {
            if *of == source && partition.topic == topic {
                (partition.reached, partition.passed_snapshot) = (true, true);
            }
        }
        self.sweep_if_due(at);
        let mut before = None;
        while before != Some(self.tables[at].writer.rows()) {
            before = Some(self.tables[at].writer.rows());
            self.let_go_of_old_rows();
        }
    }
}

impl Replay {
    /// A replay that has read nothing, from one source.
    pub fn new(plan: ReplayPlan, source: &SourceSetup) -> Self {
        let settings = Settings {
            // Whoever serves the table minds what both of them take.
            memory_bytes_max: u64::MAX,
            // The table has those of the one it replaces.
            indexes: Vec::new(),
            ..plan.settings.clone()
        };
        let sources = std::slice::from_ref(source);
        let mut sequencer = Sequencer::new(settings, sources, Arc::clone(&plan.catalog));
        // Whole is only what is published.
        sequencer.gates.clear();
        let snapshots = plan.snapshots.iter().cloned();
        let snapshots = snapshots.map(|(connector, it)| ((0, connector), it));
        sequencer.snapshots = snapshots.collect();
        let topic = &plan.identity.topic;
        let mut state = TableState::new(plan.identity.clone(), plan.catalog.history(topic));
        state.prepared = sequencer.preparation(0, topic);
        state.retention = sequencer.retention_of(topic);
        indexes::add_all(&state, &plan.indexes);
        sequencer.add_table(0, state);
        assert_eq!(
            sequencer.publisher.next_cut(),
            CUT,
            "a replay publishes nothing"
        );
        Self {
            sequencer,
            plan,
            until: Targets::new(),
            unsettled: HashSet::new(),
            found: Vec::new(),
            of_another_log: HashSet::new(),
        }
    }

    /// Passes over the records of all partitions from these offsets on; of one that is not named, over all.
    pub fn stop_at(&mut self, until: Targets) {
        self.until = until;
    }

    /// Keys whose deletes are the first records that were passed over.
    pub fn take_unsettled(&mut self) -> HashSet<Box<[u8]>> {
        std::mem::take(&mut self.unsettled)
    }

    /// Partitions that were found since the last call.
    pub fn take_found(&mut self) -> Vec<PartitionFacts> {
        std::mem::take(&mut self.found)
    }

    /// Takes in what a source or a worker says.
    pub fn deliver(&mut self, mut message: ToSequencer) {
        match &mut message {
            ToSequencer::Decoded { source, batch, .. } if !self.until.is_empty() => {
                let partition = self.sequencer.partitions.get(&(*source, batch.partition));
                let until = partition.and_then(|it| self.until.get(&it.partition));
                self.pass_over(batch, until.copied().unwrap_or(NextOffset(0)));
            }
            _ => {}
        }
        let discovered = match &message {
            ToSequencer::Event {
                event: SourceEvent::Discovered(facts),
                ..
            } => Some(facts.clone()),
            _ => None,
        };
        let answer = self.sequencer.deliver(message);
        assert!(answer.is_none(), "a replay asks for no checkpoint");
        if let Some(facts) = discovered {
            self.mind_its_log(&facts);
            self.found.push(facts);
        }
    }

    /// A topic that was made anew begins with whatever came next: rows that did not change since are not in it,
    /// though no retention took anything.
    fn mind_its_log(&mut self, facts: &PartitionFacts) {
        let is_known = |id: &TopicUuid| self.plan.log.contains(id);
        let is_another = facts.topic_uuid.is_some_and(|id| !is_known(&id));
        if self.plan.log.is_empty() || !is_another || facts.retained_from.0 > 0 {
            return;
        }
        self.of_another_log.insert(facts.partition);
        let reason = format!(
            "topic {} was recreated: rows that did not change since are missing. A new full snapshot of the source mends it",
            facts.topic
        );
        if let Some(partition) = self.sequencer.partitions.get_mut(&(0, facts.id)) {
            partition.late = Some(reason.clone());
        }
        self.sequencer.tables[0].begins_late(facts.partition, reason);
    }

    /// Makes a round's end of what was delivered. Answers orders to the source.
    pub fn settle(&mut self, now_ms: i64) -> Vec<(usize, SourceOrder)> {
        self.sequencer.settle(now_ms);
        self.sequencer.take_orders()
    }

    /// Where it stands; an error if nothing can come of it.
    pub fn standing(&self) -> Result<Standing, String> {
        let table = self.table();
        if let Some(reason) = &table.stalled {
            return Err(reason.clone());
        }
        let mut partitions = self.partitions().peekable();
        let is_read = self.sequencer.is_discovered(0)
            && partitions.peek().is_some()
            && partitions.all(|partition| partition.reached);
        let is_swept = table.to_sweep().is_empty() && table.confirmation.awaited.is_none();
        if !is_read || !is_swept {
            return Ok(Standing::Reading);
        }
        let is_shortened = table.begins_late_outside(&self.of_another_log);
        match &table.incomplete {
            // That the log is another one was accepted with the order to take it.
            Some(reason) if is_shortened && !self.plan.accept_incomplete => Err(format!(
                "the log does not hold all of the table any more: {reason}; or rebuild with --accept-incomplete, and the table says from then on that rows may be missing"
            )),
            _ => Ok(Standing::AtEnd),
        }
    }

    /// Everything that is shown by these offsets would be shown by the replay's table too.
    pub fn is_past(&self, targets: &Targets) -> bool {
        targets.iter().all(|(number, target)| {
            let mut partitions = self.partitions();
            let partition = partitions.find(|partition| partition.partition == *number);
            partition.is_some_and(|partition| self.shown_next(partition) >= *target)
        })
    }

    /// An error if a log was read to its end, or not found, and does not reach as far as this.
    pub fn falls_short_of(&self, targets: &Targets) -> Result<(), String> {
        let topic = &self.plan.identity.topic;
        for (number, target) in targets {
            let partition = self.partitions().find(|it| it.partition == *number);
            match partition {
                Some(partition) if partition.reached && partition.next < *target => {
                    return Err(format!(
                        "{topic}-{number}: the checkpoint expects record {}, but the log ends at {}: it is another log",
                        target.0, partition.next.0
                    ));
                }
                None if self.sequencer.is_discovered(0) => {
                    return Err(format!("{topic}-{number} is not there any more"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Records read, and records there are to read.
    pub fn progress(&self) -> (u64, u64) {
        let mut unknown = self.plan.ends.clone();
        let (mut read, mut all) = (0, 0);
        for partition in self.partitions() {
            let end = unknown.remove(&partition.partition).unwrap_or_default();
            let (of_it, it_has) = partition.read_of(end);
            (read, all) = (read + of_it, all + it_has);
        }
        (read, all + unknown.values().sum::<u64>())
    }

    pub fn table(&self) -> &TableState {
        &self.sequencer.tables[0]
    }

    /// What keeps the source from being read.
    pub fn trouble(&self) -> Option<&str> {
        let unreachable = self.sequencer.sources[0].unreachable.as_deref();
        unreachable.or_else(|| self.partitions().find_map(PartitionState::awaits_in_vain))
    }

    /// What was made. What waits for the other half of a key change is read again.
    pub fn into_replayed(mut self) -> Replayed {
        let mut state = self.sequencer.tables.remove(0);
        let mut partitions: Vec<PartitionState> = Vec::new();
        for ((_, id), mut partition) in std::mem::take(&mut self.sequencer.partitions) {
            if let Some(floor) = state.holding.floor(id) {
                partition.back_to(NextOffset(floor));
            }
            partitions.push(partition);
        }
        state.holding = Holding::default();
        let quarantine = &self.sequencer.quarantine;
        Replayed {
            quarantined: quarantine.held().cloned().collect(),
            quarantined_count: quarantine.count(&state.identity.topic),
            partitions,
            state,
        }
    }

    fn partitions(&self) -> impl Iterator<Item = &PartitionState> {
        self.sequencer.partitions_of(0)
    }

    /// Takes everything out of a batch that is not before an offset.
    fn pass_over(&mut self, batch: &mut ChangeBatch, until: NextOffset) {
        let first = batch.changes.iter().find(|it| it.offset == until.0);
        if let Some(change) = first.filter(|it| it.kind == ChangeKind::Delete) {
            self.unsettled.insert(batch.slice(&change.key).into());
        }
        batch.changes.retain(|change| change.offset < until.0);
        batch.failures.retain(|failure| failure.offset < until.0);
        batch.notices.retain(|notice| notice.offset < until.0);
        batch.next_offset = batch.next_offset.min(until);
    }

    fn shown_next(&self, partition: &PartitionState) -> NextOffset {
        let waiting = self.table().holding.floor(partition.id);
        waiting.map_or(partition.next, |floor| {
            partition.next.min(NextOffset(floor))
        })
    }
}
