//! Starts and stops the pipeline: its threads and the channels between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use change_feed::{RegistryId, SchemaShelf};
use checkpoint_store::CheckpointStore;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::RwLock;
use row_model::SchemaCatalog;
use table_store::TableStore;
use telemetry::clock;

use crate::attempts::Attempts;
use crate::checkpoints::Pending;
use crate::control::{self, Control};
use crate::decode_worker::{self, DecodedSource};
use crate::indexes;
use crate::messages::{CheckpointAnswer, ToSequencer, ToWorker};
use crate::schemas_thread::{self, SchemasLinks};
use crate::sequencer::Sequencer;
use crate::sequencer_thread::{SequencerThread, SharedStore, SourceLink};
use crate::settings::{Settings, SourceSetup, limits};
use crate::source_thread::{self, SourceLinks};
use crate::status::{MemoryReport, StatusBoard};

/// Why the pipeline cannot go on at all.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The checkpoint is there and cannot be used.
    #[error("{0}. Delete the data directory to rebuild everything from the log")]
    Load(String),
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What all workers have of one source.
#[derive(Default)]
struct SharedByWorkers {
    in_flight: Arc<AtomicU64>,
    schemas: Option<(Sender<RegistryId>, Arc<SchemaShelf>)>,
}

/// A running pipeline. Dropping it stops it.
pub struct Pipeline {
    store: Arc<TableStore>,
    board: Arc<StatusBoard>,
    stop: Arc<AtomicBool>,
    failed: Receiver<PipelineError>,
    control: Control,
    threads: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts all threads. Tables appear in [`store`](Self::store) as they are loaded and read.
    ///
    /// # Errors
    /// If a thread cannot be started. A checkpoint that cannot be loaded is told by [`failed`](Self::failed).
    pub fn start(
        settings: Settings,
        catalog: Arc<SchemaCatalog>,
        mut sources: Vec<SourceSetup>,
        checkpoints: Box<dyn CheckpointStore>,
    ) -> Result<Self, PipelineError> {
        let sequencer = Sequencer::new(settings, &sources, catalog);
        let (failed_tx, failed) = bounded(1);
        let (control, requests) = control::channel();
        let mut pipeline = Self {
            store: Arc::clone(sequencer.store()),
            board: Arc::new(StatusBoard::default()),
            stop: Arc::new(AtomicBool::new(false)),
            failed,
            control,
            threads: Vec::new(),
        };
        pipeline.board.update(|report| report.running = true);

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.clamp(1, limits::DECODE_WORKERS_MAX);
        let (to_sequencer, inbox) = bounded(limits::QUEUED_BATCHES_MAX * workers);
        let (bells, rung): (Vec<_>, Vec<_>) = (0..workers).map(|_| bounded(1)).unzip();
        let decoded = start_schemas(&mut sources, &bells, &to_sequencer)?;
        let to_workers = pipeline.start_workers(rung, &sources, &decoded, &to_sequencer)?;
        let checkpoints: SharedStore = Arc::new(RwLock::new(checkpoints));
        let checkpoint_out = pipeline.start_checkpoints(&checkpoints, &to_sequencer)?;
        // Sources begin when the checkpoint is loaded: until then nobody could say where.
        let (go_tx, go) = bounded::<()>(0);
        let links = pipeline.start_sources(sources, &decoded, &to_workers, &to_sequencer, &go)?;

        let thread = SequencerThread {
            sequencer,
            checkpoints,
            checkpoint_out: Some(checkpoint_out),
            inbox,
            requests,
            links,
            board: Arc::clone(&pipeline.board),
            stop: Arc::clone(&pipeline.stop),
            checkpoint_in_flight: false,
            checkpointed_at: clock::monotonic(),
            attempts: Attempts::default(),
            memory_told: MemoryReport::default(),
            reported_ms: 0,
            news: true,
        };
        pipeline.spawn("rowtide-sequencer", move || {
            run_sequencer(thread, go_tx, &failed_tx);
        })?;
        Ok(pipeline)
    }

    /// Where readers find the tables.
    #[must_use]
    pub fn store(&self) -> &Arc<TableStore> {
        &self.store
    }

    #[must_use]
    pub fn board(&self) -> &Arc<StatusBoard> {
        &self.board
    }

    /// Asks the pipeline for things while it runs.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Tells if and why the pipeline gave up.
    #[must_use]
    pub fn failed(&self) -> &Receiver<PipelineError> {
        &self.failed
    }

    /// Stops reading, makes a last checkpoint, and waits until all threads are done.
    pub fn stop(mut self) {
        self.end();
    }

    /// One worker for each bell.
    fn start_workers(
        &mut self,
        bells: Vec<Receiver<()>>,
        sources: &[SourceSetup],
        shared: &[SharedByWorkers],
        to_sequencer: &Sender<ToSequencer>,
    ) -> Result<Vec<Sender<ToWorker>>, PipelineError> {
        let mut to_workers = Vec::new();
        for (number, bell) in bells.into_iter().enumerate() {
            let (tx, rx) = bounded(limits::QUEUED_BATCHES_MAX);
            let decoded = sources.iter().zip(shared);
            let decoded: Vec<_> = decoded
                .map(|(setup, shared)| DecodedSource {
                    decoder: (setup.decoder)(),
                    in_flight: Arc::clone(&shared.in_flight),
                    schemas: shared.schemas.clone(),
                })
                .collect();
            let out = to_sequencer.clone();
            let name = format!("rowtide-decode-{number}");
            self.spawn(&name, move || decode_worker::run(&rx, bell, out, decoded))?;
            to_workers.push(tx);
        }
        Ok(to_workers)
    }

    fn start_checkpoints(
        &mut self,
        store: &SharedStore,
        to_sequencer: &Sender<ToSequencer>,
    ) -> Result<Sender<Pending>, PipelineError> {
        let (tx, rx) = bounded(1);
        let (store, answers) = (Arc::clone(store), to_sequencer.clone());
        self.spawn("rowtide-checkpoint", move || {
            write_checkpoints(&rx, &answers, &store);
        })?;
        Ok(tx)
    }

    /// Each source waits until nobody holds the other end of `go` any more.
    fn start_sources(
        &mut self,
        sources: Vec<SourceSetup>,
        shared: &[SharedByWorkers],
        to_workers: &[Sender<ToWorker>],
        to_sequencer: &Sender<ToSequencer>,
        go: &Receiver<()>,
    ) -> Result<Vec<SourceLink>, PipelineError> {
        let mut all = Vec::new();
        for (at, setup) in sources.into_iter().enumerate() {
            let (orders_tx, orders) = bounded(limits::SOURCE_ORDERS_MAX);
            let in_flight = Arc::clone(&shared[at].in_flight);
            all.push(SourceLink::new(orders_tx, Arc::clone(&in_flight)));
            let links = SourceLinks {
                source: at,
                orders,
                workers: to_workers.to_vec(),
                sequencer: to_sequencer.clone(),
                stop: Arc::clone(&self.stop),
                in_flight,
            };
            let go = go.clone();
            let name = format!("rowtide-source-{}", setup.name);
            self.spawn(&name, move || {
                // Ends with an error, which is what it waits for: the sender is dropped.
                let _ = go.recv();
                source_thread::run(setup.source, links);
            })?;
        }
        Ok(all)
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), PipelineError> {
        self.threads
            .push(Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the pipeline ended in a panic");
            }
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.end();
    }
}

/// One thread for each source that has a registry. They are not waited for at the end: one may be
/// waiting for an answer, and none holds anything that has to be finished.
fn start_schemas(
    sources: &mut [SourceSetup],
    bells: &[Sender<()>],
    to_sequencer: &Sender<ToSequencer>,
) -> Result<Vec<SharedByWorkers>, PipelineError> {
    let mut all = Vec::new();
    for (at, setup) in sources.iter_mut().enumerate() {
        let mut shared = SharedByWorkers::default();
        if let Some(registry) = setup.registry.take() {
            let (wanted_tx, wanted) = bounded(limits::SCHEMAS_WANTED_MAX);
            shared.schemas = Some((wanted_tx, Arc::clone(&registry.shelf)));
            let links = SchemasLinks {
                source: at,
                name: setup.name.clone(),
                wanted,
                workers: bells.to_vec(),
                sequencer: to_sequencer.clone(),
            };
            let name = format!("rowtide-schemas-{}", setup.name);
            Builder::new()
                .name(name)
                .spawn(move || schemas_thread::run(registry, &links))?;
        }
        all.push(shared);
    }
    Ok(all)
}

/// Whatever way the sequencer ends, the board says so.
struct SaysStopped(Arc<StatusBoard>);

impl Drop for SaysStopped {
    fn drop(&mut self) {
        self.0.update(|report| report.running = false);
    }
}

fn run_sequencer(mut thread: SequencerThread, go: Sender<()>, failed: &Sender<PipelineError>) {
    let _stopped = SaysStopped(Arc::clone(&thread.board));
    match thread.load() {
        Ok(()) => {
            drop(go);
            let builds = thread.sequencer.take_index_builds();
            match indexes::start_builds(builds) {
                Ok(()) => thread.run(),
                Err(error) => {
                    let _ = failed.send(error.into());
                }
            }
        }
        Err(error) => {
            thread.stop.store(true, Ordering::Release);
            let _ = failed.send(error);
        }
    }
}

fn write_checkpoints(work: &Receiver<Pending>, answers: &Sender<ToSequencer>, store: &SharedStore) {
    for pending in work {
        let began = clock::monotonic();
        let result = pending.commit(&mut **store.write());
        let due = pending.scrub && result.is_ok();
        let scrubbed = due.then(|| store.write().scrub());
        let took = clock::monotonic() - began;
        let answer = Box::new(CheckpointAnswer {
            pending,
            result,
            scrubbed,
            took,
        });
        if answers.send(ToSequencer::Checkpoint(answer)).is_err() {
            return;
        }
    }
}
