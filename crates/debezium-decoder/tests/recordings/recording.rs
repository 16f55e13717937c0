//! Recorded events as the decoder gets them: one batch a partition, and the registry's schemas on a shelf.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use change_feed::{Header, RawBatch, RegisteredSchema, RegistryId, SchemaLanguage, SchemaShelf};
use flate2::read::GzDecoder;
use row_model::PartitionId;
use serde_json::Value;

pub(crate) struct Recording {
    /// In the order they were met. The batch is numbered by its partition of the topic.
    pub partitions: Vec<(String, RawBatch)>,
    pub shelf: Option<Arc<SchemaShelf>>,
}

/// The names of all scenarios.
pub(crate) fn corpus() -> Vec<String> {
    let mut names: Vec<String> = folder()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn exists(scenario: &str, stem: &str) -> bool {
    path(scenario, &format!("{stem}.jsonl")).is_some()
}

impl Recording {
    pub fn json(scenario: &str, stem: &str) -> Self {
        Self {
            partitions: partitions(scenario, stem),
            shelf: None,
        }
    }

    /// A recording in a format of the registry: `avro` or `proto`.
    pub fn registered(scenario: &str, format: &str) -> Self {
        let schemas = schemas_file(scenario, format);
        Self::with_schemas(scenario, &format!("events-{format}"), &schemas)
    }

    pub fn with_schemas(scenario: &str, stem: &str, schemas: &str) -> Self {
        Self {
            partitions: partitions(scenario, stem),
            shelf: Some(shelf(scenario, schemas)),
        }
    }
}

/// One scenario has a registry for each of its settings.
fn schemas_file(scenario: &str, format: &str) -> String {
    let registry = match format {
        _ if scenario != "J_avro_protobuf" => format,
        "avro-enhanced" => "j-avro-enh",
        "avro-recordname" => "j-avro-rn",
        "avro" => "j-avro",
        "proto" => "j-proto",
        "proto-optional" => "j-proto-opt",
        other => other,
    };
    format!("{registry}-schemas.json")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus")
}

fn path(scenario: &str, name: &str) -> Option<PathBuf> {
    let plain = folder().join(scenario).join(name);
    let packed = |ending| folder().join(scenario).join(format!("{name}.{ending}"));
    [plain, packed("gz"), packed("zst")]
        .into_iter()
        .find(|path| path.exists())
}

fn opened(scenario: &str, name: &str) -> Box<dyn BufRead> {
    let path = path(scenario, name).unwrap_or_else(|| panic!("no {name} in {scenario}"));
    let file = File::open(&path).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(BufReader::new(GzDecoder::new(file))),
        Some("zst") => Box::new(BufReader::new(zstd::Decoder::new(file).unwrap())),
        _ => Box::new(BufReader::new(file)),
    }
}

fn shelf(scenario: &str, name: &str) -> Arc<SchemaShelf> {
    let listed: Value = serde_json::from_reader(opened(scenario, name)).unwrap();
    let shelf = SchemaShelf::default();
    for schema in listed["schemas"].as_array().unwrap() {
        let registered = RegisteredSchema {
            language: match schema["schemaType"].as_str() {
                Some("PROTOBUF") => SchemaLanguage::Protobuf,
                _ => SchemaLanguage::Avro,
            },
            text: schema["schema"].as_str().unwrap().to_owned(),
            references: Vec::new(),
        };
        let id = RegistryId(schema["id"].as_u64().unwrap() as u32);
        shelf.put(id, Ok(registered));
    }
    Arc::new(shelf)
}

fn partitions(scenario: &str, stem: &str) -> Vec<(String, RawBatch)> {
    let mut partitions = Vec::new();
    let mut places = BTreeMap::new();
    for line in opened(scenario, &format!("{stem}.jsonl")).lines() {
        let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let topic = record["topic"].as_str().unwrap().to_owned();
        let partition = record["partition"].as_u64().unwrap() as u32;
        let place = *places.entry((topic.clone(), partition)).or_insert_with(|| {
            partitions.push((topic, RawBatch::new(PartitionId(partition))));
            partitions.len() - 1
        });
        push(&record, &mut partitions[place].1);
    }
    partitions
}

fn push(record: &Value, batch: &mut RawBatch) {
    let bytes = |record: &Value, name: &str| match &record[format!("{name}_b64").as_str()] {
        Value::String(base64) => Some(STANDARD.decode(base64).unwrap()),
        _ => record[name].as_str().map(|text| text.as_bytes().to_vec()),
    };
    let headers: Vec<(String, Option<Vec<u8>>)> = record["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|header| {
            let name = header["key"].as_str().unwrap().to_owned();
            (name, bytes(header, "value"))
        })
        .collect();
    batch.push(
        record["offset"].as_u64().unwrap(),
        record["timestamp"].as_i64(),
        bytes(record, "key").as_deref(),
        bytes(record, "value").as_deref(),
        headers.iter().map(|(name, value)| Header {
            name,
            value: value.as_deref(),
        }),
    );
}
