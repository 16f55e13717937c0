//! What a question means: reads keys and literals, looks rows up, lists them, renders them, and says how fresh they are.
//!
//! Pure over `table-store`: knows no request, clock, thread or wire; the time is an argument.
//! A question is answered from one cut. Each module is one step of it: [`url`] reads a query into the
//! [`tree`] and [`bind`] fits it to a table, [`literal`] and [`key`] read values, [`lookup`] and [`list`]
//! are the access paths, [`json`] and [`format`] render, [`fresh`] and [`as_of`] say where the
//! answer stands. Nothing is ever ignored: what cannot be answered is an error.

#![forbid(unsafe_code)]

pub mod as_of;
pub mod bind;
pub mod cast;
mod compare;
pub mod cursor;
mod embed;
#[cfg(test)]
mod fixture;
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
pub mod relation;
mod run;

mod token;
pub mod tree;
pub mod url;
