//! What a checkpoint keeps of a table beside its rows and its note: the changes that are recognised
//! when they come again, multisets under construction, gaps.
//!
//! ```text
//! multisets/<table>   deliveries/<table>/<piece>   completeness/<table>
//! ```
//! Pieces of deliveries are binary and written only if something in them changed: there may be a
//! hundred thousand changes. Refuses to guess: a note that is not what was written is an error.

use checkpoint_store::Note;
use row_model::{Epoch, OriginId, RunId, SourcePosition, TableId};
use serde::{Deserialize, Serialize};

use crate::completeness::CompletenessNote;
use crate::deliveries::{Deliveries, SEGMENTS_MAX, Visit};
use crate::keyless::Content;
use crate::multisets::{Keyless, Multisets};
use crate::notes::{note_of, parse};
use crate::owed::{Creditor, Owed};
use crate::tables::TableState;

/// What was read of one table.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    multisets: Option<MultisetsNote>,
    pieces: Vec<Vec<u8>>,
    completeness: Option<CompletenessNote>,
}

/// One note that was read.
#[derive(Debug)]
pub(crate) enum Part {
    Multisets(MultisetsNote),
    Deliveries(Vec<u8>),
    Completeness(CompletenessNote),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MultisetsNote {
    origins: Vec<OriginNote>,
    owed: Vec<OwedNote>,
    reading: Vec<VisitNote>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OriginNote {
    id: u16,
    shown: u32,
    shown_at: Option<Place>,
    building: Option<u32>,
    building_at: Option<Place>,
    anonymous: bool,
    anonymous_at: Option<Place>,
    streamed_from: Option<(u128, Place)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OwedNote {
    origin: u16,
    staged: bool,
    content: u128,
    at: Place,
}

#[derive(Debug, Serialize, Deserialize)]
struct VisitNote {
    partition: i32,
    origin: u16,
    run: Option<u128>,
    transaction: u64,
    at: Place,
    number: u32,
}

/// A position: its domain, and its order in that.
#[derive(Debug, Serialize, Deserialize)]
struct Place(u64, Vec<u8>);

/// What changed of a table, for a checkpoint.
pub(crate) fn notes(table: &mut TableState) -> Vec<Note> {
    let id = table.identity.id.0.to_string();
    let completeness = CompletenessNote::of(table);
    let mut notes = vec![note_of(&["completeness", &id], Some(&completeness))];
    if table.keyless.is_unused() {
        return notes;
    }
    let multisets = MultisetsNote::from(&table.keyless);
    notes.push(note_of(&["multisets", &id], Some(&multisets)));
    let pieces = table.keyless.deliveries.take_dirty().into_iter();
    notes.extend(pieces.map(|(piece, bytes)| {
        Note {
            name: ["deliveries", &id, &piece.to_string()]
                .join("\0")
                .into_bytes(),
            value: Some(bytes),
        }
    }));
    notes
}

/// That nothing is kept of a table any more.
pub(crate) fn gone(table: TableId) -> Vec<Note> {
    let id = table.0.to_string();
    let pieces = (0..SEGMENTS_MAX).map(|piece| {
        let piece = piece.to_string();
        note_of::<()>(&["deliveries", &id, &piece], None)
    });
    let others = ["completeness", "multisets"];
    let others = others.map(|name| note_of::<()>(&[name, &id], None));
    pieces.chain(others).collect()
}

/// Reads a note by the parts of its name; `None` if it is not one of these.
pub(crate) fn read(name: &[&str], value: &[u8]) -> Result<Option<(TableId, Part)>, String> {
    let table = |id: &str| id.parse().map(TableId).map_err(|error| format!("{error}"));
    Ok(Some(match name {
        ["multisets", id] => (table(id)?, Part::Multisets(parse(value)?)),
        ["deliveries", id, _] => (table(id)?, Part::Deliveries(value.to_vec())),
        ["completeness", id] => (table(id)?, Part::Completeness(parse(value)?)),
        _ => return Ok(None),
    }))
}

impl Beside {
    pub fn add(&mut self, part: Part) {
        match part {
            Part::Multisets(note) => self.multisets = Some(note),
            Part::Deliveries(piece) => self.pieces.push(piece),
            Part::Completeness(note) => self.completeness = Some(note),
        }
    }

    /// Puts what was saved back into a table's state.
    pub fn restore_into(&self, state: &mut TableState) -> Result<(), String> {
        let malformed = || "it is not what was written".to_owned();
        if let Some(note) = &self.completeness {
            note.restore_into(state);
        }
        let keyless = &mut state.keyless;
        keyless.deliveries = Deliveries::restore(&self.pieces).ok_or_else(malformed)?;
        if let Some(note) = &self.multisets {
            note.restore_into(keyless).ok_or_else(malformed)?;
        }
        Ok(())
    }
}

impl From<&Keyless> for MultisetsNote {
    fn from(keyless: &Keyless) -> Self {
        let origins = keyless.origins.iter();
        let reading = keyless.deliveries.reading.iter();
        Self {
            origins: origins.map(|(id, it)| OriginNote::of(*id, it)).collect(),
            owed: keyless.owed.iter().map(OwedNote::from).collect(),
            reading: reading
                .map(|((partition, origin), visit)| VisitNote {
                    partition: *partition,
                    origin: origin.0,
                    run: visit.run.map(|run| run.0),
                    transaction: visit.transaction,
                    at: Place::of(&visit.position),
                    number: visit.number,
                })
                .collect(),
        }
    }
}

impl MultisetsNote {
    fn restore_into(&self, keyless: &mut Keyless) -> Option<()> {
        for note in &self.origins {
            keyless.origins.insert(OriginId(note.id), note.restore()?);
        }
        let mut owed = Owed::default();
        for note in &self.owed {
            let creditor = Creditor {
                origin: OriginId(note.origin),
                staged: note.staged,
                content: Content(note.content),
            };
            owed.add(creditor, note.at.restore()?);
        }
        keyless.owed = owed;
        for note in &self.reading {
            let visit = Visit {
                run: note.run.map(RunId),
                transaction: note.transaction,
                position: note.at.restore()?,
                number: note.number,
            };
            let place = (note.partition, OriginId(note.origin));
            keyless.deliveries.reading.insert(place, visit);
        }
        Some(())
    }
}

impl OriginNote {
    fn of(id: OriginId, multisets: &Multisets) -> Self {
        let place = |at: &Option<SourcePosition>| at.as_ref().map(Place::of);
        let streamed = multisets.streamed_from.as_ref();
        Self {
            id: id.0,
            shown: multisets.shown.0,
            shown_at: place(&multisets.shown_at),
            building: multisets.building.map(|epoch| epoch.0),
            building_at: place(&multisets.building_at),
            anonymous: multisets.anonymous,
            anonymous_at: place(&multisets.anonymous_at),
            streamed_from: streamed.map(|(run, at)| (run.0, Place::of(at))),
        }
    }

    fn restore(&self) -> Option<Multisets> {
        let position = |place: &Option<Place>| match place {
            Some(place) => place.restore().map(Some),
            None => Some(None),
        };
        let streamed = match &self.streamed_from {
            Some((run, at)) => Some((RunId(*run), at.restore()?)),
            None => None,
        };
        Some(Multisets {
            shown: Epoch(self.shown),
            shown_at: position(&self.shown_at)?,
            building: self.building.map(Epoch),
            building_at: position(&self.building_at)?,
            anonymous: self.anonymous,
            anonymous_at: position(&self.anonymous_at)?,
            streamed_from: streamed,
        })
    }
}

impl From<(Creditor, SourcePosition)> for OwedNote {
    fn from((creditor, at): (Creditor, SourcePosition)) -> Self {
        Self {
            origin: creditor.origin.0,
            staged: creditor.staged,
            content: creditor.content.0,
            at: Place::of(&at),
        }
    }
}

impl Place {
    fn of(at: &SourcePosition) -> Self {
        Self(at.domain(), at.as_bytes().to_vec())
    }

    fn restore(&self) -> Option<SourcePosition> {
        SourcePosition::from_bytes(self.0, &self.1)
    }
}
