//! Tells the polling thread which partitions have something, in the order in which they came to have it.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Rung by librdkafka's threads, which hold a queue's lock then: nothing here may call librdkafka.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// First come, first served, so that a partition that always has more cannot starve the others.
    ready: VecDeque<usize>,
    is_ready: HashSet<usize>,
    called: bool,
}

impl Bell {
    /// This partition has something.
    pub(crate) fn ring(&self, partition: usize) {
        let state = &mut *self.state.lock();
        if state.is_ready.insert(partition) {
            state.ready.push_back(partition);
            self.rung.notify_one();
        }
    }

    /// Something else happened.
    pub(crate) fn call(&self) {
        self.state.lock().called = true;
        self.rung.notify_one();
    }

    /// The next partition that has something. What comes to it from now on rings again.
    pub(crate) fn answer(&self) -> Option<usize> {
        let state = &mut *self.state.lock();
        let partition = state.ready.pop_front()?;
        state.is_ready.remove(&partition);
        Some(partition)
    }

    /// How many partitions have something.
    pub(crate) fn ready(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// Waits until it is rung or called, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut state = self.state.lock();
        let idle = |state: &mut State| state.ready.is_empty() && !state.called;
        self.rung.wait_while_for(&mut state, idle, timeout);
        state.called = false;
    }
}

#[test]
fn each_is_served_once_and_in_turn() {
    let bell = Bell::default();
    for partition in [3, 1, 3] {
        bell.ring(partition);
    }
    assert_eq!(bell.ready(), 2);
    assert_eq!(bell.answer(), Some(3));
    bell.ring(3);
    assert_eq!(
        (bell.answer(), bell.answer(), bell.answer()),
        (Some(1), Some(3), None)
    );
    bell.wait(Duration::ZERO);
    bell.call();
    bell.wait(Duration::from_hours(1));
}
