//! One look at what changed: from where a follower stands to what it is told, without waiting for anything.
//!
//! What all are told who ask the same question is [found out once](super::question). A follower looks for itself where
//! that is not known: before it has come so far, and for changes that are gathered.

use std::sync::Arc;

use axum::body::Bytes;
use query::as_of::{AsOf, TableHash};
use query::fresh::Fresh;
use query::reach::{Reach, reach};
use query::resume::{Resume, resume};
use row_model::TableId;
use serde::Serialize;
use table_store::{Anew, Commit, Cut, News, Table, TableCut};

use super::asked::{FeedAsked, Followed, Form};
use super::place::Place;
use super::question::{Question, Since};
use super::spelled::Spelling;
use crate::{ApiState, fresh};

/// Cuts that are told of in one go.
pub(super) const COMMITS_MAX: usize = 64;

/// Where a follower stands.
#[derive(Debug)]
pub(crate) struct Standing {
    place: Place,
    /// It has seen some of what follows: all up to here is told as one.
    over: Option<AsOf>,
    is_up_to_date: bool,
}

/// What there is to tell.
pub(crate) enum Step {
    /// These events; there may be more.
    Told(Bytes),
    /// Nothing for now.
    Nothing,
    /// It cannot go on, and has to begin anew.
    Anew(&'static str),
}

#[derive(Serialize)]
struct AliveData<'a> {
    as_of: &'a str,
    lag_ms: Option<u64>,
    state: api_types::State,
}

impl Standing {
    /// After all that this cut shows.
    pub fn at(cut: &Cut, followed: &Followed) -> Self {
        Self {
            place: Place::of(cut.id, &followed_in(cut, followed)),
            over: None,
            is_up_to_date: false,
        }
    }

    /// After what a token tells of; `None` if it cannot be told what came since.
    pub fn after(api: &ApiState, cut: &Cut, followed: &Followed, since: &AsOf) -> Option<Self> {
        let tables = followed.tables.iter();
        let tables: Vec<&Table> = tables.map(|it| &*it.table().table).collect();
        let newest = api.store().name_of(cut.id);
        let (at, over) = match resume(&api.store().changes(), &tables, newest, since) {
            Resume::After(at) => (at, None),
            Resume::Over(at) => (at, Some(since.clone())),
            Resume::Lost => return None,
        };
        let standing = |table: &&Table| {
            let hash = TableHash::of(table.identity());
            let told = since.tables.iter().find(|told| told.table == hash)?;
            Some((table.identity().id, told.clone()))
        };
        Some(Self {
            place: Place::new(at, tables.iter().filter_map(standing).collect()),
            over,
            is_up_to_date: false,
        })
    }

    /// What there is to tell now.
    pub fn step(&mut self, api: &ApiState, asked: &FeedAsked, question: &Question) -> Step {
        let gathers = !asked.debounce.is_zero();
        if self.over.is_none()
            && let Some(since) = question.since(api, self.place.at)
            && (!gathers || since.pieces.is_empty())
        {
            return self.take(since, asked.followed.form);
        }
        self.look(api, asked)
    }

    /// Takes what was found out before.
    fn take(&mut self, since: Since, form: Form) -> Step {
        if since.place.at > self.place.at {
            self.place = since.place;
        }
        match &since.pieces[..] {
            [] => Step::Nothing,
            [piece] => Step::Told(piece.clone()),
            pieces => {
                let between: &[u8] = if form == Form::Batch { b"," } else { b"" };
                Step::Told(pieces.join(between).into())
            }
        }
    }

    /// Finds it out.
    fn look(&mut self, api: &ApiState, asked: &FeedAsked) -> Step {
        let followed = &*asked.followed;
        // Before the changes are looked at: all that it changed is among them.
        let newest = api.store().published();
        let tables = followed_in(&newest, followed);
        if let Some(over) = &self.over {
            match reach(tables.iter().map(|table| &**table), over) {
                Reach::Reached => {}
                Reach::NotYet(_) => return Step::Nothing,
                Reach::OtherLog(_) => return Step::Anew("position_unknown"),
            }
        }
        let as_one = self.over.is_some() || !asked.debounce.is_zero();
        let commits_max = if as_one { usize::MAX } else { COMMITS_MAX };
        let ids = followed.ids();
        let after = api.store().changes_after(self.place.at, &ids, commits_max);
        let Some(commits) = after else {
            return Step::Anew(if self.is_up_to_date {
                "slow_consumer"
            } else {
                "retention"
            });
        };
        if let Some(reason) = commits.iter().find_map(|commit| anew(commit, &ids)) {
            return Step::Anew(reason);
        }
        let is_ahead = self.over.take().is_some();
        let mut out = Vec::new();
        if as_one {
            self.place
                .tell(api, followed, &commits, None, is_ahead, &mut out);
        } else {
            for commit in &commits {
                let one = std::slice::from_ref(commit);
                self.place.tell(api, followed, one, None, false, &mut out);
            }
        }
        if commits.len() < commits_max && self.place.at < newest.id {
            self.place.stand_at(newest.id, &tables);
        }
        if out.is_empty() && commits.len() < commits_max {
            Step::Nothing
        } else {
            Step::Told(out.into())
        }
    }

    /// That it is up to date, or still there: with the place to go on from.
    pub fn alive(&mut self, api: &ApiState, followed: &Followed, name: &str) -> Vec<u8> {
        self.is_up_to_date = true;
        let now = fresh_now(api, followed);
        let id = self.token(api, followed);
        let data = AliveData {
            as_of: &id,
            lag_ms: now.lag_ms,
            state: fresh::state_to_wire(now.state),
        };
        let (mut out, form) = (Vec::new(), followed.form);
        let mut spelling = Spelling {
            form,
            out: &mut out,
        };
        spelling.event(name, Some(&id), &data);
        out
    }

    pub fn is_up_to_date(&self) -> bool {
        self.is_up_to_date
    }

    /// Whether it waits until what it has seen is here as well.
    pub fn is_ahead(&self) -> bool {
        self.over.is_some()
    }

    /// What it has been told of so far.
    pub fn token(&self, api: &ApiState, followed: &Followed) -> String {
        self.place.token(api, followed)
    }
}

/// How fresh the tables that are followed are now.
pub(crate) fn fresh_now(api: &ApiState, followed: &Followed) -> Fresh {
    let newest = api.store().published();
    let tables = followed_in(&newest, followed);
    fresh::of_tables(&newest, tables.iter().map(|table| &**table), api.now_ms())
}

/// The tables that are followed, as this cut shows them.
pub(super) fn followed_in(cut: &Cut, followed: &Followed) -> Vec<Arc<TableCut>> {
    let ids = followed.ids();
    let tables = cut.tables().iter();
    tables
        .filter(|table| ids.contains(&table.table.identity().id))
        .cloned()
        .collect()
}

/// Why these tables are to begin anew, if a cut says so.
pub(super) fn anew(commit: &Commit, tables: &[TableId]) -> Option<&'static str> {
    let news = commit.tables.iter();
    let mut ours = news.filter(|news| tables.contains(&news.table));
    ours.find_map(|news| match news.news {
        News::Rows(_) => None,
        News::Anew(Anew::Loaded) => Some("loaded"),
        News::Anew(Anew::Emptied) => Some("truncate"),
        News::Anew(Anew::Rebuilt) => Some("rebuild"),
        News::Anew(Anew::Reshaped) => Some("schema"),
    })
}
