//! Conditions: `col=op.value` and the groups `and=(…)`, `or=(…)`, `not.and=(…)`, `not.or=(…)`.

use super::items::path;
use super::text::{Problem, SyntaxError, Text};
use super::{DEPTH_MAX, NODES_MAX};
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, Test};

/// Prefix that makes any name a column's.
const COLUMN_PREFIX: &str = "f.";
/// Characters of a wrong operator that its error repeats.
const WORD_SHOWN_MAX: usize = 40;
const CONDITION: &str = "a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…)";

/// A parameter that names a column: `name=op.value`. The value is taken as it is, without quotes.
pub(super) fn of_column(name: &str, value: &mut Text<'_>) -> Result<Condition, SyntaxError> {
    let test = test(column(name)?, value, Within::Parameter)?;
    if !value.is_at_end() {
        return Err(value.error(Problem::Trailing("a value in double quotes")));
    }
    Ok(test)
}

/// The column, or the part of one, that a parameter's name is.
pub(super) fn column(name: &str) -> Result<ColumnPath, SyntaxError> {
    let column = name.strip_prefix(COLUMN_PREFIX).unwrap_or(name);
    let mut text = Text::name(name, column);
    let path = path(&mut text, &[])?;
    if !text.is_at_end() {
        return Err(text.expected("a column, as in meta->>plan"));
    }
    Ok(path)
}

/// A parameter that is a group: `name=(…)`. `not=(…)` is true if not all of it is.
pub(super) fn group(name: &str, text: &mut Text<'_>) -> Result<Condition, SyntaxError> {
    let parts = parts(text, 1, &mut 0)?;
    if !text.is_at_end() {
        return Err(text.error(Problem::Trailing("the group's closing ')' there")));
    }
    Ok(match name {
        "and" => Condition::All(parts),
        "or" => Condition::Any(parts),
        "not.or" => Condition::Not(Box::new(Condition::Any(parts))),
        _ => Condition::Not(Box::new(Condition::All(parts))),
    })
}

/// `(a.eq.1,or(…),not.and(…))`.
fn parts(
    text: &mut Text<'_>,
    depth: usize,
    nodes: &mut usize,
) -> Result<Vec<Condition>, SyntaxError> {
    if depth > DEPTH_MAX {
        return Err(text.error(Problem::TooMuch {
            what: "groups inside each other",
            max: DEPTH_MAX,
        }));
    }
    text.expect("(", "a group in parentheses, as in (a.eq.1,b.is.null)")?;
    let mut parts = Vec::new();
    loop {
        *nodes += 1;
        if *nodes > NODES_MAX {
            return Err(text.error(Problem::TooMuch {
                what: "conditions and groups",
                max: NODES_MAX,
            }));
        }
        text.skip_blanks();
        parts.push(part(text, depth, nodes)?);
        text.skip_blanks();
        if text.take(")") {
            return Ok(parts);
        }
        text.expect(",", "',' or ')'")?;
    }
}

fn part(text: &mut Text<'_>, depth: usize, nodes: &mut usize) -> Result<Condition, SyntaxError> {
    for (word, of) in [
        ("and(", Condition::All as fn(Vec<Condition>) -> Condition),
        ("or(", Condition::Any),
    ] {
        for (prefix, negated) in [("", false), ("not.", true)] {
            if text.take(&format!("{prefix}{word}")) {
                text.give_back("(");
                let group = of(parts(text, depth + 1, nodes)?);
                return Ok(if negated {
                    Condition::Not(Box::new(group))
                } else {
                    group
                });
            }
        }
    }
    if matches!(text.peek(), None | Some(',' | ')' | '(' | '.')) {
        return Err(text.expected(CONDITION));
    }
    let column = path(text, &['.', ',', '(', ')'])?;
    text.expect(
        ".",
        "'.' and an operator after the column, as in status.eq.paid",
    )?;
    test(column, text, Within::Group)
}

/// Where a value ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// With the parameter.
    Parameter,
    /// At a comma or parenthesis.
    Group,
}

/// `not.op.value`.
fn test(column: ColumnPath, text: &mut Text<'_>, within: Within) -> Result<Condition, SyntaxError> {
    let negated = text.take("not.");
    let place = text.place();
    let word = text.until(&['.', ',', '(', ')', '=']);
    let Some(operator) = Operator::from_spelling(word) else {
        let is_dotted = within == Within::Group && text.peek() == Some('.');
        return Err(SyntaxError::new(
            place,
            if word.is_empty() {
                Problem::Expected("an operator and a value, as in eq.paid")
            } else if is_dotted {
                Problem::Unsupported(format!(
                    "conditions on relations (here '{}.{word}')",
                    column.column
                ))
            } else {
                Problem::UnknownOperator(word.chars().take(WORD_SHOWN_MAX).collect())
            },
        ));
    };
    text.expect(".", "'.' and a value after the operator")?;
    let at = text.place();
    let operand = match operator {
        Operator::In => Operand::List(text.list()?),
        Operator::Between => {
            let bounds = text.list()?;
            if bounds.len() != 2 {
                return Err(SyntaxError::new(
                    at,
                    Problem::Expected("two bounds, as in between.(1,5)"),
                ));
            }
            Operand::List(bounds)
        }
        Operator::Is => Operand::Is(is_what(text, within)?),
        _ if within == Within::Group => Operand::One(text.element()?),
        _ => Operand::One(text.take_rest().to_owned()),
    };
    let test = Condition::Test(Test {
        column,
        operator,
        operand,
        at,
    });
    Ok(if negated {
        Condition::Not(Box::new(test))
    } else {
        test
    })
}

fn is_what(text: &mut Text<'_>, within: Within) -> Result<IsWhat, SyntaxError> {
    let place = text.place();
    let word = match within {
        Within::Parameter => text.take_rest(),
        Within::Group => text.until(&[',', ')']),
    };
    match word {
        "null" => Ok(IsWhat::Null),
        "not_null" => Ok(IsWhat::NotNull),
        "true" => Ok(IsWhat::True),
        "false" => Ok(IsWhat::False),
        _ => Err(SyntaxError::new(
            place,
            Problem::Expected("null, not_null, true or false"),
        )),
    }
}
