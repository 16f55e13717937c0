//! How long ago the brokers that are read from last answered, told from librdkafka's statistics. Pure.
//!
//! A network that takes packets and gives none back closes no connection: for librdkafka nothing is wrong until
//! requests time out, and for us nothing is new. But whoever is at the end of a log always has a fetch on its way, which
//! the broker answers after `fetch.wait.max.ms` at the latest, also with nothing. So an answer that is overdue shows
//! that the silence says nothing, and one that took long shows how old it is.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// How much later than the broker may answer at the latest it may do so without being called late.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of the brokers, statistics after statistics.
pub(crate) struct Contact {
    /// How long an answer may take.
    late_after_us: i64,
    /// By the name of the broker.
    brokers: HashMap<String, Answers>,
}

struct Answers {
    /// When it answered last, or what it answered last was asked, by librdkafka's clock.
    until_us: i64,
    /// It was not late the last time. One that is in contact again may not have been asked for records yet.
    steady: bool,
}

#[derive(Deserialize)]
struct Statistics {
    /// librdkafka's clock, in microseconds.
    ts: i64,
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    state: String,
    /// Requests that are on their way.
    waitresp_cnt: i64,
    /// Microseconds since anything was received.
    rxidle: i64,
    /// How long the answers took that came since the last statistics.
    rtt: Window,
    /// The partitions that are read from it.
    #[expect(
        clippy::zero_sized_map_values,
        reason = "that there are any is all that counts of what is an object"
    )]
    toppars: HashMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct Window {
    max: i64,
    cnt: i64,
}

impl Broker {
    /// How old its newest answer is; `None` if it is not connected.
    fn late_us(&self) -> Option<i64> {
        let overdue = if self.waitresp_cnt > 0 {
            self.rxidle
        } else {
            0
        };
        let slow = if self.rtt.cnt > 0 { self.rtt.max } else { 0 };
        (self.state == "UP").then_some(overdue.max(slow))
    }
}

impl Contact {
    /// For brokers that hold an empty answer back for so long.
    pub(crate) fn new(fetch_wait: Duration) -> Self {
        let late_after = fetch_wait.saturating_add(PATIENCE);
        Self {
            late_after_us: i64::try_from(late_after.as_micros()).unwrap_or(i64::MAX),
            brokers: HashMap::new(),
        }
    }

    /// How long ago the moment is that all brokers have told us of; zero if they answer as they should.
    /// `None` if these are no statistics.
    pub(crate) fn delay(&mut self, statistics: &[u8]) -> Option<Duration> {
        let statistics: Statistics = serde_json::from_slice(statistics).ok()?;
        let now_us = statistics.ts;
        let mut brokers = HashMap::new();
        let read_from = statistics.brokers.into_iter();
        for (name, broker) in read_from.filter(|(_, broker)| !broker.toppars.is_empty()) {
            let before = self.brokers.remove(&name);
            let before = before.unwrap_or(Answers {
                until_us: now_us,
                steady: true,
            });
            brokers.insert(name, before.then(&broker, now_us, self.late_after_us));
        }
        self.brokers = brokers;
        let oldest_us = self.brokers.values().map(|answers| answers.until_us).min();
        let delay_us = now_us - oldest_us.unwrap_or(now_us);
        Some(Duration::from_micros(delay_us.max(0).unsigned_abs()))
    }
}

impl Answers {
    fn then(self, broker: &Broker, now_us: i64, late_after_us: i64) -> Self {
        let awaits_first = broker.waitresp_cnt > 0 && broker.rtt.cnt == 0;
        match broker.late_us() {
            // Where answers take long, many statistics have none, and the next may take as long as the last.
            Some(late_us) if late_us <= late_after_us && !self.steady && awaits_first => self,
            Some(late_us) if late_us <= late_after_us => Self {
                until_us: if self.steady { now_us } else { self.until_us },
                steady: true,
            },
            late_us => Self {
                until_us: self.until_us.max(now_us - late_us.unwrap_or(i64::MAX)),
                steady: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Check {
        contact: Contact,
        now_ms: i64,
    }

    impl Check {
        fn new() -> Self {
            Self {
                contact: Contact::new(Duration::from_millis(100)),
                now_ms: 1_000_000,
            }
        }

        /// The delay, after 200 ms more, with brokers as `STATE:WAITING:IDLE_MS:ROUND_TRIP_MS`; `-` stands for no answers.
        fn told(&mut self, brokers: &[&str]) -> u128 {
            self.now_ms += 200;
            let brokers = brokers.iter().enumerate().map(|(number, told)| {
                let told: Vec<&str> = told.split(':').collect();
                let us = |text: &str| text.parse::<i64>().unwrap_or_default() * 1_000;
                let answers = i64::from(told[3] != "-");
                format!(
                    r#""b/{number}":{{"state":"{}","waitresp_cnt":{},"rxidle":{},"rtt":{{"min":0,"max":{},"cnt":{answers}}},"toppars":{{"t-0":{{"topic":"t","partition":0}}}}}}"#,
                    told[0], told[1], us(told[2]), us(told[3]),
                )
            });
            let brokers: Vec<String> = brokers.collect();
            let statistics = format!(
                r#"{{"name":"rowtide","ts":{},"brokers":{{{}}},"topics":{{}}}}"#,
                self.now_ms * 1_000,
                brokers.join(",")
            );
            let delay = self.contact.delay(statistics.as_bytes());
            delay.expect("statistics").as_millis()
        }
    }

    #[test]
    fn a_broker_that_answers_is_in_contact() {
        let mut check = Check::new();
        assert_eq!(check.told(&["UP:1:90:101"]), 0);
        assert_eq!(check.told(&["UP:1:599:599"]), 0);
        assert_eq!(check.told(&[]), 0);
    }

    #[test]
    fn an_answer_that_is_overdue_says_since_when_nothing_is_known() {
        let mut check = Check::new();
        check.told(&["UP:1:90:101"]);
        assert_eq!(check.told(&["UP:1:700:-"]), 200);
        assert_eq!(check.told(&["UP:1:900:-"]), 400);
        // It is asked for nothing while all that it has waits in memory.
        assert_eq!(Check::new().told(&["UP:0:9000:-"]), 0);
    }

    #[test]
    fn an_answer_that_took_long_is_as_old_as_its_question() {
        let mut check = Check::new();
        assert_eq!(check.told(&["UP:1:10:101"]), 0);
        for _ in 0..10 {
            check.told(&["UP:1:500:-"]);
        }
        assert_eq!(check.told(&["UP:1:10:2100"]), 200);
        for _ in 0..20 {
            assert!(check.told(&["UP:1:10:2100"]) <= 2_100);
        }
        assert_eq!(check.told(&["UP:1:10:2100"]), 2_100);
        // The next is on its way for not so long yet.
        assert_eq!(check.told(&["UP:1:200:-"]), 2_300);
        assert_eq!(check.told(&["UP:1:400:-"]), 2_500);
        assert_eq!(check.told(&["UP:1:10:101"]), 2_700);
        assert_eq!(check.told(&["UP:1:10:101"]), 0);
    }

    #[test]
    fn contact_is_believed_when_it_lasts() {
        let mut check = Check::new();
        check.told(&["UP:1:90:101"]);
        assert_eq!(check.told(&["DOWN:0:10:-"]), 200);
        assert_eq!(check.told(&["UP:1:10:5"]), 400);
        assert_eq!(check.told(&["UP:1:10:101"]), 0);
    }

    #[test]
    fn one_silent_broker_of_several_counts() {
        let mut check = Check::new();
        check.told(&["UP:1:90:101", "UP:1:90:101"]);
        assert_eq!(check.told(&["UP:1:20:101", "APIVERSION_QUERY:1:0:-"]), 200);
        // It leads nothing any more.
        assert_eq!(check.told(&["UP:1:20:101"]), 0);
    }

    #[test]
    fn a_broker_that_only_knows_of_others_does_not_count() {
        let mut contact = Contact::new(Duration::ZERO);
        let bootstrap = br#"{"ts":5000000,"brokers":{"b/bootstrap":{"state":"DOWN","waitresp_cnt":3,"rxidle":4000000,"rtt":{"max":0,"cnt":0},"toppars":{}}}}"#;
        assert_eq!(contact.delay(bootstrap), Some(Duration::ZERO));
        assert_eq!(contact.delay(b"{}"), None);
    }
}
