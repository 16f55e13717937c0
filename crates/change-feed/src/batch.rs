//! Raw records of one partition, side by side in one allocation.

use row_model::PartitionId;

/// Consecutive records of one partition. Their bytes live in one shared buffer.
#[derive(Clone, Debug)]
pub struct RawBatch {
    pub partition: PartitionId,
    bytes: Vec<u8>,
    records: Vec<RawRecord>,
}

/// Where a record's parts lie in its batch. `None` is Kafka's null, which is not the empty string.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord {
    pub offset: u64,
    /// Milliseconds since 1970 as the broker has them; `None` if it has none.
    pub timestamp_ms: Option<i64>,
    key: Option<Span>,
    value: Option<Span>,
    headers: Span,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// A record borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    pub offset: u64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a str,
    pub value: Option<&'a [u8]>,
}

impl RawBatch {
    /// More bytes than this in one batch would not fit its spans: sources end a batch long before.
    pub const BYTES_MAX: usize = 1 << 31;

    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            bytes: Vec::new(),
            records: Vec::new(),
        }
    }

    /// A batch that takes this much without growing: a batch is as large as the last one more often than not.
    #[must_use]
    pub fn with_capacity(partition: PartitionId, records: usize, bytes: usize) -> Self {
        Self {
            partition,
            bytes: Vec::with_capacity(bytes),
            records: Vec::with_capacity(records),
        }
    }

    /// Copies one record to the end of the batch.
    pub fn push<'h>(
        &mut self,
        offset: u64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = Header<'h>>,
    ) {
        let key = key.map(|bytes| self.append(bytes));
        let value = value.map(|bytes| self.append(bytes));
        let start = self.bytes.len();
        for header in headers {
            self.append_sized(Some(header.name.as_bytes()));
            self.append_sized(header.value);
        }
        let headers = self.span_from(start);
        let headers = self.kept_once(headers);
        self.records.push(RawRecord {
            offset,
            timestamp_ms,
            key,
            value,
            headers,
        });
    }

    /// Headers seldom differ from one record to the next, and then are kept once.
    fn kept_once(&mut self, headers: Span) -> Span {
        let of = |span: Span| &self.bytes[span.start as usize..span.end as usize];
        match self.records.last() {
            Some(last) if of(last.headers) == of(headers) => {
                self.bytes.truncate(headers.start as usize);
                last.headers
            }
            _ => headers,
        }
    }

    /// The same for a record whose [headers](RecordRef::header_bytes) were kept as they were held.
    pub fn push_kept(
        &mut self,
        offset: u64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_bytes: &[u8],
    ) {
        let key = key.map(|bytes| self.append(bytes));
        let value = value.map(|bytes| self.append(bytes));
        let headers = self.append(header_bytes);
        let headers = self.kept_once(headers);
        self.records.push(RawRecord {
            offset,
            timestamp_ms,
            key,
            value,
            headers,
        });
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = RecordRef<'_>> + ExactSizeIterator + Clone {
        let bytes = |span: Span| &self.bytes[span.start as usize..span.end as usize];
        self.records.iter().map(move |record| RecordRef {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(bytes),
            value: record.value.map(bytes),
            headers: bytes(record.headers),
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.span_from(start)
    }

    /// Length + 1 as four bytes (0 = null), then the bytes.
    fn append_sized(&mut self, bytes: Option<&[u8]>) {
        let len = bytes.map_or(0, |bytes| bytes.len() as u32 + 1);
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(bytes.unwrap_or_default());
    }

    fn span_from(&self, start: usize) -> Span {
        assert!(
            self.bytes.len() < Self::BYTES_MAX,
            "a batch outgrew its spans"
        );
        Span {
            start: start as u32,
            end: self.bytes.len() as u32,
        }
    }
}

impl<'a> RecordRef<'a> {
    /// The headers in the order they were sent; names may repeat.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.headers;
        std::iter::from_fn(move || {
            let name = take_sized(&mut rest)?.0?;
            let SizedPart(value) = take_sized(&mut rest)?;
            Some(Header {
                name: std::str::from_utf8(name).unwrap_or_default(),
                value,
            })
        })
    }

    /// All headers as they are held, for recognition by comparison. Equal bytes are equal headers.
    #[must_use]
    pub fn header_bytes(&self) -> &'a [u8] {
        self.headers
    }
}

/// A sized part taken off the front of a header's bytes.
struct SizedPart<'a>(Option<&'a [u8]>);

fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<SizedPart<'a>> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let Some(len) = (u32::from_le_bytes(*len) as usize).checked_sub(1) else {
        *rest = tail;
        return Some(SizedPart(None));
    };
    let (bytes, tail) = tail.split_at_checked(len)?;
    *rest = tail;
    Some(SizedPart(Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_are_told_apart() {
        let mut batch = RawBatch::new(PartitionId(3));
        let headers = [
            Header {
                name: "id",
                value: Some(b"7"),
            },
            Header {
                name: "none",
                value: None,
            },
            Header {
                name: "empty",
                value: Some(b""),
            },
        ];
        batch.push(41, Some(5), Some(b""), None, headers);
        batch.push(42, None, None, Some(b"v"), []);
        let records: Vec<_> = batch.iter().collect();
        assert_eq!((records[0].key, records[0].value), (Some(&b""[..]), None));
        assert_eq!(records[0].headers().collect::<Vec<_>>(), headers);
        assert_eq!((records[1].key, records[1].value), (None, Some(&b"v"[..])));
        assert_eq!(records[1].headers().count(), 0);
        assert_eq!((batch.len(), records[1].offset), (2, 42));
        let mut kept = RawBatch::new(PartitionId(3));
        let first = records[0];
        kept.push_kept(41, Some(5), first.key, first.value, first.header_bytes());
        let again: Vec<_> = kept.iter().flat_map(|record| record.headers()).collect();
        assert_eq!(again, headers);
    }

    #[test]
    fn headers_that_do_not_change_are_kept_once() {
        let header = |value| Header {
            name: "run",
            value: Some(value),
        };
        let mut batch = RawBatch::new(PartitionId(0));
        let sent: [&[u8]; 4] = [b"one", b"one", b"two", b"one"];
        let mut sizes = Vec::new();
        for (offset, run) in sent.into_iter().enumerate() {
            batch.push(offset as u64, None, None, Some(b"value"), [header(run)]);
            sizes.push(batch.bytes_len());
        }
        assert_eq!(sizes[1] - sizes[0], b"value".len());
        let read: Vec<_> = batch.iter().flat_map(|record| record.headers()).collect();
        assert_eq!(read, sent.map(header));
    }
}
