//! What a checkpoint keeps beside rows, as small named JSON records.
//!
//! ```text
//! table/<id>   indexes/<table>   scrub   source/<source>/<connector>   applied/<source>/<connector>/<n>   partition/<source>/<topic>/<n>   shape/<topic>/<n>   quarantine/<topic>/…   quarantined/<topic>   transactions/<source>
//! ```
//! Parts of a name are separated by zero bytes, which no topic contains.

use change_feed::TopicUuid;
use checkpoint_store::Note;
use row_model::{
    Column, ColumnType, Epoch, NextOffset, OriginId, RecordFormat, RunId, Schema, SchemaId,
    SourcePosition, TableId, Transaction,
};
use serde::{Deserialize, Serialize};
use table_store::{Floor, IndexDefinition};

use crate::beside;
use crate::confirmations::SavedSnapshots;
use crate::epochs::Epochs;
use crate::kept_indexes;
use crate::lacks::Lacks;
use crate::past::Past;
use crate::preparation::{Preparation, PreparationNote};
use crate::promises::{self, SavedGate};
use crate::quarantine::Quarantined;
use crate::resume::SavedPartition;
use crate::shapes::Shown;
use crate::source_notes;
use crate::tables::{OriginState, TableState};

/// Stands in a checkpoint until the medium was scrubbed.
const SCRUB: &str = "scrub";

/// A note of a checkpoint is not what this binary wrote.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint's note `{name}` cannot be read: {reason}")]
pub struct NoteError {
    pub name: String,
    pub reason: String,
}

/// A note that was read.
#[derive(Debug)]
pub(crate) enum Saved {
    Table(Box<TableNote>),
    Partition {
        source: String,
        topic: String,
        partition: i32,
        saved: SavedPartition,
        unserved: bool,
    },
    Shape {
        topic: String,
        number: u32,
        schema: Schema,
    },
    Quarantined(Quarantined),
    QuarantinedCount {
        topic: String,
        count: u64,
    },
    /// What was removed could still be read on the medium.
    ScrubDue,
    Beside((TableId, beside::Part)),
    Snapshots(SavedSnapshots),
    /// What is known of a connector's source.
    Source((String, String), source_notes::Part),
    Gate(SavedGate),
    /// The indexes that were added to a table while it was served.
    Indexes(TableId, Vec<IndexDefinition>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TableNote {
    pub id: u32,
    pub name: String,
    pub topic: String,
    pub source: String,
    /// The source tables whose rows it holds, in the order of their numbers.
    pub origins: Vec<OriginNote>,
    pub position: Option<PositionNote>,
    pub commit_ms: Option<i64>,
    pub schema: Option<u32>,
    /// How often the shape has changed, and which record told the newest one.
    #[serde(default)]
    pub schema_epoch: u64,
    #[serde(default)]
    schema_by: Option<(u16, PositionNote)>,
    pub was_live: bool,
    pub incomplete: Option<String>,
    /// How its rows were made; older checkpoints do not say.
    #[serde(default)]
    pub prepared: Option<PreparationNote>,
    /// What was last said about its columns.
    #[serde(default)]
    pub column_notes: Vec<String>,
    /// How its records carry changes, in words.
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub lacks: Lacks,
    /// Why its rows, as an earlier checkpoint had them, could not be read. There are none in this one.
    #[serde(default)]
    pub damaged: Option<String>,
    /// Keys at which a row arrived over another that is not elsewhere yet, and in which transaction.
    #[serde(default)]
    pub owed: Vec<(Vec<u8>, u64)>,
    #[serde(default = "Past::unknown")]
    past: Past,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OriginNote {
    id: u16,
    pub name: String,
    openers: Vec<u128>,
    oldest: Option<u128>,
    newest: Option<u128>,
    streamed: Option<u128>,
    closed: u32,
    swept: u32,
    anonymous: bool,
    unnamed: Option<u128>,
    floor: Option<PositionNote>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PositionNote {
    epoch: u32,
    domain: u64,
    order: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct PartitionNote {
    next: u64,
    /// Where it is beyond that.
    #[serde(default)]
    applied: u64,
    topic_uuid: Option<[u8; 16]>,
    /// Its records made no table then.
    #[serde(default)]
    unserved: bool,
}

#[derive(Serialize, Deserialize)]
struct ShapeNote {
    columns: Vec<(String, String, bool)>,
    key: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct QuarantineNote {
    source: String,
    topic: String,
    partition: i32,
    offset: u64,
    timestamp_ms: Option<i64>,
    reason: String,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// Older checkpoints kept none, nor said whether the record is whole.
    #[serde(default)]
    headers: Option<Vec<u8>>,
}

pub(crate) fn table(state: &TableState) -> Note {
    let identity = &state.identity;
    let names = state.writer.table().schemas().origins();
    let note = TableNote {
        id: identity.id.0,
        name: identity.name.clone(),
        topic: identity.topic.clone(),
        source: identity.source.clone(),
        origins: state
            .origins
            .iter()
            .map(|(id, origin)| OriginNote::of(*id, origin, &names))
            .collect(),
        position: state
            .position
            .map(|(epoch, at)| PositionNote::of(epoch, &at)),
        commit_ms: state.commit_ms,
        schema: state.shown.schema.map(|schema| schema.0),
        schema_epoch: state.shown.epoch,
        schema_by: state
            .shown
            .told_by
            .map(|(origin, epoch, at)| (origin.0, PositionNote::of(epoch, &at))),
        was_live: state.was_live,
        incomplete: state.incomplete.clone(),
        prepared: Some(PreparationNote::of(&state.prepared)),
        column_notes: state.column_notes.clone(),
        format: state.format.map(|format| format.name().to_owned()),
        lacks: state.lacks,
        damaged: state
            .undecided
            .as_ref()
            .and_then(|undecided| undecided.rows.damage().map(str::to_owned)),
        owed: state
            .key_changes
            .owed()
            .map(|(key, transaction)| (key.to_vec(), transaction.0))
            .collect(),
        past: state.past,
    };
    note_of(&["table", &identity.id.0.to_string()], Some(&note))
}

pub(crate) fn partition(
    (source, topic): (&str, &str),
    partition: i32,
    saved: &SavedPartition,
    unserved: bool,
) -> Note {
    let note = PartitionNote {
        unserved,
        next: saved.next.0,
        applied: saved.applied.0,
        topic_uuid: saved.topic_uuid.map(|uuid| uuid.0),
    };
    note_of(
        &["partition", source, topic, &partition.to_string()],
        Some(&note),
    )
}

/// Removes what is remembered of a partition.
pub(crate) fn no_partition(source: &str, topic: &str, partition: i32) -> Note {
    note_of::<PartitionNote>(&["partition", source, topic, &partition.to_string()], None)
}

pub(crate) fn shape(topic: &str, number: u32, schema: &Schema) -> Note {
    let columns = schema.columns.iter();
    let note = ShapeNote {
        columns: columns
            .map(|column| {
                (
                    column.name.clone(),
                    column.kind.name().to_owned(),
                    column.nullable,
                )
            })
            .collect(),
        key: schema.key.clone(),
    };
    note_of(&["shape", topic, &number.to_string()], Some(&note))
}

pub(crate) fn quarantined(record: &Quarantined, held: bool) -> Note {
    let Quarantined {
        source,
        topic,
        partition,
        offset,
        ..
    } = record;
    let note = held.then(|| QuarantineNote {
        source: source.clone(),
        topic: topic.clone(),
        partition: *partition,
        offset: *offset,
        timestamp_ms: record.timestamp_ms,
        reason: record.reason.clone(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    });
    // Offsets padded, so that notes are read back in the order of the log.
    note_of(
        &[
            "quarantine",
            topic,
            source,
            &partition.to_string(),
            &format!("{offset:020}"),
        ],
        note.as_ref(),
    )
}

/// None of a topic is no note.
pub(crate) fn quarantined_count(topic: &str, count: u64) -> Note {
    note_of(&["quarantined", topic], (count > 0).then_some(&count))
}

/// Says, or no longer, that the medium is to be scrubbed.
pub(crate) fn scrub(due: bool) -> Note {
    note_of(&[SCRUB], due.then_some(&true))
}

/// Reads a note; `None` for one of a kind that this binary does not know.
pub(crate) fn read(name: &[u8], value: &[u8]) -> Result<Option<Saved>, NoteError> {
    let text = String::from_utf8_lossy(name).into_owned();
    let parts: Vec<&str> = text.split('\0').collect();
    let error = |reason: String| NoteError {
        name: text.replace('\0', "/"),
        reason,
    };
    let number = |part: &str| {
        part.parse::<i64>()
            .map_err(|reason| error(reason.to_string()))
    };
    Ok(Some(match parts[..] {
        ["table", _] => Saved::Table(Box::new(parse(value).map_err(error)?)),
        ["partition", source, topic, partition] => {
            let note: PartitionNote = parse(value).map_err(error)?;
            Saved::Partition {
                source: source.to_owned(),
                topic: topic.to_owned(),
                partition: number(partition)? as i32,
                saved: note.saved(),
                unserved: note.unserved,
            }
        }
        ["shape", topic, at] => {
            let note: ShapeNote = parse(value).map_err(error)?;
            Saved::Shape {
                topic: topic.to_owned(),
                number: number(at)? as u32,
                schema: note.into_schema(),
            }
        }
        ["quarantine", ..] => {
            Saved::Quarantined(parse::<QuarantineNote>(value).map_err(error)?.into_record())
        }
        ["quarantined", topic] => Saved::QuarantinedCount {
            topic: topic.to_owned(),
            count: parse(value).map_err(error)?,
        },
        [SCRUB] => Saved::ScrubDue,
        ["indexes", table] => Saved::Indexes(
            TableId(number(table)? as u32),
            kept_indexes::read(value).map_err(error)?,
        ),
        ["connector", source, connector] => Saved::Snapshots(SavedSnapshots {
            source: source.to_owned(),
            connector: connector.to_owned(),
            snapshots: parse(value).map_err(error)?,
        }),
        [
            source_notes::SOURCE | source_notes::BLOCK,
            source,
            connector,
            ref behind @ ..,
        ] => {
            let part = source_notes::read(behind, value).map_err(error)?;
            Saved::Source((source.to_owned(), connector.to_owned()), part)
        }
        [promises::NOTE, source] => Saved::Gate(SavedGate {
            source: source.to_owned(),
            note: parse(value).map_err(error)?,
        }),
        ref other => {
            return Ok(beside::read(other, value)
                .map_err(error)?
                .map(Saved::Beside));
        }
    }))
}

impl PartitionNote {
    fn saved(&self) -> SavedPartition {
        SavedPartition {
            next: NextOffset(self.next),
            applied: NextOffset(self.applied.max(self.next)),
            topic_uuid: self.topic_uuid.map(TopicUuid),
        }
    }
}

impl TableNote {
    /// Puts what was saved back into a table's state.
    pub fn restore_into(&self, state: &mut TableState) {
        state.origins = self
            .origins
            .iter()
            .map(|note| (OriginId(note.id), note.restore()))
            .collect();
        state.position = self.position.as_ref().and_then(PositionNote::restore);
        state.commit_ms = self.commit_ms;
        for (key, transaction) in &self.owed {
            let transaction = Some(Transaction(*transaction));
            state.key_changes.arrives(key, transaction, true);
        }
        let told_by = self.schema_by.as_ref();
        state.shown = Shown {
            schema: self.schema.map(SchemaId),
            epoch: self.schema_epoch,
            told_by: told_by.and_then(|(origin, at)| {
                let (epoch, at) = at.restore()?;
                Some((OriginId(*origin), epoch, at))
            }),
        };
        state.was_live = self.was_live;
        state.incomplete.clone_from(&self.incomplete);
        state.column_notes.clone_from(&self.column_notes);
        let format = self.format.as_deref();
        state.format = format.and_then(RecordFormat::from_name);
        state.lacks = self.lacks;
        state.past = self.past;
        // Config may have given it another name since.
        state.notes_dirty = state.identity.name != self.name || self.prepared.is_none();
    }

    /// How its rows were made; where the checkpoint is from before anything could be said of columns,
    /// as config says now in every other respect.
    pub fn prepared_given(&self, now: &Preparation) -> Preparation {
        let saved = self.prepared.as_ref().map(PreparationNote::restore);
        saved.unwrap_or_else(|| now.without_rules())
    }

    /// The source tables by their numbers, as the topic's history wants them back.
    pub fn origin_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for note in &self.origins {
            let at = usize::from(note.id);
            if names.len() <= at {
                names.resize(at + 1, String::new());
            }
            names[at].clone_from(&note.name);
        }
        names
    }

    pub fn id(&self) -> TableId {
        TableId(self.id)
    }
}

impl OriginNote {
    fn of(id: OriginId, origin: &OriginState, names: &[String]) -> Self {
        let Epochs {
            openers,
            oldest,
            newest,
            streamed,
            closed,
            swept,
            anonymous,
            unnamed,
        } = &origin.epochs;
        Self {
            id: id.0,
            name: names.get(usize::from(id.0)).cloned().unwrap_or_default(),
            openers: openers.iter().map(|run| run.0).collect(),
            oldest: oldest.map(|run| run.0),
            newest: newest.map(|run| run.0),
            streamed: streamed.map(|run| run.0),
            closed: closed.0,
            swept: swept.0,
            anonymous: *anonymous,
            unnamed: unnamed.map(|run| run.0),
            floor: origin
                .floor
                .map(|floor| PositionNote::of(floor.epoch, &floor.position)),
        }
    }

    pub fn restore(&self) -> OriginState {
        let epochs = Epochs {
            openers: self.openers.iter().copied().map(RunId).collect(),
            oldest: self.oldest.map(RunId),
            newest: self.newest.map(RunId),
            streamed: self.streamed.map(RunId),
            closed: Epoch(self.closed),
            swept: Epoch(self.swept),
            anonymous: self.anonymous,
            unnamed: self.unnamed.map(RunId),
        };
        let floor = self.floor.as_ref().and_then(PositionNote::restore);
        OriginState {
            epochs,
            floor: floor.map(|(epoch, position)| Floor { epoch, position }),
        }
    }
}

impl PositionNote {
    fn of(epoch: Epoch, at: &SourcePosition) -> Self {
        Self {
            epoch: epoch.0,
            domain: at.domain(),
            order: at.as_bytes().to_vec(),
        }
    }

    pub fn restore(&self) -> Option<(Epoch, SourcePosition)> {
        Some((
            Epoch(self.epoch),
            SourcePosition::from_bytes(self.domain, &self.order)?,
        ))
    }
}

impl ShapeNote {
    fn into_schema(self) -> Schema {
        let columns = self
            .columns
            .into_iter()
            .map(|(name, kind, nullable)| Column {
                name,
                kind: ColumnType::from_name(&kind).unwrap_or(ColumnType::Any),
                nullable,
            });
        Schema {
            columns: columns.collect(),
            key: self.key,
        }
    }
}

impl QuarantineNote {
    fn into_record(self) -> Quarantined {
        Quarantined {
            source: self.source,
            topic: self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            reason: self.reason,
            key: self.key,
            value: self.value,
            headers: self.headers,
        }
    }
}

pub(crate) fn note_of<T: Serialize>(name: &[&str], value: Option<&T>) -> Note {
    // Plain structs of numbers and text: writing them as JSON cannot fail.
    let value = value.map(|value| serde_json::to_vec(value).unwrap_or_default());
    Note {
        name: name.join("\0").into_bytes(),
        value,
    }
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
