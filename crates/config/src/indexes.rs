//! Validation of `indexes`: which columns of a table are to be found fast.
//!
//! Whether a table has the columns is known only from its rows: the status says of which it has none.

use table_store::{INDEXES_MAX, IndexDefinition, IndexKind};

use super::document::KeyPath;
use super::raw::{RawIndex, RawIndexKind};
use super::validated::Findings;

/// The indexes of one table, of whose columns these are dropped.
pub fn indexes(
    raw: Vec<RawIndex>,
    dropped: &[String],
    at: &KeyPath,
    findings: &mut Findings<'_>,
) -> Vec<IndexDefinition> {
    if raw.len() > INDEXES_MAX {
        findings.find(
            at,
            format!("`{at}` has {} indexes", raw.len()),
            format!("leave out those that are not needed: {INDEXES_MAX} are the most, and each takes memory and time"),
        );
    }
    let mut known: Vec<IndexDefinition> = Vec::new();
    for (number, index) in raw.into_iter().enumerate() {
        let at = at.index(number);
        let (columns, kind) = match index {
            RawIndex::Columns(columns) => (columns, IndexKind::Ordered),
            RawIndex::Section(section) => (section.columns, kind(section.kind)),
        };
        let definition = match IndexDefinition::new(columns, kind) {
            Ok(definition) => definition,
            Err(error) => {
                let help =
                    "write the columns of an index as [\"status\", \"created_at\"], each once";
                findings.find(&at, format!("`{at}`: {error}"), help);
                continue;
            }
        };
        let columns = definition.columns();
        if let Some(column) = columns.iter().find(|column| dropped.contains(column)) {
            let what = format!("`{at}` is of {column}, a column that is dropped");
            findings.find(&at, what, "leave it out of one of them");
        }
        if known.iter().any(|other| other.columns() == columns) {
            let what = format!("`{at}` has the columns of another index");
            findings.find(
                &at,
                what,
                "remove one of them: an ordered index finds equal values too",
            );
            continue;
        }
        known.push(definition);
    }
    known
}

fn kind(raw: RawIndexKind) -> IndexKind {
    match raw {
        RawIndexKind::Ordered => IndexKind::Ordered,
        RawIndexKind::Hash => IndexKind::Hash,
    }
}
