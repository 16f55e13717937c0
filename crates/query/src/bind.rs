//! Binds a query to a table's columns: names become places, literals become values of the column's type.
//!
//! A name means the column of the newest shape, else that of the newest former shape that had it, so
//! that rows which still have it can be asked for. Refuses what a type cannot answer rather than
//! answering something else. Pure over one table's shapes.

mod access;
mod error;
mod tests_of;

use std::sync::Arc;

use row_model::{Column, ColumnType, Schema};
use table_store::TableCut;

pub use error::BindError;

use crate::compare::JsonPath;
use crate::cursor::Binding;
use crate::predicate::{Layouts, Predicate, Source};
use crate::tree::{Aggregate, ColumnPath, Condition, Embed, Query, Selected, SelectedWhat};
use crate::url;

/// A query that can be run on its table.
#[derive(Debug)]
pub struct BoundQuery {
    pub(crate) columns: Columns,
    pub(crate) predicate: Predicate,
    pub(crate) order: Vec<SortColumn>,
    pub(crate) fields: Vec<Field>,
    /// Everything of the newest shape, as it stands there.
    pub(crate) is_whole_row: bool,
    /// The keys that rows must have one of, if the filter says so.
    pub(crate) keys: Option<Vec<Vec<u8>>>,
    pub(crate) key_columns: Vec<String>,
    pub(crate) binding: Binding,
}

/// A column that rows are ordered by.
#[derive(Debug)]
pub(crate) struct SortColumn {
    pub source: Source,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A column of the answer.
#[derive(Debug)]
pub(crate) struct Field {
    pub label: String,
    pub source: Source,
    pub kind: ColumnType,
}

/// The columns a query uses, each once.
#[derive(Debug)]
pub(crate) struct Columns {
    table: Arc<table_store::Table>,
    newest: Arc<Schema>,
    used: Vec<Column>,
}

impl Columns {
    pub fn layouts(&self) -> Layouts {
        let names = self.used.iter().map(|column| column.name.clone());
        Layouts::new(Arc::clone(self.table.schemas()), names.collect())
    }

    /// The slot of a column among those in use.
    fn slot(&mut self, name: &str) -> Option<usize> {
        if let Some(slot) = self.used.iter().position(|column| column.name == name) {
            return Some(slot);
        }
        let of = |shape: &Schema| shape.column(name).map(|at| shape.columns[at].clone());
        let column = of(&self.newest).or_else(|| {
            let shapes = self.table.schemas().shapes();
            shapes.iter().rev().find_map(|shape| of(shape))
        })?;
        self.used.push(column);
        Some(self.used.len() - 1)
    }

    fn names(&self) -> Vec<String> {
        let columns = self.newest.columns.iter();
        columns.map(|column| column.name.clone()).collect()
    }

    fn source(&mut self, path: &ColumnPath) -> Result<(Source, ColumnType), BindError> {
        let Some(slot) = self.slot(&path.column) else {
            return Err(BindError::UnknownColumn {
                column: path.column.clone(),
                at: path.at.clone(),
                known: self.names(),
            });
        };
        let kind = self.used[slot].kind;
        if path.steps.is_empty() {
            return Ok((Source { slot, path: None }, kind));
        }
        if !holds_json(kind) {
            return Err(BindError::NoJson {
                column: path.column.clone(),
                kind: kind.name(),
                at: path.at.clone(),
            });
        }
        let json = JsonPath::new(&path.steps, path.as_text);
        let source = Source {
            slot,
            path: Some(json),
        };
        Ok((
            source,
            if path.as_text {
                ColumnType::Text
            } else {
                ColumnType::Any
            },
        ))
    }
}

/// Types whose values may be JSON that can be looked into.
fn holds_json(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Any
            | ColumnType::Json
            | ColumnType::Array
            | ColumnType::Map
            | ColumnType::Struct
            | ColumnType::EnumSet
    )
}

/// Types whose values have no order.
fn is_unordered(kind: ColumnType) -> bool {
    holds_json(kind) && kind != ColumnType::Any
}

fn is_text(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Text
            | ColumnType::Enum
            | ColumnType::Xml
            | ColumnType::Bits
            | ColumnType::Uuid
            | ColumnType::Any
    )
}

/// Whether rows of the table have, or had, a column of this name.
#[must_use]
pub fn knows_column(table: &TableCut, name: &str) -> bool {
    let shapes = table.table.schemas().shapes();
    shapes.iter().any(|shape| shape.column(name).is_some())
}

/// Binds a query to a table at its cut.
///
/// # Errors
/// If the table lacks a column, or a column's type cannot answer what is asked of it.
pub fn bind(query: &Query, table: &TableCut) -> Result<BoundQuery, BindError> {
    let history = table.table.schemas();
    let newest = table.schema.and_then(|id| history.get(id));
    let newest = newest.unwrap_or_else(|| {
        Arc::new(Schema {
            columns: Vec::new(),
            key: None,
        })
    });
    let mut columns = Columns {
        table: Arc::clone(&table.table),
        newest: Arc::clone(&newest),
        used: Vec::new(),
    };
    let conditions = query.filter.iter();
    let parts: Result<Vec<_>, _> = conditions
        .map(|part| condition(part, &mut columns))
        .collect();
    let order = order(query, &mut columns)?;
    let key_columns = newest.key.clone().unwrap_or_default();
    // What decides which rows come, and in which order, is all that a cursor is bound to.
    let keys_of = |name: &String| newest.column(name).map(|at| &newest.columns[at]);
    let binding = Binding::new(
        table.table.identity(),
        &[
            url::print_conditions(&query.filter),
            url::print_order(&query.order),
        ],
        columns
            .used
            .iter()
            .chain(key_columns.iter().filter_map(keys_of)),
    );
    let predicate = Predicate::All(parts?);
    let keys = access::keys(&query.filter, &newest, history);
    let fields = fields(query.select.as_deref(), &mut columns)?;
    Ok(BoundQuery {
        columns,
        predicate,
        order,
        fields,
        is_whole_row: query.select.as_ref().is_none_or(|items| {
            matches!(
                &items[..],
                [Selected {
                    what: SelectedWhat::Star,
                    ..
                }]
            )
        }),
        keys,
        key_columns,
        binding,
    })
}

fn condition(condition: &Condition, columns: &mut Columns) -> Result<Predicate, BindError> {
    let mut all = |parts: &[Condition]| -> Result<Vec<Predicate>, BindError> {
        parts
            .iter()
            .map(|part| self::condition(part, columns))
            .collect()
    };
    Ok(match condition {
        Condition::All(parts) => Predicate::All(all(parts)?),
        Condition::Any(parts) => Predicate::Any(all(parts)?),
        Condition::Not(part) => Predicate::Not(Box::new(self::condition(part, columns)?)),
        Condition::Test(test) => tests_of::bind(test, columns)?,
        Condition::Related(related) => {
            return Err(BindError::Unsupported {
                what: "conditions on relations",
                at: related.at.clone(),
            });
        }
    })
}

fn order(query: &Query, columns: &mut Columns) -> Result<Vec<SortColumn>, BindError> {
    let bound = query.order.iter().map(|item| {
        let (source, kind) = columns.source(&item.by)?;
        if is_unordered(kind) {
            return Err(BindError::Unordered {
                column: item.by.column.clone(),
                kind: kind.name(),
                at: item.by.at.clone(),
            });
        }
        Ok(SortColumn {
            source,
            descending: item.descending,
            nulls_first: item.nulls_first,
        })
    });
    bound.collect()
}

fn fields(select: Option<&[Selected]>, columns: &mut Columns) -> Result<Vec<Field>, BindError> {
    let star = [Selected {
        what: SelectedWhat::Star,
        alias: None,
    }];
    let mut fields: Vec<Field> = Vec::new();
    let mut labels = std::collections::HashSet::new();
    for item in select.unwrap_or(&star) {
        let whole;
        let paths = match &item.what {
            SelectedWhat::Path(path) => std::slice::from_ref(path),
            SelectedWhat::Star => {
                let plain = |column| ColumnPath {
                    column,
                    ..ColumnPath::default()
                };
                whole = columns.names().into_iter().map(plain).collect::<Vec<_>>();
                &whole[..]
            }
            SelectedWhat::Aggregate(Aggregate { at, .. })
            | SelectedWhat::Embed(Embed { at, .. }) => {
                return Err(BindError::Unsupported {
                    what: "aggregates and relations in select",
                    at: at.clone(),
                });
            }
        };
        for path in paths {
            let (source, kind) = columns.source(path)?;
            let own = path.steps.last().map_or(&path.column, |step| &step.0);
            let label = item.alias.as_ref().unwrap_or(own).clone();
            if !labels.insert(label.clone()) {
                return Err(BindError::SameName { name: label });
            }
            fields.push(Field {
                label,
                source,
                kind,
            });
        }
    }
    Ok(fields)
}

impl BoundQuery {
    /// The names of the answer's columns, in order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.label)
    }

    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }
}
