//! The text of one parameter, read from left to right, and what can be wrong with it.

use super::LIST_MAX;
use crate::shown::Clash;
use crate::tree::{Operator, Place};

/// A parameter that cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, {place}")]
pub struct SyntaxError {
    pub place: Place,
    pub problem: Problem,
}

/// Why a parameter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else must stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// There is more after what was a whole already.
    #[error("expected the end, or {0}")]
    Trailing(&'static str),
    /// A condition's operator is none.
    #[error("there is no operator '{0}'")]
    UnknownOperator(String),
    /// It is part of the grammar, but this version does not have it.
    #[error("{0} are not supported by this version")]
    Unsupported(String),
    /// The same, with what was written in it.
    #[error("expected {0}")]
    Instead(String),
    /// A body is no JSON.
    #[error("this is no JSON: {0}")]
    Json(String),
    /// An object has a field that it cannot have.
    #[error("there is no field '{name}' here")]
    UnknownField {
        name: String,
        known: &'static [&'static str],
    },
    /// One of a few words must stand here.
    #[error("'{word}' is not known here")]
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    /// Something is said of a relation that is not shown.
    #[error("no relation '{name}' is shown")]
    NotShown { name: String, known: Vec<String> },
    /// What was said does not go together.
    #[error("{0}")]
    Clash(Clash),
    /// A query is more than one may ask at once.
    #[error("there are more than {max} {what}")]
    TooMuch { what: &'static str, max: usize },
}

impl SyntaxError {
    pub(crate) fn new(place: Place, problem: Problem) -> Self {
        Self { place, problem }
    }

    /// What was written, and what could have been meant by it, if that is one of a few words.
    #[must_use]
    pub fn candidates(&self) -> Option<(&str, Vec<&str>)> {
        match &self.problem {
            Problem::UnknownOperator(word) => Some((word, Operator::SPELLINGS.to_vec())),
            Problem::NotShown { name, known } => {
                Some((name, known.iter().map(String::as_str).collect()))
            }
            Problem::UnknownField { name, known } | Problem::UnknownWord { word: name, known } => {
                Some((name, known.to_vec()))
            }
            _ => None,
        }
    }
}

/// A parameter's name or value, and how far it has been read.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    parameter: &'a str,
    whole: &'a str,
    at: usize,
    is_name: bool,
}

impl<'a> Text<'a> {
    pub fn new(parameter: &'a str, value: &'a str) -> Self {
        Self {
            parameter,
            whole: value,
            at: 0,
            is_name: false,
        }
    }

    /// Reads the name itself.
    pub fn name(parameter: &'a str, part: &'a str) -> Self {
        Self {
            is_name: true,
            ..Self::new(parameter, part)
        }
    }

    pub fn rest(&self) -> &'a str {
        &self.whole[self.at..]
    }

    pub fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub fn place(&self) -> Place {
        Place {
            parameter: self.parameter.to_owned(),
            offset: (!self.is_name).then(|| self.whole[..self.at].chars().count()),
        }
    }

    /// The place of the parameter's name.
    pub fn name_place(&self) -> Place {
        Place {
            parameter: self.parameter.to_owned(),
            offset: None,
        }
    }

    pub fn error(&self, problem: Problem) -> SyntaxError {
        SyntaxError::new(self.place(), problem)
    }

    pub fn expected(&self, what: &'static str) -> SyntaxError {
        self.error(Problem::Expected(what))
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn take(&mut self, token: &str) -> bool {
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    /// Takes back what was just taken.
    pub fn give_back(&mut self, token: &str) {
        self.at -= token.len();
    }

    pub fn expect(&mut self, token: &str, what: &'static str) -> Result<(), SyntaxError> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.expected(what))
        }
    }

    pub fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    /// Takes the longest run before one of these characters.
    pub fn until(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    pub fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.whole.len();
        rest
    }

    /// A text in double quotes, where a backslash takes the next character as it is.
    pub fn quoted(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let mut read = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.at = start + at + 1;
                    return Ok(read);
                }
                '\\' => match characters.next() {
                    Some((_, escaped)) => read.push(escaped),
                    None => break,
                },
                character => read.push(character),
            }
        }
        Err(self.expected("a closing quote for this one"))
    }

    /// One value of a list or group: quoted, or up to the next comma or parenthesis.
    pub fn element(&mut self) -> Result<String, SyntaxError> {
        if self.peek() == Some('"') {
            self.quoted()
        } else {
            Ok(self.until(&[',', ')']).to_owned())
        }
    }

    /// `(a,"b,c",d)`. `()` is empty; a list of the empty text is `("")`.
    pub fn list(&mut self) -> Result<Vec<String>, SyntaxError> {
        self.expect("(", "a list in parentheses, as in (a,b)")?;
        let mut values = Vec::new();
        self.skip_blanks();
        if self.take(")") {
            return Ok(values);
        }
        loop {
            if values.len() == LIST_MAX {
                return Err(self.error(Problem::TooMuch {
                    what: "values in one list",
                    max: LIST_MAX,
                }));
            }
            values.push(self.element()?);
            if self.take(")") {
                return Ok(values);
            }
            self.expect(",", "',' or ')'")?;
            self.skip_blanks();
        }
    }
}
