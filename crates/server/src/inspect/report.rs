//! What `inspect` found, as its JSON says it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use checkpoint_store::{CheckpointError, Contents, Marker, Owner, TableContents};
use ingest::inspect::{self, Position, Shape, Summary};
use row_model::{Moment, write_timestamp, write_uuid};
use serde::Serialize;

use super::files::{FileKind, Files};
use super::holder::Holder;

/// What can be done with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A start would load all of it.
    Whole,
    Damaged,
    InUse,
    /// Written by a newer version, in a format this one does not know.
    Newer,
    /// Something else is there.
    Foreign,
    Empty,
}

/// A directory.
#[derive(Debug, Serialize)]
pub struct Report {
    pub directory: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
    /// Number of the last checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When rows were last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    pub bytes: u64,
    pub files: Vec<FileKind>,
    pub tables: Vec<TableReport>,
    pub partitions: Vec<PartitionReport>,
    pub quarantine: Vec<QuarantineReport>,
    pub snapshots: Vec<SnapshotReport>,
    /// What the next start has to do first.
    pub pending: Vec<&'static str>,
    /// Notes of kinds that this version does not know, such as a newer one's.
    pub unknown: Vec<String>,
    pub damage: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct TableReport {
    pub id: u32,
    /// `None` if nothing but rows is left of it.
    pub name: Option<String>,
    pub topic: Option<String>,
    pub source: Option<String>,
    /// `None` if they cannot be read.
    pub rows: Option<u64>,
    pub base_bytes: u64,
    pub delta_bytes: u64,
    /// How many shapes rows of its topic have.
    pub shapes: usize,
    pub key: Option<Vec<String>>,
    pub epoch: u32,
    pub position: Option<PositionReport>,
    pub commit_time: Option<String>,
    pub format: Option<String>,
    pub was_live: bool,
    pub complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<u32>,
    pub generations: Vec<GenerationReport>,
    pub notes: Vec<String>,
    pub owed: usize,
    /// Why its rows cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// Only where one table is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ShapeReport>,
    #[serde(skip)]
    all_columns: Vec<ShapeReport>,
}

#[derive(Debug, Serialize)]
pub struct PositionReport {
    pub epoch: u32,
    pub domain: u64,
    /// As the source counts, most significant first; empty if its order is not made of numbers.
    pub numbers: Vec<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ShapeReport {
    pub number: u32,
    pub key: Option<Vec<String>>,
    pub columns: Vec<ColumnReport>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ColumnReport {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub nullable: bool,
}

#[derive(Debug, Serialize)]
pub struct GenerationReport {
    pub origin: String,
    pub epoch: u32,
    pub opened_by: Option<String>,
    pub read_to_end: u32,
    pub swept: u32,
}

#[derive(Debug, Serialize)]
pub struct PartitionReport {
    pub source: String,
    pub topic: String,
    pub partition: i32,
    pub next_offset: u64,
    pub topic_id: Option<String>,
    pub served: bool,
}

#[derive(Debug, Serialize)]
pub struct QuarantineReport {
    pub topic: String,
    pub count: u64,
    pub held: usize,
}

#[derive(Debug, Serialize)]
pub struct SnapshotReport {
    pub source: String,
    pub connector: String,
    pub run: Option<String>,
    pub ended: bool,
    pub empty_tables: Vec<String>,
}

/// In the checkpoint's number of a table: rows of a snapshot that nobody reads yet.
const BUILDING: u32 = 1 << 31;

impl Report {
    /// What can be told without opening the checkpoint. [`State::Whole`] until that was done.
    pub fn new(dir: &Path, owner: &Owner, files: Files) -> Self {
        let marker = match owner {
            Owner::Ours(marker) => Some(marker),
            _ => None,
        };
        let (state, damage) = match owner {
            Owner::Nobody => (State::Empty, None),
            Owner::Somebody { found } => (State::Foreign, Some(format!("it contains {found}"))),
            Owner::Unclear => (
                State::Damaged,
                Some("its marker, the file rowtide-checkpoint, is not one".to_owned()),
            ),
            Owner::Ours(Marker {
                is_readable: false, ..
            }) => (State::Newer, None),
            Owner::Ours(_) => (State::Whole, None),
        };
        Self {
            directory: dir.display().to_string(),
            state,
            format: marker.map(|marker| marker.format),
            written_by: marker.map(|marker| marker.written_by.clone()),
            sequence: None,
            written_at: files.modified.and_then(time),
            holder: None,
            bytes: files.kinds.iter().map(|kind| kind.bytes).sum(),
            files: files.kinds,
            tables: Vec::new(),
            partitions: Vec::new(),
            quarantine: Vec::new(),
            snapshots: Vec::new(),
            pending: Vec::new(),
            unknown: Vec::new(),
            damage: damage.into_iter().collect(),
        }
    }

    /// Adds what is in the checkpoint.
    pub fn fill(&mut self, contents: &Contents) {
        self.sequence = Some(contents.sequence);
        let mut damage: Vec<String> = contents.damage.iter().map(reason).collect();
        let notes = contents.notes.iter();
        let readable = notes.filter_map(|note| Some((&note.name[..], note.value.as_deref().ok()?)));
        let summary = inspect::summary(readable);
        damage.extend(
            contents
                .notes
                .iter()
                .filter_map(|note| note.value.as_ref().err())
                .map(reason),
        );
        damage.extend(summary.unreadable.iter().map(ToString::to_string));
        self.tables = tables(contents, &summary);
        let damaged = self.tables.iter().filter_map(|table| {
            let named = table.name.clone().unwrap_or(format!("number {}", table.id));
            let reason = table.damage.as_ref()?;
            Some(format!("table {named}: {reason}"))
        });
        damage.extend(damaged);
        self.partitions = summary.partitions.iter().map(partition).collect();
        let quarantine = summary.quarantine.iter();
        self.quarantine = quarantine
            .map(|of_topic| QuarantineReport {
                topic: of_topic.topic.clone(),
                count: of_topic.counted,
                held: of_topic.held.len(),
            })
            .collect();
        let snapshots = summary.snapshots.iter();
        self.snapshots = snapshots
            .map(|known| SnapshotReport {
                source: known.source.clone(),
                connector: known.connector.clone(),
                run: known.run.map(run),
                ended: known.has_ended,
                empty_tables: known.empty.clone(),
            })
            .collect();
        if summary.scrub_due {
            self.pending.push(
                "scrub: what was removed can still be read in the files; the next start writes all of it anew",
            );
        }
        self.unknown = summary.unknown;
        for damage in damage {
            self.is_damaged(damage);
        }
    }

    pub fn is_damaged(&mut self, reason: String) {
        self.state = State::Damaged;
        if !self.damage.contains(&reason) {
            self.damage.push(reason);
        }
    }

    /// Drops all tables but one, named as elsewhere, and tells its columns.
    pub fn keep_only(&mut self, wanted: &str) -> Result<(), String> {
        let means = |table: &TableReport| {
            let topic = table.topic.as_deref().unwrap_or_default();
            table.name.as_deref() == Some(wanted)
                || topic == wanted
                || topic
                    .strip_suffix(wanted)
                    .is_some_and(|front| front.ends_with('.'))
        };
        let Some(at) = self.tables.iter().position(means) else {
            let names = self.tables.iter().filter_map(|table| table.name.as_deref());
            let names: Vec<&str> = names.collect();
            return Err(format!(
                "--table {wanted}: there is none in {}; it has: {}",
                self.directory,
                names.join(", ")
            ));
        };
        let mut table = self.tables.swap_remove(at);
        table.columns = std::mem::take(&mut table.all_columns);
        let is_its = |topic: &str| table.topic.as_deref() == Some(topic);
        self.partitions.retain(|partition| is_its(&partition.topic));
        self.quarantine
            .retain(|quarantine| is_its(&quarantine.topic));
        self.tables = vec![table];
        Ok(())
    }

    /// What is wrong, and what to do.
    pub fn verdict(&self) -> String {
        let dir = &self.directory;
        match self.state {
            State::Whole => format!("{dir} is whole"),
            State::Damaged => format!(
                "{dir} is damaged ({}); rowtide serve starts with what is whole, or says what to do",
                self.damage.len()
            ),
            State::InUse => {
                let by = self.holder.as_ref().map(ToString::to_string);
                let by = by.unwrap_or_else(|| "another process".to_owned());
                format!(
                    "{dir} is in use by {by}. Its files change while they are read. Ask the server (rowtide status), or stop it first"
                )
            }
            State::Newer => format!(
                "{dir} has format {}, written by rowtide {}: a newer version than this one reads it",
                self.format.unwrap_or_default(),
                self.written_by.as_deref().unwrap_or_default()
            ),
            State::Foreign => format!(
                "{dir} is not a rowtide data directory: {}",
                self.damage.join(", ")
            ),
            State::Empty => format!("there is nothing in {dir}"),
        }
    }
}

fn tables(contents: &Contents, summary: &Summary) -> Vec<TableReport> {
    let mut stored: BTreeMap<u32, &TableContents> = BTreeMap::new();
    for table in &contents.tables {
        stored.insert(table.summary.table.0, table);
    }
    let named = summary.tables.iter();
    let mut reports: Vec<TableReport> = named
        .map(|table| {
            let mut report = of_note(table, summary);
            if let Some(stored) = stored.remove(&table.id) {
                report.add(stored);
            }
            report
        })
        .collect();
    reports.extend(stored.into_iter().map(|(id, stored)| {
        let mut report = unnamed(id);
        let owner = summary
            .tables
            .iter()
            .find(|table| table.id | BUILDING == id);
        report.name = owner.map(|table| format!("{} (snapshot being read)", table.name));
        report.topic = owner.map(|table| table.topic.clone());
        report.add(stored);
        report
    }));
    reports
}

impl TableReport {
    fn add(&mut self, stored: &TableContents) {
        self.base_bytes = stored.summary.base_bytes;
        self.delta_bytes = stored.summary.delta_bytes;
        self.rows = stored.rows.as_ref().ok().copied();
        self.damage = stored.rows.as_ref().err().map(reason);
    }
}

fn unnamed(id: u32) -> TableReport {
    TableReport {
        id,
        name: None,
        topic: None,
        source: None,
        rows: Some(0),
        base_bytes: 0,
        delta_bytes: 0,
        shapes: 0,
        key: None,
        epoch: 0,
        position: None,
        commit_time: None,
        format: None,
        was_live: false,
        complete: true,
        incomplete: None,
        decoder: None,
        generations: Vec::new(),
        notes: Vec::new(),
        owed: 0,
        damage: None,
        columns: Vec::new(),
        all_columns: Vec::new(),
    }
}

fn of_note(table: &inspect::Table, summary: &Summary) -> TableReport {
    let shapes = summary.shapes.iter();
    let shapes: Vec<ShapeReport> = shapes
        .filter(|shape| shape.topic == table.topic)
        .map(shape)
        .collect();
    let generations = table.generations.iter();
    TableReport {
        name: Some(table.name.clone()),
        topic: Some(table.topic.clone()),
        source: Some(table.source.clone()),
        shapes: shapes.len(),
        key: summary.shape_of(table).and_then(|shape| shape.key.clone()),
        epoch: generations.clone().map(|it| it.epoch).max().unwrap_or(0),
        position: table.position.as_ref().map(position),
        commit_time: table.commit_ms.map(timestamp),
        format: table.format.clone(),
        was_live: table.was_live,
        complete: table.incomplete.is_none(),
        incomplete: table.incomplete.clone(),
        decoder: table.prepared.as_ref().map(|prepared| prepared.decoder),
        generations: generations
            .map(|it| GenerationReport {
                origin: it.origin.clone(),
                epoch: it.epoch,
                opened_by: it.opened_by.map(run),
                read_to_end: it.closed,
                swept: it.swept,
            })
            .collect(),
        notes: table.notes.clone(),
        owed: table.owed,
        all_columns: shapes,
        ..unnamed(table.id)
    }
}

fn position(position: &Position) -> PositionReport {
    PositionReport {
        epoch: position.epoch,
        domain: position.at.domain(),
        numbers: position.at.numbers().unwrap_or_default(),
    }
}

fn shape(shape: &Shape) -> ShapeReport {
    let columns = shape.columns.iter().map(|column| ColumnReport {
        name: column.name.clone(),
        kind: column.kind.name(),
        nullable: column.nullable,
    });
    ShapeReport {
        number: shape.number,
        key: shape.key.clone(),
        columns: columns.collect(),
    }
}

fn partition(partition: &inspect::Partition) -> PartitionReport {
    PartitionReport {
        source: partition.source.clone(),
        topic: partition.topic.clone(),
        partition: partition.partition,
        next_offset: partition.saved.next.0,
        topic_id: partition.saved.topic_uuid.map(|id| uuid(&id.0)),
        served: !partition.unserved,
    }
}

fn reason(error: &CheckpointError) -> String {
    error.to_string().replace('\0', "/")
}

fn run(run: u128) -> String {
    uuid(&run.to_be_bytes())
}

fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write_uuid(bytes, &mut text);
    text
}

fn time(at: SystemTime) -> Option<String> {
    let ms = at.duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(timestamp(i64::try_from(ms).ok()?))
}

/// As answers spell times.
pub fn timestamp(ms: i64) -> String {
    let mut text = String::new();
    let _ = write_timestamp(Moment::from_units(ms, 1000), &mut text);
    text.push('Z');
    text
}
