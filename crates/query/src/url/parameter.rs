//! What a parameter's name says it is: one of the words of the grammar, a filter on a column, conditions on
//! one related row, or something about a relation that is shown.

use super::condition::Grouping;
use super::path::{self, Route, word};
use super::text::{SyntaxError, Text};
use crate::tree::RelationRef;

/// Prefix that makes any name a column's.
const COLUMN_PREFIX: &str = "f.";

/// What a parameter is about.
#[derive(Debug)]
pub(super) enum Parameter {
    Select,
    Include,
    Order,
    GroupBy,
    Aggregate,
    Having,
    Group(Grouping),
    /// `customer.and=(…)`.
    RelatedGroup(Vec<RelationRef>, Grouping),
    /// `items.order=…`, by the labels of what is shown inside each other.
    OfEmbed(Vec<String>, EmbedPart),
    /// Any other name.
    Column(Route),
}

/// What can be said of a relation that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmbedPart {
    Where,
    Order,
    Limit,
    Offset,
}

impl EmbedPart {
    fn from_spelling(spelling: &str) -> Option<Self> {
        match spelling {
            "where" => Some(Self::Where),
            "order" => Some(Self::Order),
            "limit" => Some(Self::Limit),
            "offset" => Some(Self::Offset),
            _ => None,
        }
    }
}

impl Parameter {
    pub fn read(name: &str) -> Result<Self, SyntaxError> {
        match name {
            "select" => return Ok(Self::Select),
            "include" => return Ok(Self::Include),
            "order" => return Ok(Self::Order),
            "group_by" => return Ok(Self::GroupBy),
            "aggregate" => return Ok(Self::Aggregate),
            "having" => return Ok(Self::Having),
            _ => {}
        }
        if let Some(grouping) = Grouping::from_spelling(name) {
            return Ok(Self::Group(grouping));
        }
        if let Some(column) = name.strip_prefix(COLUMN_PREFIX) {
            return column_of(name, column, |_| false).map(Self::Column);
        }
        let mut text = Text::name(name, name);
        let route = path::route(&mut text, &[], is_last_word)?;
        if !text.take(".") {
            return whole(&text, route).map(Self::Column);
        }
        let last = text.take_rest();
        if let Some(grouping) = Grouping::from_spelling(last) {
            return Ok(Self::RelatedGroup(route.relations()?, grouping));
        }
        match EmbedPart::from_spelling(last) {
            Some(part) => {
                let labels = route.relations()?.into_iter().map(|relation| relation.name);
                Ok(Self::OfEmbed(labels.collect(), part))
            }
            None => column_of(name, name, |_| false).map(Self::Column),
        }
    }
}

/// Whether a name ends with a word that says what the parameter is.
fn is_last_word(rest: &str) -> bool {
    let word = word(rest);
    word.len() == rest.len() && EmbedPart::from_spelling(word).is_some()
        || matches!(rest, "and" | "or" | "not.and" | "not.or")
}

fn column_of(name: &str, column: &str, stops: fn(&str) -> bool) -> Result<Route, SyntaxError> {
    let mut text = Text::name(name, column);
    let route = path::route(&mut text, &[], stops)?;
    whole(&text, route)
}

fn whole(text: &Text<'_>, route: Route) -> Result<Route, SyntaxError> {
    if text.is_at_end() {
        Ok(route)
    } else {
        Err(text.expected("a column, as in meta->>plan or customer.name"))
    }
}
