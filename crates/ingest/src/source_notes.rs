//! What a checkpoint keeps of the positions of a connector's source.
//!
//! ```text
//! source/<source>/<connector>   applied/<source>/<connector>/<block>
//! ```
//! The ids of applied transactions are kept in their blocks, of which few change between two checkpoints.

use std::sync::Arc;

use checkpoint_store::Note;
use row_model::{GtidLine, RunId};
use serde::{Deserialize, Serialize};
use table_store::{AppliedIds, Heard, Heartbeats, Reached, SavedBlock};

use crate::connector_positions::ConnectorPositions;
use crate::notes::{note_of, parse};

/// What the names of these notes begin with.
pub(crate) const SOURCE: &str = "source";
pub(crate) const BLOCK: &str = "applied";

/// What was read of one connector so far.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    note: SourceNote,
    blocks: Vec<SavedBlock>,
}

/// What a checkpoint keeps of a connector's source, beside the blocks of its transactions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SourceNote {
    timeline: u32,
    newest: ReachedNote,
    closed: ReachedNote,
    former: ReachedNote,
    newest_id: Option<u64>,
    floor: Option<u64>,
    streamed: Option<u128>,
    snapshot: Option<u128>,
    snapshot_id: Option<u32>,
    beat_ms: Option<i64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ReachedNote {
    lsn: Option<u64>,
    gtids: Vec<(u64, u64)>,
    commit_ms: Option<i64>,
}

/// What is stored of a block: its words. Its number is in its name.
#[derive(Debug, Serialize, Deserialize)]
struct BlockNote {
    seen: Vec<u64>,
    closed: Vec<u64>,
}

/// One note that was read.
#[derive(Debug)]
pub(crate) enum Part {
    Source(Box<SourceNote>),
    Block(SavedBlock),
}

/// Reads a note of what stands behind the connector in its name: nothing, or the number of a block.
pub(crate) fn read(behind: &[&str], value: &[u8]) -> Result<Part, String> {
    let [number] = behind else {
        return parse(value).map(|note| Part::Source(Box::new(note)));
    };
    let BlockNote { seen, closed } = parse(value)?;
    let number = number.parse().map_err(|_| "it has no number".to_owned())?;
    Ok(Part::Block(SavedBlock {
        number,
        seen,
        closed,
    }))
}

/// What a checkpoint is to keep of what has changed.
pub(crate) fn notes(connector: &mut ConnectorPositions) -> Vec<Note> {
    let cut = &connector.cut;
    let name = [&*cut.name, &*cut.connector];
    let mut notes = Vec::new();
    if connector.dirty || !connector.dirty_blocks.is_empty() {
        let note = SourceNote::of(connector);
        notes.push(note_of(&[SOURCE, name[0], name[1]], Some(&note)));
    }
    for number in &connector.dirty_blocks {
        let block = cut.applied.saved(*number);
        let block = block.map(|SavedBlock { seen, closed, .. }| BlockNote { seen, closed });
        let place = [BLOCK, name[0], name[1], &number.to_string()];
        notes.push(note_of(&place, block.as_ref()));
    }
    connector.dirty = false;
    connector.dirty_blocks.clear();
    notes
}

impl Loading {
    pub fn add(&mut self, part: Part) {
        match part {
            Part::Source(note) => self.note = *note,
            Part::Block(block) => self.blocks.push(block),
        }
    }
}

impl SourceNote {
    fn of(connector: &ConnectorPositions) -> Self {
        let cut = &connector.cut;
        let (newest_id, floor) = cut.applied.saved_bounds();
        Self {
            timeline: cut.timeline,
            newest: ReachedNote::of(&cut.newest),
            closed: ReachedNote::of(&cut.closed),
            former: ReachedNote::of(&cut.former),
            newest_id,
            floor,
            streamed: connector.streamed.map(|run| run.0),
            snapshot: connector.snapshot.map(|run| run.0),
            snapshot_id: connector.snapshot_id,
            beat_ms: match cut.heartbeats {
                Heartbeats::Last(at) => Some(at),
                Heartbeats::NotConfigured | Heartbeats::Awaited => None,
            },
        }
    }
}

impl Loading {
    pub fn restore(self, connector: &mut ConnectorPositions) {
        let note = self.note;
        let cut = &mut connector.cut;
        cut.timeline = note.timeline;
        cut.newest = note.newest.restore();
        cut.closed = note.closed.restore();
        cut.former = note.former.restore();
        cut.applied = AppliedIds::restored((note.newest_id, note.floor), self.blocks);
        if let (Some(at), Heartbeats::Awaited) = (note.beat_ms, cut.heartbeats) {
            cut.heartbeats = Heartbeats::Last(at);
        }
        connector.streamed = note.streamed.map(RunId);
        connector.snapshot = note.snapshot.map(RunId);
        connector.snapshot_id = note.snapshot_id;
        connector.seen(Heard(0));
        connector.dirty = false;
    }
}

impl ReachedNote {
    fn of(reached: &Reached) -> Self {
        let gtids = reached.gtids.iter();
        Self {
            lsn: reached.lsn,
            gtids: gtids.map(|(line, number)| (line.0, *number)).collect(),
            commit_ms: reached.commit_ms,
        }
    }

    fn restore(&self) -> Reached {
        let gtids = self.gtids.iter();
        let gtids = gtids.map(|(line, number)| (GtidLine(*line), *number));
        Reached {
            lsn: self.lsn,
            gtids: Arc::new(gtids.collect()),
            commit_ms: self.commit_ms,
        }
    }
}
