//! Binds one condition: which operators a type answers, and what a literal means in it.

use row_model::ColumnType;

use regex::RegexBuilder;

use super::binder::Binder;
use super::{BindError, is_text, is_unordered};
use crate::compare::{Constant, Pattern};
use crate::literal;
use crate::predicate::{Among, Check, Comparison, Predicate};
use crate::tree::{IsWhat, Operand, Operator, Test};

/// Digits and powers of ten of a number in a filter. No column's values come near.
const NUMBER_TEXT_MAX: usize = 1_000;

/// Memory of a compiled regular expression.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

const INSTEAD_OF_ORDER: &str =
    "Ask eq, neq, in, is or contains of it, or compare a part of it, as in doc->>name.";
const INSTEAD_OF_TEXT: &str = "Ask eq, neq, gt, gte, lt, lte, between, in or is of it.";
const INSTEAD_OF_TEXT_IN_JSON: &str = "Ask it of a part that is text, as in doc->>name.";
const INSTEAD_OF_COLUMN: &str = "Compare columns with eq, neq, gt, gte, lt or lte.";
const INSTEAD_OF_TRUTH: &str =
    "Ask is.null or is.not_null of it; true and false are asked of boolean columns.";

pub(super) fn bind(test: &Test, binder: &mut Binder<'_>) -> Result<Predicate, BindError> {
    let (source, kind) = binder.source(&test.column)?;
    let of_kind = TestOfKind { test, kind };
    if let Operand::Column(other) = &test.operand {
        let (with, other) = binder.source(other)?;
        return Ok(Predicate::Compare {
            source,
            comparison: of_kind.comparison_with(other)?,
            with,
        });
    }
    Ok(Predicate::Test {
        source,
        check: of_kind.check()?,
    })
}

struct TestOfKind<'a> {
    test: &'a Test,
    kind: ColumnType,
}

impl TestOfKind<'_> {
    fn check(&self) -> Result<Check, BindError> {
        Ok(match (&self.test.operand, self.test.operator) {
            (Operand::Is(what), _) => {
                let takes_truth = matches!(self.kind, ColumnType::Bool | ColumnType::Any);
                if matches!(what, IsWhat::True | IsWhat::False) && !takes_truth {
                    return Err(self.refused(INSTEAD_OF_TRUTH));
                }
                Check::Is(*what)
            }
            (Operand::List(values), Operator::Between) => {
                self.ordered()?;
                match &values[..] {
                    [low, high] => Check::Between {
                        low: self.readings(low, Some(1))?,
                        high: self.readings(high, Some(2))?,
                    },
                    _ => return Err(self.bad_literal("two bounds", None)),
                }
            }
            (Operand::List(values), _) => {
                let mut constants = Vec::with_capacity(values.len());
                for (at, value) in values.iter().enumerate() {
                    self.add_readings(value, Some(at + 1), &mut constants)?;
                }
                Check::In(Among::new(constants))
            }
            (Operand::One(text), operator) => self.of_one(operator, text)?,
            // Compared above, and with nothing else.
            (Operand::Column(_), _) => return Err(self.refused(INSTEAD_OF_COLUMN)),
        })
    }

    /// How values of two columns are compared.
    fn comparison_with(&self, other: ColumnType) -> Result<Comparison, BindError> {
        let comparison = comparison(self.test.operator);
        let comparison = comparison.ok_or_else(|| self.refused(INSTEAD_OF_COLUMN))?;
        if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            self.ordered()?;
            if is_unordered(other) {
                return Err(self.refused(INSTEAD_OF_ORDER));
            }
        }
        Ok(comparison)
    }

    fn of_one(&self, operator: Operator, text: &str) -> Result<Check, BindError> {
        let comparison = match operator {
            Operator::Like | Operator::Ilike => {
                self.textual()?;
                let pattern = Pattern::new(text, operator == Operator::Ilike);
                let pattern = pattern
                    .ok_or_else(|| self.bad_literal("a pattern of at most 256 characters", None))?;
                return Ok(Check::Like(pattern));
            }
            Operator::Starts => {
                self.textual()?;
                return Ok(Check::Starts(text.into()));
            }
            Operator::Contains => return self.contains(text),
            Operator::ContainedIn | Operator::Overlaps => return self.of_json(operator, text),
            Operator::Match | Operator::Imatch => return self.matches(operator, text),
            // The others have operands of their own, and do not come here.
            operator => comparison(operator).unwrap_or(Comparison::Equal),
        };
        if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            self.ordered()?;
        }
        Ok(Check::Compare(comparison, self.readings(text, None)?))
    }

    fn contains(&self, text: &str) -> Result<Check, BindError> {
        if !is_text(self.kind) && !is_unordered(self.kind) {
            return Err(self.refused(INSTEAD_OF_TEXT));
        }
        // Read as JSON if it is some, and as a text among others.
        let mut json = Vec::new();
        if literal::is_json(text) {
            json.push(text.to_owned());
        }
        json.extend(serde_json::to_string(text).ok());
        Ok(Check::Contains {
            text: text.into(),
            json,
        })
    }

    fn of_json(&self, operator: Operator, text: &str) -> Result<Check, BindError> {
        if !is_unordered(self.kind) && self.kind != ColumnType::Any {
            return Err(self.refused(INSTEAD_OF_TEXT));
        }
        if !literal::is_json(text) {
            return Err(self.bad_literal("JSON, as in [1,2]", None));
        }
        Ok(match operator {
            Operator::Overlaps => Check::Overlaps(text.into()),
            _ => Check::ContainedIn(text.into()),
        })
    }

    /// Expressions take time in proportion to the text, whatever they are.
    fn matches(&self, operator: Operator, text: &str) -> Result<Check, BindError> {
        self.textual()?;
        let mut expression = RegexBuilder::new(text);
        let expression = expression
            .case_insensitive(operator == Operator::Imatch)
            .size_limit(EXPRESSION_BYTES_MAX)
            .dfa_size_limit(EXPRESSION_BYTES_MAX);
        let expression = expression.build();
        let expression = expression.map_err(|_| {
            self.bad_literal(
                "a regular expression of moderate size, without back-references",
                None,
            )
        })?;
        Ok(Check::Match(expression))
    }

    fn readings(&self, text: &str, number: Option<usize>) -> Result<Vec<Constant>, BindError> {
        let mut readings = Vec::with_capacity(1);
        self.add_readings(text, number, &mut readings)?;
        Ok(readings)
    }

    /// Adds every value that a literal stands for in the column's type. `number` is its place in a list.
    fn add_readings(
        &self,
        text: &str,
        number: Option<usize>,
        readings: &mut Vec<Constant>,
    ) -> Result<(), BindError> {
        let numeric = literal::is_integer(self.kind)
            || matches!(
                self.kind,
                ColumnType::Float32 | ColumnType::Float64 | ColumnType::Decimal
            );
        if numeric && !is_modest(text) {
            return Err(self.bad_literal("a number of at most 1000 digits, below 1e1000", number));
        }
        let start = readings.len();
        let read = literal::each_operand(self.kind, text, |value| {
            // The text `null` is a text here: what is null is asked with `is.null`.
            let constant = Constant::of(value);
            readings.extend(constant.filter(|constant| !readings[start..].contains(constant)));
        });
        read.map_err(|error| self.bad_literal(error.expected, number))
    }

    fn ordered(&self) -> Result<(), BindError> {
        if is_unordered(self.kind) {
            return Err(self.refused(INSTEAD_OF_ORDER));
        }
        Ok(())
    }

    fn textual(&self) -> Result<(), BindError> {
        if is_text(self.kind) {
            return Ok(());
        }
        Err(self.refused(if is_unordered(self.kind) {
            INSTEAD_OF_TEXT_IN_JSON
        } else {
            INSTEAD_OF_TEXT
        }))
    }

    fn bad_literal(&self, expected: &'static str, number: Option<usize>) -> BindError {
        BindError::Literal {
            column: self.test.column.column.clone(),
            kind: self.kind.name(),
            expected,
            number,
            at: self.test.at.clone(),
        }
    }

    fn refused(&self, instead: &'static str) -> BindError {
        BindError::Operator {
            operator: self.test.operator.spelling(),
            column: self.test.column.column.clone(),
            kind: self.kind.name(),
            at: self.test.at.clone(),
            instead,
        }
    }
}

/// Reading a number takes time with its digits and its power of ten: both stay below a bound.
pub(super) fn is_modest(text: &str) -> bool {
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return true;
    }
    let exponent = text.split_once(['e', 'E']).map(|(_, exponent)| exponent);
    let modest = |exponent: &str| {
        let digits = exponent
            .trim_start_matches(['+', '-'])
            .trim_start_matches('0');
        digits.len() < NUMBER_TEXT_MAX.to_string().len()
    };
    text.len() <= NUMBER_TEXT_MAX && exponent.is_none_or(modest)
}

/// The comparison that an operator stands for.
fn comparison(operator: Operator) -> Option<Comparison> {
    match operator {
        Operator::Eq => Some(Comparison::Equal),
        Operator::Neq => Some(Comparison::NotEqual),
        Operator::Gt => Some(Comparison::Greater),
        Operator::Gte => Some(Comparison::GreaterOrEqual),
        Operator::Lt => Some(Comparison::Less),
        Operator::Lte => Some(Comparison::LessOrEqual),
        _ => None,
    }
}
