//! Flags that say what the configuration says: the layer above file and environment.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::document::{Document, KeyPath};
use super::error::{ConfigError, Origin};

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// Configuration file (TOML); `rowtide init` writes one
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "ROWTIDE_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,

    /// Kafka brokers to ask first, host:port, comma-separated
    #[arg(long, value_name = "HOST:PORT")]
    pub brokers: Option<String>,

    /// Topics to follow, names or globs (quote them), comma-separated or repeated
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub topics: Vec<String>,

    /// Setting handed to librdkafka as it is; may be repeated
    #[arg(short = 'X', long = "kafka-setting", value_name = "KEY=VALUE", value_parser = key_value)]
    pub kafka_settings: Vec<(String, String)>,

    /// Read captured records, a file or a directory, instead of Kafka
    #[arg(long, value_name = "PATH", conflicts_with_all = ["brokers", "topics", "kafka_settings"])]
    pub replay: Option<PathBuf>,

    /// Wait for more at the end of the records instead of being done with them
    #[arg(long, requires = "replay")]
    pub follow: bool,

    /// Directory of the checkpoint [default: rowtide-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Write no checkpoint: a restart begins at the start of the log
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,

    /// Where the API answers: a loopback address or `unix:/path` [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// Where probes and metrics answer [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
}

pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as security.protocol=SASL_SSL".to_owned()),
    }
}

impl ConfigArgs {
    /// Lays the flags over the document.
    pub fn overlay(&self, document: &mut Document) -> Result<(), ConfigError> {
        let root = KeyPath::default();
        let listen = root.key("listen");
        let data_dir = self
            .data_dir
            .as_ref()
            .map(|path| path.display().to_string());
        set(document, &root.key("data_dir"), data_dir, "--data-dir");
        set(
            document,
            &listen.key("data"),
            self.listen.clone(),
            "--listen",
        );
        set(
            document,
            &listen.key("admin"),
            self.admin.clone(),
            "--admin",
        );
        let Some(flag) = self.source_flag() else {
            return Ok(());
        };
        let source = self.choose_source(document, flag)?;
        set(
            document,
            &source.key("brokers"),
            self.brokers.clone(),
            "--brokers",
        );
        if !self.topics.is_empty() {
            set(
                document,
                &source.key("topics"),
                Some(self.topics.clone()),
                "--topics",
            );
        }
        for (name, value) in &self.kafka_settings {
            let setting = source.key("kafka").key(name);
            set(document, &setting, Some(value.clone()), "--kafka-setting");
        }
        if let Some(path) = &self.replay {
            let path = path.display().to_string();
            set(document, &source.key("path"), Some(path), "--replay");
            set(
                document,
                &source.key("follow"),
                Some(self.follow),
                "--follow",
            );
        }
        Ok(())
    }

    /// The first flag given that says something about a source.
    fn source_flag(&self) -> Option<&'static str> {
        [
            ("--replay", self.replay.is_some()),
            ("--brokers", self.brokers.is_some()),
            ("--topics", !self.topics.is_empty()),
            ("--kafka-setting", !self.kafka_settings.is_empty()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }

    /// Which source the flags are about: a new one, or the only one that Kafka flags can be about.
    fn choose_source(
        &self,
        document: &mut Document,
        flag: &'static str,
    ) -> Result<KeyPath, ConfigError> {
        let sources = KeyPath::default().key("sources");
        let written = document.get(&sources).and_then(Value::as_array);
        let kinds: Vec<Option<&Value>> = written
            .into_iter()
            .flatten()
            .map(|source| source.get("kind"))
            .collect();
        let help = match (kinds.as_slice(), &self.replay) {
            ([], replay) => {
                let (name, kind) = if replay.is_some() {
                    ("replay", "file")
                } else {
                    ("kafka", "kafka")
                };
                let source = sources.index(0);
                set(document, &source.key("name"), Some(name.to_owned()), flag);
                set(document, &source.key("kind"), Some(kind.to_owned()), flag);
                return Ok(source);
            }
            ([Some(kind)], None) if *kind == "kafka" => return Ok(sources.index(0)),
            (_, Some(_)) => "leave the flag or the [[sources]] of the configuration out",
            ([_], None) => {
                "the source in the configuration does not read Kafka; leave the flag or the source out"
            }
            _ => "the configuration has several sources; set it there",
        };
        Err(ConfigError {
            origin: Origin::Flag(flag),
            what: "it is not clear which source this is about".to_owned(),
            help: help.to_owned(),
        })
    }
}

fn set(
    document: &mut Document,
    path: &KeyPath,
    value: Option<impl Into<Value>>,
    flag: &'static str,
) {
    if let Some(value) = value {
        document.set(path, value.into(), Origin::Flag(flag));
    }
}
