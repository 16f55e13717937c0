//! One look at what changed: from where a follower stands to what it is told, without waiting for anything.

use std::collections::HashMap;
use std::sync::Arc;

use query::as_of::{AsOf, TableHash, TableStanding};
use query::follow::Follower;
use query::fresh::Fresh;
use query::reach::{Reach, reach};
use query::resume::{Resume, resume};
use row_model::{CutId, TableId};
use serde::Serialize;
use table_store::{Anew, Commit, Cut, News, RowChange, Table, TableCut, merged};

use super::asked::{FeedAsked, Form};
use super::spelled::{Spelling, text_of};
use crate::{ApiState, fresh};

/// Cuts that are told of in one go.
const COMMITS_MAX: usize = 64;
/// Transactions of one cut that are named.
const TRANSACTIONS_MAX: usize = 100;

/// Where a follower stands.
#[derive(Debug)]
pub(crate) struct Standing {
    /// All that this cut or an earlier one changed has been told.
    at: CutId,
    /// It has seen some of what follows: all up to here is told as one.
    over: Option<AsOf>,
    /// How far its tables had been read then, as far as that is known.
    tables: HashMap<TableId, TableStanding>,
    is_up_to_date: bool,
}

/// What there is to tell.
pub(crate) enum Step {
    /// These events; there may be more.
    Told(Vec<u8>),
    /// Nothing for now.
    Nothing,
    /// It cannot go on, and has to begin anew.
    Anew(&'static str),
}

#[derive(Serialize)]
struct CommitData {
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<String>,
    /// If there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    txs: Vec<String>,
    commit_time: Option<String>,
}

#[derive(Serialize)]
struct AliveData<'a> {
    as_of: &'a str,
    lag_ms: Option<u64>,
    state: api_types::State,
}

impl Standing {
    /// After all that this cut shows.
    pub fn at(cut: &Cut, asked: &FeedAsked) -> Self {
        let mut standing = Self {
            at: cut.id,
            over: None,
            tables: HashMap::new(),
            is_up_to_date: false,
        };
        standing.stand_at(&followed(cut, asked));
        standing
    }

    /// After what a token tells of; `None` if it cannot be told what came since.
    pub fn after(api: &ApiState, cut: &Cut, asked: &FeedAsked, since: &AsOf) -> Option<Self> {
        let tables: Vec<&Table> = asked.tables.iter().map(|it| &*it.table().table).collect();
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
            at,
            over,
            tables: tables.iter().filter_map(standing).collect(),
            is_up_to_date: false,
        })
    }

    /// What there is to tell now.
    pub fn step(&mut self, api: &ApiState, asked: &FeedAsked) -> Step {
        // Before the changes are looked at: all that it changed is among them.
        let newest = api.store().published();
        let tables = followed(&newest, asked);
        if let Some(over) = &self.over {
            match reach(tables.iter().map(|table| &**table), over) {
                Reach::Reached => {}
                Reach::NotYet(_) => return Step::Nothing,
                Reach::OtherLog(_) => return Step::Anew("position_unknown"),
            }
        }
        let as_one = self.over.is_some() || !asked.debounce.is_zero();
        let commits_max = if as_one { usize::MAX } else { COMMITS_MAX };
        let ids = asked.ids();
        let Some(commits) = api.store().changes_after(self.at, &ids, commits_max) else {
            return Step::Anew(if self.is_up_to_date {
                "slow_consumer"
            } else {
                "retention"
            });
        };
        if let Some(reason) = commits.iter().find_map(|commit| anew(commit, &ids)) {
            return Step::Anew(reason);
        }
        self.over = None;
        let mut out = Vec::new();
        if as_one {
            self.tell(api, asked, &commits, &mut out);
        } else {
            for commit in &commits {
                self.tell(api, asked, std::slice::from_ref(commit), &mut out);
            }
        }
        if commits.len() < commits_max && self.at < newest.id {
            self.at = newest.id;
            self.stand_at(&tables);
        }
        if !out.is_empty() {
            return Step::Told(out);
        }
        if commits.len() == commits_max {
            Step::Told(out)
        } else {
            Step::Nothing
        }
    }

    /// Tells what these cuts changed, as one.
    fn tell(
        &mut self,
        api: &ApiState,
        asked: &FeedAsked,
        commits: &[Arc<Commit>],
        out: &mut Vec<u8>,
    ) {
        let Some(last) = commits.last() else { return };
        self.at = last.cut;
        let mut transactions = Vec::new();
        let (mut is_told, mut committed_ms) = (false, None);
        for query in &asked.tables {
            let identity = query.table().table.identity();
            let news = commits.iter().filter_map(|commit| commit.of(identity.id));
            let Some(newest) = news.clone().next_back() else {
                continue;
            };
            let standing = TableStanding::at(identity, &newest.facts);
            self.tables.insert(identity.id, standing);
            committed_ms = committed_ms.max(newest.facts.commit_ms);
            let rows = news.map(|news| match &news.news {
                News::Rows(rows) => &rows[..],
                News::Anew(_) => &[],
            });
            let together;
            let rows: Vec<&RowChange> = if commits.len() == 1 {
                rows.flatten().collect()
            } else {
                together = merged(rows.flatten());
                together.iter().collect()
            };
            let mut follower = Follower::new(query, api.shapes());
            let mut spelling = Spelling {
                form: asked.form,
                out,
            };
            for change in rows {
                if spelling.change(&identity.name, &mut follower, change) {
                    is_told = true;
                    let tx = text_of(change.transaction);
                    transactions.extend(tx.filter(|tx| {
                        transactions.len() < TRANSACTIONS_MAX && !transactions.contains(tx)
                    }));
                }
            }
        }
        if is_told {
            let id = self.token(api, asked);
            write_commit(asked.form, &id, transactions, committed_ms, out);
        }
    }

    /// That it is up to date, or still there: with the place to go on from.
    pub fn alive(&mut self, api: &ApiState, asked: &FeedAsked, name: &str) -> Vec<u8> {
        self.is_up_to_date = true;
        let now = fresh_now(api, asked);
        let id = self.token(api, asked);
        let data = AliveData {
            as_of: &id,
            lag_ms: now.lag_ms,
            state: fresh::state_to_wire(now.state),
        };
        let (mut out, form) = (Vec::new(), asked.form);
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
    pub fn token(&self, api: &ApiState, asked: &FeedAsked) -> String {
        let tables = asked.tables.iter();
        let tables = tables.filter_map(|query| self.tables.get(&query.table().table.identity().id));
        let as_of = AsOf {
            cut: api.store().name_of(self.at),
            tables: tables.cloned().collect(),
        };
        as_of.encode()
    }

    fn stand_at(&mut self, tables: &[Arc<TableCut>]) {
        for table in tables {
            let identity = table.table.identity();
            let standing = TableStanding::at(identity, &table.facts);
            self.tables.insert(identity.id, standing);
        }
    }
}

fn write_commit(
    form: Form,
    id: &str,
    mut transactions: Vec<String>,
    committed_ms: Option<i64>,
    out: &mut Vec<u8>,
) {
    let is_one = transactions.len() == 1;
    let data = CommitData {
        tx: if is_one { transactions.pop() } else { None },
        txs: transactions,
        commit_time: committed_ms.map(fresh::rfc3339),
    };
    Spelling { form, out }.event("commit", Some(id), &data);
}

/// How fresh the tables that are followed are now.
pub(crate) fn fresh_now(api: &ApiState, asked: &FeedAsked) -> Fresh {
    let newest = api.store().published();
    let tables = followed(&newest, asked);
    fresh::of_tables(&newest, tables.iter().map(|table| &**table), api.now_ms())
}

/// The tables that are followed, as this cut shows them.
fn followed(cut: &Cut, asked: &FeedAsked) -> Vec<Arc<TableCut>> {
    let ids = asked.ids();
    let tables = cut.tables().iter();
    tables
        .filter(|table| ids.contains(&table.table.identity().id))
        .cloned()
        .collect()
}

fn anew(commit: &Commit, tables: &[TableId]) -> Option<&'static str> {
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
