//! How fresh tables are, written out: what a lookup says of it takes longer to write than a row to find.
//!
//! Nothing but the clock and the contact with the log changes it while a cut stands, and both are told
//! in milliseconds: so all lookups of one millisecond share what the first has written.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use http::HeaderValue;
use parking_lot::RwLock;
use query::fresh::Fresh;
use query::json::{RowShape, RowShapes};
use row_model::{CutId, TableId};
use table_store::{Cut, TableCut};

use crate::{fresh, respond};

/// One table's freshness at one moment.
#[derive(Debug)]
pub(crate) struct Told {
    moment: Moment,
    pub fresh: Fresh,
    /// As the body says it.
    pub json: Vec<u8>,
    /// As the headers do, unless they would be too long.
    pub as_of: Option<HeaderValue>,
    pub freshness: Option<HeaderValue>,
    /// What begins the bytes of an answer.
    pub head: Vec<u8>,
    /// How the table's rows are laid out in answers.
    pub shape: Arc<RowShape>,
}

/// What a table's freshness depends on.
#[derive(Debug)]
struct Moment {
    /// Weak, so that a table that was replaced is let go of. As long as this is held, no other has its address.
    table: Weak<TableCut>,
    cut: CutId,
    now_ms: i64,
    at_end_ms: Option<i64>,
    shown_source_ms: Option<i64>,
}

impl Moment {
    fn of(cut: &Cut, table: &Arc<TableCut>, now_ms: i64) -> Self {
        Self {
            table: Arc::downgrade(table),
            cut: cut.id,
            now_ms,
            at_end_ms: table.facts.at_end_ms(),
            shown_source_ms: table.facts.shown_source_ms(),
        }
    }

    fn is_of(&self, cut: &Cut, table: &Arc<TableCut>, now_ms: i64) -> bool {
        std::ptr::eq(self.table.as_ptr(), Arc::as_ptr(table))
            && self.cut == cut.id
            && self.now_ms == now_ms
            && self.at_end_ms == table.facts.at_end_ms()
            && self.shown_source_ms == table.facts.shown_source_ms()
    }
}

/// What was told last of each table.
#[derive(Debug, Default)]
pub(crate) struct LastTold {
    /// Guards one look or one insertion.
    by_table: RwLock<BTreeMap<TableId, Arc<Told>>>,
}

impl LastTold {
    /// How fresh a table of this cut is now.
    pub fn of(
        &self,
        cut: &Cut,
        table: &Arc<TableCut>,
        shapes: &RowShapes,
        now_ms: i64,
    ) -> Arc<Told> {
        let id = table.table.identity().id;
        if let Some(told) = self.by_table.read().get(&id)
            && told.moment.is_of(cut, table, now_ms)
        {
            return Arc::clone(told);
        }
        let told = Arc::new(Told::new(cut, table, shapes, now_ms));
        self.by_table.write().insert(id, Arc::clone(&told));
        told
    }
}

impl Told {
    fn new(cut: &Cut, table: &Arc<TableCut>, shapes: &RowShapes, now_ms: i64) -> Self {
        // Taken first: the contact may move on meanwhile, and then this is told to nobody else.
        let moment = Moment::of(cut, table, now_ms);
        let fresh = fresh::of_table(cut, table, now_ms);
        let mut json = Vec::new();
        respond::write_json(&fresh::to_wire(&fresh), &mut json);
        let (as_of, freshness) = (respond::as_of(&fresh), respond::freshness(&fresh));
        Self {
            head: respond::told_head(as_of.as_ref(), freshness.as_ref(), now_ms),
            moment,
            json,
            as_of,
            freshness,
            fresh,
            shape: shapes.of(table),
        }
    }
}
