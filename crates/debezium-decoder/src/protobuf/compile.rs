//! Makes plans of descriptors.
//!
//! What is known beyond Protobuf (decimals, times, nullable scalars, the converter's maps, what it left in
//! options) is recognised here and nowhere else. Refuses schemas of absurd size.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::files::Files;
use super::plan::{EnumPlan, FieldPlan, MapPlan, MessagePlan, Program, Shape, ValuePlan};
use super::scalar::{self, Scalar};

/// Fields of one message type; more columns than any database has.
const FIELDS_MAX: usize = 20_000;
/// Message types of one schema.
const MESSAGES_MAX: usize = 20_000;

/// Collects what the messages of a file reach.
pub(super) struct Compiler<'f> {
    files: &'f Files,
    program: Program,
    messages: HashMap<String, usize>,
    enums: HashMap<String, usize>,
    /// Known by number, not yet compiled.
    waiting: Vec<(usize, MessageDescriptor)>,
}

impl<'f> Compiler<'f> {
    pub fn new(files: &'f Files) -> Self {
        Self {
            files,
            program: Program::default(),
            messages: HashMap::new(),
            enums: HashMap::new(),
            waiting: Vec::new(),
        }
    }

    /// The number of a message type, which [`finish`](Self::finish) compiles.
    pub fn message(&mut self, descriptor: &MessageDescriptor) -> usize {
        if let Some(known) = self.messages.get(descriptor.full_name()) {
            return *known;
        }
        let number = self.program.messages.len();
        self.program.messages.push(MessagePlan::default());
        self.messages
            .insert(descriptor.full_name().to_owned(), number);
        self.waiting.push((number, descriptor.clone()));
        number
    }

    pub fn finish(mut self) -> Result<Program, String> {
        while let Some((number, descriptor)) = self.waiting.pop() {
            if self.program.messages.len() > MESSAGES_MAX {
                return Err(format!("it has more than {MESSAGES_MAX} message types"));
            }
            self.program.messages[number] = self.plan(&descriptor)?;
        }
        Ok(self.program)
    }

    fn plan(&mut self, descriptor: &MessageDescriptor) -> Result<MessagePlan, String> {
        // The descriptor's own iterator goes by number; the text's order is only in its source.
        let declared = &descriptor.descriptor_proto().field;
        if declared.len() > FIELDS_MAX {
            let name = descriptor.full_name();
            return Err(format!("message {name} has more than {FIELDS_MAX} fields"));
        }
        let mut oneofs: Vec<String> = Vec::new();
        let mut fields = Vec::with_capacity(declared.len());
        for proto in declared {
            let Some(field) = descriptor.get_field(proto.number() as u32) else {
                continue;
            };
            let real = field
                .containing_oneof()
                .filter(|oneof| !oneof.is_synthetic());
            let oneof = real.map(|oneof| {
                let known = oneofs.iter().position(|name| name == oneof.name());
                known.unwrap_or_else(|| {
                    oneofs.push(oneof.name().to_owned());
                    oneofs.len() - 1
                })
            });
            fields.push(self.field(&field, oneof));
        }
        let numbered = fields.iter().enumerate();
        let mut by_number: Vec<(u32, usize)> =
            numbered.map(|(at, field)| (field.number, at)).collect();
        by_number.sort_unstable();
        Ok(MessagePlan {
            variable_scale_decimal: is_variable_scale_decimal(descriptor),
            oneofs: oneofs.len(),
            by_number,
            fields,
        })
    }

    fn field(&mut self, field: &FieldDescriptor, oneof: Option<usize>) -> FieldPlan {
        let value = self.value(field);
        let shape = self.shape(field);
        let in_own_map = field.parent_message().is_map_entry();
        let default = field.field_descriptor_proto().default_value.is_some();
        let present = field.supports_presence() && !in_own_map;
        let nullable = shape == Shape::One && (present || value.is_message()) && !default;
        let absent = match shape {
            Shape::Map(map) if map.text_keys => "{}".to_owned(),
            Shape::List | Shape::Map(_) => "[]".to_owned(),
            Shape::One if nullable => "null".to_owned(),
            Shape::One => absent_json(field, &value),
        };
        let name = self.files.name(field).to_owned();
        let narrow = match meta_parameter(field, "connect.type").as_deref() {
            Some("int8") => Some("int8"),
            Some("int16") => Some("int16"),
            _ => None,
        };
        FieldPlan {
            member: format!("{}:", scalar::quoted(&name)),
            name,
            number: field.number(),
            shape,
            value,
            absent,
            nullable,
            oneof,
            narrow,
        }
    }

    fn shape(&mut self, field: &FieldDescriptor) -> Shape {
        let repeated = field.is_list() || field.is_map();
        let entry = match field.kind() {
            Kind::Message(entry) if repeated && is_entry(&entry) => entry,
            _ if repeated => return Shape::List,
            _ => return Shape::One,
        };
        let declared = &entry.descriptor_proto().field;
        let at = |name: &str| declared.iter().position(|field| field.name() == name);
        let text_keys = entry
            .get_field_by_name("key")
            .is_some_and(|key| key.kind() == Kind::String);
        let (Some(key), Some(value)) = (at("key"), at("value")) else {
            return Shape::List;
        };
        Shape::Map(MapPlan {
            entry: self.message(&entry),
            key,
            value,
            text_keys,
            own: entry.is_map_entry(),
        })
    }

    fn value(&mut self, field: &FieldDescriptor) -> ValuePlan {
        let kind = field.kind();
        if let Some(scalar) = Scalar::of(&kind) {
            return ValuePlan::Scalar(scalar);
        }
        match kind {
            Kind::Enum(descriptor) => {
                let next = self.program.enums.len();
                let known = self.enums.entry(descriptor.full_name().to_owned());
                let number = *known.or_insert(next);
                if number == next {
                    self.program.enums.push(EnumPlan::of(&descriptor));
                }
                ValuePlan::Enum(number)
            }
            Kind::Message(message) => {
                known_message(&message, field).unwrap_or_else(|| ValuePlan::Message {
                    plan: self.message(&message),
                    group: field.is_group(),
                })
            }
            // Every other kind is a scalar.
            _ => ValuePlan::Scalar(Scalar::Bytes),
        }
    }
}

/// Message types that mean one value. The names are those of the bundled files, so their fields are known.
fn known_message(message: &MessageDescriptor, field: &FieldDescriptor) -> Option<ValuePlan> {
    let parameter = |name| meta_parameter(field, name)?.parse().ok();
    Some(match message.full_name() {
        "confluent.type.Decimal" => ValuePlan::Decimal {
            scale: parameter("scale"),
            precision: parameter("precision").and_then(|digits| u32::try_from(digits).ok()),
        },
        "google.protobuf.Timestamp" => ValuePlan::Timestamp,
        "google.type.Date" => ValuePlan::Date,
        "google.type.TimeOfDay" => ValuePlan::TimeOfDay,
        "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.Int32Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.BoolValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue" => {
            ValuePlan::Wrapper(Scalar::of(&message.get_field(1)?.kind())?)
        }
        _ => return None,
    })
}

/// Protobuf's own maps, and what Confluent's converter makes of Connect's: a repeated message whose name
/// ends so, with these two fields.
fn is_entry(message: &MessageDescriptor) -> bool {
    let single = |name: &str| {
        message
            .get_field_by_name(name)
            .is_some_and(|field| !field.is_list() && !field.is_map())
    };
    message.is_map_entry()
        || message.name().ends_with("Entry")
            && message.fields().len() == 2
            && single("key")
            && single("value")
}

fn is_variable_scale_decimal(message: &MessageDescriptor) -> bool {
    let has = |name: &str, kind: &Kind| {
        message
            .get_field_by_name(name)
            .is_some_and(|field| field.kind() == *kind && !field.is_list())
    };
    message.name() == "VariableScaleDecimal"
        && message.fields().len() == 2
        && has("scale", &Kind::Int32)
        && has("value", &Kind::Bytes)
}

/// A parameter that the converter left at a field: `(confluent.field_meta)`.
fn meta_parameter(field: &FieldDescriptor, name: &str) -> Option<String> {
    let extension = field
        .parent_file()
        .parent_pool()
        .get_extension_by_name("confluent.field_meta")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let meta = options.get_extension(&extension);
    let parameters = meta
        .as_message()
        .and_then(|meta: &DynamicMessage| meta.get_field_by_name("params"))?
        .into_owned();
    let Value::Map(mut parameters) = parameters else {
        return None;
    };
    match parameters.remove(&MapKey::String(name.to_owned()))? {
        Value::String(value) => Some(value),
        _ => None,
    }
}

/// The value of a field that cannot be told from one that was not sent, or has a default (proto2).
fn absent_json(field: &FieldDescriptor, value: &ValuePlan) -> String {
    match (field.default_value(), field.kind()) {
        (Value::EnumNumber(number), Kind::Enum(descriptor)) => {
            let mut name = String::new();
            EnumPlan::of(&descriptor).write(number, &mut name);
            name
        }
        (default, _) => match value {
            ValuePlan::Scalar(_) => scalar::json_of(&default),
            _ => "null".to_owned(),
        },
    }
}
