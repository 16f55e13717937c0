//! Names of columns and relations, paths into JSON, and quoted text.

use super::reader::{Read, Reader, Way};

/// A column, or a part of the JSON in it, as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub name: String,
    pub arrows: Vec<Arrow>,
    /// Characters before it.
    pub at: usize,
}

/// One step into JSON: `->key` or `->>key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub key: String,
    pub as_text: bool,
}

impl Arrow {
    /// Whether it leads to a place in an array.
    pub fn is_place(&self) -> bool {
        let digits = self.key.strip_prefix('-').unwrap_or(&self.key);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// A name: letters, digits, `_`, `$`, blanks inside, dashes between; anything in double quotes.
pub(super) fn name(reader: &mut Reader) -> Read<String> {
    reader.labelled("field name (* or [a..z0..9_$])", |reader| {
        reader.either(quoted, |reader| dashed(reader, identifier))
    })
}

/// A name without dashes, as types have.
pub(super) fn identifier(reader: &mut Reader) -> Read<String> {
    let first = identifier_character(reader)?;
    let rest = reader.many(identifier_character)?;
    let text: String = std::iter::once(first).chain(rest).collect();
    Ok(text.trim().to_owned())
}

fn identifier_character(reader: &mut Reader) -> Read<char> {
    reader.either(
        |reader| reader.labelled("letter", |reader| reader.one_of(char::is_alphabetic)),
        |reader| {
            reader.either(digit, |reader| {
                reader.one_of(|found| matches!(found, '_' | ' ' | '$'))
            })
        },
    )
}

fn digit(reader: &mut Reader) -> Read<char> {
    reader.labelled("digit", |reader| {
        reader.one_of(|found| found.is_ascii_digit())
    })
}

/// Parts with dashes between, none of which is the beginning of an arrow.
fn dashed(reader: &mut Reader, part: fn(&mut Reader) -> Read<String>) -> Read<String> {
    let dash = |reader: &mut Reader| {
        reader.attempt(|reader| {
            reader.character('-')?;
            reader.not_before(|found| found == '>')
        })
    };
    Ok(reader.separated(dash, part)?.join("-"))
}

/// Text in double quotes; a backslash takes the next character as it is.
pub(super) fn quoted(reader: &mut Reader) -> Read<String> {
    reader.character('"')?;
    let text = reader.many(|reader| {
        reader.either(
            |reader| reader.one_of(|found| !matches!(found, '"' | '\\')),
            |reader| {
                reader.character('\\')?;
                reader.one_of(|_| true)
            },
        )
    })?;
    reader.character('"')?;
    Ok(text.into_iter().collect())
}

/// `name->key->>0`.
pub(super) fn field(reader: &mut Reader) -> Read<Field> {
    reader.spaced(|reader| {
        let at = reader.at();
        let name = name(reader)?;
        let arrows = arrows(reader)?;
        Ok(Field { name, arrows, at })
    })
}

pub(super) fn arrows(reader: &mut Reader) -> Read<Vec<Arrow>> {
    reader.many(|reader| {
        let as_text = reader.either(
            |reader| reader.attempt(|reader| reader.word("->>").map(|()| true)),
            |reader| reader.attempt(|reader| reader.word("->").map(|()| false)),
        )?;
        let key = reader.either(|reader| reader.attempt(place), |reader| reader.attempt(key))?;
        Ok(Arrow { key, as_text })
    })
}

/// A place in an array, counted from its end if it is negative.
fn place(reader: &mut Reader) -> Read<String> {
    let minus = reader.optional(|reader| reader.character('-'))?;
    let first = digit(reader)?;
    let rest = reader.many(digit)?;
    let ends: [Way<'_, ()>; 5] = [
        &|reader| reader.word("->"),
        &|reader| reader.word("::"),
        &|reader| reader.word("."),
        &|reader| reader.word(","),
        &Reader::end,
    ];
    before(reader, &ends)?;
    let sign = minus.map(|()| '-').into_iter();
    Ok(sign.chain([first]).chain(rest).collect())
}

fn key(reader: &mut Reader) -> Read<String> {
    const LABEL: &str = "any non reserved character different from: .,>()";
    reader.labelled(LABEL, |reader| {
        reader.either(quoted, |reader| {
            dashed(reader, |reader| {
                let is_plain = |found| !matches!(found, '(' | '-' | ':' | '.' | ',' | '>' | ')');
                let first = reader.one_of(is_plain)?;
                let text = first.to_string() + &reader.run(is_plain)?;
                Ok(text.trim().to_owned())
            })
        })
    })
}

/// One of these must come next, and is not taken.
pub(super) fn before(reader: &mut Reader, ends: &[Way<'_, ()>]) -> Read<()> {
    let Some((first, others)) = ends.split_first() else {
        return Err(super::reader::Failed);
    };
    reader.either(
        |reader| reader.attempt(|reader| reader.ahead(first)),
        |reader| before(reader, others),
    )
}
