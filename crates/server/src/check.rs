//! `rowtide check`: reads the configuration as `serve` would, and says what would be done.

use std::fmt::Write as _;

use clap::Args;
use config::{ColumnsConfig, Config, ConfigArgs, Reads, SourceConfig, Storage, TableConfig};
use query::relation::{Endpoint, Relation};
use registry_client::{Login, RegistryAddress, RegistryOptions};
use serde_json::{Map, Value, json};
use table_store::{IndexDefinition, IndexKind};

use crate::doctor;
use crate::failure::Failure;
use crate::output::{self, Style, bytes};

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Print JSON, as is done anyway when the output is not a terminal
    #[arg(long)]
    pub json: bool,

    /// Test too whether brokers, topics, registry, transaction topic and heartbeats are there; exits with 1 if something is wrong or risky
    #[arg(long)]
    pub connect: bool,

    #[command(flatten)]
    pub config: ConfigArgs,
}

pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let config = config::load(&args.config, &config::process_environment())?;
    let found = if args.connect {
        doctor::reach(&config)?
    } else {
        Vec::new()
    };
    match Style::choose(args.json) {
        Style::Json => {
            let mut told = json(&config);
            if args.connect {
                told["connect"] = doctor::json(&found);
            }
            output::print(&told.to_string())?;
        }
        Style::Human { color } => {
            let mut told = text(&config);
            if args.connect {
                let _ = write!(told, "\n\n{}", doctor::text(&found, color));
            }
            output::print(&told)?;
        }
    }
    doctor::verdict(&found)
}

fn text(config: &Config) -> String {
    let mut lines = vec!["The configuration is usable.".to_owned(), String::new()];
    for source in &config.sources {
        lines.push(format!("source {} {}", source.name, follows(source)));
        if let Some(registry) = &source.registry {
            lines.push(format!("  with the schemas of {}", registry_text(registry)));
        }
    }
    for table in &config.tables {
        let name = table.name.as_deref().unwrap_or("(named by its topic)");
        let key = match table.key.as_slice() {
            [] => "key as its records have it".to_owned(),
            key => format!("key {}", key.join(", ")),
        };
        lines.push(format!("table {name} from {}, {key}", table.topic));
        lines.extend(columns(&table.columns).map(|columns| format!("  {columns}")));
        lines.extend(
            table
                .indexes
                .iter()
                .map(|index| format!("  indexed {index}")),
        );
    }
    for related in &config.relations {
        lines.extend(relation(related));
        lines.extend(missing_index(related, config));
    }
    lines.push(
        "any other table is called by the shortest suffix of its topic that is free".to_owned(),
    );
    lines.push(match &config.storage {
        Storage::Directory(path) => {
            let every = humantime::format_duration(config.checkpoint_interval);
            format!("checkpoint every {every} into {}", path.display())
        }
        Storage::Memory => "no checkpoint: a restart begins at the start of the log".to_owned(),
    });
    lines.push(match config.memory_max_bytes {
        Some(max) => format!("memory for tables at most {}", bytes(max)),
        None => "memory for tables without limit".to_owned(),
    });
    lines.push(format!(
        "API on {}, probes and metrics on {}",
        config.listen.data, config.listen.admin
    ));
    lines.join("\n")
}

/// A relation as it is followed from either side.
fn relation(relation: &Relation) -> [String; 2] {
    let Relation { from, to, .. } = relation;
    let equal = from.columns.iter().zip(&to.columns);
    let equal: Vec<String> = equal
        .map(|(own, other)| format!("{own} = {other}"))
        .collect();
    let (name, inverse) = (&relation.name, relation.inverse_name());
    let columns = equal.join(", ");
    [
        format!(
            "relation {}.{name} leads to a row of {} ({columns})",
            from.table, to.table
        ),
        format!(
            "  and {}.{inverse} back to its {} of {}",
            to.table,
            if relation.is_unique { "row" } else { "rows" },
            from.table
        ),
    ]
}

/// What would help to follow a relation back, where config shows that nothing does yet.
fn missing_index(relation: &Relation, config: &Config) -> Option<String> {
    let Endpoint { table, columns } = &relation.from;
    let is_this =
        |config: &&TableConfig| config.name.as_ref() == Some(table) || config.topic == *table;
    let begins = |with: &[String]| {
        let first = with.get(..columns.len());
        first.is_some_and(|first| columns.iter().all(|column| first.contains(column)))
    };
    if let Some(table) = config.tables.iter().find(is_this) {
        let finds = |index: &IndexDefinition| {
            begins(index.columns())
                && (index.kind() == IndexKind::Ordered || index.columns().len() == columns.len())
        };
        if begins(&table.key) || table.indexes.iter().any(finds) {
            return None;
        }
    }
    let columns = columns.join("\", \"");
    Some(format!(
        "  quicker with indexes = [[\"{columns}\"]] in [[tables]] of {table}, unless its key begins so"
    ))
}

/// What is done to single columns of a table.
fn columns(columns: &ColumnsConfig) -> Option<String> {
    let types: Vec<String> = columns
        .types
        .iter()
        .map(|(column, hint)| format!("{column} as {hint}"))
        .collect();
    let parts = [
        ("drops", columns.drop.join(", ")),
        ("hashes", columns.hash.join(", ")),
        ("reads", types.join(", ")),
    ];
    let said = parts.iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<String> = said
        .map(|(does, names)| format!("{does} {names}"))
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn follows(source: &SourceConfig) -> String {
    match &source.reads {
        Reads::Kafka {
            brokers, topics, ..
        } => {
            format!("follows {} of Kafka at {brokers}", topics.join(", "))
        }
        Reads::File {
            path,
            follow: false,
        } => format!("reads {} to its end", path.display()),
        Reads::File { path, follow: true } => format!("reads and follows {}", path.display()),
    }
}

/// What is shown to log in with is said, its words never.
fn registry_text(registry: &RegistryOptions) -> String {
    let addresses: Vec<String> = registry.addresses.iter().map(ToString::to_string).collect();
    let login =
        login_kind(registry).map_or("without login".to_owned(), |kind| format!("{kind} login"));
    let mut text = format!("{}, {login}", addresses.join(", "));
    if let Some(ca) = &registry.ca_file {
        let _ = write!(text, ", trusting {}", ca.display());
    }
    if let Some(client) = &registry.client_certificate {
        let _ = write!(text, ", showing {}", client.certificate_file.display());
    }
    let timeout = humantime::format_duration(registry.timeout);
    text + &format!(", answers within {timeout}")
}

fn login_kind(registry: &RegistryOptions) -> Option<&'static str> {
    let of_address = registry.addresses.iter().find_map(RegistryAddress::login);
    registry
        .login
        .as_ref()
        .or(of_address)
        .map(|login| match login {
            Login::Basic { .. } => "basic",
            Login::Bearer(_) => "bearer",
        })
}

fn registry_json(registry: &RegistryOptions) -> Value {
    let addresses = registry.addresses.iter().map(ToString::to_string);
    let client = registry.client_certificate.as_ref();
    json!({
        "urls": addresses.collect::<Vec<_>>(),
        "login": login_kind(registry),
        "ca_file": registry.ca_file,
        "client_cert_file": client.map(|client| &client.certificate_file),
        "timeout_ms": u64::try_from(registry.timeout.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Names of librdkafka's settings are shown, their values never: they hold passwords.
fn json(config: &Config) -> Value {
    let sources = config.sources.iter().map(|source| {
        let mut told = match &source.reads {
            Reads::Kafka {
                brokers,
                topics,
                settings,
            } => json!({
                "name": source.name, "kind": "kafka", "brokers": brokers, "topics": topics,
                "settings": settings.keys().collect::<Vec<_>>(),
            }),
            Reads::File { path, follow } => {
                json!({"name": source.name, "kind": "file", "path": path, "follow": follow})
            }
        };
        if let Some(registry) = &source.registry {
            told["schema_registry"] = registry_json(registry);
        }
        told
    });
    let tables = config.tables.iter().map(|table| {
        let columns = &table.columns;
        let types = columns.types.iter();
        let types: Map<String, Value> = types
            .map(|(column, hint)| (column.clone(), hint.to_string().into()))
            .collect();
        let indexes = table.indexes.iter();
        let indexes = indexes.map(|index| json!({"columns": index.columns(), "kind": index.kind().name()}));
        json!({
            "name": table.name, "topic": table.topic, "key": table.key, "indexes": indexes.collect::<Vec<_>>(),
            "drop": columns.drop, "hash": columns.hash, "types": types,
        })
    });
    let relations = config.relations.iter().map(|relation| {
        let Relation { from, to, .. } = relation;
        json!({
            "name": relation.name, "inverse": relation.inverse_name(), "constraint": relation.constraint, "unique": relation.is_unique,
            "from": {"table": from.table, "columns": from.columns},
            "to": {"table": to.table, "columns": to.columns},
        })
    });
    let data_dir = match &config.storage {
        Storage::Directory(path) => json!(path),
        Storage::Memory => Value::Null,
    };
    json!({
        "usable": true,
        "sources": sources.collect::<Vec<_>>(),
        "tables": tables.collect::<Vec<_>>(),
        "relations": relations.collect::<Vec<_>>(),
        "data_dir": data_dir,
        "listen": {"data": config.listen.data.to_string(), "admin": config.listen.admin.to_string()},
        "memory_max_bytes": config.memory_max_bytes,
        "quarantine_max_bytes": config.quarantine_max_bytes,
        "checkpoint_interval_ms": u64::try_from(config.checkpoint_interval.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;

    #[test]
    fn says_what_would_be_done_and_keeps_secrets() {
        let flags = ConfigArgs {
            brokers: Some("kafka:9092".to_owned()),
            topics: vec!["shop.public.*".to_owned()],
            kafka_settings: vec![("sasl.password".to_owned(), "hunter2".to_owned())],
            ephemeral: true,
            ..ConfigArgs::default()
        };
        let environment = BTreeMap::from([(
            "ROWTIDE__TABLES__0__TOPIC".to_owned(),
            "shop.public.orders".to_owned(),
        )]);
        let config = config::load(&flags, &environment).unwrap();
        expect![[r"
            The configuration is usable.

            source kafka follows shop.public.* of Kafka at kafka:9092
            table (named by its topic) from shop.public.orders, key as its records have it
            any other table is called by the shortest suffix of its topic that is free
            no checkpoint: a restart begins at the start of the log
            memory for tables without limit
            API on 127.0.0.1:8080, probes and metrics on 127.0.0.1:9090"]]
        .assert_eq(&text(&config));
        let json = json(&config).to_string();
        assert!(
            json.contains("sasl.password") && !json.contains("hunter2"),
            "{json}"
        );
    }

    #[test]
    fn relations_are_told_from_both_sides() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let relations = [
            "name = 'customer'\nfrom = 'orders.customer_id'\nto = 'customers.id'",
            "name = 'order'\nfrom = 'items.(tenant, order_id)'\nto = 'orders.(tenant, id)'\ninverse = 'lines'",
            "name = 'seller'\nfrom = 'orders.seller_id'\nto = 'customers.id'\ninverse = 'sales'",
        ];
        let text_of = |relation: &&str| format!("[[relations]]\n{relation}\n");
        let relations: String = relations.iter().map(text_of).collect();
        let indexed = "[[tables]]\nname = 'orders'\ntopic = 'shop.public.orders'\nindexes = [['seller_id', 'id']]\n";
        std::fs::write(file.path(), format!("{indexed}{relations}")).unwrap();
        let flags = ConfigArgs {
            brokers: Some("kafka:9092".to_owned()),
            topics: vec!["shop.public.*".to_owned()],
            config: Some(file.path().into()),
            ..ConfigArgs::default()
        };
        let config = config::load(&flags, &BTreeMap::new()).unwrap();
        let text = text(&config);
        let lines: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("relation"))
            .take_while(|line| !line.starts_with("any other"))
            .collect();
        expect![[r#"
            relation orders.customer leads to a row of customers (customer_id = id)
              and customers.orders back to its rows of orders
              quicker with indexes = [["customer_id"]] in [[tables]] of orders, unless its key begins so
            relation items.order leads to a row of orders (tenant = tenant, order_id = id)
              and orders.lines back to its rows of items
              quicker with indexes = [["tenant", "order_id"]] in [[tables]] of items, unless its key begins so
            relation orders.seller leads to a row of customers (seller_id = id)
              and customers.sales back to its rows of orders"#]]
        .assert_eq(&lines.join("\n"));
        expect![[r#"[{"constraint":null,"from":{"columns":["customer_id"],"table":"orders"},"inverse":"orders","name":"customer","to":{"columns":["id"],"table":"customers"},"unique":false},{"constraint":null,"from":{"columns":["tenant","order_id"],"table":"items"},"inverse":"lines","name":"order","to":{"columns":["tenant","id"],"table":"orders"},"unique":false},{"constraint":null,"from":{"columns":["seller_id"],"table":"orders"},"inverse":"sales","name":"seller","to":{"columns":["id"],"table":"customers"},"unique":false}]"#]].assert_eq(&json(&config)["relations"].to_string());
    }

    #[test]
    fn a_registry_is_shown_without_what_it_is_logged_into_with() {
        let flags = ConfigArgs {
            brokers: Some("kafka:9092".to_owned()),
            topics: vec!["shop.public.*".to_owned()],
            ephemeral: true,
            ..ConfigArgs::default()
        };
        let registry = |urls: &str, more: &[(&str, &str)]| {
            let mut flags = flags.clone();
            let file = tempfile::NamedTempFile::new().unwrap();
            let urls = format!("url = '{urls}'\n");
            let more: Vec<String> = more
                .iter()
                .map(|(key, value)| format!("{key} = '{value}'"))
                .collect();
            let more = more.join("\n");
            let source = "[[sources]]\nname = 's'\nkind = 'kafka'\n[sources.schema_registry]\n";
            std::fs::write(file.path(), format!("{source}{urls}{more}")).unwrap();
            flags.config = Some(file.path().into());
            let config = config::load(&flags, &BTreeMap::new()).unwrap();
            let (text, json) = (text(&config), json(&config));
            assert!(
                !format!("{text}{json}{config:?}").contains("hunter2"),
                "{text}{json}"
            );
            let line = text.lines().find(|line| line.contains("schemas")).unwrap();
            format!("{line}\n{}", json["sources"][0]["schema_registry"])
        };
        expect![[r#"
              with the schemas of http://a:8081/x, http://b, basic login, answers within 10s
            {"ca_file":null,"client_cert_file":null,"login":"basic","timeout_ms":10000,"urls":["http://a:8081/x","http://b"]}"#]].assert_eq(&registry("http://me:hunter2@a:8081/x, http://b", &[]));
        expect![[r#"
              with the schemas of https://a, bearer login, trusting /ca.pem, showing /c.pem, answers within 10s
            {"ca_file":"/ca.pem","client_cert_file":"/c.pem","login":"bearer","timeout_ms":10000,"urls":["https://a"]}"#]].assert_eq(&registry(
            "https://a",
            &[
                ("token", "hunter2"),
                ("ca_file", "/ca.pem"),
                ("client_cert_file", "/c.pem"),
                ("client_key_file", "/c.key"),
            ],
        ));
    }
}
