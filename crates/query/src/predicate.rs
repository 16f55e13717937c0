//! Tests rows: a filter bound to a table's columns, with the three values of SQL's logic.
//!
//! `None` is unknown: nothing can be said of a comparison with null, with what was never sent, or of
//! an order between values of different kinds. A column that a row's shape lacks is null.

use std::cmp::Ordering;
use std::sync::Arc;

use regex::Regex;
use row_model::Value;
pub(crate) use table_store::Layouts;

use crate::cast::Cast;
use crate::compare::{Constant, JsonPath, Kind, Pattern, contains, overlaps, uuid_text};
use crate::run::View;
use crate::tree::IsWhat;

/// A condition on rows.
#[derive(Debug)]
pub(crate) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Test {
        source: Source,
        check: Check,
    },
    /// Two values of the row are compared with each other.
    Compare {
        source: Source,
        comparison: Comparison,
        with: Source,
    },
    /// There is a related row as the scope's relation of this number wants it.
    Related(usize),
}

/// Where a value comes from: a column in use, and the way into its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Whose column: 0 is the row itself, the others are rows that its to-one relations lead to.
    pub level: usize,
    /// Which of the columns in use there.
    pub slot: usize,
    pub path: Option<JsonPath>,
    /// What the value is turned into.
    pub cast: Option<Cast>,
}

/// What is asked of a value.
#[derive(Debug)]
pub(crate) enum Check {
    /// A literal may stand for several constants; the value is compared with those of its kind.
    Compare(Comparison, Vec<Constant>),
    In(Among),
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
    /// JSON whose parts are all in this.
    ContainedIn(Box<str>),
    /// An array with an element of this one.
    Overlaps(Box<str>),
    Match(Regex),
    Is(IsWhat),
}

/// Constants of which a value may be one.
#[derive(Debug)]
pub(crate) struct Among {
    /// Sorted by [`Constant::order`].
    constants: Vec<Constant>,
    /// The same, if all are integers.
    pub integers: Option<Arc<[i64]>>,
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
    /// True, false or unknown.
    pub fn test(&self, row: &View<'_>) -> Option<bool> {
        match self {
            Self::All(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.test(row) {
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
                    match part.test(row) {
                        Some(false) => {}
                        Some(true) => return Some(true),
                        None => any = None,
                    }
                }
                any
            }
            Self::Not(part) => part.test(row).map(|is| !is),
            Self::Test { source, check } => {
                // What most filters ask, without reading the value.
                if let Check::Compare(comparison, constants) = check
                    && let [Constant::Text(text)] = &constants[..]
                    && let Some(equal) = comparison.for_equal()
                    && let Some(is_it) = row.is_text(source, text)
                {
                    return Some(is_it == equal);
                }
                if let Check::In(among) = check
                    && let Some(integers) = &among.integers
                    && let Some(number) = row.small_number(source)
                    && let Some(integer) = number.integer()
                {
                    return Some(integers.binary_search(&integer).is_ok());
                }
                row.with_value(source, |value| check.test(&value))
            }
            Self::Compare {
                source,
                comparison,
                with,
            } => row.with_value(source, |value| {
                if matches!(value, Value::Null | Value::Unavailable) {
                    return None;
                }
                let other = row.with_value(with, Constant::of)?;
                comparison.test(&value, &[other])
            }),
            Self::Related(number) => Some(row.has_related(*number)),
        }
    }

    /// Every row meets it.
    pub fn takes_all(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Takes so long for a row that nobody should wait for it.
    pub fn is_costly(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_costly),
            Self::Not(part) => part.is_costly(),
            Self::Test { source, check } => {
                let searches = matches!(
                    check,
                    Check::Like(_)
                        | Check::Contains { .. }
                        | Check::ContainedIn(_)
                        | Check::Overlaps(_)
                        | Check::Match(_)
                );
                let json = |constants: &[Constant]| {
                    constants
                        .iter()
                        .any(|constant| constant.kind() == Kind::Json)
                };
                let takes_apart = match check {
                    Check::Compare(_, constants) => json(constants),
                    Check::In(among) => json(&among.constants),
                    _ => false,
                };
                source.path.is_some() || source.level > 0 || searches || takes_apart
            }
            Self::Compare { source, with, .. } => source.level + with.level > 0,
            Self::Related(_) => true,
        }
    }
}

impl Source {
    /// It is a column of the row itself, as it is.
    pub fn is_plain(&self) -> bool {
        self.level == 0 && self.is_unchanged()
    }

    /// It is a column as it is, of the row itself or of a related one.
    pub fn is_unchanged(&self) -> bool {
        self.path.is_none() && self.cast.is_none()
    }

    /// A column of the row itself.
    pub fn column(slot: usize) -> Self {
        Self {
            level: 0,
            slot,
            path: None,
            cast: None,
        }
    }
}

impl Check {
    fn test(&self, value: &Value<'_>) -> Option<bool> {
        if let Self::Is(what) = self {
            return is(*what, value);
        }
        if let Self::In(among) = self
            && among.constants.is_empty()
        {
            // Nothing is among nothing, whatever it is.
            return Some(false);
        }
        if matches!(value, Value::Null | Value::Unavailable) {
            return None;
        }
        match self {
            Self::Compare(comparison, constants) => comparison.test(value, constants),
            Self::In(among) => Some(among.has(value)),
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
            Self::ContainedIn(whole) => match value {
                Value::Json(value) => Some(contains(whole, value)),
                _ => None,
            },
            Self::Overlaps(other) => match value {
                Value::Json(value) => Some(overlaps(value, other)),
                _ => None,
            },
            Self::Match(pattern) => with_text(value, |text| pattern.is_match(text)),
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

impl Among {
    pub fn new(mut constants: Vec<Constant>) -> Self {
        let integers = constants.iter().map(Constant::integer);
        let integers: Option<Arc<[i64]>> = integers.collect::<Option<Vec<_>>>().map(|mut all| {
            all.sort_unstable();
            all.into()
        });
        // Constants are large, and compared by their digits: a list of integers is sorted by these.
        if integers.is_some() {
            constants.sort_by_cached_key(Constant::integer);
        } else {
            constants.sort_by(Constant::order);
        }
        Self {
            constants,
            integers,
        }
    }

    /// Short lists are looked through; long ones are searched by kind and order.
    fn has(&self, value: &Value<'_>) -> bool {
        const LOOKED_THROUGH_MAX: usize = 8;
        let constants = &self.constants;
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
}

impl Comparison {
    /// What it says of equal values, if it asks for nothing else.
    pub fn for_equal(self) -> Option<bool> {
        match self {
            Self::Equal => Some(true),
            Self::NotEqual => Some(false),
            _ => None,
        }
    }

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
