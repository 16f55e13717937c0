//! The decoder: one record after another, each to a change, a failure, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use change_feed::{Decoded, Decoder, RawBatch, SchemaShelf, TopicContext};
use row_model::{ChangeBatch, PartitionId, RowBuilder, SchemaCatalog};

use crate::Placeholder;
use crate::columns::ColumnRules;
use crate::decoding::Decoding;
use crate::formats::TopicFormats;
use crate::key::KeyShape;
use crate::registry::Registered;
use crate::topic::{Reading, TopicState};

/// Decodes the records of Debezium's connectors: JSON with and without embedded schemas, and the formats of a schema registry.
#[derive(Debug)]
pub struct DebeziumDecoder {
    catalog: Arc<SchemaCatalog>,
    placeholder: Placeholder,
    /// Key columns of topics whose records carry no key.
    declared_keys: HashMap<String, Arc<KeyShape>>,
    /// What config says of the columns of some topics.
    rules: HashMap<String, Arc<ColumnRules>>,
    formats: TopicFormats,
    topics: HashMap<String, TopicState>,
    /// The raw key of the record before, where that was a delete: the tombstone after it is part of it.
    last_deletes: HashMap<PartitionId, Vec<u8>>,
    builder: RowBuilder,
    scratch: Vec<u8>,
    registered: Registered,
    reading_key: Reading,
    reading_value: Reading,
}

impl DebeziumDecoder {
    /// A decoder that numbers schemas together with all others of the same catalog.
    #[must_use]
    pub fn new(catalog: Arc<SchemaCatalog>, placeholder: Placeholder) -> Self {
        Self {
            catalog,
            placeholder,
            declared_keys: HashMap::new(),
            rules: HashMap::new(),
            formats: TopicFormats::default(),
            topics: HashMap::new(),
            last_deletes: HashMap::new(),
            builder: RowBuilder::default(),
            scratch: Vec::new(),
            registered: Registered::default(),
            reading_key: Reading::default(),
            reading_value: Reading::default(),
        }
    }
}

impl DebeziumDecoder {
    /// Takes the key of a topic's records from these columns of the row, where a record carries no key.
    #[must_use]
    pub fn with_declared_key(mut self, topic: &str, columns: &[String]) -> Self {
        let shape = KeyShape {
            names: columns.to_vec(),
            typed: false,
            bare: false,
        };
        self.declared_keys.insert(topic.to_owned(), Arc::new(shape));
        self
    }

    /// Drops, hashes and types columns of a topic. Everybody who decodes it shares one set of rules.
    #[must_use]
    pub fn with_columns(mut self, topic: &str, rules: Arc<ColumnRules>) -> Self {
        self.rules.insert(topic.to_owned(), rules);
        self
    }

    /// Takes the formats of some topics' records as given.
    #[must_use]
    pub fn with_formats(mut self, formats: TopicFormats) -> Self {
        self.formats = formats;
        self
    }
}

impl DebeziumDecoder {
    /// Reads the formats of a schema registry, by the schemas on this shelf.
    #[must_use]
    pub fn with_schemas(mut self, shelf: Arc<SchemaShelf>) -> Self {
        self.registered = Registered::new(shelf);
        self
    }
}

impl Decoder for DebeziumDecoder {
    fn decode(
        &mut self,
        context: TopicContext<'_>,
        batch: &RawBatch,
        from: usize,
        out: &mut ChangeBatch,
    ) -> Decoded {
        if !self.topics.contains_key(context.topic) {
            let history = self.catalog.history(context.topic);
            let mut state = TopicState::new(context.topic, history);
            if let Some(rules) = self.rules.get(context.topic) {
                state.rules = Arc::clone(rules);
            }
            let formats = self.formats.of(context.topic);
            state.key_schema.format = formats.key;
            state.value_schema.format = formats.value;
            self.topics.insert(context.topic.to_owned(), state);
        }
        let Some(topic) = self.topics.get_mut(context.topic) else {
            return Decoded::All;
        };
        let last_delete = self.last_deletes.entry(batch.partition).or_default();
        let mut decoding = Decoding {
            topic,
            placeholder: &self.placeholder,
            declared_key: self.declared_keys.get(context.topic),
            builder: &mut self.builder,
            scratch: &mut self.scratch,
            registered: &mut self.registered,
            reading_key: &mut self.reading_key,
            reading_value: &mut self.reading_value,
            out,
        };
        let mut decoded = Decoded::All;
        for (at, record) in batch.iter().enumerate().skip(from) {
            if let Err(schema) = decoding.record(&record, last_delete) {
                decoded = Decoded::Needs { schema, from: at };
                break;
            }
        }
        out.schemas = Some(Arc::clone(&topic.history));
        out.format = topic.format;
        out.notes = topic.notes();
        decoded
    }
}
