//! `select`: columns, aggregates, and relations with what is selected of them.

use super::name::{Field, before, field, identifier, name};
use super::reader::{Read, Reader};
use crate::tree::AggregateFunction;

/// Relations inside relations.
pub(super) const DEPTH_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Star,
    Column(Column),
    Relation(Relation),
}

/// `alias:field::cast.function()::result_cast`, or `alias:count()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub alias: Option<String>,
    /// `None` only if rows are counted.
    pub field: Option<Field>,
    pub cast: Option<String>,
    pub aggregate: Option<AggregateFunction>,
    pub result_cast: Option<String>,
    /// Characters before it.
    pub at: usize,
}

/// `alias:name!hint!inner(…)` or `...name(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub alias: Option<String>,
    pub name: String,
    pub hint: Option<String>,
    pub required: bool,
    pub spread: bool,
    pub items: Vec<Item>,
    /// Characters before it.
    pub at: usize,
}

impl Relation {
    /// What other parameters call it.
    pub fn label(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// Reads a whole value of `select`.
pub(super) fn items(reader: &mut Reader) -> Read<Vec<Item>> {
    let items = list(reader, 0)?;
    reader.end()?;
    Ok(items)
}

/// Nothing is a list too.
fn list(reader: &mut Reader, depth: usize) -> Read<Vec<Item>> {
    let all = reader.optional(|reader| {
        let comma = |reader: &mut Reader| reader.spaced(|reader| reader.character(','));
        reader.separated(comma, |reader| item(reader, depth))
    })?;
    Ok(all.unwrap_or_default())
}

fn item(reader: &mut Reader, depth: usize) -> Read<Item> {
    let relation = |head: fn(&mut Reader) -> Read<Relation>| {
        move |reader: &mut Reader| {
            let mut relation = reader.attempt(head)?;
            if depth == DEPTH_MAX {
                return reader.refused("relations are nested too deeply");
            }
            reader.character('(')?;
            relation.items = list(reader, depth + 1)?;
            reader.character(')')?;
            Ok(Item::Relation(relation))
        }
    };
    reader.either(relation(spread), |reader| {
        reader.either(relation(embedded), column)
    })
}

/// `...name!hint!inner`, before its parenthesis. Two dots are as good as three.
fn spread(reader: &mut Reader) -> Read<Relation> {
    reader.spaced(|reader| {
        let at = reader.at();
        reader.either(
            |reader| reader.attempt(|reader| reader.word("...")),
            |reader| reader.attempt(|reader| reader.word("..")),
        )?;
        relation(reader, None, true, at)
    })
}

fn embedded(reader: &mut Reader) -> Read<Relation> {
    reader.spaced(|reader| {
        let at = reader.at();
        let alias = alias(reader)?;
        relation(reader, alias, false, at)
    })
}

fn relation(reader: &mut Reader, alias: Option<String>, spread: bool, at: usize) -> Read<Relation> {
    let name = name(reader)?;
    if !spread && name == "count" {
        // The aggregate of that name.
        return reader.refused("");
    }
    let (mut hint, mut join) = (None, None);
    for _ in 0..2 {
        match reader.optional(parameter)? {
            Some(Parameter::Hint(name)) => hint = hint.or(Some(name)),
            Some(Parameter::Join { required }) => join = join.or(Some(required)),
            None => break,
        }
    }
    before(reader, &[&|reader| reader.word("(")])?;
    Ok(Relation {
        alias,
        name,
        hint,
        required: join.unwrap_or(false),
        spread,
        items: Vec::new(),
        at,
    })
}

/// What stands behind a `!`.
enum Parameter {
    Join { required: bool },
    Hint(String),
}

fn parameter(reader: &mut Reader) -> Read<Parameter> {
    reader.character('!')?;
    let name = name(reader)?;
    Ok(match &*name {
        "inner" => Parameter::Join { required: true },
        "left" => Parameter::Join { required: false },
        _ => Parameter::Hint(name),
    })
}

/// `alias:`, if there is one.
fn alias(reader: &mut Reader) -> Read<Option<String>> {
    reader.optional(|reader| {
        reader.attempt(|reader| {
            let name = name(reader)?;
            reader.character(':')?;
            reader.not_before(|found| found == ':')?;
            Ok(name)
        })
    })
}

fn column(reader: &mut Reader) -> Read<Item> {
    reader.spaced(|reader| {
        reader.either(
            |reader| reader.attempt(star),
            |reader| {
                reader.either(
                    |reader| reader.attempt(counted),
                    |reader| plain(reader).map(Item::Column),
                )
            },
        )
    })
}

fn star(reader: &mut Reader) -> Read<Item> {
    reader.word("*")?;
    item_end(reader)?;
    Ok(Item::Star)
}

fn counted(reader: &mut Reader) -> Read<Item> {
    let at = reader.at();
    let alias = alias(reader)?;
    reader.word("count()")?;
    let result_cast = cast(reader)?;
    item_end(reader)?;
    Ok(Item::Column(Column {
        alias,
        field: None,
        cast: None,
        aggregate: Some(AggregateFunction::Count),
        result_cast,
        at,
    }))
}

fn plain(reader: &mut Reader) -> Read<Column> {
    let at = reader.at();
    let alias = alias(reader)?;
    let field = field(reader)?;
    let cast_before = cast(reader)?;
    let aggregate = reader.optional(|reader| reader.attempt(aggregate))?;
    let result_cast = match aggregate {
        Some(_) => cast(reader)?,
        None => None,
    };
    item_end(reader)?;
    Ok(Column {
        alias,
        field: Some(field),
        cast: cast_before,
        aggregate,
        result_cast,
        at,
    })
}

fn aggregate(reader: &mut Reader) -> Read<AggregateFunction> {
    reader.character('.')?;
    let functions = [
        AggregateFunction::Sum,
        AggregateFunction::Avg,
        AggregateFunction::Count,
        AggregateFunction::Max,
        AggregateFunction::Min,
    ];
    let function = one_of(reader, &functions)?;
    reader.word("()")?;
    Ok(function)
}

fn one_of(reader: &mut Reader, functions: &[AggregateFunction]) -> Read<AggregateFunction> {
    let Some((first, others)) = functions.split_first() else {
        return Err(super::reader::Failed);
    };
    reader.either(
        |reader| reader.attempt(|reader| reader.word(first.spelling()).map(|()| *first)),
        |reader| one_of(reader, others),
    )
}

/// `::type`, if there is one.
fn cast(reader: &mut Reader) -> Read<Option<String>> {
    reader.optional(|reader| {
        reader.word("::")?;
        identifier(reader)
    })
}

fn item_end(reader: &mut Reader) -> Read<()> {
    before(
        reader,
        &[
            &|reader| reader.word(")"),
            &|reader| reader.word(","),
            &Reader::end,
        ],
    )
}
