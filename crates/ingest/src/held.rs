//! Partitions of one worker that wait for a schema, with all that came of them since.
//!
//! Invariant: what is held of a partition comes out in the order it came in, and nothing of that
//! partition passes it. Their source is told to pause them, so that little more comes; until it has
//! heard of that, a worker that holds much takes in slowly ([`HeldPartitions::is_full`]).

use std::collections::{HashMap, VecDeque};

use change_feed::RegistryId;
use row_model::PartitionId;

use crate::messages::ToWorker;
use crate::settings::limits;

/// A partition of a source.
pub(crate) type Place = (usize, PartitionId);

/// What is held of one partition.
pub(crate) struct Held {
    pub schema: RegistryId,
    /// The first record of the first message that is not decoded yet.
    pub from: usize,
    /// Whoever brings schemas has been told.
    pub asked: bool,
    /// The records that wait, and what came after them.
    pub messages: VecDeque<ToWorker>,
}

#[derive(Default)]
pub(crate) struct HeldPartitions {
    by_place: HashMap<Place, Held>,
    messages: usize,
}

impl HeldPartitions {
    pub fn hold(&mut self, place: Place, held: Held) {
        self.messages += held.messages.len();
        let before = self.by_place.insert(place, held);
        assert!(before.is_none(), "a partition is held once");
    }

    /// Puts a message behind what is held of its partition; gives it back if nothing is.
    pub fn queue(&mut self, place: Place, message: ToWorker) -> Option<ToWorker> {
        let Some(held) = self.by_place.get_mut(&place) else {
            return Some(message);
        };
        held.messages.push_back(message);
        self.messages += 1;
        None
    }

    /// Takes a partition out.
    pub fn take(&mut self, place: Place) -> Option<Held> {
        let held = self.by_place.remove(&place)?;
        self.messages -= held.messages.len();
        Some(held)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut Held)> {
        self.by_place.iter_mut().map(|(place, held)| (*place, held))
    }

    pub fn is_full(&self) -> bool {
        self.messages >= limits::HELD_MESSAGES_MAX
    }
}
