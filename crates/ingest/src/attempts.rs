//! When the next checkpoint is tried, and whether it begins in a fresh place after some that failed.
//!
//! Who writes much, as while all of a log is read, would write all the time: what takes long is done less often, and what
//! changes twice meanwhile is written once.
//!
//! Tables in memory are whole whatever the disk does, so a failing disk stops nothing but checkpoints. It is
//! tried again for as long as the process lives, sooner at first and then every few seconds: a full disk
//! is not made busier, and room that is made is noticed.

use std::io;
use std::time::Duration;

use checkpoint_store::CheckpointError;
use telemetry::{CheckpointEvent, Event};

use crate::settings::limits::{
    CHECKPOINT_PARTS, CHECKPOINT_RETRY_FIRST, CHECKPOINT_RETRY_LONGEST, CHECKPOINTS_APART_MAX,
    UNREADABLE_ATTEMPTS_MAX,
};
use crate::status::CheckpointTrouble;

/// What came of the attempts since the last one that succeeded.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    trouble: Option<CheckpointTrouble>,
    /// The last so many met a store that cannot be read.
    unreadable: u32,
    anew: bool,
    /// How long the last one took that succeeded.
    took: Duration,
}

impl Attempts {
    /// How long after the beginning of an attempt, or the end of one that failed, the next one is due.
    pub fn pause(&self, interval: Duration) -> Duration {
        let Some(trouble) = &self.trouble else {
            let apart = self.took * CHECKPOINT_PARTS;
            return interval.max(apart.min(CHECKPOINTS_APART_MAX));
        };
        let doublings = trouble.attempts.saturating_sub(1).min(16);
        (CHECKPOINT_RETRY_FIRST * 2_u32.pow(doublings)).min(CHECKPOINT_RETRY_LONGEST)
    }

    /// What the store holds is given up: the next attempt writes everything in a fresh place.
    pub fn anew(&self) -> bool {
        self.anew
    }

    /// The last one could not read the store, and that may end with the next or the one after.
    pub fn may_mend(&self) -> bool {
        (1..=UNREADABLE_ATTEMPTS_MAX).contains(&self.unreadable)
    }

    pub fn trouble(&self) -> Option<&CheckpointTrouble> {
        self.trouble.as_ref()
    }

    pub fn failed(&mut self, error: &CheckpointError, now_ms: i64) {
        let is_unreadable = matches!(
            error,
            CheckpointError::Corrupt { .. } | CheckpointError::Read(_)
        );
        self.unreadable = if is_unreadable {
            self.unreadable + 1
        } else {
            0
        };
        // Once may be a store that failed in the middle of something; reading it anew settles that.
        let gives_up = self.unreadable >= UNREADABLE_ATTEMPTS_MAX;
        self.anew |= gives_up;
        let (since_ms, before) = self
            .trouble
            .as_ref()
            .map_or((now_ms, 0), |trouble| (trouble.since_ms, trouble.attempts));
        let help = help(error, self.anew);
        Event::Checkpoint(CheckpointEvent::Failed {
            error,
            help,
            first_time: before == 0,
        })
        .emit();
        self.trouble = Some(CheckpointTrouble {
            detail: format!("{error}. {help}"),
            since_ms,
            attempts: before + 1,
        });
    }

    pub fn succeeded(&mut self, took: Duration, now_ms: i64) {
        let now = Self {
            took,
            ..Self::default()
        };
        let Self { trouble, anew, .. } = std::mem::replace(self, now);
        if let Some(trouble) = trouble {
            let failing_ms = now_ms.saturating_sub(trouble.since_ms).max(0);
            Event::Checkpoint(CheckpointEvent::Back {
                failing_for: Duration::from_millis(failing_ms.unsigned_abs()),
                attempts: trouble.attempts,
                anew,
            })
            .emit();
        }
    }
}

/// What would help, in words.
fn help(error: &CheckpointError, anew: bool) -> &'static str {
    let kind = match error {
        CheckpointError::Write(source)
        | CheckpointError::Read(source)
        | CheckpointError::Open { source, .. } => Some(source.kind()),
        _ => None,
    };
    match kind {
        Some(
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge,
        ) => {
            "Make room where the data directory is: checkpoints then go on by themselves, and until then a restart reads again what came since the last one"
        }
        Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) => {
            "Make the data directory writable: checkpoints then go on by themselves, and until then a restart reads again what came since the last one"
        }
        _ if anew => "Everything is in memory and is being written anew, beside what is damaged",
        _ => {
            "It is tried again; until it succeeds a restart reads again what came since the last one"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> CheckpointError {
        CheckpointError::Write(io::ErrorKind::StorageFull.into())
    }

    fn damaged() -> CheckpointError {
        CheckpointError::Corrupt {
            table: None,
            what: "the records".to_owned(),
            reason: "lost".to_owned(),
        }
    }

    #[test]
    fn attempts_become_rarer_up_to_a_bound_and_as_frequent_as_before_once_one_succeeds() {
        let (mut attempts, interval) = (Attempts::default(), Duration::from_secs(1));
        let mut pauses = vec![attempts.pause(interval).as_millis()];
        for at in 0..40 {
            attempts.failed(&full(), at);
            pauses.push(attempts.pause(interval).as_millis());
        }
        assert_eq!(pauses[..7], [1_000, 250, 500, 1_000, 2_000, 4_000, 5_000]);
        assert_eq!(pauses[40], 5_000);
        let trouble = attempts.trouble().unwrap();
        assert_eq!((trouble.since_ms, trouble.attempts), (0, 40));
        assert!(trouble.detail.contains("Make room"), "{}", trouble.detail);
        attempts.succeeded(Duration::from_millis(100), 50);
        assert_eq!(
            (attempts.trouble(), attempts.pause(interval)),
            (None, interval)
        );
    }

    #[test]
    fn what_takes_long_is_done_less_often() {
        let (mut attempts, interval) = (Attempts::default(), Duration::from_secs(1));
        attempts.succeeded(Duration::from_secs(3), 0);
        assert_eq!(attempts.pause(interval), Duration::from_secs(12));
        attempts.succeeded(Duration::from_mins(3), 0);
        assert_eq!(attempts.pause(interval), Duration::from_secs(30));
        attempts.succeeded(Duration::from_millis(3), 0);
        assert_eq!(attempts.pause(interval), interval);
    }

    #[test]
    fn a_store_that_stays_unreadable_is_written_anew_until_that_succeeds() {
        let mut attempts = Attempts::default();
        attempts.failed(&damaged(), 0);
        attempts.failed(&full(), 1);
        attempts.failed(&damaged(), 2);
        assert!(!attempts.anew(), "it could be read in between");
        attempts.failed(&damaged(), 3);
        assert!(attempts.anew() && attempts.may_mend());
        // No room for it: it is still what has to be done.
        attempts.failed(&full(), 4);
        assert!(attempts.anew() && !attempts.may_mend());
        attempts.succeeded(Duration::ZERO, 5);
        assert!(!attempts.anew());
    }
}
