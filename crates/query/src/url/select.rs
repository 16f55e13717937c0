//! What is shown: `select=id,plan:meta->>plan,buyer:customer!inner(name,region(code)),items(sku)`,
//! `include=customer`, `group_by=status` and `aggregate=n:count(),revenue:sum(total)`.

use super::path::{self, Route, cast, word};
use super::text::{Problem, SyntaxError, Text};
use super::{EMBED_DEPTH_MAX, EMBED_LIMIT_DEFAULT, SELECTED_MAX};
use crate::tree::{
    Aggregate, AggregateFunction, ColumnPath, Embed, Lift, Place, Query, RelationRef, Selected,
    SelectedWhat,
};

/// Where an unquoted name of a selection ends; ':' makes it an alias, and what follows a '!' may be a word.
const ENDS: &[char] = &[',', ':', '(', ')', ' ', '!'];

/// `depth` says how many relations it stands in.
pub(crate) fn select(text: &mut Text<'_>, depth: usize) -> Result<Vec<Selected>, SyntaxError> {
    list(text, |text| selected(text, depth))
}

/// Relations with what is shown of them; without that everything is.
pub(crate) fn include(text: &mut Text<'_>, depth: usize) -> Result<Vec<Selected>, SyntaxError> {
    list(text, |text| {
        let before = text.place();
        let spread = text.take("...");
        let (alias, route) = labelled(text)?;
        embed(text, route, spread, alias, depth, before)
    })
}

pub(crate) fn group_by(text: &mut Text<'_>) -> Result<Vec<Selected>, SyntaxError> {
    list(text, |text| {
        let (alias, route) = labelled(text)?;
        let what = SelectedWhat::Path(route.column()?);
        Ok(Selected { what, alias })
    })
}

/// `n:count()`, `revenue:sum(total)` or, as in a selection, `revenue:total.sum()`.
pub(crate) fn aggregates(text: &mut Text<'_>) -> Result<Vec<Selected>, SyntaxError> {
    list(text, |text| {
        let (alias, route) = labelled(text)?;
        let written = AggregateFunction::from_spelling(&route.last.name);
        let aggregate = match written {
            Some(function) if route.via.is_empty() && route.is_plain() => {
                let of = of_function(text)?;
                aggregate(text, function, of, route.at)?
            }
            _ => call(text, &route)?.ok_or_else(|| {
                let problem = Problem::Expected("count(), sum(column), avg(…), min(…) or max(…)");
                SyntaxError::new(route.at.clone(), problem)
            })?,
        };
        Ok(Selected {
            what: SelectedWhat::Aggregate(aggregate),
            alias,
        })
    })
}

/// The column in the parentheses after a function; `count` may go without them.
fn of_function(text: &mut Text<'_>) -> Result<Option<ColumnPath>, SyntaxError> {
    if !text.take("(") || text.take(")") {
        return Ok(None);
    }
    if text.take("*") {
        text.expect(")", "')' after '*'")?;
        return Ok(None);
    }
    let of = path::route(text, ENDS, |_| false)?.column()?;
    text.expect(")", "')' after the column")?;
    Ok(Some(of))
}

fn aggregate(
    text: &mut Text<'_>,
    function: AggregateFunction,
    of: Option<ColumnPath>,
    at: Place,
) -> Result<Aggregate, SyntaxError> {
    if of.is_none() && function != AggregateFunction::Count {
        let problem = Problem::Expected("a column that it is made of, as in sum(total)");
        return Err(SyntaxError::new(at, problem));
    }
    Ok(Aggregate {
        function,
        of,
        cast: cast(text, ENDS)?,
        at,
    })
}

/// Items with commas between them, up to the end.
fn list<T>(
    text: &mut Text<'_>,
    item: impl Fn(&mut Text<'_>) -> Result<T, SyntaxError>,
) -> Result<Vec<T>, SyntaxError> {
    let items = items(text, item)?;
    if text.is_at_end() {
        Ok(items)
    } else {
        Err(text.expected("',' or the end"))
    }
}

fn items<T>(
    text: &mut Text<'_>,
    item: impl Fn(&mut Text<'_>) -> Result<T, SyntaxError>,
) -> Result<Vec<T>, SyntaxError> {
    let mut items = Vec::new();
    loop {
        if items.len() == SELECTED_MAX {
            return Err(text.error(Problem::TooMuch {
                what: "columns in one list",
                max: SELECTED_MAX,
            }));
        }
        text.skip_blanks();
        items.push(item(text)?);
        text.skip_blanks();
        if !text.take(",") {
            return Ok(items);
        }
    }
}

fn selected(text: &mut Text<'_>, depth: usize) -> Result<Selected, SyntaxError> {
    if text.take("*") {
        return Ok(Selected {
            what: SelectedWhat::Star,
            alias: None,
        });
    }
    let before = text.place();
    let spread = text.take("...");
    let (alias, route) = labelled(text)?;
    if let Some(aggregate) = call(text, &route)? {
        return Ok(Selected {
            what: SelectedWhat::Aggregate(aggregate),
            alias,
        });
    }
    if spread || text.rest().starts_with(['(', '!']) {
        return embed(text, route, spread, alias, depth, before);
    }
    let what = SelectedWhat::Path(route.column()?);
    Ok(Selected { what, alias })
}

/// `alias:` if there is one, and what it is of.
fn labelled(text: &mut Text<'_>) -> Result<(Option<String>, Route), SyntaxError> {
    let first = route(text)?;
    if !text.take(":") {
        return Ok((None, first));
    }
    if !first.is_plain() || !first.via.is_empty() {
        let problem = Problem::Expected("a plain name before ':'");
        return Err(SyntaxError::new(first.at, problem));
    }
    Ok((Some(first.last.name), route(text)?))
}

fn route(text: &mut Text<'_>) -> Result<Route, SyntaxError> {
    path::route(text, ENDS, is_call)
}

/// Whether a function is called there: `sum()`.
pub(super) fn is_call(rest: &str) -> bool {
    let word = word(rest);
    AggregateFunction::from_spelling(word).is_some() && rest[word.len()..].starts_with("()")
}

/// `count()` or, after a column, `.sum()`.
fn call(text: &mut Text<'_>, route: &Route) -> Result<Option<Aggregate>, SyntaxError> {
    let is_plain = route.via.is_empty() && route.is_plain();
    if is_plain && route.last.name == "count" && text.take("()") {
        let at = route.at.clone();
        return aggregate(text, AggregateFunction::Count, None, at).map(Some);
    }
    let place = text.place();
    if !text.take(".") {
        return Ok(None);
    }
    // Only a call stops a path at a dot.
    let function = AggregateFunction::from_spelling(text.until(&['(']));
    text.take("()");
    let Some(function) = function else {
        return Err(SyntaxError::new(place, Problem::Expected("a column")));
    };
    let of = ColumnPath {
        via: route.via.clone(),
        column: route.last.name.clone(),
        steps: route.steps.clone(),
        as_text: route.as_text,
        cast: route.cast.clone(),
        at: route.at.clone(),
    };
    aggregate(text, function, Some(of), place).map(Some)
}

/// `rel!hint!inner(columns)`, from its '!' or '(' on.
fn embed(
    text: &mut Text<'_>,
    route: Route,
    spread: bool,
    alias: Option<String>,
    depth: usize,
    at: Place,
) -> Result<Selected, SyntaxError> {
    if !route.via.is_empty() || !route.is_plain() {
        let problem = Problem::Expected("a relation by its name alone, as in items(product(name))");
        return Err(SyntaxError::new(route.at, problem));
    }
    if depth == EMBED_DEPTH_MAX {
        let problem = Problem::TooMuch {
            what: "relations inside each other",
            max: EMBED_DEPTH_MAX,
        };
        return Err(SyntaxError::new(route.at, problem));
    }
    let mut embed = Embed {
        relation: route.last,
        query: Query {
            limit: Some(EMBED_LIMIT_DEFAULT),
            ..Query::default()
        },
        required: false,
        lift: if spread { Lift::Spread } else { Lift::Nested },
        at,
    };
    while text.take("!") {
        modify(text, &mut embed)?;
    }
    if text.take("(") {
        embed.query.select = Some(items(text, |text| selected(text, depth + 1))?);
        text.expect(")", "',' or ')'")?;
    }
    Ok(Selected {
        what: SelectedWhat::Embed(embed),
        alias,
    })
}

/// What stands after a '!': `inner`, `left`, `flatten`, or which relation is meant.
fn modify(text: &mut Text<'_>, embed: &mut Embed) -> Result<(), SyntaxError> {
    let place = text.place();
    let is_quoted = text.peek() == Some('"');
    let word = path::name(text, ENDS)?;
    let RelationRef { hint, .. } = &mut embed.relation;
    match &*word {
        "inner" if !is_quoted => embed.required = true,
        "left" if !is_quoted => {}
        "flatten" if !is_quoted && embed.lift == Lift::Nested => embed.lift = Lift::Prefixed,
        _ if hint.is_none() => *hint = Some(word),
        _ => {
            let problem = Problem::Expected("inner, left, flatten and one hint at most");
            return Err(SyntaxError::new(place, problem));
        }
    }
    Ok(())
}
