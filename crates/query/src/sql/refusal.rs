//! What is refused, by its name, and the nearest form that is answered.

use sqlparser::ast::{Expr, Function, FunctionArguments, Spanned};

use super::error::{SqlError, unsupported};
use crate::tree::AggregateFunction;

const COMPUTED: &str = "Select columns and aggregates as they are, and compute in the client; values that a condition needs go in as parameters ($1).";
const NO_SUBQUERY: &str = "Join along a declared relation, or ask for related rows with EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id).";

/// An expression that is no column, where one must stand.
pub(super) fn of_value(expr: &Expr) -> SqlError {
    let (construct, nearest) = described(expr);
    unsupported(construct, nearest, expr.span())
}

/// An expression that is no condition, where one must stand.
pub(super) fn of_condition(expr: &Expr) -> SqlError {
    let (construct, nearest) = match expr {
        Expr::BinaryOp { op, .. } => (
            format!("the operator {op} as a condition"),
            "Conditions are =, <>, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE, ~, ~*, @>, <@, &&, IS NULL, IS TRUE, IS DISTINCT FROM and EXISTS, with AND, OR and NOT.",
        ),
        Expr::SimilarTo { .. } | Expr::RLike { .. } => (
            "SIMILAR TO".to_owned(),
            "Use LIKE, or a regular expression with ~ or ~*.",
        ),
        Expr::InSubquery { .. } => ("IN with a subquery".to_owned(), NO_SUBQUERY),
        other => described(other),
    };
    unsupported(construct, nearest, expr.span())
}

fn described(expr: &Expr) -> (String, &'static str) {
    match expr {
        Expr::Function(function) => of_function(function),
        Expr::Subquery(_) | Expr::InSubquery { .. } => ("a subquery".to_owned(), NO_SUBQUERY),
        Expr::Exists { .. } => ("EXISTS here".to_owned(), "EXISTS is a condition of WHERE."),
        Expr::Case { .. } => ("CASE".to_owned(), COMPUTED),
        Expr::BinaryOp { op, .. } => (format!("the operator {op} here"), COMPUTED),
        Expr::UnaryOp { op, .. } => (format!("the operator {op} here"), COMPUTED),
        Expr::Value(_) | Expr::TypedString(_) | Expr::Interval(_) => {
            ("a value where a column must stand".to_owned(), COMPUTED)
        }
        Expr::AtTimeZone { .. } => (
            "AT TIME ZONE".to_owned(),
            "Timestamps with a zone are answered in UTC; turn them in the client.",
        ),
        Expr::Extract { .. } => ("EXTRACT".to_owned(), COMPUTED),
        Expr::Collate { .. } => (
            "COLLATE".to_owned(),
            "Text is compared and ordered by its bytes, as under COLLATE \"C\".",
        ),
        Expr::Tuple(_) => (
            "a row of several values".to_owned(),
            "Compare each column by itself, with AND between.",
        ),
        Expr::Array(_) => (
            "ARRAY here".to_owned(),
            "column = ANY (ARRAY[1, 2]) and column IN (1, 2) are answered.",
        ),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => (
            "a grouping by ROLLUP, CUBE or GROUPING SETS".to_owned(),
            "Group by one set of columns at a time.",
        ),
        Expr::Substring { .. } => ("the function substring".to_owned(), COMPUTED),
        Expr::Trim { .. } => ("the function trim".to_owned(), COMPUTED),
        Expr::Ceil { .. } | Expr::Floor { .. } => ("ceil and floor".to_owned(), COMPUTED),
        Expr::Position { .. } | Expr::Overlay { .. } => ("functions of text".to_owned(), COMPUTED),
        Expr::Cast { .. } | Expr::Convert { .. } => (
            "this kind of cast".to_owned(),
            "Casts are column::int8 or CAST(column AS int8), around a column or a part of JSON.",
        ),
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
            ("* here".to_owned(), "Name the columns.")
        }
        _ => ("this expression".to_owned(), COMPUTED),
    }
}

fn of_function(function: &Function) -> (String, &'static str) {
    let name = function.name.to_string().to_lowercase();
    if function.over.is_some() {
        return (
            format!("the window function {name}"),
            "Aggregate with GROUP BY; rank in the client.",
        );
    }
    if matches!(function.args, FunctionArguments::Subquery(_)) {
        return ("a subquery".to_owned(), NO_SUBQUERY);
    }
    if AggregateFunction::from_spelling(&name).is_some() {
        return (
            format!("{name}() here"),
            "Aggregates are selected, ordered by, or asked of groups in HAVING; rows are asked in WHERE.",
        );
    }
    let nearest = match &*name {
        "now" | "current_timestamp" | "current_date" | "localtimestamp" => {
            "Compute the moment in the client and pass it as a parameter ($1)."
        }
        "lower" | "upper" => "Compare with ILIKE or ~*, whatever the case.",
        "array_agg" | "json_agg" | "jsonb_agg" | "string_agg" => {
            "Aggregates are count, sum, avg, min and max; GET /v1/tables/{table}/rows shows related rows as arrays."
        }
        "coalesce" => "Ask IS NULL, or take the null in the client.",
        _ => COMPUTED,
    };
    (format!("the function {name}"), nearest)
}
