//! What config says of a topic's columns: which are dropped, which are hashed, and types that
//! records do not say.
//!
//! Invariant: no value of a dropped or hashed column leaves the decoder, neither in a row, a key or an
//! image of what was, nor in a failure. Remembers which of the named columns were met, because a
//! name that no record has hides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use row_model::{Row, RowBuilder, Value};

use crate::cell::Mismatch;
use crate::hash_key::HashKey;
use crate::json_token::Token;
use crate::row_shape::ShapeColumn;
use crate::semantic::Semantic;
use crate::type_hint::TypeHint;
use crate::{DecodeError, Placeholder};

/// What flattened rows may be told to carry of the statement that changed them: it holds the values of
/// every column, the hidden ones too.
const STATEMENTS: [&str; 4] = [
    "__query",
    "__source_query",
    "__redo_sql",
    "__source_redo_sql",
];
/// Contradicted hints that are told by name; more are left out.
const CONTRADICTED_MAX: usize = 100;

/// Rules for the columns of one topic, shared by all who decode it.
#[derive(Debug, Default)]
pub struct ColumnRules {
    drop: BTreeSet<String>,
    hash: BTreeMap<String, HashKey>,
    types: BTreeMap<String, Arc<TypeHint>>,
    // Held for one look or one insertion, when a new shape of rows is met.
    met: Mutex<Met>,
}

/// What the records have shown so far.
#[derive(Debug, Default)]
struct Met {
    columns: BTreeSet<String>,
    /// Hints that lost to a schema, with what the schema says.
    contradicted: BTreeMap<String, &'static str>,
}

/// What becomes of a column's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Treatment {
    #[default]
    Keep,
    Drop,
    Hash(HashKey),
}

impl ColumnRules {
    #[must_use]
    pub fn new(
        drop: impl IntoIterator<Item = String>,
        hash: impl IntoIterator<Item = String>,
        key: Option<&HashKey>,
        types: BTreeMap<String, TypeHint>,
    ) -> Self {
        let mut drop: BTreeSet<String> = drop.into_iter().collect();
        let mut hashed = BTreeMap::new();
        for column in hash {
            match key {
                Some(key) => _ = hashed.insert(column, key.clone()),
                // Config refuses this. Should it come here all the same, nothing may leak.
                None => _ = drop.insert(column),
            }
        }
        Self {
            drop,
            hash: hashed,
            types: types
                .into_iter()
                .map(|(column, hint)| (column, Arc::new(hint)))
                .collect(),
            met: Mutex::default(),
        }
    }

    /// True if some column must not be seen as it was sent.
    #[must_use]
    pub fn hides(&self) -> bool {
        !self.drop.is_empty() || !self.hash.is_empty()
    }

    /// What an operator should know: names that no row had so far, and hints that lost to a schema.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let met = self.met.lock();
        let missing = |key: &str, named: &mut dyn Iterator<Item = &String>, so: &str| {
            let named: Vec<&str> = named
                .filter(|name| !met.columns.contains(*name))
                .map(String::as_str)
                .collect();
            (!named.is_empty()).then(|| {
                format!(
                    "columns.{key} names {}, and no row read since the start has such a column: {so}",
                    named.join(", ")
                )
            })
        };
        let hidden = "if it is misspelt, what it should hide is not hidden";
        let mut notes: Vec<String> = [
            missing("drop", &mut self.drop.iter(), hidden),
            missing("hash", &mut self.hash.keys(), hidden),
            missing("types", &mut self.types.keys(), "it has no effect"),
        ]
        .into_iter()
        .flatten()
        .collect();
        notes.extend(met.contradicted.iter().filter_map(|(column, said)| {
            let hint = self.types.get(column)?;
            Some(format!(
                "columns.types says {column} is {hint}, the records' schema says {said}: the schema counts"
            ))
        }));
        notes
    }

    /// True if config says nothing of this topic's columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.hides() && self.types.is_empty()
    }

    pub(crate) fn treatment(&self, column: &str) -> Treatment {
        if self.drop.contains(column) || (self.hides() && STATEMENTS.contains(&column)) {
            Treatment::Drop
        } else {
            self.hash
                .get(column)
                .map_or(Treatment::Keep, |key| Treatment::Hash(key.clone()))
        }
    }

    /// Applies the rules to the columns of a new shape, of rows or of keys.
    pub(crate) fn apply(&self, columns: &mut [ShapeColumn]) {
        for column in &mut *columns {
            column.treatment = self.treatment(&column.name);
            (column.semantic, column.hint) = self.hinted(&column.name, &column.semantic);
        }
        self.meet(columns.iter().map(|column| column.name.as_str()));
    }

    /// What a column holds, given what its schema says, and the hint that says so.
    pub(crate) fn hinted(
        &self,
        column: &str,
        sent: &Semantic,
    ) -> (Semantic, Option<Arc<TypeHint>>) {
        match self.types.get(column) {
            Some(hint) if hint.refines(sent) => (hint.semantic.clone(), Some(Arc::clone(hint))),
            Some(hint) if hint.semantic != *sent => {
                let contradicted = &mut self.met.lock().contradicted;
                if contradicted.len() < CONTRADICTED_MAX {
                    contradicted.insert(column.to_owned(), sent.column_type().name());
                }
                (sent.clone(), None)
            }
            _ => (sent.clone(), None),
        }
    }

    /// A column of a row that is made up here, with its type and nothing hidden yet.
    pub(crate) fn made_column(&self, name: &str, sent: &Semantic) -> ShapeColumn {
        let (semantic, hint) = self.hinted(name, sent);
        ShapeColumn {
            hint,
            ..ShapeColumn::new(name, semantic, true)
        }
    }

    pub(crate) fn meet<'n>(&self, columns: impl Iterator<Item = &'n str>) {
        let named = |name: &str| {
            self.drop.contains(name)
                || self.hash.contains_key(name)
                || self.types.contains_key(name)
        };
        let mut met = None;
        for name in columns.filter(|name| named(name)) {
            let met = met.get_or_insert_with(|| self.met.lock());
            if !met.columns.contains(name) {
                met.columns.insert(name.to_owned());
            }
        }
    }
}

impl Treatment {
    /// The hash of a value, where it is to be hashed.
    pub fn hashed(&self, value: Value<'_>) -> Option<String> {
        match self {
            Self::Hash(key) => key.hash(value),
            Self::Keep | Self::Drop => None,
        }
    }

    /// Appends the value as it may be seen; nothing of a dropped column.
    pub fn push(&self, value: Value<'_>, row: &mut RowBuilder) {
        match self {
            Self::Keep => row.push(value),
            Self::Drop => {}
            Self::Hash(key) => row.push(key.hash(value).as_deref().map_or(value, Value::Text)),
        }
    }
}

impl ShapeColumn {
    /// True for a column of which config says nothing.
    pub fn is_plain(&self) -> bool {
        self.treatment == Treatment::Keep && self.hint.is_none()
    }

    /// Appends the cell as it may be seen; nothing of a dropped column.
    #[inline]
    pub fn push(
        &self,
        token: Option<Token<'_>>,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), DecodeError> {
        match &self.treatment {
            Treatment::Keep => self.push_plain(token, placeholder, row),
            Treatment::Drop => Ok(()),
            Treatment::Hash(_) => {
                let (mut plain, mut cell) = (RowBuilder::default(), Vec::new());
                self.push_plain(token, placeholder, &mut plain)?;
                plain.finish(&mut cell);
                let value = Row::new(&cell).get(0).unwrap_or(Value::Null);
                self.treatment.push(value, row);
                Ok(())
            }
        }
    }

    /// Appends the cell as it was sent.
    #[inline]
    pub fn push_plain(
        &self,
        token: Option<Token<'_>>,
        placeholder: Option<&Placeholder>,
        row: &mut RowBuilder,
    ) -> Result<(), DecodeError> {
        let Some(token) = token else {
            row.push(Value::Null);
            return Ok(());
        };
        let pushed = match &self.hint {
            Some(_) => self.semantic.push_strictly(token, placeholder, row),
            None => self.semantic.push(token, placeholder, row),
        };
        pushed.map_err(|mismatch| self.misfit(&mismatch))
    }

    fn misfit(&self, mismatch: &Mismatch) -> DecodeError {
        match &self.hint {
            Some(hint) => DecodeError::HintMismatch {
                column: self.name.clone(),
                hint: hint.to_string(),
            },
            None => DecodeError::bad_cell(&self.name, mismatch),
        }
    }
}
