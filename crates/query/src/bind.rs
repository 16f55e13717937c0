//! Binds a query to a table's columns and relations: names become places, literals become values of the column's type.
//!
//! A name means the column of the newest shape, else that of the newest former shape that had it, so
//! that rows which still have it can be asked for. Refuses what a type cannot answer rather than
//! answering something else. Pure over the shapes of one cut.

pub(crate) mod access;
mod binder;
mod embeds;
mod error;
mod fields;
mod groups;
mod ranges;
pub(crate) mod scope;
mod tests_of;

use std::collections::HashSet;
use std::sync::Arc;

use row_model::ColumnType;
use table_store::TableCut;

pub(crate) use binder::own_name;
pub use error::{BindError, Unrelated};
pub(crate) use fields::{Field, FieldWhat, Fields};
pub(crate) use groups::BoundGroup;
pub(crate) use scope::newest;

use crate::cursor::{self, Binding};
use crate::predicate::{Predicate, Source};
use crate::relation::World;
use crate::tree::Query;
use crate::url;
use binder::Binder;
use scope::{BoundLink, Scope};

/// Relations inside each other, in any spelling: each is a call inside another.
pub const EMBED_DEPTH_MAX: usize = 8;

/// A query that can be run on its table.
#[derive(Debug)]
pub struct BoundQuery {
    pub(crate) table: Arc<TableCut>,
    /// Of the rows of the table.
    pub(crate) scope: Arc<Scope>,
    pub(crate) predicate: Predicate,
    /// What the rows of the answer are. What follows is about them.
    pub(crate) output: Output,
    pub(crate) order: Vec<SortColumn>,
    pub(crate) fields: Fields,
    pub(crate) embeds: Vec<BoundEmbed>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
    pub(crate) access: access::Access,
    binding: Binding,
}

/// The rows of an answer.
#[derive(Debug)]
pub(crate) enum Output {
    /// Those of the table; what is read of them to be shown.
    Rows(Arc<Scope>),
    /// Groups of them.
    Groups(BoundGroup),
}

/// A column that rows are ordered by.
#[derive(Debug)]
pub(crate) struct SortColumn {
    pub source: Source,
    pub descending: bool,
    pub nulls_first: bool,
}

/// Related rows that are shown within a row.
#[derive(Debug)]
pub(crate) struct BoundEmbed {
    pub link: BoundLink,
    /// If `link` leads to a junction only: from there to the rows that are shown.
    pub through: Option<BoundThrough>,
    /// A row has several of them.
    pub is_many: bool,
    pub query: BoundQuery,
}

/// From a junction, by these of its columns.
#[derive(Debug)]
pub(crate) struct BoundThrough {
    pub from: Vec<String>,
    pub link: BoundLink,
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
/// If a table lacks a column or relation, or a column's type cannot answer what is asked of it.
pub fn bind(
    query: &Query,
    table: &Arc<TableCut>,
    world: &World<'_>,
) -> Result<BoundQuery, BindError> {
    bind_at(query, table, world, EMBED_DEPTH_MAX)
}

/// The same for a query that stands so deep inside another that only `depth` embeds may stand inside each other in it.
fn bind_at(
    query: &Query,
    table: &Arc<TableCut>,
    world: &World<'_>,
    depth: usize,
) -> Result<BoundQuery, BindError> {
    let mut rows = Binder::new(Scope::of_table(table), world, depth);
    let mut filter = rows.conditions(&query.filter)?;
    filter.extend(rows.required(query.select.as_deref().unwrap_or_default())?);
    let group = if query.is_grouped() {
        Some(groups::bind(query, &mut rows)?)
    } else {
        None
    };
    let (order, shown, output, binding) = match group {
        None => {
            let order = rows.order(&query.order)?;
            let binding = binding(query, table, &rows.scope);
            // Rows are looked at by what decides about them, and only those that are shown by the rest.
            let mut all = Binder::new(Scope::of_table(table), world, depth);
            let shown = all.shown(query)?;
            (order, shown, Output::Rows(Arc::new(all.scope)), binding)
        }
        Some(group) => {
            let mut groups = Binder::new(group.output(), world, depth);
            let having = Predicate::All(groups.conditions(&query.having)?);
            let order = groups.order(&group.order(&query.order))?;
            let shown = binder::Shown {
                fields: group.fields().into(),
                embeds: Vec::new(),
            };
            let binding = binding(query, table, &rows.scope);
            let output = Output::Groups(group.ready(having, groups.scope));
            (order, shown, output, binding)
        }
    };
    let access = access::Access::new(query, table);
    Ok(BoundQuery {
        table: Arc::clone(table),
        scope: Arc::new(rows.scope),
        predicate: Predicate::All(filter),
        output,
        order,
        fields: shown.fields,
        embeds: shown.embeds,
        limit: query.limit,
        offset: query.offset,
        access,
        binding,
    })
}

/// What decides which rows come, and in which order, is all that a cursor is bound to; `scope` has been used for
/// nothing else so far.
fn binding(query: &Query, table: &TableCut, scope: &Scope) -> Binding {
    let newest = newest(table);
    let key = newest.key.iter().flatten();
    let key = key.filter_map(|name| newest.column(name).map(|at| &newest.columns[at]));
    let used = scope.levels.iter().flat_map(|level| level.used.iter());
    Binding::new(
        table.table.identity(),
        &[cursor::what_rows(query), url::print_order(&query.order)],
        used.chain(key),
    )
}

/// Types whose values may be JSON that can be looked into.
pub(crate) fn holds_json(kind: ColumnType) -> bool {
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

impl BoundQuery {
    /// The names of the answer's columns, in order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.label)
    }

    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    #[must_use]
    pub fn table(&self) -> &Arc<TableCut> {
        &self.table
    }

    /// The columns of an index by which fewer rows would be looked at; none if no index would help.
    #[must_use]
    pub fn wished_index(&self) -> Vec<String> {
        self.access.wished()
    }

    /// Every table whose rows the answer rests on, the own one first.
    #[must_use]
    pub fn tables(&self) -> Vec<Arc<TableCut>> {
        let mut tables = Vec::new();
        self.add_tables(&mut tables);
        let mut seen = HashSet::new();
        tables.retain(|table| seen.insert(table.table.identity().id));
        tables
    }

    fn add_tables(&self, tables: &mut Vec<Arc<TableCut>>) {
        tables.push(Arc::clone(&self.table));
        self.scope.add_tables(tables);
        self.output().add_tables(tables);
        for embed in &self.embeds {
            tables.push(Arc::clone(&embed.link.target));
            embed.query.add_tables(tables);
        }
    }

    /// Values of the answer that are turned into others: that may fail.
    pub(crate) fn casts(&self) -> Vec<&Source> {
        fn add<'a>(fields: &'a [Field], casts: &mut Vec<&'a Source>) {
            for field in fields {
                match &field.what {
                    FieldWhat::Value { source, .. } if source.cast.is_some() => casts.push(source),
                    FieldWhat::Object(fields) => add(fields, casts),
                    _ => {}
                }
            }
        }
        let mut casts = Vec::new();
        add(self.fields.listed(), &mut casts);
        casts
    }

    /// Of the rows of the answer.
    pub(crate) fn output(&self) -> &Arc<Scope> {
        match &self.output {
            Output::Rows(scope) => scope,
            Output::Groups(group) => &group.scope,
        }
    }

    pub(crate) fn group(&self) -> Option<&BoundGroup> {
        match &self.output {
            Output::Rows(_) => None,
            Output::Groups(group) => Some(group),
        }
    }
}
