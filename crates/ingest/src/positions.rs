//! Positions of sources: what was seen of each connector, how far its tables have come along with it, and what
//! cuts and checkpoints say of that.
//!
//! Moments are counted by the thread that reads a source ([`Heard`]): messages of different partitions take
//! different ways to the sequencer, and which of them was heard of first decides what may be concluded.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use checkpoint_store::Note;
use row_model::{Change, ChangeBatch, OriginId, PartitionId, TableId, TransactionKey};
use table_store::Heard;

use crate::connector_positions::ConnectorPositions;
use crate::messages::Silence;
use crate::partitions::PartitionState;
use crate::sequencer::Sequencer;
use crate::source_notes::{self, Loading, Part};

/// What is known of all connectors.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// By the source of config, and the connector's name.
    connectors: Vec<(usize, ConnectorPositions)>,
    /// Which connector writes what a partition has of a source table.
    by_origin: HashMap<(usize, PartitionId, OriginId), usize>,
    /// Whose rows a table holds, as of so many source tables of it and so many connectors.
    by_table: HashMap<TableId, ([usize; 2], Vec<usize>)>,
    /// When the message that is being handled was heard, and when the latest one of all was.
    now: Heard,
    latest: Heard,
    /// Partitions have come to their ends since the last cut.
    ends_reached: bool,
    /// Blocks of ids that were read of a checkpoint, until all are.
    loading: BTreeMap<(String, String), Loading>,
}

impl Positions {
    /// From now on a message is handled that was heard at this moment.
    pub fn hear(&mut self, at: Heard) {
        (self.now, self.latest) = (at, self.latest.max(at));
    }

    /// Nothing of a connector is kept as it is by any checkpoint.
    pub fn mark_all_dirty(&mut self) {
        for (_, connector) in &mut self.connectors {
            connector.dirty = true;
            connector
                .dirty_blocks
                .extend(connector.cut.applied.blocks());
        }
    }

    fn is_touched(&self) -> bool {
        self.ends_reached || self.connectors.iter().any(|(_, it)| it.touched)
    }

    /// Takes up a note of a checkpoint.
    pub fn take_note(&mut self, (source, connector): (String, String), part: Part) {
        self.loading
            .entry((source, connector))
            .or_default()
            .add(part);
    }
}

/// Of a source whose silence is about a moment ago: what had been heard of at some moment. Only silence that is about a
/// later one proves that there was no more of it.
#[derive(Debug, Default)]
pub(crate) struct Unproven(Option<(Heard, i64)>);

impl Unproven {
    fn proven(&mut self, heard: Heard, at_ms: i64, delayed_ms: i64) -> Option<Heard> {
        if delayed_ms == 0 {
            self.0 = None;
            return Some(heard);
        }
        let (before, since_ms) = *self.0.get_or_insert((heard, at_ms));
        let is_later = since_ms <= at_ms.saturating_sub(delayed_ms);
        is_later.then(|| {
            self.0 = Some((heard, at_ms));
            before
        })
    }
}

impl Sequencer {
    /// Takes up what the changes of a batch tell of where their source stands, those of some offsets.
    pub(crate) fn see_positions(
        &mut self,
        source: usize,
        topic: &str,
        batch: &ChangeBatch,
        news: &Range<u64>,
    ) {
        // What waited was heard before, and is seen now: later counts for more.
        let at = self.positions.latest;
        let beats = self.sources[source].is_heartbeat_topic(topic);
        let (mut known, mut seen) = (None, Vec::new());
        let tells = |change: &&Change| {
            change.position.is_some() || change.transaction.is_some() || change.commit_ms.is_some()
        };
        let changes = batch.changes.iter().filter(|it| news.contains(&it.offset));
        for change in changes.filter(tells) {
            let connector = match known {
                Some((origin, connector)) if origin == change.origin => connector,
                _ => self.connector_of_change(source, topic, batch, change),
            };
            known = Some((change.origin, connector));
            let (_, positions) = &mut self.positions.connectors[connector];
            positions.see(batch.partition, change, at);
            if beats
                && change.snapshot.is_none()
                && let Some(commit_ms) = change.commit_ms
            {
                positions.beat(commit_ms);
            }
            if !seen.contains(&connector) {
                seen.push(connector);
            }
        }
        for connector in seen {
            self.positions.connectors[connector].1.seen(at);
        }
    }

    /// All of these transactions is part of the next cut, and all before them, in the order in which they were
    /// committed.
    pub(crate) fn transactions_closed(
        &mut self,
        source: usize,
        whole: &[(TransactionKey, Option<i64>)],
    ) {
        if whole.is_empty() {
            return;
        }
        let mut partitions = self.partitions.iter().filter(|((of, _), _)| *of == source);
        // What was let through and waits for room is shown later.
        if partitions.any(|(_, partition)| partition.awaits_memory.is_some()) {
            return;
        }
        let mut of_source = self.positions.connectors.iter_mut();
        let mut of_source = of_source.by_ref().filter(|(of, _)| *of == source);
        // Boundaries do not say which connector told them.
        let (Some((_, connector)), None) = (of_source.next(), of_source.next()) else {
            return;
        };
        for (key, commit_ms) in whole {
            connector.close(key.number(), *commit_ms);
        }
    }

    /// All that was delivered of a partition has been applied, and it was at its end at the moment at which
    /// the message that is being handled was heard.
    pub(crate) fn was_at_end(&mut self, source: usize, id: PartitionId) {
        let at = self.positions.now;
        if let Some(partition) = self.partitions.get_mut(&(source, id))
            && partition.at_end
        {
            partition.read_to_end = partition.read_to_end.max(Some(at));
            self.positions.ends_reached = true;
        }
    }

    /// What silence that was noticed now proves that there is no more of, if anything.
    fn proven_by_silence(&mut self, source: usize, heard: Heard, at_ms: i64) -> Option<Heard> {
        let facts = &mut self.sources[source];
        facts.unproven.proven(heard, at_ms, facts.delayed_ms)
    }

    /// The same of all partitions of a source that are at their ends: it has nothing more for anyone. Answers whether
    /// that is about all that was heard of.
    pub(crate) fn all_were_at_end(&mut self, source: usize, at_ms: i64) -> bool {
        let now = self.positions.now;
        let proven = self.proven_by_silence(source, now, at_ms);
        self.had_nothing(source, |_| true, proven, at_ms);
        let is_all = proven == Some(now);
        let of_source = self.positions.connectors.iter_mut();
        for (_, connector) in of_source.filter(|(of, _)| is_all && *of == source) {
            connector.quiet(now);
        }
        is_all
    }

    /// Partitions of one worker of which nothing came had nothing then, though others had.
    pub(crate) fn hear_of_silence(&mut self, silence: &Silence) {
        let Silence {
            source,
            worker: (number, of),
            heard,
            at_ms,
            obeyed,
        } = *silence;
        if obeyed != self.orders_given(source) || self.sources[source].unreachable.is_some() {
            return;
        }
        let proven = self.proven_by_silence(source, heard, at_ms);
        let is_told = |id: PartitionId| id.0 as usize % of == number;
        self.had_nothing(source, is_told, proven, at_ms);
        self.tell_ends(source);
    }

    /// Those of these partitions that are at their ends had nothing more then; and nothing of what had been heard of, as far
    /// as that is proven.
    fn had_nothing(
        &mut self,
        source: usize,
        is_told: impl Fn(PartitionId) -> bool,
        proven: Option<Heard>,
        at_ms: i64,
    ) {
        let at_ms = self.as_delayed(source, at_ms);
        let of_source = self.partitions.iter_mut();
        let told = of_source
            .filter(|((of, id), partition)| *of == source && is_told(*id) && partition.is_silent());
        for (_, partition) in told {
            partition.ended_ms = partition.ended_ms.max(Some(at_ms));
            if partition.read_to_end < proven {
                partition.read_to_end = proven;
                self.positions.ends_reached = true;
            }
        }
    }

    /// The moment that something is about that a source said, or did not say, at this one.
    pub(crate) fn as_delayed(&self, source: usize, at_ms: i64) -> i64 {
        at_ms.saturating_sub(self.sources[source].delayed_ms)
    }

    /// Whether a cut has something new to say of sources.
    pub(crate) fn sources_are_touched(&self) -> bool {
        self.positions.is_touched()
    }

    /// Has the next cut say what is known of sources. Call it when it is known what it says of tables.
    pub(crate) fn set_sources(&mut self) {
        self.positions.ends_reached = false;
        for at in 0..self.tables.len() {
            let table = &self.tables[at];
            let (id, is_whole) = (table.identity.id, table.was_live);
            let is_known = self.is_discovered(at) && table.holding.is_empty();
            let ends = self
                .partitions_of(at)
                .map(|partition| partition.read_to_end);
            // A table that has no partition is at no end.
            let heard = ends.min().flatten().filter(|_| is_known);
            for connector in self.connectors_of(at) {
                let (_, positions) = &mut self.positions.connectors[connector];
                positions.comes_along(id, heard, is_whole);
                let facts = &self.tables[at].facts;
                let proof = positions.proof_of(id, facts.transactions);
                if let Some(commit_ms) = proof.filter(|_| is_whole) {
                    facts.shows_source_of(commit_ms);
                }
            }
        }
        for (_, connector) in &mut self.positions.connectors {
            if std::mem::take(&mut connector.touched) {
                self.publisher.set_source(connector.cut.clone());
            }
        }
    }

    /// What has changed, for a checkpoint.
    pub(crate) fn position_notes(&mut self) -> Vec<Note> {
        let connectors = self.positions.connectors.iter_mut();
        connectors
            .flat_map(|(_, connector)| source_notes::notes(connector))
            .collect()
    }

    /// Puts back what a checkpoint remembers, when all notes of it were read.
    pub(crate) fn restore_positions(&mut self) {
        for ((source, connector), loading) in std::mem::take(&mut self.positions.loading) {
            let mut sources = self.sources.iter();
            if let Some(source) = sources.position(|it| it.name == source) {
                let at = self.connector_at(source, &connector);
                loading.restore(&mut self.positions.connectors[at].1);
            }
        }
    }

    /// The connectors of whose rows a table holds any.
    fn connectors_of(&mut self, at: usize) -> Vec<usize> {
        let table = &self.tables[at];
        let as_of = [table.origins.len(), self.positions.connectors.len()];
        let id = table.identity.id;
        if let Some((known_as_of, known)) = self.positions.by_table.get(&id)
            && *known_as_of == as_of
        {
            return known.clone();
        }
        let names = table.writer.table().schemas().origins();
        let mut names: Vec<&str> = names.iter().map(|origin| connector_of(origin)).collect();
        names.push("");
        let topic = &table.identity.topic;
        let connectors = self.positions.connectors.iter().enumerate();
        let ours = connectors.filter(|(_, (source, it))| {
            let is_its = |name: &&str| *it.cut.connector == *named(name, topic);
            self.sources[*source].name == table.identity.source && names.iter().any(is_its)
        });
        let ours: Vec<usize> = ours.map(|(connector, _)| connector).collect();
        self.positions.by_table.insert(id, (as_of, ours.clone()));
        ours
    }

    fn connector_of_change(
        &mut self,
        source: usize,
        topic: &str,
        batch: &ChangeBatch,
        change: &Change,
    ) -> usize {
        let key = (source, batch.partition, change.origin);
        if let Some(known) = self.positions.by_origin.get(&key) {
            return *known;
        }
        let origins = self.catalog.history(topic).origins();
        let origin = origins.get(usize::from(change.origin.0));
        let name = origin.map_or("", |origin| connector_of(origin));
        let connector = self.connector_at(source, named(name, topic));
        // Before its first row is told, a topic's history has no name for its rows' table.
        if origin.is_some() {
            self.positions.by_origin.insert(key, connector);
        }
        connector
    }

    fn connector_at(&mut self, source: usize, connector: &str) -> usize {
        let mut known = self.positions.connectors.iter();
        let known = known.position(|(of, it)| *of == source && *it.cut.connector == *connector);
        known.unwrap_or_else(|| {
            let facts = &self.sources[source];
            let beats = facts.heartbeat_table.is_some();
            let new = ConnectorPositions::new(&facts.name, connector, beats);
            self.positions.connectors.push((source, new));
            self.positions.connectors.len() - 1
        })
    }
}

/// The connector of a source table, by the table's full name.
fn connector_of(origin: &str) -> &str {
    origin.split('\0').next().unwrap_or_default()
}

/// A connector by its name; where rows do not say it, by what their topic begins with.
fn named<'a>(connector: &'a str, topic: &'a str) -> &'a str {
    if connector.is_empty() {
        topic.split('.').next().unwrap_or_default()
    } else {
        connector
    }
}

impl PartitionState {
    /// Its source has nothing more of it, and would say so if it had.
    pub(crate) fn is_silent(&self) -> bool {
        self.at_end && !self.fenced && !self.paused && self.halted.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_proves_nothing_of_what_was_heard_of_since_the_moment_that_it_is_about() {
        let mut unproven = Unproven::default();
        let mut proven = |heard, at_ms, delayed_ms| {
            let proven = unproven.proven(Heard(heard), at_ms, delayed_ms);
            proven.map(|Heard(heard)| heard)
        };
        assert_eq!(proven(5, 1_000, 0), Some(5));
        assert_eq!(proven(6, 1_100, 700), None);
        assert_eq!(proven(7, 1_700, 700), None, "it is about 1,000");
        assert_eq!(proven(8, 1_800, 700), Some(6));
        assert_eq!(proven(8, 2_400, 700), None);
        assert_eq!(proven(9, 2_500, 700), Some(8));
        assert_eq!(proven(9, 2_600, 0), Some(9));
        assert_eq!(proven(9, 2_700, 700), None);
    }
}
