//! The one spelling of times, dates, durations and uuids, in answers and in keys.

use std::fmt::{self, Write};

use crate::Moment;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// `2024-02-29`; years outside 0001-9999 in ISO 8601 expanded form.
///
/// # Errors
/// Only if `out` fails.
pub fn write_date(days: i64, out: &mut impl Write) -> fmt::Result {
    match days {
        i64::MAX => return out.write_str("infinity"),
        i64::MIN => return out.write_str("-infinity"),
        _ => {}
    }
    let (year, month, day) = civil_from_days(days);
    match year {
        1..=9999 => write_ascii(&usual_date(year, month, day), out),
        10_000.. => write!(out, "+{year}-{month:02}-{day:02}"),
        0 => write!(out, "0000-{month:02}-{day:02}"),
        _ => write!(out, "-{:04}-{month:02}-{day:02}", year.unsigned_abs()),
    }
}

fn usual_date(year: i64, month: i64, day: i64) -> [u8; 10] {
    let mut text = *b"0000-00-00";
    text[..2].copy_from_slice(&pair(year as u64 / 100));
    text[2..4].copy_from_slice(&pair(year as u64));
    text[5..7].copy_from_slice(&pair(month as u64));
    text[8..].copy_from_slice(&pair(day as u64));
    text
}

/// `12:34:56.123456`, the fraction only as long as needed; signed and beyond a day if it is so.
///
/// # Errors
/// Only if `out` fails.
pub fn write_clock(nanos: i64, out: &mut impl Write) -> fmt::Result {
    if nanos < 0 {
        out.write_char('-')?;
    }
    let all = nanos.unsigned_abs();
    let (seconds, fraction) = (all / NANOS_PER_SECOND, all % NANOS_PER_SECOND);
    write_seconds(seconds, out)?;
    write_fraction(fraction as u32, out)
}

/// `2024-02-29T12:34:56.123456`, or `infinity`. The caller adds `Z` where a zone was sent.
///
/// # Errors
/// Only if `out` fails.
pub fn write_timestamp(at: Moment, out: &mut impl Write) -> fmt::Result {
    match at {
        Moment::INFINITY => return out.write_str("infinity"),
        Moment::NEG_INFINITY => return out.write_str("-infinity"),
        _ => {}
    }
    if let Some(text) = TimestampText::of(at) {
        return write_ascii(text.as_bytes(), out);
    }
    write_date(at.seconds.div_euclid(SECONDS_PER_DAY), out)?;
    let second = at.seconds.rem_euclid(SECONDS_PER_DAY);
    out.write_char('T')?;
    write_seconds(second as u64, out)?;
    write_fraction(at.nanos, out)
}

/// What [`write_timestamp`] writes of a time in a year of four digits, put together at once: most of what an
/// answer's row takes to write would be its times.
#[derive(Clone, Copy, Debug)]
pub struct TimestampText {
    bytes: [u8; 29],
    len: usize,
}

impl TimestampText {
    /// `None` of other years and of infinities.
    #[must_use]
    pub fn of(at: Moment) -> Option<Self> {
        let (year, month, day) = civil_from_days(at.seconds.div_euclid(SECONDS_PER_DAY));
        if !(1..=9999).contains(&year) {
            return None;
        }
        let mut bytes = *b"0000-00-00T00:00:00.000000000";
        bytes[..10].copy_from_slice(&usual_date(year, month, day));
        bytes[11..19].copy_from_slice(&usual_clock(at.seconds.rem_euclid(SECONDS_PER_DAY) as u64));
        let len = if at.nanos == 0 {
            19
        } else {
            20 + put_fraction(at.nanos, &mut bytes[20..])
        };
        Some(Self { bytes, len })
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `12:34:56`, of more than 99 hours with as many digits as they have.
fn write_seconds(seconds: u64, out: &mut impl Write) -> fmt::Result {
    let hundreds = seconds / 360_000;
    if hundreds > 0 {
        write!(out, "{hundreds}")?;
    }
    write_ascii(&usual_clock(seconds), out)
}

/// Of hours the last two digits.
fn usual_clock(seconds: u64) -> [u8; 8] {
    let mut text = *b"00:00:00";
    text[..2].copy_from_slice(&pair(seconds / 3600));
    text[3..5].copy_from_slice(&pair(seconds / 60 % 60));
    text[6..].copy_from_slice(&pair(seconds % 60));
    text
}

/// The last two digits of a number, without the machinery of formatting.
fn pair(number: u64) -> [u8; 2] {
    let number = (number % 100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

fn write_ascii(text: &[u8], out: &mut impl Write) -> fmt::Result {
    out.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

/// ISO 8601: `P1DT2H3M4.5S`, `-PT0.000001S`, `PT0S`.
///
/// # Errors
/// Only if `out` fails.
pub fn write_duration(micros: i64, out: &mut impl Write) -> fmt::Result {
    if micros == 0 {
        return out.write_str("PT0S");
    }
    if micros < 0 {
        out.write_char('-')?;
    }
    out.write_char('P')?;
    let all = micros.unsigned_abs();
    let (seconds, fraction) = (all / 1_000_000, (all % 1_000_000) as u32);
    let (days, hours, minutes, second) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    if days > 0 {
        write!(out, "{days}D")?;
    }
    if hours + minutes + second + u64::from(fraction) == 0 {
        return Ok(());
    }
    out.write_char('T')?;
    if hours > 0 {
        write!(out, "{hours}H")?;
    }
    if minutes > 0 {
        write!(out, "{minutes}M")?;
    }
    if second > 0 || fraction > 0 {
        write!(out, "{second}")?;
        write_fraction(fraction * 1000, out)?;
        out.write_char('S')?;
    }
    Ok(())
}

/// `b68a35a7-17ad-35b3-af2a-ae46edb4545a`.
///
/// # Errors
/// Only if `out` fails.
pub fn write_uuid(uuid: &[u8; 16], out: &mut impl Write) -> fmt::Result {
    out.write_str(std::str::from_utf8(&uuid_spelling(uuid)).map_err(|_| fmt::Error)?)
}

pub(crate) fn uuid_spelling(uuid: &[u8; 16]) -> [u8; 36] {
    // Through a table: a formatter call a byte costs more than the whole of a lookup.
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let (mut text, mut at) = ([b'-'; 36], 0);
    for (place, byte) in uuid.iter().enumerate() {
        at += usize::from(matches!(place, 4 | 6 | 8 | 10));
        (text[at], text[at + 1]) = (digit(byte >> 4), digit(byte & 15));
        at += 2;
    }
    text
}

fn write_fraction(nanos: u32, out: &mut impl Write) -> fmt::Result {
    if nanos == 0 {
        return Ok(());
    }
    let mut text = *b".000000000";
    let len = put_fraction(nanos, &mut text[1..]);
    write_ascii(&text[..=len], out)
}

/// Writes the digits of a fraction that is not zero; how many there are without zeros at the end.
fn put_fraction(nanos: u32, digits: &mut [u8]) -> usize {
    // Most times have milliseconds or microseconds.
    let (mut rest, mut len) = match nanos {
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    for digit in digits[..len].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    while digits[len - 1] == b'0' {
        len -= 1;
    }
    len
}

/// Proleptic Gregorian year, month and day; any year an `i64` of days can reach.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, in eras of 400 years, so that leap days end a year.
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
        let mut out = String::new();
        write(&mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn clocks_and_days_are_spelled_as_formatting_would(nanos: i64, days in -800_000..4_000_000_i64) {
            let mut spelled = String::new();
            write_clock(nanos, &mut spelled).unwrap();
            let all = nanos.unsigned_abs();
            let (seconds, fraction) = (all / NANOS_PER_SECOND, all % NANOS_PER_SECOND);
            let (sign, hours) = (if nanos < 0 { "-" } else { "" }, seconds / 3600);
            let whole = format!("{sign}{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
            let fraction = format!(".{fraction:09}");
            prop_assert_eq!(&spelled, &(whole + fraction.trim_end_matches('0').trim_end_matches('.')));
            let (year, month, day) = civil_from_days(days);
            let mut spelled = String::new();
            write_date(days, &mut spelled).unwrap();
            if (1..=9999).contains(&year) {
                prop_assert_eq!(spelled, format!("{year:04}-{month:02}-{day:02}"));
            }
        }
    }

    proptest! {
        #[test]
        fn a_timestamp_is_a_date_and_a_clock(
            seconds in -70_000_000_000..300_000_000_000_i64, fraction in 0..1_000_000_000_u32, zeros in 0..9_u32,
        ) {
            let unit = 10_u32.pow(zeros);
            let at = Moment { seconds, nanos: fraction / unit * unit };
            let date = text(|out| write_date(seconds.div_euclid(SECONDS_PER_DAY), out));
            let nanos = seconds.rem_euclid(SECONDS_PER_DAY) * 1_000_000_000 + i64::from(at.nanos);
            let clock = text(|out| write_clock(nanos, out));
            prop_assert_eq!(text(|out| write_timestamp(at, out)), format!("{date}T{clock}"));
        }
    }

    #[test]
    fn dates_of_any_year() {
        let date = |days| text(|out| write_date(days, out));
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(106_751_991_167), "+292278994-08-17");
        assert_eq!(date(-719_529), "-0001-12-31");
        assert_eq!(date(-719_528), "0000-01-01");
        assert_eq!(date(i64::MAX), "infinity");
    }

    #[test]
    fn clocks_may_be_negative_and_longer_than_a_day() {
        let clock = |nanos| text(|out| write_clock(nanos, out));
        assert_eq!(clock(45_296_123_456_000), "12:34:56.123456");
        assert_eq!(clock(86_400_000_000_000), "24:00:00");
        assert_eq!(clock(-3_020_399_000_000_000), "-838:59:59");
    }

    #[test]
    fn timestamps_keep_only_the_fraction_they_need() {
        let stamp =
            |micros| text(|out| write_timestamp(Moment::from_units(micros, 1_000_000), out));
        assert_eq!(stamp(1_704_153_757_261_000), "2024-01-02T00:02:37.261");
        assert_eq!(stamp(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(
            text(|out| write_timestamp(Moment::NEG_INFINITY, out)),
            "-infinity"
        );
    }

    #[test]
    fn durations() {
        let duration = |micros| text(|out| write_duration(micros, out));
        assert_eq!(duration(0), "PT0S");
        assert_eq!(duration(-1), "-PT0.000001S");
        assert_eq!(duration(86_400_000_000), "P1D");
        assert_eq!(duration(93_784_500_000), "P1DT2H3M4.5S");
    }

    #[test]
    fn uuids() {
        let written = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";
        let uuid = crate::parse_uuid(written).unwrap();
        assert_eq!(text(|out| write_uuid(&uuid, out)), written);
    }
}
