//! Whole configurations, and what they mean.

mod columns;
mod refused;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use debezium_decoder::{Placeholder, TopicFormats};
use query::relation::{Endpoint, Relation};
use registry_client::{ClientCertificate, Login, RegistryAddress, RegistryOptions};
use serde_json::Value;
use table_store::{IndexDefinition, IndexKind};

use super::schema::Shape;
use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Loads `text` as `rowtide.toml`, under the flags and variables given.
fn try_load(text: &str, flags: &[&str], environment: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rowtide.toml");
    std::fs::write(&path, text).unwrap();
    let words = std::iter::once("serve").chain(flags.iter().copied());
    let mut flags = Flags::try_parse_from(words)
        .map_err(|error| error.to_string())?
        .config;
    flags.config = (!text.is_empty()).then(|| path.clone());
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(name, value)| (String::from(*name), String::from(*value)))
        .collect();
    let place = path.display().to_string();
    load(&flags, &environment).map_err(|error| error.to_string().replace(&place, "rowtide.toml"))
}

const FULL: &str = r#"
data_dir = "/var/lib/rowtide"
[listen]
data = "unix:/run/rowtide.sock"
admin = "0.0.0.0:9090"
[[sources]]
name = "shop"
kind = "kafka"
brokers = "kafka-1:9092,kafka-2"
topics = ["shop.public.*"]
heartbeat_topic = "__debezium-heartbeat.shop"
signal_table = "shop.public.debezium_signal"
transaction_topic = "shop.boundaries"
transaction_wait = "250ms"
on_bad_record = "halt"
unavailable_value = "hex:00ff7f"
[sources.kafka]
"security.protocol" = "SASL_SSL"
"socket.timeout.ms" = 60_000
"enable.ssl.certificate.verification" = false
[sources.schema_registry]
url = ["https://registry-1:8081", "https://registry-2/apis/ccompat/v7/"]
username = "me"
password = "${env:REGISTRY_PASSWORD}"
ca_file = "/ca.pem"
client_cert_file = "/client.pem"
client_key_file = "/client.key"
timeout = "3s"
[[sources]]
name = "recorded"
kind = "file"
path = "${env:RECORDS}/2026"
[[tables]]
name = "orders"
topic = "shop.public.orders"
key = ["id"]
keep = "100000 rows"
indexes = [["customer_id"], ["status", "created_at"], { columns = ["email"], kind = "hash" }]
[[relations]]
name = "customer"
from = "orders.customer_id"
to = "shop.public.customers.id"
constraint = "orders_customer_id_fkey"
[[relations]]
name = "order"
from = "items.(tenant, order_id)"
to = "orders.(tenant, id)"
inverse = "lines"
unique = true
[memory]
max = "4GiB"
[versions]
max = "20%"
[quarantine]
max = "128MiB"
[checkpoint]
interval = "250ms"
"#;

fn full_registry() -> RegistryOptions {
    let addresses = [
        "https://registry-1:8081",
        "https://registry-2/apis/ccompat/v7",
    ];
    let addresses = addresses.map(|url| RegistryAddress::parse(url).unwrap());
    RegistryOptions {
        addresses: addresses.to_vec(),
        login: Some(Login::Basic {
            username: "me".to_owned(),
            password: "hunter2".to_owned(),
        }),
        ca_file: Some("/ca.pem".into()),
        client_certificate: Some(ClientCertificate {
            certificate_file: "/client.pem".into(),
            key_file: "/client.key".into(),
        }),
        timeout: Duration::from_secs(3),
    }
}

fn full_indexes() -> Vec<IndexDefinition> {
    let index = |columns: &[&str], kind| {
        let columns = columns.iter().map(|&column| column.to_owned());
        IndexDefinition::new(columns.collect(), kind).unwrap()
    };
    vec![
        index(&["customer_id"], IndexKind::Ordered),
        index(&["status", "created_at"], IndexKind::Ordered),
        index(&["email"], IndexKind::Hash),
    ]
}

const FULL_SETTINGS: [(&str, &str); 3] = [
    ("enable.ssl.certificate.verification", "false"),
    ("security.protocol", "SASL_SSL"),
    ("socket.timeout.ms", "60000"),
];

#[test]
fn everything_that_can_be_written_is_understood() {
    let config = try_load(
        FULL,
        &[],
        &[("RECORDS", "/records"), ("REGISTRY_PASSWORD", "hunter2")],
    )
    .unwrap();
    let expected = Config {
        hash_key: None,
        storage: Storage::Directory("/var/lib/rowtide".into()),
        listen: Listen {
            data: ListenAddress::Unix("/run/rowtide.sock".into()),
            admin: ListenAddress::Tcp(([0, 0, 0, 0], 9090).into()),
        },
        sources: vec![
            SourceConfig {
                formats: TopicFormats::default(),
                name: "shop".to_owned(),
                reads: Reads::Kafka {
                    brokers: "kafka-1:9092,kafka-2".to_owned(),
                    topics: vec!["shop.public.*".to_owned()],
                    settings: FULL_SETTINGS
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .into(),
                },
                heartbeat_topic: Some("__debezium-heartbeat.shop".to_owned()),
                transaction_topic: Some("shop.boundaries".to_owned()),
                transaction_wait: Duration::from_millis(250),
                heartbeat_table: None,
                registry: Some(full_registry()),
                unserved_topics: vec![
                    "shop.public.debezium_signal".to_owned(),
                    "shop.boundaries".to_owned(),
                ],
                on_bad_record: OnBadRecord::Halt,
                unavailable_value: Placeholder::parse("hex:00ff7f").unwrap(),
            },
            SourceConfig {
                formats: TopicFormats::default(),
                name: "recorded".to_owned(),
                reads: Reads::File {
                    path: "/records/2026".into(),
                    follow: false,
                },
                heartbeat_topic: None,
                transaction_topic: None,
                transaction_wait: Duration::from_secs(1),
                heartbeat_table: None,
                registry: None,
                unserved_topics: Vec::new(),
                on_bad_record: OnBadRecord::Quarantine,
                unavailable_value: Placeholder::default(),
            },
        ],
        tables: vec![TableConfig {
            columns: ColumnsConfig::default(),
            name: Some("orders".to_owned()),
            topic: "shop.public.orders".to_owned(),
            key: vec!["id".to_owned()],
            keep: Some(ingest::Keep::Rows(100_000)),
            indexes: full_indexes(),
        }],
        relations: full_relations(),
        memory_max_bytes: Some(4 << 30),
        versions_max: ingest::VersionsMax::Percent(20),
        quarantine_max_bytes: 128 << 20,
        checkpoint_interval: Duration::from_millis(250),
    };
    assert_eq!(config, expected);
}

fn full_relations() -> Vec<Relation> {
    let endpoint = |table: &str, columns: &[&str]| Endpoint {
        table: table.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
    };
    vec![
        Relation {
            name: "customer".to_owned(),
            from: endpoint("orders", &["customer_id"]),
            to: endpoint("shop.public.customers", &["id"]),
            inverse: None,
            constraint: Some("orders_customer_id_fkey".to_owned()),
            is_unique: false,
        },
        Relation {
            name: "order".to_owned(),
            from: endpoint("items", &["tenant", "order_id"]),
            to: endpoint("orders", &["tenant", "id"]),
            inverse: Some("lines".to_owned()),
            constraint: None,
            is_unique: true,
        },
    ]
}

#[test]
fn a_registry_can_be_named_by_variables_alone() {
    let environment = [
        (
            "ROWTIDE__SOURCES__0__SCHEMA_REGISTRY__URL",
            "http://a:1, http://b",
        ),
        ("ROWTIDE__SOURCES__0__SCHEMA_REGISTRY__TOKEN", "t"),
    ];
    let flags = ["--brokers", "b", "--topics", "t"];
    // Flags make the source that the variables add to.
    let file = "[[sources]]\nname = 's'\nkind = 'kafka'\n";
    let config = try_load(file, &flags, &environment).unwrap();
    let registry = config.sources[0].registry.as_ref().unwrap();
    let addresses: Vec<String> = registry.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["http://a:1", "http://b"]);
    assert_eq!(registry.login, Some(Login::Bearer("t".to_owned())));
}

#[test]
fn flags_alone_suffice() {
    let config = try_load(
        "",
        &["--brokers", "b:9092", "--topics", "a.*,b", "--topics", "c"],
        &[],
    )
    .unwrap();
    let [source] = config.sources.as_slice() else {
        panic!("{:?}", config.sources)
    };
    let Reads::Kafka {
        brokers, topics, ..
    } = &source.reads
    else {
        panic!("{source:?}")
    };
    assert_eq!(
        (source.name.as_str(), brokers.as_str()),
        ("kafka", "b:9092")
    );
    assert_eq!(topics, &["a.*", "b", "c"]);
    assert_eq!(config.storage, Storage::Directory("rowtide-data".into()));
    assert_eq!(config.listen.data.to_string(), "127.0.0.1:8080");

    let config = try_load(
        "",
        &[
            "--replay",
            "/r",
            "--follow",
            "--ephemeral",
            "--listen",
            "localhost:0",
        ],
        &[],
    )
    .unwrap();
    assert_eq!(
        config.sources[0].reads,
        Reads::File {
            path: "/r".into(),
            follow: true
        }
    );
    assert_eq!(config.storage, Storage::Memory);
    assert_eq!(config.listen.data.to_string(), "127.0.0.1:0");
}

#[test]
fn flags_beat_variables_and_variables_beat_the_file() {
    let environment = [
        ("RECORDS", "/records"),
        ("REGISTRY_PASSWORD", "x"),
        ("ROWTIDE__CHECKPOINT__INTERVAL", "5s"),
        ("ROWTIDE__LISTEN__ADMIN", "127.0.0.1:1"),
        ("ROWTIDE__SOURCES__1__PATH", "${env:RECORDS}/x"),
    ];
    let config = try_load(FULL, &["--admin", "127.0.0.1:2"], &environment).unwrap();
    assert_eq!(config.checkpoint_interval, Duration::from_secs(5));
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:2");
    assert_eq!(
        config.sources[1].reads,
        Reads::File {
            path: "/records/x".into(),
            follow: false
        }
    );

    let file = "[[sources]]\nname = 's'\nkind = 'kafka'\nbrokers = 'b'\ntopics = ['t']";
    let config = try_load(
        file,
        &["--brokers", "staging:9092", "-X", "client.id=me"],
        &[],
    )
    .unwrap();
    let Reads::Kafka {
        brokers,
        topics,
        settings,
    } = &config.sources[0].reads
    else {
        panic!()
    };
    assert_eq!(
        (brokers.as_str(), topics[0].as_str()),
        ("staging:9092", "t")
    );
    assert_eq!(settings["client.id"], "me");
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let base = "[[sources]]\nname = 's'\nkind = 'kafka'\nbrokers = 'b'\ntopics = ['t']\n";
    let expected = try_load(base, &[], &[]).unwrap();
    let file = "[[sources]]\nname = 's'\nkind = 'file'\npath = 'p'\n";
    let mut tried = 0;
    let mut check = |key: String, default: &Value| {
        let base = if key.ends_with("FOLLOW") { file } else { base };
        let expected = try_load(base, &[], &[]).unwrap_or_else(|_| expected.clone());
        let text = default
            .as_str()
            .map_or_else(|| default.to_string(), str::to_owned);
        assert_eq!(
            try_load(base, &[], &[(&key, &text)]).as_ref(),
            Ok(&expected),
            "{key}"
        );
        tried += 1;
    };
    for (key, shape) in Shape::root().keys() {
        if let Some(default) = shape.0.get("default") {
            check(format!("ROWTIDE__{}", key.to_uppercase()), default);
        }
        let index = if shape.item().is_some() { "__0" } else { "" };
        for (inner, shape) in shape.item().unwrap_or(shape).keys() {
            if let Some(default) = shape.0.get("default") {
                let name = format!("ROWTIDE__{key}{index}__{inner}");
                check(name.to_uppercase(), default);
            }
        }
    }
    assert_eq!(tried, 10);
}
