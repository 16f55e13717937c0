//! What a question means: reads it, finds and relates the rows, groups and orders them, renders them, and says how fresh they are.
//!
//! Pure over `table-store`: knows no request, clock or wire; the time is an argument, and so are those who share a visit
//! of a large table.
//!
//! One way for every spelling: [`url`], [`dsl`], [`sql`] and the others read a query into the [`tree`]; [`bind`] fits it to the
//! tables of one cut, with what [`relation`] knows of them, and notes which rows need be looked at; [`list`] takes
//! the way that looks at least (`run`), keeps the rows that are wanted (`least`) or groups of them ([`group`]), and
//! fetches what stands inside them (`embed`); [`format`](mod@format) and [`json`] render; [`fresh`] and [`as_of`] say where the answer
//! stands, [`mod@reach`] and [`floor`] whether that is far enough. [`whole`] does so for all rows of a table, without pages. [`lookup`] is the short way to one row by its [`key`], [`fetch`] the longer one that shows more than the row. Nothing is ever ignored: what cannot be answered is an error.

#![forbid(unsafe_code)]

#[cfg(test)]
mod any_tree;
pub mod as_of;
pub mod audience;
pub mod bind;
pub mod cast;
mod compare;
pub mod cursor;
pub mod diff;
pub mod dsl;
mod embed;
pub mod fetch;
#[cfg(test)]
mod fixture;
pub mod floor;
pub mod follow;
pub mod format;
pub mod fresh;
pub mod group;
mod grouped;
pub mod json;
pub mod key;
mod least;
pub mod list;
pub mod literal;
pub mod lookup;
pub mod percent;
pub mod postgrest;
mod predicate;
pub mod reach;
pub mod relation;
pub mod resume;
mod run;
#[cfg(test)]
mod said;
pub mod shown;
mod sieve;
pub mod sql;
mod token;
pub mod tree;
pub mod url;
pub mod whole;
pub mod zone;
