//! What the sequencer tells the status board.

use crate::partitions::PartitionState;
use crate::sequencer::Sequencer;
use crate::stages::StageReport;
use crate::start_progress::StartPhase;
use crate::status::{MemoryReport, PartitionReport, SourceReport, SourceState, StatusReport};

impl Sequencer {
    /// Everything that was there at the start has been applied once.
    pub fn is_started(&mut self) -> bool {
        // What waits for room, or for a registry that does not answer, does not keep the rest from being served.
        let partition_done = |partition: &PartitionState| {
            partition.reached
                || partition.halted.is_some()
                || partition.awaits_in_vain().is_some()
                || partition.awaits_memory.is_some()
        };
        self.started = self.started
            || (self.sources.iter().all(|source| source.discovered)
                && self.partitions.values().all(partition_done)
                && self.tables.iter().all(|table| table.holding.is_empty()));
        self.started
    }

    /// Whether it has caught up; records applied of those that were there at the start, and how many
    /// those are, if all logs tell where they end.
    pub(crate) fn catching_up(&mut self) -> (StartPhase, (u64, Option<u64>)) {
        if self.is_started() {
            return (StartPhase::Started, (0, None));
        }
        let progress = self.partitions.values().map(PartitionState::progress);
        let sum = |(done, all), (more_done, more)| (done + more_done, all + more);
        let (done, all) = progress.fold((0, 0), sum);
        let is_known = self.sources.iter().all(|source| source.discovered)
            && self
                .partitions
                .values()
                .all(|partition| partition.end.is_some());
        (StartPhase::CatchingUp, (done, is_known.then_some(all)))
    }

    /// Brings the part of the report that the sequencer knows up to date.
    pub fn report(&mut self, report: &mut StatusReport) {
        report.started = self.is_started();
        report.memory = self.memory_report();
        for table in &mut self.tables {
            // What waits is of no cut. It is told with the next one.
            table.touched |= table.facts.memory.waiting != table.waiting_bytes();
        }
        report.sources = (0..self.sources.len())
            .map(|at| self.source_report(at))
            .collect();
        report.rebuilds = self.rebuild_reports();
        if report.quarantine_changes != self.quarantine.changes() {
            report.quarantine_changes = self.quarantine.changes();
            report.quarantine = self.quarantine.held().cloned().collect();
        }
    }

    pub(crate) fn memory_report(&self) -> MemoryReport {
        MemoryReport {
            used_bytes: self.memory.used,
            max_bytes: self.settings.memory_bytes_max,
            partitions_waiting: self.memory.partitions_waiting(),
        }
    }

    /// Where the time goes, of each table of which the last minute's records tell it.
    pub fn stage_reports(&mut self, now_ms: i64) -> Vec<(String, StageReport)> {
        let tables = self.tables.iter_mut();
        let told = tables.filter_map(|table| {
            let report = table.stages.report(now_ms)?;
            Some((table.identity.name.clone(), report))
        });
        told.collect()
    }

    fn source_report(&self, at: usize) -> SourceReport {
        let source = &self.sources[at];
        let of_source = self
            .partitions
            .iter()
            .filter(|((of, _), _)| *of == at)
            .map(|(_, partition)| partition);
        let mut partitions: Vec<PartitionReport> = of_source
            .map(|partition| PartitionReport {
                topic: partition.topic.clone(),
                partition: partition.partition,
                next_offset: partition.next.0,
                end_offset: partition.end,
                reached_end: partition.reached,
                halted: partition.halted.clone(),
                awaits: partition
                    .awaits_in_vain()
                    .or(partition.awaits_memory.as_deref())
                    .map(str::to_owned),
            })
            .collect();
        partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let live = source.discovered
            && partitions
                .iter()
                .all(|partition| partition.reached_end || partition.halted.is_some())
            && partitions
                .iter()
                .all(|partition| partition.awaits.is_none());
        let state = match (&source.unreachable, live) {
            (Some(_), _) => SourceState::Unreachable,
            (None, true) => SourceState::Live,
            (None, false) => SourceState::CatchingUp,
        };
        let detail = source
            .unreachable
            .clone()
            .or_else(|| {
                partitions
                    .iter()
                    .find_map(|partition| partition.awaits.clone())
            })
            .or_else(|| source.unreadable_kept.last().cloned());
        SourceReport {
            name: source.name.clone(),
            kind: source.kind,
            state,
            detail,
            partitions,
            unreadable: source.unreadable,
        }
    }
}
