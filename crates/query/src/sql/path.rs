//! Columns, parts of JSON and casts, as paths of the tree.

use std::sync::Arc;

use row_model::ColumnType;
use sqlparser::ast::{BinaryOperator, CastKind, Expr, Ident, Spanned, Value};
use table_store::TableCut;

use super::error::{Spot, SqlError, meaningless, unsupported};
use super::literal::Reading;
use super::{names, refusal, types};
use crate::tree::{ColumnPath, RelationRef, Step};
use crate::url::STEPS_MAX;

/// The tables of a statement, or of a subquery.
pub(super) struct Scope<'a> {
    pub reading: &'a Reading<'a>,
    pub sources: Vec<Source>,
}

/// One table of a statement.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What columns are qualified by.
    pub name: String,
    /// The name of the table as it was written, where it has no other.
    pub written: Option<String>,
    pub table: Arc<TableCut>,
    /// The relations that lead to its row.
    pub via: Vec<RelationRef>,
    pub at: Spot,
}

impl Scope<'_> {
    /// The path that an expression is.
    pub fn path(&self, expr: &Expr) -> Result<ColumnPath, SqlError> {
        match expr {
            Expr::Nested(inner) => self.path(inner),
            Expr::Identifier(name) => self.column(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(parts) => self.column(parts),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: inner,
                data_type,
                format: None,
                ..
            } => {
                let path = self.path(inner)?;
                let at = Spot::from(expr.span());
                let Some(cast) = types::of_cast(data_type) else {
                    return Err(types::unsupported_cast(data_type, at));
                };
                if path.cast.is_some() {
                    return Err(unsupported("a cast of a cast", "Cast once.", at));
                }
                Ok(ColumnPath {
                    cast: Some(cast.name.to_owned()),
                    ..path
                })
            }
            Expr::BinaryOp {
                left,
                op: op @ (BinaryOperator::Arrow | BinaryOperator::LongArrow),
                right,
            } => self.step(left, *op == BinaryOperator::LongArrow, right),
            other => Err(refusal::of_value(other)),
        }
    }

    /// `left -> right` or `left ->> right`.
    fn step(&self, left: &Expr, as_text: bool, right: &Expr) -> Result<ColumnPath, SqlError> {
        let path = self.path(left)?;
        let at = Spot::from(right.span());
        if path.as_text || path.cast.is_some() {
            return Err(unsupported(
                "a step into what is text already",
                "Only the last arrow is ->>, and casts stand around all of it: (doc->'a'->>'b')::int8.",
                at,
            ));
        }
        let step = match self.reading.literal(right)? {
            Some(literal) => literal.text,
            None => {
                return Err(unsupported(
                    "a step into JSON that is computed",
                    "Write the key as text and the place as a number; to cast, put brackets around the arrows: (doc->>'a')::int8.",
                    at,
                ));
            }
        };
        let Some(step) = step else {
            return Err(meaningless("a step into JSON is null", "Name a key.", at));
        };
        let mut path = path;
        if path.steps.len() == STEPS_MAX {
            return Err(SqlError::TooMuch {
                what: "steps into JSON",
                max: STEPS_MAX,
            });
        }
        path.steps.push(Step(step));
        path.as_text = as_text;
        Ok(path)
    }

    /// The column that a name means, qualified or not.
    pub fn column(&self, parts: &[Ident]) -> Result<ColumnPath, SqlError> {
        let at = Spot::from(parts.first().ok_or_else(no_name)?.span);
        let (source, column) = self.find(parts)?;
        Ok(ColumnPath {
            via: self.sources[source].via.clone(),
            column,
            at: self.reading.place(at),
            ..ColumnPath::default()
        })
    }

    /// The table, by its number, and the column that a name means.
    pub fn find(&self, parts: &[Ident]) -> Result<(usize, String), SqlError> {
        let Some((name, qualifier)) = parts.split_last() else {
            return Err(no_name());
        };
        let at = Spot::from(parts[0].span);
        if qualifier.is_empty() {
            return self.unqualified(name, at);
        }
        let number = self.source(qualifier)?;
        let source = &self.sources[number];
        let column = names::column(&source.table, name);
        Ok((number, column.ok_or_else(|| unknown(&[source], name, at))?))
    }

    fn unqualified(&self, name: &Ident, at: Spot) -> Result<(usize, String), SqlError> {
        let sources = self.sources.iter().enumerate();
        let found =
            sources.filter_map(|(at, source)| Some((at, names::column(&source.table, name)?)));
        let mut found: Vec<(usize, String)> = found.collect();
        match found.len() {
            0 => Err(unknown(&self.sources.iter().collect::<Vec<_>>(), name, at)),
            1 => Ok(found.remove(0)),
            _ => {
                let qualified = |(source, column): &(usize, String)| {
                    format!("{}.{column}", self.sources[*source].name)
                };
                Err(SqlError::AmbiguousColumn {
                    column: name.value.clone(),
                    candidates: found.iter().map(qualified).collect(),
                    at,
                })
            }
        }
    }

    /// The type of the values that a path leads to, if anything says it.
    pub fn kind(&self, path: &ColumnPath) -> Option<ColumnType> {
        if let Some(cast) = &path.cast {
            return types::of_name(cast);
        }
        if !path.steps.is_empty() {
            return None;
        }
        let source = self.sources.iter().find(|source| source.via == path.via)?;
        let shapes = source.table.table.schemas().shapes();
        let newest = source
            .table
            .schema
            .and_then(|id| source.table.table.schemas().get(id));
        let mut shapes = newest.iter().chain(shapes.iter().rev());
        shapes.find_map(|shape| Some(shape.columns[shape.column(&path.column)?].kind))
    }

    /// The table that a qualifier means.
    pub fn source(&self, qualifier: &[Ident]) -> Result<usize, SqlError> {
        let written = |source: &Source, names: &[Ident]| {
            let whole: Vec<&str> = names.iter().map(|name| &*name.value).collect();
            let whole = whole.join(".");
            source
                .written
                .as_ref()
                .is_some_and(|written| written.eq_ignore_ascii_case(&whole))
        };
        let is_it = |source: &Source| match qualifier {
            [name] => names::means(name, &source.name),
            names => written(source, names),
        };
        self.sources.iter().position(is_it).ok_or_else(|| {
            let names: Vec<&str> = qualifier.iter().map(|name| &*name.value).collect();
            SqlError::NoSource {
                name: names.join("."),
                known: self
                    .sources
                    .iter()
                    .map(|source| source.name.clone())
                    .collect(),
                at: qualifier
                    .first()
                    .map_or_else(Spot::default, |first| first.span.into()),
            }
        })
    }
}

fn no_name() -> SqlError {
    SqlError::Syntax {
        message: "a name is missing".to_owned(),
        at: Spot::default(),
    }
}

fn unknown(sources: &[&Source], name: &Ident, at: Spot) -> SqlError {
    let known = sources
        .iter()
        .flat_map(|source| names::columns(&source.table));
    SqlError::UnknownColumn {
        table: match sources {
            [one] => Some(one.table.table.identity().name.clone()),
            _ => None,
        },
        column: name.value.clone(),
        known: known.collect(),
        at,
    }
}

/// Whether an expression is a bare whole number: an ordinal in `GROUP BY` and `ORDER BY`.
pub(super) fn ordinal(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
