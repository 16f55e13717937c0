//! Dates and times of day as `PostgreSQL` reads them, respelled in the one form that is read here.
//!
//! There is more than ISO's form: a space between date and time, offsets of hours alone, names of time
//! zones behind, `now`, `today` and `epoch`. What is none of that is handed on for others to refuse.

use row_model::{ColumnType, Moment, Value, write_clock, write_date, write_timestamp};

use crate::literal::each_value;
use crate::zone::Zone;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const EPOCH: Moment = Moment {
    seconds: 0,
    nanos: 0,
};

/// When something is asked, and in which time zone.
#[derive(Clone, Copy)]
pub(super) struct Times<'a> {
    zone: &'a Zone,
    now: Moment,
}

/// A date, a time of day, and the offset or zone that stands behind.
struct Parts<'t> {
    date: String,
    time: String,
    behind: &'t str,
}

impl<'a> Times<'a> {
    pub fn new(zone: &'a Zone, now_ms: i64) -> Self {
        let now = Moment {
            seconds: now_ms.div_euclid(1_000),
            nanos: (now_ms.rem_euclid(1_000) * 1_000_000) as u32,
        };
        Self { zone, now }
    }

    /// A literal for a column of this type; nothing for types that are not about time.
    pub fn respelled(&self, text: &str, kind: ColumnType) -> Option<String> {
        let word = text.to_ascii_lowercase();
        Some(match kind {
            ColumnType::Date => match self.day(&word) {
                Some(day) => day,
                None => self.date(text).unwrap_or_else(|| text.to_owned()),
            },
            ColumnType::Time => match &*word {
                "now" => time_of(self.zone.local(self.now)),
                "allballs" => time_of(EPOCH),
                _ => with_seconds(text),
            },
            ColumnType::TimeTz => match &*word {
                "now" => format!("{}Z", time_of(self.now)),
                "allballs" => format!("{}Z", time_of(EPOCH)),
                _ => {
                    let local = text.strip_suffix('Z').or_else(|| utc_stripped(text));
                    format!("{}Z", with_seconds(local.unwrap_or(text)))
                }
            },
            ColumnType::Timestamp => match &*word {
                "now" => timestamp(self.zone.local(self.now)),
                "epoch" => timestamp(EPOCH),
                _ if word.ends_with("infinity") => word,
                _ => self.parts(text).local(),
            },
            ColumnType::TimestampTz => match &*word {
                "now" => format!("{}Z", timestamp(self.now)),
                "epoch" => format!("{}Z", timestamp(EPOCH)),
                _ if word.ends_with("infinity") => word,
                _ => self.parts(text).instant(self.zone),
            },
            _ => return None,
        })
    }

    /// The date that a word means.
    fn day(&self, word: &str) -> Option<String> {
        let today = || {
            let local = self.zone.local(self.now);
            local.seconds.div_euclid(SECONDS_PER_DAY)
        };
        let days = match word {
            "epoch" => 0,
            "today" | "now" => today(),
            "tomorrow" => today() + 1,
            "yesterday" => today() - 1,
            _ => return None,
        };
        let mut text = String::new();
        write_date(days, &mut text).ok()?;
        Some(text)
    }

    /// The date of what has a time of day behind.
    fn date(&self, text: &str) -> Option<String> {
        let parts = self.parts(text);
        let is_time = each_value(ColumnType::TimestampTz, &parts.instant(self.zone), |_| {});
        is_time.is_ok().then_some(parts.date)
    }

    fn parts<'t>(&self, text: &'t str) -> Parts<'t> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (date, rest) = match self.day(&first.to_ascii_lowercase()) {
            Some(day) => (day, rest),
            None => match text.split_once(['T', ' ']) {
                Some((date, rest)) => (date.to_owned(), rest),
                None => (text.to_owned(), ""),
            },
        };
        let is_of_time = |found: char| found.is_ascii_digit() || matches!(found, ':' | '.');
        let end = rest.find(|found| !is_of_time(found)).unwrap_or(rest.len());
        let time = match &rest[..end] {
            "" => "00:00:00".to_owned(),
            time => with_seconds(time),
        };
        Parts {
            date,
            time,
            behind: rest[end..].trim_start(),
        }
    }
}

impl Parts<'_> {
    /// A timestamp without zone takes no notice of one.
    fn local(&self) -> String {
        format!("{}T{}", self.date, self.time)
    }

    /// With the offset that is said, or that of the zone.
    fn instant(&self, zone: &Zone) -> String {
        let (local, behind) = (self.local(), self.behind);
        match behind.len() {
            0 => in_utc(&local, zone).unwrap_or_else(|| format!("{local}Z")),
            _ if !behind.starts_with(['+', '-']) => {
                let named = Zone::from_any_case(behind).and_then(|zone| in_utc(&local, &zone));
                named.unwrap_or_else(|| format!("{local}{behind}"))
            }
            // +02 and +0230
            3 => format!("{local}{behind}:00"),
            5 if behind.is_ascii() && !behind.contains(':') => {
                format!("{local}{}:{}", &behind[..3], &behind[3..])
            }
            _ => format!("{local}{behind}"),
        }
    }
}

/// The instant at which clocks of the zone show this, if it is a time.
fn in_utc(local: &str, zone: &Zone) -> Option<String> {
    let mut found = None;
    let read = each_value(ColumnType::Timestamp, local, |value| {
        if let Value::Timestamp(at) = value {
            found = Some(format!("{}Z", timestamp(zone.instant(at))));
        }
    });
    read.ok().and(found)
}

fn timestamp(at: Moment) -> String {
    let mut text = String::new();
    let written = write_timestamp(at, &mut text);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    text
}

fn time_of(at: Moment) -> String {
    let second = at.seconds.rem_euclid(SECONDS_PER_DAY);
    let mut text = String::new();
    let written = write_clock(second * NANOS_PER_SECOND + i64::from(at.nanos), &mut text);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    text
}

/// With seconds if only they are missing.
fn with_seconds(text: &str) -> String {
    let is_short = text.len() == 5 && text.as_bytes()[2] == b':';
    if is_short {
        format!("{text}:00")
    } else {
        text.to_owned()
    }
}

fn utc_stripped(text: &str) -> Option<&str> {
    ["+00:00", "+00", "-00"]
        .iter()
        .find_map(|offset| text.strip_suffix(offset))
}

#[cfg(test)]
mod tests {
    use ColumnType::{Date, Time, TimeTz, Timestamp, TimestampTz};

    use super::*;
    use crate::zone;

    /// 03:30 in UTC, and the day before in New York.
    const NOW_MS: i64 = 1_709_177_400_250;

    fn check(zone: &Zone, cases: &[(ColumnType, &str, &str)]) {
        let times = Times::new(zone, NOW_MS);
        for (kind, text, expected) in cases {
            let found = times.respelled(text, *kind).unwrap();
            assert_eq!(found, *expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn literals_are_respelled_by_their_columns_types() {
        check(
            &zone::UTC,
            &[
                (Timestamp, "2024-02-29", "2024-02-29T00:00:00"),
                (Timestamp, "2024-02-29 12:34", "2024-02-29T12:34:00"),
                (Timestamp, "2024-02-29T12:34:56.5Z", "2024-02-29T12:34:56.5"),
                (
                    Timestamp,
                    "2024-02-29 12:34 Asia/Tokyo",
                    "2024-02-29T12:34:00",
                ),
                (TimestampTz, "2024-02-29", "2024-02-29T00:00:00Z"),
                (TimestampTz, "2024-02-29 12:34:56", "2024-02-29T12:34:56Z"),
                (
                    TimestampTz,
                    "2024-02-29 12:34:56+02",
                    "2024-02-29T12:34:56+02:00",
                ),
                (
                    TimestampTz,
                    "2024-02-29 12:34:56 -0230",
                    "2024-02-29T12:34:56-02:30",
                ),
                (
                    TimestampTz,
                    "2024-02-29T12:34:56+02:00",
                    "2024-02-29T12:34:56+02:00",
                ),
                (TimestampTz, "-infinity", "-infinity"),
                (TimestampTz, "é", "éT00:00:00Z"),
                (TimestampTz, "2024-02-29 noon", "2024-02-29T00:00:00noon"),
                (Time, "12:34", "12:34:00"),
                (TimeTz, "12:34:56+00", "12:34:56Z"),
            ],
        );
        assert_eq!(
            Times::new(&zone::UTC, 0).respelled("7", ColumnType::Int32),
            None
        );
    }

    #[test]
    fn times_without_an_offset_are_those_of_the_zone() {
        check(
            &Zone::from_name("America/New_York").unwrap(),
            &[
                (TimestampTz, "2024-02-29 07:00", "2024-02-29T12:00:00Z"),
                (TimestampTz, "2024-07-01", "2024-07-01T04:00:00Z"),
                (TimestampTz, "2024-07-01T00:00:00Z", "2024-07-01T00:00:00Z"),
                (
                    TimestampTz,
                    "2024-07-01 00:00 africa/cairo",
                    "2024-06-30T21:00:00Z",
                ),
                (
                    TimestampTz,
                    "2024-07-01 America/Port-au-Prince",
                    "2024-07-01T04:00:00Z",
                ),
            ],
        );
    }

    #[test]
    fn words_stand_for_days_and_times() {
        check(
            &zone::UTC,
            &[
                (Date, "today", "2024-02-29"),
                (Date, "Tomorrow", "2024-03-01"),
                (Date, "yesterday", "2024-02-28"),
                (Date, "now", "2024-02-29"),
                (Date, "epoch", "1970-01-01"),
                (Date, "soon", "soon"),
                (Date, "2024-02-29T23:00:00.000Z", "2024-02-29"),
                (Date, "2024-02-29 23:00 nowhere", "2024-02-29 23:00 nowhere"),
                (Date, "infinity", "infinity"),
                (Time, "now", "03:30:00.25"),
                (Time, "allballs", "00:00:00"),
                (TimeTz, "now", "03:30:00.25Z"),
                (Timestamp, "now", "2024-02-29T03:30:00.25"),
                (Timestamp, "TODAY", "2024-02-29T00:00:00"),
                (Timestamp, "epoch", "1970-01-01T00:00:00"),
                (TimestampTz, "now", "2024-02-29T03:30:00.25Z"),
                (TimestampTz, "today 12:30", "2024-02-29T12:30:00Z"),
                (TimestampTz, "epoch", "1970-01-01T00:00:00Z"),
                (TimestampTz, "Infinity", "infinity"),
            ],
        );
        check(
            &Zone::from_name("America/New_York").unwrap(),
            &[
                (Date, "today", "2024-02-28"),
                (Time, "now", "22:30:00.25"),
                (TimeTz, "now", "03:30:00.25Z"),
                (Timestamp, "now", "2024-02-28T22:30:00.25"),
                (TimestampTz, "today", "2024-02-28T05:00:00Z"),
                (TimestampTz, "now", "2024-02-29T03:30:00.25Z"),
            ],
        );
    }
}
