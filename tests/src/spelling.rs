//! How a value on Debezium's JSON wire is spelled in Rowtide's answers, by the schema that its
//! column had.
//!
//! Learns the schemas from a recording that embeds them. A column whose schema changed has several
//! spellings, each right for some row; a column without schema comes back as it was sent. A value
//! that does not fit a schema is not forced into it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::avro_schema;
use crate::calendar::{self, Unit};
use crate::decimal;
use crate::exact::Exact;
use crate::records::Record;
use crate::registry::Schemas;

/// Bit strings from here on say "as long as needed": `bit varying` without a length says 2^31 - 1.
const BIT_LENGTH_UNKNOWN: i64 = 1 << 24;

/// What a recording's format tells a consumer about its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Nothing: they come back as they were sent.
    #[default]
    Untyped,
    /// Nothing, but decimals were sent as numbers.
    UntypedNumbers,
    /// Every column's Connect schema.
    Typed,
    /// Avro's own types and no others: the names that Connect adds were left out.
    TypedByAvro,
    /// What Protobuf keeps: shapes and decimals. Dates, times, bits and the like come back as they were sent,
    /// and a list or map that is null is empty.
    Protobuf,
    /// The same without `optional`: a null of any type but messages has the bytes of the type's zero.
    ProtobufZeros,
}

impl Wire {
    const fn is_protobuf(self) -> bool {
        matches!(self, Self::Protobuf | Self::ProtobufZeros)
    }
}

/// The Connect schemas that each column of each topic had.
#[derive(Debug, Default)]
pub struct Spellings {
    wire: Wire,
    schemas: BTreeMap<(String, String), Vec<Exact>>,
}

impl Spellings {
    /// Reads the schemas of Avro records.
    pub fn learn_avro(registered: &Schemas) -> Self {
        let mut spellings = Self {
            wire: Wire::TypedByAvro,
            ..Self::default()
        };
        for (topic, schema) in registered.schemas.iter().filter_map(avro_schema::of_rows) {
            spellings.add(&topic, &schema, true);
        }
        spellings
    }

    /// Reads the schemas of a recording that embeds them, for a recording of another format.
    pub fn learn(recording: &[Record], wire: Wire) -> serde_json::Result<Self> {
        let mut spellings = Self {
            wire,
            ..Self::default()
        };
        let mut seen = BTreeSet::new();
        for record in recording {
            for (in_value, text) in [(false, &record.key), (true, &record.value)] {
                let Some(text) = text
                    .as_deref()
                    .filter(|text| text.starts_with("{\"schema\""))
                else {
                    continue;
                };
                let schema_text = text.split("\"payload\"").next().unwrap_or(text);
                if seen.insert((record.topic.clone(), in_value, schema_text.to_owned())) {
                    spellings.add(&record.topic, Exact::parse(text)?.get("schema"), in_value);
                }
            }
        }
        Ok(spellings)
    }

    /// Every spelling that is right for this value of the wire. Never empty.
    pub fn of(&self, topic: &str, column: &str, wire: &Exact) -> Vec<Exact> {
        let mut spelled = Vec::new();
        for schema in self
            .schemas
            .get(&(topic.to_owned(), column.to_owned()))
            .into_iter()
            .flatten()
        {
            let value = match self.wire {
                Wire::Untyped => None,
                Wire::UntypedNumbers => with_numbers(schema, wire),
                Wire::Typed | Wire::TypedByAvro => spell(schema, wire),
                Wire::Protobuf => spell(schema, &without_nulls(schema, wire, false)),
                Wire::ProtobufZeros => spell(schema, &without_nulls(schema, wire, true)),
            };
            if let Some(value) = value.filter(|value| !spelled.contains(value)) {
                spelled.push(value);
            }
        }
        if spelled.is_empty() {
            vec![wire.clone()]
        } else {
            spelled
        }
    }

    /// Whether a column had a default: Debezium's converters send it in place of null.
    pub fn has_default(&self, topic: &str, column: &str) -> bool {
        self.schemas
            .get(&(topic.to_owned(), column.to_owned()))
            .is_some_and(|schemas| {
                schemas
                    .iter()
                    .any(|schema| *schema.get("default") != Exact::Null)
            })
    }

    fn add(&mut self, topic: &str, schema: &Exact, in_value: bool) {
        let fields = schema.get("fields").as_list().unwrap_or_default();
        let is_row = |field: &&Exact| {
            matches!(field.get("field").as_text(), Some("before" | "after"))
                && field.get("fields").as_list().is_some()
        };
        let rows: Vec<&Exact> = fields.iter().filter(is_row).filter(|_| in_value).collect();
        let columns: Vec<&Exact> = if rows.is_empty() {
            fields.iter().collect()
        } else {
            rows.iter()
                .flat_map(|row| row.get("fields").as_list().unwrap_or_default())
                .collect()
        };
        for column in columns {
            let name = column.get("field").as_text().unwrap_or_default().to_owned();
            let column = if self.wire.is_protobuf() {
                as_protobuf_keeps_it(column)
            } else {
                column.clone()
            };
            let known = self.schemas.entry((topic.to_owned(), name)).or_default();
            if !known.contains(&column) {
                known.push(column);
            }
        }
    }
}

/// `wire` as the contract spells it, or `None` if it does not fit the schema.
pub fn spell(schema: &Exact, wire: &Exact) -> Option<Exact> {
    if *wire == Exact::Null {
        return Some(Exact::Null);
    }
    let name = schema.get("name").as_text().unwrap_or_default();
    let parameter = |key: &str| {
        schema
            .get("parameters")
            .get(key)
            .as_text()?
            .parse::<i64>()
            .ok()
    };
    let integer = || wire.as_integer();
    let text = || wire.as_text();
    let spelled = match name.rsplit('.').next().unwrap_or_default() {
        "Decimal" => decimal_text(wire, parameter("scale")?)?,
        "VariableScaleDecimal" => decimal_text(wire.get("value"), wire.get("scale").as_integer()?)?,
        "Date" => calendar::date(integer()?),
        "Time" => calendar::clock(integer()?, Unit::Milliseconds),
        "MicroTime" => calendar::clock(integer()?, Unit::Microseconds),
        "NanoTime" => calendar::clock(integer()?, Unit::Nanoseconds),
        "Timestamp" => calendar::timestamp(integer()?, Unit::Milliseconds),
        "MicroTimestamp" => calendar::timestamp(integer()?, Unit::Microseconds),
        "NanoTimestamp" => calendar::timestamp(integer()?, Unit::Nanoseconds),
        // Debezium writes a Z here that means nothing: the column has no zone.
        "IsoDate" | "IsoTime" | "IsoTimestamp" => {
            text()?.strip_suffix('Z').or_else(text)?.to_owned()
        }
        "ZonedTimestamp" | "ZonedTime" => calendar::in_utc(text()?),
        "MicroDuration" => calendar::duration(integer()?),
        "Bits" => bits(text()?, parameter("length")?)?,
        "Json" => return Some(Exact::parse(text()?).unwrap_or_else(|_| wire.clone())),
        "EnumSet" => return Some(Exact::List(members(text()?))),
        _ => return spell_by_shape(schema, wire),
    };
    Some(Exact::Text(spelled))
}

/// `wire` as it is sent where decimals are numbers: their digits, and all else unchanged.
fn with_numbers(schema: &Exact, wire: &Exact) -> Option<Exact> {
    match wire {
        Exact::Text(_) if is_decimal(schema) => match spell(schema, wire)? {
            Exact::Text(digits) => Some(Exact::Number(digits)),
            other => Some(other),
        },
        Exact::List(items) => {
            let items = items
                .iter()
                .map(|item| with_numbers(schema.get("items"), item));
            Some(Exact::List(items.collect::<Option<_>>()?))
        }
        _ => Some(wire.clone()),
    }
}

/// `wire` as Protobuf has it: a list is never null, and without `optional` neither is a scalar. Messages
/// can be absent.
fn without_nulls(schema: &Exact, wire: &Exact, zeros: bool) -> Exact {
    let kind = schema.get("type").as_text().unwrap_or_default();
    match (kind, wire) {
        ("array", Exact::Null) => Exact::List(Vec::new()),
        ("struct", Exact::Object(_)) => {
            let fields = schema.get("fields").as_list().unwrap_or_default();
            let field = |field: &Exact| {
                let name = field.get("field").as_text()?;
                let value = without_nulls(field, wire.get(name), zeros);
                Some((name.to_owned(), value))
            };
            Exact::Object(fields.iter().filter_map(field).collect())
        }
        ("map", Exact::Null) => Exact::Object(BTreeMap::new()),
        ("map", Exact::Object(entries)) => {
            let value = |value| without_nulls(schema.get("values"), value, zeros);
            let entries = entries.iter().map(|(key, own)| (key.clone(), value(own)));
            Exact::Object(entries.collect())
        }
        (_, Exact::Null) if zeros && !is_decimal(schema) => match kind {
            "int8" | "int16" | "int32" | "int64" | "float" | "double" => {
                Exact::Number("0".to_owned())
            }
            "boolean" => Exact::Bool(false),
            "string" | "bytes" => Exact::text(""),
            _ => Exact::Null,
        },
        _ => wire.clone(),
    }
}

fn is_decimal(schema: &Exact) -> bool {
    let name = schema.get("name").as_text();
    name.is_some_and(|name| name.ends_with("Decimal"))
}

/// A schema as Protobuf keeps it: without the names that say what a value means, but for decimals.
fn as_protobuf_keeps_it(schema: &Exact) -> Exact {
    match schema {
        Exact::Object(members) => {
            let keep = |(name, _): &(&String, &Exact)| *name != "name" || is_decimal(schema);
            let kept = members.iter().filter(keep);
            Exact::Object(
                kept.map(|(name, value)| (name.clone(), as_protobuf_keeps_it(value)))
                    .collect(),
            )
        }
        Exact::List(items) => Exact::List(items.iter().map(as_protobuf_keeps_it).collect()),
        other => other.clone(),
    }
}

fn spell_by_shape(schema: &Exact, wire: &Exact) -> Option<Exact> {
    match (schema.get("type").as_text()?, wire) {
        ("array", Exact::List(items)) => {
            let spelled = items.iter().map(|item| spell(schema.get("items"), item));
            Some(Exact::List(spelled.collect::<Option<_>>()?))
        }
        ("map", Exact::Object(entries)) => {
            let spelled = entries
                .iter()
                .map(|(key, value)| Some((key.clone(), spell(schema.get("values"), value)?)));
            Some(Exact::Object(spelled.collect::<Option<_>>()?))
        }
        ("struct", Exact::Object(_)) => {
            let fields = schema.get("fields").as_list()?.iter().map(|field| {
                let name = field.get("field").as_text()?;
                Some((name.to_owned(), spell(field, wire.get(name))?))
            });
            Some(Exact::Object(fields.collect::<Option<_>>()?))
        }
        ("array" | "struct", _) => None,
        _ => Some(wire.clone()),
    }
}

fn decimal_text(wire: &Exact, scale: i64) -> Option<String> {
    match wire {
        Exact::Number(text) => decimal::plain(text),
        Exact::Text(text) => decimal::from_base64(text, scale),
        _ => None,
    }
}

/// Most significant bit first; the wire has the least significant byte first.
fn bits(wire: &str, length: i64) -> Option<String> {
    let bytes = STANDARD.decode(wire).ok()?;
    let bits: Vec<String> = bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:08b}"))
        .collect();
    let bits = bits.concat();
    let width = if length < BIT_LENGTH_UNKNOWN {
        usize::try_from(length).ok()?
    } else {
        1
    };
    Some(format!("{:0>width$}", bits.trim_start_matches('0')))
}

/// The members of a set, split at commas that no backslash escapes.
fn members(wire: &str) -> Vec<Exact> {
    let mut members = Vec::new();
    let mut member = String::new();
    for part in wire.split(',').filter(|_| !wire.is_empty()) {
        member.push_str(part);
        if member.ends_with('\\') {
            member.pop();
            member.push(',');
        } else {
            members.push(Exact::Text(std::mem::take(&mut member)));
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(schema: &str, wire: &str) -> Option<String> {
        spell(&Exact::parse(schema).unwrap(), &Exact::parse(wire).unwrap())
            .map(|value| value.to_string())
    }

    fn named(kind: &str, name: &str, parameters: &str) -> String {
        format!(r#"{{"type":"{kind}","name":"{name}","parameters":{parameters}}}"#)
    }

    fn debezium(kind: &str, name: &str) -> String {
        named(kind, &format!("io.debezium.{name}"), "null")
    }

    fn check(cases: &[(String, &str, &str)]) {
        for (schema, wire, want) in cases {
            assert_eq!(
                spelled(schema, wire).as_deref(),
                Some(*want),
                "{schema} {wire}"
            );
        }
    }

    #[test]
    fn numbers_and_bits_keep_every_digit() {
        let decimal = |scale: &str| named("bytes", "org.apache.kafka.connect.data.Decimal", scale);
        let bits = |length: &str| named("bytes", "io.debezium.data.Bits", length);
        let variable = debezium("struct", "data.VariableScaleDecimal");
        check(&[
            (decimal(r#"{"scale":"2"}"#), r#""D54=""#, r#""39.98""#),
            (decimal(r#"{"scale":"0"}"#), "12", r#""12""#),
            (variable, r#"{"scale":3,"value":"AQ=="}"#, r#""0.001""#),
            (bits(r#"{"length":"8"}"#), r#""BQ==""#, r#""00000101""#),
            (bits(r#"{"length":"2147483647"}"#), r#""AA==""#, r#""0""#),
            (bits(r#"{"length":"12"}"#), r#""AQg=""#, r#""100000000001""#),
        ]);
    }

    #[test]
    fn times_are_spelled_by_their_unit() {
        let connect_time = named("int32", "org.apache.kafka.connect.data.Time", "null");
        let nanoseconds = debezium("int64", "time.NanoTimestamp");
        let zoneless = debezium("string", "time.IsoTimestamp");
        let zoned = debezium("string", "time.ZonedTime");
        let duration = debezium("int64", "time.MicroDuration");
        check(&[
            (debezium("int32", "time.Date"), "16816", r#""2016-01-16""#),
            (connect_time, "45296120", r#""12:34:56.12""#),
            (
                debezium("int64", "time.MicroTime"),
                "45296123456",
                r#""12:34:56.123456""#,
            ),
            (
                debezium("int64", "time.Timestamp"),
                "0",
                r#""1970-01-01T00:00:00""#,
            ),
            (
                debezium("int64", "time.MicroTimestamp"),
                "1452938400000000",
                r#""2016-01-16T10:00:00""#,
            ),
            (nanoseconds, "1", r#""1970-01-01T00:00:00.000000001""#),
            (
                zoneless,
                r#""2024-02-29T12:34:56Z""#,
                r#""2024-02-29T12:34:56""#,
            ),
            (zoned, r#""07:04:56+02:00""#, r#""05:04:56Z""#),
            (duration, "93784005006", r#""P1DT2H3M4.005006S""#),
            (debezium("int64", "time.Timestamp"), "null", "null"),
        ]);
    }

    #[test]
    fn text_with_structure_is_told_as_structure() {
        let json = || debezium("string", "data.Json");
        let set = || debezium("string", "data.EnumSet");
        check(&[
            (json(), r#""{\"a\": 1.10}""#, r#"{"a":1.10}"#),
            (json(), r#""not json""#, r#""not json""#),
            (set(), r#""a,b\\,c""#, r#"["a","b,c"]"#),
            (set(), r#""""#, "[]"),
            (debezium("string", "data.Enum"), r#""new""#, r#""new""#),
        ]);
    }

    #[test]
    fn nested_values_are_spelled_inside() {
        let dates = r#"{"type":"array","items":{"type":"int32","name":"io.debezium.time.Date"}}"#;
        assert_eq!(
            spelled(dates, "[0,null]").as_deref(),
            Some(r#"["1970-01-01",null]"#)
        );
        let map = r#"{"type":"map","values":{"type":"int32","name":"io.debezium.time.Date"}}"#;
        assert_eq!(
            spelled(map, r#"{"a":0}"#).as_deref(),
            Some(r#"{"a":"1970-01-01"}"#)
        );
        let point = r#"{"type":"struct","name":"io.debezium.data.geometry.Point","fields":[{"type":"double","field":"x"},{"type":"int32","field":"srid"}]}"#;
        assert_eq!(
            spelled(point, r#"{"x":1.50}"#).as_deref(),
            Some(r#"{"srid":null,"x":1.50}"#)
        );
    }

    #[test]
    fn a_value_that_does_not_fit_its_schema_is_not_forced_into_it() {
        assert_eq!(
            spelled(
                &named("int32", "io.debezium.time.Date", "null"),
                r#""tomorrow""#
            ),
            None
        );
        assert_eq!(
            spelled(
                &named("bytes", "io.debezium.data.Bits", r#"{"length":"8"}"#),
                r#""%""#
            ),
            None
        );
        assert_eq!(
            spelled(r#"{"type":"array","items":{"type":"string"}}"#, "1"),
            None
        );
    }

    #[test]
    fn formats_that_say_less_are_not_asked_for_more() {
        let decimal = named(
            "bytes",
            "org.apache.kafka.connect.data.Decimal",
            r#"{"scale":"2"}"#,
        );
        let numbers = |schema: &str, wire: &str| {
            let parse = |text| Exact::parse(text).unwrap();
            with_numbers(&parse(schema), &parse(wire))
                .unwrap()
                .to_string()
        };
        assert_eq!(numbers(&decimal, r#""D54=""#), "39.98");
        assert_eq!(
            numbers(
                &format!(r#"{{"type":"array","items":{decimal}}}"#),
                r#"["D54=",null]"#
            ),
            "[39.98,null]"
        );
        assert_eq!(numbers(&debezium("int32", "time.Date"), "0"), "0");
        let protobuf = |schema: &str, wire: &str| {
            let schema = as_protobuf_keeps_it(&Exact::parse(schema).unwrap());
            let wire = without_nulls(&schema, &Exact::parse(wire).unwrap(), true);
            spell(&schema, &wire).unwrap().to_string()
        };
        assert_eq!(protobuf(&decimal, r#""D54=""#), r#""39.98""#);
        assert_eq!(protobuf(&decimal, "null"), "null");
        assert_eq!(protobuf(r#"{"type":"string"}"#, "null"), r#""""#);
        assert_eq!(protobuf(&debezium("int32", "time.Date"), "16816"), "16816");
        let point = r#"{"type":"struct","name":"io.debezium.data.geometry.Point","fields":[{"type":"int32","field":"srid"}]}"#;
        assert_eq!(protobuf(point, r#"{"srid":null}"#), r#"{"srid":0}"#);
        let list = r#"{"type":"array","items":{"type":"int32"}}"#;
        assert_eq!(protobuf(list, "null"), "[]");
    }

    #[test]
    fn a_column_whose_type_changed_has_every_spelling_and_an_unknown_one_its_own() {
        let value = |schema: &str| {
            let text = format!(
                r#"{{"schema":{{"fields":[{{"field":"after","fields":[{schema}]}}]}},"payload":{{}}}}"#
            );
            Record {
                value: Some(text),
                ..Record::new("t", 0, 0)
            }
        };
        let recording = [
            value(r#"{"field":"a","type":"int32","name":"io.debezium.time.Date"}"#),
            value(r#"{"field":"a","type":"int32"}"#),
        ];
        let spellings = Spellings::learn(&recording, Wire::Typed).unwrap();
        let day = Exact::parse("0").unwrap();
        assert_eq!(
            spellings.of("t", "a", &day),
            [Exact::text("1970-01-01"), day.clone()]
        );
        assert_eq!(spellings.of("t", "b", &day), std::slice::from_ref(&day));
    }
}
