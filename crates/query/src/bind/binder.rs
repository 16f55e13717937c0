//! Binds the parts of one query within the scope of its rows.

use std::sync::Arc;

use super::scope::{BoundLink, Exists, Join, Level, Scope};
use super::{
    BindError, BoundEmbed, Field, FieldWhat, Fields, SortColumn, Unrelated, bind_at, embeds,
    is_unordered, tests_of,
};
use crate::predicate::{Predicate, Source};
use crate::relation::{Link, World};
use crate::tree::{
    ColumnPath, Condition, Embed, Lift, Ordered, Place, Query, Related, RelationRef, Selected,
    SelectedWhat,
};

pub(super) struct Binder<'a> {
    pub scope: Scope,
    pub world: &'a World<'a>,
    /// Embeds that may still stand inside each other.
    pub depth: usize,
}

/// What is shown of a row.
#[derive(Default)]
pub(super) struct Shown {
    pub fields: Fields,
    pub embeds: Vec<BoundEmbed>,
}

/// Everything of a row.
const STAR: Selected = Selected {
    what: SelectedWhat::Star,
    alias: None,
};

impl<'a> Binder<'a> {
    pub fn new(scope: Scope, world: &'a World<'a>, depth: usize) -> Self {
        Self {
            scope,
            world,
            depth,
        }
    }

    /// The value that a path means, and its type.
    pub fn source(
        &mut self,
        path: &ColumnPath,
    ) -> Result<(Source, row_model::ColumnType), BindError> {
        self.source_at(0, path)
    }

    /// The same in the row of a level.
    pub fn source_at(
        &mut self,
        level: usize,
        path: &ColumnPath,
    ) -> Result<(Source, row_model::ColumnType), BindError> {
        let level = self.reach(level, &path.via, &path.at)?;
        let (mut source, kind) = self.scope.source(level, path)?;
        source.cast = source.cast.map(|cast| cast.within(self.world.zone));
        Ok((source, kind))
    }

    /// The level that to-one relations lead to.
    pub fn reach(
        &mut self,
        from: usize,
        via: &[RelationRef],
        at: &Place,
    ) -> Result<usize, BindError> {
        let mut level = from;
        for reference in via {
            let levels = self.scope.levels.iter();
            let known = levels.skip(1).position(|other| {
                other
                    .join
                    .as_ref()
                    .is_some_and(|join| join.is(level, reference))
            });
            level = match known {
                Some(known) => known + 1,
                None => self.join(level, reference, at)?,
            };
        }
        Ok(level)
    }

    fn join(
        &mut self,
        parent: usize,
        reference: &RelationRef,
        at: &Place,
    ) -> Result<usize, BindError> {
        let link = self.resolve(parent, reference, at)?;
        if link.is_many {
            return Err(BindError::NotToOne {
                relation: reference.name.clone(),
                at: at.clone(),
            });
        }
        let bound = self.link(parent, &link, at)?;
        Ok(self.add_join(parent, reference, bound, &link, None))
    }

    pub fn add_join(
        &mut self,
        parent: usize,
        reference: &RelationRef,
        bound: BoundLink,
        link: &Link,
        filter: Option<(Arc<Scope>, Predicate)>,
    ) -> usize {
        let join = Join {
            parent,
            reference: reference.clone(),
            link: bound,
            filter,
        };
        let level = Level::of_table(&link.target, Some(join));
        self.scope.levels.push(level);
        self.scope.levels.len() - 1
    }

    /// The relation of a level's table that is meant.
    pub fn resolve(
        &self,
        level: usize,
        reference: &RelationRef,
        at: &Place,
    ) -> Result<Link, BindError> {
        let level = &self.scope.levels[level];
        let Some(table) = &level.table else {
            return Err(BindError::RelationOfGroup {
                relation: reference.name.clone(),
                at: at.clone(),
            });
        };
        let found = self.world.resolve(table, reference);
        found.map_err(|error| {
            BindError::Relation(Box::new(Unrelated {
                table: table.table.identity().name.clone(),
                relation: reference.clone(),
                error,
                at: at.clone(),
            }))
        })
    }

    /// Binds the columns of a relation, as far as its junction if it has one.
    pub fn link(&mut self, level: usize, link: &Link, at: &Place) -> Result<BoundLink, BindError> {
        let lacking = || BindError::RelationColumns {
            relation: link.name.clone(),
            at: at.clone(),
        };
        let from = self.scope.columns(level, &link.from).ok_or_else(lacking)?;
        let target = link
            .junction
            .as_ref()
            .map_or(&link.target, |junction| &junction.table);
        BoundLink::new(from, target, &link.to).ok_or_else(lacking)
    }

    pub fn conditions(&mut self, conditions: &[Condition]) -> Result<Vec<Predicate>, BindError> {
        conditions.iter().map(|part| self.condition(part)).collect()
    }

    fn condition(&mut self, condition: &Condition) -> Result<Predicate, BindError> {
        Ok(match condition {
            Condition::All(parts) => Predicate::All(self.conditions(parts)?),
            Condition::Any(parts) => Predicate::Any(self.conditions(parts)?),
            Condition::Not(part) => Predicate::Not(Box::new(self.condition(part)?)),
            Condition::Test(test) => tests_of::bind(test, self)?,
            Condition::Related(related) => self.related(related)?,
        })
    }

    /// That a related row is there.
    fn related(&mut self, related: &Related) -> Result<Predicate, BindError> {
        let link = self.resolve(0, &related.relation, &related.at)?;
        let mut target = Binder::new(Scope::of_table(&link.target), self.world, self.depth);
        let parts = target.conditions(&related.filter)?;
        self.exists(&link, target.scope, Predicate::All(parts), &related.at)
    }

    /// That a row of a relation is there which meets a condition; through a junction a row of it with such a one.
    pub fn exists(
        &mut self,
        link: &Link,
        scope: Scope,
        predicate: Predicate,
        at: &Place,
    ) -> Result<Predicate, BindError> {
        let bound = self.link(0, link, at)?;
        let (scope, predicate) = match &link.junction {
            None => (scope, predicate),
            Some(junction) => {
                let mut middle =
                    Binder::new(Scope::of_table(&junction.table), self.world, self.depth);
                let through = middle.through(link, at)?;
                middle.scope.exists.push(Exists {
                    link: through,
                    scope: Arc::new(scope),
                    predicate,
                });
                (middle.scope, Predicate::Related(0))
            }
        };
        self.scope.exists.push(Exists {
            link: bound,
            scope: Arc::new(scope),
            predicate,
        });
        Ok(Predicate::Related(self.scope.exists.len() - 1))
    }

    /// From a junction, whose scope this is, to the target.
    pub fn through(&mut self, link: &Link, at: &Place) -> Result<BoundLink, BindError> {
        let lacking = || BindError::RelationColumns {
            relation: link.name.clone(),
            at: at.clone(),
        };
        let junction = link.junction.as_ref().ok_or_else(lacking)?;
        let from = self.scope.columns(0, &junction.from).ok_or_else(lacking)?;
        BoundLink::new(from, &link.target, &junction.to).ok_or_else(lacking)
    }

    /// What embeds without which a row is not shown ask of it.
    pub fn required(&mut self, select: &[Selected]) -> Result<Vec<Predicate>, BindError> {
        let mut predicates = Vec::new();
        for item in select {
            let SelectedWhat::Embed(embed) = &item.what else {
                continue;
            };
            if embed.required {
                predicates.push(self.required_embed(embed)?);
            }
        }
        Ok(predicates)
    }

    fn required_embed(&mut self, embed: &Embed) -> Result<Predicate, BindError> {
        let link = self.resolve(0, &embed.relation, &embed.at)?;
        let mut target = Binder::new(Scope::of_table(&link.target), self.world, self.depth);
        let mut parts = target.conditions(&embed.query.filter)?;
        parts.extend(target.required(embed.query.select.as_deref().unwrap_or_default())?);
        self.exists(&link, target.scope, Predicate::All(parts), &embed.at)
    }

    pub fn order(&mut self, order: &[Ordered]) -> Result<Vec<SortColumn>, BindError> {
        let bound = order.iter().map(|item| {
            let (source, kind) = self.source(&item.by)?;
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

    /// What is shown of a row that is in no group. Nothing was read of the row so far.
    pub fn shown(&mut self, query: &Query) -> Result<Shown, BindError> {
        let star = [STAR];
        let select = query.select.as_deref().unwrap_or(&star);
        let mut shown = Shown::default();
        let rest = match after_whole_row(select) {
            Some(rest) => {
                shown.fields = Fields::of_whole(self.scope.use_whole());
                rest
            }
            None => select,
        };
        self.show(0, rest, "", &mut shown)?;
        if let Some(name) = shown.fields.same_name() {
            let name = name.to_owned();
            return Err(BindError::SameName { name });
        }
        Ok(shown)
    }

    /// Adds what is selected of a level's row; `prefix` stands before the names.
    fn show(
        &mut self,
        level: usize,
        select: &[Selected],
        prefix: &str,
        shown: &mut Shown,
    ) -> Result<(), BindError> {
        for item in select {
            match &item.what {
                SelectedWhat::Star => {
                    let fields = self
                        .scope
                        .all(level)
                        .into_iter()
                        .map(|(name, source, kind)| {
                            let label = if prefix.is_empty() {
                                name
                            } else {
                                prefix.to_owned() + &name
                            };
                            let what = FieldWhat::Value { source, kind };
                            Field { label, what }
                        });
                    shown.fields.add(fields);
                }
                SelectedWhat::Path(path) => {
                    let (source, kind) = self.source_at(level, path)?;
                    let label = format!("{prefix}{}", own_name(item, path));
                    let what = FieldWhat::Value { source, kind };
                    shown.fields.add([Field { label, what }]);
                }
                SelectedWhat::Aggregate(aggregate) => {
                    return Err(BindError::UngroupedAggregate {
                        at: aggregate.at.clone(),
                    });
                }
                SelectedWhat::Embed(embed) => {
                    self.show_embed(level, item, embed, prefix, shown)?;
                }
            }
        }
        Ok(())
    }

    fn show_embed(
        &mut self,
        level: usize,
        item: &Selected,
        embed: &Embed,
        prefix: &str,
        shown: &mut Shown,
    ) -> Result<(), BindError> {
        if self.depth == 0 {
            return Err(BindError::TooDeep {
                at: embed.at.clone(),
            });
        }
        // Rows that are asked for without any of their columns are a condition only.
        if embed.query.select.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let link = self.resolve(level, &embed.relation, &embed.at)?;
        let name = item.alias.as_deref().unwrap_or(&embed.relation.name);
        if embed.lift != Lift::Nested && !link.is_many {
            let level = self.lifted(level, embed, &link)?;
            let below = match embed.lift {
                Lift::Prefixed => format!("{prefix}{name}_"),
                _ => prefix.to_owned(),
            };
            let star = [STAR];
            let select = embed.query.select.as_deref().unwrap_or(&star);
            return self.show(level, select, &below, shown);
        }
        if embed.lift == Lift::Prefixed {
            return Err(BindError::NotToOne {
                relation: embed.relation.name.clone(),
                at: embed.at.clone(),
            });
        }
        let query = bind_at(&embed.query, &link.target, self.world, self.depth - 1)?;
        let number = shown.embeds.len();
        if embed.lift == Lift::Nested {
            shown.fields.add([Field {
                label: format!("{prefix}{name}"),
                what: FieldWhat::Embed(number),
            }]);
        } else {
            let spread = query.fields.iter().enumerate().map(|(at, field)| Field {
                label: format!("{prefix}{}", field.label),
                what: FieldWhat::Spread {
                    embed: number,
                    field: at,
                },
            });
            shown.fields.add(spread);
        }
        shown
            .embeds
            .push(embeds::bind(self, level, embed, &link, query)?);
        Ok(())
    }

    /// The level of a to-one relation whose columns are shown among the row's.
    pub fn lifted(&mut self, level: usize, embed: &Embed, link: &Link) -> Result<usize, BindError> {
        if embed.query.filter.is_empty() {
            return self.reach(level, std::slice::from_ref(&embed.relation), &embed.at);
        }
        let mut target = Binder::new(Scope::of_table(&link.target), self.world, self.depth);
        let filter = Predicate::All(target.conditions(&embed.query.filter)?);
        let bound = self.link(level, link, &embed.at)?;
        let filter = Some((Arc::new(target.scope), filter));
        Ok(self.add_join(level, &embed.relation, bound, link, filter))
    }
}

/// What a column is called in answers.
pub(crate) fn own_name<'a>(item: &'a Selected, path: &'a ColumnPath) -> &'a str {
    let own = path.steps.last().map_or(&path.column, |step| &step.0);
    item.alias.as_ref().unwrap_or(own)
}

/// What comes after everything of a row, if it is embeds that stand for themselves.
fn after_whole_row(select: &[Selected]) -> Option<&[Selected]> {
    let is_nested = |item: &Selected| match &item.what {
        SelectedWhat::Embed(embed) => embed.lift == Lift::Nested,
        _ => false,
    };
    let (first, rest) = select.split_first()?;
    (matches!(first.what, SelectedWhat::Star) && rest.iter().all(is_nested)).then_some(rest)
}
