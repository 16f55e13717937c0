//! Why groups cannot be made of some rows.

use row_model::Value;

use crate::compare::Kind;

/// The rows cannot be grouped, or not all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// There are more groups than an answer may be made of.
    #[error("there are more than {max} groups")]
    TooManyGroups { max: usize },
    /// Keys and values of all groups take more memory than they may.
    #[error("the groups take more than {max} bytes")]
    TooManyBytes { max: usize },
    /// A value that rows are grouped by is longer than any key may be.
    #[error(
        "a value that rows are grouped by is too long (all of them may have {} bytes)",
        row_model::KEY_BYTES_MAX
    )]
    KeyTooLong,
    /// A column without a type, or of another one in former rows, has a value that cannot be summed.
    #[error("{function} was asked of a column that has {what} in it")]
    NotSummable {
        function: &'static str,
        what: &'static str,
    },
    /// A number of absurd length.
    #[error("a number of more than 1000 digits cannot be summed")]
    TooManyDigits,
    /// The sum of durations is longer than any duration can be.
    #[error("a sum of durations is out of range")]
    OutOfRange,
}

/// What a value is, in words.
pub(super) fn described(value: &Value<'_>) -> &'static str {
    match Kind::of(value) {
        None => "null",
        Some(Kind::Bool) => "a boolean",
        Some(Kind::Number) => "a number",
        Some(Kind::Text) => "text",
        Some(Kind::Bytes) => "bytes",
        Some(Kind::Date) => "a date",
        Some(Kind::Clock | Kind::ClockUtc) => "a time of day",
        Some(Kind::Timestamp | Kind::Instant) => "a timestamp",
        Some(Kind::Duration) => "a duration",
        Some(Kind::Json) => "JSON",
    }
}
