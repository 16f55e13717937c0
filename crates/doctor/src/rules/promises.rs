//! What Rowtide's promises rest on: boundaries of transactions, and heartbeats.

use super::view::View;
use crate::facts::{Connector, DatabaseKind, LogFacts};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &NO_TRANSACTION_TOPIC,
    &TRANSACTION_TOPIC_PARTITIONS,
    &NO_HEARTBEATS,
    &HEARTBEATS_STOPPED,
    &NO_HEARTBEAT_ACTION_QUERY,
    &NO_HEARTBEAT_TABLE,
];

/// Older heartbeats have stopped, whatever their interval: it is seconds.
const HEARTBEAT_AGE_MAX_MS: i64 = 10 * 60_000;

const NO_TRANSACTION_TOPIC: Rule = Rule {
    id: "no-transaction-topic",
    severity: Severity::Risky,
    title: "Transactions are not told",
    why: "An answer may show half of a transaction: the order without its lines. With the topic every answer shows all of a transaction or nothing (`fresh.transactions` is `whole`).",
    told: "The connector does not set `provide.transaction.metadata`; or, where no connector was asked, the brokers have no `<topic.prefix>.transaction` and config names no other.",
    mending: "\
```json
\"provide.transaction.metadata\": \"true\"
```

It takes effect at the next start of the connector and needs no new snapshot. The topic is followed by itself where it is called `<topic.prefix>.transaction`; `transaction_topic` of the source names another. It costs two \
small records for each transaction. See [transactions](../reference/transactions.md).",
};

const TRANSACTION_TOPIC_PARTITIONS: Rule = Rule {
    id: "transaction-topic-partitions",
    severity: Severity::Wrong,
    title: "The transaction topic has several partitions",
    why: "Beginnings and ends of transactions have no order over several partitions, so no answer can be promised to be whole.",
    told: "The topic of boundaries has more than one partition.",
    mending: "\
Delete the topic, and create it again with one partition (no partition can be taken away); nothing else is lost with it.

```json
\"topic.creation.groups\": \"boundaries\",
\"topic.creation.boundaries.include\": \".*\\\\.transaction\",
\"topic.creation.boundaries.partitions\": \"1\"
```",
};

const NO_HEARTBEATS: Rule = Rule {
    id: "no-heartbeats",
    severity: Severity::Risky,
    title: "The connector sends no heartbeats",
    why: "While its tables are quiet the connector confirms nothing, so the database keeps all its log since (the usual way a disk fills up), and a quiet table cannot be told from a dead connector.",
    told: "The connector does not set `heartbeat.interval.ms`, or sets it to 0 (the default); or, where no connector was asked, the brokers have no `__debezium-heartbeat.<topic.prefix>` and config names no other.",
    mending: "\
```json
\"heartbeat.interval.ms\": \"2000\"
```

together with an action query ([no-heartbeat-action-query](no-heartbeat-action-query.md)): the interval alone lets the connector say that it lives, and moves nothing in the database. See \
[freshness](../reference/freshness.md#heartbeats).",
};

const HEARTBEATS_STOPPED: Rule = Rule {
    id: "heartbeats-stopped",
    severity: Severity::Wrong,
    title: "Heartbeats have stopped",
    why: "The connector is down, stuck, or cut off from its database: nothing that was committed since is in any table.",
    told: "The newest record of the heartbeat topic is older than ten minutes.",
    mending: "Ask Connect how the connector is: `curl …/connectors/NAME/status`, and look at its log. `--connect-url` lets `rowtide doctor` do it.",
};

const NO_HEARTBEAT_ACTION_QUERY: Rule = Rule {
    id: "no-heartbeat-action-query",
    severity: Severity::Risky,
    title: "Heartbeats write nothing into the database",
    why: "Only a change that comes the whole way moves the slot and proves how far the source was read: without one, `lsn:` tokens and `max_lag` of quiet tables wait for somebody else's write.",
    told: "The connector sends heartbeats and has no `heartbeat.action.query`.",
    mending: "\
```sql
CREATE TABLE rowtide_heartbeat (id int PRIMARY KEY, at timestamptz);
```

```json
\"heartbeat.action.query\": \"INSERT INTO rowtide_heartbeat VALUES (1, now()) ON CONFLICT (id) DO UPDATE SET at = now()\"
```

(MySQL, MariaDB: `INSERT INTO rowtide_heartbeat VALUES (1, now()) ON DUPLICATE KEY UPDATE at = now()`.) The table must be among those that the connector captures (`table.include.list`) and, with PostgreSQL, in its publication; \
its user needs the right to write it.",
};

const NO_HEARTBEAT_TABLE: Rule = Rule {
    id: "no-heartbeat-table",
    severity: Severity::Hint,
    title: "The heartbeat table is not made use of",
    why: "With it `source_lag_ms` is known, and floors that are positions are met by quiet tables too.",
    told: "The connector has a `heartbeat.action.query`, and no source of the configuration says which topic its rows come in.",
    mending: "\
```toml
[[sources]]
heartbeat_table = \"shop.public.rowtide_heartbeat\"
```

It makes no table. See [freshness](../reference/freshness.md#heartbeats).",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for connector in &view.connectors {
        transactions(connector, found);
        heartbeats(view, connector, found);
    }
    for log in view
        .facts
        .logs
        .iter()
        .filter(|log| log.topics.fact().is_some())
    {
        for prefix in log.prefixes() {
            let is_known = view
                .connectors
                .iter()
                .any(|connector| connector.prefix() == Some(&prefix));
            topics(view, log, &prefix, is_known, found);
        }
    }
}

fn place(connector: &Connector) -> String {
    format!("connector {}", connector.name)
}

fn transactions(connector: &Connector, found: &mut Vec<Finding>) {
    const SETTING: &str = "provide.transaction.metadata";
    if !connector.is(SETTING, "true") {
        let mend = Connector::line(SETTING, "true");
        found.push(NO_TRANSACTION_TOPIC.at(
            place(connector),
            connector.told(SETTING, "false"),
            mend,
        ));
    }
}

fn heartbeats(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    const INTERVAL: &str = "heartbeat.interval.ms";
    const QUERY: &str = "heartbeat.action.query";
    if connector.number(INTERVAL, 0) <= 0 {
        let mend = Connector::line(INTERVAL, "2000");
        found.push(NO_HEARTBEATS.at(place(connector), connector.told(INTERVAL, "0"), mend));
    }
    let upsert = match connector.kind() {
        DatabaseKind::Postgres => "ON CONFLICT (id) DO UPDATE SET at = now()",
        DatabaseKind::MySql | DatabaseKind::MariaDb => "ON DUPLICATE KEY UPDATE at = now()",
        DatabaseKind::Other => return,
    };
    if connector.setting(QUERY).is_none() {
        let query = format!("INSERT INTO rowtide_heartbeat VALUES (1, now()) {upsert}");
        let mend = Connector::line(QUERY, &query);
        found.push(NO_HEARTBEAT_ACTION_QUERY.at(
            place(connector),
            connector.told(QUERY, "none"),
            mend,
        ));
    } else if !view.facts.logs.is_empty()
        && view
            .facts
            .logs
            .iter()
            .all(|log| log.heartbeat_table.is_none())
    {
        let prefix = connector.prefix().unwrap_or("…");
        let mend = format!("heartbeat_table = \"{prefix}.….rowtide_heartbeat\" in [[sources]]");
        let seen = format!("{QUERY} is set, and no source has a heartbeat_table");
        found.push(NO_HEARTBEAT_TABLE.at(place(connector), seen, mend));
    }
}

/// What the topics alone show of one connector.
fn topics(view: &View<'_>, log: &LogFacts, prefix: &str, is_known: bool, found: &mut Vec<Finding>) {
    let boundaries = log.transaction_topic.clone();
    let boundaries = boundaries.unwrap_or_else(|| format!("{prefix}.transaction"));
    match log.topic(&boundaries) {
        Some(topic) if topic.partitions > 1 => found.push(TRANSACTION_TOPIC_PARTITIONS.at(
            format!("topic {boundaries}"),
            format!("it has {} partitions", topic.partitions),
            format!("kafka-topics.sh --bootstrap-server {} --delete --topic {boundaries}, and create it with --partitions 1", log.topics.address),
        )),
        None if !is_known => found.push(NO_TRANSACTION_TOPIC.at(
            format!("topics of {prefix}"),
            format!("there is no topic {boundaries}"),
            Connector::line("provide.transaction.metadata", "true"),
        )),
        _ => {}
    }
    let beats = log.heartbeat_topic.clone();
    let beats = beats.unwrap_or_else(|| format!("__debezium-heartbeat.{prefix}"));
    let Some(topic) = log.topic(&beats) else {
        if !is_known {
            let mend = Connector::line("heartbeat.interval.ms", "2000");
            found.push(NO_HEARTBEATS.at(
                format!("topics of {prefix}"),
                format!("there is no topic {beats}"),
                mend,
            ));
        }
        return;
    };
    let newest = topic
        .samples
        .iter()
        .filter_map(|sample| sample.timestamp_ms)
        .max();
    if let Some(age_ms) = newest.map(|newest| view.facts.now_ms - newest)
        && age_ms > HEARTBEAT_AGE_MAX_MS
    {
        let mend =
            "curl …/connectors/NAME/status, then …/connectors/NAME/restart?includeTasks=true";
        let seen = format!("the last heartbeat is {} minutes old", age_ms / 60_000);
        found.push(HEARTBEATS_STOPPED.at(format!("topic {beats}"), seen, mend));
    }
}
