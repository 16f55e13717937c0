//! The sequencer's thread: takes what comes, publishes, dispatches orders, makes checkpoints when they are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use checkpoint_store::{CheckpointStore, Space};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::RwLock;
use telemetry::{CheckpointEvent, Event, StoreEvent, clock};

use crate::PipelineError;
use crate::attempts::Attempts;
use crate::checkpoints::Pending;
use crate::control::Request;
use crate::links::Links;
use crate::messages::{CheckpointAnswer, FromStore, Rewritten, ToSequencer};
use crate::quarantine_replay::LateDecoders;
use crate::replay_thread::Replays;
use crate::sequencer::Sequencer;
use crate::settings::limits;
use crate::start_progress::{StartMeter, StartPhase};
use crate::status::{CheckpointState, MemoryReport, StatusBoard, TableLoading};

/// Between two looks at where the time goes.
const STAGES_INTERVAL_MS: i64 = 1_000;

/// The store, shared with the thread that writes: it is read only while no checkpoint is on its way.
pub(crate) type SharedStore = Arc<RwLock<Box<dyn CheckpointStore>>>;

/// The sequencer and everything its thread works with.
pub(crate) struct SequencerThread {
    pub sequencer: Sequencer,
    pub checkpoints: SharedStore,
    /// `None` once the last checkpoint has been made.
    pub checkpoint_out: Option<Sender<Pending>>,
    pub inbox: Receiver<ToSequencer>,
    pub requests: Receiver<Request>,
    pub links: Links,
    pub replays: Replays,
    /// Decoders for what was put aside, by source.
    pub late: Vec<LateDecoders>,
    pub board: Arc<StatusBoard>,
    pub stop: Arc<AtomicBool>,
    pub checkpoint_in_flight: bool,
    /// When the last one was begun, or came back as failed.
    pub checkpointed_at: Instant,
    pub attempts: Attempts,
    pub reported_ms: i64,
    pub stages_told_ms: i64,
    pub start_meter: StartMeter,
    pub memory_told: MemoryReport,
    /// Something has happened since the last report.
    pub news: bool,
}

impl SequencerThread {
    /// Takes up what the checkpoint holds.
    pub fn load(&mut self) -> Result<(), PipelineError> {
        let store = self.checkpoints.read();
        let board = &self.board;
        if self.sequencer.settings.volatile {
            board.update(|report| report.checkpoint.state = CheckpointState::Volatile);
        }
        let (meter, mut all) = (&mut self.start_meter, 0);
        let progress = |loading: Vec<TableLoading>| {
            let left = |table: &TableLoading| table.rows_max as f64 * (1.0 - table.progress);
            let left = loading.iter().map(left).sum::<f64>() as u64;
            all = all.max(left);
            let start = meter.measure(clock::now_ms(), StartPhase::Loading, all - left, Some(all));
            board.update(|report| (report.loading, report.start) = (loading, start));
        };
        let loaded = self.sequencer.load(&**store, clock::now_ms, progress);
        self.sequencer.tell_if_loaded_beyond_the_limit();
        Ok(loaded?)
    }

    /// Runs until told to stop, and makes a last checkpoint.
    pub fn run(&mut self) {
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
            self.obey();
            self.mind_replays();
            self.publish();
            self.report();
            self.report_stages();
            // The checkpoint thread holds the last sender: it ends when it gets no more work.
            let stopping = self.stop.load(Ordering::Acquire)
                && self.inbox.is_empty()
                && !self.checkpoint_in_flight;
            if ended || stopping {
                return self.finish();
            }
            self.checkpoint_if_due();
        }
    }

    /// Handles what is waiting, up to a cut's worth.
    fn drain(&mut self) {
        while self.sequencer.unpublished() < limits::CUT_CHANGES_MAX {
            let Ok(message) = self.inbox.try_recv() else {
                return;
            };
            self.handle(message);
        }
    }

    /// Does what operators ask for.
    fn obey(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            self.news = true;
            let now_ms = clock::now_ms();
            self.sequencer
                .obey(request, &self.board, &mut self.late, now_ms);
        }
    }

    fn mind_replays(&mut self) {
        // Also how the last one ended is news.
        self.news |= !self.sequencer.rebuilds.is_idle();
        self.replays.mind(&mut self.sequencer);
    }

    fn handle(&mut self, message: ToSequencer) {
        self.news |= !matches!(message, ToSequencer::Quiet { .. });
        self.links.handles(&message);
        match self.sequencer.deliver(message) {
            Some(FromStore::Checkpoint(answer)) => self.checkpoint_answer(*answer),
            Some(FromStore::Rewritten(rewritten)) => self.rewritten(&rewritten),
            None => {}
        }
    }

    fn publish(&mut self) {
        self.sequencer.publish(clock::now_ms());
        self.links.published();
        self.links.dispatch(self.sequencer.take_orders());
    }

    fn checkpoint_if_due(&mut self) {
        let interval = self.sequencer.settings.checkpoint_interval;
        let pause = self.attempts.pause(interval);
        let due = clock::monotonic() - self.checkpointed_at >= pause;
        if due && !self.checkpoint_in_flight {
            self.begin_checkpoint();
        }
    }

    /// Whether there is one on its way now.
    fn begin_checkpoint(&mut self) -> bool {
        self.checkpointed_at = clock::monotonic();
        let Some(out) = &self.checkpoint_out else {
            return false;
        };
        let pending = if self.attempts.anew() {
            Some(self.sequencer.begin_checkpoint_anew())
        } else {
            let store = self.checkpoints.read();
            self.sequencer.begin_checkpoint(&**store)
        };
        if let Some(pending) = pending {
            self.checkpoint_in_flight = out.send(pending).is_ok();
            let now_ms = clock::now_ms();
            self.board
                .update(|report| report.checkpoint.writing_since_ms = Some(now_ms));
        }
        self.checkpoint_in_flight
    }

    fn checkpoint_answer(&mut self, answer: CheckpointAnswer) {
        self.checkpoint_in_flight = answer.rewrites;
        self.tell_space(answer.space);
        let now_ms = clock::now_ms();
        self.board
            .update(|report| report.checkpoint.writing_since_ms = None);
        let volatile = self.sequencer.settings.volatile;
        if let Some(scrubbed) = answer.scrubbed {
            self.sequencer.scrubbed(scrubbed);
        }
        match answer.result {
            Ok(committed) => {
                Event::Checkpoint(CheckpointEvent::Written {
                    took: answer.took,
                    rows: committed.rows,
                })
                .emit();
                self.attempts.succeeded(answer.took, now_ms);
                self.sequencer.checkpoint_done(answer.pending);
                self.board.update(|report| {
                    report.checkpoint.state = if volatile {
                        CheckpointState::Volatile
                    } else {
                        CheckpointState::Ok
                    };
                    report.checkpoint.last_ms = Some(now_ms);
                    report.checkpoint.sequence = committed.sequence;
                });
            }
            Err(error) => {
                // From now: a disk that takes minutes to fail is left alone for as long as any other.
                self.checkpointed_at = clock::monotonic();
                self.attempts.failed(&error, now_ms);
                self.sequencer.checkpoint_failed(answer.pending);
                let trouble = self.attempts.trouble().cloned();
                self.board.update(|report| {
                    let trouble = trouble.map(CheckpointState::Failing);
                    report.checkpoint.state = trouble.unwrap_or_default();
                });
            }
        }
    }

    fn rewritten(&mut self, rewritten: &Rewritten) {
        self.checkpoint_in_flight = false;
        match &rewritten.result {
            Ok(()) => Event::Store(StoreEvent::Rewritten {
                took: rewritten.took,
                from_bytes: rewritten.from_bytes,
                to_bytes: rewritten.space.disk_bytes,
            })
            .emit(),
            Err(error) => Event::Store(StoreEvent::NotRewritten { error }).emit(),
        }
        self.tell_space(rewritten.space);
    }

    fn tell_space(&self, space: Space) {
        telemetry::record_store(space.disk_bytes, space.live_bytes);
        self.board.update(|report| report.checkpoint.space = space);
    }

    fn report(&mut self) {
        // What readers let go of makes room without a message.
        let memory = self.sequencer.memory_report();
        self.news |= std::mem::replace(&mut self.memory_told, memory) != memory;
        if !self.news {
            return;
        }
        let now_ms = clock::now_ms();
        let idle = self.inbox.is_empty();
        if idle || now_ms >= self.reported_ms + limits::STATUS_INTERVAL_MS {
            (self.reported_ms, self.news) = (now_ms, false);
            let sequencer = &mut self.sequencer;
            let (phase, (done, total)) = sequencer.catching_up();
            let start = self.start_meter.measure(now_ms, phase, done, total);
            self.board.update(|report| {
                sequencer.report(report);
                report.start = start;
            });
        }
    }

    /// Also without news: a minute that is over is not the last minute any more.
    fn report_stages(&mut self) {
        let now_ms = clock::now_ms();
        if (self.stages_told_ms..self.stages_told_ms + STAGES_INTERVAL_MS).contains(&now_ms) {
            return;
        }
        self.stages_told_ms = now_ms;
        let stages = self.sequencer.stage_reports(now_ms);
        self.board.update(|report| report.stages = stages);
    }

    /// The last checkpoint, and the end of the checkpoint thread.
    fn finish(&mut self) {
        self.replays.end();
        while self.checkpoint_in_flight || self.begin_checkpoint() {
            // Answers come until the checkpoint thread, the last to hold a sender, has ended.
            while self.checkpoint_in_flight {
                match self.inbox.recv() {
                    Ok(message) => self.handle(message),
                    Err(_) => return,
                }
            }
            // What failed may have left half of itself in a damaged store, which the next start refuses.
            if !self.attempts.may_mend() {
                break;
            }
        }
        self.checkpoint_out = None;
        self.report();
    }
}
