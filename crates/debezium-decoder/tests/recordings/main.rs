//! The recordings of one run in several formats, line for line the same records, mean the same changes.

#![allow(clippy::unwrap_used, reason = "a test tells by panicking")]

mod recording;

use std::collections::BTreeMap;

use change_feed::{Decoded, Decoder, SchemaShelf, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use recording::{Recording, corpus, exists};
use row_model::{
    BoundaryKind, Change, ChangeBatch, PartitionId, Row, SchemaCatalog, TransactionKey,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// Decodes each partition of a recording, in one batch.
fn decoded(recording: &Recording, placeholder: &Placeholder) -> Vec<(String, ChangeBatch)> {
    let catalog = Arc::new(SchemaCatalog::default());
    let mut decoder = DebeziumDecoder::new(catalog, placeholder.clone());
    if let Some(shelf) = &recording.shelf {
        decoder = decoder.with_schemas(Arc::clone(shelf));
    }
    let decoded = recording.partitions.iter().map(|(topic, batch)| {
        let mut out = ChangeBatch::new(PartitionId(0));
        let context = TopicContext {
            topic,
            partition: batch.partition.0 as i32,
        };
        let decoded = decoder.decode(context, batch, 0, &mut out);
        assert_eq!(decoded, Decoded::All, "{topic}");
        (format!("{topic}-{}", batch.partition.0), out)
    });
    decoded.collect()
}

/// What each partition of a recording means, record by record.
fn meaning(recording: &Recording, placeholder: &Placeholder) -> BTreeMap<String, Vec<String>> {
    let decoded = decoded(recording, placeholder).into_iter();
    let meant = decoded.map(|(partition, out)| {
        let failures = out.failures.iter();
        let failures =
            failures.map(|failed| format!("{} failed: {}", failed.offset, failed.reason));
        let changes = out.changes.iter().map(|change| shown(&out, change));
        let boundaries = out.boundaries.iter();
        let boundaries = boundaries.map(|boundary| format!("{boundary:?}"));
        let lines = changes.chain(failures).chain(boundaries).collect();
        (partition, lines)
    });
    meant.collect()
}

fn shown(out: &ChangeBatch, change: &Change) -> String {
    let mut text = format!(
        "{} {:?} {:?} at {:?} of {:?} in {:?} {:?}, {:?} {:?}",
        change.offset,
        change.kind,
        change.snapshot,
        change.position,
        change.run,
        change.transaction,
        change.membership,
        change.commit_ms,
        change.connector_ms,
    );
    let _ = write!(text, " key {:02x?}", out.slice(&change.key));
    let _ = write!(text, " other {:02x?}", out.slice(&change.other_key));
    let schemas = out.schemas.as_ref();
    let schema = schemas.and_then(|schemas| schemas.get(change.schema));
    for (part, range) in [("row", &change.row), ("before", &change.before)] {
        if let Some(schema) = schema.as_ref().filter(|_| !range.is_empty()) {
            let _ = write!(text, " {part}");
            let row = Row::new(out.slice(range));
            for (column, value) in schema.columns.iter().zip(row.iter()) {
                let kind = column.kind.name();
                let null = if column.nullable { "?" } else { "" };
                let _ = write!(text, " {}:{kind}{null}={value:?}", column.name);
            }
        }
    }
    text
}

fn assert_same(scenario: &str, plain: &Recording, other: &Recording) -> usize {
    let placeholder = placeholder_of(scenario);
    let plain = meaning(plain, &placeholder);
    let other = meaning(other, &placeholder);
    let mut compared = 0;
    for (partition, lines) in &plain {
        let others = &other[partition];
        for (line, other) in lines.iter().zip(others) {
            assert_eq!(other, line, "{scenario} {partition}");
            compared += 1;
        }
        assert_eq!(others.len(), lines.len(), "{scenario} {partition}");
    }
    assert_eq!(plain.len(), other.len());
    compared
}

fn placeholder_of(scenario: &str) -> Placeholder {
    let configured = match scenario {
        "C_toast_custom" => "~~GONE~~",
        "C_toast_hexplace" => "hex:00ff7f",
        _ => return Placeholder::default(),
    };
    Placeholder::parse(configured).unwrap()
}

#[test]
fn avro_means_what_json_with_schemas_means() {
    let mut compared = 0;
    for scenario in corpus() {
        for format in ["avro", "avro-recordname"] {
            if exists(&scenario, &format!("events-{format}")) && exists(&scenario, "events-schema")
            {
                eprintln!("{scenario} {format}");
                let plain = Recording::json(&scenario, "events-schema");
                let avro = Recording::registered(&scenario, format);
                compared += assert_same(&scenario, &plain, &avro);
            }
        }
    }
    eprintln!("{compared}");
}

#[test]
fn cloud_events_mean_the_same_whatever_their_data_is_written_in() {
    let scenario = "I_cloudevents";
    let plain = Recording::json(scenario, "events-json-schema");
    for (stem, schemas) in [
        ("events-json-avrodata", "ce-avrodata-schemas.json"),
        ("events-avro-avrodata", "ce-avro-schemas.json"),
    ] {
        let avro = Recording::with_schemas(scenario, stem, schemas);
        let compared = assert_same(scenario, &plain, &avro);
        assert_eq!(compared, 8, "{stem}");
    }
}

#[test]
fn protobuf_that_keeps_nulls_means_what_avro_means() {
    let scenario = "J_avro_protobuf";
    // Neither says what a day is: the one was told to leave Connect's metadata out, the other cannot.
    let avro = Recording::registered(scenario, "avro-enhanced");
    let protobuf = Recording::registered(scenario, "proto-optional");
    let compared = assert_same(scenario, &avro, &protobuf);
    assert!(compared > 50, "{compared}");
}

#[test]
fn protobuf_that_loses_nulls_says_so() {
    let notes = |format| {
        let recording = Recording::registered("J_avro_protobuf", format);
        let catalog = Arc::new(SchemaCatalog::default());
        let decoder = DebeziumDecoder::new(catalog, Placeholder::default());
        let mut decoder = decoder.with_schemas(recording.shelf.unwrap());
        let told = recording.partitions.iter().filter(|(topic, batch)| {
            let mut out = ChangeBatch::new(PartitionId(0));
            let context = TopicContext {
                topic,
                partition: 0,
            };
            decoder.decode(context, batch, 0, &mut out);
            let notes = out.notes.unwrap_or_default();
            notes
                .iter()
                .any(|note| note.contains("optional.for.nullables"))
        });
        told.map(|(topic, _)| topic.rsplit('.').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(notes("proto").contains(&"orders".to_owned()));
    assert!(!notes("proto-optional").contains(&"orders".to_owned()));
    assert!(notes("avro").is_empty());
}

#[test]
fn a_record_that_waits_for_its_schema_is_decoded_as_if_it_had_been_there() {
    // Keys, deletes with their tombstones, and several writer's schemas of one topic.
    let recording = Recording::registered("B_keys", "avro");
    let all = recording.shelf.as_ref().unwrap();
    let expected = meaning(&recording, &Placeholder::default());
    let shelf = Arc::new(SchemaShelf::default());
    let catalog = Arc::new(SchemaCatalog::default());
    let decoder = DebeziumDecoder::new(catalog, Placeholder::default());
    let mut decoder = decoder.with_schemas(Arc::clone(&shelf));
    let mut waits = 0;
    for (topic, batch) in &recording.partitions {
        let partition = batch.partition.0 as i32;
        let mut out = ChangeBatch::new(PartitionId(0));
        let (context, mut from) = (TopicContext { topic, partition }, 0);
        while let Decoded::Needs { schema, from: at } =
            decoder.decode(context, batch, from, &mut out)
        {
            // What was decoded before it is all there is, and nothing of it.
            assert_eq!(out.records, at as u64);
            assert!(out.failures.is_empty(), "{:?}", out.failures);
            shelf.put(schema, (*all.get(schema).unwrap()).clone());
            (from, waits) = (at, waits + 1);
        }
        let lines: Vec<String> = out
            .changes
            .iter()
            .map(|change| shown(&out, change))
            .collect();
        assert_eq!(lines, expected[&format!("{topic}-{partition}")], "{topic}");
        assert_eq!(out.records, batch.len() as u64);
    }
    assert!(waits > 20, "{waits}");
}

/// Transactions of a recording: begun, ended, and of those that ended the ones whose changes are not as
/// many, or not of the tables, as was told.
fn transactions(recording: &Recording) -> (usize, usize, Vec<TransactionKey>) {
    let mut seen: BTreeMap<TransactionKey, BTreeMap<String, u64>> = BTreeMap::new();
    let mut told: BTreeMap<TransactionKey, BTreeMap<String, u64>> = BTreeMap::new();
    let mut begun = 0;
    for (_, out) in decoded(recording, &Placeholder::default()) {
        let origins = out
            .schemas
            .map(|schemas| schemas.origins())
            .unwrap_or_default();
        for change in &out.changes {
            let Some(membership) = change.membership else {
                continue;
            };
            let mut parts = origins[usize::from(change.origin.0)].split('\0').rev();
            let table = parts.next().unwrap();
            let name = format!("{}.{table}", parts.next().unwrap());
            let seen = seen.entry(membership.transaction).or_default();
            *seen.entry(name).or_default() += 1;
        }
        for boundary in out.boundaries {
            match boundary.kind {
                BoundaryKind::Begins => begun += 1,
                BoundaryKind::Ends { events } => {
                    told.insert(boundary.transaction, events.into_iter().collect());
                }
            }
        }
    }
    let other = |it: &(&TransactionKey, &BTreeMap<_, _>)| seen.get(it.0) != Some(it.1);
    let others = told.iter().filter(other).map(|it| *it.0).collect();
    (begun, told.len(), others)
}

#[test]
fn boundaries_tell_how_many_changes_of_which_tables_there_are() {
    // MariaDB's connector begins a transaction for each statement of DDL and ends none of them.
    let scenarios = [
        ("E_txmeta_heartbeat", 6, 6),
        ("K_mysql", 44, 44),
        ("K_mariadb", 53, 45),
    ];
    for (scenario, begun, ended) in scenarios {
        let recordings = [
            Recording::json(scenario, "events"),
            Recording::json(scenario, "events-schema"),
            Recording::registered(scenario, "avro"),
            Recording::registered(scenario, "proto"),
        ];
        for (format, recording) in recordings.iter().enumerate() {
            let transactions = transactions(recording);
            assert_eq!(transactions, (begun, ended, vec![]), "{scenario} {format}");
        }
    }
}
