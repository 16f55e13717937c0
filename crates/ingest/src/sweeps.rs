//! When the ghosts of a table are swept: after every partition was read past the end of the snapshot.
//!
//! The last row of a snapshot is marked on one partition only. Rows of the same snapshot may still be
//! unread on others; but each partition that is read to its end after the mark was seen has had its
//! share, because the mark was written last.

use row_model::PartitionId;
use telemetry::Event;

use crate::sequencer::Sequencer;

impl Sequencer {
    /// The last row of a full snapshot was read: from now on the ends of its partitions count.
    pub(crate) fn await_ends(&mut self, source: usize, topic: &str) {
        for ((of, _), partition) in self.partitions.iter_mut() {
            if *of == source && partition.topic == topic {
                partition.passed_snapshot = false;
            }
        }
    }

    /// The source has nothing more: partitions at their end are past whatever was read before.
    pub(crate) fn all_quiet(&mut self, source: usize) {
        for ((of, _), partition) in self.partitions.iter_mut() {
            partition.passed_snapshot |= *of == source && partition.at_end && !partition.fenced;
        }
        for table in 0..self.tables.len() {
            self.sweep_if_due(table);
        }
    }

    /// A partition that is at its end is past whatever was read before: its table may be due.
    pub(crate) fn passes_snapshot(&mut self, source: usize, id: PartitionId) {
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        partition.passed_snapshot |= partition.at_end;
        let topic = partition.topic.clone();
        if let Some(table) = self.table_at(source, &topic) {
            self.sweep_if_due(table);
        }
    }

    pub(crate) fn sweep_if_due(&mut self, table: usize) {
        let state = &self.tables[table];
        if state.to_sweep().is_empty() && state.confirmation.awaited.is_none() {
            return;
        }
        let passed = self.is_discovered(table)
            && self
                .partitions_of(table)
                .all(|partition| partition.passed_snapshot);
        // What waits may name rows of the snapshot.
        if !passed || !self.tables[table].holding.is_empty() {
            return;
        }
        self.confirm_if_due(table);
        let due = self.tables[table].to_sweep();
        let cut = self.publisher.next_cut();
        for (origin, epoch) in due {
            let rows = self.tables[table].sweep(cut, origin, epoch);
            let table = &self.tables[table].identity.name;
            Event::GhostsSwept { table, rows }.emit();
        }
    }
}
