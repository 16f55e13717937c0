//! The recorded scenarios in `corpus/`: what the source database did, in each recording of it, and
//! what it held afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::exact::Exact;
use crate::records::{self, Record};
use crate::registry::Schemas;
use crate::spelling::{Spellings, Wire};

/// A set of converters that a run was recorded with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    /// JSON without schemas.
    Schemaless,
    /// JSON with the schema embedded in every record.
    WithSchemas,
    /// Any other, by the name of its file without `.jsonl`.
    Other(String),
}

impl Recording {
    pub const ALL: [Self; 2] = [Self::Schemaless, Self::WithSchemas];

    fn named(stem: &str) -> Self {
        match stem {
            "events" => Self::Schemaless,
            "events-schema" => Self::WithSchemas,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name of its file, without `.jsonl`.
    pub fn stem(&self) -> &str {
        match self {
            Self::Schemaless => "events",
            Self::WithSchemas => "events-schema",
            Self::Other(stem) => stem,
        }
    }

    /// How its values come back.
    pub fn wire(&self) -> Wire {
        match self.stem() {
            "events-numeric-nonullrepl" => Wire::UntypedNumbers,
            "events-proto" => Wire::ProtobufZeros,
            "events-proto-optional" => Wire::Protobuf,
            "events-avro-enhanced" => Wire::TypedByAvro,
            stem if stem.contains("schema")
                || stem.contains("avro")
                || stem.contains("jsonheaders") =>
            {
                Wire::Typed
            }
            _ => Wire::Untyped,
        }
    }

    /// Whether explicit nulls were recorded as nulls, not as the column's default.
    fn keeps_nulls(&self) -> bool {
        self.stem() == "events-numeric-nonullrepl"
    }
}

/// What one table must hold after the whole recording.
#[derive(Clone, Debug)]
pub struct ExpectedTable {
    pub name: String,
    pub topic: String,
    /// `None` for a table without a key: its rows are a multiset.
    pub key: Option<Vec<String>>,
    /// The database's own rows, each cell spelled as Debezium writes it without schemas.
    pub rows: Vec<Exact>,
    pub deviations: Vec<Deviation>,
    /// Columns that a transformation of the connector adds: they may be there, with any value.
    pub added_columns: Vec<String>,
}

/// A cell whose truth was lost before it reached the consumer.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// The row's key, spelled as in `rows`; in a table without a key, the whole row.
    pub key: Vec<Exact>,
    /// `*` for the whole row.
    pub column: String,
    /// What the recording says instead: a value, `(field absent)`, `row absent` or `row present`.
    pub sent: Exact,
}

/// One folder of `corpus/`.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    folder: PathBuf,
}

impl Scenario {
    pub fn open(name: &str) -> anyhow::Result<Self> {
        let folder = corpus().join(name);
        ensure!(folder.is_dir(), "no scenario {name} in the corpus");
        Ok(Self {
            name: name.to_owned(),
            folder,
        })
    }

    /// Every folder of the corpus, by name.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let mut scenarios = Vec::new();
        for entry in fs::read_dir(corpus())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                scenarios.push(Self {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    folder: entry.path(),
                });
            }
        }
        scenarios.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(scenarios)
    }

    /// Every recording that was made of it.
    pub fn recordings(&self) -> anyhow::Result<Vec<Recording>> {
        let mut recordings = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            recordings.extend(
                name.split_once(".jsonl.")
                    .map(|(stem, _)| Recording::named(stem)),
            );
        }
        recordings.sort();
        Ok(recordings)
    }

    /// The records, in the order in which they were written; `None` if this recording was not made.
    pub fn records(&self, recording: &Recording) -> anyhow::Result<Option<Vec<Record>>> {
        self.file(&format!("{}.jsonl", recording.stem()))
            .map(|path| records::read(&path))
            .transpose()
    }

    /// The schemas that a registry must know for this recording to be read; `None` if it needs none.
    pub fn registry(&self, recording: &Recording) -> anyhow::Result<Option<Schemas>> {
        let file = match (self.name.as_str(), recording.stem()) {
            ("J_avro_protobuf", "events-avro") => "j-avro-schemas.json",
            ("J_avro_protobuf", "events-avro-enhanced") => "j-avro-enh-schemas.json",
            ("J_avro_protobuf", "events-avro-recordname") => "j-avro-rn-schemas.json",
            ("J_avro_protobuf", "events-proto") => "j-proto-schemas.json",
            ("J_avro_protobuf", "events-proto-optional") => "j-proto-opt-schemas.json",
            ("I_cloudevents", "events-avro-avrodata") => "ce-avro-schemas.json",
            ("I_cloudevents", "events-json-avrodata") => "ce-avrodata-schemas.json",
            (_, stem) if stem.contains("avro") => "avro-schemas.json",
            (_, stem) if stem.contains("proto") => "proto-schemas.json",
            _ => return Ok(None),
        };
        let text = self.text(file)?;
        serde_json::from_str(&text)
            .with_context(|| format!("{}/{file}", self.name))
            .map(Some)
    }

    /// How the values of this recording come back.
    pub fn spellings(&self, recording: &Recording) -> anyhow::Result<Spellings> {
        let wire = recording.wire();
        if wire == Wire::Untyped {
            return Ok(Spellings::default());
        }
        match self.records(&Recording::WithSchemas)? {
            Some(records) if wire != Wire::TypedByAvro => Ok(Spellings::learn(&records, wire)?),
            _ => Ok(self
                .registry(recording)?
                .map_or_else(Spellings::default, |schemas| {
                    Spellings::learn_avro(&schemas)
                })),
        }
    }

    /// The tables of the database after the run; `None` if that was not recorded.
    pub fn expected(
        &self,
        recording: &Recording,
        spellings: &Spellings,
    ) -> anyhow::Result<Option<Vec<ExpectedTable>>> {
        let own = format!("{}.expected.json", recording.stem());
        if self.file(&own).is_some() {
            let table = Exact::parse(&self.text(&own)?)?;
            let topic = table.get("topic").as_text().unwrap_or_default().to_owned();
            return Ok(Some(vec![expected_table(&topic, &table, Vec::new())?]));
        }
        if self.file("expected.json").is_none() || self.is_documented() {
            return Ok(None);
        }
        let expected = Exact::parse(&self.text("expected.json")?)?;
        let tables = expected
            .get("tables")
            .as_object()
            .context("expected.json has no tables")?;
        if tables
            .values()
            .any(|table| table.get("rows").as_list().is_none())
        {
            return Ok(None);
        }
        let all = expected.get("deviations");
        let of_format = match recording.wire() {
            Wire::Untyped | Wire::UntypedNumbers => "events.jsonl",
            Wire::Typed | Wire::TypedByAvro | Wire::Protobuf | Wire::ProtobufZeros => {
                "events-schema.jsonl"
            }
        };
        let told = all.get(of_format).as_list().unwrap_or_default();
        let table = |(name, table): (&String, &Exact)| {
            let topic = table.get("topic").as_text().unwrap_or_default();
            // The default stood in for a null that this recording has as null.
            let is_undone = |told: &Exact| {
                let column = told.get("column").as_text().unwrap_or_default();
                recording.keeps_nulls()
                    && *told.get("truth") == Exact::Null
                    && spellings.has_default(topic, column)
            };
            let of_table = told
                .iter()
                .filter(|told| told.get("table").as_text() == Some(name) && !is_undone(told));
            expected_table(name, table, of_table.collect())
        };
        tables
            .iter()
            .map(table)
            .collect::<anyhow::Result<_>>()
            .map(Some)
    }

    /// Whether its recordings are samples of a manual, each of another source.
    pub fn is_documented(&self) -> bool {
        self.name == "X_documented"
    }

    fn text(&self, name: &str) -> anyhow::Result<String> {
        let path = self
            .file(name)
            .with_context(|| format!("{} has no {name}", self.name))?;
        Ok(std::io::read_to_string(records::decompressed(&path)?)?)
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        ["gz", "zst"]
            .map(|kind| self.folder.join(format!("{name}.{kind}")))
            .into_iter()
            .find(|path| path.exists())
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn expected_table(
    name: &str,
    table: &Exact,
    deviations: Vec<&Exact>,
) -> anyhow::Result<ExpectedTable> {
    let deviation = |told: &Exact| {
        Some(Deviation {
            key: told.get("key").as_list()?.to_vec(),
            column: told.get("column").as_text()?.to_owned(),
            sent: told.get("events").clone(),
        })
    };
    let columns = |key: &[Exact]| {
        key.iter()
            .filter_map(Exact::as_text)
            .map(str::to_owned)
            .collect()
    };
    Ok(ExpectedTable {
        name: name.to_owned(),
        topic: table
            .get("topic")
            .as_text()
            .with_context(|| format!("{name} has no topic"))?
            .to_owned(),
        key: table
            .get("key")
            .as_list()
            .filter(|key| !key.is_empty())
            .map(columns),
        rows: table
            .get("rows")
            .as_list()
            .with_context(|| format!("{name} has no rows"))?
            .to_vec(),
        deviations: deviations
            .into_iter()
            .map(deviation)
            .collect::<Option<_>>()
            .with_context(|| format!("deviations of {name}"))?,
        added_columns: Vec::new(),
    })
}
