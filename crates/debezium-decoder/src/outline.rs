//! Where the members of a JSON object lie in its text, and those of the objects it holds: found in one pass.
//!
//! Records of a topic have the same names in the same order, and most of them the same source block: what a text repeats of
//! the one before is recognised by comparison, and not read again.
//!
//! Invariant: what has an outline is valid JSON (a property test holds it against `serde_json`). What
//! has none may be valid all the same (names with escapes, values that are no objects): then the
//! parser of `serde_json` decides, and it says what is wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use crate::json_token::Token;
/// Brackets of most records nest without an allocation.
const NESTING_INLINE: usize = 16;

/// The members of one object, in the order of its text.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    found: Found,
    is_known: bool,
    /// A copy of the text in which they were found; empty if they were not found in one.
    text: String,
    /// What was found in the text before, and that text.
    last: Found,
    last_text: String,
    layout: Layout,
}

/// Which names the members have, and theirs, in which order. Texts of one layout have the same ones; those of two may, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout(u64);

impl Layout {
    /// One that no text has had, whoever outlined it.
    fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    outer: Vec<Member>,
    /// The members of the outer members that are objects, one after another.
    inner: Vec<Member>,
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

    /// The same, so much farther from the beginning of its text.
    fn moved(self, by: u32) -> Self {
        let moved = |(start, end): (u32, u32)| (start.wrapping_add(by), end.wrapping_add(by));
        Self {
            name: moved(self.name),
            value: moved(self.value),
            ..self
        }
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
        std::mem::swap(&mut self.found, &mut self.last);
        std::mem::swap(&mut self.text, &mut self.last_text);
        self.empty();
        if u32::try_from(text.len()).is_err() {
            return self.clear();
        }
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: 0,
            last: &self.last,
            last_text: self.last_text.as_bytes(),
            is_alike: true,
        };
        if scanner.outer(&mut self.found).is_none() {
            return self.clear();
        }
        if !scanner.is_alike {
            self.layout = Layout::new();
        }
        self.is_known = true;
        self.text.push_str(text);
    }

    pub fn clear(&mut self) {
        self.empty();
        self.layout = Layout::new();
    }

    fn empty(&mut self) {
        self.found.outer.clear();
        self.found.inner.clear();
        self.text.clear();
        self.is_known = false;
    }

    /// All that is found, to compare it.
    #[cfg(test)]
    pub fn found(&self) -> Option<impl PartialEq + std::fmt::Debug + '_> {
        self.is_known.then_some(&self.found)
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The members of the object, if it has an outline.
    pub fn members(&self) -> Option<&[Member]> {
        self.is_known.then_some(&*self.found.outer)
    }

    /// The members of the object that is the value of this member.
    pub fn members_of(&self, text: &str, name: &str) -> Option<&[Member]> {
        let members = self.members()?;
        let place = members
            .iter()
            .position(|member| member.name(text) == name)?;
        let is_object = text.as_bytes().get(members[place].value.0 as usize) == Some(&b'{');
        is_object.then(|| self.found.within(place))
    }
}

impl Found {
    /// The members of an outer member.
    fn within(&self, place: usize) -> &[Member] {
        let end_of = |place: usize| self.outer[place].inner_end as usize;
        let start = place.checked_sub(1).map_or(0, end_of);
        &self.inner[start..end_of(place)]
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
        let inner_end = self.found.inner.len() as u32;
        self.found.outer.push(member(name, value, false, inner_end));
    }

    /// A member of the object that is being written as the value of the next outer member.
    pub fn push_inner(&mut self, name: (usize, usize), value: (usize, usize)) {
        self.found.inner.push(member(name, value, false, 0));
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
    last: &'a Found,
    last_text: &'a [u8],
    /// All names so far are those of the text before, in its order.
    is_alike: bool,
}

impl<'a> Scanner<'a> {
    fn outer(&mut self, found: &mut Found) -> Option<()> {
        self.space();
        let last = self.last;
        self.members(&last.outer, |scanner, name, place| {
            let start = scanner.at;
            let is_plain = if scanner.bytes.get(start) == Some(&b'{') {
                scanner.inner(place, &mut found.inner)?;
                true
            } else {
                scanner.is_alike &= place.is_none_or(|place| last.within(place).is_empty());
                scanner.value()?
            };
            let inner_end = found.inner.len() as u32;
            let outer = member(name, (start, scanner.at), is_plain, inner_end);
            found.outer.push(outer);
            Some(())
        })?;
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// The object that is the value of an outer member; `place` is that of the member with its name in the text before.
    fn inner(&mut self, place: Option<usize>, found: &mut Vec<Member>) -> Option<()> {
        let last = self.last;
        let before = place.map_or(&[][..], |place| last.within(place));
        if let Some(by) = place.and_then(|place| self.repeated(&last.outer[place])) {
            found.extend(before.iter().map(|member| member.moved(by)));
            return Some(());
        }
        self.members(before, |scanner, name, _| {
            let start = scanner.at;
            let is_plain = scanner.value()?;
            found.push(member(name, (start, scanner.at), is_plain, 0));
            Some(())
        })
    }

    /// An object: calls `value` at the value of each member, to read it. `before` are the members of the one before it; it is told
    /// which of them has the same name in the same place.
    fn members(
        &mut self,
        before: &'a [Member],
        mut value: impl FnMut(&mut Self, (usize, usize), Option<usize>) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            self.is_alike &= before.is_empty();
            return Some(());
        }
        let mut place = 0;
        loop {
            let start = self.at + 1;
            let same = before.get(place).and_then(|before| self.same_name(before));
            if let Some(length) = same {
                value(self, (start, start + length), Some(place))?;
            } else {
                self.is_alike = false;
                // The rest of the decoder compares names without reading them.
                if self.string()? {
                    return None;
                }
                let name = (start, self.at - 1);
                self.colon()?;
                value(self, name, None)?;
            }
            self.space();
            place += 1;
            match self.next()? {
                b',' => self.space(),
                b'}' => break,
                _ => return None,
            }
        }
        self.is_alike &= place == before.len();
        Some(())
    }

    /// Goes to the value, if all before it is as it was in the text before; answers how long the name is.
    fn same_name(&mut self, before: &Member) -> Option<usize> {
        let (start, end) = before.name;
        let quote = (start as usize).checked_sub(1)?;
        let all = self.last_text.get(quote..before.value.0 as usize)?;
        begins(&self.bytes[self.at..], all).then(|| {
            self.at += all.len();
            (end - start) as usize
        })
    }

    /// Goes past a value that is the same object as in the text before; answers how much farther it is from the beginning.
    fn repeated(&mut self, before: &Member) -> Option<u32> {
        let (start, end) = before.value;
        let object = self.last_text.get(start as usize..end as usize)?;
        let is_same = object.first() == Some(&b'{') && self.bytes[self.at..].starts_with(object);
        is_same.then(|| {
            let moved = (self.at as u32).wrapping_sub(start);
            self.at += object.len();
            moved
        })
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

/// Whether `bytes` begin with `all`: mostly names, which are compared in two steps and without a call.
#[inline]
fn begins(bytes: &[u8], all: &[u8]) -> bool {
    const STEP: usize = size_of::<u64>();
    if !(STEP..=2 * STEP).contains(&all.len()) {
        return bytes.starts_with(all);
    }
    let Some(bytes) = bytes.get(..all.len()) else {
        return false;
    };
    bytes.first_chunk::<STEP>() == all.first_chunk()
        && bytes.last_chunk::<STEP>() == all.last_chunk()
}

fn close_of(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

#[cfg(test)]
mod tests;
