//! Relations that are shown, `{"rel":"items","select":["sku"],"order":["-qty"],"limit":5}`, and aggregates,
//! `{"fn":"sum","column":"total","as":"revenue"}`.

use super::condition::path_of;
use super::node::{Kind, Node, Object};
use crate::tree::{
    Aggregate, AggregateFunction, Embed, Lift, Query, RelationRef, Selected, SelectedWhat,
};
use crate::url::path;
use crate::url::text::{Problem, SyntaxError, Text};
use crate::url::{EMBED_DEPTH_MAX, EMBED_LIMIT_DEFAULT, EMBED_LIMIT_MAX, EMBED_OFFSET_MAX, select};

const INCLUDE: &[&str] = &[
    "rel",
    "hint",
    "as",
    "select",
    "include",
    "where",
    "group_by",
    "aggregate",
    "order",
    "limit",
    "offset",
    "required",
    "flatten",
];
const AGGREGATE: &[&str] = &["fn", "column", "as"];
const FUNCTIONS: &[&str] = &["count", "sum", "avg", "min", "max"];

/// A list of relations, or one; one that is a text is read as the URL's `include` is.
pub(super) fn list(node: &Node<'_>, depth: usize) -> Result<Vec<Selected>, SyntaxError> {
    let mut items = Vec::new();
    for node in node.one_or_several()? {
        match node.kind() {
            Kind::Text => {
                let text = node.text()?;
                items.extend(select::include(
                    &mut Text::new(node.pointer(), &text),
                    depth,
                )?);
            }
            Kind::Object => items.push(item(&node, depth)?),
            _ => {
                return Err(
                    node.expected("a relation, as in {\"rel\":\"customer\",\"select\":[\"name\"]}")
                );
            }
        }
    }
    Ok(items)
}

fn item(node: &Node<'_>, depth: usize) -> Result<Selected, SyntaxError> {
    let object = node.object()?;
    object.only(INCLUDE)?;
    if depth == EMBED_DEPTH_MAX {
        return Err(node.too_many("relations inside each other", EMBED_DEPTH_MAX));
    }
    let rel = object.needed("rel", "the name of a relation, as in \"rel\":\"customer\"")?;
    let mut relation = relation(&rel)?;
    if let Some(hint) = object.get("hint") {
        if relation.hint.is_some() {
            return Err(hint.expected("one hint only"));
        }
        relation.hint = Some(hint.text()?);
    }
    let number = |name, min, max| {
        let node = object.get(name);
        node.map(|node| node.number(min, max)).transpose()
    };
    let flag = |name| object.get(name).map_or(Ok(false), |node| node.flag());
    let query = Query {
        limit: Some(number("limit", 1, EMBED_LIMIT_MAX)?.unwrap_or(EMBED_LIMIT_DEFAULT)),
        offset: number("offset", 0, EMBED_OFFSET_MAX)?.unwrap_or(0),
        ..super::shape(&object, depth + 1)?
    };
    let embed = Embed {
        relation,
        query,
        required: flag("required")?,
        lift: if flag("flatten")? {
            Lift::Prefixed
        } else {
            Lift::Nested
        },
        at: rel.place(),
    };
    Ok(Selected {
        what: SelectedWhat::Embed(embed),
        alias: alias(&object)?,
    })
}

fn alias(object: &Object<'_>) -> Result<Option<String>, SyntaxError> {
    object.get("as").map(|node| node.text()).transpose()
}

/// `customer`, or `customer!hint`.
pub(super) fn relation(node: &Node<'_>) -> Result<RelationRef, SyntaxError> {
    let text = node.text()?;
    let mut reader = Text::new(node.pointer(), &text);
    let route = path::route(&mut reader, &[], |_| false)?;
    let mut relations = route.relations()?;
    if relations.len() > 1 || !reader.is_at_end() {
        return Err(node.expected("one relation; what it leads to stands in its include"));
    }
    Ok(relations.swap_remove(0))
}

/// A list of aggregates, or one; one that is a text is read as the URL's `aggregate` is.
pub(super) fn aggregates(node: &Node<'_>) -> Result<Vec<Selected>, SyntaxError> {
    let mut items = Vec::new();
    for node in node.one_or_several()? {
        if node.kind() == Kind::Text {
            let text = node.text()?;
            items.extend(select::aggregates(&mut Text::new(node.pointer(), &text))?);
        } else {
            items.push(aggregate(&node)?);
        }
        if items.len() > crate::url::SELECTED_MAX {
            return Err(node.too_many("columns in one list", crate::url::SELECTED_MAX));
        }
    }
    Ok(items)
}

fn aggregate(node: &Node<'_>) -> Result<Selected, SyntaxError> {
    let object = node.object()?;
    object.only(AGGREGATE)?;
    let function = object.needed(
        "fn",
        "a function, as in {\"fn\":\"sum\",\"column\":\"total\"}",
    )?;
    let word = function.text()?;
    let Some(known) = AggregateFunction::from_spelling(&word) else {
        return Err(function.error(Problem::UnknownWord {
            word,
            known: FUNCTIONS,
        }));
    };
    let column = object.get("column");
    let column = match column {
        Some(column) => Some((column.text()?, column)).filter(|(text, _)| text != "*"),
        None => None,
    };
    if column.is_none() && known != AggregateFunction::Count {
        return Err(node
            .expected("a column that it is made of, as in {\"fn\":\"sum\",\"column\":\"total\"}"));
    }
    let of = column
        .map(|(text, node)| path_of(&node, &text))
        .transpose()?;
    Ok(Selected {
        what: SelectedWhat::Aggregate(Aggregate {
            function: known,
            of,
            cast: None,
            at: function.place(),
        }),
        alias: alias(&object)?,
    })
}
