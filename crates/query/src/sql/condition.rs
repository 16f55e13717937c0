//! Conditions: of rows in `WHERE` and `ON`, of groups in `HAVING`.
//!
//! A comparison with null is unknown, which the tree has no words for. It needs none: where a condition must be true to
//! count, unknown is as good as false under an even number of `NOT`s, and as good as true under an odd one.

use row_model::ColumnType;
use sqlparser::ast::{BinaryOperator, Expr, Query, Spanned, UnaryOperator};

use super::error::{Spot, SqlError, meaningless};
use super::literal::{Literal, LiteralKind, Reading, spelled};
use super::{comparison, list, refusal};
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, Test};

/// What conditions are about: rows or groups.
pub(super) trait Subject {
    fn reading(&self) -> &Reading<'_>;

    /// The value that an expression is.
    fn path(&mut self, expr: &Expr) -> Result<ColumnPath, SqlError>;

    /// Its type, if anything says it.
    fn kind(&self, path: &ColumnPath) -> Option<ColumnType>;

    /// That related rows are there.
    fn exists(&mut self, subquery: &Query) -> Result<Condition, SqlError>;
}

/// One side of a comparison.
#[derive(Clone)]
pub(super) enum Side {
    Column(ColumnPath),
    Literal(Literal),
}

/// Reads a condition that stands under an odd number of `NOT`s if `negated`.
pub(super) fn read(
    expr: &Expr,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    match expr {
        Expr::Nested(inner) => read(inner, negated, subject),
        Expr::BinaryOp {
            op: BinaryOperator::And,
            ..
        } => Ok(Condition::All(chain(
            expr,
            &BinaryOperator::And,
            negated,
            subject,
        )?)),
        Expr::BinaryOp {
            op: BinaryOperator::Or,
            ..
        } => Ok(Condition::Any(chain(
            expr,
            &BinaryOperator::Or,
            negated,
            subject,
        )?)),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: inner,
        } => Ok(not(read(inner, !negated, subject)?)),
        Expr::BinaryOp { left, op, right } => {
            comparison::binary(expr, left, op, right, negated, subject)
        }
        Expr::IsNull(inner) | Expr::IsUnknown(inner) => is(inner, IsWhat::Null, subject),
        Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => is(inner, IsWhat::NotNull, subject),
        Expr::IsTrue(inner) => is(inner, IsWhat::True, subject),
        Expr::IsFalse(inner) => is(inner, IsWhat::False, subject),
        Expr::IsNotTrue(inner) => Ok(not(is(inner, IsWhat::True, subject)?)),
        Expr::IsNotFalse(inner) => Ok(not(is(inner, IsWhat::False, subject)?)),
        Expr::IsDistinctFrom(left, right) => comparison::distinct(left, right, subject),
        Expr::IsNotDistinctFrom(left, right) => {
            Ok(not(comparison::distinct(left, right, subject)?))
        }
        Expr::Exists { subquery, negated } => negate(*negated, subject.exists(subquery)?),
        Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Cast { .. } => {
            truth(expr, negated, subject)
        }
        other => of_list(other, negated, subject),
    }
}

/// Conditions on lists, bounds and patterns, each of which may begin with `NOT`.
fn of_list(expr: &Expr, outer: bool, subject: &mut dyn Subject) -> Result<Condition, SqlError> {
    match expr {
        Expr::InList {
            expr,
            list: items,
            negated,
        } => {
            let literals = items.iter().map(|item| list::literal(item, subject));
            let literals: Vec<Literal> = literals.collect::<Result<_, _>>()?;
            negate(
                *negated,
                list::among(expr, &literals, outer ^ negated, subject)?,
            )
        }
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => negate(
            *negated,
            comparison::between(expr, low, high, outer ^ negated, subject)?,
        ),
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let like = list::like(
                Operator::Like,
                expr,
                pattern,
                escape_char.as_ref(),
                outer ^ negated,
                subject,
            );
            negate(*negated, like?)
        }
        Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let like = list::like(
                Operator::Ilike,
                expr,
                pattern,
                escape_char.as_ref(),
                outer ^ negated,
                subject,
            );
            negate(*negated, like?)
        }
        other => of_array(other, outer, subject),
    }
}

/// `= ANY (…)` and `<> ALL (…)`.
fn of_array(expr: &Expr, outer: bool, subject: &mut dyn Subject) -> Result<Condition, SqlError> {
    match expr {
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => {
            let literals = list::array(right, subject)?;
            list::among(left, &literals, outer, subject)
        }
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } => {
            let literals = list::array(right, subject)?;
            Ok(not(list::among(left, &literals, !outer, subject)?))
        }
        other => Err(refusal::of_condition(other)),
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of fallible arms")]
pub(super) fn negate(negated: bool, condition: Condition) -> Result<Condition, SqlError> {
    Ok(if negated { not(condition) } else { condition })
}

/// What neither a row nor its negation meets.
pub(super) fn unknown(negated: bool) -> Condition {
    if negated {
        Condition::All(Vec::new())
    } else {
        Condition::Any(Vec::new())
    }
}

/// `a AND b AND c` as one list.
fn chain(
    expr: &Expr,
    operator: &BinaryOperator,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Vec<Condition>, SqlError> {
    let (mut parts, mut rest) = (Vec::new(), expr);
    while let Expr::BinaryOp { left, op, right } = rest
        && op == operator
    {
        parts.push(&**right);
        rest = left;
    }
    parts.push(rest);
    let parts = parts.into_iter().rev();
    parts.map(|part| read(part, negated, subject)).collect()
}

pub(super) fn side(expr: &Expr, subject: &mut dyn Subject) -> Result<Side, SqlError> {
    Ok(match subject.reading().literal(expr)? {
        Some(literal) => Side::Literal(literal),
        None => Side::Column(subject.path(expr)?),
    })
}

pub(super) fn test(
    column: ColumnPath,
    operator: Operator,
    operand: Operand,
    at: Spot,
    subject: &dyn Subject,
) -> Condition {
    Condition::Test(Test {
        column,
        operator,
        operand,
        at: subject.reading().place(at),
    })
}

/// A literal's text, as answers spell values of the column's type.
pub(super) fn operand(column: &ColumnPath, text: &str, subject: &dyn Subject) -> String {
    let kind = subject.kind(column);
    kind.map_or_else(|| text.to_owned(), |kind| spelled(kind, text))
}

pub(super) fn always(is: bool) -> Condition {
    if is {
        Condition::All(Vec::new())
    } else {
        Condition::Any(Vec::new())
    }
}

/// A boolean column, or a value, as a condition.
pub(super) fn truth(
    expr: &Expr,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    let at = Spot::from(expr.span());
    match side(expr, subject)? {
        Side::Column(column) => {
            let operand = Operand::One("true".to_owned());
            Ok(test(column, Operator::Eq, operand, at, subject))
        }
        Side::Literal(Literal { text: None, .. }) => Ok(unknown(negated)),
        Side::Literal(Literal {
            text: Some(text),
            kind: LiteralKind::Truth,
            ..
        }) => Ok(always(text == "true")),
        Side::Literal(_) => Err(meaningless(
            "a condition is neither true nor false",
            "Compare the value with a column.",
            at,
        )),
    }
}

fn is(expr: &Expr, what: IsWhat, subject: &mut dyn Subject) -> Result<Condition, SqlError> {
    let at = Spot::from(expr.span());
    match side(expr, subject)? {
        Side::Column(column) => Ok(test(column, Operator::Is, Operand::Is(what), at, subject)),
        Side::Literal(literal) => {
            let truth = |wanted: &str| {
                literal.kind == LiteralKind::Truth && literal.text.as_deref() == Some(wanted)
            };
            Ok(always(match what {
                IsWhat::Null => literal.text.is_none(),
                IsWhat::NotNull => literal.text.is_some(),
                IsWhat::True => truth("true"),
                IsWhat::False => truth("false"),
            }))
        }
    }
}
