//! Binds a query that shows groups of rows: what they are grouped by, what is made of each, and the rows that come of it.
//!
//! These rows have a shape of their own, whose columns are called as the answer calls them. What is
//! asked of groups is bound to it.

use std::collections::HashSet;
use std::sync::Arc;

use row_model::{Column, ColumnType, Schema, SchemaHistory};

use super::binder::{Binder, own_name};
use super::scope::{Scope, plain};
use super::{BindError, Field, FieldWhat};
use crate::cast::Cast;
use crate::group::result_kind;
use crate::predicate::{Predicate, Source};
use crate::tree::{
    Aggregate, AggregateFunction, ColumnPath, Embed, Lift, Ordered, Query, RelationRef, Selected,
    SelectedWhat,
};

/// How rows are put into groups.
#[derive(Debug)]
pub(crate) struct BoundGroup {
    /// Rows with equal values here are one group.
    pub keys: Vec<Source>,
    pub aggregates: Vec<BoundAggregate>,
    /// The shape of the groups' rows: the keys, then the aggregates.
    pub schema: Arc<Schema>,
    pub having: Predicate,
    /// Of the groups' rows.
    pub scope: Arc<Scope>,
}

#[derive(Debug)]
pub(crate) struct BoundAggregate {
    pub function: AggregateFunction,
    /// `None` counts rows.
    pub of: Option<Source>,
    /// The type of what is aggregated.
    pub kind: ColumnType,
}

/// What is known of the groups before conditions on them are bound.
pub(super) struct Grouping {
    keys: Vec<Source>,
    aggregates: Vec<BoundAggregate>,
    key_columns: Vec<Column>,
    aggregate_columns: Vec<Column>,
    fields: Vec<GroupField>,
    /// What was selected, by all that an order may call it, and what it is called.
    named: Vec<(ColumnPath, String)>,
    /// The relations to the level that is being taken up.
    via: Vec<RelationRef>,
}

enum GroupField {
    Key {
        label: String,
        number: usize,
    },
    Aggregate {
        label: String,
        number: usize,
        cast: Option<Cast>,
    },
    Object {
        label: String,
        fields: Vec<GroupField>,
    },
}

pub(super) fn bind(query: &Query, rows: &mut Binder<'_>) -> Result<Grouping, BindError> {
    let mut grouping = Grouping {
        keys: Vec::new(),
        aggregates: Vec::new(),
        key_columns: Vec::new(),
        aggregate_columns: Vec::new(),
        fields: Vec::new(),
        named: Vec::new(),
        via: Vec::new(),
    };
    let select = query.select.as_deref().unwrap_or_default();
    let fields = grouping.add(0, select, "", rows)?;
    let mut labels = HashSet::new();
    for field in &fields {
        if !labels.insert(field.label()) {
            let name = field.label().to_owned();
            return Err(BindError::SameName { name });
        }
    }
    grouping.fields = fields;
    Ok(grouping)
}

impl Grouping {
    /// Takes up what is selected of a level's row.
    fn add(
        &mut self,
        level: usize,
        select: &[Selected],
        prefix: &str,
        rows: &mut Binder<'_>,
    ) -> Result<Vec<GroupField>, BindError> {
        let mut fields = Vec::new();
        for item in select {
            match &item.what {
                SelectedWhat::Star => {
                    for name in rows.scope.levels[level].names() {
                        let label = format!("{prefix}{name}");
                        fields.push(self.add_key(level, &plain(&name), label, rows)?);
                    }
                }
                SelectedWhat::Path(path) => {
                    let own = own_name(item, path);
                    let label = format!("{prefix}{own}");
                    self.name(path, own, &label);
                    fields.push(self.add_key(level, path, label, rows)?);
                }
                SelectedWhat::Aggregate(aggregate) => {
                    let own = aggregate.function.spelling();
                    let label = format!("{prefix}{}", item.alias.as_deref().unwrap_or(own));
                    fields.push(self.add_aggregate(level, aggregate, label, rows)?);
                }
                SelectedWhat::Embed(embed) => {
                    fields.extend(self.add_embed(level, item, embed, prefix, rows)?);
                }
            }
        }
        Ok(fields)
    }

    /// A related column may be called by its alias, too: that hides others of the name.
    fn name(&mut self, path: &ColumnPath, own: &str, label: &str) {
        let via = |path: ColumnPath| ColumnPath {
            via: self.via.iter().chain(&path.via).cloned().collect(),
            ..path
        };
        if !self.via.is_empty() {
            let alias = (via(plain(own)), label.to_owned());
            self.named.insert(0, alias);
        }
        self.named.push((via(path.clone()), label.to_owned()));
    }

    fn add_key(
        &mut self,
        level: usize,
        path: &ColumnPath,
        label: String,
        rows: &mut Binder<'_>,
    ) -> Result<GroupField, BindError> {
        let (source, kind) = rows.source_at(level, path)?;
        self.keys.push(source);
        self.key_columns.push(column(&label, kind));
        let number = self.keys.len() - 1;
        Ok(GroupField::Key { label, number })
    }

    fn add_aggregate(
        &mut self,
        level: usize,
        aggregate: &Aggregate,
        label: String,
        rows: &mut Binder<'_>,
    ) -> Result<GroupField, BindError> {
        let of = aggregate.of.clone().or_else(|| there(level, rows));
        let (of, kind, result) = match &of {
            None => (None, ColumnType::Int64, ColumnType::Int64),
            Some(path) => {
                let (source, kind) = rows.source_at(level, path)?;
                let result = result_kind(aggregate.function, kind);
                let result = result.map_err(|unsuitable| BindError::Aggregate {
                    function: aggregate.function.spelling(),
                    column: path.column.clone(),
                    kind: kind.name(),
                    at: aggregate.at.clone(),
                    instead: unsuitable.instead,
                })?;
                (Some(source), kind, result)
            }
        };
        self.aggregates.push(BoundAggregate {
            function: aggregate.function,
            of,
            kind,
        });
        self.aggregate_columns.push(column(&label, result));
        let cast = aggregate.cast.as_ref().map(|name| {
            Cast::from_name(name).ok_or_else(|| BindError::Cast {
                cast: name.clone(),
                at: aggregate.at.clone(),
            })
        });
        Ok(GroupField::Aggregate {
            label,
            number: self.aggregates.len() - 1,
            cast: cast.transpose()?.map(|cast| cast.within(rows.world.zone)),
        })
    }

    /// A row is one of a group by what it is related to, too, if that is one row.
    fn add_embed(
        &mut self,
        level: usize,
        item: &Selected,
        embed: &Embed,
        prefix: &str,
        rows: &mut Binder<'_>,
    ) -> Result<Vec<GroupField>, BindError> {
        let link = rows.resolve(level, &embed.relation, &embed.at)?;
        if link.is_many {
            return Err(BindError::GroupedRows {
                at: embed.at.clone(),
            });
        }
        let level = rows.lifted(level, embed, &link)?;
        let name = item.alias.as_deref().unwrap_or(&embed.relation.name);
        let star = [Selected {
            what: SelectedWhat::Star,
            alias: None,
        }];
        let select = embed.query.select.as_deref().unwrap_or(&star);
        self.via.push(embed.relation.clone());
        let fields = match embed.lift {
            Lift::Spread => self.add(level, select, prefix, rows)?,
            Lift::Prefixed => self.add(level, select, &format!("{prefix}{name}_"), rows)?,
            Lift::Nested => {
                let label = format!("{prefix}{name}");
                // What stands inside an object has no name that an order could say.
                let named = std::mem::take(&mut self.named);
                let fields = self.add(level, select, "", rows)?;
                self.named = named;
                vec![GroupField::Object { label, fields }]
            }
        };
        self.via.pop();
        Ok(fields)
    }

    /// The rows that are made of groups.
    pub fn output(&self) -> Scope {
        let schema = Arc::new(self.schema());
        let history = SchemaHistory::default();
        // The first shape of a history that has none.
        let _ = history.intern(&schema);
        Scope::of_rows(Arc::new(history), schema)
    }

    /// The keys, then the aggregates. Names that stand inside an object are no names of the answer's.
    fn schema(&self) -> Schema {
        let columns = self.key_columns.iter().chain(&self.aggregate_columns);
        let mut columns: Vec<Column> = columns.cloned().collect();
        let shown: Vec<usize> = self
            .fields
            .iter()
            .filter_map(|field| self.place(field))
            .collect();
        for (at, column) in columns.iter_mut().enumerate() {
            if !shown.contains(&at) {
                column.name = format!("\0{at}");
            }
        }
        Schema { columns, key: None }
    }

    fn place(&self, field: &GroupField) -> Option<usize> {
        match field {
            GroupField::Key { number, .. } => Some(*number),
            GroupField::Aggregate { number, .. } => Some(self.keys.len() + number),
            GroupField::Object { .. } => None,
        }
    }

    /// What is shown of the groups' rows.
    pub fn fields(&self) -> Vec<Field> {
        self.fields_of(&self.fields)
    }

    fn fields_of(&self, fields: &[GroupField]) -> Vec<Field> {
        let field = |field: &GroupField| {
            let what = match field {
                GroupField::Object { fields, .. } => FieldWhat::Object(self.fields_of(fields)),
                plain => {
                    let slot = self.place(plain).unwrap_or_default();
                    let mut columns = self.key_columns.iter().chain(&self.aggregate_columns);
                    let cast = match plain {
                        GroupField::Aggregate { cast, .. } => cast.clone(),
                        _ => None,
                    };
                    let own = columns
                        .nth(slot)
                        .map_or(ColumnType::Any, |column| column.kind);
                    FieldWhat::Value {
                        kind: cast.as_ref().map_or(own, Cast::kind),
                        source: Source {
                            cast,
                            ..Source::column(slot)
                        },
                    }
                }
            };
            Field {
                label: field.label().to_owned(),
                what,
            }
        };
        fields.iter().map(field).collect()
    }

    /// An order by what rows are grouped by, as an order by what that is called.
    pub fn order(&self, order: &[Ordered]) -> Vec<Ordered> {
        let renamed = |item: &Ordered| {
            let named = self.named.iter().find(|(path, _)| *path == item.by);
            let by = named.map_or_else(
                || item.by.clone(),
                |(path, label)| ColumnPath {
                    at: path.at.clone(),
                    ..plain(label)
                },
            );
            Ordered { by, ..item.clone() }
        };
        order.iter().map(renamed).collect()
    }

    pub fn ready(self, having: Predicate, scope: Scope) -> BoundGroup {
        let level = &scope.levels[0];
        BoundGroup {
            keys: self.keys,
            aggregates: self.aggregates,
            schema: Arc::clone(level.newest()),
            having,
            scope: Arc::new(scope),
        }
    }
}

/// What is there of a level's rows if they are, and null where a row is related to none: to count those counts rows.
fn there(level: usize, rows: &Binder<'_>) -> Option<ColumnPath> {
    let related = (level > 0).then(|| rows.scope.levels[level].newest())?;
    Some(plain(related.key.as_ref()?.first()?))
}

impl GroupField {
    fn label(&self) -> &str {
        match self {
            Self::Key { label, .. }
            | Self::Aggregate { label, .. }
            | Self::Object { label, .. } => label,
        }
    }
}

fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
    }
}
