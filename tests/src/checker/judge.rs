//! Whether an answer can be true: which prefixes of the history show what it shows, and whether those are what it
//! claims, what was asked for, and not older than what was known before.
//!
//! Knows no server and no HTTP, so that its own tests can tell it lies.

use std::collections::BTreeMap;
use std::fmt;

use super::bank::{ACCOUNTS, LINES, MONEY, ORDERS, Row, Table};
use super::history::{History, Span};

/// A partition of a table.
pub type Place = (&'static str, i32);

/// How many changes the history has, at least, when each partition is as it was seen.
pub type Floors = BTreeMap<Place, u64>;

/// What an answer shows of one key: its row, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    pub table: &'static Table,
    pub id: i64,
    pub row: Option<Row>,
}

impl Fact {
    fn place(&self) -> Place {
        (self.table.name, self.table.partition_of(self.id))
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No state of a partition shows this.
    NeverWas(Place, Vec<Fact>),
    /// It says `whole`, and there is no such moment between transactions.
    Torn(Vec<Fact>),
    /// Money came or went, or an order has not the lines it states.
    Unbalanced(String),
    /// It is older than another answer of this process was.
    WentBack(Older),
    /// It is older than it had to be.
    BelowFloor(Older),
    /// It is older than it says, or than was asked for.
    Stale(Older),
    /// Asked again for the same moment, and something else is there.
    Changed(String),
    /// Transactions are shown in parts, and nothing is there that would allow it.
    Partial,
}

/// A partition that is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    pub place: Place,
    /// The most changes that what is shown can be of.
    pub shown: u64,
    pub wanted: u64,
}

/// Of which prefixes an answer can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub whole: Option<Span>,
    /// The fewest and the most changes, for each partition that was looked at.
    places: BTreeMap<Place, Span>,
}

/// Which prefixes show these facts. `whole` says whether that is claimed.
pub fn explained(history: &History, facts: &[Fact], whole: bool) -> Result<Explained, Wrong> {
    let mut by_place: BTreeMap<Place, Vec<Fact>> = BTreeMap::new();
    for fact in facts {
        by_place.entry(fact.place()).or_default().push(*fact);
    }
    if whole {
        return explained_whole(history, by_place);
    }
    let mut places = BTreeMap::new();
    for (place, facts) in by_place {
        let spans = held(history, &facts);
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            return Err(Wrong::NeverWas(place, conflict(history, &facts)));
        };
        places.insert(place, (first.0, last.1 - 1));
    }
    Ok(Explained {
        whole: None,
        places,
    })
}

fn explained_whole(
    history: &History,
    by_place: BTreeMap<Place, Vec<Fact>>,
) -> Result<Explained, Wrong> {
    let all: Vec<Fact> = by_place.values().flatten().copied().collect();
    let spans = held(history, &all);
    let Some(span) = history.whole(&spans) else {
        return Err(Wrong::Torn(conflict(history, &all)));
    };
    let places = by_place.into_keys().map(|place| (place, span));
    Ok(Explained {
        whole: Some(span),
        places: places.collect(),
    })
}

/// In which prefixes all of this is so.
fn held(history: &History, facts: &[Fact]) -> Vec<Span> {
    let (rows, absent): (Vec<&Fact>, Vec<&Fact>) =
        facts.iter().partition(|fact| fact.row.is_some());
    // Rows first: each leaves one span, and what is absent is looked for in that alone.
    let all = rows.into_iter().chain(absent);
    all.fold(vec![(0, u64::MAX)], |spans, fact| {
        history.held(fact.table.name, fact.id, fact.row, &spans)
    })
}

/// As few of the facts as contradict each other, or the one that nothing explains, for messages.
fn conflict(history: &History, facts: &[Fact]) -> Vec<Fact> {
    let mut kept = facts.to_vec();
    for fact in facts {
        let without: Vec<Fact> = kept.iter().filter(|kept| *kept != fact).copied().collect();
        if history.whole(&held(history, &without)).is_none() {
            kept = without;
        }
    }
    kept
}

impl Explained {
    /// An answer of a process that has answered so much before.
    pub fn not_before(&self, seen: &Floors) -> Result<(), Wrong> {
        self.older(seen)
            .map_or(Ok(()), |older| Err(Wrong::WentBack(older)))
    }

    /// An answer that had to be no older than this.
    pub fn at_least(&self, floors: &Floors) -> Result<(), Wrong> {
        self.older(floors)
            .map_or(Ok(()), |older| Err(Wrong::BelowFloor(older)))
    }

    /// An answer that must hold all that was in the log when its age, as it is told or was bounded, began.
    pub fn as_young_as(&self, arrived: u64) -> Result<(), Wrong> {
        let floors = self.places.keys().map(|place| (*place, arrived)).collect();
        self.older(&floors)
            .map_or(Ok(()), |older| Err(Wrong::Stale(older)))
    }

    fn older(&self, floors: &Floors) -> Option<Older> {
        let mut places = self.places.iter();
        places.find_map(|(place, (_, most))| {
            let wanted = *floors.get(place)?;
            (*most < wanted).then_some(Older {
                place: *place,
                shown: *most,
                wanted,
            })
        })
    }

    /// What no later answer of the process may be older than: of a whole one, nothing at all.
    pub fn raise(&self, floors: &mut Floors) {
        let whole = self.whole.map(|(least, _)| all_at(least));
        let own = self
            .places
            .iter()
            .map(|(place, (least, _))| (*place, *least));
        for (place, least) in own.chain(whole.into_iter().flatten()) {
            let floor = floors.entry(place).or_default();
            *floor = least.max(*floor);
        }
    }

    pub fn floors(&self) -> Floors {
        let mut floors = Floors::new();
        self.raise(&mut floors);
        floors
    }
}

/// Whether two answers for one moment show the same rows.
pub fn same(one: &[Fact], other: &[Fact]) -> Result<(), Wrong> {
    let rows = |facts: &[Fact]| -> BTreeMap<(&'static Table, i64), Row> {
        let rows = facts
            .iter()
            .filter_map(|fact| Some(((fact.table, fact.id), fact.row?)));
        rows.collect()
    };
    let (one, other) = (rows(one), rows(other));
    let mut differ = one
        .iter()
        .chain(&other)
        .filter(|(key, _)| one.get(key) != other.get(key));
    differ.next().map_or(Ok(()), |(key, _)| {
        let (table, id) = (key.0.name, key.1);
        Err(Wrong::Changed(format!(
            "{table} {id} was {:?} and is {:?}",
            one.get(key),
            other.get(key)
        )))
    })
}

/// Every partition at the same number of changes.
pub fn all_at(changes: u64) -> Floors {
    let places = super::bank::TABLES
        .into_iter()
        .flat_map(|table| (0..table.partitions).map(|partition| (table.name, partition)));
    places.map(|place| (place, changes)).collect()
}

/// What is true of every moment between transactions, whatever the history: for answers that show all of these tables.
pub fn balanced(facts: &[Fact]) -> Result<(), Wrong> {
    let rows = |table: &'static Table| {
        facts.iter().filter_map(move |fact| {
            let row = fact.row.filter(|_| fact.table == table)?;
            Some((fact.id, row.cell))
        })
    };
    let money: i64 = rows(&ACCOUNTS).map(|(_, balance)| balance).sum();
    if rows(&ACCOUNTS).next().is_some() && money != MONEY {
        return Err(Wrong::Unbalanced(format!("{money} of {MONEY} are there")));
    }
    let mut lines: BTreeMap<i64, i64> = BTreeMap::new();
    for (_, order) in rows(&LINES) {
        *lines.entry(order).or_default() += 1;
    }
    for (order, stated) in rows(&ORDERS) {
        let has = lines.remove(&order).unwrap_or(0);
        if has != stated {
            let what = format!("order {order} states {stated} lines and has {has}");
            return Err(Wrong::Unbalanced(what));
        }
    }
    match lines.first_key_value() {
        Some((order, has)) => Err(Wrong::Unbalanced(format!(
            "{has} lines without order {order}"
        ))),
        None => Ok(()),
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |facts: &[Fact]| {
            let facts = facts.iter().map(|fact| match fact.row {
                Some(row) => format!(
                    "{} {} = {} (change {})",
                    fact.table.name, fact.id, row.cell, row.written
                ),
                None => format!("no {} {}", fact.table.name, fact.id),
            });
            facts.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::NeverWas((table, partition), facts) => {
                write!(f, "{table}/{partition} never was so: {}", shown(facts))
            }
            Self::Torn(facts) => write!(f, "a torn transaction: {}", shown(facts)),
            Self::Unbalanced(what) => write!(f, "between transactions: {what}"),
            Self::WentBack(older) => write!(f, "older than an answer before it: {older}"),
            Self::BelowFloor(older) => write!(f, "older than its at_least: {older}"),
            Self::Stale(older) => write!(f, "older than its lag: {older}"),
            Self::Changed(what) => write!(f, "at_exact, and changed: {what}"),
            Self::Partial => f.write_str("partial, and nothing excuses it"),
        }
    }
}

impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((table, partition), shown, wanted) = (self.place, self.shown, self.wanted);
        write!(f, "{table}/{partition} after {shown} changes, not {wanted}")
    }
}

impl std::error::Error for Wrong {}

#[cfg(test)]
mod tests;
