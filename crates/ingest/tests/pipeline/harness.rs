//! A pipeline with its threads between a log in memory and a disk that fails on command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, SchemaShelf};
use checkpoint_store::MemoryDisk;
use debezium_decoder::{ColumnRules, DebeziumDecoder, HashKey, Placeholder};
use ingest::{
    GivenTable, LogEnds, OnBadRecord, PartitionReport, Pipeline, Preparation, Preparations,
    Quarantined, RebuildReport, RebuildState, RegistryPatience, RegistrySetup, Settings,
    SourceSetup, StatusReport, Verify,
};
use parking_lot::{Condvar, Mutex};
use row_model::{CutId, SchemaCatalog};
use table_store::{Cut, ReadState, TableCut, TableFacts};
use testkit::connector::{Connector, read_row};
use testkit::faulty_store::{Fault, Faults, open_faulty};
use testkit::scripted_registry::ScriptedRegistry;
use testkit::scripted_source::ScriptedLog;

use crate::framed::FramedDecoder;

/// The connector of tests that need but one run of it.
pub const CONNECTOR: Connector = Connector { run: 1 };

/// A checkpoint interval: none before the last one.
pub const NEVER: Duration = Duration::MAX;

/// As patient as the real one, and much faster.
pub const PATIENCE: RegistryPatience = RegistryPatience {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
    unknown_attempts: 4,
};

/// A condition is looked at this often, and given up after so many looks: twenty seconds at least.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOKS_MAX: u32 = 10_000;

/// What outlives a process: the log, the disk, and how the process is set up.
pub struct Site {
    pub log: ScriptedLog,
    pub disk: MemoryDisk,
    pub faults: Faults,
    pub settings: Settings,
    pub on_bad_record: OnBadRecord,
    pub batch_records_max: usize,
    pub gate: Gate,
    /// The same for replays.
    pub replay_gate: Gate,
    /// What config says of one topic's columns.
    pub rules: Option<Rules>,
    /// Without one, no record needs a schema.
    pub registry: Option<ScriptedRegistry>,
    /// The topic of the source's heartbeat table.
    pub heartbeat_table: Option<String>,
}

/// Rules for the columns of a topic, as config has them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub topic: &'static str,
    pub drop: Vec<String>,
    pub hash: Vec<String>,
    pub secret: &'static str,
    pub types: Vec<(&'static str, &'static str)>,
}

impl Rules {
    fn columns(&self) -> ColumnRules {
        let types = self.types.iter().map(|(column, name)| {
            let hint = name.parse().expect("a type's name");
            ((*column).to_owned(), hint)
        });
        let key = HashKey::new(self.secret).ok();
        ColumnRules::new(
            self.drop.clone(),
            self.hash.clone(),
            key.as_ref(),
            types.collect(),
        )
    }

    fn preparation(&self) -> Preparation {
        let types = self.types.iter();
        Preparation {
            drop: self.drop.iter().cloned().collect(),
            hash: self.hash.iter().cloned().collect(),
            hash_key: (!self.hash.is_empty()).then(|| self.secret.to_owned()),
            types: types
                .map(|(column, name)| ((*column).to_owned(), (*name).to_owned()))
                .collect(),
            ..Preparation::default()
        }
    }
}

impl Default for Site {
    fn default() -> Self {
        Self {
            log: ScriptedLog::new(),
            disk: MemoryDisk::default(),
            faults: Faults::default(),
            settings: Settings {
                tables: Vec::new(),
                checkpoint_interval: Duration::ZERO,
                volatile: false,
                memory_bytes_max: u64::MAX,
                versions_max: ingest::VersionsMax::default(),
                quarantine_bytes_max: 1 << 20,
                preparations: Preparations::default(),
                unserved: Vec::new(),
                transactions: Vec::new(),
                keep: Vec::new(),
                indexes: Vec::new(),
            },
            on_bad_record: OnBadRecord::Quarantine,
            batch_records_max: 16,
            gate: Gate::default(),
            replay_gate: Gate::default(),
            rules: None,
            registry: None,
            heartbeat_table: None,
        }
    }
}

impl Site {
    pub fn give_name(&mut self, name: &str, topic: &str) {
        self.settings.tables.push(GivenTable {
            name: name.to_owned(),
            topic: topic.to_owned(),
        });
    }

    pub fn start(&self) -> Running {
        let catalog = Arc::new(SchemaCatalog::default());
        let source = self.opener(&catalog, self.gate.clone(), false)("s", "");
        let reopen = self.opener(&catalog, self.replay_gate.clone(), true);
        let store = open_faulty(&self.disk, &self.faults).expect("the disk holds a checkpoint");
        let settings = self.prepared();
        let source = source.expect("a log in memory can be opened");
        let pipeline = Pipeline::start_rebuildable(
            settings,
            catalog,
            vec![source],
            Box::new(store),
            Arc::new(reopen),
        );
        Running {
            release: Release {
                faults: self.faults.clone(),
                gates: [self.gate.clone(), self.replay_gate.clone()],
            },
            pipeline: pipeline.expect("threads can be started"),
        }
    }

    fn prepared(&self) -> Settings {
        let rules = self.rules.clone().unwrap_or_default();
        let preparations = Preparations::new(move |_, of| {
            if of == rules.topic {
                rules.preparation()
            } else {
                Preparation::default()
            }
        });
        Settings {
            preparations,
            ..self.settings.clone()
        }
    }

    /// Loads the checkpoint to compare its tables with the log.
    pub fn verify(&self) -> Verify {
        let catalog = Arc::new(SchemaCatalog::default());
        let source = self.opener(&catalog, self.gate.clone(), false)("s", "");
        let reopen = self.opener(&catalog, self.replay_gate.clone(), true);
        let store = open_faulty(&self.disk, &self.faults).expect("the disk holds a checkpoint");
        let sources = [source.expect("a log in memory can be opened")];
        let loaded = Verify::load(self.prepared(), &sources, catalog, &store, Arc::new(reopen));
        loaded.expect("the checkpoint can be loaded")
    }

    /// Opens the source, for all topics or for one.
    fn opener(
        &self,
        catalog: &Arc<SchemaCatalog>,
        gate: Gate,
        of_one: bool,
    ) -> impl Fn(&str, &str) -> Result<SourceSetup, String> + Send + Sync + use<> {
        let (log, registry, catalog) =
            (self.log.clone(), self.registry.clone(), Arc::clone(catalog));
        let rules = self.rules.clone().unwrap_or_default();
        let heartbeat_table = self.heartbeat_table.clone();
        let (batch_records_max, on_bad_record) = (self.batch_records_max, self.on_bad_record);
        move |name: &str, topic: &str| {
            let (schemas, gate, columns) = (
                Arc::clone(&catalog),
                gate.clone(),
                Arc::new(rules.columns()),
            );
            let ruled = rules.topic;
            let shelf = Arc::new(SchemaShelf::default());
            let registry = registry.clone().map(|registry| RegistrySetup {
                registry: Box::new(registry),
                shelf: Arc::clone(&shelf),
                patience: PATIENCE,
            });
            let decoder = move || -> Box<dyn Decoder> {
                let inner = DebeziumDecoder::new(Arc::clone(&schemas), Placeholder::default())
                    .with_columns(ruled, Arc::clone(&columns));
                let inner = FramedDecoder {
                    inner,
                    shelf: Arc::clone(&shelf),
                };
                Box::new(GatedDecoder {
                    inner,
                    gate: gate.clone(),
                })
            };
            let source = log.waiting_source(batch_records_max);
            Ok(SourceSetup {
                name: name.to_owned(),
                kind: "kafka",
                source: Box::new(if of_one { source.only(topic) } else { source }),
                decoder: Box::new(decoder),
                registry,
                on_bad_record,
                heartbeat_table: heartbeat_table.clone(),
                ends: false,
            })
        }
    }
}

/// A process. Dropping it lets it make its last checkpoint.
pub struct Running {
    /// Dropped first: a pipeline whose disk is stuck waits for it for ever.
    #[expect(dead_code, reason = "it acts when it is dropped")]
    release: Release,
    pub pipeline: Pipeline,
}

struct Release {
    faults: Faults,
    gates: [Gate; 2],
}

impl Drop for Release {
    fn drop(&mut self) {
        self.faults.release();
        self.gates.iter().for_each(Gate::open);
    }
}

impl Running {
    /// Waits until a condition holds. The one place that waits.
    pub fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let (mutex, never) = (Mutex::new(()), Condvar::new());
        for _ in 0..LOOKS_MAX {
            if condition(self) {
                return;
            }
            never.wait_for(&mut mutex.lock(), LOOK_EVERY);
        }
        let report = self.report(Clone::clone);
        let tables = self.cut().tables().to_vec();
        panic!("waited in vain until {what}: {report:#?} {tables:#?}");
    }

    pub fn until_live(&self, table: &str) {
        self.until(&format!("{table} is live"), |running| {
            running.state(table) == Some(ReadState::Live)
        });
    }

    /// Waits until a table holds exactly these rows.
    pub fn until_rows(&self, table: &str, rows: &[(i64, &str)]) {
        let wanted = expected(rows);
        self.until(&format!("{table} holds {rows:?}"), |running| {
            running.rows(table) == wanted
        });
    }

    /// Ends the process so that its last checkpoint is lost, and whatever was not flushed.
    pub fn crash(self, site: &Site) {
        site.faults.after(0, Fault::CrashLosing);
        drop(self);
    }

    pub fn cut(&self) -> Arc<Cut> {
        self.pipeline.store().published()
    }

    pub fn table(&self, name: &str) -> Option<Arc<TableCut>> {
        self.cut().table(name).ok().cloned()
    }

    pub fn facts(&self, name: &str) -> Option<Arc<TableFacts>> {
        self.table(name).map(|table| Arc::clone(&table.facts))
    }

    pub fn state(&self, name: &str) -> Option<ReadState> {
        self.facts(name).map(|facts| facts.state)
    }

    /// The rows of a table in one cut; none if there is no such table.
    pub fn rows(&self, name: &str) -> BTreeMap<i64, String> {
        let cut = self.pipeline.store().pin();
        cut.table(name)
            .map_or_else(|_| BTreeMap::new(), |table| rows_of(table, cut.id))
    }

    pub fn report<R>(&self, read: impl FnOnce(&StatusReport) -> R) -> R {
        self.pipeline.board().read(read)
    }

    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionReport> {
        self.report(|report| {
            let mut all = report.sources.iter().flat_map(|source| &source.partitions);
            all.find(|report| report.topic == topic && report.partition == partition)
                .cloned()
        })
    }

    /// Asks for a rebuild, and answers its number.
    pub fn rebuild(&self, table: &str, accept_incomplete: bool) -> u64 {
        let asked = self.pipeline.control().rebuild(table, accept_incomplete);
        asked.expect("it can be rebuilt").number
    }

    /// What is told of the newest rebuild of a table.
    pub fn rebuilt(&self, table: &str) -> Option<RebuildReport> {
        self.report(|report| {
            let mut all = report.rebuilds.iter();
            all.find(|rebuild| rebuild.table == table).cloned()
        })
    }

    /// Waits until the newest rebuild of a table is over, and answers why it failed, if it did.
    pub fn until_rebuilt(&self, table: &str) -> Result<(), String> {
        let mut end = None;
        self.until(&format!("the rebuild of {table} is over"), |running| {
            end = running
                .rebuilt(table)
                .and_then(|report| match report.state {
                    RebuildState::Done => Some(Ok(())),
                    RebuildState::Failed => Some(Err(report.detail.unwrap_or_default())),
                    _ => None,
                });
            end.is_some()
        });
        end.expect("it was waited for")
    }

    pub fn log_ends(&self) -> &LogEnds {
        self.pipeline.log_ends()
    }

    pub fn quarantine(&self) -> Vec<Quarantined> {
        self.report(|report| report.quarantine.clone())
    }
}

pub fn rows_of(table: &TableCut, cut: CutId) -> BTreeMap<i64, String> {
    let mut rows = BTreeMap::new();
    let schemas = table.table.schemas();
    table
        .table
        .visit(cut, |version| rows.extend(read_row(version, schemas)));
    rows
}

pub fn expected(rows: &[(i64, &str)]) -> BTreeMap<i64, String> {
    rows.iter().map(|(id, v)| (*id, (*v).to_owned())).collect()
}

/// Holds decode workers up while it is closed. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn close(&self) {
        *self.0.0.lock() = true;
    }

    pub fn open(&self) {
        *self.0.0.lock() = false;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut closed = self.0.0.lock();
        while *closed {
            self.0.1.wait(&mut closed);
        }
    }
}

struct GatedDecoder {
    inner: FramedDecoder,
    gate: Gate,
}

impl Decoder for GatedDecoder {
    fn decode(
        &mut self,
        context: change_feed::TopicContext<'_>,
        batch: &change_feed::RawBatch,
        from: usize,
        out: &mut row_model::ChangeBatch,
    ) -> change_feed::Decoded {
        self.gate.pass();
        self.inner.decode(context, batch, from, out)
    }
}
