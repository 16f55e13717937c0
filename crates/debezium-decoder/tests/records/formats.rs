//! Formats that config gives, where the bytes alone would be read as something else.

use std::sync::Arc;

use change_feed::RawBatch;
use debezium_decoder::{DebeziumDecoder, FormatOverride, PartFormat, Placeholder, TopicFormats};
use expect_test::expect;
use row_model::{ChangeBatch, PartitionId, SchemaCatalog, Value, encode_key};

use crate::{TOPIC, decode_by, shown};

fn decoded(formats: FormatOverride, key: &[u8], value: &[u8]) -> ChangeBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(0, None, Some(key), Some(value), []);
    let formats = TopicFormats::new(vec![("s.public.*".to_owned(), formats)]);
    let decoder = DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    decode_by(decoder.with_formats(formats), TOPIC, &batch)
}

const ROW: &[u8] = br#"{"id":1,"name":"a"}"#;

#[test]
fn a_text_is_a_number_only_where_it_may_be_json() {
    let key_of = |format| {
        let formats = FormatOverride {
            key: format,
            value: None,
        };
        let out = decoded(formats, b"17", ROW);
        out.slice(&out.changes[0].key).to_vec()
    };
    let encoded = |value| {
        let mut key = Vec::new();
        encode_key([value], &mut key).unwrap();
        key
    };
    assert_eq!(key_of(None), encoded(Value::Int(17)));
    assert_eq!(key_of(Some(PartFormat::Json)), encoded(Value::Int(17)));
    assert_eq!(key_of(Some(PartFormat::String)), encoded(Value::Text("17")));
}

#[test]
fn a_part_that_should_be_framed_and_is_not_says_so() {
    let value = FormatOverride {
        key: None,
        value: Some(PartFormat::Protobuf),
    };
    let expected = expect![[r#"
        0 failed: config says that the value is Avro or Protobuf, and it is not framed for a schema registry: a zero byte and the number of a schema come first
    "#]];
    expected.assert_eq(&shown(&decoded(value, b"17", ROW)));
}
