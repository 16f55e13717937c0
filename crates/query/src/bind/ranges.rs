//! Which stretches of an index have all rows that a filter lets through.

use std::sync::Arc;

use row_model::{Value, push_sort_key};
use table_store::{Direction, Index, IndexKind, TableCut};

use super::access::{Access, has_one_encoding};
use super::scope::{column_of, newest};
use super::tests_of::is_modest;
use crate::least::Window;
use crate::literal;
use crate::run::{InOrder, IndexWay, KeyBounds};
use crate::tree::{Condition, IsWhat, Operand, Operator, Test};

/// More stretches than this are not looked at one by one.
const RANGES_MAX: usize = 1_000;

/// What a filter wants of one column, in sort keys.
#[derive(Debug)]
pub(crate) struct ColumnTest {
    column: String,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// One of these.
    Equal(Vec<Vec<u8>>),
    Within(KeyBounds),
}

/// What is asked of single columns of all rows, and whether more is asked.
pub(super) fn tests(filter: &[Condition], table: &TableCut) -> (Vec<ColumnTest>, bool) {
    let (mut tests, mut has_more) = (Vec::new(), false);
    add(filter, table, &mut tests, &mut has_more);
    (tests, has_more)
}

fn add(filter: &[Condition], table: &TableCut, tests: &mut Vec<ColumnTest>, has_more: &mut bool) {
    for condition in filter {
        match condition {
            Condition::All(parts) => add(parts, table, tests, has_more),
            Condition::Test(test) => match wanted(test, table) {
                Some(wanted) => tests.push(ColumnTest {
                    column: test.column.column.clone(),
                    wanted,
                }),
                None => *has_more = true,
            },
            _ => *has_more = true,
        }
    }
}

fn wanted(test: &Test, table: &TableCut) -> Option<Wanted> {
    let path = &test.column;
    if !path.via.is_empty() || !path.steps.is_empty() || path.cast.is_some() {
        return None;
    }
    let kind = column_of(&newest(table), table.table.schemas(), &path.column)?.kind;
    if !has_one_encoding(kind) {
        return None;
    }
    let keys = |text: &str| {
        let (mut keys, mut certain) = (Vec::new(), is_modest(text));
        let read = literal::each_operand(kind, text, |value| match value {
            Value::Null => {}
            Value::Json(_) => certain = false,
            value => keys.push(key_of(value)),
        });
        (read.is_ok() && certain).then_some(keys)
    };
    // A range is one only if its bound can be read in one way.
    let bound = |text: &str| {
        let mut keys = keys(text)?;
        (keys.len() == 1).then(|| keys.swap_remove(0))
    };
    let within = |from, to| Some(Wanted::Within(KeyBounds { from, to }));
    match (&test.operand, test.operator) {
        (Operand::Is(IsWhat::Null), _) => Some(Wanted::Equal(vec![key_of(Value::Null)])),
        (Operand::Is(IsWhat::True), _) => Some(Wanted::Equal(vec![key_of(Value::Bool(true))])),
        (Operand::Is(IsWhat::False), _) => Some(Wanted::Equal(vec![key_of(Value::Bool(false))])),
        (Operand::One(text), Operator::Eq) => keys(text).map(Wanted::Equal),
        (Operand::List(texts), Operator::In) => {
            let mut all = Vec::new();
            for text in texts {
                all.extend(keys(text)?);
            }
            Some(Wanted::Equal(all))
        }
        (Operand::List(bounds), Operator::Between) => {
            let [low, high] = &bounds[..] else {
                return None;
            };
            within(Some(bound(low)?), Some(bound(high)?))
        }
        (Operand::One(text), Operator::Gt | Operator::Gte) => within(Some(bound(text)?), None),
        (Operand::One(text), Operator::Lt | Operator::Lte) => within(None, Some(bound(text)?)),
        (Operand::One(text), Operator::Starts) => beginning(text),
        (Operand::One(text), Operator::Like) => {
            let plain = text.find(['%', '*', '_', '\\'])?;
            beginning(&text[..plain])
        }
        _ => None,
    }
}

/// Texts that begin so.
fn beginning(text: &str) -> Option<Wanted> {
    // A text's sort key ends with two bytes that say so, and what is cut off ends elsewhere.
    const END: usize = 2;
    let mut key = key_of(Value::Text(text));
    if text.is_empty() || text.len() > row_model::ORDERED_BYTES_MAX {
        return None;
    }
    key.truncate(key.len() - END);
    Some(Wanted::Within(KeyBounds {
        from: Some(key.clone()),
        to: Some(key),
    }))
}

/// As indexes have it.
fn key_of(value: Value<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    push_sort_key(value, false, false, &mut key);
    key
}

impl Access {
    /// How an index leads to the rows; `None` if it is of no use.
    pub(super) fn by_index(&self, index: &Arc<Index>, window: &Window) -> Option<IndexWay> {
        let definition = index.definition();
        let columns = definition.columns();
        let mut beginnings = vec![Vec::new()];
        let mut fixed = 0;
        for name in columns {
            let equal = self.of(name).find_map(|test| match &test.wanted {
                Wanted::Equal(keys) if keys.len() * beginnings.len() <= RANGES_MAX => Some(keys),
                _ => None,
            });
            let Some(keys) = equal else { break };
            let longer = |beginning: &Vec<u8>| {
                let beginning = beginning.clone();
                keys.iter()
                    .map(move |key| [&beginning[..], key].concat())
                    .collect::<Vec<_>>()
            };
            beginnings = beginnings.iter().flat_map(longer).collect();
            fixed += 1;
        }
        if definition.kind() == IndexKind::Hash && fixed < columns.len() {
            return None;
        }
        beginnings.sort_unstable();
        beginnings.dedup();
        let within = columns.get(fixed).and_then(|name| {
            let mut bounds = self.of(name).filter_map(|test| match &test.wanted {
                Wanted::Within(bounds) => Some(bounds),
                Wanted::Equal(_) => None,
            });
            let first = bounds.next()?.clone();
            Some(bounds.fold(first, |all, bounds| KeyBounds {
                from: all.from.clone().max(bounds.from.clone()),
                to: match (&all.to, &bounds.to) {
                    (Some(one), Some(other)) => Some(one.min(other).clone()),
                    (one, other) => one.clone().or_else(|| other.clone()),
                },
            }))
        });
        let in_order = self.in_order(columns, fixed, &beginnings, definition.kind());
        if fixed == 0 && within.is_none() && in_order.is_none() {
            return None;
        }
        let used = fixed + usize::from(within.is_some());
        let ranges: Vec<KeyBounds> = beginnings
            .into_iter()
            .map(|beginning| stretch(&beginning, within.as_ref()))
            .collect();
        let covers = !self.has_more && self.tests.len() <= used;
        // Of rows that come in order, and are all wanted, only so many are looked at: they need not be counted.
        let estimate = if in_order.is_some() && covers && !window.counted {
            window.rows()
        } else {
            let counts = ranges.iter().map(|bounds| index.estimate(bounds.range()));
            counts.sum()
        };
        Some(IndexWay {
            index: Arc::clone(index),
            ranges,
            estimate,
            covers,
            in_order,
        })
    }

    /// The columns that have one of some values in all rows, with these values as sort keys.
    pub fn equals(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.tests.iter().filter_map(|test| match &test.wanted {
            Wanted::Equal(values) => Some((&*test.column, &values[..])),
            Wanted::Within(_) => None,
        })
    }

    /// The columns of an index by which fewer rows would be looked at; none if no index would help.
    pub(super) fn wished(&self) -> Vec<String> {
        let is_equal = |test: &&ColumnTest| matches!(test.wanted, Wanted::Equal(_));
        let mut columns: Vec<&String> = Vec::new();
        let equal = self.tests.iter().filter(is_equal);
        let within = self.tests.iter().find(|test| !is_equal(test));
        let order = self.order.iter().flatten().map(|(name, _)| name);
        let tested = equal.chain(within).map(|test| &test.column);
        for column in tested.chain(order.filter(|_| within.is_none())) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns.truncate(table_store::INDEX_COLUMNS_MAX);
        columns.into_iter().cloned().collect()
    }

    /// What is wanted of a column.
    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ColumnTest> {
        self.tests.iter().filter(move |test| test.column == name)
    }

    /// Whether rows that begin alike come in the order that is wanted: by the columns that follow, all of
    /// them and in one direction, then by key.
    fn in_order(
        &self,
        columns: &[String],
        fixed: usize,
        beginnings: &[Vec<u8>],
        kind: IndexKind,
    ) -> Option<InOrder> {
        let order = self.order.as_ref()?;
        let [beginning] = beginnings else {
            return None;
        };
        let follows: Vec<bool> = order
            .iter()
            .map(|(name, _)| !columns[..fixed].contains(name))
            .collect();
        let mut wanted = order.iter().zip(&follows).filter(|(_, follows)| **follows);
        let descending = wanted
            .clone()
            .next()
            .is_some_and(|((_, descending), _)| *descending);
        let mut rest = columns[fixed..].iter();
        let is_it =
            wanted.all(|((name, down), _)| *down == descending && rest.next() == Some(name));
        if !is_it || rest.next().is_some() || kind == IndexKind::Hash {
            return None;
        }
        Some(InOrder {
            direction: if descending {
                Direction::Descending
            } else {
                Direction::Ascending
            },
            fixed: beginning.clone(),
            follows,
        })
    }
}

/// The keys that begin so and then lie within bounds.
fn stretch(beginning: &[u8], within: Option<&KeyBounds>) -> KeyBounds {
    let Some(within) = within else {
        let to = (!beginning.is_empty()).then(|| beginning.to_vec());
        return KeyBounds {
            from: to.clone(),
            to,
        };
    };
    let bound = |bound: &Option<Vec<u8>>| match bound {
        Some(bound) => Some([beginning, bound].concat()),
        None => (!beginning.is_empty()).then(|| beginning.to_vec()),
    };
    KeyBounds {
        from: bound(&within.from),
        to: bound(&within.to),
    }
}
