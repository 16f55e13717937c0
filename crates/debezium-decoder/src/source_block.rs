//! The `source` block: where a change stands in its source's order, and what it belongs to.
//!
//! Blocks of one table differ only in a few values. The last block is kept as a template of literal
//! text and holes: a block that fits it gives its few values without being parsed again.

use std::borrow::Cow;

use row_model::{SnapshotMark, SourcePosition, Transaction};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::DecodeError;

/// What a source block says of its change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceFacts {
    pub snapshot: Option<SnapshotMark>,
    pub position: Option<SourcePosition>,
    pub transaction: Option<Transaction>,
    pub commit_ms: Option<i64>,
}

/// The fields that matter, as the connectors of `PostgreSQL`, `MySQL`, `MariaDB` and SQL Server write them.
#[derive(Debug, Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    connector: Cow<'a, str>,
    #[serde(default)]
    ts_ms: Option<i64>,
    #[serde(borrow, default)]
    snapshot: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sequence: Option<Cow<'a, str>>,
    #[serde(default, rename = "txId")]
    tx_id: Option<i64>,
    #[serde(default)]
    lsn: Option<u64>,
    #[serde(default)]
    server_id: Option<u64>,
    #[serde(borrow, default)]
    gtid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    file: Option<Cow<'a, str>>,
    #[serde(default)]
    pos: Option<u64>,
    #[serde(default)]
    row: Option<u64>,
    #[serde(borrow, default)]
    change_lsn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    commit_lsn: Option<Cow<'a, str>>,
    #[serde(default)]
    event_serial_no: Option<u64>,
}

/// Recognises blocks by comparison with the last one.
#[derive(Debug, Default)]
pub(crate) struct SourceMemory {
    last: String,
    last_facts: SourceFacts,
    template: Option<Template>,
}

impl SourceMemory {
    pub fn facts(&mut self, source: &RawValue) -> Result<SourceFacts, DecodeError> {
        let text = source.get();
        // Snapshot rows of one table repeat their block to the letter.
        if text == self.last {
            return Ok(self.last_facts);
        }
        let fitted = self
            .template
            .as_ref()
            .and_then(|template| template.fit(text));
        let facts = match fitted {
            Some(facts) => facts,
            None => {
                if !text.starts_with('{') {
                    return Err(DecodeError::Malformed {
                        part: "source block",
                        reason: "it is no object".to_owned(),
                    });
                }
                let block: Block<'_> = serde_json::from_str(text)
                    .map_err(|error| DecodeError::malformed("source block", &error))?;
                self.template = Template::of_postgres(text, &block);
                read(&block)
            }
        };
        self.last.clear();
        self.last.push_str(text);
        self.last_facts = facts;
        Ok(facts)
    }
}

fn read(block: &Block<'_>) -> SourceFacts {
    let incremental = block
        .snapshot
        .is_some_and(|mark| mark.get() == "\"incremental\"");
    SourceFacts {
        snapshot: snapshot_mark(block.snapshot.map(RawValue::get)),
        position: position(block, incremental),
        transaction: transaction(block),
        commit_ms: block.ts_ms,
    }
}

/// A string in current versions, a boolean in old ones; `null` where the default was not filled in.
fn snapshot_mark(token: Option<&str>) -> Option<SnapshotMark> {
    match token?.trim_matches('"') {
        "true" | "first" | "first_in_data_collection" => Some(SnapshotMark::Row),
        "last" | "last_in_data_collection" => Some(SnapshotMark::LastOfTable),
        "incremental" => Some(SnapshotMark::Incremental),
        _ => None,
    }
}

fn position(block: &Block<'_>, incremental: bool) -> Option<SourcePosition> {
    match &*block.connector {
        "postgresql" if incremental => newest_of_sequence(block.sequence.as_deref()?),
        "postgresql" => SourcePosition::from_numbers(0, &[block.lsn?]),
        "mysql" | "mariadb" => {
            let file = file_number(block.file.as_deref()?)?;
            // Files of different servers have nothing to do with each other.
            SourcePosition::from_numbers(
                block.server_id?,
                &[file, block.pos?, block.row.unwrap_or(0)],
            )
        }
        "sqlserver" => {
            let mut bytes = lsn_bytes(block.commit_lsn.as_deref()?)?;
            bytes.extend(lsn_bytes(
                block
                    .change_lsn
                    .as_deref()
                    .unwrap_or("00000000:00000000:0000"),
            )?);
            bytes.extend(
                u32::try_from(block.event_serial_no.unwrap_or(0))
                    .ok()?
                    .to_be_bytes(),
            );
            SourcePosition::from_bytes(0, &bytes)
        }
        _ => None,
    }
}

/// `["<lsn of the last commit>" or null, "<lsn>"]`: the newer of the two is what an incremental row stands at.
fn newest_of_sequence(sequence: &str) -> Option<SourcePosition> {
    let parts: Vec<Option<Cow<'_, str>>> = serde_json::from_str(sequence).ok()?;
    let newest = parts
        .iter()
        .flatten()
        .filter_map(|lsn| lsn.parse::<u64>().ok())
        .max()?;
    SourcePosition::from_numbers(0, &[newest])
}

/// 42 of `mysql-bin.000042`.
fn file_number(file: &str) -> Option<u64> {
    file.rsplit('.').next()?.parse().ok()
}

/// The bytes of `00000027:00000758:0005`.
fn lsn_bytes(lsn: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(10);
    for (part, width) in lsn.split(':').zip([4, 4, 2]) {
        let number = u32::from_str_radix(part, 16).ok()?;
        bytes.extend_from_slice(&number.to_be_bytes()[4 - width..]);
    }
    (bytes.len() == 10).then_some(bytes)
}

fn transaction(block: &Block<'_>) -> Option<Transaction> {
    if let Some(id) = block.tx_id {
        // Compared modulo 2^32: the source's id may or may not carry its epoch.
        return Some(Transaction(u64::from(id as u32)));
    }
    // A gtid ends in its number within the domain or server.
    let gtid = block.gtid.as_deref()?;
    gtid.rsplit([':', '-'])
        .next()?
        .parse()
        .ok()
        .map(Transaction)
}

/// The values that differ from block to block of one `PostgreSQL` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    TsMs,
    Snapshot,
    TxId,
    Lsn,
    /// Differs, and nothing rests on it.
    Other,
}

const HOLES: [(&str, Hole); 8] = [
    ("ts_ms", Hole::TsMs),
    ("snapshot", Hole::Snapshot),
    ("txId", Hole::TxId),
    ("lsn", Hole::Lsn),
    ("sequence", Hole::Other),
    ("ts_us", Hole::Other),
    ("ts_ns", Hole::Other),
    ("xmin", Hole::Other),
];

/// Literal text and holes, in the order of the block.
#[derive(Debug)]
struct Template {
    parts: Vec<(String, Hole)>,
    tail: String,
}

impl Template {
    /// The template of a block whose position is an LSN. Other connectors' blocks are parsed each time.
    fn of_postgres(text: &str, block: &Block<'_>) -> Option<Self> {
        if block.connector != "postgresql" {
            return None;
        }
        let mut parts = Vec::new();
        let mut literal = 0;
        loop {
            let next = HOLES
                .iter()
                .filter_map(|(name, hole)| {
                    let member = format!("\"{name}\":");
                    let at = literal + text[literal..].find(&member)?;
                    Some((at + member.len(), *hole))
                })
                .min_by_key(|(at, _)| *at);
            let Some((value, hole)) = next else { break };
            parts.push((text[literal..value].to_owned(), hole));
            literal = value + value_len(&text[value..])?;
        }
        let template = Self {
            parts,
            tail: text[literal..].to_owned(),
        };
        // Proof that the template reads this very block as the parser does.
        (template.fit(text)? == read(block)).then_some(template)
    }

    fn fit(&self, text: &str) -> Option<SourceFacts> {
        let mut facts = SourceFacts::default();
        let (mut lsn, mut rest) = (None, text);
        for (literal, hole) in &self.parts {
            rest = rest.strip_prefix(literal.as_str())?;
            let (value, tail) = rest.split_at(value_len(rest)?);
            rest = tail;
            match hole {
                Hole::TsMs => facts.commit_ms = Some(value.parse().ok()?),
                // An incremental row's position stands in its sequence: left to the parser.
                Hole::Snapshot if value == "\"incremental\"" => return None,
                Hole::Snapshot => facts.snapshot = snapshot_mark(Some(value)),
                Hole::TxId if value == "null" => {}
                Hole::TxId => {
                    facts.transaction =
                        Some(Transaction(u64::from(value.parse::<i64>().ok()? as u32)))
                }
                Hole::Lsn if value == "null" => {}
                Hole::Lsn => lsn = Some(value.parse::<u64>().ok()?),
                Hole::Other => {}
            }
        }
        facts.position = lsn.and_then(|lsn| SourcePosition::from_numbers(0, &[lsn]));
        (rest == self.tail).then_some(facts)
    }
}

/// Length of the scalar at the front of a text already known to be valid JSON; `None` for a nested value.
fn value_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'{' | b'[' => None,
        b'"' => {
            let mut at = 1;
            while *bytes.get(at)? != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            Some(at + 1)
        }
        _ => bytes.iter().position(|byte| matches!(byte, b',' | b'}')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(memory: &mut SourceMemory, json: &str) -> SourceFacts {
        memory.facts(serde_json::from_str(json).unwrap()).unwrap()
    }

    fn postgres(
        ts: u64,
        snapshot: &str,
        sequence: &str,
        tx: &str,
        lsn: &str,
        table: &str,
    ) -> String {
        let sequence = serde_json::Value::from(sequence);
        format!(
            r#"{{"version":"3.6.3.Final","connector":"postgresql","name":"s","ts_ms":{ts},"snapshot":"{snapshot}","db":"d","sequence":{sequence},"ts_us":{ts}000,"schema":"public","table":"{table}","txId":{tx},"lsn":{lsn},"xmin":null}}"#
        )
    }

    #[test]
    fn a_block_that_fits_the_template_says_what_parsing_it_says() {
        let mut memory = SourceMemory::default();
        let blocks = [
            postgres(5, "first", r#"[null,"77"]"#, "12", "77", "t"),
            postgres(6, "false", r#"["77","78"]"#, "13", "78", "t"),
            postgres(7, "false", r#"["77","79"]"#, "null", "79", "t"),
            postgres(8, "incremental", r#"["99","80"]"#, "null", "null", "t"),
            postgres(9, "last", r#"["99","80"]"#, "14", "81", "other"),
        ];
        for block in &blocks {
            let expected = facts(&mut SourceMemory::default(), block);
            assert_eq!(facts(&mut memory, block), expected, "{block}");
        }
        assert_eq!(
            facts(&mut memory, &blocks[3]).position,
            SourcePosition::from_numbers(0, &[99])
        );
        assert_eq!(
            facts(&mut memory, &blocks[0]).snapshot,
            Some(SnapshotMark::Row)
        );
        assert_eq!(
            facts(&mut memory, &blocks[1]).transaction,
            Some(Transaction(13))
        );
    }

    #[test]
    fn the_template_is_used() {
        let mut memory = SourceMemory::default();
        facts(&mut memory, &postgres(5, "false", "[]", "12", "77", "t"));
        let template = memory.template.as_ref().unwrap();
        assert!(
            template
                .fit(&postgres(6, "true", "[1,2]", "13", "78", "t"))
                .is_some()
        );
        assert!(
            template
                .fit(&postgres(6, "true", "[1,2]", "13", "78", "other"))
                .is_none()
        );
    }

    #[test]
    fn binlog_positions_compare_only_on_one_server() {
        let block = |server: u64, file: &str, pos: u64, row: u64| {
            let json = format!(
                r#"{{"connector":"mysql","server_id":{server},"file":"{file}","pos":{pos},"row":{row},"gtid":"u:7"}}"#
            );
            facts(&mut SourceMemory::default(), &json).position.unwrap()
        };
        assert!(block(1, "bin.000009", 900, 0).is_before(&block(1, "bin.000010", 4, 0)));
        assert!(block(1, "bin.000010", 4, 0).is_before(&block(1, "bin.000010", 4, 1)));
        assert_eq!(
            block(1, "bin.000010", 4, 0).order(&block(2, "bin.000010", 4, 0)),
            None
        );
    }

    #[test]
    fn sql_server_positions_order_by_commit_then_change() {
        let block = |commit: &str, change: &str, serial: u64| {
            let json = format!(
                r#"{{"connector":"sqlserver","commit_lsn":"{commit}","change_lsn":"{change}","event_serial_no":{serial}}}"#
            );
            facts(&mut SourceMemory::default(), &json).position.unwrap()
        };
        let first = block("00000027:00000758:0005", "00000027:00000758:0003", 1);
        assert!(first.is_before(&block(
            "00000027:00000758:0005",
            "00000027:00000758:0003",
            2
        )));
        assert!(first.is_before(&block(
            "00000027:00000ac0:0002",
            "00000027:00000100:0003",
            1
        )));
    }

    #[test]
    fn a_malformed_block_is_an_error() {
        let raw: &RawValue =
            serde_json::from_str(r#"{"connector":"postgresql","lsn":"x"}"#).unwrap();
        assert!(SourceMemory::default().facts(raw).is_err());
    }
}
