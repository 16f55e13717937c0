//! Rows as JSON bytes, as every surface but the `PostgREST` one spells them.
//!
//! Rows are written where they lie: no value passes through a tree. A row is shown in the table's
//! newest shape, whatever shape it was written in: columns are matched by name, one that the row
//! does not have is null, and one that was never sent is left out and named in `unavailable`.

mod shape;
mod value;

pub use shape::{RowShape, RowShapes};
pub(crate) use value::write_text;
pub use value::write_value;
