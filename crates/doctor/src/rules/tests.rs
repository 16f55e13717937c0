//! Every rule on facts that are made up: one bad pipeline that meets all of them, and a good one that meets none.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};

use super::{ALL, Scope, check};
use crate::Facts;
use crate::facts::{
    Asked, ClockOffset, Column, ConnectFacts, Connector, Identity, LogFacts, MySqlFacts,
    PostgresFacts, Publication, RegistryFacts, Sample, Slot, Table, Task, TopicFacts,
};

const NOW_MS: i64 = 1_800_000_000_000;

fn settings(written: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    written.iter().map(owned).collect()
}

fn answered<T>(answer: T) -> Asked<T> {
    Asked {
        address: "host:1".to_owned(),
        answer: Ok(answer),
    }
}

fn event(table: &str) -> String {
    format!(
        r#"{{"op":"c","before":null,"after":{{"id":1}},"source":{{"name":"shop","schema":"public","table":"{table}","snapshot":"false"}}}}"#
    )
}

fn topic(name: &str, records: &[&str]) -> TopicFacts {
    let sample = |text: &&str| Sample {
        key: Some(b"{\"id\":1}".to_vec()),
        value: Some(text.as_bytes().to_vec()),
        timestamp_ms: Some(NOW_MS - 50),
    };
    TopicFacts {
        name: name.to_owned(),
        is_followed: true,
        partitions: 1,
        records: records.len() as u64,
        settings: settings(&[
            ("cleanup.policy", "compact"),
            ("delete.retention.ms", "86400000"),
        ]),
        samples: records.iter().map(sample).collect(),
    }
}

fn log(topics: Vec<TopicFacts>) -> LogFacts {
    LogFacts {
        source: "kafka".to_owned(),
        wanted: vec!["shop.public.*".to_owned()],
        heartbeat_topic: None,
        transaction_topic: None,
        heartbeat_table: Some("shop.public.rowtide_heartbeat".to_owned()),
        placeholder: "__debezium_unavailable_value".to_owned(),
        bounded: BTreeSet::new(),
        typed: BTreeSet::new(),
        unserved: BTreeSet::from(["shop.public.rowtide_heartbeat".to_owned()]),
        topics: answered(topics),
        missing: Vec::new(),
        registry: None,
    }
}

fn table(name: &str) -> Table {
    let column = |name: &str, type_name: &str| Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        ..Column::default()
    };
    Table {
        schema: "public".to_owned(),
        name: name.to_owned(),
        has_primary_key: true,
        columns: vec![column("id", "int4"), column("total", "numeric")],
        ..Table::default()
    }
}

fn publication(tables: &[&str]) -> Publication {
    let operations = ["insert", "update", "delete", "truncate"];
    Publication {
        name: "dbz_publication".to_owned(),
        operations: operations.map(str::to_owned).into(),
        tables: tables
            .iter()
            .map(|name| ("public".to_owned(), (*name).to_owned()))
            .collect(),
        ..Publication::default()
    }
}

/// As the pages advise it. Topics are kept whole, so that truncates may be sent.
fn good() -> Facts {
    let connector = Connector {
        name: "shop".to_owned(),
        settings: settings(&[
            (
                "connector.class",
                "io.debezium.connector.postgresql.PostgresConnector",
            ),
            ("topic.prefix", "shop"),
            ("provide.transaction.metadata", "true"),
            ("heartbeat.interval.ms", "2000"),
            ("heartbeat.action.query", "INSERT …"),
            ("poll.interval.ms", "5"),
            ("producer.override.linger.ms", "0"),
            ("skipped.operations", "none"),
            ("decimal.handling.mode", "string"),
            (
                "value.converter",
                "org.apache.kafka.connect.json.JsonConverter",
            ),
            ("value.converter.replace.null.with.default", "false"),
        ]),
        state: "RUNNING".to_owned(),
        tasks: vec![Task {
            state: "RUNNING".to_owned(),
            ..Task::default()
        }],
        ..Connector::default()
    };
    let forever = settings(&[
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
    ]);
    let beat = r#"{"ts_ms":1}"#;
    let boundary = r#"{"status":"BEGIN","id":"7:1"}"#;
    let orders = TopicFacts {
        settings: forever,
        ..topic("shop.public.orders", &[&event("orders")])
    };
    let topics = vec![
        orders,
        topic("__debezium-heartbeat.shop", &[beat]),
        topic("shop.transaction", &[boundary]),
    ];
    let postgres = PostgresFacts {
        database: "shop".to_owned(),
        settings: settings(&[("wal_level", "logical"), ("max_slot_wal_keep_size", "10GB")]),
        slots: vec![Slot {
            name: "debezium".to_owned(),
            is_active: true,
            wal_status: Some("reserved".to_owned()),
            kept_bytes: 16 << 20,
        }],
        publications: vec![publication(&["orders", "rowtide_heartbeat"])],
        tables: vec![table("orders"), table("rowtide_heartbeat")],
        clock: ClockOffset::default(),
    };
    let variables = "log_bin\tON\nbinlog_format\tROW\nbinlog_row_image\tFULL\ngtid_mode\tON\nbinlog_expire_logs_seconds\t2592000\nversion\t8.4.0\n";
    Facts {
        now_ms: NOW_MS,
        logs: vec![log(topics)],
        connect: Some(answered(ConnectFacts {
            connectors: vec![connector],
        })),
        postgres: Some(answered(postgres)),
        mysql: MySqlFacts::parse(variables).ok(),
    }
}

/// What is found when the good pipeline is changed: ids, places and what is seen.
fn found(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = good();
    change(&mut facts);
    let findings = check(&facts, Scope::Everything);
    let told = findings.iter().map(|finding| {
        let id = finding.rule.id;
        format!(
            "{id} | {} | {} | {}",
            finding.place, finding.seen, finding.mend
        )
    });
    told.collect::<Vec<_>>().join("\n")
}

fn connector(facts: &mut Facts) -> &mut Connector {
    let connect = facts.connect.as_mut().unwrap();
    &mut connect.answer.as_mut().unwrap().connectors[0]
}

fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Facts) {
    move |facts| {
        connector(facts)
            .settings
            .insert(name.to_owned(), value.to_owned());
    }
}

fn postgres(facts: &mut Facts) -> &mut PostgresFacts {
    facts.postgres.as_mut().unwrap().answer.as_mut().unwrap()
}

fn topics(facts: &mut Facts) -> &mut Vec<TopicFacts> {
    facts.logs[0].topics.answer.as_mut().unwrap()
}

fn told(change: impl FnOnce(&mut Facts), expected: &Expect) {
    expected.assert_eq(&found(change));
}

#[test]
fn a_good_pipeline_has_no_findings() {
    told(|_| (), &expect![""]);
}

#[test]
fn settings_of_the_connector() {
    let cases: [(&str, &str, &str); 19] = [
        ("poll.interval.ms", "500", "connector-poll-interval"),
        ("producer.override.linger.ms", "5", "connector-linger"),
        (
            "provide.transaction.metadata",
            "false",
            "no-transaction-topic",
        ),
        ("heartbeat.interval.ms", "0", "no-heartbeats"),
        ("heartbeat.action.query", "", "no-heartbeat-action-query"),
        ("skipped.operations", "t", "truncates-skipped"),
        ("skipped.operations", "c, d", "operations-skipped"),
        ("decimal.handling.mode", "double", "decimal-double"),
        (
            "decimal.handling.mode",
            "precise",
            "decimals-without-schema",
        ),
        ("time.precision.mode", "connect", "time-precision-connect"),
        (
            "unavailable.value.placeholder",
            "gone",
            "placeholder-differs",
        ),
        ("snapshot.mode", "no_data", "snapshot-skipped"),
        ("errors.tolerance", "all", "failures-skipped"),
        (
            "event.processing.failure.handling.mode",
            "warn",
            "failures-skipped",
        ),
        (
            "message.key.columns",
            "public.orders:total",
            "message-key-identity",
        ),
        ("publication.name", "other", "publication-missing"),
        ("slot.name", "other", "slot-missing"),
        ("poll.interval.ms", "10", ""),
        ("binary.handling.mode", "base64", ""),
    ];
    for (name, value, expected) in cases {
        let found = found(set(name, value));
        let ids: Vec<&str> = found
            .lines()
            .filter_map(|line| line.split(" | ").next())
            .collect();
        assert!(
            ids.join(" ").starts_with(expected),
            "{name}={value}: {found}"
        );
        assert_eq!(
            ids.is_empty(),
            expected.is_empty(),
            "{name}={value}: {found}"
        );
    }
}

#[test]
fn the_line_that_mends_it_is_exact() {
    told(
        |facts| {
            connector(facts).settings.remove("poll.interval.ms");
        },
        &expect![[
            r#"connector-poll-interval | connector shop | poll.interval.ms is not set, so it is 500 | "poll.interval.ms": "5""#
        ]],
    );
    told(
        |facts| {
            let settings = settings(&[("cleanup.policy", "delete"), ("retention.ms", "604800000")]);
            topics(facts)[0].settings = settings;
        },
        &expect![
            "retention-too-short | topic shop.public.orders | cleanup.policy=delete, retention.ms=604800000 (7 days) | kafka-configs.sh --bootstrap-server host:1 --alter --entity-type topics --entity-name shop.public.orders --add-config retention.ms=-1"
        ],
    );
    told(
        |facts| postgres(facts).tables[0].identity = Identity::Nothing,
        &expect![
            "replica-identity-missing | table public.orders | REPLICA IDENTITY NOTHING, and publication dbz_publication has it | ALTER TABLE public.orders REPLICA IDENTITY FULL;"
        ],
    );
    told(
        |facts| {
            let task = &mut connector(facts).tasks[0];
            task.state = "FAILED".to_owned();
            task.trace = Some("org.x.ConnectException: no slot\n\tat y".to_owned());
        },
        &expect![
            "connector-failed | connector shop, task 0 | FAILED: org.x.ConnectException: no slot | curl -X POST 'host:1/connectors/shop/restart?includeTasks=true&onlyFailed=true', once its cause is mended"
        ],
    );
}

#[test]
fn a_null_is_only_replaced_where_a_column_has_a_default() {
    let changed = |facts: &mut Facts| {
        let name = "value.converter.replace.null.with.default";
        connector(facts).settings.remove(name);
    };
    told(changed, &expect![""]);
    told(
        |facts| {
            changed(facts);
            let column = &mut postgres(facts).tables[0].columns[1];
            (column.is_nullable, column.has_default) = (true, true);
        },
        &expect![[
            r#"null-replaced | connector shop | value.converter.replace.null.with.default is not set, so it is true; columns with a default that may be NULL: orders.total | "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.replace.null.with.default": "false""#
        ]],
    );
}

#[test]
fn a_compacted_topic_takes_no_truncates() {
    let compacted =
        |facts: &mut Facts| topics(facts)[0].settings = settings(&[("cleanup.policy", "compact")]);
    told(
        compacted,
        &expect![
            "compacted-without-keys | topic shop.public.orders | it is compacted, and connector shop sends truncates | kafka-configs.sh --bootstrap-server host:1 --alter --entity-type topics --entity-name shop.public.orders --add-config cleanup.policy=delete,retention.ms=-1"
        ],
    );
    // So the advice for one that skips them is another.
    told(
        |facts| {
            compacted(facts);
            connector(facts).settings.remove("skipped.operations");
        },
        &expect![
            "truncates-skipped | connector shop | skipped.operations is not set, so it is t | REVOKE TRUNCATE ON … FROM …; (its topics are compacted, and a truncate has no key: sending it would stop the connector)"
        ],
    );
}

#[test]
fn without_connect_the_topics_tell() {
    told(
        |facts| {
            facts.connect = None;
            topics(facts).truncate(1);
        },
        &expect![[r#"
            no-transaction-topic | topics of shop | there is no topic shop.transaction | "provide.transaction.metadata": "true"
            no-heartbeats | topics of shop | there is no topic __debezium-heartbeat.shop | "heartbeat.interval.ms": "2000""#]],
    );
}

#[test]
fn who_does_not_answer_is_told() {
    told(
        |facts| {
            facts.logs[0].topics.answer = silent_topics();
            facts.connect.as_mut().unwrap().answer = Err("connection refused".to_owned());
            facts.postgres.as_mut().unwrap().answer = Err("connection refused".to_owned());
        },
        &expect![[r#"
            broker-unreachable | source kafka | host:1: connection refused | brokers = "host:port" in [[sources]] kafka, as this machine reaches them
            connect-unreachable | Kafka Connect | host:1: connection refused | --connect-url http://host:8083, as this machine reaches it
            database-unreachable | database | host:1: connection refused | --dsn postgres://user:password@host:5432/database, or mend what the server says"#]],
    );
}

fn silent_topics() -> Result<Vec<TopicFacts>, String> {
    Err("connection refused".to_owned())
}

/// Facts that between them meet every rule there is.
fn bad() -> Vec<Facts> {
    let changes: [fn(&mut Facts); 6] = [
        lossy,
        neglected,
        half_registered,
        of_others,
        silent,
        registry_of_others,
    ];
    let changed = changes.into_iter().map(|change| {
        let mut facts = good();
        change(&mut facts);
        facts
    });
    changed.collect()
}

fn put(facts: &mut Facts, name: &str, value: &str) {
    connector(facts)
        .settings
        .insert(name.to_owned(), value.to_owned());
}

fn lossy(facts: &mut Facts) {
    let prefix = connector(facts).settings["topic.prefix"].clone();
    let class = connector(facts).settings["connector.class"].clone();
    connector(facts).settings = settings(&[
        ("topic.prefix", &prefix),
        ("connector.class", &class),
        ("decimal.handling.mode", "double"),
        ("time.precision.mode", "connect"),
        ("binary.handling.mode", "base64"),
        ("unavailable.value.placeholder", "x"),
        ("snapshot.mode", "never"),
        ("errors.tolerance", "all"),
        ("tombstones.on.delete", "false"),
        ("message.key.columns", "orders:id"),
    ]);
    connector(facts).state = "PAUSED".to_owned();
    connector(facts).tasks[0].state = "FAILED".to_owned();
    let bytes = Column {
        name: "doc".to_owned(),
        type_name: "bytea".to_owned(),
        is_nullable: true,
        has_default: true,
        is_stored_aside: true,
    };
    postgres(facts).tables[0].columns.push(bytes);
    topics(facts)[0].settings = settings(&[
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "1"),
        ("delete.retention.ms", "1"),
        ("unclean.leader.election.enable", "true"),
    ]);
    topics(facts)[1].samples[0].timestamp_ms = Some(0);
    topics(facts)[2].partitions = 3;
    postgres(facts).clock.ahead_ms = 5_000;
}

fn neglected(facts: &mut Facts) {
    connector(facts)
        .settings
        .remove("producer.override.linger.ms");
    connector(facts).overrides_refused = Some("None does not allow it".to_owned());
    put(facts, "decimal.handling.mode", "precise");
    put(facts, "skipped.operations", "d");
    put(facts, "transforms", "flat");
    put(
        facts,
        "transforms.flat.type",
        "io.debezium.transforms.ExtractNewRecordState",
    );
    put(
        facts,
        "transforms.flat.delete.tombstone.handling.mode",
        "drop",
    );
    facts.logs[0].heartbeat_table = None;
    facts.logs[0].missing = vec![("shop.x.*".to_owned(), String::new())];
    let postgres = postgres(facts);
    postgres.settings = settings(&[("wal_level", "replica"), ("max_slot_wal_keep_size", "-1")]);
    postgres.slots[0].kept_bytes = 2 << 30;
    let slot = |name: &str, is_active, status: &str| Slot {
        name: name.to_owned(),
        is_active,
        wal_status: Some(status.to_owned()),
        kept_bytes: 0,
    };
    postgres
        .slots
        .extend([slot("a", false, "reserved"), slot("b", false, "lost")]);
    let of = &mut postgres.publications[0];
    of.is_of_all_tables = true;
    of.operations.remove("delete");
    postgres.tables[0].has_primary_key = false;
    postgres.tables[1].is_partition_of = Some("root".to_owned());
}

fn half_registered(facts: &mut Facts) {
    connector(facts)
        .settings
        .remove("producer.override.linger.ms");
    put(facts, "slot.name", "other");
    put(facts, "publication.name", "other");
    topics(facts)[0].records = 0;
}

fn of_others(facts: &mut Facts) {
    put(facts, "topic.prefix", "crm");
    topics(facts).push(topic("shop.public.a", &["Struct{id=1}"]));
    topics(facts).push(topic("shop.public.b", &["\0\0\0\0\u{7}x"]));
    topics(facts)[0].settings = settings(&[("cleanup.policy", "compact")]);
    postgres(facts).publications[0].tables =
        BTreeSet::from([("public".to_owned(), "c".to_owned())]);
    postgres(facts).tables.push(table("c"));
    postgres(facts).tables[0].has_primary_key = false;
    let variables = settings(&[
        ("log_bin", "ON"),
        ("binlog_format", "MIXED"),
        ("binlog_row_image", "MINIMAL"),
        ("gtid_mode", "OFF"),
        ("expire_logs_days", "1"),
    ]);
    facts.mysql = Some(MySqlFacts { variables });
}

fn silent(facts: &mut Facts) {
    let variables = settings(&[("log_bin", "OFF")]);
    facts.mysql = Some(MySqlFacts { variables });
    facts.postgres.as_mut().unwrap().answer = Err("refused".to_owned());
    facts.connect.as_mut().unwrap().answer = Err("refused".to_owned());
    let unknown = Asked {
        address: "r".to_owned(),
        answer: Err("refused".to_owned()),
    };
    facts.logs[0].registry = Some(RegistryFacts { unknown });
}

fn registry_of_others(facts: &mut Facts) {
    let unknown = answered(vec![(7, "not found".to_owned())]);
    facts.logs[0].registry = Some(RegistryFacts { unknown });
    let mut gone = log(Vec::new());
    gone.topics.answer = silent_topics();
    facts.logs.push(gone);
    facts.connect = None;
    topics(facts).truncate(1);
}

#[test]
fn every_rule_is_met_by_some_fact() {
    let findings = bad()
        .into_iter()
        .flat_map(|facts| check(&facts, Scope::Everything));
    let met: BTreeSet<&str> = findings.map(|finding| finding.rule.id).collect();
    let all: BTreeSet<&str> = ALL.iter().copied().flatten().map(|rule| rule.id).collect();
    let never: Vec<&&str> = all.difference(&met).collect();
    assert!(never.is_empty(), "{never:?}");
}

#[test]
fn findings_come_worst_first_and_name_what_mends_them() {
    for facts in bad() {
        let findings = check(&facts, Scope::Everything);
        assert!(findings.is_sorted_by_key(|finding| finding.rule.severity));
        for finding in findings {
            assert!(
                !finding.mend.is_empty() && !finding.seen.is_empty(),
                "{finding:?}"
            );
            assert!(
                !finding.place.ends_with(' ') && !finding.seen.contains('\n'),
                "{finding:?}"
            );
        }
    }
}
