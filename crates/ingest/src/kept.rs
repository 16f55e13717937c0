//! Which cuts stay readable after newer ones, and what gives way when memory is short.
//!
//! Versions are kept for a table from the first cut in which it is live. While it is being loaded or catches up,
//! most of its rows are replaced soon, and nobody should rest on what it shows.

use row_model::CutId;
use table_store::{Keeping, ReadState};

use crate::sequencer::Sequencer;

/// Without a limit on memory, earlier states take no more than this.
const UNLIMITED_BYTES: u64 = 64 << 20;

/// How much earlier states may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionsMax {
    Bytes(u64),
    /// Of what tables may take; 64 MiB if they may take any amount.
    Percent(u8),
}

impl Default for VersionsMax {
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl VersionsMax {
    #[must_use]
    pub fn bytes(self, memory_bytes_max: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(_) if memory_bytes_max == u64::MAX => UNLIMITED_BYTES,
            Self::Percent(percent) => memory_bytes_max / 100 * u64::from(percent),
        }
    }
}

impl Sequencer {
    /// Says what is kept of the cut that is shown when the next one replaces it.
    pub(crate) fn keep_cuts(&mut self, now_ms: i64) {
        if self.memory.partitions_waiting() > 0 {
            return self.publisher.keep_nothing();
        }
        let bytes_max = self
            .settings
            .versions_max
            .bytes(self.settings.memory_bytes_max);
        let (mut set_aside_bytes, mut is_crowded) = (0, false);
        for table in &mut self.tables {
            set_aside_bytes += table.writer.set_aside_bytes();
            is_crowded |= table.writer.take_crowded();
        }
        self.publisher.keep(Keeping {
            now_ms,
            set_aside_bytes,
            bytes_max,
        });
        if is_crowded {
            self.publisher.keep_less();
        }
    }

    /// From the next cut on, which says so of the table, its versions are kept.
    pub(crate) fn keep_versions_if_live(&mut self, at: usize) {
        let table = &mut self.tables[at];
        if table.facts.state == ReadState::Live && !table.writer.keeps_versions() {
            table.writer.keep_versions(self.publisher.next_cut());
        }
    }

    /// Says what the next cut changes of tables, for those who follow them. While a table is being loaded nobody
    /// follows it.
    pub(crate) fn record_changes(&mut self) {
        for table in &mut self.tables {
            if matches!(table.facts.state, ReadState::Live | ReadState::CatchingUp) {
                table.writer.recording().begin();
            }
            if let Some(news) = table.writer.recording().take() {
                self.publisher.record(table.identity.id, news);
            }
        }
    }

    /// Lets go of all that is kept for those who may ask again. Answers whether there was anything.
    pub(crate) fn let_go_of_kept(&mut self) -> bool {
        let publisher = &self.publisher;
        let keeps_versions = publisher.oldest_needed() < publisher.oldest_pinned();
        if !keeps_versions && publisher.kept_bytes() == 0 {
            return false;
        }
        self.publisher.keep_nothing();
        self.let_go_of_garbage();
        true
    }

    /// Lets go of what no reader needs any more.
    pub(crate) fn let_go_of_garbage(&mut self) {
        let pinned = self.publisher.oldest_pinned();
        let kept = self.publisher.oldest_needed();
        self.collect_garbage(pinned, kept);
    }

    /// Lets go of what was replaced before these cuts: the second one where versions are kept.
    pub(crate) fn collect_garbage(&mut self, pinned: CutId, kept: CutId) {
        for table in &mut self.tables {
            let keeps = table.writer.keeps_versions();
            table
                .writer
                .collect_garbage(if keeps { kept } else { pinned });
            if table.writer.has_forgotten() && !table.past.forgotten {
                (table.past.forgotten, table.notes_dirty) = (true, true);
            }
        }
        self.measure_memory();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_one_of_the_limit_if_there_is_one() {
        let bytes = |max: VersionsMax, memory| max.bytes(memory);
        assert_eq!(bytes(VersionsMax::default(), u64::MAX), 64 << 20);
        assert_eq!(bytes(VersionsMax::default(), 1_000), 100);
        assert_eq!(bytes(VersionsMax::Percent(0), 1_000), 0);
        assert_eq!(bytes(VersionsMax::Bytes(7), 1_000), 7);
    }
}
