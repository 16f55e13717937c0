//! The JSON Schema of the configuration, and questions about it.
//!
//! It is made from the raw structs, and everything that has to know the keys asks it: the check for
//! unknown keys, the reading of environment variables, `rowtide config-schema` and the reference.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::raw::RawConfig;

static ROOT: LazyLock<Value> = LazyLock::new(|| {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings
        .into_generator()
        .into_root_schema_for::<RawConfig>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema["title"] = "rowtide.toml".into();
    schema
});

/// The schema as `rowtide config-schema` prints it.
pub fn json_schema() -> &'static Value {
    &ROOT
}

/// The part of the schema that describes one setting.
#[derive(Clone, Copy, Debug)]
pub struct Shape(pub &'static Value);

impl Shape {
    pub fn root() -> Self {
        Self(&ROOT)
    }

    /// Every key that is declared here, with what it holds.
    pub fn keys(self) -> impl Iterator<Item = (&'static str, Self)> {
        let properties = self.0["properties"].as_object();
        properties
            .into_iter()
            .flatten()
            .map(|(key, shape)| (key.as_str(), Self(shape)))
    }

    pub fn key(self, key: &str) -> Option<Self> {
        let declared = self.0["properties"].get(key);
        declared.or_else(|| self.any_key()).map(Self)
    }

    /// Keys are free here, as in librdkafka's settings.
    pub fn is_map(self) -> bool {
        self.any_key().is_some()
    }

    /// What a list holds.
    pub fn item(self) -> Option<Self> {
        self.0.get("items").map(Self)
    }

    /// The words a setting is restricted to.
    pub fn words(self) -> Vec<&'static str> {
        let words = self.0["enum"].as_array();
        words
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// What a setting without a type of its own may be.
    pub fn choices(self) -> impl Iterator<Item = Self> {
        let choices = self.0["anyOf"].as_array();
        choices.into_iter().flatten().map(Self)
    }

    /// `"string"`, `"boolean"`, `"array"`, … A setting that may be one of several has none.
    pub fn type_name(self) -> Option<&'static str> {
        self.0["type"].as_str()
    }

    #[cfg(test)]
    pub fn description(self) -> &'static str {
        self.0["description"].as_str().unwrap_or_default()
    }

    fn any_key(self) -> Option<&'static Value> {
        self.0
            .get("additionalProperties")
            .filter(|shape| shape.is_object())
    }
}

/// TOML has no null: an optional key is one that may be left out and nothing else. An empty default
/// is none, and the line ends of doc comments mean nothing.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if entries
                .get("default")
                .is_some_and(|value| value.is_null() || *value == json!([]) || *value == json!({}))
            {
                entries.remove("default");
            }
            if let Some(Value::String(text)) = entries.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            if let Some(Value::Array(types)) = entries.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    entries.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(words)) = entries.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            let null = json!({"type": "null"});
            if let Some(Value::Array(choices)) = entries.get_mut("anyOf")
                && choices.contains(&null)
            {
                choices.retain(|choice| *choice != null);
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    entries.remove("anyOf");
                    for (key, value) in only {
                        entries.entry(key).or_insert(value);
                    }
                }
            }
            entries.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_the_way_they_are_written() {
        let source = Shape::root().key("sources").and_then(Shape::item).unwrap();
        assert_eq!(
            source.key("topics").and_then(Shape::type_name),
            Some("array")
        );
        assert_eq!(
            source.key("kind").map(Shape::words),
            Some(vec!["kafka", "file"])
        );
        assert!(
            source
                .key("kafka")
                .unwrap()
                .key("security.protocol")
                .is_some()
        );
        assert!(source.key("broker").is_none());
        let text = json_schema().to_string();
        assert!(!text.contains("null") && !text.contains("$ref"), "{text}");
    }
}
