//! Avro schemas ▶ readers and Connect schemas.
//!
//! Invariant: whatever the schema says, it is read to an end: named types are resolved to numbers, a
//! type within itself has no Connect schema of its own, and nesting has a bound.

use std::collections::HashMap;
use std::sync::Arc;

use change_feed::RegisteredSchema;
use serde_json::{Map, Value};

use super::change::Places;
use super::{AvroSchema, Entries, Field, Reader};
use crate::connect_schema::Node;

/// Deeper schemas than this are refused.
const DEPTH_MAX: usize = 64;
/// More types than this, counted where they are used, are refused: a few names can refer to each
/// other so often that writing them out would fill the memory.
const TYPES_MAX: usize = 100_000;
const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";

pub(super) fn compile(schema: &RegisteredSchema) -> Result<AvroSchema, String> {
    let mut compiler = Compiler::default();
    for (name, text) in &schema.references {
        compiler
            .whole(text)
            .map_err(|reason| format!("schema {name}, which it refers to: {reason}"))?;
    }
    let (root, node) = compiler.whole(&schema.text)?;
    Ok(AvroSchema {
        change: Places::of(&root, &compiler.records, &node),
        root,
        records: compiler.records,
        node: Arc::new(node),
    })
}

#[derive(Default)]
struct Compiler {
    /// By full name.
    names: HashMap<String, Named>,
    records: Vec<Vec<Field>>,
    types: usize,
}

/// A named type met before.
struct Named {
    reader: Reader,
    /// `None` within the type itself.
    node: Option<Node>,
}

type Compiled = Result<(Reader, Node), String>;

impl Compiler {
    fn whole(&mut self, text: &str) -> Compiled {
        // A primitive type may stand there bare, without the quotes of JSON.
        let schema = match serde_json::from_str(text) {
            Ok(schema) => schema,
            Err(_) if primitive(text.trim()).is_some() => Value::from(text.trim()),
            Err(error) => return Err(format!("it is no JSON: {error}")),
        };
        self.any(&schema, "", 0)
    }

    fn any(&mut self, schema: &Value, namespace: &str, depth: usize) -> Compiled {
        self.types += 1;
        if depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} deep"));
        }
        if self.types > TYPES_MAX {
            return Err(format!("it has more than {TYPES_MAX} types"));
        }
        match schema {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => self.union(branches, namespace, depth),
            Value::Object(attributes) => self.complex(attributes, namespace, depth),
            _ => Err(format!("{schema} is no type")),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Compiled {
        if let Some((reader, kind)) = primitive(name) {
            return Ok((reader, kind_of(kind)));
        }
        let full = full_name(name, namespace);
        let named = self.names.get(&full).or_else(|| self.names.get(name));
        let named = named.ok_or_else(|| format!("it names the type {name}, which is not there"))?;
        let node = named.node.clone().unwrap_or_default();
        self.types += node.types();
        Ok((named.reader.clone(), node))
    }

    fn union(&mut self, branches: &[Value], namespace: &str, depth: usize) -> Compiled {
        let mut compiled = Vec::with_capacity(branches.len());
        for branch in branches {
            compiled.push(self.any(branch, namespace, depth + 1)?);
        }
        let null = compiled
            .iter()
            .position(|(reader, _)| matches!(reader, Reader::Null));
        if let (Some(null), 2) = (null, compiled.len()) {
            let (reader, mut node) = compiled.swap_remove(1 - null);
            node.optional = true;
            return Ok((Reader::Optional(null as i64, Box::new(reader)), node));
        }
        let readers: Arc<[Reader]> = compiled.into_iter().map(|(reader, _)| reader).collect();
        // Kafka Connect writes no such unions: the value is kept as it is.
        let node = Node {
            optional: null.is_some(),
            ..Node::default()
        };
        Ok((Reader::Union(readers), node))
    }

    fn complex(
        &mut self,
        attributes: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Compiled {
        let kind = attributes.get("type").ok_or("a type without `type`")?;
        let Value::String(kind) = kind else {
            // `{"type": {…}}`: what stands inside, with these attributes.
            let (reader, mut node) = self.any(kind, namespace, depth + 1)?;
            describe(&mut node, attributes);
            return Ok((reader, node));
        };
        let (reader, mut node) = match kind.as_str() {
            "record" | "error" => return self.record(attributes, namespace, depth),
            "enum" => self.enumeration(attributes, namespace)?,
            "fixed" => self.fixed(attributes, namespace)?,
            "array" => {
                let items = attributes.get("items").ok_or("an array without `items`")?;
                let (items, node) = self.any(items, namespace, depth + 1)?;
                self.array(items, node)
            }
            "map" => {
                let values = attributes.get("values").ok_or("a map without `values`")?;
                let (values, node) = self.any(values, namespace, depth + 1)?;
                let node = Node {
                    keys: Some(Box::new(kind_of("string"))),
                    values: Some(Box::new(node)),
                    ..kind_of("map")
                };
                (Reader::Map(Box::new(values)), node)
            }
            name => self.by_name(name, namespace)?,
        };
        describe(&mut node, attributes);
        Ok((reader, node))
    }

    /// An array, or a map that Connect had to write as one.
    fn array(&self, items: Reader, node: Node) -> (Reader, Node) {
        if let Reader::Record(number) = items
            && node.name.as_deref() == Some("io.confluent.connect.avro.MapEntry")
            && let [key, value] = &self.records[number][..]
            && let [key_node, value_node] = &node.fields[..]
        {
            let entries = Entries {
                key: key.reader.clone(),
                value: value.reader.clone(),
                as_object: key_node.kind == "string",
            };
            let node = Node {
                keys: Some(Box::new(key_node.clone())),
                values: Some(Box::new(value_node.clone())),
                ..kind_of("map")
            };
            return (Reader::Entries(Box::new(entries)), node);
        }
        let node = Node {
            items: Some(Box::new(node)),
            ..kind_of("array")
        };
        (Reader::Array(Box::new(items)), node)
    }

    fn record(
        &mut self,
        attributes: &Map<String, Value>,
        namespace: &str,
        depth: usize,
    ) -> Compiled {
        let full = declared_name(attributes, namespace)?;
        let namespace = full
            .rsplit_once('.')
            .map_or("", |(space, _)| space)
            .to_owned();
        let number = self.records.len();
        self.records.push(Vec::new());
        self.learn(&full, Reader::Record(number), None);
        let declared = attributes.get("fields").and_then(Value::as_array);
        let declared = declared.ok_or("a record without `fields`")?;
        let mut fields = Vec::with_capacity(declared.len());
        let mut nodes = Vec::with_capacity(declared.len());
        for field in declared {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or("a field without `name`")?;
            if name.contains(['"', '\\']) || name.contains(char::is_control) {
                return Err(format!("{name:?} is no name of a field"));
            }
            let kind = field.get("type");
            let kind = kind.ok_or_else(|| format!("field {name} has no `type`"))?;
            let (reader, mut node) = self.any(kind, &namespace, depth + 1)?;
            let open = if fields.is_empty() { '{' } else { ',' };
            node.field = Some(name.to_owned());
            nodes.push(node);
            fields.push(Field {
                lead: format!("{open}{}:", Value::from(name)),
                reader,
            });
        }
        self.records[number] = fields;
        let mut node = Node {
            fields: nodes,
            // Where Connect's name is left out, the full name is the same.
            name: Some(full.clone()),
            ..kind_of("struct")
        };
        describe(&mut node, attributes);
        self.learn(&full, Reader::Record(number), Some(node.clone()));
        Ok((Reader::Record(number), node))
    }

    fn enumeration(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Compiled {
        let symbols = attributes.get("symbols").and_then(Value::as_array);
        let symbols = symbols.ok_or("an enum without `symbols`")?;
        let reader = Reader::Enum(symbols.iter().map(Value::to_string).collect());
        let node = kind_of("string");
        let full = declared_name(attributes, namespace)?;
        self.learn(&full, reader.clone(), Some(node.clone()));
        Ok((reader, node))
    }

    fn fixed(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Compiled {
        let size = attributes.get("size").and_then(Value::as_u64);
        let size = size.ok_or("a fixed without `size`")? as usize;
        let is_uuid = attributes
            .get("logicalType")
            .is_some_and(|name| name == "uuid");
        let (reader, mut node) = if is_uuid && size == 16 {
            (Reader::Uuid, kind_of("string"))
        } else {
            (Reader::Fixed(size), kind_of("bytes"))
        };
        describe(&mut node, attributes);
        let full = declared_name(attributes, namespace)?;
        self.learn(&full, reader.clone(), Some(node.clone()));
        Ok((reader, node))
    }

    fn learn(&mut self, full: &str, reader: Reader, node: Option<Node>) {
        self.names.insert(full.to_owned(), Named { reader, node });
    }
}

fn primitive(name: &str) -> Option<(Reader, &'static str)> {
    Some(match name {
        "null" => (Reader::Null, ""),
        "boolean" => (Reader::Boolean, "boolean"),
        "int" => (Reader::Long, "int32"),
        "long" => (Reader::Long, "int64"),
        "float" => (Reader::Float, "float"),
        "double" => (Reader::Double, "double"),
        "bytes" => (Reader::Bytes, "bytes"),
        "string" => (Reader::String, "string"),
        _ => return None,
    })
}

fn kind_of(kind: &str) -> Node {
    Node {
        kind: kind.to_owned(),
        ..Node::default()
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn declared_name(attributes: &Map<String, Value>, namespace: &str) -> Result<String, String> {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    let name = text("name").ok_or("a named type without `name`")?;
    Ok(full_name(name, text("namespace").unwrap_or(namespace)))
}

/// Takes up what the attributes say beyond Avro: Connect's own, else the logical type.
fn describe(node: &mut Node, attributes: &Map<String, Value>) {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str);
    if let Some(kind @ ("int8" | "int16")) = text("connect.type") {
        kind.clone_into(&mut node.kind);
    }
    if let Some(parameters) = attributes
        .get("connect.parameters")
        .and_then(Value::as_object)
    {
        let text_of = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let known = parameters
            .iter()
            .map(|(name, value)| (name.clone(), text_of(value)));
        node.parameters.extend(known);
    }
    if let Some(name) = text("connect.name") {
        node.name = Some(name.to_owned());
    } else if let Some(name) = text("logicalType").and_then(semantic_of) {
        node.name = Some(name.to_owned());
    }
    if node.name.as_deref() == Some(DECIMAL) && !node.parameters.contains_key("scale") {
        let scale = attributes.get("scale").and_then(Value::as_i64).unwrap_or(0);
        node.parameters
            .insert("scale".to_owned(), scale.to_string());
    }
}

/// The semantic type nearest to a logical type of Avro, where Connect's metadata was left out.
fn semantic_of(logical_type: &str) -> Option<&'static str> {
    Some(match logical_type {
        "decimal" => DECIMAL,
        "date" => "io.debezium.time.Date",
        "time-millis" => "io.debezium.time.Time",
        "time-micros" => "io.debezium.time.MicroTime",
        "timestamp-millis" | "local-timestamp-millis" => "io.debezium.time.Timestamp",
        "timestamp-micros" | "local-timestamp-micros" => "io.debezium.time.MicroTimestamp",
        "timestamp-nanos" | "local-timestamp-nanos" => "io.debezium.time.NanoTimestamp",
        "uuid" => "io.debezium.data.Uuid",
        _ => return None,
    })
}
