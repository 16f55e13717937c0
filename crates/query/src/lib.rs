//! What a question means: reads keys and literals, looks rows up, lists them, renders them, and says how fresh they are.
//!
//! Pure over `table-store`: knows no request, clock, thread or wire; the time is an argument.
//! A question is answered from one cut. Each module is one step of it: [`url`] and [`dsl`] read a query into the
//! [`tree`] and [`bind`] fits it to a table, [`literal`] and [`key`] read values, [`lookup`], [`fetch`] and [`list`]
//! are the access paths, [`json`] and [`format`] render, [`fresh`] and [`as_of`] say where the
//! answer stands. Nothing is ever ignored: what cannot be answered is an error.

#![forbid(unsafe_code)]

#[cfg(test)]
mod any_tree;
pub mod as_of;
pub mod bind;
mod compare;
pub mod cursor;
pub mod dsl;
mod embed;
pub mod fetch;
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
mod predicate;
pub mod relation;
mod run;
#[cfg(test)]
mod said;
pub mod shown;
mod token;
pub mod tree;
pub mod url;
