//! Formats that config gives to the records of some topics, where recognising them would go wrong.

/// How one part of a record is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartFormat {
    Json,
    /// Framed by a schema registry's serializer.
    Avro,
    /// Framed by a schema registry's serializer.
    Protobuf,
    /// Text as it is (`StringConverter`).
    String,
}

/// What is known of a topic's records beforehand; `None` is recognised from the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormatOverride {
    pub key: Option<PartFormat>,
    pub value: Option<PartFormat>,
}

/// Overrides by topic: names or globs, in which `*` is any text. The first that matches counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicFormats(Vec<(String, FormatOverride)>);

impl TopicFormats {
    #[must_use]
    pub fn new(overrides: Vec<(String, FormatOverride)>) -> Self {
        Self(overrides)
    }

    #[must_use]
    pub fn of(&self, topic: &str) -> FormatOverride {
        let matching = self.0.iter().find(|(glob, _)| matches(glob, topic));
        matching.map_or_else(FormatOverride::default, |(_, found)| *found)
    }
}

fn matches(glob: &str, topic: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else {
        return glob == topic;
    };
    let Some(mut left) = topic.strip_prefix(start) else {
        return false;
    };
    // What stands between two stars is best found as early as possible; the last part ends the topic.
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_glob_that_matches_counts() {
        let avro = FormatOverride {
            key: Some(PartFormat::Json),
            value: Some(PartFormat::Avro),
        };
        let text = FormatOverride {
            key: Some(PartFormat::String),
            value: None,
        };
        let formats = TopicFormats::new(vec![
            ("legacy.a".to_owned(), text),
            ("legacy.*".to_owned(), avro),
        ]);
        assert_eq!(formats.of("legacy.a"), text);
        assert_eq!(formats.of("legacy.b"), avro);
        assert_eq!(formats.of("shop.legacy.b"), FormatOverride::default());
    }

    #[test]
    fn stars_are_any_text() {
        for (glob, topic, expected) in [
            ("*", "a", true),
            ("a*", "a", true),
            ("*.a", "b.a", true),
            ("a*a", "a", false),
            ("a*b*c", "a.b.x.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("**", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(glob, topic), expected, "{glob} {topic}");
        }
    }
}
