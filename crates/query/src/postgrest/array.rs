//! Arrays as `PostgreSQL` writes them: `{a,"b c",NULL}`.

use std::iter::Peekable;
use std::str::Chars;

/// An element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// `None` for `NULL`.
    pub text: Option<String>,
    /// It stood in quotes, and so is neither a number nor a word.
    pub quoted: bool,
}

/// The elements of an array of one dimension; `None` if it is none.
pub(crate) fn read(text: &str) -> Option<Vec<Element>> {
    let mut rest = text.trim().chars().peekable();
    if rest.next() != Some('{') {
        return None;
    }
    let mut elements = Vec::new();
    skip_blanks(&mut rest);
    if rest.peek() == Some(&'}') {
        rest.next();
        return rest.next().is_none().then_some(elements);
    }
    loop {
        elements.push(element(&mut rest)?);
        match rest.next()? {
            ',' => {}
            '}' => return rest.next().is_none().then_some(elements),
            _ => return None,
        }
    }
}

fn element(rest: &mut Peekable<Chars<'_>>) -> Option<Element> {
    skip_blanks(rest);
    let mut text = String::new();
    if rest.next_if_eq(&'"').is_some() {
        loop {
            match rest.next()? {
                '"' => break,
                '\\' => text.push(rest.next()?),
                plain => text.push(plain),
            }
        }
        skip_blanks(rest);
        return Some(Element {
            text: Some(text),
            quoted: true,
        });
    }
    while let Some(plain) = rest.next_if(|next| !matches!(next, ',' | '}')) {
        match plain {
            '{' | '"' => return None,
            '\\' => text.push(rest.next()?),
            plain => text.push(plain),
        }
    }
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(Element {
        text: (!text.eq_ignore_ascii_case("null")).then(|| text.to_owned()),
        quoted: false,
    })
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
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
