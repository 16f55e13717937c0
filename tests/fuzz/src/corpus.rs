//! The recorded events of `tests/corpus`, and the schemas that were registered for them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use change_feed::{RegisteredSchema, SchemaLanguage};
use serde_json::Value;

/// Below this number are the schemas of the input itself.
pub const FIRST_ID: u32 = 256;

pub struct RecordedRecord {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A schema of a recording: which folder and file, the number it has there, and itself.
struct Recorded {
    file: PathBuf,
    id: u32,
    schema: RegisteredSchema,
}

static SCHEMAS: LazyLock<Vec<Recorded>> =
    LazyLock::new(|| schemas().unwrap_or_else(|error| panic!("the recorded schemas: {error}")));

/// Any number has a schema of this language, if any was recorded.
pub fn schema(language: SchemaLanguage, id: u32) -> Option<RegisteredSchema> {
    let of_language = |recorded: &&Recorded| recorded.schema.language == language;
    let count = SCHEMAS.iter().filter(of_language).count();
    let place = (id.wrapping_sub(FIRST_ID) as usize).checked_rem(count)?;
    let recorded = SCHEMAS.iter().filter(of_language).nth(place)?;
    Some(recorded.schema.clone())
}

/// The number by which [`schema`] answers the schema of this recorded number of this file.
pub fn id_of(file: &Path, id: u32, language: SchemaLanguage) -> Option<u32> {
    let mut of_language = SCHEMAS
        .iter()
        .filter(|recorded| recorded.schema.language == language);
    let place = of_language.position(|recorded| recorded.file == file && recorded.id == id)?;
    Some(FIRST_ID + place as u32)
}

/// The files of all recordings whose names begin so, in order.
pub fn files(matches: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let mut found = Vec::new();
    for scenario in fs::read_dir(folder)? {
        let scenario = scenario?.path();
        if scenario.is_dir() {
            for file in fs::read_dir(scenario)? {
                let file = file?;
                if matches(&file.file_name().to_string_lossy()) {
                    found.push(file.path());
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

pub fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    let input = File::open(file)?;
    let extension = file.extension().and_then(|extension| extension.to_str());
    let plain: Box<dyn Read> = match extension {
        Some("gz") => Box::new(flate2::read::GzDecoder::new(input)),
        Some("zst") => Box::new(zstd::Decoder::new(input)?),
        _ => Box::new(input),
    };
    Ok(Box::new(BufReader::new(plain)))
}

/// A line of a recording; `None` for what is no record.
pub fn record(line: &str) -> Option<RecordedRecord> {
    let record: Value = serde_json::from_str(line).ok()?;
    let bytes = |of: &Value, name: &str| match &of[format!("{name}_b64").as_str()] {
        Value::String(base64) => STANDARD.decode(base64).ok(),
        _ => of[name].as_str().map(|text| text.as_bytes().to_vec()),
    };
    let headers = record["headers"].as_array().into_iter().flatten();
    let headers = headers.map(|header| {
        let name = header["key"].as_str().unwrap_or_default();
        (name.to_owned(), bytes(header, "value"))
    });
    Some(RecordedRecord {
        topic: record["topic"].as_str()?.to_owned(),
        key: bytes(&record, "key"),
        value: bytes(&record, "value"),
        headers: headers.collect(),
    })
}

fn schemas() -> io::Result<Vec<Recorded>> {
    let mut schemas = Vec::new();
    for file in files(|name| name.contains("schemas.json"))? {
        let listed: Value = serde_json::from_reader(open(&file)?)?;
        for schema in listed["schemas"].as_array().into_iter().flatten() {
            let language = match schema["schemaType"].as_str() {
                Some("PROTOBUF") => SchemaLanguage::Protobuf,
                _ => SchemaLanguage::Avro,
            };
            let (Some(id), Some(text)) = (schema["id"].as_u64(), schema["schema"].as_str()) else {
                continue;
            };
            schemas.push(Recorded {
                file: file.clone(),
                id: id as u32,
                schema: RegisteredSchema {
                    language,
                    text: text.to_owned(),
                    references: Vec::new(),
                },
            });
        }
    }
    Ok(schemas)
}
