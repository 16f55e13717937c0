//! Whose columns a query uses: those of its table, and those of the rows that to-one relations lead to.

use std::ops::Deref;
use std::sync::Arc;

use row_model::{Column, ColumnType, Schema, SchemaHistory};
use table_store::TableCut;

use super::{BindError, holds_json};
use crate::cast::Cast;
use crate::compare::JsonPath;
use crate::predicate::{Layouts, Predicate, Source};
use crate::tree::{ColumnPath, Place, RelationRef};

/// What values of one row a query may read. Level 0 is the row itself.
#[derive(Debug)]
pub(crate) struct Scope {
    pub levels: Vec<Level>,
    /// Relations of which some row is asked for, by number.
    pub exists: Vec<Exists>,
}

/// The columns in use of one row, each once.
#[derive(Debug)]
pub(crate) struct Level {
    /// `None` for rows that are in no table.
    pub table: Option<Arc<TableCut>>,
    history: Arc<SchemaHistory>,
    newest: Arc<Schema>,
    pub used: Used,
    /// How the row is reached; `None` of level 0.
    pub join: Option<Join>,
}

/// Columns, in the order in which they were first used.
#[derive(Debug)]
pub(crate) enum Used {
    Some(Vec<Column>),
    /// All of a shape, in its order.
    Whole(Arc<Schema>),
}

impl Default for Used {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Used {
    fn push(&mut self, column: Column) {
        match self {
            Self::Some(columns) => columns.push(column),
            Self::Whole(schema) => {
                let mut columns = schema.columns.clone();
                columns.push(column);
                *self = Self::Some(columns);
            }
        }
    }
}

impl Deref for Used {
    type Target = [Column];

    fn deref(&self) -> &[Column] {
        match self {
            Self::Some(columns) => columns,
            Self::Whole(schema) => &schema.columns,
        }
    }
}

/// A to-one relation that is followed to a level.
#[derive(Debug)]
pub(crate) struct Join {
    /// The level it is followed from.
    pub parent: usize,
    pub reference: RelationRef,
    pub link: BoundLink,
    /// The related row counts only if it meets this, which is about nothing but it.
    pub filter: Option<(Arc<Scope>, Predicate)>,
}

/// Columns that are equal to columns of another table.
#[derive(Debug)]
pub(crate) struct BoundLink {
    pub from: Vec<Source>,
    pub target: Arc<TableCut>,
    pub to: Vec<Column>,
}

/// A related row that meets a condition.
#[derive(Debug)]
pub(crate) struct Exists {
    pub link: BoundLink,
    pub scope: Arc<Scope>,
    pub predicate: Predicate,
}

impl Scope {
    pub fn of_table(table: &Arc<TableCut>) -> Self {
        Self {
            levels: vec![Level::of_table(table, None)],
            exists: Vec::new(),
        }
    }

    /// Of rows that were made of others: all their columns are in use, each in its own place.
    pub fn of_rows(history: Arc<SchemaHistory>, newest: Arc<Schema>) -> Self {
        let level = Level {
            table: None,
            history,
            used: Used::Whole(Arc::clone(&newest)),
            newest,
            join: None,
        };
        Self {
            levels: vec![level],
            exists: Vec::new(),
        }
    }

    /// Adds every other table that is read.
    pub fn add_tables(&self, tables: &mut Vec<Arc<TableCut>>) {
        for join in self.levels.iter().filter_map(|level| level.join.as_ref()) {
            tables.push(Arc::clone(&join.link.target));
            if let Some((scope, _)) = &join.filter {
                scope.add_tables(tables);
            }
        }
        for exists in &self.exists {
            tables.push(Arc::clone(&exists.link.target));
            exists.scope.add_tables(tables);
        }
    }

    /// The value that a path means in the row of a level, and its type.
    pub fn source(
        &mut self,
        level: usize,
        path: &ColumnPath,
    ) -> Result<(Source, ColumnType), BindError> {
        let at = &mut self.levels[level];
        let Some(slot) = at.slot(&path.column) else {
            return Err(BindError::UnknownColumn {
                table: at.name(),
                column: path.column.clone(),
                at: path.at.clone(),
                known: at.names(),
            });
        };
        let mut kind = at.used[slot].kind;
        let mut json = None;
        if !path.steps.is_empty() {
            if !holds_json(kind) {
                return Err(BindError::NoJson {
                    column: path.column.clone(),
                    kind: kind.name(),
                    at: path.at.clone(),
                });
            }
            json = Some(JsonPath::new(&path.steps, path.as_text));
            kind = if path.as_text {
                ColumnType::Text
            } else {
                ColumnType::Any
            };
        }
        let cast = path.cast.as_ref().map(|name| {
            let cast = Cast::from_name(name).ok_or_else(|| BindError::Cast {
                cast: name.clone(),
                at: path.at.clone(),
            });
            cast.map(|cast| cast.of(kind))
        });
        let cast = cast.transpose()?;
        let turned = cast.as_ref().map_or(kind, Cast::kind);
        let source = Source {
            level,
            slot,
            path: json,
            cast,
        };
        Ok((source, turned))
    }

    /// Uses all columns of the row's newest shape, each in its own place: none was used so far.
    pub fn use_whole(&mut self) -> Arc<Schema> {
        let level = &mut self.levels[0];
        debug_assert!(level.used.is_empty(), "a column would have two places");
        level.used = Used::Whole(Arc::clone(&level.newest));
        Arc::clone(&level.newest)
    }

    /// All columns of a level's newest shape.
    pub fn all(&mut self, level: usize) -> Vec<(String, Source, ColumnType)> {
        let at = &mut self.levels[level];
        let newest = Arc::clone(&at.newest);
        let fresh = at.used.is_empty();
        if fresh {
            at.used = Used::Whole(Arc::clone(&newest));
        }
        let columns = newest.columns.iter().enumerate();
        let columns = columns.filter_map(|(place, column)| {
            let slot = if fresh { place } else { at.slot(&column.name)? };
            let source = Source {
                level,
                ..Source::column(slot)
            };
            Some((column.name.clone(), source, column.kind))
        });
        columns.collect()
    }

    /// The columns of a level by their names; `None` if one is unknown.
    pub fn columns(&mut self, level: usize, names: &[String]) -> Option<Vec<Source>> {
        let source = |name: &String| {
            let slot = self.levels[level].slot(name)?;
            Some(Source {
                level,
                slot,
                path: None,
                cast: None,
            })
        };
        names.iter().map(source).collect()
    }
}

impl Level {
    pub fn of_table(table: &Arc<TableCut>, join: Option<Join>) -> Self {
        let history = Arc::clone(table.table.schemas());
        Self {
            newest: newest(table),
            table: Some(Arc::clone(table)),
            history,
            used: Used::default(),
            join,
        }
    }

    pub fn layouts(&self) -> Layouts {
        let names = self.used.iter().map(|column| column.name.clone());
        Layouts::new(Arc::clone(&self.history), names.collect())
    }

    pub fn newest(&self) -> &Arc<Schema> {
        &self.newest
    }

    /// The columns of the newest shape.
    pub fn names(&self) -> Vec<String> {
        let columns = self.newest.columns.iter();
        columns.map(|column| column.name.clone()).collect()
    }

    /// What the table is called; of rows that are in none, nothing.
    pub fn name(&self) -> Option<String> {
        let table = self.table.as_ref()?;
        Some(table.table.identity().name.clone())
    }

    /// The slot of a column among those in use.
    fn slot(&mut self, name: &str) -> Option<usize> {
        if let Some(slot) = self.used.iter().position(|column| column.name == name) {
            return Some(slot);
        }
        self.used
            .push(column_of(&self.newest, &self.history, name)?);
        Some(self.used.len() - 1)
    }
}

impl BoundLink {
    /// `None` if one of the columns is unknown.
    pub fn new(from: Vec<Source>, target: &Arc<TableCut>, to: &[String]) -> Option<Self> {
        let (newest, history) = (newest(target), target.table.schemas());
        let to = to.iter().map(|name| column_of(&newest, history, name));
        Some(Self {
            from,
            target: Arc::clone(target),
            to: to.collect::<Option<_>>()?,
        })
    }
}

impl Join {
    /// Whether this is what `reference` leads to from `parent`.
    pub fn is(&self, parent: usize, reference: &RelationRef) -> bool {
        self.parent == parent && self.filter.is_none() && self.reference == *reference
    }
}

/// The newest shape of a table's rows.
pub(crate) fn newest(table: &TableCut) -> Arc<Schema> {
    let shape = table.schema.and_then(|id| table.table.schemas().get(id));
    shape.unwrap_or_else(|| {
        Arc::new(Schema {
            columns: Vec::new(),
            key: None,
        })
    })
}

/// A column of the newest shape, else of the newest former shape that had it.
pub(super) fn column_of(newest: &Schema, history: &SchemaHistory, name: &str) -> Option<Column> {
    let of = |shape: &Schema| shape.column(name).map(|at| shape.columns[at].clone());
    of(newest).or_else(|| history.shapes().iter().rev().find_map(|shape| of(shape)))
}

/// A plain column.
pub(super) fn plain(column: &str) -> ColumnPath {
    ColumnPath {
        column: column.to_owned(),
        at: Place::default(),
        ..ColumnPath::default()
    }
}
