//! The tables that a command line names.

use anyhow::anyhow;
use table_store::{Cut, NameError};

use crate::failure::Failure;

/// Tables that are named as what could have been meant.
const CANDIDATES_MAX: usize = 5;

/// The tables that are meant, each once, by the names they go by; all of them if none is named.
pub fn chosen(cut: &Cut, named: &[String]) -> Result<Vec<String>, Failure> {
    let name = |table: &table_store::TableCut| table.table.identity().name.clone();
    let mut tables: Vec<String> = Vec::new();
    for given in named {
        let table = cut.table(given).map_err(|error| unknown(given, &error))?;
        let table = name(table);
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    if named.is_empty() {
        tables = cut.tables().iter().map(|table| name(table)).collect();
    }
    Ok(tables)
}

fn unknown(given: &str, error: &NameError) -> Failure {
    let (what, candidates) = match error {
        NameError::Unknown { known } => {
            let mut known = known.clone();
            known.sort_by_cached_key(|name| strsim::levenshtein(name, given));
            (format!("There is no table '{given}'."), known)
        }
        NameError::Ambiguous { candidates } => (
            format!("Several tables can be meant by '{given}'."),
            candidates.clone(),
        ),
    };
    let candidates = candidates.get(..CANDIDATES_MAX).unwrap_or(&candidates);
    let candidates = match candidates {
        [] => "there are none".to_owned(),
        some => format!("candidates: {}", some.join(", ")),
    };
    Failure::Failed(anyhow!("{what}\n{candidates}"))
}
