//! Partitions that wait for a schema, as the sequencer sees them, and which partitions are paused.
//!
//! A partition is paused for as long as there is any reason to, and resumed when there is none left:
//! one reason never undoes what another one did.

use change_feed::RegistryId;
use row_model::PartitionId;

use crate::partitions::{Awaited, PartitionState};
use crate::sequencer::{Sequencer, SourceOrder};

impl Sequencer {
    /// The next record of a partition needs a schema that is not at hand.
    pub fn held(&mut self, source: usize, id: PartitionId, schema: RegistryId) {
        let facts = &self.sources[source];
        let reason = match facts.awaited.get(&schema) {
            _ if !facts.has_registry => Some(format!(
                "needs schema {} of a schema registry, and source {} has none: add [sources.schema_registry]",
                schema.0, facts.name
            )),
            reason => reason.cloned(),
        };
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        let before = partition.awaits(Awaited { schema, reason });
        self.no_longer_awaited(source, before.as_ref());
        self.wait_changed(source, id);
    }

    /// What was held of a partition has been decoded.
    pub fn released(&mut self, source: usize, id: PartitionId) {
        let partition = self.partitions.get_mut(&(source, id));
        let before = partition.and_then(|partition| partition.awaited.take());
        self.no_longer_awaited(source, before.as_ref());
        self.wait_changed(source, id);
    }

    /// Forgets why a schema was not there, if this was the last partition that waited for it.
    fn no_longer_awaited(&mut self, source: usize, before: Option<&Awaited>) {
        let Some(Awaited { schema, .. }) = before else {
            return;
        };
        let of_source = self.partitions.iter().filter(|((of, _), _)| *of == source);
        let mut awaited = of_source.filter_map(|(_, partition)| partition.awaited.as_ref());
        if !awaited.any(|awaited| awaited.schema == *schema) {
            self.sources[source].awaited.remove(schema);
        }
    }

    /// Why a schema is not there yet.
    pub fn schema_awaited(&mut self, source: usize, schema: RegistryId, reason: &str) {
        let facts = &mut self.sources[source];
        facts.awaited.insert(schema, reason.to_owned());
        let mut topics = Vec::new();
        for ((of, _), partition) in self.partitions.iter_mut() {
            if *of == source
                && let Some(awaited) = &mut partition.awaited
                && awaited.schema == schema
            {
                awaited.reason = Some(reason.to_owned());
                topics.push(partition.topic.clone());
            }
        }
        for topic in topics {
            self.touch(source, &topic);
        }
    }

    fn wait_changed(&mut self, source: usize, id: PartitionId) {
        self.waits_changed.insert(source);
        self.mind_pause(source, id);
        let Some(partition) = self.partitions.get(&(source, id)) else {
            return;
        };
        let topic = partition.topic.clone();
        self.touch(source, &topic);
    }

    fn touch(&mut self, source: usize, topic: &str) {
        if let Some(table) = self.table_of(source, topic) {
            table.touched = true;
        }
    }

    /// Why a table waits, if the registry could not be asked or did not answer.
    pub(crate) fn awaits(&self, table: usize) -> Option<String> {
        let waiting = self
            .partitions_of(table)
            .filter_map(|partition| Some((partition.partition, partition.awaits_in_vain()?)));
        let first = waiting.min_by_key(|(number, _)| *number);
        first.map(|(_, reason)| reason.to_owned())
    }

    /// Why there is no room for the next change of a table, if there is none.
    pub(crate) fn awaits_memory(&self, table: usize) -> Option<String> {
        let waiting = self
            .partitions_of(table)
            .filter_map(|partition| Some((partition.partition, partition.awaits_memory.as_ref()?)));
        let first = waiting.min_by_key(|(number, _)| *number);
        first.map(|(_, reason)| reason.clone())
    }

    /// Counts the partitions that wait, where that has changed.
    pub(crate) fn count_waits(&mut self) {
        for at in std::mem::take(&mut self.waits_changed) {
            let of_source = self.partitions.iter().filter(|((of, _), _)| *of == at);
            let waiting = of_source
                .filter(|(_, partition)| partition.awaited.is_some())
                .count();
            telemetry::record_partitions_held(&self.sources[at].name, waiting as u64);
        }
    }

    /// Pauses or resumes a partition, if what holds of it is not what its source was told.
    pub(crate) fn mind_pause(&mut self, source: usize, id: PartitionId) {
        let partition = self.partitions.get_mut(&(source, id));
        match partition.and_then(PartitionState::pause_change) {
            Some(true) => self.order(source, SourceOrder::Pause(vec![id])),
            Some(false) => self.order(source, SourceOrder::Resume(vec![id])),
            None => {}
        }
    }
}

impl PartitionState {
    /// Whether its source is to pause it (`true`) or resume it (`false`), if that is news to it.
    fn pause_change(&mut self) -> Option<bool> {
        // It is not read anyway, or was paused for good: it is minded when it is found again.
        if self.halted.is_some() {
            return None;
        }
        let wanted = self.awaits_memory.is_some()
            || self.awaits_others
            || self.awaited.is_some()
            || self.fenced;
        let is_news = std::mem::replace(&mut self.paused, wanted) != wanted;
        is_news.then_some(wanted)
    }
}
