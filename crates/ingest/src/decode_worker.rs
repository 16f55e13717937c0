//! A decode worker: raw batches in, change batches out, in order of each partition.
//!
//! A partition whose next record needs a schema that is not at hand is held, and the others go on.
//! When the shelf has got something new, the worker looks what can go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use change_feed::{Decoded, Decoder, RegistryId, SchemaShelf, TopicContext};
use crossbeam_channel::{Receiver, Sender, never, select};
use row_model::ChangeBatch;

use crate::held::{Held, HeldPartitions, Place};
use crate::messages::{RawRecords, ToSequencer, ToWorker};
use crate::settings::limits;

/// A source as its workers know it.
pub(crate) struct DecodedSource {
    pub decoder: Box<dyn Decoder>,
    /// Messages of this source that are on their way to the sequencer, or there and not yet published.
    /// What is held is not: its partition is known to be, and the rest of the source can be quiet.
    pub in_flight: Arc<AtomicU64>,
    /// Where schemas are asked for and where they turn up, if the source has a registry.
    pub schemas: Option<(Sender<RegistryId>, Arc<SchemaShelf>)>,
}

pub(crate) struct Worker {
    out: Sender<ToSequencer>,
    sources: Vec<DecodedSource>,
    held: HeldPartitions,
}

/// Runs until nobody sends any more. `shelved` rings when a shelf has got something new.
pub(crate) fn run(
    work: &Receiver<ToWorker>,
    mut shelved: Receiver<()>,
    out: Sender<ToSequencer>,
    sources: Vec<DecodedSource>,
) {
    let mut worker = Worker {
        out,
        sources,
        held: HeldPartitions::default(),
    };
    loop {
        // Until the source has been told to pause, one message a tick goes on being taken, so that
        // what is of other partitions is not stuck behind what cannot be decoded.
        if worker.held.is_full()
            && shelved.recv_timeout(limits::TICK).is_ok()
            && worker.look().is_none()
        {
            return;
        }
        let listening = select! {
            recv(work) -> message => match message {
                Ok(message) => worker.take(message),
                Err(_) => return,
            },
            recv(shelved) -> rung => if rung.is_ok() {
                worker.look()
            } else {
                shelved = never();
                Some(())
            },
        };
        if listening.is_none() {
            return;
        }
    }
}

/// Nobody listens any more: the pipeline is ending.
type Listening<T = ()> = Option<T>;

/// Records that cannot be decoded yet, and from which on.
struct Stuck {
    records: RawRecords,
    schema: RegistryId,
    from: usize,
}

impl Worker {
    fn take(&mut self, message: ToWorker) -> Listening {
        let Some(place) = message.place() else {
            return self.pass_on(message, 0).map(|_| ());
        };
        let Some(message) = self.held.queue(place, message) else {
            self.sources[place.0]
                .in_flight
                .fetch_sub(1, Ordering::AcqRel);
            return Some(());
        };
        match self.pass_on(message, 0)? {
            Some(stuck) => self.hold(place, stuck, VecDeque::new()),
            None => Some(()),
        }
    }

    /// Lets go on whatever can.
    fn look(&mut self) -> Listening {
        let mut ready = Vec::new();
        for (place, held) in self.held.iter_mut() {
            let Some((wanted, shelf)) = &self.sources[place.0].schemas else {
                continue;
            };
            if shelf.get(held.schema).is_some() {
                ready.push(place);
            } else if !held.asked {
                held.asked = wanted.try_send(held.schema).is_ok();
            }
        }
        ready.into_iter().try_for_each(|place| self.go_on(place))
    }

    fn go_on(&mut self, place: Place) -> Listening {
        let Some(held) = self.held.take(place) else {
            return Some(());
        };
        let (mut from, mut messages) = (held.from, held.messages);
        while let Some(message) = messages.pop_front() {
            self.sends_one_more(place);
            if let Some(stuck) = self.pass_on(message, std::mem::take(&mut from))? {
                return self.hold(place, stuck, messages);
            }
        }
        self.sends_one_more(place);
        let (source, partition) = place;
        self.send(ToSequencer::Released { source, partition })
    }

    /// Holds a partition from the records on that are stuck, with what came after them.
    fn hold(&mut self, place: Place, stuck: Stuck, after: VecDeque<ToWorker>) -> Listening {
        let Stuck {
            records,
            schema,
            from,
        } = stuck;
        let (source, partition) = place;
        // Before anybody can answer: the sequencer hears of a wait before it hears what became of it.
        self.send(ToSequencer::Held {
            source,
            partition,
            schema,
        })?;
        let wanted = self.sources[source].schemas.as_ref();
        let asked = wanted.is_some_and(|(wanted, _)| wanted.try_send(schema).is_ok());
        let mut messages = after;
        messages.push_front(ToWorker::Records(records));
        let held = Held {
            schema,
            from,
            asked,
            messages,
        };
        self.held.hold(place, held);
        Some(())
    }

    /// Sends a message on its way; gives records back that are stuck. `from` is the first record
    /// that is not decoded yet.
    fn pass_on(&mut self, message: ToWorker, from: usize) -> Listening<Option<Stuck>> {
        let message = match message {
            ToWorker::Records(records) => return self.decode(records, from),
            ToWorker::End {
                source,
                partition,
                ended,
                heard,
            } => ToSequencer::End {
                source,
                partition,
                ended,
                heard,
            },
            ToWorker::Silence(silence) => ToSequencer::Silence(silence),
            ToWorker::Lost {
                source,
                partition,
                error,
            } => ToSequencer::Lost {
                source,
                partition,
                error,
            },
            ToWorker::Back { source, facts } => ToSequencer::Back { source, facts },
            ToWorker::Fenced { source, partition } => ToSequencer::Fenced { source, partition },
        };
        self.send(message)?;
        Some(None)
    }

    fn decode(&mut self, records: RawRecords, from: usize) -> Listening<Option<Stuck>> {
        let RawRecords {
            source,
            topic,
            partition,
            batch,
            heard,
        } = &records;
        let heard = *heard;
        let (source, place) = (*source, (*source, batch.partition));
        let mut changes = ChangeBatch::new(batch.partition);
        changes.bytes.reserve(batch.bytes_len() / 2);
        changes.changes.reserve(batch.len() - from);
        let context = TopicContext {
            topic,
            partition: *partition,
        };
        let decoder = &mut self.sources[source].decoder;
        let decoded = decoder.decode(context, batch, from, &mut changes);
        let Decoded::Needs {
            schema,
            from: stuck_at,
        } = decoded
        else {
            let batch = changes;
            self.send(ToSequencer::Decoded {
                source,
                batch,
                heard,
            })?;
            return Some(None);
        };
        assert!(
            (from..batch.len()).contains(&stuck_at),
            "a decoder that needs a schema says for which record"
        );
        if stuck_at > from {
            self.sends_one_more(place);
            let batch = changes;
            self.send(ToSequencer::Decoded {
                source,
                batch,
                heard,
            })?;
        }
        Some(Some(Stuck {
            records,
            schema,
            from: stuck_at,
        }))
    }

    /// One message goes to the sequencer that none came for.
    fn sends_one_more(&self, (source, _): Place) {
        self.sources[source]
            .in_flight
            .fetch_add(1, Ordering::AcqRel);
    }

    fn send(&self, message: ToSequencer) -> Listening {
        self.out.send(message).ok()
    }
}
