//! Records that name a schema of a registry, and a decoder that cannot do without it.
//!
//! A framed value is a zero byte, the number of a schema in four bytes, and the JSON that the plain
//! decoder knows: what schemas mean is the decoder's tests' affair.

use std::sync::Arc;

use change_feed::{Decoded, Decoder, RawBatch, RecordRef, RegistryId, SchemaShelf, TopicContext};
use debezium_decoder::DebeziumDecoder;
use row_model::{ChangeBatch, Failure, NextOffset};
use testkit::scripted_source::PlannedRecord;

/// The same record, in need of a schema.
pub fn framed(mut record: PlannedRecord, schema: u32) -> PlannedRecord {
    let json = record.value.take().expect("a record with a value");
    let head = [&[0][..], &schema.to_be_bytes()].concat();
    record.value = Some([head, json].concat());
    record
}

pub struct FramedDecoder {
    pub inner: DebeziumDecoder,
    pub shelf: Arc<SchemaShelf>,
}

impl Decoder for FramedDecoder {
    fn decode(
        &mut self,
        context: TopicContext<'_>,
        batch: &RawBatch,
        from: usize,
        out: &mut ChangeBatch,
    ) -> Decoded {
        for (at, record) in batch.iter().enumerate().skip(from) {
            let (schema, json) = parts(&record);
            let missing = match schema.map(|id| (id, self.shelf.get(id))) {
                Some((schema, None)) => return Decoded::Needs { schema, from: at },
                Some((_, Some(shelved))) => shelved.as_ref().as_ref().err().cloned(),
                None => None,
            };
            if let Some(reason) = missing {
                out.failures.push(Failure {
                    offset: record.offset,
                    timestamp_ms: record.timestamp_ms,
                    kind: "schema",
                    reason,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: Some(record.header_bytes().to_vec()),
                });
                out.next_offset = NextOffset(record.offset + 1);
                continue;
            }
            let mut plain = RawBatch::new(batch.partition);
            let (offset, time) = (record.offset, record.timestamp_ms);
            plain.push(offset, time, record.key, json, record.headers());
            self.inner.decode(context, &plain, 0, out);
        }
        Decoded::All
    }
}

fn parts<'a>(record: &RecordRef<'a>) -> (Option<RegistryId>, Option<&'a [u8]>) {
    match record.value {
        Some([0, a, b, c, d, json @ ..]) => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            (Some(RegistryId(id)), Some(json))
        }
        plain => (None, plain),
    }
}
