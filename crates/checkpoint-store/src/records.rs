//! The small records that say what is stored: header, ledgers, chunks, deltas.
//!
//! All are sequences of variable-length numbers, so that one decoder serves them all.

/// Format of what this crate writes. A newer one is refused, not guessed at.
///
/// 2: parts of bases and deltas may be packed. 3: rows may lack their last cell's end. A store of an older format is
/// read, and becomes one of this with its next checkpoint.
pub(crate) const FORMAT: u8 = 3;

const MAGIC: &[u8] = b"rowtide";

/// What the binary that writes calls itself.
pub(crate) const BINARY_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A set of values, known by how many they are and by the sum of their fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprints {
    count: u64,
    sum: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub sequence: u64,
    pub ledgers: Fingerprints,
    pub notes: Fingerprints,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub chunks: Fingerprints,
    pub deltas: Fingerprints,
    pub credit: u64,
}

/// Rows encoded one after the other and cut into pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub pieces: u32,
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkRecord {
    /// The checkpoint that wrote the base; 0 = there is none.
    pub base_sequence: u64,
    pub base: Run,
    /// The oldest delta since then with a row of this chunk; 0 = there is none.
    pub first_delta: u64,
}

impl Fingerprints {
    pub fn add(&mut self, sealed: &[u8]) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(crate::sealed::fingerprint(sealed));
    }

    pub fn remove(&mut self, sealed: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(crate::sealed::fingerprint(sealed));
    }

    pub fn add_all(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    pub fn remove_all(&mut self, other: Self) {
        self.count = self.count.wrapping_sub(other.count);
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(BINARY_VERSION.len() as u8);
        out.extend_from_slice(BINARY_VERSION.as_bytes());
        let numbers = [
            self.sequence,
            self.ledgers.count,
            self.ledgers.sum,
            self.notes.count,
            self.notes.sum,
        ];
        put_numbers(&numbers, &mut out);
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&len, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
        let numbers = get_numbers(rest.get(usize::from(len)..)?)?;
        let [sequence, ledger_count, ledger_sum, note_count, note_sum] = numbers;
        Some(Self {
            sequence,
            ledgers: Fingerprints {
                count: ledger_count,
                sum: ledger_sum,
            },
            notes: Fingerprints {
                count: note_count,
                sum: note_sum,
            },
        })
    }
}

impl Ledger {
    pub fn encode(&self) -> Vec<u8> {
        numbers(&[
            self.chunks.count,
            self.chunks.sum,
            self.deltas.count,
            self.deltas.sum,
            self.credit,
        ])
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [chunk_count, chunk_sum, delta_count, delta_sum, credit] = get_numbers(bytes)?;
        Some(Self {
            chunks: Fingerprints {
                count: chunk_count,
                sum: chunk_sum,
            },
            deltas: Fingerprints {
                count: delta_count,
                sum: delta_sum,
            },
            credit,
        })
    }
}

impl Run {
    pub fn encode(&self) -> Vec<u8> {
        numbers(&[u64::from(self.pieces), self.rows, self.bytes])
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [pieces, rows, bytes] = get_numbers(bytes)?;
        Some(Self {
            pieces: u32::try_from(pieces).ok()?,
            rows,
            bytes,
        })
    }
}

impl ChunkRecord {
    pub fn encode(&self) -> Vec<u8> {
        let Run {
            pieces,
            rows,
            bytes,
        } = self.base;
        numbers(&[
            self.base_sequence,
            u64::from(pieces),
            rows,
            bytes,
            self.first_delta,
        ])
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [base_sequence, pieces, rows, bytes, first_delta] = get_numbers(bytes)?;
        let base = Run {
            pieces: u32::try_from(pieces).ok()?,
            rows,
            bytes,
        };
        Some(Self {
            base_sequence,
            base,
            first_delta,
        })
    }
}

/// Appends `value` in groups of seven bits, lowest first.
pub(crate) fn put_number(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front of `bytes`; `None` if it is cut off or too long.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn numbers(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 4);
    put_numbers(values, &mut out);
    out
}

fn put_numbers(values: &[u64], out: &mut Vec<u8>) {
    for value in values {
        put_number(*value, out);
    }
}

/// Exactly `N` numbers and nothing behind them.
fn get_numbers<const N: usize>(mut bytes: &[u8]) -> Option<[u64; N]> {
    let mut values = [0; N];
    for value in &mut values {
        *value = take_number(&mut bytes)?;
    }
    bytes.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_encoding_and_their_fragments_do_not() {
        let chunk = ChunkRecord {
            base_sequence: 300,
            base: Run {
                pieces: 34,
                rows: 1024,
                bytes: 204_800,
            },
            first_delta: u64::MAX,
        };
        let bytes = chunk.encode();
        assert_eq!(ChunkRecord::decode(&bytes), Some(chunk));
        for cut in 0..bytes.len() {
            assert_eq!(ChunkRecord::decode(&bytes[..cut]), None);
        }
        assert_eq!(ChunkRecord::decode(&[bytes, vec![0]].concat()), None);
    }

    #[test]
    fn a_header_names_the_store_it_belongs_to() {
        let header = Header {
            sequence: 7,
            ..Header::default()
        };
        assert_eq!(Header::decode(&header.encode()), Some(header));
        assert_eq!(Header::decode(b"something else"), None);
    }

    #[test]
    fn fingerprints_follow_single_changes() {
        let [a, b] = [
            crate::sealed::seal(b"a", b"1"),
            crate::sealed::seal(b"b", b"1"),
        ];
        let mut both = Fingerprints::default();
        both.add(&a);
        both.add(&b);
        both.remove(&a);
        let mut one = Fingerprints::default();
        one.add(&b);
        assert_eq!(both, one);
    }
}
