//! Conditions: of rows in `WHERE` and `ON`, of groups in `HAVING`.
//!
//! A comparison with null is unknown, which the tree has no words for. It needs none: where a condition must be true to
//! count, unknown is as good as false under an even number of `NOT`s, and as good as true under an odd one.

use row_model::ColumnType;
use sqlparser::ast::{BinaryOperator, Expr, Query, Spanned, UnaryOperator, Value, ValueWithSpan};

use super::error::{Spot, SqlError, meaningless, unsupported};
use super::literal::{Literal, LiteralKind, Reading, spelled};
use super::refusal;
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, Test};
use crate::url::LIST_MAX;

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
enum Side {
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
        Expr::BinaryOp { left, op, right } => binary(expr, left, op, right, negated, subject),
        Expr::IsNull(inner) | Expr::IsUnknown(inner) => is(inner, IsWhat::Null, subject),
        Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => is(inner, IsWhat::NotNull, subject),
        Expr::IsTrue(inner) => is(inner, IsWhat::True, subject),
        Expr::IsFalse(inner) => is(inner, IsWhat::False, subject),
        Expr::IsNotTrue(inner) => Ok(not(is(inner, IsWhat::True, subject)?)),
        Expr::IsNotFalse(inner) => Ok(not(is(inner, IsWhat::False, subject)?)),
        Expr::IsDistinctFrom(left, right) => distinct(left, right, subject),
        Expr::IsNotDistinctFrom(left, right) => Ok(not(distinct(left, right, subject)?)),
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
            list,
            negated,
        } => {
            let literals = list.iter().map(|item| literal(item, subject));
            let literals: Vec<Literal> = literals.collect::<Result<_, _>>()?;
            negate(*negated, among(expr, literals, outer ^ negated, subject)?)
        }
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => negate(
            *negated,
            between(expr, low, high, outer ^ negated, subject)?,
        ),
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let like = like(
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
            let like = like(
                Operator::Ilike,
                expr,
                pattern,
                escape_char.as_ref(),
                outer ^ negated,
                subject,
            );
            negate(*negated, like?)
        }
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => {
            let literals = array(right, subject)?;
            among(left, literals, outer, subject)
        }
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } => {
            let literals = array(right, subject)?;
            Ok(not(among(left, literals, !outer, subject)?))
        }
        other => Err(refusal::of_condition(other)),
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of fallible arms")]
fn negate(negated: bool, condition: Condition) -> Result<Condition, SqlError> {
    Ok(if negated { not(condition) } else { condition })
}

/// What neither a row nor its negation meets.
fn unknown(negated: bool) -> Condition {
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

fn side(expr: &Expr, subject: &mut dyn Subject) -> Result<Side, SqlError> {
    Ok(match subject.reading().literal(expr)? {
        Some(literal) => Side::Literal(literal),
        None => Side::Column(subject.path(expr)?),
    })
}

fn literal(expr: &Expr, subject: &dyn Subject) -> Result<Literal, SqlError> {
    subject.reading().literal(expr)?.ok_or_else(|| {
        unsupported(
            "what is no value in a list or pattern",
            "Lists and patterns are of values and parameters ($1); compare columns with =.",
            expr.span(),
        )
    })
}

fn array(expr: &Expr, subject: &dyn Subject) -> Result<Vec<Literal>, SqlError> {
    subject.reading().array(expr)?.ok_or_else(|| {
        unsupported(
            "ANY and ALL of what is no array",
            "Pass a JSON array as the parameter, as in column = ANY ($1), or write column IN (1, 2).",
            expr.span(),
        )
    })
}

fn binary(
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
            like(operator, left, right, None, negated ^ turned, subject)?,
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

fn compare(
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

fn test(
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
fn operand(column: &ColumnPath, text: &str, subject: &dyn Subject) -> String {
    let kind = subject.kind(column);
    kind.map_or_else(|| text.to_owned(), |kind| spelled(kind, text))
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
        (LiteralKind::Text, LiteralKind::Text) => Some(one.cmp(other)),
        (LiteralKind::Truth, LiteralKind::Truth) => Some(one.cmp(other)),
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

fn always(is: bool) -> Condition {
    if is {
        Condition::All(Vec::new())
    } else {
        Condition::Any(Vec::new())
    }
}

/// A boolean column, or a value, as a condition.
fn truth(expr: &Expr, negated: bool, subject: &mut dyn Subject) -> Result<Condition, SqlError> {
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

/// `a IS DISTINCT FROM b`, which is never unknown.
fn distinct(left: &Expr, right: &Expr, subject: &mut dyn Subject) -> Result<Condition, SqlError> {
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

fn among(
    expr: &Expr,
    literals: Vec<Literal>,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    let at = Spot::from(expr.span());
    if literals.len() > LIST_MAX {
        return Err(SqlError::TooMuch {
            what: "values in one list",
            max: LIST_MAX,
        });
    }
    let column = match side(expr, subject)? {
        Side::Column(column) => column,
        Side::Literal(_) => {
            return Err(unsupported(
                "IN of a value",
                "Write the column on the left.",
                at,
            ));
        }
    };
    let has_null = literals.iter().any(|literal| literal.text.is_none());
    let texts = literals.iter().filter_map(|literal| literal.text.as_ref());
    let texts: Vec<String> = texts.map(|text| operand(&column, text, subject)).collect();
    let place = literals.first().map_or(at, |first| first.at);
    let listed = test(column, Operator::In, Operand::List(texts), place, subject);
    Ok(if has_null {
        // Among the others, or unknown.
        Condition::Any(vec![listed, unknown(negated)])
    } else {
        listed
    })
}

fn between(
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
        (Side::Column(column), low, high) => {
            let above = compare(
                Side::Column(column.clone()),
                Operator::Gte,
                low,
                negated,
                at,
                subject,
            )?;
            let below = compare(
                Side::Column(column),
                Operator::Lte,
                high,
                negated,
                at,
                subject,
            )?;
            Ok(Condition::All(vec![above, below]))
        }
        (Side::Literal(value), low, high) => {
            let above = compare(
                Side::Literal(value.clone()),
                Operator::Gte,
                low,
                negated,
                at,
                subject,
            )?;
            let below = compare(
                Side::Literal(value),
                Operator::Lte,
                high,
                negated,
                at,
                subject,
            )?;
            Ok(Condition::All(vec![above, below]))
        }
    }
}

fn like(
    operator: Operator,
    expr: &Expr,
    pattern: &Expr,
    escape: Option<&ValueWithSpan>,
    negated: bool,
    subject: &mut dyn Subject,
) -> Result<Condition, SqlError> {
    let literal = literal(pattern, subject)?;
    let escape = match escape.map(|escape| (&escape.value, escape.span)) {
        None => Some('\\'),
        Some((Value::SingleQuotedString(text), span)) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (escape, None) => escape,
                _ => {
                    return Err(meaningless(
                        "ESCAPE is not one character",
                        "Name one character.",
                        span,
                    ));
                }
            }
        }
        Some((_, span)) => {
            return Err(unsupported(
                "this ESCAPE",
                "Name one character in single quotes.",
                span,
            ));
        }
    };
    let Side::Column(column) = side(expr, subject)? else {
        return Err(unsupported(
            "LIKE of a value",
            "Write the column on the left.",
            literal.at,
        ));
    };
    let Some(text) = &literal.text else {
        return Ok(unknown(negated));
    };
    let Some(text) = with_own_escapes(text, escape) else {
        return Err(meaningless(
            "a pattern ends with its escape character",
            "Double it where it is meant itself.",
            literal.at,
        ));
    };
    Ok(test(
        column,
        operator,
        Operand::One(text),
        literal.at,
        subject,
    ))
}

/// A pattern in which a backslash takes the next character as it is, and `*` stands for anything.
fn with_own_escapes(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            out.push('\\');
            out.push(characters.next()?);
            continue;
        }
        if matches!(character, '*' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    Some(out)
}
