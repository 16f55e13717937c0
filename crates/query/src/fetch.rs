//! Rows of known keys, with what a query shows of them: a lookup that shows more than the row itself.

use row_model::Version;
use table_store::{Lookup, PinnedCut};

use crate::bind::BoundQuery;
use crate::embed::{self, Node};
use crate::format::RowWriter;
use crate::key::RowKey;
use crate::least::{Candidate, Looker};
use crate::list::{Budget, ListError};
use crate::lookup;
use crate::run::{Prepared, Run};

/// The rows that were asked for, in that order.
#[derive(Debug)]
pub struct Fetched {
    rows: Vec<Option<Node>>,
}

/// Looks up the rows of these keys that meet the query, which is bound at this cut and has no groups.
///
/// # Errors
/// If what stands inside them would cost more than it may.
pub fn rows(
    cut: &PinnedCut,
    query: &BoundQuery,
    keys: &[RowKey],
    budget: Budget<'_>,
) -> Result<Fetched, ListError> {
    let run = Run {
        cut: cut.id,
        budget,
    };
    let prepared = Prepared::new(&query.scope, keys.len() as u64, run)?;
    let mut looker = Looker::new(query, &prepared, cut.id);
    let mut find = |key: &RowKey| -> Option<Version> {
        match lookup::find(query.table(), key, cut.id) {
            Lookup::Row(version) => looker.look(&version).is_some().then(|| version.clone()),
            _ => None,
        }
    };
    let found: Vec<Option<Version>> = keys.iter().map(&mut find).collect();
    let candidates = found.iter().flatten().cloned().map(Candidate::by_key);
    let mut nodes = embed::nodes(query, candidates.collect(), run)?.into_iter();
    let rows = found
        .iter()
        .map(|row| row.as_ref().and_then(|_| nodes.next()));
    Ok(Fetched {
        rows: rows.collect(),
    })
}

impl Fetched {
    /// Appends the row of each key, or null, with commas between them.
    ///
    /// # Errors
    /// If they are too much with all that stands inside them.
    pub fn write(&self, writer: &mut RowWriter<'_>, out: &mut Vec<u8>) -> Result<(), ListError> {
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match row {
                Some(node) => writer.write_row(number, node, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        writer.checked(out)
    }

    /// Whether there is a row of the key of this number.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.rows.get(number).is_some_and(Option::is_some)
    }
}
