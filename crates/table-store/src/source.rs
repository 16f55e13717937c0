//! What a cut says of a *source*: how far its history is shown. Written by the pipeline, judged by floors.
//!
//! A source's records come in many topics and partitions, and positions go down inside each. So two things
//! are told apart: how far the source has been *seen* ([`Reached`], running maxima of what was published), and how
//! far each table is known to have come along ([`TableReach`]): what the source had reached when all of the
//! table's partitions were last read to their end. Where the boundaries of transactions are followed, everything
//! up to [`SourceCut::closed`] is shown of all tables.

use std::sync::Arc;

use row_model::{Gtid, GtidLine, TableId};

use crate::{AppliedIds, Heard};

/// Lines of global transaction ids that are followed: servers that have been written to, or domains.
const LINES_MAX: usize = 64;

/// The newest of all that was seen of a source's streamed changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The newest position, where it is one number (a log sequence number of `PostgreSQL`).
    pub lsn: Option<u64>,
    /// The newest number of each line.
    pub gtids: Arc<Vec<(GtidLine, u64)>>,
    /// The newest time of a commit, milliseconds since 1970.
    pub commit_ms: Option<i64>,
}

impl Reached {
    /// Takes up what is newer in another.
    pub fn merge(&mut self, other: &Self) {
        self.lsn = self.lsn.max(other.lsn);
        self.commit_ms = self.commit_ms.max(other.commit_ms);
        if Arc::ptr_eq(&self.gtids, &other.gtids) {
            return;
        }
        for (line, number) in &*other.gtids {
            self.reach(Gtid {
                line: *line,
                number: *number,
            });
        }
    }

    /// Notes a transaction of a line.
    pub fn reach(&mut self, gtid: Gtid) {
        let known = self.gtids.iter().position(|(line, _)| *line == gtid.line);
        match known {
            Some(at) if self.gtids[at].1 >= gtid.number => {}
            Some(at) => Arc::make_mut(&mut self.gtids)[at].1 = gtid.number,
            None if self.gtids.len() < LINES_MAX => {
                Arc::make_mut(&mut self.gtids).push((gtid.line, gtid.number));
            }
            None => {}
        }
    }

    /// How far a line was seen.
    #[must_use]
    pub fn of_line(&self, line: GtidLine) -> Option<u64> {
        let mut lines = self.gtids.iter();
        lines
            .find(|(known, _)| *known == line)
            .map(|(_, number)| *number)
    }
}

/// How far a table is known to have come along with its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReach {
    /// All that was heard of its source before this moment, it shows its part of; `None` before that was known
    /// in this process.
    pub heard: Option<Heard>,
    /// What its source had reached then.
    pub reached: Reached,
    /// It has shown all rows once, so what it does not show of a transaction that is closed is nothing.
    pub is_whole: bool,
}

/// What is known of the rows by which a source says that it is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heartbeats {
    /// Config names no table of them.
    #[default]
    NotConfigured,
    /// It names one, and none came yet.
    Awaited,
    /// The newest one was committed then, milliseconds since 1970.
    Last(i64),
}

/// One source at one cut: a database, as one connector captures it. Topics of several may be read as one source
/// of config, and their positions have nothing to do with each other.
#[derive(Clone, Debug, Default)]
pub struct SourceCut {
    /// As config calls it.
    pub name: Arc<str>,
    /// As its records call it: the logical name, with which topics usually begin.
    pub connector: Arc<str>,
    /// How often it began anew, with a full snapshot by another run of its connector: what was reached before tells
    /// nothing of what is reached since.
    pub timeline: u32,
    /// Of all that was published.
    pub newest: Reached,
    /// Of transactions all of which is shown, and all before them.
    pub closed: Reached,
    /// What had been reached when it began anew.
    pub former: Reached,
    pub applied: AppliedIds,
    pub heartbeats: Heartbeats,
    pub tables: Arc<Vec<(TableId, TableReach)>>,
}

impl SourceCut {
    /// How far one of its tables has come along.
    #[must_use]
    pub fn table(&self, id: TableId) -> Option<&TableReach> {
        let mut tables = self.tables.iter();
        tables
            .find(|(known, _)| *known == id)
            .map(|(_, reach)| reach)
    }
}
