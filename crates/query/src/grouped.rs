//! Groups the rows of a query, and picks from the groups as from any rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::{CutId, Value, Version};

use crate::bind::{BoundGroup, BoundQuery};
use crate::group::{Aggregation, Bounds, GroupColumn, GroupError, GroupValue, Groups};
use crate::least::{Collector, Found, Window};
use crate::list::ListError;
use crate::predicate::Predicate;
use crate::run::{Prepared, Reader, Run, Sink};

/// Counts rows into groups, of which there may be several lots.
pub(crate) struct Grouper<'q> {
    predicate: &'q Predicate,
    group: &'q BoundGroup,
    /// The level of all keys, if they are those of one related row.
    keyed_by: Option<usize>,
    reader: Reader,
    refused: Option<GroupError>,
}

impl<'q> Grouper<'q> {
    pub fn new(
        query: &'q BoundQuery,
        group: &'q BoundGroup,
        prepared: &Arc<Prepared>,
        cut: CutId,
    ) -> Self {
        Self {
            predicate: &query.predicate,
            group,
            keyed_by: group.related_level(),
            reader: Reader::new(&query.scope, prepared, cut),
            refused: None,
        }
    }

    /// Counts a row into its group, if it meets the condition; breaks if that cannot be.
    pub fn count(&mut self, version: &Version, groups: &mut Groups) -> ControlFlow<()> {
        let Some(view) = self.reader.view(version) else {
            return ControlFlow::Continue(());
        };
        if self.predicate.test(&view) != Some(true) {
            return ControlFlow::Continue(());
        }
        let group = self.group;
        let counted = (|| {
            let related = self.keyed_by.and_then(|level| view.prepared(level));
            let entered = groups.enter(related, |each: &mut dyn FnMut(Value<'_>)| {
                for source in &group.keys {
                    view.with_value(source, &mut *each);
                }
            })?;
            for (number, source) in group.values() {
                view.with_value(source, |value| groups.offer(entered, number, value))?;
            }
            Ok(())
        })();
        match counted {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.refused = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    pub fn checked(&self) -> Result<(), ListError> {
        self.reader.checked()?;
        match self.refused {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// One lot of groups of all rows that are offered.
pub(crate) struct GroupSink<'q> {
    grouper: Grouper<'q>,
    groups: Groups,
    examined: u64,
}

impl<'q> GroupSink<'q> {
    pub fn new(grouper: Grouper<'q>) -> Self {
        Self {
            groups: grouper.group.none(),
            grouper,
            examined: 0,
        }
    }

    /// The groups that all of them made together, and how many rows they looked at.
    pub fn finish(sinks: Vec<Self>) -> Result<Option<(Groups, u64)>, ListError> {
        let mut together: Option<(Groups, u64)> = None;
        for sink in sinks {
            sink.grouper.checked()?;
            together = Some(match together {
                None => (sink.groups, sink.examined),
                Some((mut groups, examined)) => {
                    groups.merge(sink.groups)?;
                    (groups, examined + sink.examined)
                }
            });
        }
        Ok(together)
    }
}

impl Sink for GroupSink<'_> {
    fn offer(&mut self, version: &Version) -> ControlFlow<()> {
        self.examined += 1;
        self.grouper.count(version, &mut self.groups)
    }
}

/// The groups that a window shows.
pub(crate) fn pick(
    query: &BoundQuery,
    group: &BoundGroup,
    groups: Groups,
    window: &Window,
    run: Run<'_>,
) -> Result<Found, ListError> {
    let rows = groups.finish(&group.columns())?.rows;
    let prepared = Prepared::new(&group.scope, 0, run)?;
    let mut collector = Collector::of_groups(query, group, &prepared, window.clone(), run.cut);
    for row in &rows {
        let _ = collector.offer(row);
    }
    Collector::finish(vec![collector])
}

impl BoundGroup {
    /// No groups yet.
    pub fn none(&self) -> Groups {
        let aggregations = self
            .aggregates
            .iter()
            .filter(|aggregate| aggregate.of.is_some());
        let aggregations: Vec<Aggregation> = aggregations
            .map(|aggregate| Aggregation {
                function: aggregate.function,
                kind: aggregate.kind,
            })
            .collect();
        match Groups::new(!self.keys.is_empty(), &aggregations, Bounds::default()) {
            Ok(groups) => groups,
            Err(unsuitable) => unreachable!("refused when it was bound: {unsuitable}"),
        }
    }

    /// The level that all keys are of, if it is that of a related row.
    fn related_level(&self) -> Option<usize> {
        let level = self.keys.first()?.level;
        (level > 0 && self.keys.iter().all(|key| key.level == level)).then_some(level)
    }

    /// The values that are aggregated, with the number of their aggregate among those of values.
    fn values(&self) -> impl Iterator<Item = (usize, &crate::predicate::Source)> {
        let of_values = self
            .aggregates
            .iter()
            .filter_map(|aggregate| aggregate.of.as_ref());
        of_values.enumerate()
    }

    fn columns(&self) -> Vec<GroupColumn> {
        let keys = (0..self.keys.len()).map(GroupValue::Key);
        let mut values = 0;
        let aggregates = self.aggregates.iter().map(|aggregate| {
            if aggregate.of.is_none() {
                return GroupValue::Rows;
            }
            values += 1;
            GroupValue::Aggregate(values - 1)
        });
        let shown = self.schema.columns.iter().zip(keys.chain(aggregates));
        let column = shown.map(|(column, value)| GroupColumn {
            label: column.name.clone(),
            kind: column.kind,
            value,
        });
        column.collect()
    }
}
