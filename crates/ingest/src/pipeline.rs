//! Starts and stops the pipeline: its threads and the channels between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use checkpoint_store::CheckpointStore;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::RwLock;
use row_model::SchemaCatalog;
use table_store::TableStore;

use crate::attempts::Attempts;
use crate::checkpoint_thread;
use crate::checkpoints::Pending;
use crate::control::{self, Control};
use crate::indexes;
use crate::loading::LoadError;
use crate::log_ends::LogEnds;
use crate::messages::ToSequencer;
use crate::readers::{self, Delivery, Readers};
use crate::replay_thread::{Reopen, Replays};
use crate::sequencer::Sequencer;
use crate::sequencer_thread::{SequencerThread, SharedStore};
use crate::settings::{Settings, SourceSetup, limits};
use crate::start_progress::StartMeter;
use crate::status::{MemoryReport, StatusBoard};

/// Why the pipeline cannot go on at all.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The checkpoint is there and cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running pipeline. Dropping it stops it.
pub struct Pipeline {
    store: Arc<TableStore>,
    board: Arc<StatusBoard>,
    stop: Arc<AtomicBool>,
    failed: Receiver<PipelineError>,
    control: Control,
    log_ends: LogEnds,
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
        sources: Vec<SourceSetup>,
        checkpoints: Box<dyn CheckpointStore>,
    ) -> Result<Self, PipelineError> {
        let reopen: Reopen = Arc::new(|source, _| {
            Err(format!(
                "source {source} cannot be opened a second time here"
            ))
        });
        Self::start_rebuildable(settings, catalog, sources, checkpoints, reopen)
    }

    /// The same, so that tables can be rebuilt while it runs: `reopen` opens sources anew for that.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_rebuildable(
        settings: Settings,
        catalog: Arc<SchemaCatalog>,
        sources: Vec<SourceSetup>,
        checkpoints: Box<dyn CheckpointStore>,
        reopen: Reopen,
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
            log_ends: LogEnds::default(),
            threads: Vec::new(),
        };
        pipeline.board.update(|report| report.running = true);

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.clamp(1, limits::DECODE_WORKERS_MAX);
        let (to_sequencer, inbox) = bounded(limits::QUEUED_BATCHES_MAX * workers);
        let checkpoints: SharedStore = Arc::new(RwLock::new(checkpoints));
        let checkpoint_out = pipeline.start_checkpoints(&checkpoints, &to_sequencer)?;
        let delivery = Delivery {
            out: to_sequencer,
            stop: Arc::clone(&pipeline.stop),
            name: "rowtide",
        };
        let Readers {
            links,
            log_ends,
            late,
            go,
            threads,
        } = readers::start(sources, workers, &delivery)?;
        pipeline.threads.extend(threads);
        pipeline.log_ends = log_ends;
        drop(delivery);

        let thread = SequencerThread {
            sequencer,
            checkpoints,
            checkpoint_out: Some(checkpoint_out),
            inbox,
            requests,
            links,
            replays: Replays::new(reopen),
            late,
            board: Arc::clone(&pipeline.board),
            stop: Arc::clone(&pipeline.stop),
            checkpoint_in_flight: false,
            checkpointed_at: telemetry::clock::monotonic(),
            attempts: Attempts::default(),
            memory_told: MemoryReport::default(),
            reported_ms: 0,
            stages_told_ms: 0,
            start_meter: StartMeter::default(),
            news: true,
        };
        pipeline.spawn("rowtide-sequencer", move || {
            // Sources begin when the checkpoint is loaded: until then nobody could say where.
            run_sequencer(thread, go, &failed_tx);
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

    /// Asks sources where their logs end.
    #[must_use]
    pub fn log_ends(&self) -> &LogEnds {
        &self.log_ends
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

    fn start_checkpoints(
        &mut self,
        store: &SharedStore,
        to_sequencer: &Sender<ToSequencer>,
    ) -> Result<Sender<Pending>, PipelineError> {
        let (tx, rx) = bounded(1);
        let (store, answers) = (Arc::clone(store), to_sequencer.clone());
        let stop = Arc::clone(&self.stop);
        self.spawn("rowtide-checkpoint", move || {
            checkpoint_thread::run(&rx, &answers, &store, &stop);
        })?;
        Ok(tx)
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
