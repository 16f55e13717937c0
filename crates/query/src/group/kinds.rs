//! Which aggregate goes with which type, and of what type it is then.

use row_model::ColumnType;

use crate::tree::AggregateFunction;

/// The aggregate cannot be made of values of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be asked of type {}", .function.spelling(), .kind.name())]
pub struct Unsuitable {
    pub function: AggregateFunction,
    pub kind: ColumnType,
    /// What can be asked instead.
    pub instead: &'static str,
}

/// The type of an aggregate of values of this type.
///
/// A sum of integers is an integer even if it is beyond 64 bits, and an average of them a decimal. Of a
/// column without a type the values decide, row by row.
///
/// # Errors
/// If such values cannot be added, or have no order.
pub fn result_kind(
    function: AggregateFunction,
    kind: ColumnType,
) -> Result<ColumnType, Unsuitable> {
    use ColumnType::{
        Any, Array, Decimal, Duration, EnumSet, Float32, Float64, Int16, Int32, Int64, Json, Map,
        Struct, UInt64,
    };
    let refused = |instead| {
        Err(Unsuitable {
            function,
            kind,
            instead,
        })
    };
    match function {
        AggregateFunction::Count => Ok(Int64),
        AggregateFunction::Min | AggregateFunction::Max => match kind {
            Json | Array | Map | Struct | EnumSet => {
                refused("It has no order: ask it of a part, as in doc->>name.")
            }
            kind => Ok(kind),
        },
        AggregateFunction::Sum | AggregateFunction::Avg => {
            let averaged = function == AggregateFunction::Avg;
            Ok(match kind {
                Int16 | Int32 | Int64 if !averaged => Int64,
                UInt64 if !averaged => UInt64,
                Int16 | Int32 | Int64 | UInt64 | Decimal => Decimal,
                Float32 | Float64 => Float64,
                Duration => Duration,
                Any => Any,
                _ => {
                    return refused(
                        "Only numbers and durations are summed; count, min and max take others too.",
                    );
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_goes_with_what_its_values_can_answer() {
        use AggregateFunction::{Avg, Count, Max, Min, Sum};
        let kind = |function, kind| result_kind(function, kind).ok();
        assert_eq!(kind(Count, ColumnType::Json), Some(ColumnType::Int64));
        assert_eq!(kind(Sum, ColumnType::Int16), Some(ColumnType::Int64));
        assert_eq!(kind(Avg, ColumnType::Int16), Some(ColumnType::Decimal));
        assert_eq!(kind(Avg, ColumnType::Float32), Some(ColumnType::Float64));
        assert_eq!(kind(Sum, ColumnType::Duration), Some(ColumnType::Duration));
        assert_eq!(kind(Min, ColumnType::Uuid), Some(ColumnType::Uuid));
        assert_eq!(kind(Max, ColumnType::Struct), None);
        assert_eq!(kind(Sum, ColumnType::Text), None);
        let refused = result_kind(Sum, ColumnType::Date).unwrap_err();
        assert_eq!(refused.to_string(), "sum cannot be asked of type date");
    }
}
