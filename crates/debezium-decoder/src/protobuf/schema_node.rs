//! The Connect schema of a message type, as far as Protobuf keeps it.
//!
//! Semantic types that are no message types of their own (Debezium's times, `uuid`, `json`) are gone:
//! Confluent's converter does not write them, and they are not guessed from values.
//! Refuses types that spread out into absurdly many fields; a type inside itself ends in one without a schema.

use std::collections::HashMap;

use super::plan::{FieldPlan, MapPlan, Program, Shape, ValuePlan};
use super::scalar::Scalar;
use crate::connect_schema::Node;

/// Fields of a message type with all those inside it.
const NODES_MAX: usize = 200_000;

/// The schema of message type `plan`.
pub(super) fn of_message(program: &Program, plan: usize) -> Result<Node, String> {
    let mut builder = Builder {
        program,
        around: Vec::new(),
        left: NODES_MAX,
    };
    builder.message(plan)
}

struct Builder<'p> {
    program: &'p Program,
    /// The message types that this place is inside of.
    around: Vec<usize>,
    left: usize,
}

impl Builder<'_> {
    fn message(&mut self, plan: usize) -> Result<Node, String> {
        let message = &self.program.messages[plan];
        if self.around.contains(&plan) {
            return Ok(Node::default());
        }
        self.around.push(plan);
        let mut node = of_kind("struct");
        for field in &message.fields {
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                format!("its message types spread out into more than {NODES_MAX} fields")
            })?;
            node.fields.push(self.field(field)?);
        }
        self.around.pop();
        // Messages and lists are absent when they are null; scalars only where the schema provides for it.
        let is_scalar = |field: &&FieldPlan| {
            matches!(field.shape, Shape::One)
                && matches!(field.value, ValuePlan::Scalar(_) | ValuePlan::Enum(_))
        };
        let mut scalars = message.fields.iter().filter(is_scalar).peekable();
        node.has_no_nulls = scalars.peek().is_some() && scalars.all(|field| !field.nullable);
        if message.variable_scale_decimal {
            node.name = Some("io.debezium.data.VariableScaleDecimal".to_owned());
        }
        Ok(node)
    }

    fn field(&mut self, field: &FieldPlan) -> Result<Node, String> {
        let mut node = match field.shape {
            Shape::One => self.value(field)?,
            Shape::List => Node {
                items: Some(Box::new(self.value(field)?)),
                ..of_kind("array")
            },
            Shape::Map(map) => self.map(map)?,
        };
        node.field = Some(field.name.clone());
        node.optional = field.nullable;
        Ok(node)
    }

    fn map(&mut self, map: MapPlan) -> Result<Node, String> {
        let fields = &self.program.messages[map.entry].fields;
        Ok(Node {
            keys: Some(Box::new(self.value(&fields[map.key])?)),
            values: Some(Box::new(self.value(&fields[map.value])?)),
            ..of_kind("map")
        })
    }

    fn value(&mut self, field: &FieldPlan) -> Result<Node, String> {
        Ok(match field.value {
            ValuePlan::Scalar(Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32) => {
                of_kind(field.narrow.unwrap_or("int32"))
            }
            ValuePlan::Scalar(scalar) | ValuePlan::Wrapper(scalar) => of_scalar(scalar),
            ValuePlan::Enum(_) => of_kind("string"),
            ValuePlan::Message { plan, .. } => self.message(plan)?,
            ValuePlan::Decimal {
                scale: Some(scale),
                precision,
            } => of_decimal(scale, precision),
            ValuePlan::Decimal { scale: None, .. } => {
                named("struct", "io.debezium.data.VariableScaleDecimal")
            }
            ValuePlan::Timestamp => named("string", "io.debezium.time.IsoTimestamp"),
            ValuePlan::Date => named("int32", "org.apache.kafka.connect.data.Date"),
            ValuePlan::TimeOfDay => named("int64", "io.debezium.time.NanoTime"),
        })
    }
}

fn of_scalar(scalar: Scalar) -> Node {
    match scalar {
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => of_kind("int32"),
        Scalar::Uint32 | Scalar::Fixed32 | Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => {
            of_kind("int64")
        }
        // Connect has no type that holds them all but this, which Debezium takes as well.
        Scalar::Uint64 | Scalar::Fixed64 => of_decimal(0, None),
        Scalar::Float => of_kind("float"),
        Scalar::Double => of_kind("double"),
        Scalar::Bool => of_kind("boolean"),
        Scalar::Text => of_kind("string"),
        Scalar::Bytes => of_kind("bytes"),
    }
}

fn of_decimal(scale: i32, precision: Option<u32>) -> Node {
    let mut parameters = HashMap::from([("scale".to_owned(), scale.to_string())]);
    if let Some(digits) = precision {
        parameters.insert("connect.decimal.precision".to_owned(), digits.to_string());
    }
    Node {
        parameters,
        ..named("bytes", "org.apache.kafka.connect.data.Decimal")
    }
}

fn of_kind(kind: &str) -> Node {
    Node {
        kind: kind.to_owned(),
        ..Node::default()
    }
}

fn named(kind: &str, name: &str) -> Node {
    Node {
        name: Some(name.to_owned()),
        ..of_kind(kind)
    }
}
