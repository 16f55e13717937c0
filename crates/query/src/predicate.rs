//! Tests rows: a filter bound to a table's columns, with the three values of SQL's logic.
//!
//! `None` is unknown: nothing can be said of a comparison with null, with what was never sent, or of
//! an order between values of different kinds. A column that a row's shape lacks is null.

use std::cmp::Ordering;

use row_model::{Row, Value};
pub(crate) use table_store::Layouts;

use crate::compare::{Constant, JsonPath, Kind, Pattern, contains, uuid_text};
use crate::tree::IsWhat;

/// A condition on rows.
#[derive(Debug)]
pub(crate) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Test { source: Source, check: Check },
}

/// Where a value comes from: a column in use, and the way into its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub slot: usize,
    pub path: Option<JsonPath>,
}

/// What is asked of a value.
#[derive(Debug)]
pub(crate) enum Check {
    /// A literal may stand for several constants; the value is compared with those of its kind.
    Compare(Comparison, Vec<Constant>),
    /// Sorted by [`Constant::order`].
    In(Vec<Constant>),
    Between {
        low: Vec<Constant>,
        high: Vec<Constant>,
    },
    Like(Pattern),
    Starts(Box<str>),
    Contains {
        text: Box<str>,
        json: Vec<String>,
    },
    Is(IsWhat),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Predicate {
    /// True, false or unknown. `places` says where each column in use lies in the row.
    pub fn test(&self, row: Row<'_>, places: &[Option<usize>]) -> Option<bool> {
        match self {
            Self::All(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.test(row, places) {
                        Some(true) => {}
                        Some(false) => return Some(false),
                        None => all = None,
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Some(false);
                for part in parts {
                    match part.test(row, places) {
                        Some(false) => {}
                        Some(true) => return Some(true),
                        None => any = None,
                    }
                }
                any
            }
            Self::Not(part) => part.test(row, places).map(|is| !is),
            Self::Test { source, check } => {
                source.with_value(row, places, |value| check.test(&value))
            }
        }
    }

    /// Takes so long for a row that nobody should wait for it.
    pub fn is_costly(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_costly),
            Self::Not(part) => part.is_costly(),
            Self::Test { source, check } => {
                let searches = matches!(check, Check::Like(_) | Check::Contains { .. });
                let json = |constants: &[Constant]| {
                    constants
                        .iter()
                        .any(|constant| constant.kind() == Kind::Json)
                };
                let takes_apart = match check {
                    Check::Compare(_, constants) | Check::In(constants) => json(constants),
                    _ => false,
                };
                source.path.is_some() || searches || takes_apart
            }
        }
    }
}

impl Source {
    /// Calls `then` with the value in this row.
    pub fn with_value<T>(
        &self,
        row: Row<'_>,
        places: &[Option<usize>],
        then: impl FnOnce(Value<'_>) -> T,
    ) -> T {
        let place = places.get(self.slot).copied().flatten();
        let value = place
            .and_then(|place| row.get(place))
            .unwrap_or(Value::Null);
        match (&self.path, value) {
            (None, value) => then(value),
            (Some(path), Value::Json(json)) => path.with_value(json, then),
            (Some(_), Value::Unavailable) => then(Value::Unavailable),
            (Some(_), _) => then(Value::Null),
        }
    }
}

impl Check {
    fn test(&self, value: &Value<'_>) -> Option<bool> {
        if let Self::Is(what) = self {
            return is(*what, value);
        }
        if let Self::In(constants) = self
            && constants.is_empty()
        {
            // Nothing is among nothing, whatever it is.
            return Some(false);
        }
        if matches!(value, Value::Null | Value::Unavailable) {
            return None;
        }
        match self {
            Self::Compare(comparison, constants) => comparison.test(value, constants),
            Self::In(constants) => Some(is_among(value, constants)),
            Self::Between { low, high } => {
                let above = Comparison::GreaterOrEqual.test(value, low);
                let below = Comparison::LessOrEqual.test(value, high);
                match (above, below) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Self::Like(pattern) => with_text(value, |text| pattern.matches(text)),
            Self::Starts(prefix) => with_text(value, |text| text.starts_with(&**prefix)),
            Self::Contains { text, json } => match value {
                Value::Json(value) => Some(json.iter().any(|part| contains(value, part))),
                value => with_text(value, |value| {
                    memchr::memmem::find(value.as_bytes(), text.as_bytes()).is_some()
                }),
            },
            Self::Is(_) => None,
        }
    }
}

/// `None` of what was never sent: whether that is null nobody knows.
fn is(what: IsWhat, value: &Value<'_>) -> Option<bool> {
    if *value == Value::Unavailable {
        return None;
    }
    Some(match what {
        IsWhat::Null => *value == Value::Null,
        IsWhat::NotNull => *value != Value::Null,
        IsWhat::True => *value == Value::Bool(true),
        IsWhat::False => *value == Value::Bool(false),
    })
}

fn with_text(value: &Value<'_>, then: impl FnOnce(&str) -> bool) -> Option<bool> {
    match value {
        Value::Text(text) => Some(then(text)),
        Value::Uuid(uuid) => Some(then(uuid_text(uuid).as_str())),
        _ => None,
    }
}

/// Short lists are looked through; long ones are sorted, and searched by kind and order.
fn is_among(value: &Value<'_>, constants: &[Constant]) -> bool {
    const LOOKED_THROUGH_MAX: usize = 8;
    if constants.len() <= LOOKED_THROUGH_MAX {
        return constants
            .iter()
            .any(|constant| constant.compare(value) == Some(Ordering::Equal));
    }
    // Taken apart once rather than at each step of the search.
    let taken_apart = match value {
        Value::Int(_) | Value::Text(_) => None,
        value => Constant::of(*value),
    };
    let kind = Kind::of(value);
    let found = constants.binary_search_by(|constant| match &taken_apart {
        Some(value) => constant.order(value),
        None => constant
            .compare(value)
            .map_or_else(|| Some(constant.kind()).cmp(&kind), Ordering::reverse),
    });
    found.is_ok()
}

impl Comparison {
    fn test(self, value: &Value<'_>, constants: &[Constant]) -> Option<bool> {
        let mut comparable = constants
            .iter()
            .filter_map(|constant| constant.compare(value));
        Some(match self {
            Self::Equal => comparable.any(Ordering::is_eq),
            Self::NotEqual => !comparable.any(Ordering::is_eq),
            Self::Less => comparable.next()?.is_lt(),
            Self::LessOrEqual => comparable.next()?.is_le(),
            Self::Greater => comparable.next()?.is_gt(),
            Self::GreaterOrEqual => comparable.next()?.is_ge(),
        })
    }
}
