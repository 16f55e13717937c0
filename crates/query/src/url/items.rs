//! Lists of columns: `select=id,plan:meta->>plan` and `order=created_at.desc.nullslast,id`.

use super::text::{Problem, SyntaxError, Text};
use super::{ORDER_MAX, STEPS_MAX};
use crate::tree::{ColumnPath, Ordered, Selected, SelectedWhat, Step};

/// Where an unquoted name of a selection ends; ':' makes it an alias.
const SELECTED_ENDS: &[char] = &[',', ':', '(', ')', '.', ' ', '!'];

/// A column and the steps into it; names in double quotes may hold anything. An unquoted name ends
/// at `->` or one of `ends`.
pub(super) fn path(text: &mut Text<'_>, ends: &[char]) -> Result<ColumnPath, SyntaxError> {
    let at = text.place();
    let column = part(text, ends)?;
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
        steps.push(Step(part(text, ends)?));
    }
    Ok(ColumnPath {
        column,
        steps,
        as_text,
        at,
        ..ColumnPath::default()
    })
}

/// One name of a path.
fn part(text: &mut Text<'_>, ends: &[char]) -> Result<String, SyntaxError> {
    if text.peek() == Some('"') {
        return text.quoted();
    }
    let rest = text.rest();
    let arrow = rest.find("->").unwrap_or(rest.len());
    let end = rest.find(ends).unwrap_or(rest.len()).min(arrow);
    if end == 0 {
        return Err(text.expected("a column"));
    }
    let name = &rest[..end];
    text.take(name);
    Ok(name.to_owned())
}

pub(super) fn select(text: &mut Text<'_>) -> Result<Vec<Selected>, SyntaxError> {
    let mut items = Vec::new();
    loop {
        text.skip_blanks();
        items.push(selected(text)?);
        text.skip_blanks();
        if text.is_at_end() {
            return Ok(items);
        }
        text.expect(",", "',' or the end")?;
    }
}

fn selected(text: &mut Text<'_>) -> Result<Selected, SyntaxError> {
    if text.take("*") {
        return Ok(Selected {
            what: SelectedWhat::Star,
            alias: None,
        });
    }
    let before = text.place();
    if text.take("...") {
        return Err(SyntaxError::new(
            before,
            Problem::Unsupported("relations in select (here '...')".to_owned()),
        ));
    }
    let mut first = path(text, SELECTED_ENDS)?;
    let mut alias = None;
    if !text.rest().starts_with("::") && text.take(":") {
        if !first.steps.is_empty() {
            return Err(SyntaxError::new(
                first.at,
                Problem::Expected("a plain name before ':'"),
            ));
        }
        alias = Some(first.column);
        first = path(text, SELECTED_ENDS)?;
    }
    let unsupported = match text.rest() {
        rest if rest.starts_with("::") => Some("casts in select"),
        rest if rest.starts_with(['(', '!']) => Some("relations in select"),
        rest if rest.starts_with('.') => Some("aggregates and relations in select"),
        _ => None,
    };
    match unsupported {
        Some(what) => Err(SyntaxError::new(
            first.at,
            Problem::Unsupported(format!("{what} (here '{}')", first.column)),
        )),
        None => Ok(Selected {
            what: SelectedWhat::Path(first),
            alias,
        }),
    }
}

pub(super) fn order(text: &mut Text<'_>) -> Result<Vec<Ordered>, SyntaxError> {
    let mut items = Vec::new();
    loop {
        if items.len() == ORDER_MAX {
            return Err(text.error(Problem::TooMuch {
                what: "columns in order",
                max: ORDER_MAX,
            }));
        }
        text.skip_blanks();
        items.push(ordered(text)?);
        text.skip_blanks();
        if text.is_at_end() {
            return Ok(items);
        }
        text.expect(",", "',' or the end")?;
    }
}

/// `column.desc.nullslast`: direction and nulls may be left out.
fn ordered(text: &mut Text<'_>) -> Result<Ordered, SyntaxError> {
    const WORD: &str = "asc or desc, then nullsfirst or nullslast";
    let by = path(text, &[',', '.', '(', ')', ' '])?;
    if text.rest().starts_with('(') {
        return Err(SyntaxError::new(
            by.at,
            Problem::Unsupported(format!("orders by relations (here '{}')", by.column)),
        ));
    }
    let (mut direction, mut nulls) = (None, None);
    while text.take(".") {
        let place = text.place();
        let word = text.until(&[',', '.', '(', ')', ' ']);
        let known = match word {
            "asc" | "desc" if direction.is_none() && nulls.is_none() => {
                direction = Some(word == "desc");
                true
            }
            "nullsfirst" | "nullslast" if nulls.is_none() => {
                nulls = Some(word == "nullsfirst");
                true
            }
            _ => false,
        };
        if !known {
            return Err(SyntaxError::new(place, Problem::Expected(WORD)));
        }
    }
    let descending = direction.unwrap_or(false);
    Ok(Ordered {
        by,
        descending,
        nulls_first: nulls.unwrap_or(descending),
    })
}
