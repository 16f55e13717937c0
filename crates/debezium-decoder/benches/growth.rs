//! Whether time grows with the size of a record or faster: each shape that could be told badly, at n and at 2n.
//!
//! A ratio near 2 is linear, near 4 quadratic. Prints, and leaves the judgement to people: a loaded
//! machine tells lies. Run by `cargo xtask bench growth`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{
    Decoder, Header, RawBatch, RegisteredSchema, RegistryId, SchemaLanguage, SchemaShelf,
    TopicContext,
};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use row_model::{ChangeBatch, PartitionId, SchemaCatalog};
use telemetry::clock;

/// The fastest of these is taken: whatever else the machine does only adds.
const TURNS: usize = 5;
const SOURCE: &str = r#""source":{"connector":"postgresql","name":"s","ts_ms":5,"snapshot":"false","db":"d","schema":"public","table":"t","txId":12,"lsn":77}"#;
const DECIMAL: &str =
    r#""type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}"#;

/// A shape: its name, the smaller size, and its records at a size.
type Shape = (&'static str, usize, fn(usize) -> RawBatch);

const SHAPES: &[Shape] = &[
    ("a cell nested n deep", 200_000, |n| {
        row(&format!(r#""a":{}{}"#, "[".repeat(n), "]".repeat(n)))
    }),
    ("objects nested n deep", 100_000, |n| {
        row(&format!(
            r#""a":{}1{}"#,
            r#"{"a":"#.repeat(n),
            "}".repeat(n)
        ))
    }),
    ("an envelope nested n deep", 100_000, |n| {
        value(&"[".repeat(n))
    }),
    ("n columns", 20_000, |n| row(&columns(n, "c"))),
    ("n columns, two shapes in turn", 2_000, |n| {
        let rows =
            (0..40).map(move |turn| change(&columns(n, if turn % 2 == 0 { "c" } else { "d" })));
        values(rows)
    }),
    ("n shapes", 300, |n| {
        values((0..n).map(|shape| change(&columns(20, &format!("c{shape}_")))))
    }),
    ("n columns with a schema", 10_000, |n| {
        let fields = fields(n, r#""type":"int32","optional":true"#);
        value(&with_schema(&fields, &change(&columns(n, "c"))))
    }),
    ("n columns with a schema, in other order", 4_000, |n| {
        let fields = fields(n, r#""type":"int32","optional":true"#);
        let backwards: Vec<String> = (0..n).rev().map(|at| format!(r#""c{at}":{at}"#)).collect();
        value(&with_schema(&fields, &change(&backwards.join(","))))
    }),
    ("n members of a struct", 10_000, |n| {
        let inner = fields(n, r#""type":"int32""#);
        let field = format!(r#"{{"field":"a","type":"struct","fields":[{inner}]}}"#);
        value(&with_schema(
            &field,
            &change(&format!(r#""a":{{{}}}"#, columns(n, "c"))),
        ))
    }),
    ("n members that the shape has not", 10_000, |n| {
        let rows = [columns(2, "c"), columns(n, "d")];
        values(rows.iter().map(|row| change(row)))
    }),
    ("a text of n escapes", 500_000, |n| {
        row(&format!(r#""a":"{}""#, r"\u00e9\n".repeat(n)))
    }),
    ("a name of n escapes", 500_000, |n| {
        row(&format!(r#""{}":1"#, r"\u00e9".repeat(n)))
    }),
    ("a number of n digits", 500_000, |n| {
        row(&format!(r#""a":{}"#, "7".repeat(n)))
    }),
    ("a decimal of n digits", 30_000, |n| decimal(&"7".repeat(n))),
    ("n decimals of many zeros", 50, |n| {
        let fields: String = fields(n, DECIMAL);
        let cells: Vec<String> = (0..n).map(|at| format!(r#""c{at}":1e100000"#)).collect();
        value(&with_schema(&fields, &change(&cells.join(","))))
    }),
    ("n decimals of many zeros as text", 50, |n| {
        let fields: String = fields(n, DECIMAL);
        let cells: Vec<String> = (0..n).map(|at| format!(r#""c{at}":1e-100000"#)).collect();
        value(&with_schema(&fields, &change(&cells.join(","))))
    }),
    ("a key of n columns", 1_000, |n| {
        let key = format!("{{{}}}", columns(n, "c"));
        let mut batch = RawBatch::new(PartitionId(0));
        let change = change(&columns(n, "c"));
        batch.push(0, None, Some(key.as_bytes()), Some(change.as_bytes()), []);
        batch
    }),
    (
        "a key of n columns in another record's header",
        1_000,
        |n| {
            let key = format!("{{{}}}", columns(n, "c"));
            let header = format!(
                "Struct{{{}}}",
                columns(n, "c").replace('"', "").replace(':', "=")
            );
            let mut batch = RawBatch::new(PartitionId(0));
            let headers = [Header {
                name: "__debezium.oldkey",
                value: Some(header.as_bytes()),
            }];
            let change = change(&columns(n, "c"));
            batch.push(
                0,
                None,
                Some(key.as_bytes()),
                Some(change.as_bytes()),
                headers,
            );
            batch
        },
    ),
    ("n headers", 50_000, |n| {
        let names: Vec<String> = (0..n).map(|at| format!("h{at}")).collect();
        let headers = names.iter().map(|name| Header {
            name,
            value: Some(b"x"),
        });
        let mut batch = RawBatch::new(PartitionId(0));
        batch.push(0, None, None, Some(change(r#""a":1"#).as_bytes()), headers);
        batch
    }),
    ("an array of n in Avro", 500_000, |n| {
        let mut body = vec![0, 0, 0, 0, 1, 2];
        long(n as i64, &mut body);
        body.extend(std::iter::repeat_n(2, n));
        body.push(0);
        bytes(&body)
    }),
    ("n records nested in Avro", 100_000, |n| {
        bytes(&[&[0, 0, 0, 0, 2][..], &vec![2; n]].concat())
    }),
];

fn main() {
    let only = std::env::args().skip(1).find(|arg| arg != "--bench");
    println!(
        "{:<46} {:>9} {:>11} {:>11} {:>6}",
        "", "n", "n", "2n", "ratio"
    );
    for (name, n, batch) in SHAPES {
        if only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
        {
            let (once, twice) = (fastest(&batch(*n)), fastest(&batch(2 * n)));
            let ratio = twice.as_secs_f64() / once.as_secs_f64();
            println!("{name:<46} {n:>9} {once:>11.2?} {twice:>11.2?} {ratio:>6.1}");
        }
    }
}

fn fastest(batch: &RawBatch) -> Duration {
    let turns = (0..TURNS).map(|_| {
        let shelf = SchemaShelf::default();
        shelf.put(
            RegistryId(1),
            Ok(avro(r#"["null",{"type":"array","items":"int"}]"#)),
        );
        shelf.put(
            RegistryId(2),
            Ok(avro(
                r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}"#,
            )),
        );
        let catalog = Arc::new(SchemaCatalog::default());
        let decoder = DebeziumDecoder::new(catalog, Placeholder::default());
        let mut decoder = decoder.with_schemas(Arc::new(shelf));
        let context = TopicContext {
            topic: "s.public.t",
            partition: 0,
        };
        let mut out = ChangeBatch::new(batch.partition);
        let began = clock::monotonic();
        decoder.decode(context, batch, 0, &mut out);
        clock::monotonic() - began
    });
    turns.min().unwrap_or_default()
}

fn avro(text: &str) -> RegisteredSchema {
    RegisteredSchema {
        language: SchemaLanguage::Avro,
        text: text.to_owned(),
        references: Vec::new(),
    }
}

/// A number as Avro writes it.
fn long(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn columns(n: usize, prefix: &str) -> String {
    let mut row = String::new();
    for at in 0..n {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(row, r#"{comma}"{prefix}{at}":{at}"#);
    }
    row
}

fn fields(n: usize, kind: &str) -> String {
    let fields: Vec<String> = (0..n)
        .map(|at| format!(r#"{{"field":"c{at}",{kind}}}"#))
        .collect();
    fields.join(",")
}

fn change(row: &str) -> String {
    format!(r#"{{"before":null,"after":{{{row}}},{SOURCE},"op":"c","ts_ms":6}}"#)
}

fn with_schema(fields: &str, payload: &str) -> String {
    format!(
        r#"{{"schema":{{"type":"struct","fields":[{{"field":"after","type":"struct","fields":[{fields}]}}]}},"payload":{payload}}}"#
    )
}

fn decimal(digits: &str) -> RawBatch {
    let field = format!(r#"{{"field":"a",{DECIMAL}}}"#);
    value(&with_schema(&field, &change(&format!(r#""a":{digits}"#))))
}

fn row(row: &str) -> RawBatch {
    value(&change(row))
}

fn value(text: &str) -> RawBatch {
    bytes(text.as_bytes())
}

fn bytes(value: &[u8]) -> RawBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(0, None, None, Some(value), []);
    batch
}

fn values(values: impl Iterator<Item = String>) -> RawBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, value) in values.enumerate() {
        batch.push(offset as u64, None, None, Some(value.as_bytes()), []);
    }
    batch
}
