//! The indexes of a table, to which anyone may add at any time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::RwLock;
use row_model::SchemaHistory;

use super::{INDEXES_MAX, Index, IndexDefinition, REMOVED};

/// Why an index was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddIndexError {
    #[error("there is an index of these columns")]
    Exists,
    #[error("a table has {INDEXES_MAX} indexes at most")]
    TooMany,
}

/// All indexes, ready or not.
///
/// A lock and not an atomic: the writer makes a chunk and then looks here, who builds an index adds it
/// here and then looks for chunks, and one of the two must see what the other did.
#[derive(Debug, Default)]
pub(crate) struct IndexList {
    /// Guards only the swap of the list; all others take a reference out and let go.
    all: RwLock<Arc<[Arc<Index>]>>,
}

impl IndexList {
    pub fn all(&self) -> Arc<[Arc<Index>]> {
        Arc::clone(&self.all.read())
    }

    pub fn add(
        &self,
        definition: IndexDefinition,
        history: &Arc<SchemaHistory>,
    ) -> Result<Arc<Index>, AddIndexError> {
        let mut all = self.all.write();
        let is_same = |index: &Arc<Index>| index.definition.columns() == definition.columns();
        if all.iter().any(is_same) {
            return Err(AddIndexError::Exists);
        }
        if all.len() >= INDEXES_MAX {
            return Err(AddIndexError::TooMany);
        }
        let index = Arc::new(Index::new(definition, Arc::clone(history)));
        *all = all.iter().cloned().chain([Arc::clone(&index)]).collect();
        Ok(index)
    }

    pub fn remove(&self, columns: &[String]) -> bool {
        let mut all = self.all.write();
        let is_it = |index: &&Arc<Index>| index.definition.columns() == columns;
        let Some(index) = all.iter().find(is_it) else {
            return false;
        };
        // Before the writer stops to mind it: whoever sees a cut that it misses sees this too.
        index.state.store(REMOVED, Ordering::Release);
        let left = all.iter().filter(|index| !is_it(index));
        *all = left.cloned().collect();
        true
    }
}
