//! What cuts say of a source's transactions, with the reason, and what of it outlives the process.
//!
//! Refuses to promise: that transactions are whole is said only while nothing is known that could tear one.

use checkpoint_store::Note;
use row_model::PartitionId;
use serde::{Deserialize, Serialize};
use table_store::Transactions;

use crate::gates::SourceGate;
use crate::notes::note_of;
use crate::sequencer::Sequencer;
use crate::tables::TableState;
use crate::transactions::Partial;

/// What the note of a source's gate is called.
pub(crate) const NOTE: &str = "transactions";

/// Said of a table whose rows are flattened, for one.
const UNTOLD: &str = "its records do not say which transaction they are of, so they become visible one by one. Send envelopes, or add.fields=transaction.id,transaction.total_order to flattened rows";

/// What outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct GateNote {
    closed: Vec<u64>,
    /// Transactions of which parts are shown.
    parted: Vec<u64>,
    partial: bool,
}

/// The same as a checkpoint keeps it.
#[derive(Debug)]
pub(crate) struct SavedGate {
    pub source: String,
    pub note: GateNote,
}

/// What a source tells of its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There may be boundaries: nothing was read to its end yet.
    Unknown,
    /// It tells none.
    Silent,
    Told,
    /// It tells them where nobody can read them.
    Unreadable(String),
}

impl Sequencer {
    pub(crate) fn standing(&self, source: usize) -> Standing {
        let Some(gate) = self.gates.get(source) else {
            return Standing::Silent;
        };
        let boundaries = gate.boundaries.iter();
        let mut boundaries = boundaries.filter_map(|id| self.partitions.get(&(source, *id)));
        let is_read = boundaries.clone().all(|partition| partition.reached);
        let trouble = boundaries.find_map(|partition| {
            let waits = || partition.awaits_in_vain().map(str::to_owned);
            partition.halted.clone().or_else(waits)
        });
        if let Some(trouble) = trouble {
            return Standing::Unreadable(trouble);
        }
        if !gate.is_begun {
            Standing::Unknown
        } else if gate.is_told && !gate.boundaries.is_empty() {
            Standing::Told
        } else if is_read {
            Standing::Silent
        } else {
            Standing::Unknown
        }
    }

    /// What cuts say of the transactions of a source, and why.
    pub(crate) fn says_of_transactions(&self, source: usize) -> (Transactions, Option<String>) {
        let gate = &self.gates[source];
        let partial = |why: String| {
            (
                Transactions::Partial,
                Some(format!("transactions are not sure to be whole: {why}")),
            )
        };
        match self.standing(source) {
            Standing::Silent => return (Transactions::None, None),
            Standing::Unknown if !gate.is_told => return (Transactions::None, None),
            Standing::Unknown if gate.was_partial => {
                return partial("the checkpoint was made while they were not".to_owned());
            }
            Standing::Unreadable(why) => {
                return partial(format!("their boundaries cannot be read: {why}"));
            }
            Standing::Unknown | Standing::Told => {}
        }
        if gate.boundaries.len() > 1 {
            return partial("their boundaries are told in several partitions, which have no order. Give that topic one".to_owned());
        }
        let of_source = |name: &str| self.sources[source].name == name;
        let mut tables = self
            .tables
            .iter()
            .filter(|table| of_source(&table.identity.source));
        let stands = |table: &TableState| {
            table.stalled.is_some() || gate.is_begun && table.undecided.is_some()
        };
        if let Some(table) = tables.clone().find(|table| stands(table)) {
            return partial(format!("{} is not read", table.identity.name));
        }
        if let Some(table) = tables.find(|table| !table.holding.is_empty()) {
            return partial(format!(
                "{} waits for the other half of a key change",
                table.identity.name
            ));
        }
        let Some(why) = gate.gate.partial() else {
            return (Transactions::Whole, None);
        };
        let named = |id: PartitionId| {
            let partition = self.partitions.get(&(source, id));
            partition.map_or_else(String::new, |it| format!("{}-{}", it.topic, it.partition))
        };
        partial(match why {
            Partial::NotRead(id) => format!("{} is not read", named(id)),
            Partial::TooLarge(bytes) => format!("what had to wait took more than {bytes} bytes"),
            Partial::Untold => {
                "changes came long before the boundaries of their transactions".to_owned()
            }
            Partial::NotEnded => "the connector has begun one and told no end of it".to_owned(),
            Partial::Behind(id) => format!(
                "{} is not known to have been read as far as others",
                named(id)
            ),
        })
    }

    /// What a table says of transactions, and why.
    pub(crate) fn transactions_of(&self, at: usize) -> (Transactions, Option<String>) {
        let source = self.source_at(at);
        let gate = source.and_then(|source| self.gates.get(source));
        let untold = |gate: &&SourceGate| {
            gate.said.0 != Transactions::None
                && gate.untold.contains(&self.tables[at].identity.topic)
        };
        match gate {
            Some(gate) if untold(&gate) => (Transactions::None, Some(UNTOLD.to_owned())),
            Some(gate) => gate.said.clone(),
            None => (Transactions::None, None),
        }
    }

    /// What changed, for a checkpoint.
    pub(crate) fn gate_notes(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        for (source, gate) in self.gates.iter_mut().enumerate() {
            if !gate.is_told || !(gate.gate.take_dirty() | std::mem::take(&mut gate.dirty)) {
                continue;
            }
            let (closed, parted) = gate.gate.kept();
            let note = GateNote {
                closed,
                parted,
                partial: gate.said.0 == Transactions::Partial,
            };
            notes.push(note_of(&[NOTE, &self.sources[source].name], Some(&note)));
        }
        notes
    }

    /// What was taken did not become durable.
    pub(crate) fn gates_dirty(&mut self) {
        for gate in &mut self.gates {
            gate.dirty = true;
        }
    }

    /// Puts back what a checkpoint remembers.
    pub(crate) fn restore_gate(&mut self, saved: &SavedGate) {
        let mut sources = self.sources.iter();
        let source = sources.position(|it| it.name == saved.source);
        let Some(gate) = source.and_then(|source| self.gates.get_mut(source)) else {
            return;
        };
        let GateNote {
            closed,
            parted,
            partial,
        } = &saved.note;
        gate.gate.restore(closed, parted);
        (gate.is_told, gate.goes_on, gate.was_partial) = (true, true, *partial);
    }
}
