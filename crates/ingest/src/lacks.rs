//! What the records of a table cannot say, and which setting of the connector would make them.
//!
//! One wording each. What was found out once stays known across restarts: the records that showed it
//! are not read again. Refuses to guess: a lack is told when a record has shown it, not before.

use row_model::{Change, ChangeBatch, ChangeKind, Failure, RecordFormat};
use serde::{Deserialize, Serialize};

use crate::tables::TableState;

const TRUNCATES: &str = "flattened rows: a TRUNCATE at the source is never sent, so its rows stay here. Send change events without ExtractNewRecordState if this table is truncated";
const DELETES: &str = "flattened rows, and no delete among them so far: with delete.tombstone.handling.mode=drop none is ever sent, so deleted rows stay here. Set it to rewrite-with-tombstone or tombstone";
const POSITIONS: &str = "flattened rows that do not say what happened and where in the source's order: rows of a snapshot look like inserts, and what is delivered again shows old states for a while. Set add.fields=op,lsn,source.ts_ms,source.snapshot (op,file,pos,row,source.ts_ms,source.snapshot for MySQL) in ExtractNewRecordState";
const ATTRIBUTES: &str = "cloud events without extension attributes: they name neither operation nor position, so rows of a snapshot look like inserts, and what is delivered again shows old states for a while. Set extension.attributes.enable=true in the CloudEvents converter";
const BEFORE_IMAGES: &str = "changes of rows without a key came without the image of the row before: they were put aside, and the old rows stay. Set REPLICA IDENTITY FULL on the source table, or key = [\"…\"] in its [[tables]]";
const LOST_KEY: &str = "rows without a key came for a table that had one (its primary key was dropped, or the connector looked it up after a change of the table): they stand beside the rows with a key and are known by their whole content. Set the key again if it was dropped, and let a new run of the connector take a full snapshot";

/// What records have shown.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which is shown by a record of its own"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lacks {
    /// A streamed row named no position, though its format could.
    positions: bool,
    /// A row was deleted.
    deletes: bool,
    /// A row without a key was changed, and its image before is missing.
    before_images: bool,
    /// The table had a key, and then a row came without.
    pub lost_key: bool,
}

impl Lacks {
    /// Notes what a change shows of its format.
    pub fn see(&mut self, format: Option<RecordFormat>, change: &Change) {
        let can_lack = matches!(format, Some(RecordFormat::Flat | RecordFormat::CloudEvents));
        let is_streamed = change.kind == ChangeKind::Upsert && change.snapshot.is_none();
        self.positions |= can_lack && is_streamed && change.position.is_none();
        self.deletes |= change.kind == ChangeKind::Delete;
    }

    /// Notes what a record that could not be decoded shows.
    pub fn see_failure(&mut self, failure: &Failure) {
        let lacks_image = failure.kind == "missing_image" && failure.reason.contains("before");
        self.before_images |= lacks_image && failure.key.is_none();
    }

    /// In words.
    pub fn notes(self, format: Option<RecordFormat>) -> Vec<&'static str> {
        let is_flat = format == Some(RecordFormat::Flat);
        let is_cloud = format == Some(RecordFormat::CloudEvents);
        let told = [
            (is_flat && self.positions, POSITIONS),
            (is_flat && !self.deletes, DELETES),
            (is_flat, TRUNCATES),
            (is_cloud && self.positions, ATTRIBUTES),
            (self.before_images, BEFORE_IMAGES),
            (self.lost_key, LOST_KEY),
        ];
        let told = told.into_iter().filter(|(is_so, _)| *is_so);
        told.map(|(_, note)| note).collect()
    }
}

impl TableState {
    /// Notes what the changes of a batch show of its records.
    pub fn see(&mut self, batch: &ChangeBatch) {
        let before = (self.format, self.lacks);
        self.format = batch.format.or(self.format);
        for change in &batch.changes {
            self.lacks.see(self.format, change);
        }
        self.notes_dirty |= before != (self.format, self.lacks);
    }

    /// Notes what the records of a batch show that could not be decoded.
    pub fn see_failures(&mut self, batch: &ChangeBatch) {
        let before = self.lacks;
        for failure in &batch.failures {
            self.lacks.see_failure(failure);
        }
        self.notes_dirty |= before != self.lacks;
    }

    /// Everything the status should say of this table beside its state.
    pub fn notes(&self) -> Vec<String> {
        let lacks = self.lacks.notes(self.format).into_iter().map(str::to_owned);
        let columns = self.column_notes.iter().cloned();
        let told = lacks.chain(self.retention_note()).chain(columns);
        told.chain(self.index_notes()).collect()
    }
}
