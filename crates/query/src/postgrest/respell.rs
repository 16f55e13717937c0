//! Literals as `PostgreSQL` writes them, respelled as everything else here reads them.
//!
//! What a literal may look like depends on the column's type: `t` is true, `\xff` a byte, `{1,2}` an array,
//! `2024-02-29` the midnight of that day. Only the spelling is changed, and only where it is certain
//! what is meant: all else is left for others to refuse. A column that is selected twice is selected once.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use row_model::ColumnType;
use table_store::TableCut;

use super::array::{self, Element};
use super::times::Times;
use crate::bind::{BindError, knows_column, newest, own_name};
use crate::cast::postgres_truth;
use crate::literal::{each_value, is_integer};
use crate::relation::World;
use crate::tree::{
    Aggregate, AggregateFunction, ColumnPath, Condition, Embed, Lift, Operand, Operator, Query,
    Selected, SelectedWhat, Test,
};

/// Respells the literals of a query that is asked now on a table, and lets go of columns that are selected twice.
///
/// # Errors
/// At what has an answer in the rest of the API only: containment in a column that is neither an array nor JSON, and an
/// integer compared with a fraction.
pub fn respell(
    query: &mut Query,
    table: &TableCut,
    world: &World<'_>,
    now_ms: i64,
) -> Result<(), BindError> {
    let times = Times::new(world.zone, now_ms);
    for condition in &mut query.filter {
        respell_condition(condition, table, world, times)?;
    }
    if let Some(items) = &mut query.select {
        drop_repeated(items, table);
        for item in items {
            count_rows(item, table);
        }
    }
    if !query.is_grouped()
        && let Some(items) = &mut query.select
    {
        show_last(items, table, world);
    }
    for item in query.select.iter_mut().flatten() {
        if let SelectedWhat::Embed(Embed {
            relation, query, ..
        }) = &mut item.what
            && let Ok(link) = world.resolve(table, relation)
        {
            respell(query, &link.target, world, now_ms)?;
        }
    }
    Ok(())
}

/// A column that stands beside `*` is there already.
fn drop_repeated(items: &mut Vec<Selected>, table: &TableCut) {
    let is_star = |item: &Selected| item.what == SelectedWhat::Star;
    let newest = table.schema.and_then(|id| table.table.schemas().get(id));
    let Some(newest) = newest.filter(|_| items.iter().any(is_star)) else {
        return;
    };
    items.retain(|item| match &item.what {
        SelectedWhat::Path(path) => {
            let is_plain = path.steps.is_empty() && path.cast.is_none() && item.alias.is_none();
            !is_plain || newest.column(&path.column).is_none()
        }
        _ => true,
    });
}

/// Of what is called the same the last is shown: it is the one that readers of JSON keep where two are written.
fn show_last(items: &mut Vec<Selected>, table: &TableCut, world: &World<'_>) {
    let mut later: HashSet<String> = HashSet::new();
    let mut kept = Vec::with_capacity(items.len());
    for item in items.drain(..).rev() {
        let labels = labels(&item, table, world);
        let is_hidden = |label: &String| later.contains(label);
        match &item.what {
            SelectedWhat::Path(_) if labels.iter().any(is_hidden) => continue,
            SelectedWhat::Star if labels.iter().any(is_hidden) => {
                let shown = labels.iter().filter(|label| !is_hidden(label)).rev();
                kept.extend(shown.map(|name| column(name)));
            }
            _ => kept.push(item),
        }
        later.extend(labels);
    }
    kept.reverse();
    *items = kept;
}

/// What an item's columns are called.
fn labels(item: &Selected, table: &TableCut, world: &World<'_>) -> Vec<String> {
    let own = |own: &str| vec![item.alias.clone().unwrap_or_else(|| own.to_owned())];
    match &item.what {
        SelectedWhat::Star => newest(table)
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        SelectedWhat::Path(path) => own(own_name(item, path)),
        SelectedWhat::Aggregate(aggregate) => own(aggregate.function.spelling()),
        SelectedWhat::Embed(embed) if embed.lift == Lift::Nested => own(&embed.relation.name),
        SelectedWhat::Embed(embed) => {
            let Ok(link) = world.resolve(table, &embed.relation) else {
                return Vec::new();
            };
            let inside = embed.query.select.iter().flatten();
            inside
                .flat_map(|item| labels(item, &link.target, world))
                .collect()
        }
    }
}

fn column(name: &str) -> Selected {
    let path = ColumnPath {
        column: name.to_owned(),
        ..ColumnPath::default()
    };
    Selected {
        what: SelectedWhat::Path(path),
        alias: None,
    }
}

/// `count` counts rows where there is no column of that name, as it did before there were other aggregates.
fn count_rows(item: &mut Selected, table: &TableCut) {
    let SelectedWhat::Path(path) = &item.what else {
        return;
    };
    let is_plain = path.via.is_empty() && path.steps.is_empty();
    if path.column != "count" || !is_plain || knows_column(table, "count") {
        return;
    }
    item.what = SelectedWhat::Aggregate(Aggregate {
        function: AggregateFunction::Count,
        of: None,
        cast: path.cast.clone(),
        at: path.at.clone(),
    });
}

fn respell_condition(
    condition: &mut Condition,
    table: &TableCut,
    world: &World<'_>,
    times: Times<'_>,
) -> Result<(), BindError> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts
            .iter_mut()
            .try_for_each(|part| respell_condition(part, table, world, times)),
        Condition::Not(part) => respell_condition(part, table, world, times),
        Condition::Related(related) => {
            let Ok(link) = world.resolve(table, &related.relation) else {
                return Ok(());
            };
            related
                .filter
                .iter_mut()
                .try_for_each(|part| respell_condition(part, &link.target, world, times))
        }
        Condition::Test(test) => {
            if !test.column.steps.is_empty() {
                return Ok(());
            }
            let Some(kind) = kind_of(table, &test.column.column) else {
                return Ok(());
            };
            if is_containment(test.operator) && is_scalar(kind) {
                return Err(BindError::Operator {
                    operator: test.operator.spelling(),
                    column: test.column.column.clone(),
                    kind: kind.name(),
                    at: test.at.clone(),
                    instead: "Ask it of an array or of JSON.",
                });
            }
            match respell_test(test, kind, times) {
                Some(either) => {
                    *condition = either;
                    Ok(())
                }
                None if is_integer(kind) && !asks_of_text(test.operator) => integers(test, kind),
                None => Ok(()),
            }
        }
    }
}

/// The type of a column in its newest shape.
fn kind_of(table: &TableCut, name: &str) -> Option<ColumnType> {
    let history = table.table.schemas();
    let newest = table.schema.and_then(|id| history.get(id));
    let of = |shape: &row_model::Schema| shape.column(name).map(|at| shape.columns[at].kind);
    newest
        .and_then(|shape| of(&shape))
        .or_else(|| history.shapes().iter().rev().find_map(|shape| of(shape)))
}

fn is_containment(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Contains | Operator::ContainedIn | Operator::Overlaps
    )
}

fn asks_of_text(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Like | Operator::Ilike | Operator::Match | Operator::Imatch
    )
}

fn is_scalar(kind: ColumnType) -> bool {
    !matches!(
        kind,
        ColumnType::Any
            | ColumnType::Json
            | ColumnType::Array
            | ColumnType::Map
            | ColumnType::Struct
            | ColumnType::EnumSet
    )
}

/// Respells a test in its place, or says what stands for it if its literal can be read in two ways.
fn respell_test(test: &mut Test, kind: ColumnType, times: Times<'_>) -> Option<Condition> {
    let asks_of_text = asks_of_text(test.operator);
    match &mut test.operand {
        Operand::One(text) if kind == ColumnType::Array => {
            let elements = array::read(text)?;
            let (typed, texts) = (json_of(&elements, false), json_of(&elements, true));
            *text = typed;
            // Whether elements are numbers or texts is not known of arrays.
            let mut other = test.clone();
            other.operand = Operand::One(texts);
            if other == *test {
                return None;
            }
            let both = vec![Condition::Test(test.clone()), Condition::Test(other)];
            Some(match test.operator {
                Operator::Neq => Condition::All(both),
                _ => Condition::Any(both),
            })
        }
        Operand::One(text) if !asks_of_text => {
            *text = respelled(text, kind, times);
            None
        }
        Operand::List(texts) => {
            for text in texts {
                *text = respelled(text, kind, times);
            }
            None
        }
        _ => None,
    }
}

/// Every value must be an integer.
fn integers(test: &Test, kind: ColumnType) -> Result<(), BindError> {
    let texts = match &test.operand {
        Operand::One(text) => std::slice::from_ref(text),
        Operand::List(texts) => texts,
        _ => return Ok(()),
    };
    for (at, text) in texts.iter().enumerate() {
        each_value(kind, text, |_| {}).map_err(|error| BindError::Literal {
            column: test.column.column.clone(),
            kind: kind.name(),
            expected: error.expected,
            number: matches!(test.operand, Operand::List(_)).then_some(at + 1),
            at: test.at.clone(),
        })?;
    }
    Ok(())
}

/// An array as JSON; its elements as what they look like, or all as texts.
fn json_of(elements: &[Element], as_texts: bool) -> String {
    let parts = elements.iter().map(|element| match &element.text {
        None => "null".to_owned(),
        Some(text) if !element.quoted && !as_texts && is_plain_json(text) => text.clone(),
        Some(text) => serde_json::Value::from(&**text).to_string(),
    });
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

/// A number, or a word for truth.
fn is_plain_json(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    matches!(text, "true" | "false") || begins && crate::literal::is_json(text)
}

fn respelled(text: &str, kind: ColumnType, times: Times<'_>) -> String {
    let trimmed = text.trim();
    let new = match kind {
        ColumnType::Bool => postgres_truth(trimmed).map(|truth| truth.to_string()),
        ColumnType::Bytes => hexadecimal(trimmed),
        ColumnType::Int16
        | ColumnType::Int32
        | ColumnType::Int64
        | ColumnType::UInt64
        | ColumnType::Float32
        | ColumnType::Float64
        | ColumnType::Decimal
        | ColumnType::Duration
        | ColumnType::Uuid => Some(trimmed.to_owned()),
        kind => times.respelled(trimmed, kind),
    };
    new.unwrap_or_else(|| text.to_owned())
}

/// `\xdead` as base64.
fn hexadecimal(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    if digits.len() % 2 != 0 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8))
        .collect();
    Some(STANDARD.encode(bytes?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone;

    #[test]
    fn literals_are_respelled_by_their_columns_types() {
        use ColumnType::{Bool, Bytes, Date, Decimal, Int32, Text};
        let times = Times::new(&zone::UTC, 0);
        for (kind, text, expected) in [
            (Int32, " 7 ", "7"),
            (Decimal, "19.9 ", "19.9"),
            (Bool, "t", "true"),
            (Bool, "OFF", "false"),
            (Bool, "maybe", "maybe"),
            (Bytes, "\\xDEad", "3q0="),
            (Bytes, "\\x0", "\\x0"),
            (Bytes, "3q0=", "3q0="),
            (Date, " epoch ", "1970-01-01"),
            (Text, " x ", " x "),
        ] {
            assert_eq!(respelled(text, kind, times), expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn arrays_may_be_of_numbers_or_of_texts() {
        let elements = array::read("{1,a,\"2\",true,NULL}").unwrap();
        assert_eq!(json_of(&elements, false), r#"[1,"a","2",true,null]"#);
        assert_eq!(json_of(&elements, true), r#"["1","a","2","true",null]"#);
    }
}
