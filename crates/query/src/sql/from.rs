//! `FROM` and its joins, and `EXISTS`, which asks for rows of a relation.

use std::sync::Arc;

use row_model::ColumnType;
use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, ObjectName, Query, Select, SetExpr,
    Spanned, TableAlias, TableFactor, TableWithJoins,
};

use super::TABLES_MAX;
use super::condition::{self, Subject};
use super::error::{Spot, SqlError, unsupported};
use super::join::{self, Edge, Pair, conjuncts};
use super::literal::Reading;
use super::names;
use super::path::{Scope, Source};
use crate::relation::World;
use crate::tree::{ColumnPath, Condition, Place, Related, RelationRef};

const NO_JOIN: &str =
    "Joins are JOIN (INNER) and LEFT JOIN, with ON or USING, along declared relations.";
const EXISTS_FORM: &str = "EXISTS is of one table and its relation: EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id AND i.qty > 1).";

/// The tables of a statement, and what their joins ask of a row.
pub(super) struct From<'a> {
    pub scope: Scope<'a>,
    /// The table whose rows are asked for.
    pub root: usize,
    pub conditions: Vec<Condition>,
}

pub(super) fn read<'a>(
    from: &[TableWithJoins],
    reading: &'a Reading<'a>,
    world: &World<'_>,
) -> Result<From<'a>, SqlError> {
    let [tables] = from else {
        return Err(match from.get(1) {
            None => unsupported(
                "a SELECT without FROM",
                "Select from a table.",
                Spot { line: 1, column: 1 },
            ),
            Some(second) => unsupported("a second table in FROM", NO_JOIN, second.relation.span()),
        });
    };
    let mut scope = Scope {
        reading,
        sources: vec![source(&tables.relation, world)?],
    };
    let (mut edges, mut others) = (Vec::new(), Vec::new());
    for join in &tables.joins {
        if scope.sources.len() == TABLES_MAX {
            return Err(SqlError::TooMuch {
                what: "tables joined",
                max: TABLES_MAX,
            });
        }
        let (constraint, is_optional) = match &join.join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (constraint, false),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                (constraint, true)
            }
            _ => {
                return Err(unsupported(
                    "this kind of join",
                    NO_JOIN,
                    join.relation.span(),
                ));
            }
        };
        scope.sources.push(source(&join.relation, world)?);
        let (edge, rest) = joined(&scope, constraint, is_optional, world)?;
        edges.push(edge);
        others.extend(rest);
    }
    let (root, required) = join::root(&mut scope, &edges)?;
    let mut conditions = there(&scope, &required);
    for other in others {
        let mut rows = Rows {
            scope: &scope,
            world,
        };
        conditions.push(condition::read(other, false, &mut rows)?);
    }
    Ok(From {
        scope,
        root,
        conditions,
    })
}

/// The relation that the newest table is joined along, and what else its condition asks.
fn joined<'e>(
    scope: &Scope<'_>,
    constraint: &'e JoinConstraint,
    is_optional: bool,
    world: &World<'_>,
) -> Result<(Edge, Vec<&'e Expr>), SqlError> {
    let right = scope.sources.len() - 1;
    let at = scope.sources[right].at;
    let expr = match constraint {
        JoinConstraint::On(expr) => expr,
        JoinConstraint::Using(names) => {
            let pairs: Vec<Pair> = names
                .iter()
                .map(|name| used(scope, name))
                .collect::<Result<_, _>>()?;
            let (edge, taken) = join::edge(scope, world, right, &pairs, is_optional)?;
            if taken.len() < pairs.len() {
                return Err(unsupported(
                    "USING with more columns than the relation has",
                    NO_JOIN,
                    at,
                ));
            }
            return Ok((edge, Vec::new()));
        }
        JoinConstraint::Natural | JoinConstraint::None => {
            return Err(unsupported("a join without ON or USING", NO_JOIN, at));
        }
    };
    let parts = conjuncts(expr);
    let (mut pairs, mut of_part) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        if let Some(pair) = join::pair(scope, part)? {
            pairs.push(pair);
            of_part.push(number);
        }
    }
    let (edge, taken) = join::edge(scope, world, right, &pairs, is_optional)?;
    let taken: Vec<usize> = taken.iter().map(|pair| of_part[*pair]).collect();
    let rest = parts
        .iter()
        .enumerate()
        .filter(|(number, _)| !taken.contains(number));
    let rest: Vec<&Expr> = rest.map(|(_, part)| *part).collect();
    match rest.first() {
        Some(more) if is_optional => Err(unsupported(
            "a condition beside the relation in the ON of a LEFT JOIN",
            "Put it into WHERE, where it also drops rows without a related one; or use JOIN.",
            more.span(),
        )),
        _ => Ok((edge, rest)),
    }
}

/// The column of `USING` in the newest table and in the one before it that has it.
fn used(scope: &Scope<'_>, name: &ObjectName) -> Result<Pair, SqlError> {
    let parts = names::parts(name)?;
    let right = scope.sources.len() - 1;
    let find = |sources: std::ops::Range<usize>| {
        let ident = parts.last()?;
        sources
            .rev()
            .find_map(|at| Some((at, names::column(&scope.sources[at].table, ident)?)))
    };
    match (find(0..right), find(right..right + 1)) {
        (Some(left), Some(right)) => Ok(Pair { left, right }),
        _ => Err(unsupported(
            format!("USING ({name}), which both tables must have"),
            NO_JOIN,
            name.span(),
        )),
    }
}

fn source(factor: &TableFactor, world: &World<'_>) -> Result<Source, SqlError> {
    let at = Spot::from(factor.span());
    let (name, alias) = named(factor)?;
    let parts = names::parts(name)?;
    let written: Vec<&str> = parts.iter().map(|part| &*part.value).collect();
    let whole = written.join(".");
    let found = world.cut.table(&whole).or_else(|error| {
        // Unquoted names are the same whatever their case.
        if parts.iter().any(|part| part.quote_style.is_some()) {
            return Err(error);
        }
        world.cut.table(&whole.to_lowercase()).map_err(|_| error)
    });
    let table = found.map_err(|error| SqlError::NoTable {
        name: whole.clone(),
        error,
        at,
    })?;
    let called = match alias {
        Some(alias) if alias.columns.is_empty() && alias.at.is_none() => names::label(&alias.name),
        Some(alias) => {
            return Err(unsupported(
                "an alias that names the columns of a table",
                "Name columns in SELECT with AS.",
                alias.name.span,
            ));
        }
        None => written.last().copied().unwrap_or_default().to_owned(),
    };
    Ok(Source {
        name: called,
        written: alias.is_none().then_some(whole),
        table: Arc::clone(table),
        via: Vec::new(),
        at,
    })
}

/// The name and the alias of a table that stands for itself.
fn named(factor: &TableFactor) -> Result<(&ObjectName, &Option<TableAlias>), SqlError> {
    let (construct, nearest) = match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints,
        } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
            return Ok((name, alias));
        }
        TableFactor::Derived { .. } => (
            "a subquery in FROM",
            "Select from the table itself; aggregates go with GROUP BY and HAVING.",
        ),
        TableFactor::NestedJoin { .. } => {
            ("a join in brackets", "Write the joins one after another.")
        }
        _ => (
            "what is no table in FROM",
            "Select from a table by its name; GET /v1/tables lists all tables.",
        ),
    };
    Err(unsupported(construct, nearest, factor.span()))
}

/// That the rows of these tables are there. One that is reached over another says so of that, too.
fn there(scope: &Scope<'_>, required: &[usize]) -> Vec<Condition> {
    let via = |number: &usize| &scope.sources[*number].via;
    let mut paths: Vec<&Vec<RelationRef>> = required.iter().map(via).collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    let mut kept: Vec<&Vec<RelationRef>> = Vec::new();
    for path in paths {
        if !kept.iter().any(|longer| longer.starts_with(path)) {
            kept.push(path);
        }
    }
    let place = scope.reading.place(Spot { line: 1, column: 1 });
    let there = |path: &Vec<RelationRef>| related(path, Vec::new(), &place);
    kept.into_iter().rev().filter_map(there).collect()
}

/// That the row which relations lead to is there and meets all of these; `None` without a relation.
fn related(path: &[RelationRef], filter: Vec<Condition>, at: &Place) -> Option<Condition> {
    let (first, rest) = path.split_first()?;
    let related = |filter| {
        Condition::Related(Related {
            relation: first.clone(),
            filter,
            at: at.clone(),
        })
    };
    Some(if rest.is_empty() {
        related(filter)
    } else {
        related(related_vec(rest, filter, at))
    })
}

fn related_vec(path: &[RelationRef], filter: Vec<Condition>, at: &Place) -> Vec<Condition> {
    related(path, filter, at).into_iter().collect()
}

/// Conditions on the rows of a statement.
pub(super) struct Rows<'s, 'a> {
    pub scope: &'s Scope<'a>,
    pub world: &'s World<'s>,
}

impl Subject for Rows<'_, '_> {
    fn reading(&self) -> &Reading<'_> {
        self.scope.reading
    }

    fn path(&mut self, expr: &Expr) -> Result<ColumnPath, SqlError> {
        self.scope.path(expr)
    }

    fn kind(&self, path: &ColumnPath) -> Option<ColumnType> {
        self.scope.kind(path)
    }

    fn exists(&mut self, subquery: &Query) -> Result<Condition, SqlError> {
        let refused = |at: Spot| unsupported("this form of EXISTS", EXISTS_FORM, at);
        let at = Spot::from(subquery.span());
        let select = plain_select(subquery).ok_or_else(|| refused(at))?;
        let [TableWithJoins { relation, joins }] = &select.from[..] else {
            return Err(refused(at));
        };
        if let Some(join) = joins.first() {
            return Err(unsupported(
                "a join inside EXISTS",
                "Ask for the next table with an EXISTS of its own inside this one.",
                join.relation.span(),
            ));
        }
        let inner = source(relation, self.world)?;
        // What is not qualified is the inner table's if it has such a column; the join is found as one with the outer table.
        let number = self.scope.sources.len();
        let mut both = Scope {
            reading: self.scope.reading,
            sources: self.scope.sources.clone(),
        };
        both.sources.push(inner.clone());
        let parts = select.selection.as_ref().map(conjuncts).unwrap_or_default();
        let (mut pairs, mut of_part) = (Vec::new(), Vec::new());
        for (part, expr) in parts.iter().enumerate() {
            if let Some(pair) = inner_pair(&both, number, expr)? {
                pairs.push(pair);
                of_part.push(part);
            }
        }
        let (edge, taken) = join::edge(&both, self.world, number, &pairs, false)?;
        let taken: Vec<usize> = taken.iter().map(|pair| of_part[*pair]).collect();
        let alone = Scope {
            reading: self.scope.reading,
            sources: vec![inner],
        };
        let mut filter = Vec::new();
        for (part, expr) in parts.into_iter().enumerate() {
            if !taken.contains(&part) {
                let mut rows = Rows {
                    scope: &alone,
                    world: self.world,
                };
                filter.push(condition::read(expr, false, &mut rows)?);
            }
        }
        let mut path = self.scope.sources[edge.left].via.clone();
        path.push(edge.reference().clone());
        related(&path, filter, &self.scope.reading.place(at)).ok_or_else(|| refused(at))
    }
}

/// A pair of an outer column and one of the inner table, which comes first where a name is not qualified.
fn inner_pair(both: &Scope<'_>, inner: usize, expr: &Expr) -> Result<Option<Pair>, SqlError> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = expr
    else {
        return Ok(None);
    };
    let side = |expr: &Expr| match expr {
        Expr::Identifier(name) => match names::column(&both.sources[inner].table, name) {
            Some(column) => Ok(Some((inner, column))),
            None => both.find(std::slice::from_ref(name)).map(Some),
        },
        Expr::CompoundIdentifier(parts) => {
            // The inner table hides an outer one of the same name.
            match parts.split_last() {
                Some((name, [qualifier])) if names::means(qualifier, &both.sources[inner].name) => {
                    Ok(names::column(&both.sources[inner].table, name)
                        .map(|column| (inner, column)))
                }
                _ => both.find(parts).map(Some),
            }
        }
        _ => Ok(None),
    };
    Ok(match (side(left)?, side(right)?) {
        (Some(left), Some(right)) if (left.0 == inner) != (right.0 == inner) => {
            Some(Pair { left, right })
        }
        _ => None,
    })
}

/// The `SELECT` of a subquery that says nothing but which rows.
fn plain_select(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else {
        return None;
    };
    let says_more = query.with.is_some()
        || query.order_by.is_some()
        || query.limit_clause.is_some()
        || query.fetch.is_some()
        || !query.locks.is_empty()
        || query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty()
        || select.having.is_some()
        || select.distinct.is_some()
        || super::select::unusual(select).is_some()
        || super::select::is_grouped(select);
    (!says_more).then_some(select)
}
