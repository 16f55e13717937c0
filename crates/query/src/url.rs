//! The URL spelling of a query: `status=in.(paid,shipped)&or=(a.eq.1,b.is.null)&select=id,plan:meta->>plan&order=id.desc`.
//!
//! Reads parameters that are decoded already. Refuses everything it does not know, with the place;
//! nothing is skipped. What a later version will take is refused by name. Quotes are read as `PostgREST`
//! reads them, but one that is never closed is an error here rather than a part of the text.

mod condition;
mod items;
mod print;
mod text;

pub use print::{print_conditions, print_order};
pub use text::{Problem, SyntaxError};

use crate::tree::{Condition, Place, Query};
use text::Text;

/// Tests and groups of all filters together.
pub const NODES_MAX: usize = 64;
/// Groups inside groups.
pub const DEPTH_MAX: usize = 8;
/// Values of one list.
pub const LIST_MAX: usize = 1_000;
/// Columns an answer is ordered by: each row that is kept meanwhile carries their values.
pub const ORDER_MAX: usize = 8;
/// Steps into JSON.
pub const STEPS_MAX: usize = 16;

/// Parameters that are read here though they name no column.
pub const PARAMETERS: &[&str] = &["select", "order", "and", "or", "not", "not.and", "not.or"];

/// Reads the parameters that say which rows, what of them, and in which order.
///
/// # Errors
/// At the first that cannot be read.
pub fn read<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Query, SyntaxError> {
    let mut query = Query::default();
    for (name, value) in parameters {
        let mut text = Text::new(name, value);
        match name {
            "select" => query.select = Some(items::select(&mut text)?),
            "order" => query.order = items::order(&mut text)?,
            "and" | "not.or" | "or" | "not" | "not.and" => {
                query.filter.push(condition::group(name, &mut text)?);
            }
            column => query.filter.push(condition::of_column(column, &mut text)?),
        }
        let nodes: usize = query.filter.iter().map(Condition::nodes).sum();
        if nodes > NODES_MAX {
            return Err(SyntaxError::new(
                Place {
                    parameter: name.to_owned(),
                    offset: Some(0),
                },
                Problem::TooMuch {
                    what: "conditions and groups",
                    max: NODES_MAX,
                },
            ));
        }
    }
    Ok(query)
}

/// The column that a filter's name speaks of.
///
/// # Errors
/// If it is no name of a column.
pub fn column_of(name: &str) -> Result<String, SyntaxError> {
    condition::column(name).map(|path| path.column)
}

#[cfg(test)]
mod tests;
