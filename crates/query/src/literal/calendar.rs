//! Reads dates, times and durations as `row_model` writes them. Digits are counted before they are
//! read, so that no text overflows a number.

use row_model::Moment;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The year of the last day an `i64` of microseconds reaches has six digits; a year of ten is far beyond any source's.
const YEAR_DIGITS_MAX: usize = 10;

/// `2024-02-29`, `+294276-12-31`, `-0043-03-15`, `infinity`: days since 1970.
pub(super) fn read_date(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (negative, rest) = sign(text);
    let (rest, day) = rest.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let in_bounds = (4..=YEAR_DIGITS_MAX).contains(&year.len());
    if !in_bounds || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let year = digits(year)? * if negative { -1 } else { 1 };
    let (month, day) = (digits(month)?, digits(day)?);
    let valid = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    valid.then(|| days_from_civil(year, month, day))
}

/// `12:34:56.789`, `-838:59:59`: nanoseconds.
pub(super) fn read_clock(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(3, ':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (seconds, nanos) = fraction(seconds, 9)?;
    let in_bounds = (2..=6).contains(&hours.len()) && minutes.len() == 2 && seconds.len() == 2;
    let (hours, minutes, seconds) = (digits(hours)?, digits(minutes)?, digits(seconds)?);
    if !in_bounds || minutes > 59 || seconds > 59 {
        return None;
    }
    let all = ((hours * 60 + minutes) * 60 + seconds) * NANOS_PER_SECOND + nanos;
    Some(if negative { -all } else { all })
}

/// `2024-02-29T12:34:56.789` (or a blank for the `T`), `infinity`.
pub(super) fn read_timestamp(text: &str) -> Option<Moment> {
    match text {
        "infinity" => return Some(Moment::INFINITY),
        "-infinity" => return Some(Moment::NEG_INFINITY),
        _ => {}
    }
    let (date, clock) = text.split_once(['T', ' '])?;
    let days = read_date(date).filter(|days| days.unsigned_abs() < i64::MAX as u64)?;
    let nanos = read_clock(clock)
        .filter(|nanos| (0..SECONDS_PER_DAY * NANOS_PER_SECOND).contains(nanos))?;
    Some(Moment {
        seconds: days
            .checked_mul(SECONDS_PER_DAY)?
            .checked_add(nanos / NANOS_PER_SECOND)?,
        nanos: (nanos % NANOS_PER_SECOND) as u32,
    })
}

/// A timestamp with `Z` or an offset such as `+02:00`; `infinity`.
pub(super) fn read_instant(text: &str) -> Option<Moment> {
    if text.ends_with("infinity") {
        return read_timestamp(text);
    }
    if let Some(utc) = text.strip_suffix('Z') {
        return read_timestamp(utc);
    }
    let at = text
        .len()
        .checked_sub("+00:00".len())
        .filter(|at| text.is_char_boundary(*at))?;
    let (local, offset) = text.split_at(at);
    let east = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let seconds = (digits(hours)? * 60 + digits(minutes)?) * 60 * east;
    let moment = read_timestamp(local)?;
    Some(Moment {
        seconds: moment.seconds.checked_sub(seconds)?,
        ..moment
    })
}

/// `P1DT2H3M4.5S`, `-PT0.000001S`: microseconds. Years and months have no fixed length and are refused.
pub(super) fn read_duration(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let text = text.strip_prefix('P')?;
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    let mut micros = 0_i64;
    if !days.is_empty() {
        micros = unit(days.strip_suffix('D')?, SECONDS_PER_DAY)?;
    }
    let mut rest = time;
    for (name, seconds) in [('H', 3600), ('M', 60)] {
        if let Some((count, tail)) = rest.split_once(name) {
            micros = micros.checked_add(unit(count, seconds)?)?;
            rest = tail;
        }
    }
    if !rest.is_empty() {
        let (seconds, fraction) = fraction(rest.strip_suffix('S')?, 6)?;
        micros = micros
            .checked_add(unit(seconds, 1)?)?
            .checked_add(fraction)?;
    }
    let said_something = !days.is_empty() || !time.is_empty();
    said_something.then_some(if negative { -micros } else { micros })
}

/// `count` of a unit of so many seconds, in microseconds.
fn unit(count: &str, seconds: i64) -> Option<i64> {
    digits(count)?.checked_mul(seconds)?.checked_mul(1_000_000)
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Splits off a fraction and reads it in units of `10^-places`.
fn fraction(text: &str, places: usize) -> Option<(&str, i64)> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Some((text, 0));
    };
    if fraction.is_empty() || fraction.len() > places {
        return None;
    }
    Some((
        whole,
        digits(fraction)? * 10_i64.pow((places - fraction.len()) as u32),
    ))
}

/// Decimal digits only: no sign, no blank, at least one.
fn digits(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Counted from 0000-03-01, in eras of 400 years, so that leap days end a year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use row_model::{write_clock, write_date, write_duration, write_timestamp};

    use super::*;

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "2024-13-01",
            "2024-02-30",
            "24-01-01",
            "99999999999-01-01",
            "2024-2-1",
            "",
            "-",
            "--",
            "2024-01-01T",
        ] {
            assert_eq!(read_date(text), None, "{text}");
        }
        for text in [
            "12:00",
            "1:00:00",
            "12:60:00",
            "12:00:00.",
            "12:00:00.1234567891",
            "９:00:00",
            "::",
        ] {
            assert_eq!(read_clock(text), None, "{text}");
        }
        for text in [
            "2024-02-29",
            "2024-02-29T24:00:00",
            "2024-02-29T-1:00:00",
            "2024-02-29T12:00:00Z",
            "infinityT00:00:00",
        ] {
            assert_eq!(read_timestamp(text), None, "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "PT1",
            "PT1M1H",
            "P1Y",
            "PT1.S",
            "1D",
            "P99999999999999999999D",
            "PT9223372036854775807S",
        ] {
            assert_eq!(read_duration(text), None, "{text}");
        }
        for text in [
            "2024-02-29T12:00:00",
            "Z",
            "é",
            "2024-02-29T12:00:00+2",
            "2024-02-29T12:00:00éé:é",
        ] {
            assert_eq!(read_instant(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_may_be_written_with_any_offset() {
        let utc = read_instant("2024-02-29T10:34:56.5Z").unwrap();
        assert_eq!(read_instant("2024-02-29T12:34:56.5+02:00"), Some(utc));
        assert_eq!(read_instant("2024-02-29 05:04:56.500-05:30"), Some(utc));
        assert_eq!(read_instant("-infinity"), Some(Moment::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(
            days in -3_000_000_000_i64..3_000_000_000,
            clock in -3_599_999_000_000_000_i64..3_599_999_000_000_000,
            seconds in -99_999_999_999_i64..99_999_999_999, nanos in 0..1_000_000_000_u32,
            micros: i64,
        ) {
            let mut text = String::new();
            write_date(days, &mut text).unwrap();
            prop_assert_eq!(read_date(&text), Some(days), "{}", text);
            text.clear();
            write_clock(clock, &mut text).unwrap();
            prop_assert_eq!(read_clock(&text), Some(clock), "{}", text);
            text.clear();
            let at = Moment { seconds, nanos };
            write_timestamp(at, &mut text).unwrap();
            prop_assert_eq!(read_timestamp(&text), Some(at), "{}", text);
            text.clear();
            let micros = micros.max(-i64::MAX);
            write_duration(micros, &mut text).unwrap();
            prop_assert_eq!(read_duration(&text), Some(micros), "{}", text);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (read_date(&text), read_clock(&text), read_timestamp(&text), read_instant(&text), read_duration(&text));
        }
    }
}
