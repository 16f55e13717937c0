//! What is found in a text, held against the parser of `serde_json` and against what is found in it alone.

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

    #[test]
    fn what_is_found_does_not_depend_on_the_text_before(first in record(), edits in prop::collection::vec(edit(), 1..6)) {
        let (mut record, mut outline) = (first, Outline::default());
        let mut before: Option<(Layout, Vec<String>)> = None;
        for edit in edits {
            let text = text_of(&record);
            outline.scan(&text);
            let mut alone = Outline::default();
            alone.scan(&text);
            prop_assert!(alone.found().is_some(), "{text}");
            prop_assert_eq!(outline.found(), alone.found(), "{}", text);
            let names = names_of(&outline, &text);
            if let Some((layout, names_before)) = before {
                prop_assert_eq!(layout == outline.layout(), names == names_before, "{}", text);
            }
            before = Some((outline.layout(), names));
            edit.apply(&mut record);
        }
    }
}

/// Members in their order, and how each is spelled after its name.
type Record = Vec<(String, Value)>;

fn text_of(record: &Record) -> String {
    let members = record
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Each name, with those within.
fn names_of(outline: &Outline, text: &str) -> Vec<String> {
    let members = outline.members().unwrap_or_default();
    let within = |place| outline.found.within(place).iter();
    let names = members.iter().enumerate().map(|(place, member)| {
        let within: Vec<_> = within(place).map(|member| member.name(text)).collect();
        format!("{} {within:?}", member.name(text))
    });
    names.collect()
}

fn name() -> impl Strategy<Value = String> {
    // Of all the lengths that are compared in other ways.
    prop::sample::select(vec![
        "a",
        "b",
        "name",
        "status",
        "customer_id",
        "a_name_that_is_long",
    ])
    .prop_map(str::to_owned)
}

fn small() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        (0..3).prop_map(Value::from),
        r#"[a-z\"\\]{0,2}"#.prop_map(Value::from)
    ];
    let object = prop::collection::btree_map(name(), scalar.clone(), 0..3);
    prop_oneof![
        2 => scalar,
        3 => object.prop_map(|members| Value::Object(members.into_iter().collect())),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    prop::collection::vec((name(), small()), 0..5)
}

/// What becomes of one record that makes the next.
#[derive(Clone, Debug)]
enum Edit {
    Value(prop::sample::Index, Value),
    Name(prop::sample::Index, String),
    Add(prop::sample::Index, String, Value),
    Remove(prop::sample::Index),
}

impl Edit {
    fn apply(&self, record: &mut Record) {
        let length = record.len();
        match self {
            Self::Add(at, name, value) => {
                record.insert(at.index(length + 1), (name.clone(), value.clone()));
            }
            _ if length == 0 => {}
            Self::Value(at, value) => record[at.index(length)].1 = value.clone(),
            Self::Name(at, name) => record[at.index(length)].0.clone_from(name),
            Self::Remove(at) => _ = record.remove(at.index(length)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), small()).prop_map(|(at, value)| Edit::Value(at, value)),
        1 => (at(), name()).prop_map(|(at, name)| Edit::Name(at, name)),
        1 => (at(), name(), small()).prop_map(|(at, name, value)| Edit::Add(at, name, value)),
        1 => at().prop_map(Edit::Remove),
    ]
}
