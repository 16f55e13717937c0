//! How long brokers keep what a table is made from.

use super::view::View;
use crate::facts::{LogFacts, TopicFacts};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &RETENTION,
    &SHORT_TOMBSTONES,
    &COMPACTED_WITHOUT_KEYS,
    &UNCLEAN_ELECTION,
];

/// Tombstones that are kept for less may be gone before somebody who was down has read them.
const TOMBSTONES_KEPT_MIN_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

const RETENTION: Rule = Rule {
    id: "retention-too-short",
    severity: Severity::Risky,
    title: "The broker forgets what a table is made from",
    why: "A table that has to be read again (a new instance, a lost checkpoint, `rowtide rebuild`) gets only rows that changed within the retention: the others are missing, and nobody can say which.",
    told: "`cleanup.policy` of a topic that makes a table has `delete` in it, with `retention.ms` or `retention.bytes` set. Kafka's default is seven days. Tables with `keep` are left out: they are meant to forget.",
    mending: "\
```sh
kafka-configs.sh --bootstrap-server HOST:9092 --alter --entity-type topics --entity-name TOPIC --add-config retention.ms=-1,retention.bytes=-1
```

keeps everything. `cleanup.policy=compact` keeps the last record of each row, which is enough for a rebuild and a fraction of the space; but it is for tables with a key that nobody truncates, because brokers refuse records \
without a key in compacted topics and the connector stops ([compacted-without-keys](compacted-without-keys.md)). `compact,delete` still forgets rows. New topics get it from the connector:

```json
\"topic.creation.default.cleanup.policy\": \"compact\"
```",
};

const SHORT_TOMBSTONES: Rule = Rule {
    id: "tombstones-short-lived",
    severity: Severity::Risky,
    title: "Compaction takes tombstones away soon",
    why: "Who was down for longer than this never reads that a row was deleted, and keeps it.",
    told: "A compacted topic has `delete.retention.ms` below Kafka's default of 24 hours.",
    mending: "\
```sh
kafka-configs.sh --bootstrap-server HOST:9092 --alter --entity-type topics --entity-name TOPIC --add-config delete.retention.ms=604800000
```

Choose more than the longest that an instance may be down with its checkpoint: seven days here.",
};

const COMPACTED_WITHOUT_KEYS: Rule = Rule {
    id: "compacted-without-keys",
    severity: Severity::Wrong,
    title: "A compacted topic is to take records without a key",
    why: "Brokers refuse such a record (`InvalidRecordException`), and the connector's task fails with the first one.",
    told: "A compacted topic belongs to a table without a key, or to a connector that sends truncates (`skipped.operations=none`).",
    mending: "\
```sh
kafka-configs.sh --bootstrap-server HOST:9092 --alter --entity-type topics --entity-name TOPIC --add-config cleanup.policy=delete,retention.ms=-1
```

Or give the table a primary key; or let the connector skip truncates, and see to it that nobody truncates.",
};

const UNCLEAN_ELECTION: Rule = Rule {
    id: "unclean-leader-election",
    severity: Severity::Risky,
    title: "A broker that is behind may become leader",
    why: "Records that were read already may vanish and their offsets be given to others: rows then differ from the source, and a restart may find a log that is another.",
    told: "`unclean.leader.election.enable=true` for a topic that makes a table.",
    mending: "\
```sh
kafka-configs.sh --bootstrap-server HOST:9092 --alter --entity-type topics --entity-name TOPIC --add-config unclean.leader.election.enable=false
```",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for (log, topic) in view.tables() {
        retention(log, topic, found);
        let place = || format!("topic {}", topic.name);
        let kept_ms = topic.number("delete.retention.ms");
        if let Some(kept_ms) =
            kept_ms.filter(|kept| topic.is_compacted() && *kept < TOMBSTONES_KEPT_MIN_MS)
        {
            let seen = format!("delete.retention.ms={kept_ms} ({})", span(kept_ms));
            found.push(SHORT_TOMBSTONES.at(
                place(),
                seen,
                alter(log, topic, "delete.retention.ms=604800000"),
            ));
        }
        if topic.setting("unclean.leader.election.enable") == Some("true") {
            let mend = alter(log, topic, "unclean.leader.election.enable=false");
            found.push(UNCLEAN_ELECTION.at(place(), "unclean.leader.election.enable=true", mend));
        }
        without_keys(view, log, topic, found);
    }
}

fn retention(log: &LogFacts, topic: &TopicFacts, found: &mut Vec<Finding>) {
    let is_deleted = topic
        .setting("cleanup.policy")
        .is_some_and(|policy| policy.contains("delete"));
    if !is_deleted || log.bounded.contains(&topic.name) {
        return;
    }
    let time = topic.number("retention.ms").filter(|ms| *ms >= 0);
    let space = topic.number("retention.bytes").filter(|bytes| *bytes >= 0);
    let policy = topic.setting("cleanup.policy").unwrap_or_default();
    let told = [
        time.map(|ms| format!("retention.ms={ms} ({})", span(ms))),
        space.map(|bytes| format!("retention.bytes={bytes}")),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() {
        return;
    }
    let seen = format!("cleanup.policy={policy}, {}", told.join(", "));
    // Asked for only where it is set: it is not for most.
    let config = match space {
        Some(_) => "retention.ms=-1,retention.bytes=-1",
        None => "retention.ms=-1",
    };
    found.push(RETENTION.at(
        format!("topic {}", topic.name),
        seen,
        alter(log, topic, config),
    ));
}

fn without_keys(view: &View<'_>, log: &LogFacts, topic: &TopicFacts, found: &mut Vec<Finding>) {
    if !topic.is_compacted() {
        return;
    }
    let truncating = view.connectors.iter().find(|connector| {
        let sends = connector
            .setting("skipped.operations")
            .is_some_and(|skipped| !skipped.split(',').any(|operation| operation.trim() == "t"));
        sends
            && view
                .tables_of(connector)
                .any(|(_, of)| of.name == topic.name)
    });
    let keyless = view.captured().into_iter().find(|table| {
        !table.has_key() && view.topic_of(table).is_some_and(|of| of.name == topic.name)
    });
    let seen = match (keyless, truncating) {
        (Some(table), _) => format!(
            "it is compacted, and {} has no primary key",
            table.sql_name()
        ),
        (None, Some(connector)) => format!(
            "it is compacted, and connector {} sends truncates",
            connector.name
        ),
        (None, None) => return,
    };
    let mend = alter(log, topic, "cleanup.policy=delete,retention.ms=-1");
    found.push(COMPACTED_WITHOUT_KEYS.at(format!("topic {}", topic.name), seen, mend));
}

fn alter(log: &LogFacts, topic: &TopicFacts, config: &str) -> String {
    // A value with a comma in it would have to stand in brackets; none has.
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {config}",
        log.topics.address, topic.name
    )
}

/// A time as people say it.
fn span(ms: i64) -> String {
    match ms {
        _ if ms >= 48 * HOUR_MS => format!("{} days", ms / (24 * HOUR_MS)),
        _ if ms >= HOUR_MS => format!("{} hours", ms / HOUR_MS),
        _ if ms >= 60_000 => format!("{} minutes", ms / 60_000),
        _ => format!("{} seconds", ms / 1_000),
    }
}
