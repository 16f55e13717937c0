//! Groups: what rows are grouped by, and conditions and orders that are about groups.
//!
//! The tree groups rows by all that is selected beside aggregates. What a statement groups by, orders by or asks in
//! `HAVING` without selecting it becomes a column of its own, which is not shown.

use row_model::ColumnType;
use sqlparser::ast::{
    CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Query, Spanned,
};

use super::condition::Subject;
use super::error::{Spot, SqlError, meaningless, unsupported};
use super::literal::Reading;
use super::path::{Scope, ordinal};
use super::{names, refusal, types};
use crate::group::result_kind;
use crate::tree::{Aggregate, AggregateFunction, ColumnPath, Condition, Selected, SelectedWhat};

/// A column of the answer, or of what the answer rests on.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub what: SelectedWhat,
    pub label: String,
    pub at: Spot,
}

impl Output {
    pub fn selected(&self) -> Selected {
        let own = match &self.what {
            SelectedWhat::Path(path) => path.steps.last().map_or(&*path.column, |step| &step.0),
            SelectedWhat::Aggregate(aggregate) => aggregate.function.spelling(),
            _ => &*self.label,
        };
        Selected {
            what: self.what.clone(),
            alias: (own != self.label).then(|| self.label.clone()),
        }
    }
}

/// Groups that are being described.
pub(super) struct Groups<'s, 'a> {
    pub scope: &'s Scope<'a>,
    /// What is shown, and then what is not.
    pub outputs: Vec<Output>,
    pub keys: Vec<ColumnPath>,
    pub shown: usize,
}

impl<'s, 'a> Groups<'s, 'a> {
    /// Rows are grouped by these expressions; if there are none, and no aggregates, by all that is selected.
    pub fn new(
        scope: &'s Scope<'a>,
        outputs: Vec<Output>,
        group_by: &[Expr],
        is_distinct: bool,
        is_aggregated: bool,
    ) -> Result<Self, SqlError> {
        let mut groups = Self {
            scope,
            shown: outputs.len(),
            outputs,
            keys: Vec::new(),
        };
        if group_by.is_empty() && !is_aggregated {
            groups.keys = groups.paths().cloned().collect();
            return Ok(groups);
        }
        for expr in group_by {
            let key = groups.key(expr)?;
            if !groups.keys.contains(&key) {
                groups.keys.push(key);
            }
        }
        for output in &groups.outputs {
            if let SelectedWhat::Path(path) = &output.what
                && !groups.keys.contains(path)
            {
                return Err(ungrouped(&path.column, output.at));
            }
        }
        for key in groups.keys.clone() {
            groups.label_of_key(&key, Spot::default())?;
        }
        if is_distinct && groups.outputs.len() > groups.shown {
            return Err(unsupported(
                "DISTINCT over groups of which not all keys are selected",
                "Select everything that stands in GROUP BY, or leave DISTINCT out.",
                Spot { line: 1, column: 1 },
            ));
        }
        Ok(groups)
    }

    fn paths(&self) -> impl Iterator<Item = &ColumnPath> {
        self.outputs.iter().filter_map(|output| match &output.what {
            SelectedWhat::Path(path) => Some(path),
            _ => None,
        })
    }

    /// A column, an ordinal or the name of an output, as in `PostgreSQL` in this order.
    fn key(&self, expr: &Expr) -> Result<ColumnPath, SqlError> {
        let at = Spot::from(expr.span());
        if let Some(number) = ordinal(expr) {
            return output_path(&self.outputs[..self.shown], number, at);
        }
        let found = self.scope.path(expr);
        match (expr, found) {
            (Expr::Identifier(name), Err(SqlError::UnknownColumn { .. }))
                if self.output(name).is_some() =>
            {
                match self.output(name).map(|output| &output.what) {
                    Some(SelectedWhat::Path(path)) => Ok(path.clone()),
                    _ => Err(meaningless(
                        "an aggregate stands in GROUP BY",
                        "Group by columns; ask of aggregates in HAVING.",
                        at,
                    )),
                }
            }
            (_, found) => found,
        }
    }

    /// The output that is shown under a name.
    fn output(&self, name: &Ident) -> Option<&Output> {
        let mut shown = self.outputs[..self.shown].iter();
        shown.find(|output| names::means(name, &output.label))
    }

    /// What an expression of `HAVING` or `ORDER BY` is called among the columns of the groups.
    fn label(&mut self, expr: &Expr) -> Result<String, SqlError> {
        let at = Spot::from(expr.span());
        if let Some(aggregate) = aggregate(self.scope, expr)? {
            return Ok(self.label_of(SelectedWhat::Aggregate(aggregate), at));
        }
        match self.scope.path(expr) {
            Ok(path) => self.label_of_key(&path, at),
            Err(SqlError::UnknownColumn {
                table,
                column,
                mut known,
                at,
            }) => {
                if let Expr::Identifier(name) = expr
                    && let Some(output) = self.output(name)
                {
                    return Ok(output.label.clone());
                }
                known.extend(
                    self.outputs[..self.shown]
                        .iter()
                        .map(|output| output.label.clone()),
                );
                Err(SqlError::UnknownColumn {
                    table,
                    column,
                    known,
                    at,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The same in `ORDER BY`, where names and ordinals of the answer come first.
    pub fn ordered(&mut self, expr: &Expr) -> Result<ColumnPath, SqlError> {
        let at = Spot::from(expr.span());
        if let Some(number) = ordinal(expr) {
            let shown = &self.outputs[..self.shown];
            let output = nth(shown, number, at)?;
            return Ok(self.column(output.label.clone(), at));
        }
        if let Expr::Identifier(name) = expr
            && let Some(output) = self.output(name)
        {
            return Ok(self.column(output.label.clone(), at));
        }
        let label = self.label(expr)?;
        Ok(self.column(label, at))
    }

    fn column(&self, label: String, at: Spot) -> ColumnPath {
        ColumnPath {
            column: label,
            at: self.scope.reading.place(at),
            ..ColumnPath::default()
        }
    }

    fn label_of_key(&mut self, path: &ColumnPath, at: Spot) -> Result<String, SqlError> {
        if !self.keys.contains(path) {
            return Err(ungrouped(&path.column, at));
        }
        Ok(self.label_of(SelectedWhat::Path(path.clone()), at))
    }

    /// What is selected already is called so; else it is, and not shown.
    fn label_of(&mut self, what: SelectedWhat, at: Spot) -> String {
        if let Some(known) = self.outputs.iter().find(|output| output.what == what) {
            return known.label.clone();
        }
        // Errors may name it.
        let mut label = described(&what);
        while self.outputs.iter().any(|output| output.label == label) {
            label.push(' ');
        }
        self.outputs.push(Output {
            what,
            label: label.clone(),
            at,
        });
        label
    }
}

impl Subject for Groups<'_, '_> {
    fn reading(&self) -> &Reading<'_> {
        self.scope.reading
    }

    fn path(&mut self, expr: &Expr) -> Result<ColumnPath, SqlError> {
        let label = self.label(expr)?;
        Ok(self.column(label, expr.span().into()))
    }

    fn kind(&self, path: &ColumnPath) -> Option<ColumnType> {
        let output = self
            .outputs
            .iter()
            .find(|output| output.label == path.column)?;
        match &output.what {
            SelectedWhat::Path(path) => self.scope.kind(path),
            SelectedWhat::Aggregate(Aggregate {
                cast: Some(cast), ..
            }) => types::of_name(cast),
            SelectedWhat::Aggregate(Aggregate {
                function,
                of: Some(of),
                ..
            }) => result_kind(*function, self.scope.kind(of)?).ok(),
            _ => None,
        }
    }

    fn exists(&mut self, subquery: &Query) -> Result<Condition, SqlError> {
        Err(unsupported(
            "EXISTS in HAVING",
            "EXISTS is a condition of WHERE.",
            subquery.span(),
        ))
    }
}

/// What a column that has no name in the statement is called.
fn described(what: &SelectedWhat) -> String {
    match what {
        SelectedWhat::Path(path) => path.column.clone(),
        SelectedWhat::Aggregate(Aggregate { function, of, .. }) => {
            let of = of.as_ref().map_or("*", |path| &path.column);
            format!("{}({of})", function.spelling())
        }
        _ => String::new(),
    }
}

fn ungrouped(column: &str, at: Spot) -> SqlError {
    meaningless(
        format!("column '{column}' is neither in GROUP BY nor in an aggregate"),
        "Group by it too, or take min or max of it.",
        at,
    )
}

fn nth(outputs: &[Output], number: usize, at: Spot) -> Result<&Output, SqlError> {
    number
        .checked_sub(1)
        .and_then(|at| outputs.get(at))
        .ok_or_else(|| {
            meaningless(
                format!("there is no column {number} in SELECT"),
                "Columns are counted from 1.",
                at,
            )
        })
}

/// The column that is selected at a place.
pub(super) fn output_path(
    outputs: &[Output],
    number: usize,
    at: Spot,
) -> Result<ColumnPath, SqlError> {
    match &nth(outputs, number, at)?.what {
        SelectedWhat::Path(path) => Ok(path.clone()),
        _ => Err(meaningless(
            format!("column {number} of SELECT is no single column of a table"),
            "Name the column.",
            at,
        )),
    }
}

/// The aggregate that an expression is, if it is one.
pub(super) fn aggregate(scope: &Scope<'_>, expr: &Expr) -> Result<Option<Aggregate>, SqlError> {
    match expr {
        Expr::Nested(inner) => aggregate(scope, inner),
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: inner,
            data_type,
            format: None,
            ..
        } => {
            let Some(found) = aggregate(scope, inner)? else {
                return Ok(None);
            };
            let at = Spot::from(expr.span());
            let cast =
                types::of_cast(data_type).ok_or_else(|| types::unsupported_cast(data_type, at))?;
            if found.cast.is_some() {
                return Err(unsupported("a cast of a cast", "Cast once.", at));
            }
            Ok(Some(Aggregate {
                cast: Some(cast.name.to_owned()),
                ..found
            }))
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            match AggregateFunction::from_spelling(&name) {
                Some(known) => of_function(scope, known, function, expr).map(Some),
                None => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn of_function(
    scope: &Scope<'_>,
    known: AggregateFunction,
    function: &Function,
    expr: &Expr,
) -> Result<Aggregate, SqlError> {
    let at = Spot::from(expr.span());
    let name = known.spelling();
    if function.over.is_some() {
        return Err(refusal::of_value(expr));
    }
    if function.filter.is_some() {
        return Err(unsupported(
            format!("{name}() with FILTER"),
            "Put the condition into WHERE, in a statement of its own.",
            at,
        ));
    }
    let FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment,
        args,
        clauses,
    }) = &function.args
    else {
        return Err(refusal::of_value(expr));
    };
    if *duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return Err(unsupported(
            format!("{name}(DISTINCT …)"),
            "Select the distinct values (SELECT DISTINCT column) and count or add them in the client.",
            at,
        ));
    }
    let is_plain = clauses.is_empty()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && !function.uses_odbc_syntax
        && matches!(function.parameters, FunctionArguments::None);
    let of = match &args[..] {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if known == AggregateFunction::Count => {
            None
        }
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] => match scope.reading.literal(of)? {
            Some(literal) if known == AggregateFunction::Count && literal.text.is_some() => None,
            Some(_) => return Err(refusal::of_value(of)),
            None => Some(scope.path(of)?),
        },
        _ => {
            return Err(meaningless(
                format!("{name}() takes one column"),
                "Aggregates are count(*), and count, sum, avg, min and max of a column.",
                at,
            ));
        }
    };
    if !is_plain {
        return Err(unsupported(
            format!("this form of {name}()"),
            "Write it with a column only.",
            at,
        ));
    }
    Ok(Aggregate {
        function: known,
        of,
        cast: None,
        at: scope.reading.place(at),
    })
}
