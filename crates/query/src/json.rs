//! Rows as JSON bytes, as every surface but the `PostgREST` one spells them.
//!
//! Rows are written where they lie: no value passes through a tree. A row shows what it has: the
//! columns of the table's newest shape first, matched by name, then those that only its own shape has.
//! A column that the row's shape lacks is left out, because nobody said that it is null; one whose
//! value was never sent is left out too, and named in `unavailable`.

mod array;
pub mod postgres;
mod shape;
mod value;

pub(crate) use array::{is_blank, write_array};
pub use shape::{RowShape, RowShapes};
pub(crate) use value::write_text;
pub use value::write_value;
