//! The key of a row in an index: the sort keys of its columns, one after another.

use std::sync::Arc;

use row_model::{SchemaHistory, Value, Version, push_sort_key};

use super::IndexDefinition;
use crate::Layouts;

/// Writes the keys that rows have in one index.
#[derive(Debug)]
pub(super) struct KeyWriter {
    layouts: Layouts,
}

impl KeyWriter {
    pub fn new(definition: &IndexDefinition, history: &Arc<SchemaHistory>) -> Self {
        Self {
            layouts: Layouts::new(Arc::clone(history), definition.shared_columns()),
        }
    }

    /// Replaces what `out` holds by the key of a version; `false` if that is no row.
    pub fn write(&mut self, version: &Version, out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(row) = version.row() else {
            return false;
        };
        for place in self.layouts.of(version.schema()) {
            let value = place.and_then(|place| row.get(place));
            push_sort_key(value.unwrap_or(Value::Null), false, false, out);
        }
        true
    }

    /// Whether two rows of one shape have the very same values, which is seen sooner than their keys are
    /// made: cells are compared as they are held. Of what is not so nothing is said.
    pub fn are_same(&mut self, one: &Version, other: &Version) -> bool {
        let (Some(row), Some(beside)) = (one.row(), other.row()) else {
            return false;
        };
        one.schema() == other.schema()
            && self
                .layouts
                .of(one.schema())
                .iter()
                .flatten()
                .all(|place| row.raw(*place) == beside.raw(*place))
    }
}
