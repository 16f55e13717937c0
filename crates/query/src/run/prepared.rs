//! What is found out once before rows are looked at: how their related rows will be found.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::Version;
use smallvec::SmallVec;

use super::finder::ColumnReader;
use super::{Finder, JoinKey, Reader, Run, Sink, View, visit};
use crate::bind::scope::{Exists, Scope};
use crate::list::ListError;
use crate::predicate::Predicate;

/// The keys of rows that meet a condition.
pub(crate) type KeySet = HashSet<JoinKey, foldhash::fast::FixedState>;

/// Shared by the threads that look at rows of one scope.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Of each level but the first.
    pub joins: Vec<PreparedJoin>,
    pub exists: Vec<PreparedExists>,
}

#[derive(Debug)]
pub(crate) struct PreparedJoin {
    pub finder: Finder,
    /// For the filter's own scope.
    pub filter: Option<Arc<Prepared>>,
}

#[derive(Debug)]
pub(crate) enum PreparedExists {
    /// The row's values must be among these.
    Among(KeySet),
    /// Each row's related ones are looked at.
    Looked {
        finder: Finder,
        inner: Arc<Prepared>,
    },
}

impl Prepared {
    /// For about so many rows.
    pub fn new(scope: &Scope, expected: u64, run: Run<'_>) -> Result<Arc<Self>, ListError> {
        let joins = scope
            .levels
            .iter()
            .filter_map(|level| Some((level, level.join.as_ref()?)));
        let joins = joins.map(|(level, join)| {
            let finder = Finder::new(join, level.layouts(), expected, run)?;
            let filter = match &join.filter {
                Some((scope, _)) if finder.locks() => Some(Self::new(scope, expected, run)?),
                _ => None,
            };
            Ok::<_, ListError>(PreparedJoin { finder, filter })
        });
        let exists = scope.exists.iter();
        let exists = exists.map(|exists| PreparedExists::new(exists, expected, run));
        Ok(Arc::new(Self {
            joins: joins.collect::<Result<_, _>>()?,
            exists: exists.collect::<Result<_, _>>()?,
        }))
    }

    /// Whether looking at a row takes locks of other rows.
    pub fn locks(&self) -> bool {
        let looked = |exists: &PreparedExists| matches!(exists, PreparedExists::Looked { .. });
        self.joins.iter().any(|join| join.finder.locks()) || self.exists.iter().any(looked)
    }
}

impl PreparedExists {
    fn new(exists: &Exists, expected: u64, run: Run<'_>) -> Result<Self, ListError> {
        let few = expected.saturating_mul(4) < exists.link.target.rows;
        if let Some(finder) = Finder::without_visit(&exists.link).filter(|_| few) {
            let inner = Prepared::new(&exists.scope, expected, run)?;
            return Ok(Self::Looked { finder, inner });
        }
        let target = &exists.link.target;
        let prepared = Prepared::new(&exists.scope, target.rows, run)?;
        let mut sink = KeysOf {
            reader: Reader::new(&exists.scope, &prepared, run.cut),
            columns: ColumnReader::new(&exists.link),
            predicate: &exists.predicate,
            keys: KeySet::default(),
            key: Vec::new(),
        };
        let aside = exists.predicate.is_costly() || prepared.locks();
        visit(target, aside, &mut sink, run)?;
        Ok(Self::Among(sink.keys))
    }
}

struct KeysOf<'a> {
    reader: Reader,
    columns: ColumnReader,
    predicate: &'a Predicate,
    keys: KeySet,
    key: Vec<u8>,
}

impl Sink for KeysOf<'_> {
    fn offer(&mut self, version: &Version) -> ControlFlow<()> {
        let meets = |view: View<'_>| self.predicate.test(&view) == Some(true);
        if self.reader.view(version).is_some_and(meets)
            && self.columns.key(version, &mut self.key)
            && !self.keys.contains(&self.key[..])
        {
            self.keys.insert(SmallVec::from_slice(&self.key));
        }
        ControlFlow::Continue(())
    }
}
