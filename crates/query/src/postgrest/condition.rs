//! Filters and groups as conditions of the tree: quantifiers and `isdistinct` written out, a relation's name as whether
//! there are rows of it.

use super::array;
use super::assemble::{Child, Filtered, column_path, place};
use super::error::ReadError;
use super::filter::{self, Filter, Logic, Operation};
use crate::tree::{ColumnPath, Condition, IsWhat, Operand, Operator, Place, Test};

/// The condition that a filter or a group is.
pub(super) fn condition(
    logic: &Logic,
    filtered: &Filtered,
    children: &[Child],
) -> Result<Condition, ReadError> {
    match logic {
        Logic::Filter(filter) => test(filter, filtered, children),
        Logic::Group {
            negated,
            any,
            parts,
        } => {
            let parts = parts.iter().map(|part| condition(part, filtered, children));
            let parts = parts.collect::<Result<_, _>>()?;
            let group = if *any {
                Condition::Any(parts)
            } else {
                Condition::All(parts)
            };
            Ok(not_if(*negated, group))
        }
    }
}

fn test(filter: &Filter, filtered: &Filtered, children: &[Child]) -> Result<Condition, ReadError> {
    let filter::Test {
        negated,
        operation,
        at,
    } = &filter.test;
    let at = place(&filtered.parameter, at.saturating_sub(filtered.skipped));
    if let Operation::Is(what @ (IsWhat::Null | IsWhat::NotNull)) = operation
        && filter.field.arrows.is_empty()
        && let Some(child) = children
            .iter()
            .find(|child| child.label == filter.field.name)
    {
        let is_missing = *negated != (*what == IsWhat::Null);
        return Ok(not_if(is_missing, child.there()));
    }
    let in_name = Place {
        parameter: filtered.parameter.clone(),
        offset: (filtered.skipped > 0).then(|| filter.field.at.saturating_sub(filtered.skipped)),
    };
    let column = column_path(&filter.field, in_name)?;
    let one = |operator, operand| {
        Condition::Test(Test {
            column: column.clone(),
            operator,
            operand,
            at: at.clone(),
        })
    };
    let condition = match operation {
        Operation::In(values) => one(Operator::In, Operand::List(values.clone())),
        Operation::Is(what) => one(Operator::Is, Operand::Is(*what)),
        Operation::Compare(operator, value) => one(*operator, Operand::One(value.clone())),
        Operation::IsDistinct(value) => Condition::Any(vec![
            one(Operator::Neq, Operand::One(value.clone())),
            one(Operator::Is, Operand::Is(IsWhat::Null)),
        ]),
        Operation::Each {
            operator,
            of_all,
            array,
        } => {
            let parts = each(array, &column, *operator, &at)?;
            if *of_all {
                Condition::All(parts)
            } else {
                Condition::Any(parts)
            }
        }
        Operation::Unsupported(what) => return Err(ReadError::Unsupported { what, at }),
    };
    Ok(not_if(*negated, condition))
}

/// A test for each element of an array.
fn each(
    array: &str,
    column: &ColumnPath,
    operator: Operator,
    at: &Place,
) -> Result<Vec<Condition>, ReadError> {
    let elements = array::read(array).ok_or_else(|| ReadError::Array {
        text: array.to_owned(),
        at: at.clone(),
    })?;
    let parts = elements.into_iter().map(|element| {
        let at = Place {
            offset: at.offset.map(|offset| offset + element.at),
            ..at.clone()
        };
        let Some(text) = element.text else {
            return Err(ReadError::Unsupported {
                what: "null among the values of any or all",
                at,
            });
        };
        Ok(Condition::Test(Test {
            column: column.clone(),
            operator,
            operand: Operand::One(text),
            at,
        }))
    });
    parts.collect()
}

fn not_if(negated: bool, condition: Condition) -> Condition {
    if negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }
}
