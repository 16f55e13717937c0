//! Conditions on lists of values and on patterns.

use sqlparser::ast::{Expr, Spanned, Value, ValueWithSpan};

use super::condition::{Side, Subject, operand, side, test, unknown};
use super::error::{Spot, SqlError, meaningless, unsupported};
use super::literal::Literal;
use crate::tree::{Condition, Operand, Operator};
use crate::url::LIST_MAX;

pub(super) fn array(expr: &Expr, subject: &dyn Subject) -> Result<Vec<Literal>, SqlError> {
    subject.reading().array(expr)?.ok_or_else(|| {
        unsupported(
            "ANY and ALL of what is no array",
            "Pass a JSON array as the parameter, as in column = ANY ($1), or write column IN (1, 2).",
            expr.span(),
        )
    })
}

pub(super) fn literal(expr: &Expr, subject: &dyn Subject) -> Result<Literal, SqlError> {
    subject.reading().literal(expr)?.ok_or_else(|| {
        unsupported(
            "what is no value in a list or pattern",
            "Lists and patterns are of values and parameters ($1); compare columns with =.",
            expr.span(),
        )
    })
}

pub(super) fn among(
    expr: &Expr,
    literals: &[Literal],
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

pub(super) fn like(
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
