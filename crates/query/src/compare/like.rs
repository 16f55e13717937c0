//! Patterns of `like` and `ilike`: `%` or `*` for any run of characters, `_` for any one.
//!
//! Never backtracks over more than one run: after a run the leftmost match of what follows is as good
//! as any other, so the time is at most that of searching each part once from where the last one ended.

use std::borrow::Cow;

/// Characters of a pattern.
pub(crate) const PATTERN_MAX: usize = 256;

/// A pattern, split at its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// Between the runs. One part means that there is no run.
    parts: Vec<Vec<Piece>>,
    ignores_case: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    One(char),
    Anything,
}

impl Pattern {
    /// `None` if it is too long.
    pub fn new(pattern: &str, ignores_case: bool) -> Option<Self> {
        if pattern.chars().count() > PATTERN_MAX {
            return None;
        }
        let mut parts = vec![Vec::new()];
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let piece = match character {
                '%' | '*' => {
                    parts.push(Vec::new());
                    continue;
                }
                '_' => Piece::Anything,
                // A backslash at the end stands for itself.
                '\\' => Piece::One(characters.next().unwrap_or('\\')),
                character => Piece::One(character),
            };
            let piece = match piece {
                Piece::One(character) if ignores_case => Piece::One(folded(character)),
                piece => piece,
            };
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
        }
        Some(Self {
            parts,
            ignores_case,
        })
    }

    pub fn matches(&self, text: &str) -> bool {
        let text: Cow<'_, str> = if self.ignores_case {
            text.chars().map(folded).collect::<String>().into()
        } else {
            text.into()
        };
        let Some((first, rest)) = self.parts.split_first() else {
            return false;
        };
        let Some(mut left) = begins(&text, first) else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return left.is_empty();
        };
        for part in middle {
            let Some(after) = find(left, part) else {
                return false;
            };
            left = after;
        }
        ends(left, last)
    }
}

/// What follows the part at the beginning of the text.
fn begins<'a>(text: &'a str, part: &[Piece]) -> Option<&'a str> {
    let mut characters = text.chars();
    for piece in part {
        let character = characters.next()?;
        if matches!(piece, Piece::One(wanted) if *wanted != character) {
            return None;
        }
    }
    Some(characters.as_str())
}

/// What follows the part where it stands first.
fn find<'a>(text: &'a str, part: &[Piece]) -> Option<&'a str> {
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.find_map(|at| begins(&text[at..], part))
}

fn ends(text: &str, part: &[Piece]) -> bool {
    let mut characters = text.chars();
    for piece in part.iter().rev() {
        match characters.next_back() {
            None => return false,
            Some(character) if matches!(piece, Piece::One(wanted) if *wanted != character) => {
                return false;
            }
            Some(_) => {}
        }
    }
    true
}

/// In lower case, where that is one character too.
fn folded(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, false).unwrap().matches(text)
    }

    #[test]
    fn runs_single_characters_and_escapes() {
        for (pattern, text) in [
            ("", ""),
            ("%", ""),
            ("*", "anything"),
            ("a%c", "abbc"),
            ("_🦀_", "x🦀é"),
            ("%a%a%", "banana"),
            ("50\\%", "50%"),
            ("a\\", "a\\"),
            ("%ab", "aab"),
            ("a%%b", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("_", ""),
            ("a%c", "abb"),
            ("50\\%", "50x"),
            ("a%ba", "aba."),
            ("ab%ba", "aba"),
            ("A%", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(Pattern::new("ÉcOLe_", true).unwrap().matches("éColE!"));
    }

    #[test]
    fn the_worst_pattern_ends_soon() {
        let pattern = "%a_".repeat(85);
        let text = "a".repeat(200_000);
        assert!(!matches(&(pattern + "b"), &text));
    }

    /// The definition: exponential, for short texts.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some(('%', rest)), _) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
            (Some(('_', rest)), Some((_, after))) => naive(rest, after),
            (Some((wanted, rest)), Some((is, after))) => wanted == is && naive(rest, after),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matches_as_defined(pattern in "[ab%_]{0,8}", text in "[abc]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), naive(&chars(&pattern), &chars(&text)));
        }
    }
}
