//! Changes of the source that the connector does not send, or sends so that they cannot be told.

use super::view::View;
use crate::facts::{Connector, DatabaseKind, Identity};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &TRUNCATES_SKIPPED,
    &OPERATIONS_SKIPPED,
    &DELETES_DROPPED,
    &FLATTENED,
    &TOMBSTONES_OFF,
    &SNAPSHOT_SKIPPED,
    &KEY_COLUMNS,
];

const SKIPPED: &str = "skipped.operations";
const TOMBSTONES: &str = "tombstones.on.delete";
const MODE: &str = "snapshot.mode";

const TRUNCATES_SKIPPED: Rule = Rule {
    id: "truncates-skipped",
    severity: Severity::Risky,
    title: "Truncates are not sent",
    why: "After a TRUNCATE at the source the table keeps all its rows here, and nothing says so.",
    told: "`skipped.operations` of the connector is not set (Debezium's default is `t`) or has `t` in it.",
    mending: "\
```json
\"skipped.operations\": \"none\"
```

The publication must publish truncates as well, which it does unless told otherwise. A truncate has no key, and brokers refuse records without a key in compacted topics, which stops the connector: so where topics \
are compacted, rather see to it that nobody truncates.

```sql
REVOKE TRUNCATE ON orders FROM app;
```",
};

const OPERATIONS_SKIPPED: Rule = Rule {
    id: "operations-skipped",
    severity: Severity::Wrong,
    title: "Inserts, updates or deletes are not sent",
    why: "The table differs from the source's with the first change of a kind that is not sent.",
    told: "`skipped.operations` of the connector has `c`, `u` or `d` in it.",
    mending: "\
```json
\"skipped.operations\": \"none\"
```

What was not sent meanwhile comes with an incremental snapshot by signal, except for deletes: those need a full one.",
};

const DELETES_DROPPED: Rule = Rule {
    id: "deletes-dropped",
    severity: Severity::Wrong,
    title: "Deletes are dropped on the way",
    why: "Rows that are deleted at the source stay in the table for ever.",
    told: "`ExtractNewRecordState` with `delete.tombstone.handling.mode=drop`, or with the older `drop.tombstones=true` and no `delete.handling.mode=rewrite`.",
    mending: "\
```json
\"transforms.NAME.delete.tombstone.handling.mode\": \"tombstone\"
```

Better still, send change events as they are, without `ExtractNewRecordState` ([flattened-events](flattened-events.md)). Rows that should be gone go with a full snapshot.",
};

const FLATTENED: Rule = Rule {
    id: "flattened-events",
    severity: Severity::Hint,
    title: "Change events are flattened",
    why: "A flattened row does not say what happened, when and where in the source's order: truncates never come, snapshots look like inserts, and what is delivered twice shows old states for a while.",
    told: "The connector has the transform `ExtractNewRecordState` (or `ExtractNewDocumentState`).",
    mending: "\
Take it out: Rowtide reads change events as they are. If other consumers need flat rows, let the transform tell at least:

```json
\"transforms.NAME.add.fields\": \"op,lsn,source.ts_ms,source.snapshot,transaction.id,transaction.total_order\"
```

(`op,file,pos,row,…` for MySQL and MariaDB.)",
};

const TOMBSTONES_OFF: Rule = Rule {
    id: "compaction-without-tombstones",
    severity: Severity::Risky,
    title: "A compacted topic gets no tombstones",
    why: "Compaction keeps the last record of each key for ever: without a tombstone behind it, that is a delete, so the topic grows with every row there ever was.",
    told: "`tombstones.on.delete=false` in the connector of a topic whose `cleanup.policy` has `compact` in it.",
    mending: "\
```json
\"tombstones.on.delete\": \"true\"
```

It is the default. Other consumers that cannot take a record without a value were often the reason to turn it off: they can pass over it.",
};

const SNAPSHOT_SKIPPED: Rule = Rule {
    id: "snapshot-skipped",
    severity: Severity::Risky,
    title: "The connector takes no snapshot",
    why: "Rows that were there before the connector are in no table until somebody changes them: counts and sums are too small.",
    told: "`snapshot.mode` of the connector is `no_data`, `never`, `schema_only` or `schema_only_recovery`.",
    mending: "\
```json
\"snapshot.mode\": \"initial\"
```

It takes effect where the connector has no offsets yet. A connector that runs already reads the rows with an incremental snapshot: insert `execute-snapshot` into its signal table.",
};

const KEY_COLUMNS: Rule = Rule {
    id: "message-key-identity",
    severity: Severity::Wrong,
    title: "Keys of its own, made from rows that are not whole",
    why: "Without the whole row before a change, Debezium makes keys of deletes from columns that are empty: deletes meet no row, and a changed key leaves the old row behind.",
    told: "`message.key.columns` is set, and a table that it may name has not REPLICA IDENTITY FULL.",
    mending: "\
```sql
ALTER TABLE orders REPLICA IDENTITY FULL;
```

Then take a full snapshot, for rows that should be gone. Or leave `message.key.columns` out, and give `key = [\"…\"]` in the table's `[[tables]]` where the primary key is not what you want to ask by.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for connector in &view.connectors {
        let place = format!("connector {}", connector.name);
        operations(view, connector, &place, found);
        transforms(connector, &place, found);
        let compacted = view
            .tables_of(connector)
            .filter(|(_, topic)| topic.is_compacted());
        let compacted: Vec<&str> = compacted.map(|(_, topic)| topic.name.as_str()).collect();
        if connector.is(TOMBSTONES, "false")
            && let Some(first) = compacted.first()
        {
            let more = match compacted.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let seen = format!("{TOMBSTONES}=false, and {first}{more} is compacted");
            found.push(TOMBSTONES_OFF.at(place.clone(), seen, Connector::line(TOMBSTONES, "true")));
        }
        if ["no_data", "never", "schema_only", "schema_only_recovery"]
            .iter()
            .any(|mode| connector.is(MODE, mode))
        {
            let seen = connector.told(MODE, "initial");
            found.push(SNAPSHOT_SKIPPED.at(place, seen, Connector::line(MODE, "initial")));
        }
        key_columns(view, connector, found);
    }
}

fn operations(view: &View<'_>, connector: &Connector, place: &str, found: &mut Vec<Finding>) {
    let skipped = connector
        .setting(SKIPPED)
        .unwrap_or("t")
        .to_ascii_lowercase();
    let skipped: Vec<&str> = skipped.split(',').map(str::trim).collect();
    let seen = || connector.told(SKIPPED, "t");
    if skipped
        .iter()
        .any(|operation| ["c", "u", "d"].contains(operation))
    {
        found.push(OPERATIONS_SKIPPED.at(place, seen(), Connector::line(SKIPPED, "none")));
    }
    // MySQL tells a truncate as DDL too, and skips it all the same.
    if skipped.contains(&"t") {
        let is_compacted = view.tables().any(|(_, topic)| topic.is_compacted());
        let mend = if is_compacted {
            "REVOKE TRUNCATE ON … FROM …; (its topics are compacted, and a truncate has no key: sending it would stop the connector)".to_owned()
        } else {
            Connector::line(SKIPPED, "none")
        };
        found.push(TRUNCATES_SKIPPED.at(place, seen(), mend));
    }
}

fn transforms(connector: &Connector, place: &str, found: &mut Vec<Finding>) {
    let of_rows = connector.transforms("ExtractNewRecordState");
    let of_documents = connector.transforms("ExtractNewDocumentState");
    for name in of_rows.into_iter().chain(of_documents) {
        let setting = |key: &str| format!("transforms.{name}.{key}");
        let mode = setting("delete.tombstone.handling.mode");
        let old_mode = setting("delete.handling.mode");
        let old_drop = setting("drop.tombstones");
        let add = setting("add.fields");
        let drops = if connector.setting(&mode).is_some() {
            connector
                .is(&mode, "drop")
                .then(|| connector.told(&mode, "tombstone"))
        } else {
            let is_dropped = connector.is(&old_drop, "true") && !connector.is(&old_mode, "rewrite");
            is_dropped.then(|| connector.told(&old_drop, "true"))
        };
        if let Some(seen) = drops {
            found.push(DELETES_DROPPED.at(place, seen, Connector::line(&mode, "tombstone")));
        }
        let fields = "op,lsn,source.ts_ms,source.snapshot,transaction.id,transaction.total_order";
        let mend = format!(
            "leave {name} out of \"transforms\", or {}",
            Connector::line(&add, fields)
        );
        found.push(FLATTENED.at(place, connector.told(&setting("type"), "none"), mend));
    }
}

fn key_columns(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    const SETTING: &str = "message.key.columns";
    if connector.kind() != DatabaseKind::Postgres {
        return;
    }
    // The pattern is Java's: a table that it does not name in so many words is left out.
    let Some(written) = connector.setting(SETTING) else {
        return;
    };
    for table in view.captured() {
        let is_named = written.contains(&table.name) && table.identity != Identity::Full;
        if is_named {
            let seen = format!("{SETTING} names it, and its replica identity is not FULL");
            let mend = format!("ALTER TABLE {} REPLICA IDENTITY FULL;", table.sql_name());
            found.push(KEY_COLUMNS.at(format!("table {}", table.sql_name()), seen, mend));
        }
    }
}
