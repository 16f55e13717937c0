//! Compares what was written with what can be written: unknown keys, keys of later versions, values
//! of the wrong type. Finds everything in one pass; what the values mean is not looked at here.

use serde_json::Value;

use super::document::{Document, KeyPath, Step};
use super::error::ConfigError;
use super::schema::Shape;
use super::unbuilt::missing_feature;

/// Every key and value that does not fit the schema.
pub fn check(document: &Document) -> Vec<ConfigError> {
    let mut checker = Checker {
        document,
        errors: Vec::new(),
    };
    checker.value(document.root(), Shape::root(), &KeyPath::default());
    checker.errors
}

/// The name among `known` that `written` was most likely meant to be.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in three characters is a slip; more is another word.
    let most = written.chars().count().div_ceil(3);
    let distance = |name: &str| strsim::damerau_levenshtein(written, name);
    let candidates = known.into_iter().map(|name| (distance(name), name));
    candidates
        .filter(|(slips, _)| *slips <= most)
        .min()
        .map(|(_, name)| name)
}

struct Checker<'a> {
    document: &'a Document,
    errors: Vec<ConfigError>,
}

impl Checker<'_> {
    fn value(&mut self, value: &Value, shape: Shape, path: &KeyPath) {
        match (value, shape.type_name()) {
            (Value::Object(entries), Some("object")) => {
                for (key, value) in entries {
                    let path = path.key(key);
                    match shape.key(key) {
                        Some(shape) => self.value(value, shape, &path),
                        None => self.unknown_key(&path, key, shape),
                    }
                }
            }
            (Value::Array(items), Some("array")) => {
                let Some(shape) = shape.item() else { return };
                for (index, item) in items.iter().enumerate() {
                    self.value(item, shape, &path.index(index));
                }
            }
            (Value::String(word), Some("string")) => self.word(word, shape, path),
            (Value::Bool(_), Some("boolean")) | (Value::Number(_), Some("integer")) => {}
            (value, None) => {
                let mut choices = shape.choices();
                match choices.find(|choice| choice.type_name() == Some(type_of(value))) {
                    Some(choice) => self.value(value, choice, path),
                    None => self.wrong_type(value, shape, path),
                }
            }
            _ => self.wrong_type(value, shape, path),
        }
    }

    fn word(&mut self, word: &str, shape: Shape, path: &KeyPath) {
        let words = shape.words();
        if words.is_empty() || words.contains(&word) {
            return;
        }
        let help = match nearest(word, words.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of \"{}\"", words.join("\", \"")),
        };
        self.find(path, format!("`{path}` cannot be {word:?}"), help);
    }

    fn unknown_key(&mut self, path: &KeyPath, key: &str, shape: Shape) {
        let plain = without_indexes(path);
        if let Some(feature) = missing_feature(&plain) {
            let what = format!(
                "`{path}` is not supported by rowtide {}",
                env!("CARGO_PKG_VERSION")
            );
            return self.find(path, what, format!("{feature}; remove the key"));
        }
        let known: Vec<&str> = shape.keys().map(|(key, _)| key).collect();
        let help = if let Some(near) = nearest(key, known.iter().copied()) {
            format!("did you mean `{near}`?")
        } else if let Some(section) = section_of(key) {
            format!("it belongs into {section}")
        } else {
            format!("the keys known here are `{}`", known.join("`, `"))
        };
        self.find(path, format!("unknown key `{path}`"), help);
    }

    fn wrong_type(&mut self, value: &Value, shape: Shape, path: &KeyPath) {
        let is_secret = path.0.first() == Some(&Step::Key("secrets".to_owned()));
        let has = match value {
            Value::String(_) => "text",
            Value::Bool(_) => "true or false",
            Value::Array(_) => "a list",
            Value::Object(_) => "a section",
            Value::Number(_) | Value::Null => "a number",
        };
        let (needs, help) = match shape.type_name() {
            Some("object") => (
                "a section",
                format!("write it as [{}]", without_indexes(path)),
            ),
            Some("array") if value.is_object() => (
                "a list",
                format!("write [[{}]], with two brackets", without_indexes(path)),
            ),
            Some("array") => ("a list", format!("write it in brackets: [{value}]")),
            Some("boolean") => (
                "true or false",
                "write true or false, without quotes".to_owned(),
            ),
            None if !shape
                .choices()
                .any(|choice| choice.type_name() == Some("string")) =>
            {
                ("a list", format!("write it in brackets: [{value}]"))
            }
            _ if value.is_array() || value.is_object() => ("text", "write one text".to_owned()),
            _ if is_secret => ("text", "write it in quotes".to_owned()),
            _ => ("text", format!("write it in quotes: \"{value}\"")),
        };
        self.find(path, format!("`{path}` is {has}, not {needs}"), help);
    }

    fn find(&mut self, path: &KeyPath, what: String, help: String) {
        let origin = self.document.origin(path);
        self.errors.push(ConfigError { origin, what, help });
    }
}

/// What the schema calls the type of a value.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    }
}

fn without_indexes(path: &KeyPath) -> String {
    let keys = path.0.iter().filter(|step| matches!(step, Step::Key(_)));
    KeyPath(keys.cloned().collect()).to_string()
}

/// The section a key would be known in, as it is written in TOML.
fn section_of(key: &str) -> Option<String> {
    if Shape::root().keys().any(|(known, _)| known == key) {
        return Some("the top of the file, before the first section".to_owned());
    }
    Shape::root().keys().find_map(|(section, shape)| {
        let knows = |shape: Shape| shape.keys().any(|(known, _)| known == key);
        match shape.item() {
            Some(item) => knows(item).then(|| format!("[[{section}]]")),
            None => knows(shape).then(|| format!("[{section}]")),
        }
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn find(text: &str, expected: &Expect) {
        let document = Document::parse("rowtide.toml", text).unwrap();
        let errors: Vec<String> = check(&document).iter().map(ToString::to_string).collect();
        expected.assert_eq(&errors.join("\n"));
    }

    #[test]
    fn everything_unknown_is_found_at_once() {
        find(
            "lisen = 1\nbrokers = 'b'\n[[sources]]\nbroker = 'b'\ndata_dir = 'x'\nzzz = 1\n",
            &expect![[r#"
                rowtide.toml:2: unknown key `brokers`: it belongs into [[sources]]
                rowtide.toml:1: unknown key `lisen`: did you mean `listen`?
                rowtide.toml:4: unknown key `sources[0].broker`: did you mean `brokers`?
                rowtide.toml:5: unknown key `sources[0].data_dir`: it belongs into the top of the file, before the first section
                rowtide.toml:6: unknown key `sources[0].zzz`: the keys known here are `brokers`, `follow`, `formats`, `heartbeat_table`, `heartbeat_topic`, `kafka`, `kind`, `name`, `on_bad_record`, `path`, `schema_registry`, `signal_table`, `topics`, `transaction_topic`, `transaction_wait`, `unavailable_value`"#]],
        );
    }

    #[test]
    fn keys_of_later_versions_are_no_typing_errors() {
        find(
            "[[sources]]\n[webhooks]\nurl = 'x'",
            &expect![[r#"
                rowtide.toml:2: `webhooks` is not supported by rowtide 0.1.0: changes are not sent to anybody yet; remove the key"#]],
        );
    }

    #[test]
    fn a_text_may_be_a_list_where_several_are_meant() {
        let registry = |url: &str| format!("[[sources]]\n[sources.schema_registry]\nurl = {url}\n");
        find(&registry("'http://a'"), &expect![""]);
        find(&registry("['http://a', 'http://b']"), &expect![""]);
        find(
            &registry("['http://a', 7]"),
            &expect![[
                r#"rowtide.toml:3: `sources[0].schema_registry.url[1]` is a number, not text: write it in quotes: "7""#
            ]],
        );
        find(
            &registry("true"),
            &expect![[
                r#"rowtide.toml:3: `sources[0].schema_registry.url` is true or false, not text: write it in quotes: "true""#
            ]],
        );
    }

    #[test]
    fn wrong_types_say_how_to_write_it() {
        find(
            "data_dir = 7\n[sources]\nname = 's'\n",
            &expect![[r#"
                rowtide.toml:1: `data_dir` is a number, not text: write it in quotes: "7"
                rowtide.toml:2: `sources` is a section, not a list: write [[sources]], with two brackets"#]],
        );
        find(
            "listen = '127.0.0.1:80'\n[[sources]]\ntopics = 'shop.*'\nfollow = 'yes'\nkind = 'kafak'\n[sources.kafka]\n'a.b' = ['x']\n'c.d' = 1\n",
            &expect![[r#"
                rowtide.toml:1: `listen` is text, not a section: write it as [listen]
                rowtide.toml:4: `sources[0].follow` is text, not true or false: write true or false, without quotes
                rowtide.toml:7: `sources[0].kafka."a.b"` is a list, not text: write one text
                rowtide.toml:5: `sources[0].kind` cannot be "kafak": did you mean "kafka"?
                rowtide.toml:3: `sources[0].topics` is text, not a list: write it in brackets: ["shop.*"]"#]],
        );
    }
}
