//! How an input of the fuzzer is a script of records, and back.
//!
//! Parts are separated by four bytes, not prefixed by lengths, so that a byte more in one record leaves
//! the others as they were. Any bytes are a script: parts that make no sense are left out.

use change_feed::{Header, RawBatch};
use row_model::PartitionId;

const SEPARATOR: &[u8] = &[0xff, 0xfe, 0xfd, 0xfc];
/// More records than this show nothing that fewer do not.
const RECORDS_MAX: usize = 12;
const TOPICS: [&str; 6] = [
    "s.public.t",
    "s.message",
    "outbox.event.Order",
    "s.transaction",
    "__debezium-heartbeat.s",
    "s.public.declared",
];
/// The topic whose key is declared to be its column `id`.
pub const DECLARED: &str = TOPICS[5];

mod part {
    pub const KEY: u8 = b'k';
    pub const HEADER: u8 = b'h';
    pub const NULL_HEADER: u8 = b'n';
    pub const VALUE: u8 = b'v';
    /// Ends a record whose value is null.
    pub const TOMBSTONE: u8 = b't';
    /// The number of a schema (one byte) and its text.
    pub const SCHEMA: u8 = b's';
    /// The text of a schema that the last one refers to.
    pub const REFERENCE: u8 = b'r';
}

/// The records that an input stands for.
#[derive(Debug, Default)]
pub struct Script<'a> {
    topic: u8,
    pub schemas: Vec<ScriptSchema<'a>>,
    pub records: Vec<ScriptRecord<'a>>,
}

/// A schema that is on the shelf under this number.
#[derive(Debug)]
pub struct ScriptSchema<'a> {
    pub id: u8,
    pub text: &'a str,
    pub references: Vec<&'a str>,
}

#[derive(Clone, Debug, Default)]
pub struct ScriptRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl<'a> Script<'a> {
    pub fn read(data: &'a [u8]) -> Self {
        let Some((topic, rest)) = data.split_first() else {
            return Self::default();
        };
        let mut script = Self {
            topic: *topic,
            ..Self::default()
        };
        let mut record = ScriptRecord::default();
        for part in parts(rest) {
            let Some((tag, body)) = part.split_first() else {
                continue;
            };
            match *tag {
                part::KEY => record.key = Some(body),
                part::HEADER => {
                    let at = body.iter().position(|byte| *byte == b'=');
                    let (name, value) = body.split_at(at.unwrap_or(body.len()));
                    if let Ok(name) = std::str::from_utf8(name) {
                        record.headers.push((name, value.get(1..)));
                    }
                }
                part::NULL_HEADER => {
                    if let Ok(name) = std::str::from_utf8(body) {
                        record.headers.push((name, None));
                    }
                }
                part::VALUE | part::TOMBSTONE => {
                    record.value = (*tag == part::VALUE).then_some(body);
                    script.records.push(std::mem::take(&mut record));
                    if script.records.len() == RECORDS_MAX {
                        break;
                    }
                }
                part::SCHEMA => script.schemas.extend(schema(body)),
                part::REFERENCE => {
                    if let (Some(last), Ok(text)) =
                        (script.schemas.last_mut(), std::str::from_utf8(body))
                    {
                        last.references.push(text);
                    }
                }
                _ => {}
            }
        }
        script
    }

    pub fn topic(&self) -> &'static str {
        TOPICS[usize::from(self.topic) % TOPICS.len()]
    }

    pub fn of_topic(topic: &str) -> Self {
        let place = match topic {
            _ if topic.starts_with("__debezium-heartbeat") => 4,
            _ if topic.starts_with("outbox.event") => 2,
            _ if topic.ends_with(".message") => 1,
            _ if topic.ends_with(".transaction") => 3,
            _ => 0,
        };
        Self {
            topic: place,
            ..Self::default()
        }
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![self.topic];
        let mut push = |tag: u8, pieces: &[&[u8]]| {
            out.extend_from_slice(SEPARATOR);
            out.push(tag);
            out.extend(pieces.iter().copied().flatten());
        };
        for schema in &self.schemas {
            push(part::SCHEMA, &[&[schema.id], schema.text.as_bytes()]);
            for text in &schema.references {
                push(part::REFERENCE, &[text.as_bytes()]);
            }
        }
        for record in &self.records {
            if let Some(key) = record.key {
                push(part::KEY, &[key]);
            }
            for (name, value) in &record.headers {
                match value {
                    Some(value) => push(part::HEADER, &[name.as_bytes(), b"=", value]),
                    None => push(part::NULL_HEADER, &[name.as_bytes()]),
                }
            }
            match record.value {
                Some(value) => push(part::VALUE, &[value]),
                None => push(part::TOMBSTONE, &[]),
            }
        }
        out
    }
}

/// These records as a source would hand them over.
pub fn batch(records: &[ScriptRecord<'_>]) -> RawBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, record) in records.iter().enumerate() {
        let headers = record.headers.iter().map(|(name, value)| Header {
            name,
            value: *value,
        });
        batch.push(offset as u64, Some(1), record.key, record.value, headers);
    }
    batch
}

fn schema(body: &[u8]) -> Option<ScriptSchema<'_>> {
    let (id, text) = body.split_first()?;
    Some(ScriptSchema {
        id: *id,
        text: std::str::from_utf8(text).ok()?,
        references: Vec::new(),
    })
}

fn parts(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest
            .windows(SEPARATOR.len())
            .position(|window| window == SEPARATOR);
        let (part, tail) = match at {
            Some(at) => (&rest[..at], &rest[at + SEPARATOR.len()..]),
            None => (rest, &[][..]),
        };
        rest = tail;
        Some(part)
    })
}
