//! Which shape a table shows: that of its newest record, in the order of its source.
//!
//! Shapes come back (an older one is delivered again, a snapshot reads a column that changes do not
//! carry), so neither their numbers nor the order of reading tell which is the newest. Rows keep the
//! shape they were written in; nothing here touches them.

use row_model::{Change, Epoch, OriginId, SchemaId, SourcePosition};
use table_store::Incoming;

use crate::tables::TableState;

/// The shape of a table, and the newest record that has told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub schema: Option<SchemaId>,
    /// How often it has changed: what readers compare.
    pub epoch: u64,
    pub told_by: Option<(OriginId, Epoch, SourcePosition)>,
}

impl Shown {
    /// A record of this shape came. Answers whether the shape that is shown has changed.
    pub fn met(&mut self, change: &Change, incoming: &Incoming) -> bool {
        if self.schema.is_some() && self.is_told_later(incoming) {
            return false;
        }
        let at = incoming.position;
        let told_by = at.map(|at| (incoming.origin, incoming.epoch, at));
        self.told_by = told_by.or(self.told_by);
        if self.schema == Some(change.schema) {
            return false;
        }
        self.schema = Some(change.schema);
        self.epoch += 1;
        true
    }

    /// Whether positions prove that what is shown is newer. Where they do not, the log decides.
    fn is_told_later(&self, incoming: &Incoming) -> bool {
        let Some((origin, epoch, told_at)) = self.told_by else {
            return false;
        };
        let is_before = || incoming.position.is_some_and(|at| at.is_before(&told_at));
        origin == incoming.origin
            && (incoming.epoch < epoch || (incoming.epoch == epoch && is_before()))
    }
}

impl TableState {
    /// A row of this shape came.
    pub fn meets(&mut self, change: &Change, incoming: &Incoming) {
        let before = self.shown.schema;
        if !self.shown.met(change, incoming) {
            return;
        }
        self.notes_dirty = true;
        let shapes = self.writer.table().schemas().shapes();
        let has_key = |schema: Option<SchemaId>| {
            let shape = schema.and_then(|schema| shapes.get(schema.0 as usize));
            shape.is_some_and(|shape| shape.key.is_some())
        };
        self.lacks.lost_key |= has_key(before) && !has_key(self.shown.schema);
    }
}

#[cfg(test)]
mod tests {
    use row_model::ChangeKind;

    use super::*;

    /// The shapes shown after records of (shape, epoch, position), position 0 being none.
    fn shown(records: &[(u32, u32, u64)]) -> Vec<(u32, u64)> {
        let mut shown = Shown::default();
        let told = records.iter().map(|(schema, epoch, lsn)| {
            let change = Change {
                schema: SchemaId(*schema),
                ..change()
            };
            let incoming = Incoming {
                snapshot: false,
                position: SourcePosition::from_numbers(0, &[*lsn]).filter(|_| *lsn > 0),
                epoch: Epoch(*epoch),
                origin: OriginId(0),
            };
            shown.met(&change, &incoming);
            (shown.schema.map_or(99, |schema| schema.0), shown.epoch)
        });
        told.collect()
    }

    fn change() -> Change {
        Change {
            offset: 0,
            kind: ChangeKind::Upsert,
            snapshot: None,
            schema: SchemaId(0),
            origin: OriginId(0),
            key: 0..0,
            row: 0..0,
            before: 0..0,
            position: None,
            run: None,
            transaction: None,
            membership: None,
            gtid_line: None,
            commit_ms: None,
            connector_ms: None,
            other_key: 0..0,
            key_change: false,
        }
    }

    #[test]
    fn the_newest_record_tells_the_shape_and_no_redelivered_one() {
        assert_eq!(
            shown(&[(0, 1, 10), (1, 1, 20), (0, 1, 15), (1, 1, 20), (0, 1, 30)]),
            [(0, 1), (1, 2), (1, 2), (1, 2), (0, 3)]
        );
    }

    #[test]
    fn a_newer_epoch_wins_whatever_its_positions() {
        assert_eq!(
            shown(&[(0, 1, 1000), (1, 2, 5), (0, 1, 2000)]),
            [(0, 1), (1, 2), (1, 2)]
        );
    }

    #[test]
    fn without_positions_the_log_decides() {
        assert_eq!(
            shown(&[(0, 0, 0), (1, 0, 0), (0, 0, 0)]),
            [(0, 1), (1, 2), (0, 3)]
        );
    }
}
