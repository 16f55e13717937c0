//! Writes `docs/reference/config.md` from what it describes.
//!
//! `UPDATE_EXPECT=1 cargo test -p config reference` writes it; without the variable the test
//! fails when it is not up to date.

use std::fmt::Write;

use expect_test::expect_file;
use serde_json::Value;

use super::schema::Shape;

const GENERATED: &str =
    "<!-- Written by `UPDATE_EXPECT=1 cargo test -p config reference`. Do not edit. -->\n";

#[test]
fn configuration_reference_is_up_to_date() {
    expect_file!["../../../docs/reference/config.md"].assert_eq(&configuration());
}

fn configuration() -> String {
    let root = Shape::root();
    let mut out = format!("# Configuration\n\n{GENERATED}\n{}\n", root.description());
    out += "\n`rowtide init` prints a configuration to start from, `rowtide check` says what one means, and ";
    out += "`rowtide config-schema` prints the JSON Schema that this page is made from.\n";
    section(&mut out, "Top level", root);
    sections(&mut out, "", root);
    out
}

/// One part of the page for each section in a section, and for those in them.
fn sections(out: &mut String, around: &str, shape: Shape) {
    for (key, shape) in shape.keys() {
        let name = format!("{around}{key}");
        let (title, inner) = match shape.item() {
            Some(item) => (format!("[[{name}]]"), item),
            None => (format!("[{name}]"), shape),
        };
        if inner.keys().next().is_none() {
            continue;
        }
        let _ = write!(out, "\n{}\n", heading(&title, shape.description()));
        rows(out, inner);
        sections(out, &format!("{name}."), inner);
    }
}

fn section(out: &mut String, title: &str, shape: Shape) {
    let _ = write!(out, "\n## {title}\n\n");
    rows(out, shape);
}

fn heading(title: &str, description: &str) -> String {
    match description {
        "" => format!("## `{title}`\n"),
        description => format!("## `{title}`\n\n{description}\n"),
    }
}

fn rows(out: &mut String, shape: Shape) {
    out.push_str("| Key | Type | Default | |\n|---|---|---|---|\n");
    for (key, shape) in shape.keys() {
        let is_section = shape.keys().next().is_some();
        if is_section
            || shape
                .item()
                .is_some_and(|item| item.keys().next().is_some())
        {
            continue;
        }
        let default = shape
            .0
            .get("default")
            .map_or(String::new(), |value| format!("`{value}`"));
        let description = shape.description().replace('|', "\\|");
        let example = shape.0["examples"].get(0).map_or(String::new(), |value| {
            format!(" Example: `{}`.", as_toml(value))
        });
        let _ = writeln!(
            out,
            "| `{key}` | {} | {default} | {description}{example} |",
            type_name(shape)
        );
    }
}

fn type_name(shape: Shape) -> String {
    let words = shape.words();
    if !words.is_empty() {
        return words
            .iter()
            .map(|word| format!("`\"{word}\"`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match shape.type_name() {
        Some("string") => "text",
        Some("boolean") => "true or false",
        Some("array") if shape.item().is_some_and(|item| item.type_name().is_none()) => {
            "list of lists of texts"
        }
        Some("array") => "list of texts",
        Some("object") => "section",
        None if shape
            .choices()
            .any(|choice| choice.type_name() == Some("array")) =>
        {
            "text or list of texts"
        }
        other => panic!("the reference has no word for {other:?}"),
    }
    .to_owned()
}

fn as_toml(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("\"{key}\" = {value}"));
            entries.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}
