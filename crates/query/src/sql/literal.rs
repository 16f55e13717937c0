//! Values that stand in a statement, and those that `$1`, `$2`, … stand for.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use row_model::ColumnType;
use sqlparser::ast::{Array, CastKind, DataType, Expr, Spanned, TypedString, UnaryOperator, Value};

use super::error::{Spot, SqlError, meaningless, unsupported};
use super::types;
use super::{PARAMETERS_MAX, Parameter};
use crate::literal::each_value;
use crate::tree::Place;

/// The parameter that errors speak of.
const STATEMENT: &str = "sql";

/// What a statement is read with: its parameters, and where its lines begin.
pub(super) struct Reading<'a> {
    parameters: &'a [Parameter],
    used: RefCell<Vec<bool>>,
    /// Characters before each line.
    lines: Vec<usize>,
}

/// A value of a statement. `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub text: Option<String>,
    pub kind: LiteralKind,
    pub at: Spot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiteralKind {
    Text,
    Number,
    Truth,
}

impl<'a> Reading<'a> {
    pub fn new(text: &str, parameters: &'a [Parameter]) -> Result<Self, SqlError> {
        if parameters.len() > PARAMETERS_MAX {
            return Err(SqlError::TooMuch {
                what: "parameters",
                max: PARAMETERS_MAX,
            });
        }
        let ends = text
            .chars()
            .enumerate()
            .filter(|(_, character)| *character == '\n');
        Ok(Self {
            parameters,
            used: RefCell::new(vec![false; parameters.len()]),
            lines: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        })
    }

    /// A value that nothing asks for is a slip.
    pub fn check_all_used(&self) -> Result<(), SqlError> {
        match self.used.borrow().iter().position(|used| !used) {
            None => Ok(()),
            Some(at) => Err(SqlError::Parameter {
                problem: format!(
                    "there is a value for ${}, which the statement does not use",
                    at + 1
                ),
            }),
        }
    }

    /// A spot as other parts of a query know it.
    pub fn place(&self, at: Spot) -> Place {
        let line = self.lines.get(at.line.saturating_sub(1) as usize);
        Place {
            parameter: STATEMENT.to_owned(),
            offset: line.map(|start| start + at.column.saturating_sub(1) as usize),
        }
    }

    /// The value that an expression is; `None` if it is something else.
    pub fn literal(&self, expr: &Expr) -> Result<Option<Literal>, SqlError> {
        let at = Spot::from(expr.span());
        Ok(Some(match expr {
            Expr::Nested(inner) => return self.literal(inner),
            Expr::Value(value) => self.value(&value.value, at)?,
            Expr::UnaryOp {
                op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
                expr: inner,
            } => match self.literal(inner)? {
                Some(literal) => signed(literal, *op, at)?,
                None => return Ok(None),
            },
            Expr::TypedString(TypedString {
                data_type, value, ..
            }) => {
                let literal = self.value(&value.value, at)?;
                cast(literal, data_type)?
            }
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: inner,
                data_type,
                format: None,
                ..
            } => match self.literal(inner)? {
                Some(literal) => cast(literal, data_type)?,
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// The values that an array is, for `= ANY (…)`; `None` if it is none.
    pub fn array(&self, expr: &Expr) -> Result<Option<Vec<Literal>>, SqlError> {
        let at = Spot::from(expr.span());
        match expr {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.array(inner),
            Expr::Array(Array { elem, .. }) => {
                let literals = elem.iter().map(|element| self.literal(element));
                literals.collect()
            }
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => match self.parameter(name, at)? {
                    Parameter::List(elements) => {
                        let elements = elements.iter();
                        elements
                            .map(|element| of_parameter(element, at).map(Some))
                            .collect()
                    }
                    _ => Ok(None),
                },
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn value(&self, value: &Value, at: Spot) -> Result<Literal, SqlError> {
        let of = |kind, text: &str| Literal {
            text: Some(text.to_owned()),
            kind,
            at,
        };
        Ok(match value {
            Value::Number(digits, _) => of(LiteralKind::Number, digits),
            Value::SingleQuotedString(text)
            | Value::EscapedStringLiteral(text)
            | Value::UnicodeStringLiteral(text)
            | Value::NationalStringLiteral(text) => of(LiteralKind::Text, text),
            Value::DollarQuotedString(text) => of(LiteralKind::Text, &text.value),
            Value::Boolean(truth) => of(LiteralKind::Truth, &truth.to_string()),
            Value::Null => Literal {
                text: None,
                kind: LiteralKind::Text,
                at,
            },
            Value::Placeholder(name) => of_parameter(self.parameter(name, at)?, at)?,
            other => {
                return Err(unsupported(
                    format!("the literal {other}"),
                    "Write numbers as they are and everything else as text in single quotes.",
                    at,
                ));
            }
        })
    }

    fn parameter(&self, name: &str, at: Spot) -> Result<&'a Parameter, SqlError> {
        let number = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse::<usize>().ok());
        let Some(number) = number.filter(|number| *number > 0) else {
            return Err(unsupported(
                format!("the parameter {name}"),
                "Parameters are $1, $2, … and stand for the values of params in their order.",
                at,
            ));
        };
        let Some(value) = self.parameters.get(number - 1) else {
            let count = self.parameters.len();
            return Err(SqlError::Parameter {
                problem: format!("there is no value for ${number} (params has {count}), {at}"),
            });
        };
        if let Some(used) = self.used.borrow_mut().get_mut(number - 1) {
            *used = true;
        }
        Ok(value)
    }
}

fn of_parameter(value: &Parameter, at: Spot) -> Result<Literal, SqlError> {
    let (kind, text) = match value {
        Parameter::Null => (LiteralKind::Text, None),
        Parameter::Truth(truth) => (LiteralKind::Truth, Some(truth.to_string())),
        Parameter::Number(digits) => (LiteralKind::Number, Some(digits.clone())),
        Parameter::Text(text) => (LiteralKind::Text, Some(text.clone())),
        Parameter::List(_) | Parameter::Object => {
            return Err(unsupported(
                "an array or object as a parameter",
                "Pass one value for each parameter, JSON as a text; an array goes with column = ANY ($1).",
                at,
            ));
        }
    };
    Ok(Literal { text, kind, at })
}

fn signed(literal: Literal, op: UnaryOperator, at: Spot) -> Result<Literal, SqlError> {
    if literal.kind != LiteralKind::Number {
        return Err(unsupported(
            "a sign before what is no number",
            "Write the sign before the digits.",
            at,
        ));
    }
    let text = literal
        .text
        .map(|digits| match (op, digits.strip_prefix('-')) {
            (UnaryOperator::Minus, Some(positive)) => positive.to_owned(),
            (UnaryOperator::Minus, None) => format!("-{digits}"),
            _ => digits,
        });
    Ok(Literal {
        text,
        at,
        ..literal
    })
}

/// A literal that says its type must be of it as it stands: nothing is rounded or cut.
fn cast(literal: Literal, data_type: &DataType) -> Result<Literal, SqlError> {
    let at = literal.at;
    let Some(named) = types::of_cast(data_type) else {
        return Err(types::unsupported_cast(data_type, at));
    };
    let Some(text) = &literal.text else {
        return Ok(literal);
    };
    let text = spelled(named.kind, text);
    if let Err(error) = each_value(named.kind, &text, |_| {}) {
        return Err(meaningless(
            format!("'{text}' is no {}: {error}", named.name),
            "A literal is never rounded or cut to its type.",
            at,
        ));
    }
    let is_number = matches!(
        named.kind,
        ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::Decimal
            | ColumnType::Float32
            | ColumnType::Float64
    );
    let kind = match named.kind {
        ColumnType::Bool => LiteralKind::Truth,
        _ if is_number => LiteralKind::Number,
        _ => LiteralKind::Text,
    };
    Ok(Literal {
        text: Some(text),
        kind,
        at,
    })
}

/// A text as values of a type are spelled in answers, from how `PostgreSQL` has them: without a zone times are UTC, and a
/// date is its first moment.
pub(super) fn spelled(kind: ColumnType, text: &str) -> String {
    match kind {
        ColumnType::Timestamp | ColumnType::TimestampTz if !text.ends_with("infinity") => {
            timestamp(kind == ColumnType::TimestampTz, text.trim())
        }
        ColumnType::Bool => match &*text.trim().to_lowercase() {
            "t" | "true" | "y" | "yes" | "on" | "1" => "true".to_owned(),
            "f" | "false" | "n" | "no" | "off" | "0" => "false".to_owned(),
            _ => text.to_owned(),
        },
        ColumnType::Bytes => text
            .strip_prefix("\\x")
            .and_then(from_hexadecimal)
            .map_or_else(|| text.to_owned(), |bytes| STANDARD.encode(bytes)),
        _ => text.to_owned(),
    }
}

fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = digits
        .chars()
        .map(|digit| Some(digit.to_digit(16)? as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

fn timestamp(zoned: bool, text: &str) -> String {
    let (date, clock) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, "00:00:00"),
    };
    let zone_at = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone_at);
    let clock = clock.trim_end();
    let seconds = if clock.matches(':').count() == 1 {
        ":00"
    } else {
        ""
    };
    let zone = match zone {
        "" if zoned => "Z".to_owned(),
        "z" => "Z".to_owned(),
        hours if hours.len() == 3 => format!("{hours}:00"),
        other => other.to_owned(),
    };
    format!("{date}T{clock}{seconds}{zone}")
}
