//! How far one connector's source has been seen, and how far its tables have come along. Pure.
//!
//! A connector writes its transactions one after the other, so what it wrote before a change was in the log when
//! that change was heard of, in whatever topic. A table that was read to its end since shows its part of all that. The one
//! gap: records on their way to different partitions may overtake each other, so all this is weak evidence,
//! and only boundaries of transactions ([`ConnectorPositions::close`]) are exact.
//!
//! Rows of snapshots reach nothing: they have the position of the whole snapshot, of which other tables' rows are still
//! to come.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use row_model::{Change, Gtid, GtidLine, PartitionId, RunId, SourcePosition, TableId};
use table_store::{AppliedIds, Heard, Heartbeats, Reached, Sighting, SourceCut, Transactions};

/// Moments of which it is remembered what had been reached. With more, every second one is forgotten, and a table
/// counts as having come a little less far than it did.
const MOMENTS_MAX: usize = 64;

/// Transactions whose positions are remembered until they are closed. What is forgotten only makes floors wait for
/// the next transaction.
const UNCLOSED_MAX: usize = 4_096;

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct ConnectorPositions {
    /// What the next cut says.
    pub cut: SourceCut,
    /// What had been reached at some moments, in their order.
    moments: Vec<(Heard, Reached)>,
    newest: Option<SourcePosition>,
    /// The last transaction of each partition.
    last: HashMap<PartitionId, u32>,
    /// The one of the last change: most are of the same.
    current: Option<(PartitionId, u32)>,
    /// The newest run of which anything was streamed, and the newest that took a full snapshot.
    pub streamed: Option<RunId>,
    pub snapshot: Option<RunId>,
    /// The transaction in which the rows of a snapshot were read of which nothing has been streamed yet.
    pub snapshot_id: Option<u32>,
    /// The newest position of transactions that are yet to be closed, where any ever was.
    unclosed: HashMap<u32, SourcePosition>,
    /// Blocks of ids that no checkpoint keeps as they are.
    pub dirty_blocks: BTreeSet<u64>,
    /// Something else has changed that a checkpoint keeps.
    pub dirty: bool,
    /// Something has changed that a cut says.
    pub touched: bool,
}

impl ConnectorPositions {
    pub fn new(source: &str, connector: &str, expects_heartbeats: bool) -> Self {
        let heartbeats = if expects_heartbeats {
            Heartbeats::Awaited
        } else {
            Heartbeats::NotConfigured
        };
        Self {
            cut: SourceCut {
                name: source.into(),
                connector: connector.into(),
                heartbeats,
                ..SourceCut::default()
            },
            dirty: true,
            touched: true,
            ..Self::default()
        }
    }

    /// Takes up a change that is part of the next cut.
    pub fn see(&mut self, partition: PartitionId, change: &Change, at: Heard) {
        if let Some(mark) = change.snapshot {
            if mark.is_full() {
                self.see_snapshot(change);
            }
            return;
        }
        if change.run > self.streamed {
            self.see_run(change.run);
        }
        if let Some(id) = self.snapshot_id.take() {
            self.cut.applied.raise_floor(id, at);
            self.dirty = true;
        }
        match (change.transaction, change.gtid_line) {
            (Some(transaction), Some(line)) => self.reach_gtid(line, transaction.0),
            (Some(transaction), None) => {
                if let Ok(id) = u32::try_from(transaction.0) {
                    self.see_transaction(partition, id, at);
                }
            }
            (None, _) => {}
        }
        if let Some(position) = change.position {
            self.reach(position);
            self.reach_in_transaction(change, position);
        }
        if change.commit_ms > self.cut.newest.commit_ms {
            self.cut.newest.commit_ms = change.commit_ms;
        }
    }

    /// Notes what has been reached at this moment.
    pub fn seen(&mut self, at: Heard) {
        self.cut.newest.lsn = self.newest_lsn().max(self.cut.newest.lsn);
        let newest = &self.cut.newest;
        if self
            .moments
            .last()
            .is_some_and(|(_, known)| known == newest)
        {
            return;
        }
        (self.dirty, self.touched) = (true, true);
        let place = self.moments.partition_point(|(known, _)| *known < at);
        // What was heard later, of another partition, may have been seen first.
        for (_, later) in &mut self.moments[place..] {
            later.merge(newest);
        }
        if self
            .moments
            .get(place)
            .is_none_or(|(known, _)| *known != at)
        {
            self.moments.insert(place, (at, newest.clone()));
        }
        if self.moments.len() > MOMENTS_MAX {
            let mut at = 0;
            self.moments.retain(|_| {
                at += 1;
                at % 2 == 0
            });
        }
    }

    /// Takes up a heartbeat: a row of the table that is written for that.
    pub fn beat(&mut self, commit_ms: i64) {
        let newest = match self.cut.heartbeats {
            Heartbeats::Last(known) => known.max(commit_ms),
            Heartbeats::NotConfigured | Heartbeats::Awaited => commit_ms,
        };
        self.cut.heartbeats = Heartbeats::Last(newest);
        (self.dirty, self.touched) = (true, true);
    }

    /// Nothing was left to read of any partition at this moment.
    pub fn quiet(&mut self, at: Heard) {
        self.touched |= self.cut.applied.complete_all(at);
        self.last.clear();
        self.current = None;
    }

    /// All of a transaction is part of the next cut, and all before it.
    pub fn close(&mut self, id: Option<u32>, commit_ms: Option<i64>) {
        let closed = &mut self.cut.closed;
        closed.commit_ms = closed.commit_ms.max(commit_ms);
        if let Some(id) = id {
            closed.lsn = closed.lsn.max(self.unclosed.remove(&id).and_then(lsn_of));
            self.cut.applied.close(id);
            self.dirty_blocks.insert(self.cut.applied.block_of(id));
        }
        (self.dirty, self.touched) = (true, true);
    }

    /// A table shows its part of all that was heard of before this moment.
    pub fn comes_along(&mut self, table: TableId, heard: Option<Heard>, is_whole: bool) {
        let mut all = self.cut.tables.iter();
        let known = all.position(|(known, _)| *known == table);
        let before = known.map(|at| &self.cut.tables[at].1);
        let reached = heard.and_then(|at| self.reached_at(at));
        let is_news = before.is_none_or(|before| {
            before.is_whole != is_whole
                || before.heard < heard
                || reached.is_some_and(|now| *now != before.reached)
        });
        if !is_news {
            return;
        }
        let mut after = before.cloned().unwrap_or_default();
        (after.heard, after.is_whole) = (after.heard.max(heard), is_whole);
        if let Some(reached) = reached {
            after.reached.merge(reached);
        }
        if before == Some(&after) {
            return;
        }
        let tables = Arc::make_mut(&mut self.cut.tables);
        match known {
            Some(at) => tables[at].1 = after,
            None => tables.push((table, after)),
        }
        self.touched = true;
    }

    /// The time up to which a table shows all commits. Without heartbeats, that nothing newer came says nothing; and where
    /// transactions are followed, neither does what has overtaken others on its way to another partition.
    pub fn proof_of(&self, table: TableId, transactions: Transactions) -> Option<i64> {
        if !matches!(self.cut.heartbeats, Heartbeats::Last(_)) {
            return None;
        }
        let closed = self.cut.closed.commit_ms;
        let along = || self.cut.table(table)?.reached.commit_ms;
        closed
            .filter(|_| transactions == Transactions::Whole)
            .or_else(along)
    }

    /// What had been reached at a moment.
    fn reached_at(&self, at: Heard) -> Option<&Reached> {
        let after = self.moments.partition_point(|(known, _)| *known <= at);
        let (_, reached) = self.moments[..after].last()?;
        Some(reached)
    }

    fn see_snapshot(&mut self, change: &Change) {
        if change.run > self.snapshot {
            (self.snapshot, self.dirty) = (change.run, true);
        }
        let id = change.transaction.filter(|_| change.gtid_line.is_none());
        let id = id.and_then(|id| u32::try_from(id.0).ok());
        if id.is_some() && self.snapshot_id != id {
            (self.snapshot_id, self.dirty) = (id, true);
        }
    }

    /// What a new run streams after a full snapshot may be of a source that was restored: its numbers are
    /// not those of before.
    fn see_run(&mut self, run: Option<RunId>) {
        if self.streamed.is_some() && self.snapshot > self.streamed && self.snapshot <= run {
            let cut = &mut self.cut;
            cut.timeline += 1;
            cut.former.merge(&cut.newest);
            (cut.newest, cut.closed) = (Reached::default(), Reached::default());
            self.dirty_blocks.extend(cut.applied.blocks());
            cut.applied = AppliedIds::default();
            for (_, table) in Arc::make_mut(&mut cut.tables) {
                (table.heard, table.reached) = (None, Reached::default());
            }
            self.moments.clear();
            self.unclosed.clear();
            (self.newest, self.current, self.last) = (None, None, HashMap::new());
        }
        (self.streamed, self.dirty) = (run, true);
    }

    fn see_transaction(&mut self, partition: PartitionId, id: u32, at: Heard) {
        let is_same = self.current.replace((partition, id)) == Some((partition, id));
        if is_same {
            return;
        }
        let last = self.last.insert(partition, id);
        if last == Some(id) {
            return;
        }
        if let Some(last) = last {
            self.cut.applied.complete(last, at);
        }
        self.cut.applied.see(id);
        self.dirty_blocks.insert(self.cut.applied.block_of(id));
        self.touched = true;
    }

    fn reach_gtid(&mut self, line: GtidLine, number: u64) {
        self.cut.newest.reach(Gtid { line, number });
    }

    fn reach(&mut self, position: SourcePosition) {
        if self.newest.is_none_or(|newest| newest.is_before(&position)) {
            self.newest = Some(position);
        }
    }

    /// Whoever has been shown all of a transaction has been shown whatever was committed before a position in it.
    fn reach_in_transaction(&mut self, change: &Change, position: SourcePosition) {
        let id = change.transaction.filter(|_| change.gtid_line.is_none());
        let id = id.and_then(|id| u32::try_from(id.0).ok());
        // Where boundaries are not followed, none is ever closed.
        let (Some(id), true) = (id, self.cut.closed.commit_ms.is_some()) else {
            return;
        };
        // Records of heartbeats do not wait for their transactions.
        if self.cut.applied.sighting(id.into()) == Sighting::Closed {
            self.cut.closed.lsn = self.cut.closed.lsn.max(lsn_of(position));
            return;
        }
        if self.unclosed.len() >= UNCLOSED_MAX {
            self.unclosed.clear();
        }
        let known = self.unclosed.entry(id).or_insert(position);
        if known.is_before(&position) {
            *known = position;
        }
    }

    /// The newest position as a number, if it is one.
    fn newest_lsn(&self) -> Option<u64> {
        self.newest.and_then(lsn_of)
    }
}

fn lsn_of(position: SourcePosition) -> Option<u64> {
    match position.numbers().filter(|_| position.domain() == 0)?[..] {
        [lsn] => Some(lsn),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
