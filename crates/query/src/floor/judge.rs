//! How tables stand to a floor at a cut.

use std::sync::Arc;

use row_model::Gtid;
use table_store::{Cut, Reached, Sighting, SourceCut, TableCut, TableReach, Transactions};

use super::{Floor, Place, SourceFloor};
use crate::as_of::AsOf;
use crate::reach::{self, Behind, Reach, reach};

/// What a promise rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// The boundaries of transactions were followed: nothing can be missing.
    Exact,
    /// Something later of the source was seen, and the tables were read to their ends since: records on their way to
    /// different partitions could overtake each other.
    Weak,
}

/// How tables stand to a floor: the worst of them.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nothing is missing. What that rests on, where it may rest on one thing or another.
    Met(Option<Precision>),
    /// What is missing may come.
    NotYet(Lack),
    /// Nothing can be told, now or later.
    Never(Unfit),
}

impl Standing {
    /// Whether waiting changes nothing.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, Self::NotYet(_))
    }
}

/// The first thing that is missing.
#[derive(Clone, Debug)]
pub enum Lack {
    Records(Behind),
    /// It is not known where the log ends.
    LogEnd,
    Place(PlaceLack),
}

/// A place in a source's history that a table has not come to.
#[derive(Clone, Debug)]
pub struct PlaceLack {
    pub table: String,
    /// `None` before anything was read of the source.
    pub source: Option<Arc<SourceCut>>,
    pub floor: SourceFloor,
    /// The source has been seen as far: it is the table that is not known to have come along.
    pub is_seen: bool,
    /// It is of a source's history before it began anew: most likely.
    pub is_former: bool,
}

/// Why a floor fits none of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// This table, by name, follows another log than the floor is of.
    OtherLog(String),
    /// It may be of any of these.
    Ambiguous(Vec<String>),
    /// No table of the answer is of that source; they are of these.
    OtherSource { asked: String, known: Vec<String> },
    /// The source has no such positions.
    OtherKind {
        source: String,
        numbers_by: &'static str,
    },
}

/// How these tables of a cut stand to a floor.
#[must_use]
pub fn stand<'a, T>(floor: &Floor, cut: &Cut, tables: T) -> Standing
where
    T: IntoIterator<Item = &'a TableCut> + Clone,
{
    match floor {
        Floor::Tables(as_of) => stand_to_token(as_of, tables),
        Floor::LogEnd => Standing::NotYet(Lack::LogEnd),
        Floor::Source(floor) => stand_to_source(floor, cut, tables),
    }
}

fn stand_to_token<'a>(as_of: &AsOf, tables: impl IntoIterator<Item = &'a TableCut>) -> Standing {
    match reach(tables, as_of) {
        Reach::Reached => Standing::Met(None),
        Reach::NotYet(behind) => Standing::NotYet(Lack::Records(behind)),
        Reach::OtherLog(table) => Standing::Never(Unfit::OtherLog(table)),
    }
}

fn stand_to_source<'a, T>(floor: &SourceFloor, cut: &Cut, tables: T) -> Standing
where
    T: IntoIterator<Item = &'a TableCut> + Clone,
{
    let source = match source_of(floor, cut, tables.clone()) {
        Ok(source) => source,
        Err(unfit) => return Standing::Never(unfit),
    };
    let Some(source) = source else {
        let first = tables.into_iter().next();
        return Standing::NotYet(Lack::Place(PlaceLack {
            table: first.map_or_else(String::new, |table| table.table.identity().name.clone()),
            source: None,
            floor: floor.clone(),
            is_seen: false,
            is_former: false,
        }));
    };
    if let Some(unfit) = other_kind(source, &floor.at) {
        return Standing::Never(unfit);
    }
    let mut precision = Precision::Exact;
    for table in tables {
        let Some(along) = source.table(table.table.identity().id) else {
            continue;
        };
        let is_followed = table.facts.transactions == Transactions::Whole;
        match has_come_to(source, along, &floor.at, is_followed) {
            Some(of_table) => precision = precision.max(of_table),
            None => {
                return Standing::NotYet(Lack::Place(PlaceLack {
                    table: table.table.identity().name.clone(),
                    source: Some(Arc::clone(source)),
                    floor: floor.clone(),
                    is_seen: is_seen(source, &floor.at),
                    is_former: is_former(source, &floor.at),
                }));
            }
        }
    }
    Standing::Met(Some(precision))
}

/// The source that a floor is about, of those that tables are of; `None` if nothing was read of it yet.
fn source_of<'c, 'a, T>(
    floor: &SourceFloor,
    cut: &'c Cut,
    tables: T,
) -> Result<Option<&'c Arc<SourceCut>>, Unfit>
where
    T: IntoIterator<Item = &'a TableCut> + Clone,
{
    let is_touched = |source: &&Arc<SourceCut>| {
        let mut tables = tables.clone().into_iter();
        tables.any(|table| source.table(table.table.identity().id).is_some())
    };
    let touched: Vec<&Arc<SourceCut>> = cut.sources().iter().filter(is_touched).collect();
    let Some(asked) = &floor.source else {
        return match touched[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(Unfit::Ambiguous(names(&touched))),
        };
    };
    let called = |is_it: fn(&SourceCut, &str) -> bool| -> Vec<&Arc<SourceCut>> {
        let meant = touched.iter().filter(|source| is_it(source, asked));
        meant.copied().collect()
    };
    let by_name = called(|source, asked| *source.name == *asked);
    let by_connector = called(|source, asked| *source.connector == *asked);
    match (&by_name[..], &by_connector[..]) {
        ([one], _) | (_, [one]) => Ok(Some(one)),
        ([], []) => {
            let mut tables = tables.into_iter();
            if tables.any(|table| table.table.identity().source == *asked) {
                return Ok(None);
            }
            Err(Unfit::OtherSource {
                asked: asked.clone(),
                known: names(&touched),
            })
        }
        ([], several) | (several, _) => Err(Unfit::Ambiguous(names(several))),
    }
}

/// What each of these may be called so that no other is meant.
fn names(sources: &[&Arc<SourceCut>]) -> Vec<String> {
    let name = |source: &&Arc<SourceCut>| {
        let same = sources.iter().filter(|other| other.name == source.name);
        let name = if same.count() > 1 {
            &source.connector
        } else {
            &source.name
        };
        name.to_string()
    };
    sources.iter().map(name).collect()
}

/// Numbers of one kind say nothing of a source that has the other.
fn other_kind(source: &SourceCut, at: &Place) -> Option<Unfit> {
    let has_lines = !source.newest.gtids.is_empty();
    let has_numbers = source.newest.lsn.is_some() || !source.applied.is_empty();
    let numbers_by = match at {
        Place::Gtids(_) if has_numbers && !has_lines => {
            "transaction ids (tx:) and log sequence numbers (lsn:)"
        }
        Place::Transaction(_) | Place::Lsn(_) if has_lines && !has_numbers => {
            "global transaction ids (gtid:)"
        }
        _ => return None,
    };
    Some(Unfit::OtherKind {
        source: source.name.to_string(),
        numbers_by,
    })
}

/// What it rests on that a table has come to a place; `None` if nothing says so. Where transactions are followed
/// (`is_followed`) and their positions known, nothing less than a whole one shows that a position was reached.
fn has_come_to(
    source: &SourceCut,
    along: &TableReach,
    at: &Place,
    is_followed: bool,
) -> Option<Precision> {
    // Half a table shows no transaction whole.
    if !along.is_whole {
        return None;
    }
    if is_closed(source, at) {
        return Some(Precision::Exact);
    }
    let came = match at {
        Place::Transaction(id) => match source.applied.sighting(*id) {
            Sighting::Closed => return Some(Precision::Exact),
            Sighting::Since(at) | Sighting::Below(at) => along.heard >= Some(at),
            Sighting::Open | Sighting::Unseen => false,
        },
        Place::Lsn(_) if is_followed && source.closed.lsn.is_some() => false,
        Place::Lsn(lsn) => along.reached.lsn >= Some(*lsn),
        Place::Gtids(gtids) => gtids.iter().all(|gtid| reaches(&along.reached, *gtid)),
        Place::Time(ms) => along.reached.commit_ms > Some(*ms),
    };
    came.then_some(Precision::Weak)
}

fn is_closed(source: &SourceCut, at: &Place) -> bool {
    match at {
        Place::Transaction(_) => false,
        Place::Lsn(lsn) => source.closed.lsn >= Some(*lsn),
        Place::Gtids(gtids) => gtids.iter().all(|gtid| reaches(&source.closed, *gtid)),
        Place::Time(ms) => source.closed.commit_ms > Some(*ms),
    }
}

fn reaches(reached: &Reached, gtid: Gtid) -> bool {
    reached.of_line(gtid.line) >= Some(gtid.number)
}

fn is_seen(source: &SourceCut, at: &Place) -> bool {
    match at {
        Place::Transaction(id) => source.applied.sighting(*id) != Sighting::Unseen,
        Place::Lsn(lsn) => source.newest.lsn >= Some(*lsn),
        Place::Gtids(gtids) => gtids.iter().all(|gtid| reaches(&source.newest, *gtid)),
        Place::Time(ms) => source.newest.commit_ms > Some(*ms),
    }
}

/// It was reached before the source began anew, and not since.
fn is_former(source: &SourceCut, at: &Place) -> bool {
    match at {
        Place::Lsn(lsn) => source.former.lsn >= Some(*lsn),
        Place::Gtids(gtids) => gtids.iter().all(|gtid| reaches(&source.former, *gtid)),
        Place::Transaction(_) | Place::Time(_) => false,
    }
}

/// Whether waiting for a floor could be in vain from the start: it names no table that there is.
#[must_use]
pub fn is_foreign<'a>(floor: &Floor, all: impl IntoIterator<Item = &'a TableCut>) -> bool {
    match floor {
        Floor::Tables(as_of) => !as_of.tables.is_empty() && !reach::names_any(as_of, all),
        Floor::LogEnd | Floor::Source(_) => false,
    }
}
