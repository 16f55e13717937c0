//! Time zones in which instants are written and read: UTC unless a request says otherwise.

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, civil};
use row_model::Moment;

/// After so many seconds the calendar begins anew, weekdays included: 400 years.
const CYCLE_SECONDS: i64 = 146_097 * 86_400;
/// Cycles on either side of 1970 within which jiff knows times.
const CYCLES: i64 = 15;

/// A time zone; UTC by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone(Option<TimeZone>);

pub static UTC: Zone = Zone(None);

impl Zone {
    /// The zone that the IANA database calls exactly so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let zone = Self::from_any_case(name)?;
        let is_exact = zone.0.as_ref()?.iana_name() == Some(name);
        is_exact.then_some(zone)
    }

    /// The same, whatever is in capitals.
    #[must_use]
    pub fn from_any_case(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        Some(Self(Some(zone)))
    }

    /// Seconds that clocks there are ahead of UTC at an instant.
    #[must_use]
    pub fn offset_at(&self, instant: Moment) -> i32 {
        let Some(zone) = self.known(instant) else {
            return 0;
        };
        let at = Timestamp::from_second(within_cycles(instant.seconds));
        at.map_or(0, |at| zone.to_offset(at).seconds())
    }

    /// What clocks there show at an instant.
    #[must_use]
    pub fn local(&self, instant: Moment) -> Moment {
        shifted(instant, i64::from(self.offset_at(instant)))
    }

    /// The instant at which clocks there show this. A time that clocks leave out is told by what they showed
    /// before, and one that they show twice is the second, as with `PostgreSQL`.
    #[must_use]
    pub fn instant(&self, local: Moment) -> Moment {
        let Some(zone) = self.known(local) else {
            return local;
        };
        let shown = Timestamp::from_second(within_cycles(local.seconds));
        let shown: civil::DateTime = match shown {
            Ok(shown) => Offset::UTC.to_datetime(shown),
            Err(_) => return local,
        };
        let offset = match zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        shifted(local, -i64::from(offset.seconds()))
    }

    /// The zone, if it is one in which this moment is another than in UTC.
    fn known(&self, at: Moment) -> Option<&TimeZone> {
        let is_finite = !matches!(at, Moment::INFINITY | Moment::NEG_INFINITY);
        self.0.as_ref().filter(|_| is_finite)
    }
}

/// The same second of the calendar, within the years that jiff knows: rules of zones go on as they are.
fn within_cycles(seconds: i64) -> i64 {
    let cycles = seconds.div_euclid(CYCLE_SECONDS);
    let nearest = cycles.clamp(-CYCLES, CYCLES);
    nearest * CYCLE_SECONDS + seconds.rem_euclid(CYCLE_SECONDS)
}

fn shifted(at: Moment, seconds: i64) -> Moment {
    Moment {
        seconds: at.seconds.saturating_add(seconds),
        ..at
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::json::postgres::{Spelling, spell};
    use crate::literal::each_value;
    use row_model::{ColumnType, Value};

    /// Each text as what clocks show in the zone, that instant in UTC, and again in the zone as text and as JSON.
    fn check(zone: &str, shown: &[&str], expected: &Expect) {
        let zone = Zone::from_name(zone).unwrap();
        let mut lines = String::new();
        for text in shown {
            let mut local = None;
            let read = each_value(ColumnType::Timestamp, text, |value| {
                if let Value::Timestamp(at) = value {
                    local = Some(at);
                }
            });
            read.unwrap();
            let instant = Value::Instant(zone.instant(local.unwrap()));
            let mut write = |spelling, zone: &Zone, behind| {
                spell(instant, spelling, zone, &mut lines);
                lines.push_str(behind);
            };
            write(Spelling::Text, &UTC, " | ");
            write(Spelling::Text, &zone, " | ");
            write(Spelling::Json, &zone, "\n");
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn clocks_are_ahead_or_behind() {
        check(
            "America/New_York",
            &[
                "2024-02-29T12:00:00.5",
                "2024-07-29T23:30:00",
                // Left out in spring, shown twice in autumn.
                "2024-03-10T02:30:00",
                "2024-11-03T01:30:00",
                "1800-01-01T00:00:00",
                "infinity",
                "-infinity",
            ],
            &expect![[r#"
                2024-02-29 17:00:00.5+00 | 2024-02-29 12:00:00.5-05 | 2024-02-29T12:00:00.5-05:00
                2024-07-30 03:30:00+00 | 2024-07-29 23:30:00-04 | 2024-07-29T23:30:00-04:00
                2024-03-10 07:30:00+00 | 2024-03-10 03:30:00-04 | 2024-03-10T03:30:00-04:00
                2024-11-03 06:30:00+00 | 2024-11-03 01:30:00-05 | 2024-11-03T01:30:00-05:00
                1800-01-01 04:56:02+00 | 1800-01-01 00:00:00-04:56:02 | 1800-01-01T00:00:00-04:56:02
                infinity | infinity | infinity
                -infinity | -infinity | -infinity
            "#]],
        );
        check(
            "Asia/Kathmandu",
            &["2024-02-29T12:00:00"],
            &expect![[r#"
                2024-02-29 06:15:00+00 | 2024-02-29 12:00:00+05:45 | 2024-02-29T12:00:00+05:45
            "#]],
        );
        check(
            "UTC",
            &["2024-02-29T12:00:00"],
            &expect![[r#"
            2024-02-29 12:00:00+00 | 2024-02-29 12:00:00+00 | 2024-02-29T12:00:00+00:00
        "#]],
        );
    }

    #[test]
    fn years_that_no_calendar_has_are_told_by_those_that_are_alike() {
        check(
            "Europe/Berlin",
            &[
                "+29024-07-29T12:00:00",
                "+29024-01-29T12:00:00",
                "-20000-01-01T00:00:00",
            ],
            &expect![[r#"
                29024-07-29 10:00:00+00 | 29024-07-29 12:00:00+02 | 29024-07-29T12:00:00+02:00
                29024-01-29 11:00:00+00 | 29024-01-29 12:00:00+01 | 29024-01-29T12:00:00+01:00
                20002-12-31 23:06:32+00 BC | 20001-01-01 00:00:00+00:53:28 BC | 20001-01-01T00:00:00+00:53:28 BC
            "#]],
        );
    }

    #[test]
    fn names_are_exact() {
        assert!(Zone::from_name("Europe/Berlin").is_some());
        assert!(Zone::from_any_case("europe/berlin").is_some());
        for name in [
            "europe/berlin",
            "Invalid/Timezone",
            "",
            "-4",
            "+05:30",
            "PST",
        ] {
            assert_eq!(Zone::from_name(name), None, "{name}");
        }
    }
}
