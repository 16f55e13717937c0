//! Decides when a store has grown so far past what it holds that it is written anew. Pure: numbers, no IO.
//!
//! sled reuses the places of what was replaced, but never gives any back, and fills them unevenly. A new
//! copy is small; making it needs room for both, and as much writing as everything takes. So it is made
//! only where that frees much, and not again before the store has grown by half.

use crate::limits::{REGROWTH_PERCENT_MIN, SPACE_BYTES_FREE, SPACE_PERCENT_MAX};

/// What a store takes of its medium, and what of that is of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Taken of the disk; 0 where there is none.
    pub disk_bytes: u64,
    /// Rows and notes, each once and as they are in memory.
    pub live_bytes: u64,
    /// How often this process has written everything anew.
    pub rewrites: u64,
}

/// What is remembered of the times when everything was written anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rewrites {
    pub count: u64,
    /// What the store took after the last time, or when the last attempt failed.
    last_bytes: u64,
}

impl Rewrites {
    /// Whether writing everything anew is worth it, where so much of the medium is free.
    pub fn is_due(self, space: Space, free_bytes: u64) -> bool {
        let Space {
            disk_bytes,
            live_bytes,
            ..
        } = space;
        disk_bytes > SPACE_BYTES_FREE
            && disk_bytes > percent(live_bytes, SPACE_PERCENT_MAX)
            && disk_bytes > percent(self.last_bytes, REGROWTH_PERCENT_MIN)
            && free_bytes > percent(live_bytes, SPACE_PERCENT_MAX)
    }

    pub fn done(&mut self, disk_bytes: u64) {
        self.count += 1;
        self.last_bytes = disk_bytes;
    }

    pub fn failed(&mut self, disk_bytes: u64) {
        self.last_bytes = disk_bytes;
    }
}

fn percent(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: u64 = 1 << 20;

    fn is_due(rewrites: Rewrites, disk: u64, live: u64, free: u64) -> bool {
        let space = Space {
            disk_bytes: disk * MEGABYTE,
            live_bytes: live * MEGABYTE,
            rewrites: 0,
        };
        rewrites.is_due(space, free * MEGABYTE)
    }

    #[test]
    fn it_is_due_past_the_factor_and_with_room_for_the_copy() {
        let never = Rewrites::default();
        assert!(!is_due(never, 249, 100, 1_000));
        assert!(is_due(never, 251, 100, 1_000));
        assert!(!is_due(never, 251, 100, 249));
        // So little that nobody minds.
        assert!(!is_due(never, 60, 1, 1_000));
    }

    #[test]
    fn what_did_not_help_is_not_done_at_once_again() {
        let mut rewrites = Rewrites::default();
        rewrites.done(240 * MEGABYTE);
        assert!(!is_due(rewrites, 300, 100, 1_000));
        assert!(is_due(rewrites, 361, 100, 1_000));
        rewrites.failed(361 * MEGABYTE);
        assert!(!is_due(rewrites, 400, 100, 1_000));
        assert!(is_due(rewrites, 542, 100, 1_000));
        assert_eq!(rewrites.count, 1);
    }
}
