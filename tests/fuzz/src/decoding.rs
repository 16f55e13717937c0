//! The decoder at its boundary: JSON in all its dresses, and the formats of a schema registry.
//!
//! Checked of every script of records, beside that nothing panics:
//! - every record is accounted for, and one that waits for a schema goes on where it stopped;
//! - every cell can be read and is answered as JSON;
//! - a reason has a bound, and so has the memory taken for an input of this size;
//! - decoding it again says the same;
//! - what came before does not change what a record means: it may be refused in a topic of another
//!   format, but if it becomes a change there and alone, it is the same change (flattened rows aside, which
//!   tell too little of themselves).

use std::collections::HashSet;
use std::sync::Arc;

use change_feed::{
    Decoded, Decoder, RegisteredSchema, RegistryId, SchemaLanguage, SchemaShelf, TopicContext,
};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use row_model::{ChangeBatch, PartitionId, RecordFormat, SchemaCatalog};

use crate::corpus;
use crate::input::{self, Script, ScriptRecord};
use crate::meaning::{self, Meaning};
use crate::memory;

/// No reason of a failure is longer.
const REASON_BYTES_MAX: usize = 600;
/// What the decoder takes for any input: its tables and buffers.
const HELD_BYTES_BASE: usize = 1 << 20;
/// What it takes for each byte of the input and of the schemas that it names. The worst is an array of empty
/// bit strings: each is written with as many zeros as its schema says.
const HELD_BYTES_PER_BYTE: usize = 8_000;
/// What it takes at most for inputs as long as these.
const HELD_BYTES_MAX: usize = 256 << 20;

/// Records of JSON; one that is framed for a registry is refused.
pub fn json(data: &[u8]) {
    check(data, None);
}

/// Records in Avro, by the schemas of the recordings and those in the input.
pub fn avro(data: &[u8]) {
    check(data, Some(SchemaLanguage::Avro));
}

/// Records in Protobuf, likewise.
pub fn protobuf(data: &[u8]) {
    check(data, Some(SchemaLanguage::Protobuf));
}

fn check(data: &[u8], registry: Option<SchemaLanguage>) {
    let script = Script::read(data);
    if script.records.is_empty() {
        return;
    }
    let read = data.len() + needed_schema_bytes(&script, registry);
    let held_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * read;
    let out = memory::within(held_max.min(HELD_BYTES_MAX), || {
        decode(&script, &script.records, registry)
    });
    let (changes, failures) = said(&out);
    let again = decode(&script, &script.records, registry);
    assert_eq!(
        said(&again),
        (changes.clone(), failures),
        "said the second time"
    );
    if script.records.len() > 1 {
        compare_with_alone(&script, registry, &out, &changes);
    }
}

/// The last change, which has the most before it, means the same if its record is decoded alone.
fn compare_with_alone(
    script: &Script<'_>,
    registry: Option<SchemaLanguage>,
    out: &ChangeBatch,
    meanings: &[Meaning],
) {
    let (Some(change), Some(meaning)) = (out.changes.last(), meanings.last()) else {
        return;
    };
    // Documents give the keys of their topic a meaning of their own: no other connector writes there.
    if script.records.iter().any(is_of_documents) {
        return;
    }
    let place = change.offset as usize;
    let record = &script.records[place];
    let alone = decode(script, std::slice::from_ref(record), registry);
    // Another format that the records before have settled may take it for something else.
    if alone.format.is_some() && alone.format != out.format {
        return;
    }
    // Flattened documents call their key as the one before did, where they do not show it themselves.
    if out.format == Some(RecordFormat::Flat) {
        return;
    }
    let origins = alone.schemas.as_ref().map(|history| history.origins());
    let origin = origins.as_ref().and_then(|origins| origins.first());
    if let Some(other) = alone.changes.last() {
        let other = meaning::of_change(&alone, other);
        assert!(
            meaning.is_that_of_alone(&other, origin),
            "record {place} means after others\n{meaning:?}\nand alone\n{other:?}"
        );
    }
}

/// True for a record that could make its topic one of documents: `MongoDB`'s, or images that are texts.
fn is_of_documents(record: &ScriptRecord<'_>) -> bool {
    let value = String::from_utf8_lossy(record.value.unwrap_or_default());
    let packed: String = value.chars().filter(|char| !char.is_whitespace()).collect();
    let marks = ["mongodb", "_id", "\"after\":\"", "\"before\":\""];
    marks.iter().any(|mark| packed.contains(mark))
}

fn decode(
    script: &Script<'_>,
    records: &[ScriptRecord<'_>],
    registry: Option<SchemaLanguage>,
) -> ChangeBatch {
    let shelf = Arc::new(SchemaShelf::default());
    let catalog = Arc::new(SchemaCatalog::default());
    let mut decoder = DebeziumDecoder::new(catalog, Placeholder::default())
        .with_declared_key(input::DECLARED, &["id".to_owned()]);
    if registry.is_some() {
        decoder = decoder.with_schemas(Arc::clone(&shelf));
    }
    let batch = input::batch(records);
    let context = TopicContext {
        topic: script.topic(),
        partition: 0,
    };
    let mut out = ChangeBatch::new(PartitionId(0));
    let mut from = 0;
    let mut brought = HashSet::new();
    while let Decoded::Needs { schema, from: at } = decoder.decode(context, &batch, from, &mut out)
    {
        let language = registry.unwrap_or_else(|| panic!("waits for {schema:?} without registry"));
        assert!(brought.insert(schema), "{schema:?} is asked for again");
        assert_eq!(
            out.records, at as u64,
            "accounted for before the one that waits"
        );
        shelf.put(schema, brought_schema(script, language, schema));
        from = at;
    }
    assert_eq!(
        out.records,
        batch.len() as u64,
        "every record is accounted for"
    );
    assert_eq!(out.next_offset.0, batch.len() as u64);
    out
}

fn brought_schema(
    script: &Script<'_>,
    language: SchemaLanguage,
    id: RegistryId,
) -> Result<RegisteredSchema, String> {
    let written = script
        .schemas
        .iter()
        .find(|schema| u32::from(schema.id) == id.0);
    let Some(written) = written else {
        return corpus::schema(language, id.0).ok_or_else(|| "no such schema".to_owned());
    };
    let named = |(number, text): (usize, &&str)| (format!("r{number}"), (*text).to_owned());
    Ok(RegisteredSchema {
        language,
        text: written.text.to_owned(),
        references: written.references.iter().enumerate().map(named).collect(),
    })
}

/// Bytes of the schemas from outside the input that its records name: they are read, too.
fn needed_schema_bytes(script: &Script<'_>, registry: Option<SchemaLanguage>) -> usize {
    let Some(language) = registry else {
        return 0;
    };
    let parts = script
        .records
        .iter()
        .flat_map(|record| [record.key, record.value]);
    let framed = parts.flatten().filter_map(|part| match part {
        [0, number @ ..] => number.first_chunk::<4>(),
        _ => None,
    });
    let schemas = framed.filter_map(|number| {
        brought_schema(script, language, RegistryId(u32::from_be_bytes(*number))).ok()
    });
    schemas.map(|schema| schema.text.len()).sum()
}

/// What a batch says: its changes, and its failures.
fn said(out: &ChangeBatch) -> (Vec<Meaning>, Vec<String>) {
    let changes = out
        .changes
        .iter()
        .map(|change| meaning::of_change(out, change));
    let failures = out.failures.iter().map(|failure| {
        assert!(
            failure.reason.len() <= REASON_BYTES_MAX,
            "a reason of {} bytes",
            failure.reason.len()
        );
        format!("{} {} {}", failure.offset, failure.kind, failure.reason)
    });
    (changes.collect(), failures.collect())
}
