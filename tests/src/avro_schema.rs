//! Connect's schema of each column, from the Avro schema that a registry holds for a topic's values.
//!
//! Only what spelling needs: names, parameters and shapes. A type without `connect.name` has no
//! meaning but its logical type's, which among Debezium's is the decimal's alone.

use std::collections::BTreeMap;

use crate::exact::Exact;
use crate::registry::Schema;

/// Topic and schema of the rows in it; `None` where the schema is of a key, or of no rows.
pub fn of_rows(registered: &Schema) -> Option<(String, Exact)> {
    let record = Exact::parse(&registered.schema).ok()?;
    let namespace = record.get("namespace").as_text()?;
    if !registered.subject.starts_with(namespace)
        || record.get("name").as_text() == Some("Key")
        || registered.subject.ends_with("-key")
    {
        return None;
    }
    Some((namespace.to_owned(), connect(&record)))
}

/// The Connect schema of an Avro type. A type that is only named was spelled out before and is not
/// needed twice.
fn connect(avro: &Exact) -> Exact {
    match avro {
        Exact::List(branches) => branches
            .iter()
            .find(|branch| branch.as_text() != Some("null"))
            .map_or(Exact::Null, connect),
        Exact::Text(name) => node(name, Vec::new()),
        Exact::Object(_) => {
            let kind = avro.get("type");
            match kind.as_text() {
                Some("record") => node("struct", vec![("fields", fields(avro))]),
                Some("array") => node("array", vec![("items", connect(avro.get("items")))]),
                Some("map") => node("map", vec![("values", connect(avro.get("values")))]),
                Some(name) => named(name, avro),
                None => connect(kind),
            }
        }
        _ => Exact::Null,
    }
}

fn named(name: &str, avro: &Exact) -> Exact {
    let connect_name = avro.get("connect.name");
    let is_decimal = avro.get("logicalType").as_text() == Some("decimal");
    if is_decimal && *connect_name == Exact::Null {
        let scale = Exact::text(&avro.get("scale").to_string());
        let parameters = BTreeMap::from([("scale".to_owned(), scale)]);
        return node(
            name,
            vec![
                ("name", Exact::text("org.apache.kafka.connect.data.Decimal")),
                ("parameters", Exact::Object(parameters)),
            ],
        );
    }
    node(
        name,
        vec![
            ("name", connect_name.clone()),
            ("parameters", avro.get("connect.parameters").clone()),
        ],
    )
}

fn fields(record: &Exact) -> Exact {
    let fields = record.get("fields").as_list().unwrap_or_default();
    let field = |field: &Exact| {
        let Exact::Object(mut members) = connect(field.get("type")) else {
            return Exact::Null;
        };
        members.insert("field".to_owned(), field.get("name").clone());
        Exact::Object(members)
    };
    Exact::List(fields.iter().map(field).collect())
}

fn node(avro_type: &str, more: Vec<(&str, Exact)>) -> Exact {
    let kind = match avro_type {
        "int" => "int32",
        "long" => "int64",
        other => other,
    };
    let mut members = BTreeMap::from([("type".to_owned(), Exact::text(kind))]);
    members.extend(
        more.into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Exact::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(schema: &str) -> Option<String> {
        let registered = Schema {
            id: 1,
            subject: "s.t-value".to_owned(),
            version: 1,
            kind: None,
            references: Vec::new(),
            schema: schema.to_owned(),
        };
        let (topic, schema) = of_rows(&registered)?;
        assert_eq!(topic, "s.t");
        Some(schema.get("fields").to_string())
    }

    #[test]
    fn names_and_decimals_are_found_where_avro_puts_them() {
        let schema = r#"{"type":"record","name":"Value","namespace":"s.t","fields":[
            {"name":"d","type":["null",{"type":"bytes","scale":2,"logicalType":"decimal"}]},
            {"name":"t","type":[{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"},"null"]},
            {"name":"a","type":{"type":"array","items":["null","int"]}}]}"#;
        assert_eq!(
            columns(schema).unwrap(),
            r#"[{"field":"d","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"type":"bytes"},{"field":"t","name":"io.debezium.time.MicroTimestamp","parameters":null,"type":"int64"},{"field":"a","items":{"type":"int32"},"type":"array"}]"#
        );
        assert_eq!(
            columns(r#"{"type":"record","name":"Key","namespace":"s.t","fields":[]}"#),
            None
        );
    }
}
