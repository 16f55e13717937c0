//! The configuration as it is written: what keys there are and what they are for.
//!
//! The doc comments here are the descriptions in the JSON Schema and in `docs/reference/config.md`,
//! and the `default` extensions are the documented defaults, which a test compares with the real
//! ones. Meaning is given to the strings in `validated`.

use std::collections::BTreeMap;
use std::fmt;

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
    /// How rows of tables belong together. Change events carry no foreign keys, so they are said here. One
    /// section `[[relations]]` each.
    pub relations: Vec<RawRelation>,
    pub memory: RawMemory,
    pub versions: RawVersions,
    pub quarantine: RawQuarantine,
    pub checkpoint: RawCheckpoint,
    pub secrets: RawSecrets,
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
    /// Topic of a table into which the source database writes a row every few seconds (`heartbeat.action.query` of
    /// the connector). The commit times and positions of its rows prove how far the source has come: with
    /// it `source_lag_ms` is known, and floors that are positions are met by quiet tables. Its records make no table.
    #[schemars(extend("examples" = ["shop.public.rowtide_heartbeat"]))]
    pub heartbeat_table: Option<String>,
    /// The schema registry that the records name their schemas in: Confluent's, or one that speaks like it
    /// (Apicurio's `/apis/ccompat/v7`, Karapace, Redpanda). While it does not give a schema, the partitions
    /// that need it wait and their tables say so; everything else goes on.
    pub schema_registry: Option<RawSchemaRegistry>,
    /// Topic of the table through which the connector is signalled (`signal.data.collection`). Its records are
    /// read and counted, but make no table.
    #[schemars(extend("examples" = ["shop.public.debezium_signal"]))]
    pub signal_table: Option<String>,
    /// Topic of the boundaries of transactions (`provide.transaction.metadata=true` in the connector), by which
    /// they become visible whole. If it is not given, `.transaction` behind what stands before the first dot of
    /// a topic is followed where it exists. It makes no table.
    #[schemars(extend("examples" = ["shop.transaction"]))]
    pub transaction_topic: Option<String>,
    /// How long a transaction that has ended waits for changes that do not come, because they were filtered,
    /// compacted or put aside: `100ms` to `1m`. It is counted only while there is nothing more to read.
    #[schemars(extend("default" = "1s"))]
    pub transaction_wait: Option<String>,
    /// What a record does that cannot be decoded or applied: `quarantine` sets it aside and goes on, `halt`
    /// stops that table and lets the others go on.
    #[schemars(extend("default" = "quarantine"))]
    pub on_bad_record: Option<RawOnBadRecord>,
    /// The connector's `unavailable.value.placeholder`, as it is set there: text, or `hex:` and hex digits.
    #[schemars(extend("default" = "__debezium_unavailable_value"))]
    pub unavailable_value: Option<String>,
    /// Formats of the records of some topics, only where they would be recognised wrongly:
    /// `formats = [{ topic = "legacy.*", key = "json", value = "avro" }]`.
    pub formats: Vec<RawFormat>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawFormat {
    /// The topics: a name or a glob, in which `*` is any text. Of several that match, the first counts.
    /// Required.
    #[schemars(extend("examples" = ["legacy.*"]))]
    pub topic: Option<String>,
    /// How keys are encoded. Without it they are recognised.
    pub key: Option<RawPartFormat>,
    /// How values are encoded. Without it they are recognised.
    pub value: Option<RawPartFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPartFormat {
    Json,
    Avro,
    Protobuf,
    String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSchemaRegistry {
    /// Where it answers: `http://` or `https://`, host, port and path; `user:password@` may stand before the
    /// host. Several, as a list or comma-separated, are tried in turn. Required.
    #[schemars(extend("examples" = ["http://registry:8081"]))]
    pub url: Option<RawUrls>,
    /// User name to log in with; `password` goes with it.
    #[schemars(extend("examples" = ["rowtide"]))]
    pub username: Option<String>,
    /// Password to log in with.
    #[schemars(extend("examples" = ["${file:/run/secrets/registry-password}"]))]
    pub password: Option<String>,
    /// Bearer token to log in with, instead of a user name.
    #[schemars(extend("examples" = ["${env:REGISTRY_TOKEN}"]))]
    pub token: Option<String>,
    /// Certificates (PEM) that the registry's own must be signed by. Without it Mozilla's are trusted,
    /// which are built in.
    #[schemars(extend("examples" = ["/etc/rowtide/ca.pem"]))]
    pub ca_file: Option<String>,
    /// Certificate (PEM) to show to the registry; `client_key_file` goes with it.
    #[schemars(extend("examples" = ["/etc/rowtide/client.pem"]))]
    pub client_cert_file: Option<String>,
    /// Key (PEM, not encrypted) of that certificate.
    #[schemars(extend("examples" = ["/etc/rowtide/client.key"]))]
    pub client_key_file: Option<String>,
    /// How long one answer may take: a duration (`500ms`, `10s`).
    #[schemars(extend("default" = "10s"))]
    pub timeout: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawUrls {
    Commas(String),
    List(Vec<String>),
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
    /// Indexes, so that rows are found by other columns than the key's: each a list of its columns, the first
    /// counting most, or `{ columns = ["customer_id"], kind = "hash" }`. An `"ordered"` one (without `kind`) finds
    /// equal values of its first columns, ranges and beginnings, and gives rows in its order; a `"hash"` one finds
    /// equal values of all its columns. They are built while the table is served. `POST /v1/tables/{t}/indexes` on the admin
    /// listener adds one, which checkpoints keep until it is removed there.
    #[schemars(extend("examples" = [[["customer_id"], ["status", "created_at"]]]))]
    pub indexes: Vec<RawIndex>,
    pub columns: RawColumns,
}

/// Rows of one table name, in some columns, one row of another.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRelation {
    /// What the relation is called from the table of `from`: there it leads to one row. Required.
    #[schemars(extend("examples" = ["customer"]))]
    pub name: Option<String>,
    /// The columns that name the other row, as `TABLE.COLUMN` or `TABLE.(COLUMN, COLUMN)`. Required.
    #[schemars(extend("examples" = ["orders.customer_id", "items.(tenant, order_id)"]))]
    pub from: Option<String>,
    /// The columns that are equal to them, mostly the key of their table. Required.
    #[schemars(extend("examples" = ["customers.id", "orders.(tenant, id)"]))]
    pub to: Option<String>,
    /// What the relation is called from the table of `to`: there it leads to any number of rows. Without it
    /// it is called as the table of `from`.
    #[schemars(extend("examples" = ["orders"]))]
    pub inverse: Option<String>,
    /// Name of the foreign key in the database. Queries may tell relations apart by it.
    #[schemars(extend("examples" = ["orders_customer_id_fkey"]))]
    pub constraint: Option<String>,
    /// At most one row has the same values in the columns of `from`, as a `UNIQUE` constraint in the database has it:
    /// the relation leads to one row from the table of `to`, too. Where these columns are the key of their table it need
    /// not be said.
    pub unique: Option<bool>,
}

/// Columns alone, or with what is to be made of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawIndex {
    Columns(Vec<String>),
    Section(RawIndexSection),
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIndexSection {
    #[serde(default)]
    pub columns: Vec<String>,
    #[serde(default)]
    pub kind: RawIndexKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawIndexKind {
    #[default]
    Ordered,
    Hash,
}

/// What becomes of single columns. A change of it rebuilds the table from the log; where the log has
/// been shortened, only what hides a column does so at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawColumns {
    /// Columns of which nothing is kept: not in memory, on disk, in logs or in the quarantine, which
    /// then keeps no bytes of this topic's records at all.
    #[schemars(extend("examples" = [["card_number"]]))]
    pub drop: Vec<String>,
    /// Columns whose values become hashes, keyed by `secrets.hash_key`: equal values have equal hashes,
    /// in all tables. A hash is the first 32 digits of what `openssl dgst -sha256 -hmac KEY` makes of the
    /// value's text. Columns of the key may be hashed.
    #[schemars(extend("examples" = [["email"]]))]
    pub hash: Vec<String>,
    /// Types of columns whose records say none (JSON without schemas), by the names of Debezium's types:
    /// `date`, `micro_timestamp`, `decimal(2)`, `uuid`, `json`, `bytes`, … Where records have schemas, only
    /// what those leave open can be said: `uint64`, `bool`, `bytes_hex`, `bytes_base64url`, `json`, ….
    #[schemars(extend("examples" = [{"created_at": "micro_timestamp"}]))]
    pub types: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMemory {
    /// Memory that tables may take: bytes, or a number with a unit (`512MiB`, `4GiB`). At the
    /// limit what would grow tables waits, and everything else goes on. `SIGHUP` applies another one. Without it
    /// there is no limit.
    #[schemars(extend("examples" = ["4GiB"]))]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawVersions {
    /// How much of the last 30 s stays askable (`at_exact`): a share of `memory.max` (of 640 MiB where that is not
    /// set), or bytes. What changed is kept within as much again, for those who follow it. At `memory.max` both are let go of first.
    #[schemars(extend("default" = "10%"))]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQuarantine {
    /// How much of the records that could not be applied is kept, oldest out first. `SIGHUP` applies
    /// another bound.
    #[schemars(extend("default" = "64MiB"))]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCheckpoint {
    /// How often what changed is written to the data directory: a duration (`500ms`, `1s`, `1m`). A crash
    /// costs at most this much to be read again. Where writing takes longer than a quarter of it, as while all of a log
    /// is read, the next begins four times as long after the last began as that took (30 s at most), and reading comes first.
    #[schemars(extend("default" = "1s"))]
    pub interval: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSecrets {
    /// Key of the hashes in `hash` columns, at least 16 characters. Changing it rebuilds their tables.
    #[schemars(extend("examples" = ["${file:/run/secrets/rowtide-hash}"]))]
    pub hash_key: Option<String>,
}

impl fmt::Debug for RawSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSecrets(…)")
    }
}
