//! The threads that read: one for each source, the decode workers, and one for each registry.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{Builder, JoinHandle};

use change_feed::{RegistryId, SchemaShelf};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::decode_worker::{self, DecodedSource};
use crate::links::{Links, SourceLink};
use crate::log_ends::LogEnds;
use crate::messages::{ToSequencer, ToWorker};
use crate::quarantine_replay::LateDecoders;
use crate::schemas_thread::{self, SchemasLinks};
use crate::settings::{SourceSetup, limits};
use crate::source_thread::{self, SourceLinks};

/// Threads that deliver to one sequencer.
pub(crate) struct Readers {
    pub links: Links,
    pub log_ends: LogEnds,
    /// Decoders beside those of the workers, by source.
    pub late: Vec<LateDecoders>,
    /// Sources begin when this is dropped.
    pub go: Sender<()>,
    /// They end once they are told to stop, or nobody listens.
    pub threads: Vec<JoinHandle<()>>,
}

/// Where they deliver, and what ends them.
pub(crate) struct Delivery {
    pub out: Sender<ToSequencer>,
    pub stop: Arc<AtomicBool>,
    /// What the names of the threads begin with.
    pub name: &'static str,
}

/// What all workers have of one source.
#[derive(Default)]
struct SharedByWorkers {
    in_flight: Arc<AtomicU64>,
    schemas: Option<(Sender<RegistryId>, Arc<SchemaShelf>)>,
}

/// Starts so many decode workers and everything else that reads these sources.
pub(crate) fn start(
    mut sources: Vec<SourceSetup>,
    workers: usize,
    delivery: &Delivery,
) -> std::io::Result<Readers> {
    let (go, may_go) = bounded::<()>(0);
    let mut readers = Readers {
        links: Links::default(),
        log_ends: LogEnds::default(),
        late: Vec::new(),
        go,
        threads: Vec::new(),
    };
    let (bells, rung): (Vec<_>, Vec<_>) = (0..workers).map(|_| bounded(1)).unzip();
    let shared = start_schemas(&mut sources, &bells, &delivery.out)?;
    let workers = readers.start_workers(rung, &sources, &shared, delivery)?;
    readers.start_sources(sources, &shared, &workers, delivery, &may_go)?;
    Ok(readers)
}

impl Readers {
    /// One worker for each bell.
    fn start_workers(
        &mut self,
        bells: Vec<Receiver<()>>,
        sources: &[SourceSetup],
        shared: &[SharedByWorkers],
        delivery: &Delivery,
    ) -> std::io::Result<Vec<Sender<ToWorker>>> {
        let mut workers = Vec::new();
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
            let out = delivery.out.clone();
            let name = format!("{}-decode-{number}", delivery.name);
            self.spawn(name, move || decode_worker::run(&rx, bell, out, decoded))?;
            workers.push(tx);
        }
        Ok(workers)
    }

    /// Each source waits until nobody holds the other end of `go` any more.
    fn start_sources(
        &mut self,
        sources: Vec<SourceSetup>,
        shared: &[SharedByWorkers],
        workers: &[Sender<ToWorker>],
        delivery: &Delivery,
        go: &Receiver<()>,
    ) -> std::io::Result<()> {
        for (at, setup) in sources.into_iter().enumerate() {
            let (orders_tx, orders) = bounded(limits::SOURCE_ORDERS_MAX);
            let (questions_tx, questions) = bounded(limits::ENDS_ASKED_MAX);
            self.log_ends.push(setup.name.clone(), questions_tx);
            let in_flight = Arc::clone(&shared[at].in_flight);
            self.links
                .push(SourceLink::new(orders_tx, Arc::clone(&in_flight)));
            let links = SourceLinks {
                source: at,
                orders,
                questions,
                workers: workers.to_vec(),
                sequencer: delivery.out.clone(),
                stop: Arc::clone(&delivery.stop),
                in_flight,
            };
            self.late.push(LateDecoders {
                make: setup.decoder,
                schemas: shared[at].schemas.clone(),
                asked: BTreeSet::new(),
            });
            let go = go.clone();
            let name = format!("{}-source-{}", delivery.name, setup.name);
            self.spawn(name, move || {
                // Ends with an error, which is what it waits for: the sender is dropped.
                let _ = go.recv();
                source_thread::run(setup.source, links);
            })?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        self.threads.push(Builder::new().name(name).spawn(run)?);
        Ok(())
    }
}

/// One thread for each source that has a registry. They are not waited for at the end: one may be
/// waiting for an answer, and none holds anything that has to be finished.
fn start_schemas(
    sources: &mut [SourceSetup],
    bells: &[Sender<()>],
    to_sequencer: &Sender<ToSequencer>,
) -> std::io::Result<Vec<SharedByWorkers>> {
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
