//! Conditions: `{"column":"status","op":"eq","value":"paid"}`, `{"and":[…]}`, `{"or":[…]}`, `{"not":{…}}`, and
//! `{"rel":"items","where":[…]}` for what one related row must meet.

use serde::de::IgnoredAny;

use super::include;
use super::node::{Kind, Node, Object};
use super::operator::{Asks, What};
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, Test, gather};
use crate::url::condition::{on_column, related};
use crate::url::path;
use crate::url::text::{Problem, SyntaxError, Text};
use crate::url::{DEPTH_MAX, LIST_MAX, NODES_MAX};

const CONDITION: &str =
    "a condition, as in {\"column\":\"status\",\"op\":\"eq\",\"value\":\"paid\"}";
/// Conditions that an error writes out as they should have been.
const EXAMPLES_MAX: usize = 4;
/// Longer ones are not repeated.
const EXAMPLE_BYTES_MAX: usize = 400;
const FIELDS: &[&str] = &["column", "op", "value", "and", "or", "not", "rel", "where"];

/// Conditions that are all to be met: a list of them, or one.
pub(super) fn list(node: &Node<'_>) -> Result<Vec<Condition>, SyntaxError> {
    parts(node, 1, &mut 0)
}

fn parts(node: &Node<'_>, depth: usize, nodes: &mut usize) -> Result<Vec<Condition>, SyntaxError> {
    let conditions = each(node, depth, nodes)?;
    Ok(gather(conditions))
}

fn each(node: &Node<'_>, depth: usize, nodes: &mut usize) -> Result<Vec<Condition>, SyntaxError> {
    if depth > DEPTH_MAX {
        return Err(node.too_many("groups inside each other", DEPTH_MAX));
    }
    let mut conditions = Vec::new();
    for node in node.one_or_several()? {
        *nodes += 1;
        if *nodes > NODES_MAX {
            return Err(node.too_many("conditions and groups", NODES_MAX));
        }
        conditions.push(condition(&node, depth, nodes)?);
    }
    Ok(conditions)
}

fn condition(node: &Node<'_>, depth: usize, nodes: &mut usize) -> Result<Condition, SyntaxError> {
    match node.kind() {
        Kind::Object => {}
        Kind::Text => {
            let instead = in_words(&node.text()?);
            return Err(instead.map_or_else(
                || node.expected(CONDITION),
                |instead| node.error(Problem::Instead(instead)),
            ));
        }
        _ => return Err(node.expected(CONDITION)),
    }
    let object = node.object()?;
    if let Some(instead) = as_conditions(&object) {
        return Err(node.error(Problem::Instead(instead)));
    }
    object.only(FIELDS)?;
    let said: Vec<&str> = object.fields().iter().map(|(name, _)| &**name).collect();
    let group = |name: &str, nodes: &mut usize| {
        let group = object.needed(name, CONDITION)?;
        let parts = each(&group, depth + 1, nodes)?;
        if parts.is_empty() {
            return Err(group.expected("at least one condition"));
        }
        Ok(parts)
    };
    match &said[..] {
        ["and"] => Ok(Condition::All(gather(group("and", nodes)?))),
        ["or"] => Ok(Condition::Any(group("or", nodes)?)),
        ["not"] => {
            let mut parts = gather(group("not", nodes)?);
            let is_one =
                parts.len() == 1 && !matches!(parts[0], Condition::Related(_) | Condition::Not(_));
            let part = if is_one {
                parts.remove(0)
            } else {
                Condition::All(parts)
            };
            Ok(Condition::Not(Box::new(part)))
        }
        ["rel"] | ["rel", "where"] | ["where", "rel"] => {
            let relation = include::relation(&object.needed("rel", "the name of a relation")?)?;
            let filter = object.get("where");
            let filter = filter
                .map(|node| parts(&node, depth + 1, nodes))
                .transpose()?;
            let mut conditions = related(vec![relation], filter.unwrap_or_default(), &node.place());
            Ok(conditions.swap_remove(0))
        }
        said if said.contains(&"column") && said.iter().all(|name| FIELDS[..3].contains(name)) => {
            test(&object)
        }
        _ => Err(node
            .expected("either column, op and value, or one of and, or and not, or rel and where")),
    }
}

fn test(object: &Object<'_>) -> Result<Condition, SyntaxError> {
    let column = object.needed("column", CONDITION)?;
    let text = column.text()?;
    let column = path_of(&column, &text)?;
    let operator = object.needed("op", "an operator, as in \"op\":\"eq\"")?;
    let spelling = operator.text()?;
    let Some(asks) = Asks::from_spelling(&spelling) else {
        return Err(operator.error(Problem::UnknownWord {
            word: spelling,
            known: super::operator::SPELLINGS,
        }));
    };
    let value = object.get_or_null("value");
    let (operator, operand) = match asks.what {
        What::Is(what) => {
            let says_more =
                |node: &&Node<'_>| !matches!(node.kind(), Kind::Null | Kind::Bool(true));
            if let Some(value) = value.filter(says_more) {
                return Err(value.expected("no value beside this operator"));
            }
            (Operator::Is, Operand::Is(what))
        }
        What::Compared(operator) => {
            let missing = || object.error(Problem::Expected("a value, as in \"value\":\"paid\""));
            operand(operator, value.ok_or_else(missing)?)?
        }
    };
    let at = value.map_or_else(|| object.place(), Node::place);
    Ok(on_column(column, |column| {
        let test = Condition::Test(Test {
            column,
            operator,
            operand,
            at,
        });
        if asks.negated {
            Condition::Not(Box::new(test))
        } else {
            test
        }
    }))
}

/// The column of a text that is nothing else.
pub(super) fn path_of(node: &Node<'_>, text: &str) -> Result<ColumnPath, SyntaxError> {
    let mut reader = Text::new(node.pointer(), text);
    let route = path::route(&mut reader, &[], |_| false)?;
    if !reader.is_at_end() {
        return Err(reader.expected("a column, as in meta->>plan or customer.name"));
    }
    route.column()
}

fn operand(operator: Operator, value: &Node<'_>) -> Result<(Operator, Operand), SyntaxError> {
    let operand = match (operator, value.kind()) {
        // Nothing is equal to null: what is meant is whether there is a value.
        (Operator::Eq, Kind::Null) => return Ok((Operator::Is, Operand::Is(IsWhat::Null))),
        (Operator::Neq, Kind::Null) => return Ok((Operator::Is, Operand::Is(IsWhat::NotNull))),
        (Operator::Is, _) => Operand::Is(is_what(value)?),
        (Operator::In, _) => Operand::List(values(value)?),
        (Operator::Between, _) => {
            let bounds = values(value)?;
            if bounds.len() != 2 {
                return Err(value.expected("two bounds, as in [1,5]"));
            }
            Operand::List(bounds)
        }
        (comparison, Kind::Object) if comparison.is_comparison() => {
            let object = value.object()?;
            object.only(&["column"])?;
            let column = object.needed("column", "a column, as in {\"column\":\"paid\"}")?;
            let text = column.text()?;
            Operand::Column(Box::new(path_of(&column, &text)?))
        }
        _ => Operand::One(scalar(value)?),
    };
    Ok((operator, operand))
}

/// A value as text: of a text what is in its quotes, else as it is written, to the digit.
pub(super) fn scalar(node: &Node<'_>) -> Result<String, SyntaxError> {
    match node.kind() {
        Kind::Text => node.value_text(),
        Kind::Null => Err(node.expected("a value; null is asked for with \"op\":\"is_null\"")),
        _ => Ok(node.raw().to_owned()),
    }
}

/// Values of a list, which may itself stand in quotes.
fn values(node: &Node<'_>) -> Result<Vec<String>, SyntaxError> {
    const LIST: &str = "a list of values, as in [\"paid\",\"shipped\"]";
    let text;
    let list = match node.kind() {
        Kind::List => node.clone(),
        Kind::Text => {
            text = node.value_text()?;
            let trimmed = text.trim();
            if !trimmed.starts_with('[') {
                return Err(node.expected(LIST));
            }
            node.within_text(trimmed)
        }
        _ => return Err(node.expected(LIST)),
    };
    let items = list.list()?;
    if items.len() > LIST_MAX {
        return Err(node.too_many("values in one list", LIST_MAX));
    }
    items.iter().map(scalar).collect()
}

fn is_what(node: &Node<'_>) -> Result<IsWhat, SyntaxError> {
    let text = match node.kind() {
        Kind::Null => "null".to_owned(),
        _ => scalar(node)?,
    };
    match &*text.to_ascii_lowercase().replace(' ', "_") {
        "null" => Ok(IsWhat::Null),
        "not_null" => Ok(IsWhat::NotNull),
        "true" => Ok(IsWhat::True),
        "false" => Ok(IsWhat::False),
        _ => Err(node.expected("null, \"not_null\", true or false")),
    }
}

/// A condition that was written in words, such as `status = 'paid'`, as it should have been.
fn in_words(text: &str) -> Option<String> {
    let text = text.trim();
    let is_name = |character: char| character.is_alphanumeric() || "_.".contains(character);
    let (column, rest) = text.split_at(text.find(|character| !is_name(character))?);
    let rest = rest.trim_start();
    let sign = |character: char| "<>=!".contains(character);
    let end = rest.find(|character| !sign(character))?;
    let Asks { what, .. } = Asks::from_spelling(&rest[..end])?;
    let What::Compared(operator) = what else {
        return None;
    };
    let value = rest[end..].trim();
    let quoted = value
        .strip_prefix('\'')
        .and_then(|value| value.strip_suffix('\''));
    let value = match quoted {
        Some(text) => serde_json::Value::from(text.replace("''", "'")).to_string(),
        // As it was written, if it is JSON: a number keeps its digits.
        None if serde_json::from_str::<IgnoredAny>(value).is_ok() => value.to_owned(),
        None => serde_json::Value::from(value).to_string(),
    };
    Some(example(column, operator.spelling(), &value)).filter(|text| text.len() < EXAMPLE_BYTES_MAX)
}

/// Fields that are columns, `{"status":"paid"}`, as conditions.
fn as_conditions(object: &Object<'_>) -> Option<String> {
    let is_column = |(name, _): &(String, Node<'_>)| !FIELDS.contains(&&**name);
    let fields = object.fields();
    if fields.is_empty() || fields.len() > EXAMPLES_MAX || !fields.iter().all(is_column) {
        return None;
    }
    let bytes: usize = fields
        .iter()
        .map(|(name, node)| name.len() + node.raw().len())
        .sum();
    if bytes > EXAMPLE_BYTES_MAX {
        return None;
    }
    let condition = |(name, node): &(String, Node<'_>)| example(name, "eq", node.raw());
    let conditions: Vec<String> = fields.iter().map(condition).collect();
    Some(conditions.join(","))
}

fn example(column: &str, operator: &str, value: &str) -> String {
    let column = serde_json::Value::from(column);
    format!("{{\"column\":{column},\"op\":\"{operator}\",\"value\":{value}}}")
}
