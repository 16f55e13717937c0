//! Runs what was bound: finds related rows, visits tables, shares a visit among workers.
//!
//! Everything here reads one pinned cut. Nothing else is asked for while a chunk of a table is locked, because
//! the writer may wait between the two: rows that need more than themselves are looked at aside.

mod columns;
mod finder;
mod prepared;
mod reader;
mod seeker;
mod visit;
mod way;

use row_model::CutId;

pub(crate) use finder::{ColumnReader, Finder, JoinKey, probe};
pub(crate) use prepared::Prepared;
pub(crate) use reader::{Reader, View};
pub(crate) use seeker::Seeker;
pub(crate) use visit::{Sink, sinks_for, visit, visit_shared};
pub use way::Taken;
pub(crate) use way::{InOrder, IndexWay, KeyBounds, Way};

use crate::list::Budget;

/// One question's run.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub cut: CutId,
    pub budget: Budget<'a>,
}
