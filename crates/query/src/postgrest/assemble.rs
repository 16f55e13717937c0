//! Puts what the parameters say of each level together: what is selected there, and which of its rows.

use super::condition::condition;
use super::error::ReadError;
use super::filter::Logic;
use super::name::Field;
use super::order::Term;
use super::select::{Column, Item, Relation};
use super::{ITEMS_MAX, NODES_MAX};
use crate::tree::{
    Aggregate, ColumnPath, Condition, Embed, Lift, Ordered, Place, Query, Related, RelationRef,
    Selected, SelectedWhat, Step,
};

/// What parameters say of one table, besides `select`.
#[derive(Default)]
pub(super) struct Level {
    pub filters: Vec<Filtered>,
    /// With the parameter that it was sent in.
    pub order: Option<(String, Vec<Term>)>,
    pub limit: Option<usize>,
    pub offset: usize,
    /// A parameter that is about it.
    parameter: String,
}

/// A filter, and where it was written.
pub(super) struct Filtered {
    pub logic: Logic,
    pub parameter: String,
    /// Characters that were read before the parameter's own.
    pub skipped: usize,
}

/// The levels that parameters are about, by the relations that lead there.
#[derive(Default)]
pub(super) struct Levels(Vec<(Vec<String>, Level)>);

impl Levels {
    pub fn of(&mut self, path: Vec<String>, parameter: &str) -> &mut Level {
        let at = self.0.iter().position(|(known, _)| *known == path);
        let at = at.unwrap_or_else(|| {
            let level = Level {
                parameter: parameter.to_owned(),
                ..Level::default()
            };
            self.0.push((path, level));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// Takes the levels below the first relation on their way that this one is, without it.
    fn below(&mut self, relation: &Relation, siblings: &[&Relation]) -> Self {
        let is_named = |name: &str| {
            // An alias hides the relation's name only where something else is called so.
            relation.label() == name
                || relation.name == name && siblings.iter().all(|other| other.label() != name)
        };
        let mut below = Self::default();
        for (path, level) in std::mem::take(&mut self.0) {
            match path.split_first() {
                Some((first, rest)) if is_named(first) => below.0.push((rest.to_vec(), level)),
                _ => self.0.push((path, level)),
            }
        }
        below
    }
}

pub(super) fn query(select: Option<Vec<Item>>, levels: Levels) -> Result<Query, ReadError> {
    let everything = select.is_none();
    let items = select.unwrap_or_else(|| vec![Item::Star]);
    let mut query = level(&items, levels, "select")?;
    if everything {
        query.select = None;
    }
    let nodes: usize = nodes(&query);
    if nodes > NODES_MAX {
        return Err(ReadError::TooMuch {
            what: "conditions and groups",
            max: NODES_MAX,
        });
    }
    Ok(query)
}

fn nodes(query: &Query) -> usize {
    let embedded = query
        .select
        .iter()
        .flatten()
        .filter_map(|item| match &item.what {
            SelectedWhat::Embed(embed) => Some(nodes(&embed.query)),
            _ => None,
        });
    query.filter.iter().map(Condition::nodes).sum::<usize>() + embedded.sum::<usize>()
}

/// A relation that is embedded at a level, under the name that the level's parameters call it.
pub(super) struct Child {
    pub label: String,
    embed: Embed,
}

impl Child {
    /// That there are rows to embed.
    pub fn there(&self) -> Condition {
        Condition::Related(Related {
            relation: self.embed.relation.clone(),
            filter: required_filter(&self.embed.query),
            at: self.embed.at.clone(),
        })
    }
}

/// What rows must meet to be shown: the filter, and that there are rows of whatever is required.
fn required_filter(query: &Query) -> Vec<Condition> {
    let required = query
        .select
        .iter()
        .flatten()
        .filter_map(|item| match &item.what {
            SelectedWhat::Embed(embed) if embed.required => Some(Condition::Related(Related {
                relation: embed.relation.clone(),
                filter: required_filter(&embed.query),
                at: embed.at.clone(),
            })),
            _ => None,
        });
    query.filter.iter().cloned().chain(required).collect()
}

fn level(items: &[Item], mut levels: Levels, parameter: &str) -> Result<Query, ReadError> {
    if items.len() > ITEMS_MAX {
        return Err(ReadError::TooMuch {
            what: "columns and relations in select",
            max: ITEMS_MAX,
        });
    }
    let relations: Vec<&Relation> = items
        .iter()
        .filter_map(|item| match item {
            Item::Relation(relation) => Some(relation),
            _ => None,
        })
        .collect();
    let mut children = Vec::with_capacity(relations.len());
    for relation in &relations {
        let below = levels.below(relation, &relations);
        children.push(child(relation, below, parameter)?);
    }
    let mut own = Level::default();
    for (path, level) in levels.0 {
        match path.first() {
            None => own = level,
            Some(name) => {
                return Err(ReadError::NotEmbedded {
                    name: name.clone(),
                    at: Place {
                        parameter: level.parameter,
                        offset: None,
                    },
                });
            }
        }
    }
    let mut query = Query {
        limit: own.limit,
        offset: own.offset,
        ..Query::default()
    };
    for filtered in &own.filters {
        query
            .filter
            .push(condition(&filtered.logic, filtered, &children)?);
    }
    if let Some((parameter, terms)) = &own.order {
        let order = terms.iter().map(|term| ordered(term, &children, parameter));
        query.order = order.collect::<Result<_, _>>()?;
    }
    query.select = Some(selection(items, children, parameter, &mut query.filter)?);
    Ok(query)
}

fn child(relation: &Relation, below: Levels, parameter: &str) -> Result<Child, ReadError> {
    let query = level(&relation.items, below, parameter)?;
    Ok(Child {
        label: relation.label().to_owned(),
        embed: Embed {
            relation: RelationRef {
                name: relation.name.clone(),
                hint: relation.hint.clone(),
            },
            query,
            required: relation.required,
            lift: if relation.spread {
                Lift::Spread
            } else {
                Lift::Nested
            },
            at: place(parameter, relation.at),
        },
    })
}

/// What is shown. A relation of which nothing is selected is not shown; if it is required, it filters all the same.
fn selection(
    items: &[Item],
    children: Vec<Child>,
    parameter: &str,
    filter: &mut Vec<Condition>,
) -> Result<Vec<Selected>, ReadError> {
    let mut children = children.into_iter();
    let mut selected: Vec<Selected> = Vec::with_capacity(items.len());
    for item in items {
        let one = match item {
            Item::Star => Selected {
                what: SelectedWhat::Star,
                alias: None,
            },
            Item::Column(column) => shown_column(column, parameter)?,
            Item::Relation(relation) => {
                let Some(child) = children.next() else {
                    continue;
                };
                if child.embed.query.select.as_ref().is_some_and(Vec::is_empty) {
                    filter.extend(child.embed.required.then(|| child.there()));
                    continue;
                }
                Selected {
                    alias: (!relation.spread).then_some(child.label),
                    what: SelectedWhat::Embed(child.embed),
                }
            }
        };
        // The same column twice is the same value twice.
        if !selected.contains(&one) {
            selected.push(one);
        }
    }
    Ok(selected)
}

fn shown_column(column: &Column, parameter: &str) -> Result<Selected, ReadError> {
    let path = column.field.as_ref().map(|field| {
        let mut path = column_path(field, place(parameter, field.at))?;
        path.cast.clone_from(&column.cast);
        Ok(path)
    });
    let path = path.transpose()?;
    let what = match (column.aggregate, path) {
        (Some(function), of) => SelectedWhat::Aggregate(Aggregate {
            function,
            of,
            cast: column.result_cast.clone(),
            at: place(parameter, column.at),
        }),
        (None, Some(path)) => SelectedWhat::Path(path),
        (None, None) => SelectedWhat::Star,
    };
    let index_named = || column.field.as_ref().and_then(named_before_index);
    let is_path = matches!(what, SelectedWhat::Path(_));
    Ok(Selected {
        what,
        alias: column
            .alias
            .clone()
            .or_else(|| index_named().filter(|_| is_path)),
    })
}

/// What a place in an array is called: by the key before it, or by the column.
fn named_before_index(field: &Field) -> Option<String> {
    field.arrows.last().filter(|arrow| arrow.is_place())?;
    let key = field.arrows.iter().rfind(|arrow| !arrow.is_place());
    Some(key.map_or(&field.name, |arrow| &arrow.key).clone())
}

fn ordered(term: &Term, children: &[Child], parameter: &str) -> Result<Ordered, ReadError> {
    let mut by = column_path(&term.field, place(parameter, term.field.at))?;
    if let Some(name) = &term.relation {
        let child = children.iter().find(|child| child.label == *name);
        let Some(child) = child else {
            return Err(ReadError::NotEmbedded {
                name: name.clone(),
                at: place(parameter, term.at),
            });
        };
        by.via = vec![child.embed.relation.clone()];
    }
    Ok(Ordered {
        by,
        descending: term.descending,
        // In `PostgreSQL` nulls are the greatest.
        nulls_first: term.nulls_first.unwrap_or(term.descending),
    })
}

pub(super) fn column_path(field: &Field, at: Place) -> Result<ColumnPath, ReadError> {
    let (last, others) = match field.arrows.split_last() {
        Some((last, others)) => (Some(last), others),
        None => (None, &[][..]),
    };
    if let Some(text) = others.iter().position(|arrow| arrow.as_text) {
        let step = &field.arrows[text + 1];
        return Err(ReadError::StepIntoText {
            arrow: if step.as_text { "->>" } else { "->" },
            by: if step.is_place() {
                "integer"
            } else {
                "unknown"
            },
            at,
        });
    }
    let steps = field.arrows.iter().map(|arrow| Step(arrow.key.clone()));
    Ok(ColumnPath {
        column: field.name.clone(),
        steps: steps.collect(),
        as_text: last.is_some_and(|arrow| arrow.as_text),
        at,
        ..ColumnPath::default()
    })
}

pub(super) fn place(parameter: &str, at: usize) -> Place {
    Place {
        parameter: parameter.to_owned(),
        offset: Some(at),
    }
}
