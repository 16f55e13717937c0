//! One aggregate of all groups: a state for each, by the group's number.

use std::cmp::Ordering;

use row_model::{ColumnType, RowBuilder, SmallNumber, Value};

use super::error::GroupError;
use super::extreme::{Extreme, Scratch};
use super::kinds::{Unsuitable, result_kind};
use super::sum::{Durations, Sum};
use crate::tree::AggregateFunction;

/// What is made of the values of one column, which are of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    pub function: AggregateFunction,
    pub kind: ColumnType,
}

/// The states of one aggregate. Held by kind, so that a count costs eight bytes a group.
#[derive(Debug)]
pub(super) enum Accumulators {
    Counts(Vec<u64>),
    Sums {
        states: Vec<Sum>,
        averaged: bool,
    },
    Durations {
        states: Vec<Durations>,
        averaged: bool,
    },
    Extremes {
        states: Vec<Extreme>,
        side: Ordering,
        scratch: Scratch,
    },
}

impl Accumulators {
    pub fn new(aggregation: Aggregation) -> Result<Self, Unsuitable> {
        let Aggregation { function, kind } = aggregation;
        result_kind(function, kind)?;
        let averaged = function == AggregateFunction::Avg;
        let extremes = |side| Self::Extremes {
            states: Vec::new(),
            side,
            scratch: Scratch::default(),
        };
        Ok(match function {
            AggregateFunction::Count => Self::Counts(Vec::new()),
            AggregateFunction::Min => extremes(Ordering::Less),
            AggregateFunction::Max => extremes(Ordering::Greater),
            AggregateFunction::Sum | AggregateFunction::Avg if kind == ColumnType::Duration => {
                Self::Durations {
                    states: Vec::new(),
                    averaged,
                }
            }
            AggregateFunction::Sum | AggregateFunction::Avg => Self::Sums {
                states: Vec::new(),
                averaged,
            },
        })
    }

    /// Makes room for one more group; how many bytes that takes.
    pub fn add_group(&mut self) -> usize {
        match self {
            Self::Counts(counts) => {
                counts.push(0);
                size_of::<u64>()
            }
            Self::Sums { states, .. } => {
                states.push(Sum::default());
                size_of::<Sum>()
            }
            Self::Durations { states, .. } => {
                states.push(Durations::default());
                size_of::<Durations>()
            }
            Self::Extremes { states, .. } => {
                states.push(Extreme::default());
                size_of::<Extreme>()
            }
        }
    }

    /// Takes a value of a row of this group, and adds to `held` what it takes to keep it.
    pub fn offer(
        &mut self,
        group: usize,
        value: Value<'_>,
        held: &mut usize,
    ) -> Result<(), GroupError> {
        match self {
            Self::Counts(counts) => {
                counts[group] += u64::from(!matches!(value, Value::Null | Value::Unavailable));
            }
            Self::Sums { states, averaged } => {
                let state = &mut states[group];
                let before = state.held_bytes();
                state.add(value, name(*averaged))?;
                *held = (*held + state.held_bytes()).saturating_sub(before);
            }
            Self::Durations { states, averaged } => states[group].add(value, name(*averaged))?,
            Self::Extremes {
                states,
                side,
                scratch,
            } => {
                let state = &mut states[group];
                let before = state.held_bytes();
                state.offer(value, *side, scratch);
                *held = (*held + state.held_bytes()).saturating_sub(before);
            }
        }
        Ok(())
    }

    /// The same for a number, if it is taken without being read further; else `false`.
    pub fn offer_small(&mut self, group: usize, number: SmallNumber, held: &mut usize) -> bool {
        match self {
            Self::Counts(counts) => counts[group] += 1,
            Self::Sums { states, .. } => {
                let state = &mut states[group];
                let before = state.held_bytes();
                state.add_small(number);
                *held = (*held + state.held_bytes()).saturating_sub(before);
            }
            Self::Durations { .. } | Self::Extremes { .. } => return false,
        }
        true
    }

    /// Adds what another thread made of a group. Both are of one aggregation.
    pub fn merge(&mut self, group: usize, other: &mut Self, from: usize, held: &mut usize) {
        match (self, other) {
            (Self::Counts(own), Self::Counts(other)) => own[group] += other[from],
            (Self::Sums { states: own, .. }, Self::Sums { states: other, .. }) => {
                let state = &mut own[group];
                let before = state.held_bytes();
                state.merge(std::mem::take(&mut other[from]));
                *held = (*held + state.held_bytes()).saturating_sub(before);
            }
            (Self::Durations { states: own, .. }, Self::Durations { states: other, .. }) => {
                own[group].merge(other[from]);
            }
            (
                Self::Extremes {
                    states: own,
                    side,
                    scratch,
                },
                Self::Extremes { states: other, .. },
            ) => {
                let state = &mut own[group];
                let before = state.held_bytes();
                state.offer(other[from].value(), *side, scratch);
                *held = (*held + state.held_bytes()).saturating_sub(before);
            }
            _ => debug_assert!(false, "both are of one aggregation"),
        }
    }

    /// Appends the result for a group as a cell.
    pub fn push(&self, group: usize, row: &mut RowBuilder) -> Result<(), GroupError> {
        match self {
            Self::Counts(counts) => row.push(Value::Int(counts[group] as i64)),
            Self::Sums {
                states,
                averaged: false,
            } => states[group].push_sum(row),
            Self::Sums {
                states,
                averaged: true,
            } => states[group].push_average(row),
            Self::Durations { states, averaged } => states[group].push(*averaged, row)?,
            Self::Extremes { states, .. } => row.push(states[group].value()),
        }
        Ok(())
    }
}

fn name(averaged: bool) -> &'static str {
    let function = if averaged {
        AggregateFunction::Avg
    } else {
        AggregateFunction::Sum
    };
    function.spelling()
}
