//! Runs the pipeline: the threads, the channels between them, and the loop around the sequencer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use change_feed::SourceEvent;
use checkpoint_store::{CheckpointError, CheckpointStore, Committed};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::RwLock;
use row_model::SchemaCatalog;
use table_store::TableStore;
use telemetry::{Event, clock};

use crate::checkpoints::Pending;
use crate::decode_worker::{self, ToSequencer, ToWorker};
use crate::sequencer::{Sequencer, SourceOrder};
use crate::settings::{Settings, SourceSetup, limits};
use crate::source_thread::{self, SourceLinks};
use crate::status::{CheckpointState, StatusBoard};

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

/// A running pipeline. Dropping it stops it.
pub struct Pipeline {
    store: Arc<TableStore>,
    board: Arc<StatusBoard>,
    stop: Arc<AtomicBool>,
    failed: Receiver<PipelineError>,
    threads: Vec<JoinHandle<()>>,
}

/// What came of a checkpoint.
pub(crate) struct CheckpointAnswer {
    pending: Pending,
    result: Result<Committed, CheckpointError>,
    took: Duration,
}

type SharedStore = Arc<RwLock<Box<dyn CheckpointStore>>>;

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
        let facts: Vec<_> =
            sources.iter().map(|setup| (setup.name.clone(), setup.kind, setup.on_bad_record, setup.ends)).collect();
        let sequencer = Sequencer::new(settings, &facts, catalog);
        let store = Arc::clone(sequencer.store());
        let board = Arc::new(StatusBoard::default());
        board.update(|report| report.running = true);
        let stop = Arc::new(AtomicBool::new(false));
        let (failed_tx, failed) = bounded(1);

        let mut threads = Vec::new();
        let workers = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, limits::DECODE_WORKERS_MAX);
        let (to_sequencer, inbox) = bounded(limits::QUEUED_BATCHES_MAX * workers);
        let to_workers = start_workers(workers, &sources, &to_sequencer, &mut threads)?;
        let (checkpoint_tx, checkpoint_rx) = bounded::<Pending>(1);
        let checkpoints: SharedStore = Arc::new(RwLock::new(checkpoints));
        let (disk, answers) = (Arc::clone(&checkpoints), to_sequencer.clone());
        let name = "rowtide-checkpoint".to_owned();
        threads.push(Builder::new().name(name).spawn(move || write_checkpoints(&checkpoint_rx, &answers, &disk))?);

        // Sources begin when the checkpoint is loaded: until then nobody could say where.
        let (go_tx, go) = bounded::<()>(0);
        let mut links = Vec::new();
        for (at, setup) in sources.into_iter().enumerate() {
            let (orders_tx, orders) = bounded(limits::SOURCE_ORDERS_MAX);
            let in_flight = Arc::new(AtomicU64::new(0));
            links.push(SourceLink { orders: orders_tx, in_flight: Arc::clone(&in_flight), backlog: Vec::new() });
            let source_links = SourceLinks {
                source: at,
                orders,
                workers: to_workers.clone(),
                sequencer: to_sequencer.clone(),
                stop: Arc::clone(&stop),
                in_flight,
            };
            let (go, name) = (go.clone(), format!("rowtide-source-{}", setup.name));
            threads.push(Builder::new().name(name).spawn(move || {
                // The sender is dropped, without a word, when the time has come.
                let _ = go.recv();
                source_thread::run(setup.source, source_links);
            })?);
        }
        let mut running = Running {
            sequencer,
            checkpoints,
            checkpoint_out: Some(checkpoint_tx),
            inbox,
            links,
            board: Arc::clone(&board),
            stop: Arc::clone(&stop),
            handled: HashMap::new(),
            checkpoint_in_flight: false,
            checkpointed_at: clock::monotonic(),
            reported_ms: 0,
        };
        drop((to_sequencer, to_workers));
        threads.push(Builder::new().name("rowtide-sequencer".to_owned()).spawn(move || {
            let _stopped = SaysStopped(Arc::clone(&running.board));
            match running.load() {
                Ok(()) => {
                    drop(go_tx);
                    running.run();
                }
                Err(error) => {
                    running.stop.store(true, Ordering::Release);
                    let _ = failed_tx.send(error);
                }
            }
        })?);
        Ok(Self { store, board, stop, failed, threads })
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

    /// Tells if and why the pipeline gave up.
    #[must_use]
    pub fn failed(&self) -> &Receiver<PipelineError> {
        &self.failed
    }

    /// Stops reading, makes a last checkpoint, and waits until all threads are done.
    pub fn stop(mut self) {
        self.end();
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

fn start_workers(
    workers: usize,
    sources: &[SourceSetup],
    to_sequencer: &Sender<ToSequencer>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<Vec<Sender<ToWorker>>, PipelineError> {
    let mut to_workers = Vec::new();
    for number in 0..workers {
        let (tx, rx) = bounded(limits::QUEUED_BATCHES_MAX);
        let mut decoders: Vec<_> = sources.iter().map(|setup| (setup.decoder)()).collect();
        let out = to_sequencer.clone();
        let name = format!("rowtide-decode-{number}");
        threads.push(Builder::new().name(name).spawn(move || decode_worker::run(&rx, &out, &mut decoders))?);
        to_workers.push(tx);
    }
    Ok(to_workers)
}

fn write_checkpoints(work: &Receiver<Pending>, answers: &Sender<ToSequencer>, store: &SharedStore) {
    for pending in work {
        let began = clock::monotonic();
        let result = store.write().commit(&pending.checkpoint);
        let took = clock::monotonic() - began;
        if answers.send(ToSequencer::Checkpoint(Box::new(CheckpointAnswer { pending, result, took }))).is_err() {
            return;
        }
    }
}

/// A source's thread as the sequencer reaches it.
struct SourceLink {
    orders: Sender<SourceOrder>,
    in_flight: Arc<AtomicU64>,
    /// Orders that found the channel full.
    backlog: Vec<SourceOrder>,
}

/// The sequencer's thread.
struct Running {
    sequencer: Sequencer,
    checkpoints: SharedStore,
    /// `None` once the last checkpoint has been made.
    checkpoint_out: Option<Sender<Pending>>,
    inbox: Receiver<ToSequencer>,
    links: Vec<SourceLink>,
    board: Arc<StatusBoard>,
    stop: Arc<AtomicBool>,
    /// Messages handled since the last cut, by source.
    handled: HashMap<usize, u64>,
    checkpoint_in_flight: bool,
    checkpointed_at: Instant,
    reported_ms: i64,
}

impl Running {
    fn load(&mut self) -> Result<(), PipelineError> {
        let store = self.checkpoints.read();
        let board = &self.board;
        if self.sequencer.settings.volatile {
            board.update(|report| report.checkpoint.state = CheckpointState::Volatile);
        }
        let progress = |loading| board.update(|report| report.loading = loading);
        let loaded = self.sequencer.load(&**store, clock::now_ms, progress);
        loaded.map_err(|error| PipelineError::Load(error.to_string()))
    }

    fn run(&mut self) {
        loop {
            let ended = match self.inbox.recv_timeout(limits::TICK) {
                Ok(message) => {
                    self.handle(message);
                    self.drain();
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.publish();
            self.report();
            // The checkpoint thread holds the last sender: it ends when it gets no more work.
            let stopping = self.stop.load(Ordering::Acquire) && self.inbox.is_empty() && !self.checkpoint_in_flight;
            if ended || stopping {
                return self.finish();
            }
            self.checkpoint_if_due();
        }
    }

    /// Handles what is waiting, up to a cut's worth.
    fn drain(&mut self) {
        while self.sequencer.unpublished() < limits::CUT_CHANGES_MAX {
            let Ok(message) = self.inbox.try_recv() else { return };
            self.handle(message);
        }
    }

    fn handle(&mut self, message: ToSequencer) {
        let from = match &message {
            ToSequencer::Decoded { source, .. } | ToSequencer::End { source, .. } | ToSequencer::Lost { source, .. } => {
                Some(*source)
            }
            _ => None,
        };
        if let Some(source) = from {
            *self.handled.entry(source).or_default() += 1;
        }
        match message {
            ToSequencer::Decoded { source, batch } => self.sequencer.apply(source, &batch),
            ToSequencer::End { source, partition, next } => self.sequencer.reached_end(source, partition, next),
            ToSequencer::Lost { source, partition, error } => self.sequencer.partition_lost(source, partition, &error),
            ToSequencer::Quiet { source, at_ms } => self.sequencer.quiet(source, at_ms),
            ToSequencer::Checkpoint(answer) => self.checkpoint_answer(*answer),
            ToSequencer::Event { source, event } => match event {
                SourceEvent::Discovered(facts) => self.sequencer.discovered(source, facts),
                SourceEvent::DiscoveryComplete => self.sequencer.discovery_complete(source),
                SourceEvent::Unavailable(error) => self.sequencer.unavailable(source, &error),
                SourceEvent::Available => self.sequencer.available(source),
                SourceEvent::Unreadable { place, reason } => self.sequencer.unreadable(source, &place, &reason),
                SourceEvent::Records(_) | SourceEvent::End { .. } | SourceEvent::PartitionLost { .. } => {
                    unreachable!("goes through the worker of its partition")
                }
            },
        }
    }

    fn publish(&mut self) {
        self.sequencer.publish(clock::now_ms());
        for (source, handled) in self.handled.drain() {
            self.links[source].in_flight.fetch_sub(handled, Ordering::AcqRel);
        }
        for (source, order) in self.sequencer.take_orders() {
            self.links[source].backlog.push(order);
        }
        for link in &mut self.links {
            let sent = link.backlog.iter().take_while(|order| link.orders.try_send((*order).clone()).is_ok()).count();
            link.backlog.drain(..sent);
        }
    }

    fn checkpoint_if_due(&mut self) {
        let due = clock::monotonic() - self.checkpointed_at >= self.sequencer.settings.checkpoint_interval;
        if due && !self.checkpoint_in_flight {
            self.begin_checkpoint();
        }
    }

    fn begin_checkpoint(&mut self) {
        self.checkpointed_at = clock::monotonic();
        let Some(out) = &self.checkpoint_out else { return };
        let pending = self.sequencer.begin_checkpoint(&**self.checkpoints.read());
        if let Some(pending) = pending {
            self.checkpoint_in_flight = out.send(pending).is_ok();
        }
    }

    fn checkpoint_answer(&mut self, answer: CheckpointAnswer) {
        self.checkpoint_in_flight = false;
        let volatile = self.sequencer.settings.volatile;
        match answer.result {
            Ok(committed) => {
                Event::CheckpointWritten { took: answer.took, rows: committed.rows }.emit();
                self.sequencer.checkpoint_done(answer.pending);
                self.board.update(|report| {
                    report.checkpoint.state = if volatile { CheckpointState::Volatile } else { CheckpointState::Ok };
                    report.checkpoint.last_ms = Some(clock::now_ms());
                    report.checkpoint.sequence = committed.sequence;
                });
            }
            Err(error) => {
                Event::CheckpointFailed { error: &error }.emit();
                self.sequencer.checkpoint_failed(answer.pending);
                self.board.update(|report| report.checkpoint.state = CheckpointState::Failing(error.to_string()));
            }
        }
    }

    fn report(&mut self) {
        let now_ms = clock::now_ms();
        let idle = self.inbox.is_empty();
        if idle || now_ms >= self.reported_ms + limits::STATUS_INTERVAL_MS {
            self.reported_ms = now_ms;
            let sequencer = &mut self.sequencer;
            self.board.update(|report| sequencer.report(report));
        }
    }

    /// The last checkpoint, and the end of the checkpoint thread.
    fn finish(&mut self) {
        if !self.checkpoint_in_flight {
            self.begin_checkpoint();
        }
        self.checkpoint_out = None;
        // Answers come until the checkpoint thread, the last to hold a sender, has ended.
        while self.checkpoint_in_flight {
            match self.inbox.recv() {
                Ok(message) => self.handle(message),
                Err(_) => return,
            }
        }
        self.report();
    }
}
