//! `order`: columns, parts of JSON, and columns of related rows, each with a direction.

use super::filter::delimiter;
use super::name::{Field, before, field, name};
use super::reader::{Read, Reader};

/// `relation(field).desc.nullslast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub relation: Option<String>,
    pub field: Field,
    pub descending: bool,
    pub nulls_first: Option<bool>,
    /// Characters before it.
    pub at: usize,
}

/// Reads a whole value of `order`.
pub(super) fn terms(reader: &mut Reader) -> Read<Vec<Term>> {
    let terms = reader.separated(
        |reader| reader.character(','),
        |reader| {
            reader.spaced(|reader| {
                reader.either(
                    |reader| reader.attempt(|reader| term(reader, true)),
                    |reader| term(reader, false),
                )
            })
        },
    )?;
    reader.end()?;
    Ok(terms)
}

fn term(reader: &mut Reader, related: bool) -> Read<Term> {
    let at = reader.at();
    let (relation, field) = if related {
        let relation = name(reader)?;
        reader.character('(')?;
        let field = field(reader)?;
        reader.character(')')?;
        (Some(relation), field)
    } else {
        (None, field(reader)?)
    };
    let descending = reader.optional(|reader| direction(reader, ["asc", "desc"]))?;
    let nulls_first = reader.either(
        |reader| {
            let last = reader.optional(|reader| direction(reader, ["nullsfirst", "nullslast"]))?;
            end(reader)?;
            Ok(last.map(|last| !last))
        },
        |reader| end(reader).map(|()| None),
    )?;
    Ok(Term {
        relation,
        field,
        descending: descending.unwrap_or(false),
        nulls_first,
        at,
    })
}

/// `.word`: whether it is the second.
fn direction(reader: &mut Reader, words: [&str; 2]) -> Read<bool> {
    reader.either(
        |reader| {
            reader.attempt(|reader| {
                delimiter(reader)?;
                reader.word(words[0]).map(|()| false)
            })
        },
        |reader| {
            reader.attempt(|reader| {
                delimiter(reader)?;
                reader.word(words[1]).map(|()| true)
            })
        },
    )
}

fn end(reader: &mut Reader) -> Read<()> {
    before(reader, &[&|reader| reader.character(','), &Reader::end])
}
