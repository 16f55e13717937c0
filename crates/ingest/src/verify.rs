//! Reads the tables of a checkpoint again from their logs, up to exactly where the checkpoint stands, so
//! that they can be compared row by row.
//!
//! Nothing is written, acknowledged or served. What legitimately depends on more than the records before
//! the checkpoint's offsets is brought to the same point on both sides: sweeps that were due and had to
//! wait, halves of key changes whose time was up, rows that are too old to be kept. A delete at which
//! reading resumes may or may not have been applied: its key is told beside the tables.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use change_feed::PartitionFacts;
use checkpoint_store::CheckpointStore;
use row_model::{NextOffset, SchemaCatalog};
use table_store::{Cut, TableCut};
use telemetry::clock;

use crate::LoadError;
use crate::notes::{self, Saved};
use crate::rebuilds::ReplayProgress;
use crate::replay::Targets;
use crate::replay_thread::{self, Reopen, Runner};
use crate::resume::{SavedPartition, SavedPlace};
use crate::sequencer::Sequencer;
use crate::settings::{Settings, SourceSetup};

/// A checkpoint whose tables are compared with their logs.
pub struct Verify {
    sequencer: Sequencer,
    reopen: Reopen,
    /// Tables of the checkpoint that config has no place for, and why.
    unknown: Vec<(String, String)>,
}

/// A table as the checkpoint has it, and as its log makes it. Rows are visible at every cut.
#[derive(Debug)]
pub struct Compared {
    pub checkpoint: TableCut,
    pub log: TableCut,
    /// Keys that the checkpoint may have deleted already: their deletes are the next to be read.
    pub unsettled: HashSet<Box<[u8]>>,
}

impl Verify {
    /// Loads the checkpoint. The sources are not read; `reopen` opens them when they are.
    ///
    /// # Errors
    /// If the checkpoint cannot be used.
    pub fn load(
        settings: Settings,
        sources: &[SourceSetup],
        catalog: Arc<SchemaCatalog>,
        store: &dyn CheckpointStore,
        reopen: Reopen,
    ) -> Result<Self, LoadError> {
        let mut sequencer = Sequencer::new(settings, sources, catalog);
        sequencer.load(store, clock::now_ms, |_| {})?;
        sequencer.publish(clock::now_ms());
        let mut unknown = Vec::new();
        for (name, value) in store.notes()? {
            let Some(Saved::Table(note)) = notes::read(&name, &value)? else {
                continue;
            };
            if sequencer.place_of(note.id()).is_some() {
                continue;
            }
            let is_configured = sources.iter().any(|source| source.name == note.source);
            let reason = if is_configured {
                format!("its topic {} is not served any more", note.topic)
            } else {
                format!("its source {} is not configured", note.source)
            };
            unknown.push((note.name.clone(), reason));
        }
        Ok(Self {
            sequencer,
            reopen,
            unknown,
        })
    }

    /// The tables there are, by their names.
    #[must_use]
    pub fn cut(&self) -> Arc<Cut> {
        self.sequencer.store().published()
    }

    /// Tables that cannot be compared because config has no place for them, and why not.
    #[must_use]
    pub fn unknown(&self) -> &[(String, String)] {
        &self.unknown
    }

    /// Reads a table's log. `progress` hears the share that was read, and what keeps it from going on.
    ///
    /// # Errors
    /// In words, why it cannot be compared.
    pub fn table(
        &mut self,
        name: &str,
        mut progress: impl FnMut(f64, Option<&str>),
    ) -> Result<Compared, String> {
        let mut tables = self.sequencer.tables.iter();
        let at = tables
            .position(|table| table.identity.name == name)
            .ok_or("there is no such table")?;
        let table = &self.sequencer.tables[at];
        if let Some(undecided) = &table.undecided {
            if let Some(reason) = undecided.rows.damage() {
                return Err(format!("its rows are damaged ({reason}): rebuild it first"));
            }
            if let Some(rebuild) = &undecided.change {
                return Err(format!(
                    "{rebuild}, so that its rows are of another setting: rebuild it first"
                ));
            }
        }
        if let Some(reason) = &table.rebuilding {
            return Err(reason.clone());
        }
        let source = self.sequencer.source_at(at).ok_or("its source is gone")?;
        let saved = self.saved(at);
        if saved.is_empty() {
            return Err("the checkpoint knows no partition of its topic".to_owned());
        }
        let mut plan = self.sequencer.replay_plan(source, at, true);
        plan.ends = saved.iter().map(|(at, it)| (*at, it.next.0)).collect();
        let told = Arc::new(ReplayProgress::default());
        let stop = Arc::new(AtomicBool::new(false));
        let mut runner = Runner::start(plan, &self.reopen, Arc::clone(&told), stop)?;
        let until = saved.iter().map(|(at, it)| (*at, it.next)).collect();
        runner.replay.stop_at(until);
        let read = read(&mut runner, &saved, |trouble| {
            progress(told.share(), trouble);
        });
        let (mut replay, threads) = runner.end();
        replay_thread::join(threads);
        read?;
        let unsettled = replay.take_unsettled();
        replay.sequencer.conclude(0);
        self.sequencer.conclude(at);
        Ok(Compared {
            checkpoint: self.sequencer.tables[at].cut(),
            log: replay.sequencer.tables[0].cut(),
            unsettled,
        })
    }

    /// How far its partitions had been read; none if one of them was passed over since.
    fn saved(&self, at: usize) -> BTreeMap<i32, SavedPartition> {
        let identity = &self.sequencer.tables[at].identity;
        let saved = self.sequencer.saved.iter();
        let saved = saved
            .filter(|((source, topic, _), _)| {
                (source, topic) == (&identity.source, &identity.topic)
            })
            .map(|((_, _, number), saved)| match saved {
                SavedPlace::At(saved) => Some((*number, *saved)),
                SavedPlace::PassedOver => None,
            });
        saved.collect::<Option<_>>().unwrap_or_default()
    }
}

/// Reads until every partition has come to where the checkpoint stands.
fn read(
    runner: &mut Runner,
    saved: &BTreeMap<i32, SavedPartition>,
    mut progress: impl FnMut(Option<&str>),
) -> Result<(), String> {
    loop {
        runner.round()?;
        progress(runner.replay.trouble());
        let replay = &mut runner.replay;
        for facts in replay.take_found() {
            if let Some(saved) = saved.get(&facts.partition) {
                comparable(saved, &facts)?;
            }
        }
        if let Some(reason) = &replay.table().stalled {
            return Err(reason.clone());
        }
        let targets: Targets = saved.iter().map(|(at, it)| (*at, it.next)).collect();
        if replay.is_past(&targets) {
            return Ok(());
        }
        replay.falls_short_of(&targets)?;
    }
}

/// Whether a partition's log still tells what it held when the checkpoint was made.
fn comparable(saved: &SavedPartition, facts: &PartitionFacts) -> Result<(), String> {
    let place = format!("{}-{}", facts.topic, facts.partition);
    if let (Some(then), Some(now)) = (saved.topic_uuid, facts.topic_uuid)
        && then != now
    {
        return Err(format!(
            "topic {} was recreated: the checkpoint is of another log",
            facts.topic
        ));
    }
    if facts.compacted && facts.end > Some(saved.next) {
        return Err(format!(
            "{place} is compacted and has grown since: what it held then cannot be read any more"
        ));
    }
    if facts.retained_from > NextOffset(0) && !facts.compacted {
        return Err(format!(
            "{place} begins at offset {}: the log does not hold all that made the table",
            facts.retained_from.0
        ));
    }
    Ok(())
}
