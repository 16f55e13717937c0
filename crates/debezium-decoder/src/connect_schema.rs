//! Kafka Connect schemas as the JSON converter embeds them.

use std::collections::HashMap;

use serde::Deserialize;

/// One node of a Connect schema: a field, an element, or a whole record.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Node {
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub optional: bool,
    /// The semantic type, where there is one.
    pub name: Option<String>,
    #[serde(default)]
    pub parameters: HashMap<String, String>,
    pub field: Option<String>,
    #[serde(default)]
    pub fields: Vec<Node>,
    /// A struct none of whose scalars can say that it is null, as Protobuf writes them unless told otherwise.
    #[serde(skip)]
    pub has_no_nulls: bool,
    pub items: Option<Box<Node>>,
    pub keys: Option<Box<Node>>,
    pub values: Option<Box<Node>>,
}

impl Node {
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.fields
            .iter()
            .find(|field| field.field.as_deref() == Some(name))
    }

    /// The last part of the semantic type's name: `MicroTimestamp` of `io.debezium.time.MicroTimestamp`.
    pub fn short_name(&self) -> Option<&str> {
        self.name
            .as_deref()
            .and_then(|name| name.rsplit('.').next())
    }

    pub fn is_debezium_or_connect(&self) -> bool {
        let ours = |name: &str| {
            name.starts_with("io.debezium.") || name.starts_with("org.apache.kafka.connect.data.")
        };
        self.name.as_deref().is_some_and(ours)
    }

    /// False for a schema that nobody can read a struct by, as some handmade ones are.
    pub fn names_its_fields(&self) -> bool {
        let is_named = |field: &Self| field.field.is_some() && field.names_its_fields();
        self.fields.iter().all(is_named)
    }

    /// How many types it is made of, itself included.
    pub fn types(&self) -> usize {
        let parts = [&self.items, &self.keys, &self.values];
        let parts = parts.into_iter().flatten().map(|part| part.types());
        1 + self.fields.iter().map(Self::types).sum::<usize>() + parts.sum::<usize>()
    }

    pub fn number_parameter(&self, name: &str) -> Option<i64> {
        self.parameters.get(name)?.parse().ok()
    }
}
