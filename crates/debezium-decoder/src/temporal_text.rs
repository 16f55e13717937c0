//! Times inside nested values, spelled as they are answered.

use row_model::{Value, write_clock, write_date, write_duration, write_timestamp};

/// The spelling of a time; empty for any other value.
pub(crate) fn spelled(value: Value<'_>) -> String {
    let mut out = String::new();
    let written = match value {
        Value::Date(days) => write_date(days, &mut out),
        Value::Clock(nanos) | Value::ClockUtc(nanos) => write_clock(nanos, &mut out),
        Value::Timestamp(at) | Value::Instant(at) => write_timestamp(at, &mut out),
        Value::Duration(micros) => write_duration(micros, &mut out),
        _ => Ok(()),
    };
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    let zoned =
        matches!(value, Value::Instant(_) | Value::ClockUtc(_)) && !out.ends_with("infinity");
    if zoned {
        out.push('Z');
    }
    out
}
