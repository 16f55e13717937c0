//! What the routes answer from: the tables, the clock, and whoever knows the rest of the process.

use std::sync::{Arc, OnceLock};

use api_types::{
    CheckpointStatus, MemoryStatus, QuarantineNote, QuarantineRecord, RebuildStatus, SourceStatus,
    StartStatus, TableStages,
};
use query::json::RowShapes;
use query::relation::{Relations, World};
use table_store::{Cut, TableCut, TableStore};

use crate::feed::Feeds;
use crate::log_ends::{LogEnds, NoLogEnds};
use crate::sleepers::Sleepers;
use crate::told::{LastTold, Told};
use crate::waits::Waits;

/// Answers what no table knows. Called while a request waits: it must not block for long.
pub trait StatusProvider: Send + Sync + 'static {
    /// Where each configured source stands.
    fn sources(&self) -> Vec<SourceStatus>;

    /// The newest quarantined records, at most so many, newest first.
    fn quarantine_notes(&self, max: usize) -> Vec<QuarantineNote>;

    /// The same with their bytes; of one topic, if one is named.
    fn quarantine(&self, topic: Option<&str>, max: usize) -> Vec<QuarantineRecord>;

    /// The newest rebuild of a table that was asked for, by the table's name.
    fn rebuild(&self, table: &str) -> Option<RebuildStatus>;

    /// Where the time goes of a table that is called so, as far as its newest records tell.
    fn stages(&self, table: &str) -> Option<TableStages>;

    fn checkpoint(&self) -> CheckpointStatus;

    /// How far the start is.
    fn start(&self) -> StartStatus;

    /// What the tables take together, and what they may take.
    fn memory(&self) -> MemoryStatus;

    fn health(&self) -> Health;

    /// How much of a table has been loaded from the checkpoint, 0 to 1, if it is still being loaded
    /// and therefore in no cut. Asked with a name as a reader wrote it.
    fn starting(&self, table: &str) -> Option<f64>;
}

/// What the probes answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The pipeline makes its rounds. Never about lag, and never about Kafka: a restart would only throw a warm cache away.
    pub alive: bool,
    /// Requests can be served.
    pub ready: bool,
    /// Everything was loaded and caught up once.
    pub started: bool,
    pub checks: Vec<Check>,
}

/// One thing the probes look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub passed: bool,
    /// Why, in words; what would help, if it did not pass.
    pub detail: String,
}

/// Shared by all requests of both listeners. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<TableStore>,
    clock: fn() -> i64,
    status: Arc<dyn StatusProvider>,
    shapes: RowShapes,
    relations: Relations,
    told: LastTold,
    waits: Arc<Waits>,
    feeds: Arc<Feeds>,
    log_ends: OnceLock<Arc<dyn LogEnds>>,
    sleepers: Arc<Sleepers>,
}

impl ApiState {
    /// `clock` tells milliseconds since 1970.
    #[must_use]
    pub fn new(
        store: Arc<TableStore>,
        clock: fn() -> i64,
        status: Arc<dyn StatusProvider>,
        relations: Relations,
    ) -> Self {
        let waits = Arc::new(Waits::new(&store, clock));
        store.listen(Arc::clone(&waits) as _);
        let feeds = Arc::<Feeds>::default();
        store.listen(Arc::clone(&feeds) as _);
        let sleepers = Arc::<Sleepers>::default();
        store.listen(Arc::clone(&sleepers) as _);
        Self {
            shared: Arc::new(Shared {
                store,
                clock,
                status,
                shapes: RowShapes::default(),
                relations,
                told: LastTold::default(),
                waits,
                feeds,
                log_ends: OnceLock::new(),
                sleepers,
            }),
        }
    }

    /// The same, where sources can be asked where their logs end.
    #[must_use]
    pub fn with_log_ends(self, log_ends: Arc<dyn LogEnds>) -> Self {
        // Given once, before anything is asked.
        let _ = self.shared.log_ends.set(log_ends);
        self
    }

    pub(crate) fn log_ends(&self) -> &dyn LogEnds {
        self.shared.log_ends.get().map_or(&NoLogEnds, |it| &**it)
    }

    pub(crate) fn store(&self) -> &Arc<TableStore> {
        &self.shared.store
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.shared.clock)()
    }

    pub(crate) fn status(&self) -> &dyn StatusProvider {
        &*self.shared.status
    }

    /// How much is loaded of a table that was not found in a cut: all of it, if it is in a newer one by now.
    pub(crate) fn starting(&self, table: &str) -> Option<f64> {
        // In this order: a table is in a cut before it is no longer being loaded.
        let loading = self.status().starting(table);
        loading.or_else(|| self.store().published().table(table).ok().map(|_| 1.0))
    }

    /// Where a query's names are looked up.
    pub(crate) fn world<'a>(&'a self, cut: &'a Cut) -> World<'a> {
        World::new(cut, &self.shared.relations)
    }

    pub(crate) fn shapes(&self) -> &RowShapes {
        &self.shared.shapes
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.shared.waits
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.shared.feeds
    }

    pub(crate) fn sleepers(&self) -> &Sleepers {
        &self.shared.sleepers
    }

    /// How fresh a table of this cut is now, written out.
    pub(crate) fn told(&self, cut: &Cut, table: &Arc<TableCut>) -> Arc<Told> {
        let shared = &self.shared;
        shared.told.of(cut, table, self.shapes(), self.now_ms())
    }
}
