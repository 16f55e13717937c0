//! Random messages, written by another implementation and read by ours.
//!
//! Two messages are written one after the other, which is how Protobuf merges them: fields come again and
//! in no order, lists continue, oneofs change. What that means is what the other implementation reads.

use proptest::prelude::*;
use std::sync::LazyLock;

use prost_reflect::prost::Message as _;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use serde_json::json;

use super::{decoded, foreign, parsed};
use crate::protobuf::ProtobufSchema;

const SCHEMA: &str = r#"syntax = "proto3";
message All {
  string text = 40;
  int32 a = 1; sint32 b = 2; sfixed32 c = 3; uint32 d = 4; fixed32 e = 5;
  int64 f = 6; sint64 g = 7; sfixed64 h = 8; uint64 i = 9; fixed64 j = 10;
  float k = 11; double l = 12; bool m = 13; bytes n = 14; Colour o = 15;
  optional int32 maybe_int = 16; optional string maybe_text = 17; optional Colour maybe_colour = 18;
  repeated sint64 packed = 19; repeated double unpacked = 20 [packed = false]; repeated string texts = 21;
  repeated Colour colours = 22; repeated All list = 23; All one = 24; repeated bool flags = 25;
  map<string, int64> numbers = 26; map<int32, All> messages = 27; map<bool, string> pairs = 28;
  oneof choice { int32 left = 29; string right = 30; All middle = 31; Colour shade = 32; }
  repeated Entry entries = 33; Empty empty = 34; map<string, Empty> empties = 35;
  message Entry { string key = 1; optional double value = 2; }
}
message Empty {}
enum Colour { RED = 0; GREEN = 1; BLUE = -7; }
"#;

static FOREIGN: LazyLock<MessageDescriptor> = LazyLock::new(|| foreign(SCHEMA));
static OURS: LazyLock<ProtobufSchema> = LazyLock::new(|| parsed(SCHEMA));

/// Numbers that decide what a message holds; zeros when they run out.
struct Dice(std::vec::IntoIter<u64>);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0.next().unwrap_or(0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn message(descriptor: &MessageDescriptor, dice: &mut Dice, levels: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    if levels == 0 {
        return message;
    }
    let fields: Vec<FieldDescriptor> = descriptor.fields().collect();
    for _ in 0..dice.below(12) {
        if fields.is_empty() {
            break;
        }
        let field = &fields[dice.below(fields.len() as u64) as usize];
        let value = if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                unreachable!()
            };
            let (key, of) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = (0..dice.below(4)).map(|_| {
                let key = match single(&key, dice, levels) {
                    Value::String(key) => MapKey::String(key),
                    Value::I32(key) => MapKey::I32(key),
                    Value::Bool(key) => MapKey::Bool(key),
                    other => unreachable!("{other:?}"),
                };
                (key, single(&of, dice, levels))
            });
            Value::Map(entries.collect())
        } else if field.is_list() {
            Value::List(
                (0..dice.below(4))
                    .map(|_| single(field, dice, levels))
                    .collect(),
            )
        } else {
            single(field, dice, levels)
        };
        message.set_field(field, value);
    }
    message
}

fn single(field: &FieldDescriptor, dice: &mut Dice, levels: u32) -> Value {
    // Small numbers and extreme ones alike.
    let bits = match dice.below(4) {
        0 => dice.below(3),
        1 => u64::MAX - dice.below(3),
        _ => dice.next(),
    };
    match field.kind() {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::String => {
            let texts = ["", "a", "\"q\\", "line\nend\u{1}", "Grüße 😀", "null"];
            Value::String(texts[(bits % 6) as usize].to_owned())
        }
        Kind::Bytes => Value::Bytes(bits.to_be_bytes()[..(bits % 9) as usize].to_vec().into()),
        // 3 is of a newer schema.
        Kind::Enum(_) => Value::EnumNumber([0, 1, -7, 3][(bits % 4) as usize]),
        Kind::Message(inner) => Value::Message(message(&inner, dice, levels - 1)),
    }
}

/// What the JSON converter writes, made from the other implementation's values.
fn expected(message: &DynamicMessage) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for field in message.descriptor().fields() {
        let value = message.get_field(&field);
        let json = if field.supports_presence() && !message.has_field(&field) {
            serde_json::Value::Null
        } else {
            json_of(&value, &field)
        };
        object.insert(field.name().to_owned(), json);
    }
    object.into()
}

fn json_of(value: &Value, field: &FieldDescriptor) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::F32(value) => float(*value),
        Value::F64(value) => float(*value),
        Value::String(value) => json!(value),
        Value::Bytes(value) => {
            use base64::Engine as _;
            json!(base64::engine::general_purpose::STANDARD.encode(value))
        }
        Value::EnumNumber(0) => json!("RED"),
        Value::EnumNumber(1) => json!("GREEN"),
        Value::EnumNumber(-7) => json!("BLUE"),
        Value::EnumNumber(other) => json!(other.to_string()),
        Value::Message(message) => expected(message),
        // The converter's own maps are lists of entries to Protobuf.
        Value::List(entries) if field.name() == "entries" => {
            let pairs = entries.iter().map(|entry| {
                let entry = expected(entry.as_message().unwrap());
                (
                    entry["key"].as_str().unwrap().to_owned(),
                    entry["value"].clone(),
                )
            });
            serde_json::Value::Object(pairs.collect())
        }
        Value::List(values) => values.iter().map(|value| json_of(value, field)).collect(),
        Value::Map(entries) => {
            let Kind::Message(entry) = field.kind() else {
                unreachable!()
            };
            let of = entry.map_entry_value_field();
            let pairs = entries
                .iter()
                .map(|(key, value)| (key, json_of(value, &of)));
            if entry.map_entry_key_field().kind() == Kind::String {
                let named = pairs.map(|(key, value)| (key.as_str().unwrap().to_owned(), value));
                return serde_json::Value::Object(named.collect());
            }
            let mut pairs: Vec<_> = pairs
                .map(|(key, value)| match key {
                    MapKey::Bool(key) => json!([key, value]),
                    MapKey::I32(key) => json!([key, value]),
                    other => unreachable!("{other:?}"),
                })
                .collect();
            pairs.sort_by_key(ToString::to_string);
            pairs.into()
        }
    }
}

/// Read from the shortest digits of its own width, as ours is: the reader of these tests is not exact.
fn float<F: ryu::Float + Into<f64> + Copy>(value: F) -> serde_json::Value {
    let wide: f64 = value.into();
    if wide.is_nan() {
        json!("NaN")
    } else if wide.is_infinite() {
        json!(if wide > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        serde_json::from_str(ryu::Buffer::new().format_finite(value)).unwrap()
    }
}

/// Pairs come in the order they were sent, which a map of the other implementation does not keep.
fn normal(json: &mut serde_json::Value, descriptor: &MessageDescriptor) {
    for field in descriptor.fields() {
        let value = &mut json[field.name()];
        match field.kind() {
            Kind::Message(entry) if field.is_map() && value.is_array() => {
                let pairs = value.as_array_mut().unwrap();
                for pair in &mut *pairs {
                    if let Kind::Message(inner) = entry.map_entry_value_field().kind() {
                        normal(&mut pair[1], &inner);
                    }
                }
                pairs.sort_by_key(ToString::to_string);
            }
            Kind::Message(inner) if field.is_list() && value.is_array() => {
                for value in value.as_array_mut().unwrap() {
                    normal(value, &inner);
                }
            }
            Kind::Message(inner) if value.is_object() && !field.is_list() && !field.is_map() => {
                normal(value, &inner);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn messages_of_another_implementation_are_read_the_same(
        first in prop::collection::vec(any::<u64>(), 0..120),
        second in prop::collection::vec(any::<u64>(), 0..60),
    ) {
        let descriptor = &*FOREIGN;
        let mut body = vec![0];
        for dice in [first, second] {
            let message = message(descriptor, &mut Dice(dice.into_iter()), 3);
            message.encode(&mut body).unwrap();
        }
        let read = DynamicMessage::decode(descriptor.clone(), &body[1..]).unwrap();
        let json = decoded(&OURS, &body).unwrap();
        let mut ours: serde_json::Value = serde_json::from_str(&json).unwrap();
        normal(&mut ours, descriptor);
        prop_assert_eq!(ours, expected(&read));
        // In the order of the text, not of the numbers.
        let in_order = json.starts_with("{\"text\":");
        prop_assert!(in_order, "{}", json);
    }
}
