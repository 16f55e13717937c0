//! Arrays as `PostgreSQL` writes them: `{a,"b c",NULL}`.

use crate::json::is_blank;

/// An element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// `None` for `NULL`.
    pub text: Option<String>,
    /// It stood in quotes, and so is neither a number nor a word.
    pub quoted: bool,
    /// Characters before it.
    pub at: usize,
}

/// The elements of an array of one dimension; `None` if it is none.
pub(crate) fn read(text: &str) -> Option<Vec<Element>> {
    let mut rest = Rest {
        text: text.trim_end_matches(is_blank).chars().collect(),
        at: 0,
    };
    rest.skip_blanks();
    if rest.next()? != '{' {
        return None;
    }
    let mut elements = Vec::new();
    rest.skip_blanks();
    if rest.next_if('}') {
        return rest.next().is_none().then_some(elements);
    }
    loop {
        elements.push(rest.element()?);
        match rest.next()? {
            ',' => {}
            '}' => return rest.next().is_none().then_some(elements),
            _ => return None,
        }
    }
}

/// What has not been read yet.
struct Rest {
    text: Vec<char>,
    at: usize,
}

impl Rest {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn element(&mut self) -> Option<Element> {
        self.skip_blanks();
        let at = self.at;
        if self.next_if('"') {
            let text = Some(self.quoted()?);
            self.skip_blanks();
            return Some(Element {
                text,
                quoted: true,
                at,
            });
        }
        let mut text = String::new();
        while self.peek().is_some_and(|next| !matches!(next, ',' | '}')) {
            match self.next()? {
                '{' | '"' => return None,
                '\\' => text.push(self.next()?),
                plain => text.push(plain),
            }
        }
        let text = text.trim_matches(is_blank);
        if text.is_empty() {
            return None;
        }
        Some(Element {
            text: (!text.eq_ignore_ascii_case("null")).then(|| text.to_owned()),
            quoted: false,
            at,
        })
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.next()?),
                plain => text.push(plain),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Option<Vec<Option<String>>> {
        Some(
            read(text)?
                .into_iter()
                .map(|element| element.text)
                .collect(),
        )
    }

    #[test]
    fn arrays_are_read_as_postgresql_reads_them() {
        let some = |texts: &[&str]| {
            Some(
                texts
                    .iter()
                    .map(|text| Some((*text).to_owned()))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(texts("{}"), some(&[]));
        assert_eq!(texts(" { } "), some(&[]));
        assert_eq!(texts("{1,2, 3 }"), some(&["1", "2", "3"]));
        assert_eq!(
            texts(r#"{a b,"c,d\"\\",e\,f}"#),
            some(&["a b", "c,d\"\\", "e,f"])
        );
        assert_eq!(
            texts(r#"{NULL,"NULL"}"#),
            Some(vec![None, Some("NULL".to_owned())])
        );
        for text in [
            "",
            "1",
            "{",
            "{1",
            "{1,}",
            "{,1}",
            "{1}x",
            "{\"a\"b}",
            "{{1},{2}}",
            "{\\",
        ] {
            assert_eq!(texts(text), None, "{text}");
        }
    }
}
