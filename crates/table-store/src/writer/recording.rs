//! Remembers what is written between two cuts, for those who follow the table.

use row_model::{Transaction, Version};

use crate::ring::{Anew, News, RowChange, merged};

/// What was written to a table since the last cut. Nothing before it is begun.
#[derive(Debug, Default)]
pub struct Recording {
    is_on: bool,
    changes: Vec<RowChange>,
    /// Some row was written twice.
    repeats: bool,
    anew: Option<Anew>,
    transaction: Option<Transaction>,
}

impl Recording {
    /// Begins, if it has not: what was written before is not known.
    pub fn begin(&mut self) {
        if !self.is_on {
            self.is_on = true;
            self.anew = Some(Anew::Loaded);
        }
    }

    /// What is written from now on is this transaction's.
    pub fn of_transaction(&mut self, transaction: Option<Transaction>) {
        self.transaction = transaction;
    }

    /// What the next cut changes, if anything; and begins with nothing again.
    pub fn take(&mut self) -> Option<News> {
        let changes = std::mem::take(&mut self.changes);
        let repeats = std::mem::take(&mut self.repeats);
        if let Some(anew) = self.anew.take() {
            return Some(News::Anew(anew));
        }
        let changes = if repeats { merged(&changes) } else { changes };
        (!changes.is_empty()).then(|| News::Rows(changes.into()))
    }

    pub(super) fn write(&mut self, before: Option<&Version>, after: &Version) {
        if !self.is_on || self.anew.is_some() {
            return;
        }
        self.repeats |= before.is_some_and(|before| before.cut() == after.cut());
        self.changes.push(RowChange {
            before: before.filter(|before| !before.is_deleted()).cloned(),
            after: after.clone(),
            meanwhile: None,
            transaction: self.transaction,
        });
    }

    pub(super) fn is_emptied(&mut self) {
        if self.is_on {
            self.anew = Some(Anew::Emptied);
            self.changes = Vec::new();
        }
    }
}
