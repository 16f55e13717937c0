//! A whole statement: what is selected, grouped, ordered and bounded.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, Spanned, WildcardAdditionalOptions,
};
use sqlparser::keywords::Keyword;

use super::condition;
use super::error::{Spot, SqlError, meaningless, unsupported};
use super::from::{self, From, Rows};
use super::group::{Groups, Output, aggregate, output_path};
use super::literal::{LiteralKind, Reading};
use super::parse::Parsed;
use super::path::{Scope, ordinal};
use super::{COLUMNS_MAX, SqlQuery, names};
use crate::relation::World;
use crate::tree::{ColumnPath, Condition, Ordered, Query as Tree, SelectedWhat};
use crate::url::{DEPTH_MAX, NODES_MAX, ORDER_MAX};

/// What is refused, the nearest form, and where it stands.
pub(super) type Unusual = (&'static str, &'static str, Spot);

pub(super) fn read(
    statement: &Parsed,
    reading: &Reading<'_>,
    world: &World<'_>,
) -> Result<SqlQuery, SqlError> {
    let query = &*statement.query;
    if let Some((construct, nearest, at)) = beyond(query, statement) {
        return Err(unsupported(construct, nearest, at));
    }
    let SetExpr::Select(select) = &*query.body else {
        return Err(no_select(&query.body, statement));
    };
    if let Some((construct, nearest, at)) = unusual(select) {
        return Err(unsupported(construct, nearest, at));
    }
    let From {
        scope,
        root,
        conditions: mut filter,
    } = from::read(&select.from, reading, world)?;
    if let Some(selection) = &select.selection {
        let mut rows = Rows {
            scope: &scope,
            world,
        };
        match condition::read(selection, false, &mut rows)? {
            Condition::All(parts) => filter.extend(parts),
            other => filter.push(other),
        }
    }
    let mut tree = Tree {
        filter,
        ..Tree::default()
    };
    let shown = shown_and_ordered(query, select, &scope, &mut tree)?;
    (tree.limit, tree.offset) = window(query, reading)?;
    check_size(&tree)?;
    Ok(SqlQuery {
        table: std::sync::Arc::clone(&scope.sources[root].table),
        query: tree,
        shown,
    })
}

/// Fills in what is selected, grouped and ordered; how many columns of it are shown.
fn shown_and_ordered(
    query: &Query,
    select: &Select,
    scope: &Scope<'_>,
    tree: &mut Tree,
) -> Result<usize, SqlError> {
    let is_distinct = is_distinct(select)?;
    let group_by = group_by(select)?;
    let is_aggregated = is_aggregated(scope, query, select)?;
    let is_grouped = is_distinct || is_aggregated || !group_by.is_empty();
    let outputs = outputs(select, scope, is_grouped)?;
    if !is_grouped {
        tree.order = order(query, |expr| ordered_row(expr, &outputs, scope))?;
        tree.select = Some(outputs.iter().map(Output::selected).collect());
        return Ok(usize::MAX);
    }
    let mut groups = Groups::new(scope, outputs, group_by, is_distinct, is_aggregated)?;
    if let Some(having) = &select.having {
        match condition::read(having, false, &mut groups)? {
            Condition::All(parts) => tree.having = parts,
            other => tree.having = vec![other],
        }
    }
    tree.order = order(query, |expr| groups.ordered(expr))?;
    tree.grouped = true;
    tree.select = Some(groups.outputs.iter().map(Output::selected).collect());
    Ok(groups.shown)
}

/// What a query says beyond its `SELECT`, if it is nothing of ours.
fn beyond(query: &Query, statement: &Parsed) -> Option<Unusual> {
    const ONE_SELECT: &str = "Send one SELECT.";
    let spot = |keyword| statement.spot_of(keyword);
    if query.with.is_some() {
        return Some((
            "WITH",
            "Select from the tables themselves, one SELECT without WITH.",
            spot(Keyword::WITH),
        ));
    }
    if !query.locks.is_empty() || query.for_clause.is_some() {
        return Some((
            "FOR after a SELECT",
            "Everything here is read-only: leave it out.",
            spot(Keyword::FOR),
        ));
    }
    let others = query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty();
    others.then_some((
        "what stands after the SELECT",
        ONE_SELECT,
        Spot { line: 1, column: 1 },
    ))
}

fn no_select(body: &SetExpr, statement: &Parsed) -> SqlError {
    let at = Spot::from(body.span());
    match body {
        SetExpr::SetOperation { op, .. } => {
            let (name, keyword) = match op {
                SetOperator::Union => ("UNION", Keyword::UNION),
                SetOperator::Except | SetOperator::Minus => ("EXCEPT", Keyword::EXCEPT),
                SetOperator::Intersect => ("INTERSECT", Keyword::INTERSECT),
            };
            unsupported(
                name,
                "Ask for alternatives with OR or IN in one SELECT, or send several statements.",
                statement.spot_of(keyword),
            )
        }
        SetExpr::Query(_) => {
            unsupported("a SELECT in brackets", "Send it without the brackets.", at)
        }
        SetExpr::Values(_) => unsupported("VALUES", "Select from a table.", at),
        SetExpr::Table(_) => unsupported("TABLE", "Write SELECT * FROM it.", at),
        _ => unsupported(
            "a change of data",
            "Everything here is read-only: send one SELECT.",
            at,
        ),
    }
}

/// A clause of a `SELECT` that is nothing of ours.
pub(super) fn unusual(select: &Select) -> Option<Unusual> {
    const LEAVE_OUT: &str =
        "Leave it out: FROM, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT and OFFSET are answered.";
    let at = Spot::from(select.select_token.0.span);
    let clauses = [
        (select.into.is_some(), "SELECT INTO"),
        (!select.named_window.is_empty(), "WINDOW"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.top.is_some(), "TOP"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.exclude.is_some(), "EXCLUDE"),
        (select.value_table_mode.is_some(), "AS VALUE"),
        (
            select.select_modifiers.is_some(),
            "what stands before the columns",
        ),
        (
            select.flavor != SelectFlavor::Standard,
            "FROM before SELECT",
        ),
    ];
    let found = clauses.into_iter().find(|(is_there, _)| *is_there);
    found.map(|(_, name)| (name, LEAVE_OUT, at))
}

pub(super) fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(exprs, modifiers) if exprs.is_empty() && modifiers.is_empty())
}

fn is_distinct(select: &Select) -> Result<bool, SqlError> {
    match &select.distinct {
        None | Some(Distinct::All) => Ok(false),
        Some(Distinct::Distinct) => Ok(true),
        Some(Distinct::On(_)) => Err(unsupported(
            "DISTINCT ON",
            "Group by the columns and take min or max of the others.",
            select.select_token.0.span,
        )),
    }
}

fn group_by(select: &Select) -> Result<&[Expr], SqlError> {
    match &select.group_by {
        GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => Ok(exprs),
        _ => Err(unsupported(
            "this form of GROUP BY",
            "Group by columns, by their names or places in SELECT.",
            select.select_token.0.span,
        )),
    }
}

fn is_aggregated(scope: &Scope<'_>, query: &Query, select: &Select) -> Result<bool, SqlError> {
    if select.having.is_some() {
        return Ok(true);
    }
    let selected = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    let ordered = query.order_by.iter().flat_map(|order| match &order.kind {
        OrderByKind::Expressions(items) => items.iter().map(|item| &item.expr).collect(),
        OrderByKind::All(_) => Vec::new(),
    });
    for expr in selected.chain(ordered) {
        if aggregate(scope, expr)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn outputs(select: &Select, scope: &Scope<'_>, is_grouped: bool) -> Result<Vec<Output>, SqlError> {
    let mut outputs = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => outputs.push(output(expr, None, scope)?),
            SelectItem::ExprWithAlias { expr, alias } => {
                outputs.push(output(expr, Some(names::label(alias)), scope)?);
            }
            SelectItem::ExprWithAliases { expr, .. } => {
                return Err(unsupported(
                    "several names for one column",
                    "Name it once.",
                    expr.span(),
                ));
            }
            SelectItem::Wildcard(options) => {
                let at = star(options)?;
                if scope.sources.len() == 1 && !is_grouped {
                    outputs.push(whole_row(at));
                } else {
                    let numbers = 0..scope.sources.len();
                    numbers.for_each(|number| outputs.extend(columns_of(number, scope, at)));
                }
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                let at = star(options)?;
                let SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                    return Err(unsupported(
                        "* of an expression",
                        "Name a table before it.",
                        at,
                    ));
                };
                let parts: Vec<_> = names::parts(name)?.into_iter().cloned().collect();
                let number = scope.source(&parts)?;
                if scope.sources[number].via.is_empty() && !is_grouped {
                    outputs.push(whole_row(at));
                } else {
                    outputs.extend(columns_of(number, scope, at));
                }
            }
        }
        if outputs.len() > COLUMNS_MAX {
            return Err(SqlError::TooMuch {
                what: "columns",
                max: COLUMNS_MAX,
            });
        }
    }
    if outputs.is_empty() {
        return Err(meaningless(
            "nothing is selected",
            "Name a column, or *.",
            select.select_token.0.span,
        ));
    }
    Ok(outputs)
}

/// Where a `*` stands that says nothing more.
fn star(options: &WildcardAdditionalOptions) -> Result<Spot, SqlError> {
    let at = Spot::from(options.wildcard_token.0.span);
    let says_more = options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some();
    if says_more {
        return Err(unsupported("* with exceptions", "Name the columns.", at));
    }
    Ok(at)
}

fn whole_row(at: Spot) -> Output {
    Output {
        what: SelectedWhat::Star,
        label: "*".to_owned(),
        at,
    }
}

fn columns_of(number: usize, scope: &Scope<'_>, at: Spot) -> Vec<Output> {
    let source = &scope.sources[number];
    let output = |column: String| Output {
        what: SelectedWhat::Path(ColumnPath {
            via: source.via.clone(),
            column: column.clone(),
            at: scope.reading.place(at),
            ..ColumnPath::default()
        }),
        label: column,
        at,
    };
    names::columns(&source.table)
        .into_iter()
        .map(output)
        .collect()
}

fn output(expr: &Expr, alias: Option<String>, scope: &Scope<'_>) -> Result<Output, SqlError> {
    let at = Spot::from(expr.span());
    if let Some(aggregate) = aggregate(scope, expr)? {
        let own = aggregate.function.spelling().to_owned();
        return Ok(Output {
            what: SelectedWhat::Aggregate(aggregate),
            label: alias.unwrap_or(own),
            at,
        });
    }
    let path = scope.path(expr)?;
    let own = path
        .steps
        .last()
        .map_or(&path.column, |step| &step.0)
        .clone();
    Ok(Output {
        what: SelectedWhat::Path(path),
        label: alias.unwrap_or(own),
        at,
    })
}

/// What rows that are in no group are ordered by: names and places of the answer come before columns of the tables.
fn ordered_row(expr: &Expr, outputs: &[Output], scope: &Scope<'_>) -> Result<ColumnPath, SqlError> {
    let at = Spot::from(expr.span());
    if let Some(number) = ordinal(expr) {
        return output_path(outputs, number, at);
    }
    if let Expr::Identifier(name) = expr {
        let named = outputs
            .iter()
            .find(|output| names::means(name, &output.label));
        if let Some(SelectedWhat::Path(path)) = named.map(|output| &output.what) {
            return Ok(path.clone());
        }
    }
    scope.path(expr)
}

fn order(
    query: &Query,
    mut path: impl FnMut(&Expr) -> Result<ColumnPath, SqlError>,
) -> Result<Vec<Ordered>, SqlError> {
    let Some(order_by) = &query.order_by else {
        return Ok(Vec::new());
    };
    let at = Spot::from(order_by.span());
    let items = match &order_by.kind {
        OrderByKind::Expressions(items) if order_by.interpolate.is_none() => items,
        _ => {
            return Err(unsupported(
                "this form of ORDER BY",
                "Order by columns.",
                at,
            ));
        }
    };
    if items.len() > ORDER_MAX {
        return Err(SqlError::TooMuch {
            what: "columns in ORDER BY",
            max: ORDER_MAX,
        });
    }
    let ordered = items.iter().map(|item| {
        if item.with_fill.is_some() {
            return Err(unsupported(
                "WITH FILL",
                "Order by columns.",
                item.expr.span(),
            ));
        }
        let descending = item.options.asc == Some(false);
        Ok(Ordered {
            by: path(&item.expr)?,
            descending,
            nulls_first: item.options.nulls_first.unwrap_or(descending),
        })
    });
    ordered.collect()
}

/// `LIMIT` or `FETCH FIRST`, and `OFFSET`.
fn window(query: &Query, reading: &Reading<'_>) -> Result<(Option<usize>, usize), SqlError> {
    let (mut limit, mut offset) = (None, 0);
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset {
            limit: rows,
            offset: first,
            limit_by,
        }) if limit_by.is_empty() => {
            if let Some(rows) = rows {
                limit = count("LIMIT", rows, reading)?;
            }
            if let Some(first) = first {
                offset = count("OFFSET", &first.value, reading)?.unwrap_or(0);
            }
        }
        Some(other) => {
            return Err(unsupported(
                "this form of LIMIT",
                "Write LIMIT 10 OFFSET 20.",
                other.span(),
            ));
        }
    }
    if let Some(fetch) = &query.fetch {
        let at = fetch
            .quantity
            .as_ref()
            .map_or_else(Spot::default, |rows| rows.span().into());
        if fetch.with_ties || fetch.percent || limit.is_some() {
            return Err(unsupported("this form of FETCH", "Write LIMIT 10.", at));
        }
        limit = match &fetch.quantity {
            Some(rows) => count("FETCH", rows, reading)?,
            None => Some(1),
        };
    }
    Ok((limit, offset))
}

/// A number of rows; `None` for null, which bounds nothing.
fn count(clause: &str, expr: &Expr, reading: &Reading<'_>) -> Result<Option<usize>, SqlError> {
    let at = Spot::from(expr.span());
    let refused = || {
        meaningless(
            format!("{clause} is no whole number"),
            "Write a whole number from 0 on, or a parameter ($1) that is one.",
            at,
        )
    };
    let literal = reading.literal(expr)?.ok_or_else(refused)?;
    match (literal.text, literal.kind) {
        (None, _) => Ok(None),
        (Some(digits), LiteralKind::Number | LiteralKind::Text) => {
            digits.parse().map(Some).map_err(|_| refused())
        }
        _ => Err(refused()),
    }
}

fn check_size(tree: &Tree) -> Result<(), SqlError> {
    let conditions = || tree.filter.iter().chain(&tree.having);
    let nodes: usize = conditions().map(Condition::nodes).sum();
    if nodes > NODES_MAX {
        return Err(SqlError::TooMuch {
            what: "conditions and groups of them",
            max: NODES_MAX,
        });
    }
    if conditions().any(|condition| depth(condition) > DEPTH_MAX) {
        return Err(SqlError::TooMuch {
            what: "groups of conditions inside each other",
            max: DEPTH_MAX,
        });
    }
    Ok(())
}

/// Groups around the innermost test.
fn depth(condition: &Condition) -> usize {
    let deepest = |parts: &[Condition]| 1 + parts.iter().map(depth).max().unwrap_or(0);
    match condition {
        Condition::All(parts) | Condition::Any(parts) => deepest(parts),
        // In other spellings `not` is a part of a group or test.
        Condition::Not(part) => depth(part),
        Condition::Test(_) => 0,
        Condition::Related(related) => deepest(&related.filter),
    }
}
