//! Drives one source: takes orders, polls, hands records to the workers of their partitions.
//!
//! Back-pressure: a worker that does not keep up makes this thread wait a moment, and then pause
//! the partitions of that worker, so that the others go on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use change_feed::{EndsQuestion, Source, SourceEvent};
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};
use row_model::PartitionId;
use table_store::Heard;
use telemetry::clock;

use crate::messages::{Ended, RawRecords, Silence, ToSequencer, ToWorker};
use crate::sequencer::SourceOrder;
use crate::settings::limits;

/// How a source's thread is connected to the rest.
pub(crate) struct SourceLinks {
    pub source: usize,
    pub orders: Receiver<SourceOrder>,
    /// Where its logs end, asked for by readers.
    pub questions: Receiver<EndsQuestion>,
    pub workers: Vec<Sender<ToWorker>>,
    pub sequencer: Sender<ToSequencer>,
    pub stop: Arc<AtomicBool>,
    /// Messages of this source that are sent and not yet part of a published cut.
    pub in_flight: Arc<AtomicU64>,
}

struct Driver {
    source: Box<dyn Source>,
    links: SourceLinks,
    topics: HashMap<PartitionId, (Arc<str>, i32)>,
    /// For each worker, what it has not taken yet; not empty only while its partitions are paused.
    waiting: Vec<VecDeque<ToWorker>>,
    paused_here: Vec<HashSet<PartitionId>>,
    /// Paused by order of the sequencer: not to be resumed when a worker catches up.
    paused_by_order: HashSet<PartitionId>,
    /// Where in what it told last the last records of each partition are.
    last_records: HashMap<PartitionId, usize>,
    said_quiet_ms: i64,
    /// Orders taken so far.
    obeyed: u64,
    /// Messages heard so far.
    heard: Heard,
    /// How far that was when silence was spoken of last, and when that was.
    silence: (Heard, i64),
    /// Of which workers all partitions were read then.
    were_read: Vec<bool>,
    /// What the source says is about a moment longer ago than it seems.
    delayed: bool,
}

/// Runs until told to stop, or until nobody listens.
pub(crate) fn run(source: Box<dyn Source>, links: SourceLinks) {
    let mut driver = Driver::new(source, links);
    let mut events = Vec::new();
    while !driver.links.stop.load(Ordering::Acquire) {
        driver.obey();
        while let Ok(question) = driver.links.questions.try_recv() {
            driver.source.ask_ends(question);
        }
        driver.hand_over();
        let asked_at_ms = clock::now_ms();
        driver.source.poll(limits::TICK, &mut events);
        let quiet = events.is_empty();
        driver.look_for_last(&events);
        for (nth, event) in events.drain(..).enumerate() {
            if driver.take(event, nth, asked_at_ms).is_none() {
                return;
            }
        }
        if quiet {
            driver.say_quiet(asked_at_ms);
        } else {
            driver.speak_of_silence(asked_at_ms);
        }
    }
}

/// Nobody listens any more: the pipeline is ending.
type Listening = Option<()>;

impl Driver {
    fn new(source: Box<dyn Source>, links: SourceLinks) -> Self {
        let workers = links.workers.len();
        Self {
            source,
            links,
            topics: HashMap::new(),
            waiting: (0..workers).map(|_| VecDeque::new()).collect(),
            paused_here: vec![HashSet::new(); workers],
            paused_by_order: HashSet::new(),
            last_records: HashMap::new(),
            said_quiet_ms: 0,
            obeyed: 0,
            heard: Heard::default(),
            silence: (Heard::default(), 0),
            were_read: vec![false; workers],
            delayed: false,
        }
    }

    fn obey(&mut self) {
        while let Ok(order) = self.links.orders.try_recv() {
            self.obeyed += 1;
            match order {
                SourceOrder::Start(partition, at) => {
                    if let Err(error) = self.source.start(partition, at) {
                        self.send(
                            ToWorker::Lost {
                                source: self.links.source,
                                partition,
                                error,
                            },
                            partition,
                        );
                    }
                }
                SourceOrder::Pause(partitions) => {
                    self.source.pause(&partitions);
                    self.paused_by_order.extend(partitions);
                }
                SourceOrder::Resume(partitions) => {
                    self.paused_by_order
                        .retain(|paused| !partitions.contains(paused));
                    // A worker that does not keep up still does not: its queue has a bound.
                    let held_back = |id: &PartitionId| {
                        self.paused_here.iter().any(|paused| paused.contains(id))
                    };
                    let resumed: Vec<PartitionId> =
                        partitions.into_iter().filter(|id| !held_back(id)).collect();
                    self.source.resume(&resumed);
                }
                SourceOrder::Fence(partition) => {
                    let source = self.links.source;
                    self.send(ToWorker::Fenced { source, partition }, partition);
                }
                SourceOrder::Acknowledge(offsets) => self.source.acknowledge(&offsets),
            }
        }
    }

    /// Of which partitions these are the last records.
    fn look_for_last(&mut self, events: &[SourceEvent]) {
        self.last_records.clear();
        for (nth, event) in events.iter().enumerate() {
            if let SourceEvent::Records(batch) = event {
                self.last_records.insert(batch.partition, nth);
            }
        }
    }

    fn take(&mut self, event: SourceEvent, nth: usize, asked_at_ms: i64) -> Listening {
        let source = self.links.source;
        match event {
            SourceEvent::Records(batch) => {
                let (topic, partition) = self.topics.get(&batch.partition)?.clone();
                let id = batch.partition;
                let heard = self.hears();
                self.send(
                    ToWorker::Records(RawRecords {
                        source,
                        topic,
                        partition,
                        batch,
                        heard,
                    }),
                    id,
                )
            }
            SourceEvent::End { partition, next } => {
                let heard = self.hears();
                let goes_on = self.last_records.get(&partition) > Some(&nth);
                let at_ms = (!goes_on).then_some(asked_at_ms);
                self.send(
                    ToWorker::End {
                        source,
                        partition,
                        ended: Ended { next, at_ms },
                        heard,
                    },
                    partition,
                )
            }
            SourceEvent::PartitionLost { partition, error } => self.send(
                ToWorker::Lost {
                    source,
                    partition,
                    error,
                },
                partition,
            ),
            SourceEvent::Discovered(facts) if self.topics.contains_key(&facts.id) => {
                let partition = facts.id;
                self.send(ToWorker::Back { source, facts }, partition)
            }
            event => {
                if let SourceEvent::Discovered(facts) = &event {
                    self.topics
                        .insert(facts.id, (facts.topic.as_str().into(), facts.partition));
                }
                if let SourceEvent::Delayed(by) = &event {
                    // Of the time before nothing is known now.
                    (self.delayed, self.silence) = (!by.is_zero(), (self.heard, 0));
                }
                self.links
                    .sequencer
                    .send(ToSequencer::Event { source, event })
                    .ok()
            }
        }
    }

    fn hears(&mut self) -> Heard {
        self.heard = Heard(self.heard.0 + 1);
        self.heard
    }

    fn send(&mut self, message: ToWorker, partition: PartitionId) -> Listening {
        let worker = partition.0 as usize % self.links.workers.len();
        self.links.in_flight.fetch_add(1, Ordering::AcqRel);
        if !self.waiting[worker].is_empty() {
            self.wait(worker, message, partition);
            return Some(());
        }
        match self.links.workers[worker].send_timeout(message, limits::WORKER_PATIENCE) {
            Ok(()) => Some(()),
            Err(SendTimeoutError::Timeout(message)) => {
                self.wait(worker, message, partition);
                Some(())
            }
            Err(SendTimeoutError::Disconnected(_)) => None,
        }
    }

    fn wait(&mut self, worker: usize, message: ToWorker, partition: PartitionId) {
        self.waiting[worker].push_back(message);
        if self.paused_here[worker].insert(partition) {
            self.source.pause(&[partition]);
        }
    }

    /// Hands over what waits for a worker, and resumes its partitions when nothing does any more.
    fn hand_over(&mut self) {
        for worker in 0..self.waiting.len() {
            while let Some(message) = self.waiting[worker].pop_front() {
                match self.links.workers[worker].try_send(message) {
                    Ok(()) => {}
                    Err(TrySendError::Full(message)) => {
                        self.waiting[worker].push_front(message);
                        break;
                    }
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
            if self.waiting[worker].is_empty() && !self.paused_here[worker].is_empty() {
                let paused = self.paused_here[worker].drain();
                let resumed: Vec<_> = paused
                    .filter(|partition| !self.paused_by_order.contains(partition))
                    .collect();
                self.source.resume(&resumed);
            }
        }
    }

    /// Tells the sequencer that there is nothing more, but only if it has seen all there was.
    fn say_quiet(&mut self, asked_at_ms: i64) {
        let all_seen = self.links.in_flight.load(Ordering::Acquire) == 0;
        if all_seen && asked_at_ms >= self.said_quiet_ms + limits::QUIET_INTERVAL_MS {
            let message = ToSequencer::Quiet {
                source: self.links.source,
                at_ms: asked_at_ms,
                obeyed: self.obeyed,
                heard: self.heard,
            };
            // A full queue means that it is not quiet after all.
            if self.links.sequencer.try_send(message).is_ok() {
                self.said_quiet_ms = asked_at_ms;
                if !self.delayed {
                    self.silence = (self.heard, asked_at_ms);
                    self.were_read.fill(true);
                }
            }
        }
    }

    /// A source that is busy with some partitions is never quiet. That nothing came of others is told by the way
    /// that their records take, and about a while ago: what they had then would have come by now.
    fn speak_of_silence(&mut self, asked_at_ms: i64) {
        let (heard, at_ms) = self.silence;
        let (least, most) = limits::SILENCE_INTERVAL_MS.into_inner();
        let interval_ms = self.topics.len() as i64 / limits::PARTITIONS_SPOKEN_OF_PER_MS;
        if self.delayed || asked_at_ms < at_ms + interval_ms.clamp(least, most) {
            return;
        }
        self.silence = (self.heard, asked_at_ms);
        let workers = self.links.workers.len();
        for worker in 0..workers {
            let is_read = self.paused_here[worker].is_empty();
            let was_read = std::mem::replace(&mut self.were_read[worker], is_read);
            if !is_read || !was_read || at_ms == 0 {
                continue;
            }
            let silence = ToWorker::Silence(Silence {
                source: self.links.source,
                worker: (worker, workers),
                heard,
                at_ms,
                obeyed: self.obeyed,
            });
            self.links.in_flight.fetch_add(1, Ordering::AcqRel);
            if self.links.workers[worker].try_send(silence).is_err() {
                self.links.in_flight.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}

#[cfg(test)]
mod tests;
