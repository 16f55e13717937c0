//! The recorded scenarios in `corpus/`: what the source database did, in each recording of it, and
//! what it held afterwards.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;

use crate::exact::Exact;
use crate::records::{self, Record};
use crate::spelling::Spellings;

/// A converter that the same run was recorded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// JSON without schemas.
    Schemaless,
    /// JSON with the schema embedded in every record.
    WithSchemas,
}

impl Recording {
    pub const ALL: [Self; 2] = [Self::Schemaless, Self::WithSchemas];

    const fn file_name(self) -> &'static str {
        match self {
            Self::Schemaless => "events.jsonl",
            Self::WithSchemas => "events-schema.jsonl",
        }
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
}

/// A cell whose truth was lost before it reached the consumer.
#[derive(Clone, Debug)]
pub struct Deviation {
    /// The row's key, spelled as in `rows`.
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        ensure!(folder.is_dir(), "no scenario {name} in the corpus");
        Ok(Self {
            name: name.to_owned(),
            folder,
        })
    }

    /// The records, in the order in which they were written; `None` if this recording was not made.
    pub fn records(&self, recording: Recording) -> anyhow::Result<Option<Vec<Record>>> {
        let path = self.gzipped(recording.file_name());
        path.exists().then(|| records::read(&path)).transpose()
    }

    /// How the values of this recording come back.
    pub fn spellings(&self, recording: Recording, records: &[Record]) -> anyhow::Result<Spellings> {
        match recording {
            Recording::Schemaless => Ok(Spellings::default()),
            Recording::WithSchemas => Ok(Spellings::learn(records)?),
        }
    }

    /// The tables of the database after the run.
    pub fn expected(&self, recording: Recording) -> anyhow::Result<Vec<ExpectedTable>> {
        let path = self.gzipped("expected.json");
        let mut text = String::new();
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        GzDecoder::new(file).read_to_string(&mut text)?;
        let expected = Exact::parse(&text)?;
        let deviations = expected
            .get("deviations")
            .get(recording.file_name())
            .as_list()
            .unwrap_or_default();
        let tables = expected
            .get("tables")
            .as_object()
            .context("expected.json has no tables")?;
        tables
            .iter()
            .map(|(name, table)| expected_table(name, table, deviations))
            .collect()
    }

    fn gzipped(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.gz"))
    }
}

fn expected_table(
    name: &str,
    table: &Exact,
    deviations: &[Exact],
) -> anyhow::Result<ExpectedTable> {
    let of_table = deviations
        .iter()
        .filter(|deviation| deviation.get("table").as_text() == Some(name));
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
        deviations: of_table
            .map(deviation)
            .collect::<Option<_>>()
            .with_context(|| format!("deviations of {name}"))?,
    })
}
