//! The configuration as the rest of the program sees it: every value parsed, every default filled in,
//! every contradiction refused. A [`Config`] that exists can be acted on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use debezium_decoder::{HashKey, Placeholder, TopicFormats};
use ingest::{Keep, VersionsMax};
use query::relation::Relation;
use registry_client::RegistryOptions;
use table_store::IndexDefinition;

use super::columns::{self, ColumnsConfig};
use super::document::{Document, KeyPath};
use super::error::{ConfigError, ConfigErrors};
use super::indexes;
use super::keep::parse_keep;
use super::raw::{RawConfig, RawOnBadRecord, RawTable};
use super::relations::relations;
use super::sources;
use super::units::{ListenAddress, Unusable, parse_duration, parse_share, parse_size};

const DATA_DIR: &str = "rowtide-data";
const LISTEN_DATA: &str = "127.0.0.1:8080";
const LISTEN_ADMIN: &str = "127.0.0.1:9090";
const VERSIONS_MAX: &str = "10%";
const QUARANTINE_MAX: &str = "64MiB";
const CHECKPOINT_INTERVAL: &str = "1s";

/// Less holds no table worth serving.
const MEMORY_MIN: ByteSize = ByteSize::mib(16);
/// Less would not hold one large record with its reason.
const QUARANTINE_MIN: ByteSize = ByteSize::mib(1);
/// More often, and the disk does nothing but flush; less often, and a restart reads for minutes.
const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(10);
const CHECKPOINT_INTERVAL_MAX: Duration = Duration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub storage: Storage,
    pub listen: Listen,
    /// At least one; names are unique.
    pub sources: Vec<SourceConfig>,
    /// Names and topics are unique.
    pub tables: Vec<TableConfig>,
    /// Names are unique for each table they are followed from.
    pub relations: Vec<Relation>,
    /// `None`: no limit.
    pub memory_max_bytes: Option<u64>,
    pub versions_max: VersionsMax,
    pub quarantine_max_bytes: u64,
    pub checkpoint_interval: Duration,
    /// Given wherever a column is hashed.
    pub hash_key: Option<HashKey>,
}

/// Where checkpoints go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    Directory(PathBuf),
    /// Nowhere: a restart begins at the start of the log.
    Memory,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Always local: there is no authentication yet.
    pub data: ListenAddress,
    pub admin: ListenAddress,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    pub name: String,
    pub reads: Reads,
    /// `None`: recognised by its name.
    pub heartbeat_topic: Option<String>,
    /// `None`: recognised by its name.
    pub transaction_topic: Option<String>,
    pub transaction_wait: Duration,
    /// Read beside the topics, and among those that make no table.
    pub heartbeat_table: Option<String>,
    /// Where the schemas of its records are. Its `Debug` shows no secrets.
    pub registry: Option<RegistryOptions>,
    /// Topics whose records are read and make no table.
    pub unserved_topics: Vec<String>,
    pub on_bad_record: OnBadRecord,
    /// What stands in a record for a value that was not sent.
    pub unavailable_value: Placeholder,
    /// Formats that are given, not recognised.
    pub formats: TopicFormats,
}

/// What a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    Kafka {
        /// `host:port`, comma-separated.
        brokers: String,
        /// Names or globs, at least one.
        topics: Vec<String>,
        /// Settings for librdkafka. They may hold secrets: never print their values.
        settings: BTreeMap<String, String>,
    },
    File {
        /// A record file or a directory of them.
        path: PathBuf,
        follow: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBadRecord {
    Quarantine,
    Halt,
}

impl From<RawOnBadRecord> for OnBadRecord {
    fn from(raw: RawOnBadRecord) -> Self {
        match raw {
            RawOnBadRecord::Quarantine => Self::Quarantine,
            RawOnBadRecord::Halt => Self::Halt,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableConfig {
    /// `None`: found from the topic.
    pub name: Option<String>,
    pub topic: String,
    /// Empty: as the records have it.
    pub key: Vec<String>,
    pub columns: ColumnsConfig,
    /// `None`: every row.
    pub keep: Option<Keep>,
    pub indexes: Vec<IndexDefinition>,
}

/// Gives meaning to what was written, or says everything that is wrong with it.
pub fn validate(raw: RawConfig, document: &Document) -> Result<Config, ConfigErrors> {
    let mut findings = Findings {
        document,
        errors: Vec::new(),
    };
    let sources = sources::validate(raw.sources, &mut findings);
    let secret_given = raw.secrets.hash_key.is_some();
    let hash_key = columns::hash_key(raw.secrets.hash_key, &mut findings);
    let tables = tables(raw.tables, secret_given, &mut findings);
    let relations = relations(raw.relations, &tables, &mut findings);
    tables_that_are_served(&sources, &tables, &mut findings);
    let listen = Listen {
        data: findings.or_default("listen.data", raw.listen.data, LISTEN_DATA, data_address),
        admin: findings.or_default("listen.admin", raw.listen.admin, LISTEN_ADMIN, |text| {
            ListenAddress::parse(text)
        }),
    };
    let any_port = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(address) if address.port() == 0);
    if listen.data == listen.admin && !any_port(&listen.data) {
        let what = format!("`listen.data` and `listen.admin` are both {}", listen.data);
        findings.find(&path("listen"), what, "give each its own port or path");
    }
    let memory_max_bytes = raw.memory.max.map(|text| {
        findings.or_default("memory.max", Some(text), "1TiB", |text| {
            parse_size(text, MEMORY_MIN)
        })
    });
    let versions = raw.versions.max;
    let versions_max = findings.or_default("versions.max", versions, VERSIONS_MAX, parse_share);
    let quarantine_max_bytes = findings.or_default(
        "quarantine.max",
        raw.quarantine.max,
        QUARANTINE_MAX,
        |text| parse_size(text, QUARANTINE_MIN),
    );
    if let Some(memory) = memory_max_bytes.filter(|memory| *memory < quarantine_max_bytes) {
        let what = format!(
            "`quarantine.max` ({quarantine_max_bytes} bytes) is more than `memory.max` ({memory} bytes)"
        );
        findings.find(
            &path("memory.max"),
            what,
            "raise `memory.max` or set a smaller `quarantine.max`",
        );
    }
    let interval = raw.checkpoint.interval;
    let checkpoint_interval = findings.or_default(
        "checkpoint.interval",
        interval,
        CHECKPOINT_INTERVAL,
        |text| parse_duration(text, CHECKPOINT_INTERVAL_MIN, CHECKPOINT_INTERVAL_MAX),
    );
    let data_dir = data_dir(raw.data_dir, &mut findings);
    ConfigErrors::check(findings.errors)?;
    Ok(Config {
        storage: Storage::Directory(data_dir.into()),
        listen,
        sources,
        tables,
        relations,
        memory_max_bytes,
        versions_max,
        quarantine_max_bytes,
        checkpoint_interval,
        hash_key,
    })
}

fn data_dir(written: Option<String>, findings: &mut Findings<'_>) -> String {
    let data_dir = written.unwrap_or_else(|| DATA_DIR.to_owned());
    if data_dir.is_empty() {
        findings.find(
            &path("data_dir"),
            "`data_dir` is empty",
            "name a directory, or remove the key",
        );
    }
    data_dir
}

/// What was found wrong so far. Going on after a finding lets a person mend everything at once.
pub struct Findings<'a> {
    document: &'a Document,
    errors: Vec<ConfigError>,
}

impl Findings<'_> {
    pub fn find(&mut self, at: &KeyPath, what: impl Into<String>, help: impl Into<String>) {
        let origin = self.document.origin(at);
        self.errors.push(ConfigError {
            origin,
            what: what.into(),
            help: help.into(),
        });
    }

    /// The finding about a value: the key, then what the parser says of it.
    pub fn unusable(&mut self, at: &KeyPath, error: Unusable) {
        self.find(at, format!("`{at}`: {}", error.what), error.help);
    }

    /// What is written, or the default where nothing or nothing usable is.
    fn or_default<T>(
        &mut self,
        key: &str,
        text: Option<String>,
        default: &str,
        parse: impl Fn(&str) -> Result<T, Unusable>,
    ) -> T {
        if let Some(text) = text {
            match parse(&text) {
                Ok(value) => return value,
                Err(error) => self.unusable(&path(key), error),
            }
        }
        parse(default).unwrap_or_else(|error| panic!("default of {key}: {}", error.what))
    }
}

/// A key outside of any list, as it is written with dots.
pub fn path(dotted: &str) -> KeyPath {
    dotted
        .split('.')
        .fold(KeyPath::default(), |path, key| path.key(key))
}

fn data_address(text: &str) -> Result<ListenAddress, Unusable> {
    let address = ListenAddress::parse(text)?;
    if address.is_local() {
        return Ok(address);
    }
    Err(Unusable::new(
        format!(
            "{address} would show every table to whoever can reach this machine, because there is no authentication yet"
        ),
        "listen on \"127.0.0.1:8080\" or \"unix:/path\", and let others in through a proxy that authenticates",
    ))
}

/// A topic cannot be a table and be left out.
fn tables_that_are_served(
    sources: &[SourceConfig],
    tables: &[TableConfig],
    findings: &mut Findings<'_>,
) {
    for (index, table) in tables.iter().enumerate() {
        let unserved = |source: &&SourceConfig| source.unserved_topics.contains(&table.topic);
        if let Some(source) = sources.iter().find(unserved) {
            let what = format!(
                "the topic {} makes no table, because it is the signal table or the transaction topic of source {}",
                table.topic, source.name
            );
            let at = path("tables").index(index);
            findings.find(&at.key("topic"), what, "remove one of the two");
        }
    }
}

fn check_name(name: &str, names: &mut BTreeSet<String>, at: &KeyPath, findings: &mut Findings<'_>) {
    if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control()) {
        let what = format!("{name:?} cannot name a table");
        findings.find(at, what, "write a name without `/`");
    }
    if !names.insert(name.to_owned()) {
        let what = format!("two tables are called {name}");
        findings.find(at, what, "give each its own name");
    }
}

fn tables(raw: Vec<RawTable>, secret_given: bool, findings: &mut Findings<'_>) -> Vec<TableConfig> {
    let mut names = BTreeSet::new();
    let mut topics = BTreeSet::new();
    let mut tables = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let at = path("tables").index(index);
        let RawTable {
            name,
            topic,
            key,
            keep,
            indexes,
            columns,
        } = raw;
        let Some(topic) = topic else {
            findings.find(
                &at,
                format!("`{at}` has no topic"),
                "add topic = \"…\": the topic that this table is made from",
            );
            continue;
        };
        if !topics.insert(topic.clone()) {
            findings.find(
                &at.key("topic"),
                format!("two tables are made from the topic {topic}"),
                "join the two sections",
            );
        }
        if let Some(name) = &name {
            check_name(name, &mut names, &at.key("name"), findings);
        }
        let distinct: BTreeSet<&String> = key.iter().collect();
        if distinct.len() < key.len() || distinct.first().is_some_and(|first| first.is_empty()) {
            findings.find(
                &at.key("key"),
                format!("`{}` names a column twice or not at all", at.key("key")),
                "name each column of the key once, in order",
            );
        }
        let keep = keep.and_then(|text| {
            let kept = parse_keep(&text);
            kept.map_err(|error| findings.unusable(&at.key("keep"), error))
                .ok()
        });
        let indexes = indexes::indexes(indexes, &columns.drop, &at.key("indexes"), findings);
        let at = at.key("columns");
        let columns = columns::columns(columns, &key, &at, findings);
        if !columns.hash.is_empty() && !secret_given {
            let at = at.key("hash");
            findings.find(
                &at,
                format!("`{at}` needs `secrets.hash_key`"),
                "add [secrets] with hash_key = \"${file:/run/secrets/rowtide-hash}\"",
            );
        }
        tables.push(TableConfig {
            name,
            topic,
            key,
            columns,
            keep,
            indexes,
        });
    }
    tables
}
