//! What decoding needs to know of a schema's message types, made ready once.
//!
//! A message type becomes a list of fields in the order of the schema's text: each with the JSON it
//! has when it is absent, and how its value is written. [`Compiler`](super::compile::Compiler) makes it.

use std::collections::HashMap;

use prost_reflect::EnumDescriptor;

use super::scalar::{self, Scalar};

/// All message types and enums that the registered file reaches.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub messages: Vec<MessagePlan>,
    pub enums: Vec<EnumPlan>,
}

#[derive(Debug, Default)]
pub(super) struct MessagePlan {
    /// In the order of the schema's text.
    pub fields: Vec<FieldPlan>,
    /// Places of fields by their numbers, in ascending order.
    pub by_number: Vec<(u32, usize)>,
    pub oneofs: usize,
    /// Debezium's decimal with a scale of its own, which the converter writes as any struct.
    pub variable_scale_decimal: bool,
}

impl MessagePlan {
    /// The place of a field. `guess` is right for whoever writes the fields in their order.
    #[inline]
    pub fn place(&self, number: u32, guess: usize) -> Option<usize> {
        if self
            .fields
            .get(guess)
            .is_some_and(|field| field.number == number)
        {
            return Some(guess);
        }
        let found = self
            .by_number
            .binary_search_by_key(&number, |(number, _)| *number);
        found.ok().map(|at| self.by_number[at].1)
    }
}

#[derive(Debug)]
pub(super) struct FieldPlan {
    pub name: String,
    /// The name as a JSON member, with its colon.
    pub member: String,
    pub number: u32,
    pub shape: Shape,
    pub value: ValuePlan,
    /// What is written for a field that was not sent.
    pub absent: String,
    /// True if that is null.
    pub nullable: bool,
    /// The oneof it belongs to, if that has more to choose from than this field or nothing.
    pub oneof: Option<usize>,
    /// `int8` or `int16`: the Connect type of an int32 that had a smaller one.
    pub narrow: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    List,
    Map(MapPlan),
}

/// Where the halves of an entry are in its message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapPlan {
    pub entry: usize,
    pub key: usize,
    pub value: usize,
    /// Text keys make a JSON object, all others an array of pairs.
    pub text_keys: bool,
    /// Protobuf's own map: a value that was not sent is the empty one, also if it is a message.
    pub own: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValuePlan {
    Scalar(Scalar),
    /// Its number in [`Program::enums`].
    Enum(usize),
    /// Its number in [`Program::messages`].
    Message {
        plan: usize,
        group: bool,
    },
    /// `google.protobuf.StringValue` and the like.
    Wrapper(Scalar),
    /// With the scale that the schema says, if it says one, and the precision.
    Decimal {
        scale: Option<i32>,
        precision: Option<u32>,
    },
    Timestamp,
    Date,
    TimeOfDay,
}

impl ValuePlan {
    /// A message on the wire: several occurrences of a single one are parts of it.
    pub fn is_message(&self) -> bool {
        !matches!(self, Self::Scalar(_) | Self::Enum(_))
    }
}

#[derive(Debug)]
pub(super) struct EnumPlan {
    /// Names as JSON, by number.
    names: HashMap<i32, String>,
}

impl EnumPlan {
    pub fn of(descriptor: &EnumDescriptor) -> Self {
        let mut names = HashMap::new();
        for value in descriptor.values() {
            // Of several names for one number the first is the proper one.
            names
                .entry(value.number())
                .or_insert_with(|| scalar::quoted(value.name()));
        }
        Self { names }
    }

    /// The name of a number. One that the schema lacks comes from a newer schema: it stays a number.
    pub fn write(&self, number: i32, out: &mut String) {
        match self.names.get(&number) {
            Some(name) => out.push_str(name),
            None => scalar::write_text(&number.to_string(), out),
        }
    }
}
