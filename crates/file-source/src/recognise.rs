//! Reads a line in the form in which we write it: the members in our order, strings unescaped into a
//! buffer that is used again. Twice as fast as a general parser, which is what a replay waits for.
//!
//! Invariant: recognises nothing that is not valid JSON, and reads it as any JSON parser would. What
//! it does not recognise is no error: the general parser has the last word.

use std::ops::Range;

/// A recognised line. Key and value are ranges of the scratch buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recognised<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: u64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Range<usize>>,
    pub(crate) value: Option<Range<usize>>,
    /// The rest of the line up to its closing brace: the value of `headers`, not looked at.
    pub(crate) headers: Option<&'a str>,
}

/// `scratch` must be at least as long as the line plus [`SCRATCH_MARGIN_BYTES`].
pub(crate) fn recognise<'a>(line: &'a str, scratch: &mut [u8]) -> Option<Recognised<'a>> {
    let mut cursor = Cursor {
        line: line.as_bytes(),
        at: 0,
    };
    cursor.eat(b'{')?;
    cursor.member("topic")?;
    let topic = line
        .get(cursor.plain_string()?)
        .filter(|topic| !topic.is_empty())?;
    cursor.eat(b',')?;
    cursor.member("partition")?;
    let partition = i32::try_from(cursor.unsigned()?).ok()?;
    cursor.eat(b',')?;
    cursor.member("offset")?;
    let offset = cursor.unsigned()?;
    cursor.eat(b',')?;
    cursor.member("timestamp")?;
    let timestamp_ms = if cursor.null() {
        None
    } else {
        Some(i64::try_from(cursor.unsigned()?).ok()?)
    };
    cursor.eat(b',')?;
    cursor.member("key")?;
    let key = cursor.text(scratch, 0)?;
    cursor.eat(b',')?;
    cursor.member("value")?;
    let value = cursor.text(scratch, key.as_ref().map_or(0, |key| key.end))?;
    let headers = if cursor.eat(b',').is_some() {
        cursor.member("headers")?;
        let rest = line.get(cursor.at..)?.trim_end_matches(is_space);
        Some(rest.strip_suffix('}')?)
    } else {
        cursor.eat(b'}')?;
        line.get(cursor.at..)?
            .trim_start_matches(is_space)
            .is_empty()
            .then_some(())?;
        None
    };
    Some(Recognised {
        topic,
        partition,
        offset,
        timestamp_ms,
        key,
        value,
        headers,
    })
}

/// Strings are copied in whole words, so that the last one may reach beyond its end.
pub(crate) const SCRATCH_MARGIN_BYTES: usize = WORD_BYTES;

const WORD_BYTES: usize = size_of::<u64>();

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn eat(&mut self, wanted: u8) -> Option<()> {
        self.skip_space();
        (*self.line.get(self.at)? == wanted).then(|| self.at += 1)
    }

    fn skip_space(&mut self) {
        while self
            .line
            .get(self.at)
            .is_some_and(|byte| is_space(char::from(*byte)))
        {
            self.at += 1;
        }
    }

    fn literal(&mut self, wanted: &[u8]) -> Option<()> {
        self.skip_space();
        self.line[self.at..]
            .starts_with(wanted)
            .then(|| self.at += wanted.len())
    }

    /// A member's name and the colon after it.
    fn member(&mut self, name: &str) -> Option<()> {
        self.eat(b'"')?;
        self.line[self.at..]
            .starts_with(name.as_bytes())
            .then(|| self.at += name.len())?;
        (*self.line.get(self.at)? == b'"').then(|| self.at += 1)?;
        self.eat(b':')
    }

    fn null(&mut self) -> bool {
        self.literal(b"null").is_some()
    }

    /// A number without sign, fraction, exponent or leading zero.
    fn unsigned(&mut self) -> Option<u64> {
        self.skip_space();
        let digits = self.line[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let text = std::str::from_utf8(&self.line[self.at..self.at + digits]).ok()?;
        self.at += digits;
        if digits > 1 && text.starts_with('0') {
            None
        } else {
            text.parse().ok()
        }
    }

    /// A string in which nothing is escaped.
    fn plain_string(&mut self) -> Option<Range<usize>> {
        self.eat(b'"')?;
        let start = self.at;
        let length = self.line[start..]
            .iter()
            .position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
        self.at = start + length + 1;
        (self.line[start + length] == b'"').then_some(start..start + length)
    }

    /// A string, unescaped to `scratch[start..]`, or null.
    #[expect(
        clippy::option_option,
        reason = "not recognised, null, text: `?` reads best this way"
    )]
    fn text(&mut self, scratch: &mut [u8], start: usize) -> Option<Option<Range<usize>>> {
        if self.null() {
            return Some(None);
        }
        self.eat(b'"')?;
        let mut end = start;
        loop {
            self.copy_plain_run(scratch, &mut end)?;
            match *self.line.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(Some(start..end));
                }
                b'\\' => self.unescape(scratch, &mut end)?,
                0..0x20 => return None,
                // Only the last few bytes of a line come one by one.
                byte => {
                    *scratch.get_mut(end)? = byte;
                    end += 1;
                    self.at += 1;
                }
            }
        }
    }

    /// Copies whole words up to the first byte that is a quote, a backslash or a control character.
    /// Debezium's JSON inside of JSON has one every ten bytes: a search that starts up slowly loses.
    fn copy_plain_run(&mut self, scratch: &mut [u8], end: &mut usize) -> Option<()> {
        while let Some((word, _)) = self.line.get(self.at..)?.split_first_chunk::<WORD_BYTES>() {
            *scratch.get_mut(*end..)?.first_chunk_mut()? = *word;
            let special = special_bytes(u64::from_le_bytes(*word));
            let plain = (special.trailing_zeros() / 8) as usize;
            self.at += plain;
            *end += plain;
            if special != 0 {
                break;
            }
        }
        Some(())
    }

    fn unescape(&mut self, scratch: &mut [u8], end: &mut usize) -> Option<()> {
        let plain = match *self.line.get(self.at + 1)? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0c,
            b'u' => return self.unescape_unicode(scratch, end),
            _ => return None,
        };
        *scratch.get_mut(*end)? = plain;
        *end += 1;
        self.at += 2;
        Some(())
    }

    fn unescape_unicode(&mut self, scratch: &mut [u8], end: &mut usize) -> Option<()> {
        let mut code = self.code_unit()?;
        if (0xd800..0xdc00).contains(&code) {
            let low = self
                .code_unit()
                .filter(|low| (0xdc00..0xe000).contains(low))?;
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        let character = char::from_u32(code)?;
        let room = scratch.get_mut(*end..*end + character.len_utf8())?;
        *end += character.encode_utf8(room).len();
        Some(())
    }

    /// `\uXXXX`
    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.line.get(self.at..self.at + 6)?.strip_prefix(b"\\u")?;
        let code = digits.iter().try_fold(0, |code, digit| {
            Some(code << 4 | char::from(*digit).to_digit(16)?)
        })?;
        self.at += 6;
        Some(code)
    }
}

/// Sets the high bit of the first quote, backslash or control character of eight bytes, if there is one.
/// Bits above the first one may be set wrongly: a borrow runs upwards.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; WORD_BYTES]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; WORD_BYTES]);
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & HIGH
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(json: &str) -> Option<String> {
        let line = format!(
            r#"{{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":{json},"value":null}}"#
        );
        let mut scratch = vec![0; line.len() + SCRATCH_MARGIN_BYTES];
        let recognised = recognise(&line, &mut scratch)?;
        Some(String::from_utf8(scratch[recognised.key?].to_vec()).unwrap())
    }

    #[test]
    fn strings_are_unescaped_as_json_says() {
        for text in [
            "",
            "plain",
            "{\\\"id\\\":1}",
            "a\\\\b\\/c\\n\\t\\r\\b\\f",
            "\\u00e4\\u20ac\\uD83D\\ude00",
            "ä€😀 long enough for words",
        ] {
            let json = format!("\"{text}\"");
            assert_eq!(
                key_of(&json),
                serde_json::from_str(&json).unwrap(),
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_no_json_is_not_recognised() {
        for json in [
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\udc00\"",
            "\"tab\t\"",
            "\"long enough for a word\u{1}\"",
            "\"open",
            "01",
            "nul",
        ] {
            assert_eq!(key_of(json), None, "{json}");
        }
    }

    #[test]
    fn space_between_tokens_is_allowed_and_rubbish_after_them_is_not() {
        let line = r#" { "topic" : "t" , "partition" : 3, "offset": 18446744073709551615, "timestamp": null, "key": null, "value": "v" } "#;
        let mut scratch = vec![0; line.len() + SCRATCH_MARGIN_BYTES];
        let wanted = Recognised {
            topic: "t",
            partition: 3,
            offset: u64::MAX,
            timestamp_ms: None,
            key: None,
            value: Some(0..1),
            headers: None,
        };
        assert_eq!(recognise(line, &mut scratch), Some(wanted));
        assert_eq!(recognise(&format!("{line} x"), &mut scratch), None);
        assert_eq!(recognise(&line.replace("3,", "03,"), &mut scratch), None);
    }
}
