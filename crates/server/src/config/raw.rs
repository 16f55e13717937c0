//! The configuration as it is written: what keys there are and what they are for.
//!
//! The doc comments here are the descriptions in the JSON Schema and in `docs/reference/config.md`,
//! and the `default` extensions are the documented defaults, which a test compares with the real
//! ones. Meaning is given to the strings in `validated`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Rowtide's configuration. Every key is optional; flags and `ROWTIDE__SECTION__KEY` environment
/// variables override the file. Any string may contain `${env:NAME}` and `${file:/path}`; a literal
/// `${` is written `$${`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Directory of the checkpoint: what makes a restart quick. Created if it does not exist; may be
    /// deleted at any time while rowtide is not running.
    #[schemars(extend("default" = "rowtide-data"))]
    pub data_dir: Option<String>,
    pub listen: RawListen,
    /// Where records come from. One section `[[sources]]` each.
    pub sources: Vec<RawSource>,
    /// Tables that need something said about them. Anything not said is discovered.
    pub tables: Vec<RawTable>,
    pub memory: RawMemory,
    pub quarantine: RawQuarantine,
    pub checkpoint: RawCheckpoint,
}

/// The two listeners.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawListen {
    /// Where the API answers: `HOST:PORT` on a loopback address, or `unix:/path`. Other addresses are
    /// refused, because this version has no authentication.
    #[schemars(extend("default" = "127.0.0.1:8080"))]
    pub data: Option<String>,
    /// Where `/livez`, `/readyz`, `/startupz` and `/metrics` answer: `HOST:PORT` on any address, or
    /// `unix:/path`. It shows names and counts, never rows.
    #[schemars(extend("default" = "127.0.0.1:9090"))]
    pub admin: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSource {
    /// Name of the source in the status and in positions. Required, and unique.
    #[schemars(extend("examples" = ["shop"]))]
    pub name: Option<String>,
    /// What it is. Required.
    pub kind: Option<RawSourceKind>,
    /// `kind = "file"`: a record file (`.jsonl`, `.jsonl.gz`, `.jsonl.zst`) or a directory of them, which
    /// are read in the order of their names.
    #[schemars(extend("examples" = ["/var/lib/records"]))]
    pub path: Option<String>,
    /// `kind = "file"`: wait for more at the end of the newest file instead of being done with it.
    #[schemars(extend("default" = false))]
    pub follow: Option<bool>,
    /// `kind = "kafka"`: brokers to ask first, `host:port`, comma-separated.
    #[schemars(extend("examples" = ["kafka:9092"]))]
    pub brokers: Option<String>,
    /// `kind = "kafka"`: topics to follow, names or globs, in which `*` is any text. Topics that match
    /// later are followed when they appear.
    #[schemars(extend("examples" = [["shop.public.*"]]))]
    pub topics: Vec<String>,
    /// `kind = "kafka"`: settings handed to librdkafka as they are.
    #[schemars(extend("examples" = [{"security.protocol": "SASL_SSL"}]))]
    pub kafka: BTreeMap<String, RawSetting>,
    /// Topic of the connector's heartbeats. They prove that the connector is alive, nothing more. If it is
    /// not given, `__debezium-heartbeat.` and what stands before the first dot of a topic is followed where
    /// it exists.
    #[schemars(extend("examples" = ["__debezium-heartbeat.shop"]))]
    pub heartbeat_topic: Option<String>,
    /// Topic of the table through which the connector is signalled (`signal.data.collection`). Its records are
    /// read and counted, but make no table.
    #[schemars(extend("examples" = ["shop.public.debezium_signal"]))]
    pub signal_table: Option<String>,
    /// Topic of the boundaries of transactions, if it is not called `<topic.prefix>.transaction`. Its records
    /// are read where a name or glob of `topics` matches it, and make no table; transactions are not yet
    /// kept whole.
    #[schemars(extend("examples" = ["shop.transaction"]))]
    pub transaction_topic: Option<String>,
    /// What a record does that cannot be decoded or applied: `quarantine` sets it aside and goes on, `halt`
    /// stops that table and lets the others go on.
    #[schemars(extend("default" = "quarantine"))]
    pub on_bad_record: Option<RawOnBadRecord>,
    /// The connector's `unavailable.value.placeholder`, as it is set there: text, or `hex:` and hex digits.
    #[schemars(extend("default" = "__debezium_unavailable_value"))]
    pub unavailable_value: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawSourceKind {
    Kafka,
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawOnBadRecord {
    Quarantine,
    Halt,
}

/// A value as librdkafka takes it: always text in the end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawSetting {
    Text(String),
    Boolean(bool),
    Integer(i64),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTable {
    /// Name in the API. Without it the table is called by the shortest suffix of its topic that no other
    /// table has.
    #[schemars(extend("examples" = ["orders"]))]
    pub name: Option<String>,
    /// The topic this section is about. Required.
    #[schemars(extend("examples" = ["shop.public.orders"]))]
    pub topic: Option<String>,
    /// Columns of the key, in order. Needed only when the records carry no key.
    #[schemars(extend("examples" = [["id"]]))]
    pub key: Vec<String>,
    /// How much of a table is kept whose rows are only ever added (outbox events, logical messages): an age
    /// before its newest row (`24h`), or a number of rows (`100000 rows`). The oldest go first. Of other
    /// tables nothing is dropped, and the status says so.
    #[schemars(extend("examples" = ["24h", "100000 rows"]))]
    pub keep: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMemory {
    /// Memory that tables may take: bytes, or a number with a unit (`512MiB`, `4GiB`). Without it there
    /// is no limit.
    #[schemars(extend("examples" = ["4GiB"]))]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQuarantine {
    /// How much of the records that could not be applied is kept, oldest out first.
    #[schemars(extend("default" = "64MiB"))]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCheckpoint {
    /// How often what changed is written to the data directory: a duration (`500ms`, `1s`, `1m`). A crash
    /// costs at most this much to be read again.
    #[schemars(extend("default" = "1s"))]
    pub interval: Option<String>,
}
