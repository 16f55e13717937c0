//! Conditions: `status=eq.paid`, `customer.tier=eq.gold`, the groups `and=(…)`, `or=(…)`, `not.and=(…)` and
//! `not.or=(…)`, and groups about one related row: `items.and=(qty.gt.1,sku.eq.A)`.

use super::path::{self, Route, word};
use super::text::{Problem, SyntaxError, Text};
use super::{DEPTH_MAX, NODES_MAX};
use crate::tree::{
    ColumnPath, Condition, IsWhat, Operand, Operator, Place, Related, RelationRef, Test, gather,
};

/// Characters of a wrong operator that its error repeats.
const WORD_SHOWN_MAX: usize = 40;
const CONDITION: &str = "a condition, as in status.eq.paid, and(…), or(…), not.and(…) or not.or(…)";
/// Where an unquoted name of a condition in a group ends.
const ENDS: &[char] = &[',', '(', ')', ' '];

/// How the parts of a group are to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub any: bool,
    pub negated: bool,
}

impl Grouping {
    /// `and`, `or`, `not.and`, `not.or`, and `not` for what is not all true.
    pub fn from_spelling(spelling: &str) -> Option<Self> {
        let (any, negated) = match spelling {
            "and" => (false, false),
            "or" => (true, false),
            "not" | "not.and" => (false, true),
            "not.or" => (true, true),
            _ => return None,
        };
        Some(Self { any, negated })
    }

    pub fn of(self, parts: Vec<Condition>) -> Condition {
        let group = if self.any {
            Condition::Any(parts)
        } else {
            Condition::All(gather(parts))
        };
        if self.negated {
            Condition::Not(Box::new(group))
        } else {
            group
        }
    }
}

/// Conditions on the row that relations lead to: some related row meets all of them.
pub(crate) fn related(via: Vec<RelationRef>, filter: Vec<Condition>, at: &Place) -> Vec<Condition> {
    via.into_iter().rev().fold(filter, |filter, relation| {
        vec![Condition::Related(Related {
            relation,
            filter: gather(filter),
            at: at.clone(),
        })]
    })
}

/// One condition on a column, wherever relations lead to it.
pub(crate) fn on_column(
    mut column: ColumnPath,
    build: impl FnOnce(ColumnPath) -> Condition,
) -> Condition {
    let (via, at) = (std::mem::take(&mut column.via), column.at.clone());
    let mut conditions = related(via, vec![build(column)], &at);
    conditions.swap_remove(0)
}

/// The value of a parameter that names a column: `op.value`. It is taken as it is, without quotes.
pub(super) fn of_column(route: Route, value: &mut Text<'_>) -> Result<Condition, SyntaxError> {
    let condition = test(route.column()?, value, Within::Parameter)?;
    if !value.is_at_end() {
        return Err(value.error(Problem::Trailing("a value in double quotes")));
    }
    Ok(condition)
}

/// The value of a parameter that is a group: `(…)`.
pub(super) fn group(grouping: Grouping, text: &mut Text<'_>) -> Result<Condition, SyntaxError> {
    Ok(grouping.of(whole_list(text, 0)?))
}

/// The value of a parameter that is a group about one related row. `()` says that there is one.
pub(super) fn related_group(
    via: Vec<RelationRef>,
    grouping: Grouping,
    text: &mut Text<'_>,
) -> Result<Condition, SyntaxError> {
    let at = text.place();
    let parts = if text.rest() == "()" {
        Vec::new()
    } else {
        whole_list(text, via.len())?
    };
    let mut conditions = related(via, of_related(grouping, parts), &at);
    Ok(conditions.swap_remove(0))
}

/// The value of a parameter that has to be met by all: one condition, or several in parentheses.
pub(super) fn all(text: &mut Text<'_>) -> Result<Vec<Condition>, SyntaxError> {
    if text.peek() == Some('(') {
        return whole_list(text, 0).map(gather);
    }
    let condition = part(text, 0, &mut 0)?;
    if text.is_at_end() {
        Ok(vec![condition])
    } else {
        Err(text.error(Problem::Trailing("parentheses around several conditions")))
    }
}

fn of_related(grouping: Grouping, parts: Vec<Condition>) -> Vec<Condition> {
    match grouping.of(parts) {
        Condition::All(parts) => parts,
        group => vec![group],
    }
}

fn whole_list(text: &mut Text<'_>, depth: usize) -> Result<Vec<Condition>, SyntaxError> {
    let parts = parts(text, depth + 1, &mut 0)?;
    if text.is_at_end() {
        Ok(parts)
    } else {
        Err(text.error(Problem::Trailing("the group's closing ')' there")))
    }
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
    if let Some(grouping) = take_grouping(text) {
        return Ok(grouping.of(parts(text, depth + 1, nodes)?));
    }
    if matches!(text.peek(), None | Some(',' | ')' | '(' | '.')) {
        return Err(text.expected(CONDITION));
    }
    let route = path::route(text, ENDS, is_condition_word)?;
    if route.is_plain() && text.take(".") {
        if let Some(grouping) = take_grouping(text) {
            let at = route.at.clone();
            let via = route.relations()?;
            let depth = depth + via.len();
            // What is true of any related row says that there is one.
            let parts = if text.rest().starts_with("()") {
                text.take("()");
                Vec::new()
            } else {
                parts(text, depth, nodes)?
            };
            let mut conditions = related(via, of_related(grouping, parts), &at);
            return Ok(conditions.swap_remove(0));
        }
        text.give_back(".");
    }
    if !text.take(".") {
        return Err(no_operator(text, &route));
    }
    test(route.column()?, text, Within::Group)
}

/// Takes `and`, `or`, `not.and` or `not.or`, if a parenthesis follows.
fn take_grouping(text: &mut Text<'_>) -> Option<Grouping> {
    let word = grouping_word(text.rest())?;
    text.take(word);
    Grouping::from_spelling(word)
}

fn grouping_word(rest: &str) -> Option<&str> {
    let (word, _) = rest.split_once('(')?;
    ["and", "or", "not.and", "not.or"]
        .contains(&word)
        .then_some(word)
}

/// Whether a name after a dot would be taken for an operator or a group.
pub(super) fn is_condition_word(rest: &str) -> bool {
    let word = word(rest);
    let is_operator = word == "not" || Operator::from_spelling(word).is_some();
    is_operator && rest[word.len()..].starts_with('.') || grouping_word(rest).is_some()
}

/// No name of the path is an operator: says which was most likely meant to be one.
fn no_operator(text: &Text<'_>, route: &Route) -> SyntaxError {
    if !route.is_plain() || route.via.is_empty() {
        return text.expected("'.' and an operator after the column, as in status.eq.paid");
    }
    let names: Vec<&RelationRef> = route.via.iter().chain([&route.last]).collect();
    // `column.word.value`, or `relation.column.word.value`.
    let meant = if names.len() < 4 { 1 } else { names.len() - 2 };
    let problem = unknown_operator(&names[meant].name);
    SyntaxError::new(route.at.clone(), problem)
}

fn unknown_operator(word: &str) -> Problem {
    Problem::UnknownOperator(word.chars().take(WORD_SHOWN_MAX).collect())
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
    let before = *text;
    let word = text.until(&['.', ',', '(', ')', '=']);
    let Some(operator) = Operator::from_spelling(word) else {
        return Err(SyntaxError::new(
            before.place(),
            if word.is_empty() {
                Problem::Expected("an operator and a value, as in eq.paid")
            } else {
                unknown_operator(word)
            },
        ));
    };
    text.expect(".", "'.' and a value after the operator")?;
    let at = text.place();
    let operand = operand(operator, text, within)?;
    Ok(on_column(column, |column| {
        let test = Condition::Test(Test {
            column,
            operator,
            operand,
            at,
        });
        if negated {
            Condition::Not(Box::new(test))
        } else {
            test
        }
    }))
}

fn operand(
    operator: Operator,
    text: &mut Text<'_>,
    within: Within,
) -> Result<Operand, SyntaxError> {
    let before = *text;
    match operator {
        Operator::In => text.list().map(Operand::List),
        Operator::Between => {
            let bounds = text.list()?;
            if bounds.len() != 2 {
                let problem = Problem::Expected("two bounds, as in between.(1,5)");
                return Err(SyntaxError::new(before.place(), problem));
            }
            Ok(Operand::List(bounds))
        }
        Operator::Is => is_what(text, within).map(Operand::Is),
        _ if within == Within::Parameter => Ok(Operand::One(text.take_rest().to_owned())),
        comparison if comparison.is_comparison() && text.take("column(") => {
            let other = path::route(text, ENDS, |_| false)?.column()?;
            text.expect(")", "')' after the column")?;
            Ok(Operand::Column(Box::new(other)))
        }
        _ => text.element().map(Operand::One),
    }
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
