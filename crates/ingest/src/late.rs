//! Applies a record that comes late, because it was put aside when it was its turn.
//!
//! Decides by [`Past`](crate::past::Past) whether it may be, and otherwise does what would have been done.
//! What only the order of all records tells is refused: rows without a key are a multiset that every record
//! changes, a truncate empties what was there when it came, and what `keep` lets go of leaves no trace.

use std::collections::HashSet;

use row_model::{Change, ChangeBatch, ChangeKind, CutId, Row};
use table_store::Incoming;

use crate::epochs::Epochs;
use crate::past::{Holds, Proof};
use crate::tables::{Applied, OriginState, TableState};

const KEYLESS: &str = "rows without a key are known by all that was said of them, in order";
const TRUNCATE: &str = "a truncate empties what was there when it came";
const KEEP: &str = "what keep lets go of leaves no trace, and this may be of it";
const RUN: &str = "its record does not tell which snapshot it came after";
const HALF: &str = "it is one half of a key change, and the other half has been applied or not";

/// Keys that late records of one partition have written just now.
pub(crate) type Written = HashSet<(i32, Vec<u8>)>;

/// What came of a late record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Applied,
    /// What was said later has made up for it.
    Settled,
    Unproven(&'static str),
}

impl OriginState {
    /// Of a source table whose first change this is.
    fn begun_by(change: &Change) -> Self {
        let mut begun = Self::default();
        begun.epochs.of(change);
        begun
    }
}

impl TableState {
    /// Applies the changes of one record, all or none.
    pub fn take_late(
        &mut self,
        cut: CutId,
        (batch, partition): (&ChangeBatch, i32),
        written: &mut Written,
    ) -> Late {
        let proven: Result<Vec<_>, _> = batch
            .changes
            .iter()
            .map(|change| self.prove(batch, partition, change, written))
            .collect();
        let news = match proven {
            Ok(proven) => proven.into_iter().flatten().collect::<Vec<_>>(),
            Err(reason) => return Late::Unproven(reason),
        };
        if news.is_empty() {
            return Late::Settled;
        }
        let mut applied = Applied::default();
        for (change, incoming) in &news {
            let origin = self.origins.entry(incoming.origin);
            origin.or_insert_with(|| OriginState::begun_by(change));
            self.past.see(change);
            let key = batch.slice(&change.key);
            if change.kind == ChangeKind::Upsert {
                self.upsert(cut, batch, change, incoming, &mut applied);
            } else {
                self.delete(cut, key, change.schema, incoming, &mut applied);
            }
            written.insert((partition, key.to_vec()));
        }
        applied.count(&self.identity.name);
        (self.notes_dirty, self.touched) = (true, true);
        if applied.upserts + applied.deletes > 0 {
            Late::Applied
        } else {
            Late::Settled
        }
    }

    /// A change that is to be applied, as one without another half; `None` if it is settled.
    fn prove(
        &self,
        batch: &ChangeBatch,
        partition: i32,
        change: &Change,
        written: &Written,
    ) -> Result<Option<(Change, Incoming)>, &'static str> {
        match change.kind {
            ChangeKind::Advance => return Ok(None),
            ChangeKind::Truncate => return Err(TRUNCATE),
            ChangeKind::DeleteOfUnknown => return Err(KEYLESS),
            ChangeKind::Upsert | ChangeKind::Delete if change.key.is_empty() => {
                return Err(KEYLESS);
            }
            ChangeKind::Upsert | ChangeKind::Delete => {}
        }
        if self.retention.is_some() {
            return Err(KEEP);
        }
        let origin = self.origin_of(batch, change);
        let known = self.origins.get(&origin).map(|known| &known.epochs);
        let epoch = match known {
            Some(epochs) => epochs.of_late(change).ok_or(RUN)?,
            // Nothing of this source table was ever applied: it begins with this.
            None => Epochs::default().of(change),
        };
        if known.is_some_and(|epochs| epoch < epochs.swept) {
            return Ok(None);
        }
        let incoming = Incoming {
            snapshot: change.snapshot.is_some(),
            position: change.position,
            epoch,
            origin,
        };
        let key = batch.slice(&change.key);
        let held = self.writer.newest(key);
        let holds = held.as_ref().map(|held| Holds {
            stamp: held.stamp(),
            is_deleted: held.is_deleted(),
            is_predecessor: written.contains(&(partition, key.to_vec())),
        });
        let floor = self.floor(origin);
        match self.past.prove(holds.as_ref(), &incoming, floor.as_ref()) {
            Proof::Unproven(reason) => return Err(reason),
            Proof::Stale => return Ok(None),
            Proof::News => {}
        }
        if change.key_change {
            let row = Row::new(batch.slice(&change.row));
            let is_sure = match change.kind {
                ChangeKind::Upsert => !row.has_unavailable(),
                // Another row may have arrived under the key that this one left.
                _ => held.is_none_or(|held| {
                    let before = Row::new(batch.slice(&change.before));
                    held.row().is_none_or(|row| row == before)
                }),
            };
            if !is_sure {
                return Err(HALF);
            }
        }
        let alone = Change {
            key_change: false,
            other_key: 0..0,
            ..change.clone()
        };
        Ok(Some((alone, incoming)))
    }
}
