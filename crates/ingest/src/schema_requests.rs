//! Which schema is asked for when. Pure: no registry, clock or thread.
//!
//! Invariant: a schema that the registry could not give is asked for again for as long as somebody
//! waits for it; only one that the registry says it does not have is given up, and not at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use change_feed::{RegistryError, RegistryId};

use crate::settings::RegistryPatience;

/// Schemas that are wanted and not there yet, each once.
pub(crate) struct SchemaRequests {
    patience: RegistryPatience,
    open: BTreeMap<RegistryId, Request>,
}

struct Request {
    /// Attempts that failed, and how many of the last ones found that there is no such schema.
    failed: u32,
    unknown: u32,
    due: Instant,
}

/// What is done after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is asked for again.
    AskAgain { first_time: bool },
    /// The registry has said often enough that it has no such schema.
    GiveUp,
}

impl SchemaRequests {
    pub fn new(patience: RegistryPatience) -> Self {
        Self {
            patience,
            open: BTreeMap::new(),
        }
    }

    pub fn want(&mut self, id: RegistryId, now: Instant) {
        self.open.entry(id).or_insert(Request {
            failed: 0,
            unknown: 0,
            due: now,
        });
    }

    /// What is asked for next, and when.
    pub fn next(&self) -> Option<(RegistryId, Instant)> {
        let all = self.open.iter();
        let first = all.min_by_key(|(_, request)| request.due);
        first.map(|(id, request)| (*id, request.due))
    }

    /// A schema is there. The registry answers: what it did not give before is asked for at once.
    /// Answers how often it was asked for in vain.
    pub fn brought(&mut self, id: RegistryId, now: Instant) -> u32 {
        for request in self.open.values_mut() {
            if request.failed > 0 && request.unknown == 0 {
                request.due = now;
            }
        }
        self.open.remove(&id).map_or(0, |request| request.failed)
    }

    /// `jitter` is between 0 and 1: replicas that lost the same registry must not all come back at once.
    pub fn failed(
        &mut self,
        id: RegistryId,
        error: &RegistryError,
        now: Instant,
        jitter: f64,
    ) -> Failed {
        let Some(request) = self.open.get_mut(&id) else {
            return Failed::GiveUp;
        };
        let is_unknown = matches!(error, RegistryError::Unknown { .. });
        request.unknown = if is_unknown { request.unknown + 1 } else { 0 };
        request.failed = request.failed.saturating_add(1);
        if request.unknown >= self.patience.unknown_attempts {
            self.open.remove(&id);
            return Failed::GiveUp;
        }
        let in_a_row = if is_unknown {
            request.unknown
        } else {
            request.failed
        };
        request.due = now + pause_after(in_a_row, &self.patience).mul_f64(1.0 - jitter / 2.0);
        Failed::AskAgain {
            first_time: request.failed == 1,
        }
    }
}

/// Twice as long after each attempt, up to the longest.
fn pause_after(failed: u32, patience: &RegistryPatience) -> Duration {
    let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
    patience.first.saturating_mul(doubled).min(patience.longest)
}

#[cfg(test)]
mod tests {
    use telemetry::clock;

    use super::*;

    const PATIENCE: RegistryPatience = RegistryPatience {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(5),
        unknown_attempts: 3,
    };
    const SEVEN: RegistryId = RegistryId(7);
    const EIGHT: RegistryId = RegistryId(8);

    fn unknown(id: RegistryId) -> RegistryError {
        let (registry, reason) = (String::new(), String::new());
        RegistryError::Unknown {
            registry,
            id,
            reason,
        }
    }

    fn unavailable(id: RegistryId) -> RegistryError {
        let (registry, reason) = (String::new(), String::new());
        RegistryError::Unavailable {
            registry,
            id,
            reason,
        }
    }

    #[test]
    fn an_outage_is_waited_for_longer_and_longer_and_for_ever() {
        let now = clock::monotonic();
        let mut requests = SchemaRequests::new(PATIENCE);
        requests.want(SEVEN, now);
        assert_eq!(requests.next(), Some((SEVEN, now)));
        let mut pauses = Vec::new();
        for attempt in 0..100 {
            let failed = requests.failed(SEVEN, &unavailable(SEVEN), now, 0.0);
            let first_time = attempt == 0;
            assert_eq!(failed, Failed::AskAgain { first_time });
            pauses.push((requests.next().unwrap().1 - now).as_secs());
        }
        assert_eq!((&pauses[..5], pauses[99]), (&[1, 2, 4, 5, 5][..], 5));
        requests.failed(SEVEN, &unavailable(SEVEN), now, 1.0);
        let due = requests.next().unwrap().1;
        assert_eq!(due - now, Duration::from_millis(2_500));
    }

    #[test]
    fn a_schema_is_given_up_only_when_the_registry_says_again_and_again_that_it_has_none() {
        let now = clock::monotonic();
        let mut requests = SchemaRequests::new(PATIENCE);
        requests.want(SEVEN, now);
        let again = |requests: &mut SchemaRequests, error: &RegistryError| {
            requests.failed(SEVEN, error, now, 0.0) != Failed::GiveUp
        };
        assert!(again(&mut requests, &unknown(SEVEN)));
        assert!(again(&mut requests, &unknown(SEVEN)));
        // It cannot have meant it: it was not itself.
        assert!(again(&mut requests, &unavailable(SEVEN)));
        assert!(again(&mut requests, &unknown(SEVEN)));
        assert!(again(&mut requests, &unknown(SEVEN)));
        assert!(!again(&mut requests, &unknown(SEVEN)));
        assert_eq!(requests.next(), None);
    }

    #[test]
    fn when_the_registry_answers_again_everything_is_asked_for_at_once() {
        let now = clock::monotonic();
        let mut requests = SchemaRequests::new(PATIENCE);
        for id in [SEVEN, EIGHT, SEVEN] {
            requests.want(id, now);
            requests.failed(id, &unavailable(id), now, 0.0);
        }
        assert_eq!(requests.brought(EIGHT, now), 1);
        assert_eq!(requests.next(), Some((SEVEN, now)));
        assert_eq!(requests.brought(SEVEN, now), 2);
        assert_eq!(requests.next(), None);
    }
}
