//! The one store there is, over any medium.
//!
//! Invariant: the catalog in memory is the one on the medium. When a write fails, both are put
//! in order before anything else is read or written.

use std::collections::BTreeSet;

use row_model::{SlotId, TableId};

use crate::catalog::{Catalog, Table};
use crate::space::Rewrites;
use crate::writer::Writer;
use crate::{
    Checkpoint, CheckpointError, CheckpointStore, ChunkId, Committed, LoadSink, Medium, Notes,
    Share, Space, TableSummary, load, rotation,
};

/// Checkpoints kept on a [`Medium`].
#[derive(Debug)]
pub struct Checkpoints<M: Medium> {
    medium: M,
    catalog: Catalog,
    /// Why catalog and medium may differ: a write failed, and the medium could not be read again.
    unsettled: Option<String>,
    rewrites: Rewrites,
}

impl<M: Medium> Checkpoints<M> {
    /// Opens what the medium holds, which may be nothing. Writes nothing.
    ///
    /// # Errors
    /// If the medium holds something else, in a newer format, or damaged beyond single tables.
    pub fn open_on(medium: M) -> Result<Self, CheckpointError> {
        let catalog = Catalog::read(&medium)?;
        Ok(Self {
            medium,
            catalog,
            unsettled: None,
            rewrites: Rewrites::default(),
        })
    }

    pub(crate) fn medium(&self) -> &M {
        &self.medium
    }

    fn write(&mut self, checkpoint: &Checkpoint) -> Result<Committed, CheckpointError> {
        let sequence = self.catalog.sequence + 1;
        let mut writer = Writer::new(&mut self.medium, sequence);
        if self.catalog.leftovers {
            writer.clear_leftovers(&self.catalog)?;
        }
        for table in &checkpoint.dropped {
            writer.drop_table(&mut self.catalog, *table)?;
        }
        let mut tables = BTreeSet::new();
        for changes in &checkpoint.tables {
            assert!(
                tables.insert(changes.table),
                "a table is named twice in one checkpoint"
            );
            let replaced = checkpoint.dropped.contains(&changes.table);
            writer.write_table(&mut self.catalog, changes, replaced)?;
        }
        for note in &checkpoint.notes {
            writer.write_note(&mut self.catalog, note);
        }
        let (rows, bytes) = writer.finish(&mut self.catalog)?;
        Ok(Committed {
            sequence,
            rows,
            bytes,
        })
    }

    /// Reads the medium anew, as after a crash.
    fn settle(&mut self) -> Result<(), CheckpointError> {
        let settled = self
            .medium
            .recover()
            .and_then(|()| Catalog::read(&self.medium));
        match settled {
            Ok(catalog) => {
                self.catalog = catalog;
                self.unsettled = None;
                Ok(())
            }
            Err(error) => {
                self.unsettled = Some(error.to_string());
                Err(error)
            }
        }
    }

    fn settled(&self) -> Result<(), CheckpointError> {
        self.unsettled
            .clone()
            .map_or(Ok(()), |reason| Err(CheckpointError::Unsettled(reason)))
    }
}

impl<M: Medium> CheckpointStore for Checkpoints<M> {
    fn sequence(&self) -> u64 {
        self.catalog.sequence
    }

    fn tables(&self) -> Vec<TableSummary> {
        self.catalog
            .tables
            .iter()
            .map(|(id, table)| table.summary(*id))
            .collect()
    }

    fn notes(&self) -> Result<Notes, CheckpointError> {
        self.settled()?;
        load::read_notes(&self.medium, &self.catalog)
    }

    fn load_share(
        &self,
        table: TableId,
        share: Share,
        sink: &mut LoadSink<'_>,
    ) -> Result<(), CheckpointError> {
        self.settled()?;
        match self.catalog.tables.get(&table) {
            Some(stored) => load::load_share(&self.medium, table, stored, share, sink),
            None => Ok(()),
        }
    }

    fn chunks_to_rewrite(
        &self,
        table: TableId,
        slots_in_table: u32,
        dirty: &[SlotId],
    ) -> Vec<ChunkId> {
        let stored = self.catalog.tables.get(&table);
        let base_bytes = |chunk| stored.and_then(|table| table.base_bytes(chunk));
        let cheaper = rotation::cheaper_rewritten(dirty, slots_in_table, base_bytes);
        let due = stored.map_or_else(Vec::new, Table::due);
        let chunks: BTreeSet<ChunkId> = cheaper.into_iter().chain(due).collect();
        chunks.into_iter().collect()
    }

    fn space(&self) -> Space {
        Space {
            disk_bytes: self.medium.disk_bytes(),
            live_bytes: self.catalog.live_bytes(),
            rewrites: self.rewrites.count,
        }
    }

    fn is_overgrown(&self) -> bool {
        self.unsettled.is_none() && self.rewrites.is_due(self.space(), self.medium.free_bytes())
    }

    fn scrub(&mut self) -> Result<(), CheckpointError> {
        self.settled()?;
        let scrubbed = self.medium.scrub();
        if scrubbed.is_ok() {
            self.rewrites.done(self.medium.disk_bytes());
        } else {
            self.rewrites.failed(self.medium.disk_bytes());
            self.unsettled = Some("the store could not be written anew".to_owned());
        }
        scrubbed
    }

    fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        let begun = self.medium.begin_anew();
        match &begun {
            Ok(()) => {
                self.unsettled = None;
                // Counted on, so that a checkpoint's number is never given twice.
                self.catalog = Catalog::empty_after(self.catalog.sequence);
            }
            Err(error) => self.unsettled = Some(error.to_string()),
        }
        begun
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<Committed, CheckpointError> {
        if self.unsettled.is_some() {
            self.settle()?;
        }
        self.unsettled = Some("a checkpoint was interrupted".to_owned());
        let written = self.write(checkpoint);
        if written.is_ok() {
            self.unsettled = None;
        } else {
            // The error that came first says more; this one is told by the next commit.
            let _ = self.settle();
        }
        written
    }
}
