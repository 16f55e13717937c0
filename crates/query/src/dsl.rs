//! The JSON spelling of a query: `{"from":"orders","where":[{"column":"status","op":"eq","value":"paid"}],"limit":20}`.
//!
//! Reads text and not structs, so that a number keeps its digits, an error has the JSON pointer of what is
//! wrong, and what is written loosely but can mean one thing only is taken for that: `"limit":"20"`, one
//! condition where a list of them may stand, a key as `{"id":7}`. Nothing is skipped: an unknown field is an error. Columns,
//! selections and orders are texts of the URL's grammar.

mod batch;
mod condition;
mod floor;
mod include;
mod node;
mod operator;

pub use batch::{BATCH_GETS_MAX, BATCH_KEYS_MAX, BatchGet, Get, KeyAsked, KeyValues, read_batch};

pub use floor::{FloorAsked, floor};

use crate::shown::Shown;
use crate::tree::{Ordered, Query};
use crate::url::text::{Problem, SyntaxError, Text};
use crate::url::{self, order, select};
use node::{Node, Object};

/// Queries of one request.
pub const QUERIES_MAX: usize = 16;

/// One query and how its answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Any name of a table.
    pub from: String,
    pub query: Query,
    pub limit: Option<usize>,
    pub cursor: Option<String>,
    pub counted: bool,
    pub explained: bool,
    /// Rows as arrays rather than as objects, if that was said.
    pub as_arrays: Option<bool>,
    pub int64_as_text: bool,
    /// Only what changed after this token is wanted.
    pub since: Option<String>,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    One(Box<Question>),
    /// Each by its name, in the order they were written.
    Several(Vec<(String, Question)>),
}

const QUESTION: &[&str] = &[
    "from",
    "select",
    "include",
    "where",
    "group_by",
    "aggregate",
    "having",
    "order",
    "limit",
    "cursor",
    "count",
    "explain",
    "format",
    "int64",
    "since",
];

/// Reads the body of a query. `limit_max` is the most rows that may be asked for.
///
/// # Errors
/// At the first part that cannot be read.
pub fn read(body: &[u8], limit_max: usize) -> Result<Asked, SyntaxError> {
    let root = node::root(body)?;
    let object = root.object()?.without(floor::FIELDS);
    if !object.has("queries") {
        return question(&object, limit_max).map(|question| Asked::One(Box::new(question)));
    }
    object.only(&["queries"])?;
    let queries = object.needed(
        "queries",
        "queries by their names, as in {\"paid\":{\"from\":\"orders\"}}",
    )?;
    let named = queries.object()?;
    let count = named.fields().len();
    if count == 0 {
        return Err(queries.expected("at least one query"));
    }
    if count > QUERIES_MAX {
        return Err(queries.too_many("queries", QUERIES_MAX));
    }
    named.distinct()?;
    let read = |(name, node): &(String, Node<'_>)| {
        Ok((name.clone(), question(&node.object()?, limit_max)?))
    };
    named
        .fields()
        .iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map(Asked::Several)
}

fn question(object: &Object<'_>, limit_max: usize) -> Result<Question, SyntaxError> {
    object.only(QUESTION)?;
    let from = object
        .needed("from", "the name of a table, as in \"from\":\"orders\"")?
        .text()?;
    let mut query = shape(object, 0)?;
    if let Some(having) = object.get("having") {
        query.having = condition::list(&having)?;
    }
    url::within_bounds(&query, || object.place())?;
    if !query.having.is_empty() && !query.is_grouped() {
        let clash = crate::shown::Clash::HavingWithoutGroups;
        return Err(object.error(Problem::Clash(clash)));
    }
    let words = |name, words: &'static [&'static str], expected| {
        let node = object.get(name);
        node.map(|node| node.word(words, expected)).transpose()
    };
    let flag = |name| object.get(name).map_or(Ok(false), |node| node.flag());
    let count = object.get("count");
    let counted = count.map_or(Ok(false), |node| match node.flag() {
        Ok(flag) => Ok(flag),
        Err(_) => node.word(&["exact"], "\"exact\"").map(|_| true),
    });
    Ok(Question {
        from,
        query,
        limit: object
            .get("limit")
            .map(|node| node.number(1, limit_max))
            .transpose()?,
        cursor: object.get("cursor").map(|node| node.text()).transpose()?,
        counted: counted?,
        explained: flag("explain")?,
        as_arrays: words(
            "format",
            &["objects", "arrays"],
            "\"objects\" or \"arrays\"",
        )?
        .map(|at| at == 1),
        int64_as_text: words("int64", &["number", "string"], "\"number\" or \"string\"")?
            == Some(1),
        since: object.get("since").map(|node| node.text()).transpose()?,
    })
}

/// Which rows, what of them, in which order: what a query has in common with a relation that is shown.
fn shape(object: &Object<'_>, depth: usize) -> Result<Query, SyntaxError> {
    let mut query = Query::default();
    if let Some(conditions) = object.get("where") {
        query.filter = condition::list(&conditions)?;
    }
    let mut shown = Shown::default();
    if let Some(columns) = object.get("select") {
        shown.select = Some(texts(&columns, |text| select::select(text, depth))?);
    }
    if let Some(relations) = object.get("include") {
        shown.include = include::list(&relations, depth)?;
    }
    if let Some(columns) = object.get("group_by") {
        shown.group_by = Some(texts(&columns, select::group_by)?);
    }
    if let Some(aggregates) = object.get("aggregate") {
        shown.aggregate = include::aggregates(&aggregates)?;
    }
    shown
        .put_into(&mut query)
        .map_err(|clash| object.error(Problem::Clash(clash)))?;
    if let Some(order) = object.get("order") {
        query.order = orders(&order)?;
    }
    Ok(query)
}

/// Items of texts of the URL's grammar: a list of them, or one.
fn texts<T>(
    node: &Node<'_>,
    read: impl Fn(&mut Text<'_>) -> Result<Vec<T>, SyntaxError>,
) -> Result<Vec<T>, SyntaxError> {
    let mut items = Vec::new();
    for node in node.one_or_several()? {
        let text = node.text()?;
        items.extend(read(&mut Text::new(node.pointer(), &text))?);
        if items.len() > url::SELECTED_MAX {
            return Err(node.too_many("columns in one list", url::SELECTED_MAX));
        }
    }
    Ok(items)
}

/// `["-created_at","id"]`.
fn orders(node: &Node<'_>) -> Result<Vec<Ordered>, SyntaxError> {
    let ordered = texts(node, order::order)?;
    if ordered.len() > url::ORDER_MAX {
        return Err(node.too_many("columns in order", url::ORDER_MAX));
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests;
