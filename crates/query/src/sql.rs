//! The SQL spelling of a query: one `SELECT` of `PostgreSQL`'s dialect, over tables and their declared relations.
//!
//! `sqlparser` reads the text, and what it found is mapped onto the [`tree`](crate::tree) that every spelling is
//! mapped onto. Nothing of a statement is skipped: what the tree cannot say is refused by its name, with its
//! place and the nearest form that can be said.
//!
//! Names are looked up while the statement is read, unlike in other spellings, because only the tables say whose an
//! unqualified column is and which relation a join follows. Tables are joined along declared relations
//! only: rows of the table from which every other is one row away are what is asked for.

mod comparison;
mod condition;
mod error;
mod from;
mod group;
mod join;
mod list;
mod literal;
mod names;
mod parameter;
mod parse;
mod path;
mod refusal;
mod select;
mod types;

use std::sync::Arc;

use table_store::TableCut;

pub use error::{Spot, SqlError};
pub use parameter::Parameter;
pub use types::postgresql_name;

use crate::bind::{self, BindError, BoundQuery, FieldWhat};
use crate::relation::World;
use crate::tree::Query;

/// Bytes of a statement.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Values that stand for `$1`, `$2`, …
pub const PARAMETERS_MAX: usize = 1_000;
/// Columns of an answer, those that are only ordered by included.
pub const COLUMNS_MAX: usize = 1_000;
/// Tables of one statement that are joined.
pub const TABLES_MAX: usize = 16;

/// A statement as a query of one table.
#[derive(Debug)]
pub struct SqlQuery {
    pub table: Arc<TableCut>,
    pub query: Query,
    /// At most so many columns are shown. Others are there to be grouped or ordered by, or asked of groups.
    pub shown: usize,
}

/// Reads a statement; `parameters` are what `$1`, `$2`, … stand for.
///
/// # Errors
/// At the first part that cannot be read, is not supported, or names what is not there.
pub fn read(text: &str, parameters: &[Parameter], world: &World<'_>) -> Result<SqlQuery, SqlError> {
    let statement = parse::statement(text)?;
    let reading = literal::Reading::new(text, parameters)?;
    let query = select::read(&statement, &reading, world)?;
    reading.check_all_used()?;
    Ok(query)
}

impl SqlQuery {
    /// Binds the query; of its columns only those that are shown are columns of the answer.
    ///
    /// # Errors
    /// If a type cannot answer what is asked of it.
    pub fn bind(&self, world: &World<'_>) -> Result<BoundQuery, BindError> {
        let mut bound = bind::bind(&self.query, &self.table, world)?;
        bound.fields.truncate(self.shown);
        Ok(bound)
    }
}

/// `PostgreSQL`'s names for the types of an answer's columns.
#[must_use]
pub fn types(query: &BoundQuery) -> Vec<&'static str> {
    let kind = |field: &bind::Field| match &field.what {
        FieldWhat::Value { kind, .. } => postgresql_name(*kind),
        _ => "jsonb",
    };
    query.fields.iter().map(kind).collect()
}

#[cfg(test)]
mod against_sqlite;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
