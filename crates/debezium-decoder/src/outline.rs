//! Where the members of a JSON object lie in its text, and those of the objects it holds: found in one pass.
//!
//! Invariant: what has an outline is valid JSON (a property test holds it against `serde_json`). What
//! has none may be valid all the same (names with escapes, values that are no objects): then the
//! parser of `serde_json` decides, and it says what is wrong.

use smallvec::SmallVec;

use crate::json_token::Token;
/// Brackets of most records nest without an allocation.
const NESTING_INLINE: usize = 16;

/// The members of one object, in the order of its text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    outer: Vec<Member>,
    /// The members of the outer members that are objects, one after another.
    inner: Vec<Member>,
    is_known: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    name: (u32, u32),
    value: (u32, u32),
    /// The value is known to be no string with escapes.
    is_plain: bool,
    /// Where its own members end among the inner ones; they begin where the previous one's end.
    inner_end: u32,
}

/// Where it lies, not how much of it is known.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        let place = |member: &Self| (member.name, member.value, member.inner_end);
        place(self) == place(other)
    }
}

impl Eq for Member {}

impl Member {
    /// The name, in the text that was outlined. It has no escapes.
    pub fn name(self, text: &str) -> &str {
        &text[self.name.0 as usize..self.name.1 as usize]
    }

    pub fn value(self, text: &str) -> Token<'_> {
        let value = &text[self.value.0 as usize..self.value.1 as usize];
        if self.is_plain {
            Token::of_plain(value)
        } else {
            Token::of_valid(value)
        }
    }
}

impl Outline {
    /// Outlines a text, which may be longer than any record but not than a span.
    pub fn scan(&mut self, text: &str) {
        self.clear();
        if u32::try_from(text.len()).is_err() {
            return;
        }
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: 0,
        };
        if scanner.outer(self).is_none() {
            self.clear();
            return;
        }
        self.is_known = true;
    }

    pub fn clear(&mut self) {
        self.outer.clear();
        self.inner.clear();
        self.is_known = false;
    }

    /// The members of the object, if it has an outline.
    pub fn members(&self) -> Option<&[Member]> {
        self.is_known.then_some(&*self.outer)
    }

    /// The members of the object that is the value of this member.
    pub fn members_of(&self, text: &str, name: &str) -> Option<&[Member]> {
        let members = self.members()?;
        let place = members
            .iter()
            .position(|member| member.name(text) == name)?;
        let start = place
            .checked_sub(1)
            .map_or(0, |previous| members[previous].inner_end as usize);
        let member = members[place];
        let is_object = text.as_bytes().get(member.value.0 as usize) == Some(&b'{');
        is_object.then(|| &self.inner[start..member.inner_end as usize])
    }
}

/// What a writer of JSON knows of its own text, as it writes it.
impl Outline {
    pub fn begin(&mut self) {
        self.clear();
        self.is_known = true;
    }

    /// A member of the object that has just been written.
    pub fn push_outer(&mut self, name: (usize, usize), value: (usize, usize)) {
        let inner_end = self.inner.len() as u32;
        self.outer.push(member(name, value, false, inner_end));
    }

    /// A member of the object that is being written as the value of the next outer member.
    pub fn push_inner(&mut self, name: (usize, usize), value: (usize, usize)) {
        self.inner.push(member(name, value, false, 0));
    }
}

fn member(name: (usize, usize), value: (usize, usize), is_plain: bool, inner_end: u32) -> Member {
    let span = |(start, end): (usize, usize)| (start as u32, end as u32);
    Member {
        name: span(name),
        value: span(value),
        is_plain,
        inner_end,
    }
}

/// Reads JSON without making anything of it. `None`: this is none, or none of ours.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn outer(&mut self, outline: &mut Outline) -> Option<()> {
        self.space();
        self.members(|scanner, name| {
            let start = scanner.at;
            let is_plain = if scanner.bytes.get(start) == Some(&b'{') {
                scanner.members(|scanner, name| {
                    let start = scanner.at;
                    let is_plain = scanner.value()?;
                    let inner = member(name, (start, scanner.at), is_plain, 0);
                    outline.inner.push(inner);
                    Some(())
                })?;
                true
            } else {
                scanner.value()?
            };
            let inner_end = outline.inner.len() as u32;
            let outer = member(name, (start, scanner.at), is_plain, inner_end);
            outline.outer.push(outer);
            Some(())
        })?;
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// An object: calls `value` at the value of each member, to read it.
    fn members(
        &mut self,
        mut value: impl FnMut(&mut Self, (usize, usize)) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let start = self.at + 1;
            // The rest of the decoder compares names without reading them.
            if self.string()? {
                return None;
            }
            let name = (start, self.at - 1);
            self.colon()?;
            value(self, name)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Any value; answers whether it is no string with escapes.
    fn value(&mut self) -> Option<bool> {
        match self.peek()? {
            b'{' | b'[' => self.nested().map(|()| true),
            _ => self.scalar(),
        }
    }

    /// An object or array, however deep.
    fn nested(&mut self) -> Option<()> {
        let mut open: SmallVec<[u8; NESTING_INLINE]> = SmallVec::new();
        let mut is_fresh = false;
        loop {
            // Here a value begins, or an empty object or array ends.
            let inside = open.last().copied();
            let closes = match inside {
                Some(bracket) if is_fresh => self.peek()? == close_of(bracket),
                _ => false,
            };
            if closes {
                self.at += 1;
                open.pop();
            } else {
                if inside == Some(b'{') {
                    self.string()?;
                    self.colon()?;
                }
                if let bracket @ (b'{' | b'[') = self.peek()? {
                    self.at += 1;
                    open.push(bracket);
                    is_fresh = true;
                    self.space();
                    continue;
                }
                self.scalar()?;
            }
            is_fresh = false;
            // Here a value has ended.
            while let Some(bracket) = open.last() {
                self.space();
                let next = self.next()?;
                if next == b',' {
                    self.space();
                    break;
                }
                if next != close_of(*bracket) {
                    return None;
                }
                open.pop();
            }
            if open.is_empty() {
                return Some(());
            }
        }
    }

    fn scalar(&mut self) -> Option<bool> {
        match self.peek()? {
            b'"' => return self.string().map(|has_escapes| !has_escapes),
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            _ => self.number(),
        }?;
        Some(true)
    }

    /// A string; answers whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let mut has_escapes = false;
        loop {
            self.plain();
            match self.next()? {
                b'"' => return Some(has_escapes),
                b'\\' => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    /// Goes to the next byte that means something in a string, eight at a time.
    fn plain(&mut self) {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const HIGHS: u64 = ONES << 7;
        // The high bit of a byte is set where it was zero; above the first such byte it may be wrong.
        let zeros = |chunk: u64| chunk.wrapping_sub(ONES) & !chunk & HIGHS;
        while let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let chunk = u64::from_le_bytes(*chunk);
            let quotes = zeros(chunk ^ (ONES * u64::from(b'"')));
            let escapes = zeros(chunk ^ (ONES * u64::from(b'\\')));
            let controls = chunk.wrapping_sub(ONES * 0x20) & !chunk & HIGHS;
            let found = quotes | escapes | controls;
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let is_plain = |byte: &u8| *byte >= 0x20 && !matches!(byte, b'"' | b'\\');
        while self.bytes.get(self.at).is_some_and(is_plain) {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        let is_there = self.bytes[self.at..].starts_with(literal);
        self.at += literal.len();
        is_there.then_some(())
    }

    fn colon(&mut self) -> Option<()> {
        self.space();
        self.take(b':')?;
        self.space();
        Some(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }
}

fn close_of(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn shown(text: &str) -> Option<Vec<String>> {
        let mut outline = Outline::default();
        outline.scan(text);
        let members = outline.members()?.to_vec();
        let shown = members.iter().map(|member| {
            let name = member.name(text);
            let inner = outline.members_of(text, name).unwrap_or_default();
            let inner: Vec<_> = inner
                .iter()
                .map(|member| format!("{}={}", member.name(text), member.value(text).get()))
                .collect();
            format!("{name}={} {inner:?}", member.value(text).get())
        });
        Some(shown.collect())
    }

    #[test]
    fn members_lie_where_the_outline_says() {
        let text = r#" {"a": 1, "b":{"x":[1,{"y":"}"}],"z":"\"é"} ,"c":{},"d":[{}]} "#;
        assert_eq!(
            shown(text).unwrap(),
            [
                "a=1 []",
                r#"b={"x":[1,{"y":"}"}],"z":"\"é"} ["x=[1,{\"y\":\"}\"}]", "z=\"\\\"é\""]"#,
                "c={} []",
                "d=[{}] []",
            ]
        );
        for none in [
            "",
            "1",
            "[]",
            r#"{"a":1}}"#,
            r#"{"a\u0062":1}"#,
            r#"{"a":1,}"#,
        ] {
            assert_eq!(shown(none), None, "{none}");
        }
    }

    /// Whatever is said to have an outline, the parser reads, to the same members; and of what the
    /// parser reads as an object, only names with escapes have none.
    fn agrees(text: &str) {
        let object: Option<BTreeMap<String, Token<'_>>> = serde_json::from_str(text).ok();
        let Some(shown) = shown(text) else {
            let is_left_out = text.contains('\\');
            assert!(object.is_none() || is_left_out, "{text} has no outline");
            return;
        };
        assert!(object.is_some(), "{text} is no object");
        // Repeated names are one member of a parsed object.
        assert!(object.is_some_and(|object| object.len() <= shown.len()));
    }

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_outline_is_given_to_json_only(value in value(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let text = value.to_string();
            agrees(&text);
            agrees(&serde_json::to_string_pretty(&value).unwrap());
            let mut bytes = text.into_bytes();
            let at = cut.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                agrees(text);
            }
            bytes.remove(at);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                agrees(text);
            }
        }

        #[test]
        fn numbers_and_escapes_are_read_as_the_parser_does(inside in r#"[-+.eE0-9]{1,6}|"[\\"/bfnrtu0-9a-f]{0,8}"|[\[\]{},:"0 ]{0,10}"#) {
            agrees(&format!(r#"{{"a":{inside}}}"#));
            agrees(&format!(r#"{{"a":{{"b":[{inside}]}}}}"#));
        }
    }
}
