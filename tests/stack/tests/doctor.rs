//! `rowtide doctor` on real servers: what is badly set up is found by name, and what is well set up is not.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use black_box::{binary, wait};
use real_stack::{Postgres, Stack};
use serde_json::Value;

const TABLES: &str = "
    create table orders (id int primary key, total numeric(10, 2), note text default 'none', document bytea);
    create table events (at timestamptz, what text);
    insert into orders values (1, 9.50, 'first', '\\x00'), (2, 1, null, null);
    insert into events values (now(), 'seen')";

/// What `rowtide doctor` says of a database's pipeline, and how it ends.
struct Visit {
    ids: BTreeSet<String>,
    answer: Value,
    code: Option<i32>,
}

fn rowtide(arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary::path()?);
    command
        .args(arguments)
        .output()
        .context("cannot run rowtide")
}

fn visit(arguments: &[&str]) -> anyhow::Result<Visit> {
    let output = rowtide(arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        !format!("{text}{said}").contains("hunter2"),
        "a password is told: {text}{said}"
    );
    let answer: Value = serde_json::from_str(&text).with_context(|| format!("{text}{said}"))?;
    let found = answer["findings"]
        .as_array()
        .or(answer["connect"]["findings"].as_array());
    let ids = found.context("no findings")?.iter();
    Ok(Visit {
        ids: ids
            .filter_map(|finding| Some(finding["id"].as_str()?.to_owned()))
            .collect(),
        answer,
        code: output.status.code(),
    })
}

fn doctor(stack: &Stack, shop: &Postgres) -> anyhow::Result<Visit> {
    let (brokers, topics) = (stack.brokers()?, format!("{}.*", shop.name()));
    let connect = stack.connect()?;
    visit(&[
        "doctor",
        "--brokers",
        &brokers,
        "--topics",
        &topics,
        "--connect-url",
        connect.url(),
        "--dsn",
        &shop.url(),
    ])
}

/// Its topics may still be on their way: waits until there is one of each table.
fn until_there(stack: &Stack, shop: &Postgres) -> anyhow::Result<()> {
    let brokers = stack.brokers()?;
    wait::until("the tables have topics", || {
        let mut arguments = vec![
            "check".to_owned(),
            "--connect".to_owned(),
            "--brokers".to_owned(),
            brokers.clone(),
        ];
        for table in ["orders", "events"] {
            arguments.extend([
                "--topics".to_owned(),
                format!("{}.public.{table}", shop.name()),
            ]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let visit = visit(&arguments)?;
        let missing = ["topic-missing", "topic-empty"];
        Ok((!missing.iter().any(|id| visit.ids.contains(*id))).then_some(()))
    })
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn what_is_badly_set_up_is_found() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("sick")?;
    shop.run(TABLES)?;
    let mut registration = shop.connector().with("database.password", "hunter2");
    for left_out in [
        "provide.transaction.metadata",
        "heartbeat.interval.ms",
        "skipped.operations",
        "poll.interval.ms",
        "producer.override.linger.ms",
    ] {
        registration = registration.without(left_out);
    }
    let registration = registration
        .with("decimal.handling.mode", "double")
        .with("time.precision.mode", "connect")
        .with("binary.handling.mode", "base64")
        .with("errors.tolerance", "all");
    let _connector = stack.register(&registration)?;
    until_there(&stack, &shop)?;
    // So that the converter of the worker can be seen at work.
    shop.run("insert into orders values (3, 1, null, null)")?;

    let wanted = set(&[
        "binary-base64",
        "connector-linger",
        "connector-poll-interval",
        "decimal-double",
        "failures-skipped",
        "no-heartbeat-action-query",
        "no-heartbeats",
        "no-transaction-topic",
        "null-replaced",
        "publication-all-tables",
        "replica-identity-default",
        "replica-identity-missing",
        "retention-too-short",
        "slot-unlimited",
        "table-without-key",
        "time-precision-connect",
        "truncates-skipped",
    ]);
    let mut seen = doctor(&stack, &shop)?;
    wait::until("the streamed row is there", || {
        seen = doctor(&stack, &shop)?;
        Ok(seen.ids.contains("null-replaced").then_some(()))
    })?;
    assert_eq!(seen.ids, wanted, "{:#}", seen.answer);
    assert_eq!(seen.code, Some(1));
    let findings = seen.answer["findings"].as_array().context("findings")?;
    let identity = findings
        .iter()
        .find(|finding| finding["id"] == "replica-identity-missing");
    assert_eq!(
        identity.context("found above")?["mend"],
        "ALTER TABLE public.events REPLICA IDENTITY FULL;"
    );

    // The line that mends it does.
    shop.run("ALTER TABLE public.events REPLICA IDENTITY FULL;")?;
    assert!(
        !doctor(&stack, &shop)?
            .ids
            .contains("replica-identity-missing")
    );
    Ok(())
}

#[test]
fn what_is_well_set_up_is_let_be() -> anyhow::Result<()> {
    let stack = Stack::from_env()?;
    let mut shop = stack.postgres("sound")?;
    shop.run(TABLES)?;
    shop.run("alter table events add column id serial primary key; create table rowtide_heartbeat (id int primary key, at timestamptz)")?;
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let beat =
        "INSERT INTO rowtide_heartbeat VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET at = now()";
    let registration = shop
        .connector()
        .with("value.converter", json)
        .with("value.converter.replace.null.with.default", "false")
        .with("decimal.handling.mode", "string")
        .with("heartbeat.action.query", beat)
        .with("topic.creation.default.retention.ms", "-1");
    let connector = stack.register(&registration)?;
    until_there(&stack, &shop)?;
    let hints = [
        "no-heartbeat-table",
        "publication-all-tables",
        "replica-identity-default",
    ];
    let seen = doctor(&stack, &shop)?;
    // How much log slots may keep is the server's own setting.
    let wanted = set(&[&hints[..], &["slot-unlimited"]].concat());
    assert_eq!(seen.ids, wanted, "{:#}", seen.answer);
    let (brokers, topics) = (stack.brokers()?, format!("{}.*", shop.name()));
    let without_database = [
        "doctor",
        "--brokers",
        &brokers,
        "--topics",
        &topics,
        "--connect-url",
        stack.connect()?.url(),
    ]
    .map(str::to_owned);
    let arguments: Vec<&str> = without_database.iter().map(String::as_str).collect();
    let seen = visit(&arguments)?;
    assert_eq!(seen.code, Some(0), "{:#}", seen.answer);

    // What keeps it from running is told with its cause.
    connector.pause()?;
    let seen = doctor(&stack, &shop)?;
    assert!(
        seen.ids.contains("connector-not-running"),
        "{:#}",
        seen.answer
    );
    assert_eq!(seen.code, Some(1));
    Ok(())
}

#[test]
fn who_does_not_answer_is_a_finding() -> anyhow::Result<()> {
    let nobody = "127.0.0.1:1";
    let (connect, dsn) = (
        format!("http://me:hunter2@{nobody}"),
        format!("postgres://me:hunter2@{nobody}/shop"),
    );
    let seen = visit(&[
        "doctor",
        "--brokers",
        nobody,
        "--topics",
        "shop.*",
        "--connect-url",
        &connect,
        "--dsn",
        &dsn,
    ])?;
    assert_eq!(
        seen.ids,
        set(&[
            "broker-unreachable",
            "connect-unreachable",
            "database-unreachable"
        ])
    );
    assert_eq!(seen.code, Some(1));
    Ok(())
}
