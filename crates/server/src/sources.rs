//! Opens the configured sources with all that reading them takes: once to be followed, and again, for one
//! topic, whenever a table is read from the log's start beside the one that is served.

use std::sync::Arc;

use change_feed::{Decoder, SchemaShelf};
use config::{Config, Reads, SourceConfig, TableConfig};
use debezium_decoder::{ColumnRules, DebeziumDecoder};
use ingest::{RegistryPatience, RegistrySetup, SourceSetup};
use registry_client::HttpRegistry;
use row_model::SchemaCatalog;

use crate::failure::Failure;
use crate::preparation;
use crate::source;

/// What config says of sources, and the catalog that all their decoders share.
pub struct Sources {
    followed: Vec<SourceConfig>,
    tables: Vec<TableConfig>,
    rules: Vec<(String, Arc<ColumnRules>)>,
    catalog: Arc<SchemaCatalog>,
}

impl Sources {
    pub fn new(config: &Config, catalog: Arc<SchemaCatalog>) -> Self {
        Self {
            followed: config.sources.clone(),
            tables: config.tables.clone(),
            rules: preparation::rules(config),
            catalog,
        }
    }

    /// All of them, to be followed.
    pub fn open_all(&self) -> Result<Vec<SourceSetup>, Failure> {
        let sources = self.followed.iter();
        sources.map(|source| self.open(source, None)).collect()
    }

    /// One of them, to be read for one topic. In words, why it cannot be.
    pub fn open_one(&self, name: &str, topic: &str) -> Result<SourceSetup, String> {
        let mut sources = self.followed.iter();
        let source = sources
            .find(|source| source.name == name)
            .ok_or_else(|| format!("source {name} is not configured"))?;
        let opened = self.open(source, Some(topic));
        opened.map_err(|failure| failure.to_string())
    }

    fn open(&self, source: &SourceConfig, only: Option<&str>) -> Result<SourceSetup, Failure> {
        set_up(source, only, &self.tables, &self.rules, &self.catalog)
    }
}

fn set_up(
    config: &SourceConfig,
    only: Option<&str>,
    tables: &[TableConfig],
    rules: &[(String, Arc<ColumnRules>)],
    catalog: &Arc<SchemaCatalog>,
) -> Result<SourceSetup, Failure> {
    let (kind, ends) = match &config.reads {
        Reads::Kafka { .. } => ("kafka", false),
        Reads::File { follow, .. } => ("file", !follow),
    };
    let declared: Vec<(String, Vec<String>)> = tables
        .iter()
        .filter(|table| !table.key.is_empty())
        .map(|table| (table.topic.clone(), table.key.clone()))
        .collect();
    let (catalog, placeholder) = (Arc::clone(catalog), config.unavailable_value.clone());
    let shelf = Arc::new(SchemaShelf::default());
    let registry = open_registry(config, &shelf)?;
    let schemas = registry.is_some().then_some(shelf);
    let (rules, formats) = (rules.to_vec(), config.formats.clone());
    let decoder = move || -> Box<dyn Decoder> {
        let mut decoder = DebeziumDecoder::new(Arc::clone(&catalog), placeholder.clone())
            .with_formats(formats.clone());
        if let Some(schemas) = &schemas {
            decoder = decoder.with_schemas(Arc::clone(schemas));
        }
        let rule = |decoder: DebeziumDecoder, (topic, rules): &(String, Arc<ColumnRules>)| {
            decoder.with_columns(topic, Arc::clone(rules))
        };
        let decoder = rules.iter().fold(decoder, rule);
        let declare = |decoder: DebeziumDecoder, (topic, key): &(String, Vec<String>)| {
            decoder.with_declared_key(topic, key)
        };
        Box::new(declared.iter().fold(decoder, declare))
    };
    Ok(SourceSetup {
        name: config.name.clone(),
        kind,
        source: match only {
            Some(topic) => source::open_topic(config, topic)?,
            None => source::open(config)?,
        },
        decoder: Box::new(decoder),
        registry,
        heartbeat_table: config.heartbeat_table.clone(),
        on_bad_record: match config.on_bad_record {
            config::OnBadRecord::Quarantine => ingest::OnBadRecord::Quarantine,
            config::OnBadRecord::Halt => ingest::OnBadRecord::Halt,
        },
        ends,
    })
}

/// Whoever is to blame for options that cannot be used wrote them.
fn open_registry(
    config: &SourceConfig,
    shelf: &Arc<SchemaShelf>,
) -> Result<Option<RegistrySetup>, Failure> {
    let Some(options) = &config.registry else {
        return Ok(None);
    };
    let registry = HttpRegistry::new(options).map_err(|error| {
        Failure::Usage(format!(
            "schema registry of source {}: {error}",
            config.name
        ))
    })?;
    Ok(Some(RegistrySetup {
        registry: Box::new(registry),
        shelf: Arc::clone(shelf),
        patience: RegistryPatience::default(),
    }))
}
