//! What a query is refused for, from what went wrong to the words of `PostgREST` and `PostgreSQL`.

use api_types::RestRelation;
use query::bind::{BindError, Unrelated};
use query::cast::type_name;
use query::group::GroupError;
use query::list::{CastError, ListError};
use query::postgrest::ReadError;
use query::relation::{Candidate, Cardinality, RelationError};
use query::tree::{Condition, Operand, Operator, Place, Query, Selected, SelectedWhat, Test};
use row_model::ColumnType;

use super::refusal::Refusal;
use crate::error::FEWER_RELATED_HINT;

const CAST_HINT: &str = "No operator matches the given name and argument types. You might need to add explicit type casts.";
const FUNCTION_HINT: &str = "No function matches the given name and argument types. You might need to add explicit type casts.";

/// The parameters could not be read.
pub(super) fn unreadable(error: &ReadError) -> Refusal {
    let refusal = match error {
        ReadError::Syntax {
            message, details, ..
        } => Refusal::new(400, "PGRST100", message).details(details),
        ReadError::Repeated { name } => Refusal::new(
            400,
            "PGRST100",
            format!("The parameter '{name}' was sent more than once"),
        ),
        ReadError::NegativeLimit { .. } => {
            unsatisfiable("Limit should be greater than or equal to zero.")
        }
        ReadError::NotEmbedded { name, .. } => Refusal::new(
            400,
            "PGRST108",
            format!("'{name}' is not an embedded resource in this request"),
        )
        .hint(format!(
            "Verify that '{name}' is included in the 'select' query parameter."
        )),
        ReadError::Unsupported { what, .. } => {
            Refusal::new(400, "PGRST127", "Feature not implemented")
                .details(format!("Rowtide has no {what}"))
        }
        ReadError::Array { text, .. } => {
            Refusal::new(400, "22P02", format!("malformed array literal: \"{text}\""))
                .details("Array value must start with \"{\" or dimension information.")
        }
        ReadError::StepIntoText { arrow, by, .. } => Refusal::new(
            404,
            "42883",
            format!("operator does not exist: text {arrow} {by}"),
        )
        .hint(CAST_HINT),
        ReadError::TooMuch { .. } => Refusal::new(400, "54000", error.to_string()),
    };
    refusal.place(error.place())
}

/// There are no such rows.
pub(super) fn unsatisfiable(details: impl Into<String>) -> Refusal {
    Refusal::new(416, "PGRST103", "Requested range not satisfiable").details(details)
}

/// The query does not fit the tables of a schema.
pub(super) fn unfit(error: &BindError, query: &Query, table: &str, schema: &str) -> Refusal {
    let refusal = match error {
        BindError::UnknownColumn {
            table: of,
            column,
            known,
            at,
        } => match of {
            Some(table) => unknown_column(table, column, known, query, at),
            None => Refusal::new(400, "42703", format!("column \"{column}\" does not exist")),
        },
        BindError::Relation(unmet) => unrelated(unmet, schema),
        BindError::NotToOne { relation, .. } => {
            let label = label_of(query, relation);
            Refusal::new(
                400,
                "PGRST118",
                format!("A related order on '{label}' is not possible"),
            )
            .details(format!(
                "'{table}' and '{label}' do not form a many-to-one or one-to-one relationship"
            ))
        }
        BindError::Literal {
            kind,
            number,
            expected,
            at,
            ..
        } => bad_literal(kind, *number, expected, at, query),
        BindError::Operator { operator, kind, .. } => {
            Refusal::new(404, "42883", no_operator(operator, kind)).hint(CAST_HINT)
        }
        BindError::NoJson { kind, .. } => {
            Refusal::new(404, "42883", no_operator("->", kind)).hint(CAST_HINT)
        }
        BindError::Unordered { kind, .. } => Refusal::new(
            404,
            "42883",
            format!(
                "could not identify an ordering operator for type {}",
                named(kind)
            ),
        )
        .hint("Use an explicit ordering operator or modify the query."),
        BindError::Aggregate { function, kind, .. } => Refusal::new(
            404,
            "42883",
            format!("function {function}({}) does not exist", named(kind)),
        )
        .hint(FUNCTION_HINT),
        BindError::Cast { cast, .. } => {
            Refusal::new(400, "42704", format!("type \"{cast}\" does not exist"))
        }
        BindError::SameName { name } => Refusal::new(
            400,
            "42701",
            format!("column \"{name}\" specified more than once"),
        )
        .hint("Give one of them another name, as in select=total:amount."),
        BindError::RelationOfGroup { .. }
        | BindError::GroupedRows { .. }
        | BindError::UngroupedAggregate { .. } => Refusal::new(400, "42803", error.to_string()),
        BindError::TooDeep { .. } => Refusal::new(400, "54000", error.to_string()),
        BindError::RelationColumns { .. } => Refusal::new(400, "42703", error.to_string()),
    };
    refusal.place(place(error))
}

fn place(error: &BindError) -> Option<&Place> {
    match error {
        BindError::Relation(unmet) => Some(&unmet.at),
        BindError::UnknownColumn { at, .. }
        | BindError::RelationColumns { at, .. }
        | BindError::NotToOne { at, .. }
        | BindError::RelationOfGroup { at, .. }
        | BindError::TooDeep { at }
        | BindError::Literal { at, .. }
        | BindError::Operator { at, .. }
        | BindError::NoJson { at, .. }
        | BindError::Unordered { at, .. }
        | BindError::Aggregate { at, .. }
        | BindError::UngroupedAggregate { at }
        | BindError::GroupedRows { at }
        | BindError::Cast { at, .. } => Some(at),
        BindError::SameName { .. } => None,
    }
}

/// It would cost more than it may.
pub(super) fn too_costly(error: &ListError) -> Refusal {
    match error {
        ListError::TooLate { .. } => {
            Refusal::new(500, "57014", "canceling statement due to statement timeout")
                .details(error.to_string())
        }
        ListError::Group(GroupError::NotSummable { function, what }) => Refusal::new(
            404,
            "42883",
            format!("function {function}({what}) does not exist"),
        )
        .hint(FUNCTION_HINT),
        ListError::Cast(error) => {
            let code = match error {
                CastError::Syntax { .. } => "22P02",
                CastError::Range { .. } => "22003",
                CastError::Kind { .. } => "42846",
            };
            Refusal::new(400, code, error.to_string())
        }
        ListError::Group(GroupError::OutOfRange) => {
            Refusal::new(400, "22008", "interval out of range")
        }
        ListError::TooMuch { .. } => {
            Refusal::new(500, "54000", error.to_string()).hint(FEWER_RELATED_HINT)
        }
        _ => Refusal::new(500, "54000", error.to_string())
            .hint("Filter by the key or by an indexed column."),
    }
}

fn unknown_column(
    table: &str,
    column: &str,
    known: &[String],
    query: &Query,
    at: &Place,
) -> Refusal {
    let labels = query.select.iter().flatten().filter_map(embed_label);
    let is_filter = !matches!(&*at.parameter, "select" | "order");
    if is_filter && labels.into_iter().any(|label| label == column) {
        return Refusal::new(
            400,
            "PGRST120",
            format!("Bad operator on the '{column}' embedded resource"),
        )
        .details("Only is null or not is null filters are allowed on embedded resources");
    }
    let near = nearest(column, known.iter().map(String::as_str));
    Refusal::new(
        400,
        "42703",
        format!("column {table}.{column} does not exist"),
    )
    .hint_if_any(
        near.map(|near| format!("Perhaps you meant to reference the column \"{table}.{near}\".")),
    )
}

fn unrelated(unmet: &Unrelated, schema: &str) -> Refusal {
    let Unrelated {
        table,
        relation,
        error,
        ..
    } = unmet;
    let name = &relation.name;
    match error {
        RelationError::Unknown { known } => {
            let hint = relation
                .hint
                .iter()
                .map(|hint| format!("' using the hint '{hint}"));
            let near = nearest(name, known.iter().map(String::as_str));
            Refusal::new(
                400,
                "PGRST200",
                format!("Could not find a relationship between '{table}' and '{name}' in the schema cache"),
            )
            .details(format!(
                "Searched for a foreign key relationship between '{table}' and '{name}{}' in the schema '{schema}', but no matches were found.",
                hint.collect::<String>()
            ))
            .hint_if_any(
                near.filter(|near| near != name)
                    .map(|near| format!("Perhaps you meant '{near}' instead of '{name}'.")),
            )
        }
        RelationError::Ambiguous { candidates } => ambiguous(table, name, candidates),
        RelationError::NoTable { table: missing } => Refusal::new(
            400,
            "PGRST200",
            format!(
                "Could not find a relationship between '{table}' and '{name}' in the schema cache"
            ),
        )
        .details(format!(
            "The relation leads to '{missing}', of which nothing has been read yet."
        )),
    }
}

fn ambiguous(table: &str, name: &str, candidates: &[Candidate]) -> Refusal {
    let described = candidates.iter().map(|candidate| RestRelation {
        cardinality: match candidate.cardinality {
            Cardinality::ManyToOne => "many-to-one",
            Cardinality::OneToOne => "one-to-one",
            Cardinality::OneToMany => "one-to-many",
            Cardinality::ManyToMany => "many-to-many",
        }
        .to_owned(),
        embedding: format!("{table} with {}", candidate.target),
        relationship: candidate.through.clone(),
    });
    let hinted = candidates.iter().map(|candidate| {
        // A constraint or a junction, if there is one.
        let through = candidate.through.split_once(" using ");
        let hint = through.map_or(&*candidate.hint, |(name, _)| name);
        format!("'{}!{hint}'", candidate.target)
    });
    let hinted: Vec<String> = hinted.collect();
    Refusal::new(
        300,
        "PGRST201",
        format!("Could not embed because more than one relationship was found for '{table}' and '{name}'"),
    )
    .relations(described.collect())
    .hint(format!(
        "Try changing '{name}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        hinted.join(", ")
    ))
}

fn bad_literal(
    kind: &'static str,
    number: Option<usize>,
    expected: &str,
    at: &Place,
    query: &Query,
) -> Refusal {
    let test = test_at(query, at);
    if test.is_some_and(|test| matches!(test.operator, Operator::Match | Operator::Imatch)) {
        return Refusal::new(
            400,
            "2201B",
            format!("invalid regular expression: expected {expected}"),
        );
    }
    let code = match kind {
        "date" | "time" | "timetz" | "timestamp" | "timestamptz" => "22007",
        _ => "22P02",
    };
    let text = test.and_then(|test| match (&test.operand, number) {
        (Operand::One(text), _) => Some(text),
        (Operand::List(texts), Some(number)) => texts.get(number.checked_sub(1)?),
        _ => None,
    });
    Refusal::new(
        400,
        code,
        format!(
            "invalid input syntax for type {}: \"{}\"",
            named(kind),
            text.map_or("", String::as_str)
        ),
    )
}

/// The test whose literal was written there.
fn test_at<'q>(query: &'q Query, at: &Place) -> Option<&'q Test> {
    let of_embeds = query.select.iter().flatten();
    let mut of_embeds = of_embeds.filter_map(|item| match &item.what {
        SelectedWhat::Embed(embed) => test_at(&embed.query, at),
        _ => None,
    });
    let own = query.filter.iter().find_map(|part| test_in(part, at));
    own.or_else(|| of_embeds.next())
}

fn test_in<'q>(condition: &'q Condition, at: &Place) -> Option<&'q Test> {
    let among = |parts: &'q [Condition]| parts.iter().find_map(|part| test_in(part, at));
    match condition {
        Condition::All(parts) | Condition::Any(parts) => among(parts),
        Condition::Not(part) => test_in(part, at),
        Condition::Related(related) => among(&related.filter),
        Condition::Test(test) => {
            let here = test.at.parameter == at.parameter && test.at.offset == at.offset;
            here.then_some(test)
        }
    }
}

/// `operator does not exist: integer ~~ unknown`.
fn no_operator(operator: &str, kind: &'static str) -> String {
    let symbol = match operator {
        "eq" | "in" => "=",
        "neq" => "<>",
        "gt" => ">",
        "gte" => ">=",
        "lt" => "<",
        "lte" => "<=",
        "like" => "~~",
        "ilike" => "~~*",
        "match" => "~",
        "imatch" => "~*",
        "contains" => "@>",
        "cd" => "<@",
        "ov" => "&&",
        other => other,
    };
    format!("operator does not exist: {} {symbol} unknown", named(kind))
}

fn named(kind: &'static str) -> &'static str {
    ColumnType::from_name(kind).map_or(kind, type_name)
}

fn embed_label(item: &Selected) -> Option<&str> {
    match &item.what {
        SelectedWhat::Embed(embed) => Some(item.alias.as_deref().unwrap_or(&embed.relation.name)),
        _ => None,
    }
}

/// What a relation is called in the answer.
fn label_of<'q>(query: &'q Query, relation: &'q str) -> &'q str {
    let items = query.select.iter().flatten();
    let named = items.filter(
        |item| matches!(&item.what, SelectedWhat::Embed(embed) if embed.relation.name == relation),
    );
    named.into_iter().find_map(embed_label).unwrap_or(relation)
}

/// The likest of some names, if it is like it at all.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|name| (strsim::damerau_levenshtein(written, name), name));
    let (slips, name) = scored.min()?;
    let slips_max = written.chars().count().max(name.chars().count()) / 3;
    (slips <= slips_max.max(1)).then(|| name.to_owned())
}
