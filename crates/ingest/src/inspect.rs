//! What the notes of a checkpoint say, in plain structs, for who wants to read and not to resume.
//!
//! Nothing here stops at a note that cannot be read: it is named, and the others are read.

use std::collections::BTreeMap;

use row_model::{ColumnType, CutId, RecordFormat, SourcePosition, Version};

use crate::confirmations::SavedSnapshots;
use crate::notes::{self, OriginNote, PositionNote, Saved, TableNote};
use crate::preparation::{Preparation, PreparationNote};
use crate::resume::SavedPartition;
use crate::{NoteError, Quarantined};

/// All that the notes of a checkpoint say.
#[derive(Debug, Default)]
pub struct Summary {
    pub tables: Vec<Table>,
    pub partitions: Vec<Partition>,
    pub shapes: Vec<Shape>,
    pub quarantine: Vec<Quarantine>,
    pub snapshots: Vec<Snapshots>,
    /// What was removed can still be read on the medium: a start has to write everything anew.
    pub scrub_due: bool,
    /// Notes that are not what was written.
    pub unreadable: Vec<NoteError>,
    /// Names of notes of kinds that this binary does not know.
    pub unknown: Vec<String>,
}

/// A table, without its rows.
#[derive(Debug)]
pub struct Table {
    pub id: u32,
    pub name: String,
    pub topic: String,
    pub source: String,
    /// Number of the shape that readers see first.
    pub shape: Option<u32>,
    pub generations: Vec<Generation>,
    /// The newest position that was applied.
    pub position: Option<Position>,
    pub commit_ms: Option<i64>,
    pub was_live: bool,
    /// Why rows may be missing.
    pub incomplete: Option<String>,
    /// What was done to its records; older checkpoints do not say.
    pub prepared: Option<Preparation>,
    /// How its records carry changes, in words.
    pub format: Option<String>,
    /// What the status says of it beside its state.
    pub notes: Vec<String>,
    /// Rows that arrived over others, which have not been read elsewhere yet.
    pub owed: usize,
}

/// The snapshot generation of one source table whose rows a table holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Generation {
    pub origin: String,
    /// How many runs of the connector have taken a full snapshot of it.
    pub epoch: u32,
    /// The newest of them.
    pub opened_by: Option<u128>,
    /// The newest epoch whose snapshot was read to its end, and the newest that has swept.
    pub closed: u32,
    pub swept: u32,
    /// The newest run of which anything was seen.
    pub newest: Option<u128>,
}

/// Where in its source's order a table stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: u32,
    pub at: SourcePosition,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    pub source: String,
    pub topic: String,
    pub partition: i32,
    pub saved: SavedPartition,
    /// Its records made no table.
    pub unserved: bool,
}

/// A shape that rows of a topic have.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    pub topic: String,
    pub number: u32,
    pub columns: Vec<Column>,
    /// `None` where no record said which columns are the key.
    pub key: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub nullable: bool,
}

/// The records of one topic that were put aside.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Quarantine {
    pub topic: String,
    /// Ever put aside and not settled since.
    pub counted: u64,
    /// Still kept, oldest first.
    pub held: Vec<Quarantined>,
}

/// What is known of a connector's snapshots.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshots {
    pub source: String,
    pub connector: String,
    /// The newest run that has taken a full one.
    pub run: Option<u128>,
    pub has_ended: bool,
    /// Tables that it found empty.
    pub empty: Vec<String>,
}

/// Reads notes by their names.
#[must_use]
pub fn summary<'a>(notes: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Summary {
    let mut summary = Summary::default();
    let mut quarantine: BTreeMap<String, Quarantine> = BTreeMap::new();
    for (name, value) in notes {
        match notes::read(name, value) {
            Ok(Some(Saved::Quarantined(record))) => {
                let topic = quarantine.entry(record.topic.clone()).or_default();
                topic.held.push(record);
            }
            Ok(Some(Saved::QuarantinedCount { topic, count })) => {
                quarantine.entry(topic).or_default().counted = count;
            }
            Ok(Some(saved)) => summary.add(saved),
            Ok(None) => summary.unknown.push(readable_name(name)),
            Err(error) => summary.unreadable.push(error),
        }
    }
    let quarantine = quarantine.into_iter();
    summary.quarantine = quarantine
        .map(|(topic, of_topic)| Quarantine { topic, ..of_topic })
        .collect();
    summary.tables.sort_by_key(|table| table.id);
    summary.shapes.sort_by_key(|shape| shape.number);
    summary
}

/// A note's name as people read it.
#[must_use]
pub fn readable_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('\0', "/")
}

/// Whether a slot of a checkpoint holds a row, or what is left of one; `None` if neither.
#[must_use]
pub fn is_row(saved: &[u8]) -> Option<bool> {
    Version::from_saved(CutId(0), saved).map(|version| !version.is_deleted())
}

impl Summary {
    /// The shape that readers of a table see first.
    #[must_use]
    pub fn shape_of(&self, table: &Table) -> Option<&Shape> {
        let mut shapes = self.shapes.iter();
        shapes.find(|shape| shape.topic == table.topic && Some(shape.number) == table.shape)
    }

    fn add(&mut self, saved: Saved) {
        match saved {
            Saved::Table(note) => self.tables.push(Table::of(&note)),
            Saved::Partition {
                source,
                topic,
                partition,
                saved,
                unserved,
            } => self.partitions.push(Partition {
                source,
                topic,
                partition,
                saved,
                unserved,
            }),
            Saved::Shape {
                topic,
                number,
                schema,
            } => {
                let columns = schema.columns.into_iter().map(|column| Column {
                    name: column.name,
                    kind: column.kind,
                    nullable: column.nullable,
                });
                self.shapes.push(Shape {
                    topic,
                    number,
                    columns: columns.collect(),
                    key: schema.key,
                });
            }
            Saved::ScrubDue => self.scrub_due = true,
            Saved::Snapshots(saved) => self.snapshots.push(Snapshots::of(saved)),
            // Grouped by topic, and of use to the pipeline alone.
            Saved::Gate(_)
            | Saved::Quarantined(_)
            | Saved::QuarantinedCount { .. }
            | Saved::Beside(_)
            | Saved::Source(..)
            | Saved::Indexes(..) => {}
        }
    }
}

impl Table {
    fn of(note: &TableNote) -> Self {
        let format = note.format.as_deref().and_then(RecordFormat::from_name);
        let lacks = note.lacks.notes(format).into_iter().map(str::to_owned);
        let position = note.position.as_ref().and_then(PositionNote::restore);
        Self {
            id: note.id,
            name: note.name.clone(),
            topic: note.topic.clone(),
            source: note.source.clone(),
            shape: note.schema,
            generations: note.origins.iter().map(Generation::of).collect(),
            position: position.map(|(epoch, at)| Position { epoch: epoch.0, at }),
            commit_ms: note.commit_ms,
            was_live: note.was_live,
            incomplete: note.incomplete.clone(),
            prepared: note.prepared.as_ref().map(PreparationNote::restore),
            format: note.format.clone(),
            notes: lacks.chain(note.column_notes.iter().cloned()).collect(),
            owed: note.owed.len(),
        }
    }
}

impl Generation {
    fn of(note: &OriginNote) -> Self {
        let epochs = note.restore().epochs;
        Self {
            origin: note.name.clone(),
            epoch: epochs.current().0,
            opened_by: epochs.openers.last().map(|run| run.0),
            closed: epochs.closed.0,
            swept: epochs.swept.0,
            newest: epochs.newest.map(|run| run.0),
        }
    }
}

impl Snapshots {
    fn of(saved: SavedSnapshots) -> Self {
        Self {
            source: saved.source,
            connector: saved.connector,
            run: saved.snapshots.run,
            has_ended: saved.snapshots.has_ended,
            empty: saved.snapshots.empty.into_keys().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use change_feed::TopicUuid;
    use row_model::NextOffset;

    use super::*;

    #[test]
    fn notes_are_told_apart_and_bad_ones_are_named() {
        let saved = SavedPartition {
            next: NextOffset(7),
            applied: NextOffset(7),
            topic_uuid: Some(TopicUuid([3; 16])),
        };
        let record = Quarantined {
            source: "s".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            offset: 4,
            timestamp_ms: None,
            reason: "bad".to_owned(),
            key: None,
            value: Some(vec![1]),
            headers: None,
        };
        let mut all = vec![
            notes::partition(("s", "t"), 0, &saved, false),
            notes::quarantined(&record, true),
            notes::quarantined_count("t", 5),
            notes::scrub(true),
        ];
        all.extend(
            [("table\x00x", "{"), ("hologram\x001", "{}")].map(|(name, value)| {
                checkpoint_store::Note {
                    name: name.as_bytes().to_vec(),
                    value: Some(value.as_bytes().to_vec()),
                }
            }),
        );
        let pairs = all.iter();
        let summary =
            summary(pairs.map(|note| (&note.name[..], note.value.as_deref().unwrap_or_default())));
        assert!(summary.scrub_due);
        assert_eq!(summary.partitions[0].saved, saved);
        let quarantine = Quarantine {
            topic: "t".to_owned(),
            counted: 5,
            held: vec![record],
        };
        assert_eq!(summary.quarantine, [quarantine]);
        assert_eq!(summary.unknown, ["hologram/1"]);
        assert_eq!(summary.unreadable[0].name, "table/x");
    }
}
