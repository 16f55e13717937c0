//! Tables without a key: multisets of whole rows, one for readers and one that a snapshot builds.
//!
//! A full snapshot by a new run names every row there is, but no row says whether it is one that is
//! held. So a new multiset is built beside the old one, out of sight, and takes its place in one cut
//! once the snapshot has been read to its end. What the new run streams belongs to the new multiset
//! from the first, whatever its positions: a transaction that was open while the snapshot was read
//! arrives later with positions below the snapshot's, and is right. A change that an earlier run has
//! brought already is in the snapshot, and is known for it ([`Deliveries`](crate::deliveries)).
//!
//! Refuses rows of snapshots that are repeated under a run which streams already (blocking and
//! incremental ones): which of them are held cannot be told. They are counted as stale.
//!
//! Invariant: equal rows of one source table are numbered without gaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use row_model::{
    Change, ChangeBatch, ChangeKind, CutId, Epoch, OriginId, Row, RunId, Schema, SchemaId,
    SnapshotMark, SourcePosition, Stamp, TableId, Version,
};
use table_store::{Floor, Incoming, TableWriter};

use crate::copies::{count, newest_before, take_out};
use crate::deliveries::{Delivered, Deliveries, Happening};
use crate::epochs::Epochs;
use crate::keyless::Content;
use crate::owed::{Creditor, Owed};
use crate::tables::{Applied, ApplyError, TableState};

/// Said of a table whose snapshot rows cannot be told from rows that are held.
const REPEATED: &str = "rows of a snapshot could not be told from those of an earlier one, because its records carry no runId headers. Set extended.headers.enabled=true in the connector, then take a new full snapshot";

/// Said of a table that has passed over a snapshot.
const LATE: &str = "a full snapshot was passed over, because what was streamed after it was read first, from another partition of this topic. Take a new full snapshot";

/// What is remembered of the multisets of one source table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Multisets {
    /// The generation of the rows that readers see, and where its snapshot stood.
    pub shown: Epoch,
    pub shown_at: Option<SourcePosition>,
    /// The same of the multiset under construction.
    pub building: Option<Epoch>,
    pub building_at: Option<SourcePosition>,
    /// Rows of a snapshot without run ids were taken up, and where it stood.
    pub anonymous: bool,
    pub anonymous_at: Option<SourcePosition>,
    /// The lowest position that the newest run has streamed.
    pub streamed_from: Option<(RunId, SourcePosition)>,
}

/// What a table without a key has beside its rows.
#[derive(Debug, Default)]
pub(crate) struct Keyless {
    pub origins: BTreeMap<OriginId, Multisets>,
    pub deliveries: Deliveries,
    pub owed: Owed,
    /// The rows of multisets under construction. Nobody reads them.
    pub stage: Option<TableWriter>,
    /// The partition of the batch that is applied, and whether the topic has others.
    pub partition: i32,
    pub is_spread: bool,
}

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Shown,
    Stage,
    /// Its generation has been replaced, or never came to its end.
    Gone,
}

impl Multisets {
    fn target(&self, epoch: Epoch) -> Target {
        match self.building {
            Some(building) if building <= epoch => Target::Stage,
            Some(_) if epoch != self.shown => Target::Gone,
            _ if epoch < self.shown => Target::Gone,
            _ => Target::Shown,
        }
    }

    /// Notes a change before its epoch is decided. The snapshot of the very first run opens its epoch
    /// also if what the run streamed afterwards was read first, from other partitions.
    pub fn notice(&mut self, change: &Change, epochs: &mut Epochs) {
        let Some(run) = change.run.filter(|_| change.kind != ChangeKind::Advance) else {
            return;
        };
        if change.snapshot.is_none() {
            let lowest = self.streamed_from.filter(|(of, _)| *of >= run);
            match (lowest, change.position) {
                (None, Some(at)) => self.streamed_from = Some((run, at)),
                (Some((of, lowest)), Some(at)) if of == run && at.is_before(&lowest) => {
                    self.streamed_from = Some((run, at));
                }
                _ => {}
            }
            return;
        }
        let is_first = epochs.openers.is_empty() && epochs.oldest >= Some(run);
        let stands_before = match (change.position, self.streamed_from) {
            (Some(row), Some((_, streamed))) => !streamed.is_before(&row),
            _ => false,
        };
        if is_first && stands_before {
            (epochs.streamed, epochs.newest) = (None, Some(run));
        }
    }
}

impl TableState {
    /// Applies a change whose record carries no key.
    pub(crate) fn apply_keyless(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let is_upsert = change.kind == ChangeKind::Upsert;
        let target = if change.snapshot.is_some() {
            self.place_of_snapshot_row(cut, change, incoming)
        } else {
            self.place_of_streamed(batch, change, incoming)
        };
        let below_floor = self
            .floor(incoming.origin)
            .is_some_and(|floor| floor.covers(incoming));
        let Some(staged) = target.filter(|_| !below_floor) else {
            applied.stale += 1;
            return Ok(());
        };
        if !change.before.is_empty() {
            let before = batch.slice(&change.before);
            let removed = self.remove_keyless(cut, staged, before, change.schema, incoming);
            // Of a table that lacks rows anyway, one that is not held may be changed.
            if !removed && self.incomplete.is_none() {
                return Err(ApplyError::NoSuchRow);
            }
        }
        if is_upsert {
            let row = batch.slice(&change.row);
            self.meets(change, incoming);
            self.add_keyless(cut, staged, row, change.schema, incoming);
            applied.upserts += 1;
        } else {
            applied.deletes += 1;
        }
        Ok(())
    }

    /// Which multiset a snapshot's row belongs to: the staged one, the one that is shown, or none.
    fn place_of_snapshot_row(
        &mut self,
        cut: CutId,
        change: &Change,
        incoming: &Incoming,
    ) -> Option<bool> {
        if change.snapshot == Some(SnapshotMark::Incremental) {
            return None;
        }
        let (at, epoch) = (change.position, incoming.epoch);
        if self.repeats_snapshot(change, incoming.origin) {
            return None;
        }
        let epochs = self.origins.get(&incoming.origin).map(|it| &it.epochs)?;
        let number = (epoch.0 as usize).wrapping_sub(1);
        let opener = epochs.openers.get(number).copied();
        let is_opener = change.run.is_some() && opener == change.run && epochs.unnamed != opener;
        let has_openers = !epochs.openers.is_empty();
        let is_closed = epochs.closed >= epoch;
        let is_swept = epochs.swept >= epoch;
        // On one partition a snapshot comes before what its run streams. Rows on others may be read
        // late, even after it has taken effect: an end may be told that was reached before its last row.
        let place = (self.keyless.partition, incoming.origin);
        let visit = self.keyless.deliveries.reading.get(&place);
        let is_over = visit.is_some_and(|visit| visit.run >= change.run)
            || (is_swept && !self.keyless.is_spread);
        if change.run.is_none() {
            return self.place_of_anonymous_row(at, incoming.origin, has_openers);
        }
        if !is_opener {
            self.mind_late_snapshot(change, incoming.origin);
        }
        if !is_opener || is_over {
            return None;
        }
        let multisets = self.keyless.origins.entry(incoming.origin).or_default();
        let newest = multisets.building.unwrap_or(multisets.shown);
        if newest < epoch {
            self.begin_multiset(cut, change, incoming);
        }
        let multisets = self.keyless.origins.entry(incoming.origin).or_default();
        let target = multisets.target(epoch);
        let stands_at = match target {
            Target::Shown => multisets.shown_at,
            Target::Stage => multisets.building_at,
            Target::Gone => return None,
        };
        // The rows of one snapshot share their position; another one by the same run is a repetition.
        let belongs = stands_at == at && (at.is_some() || !is_closed);
        belongs.then_some(target == Target::Stage)
    }

    /// A row that comes after the last row of its own snapshot on the same partition. Without run and
    /// position a snapshot is not known for itself.
    fn repeats_snapshot(&mut self, change: &Change, origin: OriginId) -> bool {
        let delivered = Delivered {
            partition: self.keyless.partition,
            run: change.run,
        };
        let is_known = change.run.is_some() || change.position.is_some();
        let is_last = change.snapshot.is_some_and(SnapshotMark::ends_table);
        let deliveries = &mut self.keyless.deliveries;
        is_known && deliveries.repeats_snapshot(delivered, origin, change.position, is_last)
    }

    /// A row of a snapshot whose run has streamed is a repeated one; unless it stands before all that
    /// was streamed, which was then read first, from another partition.
    fn mind_late_snapshot(&mut self, change: &Change, origin: OriginId) {
        let streamed = self.keyless.origins.get(&origin);
        let streamed = streamed.and_then(|it| it.streamed_from);
        let is_late = match (change.run, change.position, streamed) {
            (Some(run), Some(row), Some((of, streamed))) => of == run && !streamed.is_before(&row),
            _ => false,
        };
        if is_late {
            self.doubt(LATE.to_owned());
        }
    }

    /// Without run ids only the first snapshot can be told from all others.
    fn place_of_anonymous_row(
        &mut self,
        at: Option<SourcePosition>,
        origin: OriginId,
        has_openers: bool,
    ) -> Option<bool> {
        let multisets = self.keyless.origins.entry(origin).or_default();
        if !multisets.anonymous && !has_openers {
            (multisets.anonymous, multisets.anonymous_at) = (true, at);
        }
        if multisets.anonymous && multisets.anonymous_at == at {
            return Some(false);
        }
        self.doubt(REPEATED.to_owned());
        None
    }

    /// Which multiset a streamed change belongs to; `None` if it has been applied, or has no place.
    fn place_of_streamed(
        &mut self,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
    ) -> Option<bool> {
        let multisets = self.keyless.origins.entry(incoming.origin).or_default();
        let target = multisets.target(incoming.epoch);
        if target == Target::Gone {
            return None;
        }
        let is_news = self.is_news(batch, change, incoming.origin);
        is_news.then_some(target == Target::Stage)
    }

    /// Counts a change, and says whether it has to be applied. Truncates of tables with keys are none
    /// of ours.
    pub(crate) fn is_news(
        &mut self,
        batch: &ChangeBatch,
        change: &Change,
        origin: OriginId,
    ) -> bool {
        let is_ours = change.kind != ChangeKind::Truncate || self.has_keyless_shapes();
        let Some(position) = change.position.filter(|_| is_ours) else {
            return true;
        };
        let delivered = Delivered {
            partition: self.keyless.partition,
            run: change.run,
        };
        let happening = Happening {
            origin,
            transaction: change.transaction,
            position,
            before: batch.slice(&change.before),
            after: batch.slice(&change.row),
        };
        self.keyless.deliveries.is_news(delivered, &happening)
    }

    fn has_keyless_shapes(&self) -> bool {
        let shapes = self.writer.table().schemas().shapes();
        shapes.iter().any(|shape| shape.key.is_none())
    }

    /// The first row of a full snapshot by a new run.
    fn begin_multiset(&mut self, cut: CutId, change: &Change, incoming: &Incoming) {
        let (origin, epoch) = (incoming.origin, incoming.epoch);
        let is_empty = self.writer.rows() == 0;
        let oldest = self.origins.get(&origin).and_then(|it| it.epochs.oldest);
        let multisets = self.keyless.origins.entry(origin).or_default();
        // What is held was streamed by the very run whose snapshot this is, and read first.
        let is_first = epoch == Epoch(1) && oldest == change.run;
        let unfinished = multisets.building.take().is_some();
        if is_empty || is_first {
            (multisets.shown, multisets.shown_at) = (epoch, change.position);
        } else {
            multisets.building = Some(epoch);
            multisets.building_at = change.position;
        }
        if unfinished {
            self.clear_stage(cut, origin);
        }
        self.keyless.owed.forget(|creditor, _| {
            creditor.origin == origin && (creditor.staged || (is_empty && !is_first))
        });
    }

    /// Puts the multiset that was built in the place of the one that readers see. Answers how many
    /// rows are gone.
    pub(crate) fn replace_multiset(&mut self, cut: CutId, origin: OriginId, epoch: Epoch) -> u64 {
        let Some(multisets) = self.keyless.origins.get_mut(&origin) else {
            return 0;
        };
        let Some(building) = multisets.building.filter(|building| *building <= epoch) else {
            return 0;
        };
        multisets.shown = building;
        multisets.shown_at = multisets.building_at.take();
        multisets.building = None;
        let stage = self.keyless.stage.take();
        let staged = |key: &[u8]| {
            let version = stage.as_ref()?.newest(key)?;
            (!version.is_deleted()).then_some(version)
        };
        let shapes = self.writer.table().schemas().shapes();
        let gone = self.writer.delete_where(cut, |version| {
            let is_ours = version.stamp().origin == origin && is_keyless(version, &shapes);
            (is_ours && staged(version.key()).is_none()).then_some(Stamp {
                epoch: building,
                origin,
                ..Stamp::default()
            })
        });
        if let Some(stage) = &stage {
            stage.table().visit(CutId(u64::MAX), |version| {
                let stamp = version.stamp();
                if stamp.origin != origin {
                    return;
                }
                let row = version.row().map(|row| row.as_bytes());
                self.writer
                    .write(cut, version.key(), version.schema(), row, |_| Some(stamp));
            });
        }
        self.keyless.stage = stage;
        self.clear_stage(cut, origin);
        self.keyless.owed.promote(origin);
        gone
    }

    /// Empties the multiset a truncate is about of everything the truncate came after.
    pub(crate) fn truncate_keyless(
        &mut self,
        cut: CutId,
        incoming: &Incoming,
        floor: Option<&Floor>,
    ) {
        let origin = incoming.origin;
        let multisets = self.keyless.origins.entry(origin).or_default();
        let staged = match multisets.target(incoming.epoch) {
            Target::Gone => return,
            target => target == Target::Stage,
        };
        let shapes = self.writer.table().schemas().shapes();
        if !self.has_keyless_shapes() {
            return;
        }
        self.keyless.owed.forget(|creditor, at| {
            let is_ours = creditor.origin == origin && creditor.staged == staged;
            is_ours && floor.is_none_or(|floor| !floor.position.is_before(at))
        });
        let Some(writer) = self.multiset(staged) else {
            return;
        };
        let mut emptied: BTreeMap<Content, Vec<u64>> = BTreeMap::new();
        writer.table().visit(CutId(u64::MAX), |version| {
            let stamp = version.stamp();
            let is_older = floor.is_none_or(|floor| floor.empties(&stamp));
            let is_ours = stamp.origin == origin && is_keyless(version, &shapes);
            if is_ours
                && is_older
                && let Some((content, number)) = Content::of_key(version.key())
            {
                emptied.entry(content).or_default().push(number);
            }
        });
        for (content, mut numbers) in emptied {
            // From the last one down, so that what moves up into a gap is a row that stays.
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            for number in numbers {
                take_out(writer, cut, content, number, None, incoming);
            }
        }
    }

    /// The writer of a multiset.
    fn multiset(&mut self, staged: bool) -> Option<&mut TableWriter> {
        if staged {
            self.keyless.stage.as_mut()
        } else {
            Some(&mut self.writer)
        }
    }

    /// The writer of a multiset; the staged one is made if there is none.
    fn multiset_or_new(&mut self, staged: bool) -> &mut TableWriter {
        if !staged {
            return &mut self.writer;
        }
        let stage = self.keyless.stage.take();
        let stage = stage.unwrap_or_else(|| self.new_stage());
        self.keyless.stage.insert(stage)
    }

    /// A place for multisets under construction.
    pub(crate) fn new_stage(&self) -> TableWriter {
        let mut identity = self.identity.clone();
        identity.id = Keyless::stage_id(identity.id);
        let schemas = Arc::clone(self.writer.table().schemas());
        // What is deleted from it need not be remembered: nothing is decided by its positions.
        TableWriter::new(identity, schemas).with_deleted_keys_max(0)
    }

    fn clear_stage(&mut self, cut: CutId, origin: OriginId) {
        if let Some(stage) = &mut self.keyless.stage {
            stage.delete_where(cut, |version| {
                (version.stamp().origin == origin).then(Stamp::default)
            });
            stage.collect_garbage(CutId(u64::MAX));
        }
    }

    fn add_keyless(
        &mut self,
        cut: CutId,
        staged: bool,
        row: &[u8],
        schema: SchemaId,
        incoming: &Incoming,
    ) {
        let origin = incoming.origin;
        let content = Content::of(origin, Row::new(row));
        let creditor = Creditor {
            origin,
            staged,
            content,
        };
        let at = incoming.position;
        let (streamed, snapshot) = if incoming.snapshot {
            (None, at)
        } else {
            (at, None)
        };
        let removed = if incoming.snapshot || self.incomplete.is_none() {
            self.keyless.owed.settle(creditor)
        } else {
            at.is_some_and(|at| self.keyless.owed.settle_after(creditor, &at))
        };
        if removed {
            return;
        }
        let writer = self.multiset_or_new(staged);
        let key = content.key(count(writer, content));
        writer.write(cut, &key, schema, Some(row), |_| {
            Some(Stamp {
                epoch: incoming.epoch,
                streamed,
                snapshot,
                origin,
                ..Stamp::default()
            })
        });
    }

    /// Removes one row that equals this one; false if there is none, nor will be.
    fn remove_keyless(
        &mut self,
        cut: CutId,
        staged: bool,
        before: &[u8],
        schema: SchemaId,
        incoming: &Incoming,
    ) -> bool {
        let origin = incoming.origin;
        let content = Content::of(origin, Row::new(before));
        let (is_spread, has_gaps) = (self.keyless.is_spread, self.incomplete.is_some());
        if let Some(writer) = self.multiset(staged) {
            let held = count(writer, content);
            // Of a single partition the log's order is beyond doubt. And equal rows are as good as
            // each other, as long as none is missing.
            let last = held.checked_sub(1).filter(|_| !is_spread || !has_gaps);
            let meant = is_spread.then(|| newest_before(writer, content, held, incoming.position));
            if let Some(number) = meant.flatten().or(last) {
                take_out(writer, cut, content, number, Some(schema), incoming);
                return true;
            }
        }
        // A primary key may be dropped: then the row may be held under the key it had.
        let twin = self
            .keyed_twin(schema, Row::new(before))
            .filter(|_| !staged);
        if let Some(key) = twin {
            self.delete(cut, &key, schema, incoming, &mut Applied::default());
            return true;
        }
        let creditor = Creditor {
            origin,
            staged,
            content,
        };
        let at = incoming.position.filter(|_| is_spread);
        at.is_some_and(|at| self.keyless.owed.add(creditor, at))
    }
}

impl Keyless {
    /// True for a table of which every record had a key.
    pub fn is_unused(&self) -> bool {
        self.origins.is_empty()
    }

    /// What checkpoints call the multisets under construction of a table. Tables are numbered from 0.
    pub fn stage_id(table: TableId) -> TableId {
        TableId(table.0 | 1 << 31)
    }

    pub fn is_stage(table: TableId) -> bool {
        table == Self::stage_id(table)
    }

    pub fn memory_bytes(&self) -> usize {
        let stage = self
            .stage
            .as_ref()
            .map_or(0, |stage| stage.memory().total());
        stage + self.deliveries.memory_bytes()
    }
}

/// True for a row whose record carried no key.
pub(crate) fn is_keyless(version: &Version, shapes: &[Arc<Schema>]) -> bool {
    let shape = shapes.get(version.schema().0 as usize);
    shape.is_some_and(|shape| shape.key.is_none())
}
