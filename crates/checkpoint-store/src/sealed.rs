//! One stored value: format, checksum, payload.
//!
//! The checksum covers the key too, so a value that turns up under another key is recognised.

use crate::records::FORMAT;

/// Why sealed bytes are not a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealed {
    #[error("a value is too short")]
    Short,
    #[error("a value has format {0}")]
    Format(u8),
    #[error("a checksum does not match")]
    Checksum,
}

const HEAD_BYTES: usize = 5;

/// Puts format and checksum in front of `payload`.
pub(crate) fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEAD_BYTES + payload.len());
    sealed.push(FORMAT);
    sealed.extend_from_slice(&checksum(key, payload).to_le_bytes());
    sealed.extend_from_slice(payload);
    sealed
}

/// The payload of a value found under `key`.
pub(crate) fn open<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Unsealed> {
    let ([format, checksum_bytes @ ..], payload) = sealed
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(Unsealed::Short)?;
    if *format != FORMAT {
        return Err(Unsealed::Format(*format));
    }
    if u32::from_le_bytes(*checksum_bytes) == checksum(key, payload) {
        Ok(payload)
    } else {
        Err(Unsealed::Checksum)
    }
}

/// A value's share in the fingerprint of a set of values. Shares are added up, so that a set's
/// fingerprint follows single changes; multiplied out, so that bits of many values do not cancel.
pub(crate) fn fingerprint(sealed: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let head = sealed
        .first_chunk::<HEAD_BYTES>()
        .map_or(0, |[_, a, b, c, d]| u32::from_le_bytes([*a, *b, *c, *d]));
    (u64::from(head) + 1).wrapping_mul(ODD)
}

fn checksum(key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[FORMAT]);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_recognised_under_its_own_key_only() {
        let sealed = seal(b"key", b"payload");
        assert_eq!(open(b"key", &sealed), Ok(&b"payload"[..]));
        assert_eq!(open(b"kez", &sealed), Err(Unsealed::Checksum));
        assert_eq!(open(b"key", &sealed[..4]), Err(Unsealed::Short));
        assert_eq!(open(b"key", &[]), Err(Unsealed::Short));
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let sealed = seal(b"key", b"payload");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &flipped).is_err(), "bit {bit}");
        }
    }
}
