//! What the module promises to its caller, on texts and bytes.

mod damaged;
mod random;
mod recorded;
mod types;

use change_feed::{RegisteredSchema, SchemaLanguage};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::ProtobufSchema;
use crate::DecodeError;

fn registered(text: &str, references: &[(&str, &str)]) -> RegisteredSchema {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    RegisteredSchema {
        language: SchemaLanguage::Protobuf,
        text: text.to_owned(),
        references: references.iter().map(owned).collect(),
    }
}

fn parsed(text: &str) -> ProtobufSchema {
    ProtobufSchema::parse(&registered(text, &[])).unwrap()
}

fn decoded(schema: &ProtobufSchema, body: &[u8]) -> Result<String, DecodeError> {
    let mut out = String::new();
    schema.write_json(body, &mut out).map(|_| out)
}

/// The reason alone, without the words around it.
fn refused(schema: &ProtobufSchema, body: &[u8]) -> String {
    let mut out = "kept".to_owned();
    let error = schema.write_json(body, &mut out).unwrap_err();
    assert_eq!(out, "kept");
    assert_eq!(error.kind(), "malformed");
    let text = error.to_string();
    let reason = text.strip_prefix("the Protobuf message is not what it should be: ");
    reason.unwrap().to_owned()
}

/// The first message type of a text by another implementation's descriptors; imports must be spelled out.
fn foreign(text: &str) -> prost_reflect::MessageDescriptor {
    let mut pool = DescriptorPool::global();
    for (name, text) in super::files::WELL_KNOWN {
        let file = protox_parse::parse(name, text).unwrap();
        pool.add_file_descriptor_proto(file).unwrap();
    }
    let file = protox_parse::parse("foreign.proto", text).unwrap();
    pool.add_file_descriptor_proto(file).unwrap();
    let file = pool.get_file_by_name("foreign.proto").unwrap();
    file.messages().next().unwrap()
}

/// The bytes of a message written in Protobuf's text format, with the indexes of the first message type.
fn body(schema: &str, message: &str) -> Vec<u8> {
    let message = DynamicMessage::parse_text_format(foreign(schema), message).unwrap();
    let mut bytes = vec![0];
    message.encode(&mut bytes).unwrap();
    bytes
}
