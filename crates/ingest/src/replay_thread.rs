//! The threads of a replay, and how the sequencer's thread deals with them.
//!
//! A replay has a source of its own, decode workers of its own and a thread for its sequencer. It tells
//! what became of it, and is told where the serving table stands; the sequencer's thread looks in on
//! every round, and never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use telemetry::clock;

use crate::indexes;
use crate::links::Links;
use crate::messages::ToSequencer;
use crate::readers::{self, Delivery, Readers};
use crate::rebuilds::ReplayProgress;
use crate::replay::{Replay, ReplayPlan, Replayed, Standing, Targets};
use crate::sequencer::Sequencer;
use crate::settings::{SourceSetup, limits};
use crate::tables::TableState;

/// Opens a source anew, by its name, so that it reads one topic. In words, why it cannot.
pub type Reopen = Arc<dyn Fn(&str, &str) -> Result<SourceSetup, String> + Send + Sync>;

/// A replay's decode workers: those of the serving tables have the rest of the machine.
const WORKERS: usize = 1;

/// What comes of a replay.
enum News {
    AtEnd,
    Done(Box<Replayed>),
    Failed(String),
}

/// What a replay is told.
enum Told {
    /// To come so far, and then to end.
    Targets(Targets),
    /// What was replaced, to be let go of: that takes time.
    Old(Box<TableState>),
}

/// The sequencer thread's end.
pub(crate) struct Replays {
    reopen: Reopen,
    running: Option<Link>,
}

struct Link {
    news: Receiver<News>,
    told: Sender<Told>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    /// What it was told last.
    targets: Option<Targets>,
    /// Let go of by the replay once no new reader can find it.
    old: Option<Box<TableState>>,
}

impl Replays {
    pub fn new(reopen: Reopen) -> Self {
        Self {
            reopen,
            running: None,
        }
    }

    /// Looks in on the replay that runs, or begins the next one. To be called between two cuts.
    pub fn mind(&mut self, sequencer: &mut Sequencer) {
        let Some(mut link) = self.running.take() else {
            self.begin(sequencer);
            return;
        };
        if let Some(old) = link.old.take() {
            let _ = link.told.send(Told::Old(old));
            return;
        }
        if let Some(reason) = sequencer.replay_is_too_large() {
            link.stop.store(true, Ordering::Release);
            return sequencer.rebuild_failed(&reason);
        }
        let has_ended = link.thread.is_finished();
        match link.news.try_recv() {
            Ok(News::AtEnd) => sequencer.fence(),
            Ok(News::Failed(reason)) => return sequencer.rebuild_failed(&reason),
            Ok(News::Done(replayed)) => match sequencer.swap(*replayed) {
                Ok(old) => {
                    link.old = Some(Box::new(old));
                    let builds = indexes::start_builds(sequencer.take_index_builds());
                    if let Err(error) = builds {
                        tracing::error!(%error, "no thread to build indexes");
                    }
                }
                Err(reason) => return sequencer.rebuild_failed(&reason),
            },
            Err(_) if has_ended => {
                return sequencer.rebuild_failed("its thread has ended: see the log");
            }
            Err(_) => {}
        }
        // Again when they change: of a topic that was made anew, one partition after the other is given up.
        if let Some(targets) = sequencer.replay_targets()
            && link.targets.as_ref() != Some(&targets)
            && link.told.try_send(Told::Targets(targets.clone())).is_ok()
        {
            link.targets = Some(targets);
        }
        self.running = Some(link);
    }

    fn begin(&mut self, sequencer: &mut Sequencer) {
        let Some((plan, progress)) = sequencer.begin_rebuild() else {
            return;
        };
        match start(plan, Arc::clone(&self.reopen), progress) {
            Ok(link) => self.running = Some(link),
            Err(error) => sequencer.rebuild_failed(&format!("cannot start a thread: {error}")),
        }
    }

    /// Ends the replay that runs, and waits until its threads are done.
    pub fn end(&mut self) {
        let Some(Link {
            news, stop, thread, ..
        }) = self.running.take()
        else {
            return;
        };
        stop.store(true, Ordering::Release);
        drop(news);
        join(vec![thread]);
    }
}

/// The replay's end.
pub(crate) struct Runner {
    pub replay: Replay,
    progress: Arc<ReplayProgress>,
    inbox: Receiver<ToSequencer>,
    links: Links,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

fn start(plan: ReplayPlan, reopen: Reopen, progress: Arc<ReplayProgress>) -> std::io::Result<Link> {
    let (news_tx, news) = bounded(2);
    let (told_tx, told) = bounded(2);
    let stop = Arc::new(AtomicBool::new(false));
    let to_stop = Arc::clone(&stop);
    let run = move || match Runner::start(plan, &reopen, progress, to_stop) {
        Ok(runner) => runner.run(&news_tx, &told),
        Err(reason) => {
            let _ = news_tx.send(News::Failed(reason));
        }
    };
    Ok(Link {
        news,
        told: told_tx,
        stop,
        thread: Builder::new()
            .name("rowtide-replay".to_owned())
            .spawn(run)?,
        targets: None,
        old: None,
    })
}

impl Runner {
    /// Opens the source, and starts what reads it.
    pub fn start(
        plan: ReplayPlan,
        reopen: &Reopen,
        progress: Arc<ReplayProgress>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let source = reopen(&plan.identity.source, &plan.identity.topic)?;
        let replay = Replay::new(plan, &source);
        let (out, inbox) = bounded(limits::QUEUED_BATCHES_MAX * WORKERS);
        let delivery = Delivery {
            out,
            stop: Arc::clone(&stop),
            name: "rowtide-replay",
        };
        let readers = readers::start(vec![source], WORKERS, &delivery);
        let Readers {
            links, go, threads, ..
        } = readers.map_err(|error| format!("cannot start a thread: {error}"))?;
        drop(go);
        Ok(Self {
            replay,
            progress,
            inbox,
            links,
            threads,
            stop,
        })
    }

    fn run(mut self, news: &Sender<News>, told: &Receiver<Told>) {
        let came = self.read(news, told);
        let is_done = matches!(came, Some(Ok(())));
        let (replay, threads) = self.end();
        let _ = match came {
            Some(Ok(())) => news.send(News::Done(Box::new(replay.into_replayed()))),
            Some(Err(reason)) => news.send(News::Failed(reason)),
            None => Ok(()),
        };
        join(threads);
        if is_done && let Ok(Told::Old(old)) = told.recv() {
            drop(old);
        }
    }

    /// Ends the threads that read, without waiting for them, and gives out what was made.
    pub fn end(self) -> (Replay, Vec<JoinHandle<()>>) {
        let Self {
            replay,
            inbox,
            threads,
            stop,
            ..
        } = self;
        stop.store(true, Ordering::Release);
        // Who waits to deliver more learns that nobody listens.
        drop(inbox);
        (replay, threads)
    }

    /// Takes in one message, if there is one soon, and tells how far it is.
    pub fn round(&mut self) -> Result<(), String> {
        match self.inbox.recv_timeout(limits::TICK) {
            Ok(message) => {
                self.links.handles(&message);
                self.replay.deliver(message);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err("what reads the log has ended: see the log".to_owned());
            }
        }
        let orders = self.replay.settle(clock::now_ms());
        self.links.published();
        self.links.dispatch(orders);
        self.tell_progress();
        Ok(())
    }

    /// Reads until the replay may take the table's place; `None` if it is not wanted any more.
    fn read(&mut self, news: &Sender<News>, told: &Receiver<Told>) -> Option<Result<(), String>> {
        let (mut was_at_end, mut targets) = (false, None);
        while !self.stop.load(Ordering::Acquire) {
            if let Err(reason) = self.round() {
                return Some(Err(reason));
            }
            match self.replay.standing() {
                Err(reason) => return Some(Err(reason)),
                Ok(Standing::AtEnd) if !was_at_end => {
                    was_at_end = true;
                    news.send(News::AtEnd).ok()?;
                }
                Ok(_) => {}
            }
            if let Ok(Told::Targets(wanted)) = told.try_recv() {
                targets = Some(wanted);
            }
            if targets
                .as_ref()
                .is_some_and(|targets| self.replay.is_past(targets))
            {
                return Some(Ok(()));
            }
        }
        None
    }

    fn tell_progress(&self) {
        let (read, all) = self.replay.progress();
        let table = self.replay.table();
        let set = |place: &AtomicU64, value| place.store(value, Ordering::Relaxed);
        set(&self.progress.read, read);
        set(&self.progress.all, all);
        set(&self.progress.rows, table.writer.rows());
        set(&self.progress.bytes, table.memory_now().total() as u64);
        let trouble = self.replay.trouble();
        let mut told = self.progress.trouble.lock();
        if told.as_deref() != trouble {
            *told = trouble.map(str::to_owned);
        }
    }
}

/// Waits until threads that were ended are done.
pub(crate) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of a replay ended in a panic");
        }
    }
}
