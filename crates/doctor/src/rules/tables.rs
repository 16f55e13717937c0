//! Tables of PostgreSQL: what the log says of their rows, and whether they are published.

use super::view::View;
use crate::facts::{
    Connector, DatabaseKind, Identity, PostgresFacts, Publication, Sample, Shape, Table, TopicFacts,
};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &IDENTITY_MISSING,
    &WITHOUT_KEY,
    &STORED_ASIDE,
    &NOT_PUBLISHED,
    &WITHOUT_TOPIC,
    &PUBLICATION_MISSING,
    &PUBLICATION_OPERATIONS,
    &ALL_TABLES,
    &PARTITIONS,
];

const IDENTITY_MISSING: Rule = Rule {
    id: "replica-identity-missing",
    severity: Severity::Wrong,
    title: "PostgreSQL refuses updates and deletes of a table",
    why: "A published table whose log has nothing of the old row cannot be updated: the application's own UPDATE and DELETE fail with \"does not have a replica identity\".",
    told: "A table that is published has REPLICA IDENTITY NOTHING, or DEFAULT without a primary key.",
    mending: "\
With a primary key (which is better: rows without one are known by their whole content):

```sql
ALTER TABLE events ADD PRIMARY KEY (id);
```

or with the whole row in the log before each change:

```sql
ALTER TABLE events REPLICA IDENTITY FULL;
```

Both take a lock for a moment; the second makes the log of updates and deletes as much longer as rows are.",
};

const WITHOUT_KEY: Rule = Rule {
    id: "table-without-key",
    severity: Severity::Risky,
    title: "A table has no key",
    why: "Its rows cannot be asked for by key, each change is found by the row's whole content, and in a topic of several partitions changes of one row may overtake each other.",
    told: "A table that is captured has no primary key, nor a unique index as its replica identity; or, where the database was not asked, the last change events of a topic have no key.",
    mending: "\
```sql
ALTER TABLE events ADD PRIMARY KEY (id);
```

A unique index on columns that are NOT NULL does too, where it is the replica identity: `ALTER TABLE events REPLICA IDENTITY USING INDEX events_id;`. If the table is to stay without: REPLICA IDENTITY FULL and one partition.",
};

const STORED_ASIDE: Rule = Rule {
    id: "replica-identity-default",
    severity: Severity::Hint,
    title: "Long values are not sent again when other columns change",
    why: "Rowtide keeps the value it has. It has none where the change before was compacted away, so a rebuild from a compacted topic may show such a value as unavailable until it changes.",
    told: "A captured table has columns that PostgreSQL stores aside when they are long (TOAST: text, jsonb, bytea, arrays), and its REPLICA IDENTITY is not FULL.",
    mending: "\
Nothing has to be done where topics keep everything. Where they are compacted:

```sql
ALTER TABLE orders REPLICA IDENTITY FULL;
```

Then long values come with every change, and `before` is the whole row; the database's log of updates and deletes grows by as much.",
};

const NOT_PUBLISHED: Rule = Rule {
    id: "table-not-published",
    severity: Severity::Wrong,
    title: "A table that is followed is not in the publication",
    why: "Its topic is as it was left: no change comes any more, though the connector runs.",
    told: "A topic that is followed belongs to a table of the database, and no publication that the connectors read has it.",
    mending: "\
```sql
ALTER PUBLICATION dbz_publication ADD TABLE public.orders;
```

Changes from now on come; for rows that changed meanwhile take an incremental snapshot by signal. With `publication.autocreate.mode=filtered` the connector keeps its publication like its `table.include.list` when it \
starts: change it there, or the next start undoes this.",
};

const WITHOUT_TOPIC: Rule = Rule {
    id: "published-without-topic",
    severity: Severity::Hint,
    title: "A published table has no topic that is followed",
    why: "Its changes are decoded and sent to nobody: work for the database and the connector without use, if it is not on purpose.",
    told: "A table is in a publication that the connectors read (which is not of all tables), and no topic that is followed is of it.",
    mending: "\
Follow its topic (`topics = [\"shop.public.*\"]`), or take it out: `ALTER PUBLICATION dbz_publication DROP TABLE …;` and out of `table.include.list`. A table that never had a row has no topic yet.",
};

const PUBLICATION_MISSING: Rule = Rule {
    id: "publication-missing",
    severity: Severity::Wrong,
    title: "The connector's publication does not exist",
    why: "The connector's task fails as soon as it reads the log.",
    told: "The database has no publication of the name that the connector has (`publication.name`, by default `dbz_publication`).",
    mending: "\
```sql
CREATE PUBLICATION dbz_publication FOR TABLE public.orders, public.customers;
```

as the owner of the tables, or let the connector make it: `\"publication.autocreate.mode\": \"filtered\"` and a user that may.",
};

const PUBLICATION_OPERATIONS: Rule = Rule {
    id: "publication-operations",
    severity: Severity::Wrong,
    title: "The publication leaves out kinds of changes",
    why: "What is not published is never sent: with the first such change the table differs from the source's.",
    told: "`publish` of a publication that the connectors read lacks insert, update or delete; or truncate, where the connector is to send it (`skipped.operations=none`).",
    mending: "\
```sql
ALTER PUBLICATION dbz_publication SET (publish = 'insert, update, delete, truncate');
```",
};

const ALL_TABLES: Rule = Rule {
    id: "publication-all-tables",
    severity: Severity::Hint,
    title: "The publication is of all tables",
    why: "Every table of the database is decoded, also those made tomorrow; and one without a key that somebody creates cannot be updated by the application.",
    told: "A publication that the connectors read is `FOR ALL TABLES`, as Debezium makes it unless told otherwise (`publication.autocreate.mode=all_tables`).",
    mending: "\
```json
\"publication.autocreate.mode\": \"filtered\",
\"table.include.list\": \"public.orders,public.customers\"
```

and `DROP PUBLICATION dbz_publication;` while the connector is stopped: it makes it anew. Its slot must stay.

What a table without a key does to the application: [replica-identity-missing](replica-identity-missing.md).",
};

const PARTITIONS: Rule = Rule {
    id: "partitions-published-apart",
    severity: Severity::Risky,
    title: "Partitions of a table are published apart",
    why: "Each partition becomes a topic and a table of its own, a snapshot has the rows twice (in the root's and in the partition's), and the root's topic gets no changes afterwards.",
    told: "A publication that the connectors read has a partition of a table, and not `publish_via_partition_root`.",
    mending: "\
```sql
ALTER PUBLICATION dbz_publication SET (publish_via_partition_root = true);
```

Then all rows are of the root and in one topic. Take a new snapshot, and leave the partitions' topics.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    let Some(postgres) = view.postgres() else {
        for (_, topic) in view.tables() {
            records_without_key(topic, found);
        }
        return;
    };
    missing(view, postgres, found);
    for publication in view.publications() {
        operations(view, publication, found);
        partitions(postgres, publication, found);
        if publication.is_of_all_tables {
            let seen = format!("publication {} is FOR ALL TABLES", publication.name);
            let mend = Connector::line("publication.autocreate.mode", "filtered");
            found.push(ALL_TABLES.at(format!("database {}", postgres.database), seen, mend));
        }
    }
    for table in &postgres.tables {
        published(view, table, found);
    }
    for table in view.captured() {
        keys(table, found);
    }
}

fn place(table: &Table) -> String {
    format!("table {}", table.sql_name())
}

fn missing(view: &View<'_>, postgres: &PostgresFacts, found: &mut Vec<Finding>) {
    for connector in view.connectors_of(&[DatabaseKind::Postgres]) {
        let name = connector.publication();
        let is_there = postgres
            .publications
            .iter()
            .any(|publication| publication.name == name);
        let is_of_this = connector
            .setting("database.dbname")
            .is_none_or(|of| of == postgres.database);
        if !is_there && is_of_this && !connector.is("plugin.name", "decoderbufs") {
            let mend = format!("CREATE PUBLICATION {name} FOR TABLE …;");
            let seen = format!("database {} has no publication {name}", postgres.database);
            found.push(PUBLICATION_MISSING.at(format!("connector {}", connector.name), seen, mend));
        }
    }
}

fn operations(view: &View<'_>, publication: &Publication, found: &mut Vec<Finding>) {
    let mut lacking: Vec<&str> = ["insert", "update", "delete"]
        .into_iter()
        .filter(|operation| !publication.operations.contains(*operation))
        .collect();
    let sends_truncates = view
        .connectors_of(&[DatabaseKind::Postgres])
        .any(|connector| connector.is("skipped.operations", "none"));
    if sends_truncates && !publication.operations.contains("truncate") {
        lacking.push("truncate");
    }
    if !lacking.is_empty() {
        let seen = format!("it does not publish {}", lacking.join(", "));
        let mend = format!(
            "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate');",
            publication.name
        );
        found.push(PUBLICATION_OPERATIONS.at(
            format!("publication {}", publication.name),
            seen,
            mend,
        ));
    }
}

fn partitions(postgres: &PostgresFacts, publication: &Publication, found: &mut Vec<Finding>) {
    if publication.via_root {
        return;
    }
    let of = |table: &&Table| {
        publication.tables.contains(&table.id()) && table.is_partition_of.is_some()
    };
    let Some(first) = postgres.tables.iter().find(of) else {
        return;
    };
    let count = postgres.tables.iter().filter(of).count();
    let seen = format!(
        "it has {count} partitions ({} and others), without publish_via_partition_root",
        first.sql_name()
    );
    let seen = if count == 1 {
        format!(
            "it has the partition {}, without publish_via_partition_root",
            first.sql_name()
        )
    } else {
        seen
    };
    let mend = format!(
        "ALTER PUBLICATION {} SET (publish_via_partition_root = true);",
        publication.name
    );
    found.push(PARTITIONS.at(format!("publication {}", publication.name), seen, mend));
}

fn published(view: &View<'_>, table: &Table, found: &mut Vec<Finding>) {
    let publications = view.publications();
    let by = publications
        .iter()
        .find(|publication| publication.tables.contains(&table.id()));
    if let Some(by) = by {
        if !table.can_be_told() {
            let identity = match table.identity {
                Identity::Nothing => "REPLICA IDENTITY NOTHING",
                _ => "REPLICA IDENTITY DEFAULT and no primary key",
            };
            let seen = format!("{identity}, and publication {} has it", by.name);
            let mend = format!("ALTER TABLE {} REPLICA IDENTITY FULL;", table.sql_name());
            found.push(IDENTITY_MISSING.at(place(table), seen, mend));
        }
        let has_topics = view.tables().next().is_some();
        if has_topics
            && !by.is_of_all_tables
            && view.topic_of(table).is_none()
            && !is_heartbeat(view, table)
        {
            let seen = format!(
                "publication {} has it, and no topic that is followed is of it",
                by.name
            );
            let mend = format!(
                "ALTER PUBLICATION {} DROP TABLE {}; or follow its topic",
                by.name,
                table.sql_name()
            );
            found.push(WITHOUT_TOPIC.at(place(table), seen, mend));
        }
    } else if let (Some(topic), Some(first)) = (view.topic_of(table), publications.first()) {
        // A partition's changes come by its root.
        if table.is_partition_of.is_some() && first.via_root {
            return;
        }
        let names: Vec<&str> = publications
            .iter()
            .map(|publication| publication.name.as_str())
            .collect();
        let seen = format!(
            "topic {} is followed, and publication {} does not have it",
            topic.name,
            names.join(", ")
        );
        let mend = format!(
            "ALTER PUBLICATION {} ADD TABLE {};",
            first.name,
            table.sql_name()
        );
        found.push(NOT_PUBLISHED.at(place(table), seen, mend));
    }
}

/// Tables that are read for what they tell, and make no table.
fn is_heartbeat(view: &View<'_>, table: &Table) -> bool {
    let end = format!(".{}.{}", table.schema, table.name);
    let logs = view.facts.logs.iter();
    let mut unserved = logs.flat_map(|log| log.unserved.iter());
    unserved.any(|topic| topic.ends_with(&end))
}

/// A truncate has no key, whatever its table has.
fn records_without_key(topic: &TopicFacts, found: &mut Vec<Finding>) {
    let is_row = |sample: &&Sample| {
        let envelope = sample
            .value
            .as_deref()
            .and_then(|value| Shape::of(value).envelope());
        envelope.is_some_and(|fields| fields["op"] != "t")
    };
    let mut rows = topic.samples.iter().filter(is_row).peekable();
    if rows.peek().is_some() && rows.all(|row| row.key.is_none()) {
        let mend = "ALTER TABLE … ADD PRIMARY KEY (…);";
        found.push(WITHOUT_KEY.at(
            format!("topic {}", topic.name),
            "its last change events have no key",
            mend,
        ));
    }
}

fn keys(table: &Table, found: &mut Vec<Finding>) {
    if !table.has_key() {
        let mend = format!("ALTER TABLE {} ADD PRIMARY KEY (…);", table.sql_name());
        found.push(WITHOUT_KEY.at(place(table), "it has no primary key", mend));
    }
    let aside: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| column.is_stored_aside)
        .map(|column| column.name.as_str())
        .collect();
    if table.identity != Identity::Full && table.can_be_told() && !aside.is_empty() {
        let seen = format!(
            "its REPLICA IDENTITY is not FULL, and {} may be stored aside",
            aside.join(", ")
        );
        let mend = format!("ALTER TABLE {} REPLICA IDENTITY FULL;", table.sql_name());
        found.push(STORED_ASIDE.at(place(table), seen, mend));
    }
}
