//! Percent-decoding of paths and query strings, strictly: a sequence that is none is refused, because
//! passing it on unread would look for something nobody asked for.

use std::borrow::Cow;

/// Why a text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// `%` is not followed by two hexadecimal digits. A percent sign itself is `%25`.
    #[error("'%' is not followed by two hexadecimal digits (a percent sign itself is written %25)")]
    Sequence,
    /// The decoded bytes are no text.
    #[error("the decoded bytes are not UTF-8")]
    NotUtf8,
}

/// Decodes a segment of a path.
///
/// # Errors
/// If it is not percent-encoded UTF-8.
pub fn decode(text: &str) -> Result<Cow<'_, str>, PercentError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = digit(bytes.next()).ok_or(PercentError::Sequence)?;
        let low = digit(bytes.next()).ok_or(PercentError::Sequence)?;
        decoded.push((high << 4 | low) as u8);
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| PercentError::NotUtf8)
}

/// Decodes a name or value of a query string, where `+` is a blank.
///
/// # Errors
/// If it is not percent-encoded UTF-8.
pub fn decode_form(text: &str) -> Result<Cow<'_, str>, PercentError> {
    if !text.contains('+') {
        return decode(text);
    }
    let blanks = text.replace('+', " ");
    decode(&blanks).map(|decoded| Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_become_text() {
        assert_eq!(decode("a+b"), Ok(Cow::Borrowed("a+b")));
        assert_eq!(decode("a%2Fb%2c%F0%9F%A6%80"), Ok(Cow::Borrowed("a/b,🦀")));
        assert_eq!(decode_form("a+%2B%20b"), Ok(Cow::Borrowed("a + b")));
    }

    #[test]
    fn what_is_no_sequence_is_refused() {
        for text in ["%", "a%2", "%zz", "%%41", "%+1", "%2é"] {
            assert_eq!(decode(text), Err(PercentError::Sequence), "{text}");
        }
        assert_eq!(decode("%ff"), Err(PercentError::NotUtf8));
        assert_eq!(decode("%C3"), Err(PercentError::NotUtf8));
    }
}
