//! One table as the sequencer knows it: its writer, its place in its source's order, its freshness.

use std::collections::BTreeMap;
use std::sync::Arc;

use row_model::{
    Change, ChangeBatch, ChangeKind, CutId, Epoch, OriginId, RecordFormat, Row, RowBuilder, RunId,
    SchemaHistory, SchemaId, SourcePosition, Stamp, Version,
};
use table_store::{
    Floor, Held, Incoming, ReadState, TableCut, TableFacts, TableIdentity, TableWriter, Verdict,
    decide,
};
use telemetry::StageLag;

use crate::completeness::Completeness;
use crate::confirmations::Confirmation;
use crate::epochs::Epochs;
use crate::holding::Holding;
use crate::key_changes::{self, KeyChanges};
use crate::lacks::Lacks;
use crate::merge;
use crate::multisets::{Keyless, is_keyless};
use crate::pairs::is_at_or_after;
use crate::past::Past;
use crate::preparation::Preparation;
use crate::retention::Retention;
use crate::shapes::Shown;
use crate::stages::{Stage, Stages};
use crate::starts::Undecided;

/// What changes of a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub upserts: u64,
    pub deletes: u64,
    pub truncates: u64,
    pub stale: u64,
}

/// A change that decoded well and still cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// A keyless row is to be changed or deleted, and none like it is held.
    #[error("no row of this keyless table equals the one that was changed or deleted")]
    NoSuchRow,
}

/// What is remembered of one source table.
#[derive(Debug, Default)]
pub(crate) struct OriginState {
    pub epochs: Epochs,
    /// What the last truncate left behind.
    pub floor: Option<Floor>,
}

#[derive(Debug)]
pub(crate) struct TableState {
    pub writer: TableWriter,
    pub identity: TableIdentity,
    /// What is remembered of each source table whose rows are here; most often there is one.
    pub origins: BTreeMap<OriginId, OriginState>,
    /// The newest position seen, in the newest epoch.
    pub position: Option<(Epoch, SourcePosition)>,
    pub commit_ms: Option<i64>,
    /// The shape it is shown in.
    pub shown: Shown,
    /// The log was read to its end at least once, in this process or an earlier one.
    pub was_live: bool,
    /// Why rows may be missing; `None` if the table is complete.
    pub incomplete: Option<String>,
    /// Changes were removed from its log before they were read. It stands still until it is built anew, so that no
    /// checkpoint has to remember it.
    pub lost_changes: Option<String>,
    pub stalled: Option<String>,
    /// How its rows were made.
    pub prepared: Preparation,
    /// It comes from the checkpoint, and it is not decided for good what becomes of it.
    pub undecided: Option<Undecided>,
    /// Why it is being read from the start again.
    pub rebuilding: Option<String>,
    /// What is to be said about what config says of its columns.
    pub column_notes: Vec<String>,
    /// Something a checkpoint keeps has changed, apart from rows.
    pub notes_dirty: bool,
    /// Shapes of rows that a checkpoint already keeps.
    pub shapes_saved: usize,
    pub facts: Arc<TableFacts>,
    /// Something readers see has changed since the last cut.
    pub touched: bool,
    /// As of the last cut.
    pub memory_bytes: u64,
    /// Where its records lost time on their way.
    pub stages: Stages,
    /// In the order of the stages, once one was told.
    stage_lags: Option<[StageLag; 3]>,
    pub keyless: Keyless,
    pub completeness: Completeness,
    pub confirmation: Confirmation,
    /// The runs that have taken a full snapshot of any table of the source.
    pub full_runs: Vec<RunId>,
    pub key_changes: KeyChanges,
    /// What waits for the other half of a key change.
    pub holding: Holding,
    /// What waits for the rest of its transaction, when that was last looked at.
    pub gated_bytes: usize,
    /// How its records carry changes, once one has shown it.
    pub format: Option<RecordFormat>,
    /// What they have shown that they cannot say.
    pub lacks: Lacks,
    /// What can be proven of records that come late.
    pub past: Past,
    /// How much of it is kept, if config bounds it.
    pub retention: Option<Retention>,
    /// Partitions of the topic when the last batch came: one, or more.
    pub partitions: usize,
    builder: RowBuilder,
}

impl TableState {
    pub fn new(identity: TableIdentity, schemas: Arc<SchemaHistory>) -> Self {
        Self {
            writer: TableWriter::new(identity.clone(), schemas),
            identity,
            origins: BTreeMap::new(),
            position: None,
            commit_ms: None,
            shown: Shown::default(),
            was_live: false,
            incomplete: None,
            lost_changes: None,
            stalled: None,
            prepared: Preparation::default(),
            undecided: None,
            rebuilding: None,
            column_notes: Vec::new(),
            notes_dirty: true,
            shapes_saved: 0,
            facts: Arc::default(),
            touched: true,
            memory_bytes: 0,
            stages: Stages::default(),
            stage_lags: None,
            keyless: Keyless::default(),
            completeness: Completeness::default(),
            confirmation: Confirmation::default(),
            full_runs: Vec::new(),
            key_changes: KeyChanges::default(),
            holding: Holding::default(),
            gated_bytes: 0,
            format: None,
            lacks: Lacks::default(),
            past: Past::default(),
            retention: None,
            partitions: 0,
            builder: RowBuilder::default(),
        }
    }

    /// Applies one change, stamped with `cut`.
    pub fn apply(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        if change.kind == ChangeKind::DeleteOfUnknown {
            self.deletes_unknown();
            applied.stale += 1;
            return Ok(());
        }
        let origin_id = self.origin_of(batch, change);
        self.notice_unnamed(origin_id, change);
        let origin = self.origins.entry(origin_id).or_default();
        let before = (origin.epochs.openers.len(), origin.epochs.closed);
        if change.key.is_empty() {
            let multisets = self.keyless.origins.entry(origin_id).or_default();
            multisets.notice(change, &mut origin.epochs);
        }
        let incoming = Incoming {
            snapshot: change.snapshot.is_some(),
            position: change.position,
            epoch: origin.epochs.of(change),
            origin: origin_id,
        };
        let is_swept = incoming.epoch < origin.epochs.swept && !change.key.is_empty();
        self.notes_dirty |= before != (origin.epochs.openers.len(), origin.epochs.closed);
        self.notice_beginning(self.keyless.partition, origin_id, change);
        self.advance(incoming.epoch, change);
        self.writer.recording().of_transaction(change.transaction);
        self.notes_dirty |= self.past.see(change);
        match change.kind {
            // Read late, from a partition whose end was told early: a newer snapshot has named every row
            // there is, and what it has swept does not come back.
            ChangeKind::Upsert | ChangeKind::Delete if is_swept => applied.stale += 1,
            ChangeKind::Advance | ChangeKind::DeleteOfUnknown => {}
            ChangeKind::Truncate => {
                let is_news = self.is_news(batch, change, origin_id);
                self.truncate(cut, &incoming, is_news, applied);
            }
            ChangeKind::Upsert | ChangeKind::Delete if change.key.is_empty() => {
                self.apply_keyless(cut, batch, change, &incoming, applied)?;
            }
            ChangeKind::Upsert => self.upsert(cut, batch, change, &incoming, applied),
            ChangeKind::Delete if change.key_change && self.is_about_who_left(batch, change) => {
                applied.stale += 1;
            }
            ChangeKind::Delete => {
                let key = batch.slice(&change.key);
                if change.key_change {
                    self.remember_departure(key);
                }
                self.key_changes.settles(key);
                self.delete(cut, key, change.schema, &incoming, applied);
            }
        }
        Ok(())
    }

    /// The source table of a change. A tombstone does not say: it means the row that is held.
    pub fn origin_of(&self, batch: &ChangeBatch, change: &Change) -> OriginId {
        let is_tombstone = change.kind == ChangeKind::Delete && change.commit_ms.is_none();
        let held = is_tombstone
            .then(|| self.writer.newest(batch.slice(&change.key)))
            .flatten();
        held.map_or(change.origin, |version| version.stamp().origin)
    }

    /// Takes up what the decoder says about config's rules for this table's columns.
    pub fn take_column_notes(&mut self, notes: &[String]) {
        if self.column_notes == notes {
            return;
        }
        for note in notes
            .iter()
            .filter(|note| !self.column_notes.contains(note))
        {
            tracing::warn!(table = self.identity.name, note, "a rule for its columns");
        }
        self.column_notes = notes.to_vec();
        (self.notes_dirty, self.touched) = (true, true);
    }

    /// The newest epoch whose snapshot was read to its last row, of each source table.
    pub fn closed(&self) -> Vec<Epoch> {
        self.origins
            .values()
            .map(|origin| origin.epochs.closed)
            .collect()
    }

    /// The run whose full snapshot of a source table has not been read to its end, as far as this
    /// table's records tell.
    pub fn snapshot_of(&self) -> Option<RunId> {
        self.origins
            .values()
            .filter_map(|origin| origin.epochs.unfinished())
            .max()
    }

    /// The newest run of which anything was streamed.
    pub fn streamed(&self) -> Option<RunId> {
        let origins = self.origins.values();
        origins.filter_map(|origin| origin.epochs.streamed).max()
    }

    /// What there is to know of runs and their snapshots: it changes seldom.
    pub fn runs(&self) -> Vec<(usize, [Option<RunId>; 3])> {
        let origins = self.origins.values().map(|origin| &origin.epochs);
        let ended = self.confirmation.ended;
        origins
            .map(|epochs| {
                let seen = [epochs.oldest, epochs.streamed, ended];
                (epochs.openers.len(), seen)
            })
            .collect()
    }

    /// Some full snapshot came without run ids.
    pub fn is_unswept(&self) -> bool {
        self.origins.values().any(|origin| origin.epochs.anonymous)
    }

    pub(crate) fn floor(&self, origin: OriginId) -> Option<Floor> {
        self.origins.get(&origin).and_then(|origin| origin.floor)
    }

    /// What the next cut says of this table.
    pub fn cut(&mut self) -> TableCut {
        self.memory_bytes = self.memory_now().total() as u64;
        TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: self.memory_bytes,
            schema: self.shown.schema,
            schema_epoch: self.shown.epoch,
            facts: Arc::clone(&self.facts),
        }
    }

    /// What was applied is visible from now on; whether it counts for where time goes.
    pub fn publish_stages(&mut self, counts: bool, now_ms: i64) {
        let lags = &mut self.stage_lags;
        let name = &self.identity.name;
        self.stages.publish(counts, now_ms, |stage, ms| {
            let of = |stage: Stage| StageLag::of(name, stage.name());
            lags.get_or_insert_with(|| Stage::ALL.map(of))[stage as usize].record(ms);
        });
    }

    /// How the table stands to its log, given whether all its partitions have been read to their
    /// end by this process.
    pub fn read_state(&self, caught_up: bool) -> ReadState {
        if self.stalled.is_some() {
            ReadState::Stalled
        } else if caught_up {
            ReadState::Live
        } else if self.was_live {
            ReadState::CatchingUp
        } else {
            ReadState::Loading
        }
    }

    fn advance(&mut self, epoch: Epoch, change: &Change) {
        self.notes_dirty |= change.position.is_some();
        if change.commit_ms.is_some() {
            self.commit_ms = self.commit_ms.max(change.commit_ms);
        }
        let Some(at) = change.position else { return };
        let is_newer = match &self.position {
            Some((held, position)) if *held == epoch => !at.is_before(position),
            Some((held, _)) => *held < epoch,
            None => true,
        };
        if is_newer {
            self.position = Some((epoch, at));
        }
    }

    pub(crate) fn upsert(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
        applied: &mut Applied,
    ) {
        let key = batch.slice(&change.key);
        let row = batch.slice(&change.row);
        self.meets(change, incoming);
        let merged = if Row::new(row).has_unavailable() {
            self.merged(batch, change, row)
        } else {
            None
        };
        if change.key_change {
            let over_another = self.remember_departure(key);
            let transaction = change.transaction;
            self.key_changes.arrives(key, transaction, over_another);
            self.key_changes.settles(batch.slice(&change.other_key));
            self.notes_dirty = true;
        }
        if merged.is_some() && !self.past.filled {
            (self.past.filled, self.notes_dirty) = (true, true);
        }
        let row = merged.as_deref().unwrap_or(row);
        let floor = self.floor(incoming.origin);
        let written_ms = self.written_ms(change);
        let written = self
            .writer
            .write(cut, key, change.schema, Some(row), |held| {
                let stamp = stamp_of(held, incoming, floor.as_ref());
                stamp.map(|stamp| Stamp {
                    written_ms,
                    ..stamp
                })
            });
        if written {
            self.is_written(written_ms, key);
        }
        count(&mut applied.upserts, &mut applied.stale, written);
    }

    pub(crate) fn delete(
        &mut self,
        cut: CutId,
        key: &[u8],
        schema: SchemaId,
        incoming: &Incoming,
        applied: &mut Applied,
    ) {
        let floor = self.floor(incoming.origin);
        let written = self.writer.write(cut, key, schema, None, |held| {
            stamp_of(held, incoming, floor.as_ref())
        });
        count(&mut applied.deletes, &mut applied.stale, written);
    }

    /// The delete of a key, under which another row has arrived in the same transaction, is about
    /// the row that left, if what it deletes is not what is held. So it is if the row that left is already
    /// where it went, whatever is remembered of the arrival.
    fn is_about_who_left(&self, batch: &ChangeBatch, change: &Change) -> bool {
        let key = batch.slice(&change.key);
        let went = self.writer.newest(batch.slice(&change.other_key));
        let origin = self.origin_of(batch, change);
        let is_there = is_at_or_after(went.as_ref(), change, origin);
        if !is_there && !self.key_changes.arrived_in(key, change.transaction) {
            return false;
        }
        let before = Row::new(batch.slice(&change.before));
        let shapes = self.writer.table().schemas().shapes();
        let held = self.writer.newest(key);
        let (Some(held), Some(shape)) = (held, shapes.get(change.schema.0 as usize)) else {
            return false;
        };
        let held_shape = shapes.get(held.schema().0 as usize);
        let (Some(held), Some(held_shape)) = (held.row(), held_shape) else {
            return false;
        };
        key_changes::differ((held, held_shape), (before, shape))
            && key_changes::is_whole(before, shape)
    }

    /// Answers whether there is a row that departs.
    fn remember_departure(&mut self, key: &[u8]) -> bool {
        let held = self.writer.newest(key).filter(|held| !held.is_deleted());
        let Some(held) = held else { return false };
        self.key_changes.departs(key, held);
        true
    }

    /// The row with what it did not send filled in from the row that is held, under this key or
    /// under the one it came from; `None` if none is.
    fn merged(&mut self, batch: &ChangeBatch, change: &Change, row: &[u8]) -> Option<Vec<u8>> {
        let held = if change.key_change {
            let old_key = batch.slice(&change.other_key);
            let departed = self.key_changes.take_departed(old_key);
            // The halves may have come over different partitions, the second one first. A flattened
            // stream may have no first half at all, and where another row has arrived since, it is not
            // this one: what is held there proves nothing.
            let is_sure = batch.format != Some(RecordFormat::Flat)
                && !self.key_changes.arrived_in(old_key, change.transaction);
            let is_there = |held: &Version| !held.is_deleted();
            let still_there = || {
                let held = self.writer.newest(old_key).filter(|_| is_sure);
                held.filter(is_there)
            };
            let written_before = || self.written_before(batch, change, row);
            let found = departed.filter(is_there);
            // A position proves that it is this row, and equal values only make it likely.
            if change.position.is_some() {
                found.or_else(written_before).or_else(still_there)?
            } else {
                found.or_else(still_there).or_else(written_before)?
            }
        } else {
            self.writer.newest(batch.slice(&change.key))?
        };
        let shapes = self.writer.table().schemas().shapes();
        let (new, old) = (
            shapes.get(change.schema.0 as usize)?,
            shapes.get(held.schema().0 as usize)?,
        );
        let mut merged = Vec::new();
        merge::fill(
            Row::new(row),
            new,
            held.row()?,
            old,
            &mut self.builder,
            &mut merged,
        );
        Some(merged)
    }

    /// The row that this very arrival wrote when it was delivered before. One without a position is
    /// known by all that it did send.
    fn written_before(&self, batch: &ChangeBatch, change: &Change, row: &[u8]) -> Option<Version> {
        let held = self.writer.newest(batch.slice(&change.key));
        let held = held.filter(|held| !held.is_deleted())?;
        if change.position.is_some() {
            return (held.stamp().streamed == change.position).then_some(held);
        }
        let shapes = self.writer.table().schemas().shapes();
        let new = shapes.get(change.schema.0 as usize)?;
        let old = shapes.get(held.schema().0 as usize)?;
        let agrees = merge::agrees(Row::new(row), new, held.row()?, old);
        agrees.then_some(held)
    }

    /// Source tables of which a full snapshot was read to its end and has not swept.
    pub fn to_sweep(&self) -> Vec<(OriginId, Epoch)> {
        let due = self.origins.iter();
        due.filter_map(|(id, origin)| Some((*id, origin.epochs.to_sweep()?)))
            .collect()
    }

    /// Deletes the rows of a source table that its newest full snapshot did not name. Answers how
    /// many there were.
    pub fn sweep(&mut self, cut: CutId, id: OriginId, epoch: Epoch) -> u64 {
        let replaced = self.replace_multiset(cut, id, epoch);
        let multisets = self.keyless.origins.get(&id).cloned().unwrap_or_default();
        // A newer snapshot began before this one had been read to its end everywhere.
        let is_overtaken = multisets.building.is_some();
        let shapes = self.writer.table().schemas().shapes();
        let swept = self.writer.delete_where(cut, |version| {
            let stamp = version.stamp();
            // What a keyless table shows is one multiset, whatever the epochs of its rows.
            let is_kept = is_overtaken || multisets.shown >= epoch;
            if is_kept && is_keyless(version, &shapes) {
                return None;
            }
            // Without a position: a late row of the same snapshot may still revive its key, and a
            // transaction that was open while the snapshot was read may still write it.
            let is_ghost = stamp.origin == id && stamp.epoch < epoch;
            is_ghost.then_some(Stamp {
                epoch,
                origin: id,
                ..Stamp::default()
            })
        });
        self.origins.entry(id).or_default().epochs.swept = epoch;
        if !is_overtaken {
            if let Some(multisets) = self.keyless.origins.get_mut(&id) {
                multisets.shown = multisets.shown.max(epoch);
            }
            self.mend(id, epoch);
        }
        (self.notes_dirty, self.touched) = (true, true);
        replaced + swept
    }

    /// Empties the table of everything the truncate came after, and keeps redelivered rows out.
    fn truncate(&mut self, cut: CutId, incoming: &Incoming, is_news: bool, applied: &mut Applied) {
        let floor = incoming.position.map(|position| Floor {
            epoch: incoming.epoch,
            position,
        });
        let is_older = |known: &Floor| match &floor {
            Some(new) => {
                new.epoch < known.epoch
                    || (new.epoch == known.epoch && new.position.is_before(&known.position))
            }
            None => false,
        };
        if self.floor(incoming.origin).as_ref().is_some_and(is_older) {
            applied.stale += 1;
            return;
        }
        if is_news {
            self.truncate_keyless(cut, incoming, floor.as_ref());
        }
        let shapes = self.writer.table().schemas().shapes();
        self.writer.delete_where(cut, |version| {
            let stamp = version.stamp();
            let is_older = floor.as_ref().is_none_or(|floor| floor.empties(&stamp));
            let is_ours = stamp.origin == incoming.origin && !is_keyless(version, &shapes);
            let emptied = is_ours && is_older;
            emptied.then(|| Stamp {
                epoch: incoming.epoch,
                streamed: incoming.position,
                origin: incoming.origin,
                ..Stamp::default()
            })
        });
        let origin = self.origins.entry(incoming.origin).or_default();
        origin.floor = floor.or(origin.floor);
        self.notes_dirty = true;
        applied.truncates += 1;
    }
}

fn stamp_of(held: Option<&Version>, incoming: &Incoming, floor: Option<&Floor>) -> Option<Stamp> {
    let stamp = held.map(Version::stamp);
    match decide(stamp.as_ref().map(|stamp| Held { stamp }), incoming, floor) {
        Verdict::Apply(stamp) => Some(stamp),
        Verdict::Stale | Verdict::BelowFloor => None,
    }
}

fn count(done: &mut u64, stale: &mut u64, written: bool) {
    *(if written { done } else { stale }) += 1;
}
