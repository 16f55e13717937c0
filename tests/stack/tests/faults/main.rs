//! What goes wrong around Rowtide, with real servers: while it does, what is said of freshness is true; afterwards
//! the tables equal the source's, and nobody had to do anything but what the documentation says.
//!
//! The tests stop servers that all share, so that they take turns.

mod logs;
mod outages;
mod shop;
mod snapshots;
mod witness;
mod writers;

use parking_lot::{Mutex, MutexGuard};

/// Held by the one test that runs.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock()
}
