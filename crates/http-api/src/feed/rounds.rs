//! Goes round after a cut, and finds out whom its changes may concern: those who ask for all rows of a table, and those
//! whom an index has by a key or a value that a changed row has or had. Nobody else is touched.

use std::collections::HashMap;
use std::sync::Arc;

use query::audience::Audience;
use row_model::{CutId, TableId};
use table_store::{Commit, Cut, News};
use tokio::task::yield_now;

use super::question::Question;
use super::step::COMMITS_MAX;
use crate::ApiState;

/// Who follows which table, and up to where they have been looked for.
#[derive(Debug)]
pub(super) struct Rounds {
    audiences: HashMap<TableId, Audience<Arc<Question>>>,
    gone_to: CutId,
}

/// What is to be done on one round.
pub(super) struct Round {
    /// All up to here.
    pub to: Arc<Cut>,
    pub came: Vec<Arc<Question>>,
    pub left: Vec<Arc<Question>>,
}

impl Rounds {
    /// Begins after a cut.
    pub fn after(cut: CutId) -> Self {
        Self {
            audiences: HashMap::new(),
            gone_to: cut,
        }
    }

    /// Marks what changed up to a cut. Answers who has to look.
    pub async fn go(&mut self, api: &ApiState, round: Round) -> Vec<Arc<Question>> {
        let Round { to, came, left } = round;
        for question in &came {
            self.enter(question);
        }
        for question in &left {
            self.leave(question);
        }
        let mut due = Vec::new();
        let tables: Vec<TableId> = self.audiences.keys().copied().collect();
        while self.gone_to < to.id {
            let after = api
                .store()
                .changes_after(self.gone_to, &tables, COMMITS_MAX);
            let Some(commits) = after else {
                self.lose(&to, &mut due);
                break;
            };
            let is_all = commits.len() < COMMITS_MAX;
            // One that came meanwhile does not know of later ones that they were looked at.
            for commit in commits.iter().filter(|commit| commit.cut <= to.id) {
                self.mark(to.id, commit, &mut due);
                self.gone_to = commit.cut;
                yield_now().await;
            }
            if is_all || commits.last().is_some_and(|last| last.cut > to.id) {
                break;
            }
        }
        self.gone_to = self.gone_to.max(to.id);
        due
    }

    fn mark(&mut self, round: CutId, commit: &Commit, due: &mut Vec<Arc<Question>>) {
        for news in &commit.tables {
            let Some(audience) = self.audiences.get_mut(&news.table) else {
                continue;
            };
            let mut mark = |question: &Arc<Question>, row| {
                if question.mark(round, commit.cut, row) {
                    due.push(Arc::clone(question));
                }
            };
            match &news.news {
                News::Anew(_) => audience.everybody(|question| mark(question, None)),
                News::Rows(rows) => {
                    if audience.has_addressed() {
                        for (nth, change) in (0..).zip(rows.iter()) {
                            audience.concerned(change, |question| mark(question, Some(nth)));
                        }
                    }
                    audience.unaddressed(|question| {
                        if question.becomes_due(round) {
                            due.push(Arc::clone(question));
                        }
                    });
                }
            }
        }
    }

    /// Changes have been let go of before they were looked at.
    fn lose(&self, now: &Cut, due: &mut Vec<Arc<Question>>) {
        for audience in self.audiences.values() {
            audience.everybody(|question| {
                question.lose(now);
                if question.becomes_due(now.id) {
                    due.push(Arc::clone(question));
                }
            });
        }
    }

    fn enter(&mut self, question: &Arc<Question>) {
        for query in &question.followed.tables {
            let table = query.table();
            let audience = self.audiences.entry(table.table.identity().id);
            audience
                .or_default()
                .enter(table, &question.followed.address, question);
        }
    }

    fn leave(&mut self, question: &Arc<Question>) {
        for id in question.followed.ids() {
            if let Some(audience) = self.audiences.get_mut(&id) {
                audience.leave(&question.followed.address, |one| Arc::ptr_eq(one, question));
                if audience.is_empty() {
                    self.audiences.remove(&id);
                }
            }
        }
    }
}
