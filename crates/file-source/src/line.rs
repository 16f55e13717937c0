//! What one line of a record file says. A line that is no record is an error with its reason, never a panic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use change_feed::Header;
use serde::Deserialize;

use crate::recognise::{Recognised, SCRATCH_MARGIN_BYTES, recognise};

/// A record, borrowed from the parser until its next line.
#[derive(Debug)]
pub struct ParsedLine<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: u64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    headers: &'a [OwnedHeader],
}

impl<'a> ParsedLine<'a> {
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        self.headers.iter().map(|header| Header {
            name: &header.name,
            value: header.value.as_deref(),
        })
    }
}

/// Parses lines one after the other, in buffers that are used again.
#[derive(Debug, Default)]
pub struct LineParser {
    scratch: Vec<u8>,
    /// The text of the last recognised headers and what they say: the next record's are mostly the same.
    headers_text: String,
    headers: Vec<OwnedHeader>,
    /// The last line that was not recognised.
    general: Option<OwnedLine>,
}

impl LineParser {
    /// The error is a reason that stands after "events.jsonl:7: ".
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Result<ParsedLine<'a>, String> {
        let line = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
        if self.scratch.len() < line.len() + SCRATCH_MARGIN_BYTES {
            self.scratch.resize(line.len() + SCRATCH_MARGIN_BYTES, 0);
        }
        match recognise(line, &mut self.scratch) {
            Some(recognised) if self.recognise_headers(recognised.headers) => {
                Ok(self.view(recognised))
            }
            _ => Ok(self.general.insert(parse_any(line)?).view()),
        }
    }

    fn view<'a>(&'a self, line: Recognised<'a>) -> ParsedLine<'a> {
        let Recognised {
            topic,
            partition,
            offset,
            timestamp_ms,
            key,
            value,
            headers: _,
        } = line;
        let (key, value) = (
            key.map(|key| &self.scratch[key]),
            value.map(|value| &self.scratch[value]),
        );
        ParsedLine {
            topic,
            partition,
            offset,
            timestamp_ms,
            key,
            value,
            headers: &self.headers,
        }
    }

    /// False if they are not what the recogniser takes them for.
    fn recognise_headers(&mut self, text: Option<&str>) -> bool {
        let text = text.unwrap_or("[]");
        if text == self.headers_text {
            return true;
        }
        let Ok(headers) = serde_json::from_str(text) else {
            return false;
        };
        let Ok(headers) = owned_headers(headers) else {
            return false;
        };
        self.headers = headers;
        text.clone_into(&mut self.headers_text);
        true
    }
}

#[derive(Debug)]
struct OwnedHeader {
    name: String,
    value: Option<Vec<u8>>,
}

#[derive(Debug)]
struct OwnedLine {
    topic: String,
    partition: i32,
    offset: u64,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<OwnedHeader>,
}

impl OwnedLine {
    fn view(&self) -> ParsedLine<'_> {
        ParsedLine {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}

/// A line as any JSON writer may have put it.
#[derive(Deserialize)]
struct JsonLine {
    topic: String,
    partition: i32,
    offset: u64,
    timestamp: Option<i64>,
    key: Option<String>,
    value: Option<String>,
    key_b64: Option<String>,
    value_b64: Option<String>,
    headers: Option<Vec<JsonHeader>>,
}

#[derive(Deserialize)]
struct JsonHeader {
    key: String,
    value: Option<String>,
    value_b64: Option<String>,
}

fn parse_any(line: &str) -> Result<OwnedLine, String> {
    let line: JsonLine = serde_json::from_str(line).map_err(|error| without_line_number(&error))?;
    if line.topic.is_empty() {
        return Err("topic is empty".to_owned());
    }
    if line.partition < 0 {
        return Err(format!("partition {} is negative", line.partition));
    }
    Ok(OwnedLine {
        topic: line.topic,
        partition: line.partition,
        offset: line.offset,
        timestamp_ms: line.timestamp,
        key: bytes_of("key", line.key, line.key_b64)?,
        value: bytes_of("value", line.value, line.value_b64)?,
        headers: owned_headers(line.headers.unwrap_or_default())?,
    })
}

fn owned_headers(headers: Vec<JsonHeader>) -> Result<Vec<OwnedHeader>, String> {
    let owned = |header: JsonHeader| {
        let value = bytes_of("value of a header", header.value, header.value_b64)?;
        Ok(OwnedHeader {
            name: header.key,
            value,
        })
    };
    headers.into_iter().map(owned).collect()
}

fn bytes_of(
    what: &str,
    text: Option<String>,
    base64: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(format!("the {what} is there twice, as text and as base64")),
        (text, None) => Ok(text.map(String::into_bytes)),
        (None, Some(base64)) => match BASE64.decode(base64) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(format!("the {what} is not base64: {error}")),
        },
    }
}

/// Each line is parsed by itself: that it is line 1 of itself would only confuse.
fn without_line_number(error: &serde_json::Error) -> String {
    without_value(error).replace(" at line 1 column ", " at column ")
}

/// What the parser says, without the value that stood in the place of another: reasons are logged, and a
/// record may hold what must not be.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let met = text
        .strip_prefix("invalid type: ")
        .and_then(|rest| rest.rsplit_once(", expected "));
    match met {
        // `string "…"`, ``integer `…` ``: the word is the kind, the rest is the value.
        Some((met, expected)) => {
            let kind = met.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("invalid type: {kind}, expected {expected}")
        }
        None if text.starts_with("invalid value: ") => {
            format!(
                "invalid value at line {} column {}",
                error.line(),
                error.column()
            )
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(line: &str) -> String {
        LineParser::default().parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_line_that_is_no_record_says_why() {
        assert_eq!(
            reason(r#"{"topic":"t","partition":0}"#),
            "missing field `offset` at column 27"
        );
        assert_eq!(
            reason(r#"{"topic":"t","part"#),
            "EOF while parsing a string at column 18"
        );
        assert_eq!(
            reason(r#"{"topic":"t","partition":"a secret","offset":0}"#),
            "invalid type: string, expected i32 at column 35"
        );
        assert_eq!(
            reason(r#"{"topic":"t","partition":0,"offset":-4929}"#),
            "invalid value at column 41"
        );
        assert_eq!(
            reason(r#"{"topic":"","partition":0,"offset":0}"#),
            "topic is empty"
        );
        assert_eq!(
            reason(r#"{"topic":"t","partition":-1,"offset":0}"#),
            "partition -1 is negative"
        );
        let twice = r#"{"topic":"t","partition":1,"offset":0,"key":"a","key_b64":"YQ=="}"#;
        assert_eq!(
            reason(twice),
            "the key is there twice, as text and as base64"
        );
        assert!(
            reason(r#"{"topic":"t","partition":1,"offset":0,"value_b64":"?"}"#)
                .starts_with("the value is not base64")
        );
        assert!(
            LineParser::default()
                .parse(b"{\"topic\":\"\xff\"")
                .unwrap_err()
                .starts_with("not UTF-8")
        );
    }

    #[test]
    fn the_headers_of_one_line_are_never_those_of_another() {
        let mut parser = LineParser::default();
        let mut headers_of = |tail: &str| {
            let line = format!(
                r#"{{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":null,"value":null{tail}}}"#
            );
            let parsed = parser.parse(line.as_bytes());
            parsed.map(|line| {
                line.headers()
                    .map(|header| header.name.to_owned())
                    .collect::<Vec<_>>()
            })
        };
        let (a, b) = (
            r#","headers":[{"key":"a","value":"1"}]"#,
            r#","headers":[{"key":"b","value":null}]"#,
        );
        assert_eq!(headers_of(a).unwrap(), ["a"]);
        assert_eq!(headers_of(b).unwrap(), ["b"]);
        assert_eq!(headers_of("").unwrap(), [""; 0]);
        assert_eq!(headers_of(&format!("{a},\"more\":1")).unwrap(), ["a"]);
        assert_eq!(headers_of(r#","headers":null"#).unwrap(), [""; 0]);
        assert_eq!(
            headers_of(r#","headers":[{"key":"a","value_b64":"/w=="}]"#).unwrap(),
            ["a"]
        );
        assert!(headers_of(r#","headers": "#).is_err());
        assert!(headers_of(r#","headers":[}"#).is_err());
    }

    fn facts(line: &ParsedLine<'_>) -> String {
        let headers: Vec<_> = line.headers().collect();
        let ParsedLine {
            topic,
            partition,
            offset,
            timestamp_ms,
            key,
            value,
            headers: _,
        } = line;
        format!("{topic:?} {partition} {offset} {timestamp_ms:?} {key:?} {value:?} {headers:?}")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a line is, recognised or not, it reads as the general parser reads it.
        #[test]
        fn recognition_changes_no_meaning(
            texts in proptest::array::uniform4(proptest::option::of("([a-z\"\\\\/{}:,\u{e4}\u{20ac}\u{1F600}\n\u{1}]|.){0,40}")),
            (partition, offset, timestamp) in (any::<i32>(), any::<u64>(), proptest::option::of(any::<i64>())),
            damage in proptest::option::of((any::<prop::sample::Index>(), proptest::char::any())),
        ) {
            let [topic, key, value, header] = texts;
            let mut line = serde_json::json!({ "topic": topic.unwrap_or_default() }).to_string();
            line.pop();
            for (name, json) in [
                ("partition", serde_json::json!(partition)),
                ("offset", serde_json::json!(offset)),
                ("timestamp", serde_json::json!(timestamp)),
                ("key", serde_json::json!(key)),
                ("value", serde_json::json!(value)),
                ("headers", serde_json::json!([{"key": "k", "value": header}])),
            ] {
                line.extend([",\"", name, "\":", &json.to_string()]);
            }
            line.push('}');
            if let Some((place, character)) = damage {
                let mut characters: Vec<char> = line.chars().collect();
                let place = place.index(characters.len());
                characters[place] = character;
                line = characters.into_iter().collect();
            }
            let general = parse_any(&line);
            let mut parser = LineParser::default();
            let parsed = parser.parse(line.as_bytes());
            let general = general.map(|line| facts(&line.view()));
            prop_assert_eq!(general, parsed.map(|line| facts(&line)));
        }
    }
}
