//! Opaque tokens: bytes in base64url, read with suspicion. Their layout may change from version to
//! version, so each kind begins with a byte that no other kind or version begins with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use table_store::TableIdentity;

/// First bytes of tokens, one for each kind and version. Never given to another.
pub(crate) mod kind {
    /// `0x01` told positions of the source and no offsets, and so could not be compared with.
    pub const AS_OF: u8 = 0x02;
    /// The same, behind the name of a cut.
    pub const AS_OF_CUT: u8 = 0x03;
    /// `0x41` were cursors that were bound to their table only.
    pub const CURSOR: u8 = 0x42;
}

/// What a table is called in tokens: the same after a restart, in every replica, whatever its name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableHash(pub u64);

impl TableHash {
    #[must_use]
    pub fn of(table: &TableIdentity) -> Self {
        // Both names, kept apart by a byte that no name has.
        hash_of([table.source.as_bytes(), &[0xff], table.topic.as_bytes()])
    }
}

/// FNV-1a, then spread over all bits. The same in every process and version.
pub(crate) fn hash_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> TableHash {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    let mixed = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    TableHash(mixed ^ mixed >> 32)
}

/// Collects the bytes of a token.
pub(crate) struct TokenWriter(Vec<u8>);

impl TokenWriter {
    pub fn new(kind: u8) -> Self {
        Self(vec![kind])
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A length byte and as many bytes as the number needs: most numbers here are small.
    pub fn number(&mut self, number: u64) {
        let bytes = number.to_be_bytes();
        let used = &bytes[(number.leading_zeros() / 8) as usize..];
        self.0.push(used.len() as u8);
        self.0.extend_from_slice(used);
    }

    pub fn hash(&mut self, hash: TableHash) {
        self.0.extend_from_slice(&hash.0.to_be_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn finish(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// The bytes of a token of this kind; `None` if it is none.
pub(crate) fn decode(kind: u8, token: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.first() == Some(&kind)).then(|| bytes.split_off(1))
}

/// Reads what a [`TokenWriter`] wrote after the kind. Every method answers `None` at the first byte that is wrong.
pub(crate) struct TokenReader<'a>(pub &'a [u8]);

impl<'a> TokenReader<'a> {
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    pub fn number(&mut self) -> Option<u64> {
        let count = usize::from(self.byte()?);
        let used = self.take(count).filter(|used| used.len() <= 8)?;
        Some(
            used.iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }

    pub fn hash(&mut self) -> Option<TableHash> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(TableHash(u64::from_be_bytes(*bytes)))
    }
}
