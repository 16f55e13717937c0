//! `ROWTIDE__SECTION__KEY` variables: the layer between the file and the flags.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, KeyPath, Step};
use super::error::Origin;
use super::schema::Shape;

const PREFIX: &str = "ROWTIDE__";

/// The environment of this process, without what is not UTF-8 (no name of ours is).
pub fn of_process() -> BTreeMap<String, String> {
    let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(utf8).collect()
}

/// Lays every `ROWTIDE__` variable over the document. One that names no key stays a text under its
/// own name, so that the check for unknown keys finds it and can name the variable.
pub fn overlay(document: &mut Document, environment: &BTreeMap<String, String>) {
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let mut shape = Some(Shape::root());
        let mut path = KeyPath::default();
        for part in name.split("__") {
            if let Some(item) = shape.and_then(Shape::item)
                && let Ok(index) = part.parse()
            {
                path = path.index(index);
                shape = Some(item);
                continue;
            }
            let lower = part.to_lowercase();
            // Names of librdkafka's settings have dots, which names of variables cannot have.
            let of_librdkafka = path.0.last() == Some(&Step::Key("kafka".to_owned()));
            let key = if shape.is_some_and(Shape::is_map) && of_librdkafka {
                lower.replace('_', ".")
            } else {
                lower
            };
            path = path.key(&key);
            shape = shape.and_then(|shape| shape.key(&key));
        }
        document.set(
            &path,
            typed(value, shape),
            Origin::Environment(variable.clone()),
        );
    }
}

/// Variables are text; what a key needs is known, so no text has to be guessed at.
fn typed(value: &str, shape: Option<Shape>) -> Value {
    match shape.and_then(Shape::type_name) {
        Some("boolean") => value.parse().map_or_else(|_| value.into(), Value::Bool),
        Some("array") if value.trim().is_empty() => Value::Array(Vec::new()),
        Some("array") => value
            .split(',')
            .map(|item| Value::from(item.trim()))
            .collect(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_reach_sections_lists_and_settings() {
        let mut document =
            Document::parse("r.toml", "[[sources]]\nname = 's'\nbrokers = 'b'").unwrap();
        let environment = [
            ("ROWTIDE__DATA_DIR", "/d"),
            ("ROWTIDE__SOURCES__0__TOPICS", "a.*, b"),
            ("ROWTIDE__SOURCES__0__FOLLOW", "true"),
            ("ROWTIDE__SOURCES__0__KAFKA__SASL_PASSWORD", "1234"),
            ("ROWTIDE__LISTEN__DATUM", "x"),
            ("ROWTIDE_URL", "http://elsewhere"),
        ];
        overlay(
            &mut document,
            &environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!(
            document.root(),
            &json!({
                "data_dir": "/d",
                "listen": {"datum": "x"},
                "sources": [{
                    "name": "s", "brokers": "b", "topics": ["a.*", "b"], "follow": true,
                    "kafka": {"sasl.password": "1234"},
                }],
            })
        );
        let found = super::super::check::check(&document)[0].to_string();
        let expected = "environment variable ROWTIDE__LISTEN__DATUM: unknown key `listen.datum`: did you mean `data`?";
        assert_eq!(found, expected);
    }
}
