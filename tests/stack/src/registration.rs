//! What a connector is told when it is registered.

use serde_json::{Map, Value};

/// A connector's name and settings.
#[derive(Clone, Debug)]
pub struct Registration {
    pub(crate) name: String,
    pub(crate) settings: Map<String, Value>,
}

impl Registration {
    pub fn new(name: &str, settings: Map<String, Value>) -> Self {
        Self {
            name: name.to_owned(),
            settings,
        }
    }

    /// From a file of `connectors/`, in which `{name}` stands for what is given here.
    pub(crate) fn from_recipe(recipe: &str, name: &str, values: &[(&str, &str)]) -> Self {
        let mut text = recipe.replace("{name}", name);
        for (placeholder, value) in values {
            text = text.replace(&format!("{{{placeholder}}}"), value);
        }
        let settings = match serde_json::from_str(&text) {
            Ok(Value::Object(settings)) => settings,
            // The recipes are part of this crate.
            other => panic!("a recipe must be an object: {other:?}"),
        };
        Self::new(name, settings)
    }

    /// With one setting more, or another value of one.
    #[must_use]
    pub fn with(mut self, setting: &str, value: &str) -> Self {
        self.settings.insert(setting.to_owned(), value.into());
        self
    }

    /// Without a setting.
    #[must_use]
    pub fn without(mut self, setting: &str) -> Self {
        self.settings.remove(setting);
        self
    }

    /// With Avro records, whose schemas are in the registry at this address, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn in_avro(mut self, registry: &str) -> Self {
        let recipe = include_str!("../connectors/avro.json");
        let converters = Self::from_recipe(recipe, &self.name, &[("registry", registry)]);
        self.settings.extend(converters.settings);
        self
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.as_str()
    }
}
