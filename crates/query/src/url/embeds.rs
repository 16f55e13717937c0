//! What is said of relations that are shown: `items.order=qty.desc`, `items.limit=5`, `items.where=(qty.gt.1)`.

use super::condition;
use super::order;
use super::parameter::EmbedPart;
use super::text::{Problem, SyntaxError, Text};
use super::{EMBED_LIMIT_MAX, EMBED_OFFSET_MAX};
use crate::tree::{Embed, Query, SelectedWhat};

/// One parameter about a relation that is shown, read when all that is shown is known.
pub(super) struct OfEmbed<'a> {
    /// By what the relations are called that it stands in, the outermost first.
    pub labels: Vec<String>,
    pub part: EmbedPart,
    pub value: Text<'a>,
}

impl OfEmbed<'_> {
    /// Puts it where it belongs.
    pub fn apply(mut self, query: &mut Query) -> Result<(), SyntaxError> {
        let mut of = query;
        for label in &self.labels {
            of = match find(of, label) {
                Ok(embed) => &mut embed.query,
                Err(known) => {
                    let place = self.value.name_place();
                    let name = label.clone();
                    return Err(SyntaxError::new(place, Problem::NotShown { name, known }));
                }
            };
        }
        let value = &mut self.value;
        match self.part {
            EmbedPart::Where => {
                of.filter.extend(condition::all(value)?);
                of.filter = crate::tree::gather(std::mem::take(&mut of.filter));
            }
            EmbedPart::Order => of.order = order::order(value)?,
            EmbedPart::Limit => {
                const LIMIT: &str = "a whole number from 1 to 10000";
                of.limit = Some(number(value, 1, EMBED_LIMIT_MAX, LIMIT)?);
            }
            EmbedPart::Offset => {
                const OFFSET: &str = "a whole number from 0 to 1000000";
                of.offset = number(value, 0, EMBED_OFFSET_MAX, OFFSET)?;
            }
        }
        Ok(())
    }
}

fn number(
    value: &mut Text<'_>,
    min: usize,
    max: usize,
    expected: &'static str,
) -> Result<usize, SyntaxError> {
    let number = value.rest().parse().ok();
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| value.expected(expected))
}

/// What is called so, or else the only one of a relation of that name. Otherwise what they are called.
fn find<'a>(query: &'a mut Query, label: &str) -> Result<&'a mut Embed, Vec<String>> {
    let mut called = Vec::new();
    let (mut by_label, mut by_name, mut names) = (None, None, 0);
    for (at, item) in query.select.iter().flatten().enumerate() {
        if let SelectedWhat::Embed(embed) = &item.what {
            let own = item.alias.as_ref().unwrap_or(&embed.relation.name);
            called.push(own.clone());
            if own == label && by_label.is_none() {
                by_label = Some(at);
            }
            if embed.relation.name == label {
                by_name = Some(at);
                names += 1;
            }
        }
    }
    let at = by_label.or(by_name.filter(|_| names == 1));
    let items = query.select.as_mut();
    match at
        .and_then(|at| items?.get_mut(at))
        .map(|item| &mut item.what)
    {
        Some(SelectedWhat::Embed(embed)) => Ok(embed),
        _ => Err(called),
    }
}
