//! JSON with every number as it was written, and what it means for two values to be the same.
//!
//! `serde_json::Value` would turn numbers into `f64` and hide a lost digit, which is just what
//! these tests are after. Its feature for exact numbers is no way out: features are shared by the
//! whole build, so it would change the product that is tested.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::decimal;

/// A JSON value. The order of an object's members means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exact {
    Null,
    Bool(bool),
    /// The number's text.
    Number(String),
    Text(String),
    List(Vec<Exact>),
    Object(BTreeMap<String, Exact>),
}

impl Exact {
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        Self::from_raw(serde_json::from_str(text)?)
    }

    pub fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    /// The member of an object; null where there is none, or where this is no object.
    pub fn get(&self, member: &str) -> &Self {
        match self {
            Self::Object(members) => members.get(member).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// One form for all spellings of one value, fit to be a key: numbers by value, times without
    /// trailing zeros in their fraction.
    #[must_use]
    pub fn canonical(&self) -> Self {
        match self {
            Self::Null | Self::Bool(_) => self.clone(),
            Self::Number(text) => Self::Number(decimal::canonical(text)),
            Self::Text(text) => Self::Text(without_trailing_zeros(text)),
            Self::List(items) => Self::List(items.iter().map(Self::canonical).collect()),
            Self::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.canonical()))
                    .collect(),
            ),
        }
    }

    /// Whether an answered value is the wanted one.
    pub fn same(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Number(have), Self::Number(want)) => {
                decimal::canonical(have) == decimal::canonical(want)
                    || is_fractional(have, want) && same_double(have, want)
            }
            (Self::Text(have), Self::Text(want)) => {
                without_trailing_zeros(have) == without_trailing_zeros(want)
                    || same_object_text(have, want)
            }
            (Self::List(have), Self::List(want)) => {
                have.len() == want.len()
                    && have.iter().zip(want).all(|(have, want)| have.same(want))
            }
            (Self::Object(have), Self::Object(want)) => {
                have.len() == want.len()
                    && have
                        .iter()
                        .all(|(name, value)| want.get(name).is_some_and(|want| value.same(want)))
            }
            _ => self == wanted,
        }
    }

    fn from_raw(raw: &RawValue) -> serde_json::Result<Self> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let parsed = members
                    .into_iter()
                    .map(|(name, value)| Ok((name, Self::from_raw(value)?)));
                Self::Object(parsed.collect::<serde_json::Result<_>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::List(
                    items
                        .into_iter()
                        .map(Self::from_raw)
                        .collect::<serde_json::Result<_>>()?,
                )
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't' | b'f') => Self::Bool(text == "true"),
            Some(b'n') => Self::Null,
            _ => Self::Number(text.to_owned()),
        })
    }
}

/// Compact JSON, for messages.
impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name:?}:{value}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn is_fractional(have: &str, want: &str) -> bool {
    [have, want]
        .iter()
        .any(|text| text.contains(['.', 'e', 'E']))
}

/// A double has many decimal spellings; integers are never compared this way.
fn same_double(have: &str, want: &str) -> bool {
    matches!((have.parse::<f64>(), want.parse::<f64>()), (Ok(have), Ok(want)) if have.to_bits() == want.to_bits())
}

/// JSON text of a map: the order of its members is nobody's promise.
fn same_object_text(have: &str, want: &str) -> bool {
    have.starts_with('{')
        && want.starts_with('{')
        && matches!((Exact::parse(have), Exact::parse(want)), (Ok(have), Ok(want)) if have.canonical() == want.canonical())
}

/// A time of day or timestamp with its fraction as short as it can be; any other text as it is.
fn without_trailing_zeros(text: &str) -> String {
    trimmed_time(text).unwrap_or_else(|| text.to_owned())
}

fn trimmed_time(text: &str) -> Option<String> {
    let (head, tail) = text.split_once('.')?;
    let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (fraction, zone) = tail.split_at(digits);
    let is_zone = matches!(zone, "" | "Z") || zone.starts_with(['+', '-']) && head.contains('T');
    if digits == 0
        || !is_zone
        || !ends_as_clock(head)
        || !head.bytes().all(|byte| b"0123456789-+:T".contains(&byte))
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() {
        format!("{head}{zone}")
    } else {
        format!("{head}.{fraction}{zone}")
    })
}

/// Whether text ends in `…d:dd:dd`.
fn ends_as_clock(text: &str) -> bool {
    let mut parts = text.rsplitn(3, ':');
    let two_digits = |part: Option<&str>| {
        part.is_some_and(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    two_digits(parts.next())
        && two_digits(parts.next())
        && parts
            .next()
            .is_some_and(|hours| hours.ends_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(have: &str, want: &str) -> bool {
        let parse = |text| Exact::parse(text).unwrap();
        assert_eq!(
            parse(have).same(&parse(want)),
            parse(want).same(&parse(have)),
            "{have} {want}: not symmetric"
        );
        parse(have).same(&parse(want))
    }

    #[test]
    fn numbers_keep_their_digits() {
        let value = Exact::parse(r#"{"a":[12345678901234567890.10, 1E2],"b":null}"#).unwrap();
        assert_eq!(
            value.get("a"),
            &Exact::List(vec![
                Exact::Number("12345678901234567890.10".into()),
                Exact::Number("1E2".into())
            ])
        );
        assert_eq!(
            value.to_string(),
            r#"{"a":[12345678901234567890.10,1E2],"b":null}"#
        );
        assert!(Exact::parse("{\"a\":}").is_err());
    }

    #[test]
    fn spellings_of_one_value_are_the_same() {
        for (have, want) in [
            ("1.10", "1.1"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("0.1", "0.1000000000000000055"),
            (
                "\"2024-02-29T10:00:00.120Z\"",
                "\"2024-02-29T10:00:00.12Z\"",
            ),
            ("\"2024-02-29T10:00:00.000\"", "\"2024-02-29T10:00:00\""),
            ("\"-838:59:59.000000\"", "\"-838:59:59\""),
            (r#""{\"a\":1,\"b\":2.0}""#, r#""{\"b\":2,\"a\":1}""#),
            (r#"[1.0,{"a":"10:00:00.0"}]"#, r#"[1,{"a":"10:00:00"}]"#),
        ] {
            assert!(same(have, want), "{have} {want}");
        }
    }

    #[test]
    fn different_values_are_not() {
        for (have, want) in [
            ("9007199254740993", "9007199254740992"),
            ("1", "\"1\""),
            ("\"1.10\"", "\"1.1\""),
            ("null", "\"\""),
            ("null", "0"),
            ("false", "0"),
            ("\"2024-02-29T10:00:00Z\"", "\"2024-02-29T10:00:00\""),
            ("\"2024-02-29T10:00:00.1\"", "\"2024-02-29T10:00:00.01\""),
            ("\"1.2.30\"", "\"1.2.3\""),
            ("\"v10:00:00.10\"", "\"v10:00:00.1\""),
            ("[1,2]", "[2,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
        ] {
            assert!(!same(have, want), "{have} {want}");
        }
    }
}
