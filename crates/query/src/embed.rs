//! Fetches the rows that stand inside other rows: for all rows of an answer at once, one relation after the other.
//!
//! Rows that lead to the same related rows share them. A relation is followed by looking up each row's
//! values, or by one visit of the other table, whichever is less work.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::Version;
use smallvec::SmallVec;

use crate::bind::scope::BoundLink;
use crate::bind::{BoundEmbed, BoundGroup, BoundQuery, BoundThrough};
use crate::group::Groups;
use crate::grouped::{self, Grouper};
use crate::least::{Candidate, Least, Looker, Window};
use crate::list::{ListError, NODES_MAX};
use crate::run::{ColumnReader, Finder, JoinKey, Prepared, Reader, Run, Seeker, Sink, visit};

/// Keys that are looked up between two looks at the clock.
const LOOKUPS_BETWEEN_LOOKS: usize = 64;

/// By the values that lead from one table to another.
type ByKey<T> = HashMap<JoinKey, T, foldhash::fast::RandomState>;

/// A row of an answer, with all that stands inside it.
#[derive(Debug)]
pub(crate) struct Node {
    pub row: Candidate,
    /// The rows of the scope's levels but the first.
    pub related: Box<[Option<Version>]>,
    /// Of each embed its rows.
    pub embeds: Box<[Arc<Related>]>,
}

/// The rows of one embed of a row, in order.
#[derive(Debug, Default)]
pub(crate) struct Related {
    pub rows: Vec<Node>,
    /// There are more of them than were asked for.
    pub more: bool,
}

impl From<Candidate> for Node {
    fn from(row: Candidate) -> Self {
        Self {
            row,
            related: Box::default(),
            embeds: Box::default(),
        }
    }
}

impl Node {
    pub fn version(&self) -> &Version {
        &self.row.version
    }
}

/// Rows of a query with all that stands inside them.
pub(crate) fn nodes(
    query: &BoundQuery,
    rows: Vec<Candidate>,
    run: Run<'_>,
) -> Result<Vec<Node>, ListError> {
    let mut room = NODES_MAX;
    nodes_within(query, rows, run, &mut room)
}

fn nodes_within(
    query: &BoundQuery,
    rows: Vec<Candidate>,
    run: Run<'_>,
    room: &mut usize,
) -> Result<Vec<Node>, ListError> {
    *room = room.checked_sub(rows.len()).ok_or(ListError::TooMuch {
        what: "related rows",
        max: NODES_MAX,
    })?;
    let output = query.output();
    let casts = query.casts();
    if output.levels.len() == 1 && query.embeds.is_empty() && casts.is_empty() {
        return Ok(rows.into_iter().map(Node::from).collect());
    }
    let prepared = Prepared::new(output, rows.len() as u64, run)?;
    let mut reader = Reader::new(output, &prepared, run.cut);
    let mut related: Vec<Box<[Option<Version>]>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let levels = 1..output.levels.len();
        let view = reader.view(&row.version);
        related.push(levels.map(|level| view?.related(level)).collect());
        if let Some(view) = view {
            for source in &casts {
                view.with_value(source, |_| {});
            }
        }
    }
    reader.checked()?;
    let mut embeds = Vec::with_capacity(query.embeds.len());
    for embed in &query.embeds {
        let found = Fetch::new(embed, &rows, &mut reader, run)?.run(run, room)?;
        embeds.push(found.into_iter());
    }
    let with_all = rows.into_iter().zip(related).map(|(row, related)| Node {
        row,
        related,
        embeds: embeds.iter_mut().filter_map(Iterator::next).collect(),
    });
    Ok(with_all.collect())
}

/// The rows that one embed needs, by the values that lead to them.
struct Fetch<'a> {
    embed: &'a BoundEmbed,
    /// Of each parent the number of its values; `None` if one of them is null.
    of_parents: Vec<Option<usize>>,
    /// The values there are, each once.
    keys: ByKey<usize>,
    finder: Option<Finder>,
}

impl<'a> Fetch<'a> {
    fn new(
        embed: &'a BoundEmbed,
        parents: &[Candidate],
        reader: &mut Reader,
        run: Run<'_>,
    ) -> Result<Self, ListError> {
        let finder = Finder::for_some(&embed.link, parents.len() as u64);
        let mut keys: ByKey<usize> = ByKey::default();
        let mut probe = Vec::new();
        let of_parents = parents.iter().map(|parent| {
            let view = reader.view(&parent.version)?;
            let found = match &finder {
                Some(finder) => finder.probe(&view, &embed.link, &mut probe),
                None => crate::run::probe(&view, &embed.link, &mut probe),
            };
            let next = keys.len();
            found.then(|| *keys.entry(SmallVec::from_slice(&probe)).or_insert(next))
        });
        let of_parents = of_parents.collect();
        if (run.budget.is_late)() {
            return Err(ListError::late(&embed.link.target, 0));
        }
        Ok(Self {
            embed,
            of_parents,
            keys,
            finder,
        })
    }

    /// Of each parent what stands inside it.
    fn run(self, run: Run<'_>, room: &mut usize) -> Result<Vec<Arc<Related>>, ListError> {
        let query = &self.embed.query;
        let window = Window {
            after: None,
            offset: query.offset,
            limit: query.limit.unwrap_or(usize::MAX - query.offset - 1),
            counted: false,
        };
        let expected = self.keys.len() as u64;
        let prepared = Prepared::new(&query.scope, expected, run)?;
        let mut chosen = Chosen::new(query, &prepared, &window, self.keys.len(), *room, run);
        match &self.embed.through {
            None => self.offer_targets(&mut chosen, run)?,
            Some(through) => self.offer_through(through, &mut chosen, run)?,
        }
        // Inside them all at once, then apart again.
        let found = chosen.finish(query, &window, run)?;
        let mut rows = Vec::with_capacity(found.iter().map(|(rows, _)| rows.len()).sum());
        let mut ends = Vec::with_capacity(found.len());
        for (some, more) in found {
            rows.extend(some);
            ends.push((rows.len(), more));
        }
        let mut nodes = nodes_within(query, rows, run, room)?.into_iter();
        let mut start = 0;
        let groups = ends.into_iter().map(|(end, more)| {
            let rows = nodes.by_ref().take(end - start).collect();
            start = end;
            Arc::new(Related { rows, more })
        });
        let groups: Vec<Arc<Related>> = groups.collect();
        let none = Arc::new(Related::default());
        let of_parents = self.of_parents.into_iter();
        let found = of_parents.map(|number| number.map_or(&none, |number| &groups[number]));
        Ok(found.map(Arc::clone).collect())
    }

    fn offer_targets(&self, chosen: &mut Chosen<'_>, run: Run<'_>) -> Result<(), ListError> {
        let (link, finder) = (&self.embed.link, self.finder.as_ref());
        each_match(link, finder, &self.keys, run, |number, version| {
            chosen.offer(*number, version)
        })?;
        chosen.checked()
    }

    /// By way of the junction's rows.
    fn offer_through(
        &self,
        through: &BoundThrough,
        chosen: &mut Chosen<'_>,
        run: Run<'_>,
    ) -> Result<(), ListError> {
        let (link, beyond) = (&self.embed.link, &through.link);
        let finder = Finder::for_some(beyond, self.keys.len() as u64);
        let order = finder.as_ref().map(|finder| finder.order(beyond));
        let mut columns = ColumnReader::of(&link.target, &through.from, order.as_deref());
        let mut wanted: ByKey<SmallVec<[usize; 2]>> = ByKey::default();
        let mut key = Vec::new();
        each_match(
            link,
            self.finder.as_ref(),
            &self.keys,
            run,
            |number, row| {
                if columns.key(row, &mut key) {
                    let numbers = wanted.entry(SmallVec::from_slice(&key)).or_default();
                    numbers.push(*number);
                }
                ControlFlow::Continue(())
            },
        )?;
        each_match(beyond, finder.as_ref(), &wanted, run, |numbers, version| {
            let mut numbers = numbers.iter();
            numbers.try_for_each(|number| chosen.offer(*number, version))
        })?;
        chosen.checked()
    }
}

/// Calls `each` for every row of a link's target whose values are a key of `keys`, with what stands there.
fn each_match<T>(
    link: &BoundLink,
    finder: Option<&Finder>,
    keys: &ByKey<T>,
    run: Run<'_>,
    mut each: impl FnMut(&T, &Version) -> ControlFlow<()>,
) -> Result<(), ListError> {
    let Some(finder) = finder else {
        let mut sink = Matching {
            columns: ColumnReader::new(link),
            key: Vec::new(),
            each: |key: &[u8], version: &Version| match keys.get(key) {
                Some(of) => each(of, version),
                None => ControlFlow::Continue(()),
            },
        };
        return visit(&link.target, true, &mut sink, run);
    };
    let mut seeker = Seeker::new(finder, run.cut);
    for (looked_up, (key, of)) in keys.iter().enumerate() {
        if seeker.each(key, |version| each(of, version)).is_break() {
            return Ok(());
        }
        if looked_up % LOOKUPS_BETWEEN_LOOKS == 0 && (run.budget.is_late)() {
            return Err(ListError::late(&link.target, looked_up as u64));
        }
    }
    Ok(())
}

/// What is taken of the rows of each of several parents.
struct Chosen<'q> {
    taken: Taken<'q>,
    /// Rows that may still be held.
    room: usize,
}

enum Taken<'q> {
    Rows(Looker<'q>, Vec<Least>),
    Groups(Grouper<'q>, &'q BoundGroup, Vec<Groups>),
}

impl<'q> Chosen<'q> {
    fn new(
        query: &'q BoundQuery,
        prepared: &Arc<Prepared>,
        window: &Window,
        parents: usize,
        room: usize,
        run: Run<'_>,
    ) -> Self {
        let taken = match query.group() {
            None => {
                let least = (0..parents).map(|_| Least::new(window));
                Taken::Rows(Looker::new(query, prepared, run.cut), least.collect())
            }
            Some(group) => {
                let groups = (0..parents).map(|_| group.none());
                let grouper = Grouper::new(query, group, prepared, run.cut);
                Taken::Groups(grouper, group, groups.collect())
            }
        };
        Self { taken, room }
    }

    fn offer(&mut self, number: usize, version: &Version) -> ControlFlow<()> {
        let (looker, least) = match &mut self.taken {
            Taken::Rows(looker, least) => (looker, &mut least[number]),
            Taken::Groups(grouper, _, groups) => {
                return grouper.count(version, &mut groups[number]);
            }
        };
        let Some(place) = looker.look(version) else {
            return ControlFlow::Continue(());
        };
        if least.may_enter(place) {
            let held = least.len();
            least.push(looker.candidate(version));
            match self.room.checked_sub(least.len() - held) {
                Some(room) => self.room = room,
                None => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }

    fn checked(&self) -> Result<(), ListError> {
        if self.room == 0 {
            return Err(ListError::TooMuch {
                what: "related rows",
                max: NODES_MAX,
            });
        }
        match &self.taken {
            Taken::Rows(..) => Ok(()),
            Taken::Groups(grouper, ..) => grouper.checked(),
        }
    }

    /// Of each parent the rows of the window, and whether there are more.
    fn finish(
        self,
        query: &BoundQuery,
        window: &Window,
        run: Run<'_>,
    ) -> Result<Vec<(Vec<Candidate>, bool)>, ListError> {
        match self.taken {
            Taken::Rows(_, least) => {
                let found = least.into_iter().map(|least| least.finish(window));
                Ok(found.collect())
            }
            Taken::Groups(_, group, groups) => {
                let picked = groups.into_iter().map(|groups| {
                    let found = grouped::pick(query, group, groups, window, run)?;
                    Ok((found.rows, found.more))
                });
                picked.collect()
            }
        }
    }
}

/// Calls `each` with rows by the values of some of their columns.
struct Matching<F> {
    columns: ColumnReader,
    key: Vec<u8>,
    each: F,
}

impl<F: FnMut(&[u8], &Version) -> ControlFlow<()>> Sink for Matching<F> {
    fn offer(&mut self, version: &Version) -> ControlFlow<()> {
        if self.columns.key(version, &mut self.key) {
            return (self.each)(&self.key, version);
        }
        ControlFlow::Continue(())
    }
}
