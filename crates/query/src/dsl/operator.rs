//! Operators as JSON spells them: the URL's, with `not_` before them, and the signs and words that mean the same.

use crate::tree::{IsWhat, Operator};

/// What a condition asks of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asks {
    pub negated: bool,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Compared(Operator),
    /// An operator that says by itself what the value is.
    Is(IsWhat),
}

/// How operators are spelled, for errors.
pub(crate) const SPELLINGS: &[&str] = &[
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "like",
    "ilike",
    "starts_with",
    "is",
    "is_null",
    "not_null",
    "contains",
    "between",
    "match",
    "imatch",
    "cd",
    "ov",
];

impl Asks {
    pub fn from_spelling(spelling: &str) -> Option<Self> {
        let spelling = spelling.trim().to_ascii_lowercase().replace(' ', "_");
        if let Some(what) = what(&spelling) {
            return Some(Self {
                negated: false,
                what,
            });
        }
        let positive = spelling
            .strip_prefix("not_")
            .or_else(|| spelling.strip_prefix("not."))?;
        what(positive).map(|what| Self {
            negated: true,
            what,
        })
    }
}

fn what(spelling: &str) -> Option<What> {
    let operator = match spelling {
        "is_null" => return Some(What::Is(IsWhat::Null)),
        "not_null" | "is_not_null" => return Some(What::Is(IsWhat::NotNull)),
        "=" | "==" => Operator::Eq,
        "!=" | "<>" | "ne" => Operator::Neq,
        ">" => Operator::Gt,
        ">=" | "ge" => Operator::Gte,
        "<" => Operator::Lt,
        "<=" | "le" => Operator::Lte,
        "starts_with" => Operator::Starts,
        "@>" => Operator::Contains,
        "<@" => Operator::ContainedIn,
        "&&" => Operator::Overlaps,
        "~" => Operator::Match,
        "~*" => Operator::Imatch,
        spelling => Operator::from_spelling(spelling)?,
    };
    Some(What::Compared(operator))
}
