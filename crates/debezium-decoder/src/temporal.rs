//! Reads the times that Debezium writes as text. What does not read as a time stays text.

use row_model::Moment;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// `2024-02-29T10:34:56.123456Z`, any offset, any year, or an infinity, as an instant in UTC.
pub(crate) fn instant(text: &str) -> Option<Moment> {
    match text {
        "infinity" => return Some(Moment::INFINITY),
        "-infinity" => return Some(Moment::NEG_INFINITY),
        _ => {}
    }
    let (date, time) = text.split_once('T')?;
    let (clock_text, offset) = split_offset(time)?;
    let nanos = clock(clock_text)?;
    let seconds = date_days(date)?
        .checked_mul(86_400)?
        .checked_add(nanos / NANOS_PER_SECOND - offset)?;
    Some(Moment {
        seconds,
        nanos: (nanos % NANOS_PER_SECOND) as u32,
    })
}

/// `07:04:56.123456Z` as nanoseconds of a day in UTC.
pub(crate) fn clock_utc(text: &str) -> Option<i64> {
    let (clock_text, offset) = split_offset(text)?;
    let nanos = clock(clock_text)? - offset * NANOS_PER_SECOND;
    // 24:00 is a time of day; other times wrap around it when moved to UTC.
    if offset == 0 {
        Some(nanos)
    } else {
        Some(nanos.rem_euclid(86_400 * NANOS_PER_SECOND))
    }
}

/// `12:34:56.123456` as nanoseconds.
pub(crate) fn clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let (hours, minutes, seconds) = (
        digits(parts.next()?)?,
        digits(parts.next()?)?,
        digits(parts.next().unwrap_or("0"))?,
    );
    let in_range = parts.next().is_none()
        && hours <= 24
        && minutes < 60
        && seconds <= 60
        && fraction.len() <= 9;
    if !in_range {
        return None;
    }
    let mut nanos = if fraction.is_empty() {
        0
    } else {
        digits(fraction)?
    };
    for _ in fraction.len()..9 {
        nanos *= 10;
    }
    Some(((hours * 60 + minutes) * 60 + seconds) * NANOS_PER_SECOND + nanos)
}

/// `2024-02-29`, `+294276-12-31` or `-0043-03-15` as days since 1970-01-01.
pub(crate) fn date_days(text: &str) -> Option<i64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut parts = unsigned.split('-');
    let (year, month, day) = (
        sign * digits(parts.next()?)?,
        digits(parts.next()?)?,
        digits(parts.next()?)?,
    );
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let march_year = year - i64::from(month <= 2);
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The time before an offset, and the offset in seconds.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let sign = if time.as_bytes()[at] == b'-' { -1 } else { 1 };
    let mut parts = time[at + 1..].split(':');
    let hours = digits(parts.next()?)?;
    let minutes = digits(parts.next().unwrap_or("0"))?;
    let seconds = digits(parts.next().unwrap_or("0"))?;
    Some((&time[..at], sign * (hours * 3600 + minutes * 60 + seconds)))
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Option<String> {
        let mut out = String::new();
        row_model::write_timestamp(instant(text)?, &mut out).unwrap();
        Some(out)
    }

    #[test]
    fn instants_are_moved_to_utc_and_keep_their_digits() {
        assert_eq!(
            spelled("2024-02-29T10:34:56.123456Z").unwrap(),
            "2024-02-29T10:34:56.123456"
        );
        assert_eq!(
            spelled("2024-01-01T01:00:00+02:00").unwrap(),
            "2023-12-31T23:00:00"
        );
        assert_eq!(
            spelled("1969-12-31T23:59:59.5Z").unwrap(),
            "1969-12-31T23:59:59.5"
        );
        assert_eq!(
            spelled("+294276-12-31T23:59:59.999999Z").unwrap(),
            "+294276-12-31T23:59:59.999999"
        );
        assert_eq!(
            spelled("-0043-03-15T00:00:00Z").unwrap(),
            "-0043-03-15T00:00:00"
        );
        assert_eq!(spelled("-infinity").unwrap(), "-infinity");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "T",
            "2024-02-29",
            "2024-13-01T00:00:00Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T00:00:00",
            "xT00:00:00Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
        assert_eq!(clock("12:3x:00"), None);
        assert_eq!(clock("12:30:00.1234567890"), None);
    }

    #[test]
    fn times_of_day() {
        assert_eq!(clock("12:34:56.5"), Some(45_296_500_000_000));
        assert_eq!(clock_utc("24:00:00Z"), Some(86_400_000_000_000));
        assert_eq!(
            clock_utc("01:00:00+02:00"),
            Some(23 * 3600 * NANOS_PER_SECOND)
        );
    }
}
