//! The decoder: one record after another, each to a change, a failure, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use change_feed::{Decoded, Decoder, RawBatch, SchemaShelf, TopicContext};
use row_model::{ChangeBatch, PartitionId, RowBuilder, SchemaCatalog};

use crate::Placeholder;
use crate::decoding::Decoding;
use crate::key::KeyShape;
use crate::topic::TopicState;

/// Decodes the JSON of Debezium's connectors, with and without embedded schemas.
#[derive(Debug)]
pub struct DebeziumDecoder {
    catalog: Arc<SchemaCatalog>,
    placeholder: Placeholder,
    /// Key columns of topics whose records carry no key.
    declared_keys: HashMap<String, Arc<KeyShape>>,
    topics: HashMap<String, TopicState>,
    /// The raw key of the record before, where that was a delete: the tombstone after it is part of it.
    last_deletes: HashMap<PartitionId, Vec<u8>>,
    /// Where the schemas are that records name and do not carry.
    schemas: Option<Arc<SchemaShelf>>,
    builder: RowBuilder,
    scratch: Vec<u8>,
}

impl DebeziumDecoder {
    /// A decoder that numbers schemas together with all others of the same catalog.
    #[must_use]
    pub fn new(catalog: Arc<SchemaCatalog>, placeholder: Placeholder) -> Self {
        Self {
            catalog,
            placeholder,
            declared_keys: HashMap::new(),
            topics: HashMap::new(),
            last_deletes: HashMap::new(),
            schemas: None,
            builder: RowBuilder::default(),
            scratch: Vec::new(),
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

    /// Looks schemas up here that records name by their number in a registry.
    #[must_use]
    pub fn with_schemas(mut self, shelf: Arc<SchemaShelf>) -> Self {
        self.schemas = Some(shelf);
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
            self.topics.insert(
                context.topic.to_owned(),
                TopicState::new(context.topic, history),
            );
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
            out,
        };
        for record in batch.iter().skip(from) {
            decoding.record(&record, last_delete);
        }
        out.schemas = Some(Arc::clone(&topic.history));
        out.format = topic.format;
        Decoded::All
    }
}
