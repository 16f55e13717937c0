//! No bytes make the decoder panic, and every record is accounted for.

use change_feed::{Header, RawBatch};
use proptest::prelude::*;
use row_model::PartitionId;

use crate::{SOURCE, decode_batch};

const TOPICS: [&str; 4] = [
    "s.public.t",
    "s.message",
    "outbox.event.Order",
    "s.transaction",
];

/// Pieces of real records, from which records are made that nearly are some.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        r#"{"id":1}"#,
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}}"#,
        r#"{"schema":{"type":"string"},"payload":"x"}"#,
        r#""1""#,
        "null",
        "Struct{id=1}",
        r#"{"before":null,"after":{"id":1},SOURCE,"op":"c","ts_ms":6}"#,
        r#"{"before":{"id":1},"after":null,SOURCE,"op":"d","ts_ms":6}"#,
        r#"{"before":null,"after":null,SOURCE,"op":"t"}"#,
        r#"{SOURCE,"op":"m","message":{"prefix":"p","content":"AP8Q"}}"#,
        r#"{"specversion":"1.0","type":"io.debezium.x","iodebeziumop":"u","iodebeziumlsn":"7","data":{"before":null,"after":{"id":1}}}"#,
        r#"{"id":1,"__op":"d","__deleted":"true","__lsn":7,"__source_snapshot":"last"}"#,
        r#"{"payload":{"a":[1]},"happened":"2024-01-01T00:00:00Z"}"#,
        r#"{"id":"{\"$oid\":\"596e275826f08b2730779e1f\"}"}"#,
        r#"{"before":null,"after":"{\"_id\": 1, \"a\": {\"$date\": NaN}, \"b\": [1, {}]}",MONGO,"op":"c"}"#,
        r#"{"after":null,"updateDescription":{"updatedFields":"{\"a.b\": 1, \"c\": Infinity}","removedFields":["d"],"truncatedArrays":[{"field":"b","size":1}]},MONGO,"op":"u"}"#,
        r#"{"after":null,MONGO,"op":"d"}"#,
        r#"{"_id":1,"a":[1],"__op":"u"}"#,
        r#"{"a":null,"b.c":2,"_id":1,"__deleted":false}"#,
        r#"{"after":{"id":{"value":1,"set":true},"a":null},CASSANDRA,"op":"i"}"#,
        r#"{"after":{"id":{"value":null,"set":true}},CASSANDRA,"op":"d"}"#,
        "{\"a\":2024-02-29,\"b\":\"x\ny\\",
    ];
    let piece = prop::sample::select(pieces.to_vec()).prop_map(|piece| {
        piece
            .replace("SOURCE", SOURCE)
            .replace("MONGO", r#""source":{"connector":"mongodb","ts_ms":5}"#)
            .replace(
                "CASSANDRA",
                r#""source":{"connector":"cassandra","ts_ms":5}"#,
            )
    });
    let cut = (
        piece.clone(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    let cut = cut.prop_map(|(piece, from, to)| {
        let (from, to) = (from.index(piece.len() + 1), to.index(piece.len() + 1));
        piece
            .get(from.min(to)..from.max(to))
            .unwrap_or_default()
            .to_owned()
    });
    prop_oneof![6 => piece, 2 => cut, 1 => any::<String>()]
}

fn only_failure(value: &str) -> String {
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(0, None, None, Some(value.as_bytes()), []);
    let out = decode_batch(TOPICS[0], &batch);
    assert_eq!((out.changes.len(), out.bytes.len()), (0, 0));
    out.failures[0].reason.clone()
}

#[test]
fn a_reason_is_short_and_quotes_no_cell() {
    let long = "é".repeat(10_000);
    let row = format!(
        r#"{{"schema":{{"type":"struct","fields":[{{"field":"after","type":"struct","fields":[{{"field":"{long}","type":"int32"}}]}}]}},"payload":{{"before":null,"after":{{"{long}":"x"}},{SOURCE},"op":"c"}}}}"#
    );
    let reason = only_failure(&row);
    assert!(reason.starts_with("column `é"), "{reason}");
    assert!(reason.ends_with("é…") && reason.len() < 510, "{reason}");
    assert_eq!(
        only_failure(&format!(
            r#"{{"message":"a, expected `secret`",{SOURCE},"op":"m"}}"#
        )),
        "the message is not what it should be: invalid type: string, expected struct Message at line 1 column 33"
    );
}

/// An empty bit string is as long as its schema says: a few bytes that stand for many.
#[test]
fn a_row_that_outgrows_its_record_is_put_aside() {
    const BITS: &str =
        r#""type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"4096"}"#;
    let value = |fields: &str, row: &str| {
        let payload = format!(r#"{{"before":null,"after":{{{row}}},{SOURCE},"op":"c"}}"#);
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"field":"after","type":"struct","fields":[{fields}]}}]}},"payload":{payload}}}"#
        )
    };
    let list = format!(r#"{{"field":"a","type":"array","items":{{{BITS}}}}}"#);
    let items = vec![r#""""#; 10_000].join(",");
    assert_eq!(
        only_failure(&value(&list, &format!(r#""a":[{items}]"#))),
        "column `a` is not a valid value that fits a row"
    );
    let names = || (0..10_000).map(|at| format!("c{at}"));
    let fields: Vec<_> = names()
        .map(|name| format!(r#"{{"field":"{name}",{BITS}}}"#))
        .collect();
    let cells: Vec<_> = names().map(|name| format!(r#""{name}":"""#)).collect();
    assert_eq!(
        only_failure(&value(&fields.join(","), &cells.join(","))),
        "the row would take more than 33554432 bytes"
    );
}

proptest! {
    #[test]
    fn every_record_is_accounted_for(
        topic in 0_usize..TOPICS.len(),
        records in prop::collection::vec(
            (prop::option::of(piece()), prop::option::of(piece()), prop::option::of(piece())),
            1..8,
        ),
        header in prop::sample::select(vec!["id", "__debezium.newkey", "__debezium.oldkey", "__op", "__lsn"]),
    ) {
        let mut batch = RawBatch::new(PartitionId(0));
        for (offset, (key, value, given)) in records.iter().enumerate() {
            let header = Header { name: header, value: given.as_deref().map(str::as_bytes) };
            batch.push(
                offset as u64,
                None,
                key.as_deref().map(str::as_bytes),
                value.as_deref().map(str::as_bytes),
                [header],
            );
        }
        let out = decode_batch(TOPICS[topic], &batch);
        for change in &out.changes {
            for range in [&change.key, &change.row, &change.before, &change.other_key] {
                prop_assert!(range.start <= range.end && range.end as usize <= out.bytes.len());
            }
            if !change.row.is_empty() {
                let schemas = out.schemas.as_ref().unwrap();
                let schema = schemas.get(change.schema).unwrap();
                let row = row_model::Row::new(out.slice(&change.row));
                prop_assert_eq!(row.len(), schema.columns.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_decoded(key: Vec<u8>, value: Vec<u8>, header: Vec<u8>) {
        let mut batch = RawBatch::new(PartitionId(0));
        let newkey = Header { name: "__debezium.newkey", value: Some(&header) };
        batch.push(0, None, Some(b"{\"id\":1,\"b\":2}"), None, [newkey]);
        batch.push(1, None, Some(&key), Some(&value), [newkey]);
        decode_batch(TOPICS[0], &batch);
    }
}
