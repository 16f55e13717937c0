//! Looks into JSON where it lies: parts by path, equality whatever the spelling, containment as `jsonb` has it.
//!
//! Deeper than [`DEPTH_MAX`] nothing is taken apart: such texts are compared as they are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use row_model::{Exact, Value};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::tree::Step;

const DEPTH_MAX: usize = 64;

/// A way into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath {
    steps: Box<[Step]>,
    as_text: bool,
}

impl JsonPath {
    pub fn new(steps: &[Step], as_text: bool) -> Self {
        Self {
            steps: steps.into(),
            as_text,
        }
    }

    /// The part's JSON, as it was sent.
    pub fn part<'a>(&self, json: &'a str) -> Option<&'a str> {
        self.steps
            .iter()
            .try_fold(json, |json, step| walk(json, step))
    }

    /// Calls `then` with the part as it compares: `->>` as text, `->` as what it is. JSON's null and
    /// what is not there are null.
    pub fn with_value<T>(&self, json: &str, then: impl FnOnce(Value<'_>) -> T) -> T {
        let Some(part) = self.part(json) else {
            return then(Value::Null);
        };
        let text;
        then(match part.as_bytes().first() {
            None | Some(b'n') => Value::Null,
            Some(b'"') => {
                text = unquoted(part);
                Value::Text(&text)
            }
            Some(_) if self.as_text => Value::Text(part),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'{' | b'[') => Value::Json(part),
            Some(_) => Value::Number(part),
        })
    }
}

/// One step. Of equal keys the last counts, as in `jsonb`; a number below zero counts from an array's end.
fn walk<'a>(json: &'a str, step: &Step) -> Option<&'a str> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    match json.as_bytes().first()? {
        b'{' => deserializer.deserialize_map(Member(&step.0)).ok()?,
        b'[' => {
            let at: i64 = step.0.parse().ok()?;
            let at = if at < 0 {
                let len = elements(json)?.len() as i64;
                usize::try_from(len + at).ok()?
            } else {
                usize::try_from(at).ok()?
            };
            deserializer.deserialize_seq(Element(at)).ok()?
        }
        _ => None,
    }
}

/// Finds a member of an object.
struct Member<'k>(&'k str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == self.0 {
                found = Some(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Finds an element of an array.
struct Element(usize);

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (mut at, mut found) = (0, None);
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if at == self.0 {
                found = Some(element.get());
            }
            at += 1;
        }
        Ok(found)
    }
}

fn unquoted(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

fn elements(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// One spelling for all that are the same value: keys sorted, the last of equal ones; numbers by
/// their digits; no blanks. What is no JSON stays as it is.
pub(crate) fn canonical(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    if push_canonical(json, 0, &mut out).is_none() {
        json.clone_into(&mut out);
    }
    out
}

fn push_canonical(json: &str, depth: usize, out: &mut String) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    let json = json.trim_ascii();
    match json.as_bytes().first()? {
        b'{' => {
            let mut separator = '{';
            for (key, value) in members(json)? {
                out.push(separator);
                push_text(&key, out)?;
                out.push(':');
                push_canonical(value.get(), depth + 1, out)?;
                separator = ',';
            }
            out.push_str(if separator == '{' { "{}" } else { "}" });
        }
        b'[' => {
            let mut separator = '[';
            for value in elements(json)? {
                out.push(separator);
                push_canonical(value.get(), depth + 1, out)?;
                separator = ',';
            }
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        b'"' => push_text(&serde_json::from_str::<String>(json).ok()?, out)?,
        b'-' | b'0'..=b'9' => push_number(json, out)?,
        _ => out.push_str(json),
    }
    Some(())
}

fn push_text(text: &str, out: &mut String) -> Option<()> {
    out.push_str(&serde_json::to_string(text).ok()?);
    Some(())
}

fn push_number(json: &str, out: &mut String) -> Option<()> {
    let number = Exact::parse(json)?;
    if number.negative {
        out.push('-');
    }
    out.push_str("0.");
    out.push_str(std::str::from_utf8(&number.digits).ok()?);
    out.push('e');
    out.push_str(&number.exponent.to_string());
    Some(())
}

/// Whether `json` has all that `part` has: members of objects, elements of arrays in any order, equal
/// scalars. As in `jsonb` an array also contains a scalar that is one of its elements.
pub(crate) fn contains(json: &str, part: &str) -> bool {
    let is_array = json.trim_ascii().starts_with('[');
    if is_array && is_scalar(part) {
        let wanted = canonical(part);
        let elements = elements(json).unwrap_or_default();
        return elements
            .iter()
            .any(|element| canonical(element.get()) == wanted);
    }
    contains_within(json, part, 0)
}

/// Whether two arrays have an element in common.
pub(crate) fn overlaps(json: &str, other: &str) -> bool {
    let forms = |json| -> Option<HashSet<String>> {
        let elements = elements(json)?;
        Some(
            elements
                .iter()
                .map(|element| canonical(element.get()))
                .collect(),
        )
    };
    match (forms(json), forms(other)) {
        (Some(one), Some(other)) => !one.is_disjoint(&other),
        _ => false,
    }
}

fn is_scalar(json: &str) -> bool {
    !json.trim_ascii().starts_with(['[', '{'])
}

/// The elements that are neither arrays nor objects, in canonical form.
fn scalars_of(elements: &[&RawValue]) -> HashSet<String> {
    let elements = elements.iter().map(|element| element.get());
    elements
        .filter(|json| is_scalar(json))
        .map(canonical)
        .collect()
}

fn contains_within(json: &str, part: &str, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return json == part;
    }
    let (json, part) = (json.trim_ascii(), part.trim_ascii());
    match (json.as_bytes().first(), part.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let (Some(has), Some(wanted)) = (members(json), members(part)) else {
                return false;
            };
            wanted.iter().all(|(key, wanted)| {
                has.get(key)
                    .is_some_and(|value| contains_within(value.get(), wanted.get(), depth + 1))
            })
        }
        (Some(b'['), Some(b'[')) => {
            let (Some(has), Some(wanted)) = (elements(json), elements(part)) else {
                return false;
            };
            let mut scalars = None;
            wanted.iter().map(|wanted| wanted.get()).all(|wanted| {
                if is_scalar(wanted) {
                    // Found in one step each, however long the two lists are.
                    let scalars = scalars.get_or_insert_with(|| scalars_of(&has));
                    return scalars.contains(&canonical(wanted));
                }
                has.iter()
                    .any(|element| contains_within(element.get(), wanted, depth + 1))
            })
        }
        _ => canonical(json) == canonical(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, steps: &[&str], as_text: bool) -> String {
        let steps: Vec<Step> = steps.iter().map(|step| Step((*step).to_owned())).collect();
        JsonPath::new(&steps, as_text).with_value(json, |value| format!("{value:?}"))
    }

    #[test]
    fn parts_are_found_where_they_lie() {
        let json = r#"{"a":{"b":[1, "t\"wo", {"c":null}, 1.50]},"n":12,"a b":true,"n":13}"#;
        assert_eq!(at(json, &["a", "b", "1"], true), "Text(\"t\\\"wo\")");
        assert_eq!(at(json, &["a", "b", "-1"], false), "Number(\"1.50\")");
        assert_eq!(
            at(json, &["a", "b", "2"], false),
            "Json(\"{\\\"c\\\":null}\")"
        );
        assert_eq!(at(json, &["a", "b", "2", "c"], true), "Null");
        assert_eq!(at(json, &["n"], true), "Text(\"13\")");
        assert_eq!(at(json, &["a b"], false), "Bool(true)");
        for missing in [
            &["x"][..],
            &["a", "b", "9"],
            &["a", "b", "-9"],
            &["a", "b", "x"],
            &["n", "x"],
        ] {
            assert_eq!(at(json, missing, true), "Null");
        }
        assert_eq!(at("not json", &["x"], true), "Null");
    }

    #[test]
    fn equal_values_have_one_canonical_form() {
        let same = [
            r#"{"b":[1,2.0],"a":"x"}"#,
            r#" { "a" : "\u0078", "b":[1.0,2e0], "a":"x"}"#,
        ];
        assert_eq!(canonical(same[0]), canonical(same[1]));
        for other in [
            r#"{"b":[2,1],"a":"x"}"#,
            r#"{"b":[1,2]}"#,
            r#"{"b":[1,"2"],"a":"x"}"#,
        ] {
            assert_ne!(canonical(same[0]), canonical(other));
        }
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
        let deep = "[".repeat(100_000);
        assert_eq!(canonical(&deep), deep);
    }

    #[test]
    fn containment_is_that_of_jsonb() {
        let json = r#"{"a":[1,2,{"b":"x","c":3}],"d":"t"}"#;
        for part in [
            "{}",
            r#"{"a":[2]}"#,
            r#"{"a":[{"b":"x"}, 1.0]}"#,
            r#"{"a":[],"d":"t"}"#,
        ] {
            assert!(contains(json, part), "{part}");
        }
        for part in [
            "[]",
            r#"{"a":[3]}"#,
            r#"{"a":{}}"#,
            r#"{"d":"T"}"#,
            r#"{"a":1}"#,
        ] {
            assert!(!contains(json, part), "{part}");
        }
        assert!(
            overlaps("[1,\"a\"]", "[2,1.0]")
                && !overlaps("[1]", "[\"1\"]")
                && !overlaps("1", "[1]")
        );
        assert!(contains("[1,2]", "2") && !contains("[[1]]", "1") && contains("[1,[2]]", "[[2]]"));
    }
}
