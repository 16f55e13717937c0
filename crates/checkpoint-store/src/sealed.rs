//! One stored value: format, checksum, payload.
//!
//! The checksum covers the key too, so a value that turns up under another key is recognised. Rows are
//! packed where that makes them shorter: rows of one table resemble each other, and what is not written to the
//! disk need not be read at the next start.

use crate::limits::PIECE_BYTES_MAX;
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
    #[error("a packed value cannot be unpacked")]
    Packed,
}

const HEAD_BYTES: usize = 5;

/// The payload as it is. Fingerprints of values rest on this never changing.
const PLAIN: u8 = 1;
/// Its length, and the payload in LZ4's block format.
const PACKED: u8 = 2;

/// Puts format and checksum in front of `payload`.
pub(crate) fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    seal_as(PLAIN, key, payload)
}

/// The same for the header, whose format speaks for the whole store.
pub(crate) fn seal_header(key: &[u8], payload: &[u8]) -> Vec<u8> {
    seal_as(FORMAT, key, payload)
}

/// The same for rows, which may be packed.
pub(crate) fn pack(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress_prepend_size(payload);
    if packed.len() < payload.len() {
        seal_as(PACKED, key, &packed)
    } else {
        seal(key, payload)
    }
}

fn seal_as(format: u8, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(HEAD_BYTES + payload.len());
    sealed.push(format);
    sealed.extend_from_slice(&checksum(format, key, payload).to_le_bytes());
    sealed.extend_from_slice(payload);
    sealed
}

/// The payload of a value found under `key`.
pub(crate) fn open<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Unsealed> {
    match checked(key, sealed)? {
        (PLAIN, payload) => Ok(payload),
        (format, _) => Err(Unsealed::Format(format)),
    }
}

/// The payload of the header.
pub(crate) fn open_header<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Unsealed> {
    checked(key, sealed).map(|(_, payload)| payload)
}

/// Whether something like this wrote the value found under `key`.
pub(crate) fn is_sealed(key: &[u8], value: &[u8]) -> bool {
    checked(key, value).is_ok()
}

/// The rows of a value found under `key`, in `unpacked` if they were packed.
pub(crate) fn unpack<'a>(
    key: &[u8],
    sealed: &'a [u8],
    unpacked: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unsealed> {
    let (format, payload) = checked(key, sealed)?;
    match format {
        PLAIN => return Ok(payload),
        PACKED => {}
        other => return Err(Unsealed::Format(other)),
    }
    let (length, packed) =
        lz4_flex::block::uncompressed_size(payload).map_err(|_| Unsealed::Packed)?;
    if length > PIECE_BYTES_MAX {
        return Err(Unsealed::Packed);
    }
    unpacked.resize(length, 0);
    match lz4_flex::block::decompress_into(packed, unpacked) {
        Ok(whole) if whole == length => Ok(unpacked),
        _ => Err(Unsealed::Packed),
    }
}

/// Format and payload of a value whose checksum is right.
fn checked<'a>(key: &[u8], sealed: &'a [u8]) -> Result<(u8, &'a [u8]), Unsealed> {
    let ([format, checksum_bytes @ ..], payload) = sealed
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(Unsealed::Short)?;
    if !(PLAIN..=FORMAT).contains(format) {
        return Err(Unsealed::Format(*format));
    }
    if u32::from_le_bytes(*checksum_bytes) == checksum(*format, key, payload) {
        Ok((*format, payload))
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

fn checksum(format: u8, key: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[format]);
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
    #[test]
    fn rows_are_packed_where_that_helps() {
        let alike = b"an order that was shipped; ".repeat(200);
        let mut random = 7_u64;
        let noise = std::iter::repeat_with(|| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(11);
            (random >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(PIECE_BYTES_MAX).collect();
        for (rows, format) in [(alike, PACKED), (noise, PLAIN), (Vec::new(), PLAIN)] {
            let sealed = pack(b"key", &rows);
            assert_eq!(sealed[0], format);
            assert!(sealed.len() <= HEAD_BYTES + rows.len());
            assert_eq!(unpack(b"key", &sealed, &mut Vec::new()), Ok(&rows[..]));
            assert_eq!(
                unpack(b"kez", &sealed, &mut Vec::new()),
                Err(Unsealed::Checksum)
            );
        }
    }

    #[test]
    fn what_says_to_be_packed_and_is_not_is_an_error() {
        let long = lz4_flex::block::compress_prepend_size(&[7; PIECE_BYTES_MAX + 1]);
        let mut cut_off = lz4_flex::block::compress_prepend_size(&[7; 5_000]);
        cut_off.pop();
        for payload in [b"".to_vec(), b"xy".to_vec(), long, cut_off] {
            let sealed = seal_as(PACKED, b"key", &payload);
            assert_eq!(
                unpack(b"key", &sealed, &mut Vec::new()),
                Err(Unsealed::Packed)
            );
        }
        // And nothing but rows may be.
        let sealed = pack(b"key", &[7; 100]);
        assert_eq!(open(b"key", &sealed), Err(Unsealed::Format(PACKED)));
    }
}
