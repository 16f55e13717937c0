//! Bytes that no converter wrote: never a panic, and either JSON or a reason.

use proptest::prelude::*;

use super::recorded::RECORDS;
use super::{parsed, refused};
use crate::protobuf::ProtobufSchema;

/// Whatever comes of it is JSON; a failure leaves no trace.
fn survives(schema: &ProtobufSchema, body: &[u8]) -> bool {
    let mut out = "kept".to_owned();
    match schema.write_json(body, &mut out) {
        Ok(_) => {
            let json: serde_json::Value = serde_json::from_str(&out["kept".len()..]).unwrap();
            json.is_object()
        }
        Err(error) => {
            assert_eq!(out, "kept");
            assert_eq!(error.kind(), "malformed");
            false
        }
    }
}

#[test]
fn truncated_records_are_refused_or_end_at_a_field() {
    for run in ["plain", "types", "map"] {
        let of_run = RECORDS.iter().filter(|record| record.run == run);
        let record = of_run.max_by_key(|record| record.body.len()).unwrap();
        assert!(survives(&record.schema, &record.body));
        let whole = (1..record.body.len())
            .filter(|length| survives(&record.schema, &record.body[..*length]))
            .count();
        // An envelope has eight fields: there are as many places where it may end.
        assert!((1..=8).contains(&whole), "{run}: {whole}");
        assert!(!survives(&record.schema, &[]));
    }
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(
        pick: prop::sample::Index,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: Option<prop::sample::Index>,
    ) {
        let record = pick.get(&RECORDS);
        let mut body = record.body.clone();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        survives(&record.schema, &body);
    }
}

const NESTED: &str = "syntax = \"proto3\";
message Node { Node inner = 1; repeated Node all = 2; int32 n = 3; string s = 4; map<string, Node> m = 5; }";

#[test]
fn wrong_bytes_are_named_with_their_field() {
    let schema = parsed(NESTED);
    let check = |body: &[u8], reason: &str| assert_eq!(refused(&schema, body), reason);
    check(&[0, 0x18], "it ends in the middle of a value");
    check(&[0, 0x0a, 5, 0x18], "it ends in the middle of a value");
    check(
        &[0, 0x0a, 1, 0x18],
        "field `inner` ends in the middle of a value",
    );
    check(
        &[0, 0x0a, 2, 0x1a, 0],
        "field `inner.n` has another type on the wire than its schema says",
    );
    check(
        &[0, 0x08, 1],
        "field `inner` has another type on the wire than its schema says",
    );
    check(&[0, 0x22, 1, 0xff], "field `s` is not UTF-8 text");
    check(
        &[0, 0x18, 1, 0x0f],
        "it has a wire type that Protobuf does not know",
    );
    check(&[0, 0x03], "it has a field number that cannot be");
}

#[test]
fn message_indexes_must_name_a_message_type() {
    let schema = parsed(
        "syntax = \"proto3\";
        message First { map<string, int32> m = 1; message Inner { int32 a = 1; message Last { int32 z = 1; } } }
        message Second { int32 b = 1; }",
    );
    let check = |body: &[u8], json: &str| {
        assert_eq!(super::decoded(&schema, body).unwrap(), json, "{body:?}");
    };
    check(&[0], r#"{"m":{}}"#);
    check(&[2, 0], r#"{"m":{}}"#);
    check(&[2, 2, 0x08, 5], r#"{"b":5}"#);
    check(&[4, 0, 0, 0x08, 5], r#"{"a":5}"#);
    check(&[6, 0, 0, 0, 0x08, 5], r#"{"z":5}"#);
    let unknown = "it is of a message type that its schema does not have";
    for body in [&[2, 4][..], &[4, 0, 2], &[4, 2, 0], &[6, 4, 0, 0]] {
        assert_eq!(refused(&schema, body), unknown, "{body:?}");
    }
    assert_eq!(refused(&schema, &[2, 1]), "a message index is negative");
    for body in [&[][..], &[2], &[4, 0], &[0xfe, 0xff, 0xff, 0xff, 0x0f, 0]] {
        let reason = refused(&schema, body);
        assert!(
            reason == unknown || reason.starts_with("its message indexes are no numbers"),
            "{body:?} {reason}"
        );
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let schema = parsed(NESTED);
    let nested = |levels: usize| {
        let mut body = Vec::new();
        for _ in 1..levels {
            let mut length = Vec::new();
            prost_reflect::prost::encoding::encode_varint(body.len() as u64, &mut length);
            body.splice(0..0, [vec![0x12], length].concat());
        }
        body.insert(0, 0);
        body
    };
    assert!(survives(&schema, &nested(60)));
    let reason = refused(&schema, &nested(61));
    assert!(reason.ends_with("is nested too deeply"), "{reason}");
    // Two bytes each, and fifty-odd bytes of JSON.
    let many = [0x12, 0].repeat(2 << 20);
    let reason = refused(&schema, &[&[0], many.as_slice()].concat());
    assert_eq!(
        reason,
        "field `all` makes more JSON than is accepted (64 MiB)"
    );
}
