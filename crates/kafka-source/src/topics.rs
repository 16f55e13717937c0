//! Which topics a source reads, and what to say of those that do not exist. Pure.

use std::collections::BTreeSet;

use change_feed::SourceError;
use wildmatch::WildMatch;

/// Names at least this alike are worth suggesting for one that does not exist.
const SUGGESTION_LIKENESS_MIN: f64 = 0.8;
const SUGGESTIONS_MAX: usize = 3;

/// Kafka's own topics, and Debezium's heartbeats, begin with this.
const INTERNAL_PREFIX: &str = "__";

#[derive(Debug)]
pub(crate) struct TopicSelection {
    required: BTreeSet<String>,
    optional: BTreeSet<String>,
    globs: Vec<(String, WildMatch)>,
}

impl TopicSelection {
    /// `topics` are names, which must exist sooner or later, or globs (`*` is any text). `extra` are
    /// names that are read if they exist.
    pub(crate) fn new(topics: &[String], extra: &[String]) -> Result<Self, SourceError> {
        if topics.iter().all(|topic| topic.trim().is_empty()) {
            return Err(SourceError::Config(
                "no topics are named: name at least one topic or glob".to_owned(),
            ));
        }
        let (globs, required): (Vec<_>, Vec<_>) = topics
            .iter()
            .cloned()
            .partition(|topic| topic.contains('*'));
        let compiled = globs
            .into_iter()
            .map(|glob| (glob.clone(), WildMatch::new(&glob)));
        Ok(Self {
            required: required.into_iter().collect(),
            optional: extra.iter().cloned().collect(),
            globs: compiled.collect(),
        })
    }

    /// Internal topics are read only if something names them: a name, or a glob that begins like them.
    pub(crate) fn contains(&self, topic: &str) -> bool {
        let by_glob = |(glob, compiled): &(String, WildMatch)| {
            compiled.matches(topic)
                && (!topic.starts_with(INTERNAL_PREFIX) || glob.starts_with(INTERNAL_PREFIX))
        };
        self.required.contains(topic)
            || self.optional.contains(topic)
            || self.globs.iter().any(by_glob)
    }

    /// Globs that match nothing there is.
    pub(crate) fn idle_globs(&self, existing: &BTreeSet<&str>) -> Vec<String> {
        let matches = |glob: &str| {
            let alone = Self::new(&[glob.to_owned()], &[]);
            alone.is_ok_and(|alone| existing.iter().any(|topic| alone.contains(topic)))
        };
        let globs = self.globs.iter().map(|(glob, _)| glob);
        globs.filter(|glob| !matches(glob)).cloned().collect()
    }

    /// Required topics that do not exist, each with a hint.
    pub(crate) fn missing(&self, existing: &BTreeSet<&str>) -> Vec<(String, String)> {
        let missing = self
            .required
            .iter()
            .filter(|topic| !existing.contains(topic.as_str()));
        missing
            .map(|topic| (topic.clone(), hint(topic, existing)))
            .collect()
    }
}

fn hint(topic: &str, existing: &BTreeSet<&str>) -> String {
    let likeness = |name: &str| {
        let as_last = existing_suffix(topic, name);
        if as_last {
            1.0
        } else {
            strsim::jaro_winkler(topic, name)
        }
    };
    let mut alike: Vec<(f64, &str)> = existing
        .iter()
        .map(|name| (likeness(name), *name))
        .collect();
    alike.retain(|(likeness, _)| *likeness >= SUGGESTION_LIKENESS_MIN);
    alike.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    let alike: Vec<&str> = alike
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, name)| name)
        .collect();
    match alike.as_slice() {
        [] if existing.is_empty() => " (the broker has no topics yet)".to_owned(),
        [] => " (or this user may not read it); it is read as soon as it does".to_owned(),
        names => format!(" (did you mean {}?)", names.join(" or ")),
    }
}

/// `orders` is most likely meant for `shop.public.orders`.
fn existing_suffix(topic: &str, name: &str) -> bool {
    name.strip_suffix(topic)
        .is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(topics: &[&str], extra: &[&str]) -> TopicSelection {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        TopicSelection::new(&owned(topics), &owned(extra)).unwrap()
    }

    #[test]
    fn names_and_globs_choose_topics() {
        let chosen = selection(
            &["shop.public.*", "crm.*.orders", "plain"],
            &["shop.transaction"],
        );
        for topic in [
            "shop.public.orders",
            "shop.public.",
            "crm.a.b.orders",
            "plain",
            "shop.transaction",
        ] {
            assert!(chosen.contains(topic), "{topic}");
        }
        for topic in [
            "shop.publicorders",
            "xshop.public.orders",
            "shop.public",
            "Plain",
            "plain2",
            "crm.orders",
        ] {
            assert!(!chosen.contains(topic), "{topic}");
        }
    }

    #[test]
    fn internal_topics_must_be_named() {
        assert!(!selection(&["*"], &[]).contains("__consumer_offsets"));
        assert!(
            selection(&["*"], &["__debezium-heartbeat.shop"]).contains("__debezium-heartbeat.shop")
        );
        assert!(selection(&["__debezium-heartbeat.*"], &[]).contains("__debezium-heartbeat.shop"));
    }

    #[test]
    fn a_missing_name_is_told_with_what_may_be_meant() {
        let chosen = selection(
            &["orders", "shop.public.custmers", "shop.*", "z"],
            &["nowhere"],
        );
        let existing =
            BTreeSet::from(["shop.public.orders", "shop.public.customers", "crm.orders"]);
        let missing = chosen.missing(&existing);
        let missing: Vec<_> = missing
            .iter()
            .map(|(topic, hint)| format!("{topic}{hint}"))
            .collect();
        let expected = [
            "orders (did you mean crm.orders or shop.public.orders?)",
            "shop.public.custmers (did you mean shop.public.customers or shop.public.orders?)",
            "z (or this user may not read it); it is read as soon as it does",
        ];
        assert_eq!(missing, expected);
        assert_eq!(
            chosen.missing(&BTreeSet::new())[2].1,
            " (the broker has no topics yet)"
        );
    }
}
