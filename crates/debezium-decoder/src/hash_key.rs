//! Keyed hashes of values: equal values have equal hashes, and nothing but the key leads back.
//!
//! What is hashed is the canonical text of a value, whatever encoding it arrived in, so that the same
//! value of two tables can be joined. Never holds the key where it could be printed.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use row_model::{Decimal, Value, write_uuid};
use sha2::Sha256;

use crate::temporal_text;

/// A shorter key could be found by trying.
pub const HASH_KEY_BYTES_MIN: usize = 16;
/// What is kept of each hash: two of 2^32 values share one with a chance of 2^-65.
const HASH_BYTES: usize = 16;
/// What is kept of the hash that tells one key from another.
const FINGERPRINT_BYTES: usize = 8;
const FINGERPRINT_OF: &[u8] = b"rowtide: which hash_key this is";

/// The secret of all hashed columns.
#[derive(Clone)]
pub struct HashKey {
    // Shared: every column that is hashed has the key.
    mac: Arc<Hmac<Sha256>>,
}

/// The secret is so short that it could be found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash key has at least {HASH_KEY_BYTES_MIN} bytes, this one has {bytes}")]
pub struct HashKeyTooShort {
    pub bytes: usize,
}

impl HashKey {
    /// Takes the bytes of the text as the key, as they are.
    ///
    /// # Errors
    /// If it is too short to be a secret.
    pub fn new(secret: &str) -> Result<Self, HashKeyTooShort> {
        let short = HashKeyTooShort {
            bytes: secret.len(),
        };
        if secret.len() < HASH_KEY_BYTES_MIN {
            return Err(short);
        }
        let mac = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| short)?;
        Ok(Self { mac: Arc::new(mac) })
    }

    /// Tells one key from another and says nothing else of it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.hex(FINGERPRINT_OF, FINGERPRINT_BYTES)
    }

    /// The hash of a value: 32 hexadecimal digits. What is absent stays absent.
    pub(crate) fn hash(&self, value: Value<'_>) -> Option<String> {
        let text = canonical(value)?;
        Some(self.hex(text.as_bytes(), HASH_BYTES))
    }

    fn hex(&self, text: &[u8], bytes: usize) -> String {
        let mac = Hmac::clone(&self.mac);
        let hash = mac.chain_update(text).finalize().into_bytes();
        let mut out = String::with_capacity(2 * bytes);
        for byte in hash.iter().take(bytes) {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
        }
        out
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl PartialEq for HashKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for HashKey {}

/// One text for each value: numbers by their value, not by their digits; everything else as it is
/// answered. `None` for null and for what was not sent.
fn canonical(value: Value<'_>) -> Option<Cow<'_, str>> {
    Some(match value {
        Value::Null | Value::Unavailable => return None,
        Value::Text(text) | Value::Json(text) => Cow::Borrowed(text),
        Value::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::UInt(number) => Cow::Owned(number.to_string()),
        Value::Float(number) if number.is_nan() => Cow::Borrowed("NaN"),
        Value::Float(f64::INFINITY) => Cow::Borrowed("Infinity"),
        Value::Float(f64::NEG_INFINITY) => Cow::Borrowed("-Infinity"),
        Value::Float(number) => Cow::Owned(plain(number.to_string())),
        Value::Number(text) => match Decimal::parse(text) {
            Ok((scale, unscaled)) => Cow::Owned(plain(Decimal::new(scale, &unscaled).to_plain())),
            Err(_) => Cow::Borrowed(text),
        },
        Value::Decimal(decimal) => Cow::Owned(plain(decimal.to_plain())),
        Value::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        Value::Uuid(uuid) => {
            let mut text = String::with_capacity(36);
            // Writing to a string cannot fail.
            let _ = write_uuid(&uuid, &mut text);
            Cow::Owned(text)
        }
        time => Cow::Owned(temporal_text::spelled(time)),
    })
}

/// A number without the zeros that do not change its value.
fn plain(mut number: String) -> String {
    if number.contains('.') {
        let kept = number.trim_end_matches('0').trim_end_matches('.').len();
        number.truncate(kept);
    }
    if number == "-0" {
        number.remove(0);
    }
    number
}

#[cfg(test)]
mod tests {
    use row_model::Moment;

    use super::*;

    const SECRET: &str = "0123456789abcdef";

    #[test]
    fn a_hash_is_the_front_of_hmac_sha_256() {
        let key = HashKey::new(SECRET).unwrap();
        // printf 'ada@example.com' | openssl dgst -sha256 -hmac 0123456789abcdef
        assert_eq!(
            key.hash(Value::Text("ada@example.com")).unwrap(),
            "512383176ce1b4c279ee430548cf07ec"
        );
        assert_eq!(key.hash(Value::Null), None);
        assert_eq!(key.hash(Value::Unavailable), None);
    }

    #[test]
    fn equal_values_are_equal_in_every_encoding() {
        let same = |values: &[Value<'_>], text: &str| {
            for value in values {
                assert_eq!(canonical(*value).unwrap(), text, "{value:?}");
            }
        };
        let decimal = |scale, unscaled| Value::Decimal(Decimal::new(scale, unscaled));
        let seven = [
            Value::Int(7),
            Value::UInt(7),
            Value::Float(7.0),
            Value::Number("7.00"),
            Value::Number("70e-1"),
            decimal(2, &[0x02, 0xbc]),
            Value::Text("7"),
        ];
        same(&seven, "7");
        same(
            &[
                decimal(3, &[0xff, 0xce]),
                Value::Number("-0.05"),
                Value::Float(-0.05),
            ],
            "-0.05",
        );
        same(&[decimal(-2, &[12]), Value::Int(1200)], "1200");
        same(
            &[Value::Float(-0.0), Value::Number("-0"), decimal(2, &[0])],
            "0",
        );
        same(
            &[Value::Uuid([0xab; 16])],
            "abababab-abab-abab-abab-abababababab",
        );
        same(&[Value::Bytes(&[0, 0xff])], "AP8=");
        same(
            &[Value::Instant(Moment::from_units(1500, 1000))],
            "1970-01-01T00:00:01.5Z",
        );
        same(&[Value::Date(0)], "1970-01-01");
    }

    #[test]
    fn a_key_is_told_apart_and_never_shown() {
        let key = HashKey::new(SECRET).unwrap();
        let other = HashKey::new("0123456789abcdeg").unwrap();
        assert_ne!(key.fingerprint(), other.fingerprint());
        assert_ne!(key, other);
        assert_eq!(format!("{key:?}"), "HashKey(…)");
        assert_eq!(HashKey::new("short").unwrap_err().bytes, 5);
    }
}
