//! What a source is told, and librdkafka's settings made of it. The user's settings win over ours,
//! except where the source would break its promises.

use std::collections::BTreeMap;
use std::time::Duration;

use change_feed::SourceError;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// How often new topics and partitions are looked for, and the ends of the known ones asked for.
pub const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// What may wait in memory between librdkafka and us, shared out among the partitions known when the
/// first is started. Each gets some, so that a thousand partitions may take more than this.
const QUEUE_BYTES_TOTAL: usize = 16 << 20;
const QUEUE_BYTES_PER_PARTITION: std::ops::RangeInclusive<usize> = 64 << 10..=8 << 20;

/// Room for librdkafka's own bookkeeping of small records, which its byte limit does not count.
const QUEUE_BYTES_PER_RECORD_MIN: usize = 256;

/// One partition's share of one answer; a bigger record still comes whole.
const FETCH_BYTES_PER_PARTITION_MAX: usize = 1 << 20;

/// How often the client tells how its brokers answer, and for how many partitions: it tells of each of them, which
/// takes it a microsecond or two.
const STATISTICS_INTERVAL_MS: usize = 200;
const STATISTICS_PARTITIONS: usize = 100;
const STATISTICS_INTERVAL_MS_MAX: usize = 2_000;

/// What librdkafka has brokers hold an empty answer back for if it is not told.
const FETCH_WAIT_DEFAULT: Duration = Duration::from_millis(500);

/// Ours, where librdkafka's defaults are made for consumers that keep up and wait for little.
const DEFAULTS: [(&str, &str); 11] = [
    ("client.id", "rowtide"),
    ("isolation.level", "read_committed"),
    // By default a full queue pauses fetching for a second: a quarter of a replay's time and more.
    ("fetch.queue.backoff.ms", "5"),
    // The end of a partition is known when a fetch comes back empty: not after half a second. And while the queues of all
    // partitions that have more are full, a fetch is for the idle ones of the broker alone: nothing else comes before it is
    // answered, and with 100 ms a fifth of a replay's time passed so. What is in the queues lasts longer than this.
    ("fetch.wait.max.ms", "50"),
    ("fetch.max.bytes", "8388608"),
    // A flipped bit would be a wrong answer that nothing later corrects.
    ("check.crcs", "true"),
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    ("allow.auto.create.topics", "false"),
    // We say it ourselves, once.
    ("log.connection.close", "false"),
    ("enable.auto.offset.store", "false"),
];

/// Settings that the source rests on, and why they cannot be changed.
const FIXED: [(&str, &str, &str); 3] = [
    (
        "enable.partition.eof",
        "true",
        "without it no table would ever be live",
    ),
    (
        "auto.offset.reset",
        "error",
        "else records would be skipped without anyone knowing",
    ),
    (
        "enable.auto.commit",
        "false",
        "offsets are acknowledged after a checkpoint only",
    ),
];

/// Settings that are made from other options.
const OWN_OPTIONS: [(&str, &str); 2] = [
    ("bootstrap.servers", "brokers"),
    ("metadata.broker.list", "brokers"),
];

/// Where and what to read.
#[derive(Clone)]
pub struct KafkaOptions {
    /// Names the consumer group, `rowtide-<name>`.
    pub source_name: String,
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Names or globs, in which `*` is any text. New matches are found while running.
    pub topics: Vec<String>,
    /// Names of topics to read if they exist, such as a transaction or heartbeat topic.
    pub extra_topics: Vec<String>,
    /// Passed to librdkafka as they are.
    pub settings: BTreeMap<String, String>,
    pub refresh_interval: Duration,
}

impl KafkaOptions {
    pub fn new(source_name: &str, brokers: &str, topics: &[&str]) -> Self {
        Self {
            source_name: source_name.to_owned(),
            brokers: brokers.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            extra_topics: Vec::new(),
            settings: BTreeMap::new(),
            refresh_interval: REFRESH_INTERVAL,
        }
    }

    /// For the client that looks for topics.
    pub(crate) fn discovery_config(&self) -> Result<ClientConfig, SourceError> {
        self.check(BUILT)?;
        let mut config = self.base_config();
        // Without a group it asks for no coordinator and needs no right to read the group.
        config.remove("group.id");
        config
            .create_native_config()
            .map_err(|error| refused(&error))?;
        Ok(config)
    }

    /// For the client that reads records, of this many partitions to begin with.
    pub(crate) fn reading_config(&self, partitions: usize) -> ClientConfig {
        let mut config = self.base_config();
        for (name, value) in sized_settings(partitions) {
            if !self.settings.contains_key(name) {
                config.set(name, value.to_string());
            }
        }
        config
    }

    /// How long a broker may hold an empty answer back.
    pub(crate) fn fetch_wait(&self) -> Duration {
        let wait = self.base_config();
        let wait = wait
            .get("fetch.wait.max.ms")
            .and_then(|wait| wait.parse().ok());
        wait.map_or(FETCH_WAIT_DEFAULT, Duration::from_millis)
    }

    fn base_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("group.id", format!("rowtide-{}", self.source_name));
        config.extend(DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        config.extend(self.settings.clone());
        config.extend(FIXED.map(|(name, value, _)| (name.to_owned(), value.to_owned())));
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn check(&self, built: Built) -> Result<(), SourceError> {
        let refuse = |message: String| Err(SourceError::Config(message));
        if self.brokers.trim().is_empty() {
            return refuse(
                "no brokers are named (host:port, several separated by commas)".to_owned(),
            );
        }
        for (name, option) in OWN_OPTIONS {
            if self.settings.contains_key(name) {
                return refuse(format!(
                    "\"{name}\" is made from the source's `{option}`: set that instead"
                ));
            }
        }
        for (name, value, why) in FIXED {
            if self
                .settings
                .get(name)
                .is_some_and(|wanted| wanted != value)
            {
                return refuse(format!("\"{name}\" is always {value}: {why}"));
            }
        }
        match missing_feature(&self.settings, built) {
            Some((setting, feature)) => refuse(format!(
                "{setting} needs the cargo feature `{feature}`, which this binary was built without: \
                 use the release image, or build with `--features {feature}`"
            )),
            None => Ok(()),
        }
    }
}

/// What librdkafka was built with.
#[derive(Clone, Copy, Default)]
struct Built {
    tls: bool,
    sasl: bool,
    kerberos: bool,
}

const BUILT: Built = Built {
    tls: cfg!(any(feature = "tls", feature = "tls-system")),
    sasl: cfg!(any(feature = "sasl", feature = "tls-system")),
    kerberos: cfg!(feature = "kerberos"),
};

/// The setting that needs a feature the binary has not, and the feature. Values are named only where
/// they are no secrets.
fn missing_feature(
    settings: &BTreeMap<String, String>,
    built: Built,
) -> Option<(String, &'static str)> {
    let value = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
    let protocol = value("security.protocol").to_ascii_lowercase();
    let told = |name: &str| format!("\"{name}\" = \"{}\"", value(name));
    if protocol.ends_with("ssl") && !built.tls {
        return Some((told("security.protocol"), "tls"));
    }
    if let Some(name) = settings
        .keys()
        .find(|name| name.starts_with("ssl."))
        .filter(|_| !built.tls)
    {
        return Some((format!("\"{name}\""), "tls"));
    }
    let mechanism_name = ["sasl.mechanism", "sasl.mechanisms"]
        .into_iter()
        .find(|name| settings.contains_key(*name));
    let setting = mechanism_name.unwrap_or("security.protocol");
    match mechanism_name
        .map(|name| value(name).to_ascii_uppercase())
        .as_deref()
    {
        // librdkafka has it without any library.
        Some("PLAIN") => None,
        None if !protocol.starts_with("sasl") => None,
        // What a protocol with SASL means if no mechanism is named.
        None | Some("GSSAPI") => (!built.kerberos).then(|| (told(setting), "kerberos")),
        Some(_) => (!built.sasl).then(|| (told(setting), "sasl")),
    }
}

fn sized_settings(partitions: usize) -> [(&'static str, usize); 4] {
    let share = QUEUE_BYTES_TOTAL / partitions.max(1);
    let queue = share.clamp(
        *QUEUE_BYTES_PER_PARTITION.start(),
        *QUEUE_BYTES_PER_PARTITION.end(),
    );
    let statistics_ms = STATISTICS_INTERVAL_MS * partitions.div_ceil(STATISTICS_PARTITIONS).max(1);
    [
        (
            "statistics.interval.ms",
            statistics_ms.min(STATISTICS_INTERVAL_MS_MAX),
        ),
        ("queued.max.messages.kbytes", queue >> 10),
        ("queued.min.messages", queue / QUEUE_BYTES_PER_RECORD_MIN),
        (
            "fetch.message.max.bytes",
            queue.min(FETCH_BYTES_PER_PARTITION_MAX),
        ),
    ]
}

/// A setting that librdkafka does not know or take. Its value may be a secret and is not repeated.
pub(crate) fn refused(error: &KafkaError) -> SourceError {
    SourceError::Config(match error {
        KafkaError::ClientConfig(_, description, name, _) => {
            format!("setting \"{name}\": {description}")
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Built = Built {
        tls: false,
        sasl: false,
        kerberos: false,
    };

    fn options(settings: &[(&str, &str)]) -> KafkaOptions {
        let mut options = KafkaOptions::new("shop", "localhost:9092", &["shop.*"]);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        options.settings = settings.iter().map(owned).collect();
        options
    }

    fn reason(settings: &[(&str, &str)]) -> String {
        options(settings)
            .check(NOTHING)
            .map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn a_setting_that_needs_a_missing_feature_names_it() {
        let advice = |feature: &str| {
            format!(
                " needs the cargo feature `{feature}`, which this binary was built without: \
                 use the release image, or build with `--features {feature}`"
            )
        };
        let protocol = "\"security.protocol\" = ";
        assert_eq!(
            reason(&[("security.protocol", "SASL_SSL")]),
            format!("{protocol}\"SASL_SSL\"{}", advice("tls"))
        );
        assert_eq!(
            reason(&[("ssl.ca.location", "/ca")]),
            format!("\"ssl.ca.location\"{}", advice("tls"))
        );
        let sasl = ("security.protocol", "sasl_plaintext");
        assert_eq!(
            reason(&[sasl]),
            format!("{protocol}\"sasl_plaintext\"{}", advice("kerberos"))
        );
        let scram = ("sasl.mechanisms", "SCRAM-SHA-512");
        assert_eq!(
            reason(&[sasl, scram]),
            format!("\"sasl.mechanisms\" = \"SCRAM-SHA-512\"{}", advice("sasl"))
        );
        assert_eq!(
            reason(&[
                sasl,
                ("sasl.mechanism", "PLAIN"),
                ("sasl.password", "hidden")
            ]),
            "fine"
        );
        let built = Built {
            tls: true,
            sasl: true,
            kerberos: false,
        };
        assert!(
            missing_feature(
                &options(&[("security.protocol", "SASL_SSL"), scram]).settings,
                built
            )
            .is_none()
        );
    }

    #[test]
    fn what_the_source_rests_on_cannot_be_changed() {
        assert_eq!(
            reason(&[
                ("enable.partition.eof", "true"),
                ("fetch.wait.max.ms", "50")
            ]),
            "fine"
        );
        let told =
            "\"enable.partition.eof\" is always true: without it no table would ever be live";
        assert_eq!(reason(&[("enable.partition.eof", "false")]), told);
        let told = "\"bootstrap.servers\" is made from the source's `brokers`: set that instead";
        assert_eq!(reason(&[("bootstrap.servers", "x")]), told);
    }

    #[test]
    fn the_users_settings_win() {
        let config = options(&[
            ("fetch.queue.backoff.ms", "7"),
            ("queued.min.messages", "9"),
        ])
        .reading_config(1);
        assert_eq!(config.get("fetch.queue.backoff.ms"), Some("7"));
        assert_eq!(config.get("queued.min.messages"), Some("9"));
        assert_eq!(config.get("queued.max.messages.kbytes"), Some("8192"));
        assert_eq!(config.get("group.id"), Some("rowtide-shop"));
        let unknown = options(&[("fetch.quee.backoff.ms", "7")])
            .discovery_config()
            .err()
            .map(|error| error.to_string());
        let told = "setting \"fetch.quee.backoff.ms\": No such configuration property: \"fetch.quee.backoff.ms\"";
        assert_eq!(unknown.as_deref(), Some(told));
    }

    #[test]
    fn queues_are_shared_out() {
        let of = |partitions| sized_settings(partitions).map(|(_, value)| value);
        assert_eq!(of(1)[1..], [8_192, 32_768, 1 << 20]);
        assert_eq!(of(32)[1..], [512, 2_048, 512 << 10]);
        assert_eq!(of(100_000)[1..], [64, 256, 64 << 10]);
    }

    #[test]
    fn what_tells_of_more_partitions_comes_less_often() {
        let of = |partitions| sized_settings(partitions)[0];
        assert_eq!(of(1), ("statistics.interval.ms", STATISTICS_INTERVAL_MS));
        assert!(of(10_000).1 > STATISTICS_INTERVAL_MS);
        assert_eq!(of(100_000_000).1, STATISTICS_INTERVAL_MS_MAX);
    }
}
