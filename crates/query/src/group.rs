//! Many rows made one: groups of rows with equal keys, and what is counted, summed and compared in each.
//!
//! Everything is exact where the values are: integers and decimals are summed to the last digit, floats
//! as if all digits were kept and rounded once, so the order in which rows are met changes nothing. As in
//! `PostgreSQL` null is not counted, the sum of nothing is null, and not a number is the greatest number. A
//! value that was never sent counts as null does, because nothing is known of it.
//!
//! Knows no table, query or thread: rows are offered one by one, and groups that were made on several
//! threads are put together with [`Groups::merge`].

mod accumulators;
mod average;
mod error;
mod extreme;
mod float_sum;
mod kinds;
mod memo;
mod sum;
mod table;

pub use accumulators::Aggregation;
pub use error::GroupError;
pub use kinds::{Unsuitable, result_kind};
pub use memo::Memo;
pub use table::{Bounds, Group, GroupColumn, GroupRows, GroupValue, Groups};

#[cfg(test)]
mod against_naive;
