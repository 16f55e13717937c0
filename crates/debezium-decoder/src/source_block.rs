//! The `source` block: where a change stands in its source's order, and what it belongs to.
//!
//! Blocks of one table differ only in a few values. The last block is kept as a template of literal
//! text and holes: a block that fits it gives its few values without being parsed again.

use row_model::{
    Gtid, GtidLine, OriginId, SchemaHistory, SnapshotMark, SourcePosition, Transaction,
};

use crate::DecodeError;
use crate::avro::{AvroRow, AvroTemplate};
use crate::block::{Block, Connector};
use crate::json_token::Token;

/// What a source block says of its change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceFacts {
    pub connector: Connector,
    pub snapshot: Option<SnapshotMark>,
    pub position: Option<SourcePosition>,
    pub transaction: Option<Transaction>,
    pub gtid_line: Option<GtidLine>,
    pub commit_ms: Option<i64>,
}

impl SourceFacts {
    /// What the values that differ from block to block of one `PostgreSQL` table say.
    pub fn of_postgres(
        commit_ms: Option<i64>,
        snapshot: Option<SnapshotMark>,
        tx_id: Option<i64>,
        lsn: Option<u64>,
    ) -> Self {
        Self {
            connector: Connector::Postgres,
            snapshot,
            position: lsn
                .filter(|lsn| *lsn > 0)
                .and_then(|lsn| SourcePosition::from_numbers(0, &[lsn])),
            // 32 bits, which wrap.
            transaction: tx_id
                .filter(|id| *id != 0)
                .map(|id| Transaction(u64::from(id as u32))),
            gtid_line: None,
            commit_ms,
        }
    }
}

/// Recognises blocks by comparison with the last one.
#[derive(Debug, Default)]
pub(crate) struct SourceMemory {
    last: String,
    last_facts: SourceFacts,
    template: Option<Template>,
    avro_template: Option<AvroTemplate>,
    /// The source table's full name, and its number once somebody asked.
    origin_name: String,
    origin: Option<OriginId>,
}

impl SourceMemory {
    pub fn facts(&mut self, source: Token<'_>) -> Result<SourceFacts, DecodeError> {
        let text = source.get();
        // Snapshot rows of one table repeat their block to the letter.
        if text == self.last {
            return Ok(self.last_facts);
        }
        let fitted = self
            .template
            .as_ref()
            .and_then(|template| template.fit(text));
        let facts = if let Some(facts) = fitted {
            facts
        } else {
            if !text.starts_with('{') {
                return Err(DecodeError::Malformed {
                    part: "source block",
                    reason: "it is no object".to_owned(),
                });
            }
            let block = Block::parse(text)?;
            self.template = Template::of_postgres(text, &block);
            self.origin_name = block.table_name();
            self.origin = None;
            read(&block)
        };
        self.last.clear();
        self.last.push_str(text);
        self.last_facts = facts;
        Ok(facts)
    }
}

impl SourceMemory {
    /// What a block in Avro says.
    pub fn avro_facts(&mut self, source: AvroRow<'_>) -> Result<SourceFacts, DecodeError> {
        let template = self.avro_template.as_ref();
        if let Some(facts) = template.and_then(|template| template.fit(source)) {
            return Ok(facts);
        }
        let mut json = String::new();
        source
            .write_json(&mut json)
            .map_err(|bad| DecodeError::Malformed {
                part: "source block",
                reason: bad.0.to_owned(),
            })?;
        let facts = self.facts(Token::of_valid(&json))?;
        self.avro_template = AvroTemplate::of(source, &facts);
        Ok(facts)
    }

    /// The source table of the last block, numbered by the topic's history.
    pub fn origin(&mut self, history: &SchemaHistory) -> OriginId {
        *self
            .origin
            .get_or_insert_with(|| history.origin(&self.origin_name))
    }
}

/// What a block says, wherever it was found.
pub(crate) fn read(block: &Block<'_>) -> SourceFacts {
    let snapshot = snapshot_mark(block.snapshot.map(Token::get));
    let incremental = snapshot == Some(SnapshotMark::Incremental);
    SourceFacts {
        connector: block.connector(),
        snapshot,
        position: block.position(snapshot.is_some(), incremental),
        transaction: block.transaction(),
        gtid_line: block
            .gtid
            .as_deref()
            .and_then(Gtid::parse)
            .map(|gtid| gtid.line),
        commit_ms: block.ts_ms,
    }
}

/// A string in current versions, a boolean in old ones; `null` where the default was not filled in.
pub(crate) fn snapshot_mark(token: Option<&str>) -> Option<SnapshotMark> {
    match token?.trim_matches('"') {
        "true" => Some(SnapshotMark::Row),
        "first" | "first_in_data_collection" => Some(SnapshotMark::FirstOfTable),
        "last_in_data_collection" => Some(SnapshotMark::LastOfTable),
        "last" => Some(SnapshotMark::Last),
        "incremental" => Some(SnapshotMark::Incremental),
        _ => None,
    }
}

/// The values that differ from block to block of one `PostgreSQL` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    TsMs,
    Snapshot,
    TxId,
    Lsn,
    /// Differs, and nothing rests on it.
    Other,
}

pub(crate) const HOLES: [(&str, Hole); 8] = [
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
        if block.connector() != Connector::Postgres {
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
        let (mut commit_ms, mut snapshot, mut tx_id, mut lsn) = (None, None, None, None);
        let mut rest = text;
        for (literal, hole) in &self.parts {
            rest = rest.strip_prefix(literal.as_str())?;
            let (value, tail) = rest.split_at(value_len(rest)?);
            rest = tail;
            match hole {
                Hole::TxId | Hole::Lsn if value == "null" => {}
                Hole::TsMs => commit_ms = Some(value.parse().ok()?),
                // An incremental row's position stands in its sequence: left to the parser.
                Hole::Snapshot if value == "\"incremental\"" => return None,
                Hole::Snapshot => snapshot = snapshot_mark(Some(value)),
                Hole::TxId => tx_id = Some(value.parse().ok()?),
                Hole::Lsn => lsn = Some(value.parse().ok()?),
                Hole::Other => {}
            }
        }
        let facts = SourceFacts::of_postgres(commit_ms, snapshot, tx_id, lsn);
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
            Some(SnapshotMark::FirstOfTable)
        );
        assert_eq!(
            facts(&mut memory, &blocks[1]).transaction,
            Some(Transaction(13))
        );
        // Protobuf has zeros where nothing is.
        let zeros = postgres(9, "false", "", "0", "0", "t");
        for memory in [&mut memory, &mut SourceMemory::default()] {
            let facts = facts(memory, &zeros);
            assert_eq!((facts.position, facts.transaction), (None, None));
        }
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
    fn a_malformed_block_is_an_error() {
        let raw: Token<'_> =
            serde_json::from_str(r#"{"connector":"postgresql","lsn":"x"}"#).unwrap();
        assert!(SourceMemory::default().facts(raw).is_err());
    }
}
