//! Filters: `column=operator.value`, and the groups `and=(…)` and `or=(…)`.

use super::name::{Field, field, identifier, quoted};
use super::reader::{Failed, Read, Reader, Way};
use crate::tree::{IsWhat, Operator};

/// Groups inside groups.
const DEPTH_MAX: usize = 16;

/// `not.operator.value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub negated: bool,
    pub operation: Operation,
    /// Characters before its value.
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    In(Vec<String>),
    Is(IsWhat),
    IsDistinct(String),
    Compare(Operator, String),
    /// Each element of an array is compared.
    Each {
        operator: Operator,
        of_all: bool,
        array: String,
    },
    /// Known, and not offered.
    Unsupported(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub field: Field,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Logic {
    Filter(Filter),
    Group {
        negated: bool,
        /// One of the parts is enough.
        any: bool,
        parts: Vec<Logic>,
    },
}

/// Reads the whole value of a column's filter.
pub(super) fn of_column(reader: &mut Reader) -> Read<Test> {
    let test = test(reader, &|reader| reader.run(|_| true))?;
    reader.end()?;
    Ok(test)
}

/// Reads a group behind its operator: `or(a.eq.1,not.and(…))`.
pub(super) fn group(reader: &mut Reader) -> Read<Logic> {
    let logic = logic(reader, 0)?;
    // `PostgREST` takes no notice of parentheses that close nothing.
    reader.run(|found| found == ')')?;
    reader.end()?;
    Ok(logic)
}

fn logic(reader: &mut Reader, depth: usize) -> Read<Logic> {
    reader.either(
        |reader| {
            let filter = reader.attempt(|reader| {
                let field = field(reader)?;
                delimiter(reader)?;
                let test = test(reader, &value_in_group)?;
                Ok(Filter { field, test })
            })?;
            Ok(Logic::Filter(filter))
        },
        |reader| parts(reader, depth),
    )
}

fn parts(reader: &mut Reader, depth: usize) -> Read<Logic> {
    if depth == DEPTH_MAX {
        return reader.refused("groups are nested too deeply");
    }
    let negated = reader.labelled("negation operator (not)", |reader| {
        let not = reader.optional(|reader| {
            reader.attempt(|reader| {
                reader.word("not")?;
                delimiter(reader)
            })
        })?;
        Ok(not.is_some())
    })?;
    let any = reader.labelled("logic operator (and, or)", |reader| {
        reader.either(
            |reader| reader.attempt(|reader| reader.word("and").map(|()| false)),
            |reader| reader.word("or").map(|()| true),
        )
    })?;
    reader.spaced(|reader| reader.character('('))?;
    let comma = |reader: &mut Reader| reader.spaced(|reader| reader.character(','));
    let parts = reader.separated(comma, |reader| logic(reader, depth + 1))?;
    reader.spaced(|reader| reader.character(')'))?;
    Ok(Logic::Group {
        negated,
        any,
        parts,
    })
}

fn test(reader: &mut Reader, value: Way<'_, String>) -> Read<Test> {
    let not = reader.optional(|reader| {
        reader.attempt(|reader| {
            reader.word("not")?;
            delimiter(reader)
        })
    })?;
    let at = std::cell::Cell::new(0);
    let value = |reader: &mut Reader| {
        at.set(reader.at());
        value(reader)
    };
    let mark = |reader: &Reader| at.set(reader.at());
    let operation = reader.labelled("operator (eq, gt, ...)", |reader| {
        operation(reader, &value, &mark)
    })?;
    Ok(Test {
        negated: not.is_some(),
        operation,
        at: at.get(),
    })
}

/// `mark` is called where an operand begins that is no `value`.
fn operation(
    reader: &mut Reader,
    value: Way<'_, String>,
    mark: &dyn Fn(&Reader),
) -> Read<Operation> {
    let ways: [Way<'_, Operation>; 6] = [
        &|reader| {
            prefix(reader, "in")?;
            mark(reader);
            list(reader).map(Operation::In)
        },
        &|reader| {
            prefix(reader, "is")?;
            mark(reader);
            is_what(reader).map(Operation::Is)
        },
        &|reader| {
            prefix(reader, "isdistinct")?;
            value(reader).map(Operation::IsDistinct)
        },
        &|reader| reader.attempt(|reader| text_search(reader, value)),
        &|reader| reader.attempt(|reader| simple(reader, value)),
        &|reader| reader.attempt(|reader| quantified(reader, value)),
    ];
    first_of(reader, &ways)
}

/// `eq.`: an operator and the point behind it, or nothing.
fn prefix(reader: &mut Reader, operator: &str) -> Read<()> {
    reader.attempt(|reader| {
        reader.word(operator)?;
        delimiter(reader)
    })
}

fn is_what(reader: &mut Reader) -> Read<IsWhat> {
    let word = |word: &'static str, what: IsWhat| {
        move |reader: &mut Reader| {
            reader.attempt(|reader| reader.word_in_any_case(word).map(|()| what))
        }
    };
    reader.labelled("isVal: (null, not_null, true, false, unknown)", |reader| {
        first_of(
            reader,
            &[
                &word("null", IsWhat::Null),
                &word("not_null", IsWhat::NotNull),
                &word("true", IsWhat::True),
                &word("false", IsWhat::False),
                &word("unknown", IsWhat::Null),
            ],
        )
    })
}

fn text_search(reader: &mut Reader, value: Way<'_, String>) -> Read<Operation> {
    word_of(reader, &["fts", "plfts", "phfts", "wfts"])?;
    reader.optional(|reader| {
        reader.attempt(|reader| {
            reader.character('(')?;
            identifier(reader)?;
            reader.character(')')
        })
    })?;
    delimiter(reader)?;
    value(reader)?;
    Ok(Operation::Unsupported("full-text search"))
}

const SIMPLE: [(&str, Option<Operator>); 9] = [
    ("neq", Some(Operator::Neq)),
    ("cs", Some(Operator::Contains)),
    ("cd", Some(Operator::ContainedIn)),
    ("ov", Some(Operator::Overlaps)),
    ("sl", None),
    ("sr", None),
    ("nxr", None),
    ("nxl", None),
    ("adj", None),
];

fn simple(reader: &mut Reader, value: Way<'_, String>) -> Read<Operation> {
    let operator = word_of(reader, &SIMPLE.map(|(word, _)| word))?;
    delimiter(reader)?;
    let value = value(reader)?;
    Ok(match SIMPLE[operator].1 {
        Some(operator) => Operation::Compare(operator, value),
        None => Operation::Unsupported("operators of ranges"),
    })
}

const QUANTIFIED: [(&str, Operator); 9] = [
    ("eq", Operator::Eq),
    ("gte", Operator::Gte),
    ("gt", Operator::Gt),
    ("lte", Operator::Lte),
    ("lt", Operator::Lt),
    ("like", Operator::Like),
    ("ilike", Operator::Ilike),
    ("match", Operator::Match),
    ("imatch", Operator::Imatch),
];

fn quantified(reader: &mut Reader, value: Way<'_, String>) -> Read<Operation> {
    let operator = QUANTIFIED[word_of(reader, &QUANTIFIED.map(|(word, _)| word))?].1;
    let quantifier = reader.optional(|reader| {
        reader.attempt(|reader| {
            reader.character('(')?;
            let which = word_of(reader, &["any", "all"])?;
            reader.character(')')?;
            Ok(which == 1)
        })
    })?;
    delimiter(reader)?;
    let value = value(reader)?;
    Ok(match quantifier {
        Some(of_all) => Operation::Each {
            operator,
            of_all,
            array: value,
        },
        None => Operation::Compare(operator, value),
    })
}

/// `(a,"b,c",d)`. One element without a character is no element.
fn list(reader: &mut Reader) -> Read<Vec<String>> {
    reader.spaced(|reader| reader.character('('))?;
    let elements = reader.separated(
        |reader| reader.character(','),
        |reader| {
            reader.either(
                |reader| reader.attempt(quoted_whole),
                |reader| reader.run(is_in_element).map(|text| (text, false)),
            )
        },
    )?;
    reader.spaced(|reader| reader.character(')'))?;
    Ok(match &elements[..] {
        [(only, false)] if only.trim().is_empty() => Vec::new(),
        _ => elements.into_iter().map(|(text, _)| text).collect(),
    })
}

/// Quoted text with nothing behind it before the next comma or parenthesis.
fn quoted_whole(reader: &mut Reader) -> Read<(String, bool)> {
    let text = quoted(reader)?;
    reader.not_before(is_in_element)?;
    Ok((text, true))
}

fn is_in_element(found: char) -> bool {
    !matches!(found, ',' | ')')
}

/// A value inside a group ends at a comma or a parenthesis, unless it is quoted or an array.
fn value_in_group(reader: &mut Reader) -> Read<String> {
    let ways: [Way<'_, String>; 3] = [
        &|reader| reader.attempt(|reader| quoted_whole(reader).map(|(text, _)| text)),
        &|reader| reader.attempt(array),
        &|reader| reader.run(is_in_element),
    ];
    first_of(reader, &ways)
}

fn array(reader: &mut Reader) -> Read<String> {
    reader.word("{")?;
    let inner = reader.run(|found| !matches!(found, '{' | '}'))?;
    reader.word("}")?;
    Ok(format!("{{{inner}}}"))
}

pub(super) fn delimiter(reader: &mut Reader) -> Read<()> {
    reader.labelled("delimiter (.)", |reader| reader.character('.'))
}

/// Which of some words comes next.
fn word_of(reader: &mut Reader, words: &[&str]) -> Read<usize> {
    let Some((first, others)) = words.split_first() else {
        return Err(Failed);
    };
    reader.either(
        |reader| reader.attempt(|reader| reader.word(first).map(|()| 0)),
        |reader| word_of(reader, others).map(|at| at + 1),
    )
}

fn first_of<T>(reader: &mut Reader, ways: &[Way<'_, T>]) -> Read<T> {
    let Some((first, others)) = ways.split_first() else {
        return Err(Failed);
    };
    reader.either(first, |reader| first_of(reader, others))
}
