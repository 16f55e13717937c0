//! What an index is asked to be.

use std::sync::Arc;

/// More columns than this make no index that anyone would walk.
pub const INDEX_COLUMNS_MAX: usize = 8;

/// Indexes of one table: each costs memory, and time with every change.
pub const INDEXES_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Finds equal values of all its columns or of the first ones, ranges and beginnings, and walks in order.
    Ordered,
    /// Finds equal values of all its columns.
    Hash,
}

impl IndexKind {
    pub const ALL: [Self; 2] = [Self::Ordered, Self::Hash];

    /// The name in configuration and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Hash => "hash",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Columns, in the order in which they count, and how they are to be found. A table has one index of
/// the same columns at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDefinition {
    columns: Arc<[String]>,
    kind: IndexKind,
}

impl std::fmt::Display for IndexDefinition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({})", self.columns.join(", "))?;
        match self.kind {
            IndexKind::Ordered => Ok(()),
            IndexKind::Hash => f.write_str(" by hash"),
        }
    }
}

/// Why columns make no index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error("an index needs a column")]
    NoColumn,
    #[error("a column of an index has an empty name")]
    EmptyName,
    #[error("an index of {0} columns; {INDEX_COLUMNS_MAX} are the most")]
    TooManyColumns(usize),
    #[error("`{0}` is twice in one index")]
    Twice(String),
}

impl IndexDefinition {
    /// # Errors
    /// If there is no column, one without a name or one twice, or if there are too many.
    pub fn new(columns: Vec<String>, kind: IndexKind) -> Result<Self, DefinitionError> {
        if columns.is_empty() {
            return Err(DefinitionError::NoColumn);
        }
        if columns.len() > INDEX_COLUMNS_MAX {
            return Err(DefinitionError::TooManyColumns(columns.len()));
        }
        for (at, column) in columns.iter().enumerate() {
            if column.is_empty() {
                return Err(DefinitionError::EmptyName);
            }
            if columns[..at].contains(column) {
                return Err(DefinitionError::Twice(column.clone()));
            }
        }
        Ok(Self {
            columns: columns.into(),
            kind,
        })
    }

    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn shared_columns(&self) -> Arc<[String]> {
        Arc::clone(&self.columns)
    }

    #[must_use]
    pub fn kind(&self) -> IndexKind {
        self.kind
    }
}
