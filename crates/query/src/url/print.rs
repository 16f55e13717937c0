//! Writes conditions and orders as the URL spells them, in one form for all that mean the same tree:
//! what a cursor is bound to, and what reads back as the same.

use super::condition::is_condition_word;
use super::order::is_direction;
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Ordered, RelationRef, Test};

/// The value of an `and` parameter that says the same.
#[must_use]
pub fn print_conditions(conditions: &[Condition]) -> String {
    let mut out = String::new();
    parts(conditions, &mut out);
    out
}

/// The value of an `order` parameter that says the same.
#[must_use]
pub fn print_order(order: &[Ordered]) -> String {
    let mut out = String::new();
    for (at, item) in order.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        path(&item.by, &mut out);
        out.push_str(if item.descending { ".desc" } else { ".asc" });
        out.push_str(if item.nulls_first {
            ".nullsfirst"
        } else {
            ".nullslast"
        });
    }
    out
}

fn parts(conditions: &[Condition], out: &mut String) {
    out.push('(');
    for (at, part) in conditions.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        condition(part, out);
    }
    out.push(')');
}

fn condition(condition: &Condition, out: &mut String) {
    match condition {
        Condition::All(of) => {
            out.push_str("and");
            parts(of, out);
        }
        Condition::Any(of) => {
            out.push_str("or");
            parts(of, out);
        }
        Condition::Test(of) => test(of, "", out),
        Condition::Related(of) => {
            relation(&of.relation, out);
            out.push_str(".and");
            parts(&of.filter, out);
        }
        Condition::Not(of) => match &**of {
            Condition::Test(of) => test(of, "not.", out),
            Condition::Not(_) | Condition::Related(_) => {
                // A group of one can be negated twice; a condition cannot.
                out.push_str("not.and");
                parts(std::slice::from_ref(of), out);
            }
            group => {
                out.push_str("not.");
                self::condition(group, out);
            }
        },
    }
}

fn test(test: &Test, negation: &str, out: &mut String) {
    path(&test.column, out);
    out.push('.');
    out.push_str(negation);
    out.push_str(test.operator.spelling());
    out.push('.');
    match &test.operand {
        Operand::One(text) => value(text, out),
        Operand::List(values) => {
            out.push('(');
            for (at, text) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                value(text, out);
            }
            out.push(')');
        }
        Operand::Is(what) => out.push_str(match what {
            IsWhat::Null => "null",
            IsWhat::NotNull => "not_null",
            IsWhat::True => "true",
            IsWhat::False => "false",
        }),
        Operand::Column(other) => {
            out.push_str("column(");
            path(other, out);
            out.push(')');
        }
    }
}

/// A relation, which a dot follows.
fn relation(relation: &RelationRef, out: &mut String) {
    dotted(&relation.name, out);
    if let Some(hint) = &relation.hint {
        out.push('!');
        name(hint, out);
    }
}

fn path(path: &ColumnPath, out: &mut String) {
    for relation in &path.via {
        self::relation(relation, out);
        out.push('.');
    }
    if path.via.is_empty() {
        name(&path.column, out);
    } else {
        dotted(&path.column, out);
    }
    for (at, step) in path.steps.iter().enumerate() {
        let last = at + 1 == path.steps.len();
        out.push_str(if last && path.as_text { "->>" } else { "->" });
        name(&step.0, out);
    }
    if let Some(cast) = &path.cast {
        out.push_str("::");
        name(cast, out);
    }
}

/// A name beside a dot, where it may be taken for a word of the grammar.
fn dotted(text: &str, out: &mut String) {
    if is_condition_word(&format!("{text}.")) || is_direction(text) {
        quoted(text, out);
    } else {
        name(text, out);
    }
}

/// A name that reads as one only in quotes gets them.
fn name(name: &str, out: &mut String) {
    if is_all(name, |character| character == '_') {
        out.push_str(name);
    } else {
        quoted(name, out);
    }
}

fn value(text: &str, out: &mut String) {
    if is_all(text, |character| {
        matches!(character, '_' | '-' | '.' | ':' | '+')
    }) {
        out.push_str(text);
    } else {
        quoted(text, out);
    }
}

/// Whether a text has letters, digits and these others only, and some of them.
fn is_all(text: &str, or: impl Fn(char) -> bool) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || or(char::from(byte));
    !text.is_empty()
        && (text.bytes().all(is_usual)
            || text
                .chars()
                .all(|character| character.is_alphanumeric() || or(character)))
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}
