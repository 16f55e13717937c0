//! Decides what changes wait for, and applies them when it is there.
//!
//! A half waits only if nothing proves that the other one has been applied, or never mattered:
//! redelivered halves, and halves of rows that are held no more, pass.

use std::cmp::Ordering;

use row_model::{
    Change, ChangeBatch, ChangeKind, CutId, Failure, OriginId, PartitionId, RecordFormat, Version,
};
use table_store::{Held as HeldRow, Incoming, Verdict, decide};

use crate::holding::{Held, Needs};
use crate::sequencer::Sequencer;
use crate::tables::{Applied, ApplyError, TableState};

/// A change that no table can take, and the partition it came from.
pub(crate) type Refused = (PartitionId, Failure);

impl TableState {
    /// Applies a change, or lets it wait for the other half of a key change. Answers what was
    /// refused, of it and of what had waited.
    pub fn take(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        applied: &mut Applied,
    ) -> Vec<Refused> {
        if !change.key_change && self.holding.is_empty() {
            let done = self.apply(cut, batch, change, applied);
            let refused = done.err().map(|error| refused(batch, change, &error));
            return refused.into_iter().collect();
        }
        let held = self.writer.newest(batch.slice(&change.key));
        let is_held = held.is_some_and(|held| !held.is_deleted());
        self.holding.push(batch, change, is_held);
        if self.holding.is_full() {
            return self.release(cut, applied);
        }
        let mut all_refused = Vec::new();
        while let Some(group) = self.next_group() {
            all_refused.extend(self.apply_group(cut, group, applied));
        }
        all_refused
    }

    /// Applies everything that waits, whatever it waits for.
    pub fn release(&mut self, cut: CutId, applied: &mut Applied) -> Vec<Refused> {
        let all = self.holding.take_all();
        self.apply_group(cut, all, applied)
    }

    fn next_group(&mut self) -> Option<Vec<Held>> {
        let mut holding = std::mem::take(&mut self.holding);
        let group =
            holding.next_group(|batch, change, finds_row| self.needs(batch, change, finds_row));
        self.holding = holding;
        group
    }

    fn apply_group(&mut self, cut: CutId, group: Vec<Held>, applied: &mut Applied) -> Vec<Refused> {
        let mut all_refused = Vec::new();
        for held in group {
            for change in &held.batch.changes {
                if let Err(error) = self.apply(cut, &held.batch, change, applied) {
                    all_refused.push(refused(&held.batch, change, &error));
                }
            }
        }
        all_refused
    }

    /// What a change must have beside it, unless the table shows that it has been applied or comes too
    /// late: no change that waits before it can undo that.
    fn needs(&self, batch: &ChangeBatch, change: &Change, finds_row: bool) -> Needs {
        let key = batch.slice(&change.key);
        if !change.key_change || key.is_empty() || change.other_key.is_empty() {
            return Needs::default();
        }
        let origin = self.origin_of(batch, change);
        let held = self.writer.newest(key);
        if !self.would_apply(change, origin, held.as_ref()) {
            return Needs::default();
        }
        let other = self.writer.newest(batch.slice(&change.other_key));
        match change.kind {
            // The row is elsewhere already, or there is none.
            ChangeKind::Delete => Needs {
                other_half: finds_row && !is_at_or_after(other.as_ref(), change, origin),
                vacancy: false,
            },
            ChangeKind::Upsert if is_at_or_after(held.as_ref(), change, origin) => Needs::default(),
            ChangeKind::Upsert => Needs {
                other_half: self.has_departure_to_come(batch, change, origin, other.as_ref()),
                vacancy: finds_row && change.transaction.is_some() && change.position.is_some(),
            },
            ChangeKind::Truncate | ChangeKind::Advance | ChangeKind::DeleteOfUnknown => {
                Needs::default()
            }
        }
    }

    /// Whether nothing shows that the row has left its old key.
    fn has_departure_to_come(
        &self,
        batch: &ChangeBatch,
        change: &Change,
        origin: OriginId,
        old: Option<&Version>,
    ) -> bool {
        // On one partition the departure comes first, or never. Flattened rows may have none.
        if self.partitions == 1 || batch.format == Some(RecordFormat::Flat) {
            return false;
        }
        if change.position.is_none() {
            return old.is_some_and(|old| !old.is_deleted());
        }
        !is_at_or_after(old, change, origin) && self.would_apply(change, origin, old)
    }

    /// Whether key order lets the change have what is held.
    fn would_apply(&self, change: &Change, id: OriginId, held: Option<&Version>) -> bool {
        let origin = self.origins.get(&id);
        let mut epochs = origin
            .map(|origin| origin.epochs.clone())
            .unwrap_or_default();
        let incoming = Incoming {
            snapshot: change.snapshot.is_some(),
            position: change.position,
            epoch: epochs.of(change),
            origin: id,
        };
        let stamp = held.map(Version::stamp);
        let held = stamp.as_ref().map(|stamp| HeldRow { stamp });
        let floor = origin.and_then(|origin| origin.floor);
        matches!(decide(held, &incoming, floor.as_ref()), Verdict::Apply(_))
    }
}

/// Whether what is held was streamed with this change or after it: then both halves were read,
/// because a key's records are on one partition in their order.
pub(crate) fn is_at_or_after(held: Option<&Version>, change: &Change, origin: OriginId) -> bool {
    let stamp = held
        .map(Version::stamp)
        .filter(|stamp| stamp.origin == origin);
    let order = stamp
        .and_then(|stamp| stamp.streamed)
        .zip(change.position)
        .and_then(|(streamed, at)| streamed.order(&at));
    matches!(order, Some(Ordering::Equal | Ordering::Greater))
}

fn refused(batch: &ChangeBatch, change: &Change, error: &ApplyError) -> Refused {
    let failure = Failure {
        offset: change.offset,
        timestamp_ms: batch.log_time_ms,
        kind: "not_applicable",
        reason: error.to_string(),
        key: None,
        value: None,
        headers: None,
    };
    (batch.partition, failure)
}

impl Sequencer {
    /// Applies what has waited beyond the bounds.
    pub(crate) fn release_overdue(&mut self, now_ms: i64) {
        for table in 0..self.tables.len() {
            if self.tables[table].holding.is_overdue(now_ms) {
                self.release(table);
            }
        }
    }

    /// A source that ends has delivered the last record of a table: nothing is waited for any more.
    pub(crate) fn release_at_end(&mut self, source: usize, topic: &str) {
        let Some(table) = self
            .table_at(source, topic)
            .filter(|_| self.sources[source].ends)
        else {
            return;
        };
        let at_end = self.is_discovered(table)
            && self.partitions_of(table).all(|partition| partition.at_end);
        if at_end && !self.tables[table].holding.is_empty() {
            self.release(table);
        }
    }

    /// Applies what waits in a table, as it came.
    pub(crate) fn release(&mut self, at: usize) {
        let cut = self.publisher.next_cut();
        let table = &mut self.tables[at];
        let topic = table.identity.topic.clone();
        tracing::debug!(
            table = table.identity.name,
            "the other half of a key change did not come"
        );
        let (closed, mut applied) = (table.closed(), Applied::default());
        let refused = table.release(cut, &mut applied);
        applied.count(&table.identity.name);
        table.touched = true;
        let snapshot_closed = table.closed() != closed;
        let name = &self.tables[at].identity.source;
        let Some(source) = self.sources.iter().position(|source| source.name == *name) else {
            return;
        };
        if snapshot_closed {
            self.await_ends(source, &topic);
        }
        self.put_all_aside(source, &topic, refused);
    }

    pub(crate) fn put_all_aside(&mut self, source: usize, topic: &str, refused: Vec<Refused>) {
        for (id, failure) in refused {
            let partition = self.partitions.get(&(source, id));
            let number = partition.map_or(0, |partition| partition.partition);
            self.put_aside(source, topic, number, failure);
        }
    }
}
