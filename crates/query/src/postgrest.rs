//! `PostgREST`'s spelling of queries: its query parameters, read into the [`tree`](crate::tree).
//!
//! The whole grammar is read, and what is wrong with it explained in the words of `PostgREST`'s own
//! reader. Refuses what it can see will never be answered (full-text search, operators of ranges),
//! and knows nothing of tables: whether there is such a column or relation is for others to say.
//! Stricter in one thing: `PostgREST` takes no notice of what stands behind a complete value.

pub(crate) mod array;
mod assemble;
mod condition;
mod error;
mod filter;
mod name;
mod order;
mod reader;
mod respell;
mod select;
#[cfg(test)]
mod tests;
mod times;

pub use error::ReadError;
pub use respell::respell;

use crate::tree::{Place, Query};
use assemble::{Filtered, Level, Levels};
use filter::Logic;
use reader::{Read, Reader};

/// Tests and groups of all filters together, once `any` and `all` are written out.
pub const NODES_MAX: usize = 256;
/// Columns that rows of one table are ordered by.
pub const ORDER_MAX: usize = 8;
/// Columns and relations that are selected.
pub const ITEMS_MAX: usize = 1_000;

/// Words at the end of a parameter's name that say what it is about.
const ENDINGS: [&str; 5] = ["order", "limit", "offset", "and", "or"];

/// Reads the parameters of a request for rows, decoded.
///
/// # Errors
/// At the first that cannot be read, or that is about a relation which is not selected.
pub fn read<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Query, ReadError> {
    let mut select = None;
    let mut levels = Levels::default();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in parameters {
        let ending = name.rsplit('.').next().unwrap_or_default();
        let counts_once = matches!(name, "select" | "columns" | "on_conflict")
            || matches!(ending, "order" | "limit" | "offset");
        if counts_once && seen.contains(&name) {
            return Err(ReadError::Repeated {
                name: name.to_owned(),
            });
        }
        seen.push(name);
        match name {
            "select" => {
                let what = format!("select parameter ({value})");
                select = Some(parse(name, value, &what, select::items)?);
            }
            // Of writes only. They must be well written, and mean nothing here.
            "columns" | "on_conflict" => {
                parse(name, value, &format!("{name} parameter ({value})"), columns)?;
            }
            _ if ENDINGS.contains(&ending) => levelled(name, ending, value, &mut levels)?,
            _ => column(name, value, &mut levels)?,
        }
    }
    assemble::query(select, levels)
}

/// A parameter whose name ends in what it is about: `order`, `items.limit`, `items.not.or`.
fn levelled(name: &str, ending: &str, value: &str, levels: &mut Levels) -> Result<(), ReadError> {
    let path = parse(name, name, &format!("tree path ({name})"), path)?;
    let mut path = path.names;
    path.pop();
    match ending {
        "order" => {
            let terms = parse(name, value, &format!("order ({value})"), order::terms)?;
            if terms.len() > ORDER_MAX {
                return Err(ReadError::TooMuch {
                    what: "columns in order",
                    max: ORDER_MAX,
                });
            }
            levels.of(path, name).order = Some((name.to_owned(), terms));
        }
        "limit" | "offset" => {
            let number = parse(name, value, &format!("{ending} ({value})"), integer)?;
            let Level { limit, offset, .. } = levels.of(path, name);
            match (ending, usize::try_from(number)) {
                ("limit", Ok(number)) => *limit = Some(number),
                ("limit", Err(_)) => {
                    return Err(ReadError::NegativeLimit {
                        at: Place {
                            parameter: name.to_owned(),
                            offset: Some(0),
                        },
                    });
                }
                // Nothing comes before the first row.
                (_, number) => *offset = number.unwrap_or(0),
            }
        }
        operator => {
            let negated = path.iter().any(|part| part == "not");
            path.retain(|part| part != "not");
            let prefix = if negated { "not." } else { "" };
            // The group is read behind its operator, as one inside another is.
            let text = format!("{prefix}{operator}{value}");
            let what = format!("logic tree ({value})");
            let skipped = prefix.len() + operator.len();
            let logic = parse(name, &text, &what, filter::group)
                .map_err(|refused| refused.earlier_by(skipped))?;
            levels.of(path, name).filters.push(Filtered {
                logic,
                parameter: name.to_owned(),
                skipped,
            });
        }
    }
    Ok(())
}

/// A filter on a column: `status=eq.paid`, `items.qty=gt.1`.
fn column(name: &str, value: &str, levels: &mut Levels) -> Result<(), ReadError> {
    let mut path = parse(name, name, &format!("tree path ({name})"), path)?;
    let test = parse(name, value, &format!("filter ({value})"), filter::of_column)?;
    let field = name::Field {
        name: path.names.pop().unwrap_or_default(),
        arrows: path.arrows,
        at: 0,
    };
    let logic = Logic::Filter(filter::Filter { field, test });
    levels.of(path.names, name).filters.push(Filtered {
        logic,
        parameter: name.to_owned(),
        skipped: 0,
    });
    Ok(())
}

/// The name of a parameter: relations, then a column and perhaps a part of it.
struct Path {
    names: Vec<String>,
    arrows: Vec<name::Arrow>,
}

fn path(reader: &mut Reader) -> Read<Path> {
    let names = reader.separated(filter::delimiter, name::name)?;
    let arrows = name::arrows(reader)?;
    reader.end()?;
    Ok(Path { names, arrows })
}

fn columns(reader: &mut Reader) -> Read<()> {
    reader.separated(
        |reader| reader.spaced(|reader| reader.character(',')),
        name::name,
    )?;
    reader.end()
}

/// Whatever is greater than any number of rows is as good as the greatest.
fn integer(reader: &mut Reader) -> Read<i64> {
    let sign = reader.optional(|reader| reader.character('-'))?;
    let digit = |reader: &mut Reader| {
        reader.labelled("digit", |reader| {
            reader.one_of(|found| found.is_ascii_digit())
        })
    };
    let first = digit(reader)?;
    let rest = reader.many(digit)?;
    reader.end()?;
    let digits: String = std::iter::once(first).chain(rest).collect();
    let number = digits.parse().unwrap_or(i64::MAX);
    Ok(if sign.is_some() { -number } else { number })
}

/// Reads a text whole. `what` is what it fails to be.
fn parse<T>(
    parameter: &str,
    text: &str,
    what: &str,
    read: impl FnOnce(&mut Reader) -> Read<T>,
) -> Result<T, ReadError> {
    let mut reader = Reader::new(text);
    read(&mut reader).map_err(|reader::Failed| ReadError::Syntax {
        message: format!("\"failed to parse {what}\" {}", reader.place()),
        details: reader.explanation(),
        at: Place {
            parameter: parameter.to_owned(),
            offset: Some(reader.failed_at()),
        },
    })
}
