//! Arrays as `PostgreSQL` writes them: `{a,"b c",NULL}`.

use serde_json::value::RawValue;

/// Dimensions that an array may have.
const DIMENSIONS_MAX: usize = 6;

/// Appends the text of an array that is given as JSON; what is none is appended as it is.
pub fn write_array(json: &str, out: &mut String) {
    write_dimension(json, DIMENSIONS_MAX, out);
}

fn write_dimension(json: &str, dimensions_left: usize, out: &mut String) {
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json) else {
        return out.push_str(json);
    };
    out.push('{');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let element = element.get();
        match element.as_bytes().first() {
            Some(b'n') => out.push_str("NULL"),
            Some(b't') => out.push('t'),
            Some(b'f') => out.push('f'),
            Some(b'"') => match serde_json::from_str::<String>(element) {
                Ok(text) => write_element(&text, out),
                Err(_) => write_element(element, out),
            },
            Some(b'[') if dimensions_left > 1 => {
                write_dimension(element, dimensions_left - 1, out);
            }
            _ => write_element(element, out),
        }
    }
    out.push('}');
}

/// What may stand around elements without being part of them.
pub fn is_blank(found: char) -> bool {
    matches!(found, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// In quotes where the text could be taken for something else.
fn write_element(text: &str, out: &mut String) {
    let means_something =
        |found: char| matches!(found, '"' | '\\' | '{' | '}' | ',') || is_blank(found);
    let is_plain =
        !text.is_empty() && !text.contains(means_something) && !text.eq_ignore_ascii_case("null");
    if is_plain {
        return out.push_str(text);
    }
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postgrest::array;

    fn written(json: &str) -> String {
        let mut out = String::new();
        write_array(json, &mut out);
        out
    }

    #[test]
    fn arrays_are_spelled_as_by_postgres() {
        for (json, expected) in [
            ("[]", "{}"),
            ("[1, 2.50,null]", "{1,2.50,NULL}"),
            ("[true,false]", "{t,f}"),
            ("[[1,2],[3,4]]", "{{1,2},{3,4}}"),
            (
                r#"["a","b c","","null","x\"y","b\\c","{","é","a,b","\t"]"#,
                "{a,\"b c\",\"\",\"null\",\"x\\\"y\",\"b\\\\c\",\"{\",é,\"a,b\",\"\t\"}",
            ),
            (r#"[{"a": 1},1]"#, r#"{"{\"a\": 1}",1}"#),
            ("[[[[[[[1]]]]]]]", r"{{{{{{[1]}}}}}}"),
            (r#""no array""#, r#""no array""#),
        ] {
            assert_eq!(written(json), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(texts in prop::collection::vec(prop::option::of(".*"), 0..5)) {
            let json = serde_json::to_string(&texts).unwrap();
            let read = array::read(&written(&json)).unwrap();
            let read: Vec<Option<String>> = read.into_iter().map(|element| element.text).collect();
            prop_assert_eq!(read, texts);
        }
    }
}
