//! Panics of sled's that are caught and told as errors, and must not be printed as well.
//!
//! The process's panic hook is wrapped once. Panics of all other code go to the hook there was.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread;

/// How sled names threads that write for it. If one of them panics, whoever waits for it is told.
const SLED_THREADS: &str = "sled-io-";

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls something that may panic, in silence.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> thread::Result<T> {
    static WRAPPED: Once = Once::new();
    WRAPPED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let of_sled = thread
                .name()
                .is_some_and(|name| name.starts_with(SLED_THREADS));
            if !QUIET.get() && !of_sled {
                before(panic);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    QUIET.set(outer);
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_caught_panic_is_an_answer_and_those_of_others_are_heard() {
        static HEARD: AtomicU32 = AtomicU32::new(0);
        let heard = || HEARD.load(Ordering::Relaxed);
        let own = thread::current().id();
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if thread::current().id() == own {
                HEARD.fetch_add(1, Ordering::Relaxed);
            } else {
                before(panic);
            }
        }));
        assert_eq!(caught(|| 1).ok(), Some(1));
        assert!(caught(|| -> () { panic!("inside") }).is_err());
        assert_eq!(heard(), 0);
        assert!(catch_unwind(|| -> () { panic!("outside") }).is_err());
        assert_eq!(heard(), 1);
    }
}
