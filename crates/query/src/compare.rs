//! How values compare: numbers numerically and to the last digit, times as moments, text by its bytes.
//!
//! Values of different kinds are never equal and have no order among them, except where rows must be
//! sorted. Invariant: [`sort_key`] sorts values of one kind as [`Constant::compare`] does.

mod constant;
mod json;
mod like;
mod numeric;
mod sort_key;

pub(crate) use constant::{Constant, Kind, uuid_text};
pub(crate) use json::{JsonPath, canonical, contains, overlaps};
pub(crate) use like::Pattern;
pub(crate) use numeric::{Fixed, ScaledFixed};
pub(crate) use sort_key::push_sort_key;
