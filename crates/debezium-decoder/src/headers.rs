//! What the headers tell: the connector's run, and the other half of a key change.

use change_feed::RecordRef;
use row_model::{RunId, parse_uuid};

use crate::envelope::Op;
use crate::json_token::{self, Token};

const RUN_ID: &str = "__debezium.context.runId";
const NEW_KEY: &str = "__debezium.newkey";
const OLD_KEY: &str = "__debezium.oldkey";
/// Set by the outbox router.
pub(crate) const EVENT_ID: &str = "id";
/// What `ExtractNewRecordState` adds when told to, under its default prefix.
const OP: &str = "__op";
const LSN: [&str; 2] = ["__source_lsn", "__lsn"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderFacts {
    pub run: Option<RunId>,
    /// This delete or create is one half of a key change.
    pub key_change: bool,
    /// This may be an event of an outbox.
    pub event_id: bool,
    /// What the transform that took the envelope away has kept of it.
    pub op: Option<Op>,
    pub lsn: Option<u64>,
}

/// Headers repeat from record to record: the last ones and what they said.
#[derive(Debug, Default)]
pub(crate) struct HeaderMemory {
    bytes: Vec<u8>,
    facts: HeaderFacts,
}

impl HeaderMemory {
    pub fn facts(&mut self, record: &RecordRef<'_>) -> HeaderFacts {
        if record.header_bytes() != self.bytes {
            self.facts = read(record);
            self.bytes.clear();
            self.bytes.extend_from_slice(record.header_bytes());
        }
        self.facts
    }
}

fn read(record: &RecordRef<'_>) -> HeaderFacts {
    let mut facts = HeaderFacts::default();
    for header in record.headers() {
        match header.name {
            RUN_ID => facts.run = header.value.and_then(run_id),
            NEW_KEY | OLD_KEY => facts.key_change = true,
            EVENT_ID => facts.event_id = true,
            OP => facts.op = header.value.and_then(plain).and_then(|op| Op::of_name(&op)),
            name if LSN.contains(&name) => {
                facts.lsn = header
                    .value
                    .and_then(plain)
                    .and_then(|lsn| lsn.parse().ok());
            }
            _ => {}
        }
    }
    facts
}

/// The header that names the other half of a key change.
pub(crate) fn other_key<'a>(record: &RecordRef<'a>) -> Option<&'a [u8]> {
    record
        .headers()
        .find(|header| matches!(header.name, NEW_KEY | OLD_KEY))?
        .value
}

/// The value of a header as text: bare (`SimpleHeaderConverter`) or inside JSON, with or without a
/// schema (`JsonConverter`); `None` for null.
pub(crate) fn plain(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct WithSchema<'a> {
        #[serde(borrow)]
        payload: Token<'a>,
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let payload =
        serde_json::from_str::<WithSchema<'_>>(text).map_or(text, |header| header.payload.get());
    match serde_json::from_str::<Token<'_>>(payload) {
        Ok(token) if payload == "null" && token.get() != text => None,
        Ok(token) => Some(json_token::text(token).map_or_else(|| payload.to_owned(), Into::into)),
        Err(_) => Some(payload.to_owned()),
    }
}

fn run_id(bytes: &[u8]) -> Option<RunId> {
    let uuid = parse_uuid(&plain(bytes)?)?;
    Some(RunId(u128::from_be_bytes(uuid)))
}

#[cfg(test)]
mod tests {
    use change_feed::{Header, RawBatch};
    use row_model::PartitionId;

    use super::*;

    #[test]
    fn the_run_is_read_in_every_spelling() {
        let uuid = "01a1fbb5-4ae7-7171-8aee-e0087b028db0";
        let quoted = format!("\"{uuid}\"");
        let with_schema = format!(r#"{{"schema":{{"type":"string"}},"payload":"{uuid}"}}"#);
        let mut memory = HeaderMemory::default();
        for spelling in [uuid, &quoted, &with_schema] {
            let mut batch = RawBatch::new(PartitionId(0));
            batch.push(
                0,
                None,
                None,
                None,
                [Header {
                    name: RUN_ID,
                    value: Some(spelling.as_bytes()),
                }],
            );
            let facts = memory.facts(&batch.iter().next().unwrap());
            assert_eq!(
                facts.run,
                Some(RunId(0x01a1_fbb5_4ae7_7171_8aee_e008_7b02_8db0))
            );
        }
    }
}
