//! Rebuilds that operators ask for: whose turn it is, how far it is, what came of each.
//!
//! One table at a time is read again, beside the one that is served ([`crate::replay`]), and takes its
//! place ([`crate::swap`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use row_model::{PartitionId, TableId};

use crate::replay::ReplayPlan;
use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// What is told of the newest rebuild of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuildReport {
    /// The table's name.
    pub table: String,
    /// Rebuilds are counted as they are asked for.
    pub number: u64,
    pub state: RebuildState,
    /// Share of the log that was read.
    pub progress: f64,
    /// Rows it has made.
    pub rows: u64,
    /// Why it failed or does not go on; what it waits for.
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildState {
    /// For another table.
    Waiting,
    Replaying,
    /// The new rows are served, and no checkpoint has them.
    Swapped,
    /// They are durable.
    Done,
    /// Nothing has changed.
    Failed,
}

/// Why a rebuild is not even begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RebuildRefused {
    pub reason: String,
    /// What would help.
    pub hint: String,
    /// It is refused only as long as the source was not reached.
    pub is_for_now: bool,
}

/// How far a replay is, as its thread tells.
#[derive(Debug, Default)]
pub(crate) struct ReplayProgress {
    pub read: AtomicU64,
    pub all: AtomicU64,
    pub rows: AtomicU64,
    pub bytes: AtomicU64,
    /// What keeps it from going on.
    pub trouble: Mutex<Option<String>>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Rebuilds {
    asked: u64,
    waiting: VecDeque<Asked>,
    pub running: Option<Running>,
    /// The newest of each table.
    told: BTreeMap<TableId, RebuildReport>,
}

#[derive(Debug)]
struct Asked {
    table: TableId,
    accept_incomplete: bool,
}

/// A rebuild whose replay runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub table: TableId,
    pub progress: Arc<ReplayProgress>,
    /// Partitions of which something may still come, once they were told to be still.
    pub fences: Option<BTreeSet<(usize, PartitionId)>>,
}

impl Sequencer {
    /// Has a table rebuilt as soon as no other is.
    pub fn ask_rebuild(
        &mut self,
        table: &str,
        accept_incomplete: bool,
    ) -> Result<RebuildReport, RebuildRefused> {
        let refused = |reason: String, hint: &str| {
            let hint = hint.to_owned();
            let is_for_now = false;
            Err(RebuildRefused {
                reason,
                hint,
                is_for_now,
            })
        };
        let named = |state: &TableState| state.identity.name == table;
        let Some(at) = self.tables.iter().position(named) else {
            let reason = format!("there is no table {table:?}");
            return refused(reason, "Ask for one that the status lists.");
        };
        let id = self.tables[at].identity.id;
        let told = self.rebuilds.told.get(&id);
        if let Some(told) = told.filter(|told| told.state.is_under_way()) {
            let reason = format!(
                "table {table} is being rebuilt already (rebuild {})",
                told.number
            );
            return refused(reason, "The status shows how far it is.");
        }
        if !self.is_discovered(at) {
            let source = &self.tables[at].identity.source;
            let reason =
                format!("source {source} has not told yet which partitions table {table} has");
            return Err(RebuildRefused {
                reason,
                hint: "Try again when the source has been reached.".to_owned(),
                is_for_now: true,
            });
        }
        if self.memory.partitions_waiting() > 0 {
            let reason = "memory.max is used up, and partitions wait for room".to_owned();
            let hint = "A rebuild holds two copies for a while: make room first.";
            return refused(reason, hint);
        }
        self.rebuilds.asked += 1;
        let report = RebuildReport {
            table: table.to_owned(),
            number: self.rebuilds.asked,
            state: RebuildState::Waiting,
            progress: 0.0,
            rows: 0,
            detail: None,
        };
        self.rebuilds.told.insert(id, report.clone());
        self.rebuilds.waiting.push_back(Asked {
            table: id,
            accept_incomplete,
        });
        Ok(report)
    }

    /// The next rebuild, if none runs.
    pub(crate) fn begin_rebuild(&mut self) -> Option<(ReplayPlan, Arc<ReplayProgress>)> {
        if self.rebuilds.running.is_some() {
            return None;
        }
        let asked = self.rebuilds.waiting.pop_front()?;
        let at = self.place_of(asked.table)?;
        let source = self.source_at(at)?;
        let plan = self.replay_plan(source, at, asked.accept_incomplete);
        let progress = Arc::new(ReplayProgress::default());
        self.rebuilds.tell(asked.table, RebuildState::Replaying);
        self.rebuilds.running = Some(Running {
            table: asked.table,
            progress: Arc::clone(&progress),
            fences: None,
        });
        tracing::info!(
            table = plan.identity.name,
            "reading the log from its start, beside the table that is served"
        );
        Some((plan, progress))
    }

    /// Nothing came of the rebuild that runs: everything stays as it was.
    pub(crate) fn rebuild_failed(&mut self, reason: &str) {
        let Some(running) = self.rebuilds.running.take() else {
            return;
        };
        if let Some(at) = self.place_of(running.table) {
            let table = &self.tables[at].identity.name;
            tracing::error!(table, reason, "not rebuilt: the table stays as it was");
            if running.fences.is_some() {
                self.unfence(at);
            }
        }
        let told = self.rebuilds.tell(running.table, RebuildState::Failed);
        if let Some(told) = told {
            told.follow(&running.progress);
            told.detail = Some(reason.to_owned());
        }
    }

    /// Why two copies of the table do not fit.
    pub(crate) fn replay_is_too_large(&self) -> Option<String> {
        let running = self.rebuilds.running.as_ref()?;
        let replay = running.progress.bytes.load(Ordering::Relaxed);
        let used = self.memory.used;
        let max = self.settings.memory_bytes_max;
        (used.saturating_add(replay) > max).then(|| {
            format!(
                "memory: while it is rebuilt the table is held twice, the tables take {used} bytes, the new one {replay} so far, and memory.max is {max}. Raise it, or rebuild offline with a higher one"
            )
        })
    }

    /// The new rows are served.
    pub(crate) fn rebuild_swapped(&mut self, running: &Running) {
        if let Some(told) = self.rebuilds.tell(running.table, RebuildState::Swapped) {
            told.follow(&running.progress);
            (told.progress, told.detail) = (1.0, None);
        }
    }

    /// A checkpoint has the rows that these tables were given.
    pub(crate) fn rebuild_durable(&mut self, tables: impl Iterator<Item = TableId>) {
        for table in tables {
            let told = self.rebuilds.told.get(&table);
            if told.is_some_and(|told| told.state == RebuildState::Swapped) {
                self.rebuilds.tell(table, RebuildState::Done);
            }
        }
    }

    /// The newest rebuild of each table.
    pub(crate) fn rebuild_reports(&self) -> Vec<RebuildReport> {
        let running = self.rebuilds.running.as_ref();
        let told = self.rebuilds.told.iter().map(|(table, told)| {
            let mut told = told.clone();
            if let Some(running) = running.filter(|running| running.table == *table) {
                told.follow(&running.progress);
            }
            told
        });
        told.collect()
    }

    pub(crate) fn place_of(&self, table: TableId) -> Option<usize> {
        let mut tables = self.tables.iter();
        tables.position(|state| state.identity.id == table)
    }

    /// The source of a table, by its place.
    pub(crate) fn source_at(&self, table: usize) -> Option<usize> {
        let name = &self.tables[table].identity.source;
        let mut sources = self.sources.iter();
        sources.position(|source| source.name == *name)
    }
}

impl Rebuilds {
    fn tell(&mut self, table: TableId, state: RebuildState) -> Option<&mut RebuildReport> {
        let told = self.told.get_mut(&table)?;
        told.state = state;
        Some(told)
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }
}

impl RebuildReport {
    fn follow(&mut self, progress: &ReplayProgress) {
        self.progress = progress.share();
        self.rows = progress.rows.load(Ordering::Relaxed);
        self.detail.clone_from(&progress.trouble.lock());
    }
}

impl ReplayProgress {
    pub fn share(&self) -> f64 {
        match self.all.load(Ordering::Relaxed) {
            0 => 0.0,
            all => self.read.load(Ordering::Relaxed) as f64 / all as f64,
        }
    }
}

impl RebuildState {
    fn is_under_way(self) -> bool {
        matches!(self, Self::Waiting | Self::Replaying)
    }
}
