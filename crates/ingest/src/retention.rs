//! Bounds tables whose rows are only ever added: by age, or by number of rows.
//!
//! The oldest rows go first, in the order of when they were written and then of their keys. Age is
//! measured against the newest row of the table, not against a clock: so a log that is read again
//! gives the same table, and an old recording is not empty. What is let go of leaves no position
//! behind; delivered again, it is older than all that is kept, and gone before anyone sees it.
//!
//! Refuses tables of other kinds: of a row that may change it cannot be said what is old.

use std::collections::BTreeSet;
use std::time::Duration;

use row_model::{Change, CutId, RecordFormat};

use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// Said of a table that was given a bound and cannot have one.
const NOT_APPEND_ONLY: &str = "keep: nothing is dropped, because this table's rows can change: only tables of outbox events and of logical messages are bounded. Remove keep from its [[tables]]";

/// Rows of one table that one cut lets go of at most: more than a cut usually brings.
const DROPPED_PER_CUT_MAX: usize = 16_384;

/// Bytes of one entry of the order beside its key, about.
const ENTRY_BYTES: usize = 48;

/// How much of a table is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Rows that were written at most so long before the newest one.
    Age(Duration),
    /// The newest rows.
    Rows(u64),
}

/// What is known of the age of a table's rows.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: Keep,
    /// When each row was written, and its key.
    order: BTreeSet<(i64, Box<[u8]>)>,
    newest_ms: Option<i64>,
    key_bytes: usize,
    /// Rows let go of by this process.
    dropped: u64,
}

impl Retention {
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            order: BTreeSet::new(),
            newest_ms: None,
            key_bytes: 0,
            dropped: 0,
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.order.len() * ENTRY_BYTES + self.key_bytes
    }

    fn insert(&mut self, written_ms: i64, key: &[u8]) {
        self.newest_ms = self.newest_ms.max(Some(written_ms));
        if self.order.insert((written_ms, key.into())) {
            self.key_bytes += key.len();
        }
    }

    /// Takes the oldest row out, if it is not to be kept.
    fn take_due(&mut self, rows: u64) -> Option<(i64, Box<[u8]>)> {
        let (written_ms, _) = self.order.first()?;
        let is_due = match self.keep {
            Keep::Rows(max) => rows > max,
            Keep::Age(age) => {
                let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                self.newest_ms
                    .is_some_and(|newest_ms| newest_ms.saturating_sub(*written_ms) > age_ms)
            }
        };
        let oldest = is_due.then(|| self.order.pop_first())??;
        self.key_bytes -= oldest.1.len();
        Some(oldest)
    }
}

impl TableState {
    /// Whether the records of this table only ever add rows; `None` before the first of them.
    fn is_append_only(&self) -> Option<bool> {
        let append_only = [RecordFormat::Outbox, RecordFormat::Messages];
        self.format.map(|format| append_only.contains(&format))
    }

    /// When the row of a change was written, if the age of this table's rows matters. A record that
    /// does not say is as old as the newest that did.
    pub fn written_ms(&self, change: &Change) -> Option<i64> {
        let retention = self.retention.as_ref()?;
        if self.is_append_only() != Some(true) {
            return None;
        }
        let told = change.commit_ms.or(change.connector_ms);
        Some(told.or(retention.newest_ms).unwrap_or_default())
    }

    /// A row is held that was written then.
    pub fn is_written(&mut self, written_ms: Option<i64>, key: &[u8]) {
        if let (Some(retention), Some(written_ms)) = (&mut self.retention, written_ms) {
            retention.insert(written_ms, key);
        }
    }

    /// Takes up the ages of the rows that a checkpoint has brought. Those that were kept before the
    /// table was bounded have none, and go by the table's newest: never too early.
    pub fn restore_ages(&mut self) {
        let Some(mut retention) = self.retention.take() else {
            return;
        };
        if self.is_append_only() == Some(true) {
            let unknown_ms = self.commit_ms.unwrap_or_default();
            self.writer.table().visit(CutId(u64::MAX), |version| {
                let written_ms = version.stamp().written_ms.unwrap_or(unknown_ms);
                retention.insert(written_ms, version.key());
            });
        }
        self.retention = Some(retention);
    }

    /// What the status says of the bound.
    pub fn retention_note(&self) -> Option<String> {
        let retention = self.retention.as_ref()?;
        let dropped = retention.dropped;
        if !self.is_append_only()? {
            return Some(NOT_APPEND_ONLY.to_owned());
        }
        (dropped > 0).then(|| {
            format!("keep: {dropped} rows older than what is kept were let go of since the start")
        })
    }

    /// Lets go of rows that are not to be kept, as many as one cut may.
    fn let_go(&mut self, cut: CutId) {
        let Some(mut retention) = self.retention.take() else {
            return;
        };
        for _ in 0..DROPPED_PER_CUT_MAX {
            let Some((written_ms, key)) = retention.take_due(self.writer.rows()) else {
                break;
            };
            // The key may have been written again since, or deleted.
            let held = self.writer.newest(&key).filter(|held| !held.is_deleted());
            let is_meant = held.is_some_and(|held| {
                held.stamp()
                    .written_ms
                    .is_none_or(|of_held| of_held == written_ms)
            });
            if is_meant && self.writer.drop_row(cut, &key) {
                retention.dropped += 1;
                self.touched = true;
            }
        }
        self.retention = Some(retention);
    }
}

impl Sequencer {
    /// Lets go of what is not to be kept, before a cut shows it.
    pub(crate) fn let_go_of_old_rows(&mut self) {
        let cut = self.publisher.next_cut();
        for table in &mut self.tables {
            table.let_go(cut);
        }
    }

    pub(crate) fn retention_of(&self, topic: &str) -> Option<Retention> {
        let mut keep = self.settings.keep.iter();
        let (_, keep) = keep.find(|(of, _)| of == topic)?;
        Some(Retention::new(*keep))
    }
}
