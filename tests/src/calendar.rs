//! Days, clocks, instants and durations as the contract spells them, from the counts that Debezium
//! sends.
//!
//! Proleptic Gregorian for any year, ISO 8601 expanded beyond 0001 to 9999. Knows no leap seconds
//! and no time zone but UTC.

/// Parts of a second that a count is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Unit {
    const fn per_second(self) -> i64 {
        match self {
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }

    const fn digits(self) -> usize {
        match self {
            Self::Milliseconds => 3,
            Self::Microseconds => 6,
            Self::Nanoseconds => 9,
        }
    }
}

const DAY_S: i64 = 86_400;

/// The counts that PostgreSQL's `infinity` and `-infinity` become, as dates and as timestamps of
/// each unit.
const INFINITE_DAYS: [(i64, &str); 2] =
    [(-2_147_472_692, "infinity"), (-2_147_472_691, "-infinity")];
const INFINITE_INSTANTS: [(i64, &str); 6] = [
    (9_223_372_036_825_200_000, "infinity"),
    (-9_223_372_036_832_400_000, "-infinity"),
    (9_223_372_036_825_200, "infinity"),
    (-9_223_372_036_832_400, "-infinity"),
    (i64::MAX, "infinity"),
    (i64::MIN, "-infinity"),
];

/// Days since 1970-01-01 as a date.
pub fn date(days: i64) -> String {
    infinite(&INFINITE_DAYS, days).unwrap_or_else(|| finite_date(days))
}

/// A time of day, or MySQL's signed time beyond a day, from its count.
pub fn clock(count: i64, unit: Unit) -> String {
    let (sign, magnitude) = (
        if count < 0 { "-" } else { "" },
        i128::from(count).unsigned_abs() as i128,
    );
    format!("{sign}{}", unsigned_clock(magnitude, unit))
}

/// A timestamp without zone from its count since 1970.
pub fn timestamp(count: i64, unit: Unit) -> String {
    infinite(&INFINITE_INSTANTS, count).unwrap_or_else(|| {
        let per_day = DAY_S * unit.per_second();
        let clock = unsigned_clock(i128::from(count.rem_euclid(per_day)), unit);
        format!("{}T{clock}", finite_date(count.div_euclid(per_day)))
    })
}

/// An instant or time of day written with any offset, written in UTC. Other text stays as it is.
pub fn in_utc(text: &str) -> String {
    shifted_to_utc(text).unwrap_or_else(|| text.to_owned())
}

/// Microseconds as an ISO 8601 duration of days, hours, minutes and seconds.
pub fn duration(microseconds: i64) -> String {
    if microseconds == 0 {
        return "PT0S".to_owned();
    }
    let magnitude = microseconds.unsigned_abs();
    let (whole, micros) = (magnitude / 1_000_000, magnitude % 1_000_000);
    let part = |value: u64, letter: char| {
        if value == 0 {
            String::new()
        } else {
            format!("{value}{letter}")
        }
    };
    let (days, hours, minutes, rest) = (
        whole / 86_400,
        whole / 3_600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    let fraction = fraction(i128::from(micros), Unit::Microseconds);
    let seconds = if rest == 0 && micros == 0 {
        String::new()
    } else {
        format!("{rest}{fraction}S")
    };
    let time = [part(hours, 'H'), part(minutes, 'M'), seconds].concat();
    let sign = if microseconds < 0 { "-" } else { "" };
    format!(
        "{sign}P{}{}{time}",
        part(days, 'D'),
        if time.is_empty() { "" } else { "T" }
    )
}

fn infinite(table: &[(i64, &str)], count: i64) -> Option<String> {
    table
        .iter()
        .find(|(infinite, _)| *infinite == count)
        .map(|(_, name)| (*name).to_owned())
}

fn unsigned_clock(count: i128, unit: Unit) -> String {
    let per_second = i128::from(unit.per_second());
    let seconds = count / per_second;
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{hours:02}:{minutes:02}:{rest:02}{}",
        fraction(count % per_second, unit)
    )
}

/// `.5` or nothing.
fn fraction(count: i128, unit: Unit) -> String {
    let digits = format!("{count:0>width$}", width = unit.digits());
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        String::new()
    } else {
        format!(".{digits}")
    }
}

/// Howard Hinnant's `civil_from_days`.
fn finite_date(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let sign = match year {
        ..0 => "-",
        0..=9_999 => "",
        10_000.. => "+",
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

/// Howard Hinnant's `days_from_civil`.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn shifted_to_utc(text: &str) -> Option<String> {
    let (day, clock) = text
        .rsplit_once('T')
        .map_or((None, text), |(day, clock)| (Some(day), clock));
    let at = clock.rfind(['+', '-'])?;
    let offset: String = clock.get(at + 1..)?.chars().filter(|c| *c != ':').collect();
    let number = |text: &str| {
        text.parse::<i64>()
            .ok()
            .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (hours, minutes, rest) = (clock.get(0..2)?, clock.get(3..5)?, clock.get(5..at)?);
    if offset.len() != 4 || clock.get(2..3) != Some(":") || !rest.starts_with(':') {
        return None;
    }
    let offset_minutes = number(offset.get(0..2)?)? * 60 + number(offset.get(2..4)?)?;
    let sign = if clock[at..].starts_with('+') { 1 } else { -1 };
    let total = number(hours)? * 60 + number(minutes)? - sign * offset_minutes;
    let (shift, minute) = (total.div_euclid(1_440), total.rem_euclid(1_440));
    let day = match day {
        Some(day) => {
            let mut parts = day.splitn(3, '-').map(number);
            let days = days_of(parts.next()??, parts.next()??, parts.next()??);
            format!("{}T", finite_date(days + shift))
        }
        None => String::new(),
    };
    Some(format!("{day}{:02}:{:02}{rest}Z", minute / 60, minute % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_any_year() {
        for (days, text) in [
            (0, "1970-01-01"),
            (16_816, "2016-01-16"),
            (19_782, "2024-02-29"),
            (-719_162, "0001-01-01"),
            (-719_163, "0000-12-31"),
            (-735_160, "-0043-03-15"),
            (2_932_897, "+10000-01-01"),
            (106_751_991, "+294247-01-10"),
            (-2_147_472_692, "infinity"),
            (-2_147_472_691, "-infinity"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn clocks_are_as_short_as_they_can_be() {
        for (count, unit, text) in [
            (0, Unit::Milliseconds, "00:00:00"),
            (45_296_120, Unit::Milliseconds, "12:34:56.12"),
            (45_296_123_456, Unit::Microseconds, "12:34:56.123456"),
            (86_400_000_000, Unit::Microseconds, "24:00:00"),
            (-3_020_399_000_000, Unit::Microseconds, "-838:59:59"),
            (-500_000, Unit::Microseconds, "-00:00:00.5"),
            (1, Unit::Nanoseconds, "00:00:00.000000001"),
        ] {
            assert_eq!(clock(count, unit), text);
        }
    }

    #[test]
    fn timestamps_invent_no_zone() {
        for (count, unit, text) in [
            (
                1_452_938_400_000_000,
                Unit::Microseconds,
                "2016-01-16T10:00:00",
            ),
            (
                1_455_840_000_000_001,
                Unit::Microseconds,
                "2016-02-19T00:00:00.000001",
            ),
            (-1, Unit::Nanoseconds, "1969-12-31T23:59:59.999999999"),
            (
                1_709_210_096_120,
                Unit::Milliseconds,
                "2024-02-29T12:34:56.12",
            ),
            (9_223_372_036_825_200, Unit::Microseconds, "infinity"),
            (i64::MIN, Unit::Nanoseconds, "-infinity"),
        ] {
            assert_eq!(timestamp(count, unit), text);
        }
    }

    #[test]
    fn instants_are_told_in_utc() {
        for (sent, text) in [
            ("2024-02-29T12:34:56.123456Z", "2024-02-29T12:34:56.123456Z"),
            ("2024-02-29T23:30:00.5-01:30", "2024-03-01T01:00:00.5Z"),
            ("2024-01-01T00:15:00+05:45", "2023-12-31T18:30:00Z"),
            ("07:04:56.123456+0200", "05:04:56.123456Z"),
            ("infinity", "infinity"),
            ("12-34", "12-34"),
            ("", ""),
        ] {
            assert_eq!(in_utc(sent), text);
        }
    }

    #[test]
    fn durations_name_only_what_they_have() {
        for (count, text) in [
            (0, "PT0S"),
            (93_784_005_006, "P1DT2H3M4.005006S"),
            (-60_000_000, "-PT1M"),
            (86_400_000_000, "P1D"),
            (500_000, "PT0.5S"),
            (-1, "-PT0.000001S"),
        ] {
            assert_eq!(duration(count), text);
        }
    }
}
