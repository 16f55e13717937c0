//! Brings the schemas of one source: asks the registry for each once, puts it on the shelf, tells the
//! workers, and tells the sequencer what is wrong while it cannot.
//!
//! Ends when no worker wants anything any more. It may be in the middle of a request then, which
//! nobody has to wait for: it holds nothing that must be finished.

use change_feed::{RegistryError, RegistryId};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use telemetry::{Event, SchemaEvent, clock};

use crate::messages::ToSequencer;
use crate::schema_requests::{Failed, SchemaRequests};
use crate::settings::RegistrySetup;

/// How the thread is connected to the rest.
pub(crate) struct SchemasLinks {
    pub source: usize,
    pub name: String,
    pub wanted: Receiver<RegistryId>,
    /// Bells of the workers. One that has rung already need not ring twice.
    pub workers: Vec<Sender<()>>,
    pub sequencer: Sender<ToSequencer>,
}

pub(crate) fn run(mut setup: RegistrySetup, links: &SchemasLinks) {
    let mut requests = SchemaRequests::new(setup.patience);
    loop {
        let wanted = match requests.next() {
            None => links.wanted.recv().map_err(RecvTimeoutError::from),
            Some((_, due)) => links.wanted.recv_deadline(due),
        };
        match wanted {
            Ok(id) if setup.shelf.get(id).is_some() => links.tell_workers(),
            Ok(id) => requests.want(id, clock::monotonic()),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some((id, _)) = requests.next() else {
                    continue;
                };
                if links.bring(id, &mut setup, &mut requests).is_none() {
                    return;
                }
            }
        }
    }
}

impl SchemasLinks {
    /// `None` if nobody listens any more.
    fn bring(
        &self,
        id: RegistryId,
        setup: &mut RegistrySetup,
        requests: &mut SchemaRequests,
    ) -> Option<()> {
        let (source, schema) = (self.name.as_str(), id.0);
        let error = match setup.registry.fetch(id) {
            Ok(brought) => {
                let failed = requests.brought(id, clock::monotonic());
                Event::Schema(SchemaEvent::Brought {
                    source,
                    schema,
                    failed,
                })
                .emit();
                setup.shelf.put(id, Ok(brought));
                self.tell_workers();
                return Some(());
            }
            Err(error) => error,
        };
        match requests.failed(id, &error, clock::monotonic(), fastrand::f64()) {
            Failed::AskAgain { first_time } => {
                Event::Schema(SchemaEvent::NotBrought {
                    source,
                    error: &error,
                    first_time,
                })
                .emit();
                let told = ToSequencer::SchemaAwaited {
                    source: self.source,
                    schema: id,
                    reason: in_words(&error),
                };
                return self.sequencer.send(told).ok();
            }
            Failed::GiveUp => {
                Event::Schema(SchemaEvent::GivenUp {
                    source,
                    error: &error,
                })
                .emit();
                setup.shelf.put(id, Err(error.to_string()));
                self.tell_workers();
            }
        }
        Some(())
    }

    fn tell_workers(&self) {
        for worker in &self.workers {
            let _ = worker.try_send(());
        }
    }
}

/// What readers of a table that waits are told.
fn in_words(error: &RegistryError) -> String {
    let (registry, id, reason, what_then) = match error {
        RegistryError::Unavailable {
            registry,
            id,
            reason,
        } => (registry, id, reason, "asked again until it answers"),
        RegistryError::Unknown {
            registry,
            id,
            reason,
        } => (
            registry,
            id,
            reason,
            "asked again a few times, in case it is late, before the records that need it are put aside",
        ),
    };
    format!(
        "waits for schema {} of the schema registry {registry}: {reason}; {what_then}",
        id.0
    )
}
