//! Messages that mean one value: decimals, times, nullable scalars.
//!
//! Each becomes the type that keeps it exactly. A Protobuf timestamp is finer than Connect's
//! milliseconds, and its schema does not say how fine: it becomes a local time spelled out, which
//! holds any of them and is the same column type.

use row_model::{Decimal, Moment, write_date, write_timestamp};

use super::scalar::{OTHER_TYPE, Scalar, write_base64};
use super::wire::{Fault, Token};
use crate::temporal;

/// Digits after the point, or zeros before it; PostgreSQL has 16,383.
const SCALE_MAX: u32 = 100_000;
/// A decimal whose digits must be written out; PostgreSQL's longest have 61 KB.
const DIGIT_BYTES_MAX: usize = 64 << 10;
/// From the year 1 to 9999, as Protobuf defines.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

const NO_TIMESTAMP: Fault = "is no time from the year 1 to 9999";
const NO_DATE: Fault = "is no date of a calendar";
const NO_TIME: Fault = "is no time of a day";
const ABSURD_SCALE: Fault = "is a decimal with an absurd scale";
const ABSURD_LENGTH: Fault = "is a decimal of more digits than databases have";

/// The first fields of a small message, by number from 1; `None` were not sent.
pub(super) type Parts<'a> = [Option<Token<'a>>; 4];

/// `{value, precision, scale}`. The value's own scale is the true one.
pub(super) fn write_decimal(
    parts: Parts<'_>,
    expected: Option<i32>,
    out: &mut String,
) -> Result<(), Fault> {
    let [value, _, scale, _] = parts;
    let unscaled = match value {
        None => &[][..],
        Some(Token::Bytes(bytes)) => bytes,
        Some(_) => return Err(OTHER_TYPE),
    };
    let scale = i32::try_from(integer(scale)?).map_err(|_| ABSURD_SCALE)?;
    if expected == Some(scale) {
        write_base64(unscaled, out);
        return Ok(());
    }
    if scale.unsigned_abs() > SCALE_MAX {
        return Err(ABSURD_SCALE);
    }
    if expected.is_none() {
        out.push_str("{\"scale\":");
        out.push_str(&scale.to_string());
        out.push_str(",\"value\":");
        write_base64(unscaled, out);
        out.push('}');
        return Ok(());
    }
    // Of another scale than its column: a number says what bytes without a scale cannot.
    if unscaled.len() > DIGIT_BYTES_MAX {
        return Err(ABSURD_LENGTH);
    }
    out.push_str(&Decimal::new(scale, unscaled).to_plain());
    Ok(())
}

/// `{seconds, nanos}`.
pub(super) fn write_instant(parts: Parts<'_>, out: &mut String) -> Result<(), Fault> {
    let [seconds, nanos, _, _] = parts;
    let (seconds, nanos) = (integer(seconds)?, integer(nanos)?);
    if !SECONDS.contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Err(NO_TIMESTAMP);
    }
    let at = Moment {
        seconds,
        nanos: nanos as u32,
    };
    out.push('"');
    write_timestamp(at, out).map_err(|_| NO_TIMESTAMP)?;
    out.push_str("Z\"");
    Ok(())
}

/// `{year, month, day}` as days since 1970.
pub(super) fn write_days(parts: Parts<'_>, out: &mut String) -> Result<(), Fault> {
    let [year, month, day, _] = parts;
    let (year, month, day) = (integer(year)?, integer(month)?, integer(day)?);
    if !(1..=9999).contains(&year) {
        return Err(NO_DATE);
    }
    let text = format!("{year:04}-{month:02}-{day:02}");
    let days = temporal::date_days(&text).ok_or(NO_DATE)?;
    // The thirtieth of February is read as the first of March: then the way back gives another text.
    let mut back = String::with_capacity(text.len());
    write_date(days, &mut back).map_err(|_| NO_DATE)?;
    if back != text {
        return Err(NO_DATE);
    }
    out.push_str(&days.to_string());
    Ok(())
}

/// `{hours, minutes, seconds, nanos}` as nanoseconds since midnight.
pub(super) fn write_nanos_of_day(parts: Parts<'_>, out: &mut String) -> Result<(), Fault> {
    let [hours, minutes, seconds, nanos] = parts.map(integer);
    let (hours, minutes, seconds, nanos) = (hours?, minutes?, seconds?, nanos?);
    let in_range = (0..=24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..=60).contains(&seconds)
        && (0..NANOS_PER_SECOND).contains(&nanos);
    if !in_range {
        return Err(NO_TIME);
    }
    let total = ((hours * 60 + minutes) * 60 + seconds) * NANOS_PER_SECOND + nanos;
    out.push_str(&total.to_string());
    Ok(())
}

/// `{value}`.
pub(super) fn write_wrapped(
    parts: Parts<'_>,
    scalar: Scalar,
    out: &mut String,
) -> Result<(), Fault> {
    if let Some(token) = parts[0] {
        return scalar.write(token, out);
    }
    out.push_str(scalar.zero());
    Ok(())
}

fn integer(token: Option<Token<'_>>) -> Result<i64, Fault> {
    match token {
        None => Ok(0),
        Some(Token::Varint(value)) => Ok(value as i64),
        Some(_) => Err(OTHER_TYPE),
    }
}
