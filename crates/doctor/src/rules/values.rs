//! Values that arrive as others than they are at the source.

use std::collections::BTreeMap;

use super::view::View;
use crate::facts::{Connector, DatabaseKind, Shape};
use crate::{Finding, Rule, Severity};

pub(super) const RULES: &[&Rule] = &[
    &DECIMAL_DOUBLE,
    &DECIMALS_WITHOUT_SCHEMA,
    &TIME_CONNECT,
    &BINARY_BASE64,
    &NULL_REPLACED,
    &PLACEHOLDER,
];

const DECIMALS: &str = "decimal.handling.mode";
const TIMES: &str = "time.precision.mode";
const BINARY: &str = "binary.handling.mode";
const REPLACE: &str = "value.converter.replace.null.with.default";
const UNAVAILABLE: &str = "unavailable.value.placeholder";
const UNAVAILABLE_DEFAULT: &str = "__debezium_unavailable_value";

const DECIMAL_DOUBLE: Rule = Rule {
    id: "decimal-double",
    severity: Severity::Wrong,
    title: "Decimals are sent as floating point",
    why: "0.1 + 0.2 is not 0.3 any more: amounts lose digits beyond the fifteenth and sums differ from the source's.",
    told: "`decimal.handling.mode=double` in the connector.",
    mending: "\
```json
\"decimal.handling.mode\": \"precise\"
```

or `string`, which is exact too and can be read without a schema. Rows that were sent as floating point stay so until they change: take a new snapshot.",
};

const DECIMALS_WITHOUT_SCHEMA: Rule = Rule {
    id: "decimals-without-schema",
    severity: Severity::Wrong,
    title: "Decimals are sent without what they mean",
    why: "In mode `precise` a decimal is bytes, and where its point stands is in the schema only: without it the column shows bytes as base64, not numbers.",
    told: "The last records of a topic are JSON without schemas, its connector has `decimal.handling.mode=precise` (the default), and its table has a `numeric` column (or the database was not asked), and config gives no types for the topic.",
    mending: "\
```json
\"decimal.handling.mode\": \"string\"
```

then take a new snapshot. Or say what the columns are, which needs none: `types = { total = \"decimal(2)\" }` in `[tables.columns]`.",
};

const TIME_CONNECT: Rule = Rule {
    id: "time-precision-connect",
    severity: Severity::Wrong,
    title: "Times lose their microseconds",
    why: "Kafka Connect's own time types have milliseconds: what the database has beyond them is cut off, so times that differ there are equal here.",
    told: "`time.precision.mode=connect` in the connector.",
    mending: "\
```json
\"time.precision.mode\": \"adaptive_time_microseconds\"
```

or leave it out (`adaptive`). Other consumers that read Connect's types may rest on it. Take a new snapshot.",
};

const BINARY_BASE64: Rule = Rule {
    id: "binary-base64",
    severity: Severity::Wrong,
    title: "Long binary values become null when another column changes",
    why: "With this mode Debezium sends null for a long `bytea` that an UPDATE did not touch, and stops at a column that is NOT NULL; in mode `bytes` it says that the value is unchanged, and the table keeps it.",
    told: "`binary.handling.mode` is `base64` or `base64-url-safe` in a connector for PostgreSQL, and a table that is captured has a `bytea` column without REPLICA IDENTITY FULL (or the database was not asked).",
    mending: "\
```json
\"binary.handling.mode\": \"bytes\"
```

or give the table the whole row before each change: `ALTER TABLE … REPLICA IDENTITY FULL;`. What became null stays so until the value changes: take a new snapshot.",
};

const NULL_REPLACED: Rule = Rule {
    id: "null-replaced",
    severity: Severity::Wrong,
    title: "NULL arrives as the column's default",
    why: "Kafka Connect's converters write the default of a column where its value is NULL: an email that is NULL arrives as 'none', and nothing downstream can tell.",
    told: "\
The connector's JSON converter has not `replace.null.with.default=false`, and a captured table has a column that may be NULL and has a default. Where the converter is the worker's, the records show it: `source.snapshot` \
of a streamed change has a default itself, and is null only with the setting.",
    mending: "\
```json
\"value.converter\": \"org.apache.kafka.connect.json.JsonConverter\",
\"value.converter.replace.null.with.default\": \"false\"
```

Settings of a converter are taken only together with the converter itself. (`ExtractNewRecordState` has the same setting for itself, `transforms.NAME.replace.null.with.default`.) Avro converters have no such setting: take \
the default from the column, or NOT NULL. What was replaced stays so until the row changes: take a new snapshot.",
};

const PLACEHOLDER: Rule = Rule {
    id: "placeholder-differs",
    severity: Severity::Wrong,
    title: "The connector's word for an unchanged value is not the one that is expected",
    why: "For a long value that an UPDATE did not touch the connector sends this word: it would be shown as if it were the value.",
    told: "`unavailable.value.placeholder` of the connector is not `unavailable_value` of the source.",
    mending: "\
Say the same on both sides:

```toml
[[sources]]
unavailable_value = \"…\"   # what unavailable.value.placeholder of the connector says
```

or leave it out of the connector, and take a new snapshot.",
};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Finding>) {
    for connector in &view.connectors {
        let place = format!("connector {}", connector.name);
        if connector.is(DECIMALS, "double") {
            let seen = connector.told(DECIMALS, "precise");
            found.push(DECIMAL_DOUBLE.at(
                place.clone(),
                seen,
                Connector::line(DECIMALS, "precise"),
            ));
        }
        if connector.is(TIMES, "connect") {
            let seen = connector.told(TIMES, "adaptive");
            let mend = Connector::line(TIMES, "adaptive_time_microseconds");
            found.push(TIME_CONNECT.at(place.clone(), seen, mend));
        }
        decimals_without_schema(view, connector, found);
        binary(view, connector, found);
        nulls(view, connector, found);
        placeholder(view, connector, found);
    }
}

fn decimals_without_schema(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    if connector
        .setting(DECIMALS)
        .is_some_and(|mode| mode != "precise")
    {
        return;
    }
    for (log, topic) in view.tables_of(connector) {
        let is_bare = |shape: Shape<'_>| {
            matches!(
                shape,
                Shape::Json {
                    has_schema: false,
                    ..
                }
            ) && shape.envelope().is_some()
        };
        if log.typed.contains(&topic.name) || !topic.shapes().any(is_bare) {
            continue;
        }
        let Some(postgres) = view.postgres() else {
            continue;
        };
        let of_topic = postgres.tables.iter();
        let of_topic =
            of_topic.filter(|table| view.topic_of(table).is_some_and(|of| of.name == topic.name));
        let columns = of_topic.flat_map(|table| &table.columns);
        let decimals =
            columns.filter(|column| ["numeric", "money"].contains(&column.type_name.as_str()));
        let names: Vec<&str> = decimals.map(|column| column.name.as_str()).collect();
        if !names.is_empty() {
            let seen = format!(
                "{}, records have no schema, and {} is numeric",
                connector.told(DECIMALS, "precise"),
                names.join(", ")
            );
            found.push(DECIMALS_WITHOUT_SCHEMA.at(
                format!("topic {}", topic.name),
                seen,
                Connector::line(DECIMALS, "string"),
            ));
        }
    }
}

fn binary(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    let is_base64 = connector.is(BINARY, "base64") || connector.is(BINARY, "base64-url-safe");
    if connector.kind() != DatabaseKind::Postgres || !is_base64 {
        return;
    }
    let mut seen = connector.told(BINARY, "bytes");
    if view.postgres().is_some() {
        let captured = view.captured();
        let tables = captured
            .iter()
            .filter(|table| table.identity != crate::facts::Identity::Full);
        let columns =
            tables.flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let bytes = columns.filter(|(_, column)| column.type_name == "bytea");
        let names: Vec<String> = bytes
            .map(|(table, column)| format!("{}.{}", table.name, column.name))
            .collect();
        if names.is_empty() {
            return;
        }
        seen = format!("{seen}, for {}", names.join(", "));
    }
    found.push(BINARY_BASE64.at(
        format!("connector {}", connector.name),
        seen,
        Connector::line(BINARY, "bytes"),
    ));
}

fn nulls(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    let converter = connector.setting("value.converter");
    let is_json = converter.is_none_or(|class| class.ends_with("JsonConverter"));
    if !is_json || (converter.is_some() && connector.is(REPLACE, "false")) {
        return;
    }
    // The worker's converter may have the setting: only records tell.
    let mut snapshots = view
        .tables_of(connector)
        .flat_map(|(_, topic)| topic.source_texts("snapshot"));
    let is_seen = snapshots.any(|snapshot| snapshot == "false");
    if converter.is_none() && !is_seen {
        return;
    }
    let mut columns = Vec::new();
    for table in view.captured() {
        let replaced = table
            .columns
            .iter()
            .filter(|column| column.is_nullable && column.has_default);
        columns.extend(replaced.map(|column| format!("{}.{}", table.name, column.name)));
    }
    let is_asked = view.postgres().is_some();
    if is_asked && columns.is_empty() {
        return;
    }
    let setting = connector.told(REPLACE, "true");
    let seen = if is_asked {
        format!(
            "{setting}; columns with a default that may be NULL: {}",
            columns.join(", ")
        )
    } else {
        setting
    };
    found.push(NULL_REPLACED.at(
        format!("connector {}", connector.name),
        seen,
        format!(
            "{}, {}",
            Connector::line(
                "value.converter",
                converter.unwrap_or("org.apache.kafka.connect.json.JsonConverter")
            ),
            Connector::line(REPLACE, "false")
        ),
    ));
}

fn placeholder(view: &View<'_>, connector: &Connector, found: &mut Vec<Finding>) {
    let written = connector
        .setting(UNAVAILABLE)
        .unwrap_or(UNAVAILABLE_DEFAULT);
    let sent = as_text(written);
    let logs: BTreeMap<&str, &str> = view
        .tables_of(connector)
        .map(|(log, _)| (log.source.as_str(), log.placeholder.as_str()))
        .collect();
    for (source, expected) in logs.into_iter().filter(|(_, expected)| *expected != sent) {
        let told = connector.told(UNAVAILABLE, UNAVAILABLE_DEFAULT);
        let seen = format!("{told}; source {source} expects {expected}");
        let mend = format!("unavailable_value = \"{written}\" in [[sources]] {source}");
        found.push(PLACEHOLDER.at(format!("connector {}", connector.name), seen, mend));
    }
}

/// `hex:` and digits stand for the bytes of a text.
fn as_text(written: &str) -> String {
    let digits = written.strip_prefix("hex:").unwrap_or_default();
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    match bytes.collect::<Option<Vec<u8>>>() {
        Some(bytes) if !bytes.is_empty() => String::from_utf8_lossy(&bytes).into_owned(),
        _ => written.to_owned(),
    }
}

#[test]
fn a_placeholder_in_digits_is_the_text_they_stand_for() {
    assert_eq!(as_text("hex:4142"), "AB");
    assert_eq!(as_text("hex:4"), "\u{4}");
    assert_eq!(as_text("hex:xy"), "hex:xy");
    assert_eq!(as_text("__x"), "__x");
}
