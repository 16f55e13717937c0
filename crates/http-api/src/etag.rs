//! The tag of an answer: a hash of everything it says but how fresh it is and what its request was called.
//!
//! Two answers have one tag exactly if a client could not tell their content apart, whichever cut, process or
//! replica they are from. So a tag can be wrong in no direction: what it is of is what was sent, not what
//! was thought to decide that (positions, cuts, a process), which may repeat where the content does not.
//!
//! Weak, because `fresh` differs between answers of one tag.

use std::hash::Hasher;

use http::HeaderValue;
use siphasher::sip128::{Hasher128, SipHasher13};

/// 128 bits: with fewer, a client that looks at many rows would one day be told that nothing changed when something did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u128);

const DIGITS: usize = 32;
/// `W/"`, the digits, `"`.
const BYTES: usize = DIGITS + 4;

impl Tag {
    /// The tag of an answer that says this, and nothing else but how fresh it is. Parts are told apart: moving a byte
    /// from one to the next makes another tag.
    pub fn of(parts: &[&[u8]]) -> Self {
        // The key is fixed, so that every process tells the same.
        let mut hasher = SipHasher13::new();
        for part in parts {
            hasher.write(part);
            hasher.write(&(part.len() as u64).to_le_bytes());
        }
        Self(hasher.finish128().as_u128())
    }

    /// The tag of a JSON answer: its body up to `fresh`, without the brace that ends it.
    pub fn of_json(said: &[u8]) -> Self {
        Self::of(&[b"json", said])
    }

    /// As it stands in the header. Allocates nothing.
    pub fn bytes(self) -> [u8; BYTES] {
        let mut bytes = *b"W/\"00000000000000000000000000000000\"";
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
        let (pairs, _) = bytes[3..3 + DIGITS].as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0.to_be_bytes()) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        bytes
    }

    /// The value of the header `ETag`; `None` never.
    pub fn header(self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_the_same_in_every_process_and_version() {
        let tag = Tag::of_json(br#"{"row":{"id":7}"#).header().unwrap();
        assert_eq!(tag, "W/\"038976af45d474554f34a39862bc0797\"");
    }

    proptest! {
        #[test]
        fn tells_contents_and_places_apart(
            left in prop::collection::vec(prop::collection::vec(0_u8..3, 0..3), 0..4),
            right in prop::collection::vec(prop::collection::vec(0_u8..3, 0..3), 0..4),
        ) {
            let tag = |parts: &[Vec<u8>]| {
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                Tag::of(&parts)
            };
            prop_assert_eq!(tag(&left) == tag(&right), left == right);
        }

        #[test]
        fn is_written_in_hexadecimal(said: Vec<u8>) {
            let tag = Tag::of(&[&said]);
            prop_assert_eq!(tag.header().unwrap(), format!("W/\"{:032x}\"", tag.0));
        }
    }
}
