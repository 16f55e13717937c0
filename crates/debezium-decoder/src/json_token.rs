//! One JSON token as a value, kept exactly as it was sent.

use std::borrow::Cow;

use row_model::Value;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The text of one JSON value, known to be valid, without space around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    text: &'a str,
    /// It is known to have no escapes.
    is_plain: bool,
}

impl<'a> Token<'a> {
    /// Of text that is one valid JSON value: whoever calls it has read or written it as such.
    pub fn of_valid(text: &'a str) -> Self {
        let is_plain = false;
        Self { text, is_plain }
    }

    /// Of text that is one, and has no escapes if it is a string.
    pub fn of_plain(text: &'a str) -> Self {
        let is_plain = true;
        Self { text, is_plain }
    }

    pub fn get(self) -> &'a str {
        self.text
    }

    /// The text of a string that is known to have no escapes.
    pub fn plain_text(self) -> Option<&'a str> {
        let text = Some(self.text).filter(|_| self.is_plain)?;
        text.strip_prefix('"')?.strip_suffix('"')
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Token<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self::of_valid(raw.get()))
    }
}

/// The text of a string token, without its quotes and escapes; `None` for any other token.
pub(crate) fn text(token: Token<'_>) -> Option<Cow<'_, str>> {
    let inner = token.get().strip_prefix('"')?.strip_suffix('"')?;
    if token.is_plain || !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(token.get()).ok().map(Cow::Owned)
}

/// A whole number of machine size; `None` for any other token.
pub(crate) fn integer(token: Token<'_>) -> Option<i64> {
    token.get().parse().ok()
}

/// A number token: whole numbers as such, everything else digit for digit.
fn number(token: &str) -> Value<'_> {
    if let Ok(number) = token.parse::<i64>() {
        // "-0" is a number that an integer would lose.
        return if token == "-0" {
            Value::Number(token)
        } else {
            Value::Int(number)
        };
    }
    token
        .parse::<u64>()
        .map_or(Value::Number(token), Value::UInt)
}

/// Gives the value of a token that has no type to `take`.
pub(crate) fn untyped<R>(token: Token<'_>, take: impl FnOnce(Value<'_>) -> R) -> R {
    let raw = token.get();
    match raw.as_bytes().first() {
        Some(b'n') => take(Value::Null),
        Some(b't') => take(Value::Bool(true)),
        Some(b'f') => take(Value::Bool(false)),
        Some(b'{' | b'[') => take(Value::Json(raw)),
        Some(b'"') => match text(token) {
            Some(text) => take(Value::Text(&text)),
            None => take(Value::Json(raw)),
        },
        _ => take(number(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_what_was_sent() {
        let check = |json: &str, expected: Value<'_>| {
            let token: Token<'_> = serde_json::from_str(json).unwrap();
            untyped(token, |value| assert_eq!(value, expected, "{json}"));
        };
        check("null", Value::Null);
        check("9007199254740993", Value::Int(9_007_199_254_740_993));
        check("18446744073709551615", Value::UInt(u64::MAX));
        check("5.3999999999999995", Value::Number("5.3999999999999995"));
        check("1.10", Value::Number("1.10"));
        check("-0", Value::Number("-0"));
        check("1e400", Value::Number("1e400"));
        check(r#""a\ud83d\ude00\"""#, Value::Text("a😀\""));
        check(r#"{"b": [1, 2.50]}"#, Value::Json(r#"{"b": [1, 2.50]}"#));
    }
}
