//! What has happened in the runs of a campaign, and how often: a simulation that quietly stopped
//! exercising something would go on finding nothing.

use std::fmt;

macro_rules! happenings {
    ($($name:ident,)*) => {
        /// One kind of event that seeds choose, or that follows from what they chose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Happening {
            $($name,)*
        }

        impl Happening {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

happenings! {
    // In the database, and what its connector makes of it.
    Upsert,
    Delete,
    KeyChange,
    KeysShifted,
    Truncate,
    Transaction,
    SchemaChange,
    Tombstone,
    BrokenRecord,
    Heartbeat,
    OffsetsSkipped,
    WrittenAgain,
    SnapshotBegun,
    SnapshotCutOff,
    SnapshotEnded,
    IncrementalSnapshot,
    BlockingSnapshot,
    Vanished,
    LateTransaction,
    EndLost,
    // In the broker.
    PartitionsAdded,
    TopicGone,
    TopicBack,
    Unreachable,
    Trimmed,
    // In the process.
    Started,
    Crashed,
    Published,
    WholeShown,
    PartsShown,
    Checkpointed,
    CheckpointFailed,
    Paused,
    MemoryUsedUp,
    MemoryFreed,
    Quiet,
    CutHeld,
    HeldCutRead,
    IndexAdded,
    IndexRead,
    IndexRemoved,
    Swept,
    Stalled,
    DirectoryDeleted,
    // On the disk.
    WriteRefused,
    ConfirmationLost,
    UnflushedLost,
    EverythingKept,
    PrefixKept,
    Torn,
    TornNoticed,
    // Tables without a key.
    BagChange,
    BagWrittenAgain,
    BagSnapshot,
}

/// How often each kind has happened.
#[derive(Clone, Debug)]
pub struct Coverage([u64; Happening::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Happening::ALL.len()])
    }
}

impl Coverage {
    pub fn count(&mut self, happening: Happening) {
        self.0[happening as usize] += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    /// What has never happened.
    pub fn missing(&self) -> Vec<Happening> {
        let all = Happening::ALL.iter().copied();
        all.filter(|happening| self.0[*happening as usize] == 0)
            .collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (happening, count) in Happening::ALL.iter().zip(self.0) {
            writeln!(f, "{count:>12}  {happening:?}")?;
        }
        Ok(())
    }
}
