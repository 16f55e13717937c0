//! Inputs to begin with: a few records in a row of every topic of every recording, and texts that show each rule.
//!
//! Small inputs are worth more than many: a script has as many records as remember each other, and
//! of every topic only its beginning, where its shapes, keys and formats are all met.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use change_feed::SchemaLanguage;

use crate::Target;
use crate::corpus::{self, RecordedRecord};
use crate::input::{Script, ScriptRecord};

/// Records of a script.
const RECORDS: usize = 3;
/// Scripts of one topic of one recording.
const SCRIPTS: usize = 2;
/// A larger seed slows everything down that is made of it.
const SEED_BYTES_MAX: usize = 12 << 10;

/// Writes the seeds of this target into a folder; answers how many.
pub fn write(target: &Target, folder: &Path) -> io::Result<usize> {
    let seeds = (target.seeds)()?;
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:05}")), seed)?;
    }
    Ok(seeds.len())
}

/// Records of every recording in JSON.
pub fn json() -> io::Result<Vec<Vec<u8>>> {
    let is_json = |name: &str| !["avro", "proto"].iter().any(|format| name.contains(format));
    scripts(is_json, None)
}

/// Records of every recording in Avro.
pub fn avro() -> io::Result<Vec<Vec<u8>>> {
    scripts(|name| name.contains("avro"), Some(SchemaLanguage::Avro))
}

/// Records of every recording in Protobuf.
pub fn protobuf() -> io::Result<Vec<Vec<u8>>> {
    scripts(
        |name| name.contains("proto"),
        Some(SchemaLanguage::Protobuf),
    )
}

fn scripts(
    matches: impl Fn(&str) -> bool,
    registry: Option<SchemaLanguage>,
) -> io::Result<Vec<Vec<u8>>> {
    let mut scripts = Vec::new();
    for file in corpus::files(|name| name.starts_with("events") && matches(name))? {
        let mut topics: BTreeMap<String, Vec<RecordedRecord>> = BTreeMap::new();
        for line in io::BufRead::lines(corpus::open(&file)?).take(2_000) {
            let Some(mut record) = corpus::record(&line?) else {
                continue;
            };
            if let Some(language) = registry {
                for part in [&mut record.key, &mut record.value].into_iter().flatten() {
                    renumber(part, &file, language);
                }
            }
            let records = topics.entry(record.topic.clone()).or_default();
            if records.len() < RECORDS * SCRIPTS {
                records.push(record);
            }
        }
        for (topic, records) in &topics {
            scripts.extend(records.chunks(RECORDS).filter_map(|records| {
                // As many of them as fit: embedded schemas are long.
                let beginnings = (1..=records.len()).rev().map(|count| &records[..count]);
                let mut scripts = beginnings.map(|records| script(topic, records));
                scripts.find(|script| script.len() <= SEED_BYTES_MAX)
            }));
        }
    }
    Ok(scripts)
}

/// Gives a framed part the number by which the target has its schema.
fn renumber(part: &mut [u8], file: &Path, language: SchemaLanguage) {
    let [0, a, b, c, d, ..] = part else {
        return;
    };
    let recorded = u32::from_be_bytes([*a, *b, *c, *d]);
    if let Some(id) = corpus::id_of(file, recorded, language) {
        [*a, *b, *c, *d] = id.to_be_bytes();
    }
}

fn script(topic: &str, records: &[RecordedRecord]) -> Vec<u8> {
    let mut script = Script::of_topic(topic);
    script.records = records
        .iter()
        .map(|record| ScriptRecord {
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect(),
        })
        .collect();
    let written = script.write();
    assert_eq!(
        Script::read(&written).records.len(),
        records.len(),
        "of {topic}"
    );
    written
}

/// The first lines of every recording, in pairs: a parser remembers one line.
pub fn lines() -> io::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for file in corpus::files(|name| name.starts_with("events"))? {
        let lines: Vec<String> = io::BufRead::lines(corpus::open(&file)?)
            .take(6)
            .collect::<io::Result<_>>()?;
        let pairs = lines.chunks(2).map(|pair| pair.join("\n").into_bytes());
        seeds.extend(pairs.filter(|pair| pair.len() <= SEED_BYTES_MAX));
    }
    Ok(seeds)
}

/// The template that `rowtide init` writes, as it is, and with everything in it switched on.
pub fn configurations() -> io::Result<Vec<Vec<u8>>> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/server/src/init.toml");
    let template = fs::read_to_string(template)?;
    let switched_on: String = template
        .replace("\n#", "\n")
        .lines()
        .filter(|line| line.contains('=') || line.starts_with('['))
        .flat_map(|line| [line, "\n"])
        .collect();
    let short = "data_dir = '${env:SECRET}'\n[[sources]]\nname = 's'\nkind = 'file'\npath = 'x'\n";
    let texts = [template, switched_on, short.to_owned()];
    Ok(texts.map(String::into_bytes).to_vec())
}

/// Statements that have every clause and condition there is, and some that are refused.
pub fn statements() -> Vec<Vec<u8>> {
    let statements = [
        "select * from orders order by id limit 5 offset $1",
        "select o.id, o.total as t, doc->'a'->>0 from public.orders o where (o.status in ('a', 'b') or not total >= $1) and doc->>'k' = 'v'",
        "select i.sku, o.status from items i join orders o on i.order_id = o.id and i.fresh where o.placed > '2026-11-20' and i.sku like 'a%'",
        "select sku from items left join orders using (id) where fresh is not true or status is null",
        "select status, count(*) n, sum(total)::numeric, min(placed) from orders group by 1 having count(*) > 2 order by n desc nulls last, status",
        "select distinct status from orders where id between 1 and $1 and total is distinct from $2",
        "select id from orders o where not exists (select 1 from items i where i.order_id = o.id and i.sku = any($3))",
        "with x as (select 1) select * from x union select cast(a as int) from b; delete from c",
        "select case when (select 1) then 'a' else now() - interval '1 day' end from generate_series(1, 2) where a ilike 'x!%' escape '!'",
    ];
    statements.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// What `PostgREST` documents.
pub fn query_strings() -> Vec<Vec<u8>> {
    let texts = [
        "select=full_name,birth:birth_date::text,data->phones->0->>number,count(),amount.sum()::int",
        "select=*,a:roles!inner!fk(character,...films(title))&a.character=in.(Chico,\"x,y\")&a.order=x.desc",
        "or=(age.lt.18,not.and(age.gte.11,grade.in.(1,2)))&order=films(year).desc.nullslast&limit=5&offset=2",
        "name=like(any).{O*,P*}&a=not.is.null&b=cs.{1,2}&c=isdistinct.2024-02-29T12:34:56.789+00:00",
        "x=eq.-1.5e3&y=eq.b68a35a7-17ad-35b3-af2a-ae46edb4545a&z=eq.{\"a\":1}",
        "select=id,placed::date,items(sku,fresh)&placed=gte.today&total=gt.1.5&doc->>a=eq.b&items.sku=like.a*&order=placed.desc",
        "select=status,total.sum(),placed::timestamp&placed=in.(now,\"2024-03-10 02:30 Africa/Cairo\",2024-02-29T12:00-0230)",
        "select=id,...orders(state:status)&or=(fresh.is.true,order_id.in.(1,2))&order=orders(placed)&limit=5",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A query with every field, several of them, and a batch of keys.
pub fn query_bodies() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"from":"orders","select":["id","plan:meta->>plan","customer.name"],"include":[{"rel":"items!fk","as":"lines","select":["sku"],"where":[{"column":"qty","op":"gt","value":1}],"order":["-qty"],"limit":5,"offset":1,"required":true,"include":["product(name)"]},{"rel":"customer","hint":"buyer","flatten":true}],"where":[{"column":"status","op":"in","value":["paid","shipped"]},{"or":[{"column":"total","op":"gte","value":"100"},{"column":"customer.tier","op":"eq","value":"gold"},{"not":{"rel":"items","where":[]}}]}],"order":["-created_at","id"],"limit":"50","cursor":null,"count":"exact","explain":true,"format":"arrays","int64":"string"}"#,
        r#"{"from":"orders","group_by":["status"],"aggregate":[{"fn":"count","as":"n"},"revenue:sum(total)"],"having":{"and":[{"column":"n","op":"between","value":[1,10]},{"column":"n","op":"is_null"}]}}"#,
        r#"{"queries":{"a":{"from":"orders"},"b":{"from":"items","where":["qty > 1"]}}}"#,
        r#"{"get":[{"table":"orders","keys":[[7],"9",{"id":8}],"select":"id"}],"int64":"number"}"#,
    ];
    bodies.map(|body| body.as_bytes().to_vec()).to_vec()
}

/// A number of key columns, their types, and a text.
pub fn query_texts() -> Vec<Vec<u8>> {
    let texts: [(&[u8], &str); 28] = [
        (&[0], "x"),
        (&[0], "true"),
        (&[0], "null"),
        (&[0], "{\"a\":1}"),
        (&[1], "false"),
        (&[2], "-9223372036854775808"),
        (&[3], "1.5e-7"),
        (&[3], "NaN"),
        (&[4], "19.90"),
        (&[5], "a%2Cb%20%C3%A9"),
        (&[6], "AP8Q"),
        (&[7], "b68a35a7-17ad-35b3-af2a-ae46edb4545a"),
        (&[8], "[\"a\",\"b\"]"),
        (&[10], "2024-02-29"),
        (&[11], "12:34:56.789"),
        (&[12], "12:34:56.789Z"),
        (&[13], "2024-02-29T12:34:56.789"),
        (&[14], "2024-02-29T12:34:56.789Z"),
        (&[15], "P1DT2H3M4.5S"),
        (&[0, 2, 5], "1,7,a"),
        (
            &[],
            "(a.eq.1,or(b.in.(1,\"x\"),not.and(c->d->>e.is.null,f.gt.column(g))))",
        ),
        (
            &[],
            "(customer.tier.eq.gold,items.and(qty.gt.1,sku.eq.A),customer!fk.region.name.not.eq.EU)",
        ),
        (
            &[],
            "id,buyer:customer!fk!inner(name,region(code)),...items(sku),total.sum()::text,n:count()",
        ),
        (&[], "customer.name.desc.nullslast,customer(age).asc,-id"),
        (&[], "n:count(),revenue:sum(total),avg(customer.age)"),
        (&[], "customer!fk.region.\"a.b\"->x->>y::text"),
        (&[], "AQAAAAAAAAAAAAEBAQEH"),
        (&[], "QQAAAAAAAAAAAQI"),
    ];
    let seed =
        |(types, text): (&[u8], &str)| [&[types.len() as u8], types, text.as_bytes()].concat();
    texts.map(seed).to_vec()
}
