//! The thread that looks through many waiters, so that the writer need not.

use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};
use table_store::TableStore;
use telemetry::clock;

use super::register::Register;

/// It rests for so many times as long as it looked: it never takes more than a fifth of one processor.
const REST: u32 = 4;

/// What the thread shares with those that have work for it.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Locked for a look through few waiters, to collect many, to become one of them and to leave.
    pub register: Mutex<Register>,
    pub rung: Condvar,
}

/// Starts the thread. It ends when the register is told to, or the tables are gone.
pub(super) fn start(
    watched: &Arc<Watched>,
    store: Weak<TableStore>,
    now_ms: fn() -> i64,
) -> std::io::Result<()> {
    let watched = Arc::clone(watched);
    let thread = std::thread::Builder::new().name("rowtide-waits".to_owned());
    thread.spawn(move || watch(&watched, &store, now_ms))?;
    Ok(())
}

fn watch(watched: &Watched, store: &Weak<TableStore>, now_ms: fn() -> i64) {
    let mut register = watched.register.lock();
    loop {
        while !register.ended && !register.is_anything_due() {
            watched.rung.wait(&mut register);
        }
        if register.ended {
            return;
        }
        let due = register.take_due();
        drop(register);
        let Some(store) = store.upgrade() else {
            return;
        };
        let started = clock::monotonic();
        // Newer than what rang, or the same: whoever is satisfied by either may go.
        let cut = store.published();
        drop(store);
        let now_ms = now_ms();
        for waiter in &due {
            waiter.wake_if_settled(&cut, now_ms);
        }
        drop((due, cut));
        let rested = clock::monotonic() + clock::monotonic().duration_since(started) * REST;
        register = watched.register.lock();
        while !register.ended && clock::monotonic() < rested {
            watched.rung.wait_until(&mut register, rested);
        }
    }
}
