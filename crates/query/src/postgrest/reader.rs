//! Reads text from left to right, and explains what it cannot read in the words that `PostgREST` uses.
//!
//! `PostgREST` is written with Parsec, and its clients see Parsec's messages: what stood there, what was
//! expected of all that could have come, and where. They come out the same because failures are
//! gathered by the same rules: what fails without having taken anything is gathered with what comes
//! next, the farthest place wins, and what was taken forgets all that was gathered before it.

use std::fmt::Write;

/// Reading has failed; the [`Reader`] knows why.
#[derive(Debug)]
pub(super) struct Failed;

pub(super) type Read<T> = Result<T, Failed>;

/// One way to read something, of several.
pub(super) type Way<'a, T> = &'a dyn Fn(&mut Reader) -> Read<T>;

/// One thing that is said of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Note {
    /// A character, quoted, or nothing at the end of the text.
    Found(String),
    /// What should not have been there.
    Unexpected(String),
    Expected(String),
    Said(String),
}

/// What went wrong at the farthest place so far.
#[derive(Clone, Debug, Default)]
struct Trouble {
    at: usize,
    notes: Vec<Note>,
}

impl Trouble {
    fn and(mut self, other: Self) -> Self {
        if other.notes.is_empty() && !self.notes.is_empty() {
            return self;
        }
        if self.notes.is_empty() || other.at > self.at {
            return other;
        }
        if other.at == self.at {
            self.notes.extend(other.notes);
        }
        self
    }
}

pub(super) struct Reader {
    text: Vec<char>,
    at: usize,
    trouble: Trouble,
}

impl Reader {
    pub fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
            trouble: Trouble::default(),
        }
    }

    /// Characters that were taken.
    pub fn at(&self) -> usize {
        self.at
    }

    /// One character that fits. It is called something only if a label says so.
    pub fn one_of(&mut self, fits: impl Fn(char) -> bool) -> Read<char> {
        match self.text.get(self.at) {
            Some(&found) if fits(found) => {
                self.taken(1);
                Ok(found)
            }
            found => {
                let found = found.map_or_else(String::new, |found| quoted(&[*found]));
                self.refuse(vec![Note::Found(found)])
            }
        }
    }

    pub fn character(&mut self, wanted: char) -> Read<()> {
        self.labelled(&quoted(&[wanted]), |reader| {
            reader.one_of(|found| found == wanted).map(|_| ())
        })
    }

    /// All of a text. A text that begins like it has been taken so far when this fails.
    pub fn word(&mut self, wanted: &str) -> Read<()> {
        let wanted: Vec<char> = wanted.chars().collect();
        let there = &self.text[self.at..];
        let same = wanted.iter().zip(there).take_while(|(a, b)| a == b).count();
        if same == wanted.len() {
            self.taken(same);
            return Ok(());
        }
        let found = there
            .get(same)
            .map_or_else(String::new, |found| quoted(&[*found]));
        let notes = vec![Note::Found(found), Note::Expected(quoted(&wanted))];
        if same == 0 {
            return self.refuse(notes);
        }
        self.trouble = Trouble { at: self.at, notes };
        self.at += same;
        Err(Failed)
    }

    /// The same whatever the case of ASCII letters.
    pub fn word_in_any_case(&mut self, wanted: &str) -> Read<()> {
        for wanted in wanted.chars() {
            self.one_of(|found| found.eq_ignore_ascii_case(&wanted))?;
        }
        Ok(())
    }

    pub fn end(&mut self) -> Read<()> {
        match self.text.get(self.at) {
            None => Ok(()),
            Some(found) => {
                let found = format!("'{}'", escaped(*found, '\''));
                self.refuse(vec![
                    Note::Unexpected(found),
                    Note::Expected("end of input".to_owned()),
                ])
            }
        }
    }

    /// What comes next may not be a character that fits.
    pub fn not_before(&mut self, fits: impl Fn(char) -> bool) -> Read<()> {
        match self.text.get(self.at) {
            Some(&found) if fits(found) => {
                let found = format!("'{}'", escaped(found, '\''));
                self.refuse(vec![Note::Unexpected(found)])
            }
            _ => Ok(()),
        }
    }

    /// What could be read is refused all the same.
    pub fn refused<T>(&mut self, why: &str) -> Read<T> {
        self.refuse(vec![Note::Said(why.to_owned())])
    }

    /// If this fails, nothing has been taken.
    pub fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let (start, before) = (self.at, self.afresh());
        let result = read(self);
        if result.is_err() {
            self.at = start;
        }
        if self.at == start {
            let inner = std::mem::take(&mut self.trouble);
            self.trouble = before.and(inner);
        }
        result
    }

    /// What is read is called so where nothing of it is there.
    pub fn labelled<T>(&mut self, label: &str, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let (start, before) = (self.at, self.afresh());
        let result = read(self);
        if self.at != start {
            return result;
        }
        let mut inner = std::mem::take(&mut self.trouble);
        if result.is_err() || !inner.notes.is_empty() {
            inner
                .notes
                .retain(|note| !matches!(note, Note::Expected(_)));
            inner.notes.push(Note::Expected(label.to_owned()));
        }
        self.trouble = before.and(inner);
        result
    }

    /// Looks whether it could be read here, and takes nothing.
    pub fn ahead<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<()> {
        let (start, before) = (self.at, self.afresh());
        let result = read(self);
        if result.is_ok() {
            self.at = start;
            self.trouble = before;
            return Ok(());
        }
        if self.at == start {
            let inner = std::mem::take(&mut self.trouble);
            self.trouble = before.and(inner);
        }
        Err(Failed)
    }

    /// The first of two that takes something or succeeds.
    pub fn either<T>(
        &mut self,
        first: impl FnOnce(&mut Self) -> Read<T>,
        second: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        let start = self.at;
        match first(self) {
            Err(Failed) if self.at == start => second(self),
            result => result,
        }
    }

    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        self.either(|reader| read(reader).map(Some), |_| Ok(None))
    }

    /// As many as there are.
    pub fn many<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut all = Vec::new();
        while let Some(one) = self.optional(&mut read)? {
            all.push(one);
        }
        Ok(all)
    }

    /// At least one, with something between each two.
    pub fn separated<T>(
        &mut self,
        mut separator: impl FnMut(&mut Self) -> Read<()>,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let mut all = vec![read(self)?];
        all.extend(self.many(|reader| {
            separator(reader)?;
            read(reader)
        })?);
        Ok(all)
    }

    /// Blanks around it are passed over.
    pub fn spaced<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.blanks()?;
        let result = read(self)?;
        self.blanks()?;
        Ok(result)
    }

    /// As many characters as fit.
    pub fn run(&mut self, fits: impl Fn(char) -> bool) -> Read<String> {
        let all = self.many(|reader| reader.one_of(&fits))?;
        Ok(all.into_iter().collect())
    }

    fn blanks(&mut self) -> Read<()> {
        self.run(|found| matches!(found, ' ' | '\t')).map(|_| ())
    }

    fn taken(&mut self, count: usize) {
        self.at += count;
        self.trouble = Trouble {
            at: self.at,
            notes: Vec::new(),
        };
    }

    /// Takes what was gathered so far: it would otherwise be gathered twice.
    fn afresh(&mut self) -> Trouble {
        let nothing = Trouble {
            at: self.at,
            notes: Vec::new(),
        };
        std::mem::replace(&mut self.trouble, nothing)
    }

    fn refuse<T>(&mut self, notes: Vec<Note>) -> Read<T> {
        let before = std::mem::take(&mut self.trouble);
        self.trouble = before.and(Trouble { at: self.at, notes });
        Err(Failed)
    }

    /// Where it failed, in characters from the beginning.
    pub fn failed_at(&self) -> usize {
        self.trouble.at
    }

    /// `(line 1, column 4)`. A tab reaches to the next column that is a multiple of eight.
    pub fn place(&self) -> String {
        let (mut line, mut column) = (1, 1);
        for passed in &self.text[..self.trouble.at.min(self.text.len())] {
            match passed {
                '\n' => (line, column) = (line + 1, 1),
                '\t' => column += 8 - (column - 1) % 8,
                _ => column += 1,
            }
        }
        format!("(line {line}, column {column})")
    }

    /// `unexpected "x" expecting "y" or end of input`.
    pub fn explanation(&self) -> String {
        let notes = &self.trouble.notes;
        let of = |choose: &dyn Fn(&Note) -> Option<&String>| {
            let mut texts: Vec<&str> = Vec::new();
            for text in notes
                .iter()
                .filter_map(choose)
                .filter(|text| !text.is_empty())
            {
                if !texts.contains(&&**text) {
                    texts.push(text);
                }
            }
            listed(&texts)
        };
        let unexpected = of(&|note| match note {
            Note::Unexpected(text) => Some(text),
            _ => None,
        });
        let found = notes.iter().find_map(|note| match note {
            Note::Found(text) if text.is_empty() => Some("end of input"),
            Note::Found(text) => Some(text),
            _ => None,
        });
        let expected = of(&|note| match note {
            Note::Expected(text) => Some(text),
            _ => None,
        });
        let said = of(&|note| match note {
            Note::Said(text) => Some(text),
            _ => None,
        });
        let unexpected = unexpected.or_else(|| found.map(str::to_owned));
        let parts = [
            unexpected.map(|text| format!("unexpected {text}")),
            expected.map(|text| format!("expecting {text}")),
            said,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return "unknown parse error".to_owned();
        }
        parts.join(" ")
    }
}

/// `a, b or c`.
fn listed(texts: &[&str]) -> Option<String> {
    let (last, others) = texts.split_last()?;
    if others.is_empty() {
        return Some((*last).to_owned());
    }
    Some(format!("{} or {last}", others.join(", ")))
}

fn quoted(text: &[char]) -> String {
    let inner: String = text.iter().map(|found| escaped(*found, '"')).collect();
    format!("\"{inner}\"")
}

/// A character as Haskell shows it between such quotes.
fn escaped(found: char, quote: char) -> String {
    let mut text = String::new();
    match found {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\\' => text.push_str("\\\\"),
        _ if found == quote => text.extend(['\\', found]),
        ' '..='~' => text.push(found),
        _ => {
            let _ = write!(text, "\\{}", u32::from(found)); // Writing to a string cannot fail.
        }
    }
    text
}
