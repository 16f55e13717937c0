//! Settings before they mean anything: a tree of values that remembers where each was written.
//!
//! File, environment and flags are laid over each other here, so that whatever is found wrong later
//! can name the line, the variable or the flag it came from.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::interpolate::interpolate;

/// One step on the way to a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// Where a setting is in the tree, as in `sources[0].kafka."security.protocol"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(pub Vec<Step>);

impl KeyPath {
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    f.write_str(if depth == 0 { "" } else { "." })?;
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.chars().all(bare) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The tree. Its root is always an object.
#[derive(Debug)]
pub struct Document {
    root: Value,
    origins: BTreeMap<KeyPath, Origin>,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            root: Value::Object(Map::new()),
            origins: BTreeMap::new(),
        }
    }
}

impl Document {
    /// Reads TOML; `name` is what findings call the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            let reason: Vec<&str> = error.message().lines().collect();
            ConfigError {
                origin: Origin::File {
                    path: name.to_owned(),
                    line,
                },
                what: format!("this is not TOML ({})", reason.join(", ")),
                help: match text.lines().nth(line - 1) {
                    Some(wrong) if may_hold_a_secret(wrong) => "mend that line".to_owned(),
                    Some(wrong) => format!("mend the line `{}`", wrong.trim()),
                    None => "mend the end of the file".to_owned(),
                },
            }
        })?;
        let mut reader = Reader {
            name,
            text,
            origins: BTreeMap::new(),
        };
        let root = reader.table(table.get_ref(), &KeyPath::default());
        Ok(Self {
            root,
            origins: reader.origins,
        })
    }

    pub fn root(&self) -> &Value {
        &self.root
    }

    pub fn get(&self, path: &KeyPath) -> Option<&Value> {
        path.0
            .iter()
            .try_fold(&self.root, |value, step| match step {
                Step::Key(key) => value.get(key),
                Step::Index(index) => value.get(index),
            })
    }

    /// Lays `value` over whatever `path` held. Sections on the way are made; a list grows by one at
    /// most, so that a variable cannot ask for a million sources.
    pub fn set(&mut self, path: &KeyPath, value: Value, origin: Origin) {
        let mut at = &mut self.root;
        let mut walked = KeyPath::default();
        for step in &path.0 {
            let made = at.is_null();
            at = match step {
                Step::Key(key) => {
                    if !at.is_object() {
                        *at = Value::Object(Map::new());
                    }
                    &mut at[key]
                }
                Step::Index(index) => {
                    if !at.is_array() {
                        *at = Value::Array(Vec::new());
                    }
                    let Value::Array(items) = at else { return };
                    let index = (*index).min(items.len());
                    if index == items.len() {
                        items.push(Value::Null);
                    }
                    &mut items[index]
                }
            };
            if made {
                self.origins.insert(walked.clone(), origin.clone());
            }
            walked.0.push(step.clone());
        }
        *at = value;
        self.origins.insert(path.clone(), origin);
    }

    /// Where `path` was written, or the nearest thing around it that was written.
    pub fn origin(&self, path: &KeyPath) -> Origin {
        let mut path = path.clone();
        loop {
            if let Some(origin) = self.origins.get(&path) {
                return origin.clone();
            }
            if path.0.pop().is_none() {
                return Origin::Missing;
            }
        }
    }

    /// Replaces the references in every string. What cannot be resolved stays as it is and is returned.
    pub fn interpolate(&mut self, environment: &BTreeMap<String, String>) -> Vec<ConfigError> {
        let mut root = std::mem::take(&mut self.root);
        let mut errors = Vec::new();
        visit_strings(
            &mut root,
            &KeyPath::default(),
            &mut |path, text| match interpolate(text, environment) {
                Ok(resolved) => *text = resolved,
                Err(error) => errors.push(ConfigError {
                    origin: self.origin(path),
                    what: format!("`{path}` {}", error.what),
                    help: error.help,
                }),
            },
        );
        self.root = root;
        errors
    }
}

fn visit_strings(value: &mut Value, path: &KeyPath, visit: &mut impl FnMut(&KeyPath, &mut String)) {
    match value {
        Value::String(text) => visit(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                visit_strings(item, &path.index(index), visit);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                visit_strings(entry, &path.key(key), visit);
            }
        }
        _ => {}
    }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    origins: BTreeMap<KeyPath, Origin>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) -> Value {
        let entries = table.iter().map(|(key, value)| {
            let path = path.key(key.get_ref());
            self.remember(&path, key.span().start);
            (key.get_ref().to_string(), self.value(value, &path))
        });
        Value::Object(entries.collect())
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &KeyPath) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(boolean) => Value::Bool(*boolean),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(integer) => integer.into(),
                    Err(_) => Value::String(integer.to_string()),
                }
            }
            DeValue::Float(float) => Value::String(float.to_string()),
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let path = path.index(index);
                    self.remember(&path, item.span().start);
                    self.value(item, &path)
                });
                Value::Array(items.collect())
            }
        }
    }

    fn remember(&mut self, path: &KeyPath, at: usize) {
        let line = line_at(self.text, at);
        let origin = Origin::File {
            path: self.name.to_owned(),
            line,
        };
        self.origins.insert(path.clone(), origin);
    }
}

/// Lines that are not repeated where somebody could read them.
fn may_hold_a_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    ["hash_key", "password", "secret"]
        .iter()
        .any(|word| line.contains(word))
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(steps: &[&str]) -> KeyPath {
        steps
            .iter()
            .fold(KeyPath::default(), |path, step| match step.parse() {
                Ok(index) => path.index(index),
                Err(_) => path.key(step),
            })
    }

    #[test]
    fn settings_remember_their_line() {
        let text = "data_dir = 'd'\n\n[[sources]]\nname = 's'\n[sources.kafka]\n'a.b' = 1_000\n";
        let document = Document::parse("r.toml", text).unwrap();
        let deep = path(&["sources", "0", "kafka", "a.b"]);
        assert_eq!(deep.to_string(), "sources[0].kafka.\"a.b\"");
        assert_eq!(document.get(&deep), Some(&json!(1000)));
        assert_eq!(document.origin(&deep).to_string(), "r.toml:6: ");
        // What is missing is blamed on the section it is missing from.
        assert_eq!(
            document
                .origin(&path(&["sources", "0", "brokers"]))
                .to_string(),
            "r.toml:3: "
        );
    }

    #[test]
    fn a_line_with_a_secret_is_not_repeated() {
        let error = Document::parse("r.toml", "a = 1\nhash_key = geheim\n").unwrap_err();
        assert_eq!(error.help, "mend that line");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }

    #[test]
    fn later_layers_win_and_lists_grow_by_one() {
        let mut document = Document::parse("r.toml", "[memory]\nmax = '1'").unwrap();
        let flag = Origin::Flag("--memory");
        document.set(&path(&["memory", "max"]), json!("2"), flag.clone());
        document.set(&path(&["sources", "99", "name"]), json!("s"), flag.clone());
        assert_eq!(
            document.root(),
            &json!({"memory": {"max": "2"}, "sources": [{"name": "s"}]})
        );
        assert_eq!(document.origin(&path(&["memory", "max"])), flag);
    }
}
