//! Validation of `[[sources]]`: what each kind needs, and what has no meaning for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use debezium_decoder::Placeholder;

use super::columns;
use super::document::KeyPath;
use super::raw::{RawSetting, RawSource, RawSourceKind};
use super::registry;
use super::units::{parse_duration, parse_placeholder};
use super::validated::{Findings, OnBadRecord, Reads, SourceConfig};

/// Kafka's own bound on the length of a topic's name.
const TOPIC_BYTES_MAX: usize = 249;

/// How long a transaction waits for what does not come, unless config says otherwise, and what it may say.
const TRANSACTION_WAIT: Duration = Duration::from_secs(1);
const TRANSACTION_WAIT_MIN: Duration = Duration::from_millis(100);
const TRANSACTION_WAIT_MAX: Duration = Duration::from_mins(1);

pub fn validate(raw: Vec<RawSource>, findings: &mut Findings<'_>) -> Vec<SourceConfig> {
    let all = KeyPath::default().key("sources");
    if raw.is_empty() {
        findings.find(
            &all,
            "nothing says what to follow",
            "give --brokers and --topics, or --replay PATH, or a --config file with a [[sources]] section (`rowtide init` writes one; `rowtide demo` needs none of it)",
        );
    }
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let at = all.index(index);
        if let Some(name) = &raw.name
            && !names.insert(name.clone())
        {
            findings.find(
                &at.key("name"),
                format!("two sources are called {name}"),
                "give each its own name",
            );
        }
        sources.extend(source(raw, &at, findings));
    }
    sources
}

/// `None` if it is not even clear what the source is.
fn source(raw: RawSource, at: &KeyPath, findings: &mut Findings<'_>) -> Option<SourceConfig> {
    let name = name(raw.name.as_deref(), at, findings);
    let Some(kind) = raw.kind else {
        findings.find(
            at,
            format!("`{at}` has no kind"),
            "add kind = \"kafka\" or kind = \"file\"",
        );
        return None;
    };
    refuse_meaningless(&raw, kind, at, findings);
    let reads = match kind {
        RawSourceKind::Kafka => Reads::Kafka {
            brokers: brokers(raw.brokers, at, findings),
            topics: topics(raw.topics, at, findings),
            settings: settings(raw.kafka),
        },
        RawSourceKind::File => {
            let path = raw.path.unwrap_or_default();
            if path.is_empty() {
                let help = "add path = \"…\": a record file, or a directory of them";
                findings.find(at, format!("`{at}` has no path"), help);
            }
            Reads::File {
                path: path.into(),
                follow: raw.follow.unwrap_or(false),
            }
        }
    };
    let unavailable_value = raw
        .unavailable_value
        .map_or_else(Placeholder::default, |text| {
            parse_placeholder(&text).unwrap_or_else(|error| {
                findings.unusable(&at.key("unavailable_value"), error);
                Placeholder::default()
            })
        });
    let formats = columns::formats(raw.formats, &at.key("formats"), findings);
    for (key, topic) in [
        ("heartbeat_topic", &raw.heartbeat_topic),
        ("heartbeat_table", &raw.heartbeat_table),
        ("signal_table", &raw.signal_table),
        ("transaction_topic", &raw.transaction_topic),
    ] {
        if let Some(topic) = topic {
            check_topic(topic, false, &at.key(key), findings);
        }
    }
    let registry = raw
        .schema_registry
        .and_then(|raw| registry::validate(raw, &at.key("schema_registry"), findings));
    Some(SourceConfig {
        name: name?,
        reads,
        heartbeat_topic: raw.heartbeat_topic,
        transaction_topic: raw.transaction_topic.clone(),
        transaction_wait: transaction_wait(raw.transaction_wait.as_deref(), at, findings),
        heartbeat_table: raw.heartbeat_table.clone(),
        registry,
        unserved_topics: [raw.signal_table, raw.transaction_topic, raw.heartbeat_table]
            .into_iter()
            .flatten()
            .collect(),
        on_bad_record: raw
            .on_bad_record
            .map_or(OnBadRecord::Quarantine, Into::into),
        unavailable_value,
        formats,
    })
}

fn transaction_wait(raw: Option<&str>, at: &KeyPath, findings: &mut Findings<'_>) -> Duration {
    let Some(text) = raw else {
        return TRANSACTION_WAIT;
    };
    let parsed = parse_duration(text, TRANSACTION_WAIT_MIN, TRANSACTION_WAIT_MAX);
    parsed.unwrap_or_else(|error| {
        findings.unusable(&at.key("transaction_wait"), error);
        TRANSACTION_WAIT
    })
}

fn name(name: Option<&str>, at: &KeyPath, findings: &mut Findings<'_>) -> Option<String> {
    let Some(name) = name else {
        findings.find(
            at,
            format!("`{at}` has no name"),
            "add name = \"…\": the status calls it so",
        );
        return None;
    };
    // Names go into positions such as `lsn:shop/0/16B3F70`, where a `/` or `:` would have two meanings.
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        let what = format!("{name:?} cannot name a source");
        findings.find(
            &at.key("name"),
            what,
            "write letters, digits, `.`, `_` and `-`",
        );
        return None;
    }
    Some(name.to_owned())
}

/// A key of the other kind would do nothing here.
fn refuse_meaningless(
    raw: &RawSource,
    kind: RawSourceKind,
    at: &KeyPath,
    findings: &mut Findings<'_>,
) {
    let (this, other, written) = match kind {
        RawSourceKind::Kafka => (
            "kafka",
            "file",
            [
                ("path", raw.path.is_some()),
                ("follow", raw.follow.is_some()),
                ("", false),
            ],
        ),
        RawSourceKind::File => (
            "file",
            "kafka",
            [
                ("brokers", raw.brokers.is_some()),
                ("topics", !raw.topics.is_empty()),
                ("kafka", !raw.kafka.is_empty()),
            ],
        ),
    };
    for (key, _) in written.into_iter().filter(|(_, written)| *written) {
        let at = at.key(key);
        let what = format!("`{at}` does nothing for a source of kind \"{this}\"");
        findings.find(&at, what, format!("remove it, or write kind = \"{other}\""));
    }
}

fn brokers(brokers: Option<String>, at: &KeyPath, findings: &mut Findings<'_>) -> String {
    let Some(brokers) = brokers else {
        let help = "add brokers = \"host:9092\", or give --brokers";
        findings.find(at, format!("`{at}` has no brokers"), help);
        return String::new();
    };
    let fits = |broker: &str| {
        let (host, port) = broker
            .trim()
            .rsplit_once(':')
            .unwrap_or((broker.trim(), "9092"));
        !host.is_empty()
            && !host.contains(['/', ' '])
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    for broker in brokers.split(',').filter(|broker| !fits(broker)) {
        let what = format!("`{}`: {broker:?} is no broker", at.key("brokers"));
        findings.find(
            &at.key("brokers"),
            what,
            "write \"host:port\", comma-separated, without a scheme",
        );
    }
    brokers
}

fn topics(topics: Vec<String>, at: &KeyPath, findings: &mut Findings<'_>) -> Vec<String> {
    if topics.is_empty() {
        let help = "add topics = [\"shop.public.*\"], or give --topics";
        findings.find(at, format!("`{at}` has no topics"), help);
    }
    for (index, topic) in topics.iter().enumerate() {
        check_topic(topic, true, &at.key("topics").index(index), findings);
    }
    topics
}

pub fn check_topic(topic: &str, glob: bool, at: &KeyPath, findings: &mut Findings<'_>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || (glob && c == '*');
    if (1..=TOPIC_BYTES_MAX).contains(&topic.len()) && topic.chars().all(fits) {
        return;
    }
    let help = match (glob, topic.starts_with('^')) {
        (true, true) => "write a glob instead of a regular expression: `*` is any text",
        (true, false) => {
            "write a topic's name or a glob, in which `*` is any text, one list item each"
        }
        (false, _) => "write a topic's name",
    };
    findings.find(at, format!("`{at}`: {topic:?} is no topic"), help);
}

/// Which settings there are, and which are not the user's to make, is known where Kafka is.
fn settings(raw: BTreeMap<String, RawSetting>) -> BTreeMap<String, String> {
    let text = |setting| match setting {
        RawSetting::Text(text) => text,
        RawSetting::Boolean(boolean) => boolean.to_string(),
        RawSetting::Integer(integer) => integer.to_string(),
    };
    raw.into_iter()
        .map(|(name, setting)| (name, text(setting)))
        .collect()
}
