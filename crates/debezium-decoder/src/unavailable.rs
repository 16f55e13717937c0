//! Recognises the placeholder a connector sends for a value it did not have (an unchanged TOAST column).

/// The placeholder as the connector was told to write it, in every shape it takes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    bytes: Vec<u8>,
    /// The text, if the bytes are text.
    text: Option<String>,
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

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            text: String::from_utf8(bytes.clone()).ok(),
            bytes,
        }
    }

    pub(crate) fn is_text(&self, text: &str) -> bool {
        self.text.as_deref() == Some(text)
    }

    pub(crate) fn is_bytes(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
