//! A place among the changes of some tables: up to which cut they were told, and how far the tables had been read then.

use std::collections::HashMap;
use std::sync::Arc;

use query::as_of::{AsOf, TableStanding};
use query::follow::Follower;
use row_model::{CutId, TableId};
use serde::Serialize;
use table_store::{Commit, News, RowChange, TableCut, merged};

use super::asked::{Followed, Form};
use super::spelled::{Spelling, text_of};
use crate::{ApiState, fresh};

/// Transactions of one cut that are named.
const TRANSACTIONS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// All that this cut or an earlier one changed has been told.
    pub at: CutId,
    /// How far the tables had been read then, as far as that is known. Shared by all who stand there.
    tables: Arc<HashMap<TableId, TableStanding>>,
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

impl Place {
    pub fn new(at: CutId, tables: HashMap<TableId, TableStanding>) -> Self {
        Self {
            at,
            tables: Arc::new(tables),
        }
    }

    /// After all that a cut shows of these tables.
    pub fn of(at: CutId, tables: &[Arc<TableCut>]) -> Self {
        let mut place = Self::new(at, HashMap::new());
        place.stand_at(at, tables);
        place
    }

    pub fn stand_at(&mut self, at: CutId, tables: &[Arc<TableCut>]) {
        self.at = at;
        let known = Arc::make_mut(&mut self.tables);
        for table in tables {
            let identity = table.table.identity();
            known.insert(identity.id, TableStanding::at(identity, &table.facts));
        }
    }

    /// What has been told of so far.
    pub fn token(&self, api: &ApiState, followed: &Followed) -> String {
        let tables = followed.tables.iter();
        let tables = tables.filter_map(|query| self.tables.get(&query.table().table.identity().id));
        let as_of = AsOf {
            cut: api.store().name_of(self.at),
            tables: tables.cloned().collect(),
        };
        as_of.encode()
    }

    /// Tells what these cuts changed, as one, and goes there. Of a single one maybe only these rows are looked at.
    /// Who is ahead may have seen any of it. Answers whether that is anything.
    pub fn tell(
        &mut self,
        api: &ApiState,
        followed: &Followed,
        commits: &[Arc<Commit>],
        only: Option<&[u32]>,
        is_ahead: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(last) = commits.last() else {
            return false;
        };
        self.at = last.cut;
        let mut transactions = Vec::new();
        let (mut is_told, mut committed_ms) = (false, None);
        for query in &followed.tables {
            let identity = query.table().table.identity();
            let news = commits.iter().filter_map(|commit| commit.of(identity.id));
            let Some(newest) = news.clone().next_back() else {
                continue;
            };
            let standing = TableStanding::at(identity, &newest.facts);
            Arc::make_mut(&mut self.tables).insert(identity.id, standing);
            committed_ms = committed_ms.max(newest.facts.commit_ms);
            let mut rows = news.map(|news| match &news.news {
                News::Rows(rows) => &rows[..],
                News::Anew(_) => &[],
            });
            let together;
            let rows: Vec<&RowChange> = match (only, commits.len()) {
                (Some(only), 1) => {
                    let rows = rows.next().unwrap_or_default();
                    let only = only.iter().map(|nth| rows.get(*nth as usize));
                    only.flatten().collect()
                }
                (_, 1) => rows.flatten().collect(),
                _ => {
                    together = merged(rows.flatten());
                    together.iter().collect()
                }
            };
            let mut follower = Follower::new(query, api.shapes()).ahead(is_ahead);
            let mut spelling = Spelling {
                form: followed.form,
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
        if is_told && followed.form != Form::Bell {
            let id = self.token(api, followed);
            write_commit(followed.form, &id, transactions, committed_ms, out);
        }
        is_told
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
