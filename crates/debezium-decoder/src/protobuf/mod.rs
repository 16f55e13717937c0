//! Protobuf as Confluent's serializers frame it ▶ the JSON that Connect's JSON converter would have
//! written for the same value, with its Connect schema.
//!
//! What Protobuf cannot say stays unsaid: a scalar without `optional` that was not sent is its zero, never
//! null. Refuses bodies that end early, disagree with their schema on the wire, or grow or nest beyond
//! bounds. Invariant: fields are written in the order of the schema's text, each exactly once.

mod compile;
mod files;
mod known;
mod plan;
mod scalar;
mod schema_node;
#[cfg(test)]
mod tests;
mod wire;
mod writing;

use std::sync::{Arc, OnceLock};

use prost_reflect::MessageDescriptor;

use self::compile::Compiler;
use self::files::Files;
use self::plan::Program;
use self::wire::{Reader, unzigzag};
use crate::DecodeError;
use crate::connect_schema::Node;

/// How errors call what is wrong.
const PART: &str = "Protobuf message";

/// All message types of one registered schema, made ready once.
#[derive(Debug)]
pub(crate) struct ProtobufSchema {
    types: Vec<MessageType>,
    program: Program,
    /// By message type, once one of it was met.
    nodes: Vec<OnceLock<Result<Arc<Node>, String>>>,
}

/// A message type of the file, with those declared inside it: what message indexes walk.
#[derive(Debug)]
struct MessageType {
    plan: usize,
    inner: Vec<MessageType>,
}

impl ProtobufSchema {
    /// From the text of a `.proto` file and the files it refers to. What is wrong is said in words.
    pub fn parse(schema: &change_feed::RegisteredSchema) -> Result<Self, String> {
        let files = Files::parse(schema)?;
        let mut compiler = Compiler::new(&files);
        let types = message_types(files.registered.messages(), &mut compiler);
        let program = compiler.finish()?;
        let mut nodes = Vec::new();
        nodes.resize_with(program.messages.len(), OnceLock::new);
        Ok(Self {
            types,
            program,
            nodes,
        })
    }

    /// `body` is what follows the frame: message indexes, then the message. Appends its JSON, and answers
    /// its Connect schema: the same one for the same message type. After an error `out` is as it was.
    pub fn write_json(&self, body: &[u8], out: &mut String) -> Result<Arc<Node>, DecodeError> {
        let (plan, message) = self.message_type(body).map_err(malformed)?;
        let node = self.nodes[plan]
            .get_or_init(|| schema_node::of_message(&self.program, plan).map(Arc::new))
            .clone()
            .map_err(malformed)?;
        let start = out.len();
        writing::write_message(&self.program, plan, message, out).map_err(|fault| {
            out.truncate(start);
            malformed(fault.text())
        })?;
        Ok(node)
    }

    /// The message type that the indexes in front name, and what follows them.
    fn message_type<'b>(&self, body: &'b [u8]) -> Result<(usize, &'b [u8]), String> {
        let mut reader = Reader::new(body);
        let mut index = || {
            let varint = reader.varint().map_err(|fault| {
                format!("its message indexes are no numbers: the record {fault}")
            })?;
            usize::try_from(unzigzag(varint)).map_err(|_| "a message index is negative".to_owned())
        };
        let count = index()?;
        let unknown = || "it is of a message type that its schema does not have".to_owned();
        let mut found = self.types.get(if count == 0 { 0 } else { index()? });
        for _ in 1..count {
            let inner = &found.ok_or_else(unknown)?.inner;
            found = inner.get(index()?);
        }
        let found = found.ok_or_else(unknown)?;
        Ok((found.plan, reader.rest()))
    }
}

/// Numbers the message types as Confluent's serializers do: entries of maps have no number.
fn message_types(
    messages: impl Iterator<Item = MessageDescriptor>,
    compiler: &mut Compiler<'_>,
) -> Vec<MessageType> {
    messages
        .filter(|message| !message.is_map_entry())
        .map(|message| MessageType {
            plan: compiler.message(&message),
            inner: message_types(message.child_messages(), compiler),
        })
        .collect()
}

fn malformed(reason: String) -> DecodeError {
    DecodeError::Malformed { part: PART, reason }
}
