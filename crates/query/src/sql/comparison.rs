//! Comparisons of two sides, each of which is a column or a value.

use sqlparser::ast::{BinaryOperator, Expr, Spanned};

use super::condition::{Side, Subject, always, negate, operand, side, test, truth, unknown};
use super::error::{Spot, SqlError, unsupported};
use super::literal::{Literal, LiteralKind};
use super::{list, refusal};
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator};

pub(super) fn binary(
    whole: &Expr,
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    use BinaryOperator as B;
    if let B::Arrow | B::LongArrow = op {
        return truth(whole, negated, subject);
    }
    if let B::PGLikeMatch | B::PGILikeMatch | B::PGNotLikeMatch | B::PGNotILikeMatch = op {
        let operator = match op {
            B::PGLikeMatch | B::PGNotLikeMatch => Operator::Like,
            _ => Operator::Ilike,
        };
        let turned = matches!(op, B::PGNotLikeMatch | B::PGNotILikeMatch);
        return negate(
            turned,
            list::like(operator, left, right, None, negated ^ turned, subject)?,
        );
    }
    let (operator, turned) = match op {
        B::Eq => (Operator::Eq, false),
        B::NotEq => (Operator::Neq, false),
        B::Lt => (Operator::Lt, false),
        B::LtEq => (Operator::Lte, false),
        B::Gt => (Operator::Gt, false),
        B::GtEq => (Operator::Gte, false),
        B::PGRegexMatch => (Operator::Match, false),
        B::PGRegexIMatch => (Operator::Imatch, false),
        B::PGRegexNotMatch => (Operator::Match, true),
        B::PGRegexNotIMatch => (Operator::Imatch, true),
        B::AtArrow => (Operator::Contains, false),
        B::ArrowAt => (Operator::ContainedIn, false),
        B::PGOverlap => (Operator::Overlaps, false),
        B::PGStartsWith => (Operator::Starts, false),
        _ => return Err(refusal::of_condition(whole)),
    };
    let (left, right) = (side(left, subject)?, side(right, subject)?);
    let at = Spot::from(whole.span());
    negate(
        turned,
        compare(left, operator, right, negated ^ turned, at, subject)?,
    )
}

pub(super) fn compare(
    left: Side,
    operator: Operator,
    right: Side,
    negated: bool,
    at: Spot,
    subject: &dyn Subject,
) -> Result<Condition, SqlError> {
    Ok(match (left, right) {
        (Side::Literal(left), Side::Literal(right)) => {
            constant(&left, operator, &right, negated, at)?
        }
        (Side::Literal(left), right @ Side::Column(_)) => {
            let Some(turned) = turned(operator) else {
                return Err(unsupported(
                    format!("a value on the left of {}", operator.spelling()),
                    "Write the column on the left.",
                    at,
                ));
            };
            compare(right, turned, Side::Literal(left), negated, at, subject)?
        }
        (Side::Column(column), Side::Literal(literal)) => match &literal.text {
            None => unknown(negated),
            Some(text) => {
                let operand = Operand::One(operand(&column, text, subject));
                test(column, operator, operand, literal.at, subject)
            }
        },
        (Side::Column(column), Side::Column(other)) => {
            let operand = Operand::Column(Box::new(other));
            test(column, operator, operand, at, subject)
        }
    })
}

/// `1 = 1`, which programs write that put conditions together.
fn constant(
    left: &Literal,
    operator: Operator,
    right: &Literal,
    negated: bool,
    at: Spot,
) -> Result<Condition, SqlError> {
    let (Some(one), Some(other)) = (&left.text, &right.text) else {
        return Ok(unknown(negated));
    };
    let numbers = one.parse::<i64>().ok().zip(other.parse::<i64>().ok());
    let order = match (left.kind, right.kind) {
        (LiteralKind::Number, LiteralKind::Number) => numbers.map(|(one, other)| one.cmp(&other)),
        (LiteralKind::Text, LiteralKind::Text) | (LiteralKind::Truth, LiteralKind::Truth) => {
            Some(one.cmp(other))
        }
        _ => None,
    };
    let is = order.and_then(|order| {
        Some(match operator {
            Operator::Eq => order.is_eq(),
            Operator::Neq => order.is_ne(),
            Operator::Lt => order.is_lt(),
            Operator::Lte => order.is_le(),
            Operator::Gt => order.is_gt(),
            Operator::Gte => order.is_ge(),
            _ => return None,
        })
    });
    match is {
        Some(is) => Ok(always(is)),
        None => Err(unsupported(
            "a condition on values only",
            "A condition is about a column.",
            at,
        )),
    }
}

fn turned(operator: Operator) -> Option<Operator> {
    Some(match operator {
        Operator::Eq | Operator::Neq | Operator::Overlaps => operator,
        Operator::Lt => Operator::Gt,
        Operator::Lte => Operator::Gte,
        Operator::Gt => Operator::Lt,
        Operator::Gte => Operator::Lte,
        Operator::Contains => Operator::ContainedIn,
        Operator::ContainedIn => Operator::Contains,
        _ => return None,
    })
}

/// `a IS DISTINCT FROM b`, which is never unknown.
pub(super) fn distinct(
    left: &Expr,
    right: &Expr,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    let at = Spot::from(left.span());
    if let Expr::BinaryOp {
        op: BinaryOperator::And | BinaryOperator::Or,
        ..
    } = right
    {
        // The parser takes all that follows for the right side.
        return Err(unsupported(
            "IS DISTINCT FROM before AND or OR, without brackets",
            "Write (a IS DISTINCT FROM b) AND ….",
            at,
        ));
    }
    let is = |column: &ColumnPath, what, subject: &dyn Subject| {
        test(column.clone(), Operator::Is, Operand::Is(what), at, subject)
    };
    match (side(left, subject)?, side(right, subject)?) {
        (Side::Column(column), Side::Literal(literal))
        | (Side::Literal(literal), Side::Column(column)) => {
            let Some(text) = &literal.text else {
                return Ok(is(&column, IsWhat::NotNull, subject));
            };
            let null = is(&column, IsWhat::Null, subject);
            let operand = Operand::One(operand(&column, text, subject));
            Ok(Condition::Any(vec![
                null,
                test(column, Operator::Neq, operand, literal.at, subject),
            ]))
        }
        (Side::Column(one), Side::Column(other)) => {
            let only = |null: &ColumnPath, there: &ColumnPath| {
                Condition::All(vec![
                    is(null, IsWhat::Null, subject),
                    is(there, IsWhat::NotNull, subject),
                ])
            };
            let nulls = [only(&one, &other), only(&other, &one)];
            // True and false where both are there; with a null on a side neither may be left unknown.
            let there = [
                is(&one, IsWhat::NotNull, subject),
                is(&other, IsWhat::NotNull, subject),
            ];
            let apart = test(
                one,
                Operator::Neq,
                Operand::Column(Box::new(other)),
                at,
                subject,
            );
            let apart = Condition::All(there.into_iter().chain([apart]).collect());
            Ok(Condition::Any(nulls.into_iter().chain([apart]).collect()))
        }
        (Side::Literal(one), Side::Literal(other)) => Ok(always(one.text != other.text)),
    }
}

pub(super) fn between(
    expr: &Expr,
    low: &Expr,
    high: &Expr,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    let at = Spot::from(expr.span());
    let (value, low, high) = (
        side(expr, subject)?,
        side(low, subject)?,
        side(high, subject)?,
    );
    match (value, low, high) {
        (
            Side::Column(column),
            Side::Literal(Literal {
                text: Some(low),
                at,
                ..
            }),
            Side::Literal(Literal {
                text: Some(high), ..
            }),
        ) => {
            let bounds = [low, high].map(|text| operand(&column, &text, subject));
            let operand = Operand::List(bounds.into());
            Ok(test(column, Operator::Between, operand, at, subject))
        }
        (side, low, high) => {
            let above = compare(side.clone(), Operator::Gte, low, negated, at, subject)?;
            let below = compare(side, Operator::Lte, high, negated, at, subject)?;
            Ok(Condition::All(vec![above, below]))
        }
    }
}
