//! Names and paths: `meta->>plan`, `customer.region.name`, `buyer!orders_buyer_fkey.name`, `total::text`.
//!
//! A name in double quotes may hold anything and is never taken for a word of the grammar around it.

use super::text::{Problem, SyntaxError, Text};
use super::{RELATIONS_MAX, STEPS_MAX};
use crate::tree::{ColumnPath, Place, RelationRef, Step};

/// A path as it is written, before it is known whether its last name is a column or a relation.
#[derive(Debug)]
pub(crate) struct Route {
    pub via: Vec<RelationRef>,
    pub last: RelationRef,
    pub steps: Vec<Step>,
    pub as_text: bool,
    pub cast: Option<String>,
    pub at: Place,
}

impl Route {
    /// The path of a column.
    pub fn column(self) -> Result<ColumnPath, SyntaxError> {
        let Self {
            via,
            last,
            steps,
            as_text,
            cast,
            at,
        } = self;
        if last.hint.is_some() {
            let problem = Problem::Expected("a column after the relation, as in customer.name");
            return Err(SyntaxError::new(at, problem));
        }
        Ok(ColumnPath {
            via,
            column: last.name,
            steps,
            as_text,
            cast,
            at,
        })
    }

    /// The relations it leads through, if it is a path of relations only.
    pub fn relations(mut self) -> Result<Vec<RelationRef>, SyntaxError> {
        if !self.is_plain() {
            let problem = Problem::Expected("a relation, which has no parts");
            return Err(SyntaxError::new(self.at, problem));
        }
        self.via.push(self.last);
        Ok(self.via)
    }

    /// Without steps into JSON and without a cast.
    pub fn is_plain(&self) -> bool {
        self.steps.is_empty() && self.cast.is_none()
    }
}

/// Reads names with dots between them up to one of `ends`, or up to a dot after which `stops` sees a word of its own.
pub(crate) fn route(
    text: &mut Text<'_>,
    ends: &[char],
    stops: fn(&str) -> bool,
) -> Result<Route, SyntaxError> {
    let at = text.place();
    let mut via = Vec::new();
    let last = loop {
        let relation = relation(text, ends)?;
        let goes_on = |rest: &str| rest.strip_prefix('.').is_some_and(|rest| !stops(rest));
        if !goes_on(text.rest()) {
            break relation;
        }
        text.take(".");
        if via.len() == RELATIONS_MAX {
            return Err(text.error(Problem::TooMuch {
                what: "relations in one path",
                max: RELATIONS_MAX,
            }));
        }
        via.push(relation);
    };
    let (steps, as_text) = steps(text, ends)?;
    let cast = cast(text, ends)?;
    Ok(Route {
        via,
        last,
        steps,
        as_text,
        cast,
        at,
    })
}

/// A relation with its hint, or any other name.
fn relation(text: &mut Text<'_>, ends: &[char]) -> Result<RelationRef, SyntaxError> {
    let name = name(text, ends)?;
    // In a selection what follows a '!' may also be a word: it is read there.
    let hint = if !ends.contains(&'!') && text.take("!") {
        Some(self::name(text, ends)?)
    } else {
        None
    };
    Ok(RelationRef { name, hint })
}

fn steps(text: &mut Text<'_>, ends: &[char]) -> Result<(Vec<Step>, bool), SyntaxError> {
    let (mut steps, mut as_text) = (Vec::new(), false);
    while text.take("->") {
        if as_text {
            return Err(text.expected("no more steps after '->>', which makes text"));
        }
        if steps.len() == STEPS_MAX {
            return Err(text.error(Problem::TooMuch {
                what: "steps into JSON",
                max: STEPS_MAX,
            }));
        }
        as_text = text.take(">");
        steps.push(Step(name(text, ends)?));
    }
    Ok((steps, as_text))
}

/// `::text`.
pub(crate) fn cast(text: &mut Text<'_>, ends: &[char]) -> Result<Option<String>, SyntaxError> {
    if text.take("::") {
        name(text, ends).map(Some)
    } else {
        Ok(None)
    }
}

/// One name. Unquoted it ends at one of `ends`, at a dot, a '!', `->` or `::`.
pub(crate) fn name(text: &mut Text<'_>, ends: &[char]) -> Result<String, SyntaxError> {
    if text.peek() == Some('"') {
        return text.quoted();
    }
    let rest = text.rest();
    let is_end = |(at, character): &(usize, char)| match character {
        '.' | '!' => true,
        '-' => rest[at + 1..].starts_with('>'),
        ':' => rest[at + 1..].starts_with(':'),
        _ => false,
    } || ends.contains(character);
    let mut characters = rest.char_indices();
    let end = characters.find(is_end).map_or(rest.len(), |(at, _)| at);
    if end == 0 {
        return Err(text.expected("a column"));
    }
    let name = &rest[..end];
    text.take(name);
    Ok(name.to_owned())
}

/// The word at the beginning of a text that is not quoted.
pub(crate) fn word(rest: &str) -> &str {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let end = rest.find(|character| !is_part(character));
    &rest[..end.unwrap_or(rest.len())]
}
