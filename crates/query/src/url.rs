//! The URL spelling of a query: `status=in.(paid,shipped)&customer.tier=eq.gold&select=id,customer(name)&order=id.desc`.
//!
//! Reads parameters that are decoded already. Refuses everything it does not know, with the place;
//! nothing is skipped. Quotes are read as `PostgREST` reads them, but one that is never closed is an
//! error here rather than a part of the text.
//!
//! A dotted name is a condition on related rows: some related row meets it, and conditions on one
//! relation that stand side by side are about the same row. What is said of a relation that is shown ends with a
//! word: `items.where=(qty.gt.1)`, `items.order=`, `items.limit=`, `items.offset=`.

pub(crate) mod condition;
mod embeds;
pub(crate) mod order;
mod parameter;
pub(crate) mod path;
mod print;
pub(crate) mod select;
pub(crate) mod text;

pub use print::{print_conditions, print_order};
pub use text::{Problem, SyntaxError};

use crate::shown::Shown;
use crate::tree::{Condition, Place, Query, Selected, SelectedWhat, gather};
use embeds::OfEmbed;
use parameter::Parameter;
use text::Text;

/// Tests and groups of all filters together, those of relations that are shown and of groups included.
pub const NODES_MAX: usize = 64;
/// Groups inside groups.
pub const DEPTH_MAX: usize = 8;
/// Values of one list.
pub const LIST_MAX: usize = 1_000;
/// Columns an answer is ordered by: each row that is kept meanwhile carries their values.
pub const ORDER_MAX: usize = 8;
/// Steps into JSON.
pub const STEPS_MAX: usize = 16;
/// Relations on the way to one column.
pub const RELATIONS_MAX: usize = 3;
/// Columns and relations of one selection.
pub const SELECTED_MAX: usize = 256;
/// Relations shown inside each other.
pub const EMBED_DEPTH_MAX: usize = 3;
/// Related rows that are shown of a row, unless more are asked for.
pub const EMBED_LIMIT_DEFAULT: usize = 20;
pub const EMBED_LIMIT_MAX: usize = 10_000;
pub const EMBED_OFFSET_MAX: usize = 1_000_000;

/// Parameters that are read here though they name no column.
pub const PARAMETERS: &[&str] = &[
    "select",
    "include",
    "order",
    "group_by",
    "aggregate",
    "having",
    "and",
    "or",
    "not",
    "not.and",
    "not.or",
];
/// Those of them that may be there once only.
pub const ONCE: &[&str] = &[
    "select",
    "include",
    "order",
    "group_by",
    "aggregate",
    "having",
];

/// What a parameter that is none of [`PARAMETERS`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A filter on a column of the table itself.
    Column(String),
    /// Conditions on related rows.
    Related,
    /// A relation that is shown.
    Embed,
}

/// Reads the parameters that say which rows, what of them, and in which order.
///
/// # Errors
/// At the first that cannot be read.
pub fn read<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Query, SyntaxError> {
    let mut query = Query::default();
    let mut shown = Shown::default();
    let mut of_embeds = Vec::new();
    // Clashes are said of the last of those that may clash.
    let mut last = Place::default();
    for (name, value) in parameters {
        let mut text = Text::new(name, value);
        let parameter = Parameter::read(name)?;
        match parameter {
            Parameter::Select => shown.select = Some(select::select(&mut text, 0)?),
            Parameter::Include => shown.include = select::include(&mut text, 0)?,
            Parameter::Order => query.order = order::order(&mut text)?,
            Parameter::GroupBy => shown.group_by = Some(select::group_by(&mut text)?),
            Parameter::Aggregate => shown.aggregate = select::aggregates(&mut text)?,
            Parameter::Having => query.having = condition::all(&mut text)?,
            Parameter::Group(grouping) => {
                query.filter.push(condition::group(grouping, &mut text)?);
            }
            Parameter::RelatedGroup(via, grouping) => {
                let group = condition::related_group(via, grouping, &mut text)?;
                query.filter.push(group);
            }
            Parameter::OfEmbed(labels, part) => {
                let value = text;
                of_embeds.push(OfEmbed {
                    labels,
                    part,
                    value,
                });
            }
            Parameter::Column(route) => {
                query.filter.push(condition::of_column(route, &mut text)?);
            }
        }
        if ONCE.contains(&name) && name != "order" {
            last = Text::new(name, value).place();
        }
        within_bounds(&query, || Text::new(name, value).place())?;
    }
    shown.has_having = !query.having.is_empty();
    shown
        .put_into(&mut query)
        .map_err(|clash| SyntaxError::new(last.clone(), Problem::Clash(clash)))?;
    for of_embed in of_embeds {
        let place = of_embed.value.place();
        of_embed.apply(&mut query)?;
        within_bounds(&query, || place)?;
    }
    query.filter = gather(query.filter);
    Ok(query)
}

/// Refuses more conditions than one query may have.
pub(crate) fn within_bounds(
    query: &Query,
    place: impl FnOnce() -> Place,
) -> Result<(), SyntaxError> {
    if nodes(query) <= NODES_MAX {
        return Ok(());
    }
    let problem = Problem::TooMuch {
        what: "conditions and groups",
        max: NODES_MAX,
    };
    Err(SyntaxError::new(place(), problem))
}

fn nodes(query: &Query) -> usize {
    let of_item = |item: &Selected| match &item.what {
        SelectedWhat::Embed(embed) => nodes(&embed.query),
        _ => 0,
    };
    let conditions = query.filter.iter().chain(&query.having);
    let shown = query.select.iter().flatten().map(of_item);
    conditions.map(Condition::nodes).sum::<usize>() + shown.sum::<usize>()
}

/// What the parameter of this name is about, if it is none of [`PARAMETERS`].
///
/// # Errors
/// If it is no name of anything.
pub fn about(name: &str) -> Result<Option<About>, SyntaxError> {
    Ok(match Parameter::read(name)? {
        Parameter::Column(route) if route.via.is_empty() && route.last.hint.is_none() => {
            Some(About::Column(route.last.name))
        }
        Parameter::Column(_) | Parameter::RelatedGroup(..) => Some(About::Related),
        Parameter::OfEmbed(..) => Some(About::Embed),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
