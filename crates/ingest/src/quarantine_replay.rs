//! Tries records of the quarantine once more, with today's decoder and configuration.
//!
//! Those that are understood now, and proven to be in time still, are applied in one cut and leave the
//! quarantine with it: both are in the same checkpoint, so that a crash in between undoes both. The others stay,
//! with the reason of today.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use change_feed::{Decoded, Decoder, RawBatch, RegistryId, SchemaShelf, TopicContext};
use crossbeam_channel::Sender;
use row_model::{ChangeBatch, PartitionId};

use crate::late::{Late, Written};
use crate::quarantine::Quarantined;
use crate::sequencer::Sequencer;

/// Which records are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuarantineSelection {
    /// Of this topic only.
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub offset: Option<u64>,
}

/// A record that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedRecord {
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    pub outcome: ReplayOutcome,
}

/// What came of a record that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// It changed its table, and has left the quarantine.
    Applied,
    /// It has nothing to change any more, and has left the quarantine.
    Settled,
    /// It stays, for this reason.
    Kept(String),
}

/// Makes decoders of one source, outside of its workers.
pub(crate) struct LateDecoders {
    pub make: Box<dyn Fn() -> Box<dyn Decoder> + Send>,
    /// Where schemas are asked for and where they turn up, if the source has a registry.
    pub schemas: Option<(Sender<RegistryId>, Arc<SchemaShelf>)>,
    /// Schemas that were asked for again: what is said of them now is news.
    pub asked: BTreeSet<RegistryId>,
}

/// Decodes records of one replay.
pub(crate) struct LateDecoding<'a> {
    sources: &'a mut [LateDecoders],
    decoders: HashMap<usize, Box<dyn Decoder>>,
}

const NOT_WHOLE: &str = "it was not kept whole (config hides columns of its topic, it is too large, or it was put aside by an older version)";
const NOT_CONFIGURED: &str = "its source is not configured any more";
const UNSERVED: &str = "its topic makes no table any more";
const REBUILDING: &str = "its table is being rebuilt from the log, which reads it again";

impl QuarantineSelection {
    fn has(&self, record: &Quarantined) -> bool {
        self.topic.as_ref().is_none_or(|it| *it == record.topic)
            && self.partition.is_none_or(|it| it == record.partition)
            && self.offset.is_none_or(|it| it == record.offset)
    }
}

impl<'a> LateDecoding<'a> {
    pub fn new(sources: &'a mut [LateDecoders]) -> Self {
        for source in &mut *sources {
            let asked = std::mem::take(&mut source.asked);
            if let Some((_, shelf)) = &source.schemas {
                // The registry may have what it did not have then.
                shelf.forget_unusable(&asked);
            }
        }
        Self {
            sources,
            decoders: HashMap::new(),
        }
    }

    /// The changes of a record, or why there are none.
    pub fn decode(&mut self, source: usize, record: &Quarantined) -> Result<ChangeBatch, String> {
        let setup = self.sources.get_mut(source).ok_or(NOT_CONFIGURED)?;
        let headers = record.headers.as_deref();
        let headers = headers.ok_or_else(|| rebuild_instead(NOT_WHOLE, &record.topic))?;
        // Decoders go by topic and partition; the number is the sequencer's affair.
        let mut raw = RawBatch::new(PartitionId(0));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        raw.push_kept(record.offset, record.timestamp_ms, key, value, headers);
        let context = TopicContext {
            topic: &record.topic,
            partition: record.partition,
        };
        let mut batch = ChangeBatch::new(PartitionId(0));
        let decoder = self
            .decoders
            .entry(source)
            .or_insert_with(|| (setup.make)());
        if let Decoded::Needs { schema, .. } = decoder.decode(context, &raw, 0, &mut batch) {
            let wanted = setup.schemas.as_ref().map(|(wanted, _)| wanted);
            let asked = wanted.is_some_and(|wanted| wanted.try_send(schema).is_ok());
            setup.asked.insert(schema);
            let told = if asked {
                "is being fetched from"
            } else {
                "has to be asked of"
            };
            return Err(format!(
                "schema {} {told} the registry: replay it again in a moment",
                schema.0
            ));
        }
        match batch.failures.first() {
            Some(failure) => Err(failure.reason.clone()),
            None => Ok(batch),
        }
    }
}

impl Sequencer {
    /// Tries the records that are selected, in the order of their logs. What is applied is visible from the
    /// next cut on.
    pub fn replay_quarantine(
        &mut self,
        selected: &QuarantineSelection,
        mut decode: impl FnMut(usize, &Quarantined) -> Result<ChangeBatch, String>,
    ) -> Vec<ReplayedRecord> {
        let held = self.quarantine.held();
        let mut records: Vec<Quarantined> = held.filter(|it| selected.has(it)).cloned().collect();
        records.sort_by_cached_key(Quarantined::place);
        let mut written: HashMap<usize, Written> = HashMap::new();
        let mut replayed = Vec::new();
        for record in records {
            let outcome = self
                .replay_record(&record, &mut written, &mut decode)
                .unwrap_or_else(ReplayOutcome::Kept);
            let place = record.place();
            match &outcome {
                ReplayOutcome::Applied | ReplayOutcome::Settled => self.quarantine.settle(&place),
                ReplayOutcome::Kept(reason) => self.quarantine.keep_for(&place, reason),
            }
            let Quarantined {
                topic,
                partition,
                offset,
                ..
            } = record;
            tracing::info!(
                topic,
                partition,
                offset,
                ?outcome,
                "replayed from the quarantine"
            );
            replayed.push(ReplayedRecord {
                topic,
                partition,
                offset,
                outcome,
            });
        }
        let applied = replayed
            .iter()
            .filter(|it| it.outcome == ReplayOutcome::Applied);
        // A checkpoint is of a published cut, and of one with these.
        self.unpublished += applied.count() as u64;
        for table in &mut self.tables {
            table.touched |= replayed.iter().any(|it| it.topic == table.identity.topic);
        }
        replayed
    }

    fn is_read_again(&self, at: usize) -> bool {
        let running = self.rebuilds.running.as_ref();
        running.is_some_and(|running| running.table == self.tables[at].identity.id)
    }

    fn replay_record(
        &mut self,
        record: &Quarantined,
        written: &mut HashMap<usize, Written>,
        decode: &mut impl FnMut(usize, &Quarantined) -> Result<ChangeBatch, String>,
    ) -> Result<ReplayOutcome, String> {
        let mut sources = self.sources.iter();
        let source = sources
            .position(|source| source.name == record.source)
            .ok_or(NOT_CONFIGURED)?;
        if self.is_unserved(source, &record.topic) {
            return Err(UNSERVED.to_owned());
        }
        let known = self.table_at(source, &record.topic);
        if known.is_some_and(|at| self.is_read_again(at)) {
            return Err(REBUILDING.to_owned());
        }
        let batch = decode(source, record)?;
        if batch.changes.is_empty() {
            return Ok(ReplayOutcome::Settled);
        }
        let at = self.table_for(source, &record.topic);
        let cut = self.publisher.next_cut();
        let table = &mut self.tables[at];
        let written = written.entry(at).or_default();
        match table.take_late(cut, (&batch, record.partition), written) {
            Late::Applied => {
                table.see(&batch);
                Ok(ReplayOutcome::Applied)
            }
            Late::Settled => Ok(ReplayOutcome::Settled),
            Late::Unproven(reason) => {
                let reason = format!("it can be read now, but {reason}");
                Err(rebuild_instead(&reason, &table.identity.name))
            }
        }
    }
}

/// The way that is always right.
fn rebuild_instead(reason: &str, table: &str) -> String {
    format!("{reason}: `rowtide rebuild {table}` reads it in its place")
}
