//! What readers see: the rows of cuts, held ones and by index.
//!
//! Invariant: a cut that is held answers the same for ever, whichever way it is asked.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::{CutId, SchemaHistory, Value, Version, push_sort_key};
use table_store::{
    Direction, Index, IndexDefinition, IndexKind, KeyRange, PinnedCut, Table, TableCut, TableStore,
};

use crate::canary::Canary;
use crate::coverage::Happening;
use crate::trace::Trace;

/// Rows by their ids, in words: what they hold beside the id, column by column.
pub type Contents = Vec<(i64, String)>;

/// Cuts that readers hold at once.
const HELD_MAX: usize = 3;

/// One table of a cut with its rows.
pub struct Seen {
    pub table: Arc<TableCut>,
    pub rows: Contents,
}

/// The tables of the newest cut.
pub fn newest(store: &Arc<TableStore>) -> Vec<Seen> {
    let cut = store.pin();
    let tables = cut.tables().iter();
    tables.map(|table| seen(table, cut.id)).collect()
}

/// Readers that take their time.
#[derive(Default)]
pub struct Readers {
    held: VecDeque<Held>,
    newest: Option<CutId>,
}

struct Held {
    cut: PinnedCut,
    tables: Vec<Seen>,
}

impl Readers {
    /// Takes hold of the newest cut.
    pub fn hold(&mut self, store: &Arc<TableStore>) {
        let cut = store.pin();
        let tables = cut.tables().iter().map(|table| seen(table, cut.id));
        let tables = tables.collect();
        if self.held.len() == HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back(Held { cut, tables });
    }

    /// Reads what is held once more, lets go of some of it, and looks at the number of the newest cut.
    pub fn read(
        &mut self,
        store: &Arc<TableStore>,
        rng: &mut fastrand::Rng,
        (canary, trace): (Canary, &Trace),
    ) -> Result<(), String> {
        let published = store.published().id;
        if self.newest > Some(published) {
            return Err(format!("cut {published:?} comes after {:?}", self.newest));
        }
        self.newest = Some(published);
        for held in &self.held {
            let at = match canary {
                Canary::ServesHeldCutsFromNewer => published,
                _ => held.cut.id,
            };
            for Seen { table, rows } in &held.tables {
                let now = seen(table, at).rows;
                if now != *rows {
                    let held = held.cut.id;
                    return Err(format!("{held:?} held {rows:?}, and shows {now:?} now"));
                }
                read_by_indexes(&table.table, held.cut.id, rows, trace)?;
            }
            trace.count(Happening::HeldCutRead, format_args!("{:?}", held.cut.id));
        }
        if rng.bool() {
            self.held.pop_front();
        }
        Ok(())
    }
}

/// Adds an index to a table of the newest cut, or removes the one that is there.
pub fn change_indexes(store: &Arc<TableStore>, rng: &mut fastrand::Rng, trace: &Trace) {
    let cut = store.published();
    let Some(table) = rng.choice(cut.tables().iter()) else {
        return;
    };
    let (table, name) = (&table.table, &table.table.identity().name);
    let column = ["v", "w", "u"][rng.usize(..3)].to_owned();
    let columns = vec![column.clone()];
    if table.remove_index(&columns) {
        return trace.count(Happening::IndexRemoved, format_args!("{name} {column}"));
    }
    let kind = [IndexKind::Ordered, IndexKind::Hash][rng.usize(..2)];
    let definition = IndexDefinition::new(columns, kind).expect("it is of one column");
    let index = table.add_index(definition).expect("there is none of it");
    let is_ready = table.build_index(&index);
    assert!(is_ready, "nobody has removed it");
    trace.count(
        Happening::IndexAdded,
        format_args!("{name} {column} {kind:?}"),
    );
}

/// Every way to the rows of a cut finds the same ones.
fn read_by_indexes(
    table: &Table,
    cut: CutId,
    rows: &Contents,
    trace: &Trace,
) -> Result<(), String> {
    for index in &*table.indexes() {
        let found = match index.definition().kind() {
            IndexKind::Ordered => walked(table, index, cut),
            IndexKind::Hash => looked_up(table, index, cut),
        };
        if found != *rows {
            return Err(format!(
                "{} by the index {} at {cut:?} shows {found:?}, and holds {rows:?}",
                table.identity().name,
                index.definition()
            ));
        }
        trace.count(Happening::IndexRead, format_args!("{}", index.definition()));
    }
    Ok(())
}

fn walked(table: &Table, index: &Index, cut: CutId) -> Contents {
    let mut found = Contents::new();
    let each = |_: &[u8], version: &Version| {
        found.extend(row(version, table.schemas()));
        ControlFlow::Continue(())
    };
    let walked = table.walk(
        index,
        KeyRange::all(),
        Direction::Ascending,
        None,
        cut,
        each,
    );
    walked.expect("it is ready");
    found.sort();
    found
}

/// All rows, by the values that they have.
fn looked_up(table: &Table, index: &Index, cut: CutId) -> Contents {
    let column = &index.definition().columns()[0];
    let mut keys = BTreeSet::new();
    table.visit(cut, |version| {
        let schema = table.schemas().get(version.schema());
        let place = schema.and_then(|schema| schema.column(column));
        let value = place.and_then(|place| version.row()?.get(place));
        let mut key = Vec::new();
        push_sort_key(value.unwrap_or(Value::Null), false, false, &mut key);
        keys.insert(key);
    });
    let mut found = Contents::new();
    for key in &keys {
        let each = |version: &Version| {
            found.extend(row(version, table.schemas()));
            ControlFlow::Continue(())
        };
        let looked = table.each_equal(index, key, cut, each);
        looked.expect("it is ready");
    }
    found.sort();
    found
}

fn seen(table: &Arc<TableCut>, cut: CutId) -> Seen {
    let mut rows = Contents::new();
    table.table.visit(cut, |version| {
        rows.extend(row(version, table.table.schemas()));
    });
    rows.sort();
    Seen {
        table: Arc::clone(table),
        rows,
    }
}

/// The id of a row, and its other columns in words.
fn row(version: &Version, schemas: &SchemaHistory) -> Option<(i64, String)> {
    let (row, schema) = (version.row()?, schemas.get(version.schema())?);
    let (mut id, mut text) = (None, String::new());
    for (column, value) in schema.columns.iter().zip(row.iter()) {
        let separator = if text.is_empty() { "" } else { "," };
        match value {
            Value::Int(value) if column.name == "id" => id = Some(value),
            Value::Text(value) => {
                let _ = write!(text, "{separator}{}={value}", column.name);
            }
            Value::Int(value) => {
                let _ = write!(text, "{separator}{}={value}", column.name);
            }
            other => {
                let _ = write!(text, "{separator}{}={other:?}", column.name);
            }
        }
    }
    Some((id?, text))
}
