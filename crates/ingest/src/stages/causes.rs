//! What lags are due to, in words, where a setting is known that makes them: with the line that mends it and what that was
//! measured to be worth.
//!
//! Says nothing on a guess: a lag without a known pattern is only told.

use super::Stage;
use super::lags::Lags;

/// Fewer records have no pattern.
const RECORDS_MIN: u64 = 20;
/// Clocks that are kept by NTP disagree by less.
const SKEW_TOLERATED_MS: i64 = 20;

/// What the last minute was like.
pub(super) struct Seen<'a> {
    pub stages: &'a [Lags; 3],
    /// From the commit to the record's time in the log, and to the cut.
    pub to_log: &'a Lags,
    pub whole: &'a Lags,
    /// No commit time has anything smaller than seconds.
    pub has_whole_seconds: bool,
}

pub(super) fn of(seen: &Seen<'_>) -> Vec<String> {
    let mut causes: Vec<String> = Stage::ALL
        .into_iter()
        .filter_map(|stage| skew(stage, &seen.stages[stage as usize]))
        .collect();
    let [connector, broker, _] = seen.stages;
    let has_whole_seconds = seen.has_whole_seconds && connector.total() >= RECORDS_MIN;
    if has_whole_seconds {
        causes.push("The source tells commit times in whole seconds: up to 999 ms of the stage connector may be no lag at all.".to_owned());
    }
    // Where commits have whole seconds, only what follows them can be looked at.
    let of_commits = [connector, seen.to_log];
    let of_commits = of_commits.into_iter().filter(|_| !has_whole_seconds);
    let polled = of_commits.chain([broker]).find(|lags| looks_polled(lags));
    if let Some(polled) = polled {
        causes.push(default_poll_interval(polled));
    } else if !has_whole_seconds && looks_lingered(seen) {
        causes.push("A few of these milliseconds may be the connector's producer, which waits for more records (linger.ms, 5 since Kafka 4.0): set producer.override.linger.ms=0 in the connector (measured: 7 ms from commit to Kafka instead of 12).".to_owned());
    }
    causes
}

/// Which clock is behind which, if a stage ends before it begins.
fn skew(stage: Stage, lags: &Lags) -> Option<String> {
    let median_ms = lags.percentile(50)?;
    if median_ms >= -SKEW_TOLERATED_MS {
        return None;
    }
    let (behind, ahead) = match stage {
        Stage::Connector => ("the connector's machine", "the database's"),
        Stage::Broker => (
            "the machine that gives records their time in Kafka (the broker, or the connector's producer)",
            "the connector's",
        ),
        Stage::Rowtide => (
            "this machine",
            "the machine's that gives records their time in Kafka",
        ),
    };
    let ms = -median_ms;
    let name = stage.name();
    Some(format!(
        "The clock of {behind} is about {ms} ms or more behind {ahead}: the stage {name} is told as negative, and lasts longer than that. Keep the clocks with NTP."
    ))
}

/// Spread from little to about half a second, as things are that wait for a clock which strikes twice a second: once or,
/// before and after the connector's queue, twice.
fn looks_polled(lags: &Lags) -> bool {
    let percentile = |percent| lags.percentile(percent).unwrap_or_default();
    let [low, median, high] = [10, 50, 90].map(percentile);
    lags.total() >= RECORDS_MIN
        && (120..=600).contains(&median)
        && (300..=1_100).contains(&high)
        && high * 5 >= median * 7
        && low * 3 <= median * 2
}

fn default_poll_interval(lags: &Lags) -> String {
    let percentile = |percent| lags.percentile(percent).unwrap_or_default();
    let (median, p99) = (percentile(50), percentile(99));
    format!(
        "Records wait in the connector, evenly up to about {p99} ms ({median} ms in the middle): so they do with Debezium's default poll.interval.ms=500. Set poll.interval.ms=5 in the connector (measured: 12 ms from commit to Kafka instead of 323), and producer.override.linger.ms=0 (7 ms)."
    )
}

fn looks_lingered(seen: &Seen<'_>) -> bool {
    let median = |lags: &Lags| lags.percentile(50).unwrap_or_default();
    seen.whole.total() >= RECORDS_MIN
        && (9..=40).contains(&median(seen.whole))
        && (0..=40).contains(&median(seen.to_log))
}
