//! The checkpoint's thread: makes what it is given durable, and the store small again when it has grown.
//!
//! It gives way to all other threads. Where they leave no time, checkpoints take longer, and so each holds
//! the changes of more: less work in all, and what a crash costs to read again is read at full speed.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};
use telemetry::clock;

use crate::checkpoints::Pending;
use crate::messages::{CheckpointAnswer, FromStore, Rewritten, ToSequencer};
use crate::sequencer_thread::SharedStore;

/// Runs until nobody has work any more.
pub(crate) fn run(
    work: &Receiver<Pending>,
    answers: &Sender<ToSequencer>,
    store: &SharedStore,
    stop: &AtomicBool,
) {
    checkpoint_store::give_way();
    for pending in work {
        let began = clock::monotonic();
        let result = pending.commit(&mut **store.write());
        let due = pending.scrub && result.is_ok();
        let scrubbed = due.then(|| store.write().scrub());
        let took = clock::monotonic() - began;
        let space = store.read().space();
        // Who stops is not kept waiting: it is as due at the next start.
        let rewrites = result.is_ok()
            && scrubbed.is_none()
            && !stop.load(Ordering::Acquire)
            && store.read().is_overgrown();
        let answer = Box::new(CheckpointAnswer {
            pending,
            result,
            scrubbed,
            took,
            space,
            rewrites,
        });
        if answers
            .send(ToSequencer::Store(FromStore::Checkpoint(answer)))
            .is_err()
        {
            return;
        }
        if rewrites {
            let rewritten = Box::new(rewrite(store, space.disk_bytes));
            if answers
                .send(ToSequencer::Store(FromStore::Rewritten(rewritten)))
                .is_err()
            {
                return;
            }
        }
    }
}

/// The checkpoint before is durable and answered: nothing waits for this but the next one.
fn rewrite(store: &SharedStore, from_bytes: u64) -> Rewritten {
    let began = clock::monotonic();
    let result = store.write().scrub();
    Rewritten {
        result,
        took: clock::monotonic() - began,
        from_bytes,
        space: store.read().space(),
    }
}
