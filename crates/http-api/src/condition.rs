//! `If-None-Match`: what a client has already, so that it is not sent again.
//!
//! Judged by the answer that was made, never by what might have been one: so no client is told that nothing
//! changed by anything but the very content it has.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error;
use crate::problem::ApiError;

/// The contents that a client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `*`: anything, if there is something.
    Any,
    /// What these tags are of, without `W/`: two weak tags are compared by the rest.
    Tags(Vec<Box<[u8]>>),
}

impl Condition {
    /// What the headers say of it, if anything.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let values: Vec<&[u8]> = headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if values.is_empty() {
            return Ok(None);
        }
        // Several headers of one name are one list (RFC 9110).
        let list = values.join(&b',');
        let condition = read(&list).ok_or_else(error::bad_condition)?;
        Ok(Some(condition))
    }

    /// Whether this answer is what the client has. An error may be too: `*` alone says nothing of those.
    pub fn holds(&self, status: StatusCode, tag: &HeaderValue) -> bool {
        match self {
            Self::Any => status.is_success(),
            Self::Tags(tags) => opaque(tag.as_bytes())
                .is_some_and(|(tag, _)| tags.iter().any(|known| **known == *tag)),
        }
    }
}

fn read(list: &[u8]) -> Option<Condition> {
    let list = list.trim_ascii();
    if list == b"*" {
        return Some(Condition::Any);
    }
    let (mut tags, mut rest) = (Vec::new(), list);
    loop {
        // Empty elements are allowed in any list.
        while let Some(more) = rest.strip_prefix(b",") {
            rest = more.trim_ascii_start();
        }
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(Condition::Tags(tags));
        }
        let (tag, more) = opaque(rest)?;
        tags.push(tag.into());
        rest = more.trim_ascii_start();
        if !rest.is_empty() && rest[0] != b',' {
            return None;
        }
    }
}

/// The first tag's text between its quotes, and what follows it.
fn opaque(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quoted = text.strip_prefix(b"W/").unwrap_or(text);
    let text = quoted.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (tag, rest) = text.split_at(end);
    let is_tag = tag.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    is_tag.then_some((tag, &rest[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Option<Condition> {
        read(text.as_bytes())
    }

    fn tags(tags: &[&str]) -> Condition {
        let tags = tags.iter().map(|tag| tag.as_bytes().into());
        Condition::Tags(tags.collect())
    }

    #[test]
    fn a_list_of_tags_is_read_and_nothing_else() {
        assert_eq!(condition(" * "), Some(Condition::Any));
        assert_eq!(condition("\"a\""), Some(tags(&["a"])));
        assert_eq!(
            condition("W/\"a,b\" , \"c\",,W/\"\""),
            Some(tags(&["a,b", "c", ""]))
        );
        for text in [
            "",
            ",",
            "a",
            "\"a",
            "\"a\" \"b\"",
            "w/\"a\"",
            "*, \"a\"",
            "\"a b\"",
            "W/a",
        ] {
            assert_eq!(condition(text), None, "{text}");
        }
    }

    #[test]
    fn tags_are_compared_without_their_weakness_and_a_star_is_of_what_is_there() {
        let holds = |text: &str, status, tag: &'static str| {
            let condition = condition(text).unwrap();
            condition.holds(status, &HeaderValue::from_static(tag))
        };
        let (ok, missing) = (StatusCode::OK, StatusCode::NOT_FOUND);
        assert!(holds("\"b\", \"a\"", ok, "W/\"a\""));
        assert!(holds("W/\"a\"", missing, "W/\"a\""));
        assert!(!holds("W/\"a\"", ok, "W/\"ab\""));
        assert!(holds("*", ok, "W/\"a\""));
        assert!(!holds("*", missing, "W/\"a\""));
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(Condition::of(&headers).unwrap(), None);
        for tag in ["\"a\"", "\"b\""] {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(tag));
        }
        assert_eq!(Condition::of(&headers).unwrap(), Some(tags(&["a", "b"])));
    }
}
