//! A query in one line, as the tests of its spellings show it.

use std::fmt::Write;

use crate::tree::{Aggregate, ColumnPath, Embed, Lift, Ordered, Query, Selected, SelectedWhat};
use crate::url::{print_conditions, print_order};

/// The parts that say something, between spaces.
pub(crate) fn query(query: &Query) -> String {
    let mut parts = Vec::new();
    if let Some(items) = &query.select {
        let items: Vec<String> = items.iter().map(item).collect();
        parts.push(format!("[{}]", items.join(", ")));
    }
    if query.grouped {
        parts.push("grouped".to_owned());
    }
    for (word, conditions) in [("", &query.filter), ("having", &query.having)] {
        if !conditions.is_empty() {
            parts.push(format!("{word}{}", print_conditions(conditions)));
        }
    }
    if !query.order.is_empty() {
        parts.push(print_order(&query.order));
    }
    if let Some(limit) = query.limit {
        parts.push(format!("limit {limit}"));
    }
    if query.offset > 0 {
        parts.push(format!("offset {}", query.offset));
    }
    parts.join(" ")
}

fn item(item: &Selected) -> String {
    let what = match &item.what {
        SelectedWhat::Star => "*".to_owned(),
        SelectedWhat::Path(path) => column(path),
        SelectedWhat::Aggregate(aggregate) => aggregated(aggregate),
        SelectedWhat::Embed(embed) => embedded(embed),
    };
    match &item.alias {
        Some(alias) => format!("{what} as {alias}"),
        None => what,
    }
}

fn column(path: &ColumnPath) -> String {
    let ordered = Ordered {
        by: path.clone(),
        descending: false,
        nulls_first: false,
    };
    let printed = print_order(&[ordered]);
    printed.trim_end_matches(".asc.nullslast").to_owned()
}

fn aggregated(aggregate: &Aggregate) -> String {
    let of = aggregate.of.as_ref().map_or_else(String::new, column);
    let mut text = format!("{}({of})", aggregate.function.spelling());
    if let Some(cast) = &aggregate.cast {
        let _ = write!(text, "::{cast}");
    }
    text
}

fn embedded(embed: &Embed) -> String {
    let lift = match embed.lift {
        Lift::Nested => "",
        Lift::Spread => "spread ",
        Lift::Prefixed => "prefixed ",
    };
    let required = if embed.required { "required " } else { "" };
    let hint = embed.relation.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!("!{hint}"));
    format!(
        "{required}{lift}{}{hint}{{{}}}",
        embed.relation.name,
        query(&embed.query)
    )
}
