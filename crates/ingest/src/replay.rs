//! Reads one topic from its log's start into a table that nobody serves.
//!
//! A replay has a sequencer of its own, which publishes nothing: all its versions are of the first
//! cut, so that they can be seen at every cut once the table is served, and none is kept that another
//! has replaced. Only the shapes are shared with the serving tables: a shape has one number.
//!
//! Plain synchronous code, as the sequencer is. Refuses checkpoints and acknowledgements.

use std::collections::BTreeMap;
use std::sync::Arc;

use row_model::{CutId, NextOffset, SchemaCatalog};
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
        self.collect_garbage(CUT);
        self.unpublished = 0;
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
        Self { sequencer, plan }
    }

    /// Takes in what a source or a worker says.
    pub fn deliver(&mut self, message: ToSequencer) {
        let answer = self.sequencer.deliver(message);
        assert!(answer.is_none(), "a replay asks for no checkpoint");
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
        match &table.incomplete {
            Some(reason) if table.begins_late_anywhere() && !self.plan.accept_incomplete => {
                Err(format!(
                    "the log does not hold all of the table any more: {reason}; or rebuild with --accept-incomplete, and the table says from then on that rows may be missing"
                ))
            }
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
        for ((_, id), mut partition) in self.sequencer.partitions.drain() {
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

    fn shown_next(&self, partition: &PartitionState) -> NextOffset {
        let waiting = self.table().holding.floor(partition.id);
        waiting.map_or(partition.next, |floor| {
            partition.next.min(NextOffset(floor))
        })
    }
}
