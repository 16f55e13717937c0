//! Single columns of rows that come one after another, read without turning to the rows.

use row_model::{CellFinder, RawCell, SchemaId, SmallNumber, Version};
use table_store::Layouts;

use crate::predicate::Source;

/// What is known of columns from the rows before, by their number among those in use.
#[derive(Debug, Default)]
pub(super) struct Columns(Vec<Column>);

/// A column in rows of the shape that was met last.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    shape: Option<SchemaId>,
    /// `None` if they lack it.
    finder: Option<CellFinder>,
}

impl Columns {
    pub fn cell<'a>(
        &mut self,
        layouts: &mut Layouts,
        version: &'a Version,
        slot: usize,
    ) -> Option<RawCell<'a>> {
        let row = version.row()?;
        let shape = version.schema();
        if self.0.len() <= slot {
            // Short questions come to look at few rows, and at no column alone.
            self.0.resize(slot + 1, Column::default());
        }
        let column = &mut self.0[slot];
        if column.shape != Some(shape) {
            let place = layouts.of(shape).get(slot).copied().flatten();
            *column = Column {
                shape: Some(shape),
                finder: place.map(CellFinder::new),
            };
        }
        column.finder.as_mut()?.cell(row)
    }

    /// The small number in a plain column; `None` if it is not one.
    pub fn small_number(
        &mut self,
        layouts: &mut Layouts,
        version: &Version,
        source: &Source,
    ) -> Option<SmallNumber> {
        if !source.is_plain() {
            return None;
        }
        self.cell(layouts, version, source.slot)?.small_number()
    }
}
