//! Whether what config names is there, and says something that can be read.

use super::view::View;
use crate::facts::{LogFacts, Shape, TopicFacts};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &BROKER_UNREACHABLE,
    &CONNECT_UNREACHABLE,
    &DATABASE_UNREACHABLE,
    &TOPIC_MISSING,
    &TOPIC_EMPTY,
    &RECORDS_UNREADABLE,
    &REGISTRY_UNREACHABLE,
    &REGISTRY_NOT_CONFIGURED,
    &SCHEMA_MISSING,
];

const BROKER_UNREACHABLE: Rule = Rule {
    id: "broker-unreachable",
    severity: Severity::Wrong,
    title: "No broker answers",
    why: "Nothing can be read: tables stay as the last checkpoint left them, and are told as stale.",
    told: "The brokers of a source were asked for their topics and did not answer in time, or refused.",
    mending: "\
`brokers` is `host:port`, as this machine reaches them. Where the first connection succeeds and the next fails, the broker names itself to others by an address that does not lead \
there from here (`advertised.listeners` of the broker): it must be one that this machine can resolve and reach.

A broker that wants TLS or a login closes the connection of a client without: set `security.protocol` (and `sasl.*`, `ssl.*`) in the source's `kafka` section.",
};

const CONNECT_UNREACHABLE: Rule = Rule {
    id: "connect-unreachable",
    severity: Severity::Wrong,
    title: "Kafka Connect does not answer",
    why: "Whether the connectors run, and how they are set, could not be looked at.",
    told: "`--connect-url` was given and its `/connectors` does not answer, or answers something else.",
    mending: "\
The address is that of Connect's REST API, without a path: `http://connect:8083`. A login goes into it (`http://user:password@connect:8083`) and is never shown. While Connect \
rebalances it may take a minute to answer.",
};

const DATABASE_UNREACHABLE: Rule = Rule {
    id: "database-unreachable",
    severity: Severity::Wrong,
    title: "The database does not answer",
    why: "Its log settings, slots, publications and tables could not be looked at.",
    told: "`--dsn` was given and the connection failed, or a question over it took too long.",
    mending: "\
`--dsn postgres://user:password@host:5432/database`. It needs no more rights than to connect: what is asked stands in catalogues that everyone may read. Only the size \
of what slots keep needs `pg_monitor` on some hosted servers: `GRANT pg_monitor TO …`.",
};

const TOPIC_MISSING: Rule = Rule {
    id: "topic-missing",
    severity: Severity::Wrong,
    title: "A topic does not exist",
    why: "There is no table for it until the connector writes its first record: requests for the table answer 404 until then.",
    told: "A topic that config names does not exist, or no topic matches one of its globs.",
    mending: "\
Names are `<topic.prefix>.<schema>.<table>` (PostgreSQL) or `<topic.prefix>.<database>.<table>` (MySQL, MariaDB). A connector makes a topic with the first record of a table: an empty \
table has none, unless the topic was created beforehand. Quote globs, or the shell expands them.",
};

const TOPIC_EMPTY: Rule = Rule {
    id: "topic-empty",
    severity: Severity::Hint,
    title: "A topic has no records",
    why: "Its table has no rows and no columns. That is right if the source's table is empty, and a sign of a connector without snapshot or of short retention if not.",
    told: "A topic that is followed exists, and the brokers have no record of it.",
    mending: "\
If the source's table has rows, have the connector read them: `snapshot.mode=initial` reads all tables when it first starts; later an incremental snapshot by signal reads single tables.",
};

const RECORDS_UNREADABLE: Rule = Rule {
    id: "records-unreadable",
    severity: Severity::Wrong,
    title: "Records are no change events",
    why: "Nothing of them can become a row: every record goes to the quarantine.",
    told: "The last records of a topic were read, and none of them is a JSON object or framed by a schema registry.",
    mending: "\
`StringConverter` writes Java's text of a record (`Struct{id=1,…}`), from which nothing can be read back; `ByteArrayConverter` fails. Use `org.apache.kafka.connect.json.JsonConverter`, \
or the converter of a schema registry for Avro, Protobuf or JSON Schema. Records that were written before stay as they are: delete the topic and take a new snapshot.",
};

const REGISTRY_UNREACHABLE: Rule = Rule {
    id: "registry-unreachable",
    severity: Severity::Wrong,
    title: "The schema registry does not answer",
    why: "Records whose schema is not known yet wait, and their tables with them.",
    told: "The registry of a source was asked for a schema and did not answer in time, or refused.",
    mending: "\
`url` is where Confluent's API begins: `http://registry:8081` for Confluent's and Karapace, `http://registry:8080/apis/ccompat/v7` for Apicurio. A 401 wants `username` and `password`, \
or `token`.",
};

const REGISTRY_NOT_CONFIGURED: Rule = Rule {
    id: "registry-not-configured",
    severity: Severity::Wrong,
    title: "Records need a schema registry that is not configured",
    why: "Records name a schema by a number that only the registry can explain: without it none of them can be read.",
    told: "The last records of a topic begin with the framing of a registry (a zero byte and the id of a schema), and the source has no `schema_registry`.",
    mending: "Give the source the registry that the connector's converter writes to. See `[sources.schema_registry]` in the [reference](../reference/config.md).",
};

const SCHEMA_MISSING: Rule = Rule {
    id: "schema-missing",
    severity: Severity::Wrong,
    title: "The registry does not have a schema that records name",
    why: "Those records can never be read, and go to the quarantine: the registry was emptied, or is another one than the connector's.",
    told: "The registry answered that it does not know the id which one of the last records of a topic names.",
    mending: "\
Compare the registry's address with the one in the connector (`value.converter.schema.registry.url`, `…apicurio.registry.url`). Apicurio counts global ids and content ids: the converter \
must write those that Confluent's API answers (`apicurio.registry.use-id=contentId`, `…as-confluent=true`). If the registry's topic was lost, restore it: the ids are in every record.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let facts = view.facts;
    for log in &facts.logs {
        if let Err(reason) = &log.topics.answer {
            found.push(BROKER_UNREACHABLE.at(
                format!("source {}", log.source),
                format!("{}: {reason}", log.topics.address),
                format!(
                    "brokers = \"host:port\" in [[sources]] {}, as this machine reaches them",
                    log.source
                ),
            ));
            continue;
        }
        missing(log, found);
        for topic in log.tables() {
            records(log, topic, found);
        }
        registry(log, found);
    }
    if let Some(asked) = &facts.connect
        && let Err(reason) = &asked.answer
    {
        let mend = "--connect-url http://host:8083, as this machine reaches it";
        found.push(CONNECT_UNREACHABLE.at(
            "Kafka Connect",
            format!("{}: {reason}", asked.address),
            mend,
        ));
    }
    if let Some(asked) = &facts.postgres
        && let Err(reason) = &asked.answer
    {
        let mend =
            "--dsn postgres://user:password@host:5432/database, or mend what the server says";
        let seen = format!("{}: {reason}", asked.address);
        found.push(DATABASE_UNREACHABLE.at("database", seen, mend));
    }
}

fn missing(log: &LogFacts, found: &mut Vec<Finding>) {
    for (topic, hint) in &log.missing {
        let seen = if topic.contains('*') {
            "no topic matches it".to_owned()
        } else {
            format!("the brokers do not have it{hint}")
        };
        let mend = format!(
            "topics = [\"…\"] in [[sources]] {}, as the broker has them; or \"table.include.list\" of the connector, if it should write {topic}",
            log.source
        );
        found.push(TOPIC_MISSING.at(format!("topic {topic}"), seen, mend));
    }
}

fn records(log: &LogFacts, topic: &TopicFacts, found: &mut Vec<Finding>) {
    let place = format!("topic {}", topic.name);
    if topic.records == 0 {
        let mend = "\"snapshot.mode\": \"initial\", if the source's table has rows";
        found.push(TOPIC_EMPTY.at(place, "the brokers have no record of it", mend));
        return;
    }
    let shapes: Vec<Shape<'_>> = topic.shapes().collect();
    if shapes.is_empty() {
        return;
    }
    if !shapes.iter().any(Shape::is_usable) {
        let mend = "\"value.converter\": \"org.apache.kafka.connect.json.JsonConverter\"";
        let begins = shapes.iter().find_map(|shape| match shape {
            Shape::Other(bytes) => Some(beginning(bytes)),
            _ => None,
        });
        let begins = begins.unwrap_or_else(|| "a bare JSON value".to_owned());
        found.push(RECORDS_UNREADABLE.at(
            place,
            format!("the last records begin with {begins}"),
            mend,
        ));
    } else if let (Some(Shape::Framed(id)), None) = (
        shapes
            .iter()
            .find(|shape| matches!(shape, Shape::Framed(_))),
        &log.registry,
    ) {
        let mend = format!(
            "[sources.schema_registry] with url = \"http://…\" in source {}",
            log.source
        );
        found.push(REGISTRY_NOT_CONFIGURED.at(
            place,
            format!("its records name schema {id}"),
            mend,
        ));
    }
}

/// Never more of a record than tells what wrote it: the rest is somebody's data.
fn beginning(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.split_once('{') {
        Some((kind, _)) if kind.len() < 16 && kind.chars().all(char::is_alphanumeric) => {
            format!("{kind}{{…")
        }
        _ => format!("byte {:#04x}", bytes.first().copied().unwrap_or_default()),
    }
}

fn registry(log: &LogFacts, found: &mut Vec<Finding>) {
    let Some(registry) = &log.registry else {
        return;
    };
    match &registry.unknown.answer {
        Err(reason) => found.push(REGISTRY_UNREACHABLE.at(
            format!("source {}", log.source),
            format!("{}: {reason}", registry.unknown.address),
            format!("url = \"http://…\" in [sources.schema_registry] of source {}", log.source),
        )),
        Ok(unknown) => found.extend(unknown.iter().map(|(id, said)| {
            SCHEMA_MISSING.at(
                format!("source {}", log.source),
                format!("{} says of schema {id}: {said}", registry.unknown.address),
                "url = \"…\" in [sources.schema_registry]: the registry that the connector's converter writes to",
            )
        })),
    }
}
