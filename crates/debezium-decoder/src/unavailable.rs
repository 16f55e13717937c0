//! Recognises the placeholder a connector sends for a value it did not have (an unchanged TOAST column).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::json_token::{Token, integer, text};
use crate::nested::members;

/// The placeholder as the connector was told to write it, in every shape it takes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    bytes: Vec<u8>,
    /// As text columns have it: Java reads the bytes as UTF-8 and replaces what is none.
    text: String,
    /// As bytes in a schemaless record: base64, in its two alphabets.
    base64: [String; 2],
    /// In place of the elements of a uuid array: Java's `UUID.nameUUIDFromBytes`.
    uuid: String,
    /// In place of an hstore that is sent as JSON text.
    object: String,
}

/// `hex:` is followed by something that is not pairs of hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no placeholder: after `hex:` come pairs of hexadecimal digits")]
pub struct PlaceholderError(String);

impl Default for Placeholder {
    fn default() -> Self {
        Self::from_bytes(b"__debezium_unavailable_value".to_vec())
    }
}

impl Placeholder {
    /// Reads the value of the connector's `unavailable.value.placeholder`.
    ///
    /// # Errors
    /// If `hex:` is not followed by hexadecimal digits.
    pub fn parse(setting: &str) -> Result<Self, PlaceholderError> {
        let Some(hex) = setting.strip_prefix("hex:") else {
            return Ok(Self::from_bytes(setting.as_bytes().to_vec()));
        };
        let digits: Option<Vec<u8>> = hex
            .chars()
            .map(|digit| digit.to_digit(16).map(|value| value as u8))
            .collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => Ok(Self::from_bytes(
                digits
                    .chunks(2)
                    .map(|pair| pair[0] << 4 | pair[1])
                    .collect(),
            )),
            _ => Err(PlaceholderError(setting.to_owned())),
        }
    }

    /// As text columns have it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let quoted = serde_json::Value::from(text.as_str());
        Self {
            base64: [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)],
            uuid: name_uuid(&bytes),
            object: format!("{{{quoted}:{quoted}}}"),
            text,
            bytes,
        }
    }

    /// In a text column.
    pub(crate) fn is_text(&self, text: &str) -> bool {
        text == self.text
    }

    /// In a column that holds JSON text.
    pub(crate) fn is_json_text(&self, text: &str) -> bool {
        text == self.text || text == self.object
    }

    /// In a column that holds bytes.
    pub(crate) fn is_bytes(&self, bytes: &[u8]) -> bool {
        bytes == self.bytes
    }

    /// In a text of which no schema says what it stands for.
    pub(crate) fn is_untyped_text(&self, text: &str) -> bool {
        self.is_json_text(text) || self.base64.iter().any(|base64| base64 == text)
    }

    /// Whether a text of which no schema says anything has the length of one.
    pub(crate) fn may_be(&self, text: &str) -> bool {
        let [base64, base64_url] = &self.base64;
        [&self.text, &self.object, base64, base64_url]
            .iter()
            .any(|spelled| spelled.len() == text.len())
    }

    /// An array of the placeholder alone (as text, as uuid, or as the numbers of its bytes), or a map
    /// from it to itself.
    pub(crate) fn is_nested(&self, token: Token<'_>) -> bool {
        let raw = token.get();
        // Most nested values are ruled out by their length or their first number, without being parsed.
        let is_text = |part: Token<'_>| text(part).is_some_and(|text| self.is_text(&text));
        if raw.starts_with('{') {
            return self.is_short(raw)
                && matches!(members(raw).as_deref(), Some([(name, value)]) if self.is_text(name) && is_text(*value));
        }
        let first = raw[1..].trim_start();
        if first.starts_with('"') {
            let is_uuid = |part: Token<'_>| text(part).is_some_and(|text| text == self.uuid);
            return self.is_short(raw)
                && matches!(serde_json::from_str::<Vec<Token<'_>>>(raw).as_deref(), Ok([part]) if is_text(*part) || is_uuid(*part));
        }
        let is_first = |byte: u8| {
            first.starts_with(&byte.to_string()) || first.starts_with(&(byte as i8).to_string())
        };
        self.bytes.first().is_some_and(|byte| is_first(*byte)) && self.is_numbers(raw)
    }

    /// No longer than one or two placeholders with every character escaped.
    fn is_short(&self, raw: &str) -> bool {
        raw.len() <= 64 + 12 * self.text.len()
    }

    /// Java's bytes are signed; a converter may have made them whole.
    fn is_numbers(&self, raw: &str) -> bool {
        let Ok(parts) = serde_json::from_str::<Vec<Token<'_>>>(raw) else {
            return false;
        };
        let is_byte = |(part, byte): (&Token<'_>, &u8)| {
            let number = integer(*part);
            number == Some(i64::from(*byte)) || number == Some(i64::from(*byte as i8))
        };
        parts.len() == self.bytes.len() && parts.iter().zip(&self.bytes).all(is_byte)
    }
}

/// The version 3 uuid of a name without a namespace.
fn name_uuid(name: &[u8]) -> String {
    let mut bytes = md5::compute(name).0;
    bytes[6] = bytes[6] & 0x0f | 0x30;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uuid = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        let _ = write!(uuid, "{byte:02x}");
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_maps_of_the_placeholder_are_recognised() {
        let nested = |placeholder: &Placeholder, json: &str| {
            placeholder.is_nested(serde_json::from_str(json).unwrap())
        };
        let default = Placeholder::default();
        let numbers = "__debezium_unavailable_value"
            .bytes()
            .map(|byte| byte.to_string());
        let numbers = format!("[{}]", numbers.collect::<Vec<_>>().join(","));
        for shape in [
            r#"["__debezium_unavailable_value"]"#,
            r#"["b68a35a7-17ad-35b3-af2a-ae46edb4545a"]"#,
            r#"{"__debezium_unavailable_value":"__debezium_unavailable_value"}"#,
            &numbers,
        ] {
            assert!(nested(&default, shape), "{shape}");
            assert!(
                !nested(&Placeholder::parse("~~GONE~~").unwrap(), shape),
                "{shape}"
            );
        }
        for other in [
            "[]",
            "{}",
            r#"["__debezium_unavailable_value","x"]"#,
            r#"{"__debezium_unavailable_value":"x"}"#,
            "[95,95,100]",
            "[null]",
        ] {
            assert!(!nested(&default, other), "{other}");
        }
        let gone = Placeholder::parse("~~GONE~~").unwrap();
        assert!(nested(&gone, "[126, 126, 71, 79, 78, 69, 126, 126]"));
        assert!(nested(&gone, r#"["6803ab68-c808-3964-bb52-dcf5040b4ede"]"#));
        let hex = Placeholder::parse("hex:00ff7f").unwrap();
        assert!(nested(&hex, "[0,-1,127]") && nested(&hex, "[0,255,127]"));
        assert!(hex.is_text("\0\u{fffd}\u{7f}"));
    }

    #[test]
    fn without_a_schema_base64_of_the_placeholder_is_one_too() {
        let default = Placeholder::default();
        assert!(default.is_untyped_text("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="));
        assert!(!default.is_json_text("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="));
    }

    #[test]
    fn placeholders_are_text_or_hexadecimal() {
        assert!(Placeholder::default().is_text("__debezium_unavailable_value"));
        assert!(Placeholder::parse("~~GONE~~").unwrap().is_text("~~GONE~~"));
        assert!(
            Placeholder::parse("hex:00ff7f")
                .unwrap()
                .is_bytes(&[0, 255, 127])
        );
        assert_eq!(
            Placeholder::parse("hex:0"),
            Err(PlaceholderError("hex:0".to_owned()))
        );
        assert!(Placeholder::parse("hex:zz").is_err());
    }
}
