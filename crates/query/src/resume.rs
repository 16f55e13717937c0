//! Where in the changes that are held somebody goes on who has seen what an `as_of` tells of.
//!
//! Of this process it is the token's own cut. Of another one, or of this one before a restart, it is the newest place at
//! which every table had been read no further than the token says. What was told between that place and the token's is
//! told once more: together with what came after, so that nobody sees it go back.

use std::collections::HashMap;

use row_model::{CutId, TableId};
use table_store::{Changes, Commit, CutName, News, Table, TableFacts};

use crate::as_of::{AsOf, TableHash, TableStanding};

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    After(CutId),
    /// After this one, with all that the token rests on as one change.
    Over(CutId),
    /// Some of the changes in between are not held.
    Lost,
}

/// Where who follows these tables goes on. `newest` is what the newest cut is called.
#[must_use]
pub fn resume(
    changes: &Changes,
    tables: &[&Table],
    newest: Option<CutName>,
    as_of: &AsOf,
) -> Resume {
    match (as_of.cut, newest) {
        (Some(told), Some(newest)) if told.process == newest.process && told.cut <= newest.cut => {
            Resume::After(told.cut)
        }
        _ => by_offsets(changes, tables, as_of).map_or(Resume::Lost, Resume::Over),
    }
}

fn by_offsets(changes: &Changes, tables: &[&Table], as_of: &AsOf) -> Option<CutId> {
    let mut wanted: HashMap<TableId, &TableStanding> = HashMap::new();
    for table in tables {
        let hash = TableHash::of(table.identity());
        let standing = as_of.tables.iter().find(|standing| standing.table == hash);
        wanted.insert(table.identity().id, standing?);
    }
    // What each table had been read to at the place that is looked at; nothing is known before it was said.
    let mut known: HashMap<TableId, bool> = HashMap::new();
    let mut place = CutId(0);
    for (table, gone) in &changes.gone {
        if let Some(standing) = wanted.get(table) {
            known.insert(*table, is_not_beyond(&gone.facts, standing));
            place = place.max(gone.cut);
        }
    }
    let is_good = |known: &HashMap<TableId, bool>| {
        known.len() == wanted.len() && known.values().all(|is_good| *is_good)
    };
    let mut best = is_good(&known).then_some(place);
    for commit in &changes.commits {
        let mut is_anew = false;
        for news in news_of(commit, &wanted) {
            known.insert(news.table, is_not_beyond(&news.facts, wanted[&news.table]));
            is_anew |= matches!(news.news, News::Anew(_));
        }
        if is_anew {
            best = None;
        }
        if is_good(&known) {
            best = Some(commit.cut);
        }
    }
    best
}

fn news_of<'a>(
    commit: &'a Commit,
    wanted: &'a HashMap<TableId, &TableStanding>,
) -> impl Iterator<Item = &'a table_store::TableNews> {
    let news = commit.tables.iter();
    news.filter(|news| wanted.contains_key(&news.table))
}

/// Whether nothing that a table shows came after what a token says of it.
fn is_not_beyond(facts: &TableFacts, token: &TableStanding) -> bool {
    let same_log = facts.log.is_none() || token.log.is_none() || facts.log == token.log;
    let told = |partition: i32| {
        let mut offsets = token.offsets.iter();
        let found = offsets.find(|(known, _)| *known == partition);
        found.map_or(0, |(_, offset)| *offset)
    };
    let mut offsets = facts.offsets.iter();
    same_log && !facts.offsets.is_empty() && offsets.all(|(partition, at)| *at <= told(*partition))
}
