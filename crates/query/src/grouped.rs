//! Groups the rows of a query, and picks from the groups as from any rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::{CutId, Value, Version};

use crate::bind::{BoundGroup, BoundQuery};
use crate::group::{Aggregation, Bounds, Group, GroupColumn, GroupError, GroupValue, Groups, Memo};
use crate::least::{Collector, Found, Window};
use crate::list::ListError;
use crate::predicate::Predicate;
use crate::run::{Prepared, Reader, Run, Sink, View};
use crate::sieve::{Sieve, Sifted};

/// Counts rows into groups, of which there may be several lots.
pub(crate) struct Grouper<'q> {
    predicate: &'q Predicate,
    group: &'q BoundGroup,
    /// The level of all keys, if they are those of one related row.
    keyed_by: Option<usize>,
    sieve: Option<Sieve>,
    /// Every row is wanted.
    takes_all: bool,
    /// Where the only key is a plain column, of the row itself or of its related one: its number among those in use,
    /// and the groups of its values.
    memo: Option<(usize, Memo)>,
    reader: Reader,
    /// A buffer.
    met: Vec<Met>,
    refused: Option<GroupError>,
}

/// A row of some that meets the condition, and what its related row's number says.
#[derive(Clone, Copy)]
struct Met {
    at: usize,
    related: Option<u32>,
    group: Option<Group>,
}

/// Counts a row into its group.
fn enter(
    of: &BoundGroup,
    view: &View<'_>,
    related: Option<u32>,
    known: Option<Group>,
    groups: &mut Groups,
) -> Result<Group, GroupError> {
    let each_key = |each: &mut dyn FnMut(Value<'_>)| {
        for source in &of.keys {
            view.with_value(source, &mut *each);
        }
    };
    let group = match known {
        Some(group) => groups.enter_known(group),
        None => groups.enter(related, each_key)?,
    };
    for (number, source) in of.values() {
        let small = view.small_number(source);
        let is_taken = match small {
            Some(small) => groups.offer_small(group, number, small)?,
            None => false,
        };
        if !is_taken {
            view.with_value(source, |value| groups.offer(group, number, value))?;
        }
    }
    Ok(group)
}

impl<'q> Grouper<'q> {
    pub fn new(
        query: &'q BoundQuery,
        group: &'q BoundGroup,
        prepared: &Arc<Prepared>,
        cut: CutId,
    ) -> Self {
        let memo = match &group.keys[..] {
            [key] if key.is_unchanged() => Some((key.slot, Memo::default())),
            _ => None,
        };
        Self {
            predicate: &query.predicate,
            group,
            keyed_by: group.related_level(),
            sieve: Sieve::of(&query.predicate),
            takes_all: query.predicate.takes_all(),
            memo,
            reader: Reader::new(&query.scope, prepared, cut),
            met: Vec::new(),
            refused: None,
        }
    }

    /// Counts a row into its group, if it meets the condition; breaks if that cannot be.
    pub fn count(&mut self, version: &Version, groups: &mut Groups) -> ControlFlow<()> {
        let counted = self.count_if(version, self.takes_all, groups);
        self.go_on_if(counted)
    }

    /// The same, if it `is_met` or meets it.
    fn count_if(
        &mut self,
        version: &Version,
        is_met: bool,
        groups: &mut Groups,
    ) -> Result<(), GroupError> {
        let cell = match &self.memo {
            Some((slot, _)) if self.keyed_by.is_none() => self.reader.raw(version, *slot),
            _ => None,
        };
        let memo = self.memo.as_mut().map(|(_, memo)| memo);
        let memo = memo.zip(cell);
        let known = memo.as_ref().and_then(|(memo, cell)| memo.group_of(*cell));
        if is_met && let Some(group) = known {
            return self.enter_known(version, None, group, groups);
        }
        let Some(view) = self.reader.view(version) else {
            return Ok(());
        };
        if !is_met && self.predicate.test(&view) != Some(true) {
            return Ok(());
        }
        let related = self.keyed_by.and_then(|level| view.prepared(level));
        let group = enter(self.group, &view, related, known, groups)?;
        if let Some((memo, cell)) = memo {
            memo.keep(cell, group);
        }
        Ok(())
    }

    /// Counts a row into the group it is known to be of. Most rows need not be turned to for that.
    fn enter_known(
        &mut self,
        version: &Version,
        found: Option<(usize, Option<u32>)>,
        group: Group,
        groups: &mut Groups,
    ) -> Result<(), GroupError> {
        groups.enter_known(group);
        for (number, source) in self.group.values() {
            if let Some(small) = self.reader.small_number(version, source)
                && groups.offer_small(group, number, small)?
            {
                continue;
            }
            let view = match found {
                Some(found) => self.reader.view_prepared(version, found),
                None => self.reader.view(version),
            };
            if let Some(view) = view {
                view.with_value(source, |value| groups.offer(group, number, value))?;
            }
        }
        Ok(())
    }

    /// The same for some rows. Where a related row decides the group, those of all are looked for before any is
    /// counted: what is found lies anywhere in memory, and comes in the time that one would take.
    pub fn count_lot(&mut self, lot: &[&Version], groups: &mut Groups) -> ControlFlow<()> {
        let counted = match self.sift(lot) {
            Some(sifted) => self.count_sifted(lot, sifted, groups),
            None => lot
                .iter()
                .try_for_each(|version| self.count_if(version, self.takes_all, groups)),
        };
        self.go_on_if(counted)
    }

    /// `None` of more rows than are sifted at once.
    fn sift(&mut self, lot: &[&Version]) -> Option<Sifted> {
        match &mut self.sieve {
            _ if self.takes_all => Sifted::met(lot.len()),
            Some(sieve) => self.reader.sift(sieve, lot),
            None => Sifted::open(lot.len()),
        }
    }

    fn count_sifted(
        &mut self,
        lot: &[&Version],
        sifted: Sifted,
        groups: &mut Groups,
    ) -> Result<(), GroupError> {
        let prepared = self
            .keyed_by
            .filter(|level| self.reader.is_prepared(*level));
        let Some(level) = prepared else {
            return sifted
                .left()
                .try_for_each(|(at, is_met)| self.count_if(lot[at], is_met, groups));
        };
        let mut met = std::mem::take(&mut self.met);
        for (at, is_met) in sifted.left() {
            if is_met && let Ok(related) = self.reader.prepared_by_integer(lot[at], level) {
                let group = None;
                met.push(Met { at, related, group });
                continue;
            }
            let view = self.reader.view(lot[at]);
            let meets = |view: &View<'_>| is_met || self.predicate.test(view) == Some(true);
            met.extend(view.filter(meets).map(|view| Met {
                at,
                related: view.prepared(level),
                group: None,
            }));
        }
        for met in &mut met {
            met.group = met.related.and_then(|number| groups.decided(number));
        }
        let counted = met.drain(..).try_for_each(|met| {
            let found = (level, met.related);
            if let Some(group) = met.group {
                return self.enter_known(lot[met.at], Some(found), group, groups);
            }
            if let Some((slot, memo)) = &self.memo
                && let Some(number) = met.related
                && let Some(cell) = self.reader.prepared_raw(level, number, *slot)
                && let Some(group) = memo.group_of(cell)
            {
                groups.decide(number, group)?;
                return self.enter_known(lot[met.at], Some(found), group, groups);
            }
            let Some(view) = self.reader.view_prepared(lot[met.at], found) else {
                return Ok(());
            };
            let group = enter(self.group, &view, met.related, None, groups)?;
            if let Some((slot, memo)) = &mut self.memo
                && let Some(number) = met.related
                && let Some(cell) = self.reader.prepared_raw(level, number, *slot)
            {
                memo.keep(cell, group);
            }
            Ok(())
        });
        self.met = met;
        counted
    }

    fn go_on_if(&mut self, counted: Result<(), GroupError>) -> ControlFlow<()> {
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

    fn offer_lot(&mut self, lot: &[&Version], _: Option<&[&[u8]]>) -> ControlFlow<()> {
        self.examined += lot.len() as u64;
        self.grouper.count_lot(lot, &mut self.groups)
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
