//! Orders: `created_at.desc.nullslast,customer.name,id`.

use super::ORDER_MAX;
use super::path::{self, word};
use super::text::{Problem, SyntaxError, Text};
use crate::tree::{ColumnPath, Ordered};

const ENDS: &[char] = &[',', '(', ')', ' '];
const DIRECTIONS: [&str; 4] = ["asc", "desc", "nullsfirst", "nullslast"];

/// Whether a name after a dot would be taken for a direction.
pub(super) fn is_direction(rest: &str) -> bool {
    DIRECTIONS.contains(&word(rest))
}

pub(crate) fn order(text: &mut Text<'_>) -> Result<Vec<Ordered>, SyntaxError> {
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

/// `column.desc.nullslast`: direction and nulls may be left out, and a '-' before it is `desc`.
fn ordered(text: &mut Text<'_>) -> Result<Ordered, SyntaxError> {
    const WORD: &str = "asc or desc, then nullsfirst or nullslast";
    let leading = text.take("-");
    let by = column(text)?;
    let (mut direction, mut nulls) = (leading.then_some(true), None);
    while text.take(".") {
        let place = text.place();
        let known = match text.until(&[',', '.', '(', ')', ' ']) {
            word @ ("asc" | "desc") if direction.is_none() && nulls.is_none() => {
                direction = Some(word == "desc");
                true
            }
            word @ ("nullsfirst" | "nullslast") if nulls.is_none() => {
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

/// A column, also of a row that a to-one relation leads to: `customer.name` or `customer(name)`.
fn column(text: &mut Text<'_>) -> Result<ColumnPath, SyntaxError> {
    let route = path::route(text, ENDS, is_direction)?;
    if !text.take("(") {
        return route.column();
    }
    let at = route.at.clone();
    let mut via = route.relations()?;
    let inner = path::route(text, ENDS, |_| false)?.column()?;
    text.expect(")", "')' after the relation's column")?;
    via.extend(inner.via);
    Ok(ColumnPath { via, at, ..inner })
}
