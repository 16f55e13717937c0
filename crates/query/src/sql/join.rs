//! Which declared relation a join follows, and from which table every other is one row away.

use sqlparser::ast::{BinaryOperator, Expr};
use table_store::TableCut;

use super::error::{Spot, SqlError, unsupported};
use super::path::Scope;
use crate::relation::{Link, World};
use crate::tree::RelationRef;

/// A join, as a relation between two tables of the statement.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The table that was there before, by its number.
    pub left: usize,
    pub right: usize,
    /// Rows without a related one stay.
    pub is_optional: bool,
    forward: Way,
    backward: Way,
    at: Spot,
}

/// A relation in one direction.
#[derive(Clone, Debug)]
struct Way {
    reference: RelationRef,
    is_many: bool,
}

impl Edge {
    /// What the relation is called from the left table.
    pub fn reference(&self) -> &RelationRef {
        &self.forward.reference
    }
}

/// The parts of a condition that are all to be met.
pub(super) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    let (mut parts, mut rest) = (Vec::new(), vec![expr]);
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::Nested(inner) => rest.push(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => rest.extend([&**right, left]),
            other => parts.push(other),
        }
    }
    parts
}

/// Columns of two tables that a condition says are equal: table, column, table, column.
pub(super) struct Pair {
    pub left: (usize, String),
    pub right: (usize, String),
}

/// What a condition says of equal columns of two tables; `None` if it says something else.
pub(super) fn pair(scope: &Scope<'_>, expr: &Expr) -> Result<Option<Pair>, SqlError> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = expr
    else {
        return Ok(None);
    };
    let side = |expr: &Expr| match expr {
        Expr::Identifier(name) => scope.find(std::slice::from_ref(name)).map(Some),
        Expr::CompoundIdentifier(parts) => scope.find(parts).map(Some),
        _ => Ok(None),
    };
    Ok(match (side(left)?, side(right)?) {
        (Some(left), Some(right)) if left.0 != right.0 => Some(Pair { left, right }),
        _ => None,
    })
}

/// The relation that equal columns of a new table and one that was there before follow, and which of the pairs it took.
pub(super) fn edge(
    scope: &Scope<'_>,
    world: &World<'_>,
    right: usize,
    pairs: &[Pair],
    is_optional: bool,
) -> Result<(Edge, Vec<usize>), SqlError> {
    let at = scope.sources[right].at;
    for left in 0..right {
        let between: Vec<(usize, &str, &str)> = pairs
            .iter()
            .enumerate()
            .filter_map(|(number, pair)| match (&pair.left, &pair.right) {
                ((a, own), (b, other)) if (*a, *b) == (left, right) => {
                    Some((number, &**own, &**other))
                }
                ((a, other), (b, own)) if (*a, *b) == (right, left) => {
                    Some((number, &**own, &**other))
                }
                _ => None,
            })
            .collect();
        if let Some((link, taken)) = link(scope, world, left, right, &between) {
            let (from, to) = (&scope.sources[left].table, &scope.sources[right].table);
            let edge = Edge {
                left,
                right,
                is_optional,
                forward: way(world, from, &link, at)?,
                backward: way(world, to, &reversed(world, from, to, &link, at)?, at)?,
                at,
            };
            return Ok((edge, taken));
        }
    }
    Err(no_relation(scope, world, right))
}

/// The relation between two tables all of whose columns are among these pairs; of several the one with most columns.
fn link(
    scope: &Scope<'_>,
    world: &World<'_>,
    left: usize,
    right: usize,
    between: &[(usize, &str, &str)],
) -> Option<(Link, Vec<usize>)> {
    let (from, to) = (&scope.sources[left].table, &scope.sources[right].table);
    let fits = |link: Link| {
        let columns = link.from.iter().zip(&link.to);
        let taken: Option<Vec<usize>> = columns
            .map(|(own, other)| {
                let is_it = |pair: &&(usize, &str, &str)| pair.1 == own && pair.2 == other;
                between.iter().find(is_it).map(|pair| pair.0)
            })
            .collect();
        Some((link, taken?))
    };
    let links = direct(world, from, to);
    links
        .into_iter()
        .filter_map(fits)
        .max_by_key(|(_, taken)| taken.len())
}

/// Relations from one table to another, without those through a third.
fn direct(world: &World<'_>, from: &TableCut, to: &TableCut) -> Vec<Link> {
    let leads_there = |link: &Link| {
        link.junction.is_none() && link.target.table.identity().id == to.table.identity().id
    };
    let links = world.relations.links(world.cut, from).into_iter();
    links.filter(leads_there).collect()
}

fn reversed(
    world: &World<'_>,
    from: &TableCut,
    to: &TableCut,
    link: &Link,
    at: Spot,
) -> Result<Link, SqlError> {
    let is_it = |back: &Link| {
        back.from == link.to && back.to == link.from && !(back.is_many && link.is_many)
    };
    let found = direct(world, to, from).into_iter().find(is_it);
    found.ok_or_else(|| not_to_be_told(&link.name, at))
}

/// A relation by a name that means no other.
fn way(world: &World<'_>, table: &TableCut, link: &Link, at: Spot) -> Result<Way, SqlError> {
    let columns = link.from.iter().chain(&link.to).cloned();
    for hint in std::iter::once(None).chain(columns.map(Some)) {
        let reference = RelationRef {
            name: link.name.clone(),
            hint,
        };
        let is_it = |found: &Link| {
            found.junction.is_none()
                && (&found.from, &found.to) == (&link.from, &link.to)
                && found.is_many == link.is_many
        };
        if world
            .resolve(table, &reference)
            .is_ok_and(|found| is_it(&found))
        {
            return Ok(Way {
                reference,
                is_many: link.is_many,
            });
        }
    }
    Err(not_to_be_told(&link.name, at))
}

fn not_to_be_told(name: &str, at: Spot) -> SqlError {
    unsupported(
        format!("a join along the relation '{name}', which shares its name with another"),
        "Give the relations names of their own in the configuration.",
        at,
    )
}

fn no_relation(scope: &Scope<'_>, world: &World<'_>, right: usize) -> SqlError {
    let new = &scope.sources[right];
    let mut declared = Vec::new();
    for old in &scope.sources[..right] {
        for link in direct(world, &old.table, &new.table) {
            let columns = link.from.iter().zip(&link.to);
            let equal =
                columns.map(|(own, other)| format!("{}.{own} = {}.{other}", old.name, new.name));
            let condition = equal.collect::<Vec<_>>().join(" AND ");
            if !declared.contains(&condition) {
                declared.push(condition);
            }
        }
    }
    let nearest = if declared.is_empty() {
        format!(
            "No relation of '{}' with the tables before it is declared: it would stand under [[relations]] in the configuration.",
            new.name
        )
    } else {
        format!("Join ON {}.", declared.join(", or ON "))
    };
    unsupported("a join that follows no declared relation", nearest, new.at)
}

/// Finds the table from which every other is one row away, and tells every table how it is reached from there; which
/// tables must have a row.
pub(super) fn root(scope: &mut Scope<'_>, edges: &[Edge]) -> Result<(usize, Vec<usize>), SqlError> {
    for root in 0..scope.sources.len() {
        if let Some((paths, required)) = reached(root, scope.sources.len(), edges) {
            for (source, via) in scope.sources.iter_mut().zip(paths) {
                source.via = via;
            }
            return Ok((root, required));
        }
    }
    let optional = edges
        .iter()
        .find(|edge| edge.is_optional && edge.forward.is_many);
    if let Some(edge) = optional {
        return Err(unsupported(
            "LEFT JOIN to several rows",
            format!(
                "Use JOIN, or ask of '{}' by itself; rows without any are found with NOT EXISTS.",
                scope.sources[edge.right].name
            ),
            edge.at,
        ));
    }
    let many = edges.iter().rev().find(|edge| edge.forward.is_many);
    Err(unsupported(
        "joins that lead to several rows in more than one way",
        "Join one such table, and ask for the others with EXISTS (SELECT 1 FROM …), or in statements of their own.",
        many.map_or_else(Spot::default, |edge| edge.at),
    ))
}

type Paths = Vec<Vec<RelationRef>>;

fn reached(root: usize, sources: usize, edges: &[Edge]) -> Option<(Paths, Vec<usize>)> {
    let mut paths: Vec<Option<Vec<RelationRef>>> = vec![None; sources];
    paths[root] = Some(Vec::new());
    let mut required = Vec::new();
    let mut grown = true;
    while grown {
        grown = false;
        for edge in edges {
            let (from, to, way, optional) = match (&paths[edge.left], &paths[edge.right]) {
                (Some(from), None) => (from, edge.right, &edge.forward, edge.is_optional),
                // Rows of the left table that have none on the right would be lost.
                (None, Some(_)) if edge.is_optional => return None,
                (None, Some(from)) => (from, edge.left, &edge.backward, false),
                _ => continue,
            };
            if way.is_many {
                return None;
            }
            let path = from.iter().chain([&way.reference]).cloned().collect();
            paths[to] = Some(path);
            if !optional {
                required.push(to);
            }
            grown = true;
        }
    }
    Some((paths.into_iter().collect::<Option<Paths>>()?, required))
}
