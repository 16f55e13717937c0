//! Has changes wait for their transactions: each source's gate ([`crate::transactions`]), and the records
//! that wait behind it.
//!
//! They wait in the order they came, before the memory limit's queue, with their partition's ends between
//! them. A partition's next offset is never beyond what waits of it, and the next offset of the topic
//! of boundaries that a checkpoint keeps never beyond the first boundary of a transaction that is not
//! complete: so a restart reads again what it needs.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use change_feed::PartitionFacts;
use row_model::{Change, ChangeBatch, ChangeKind, PartitionId};
use table_store::Transactions;

use crate::messages::Ended;
use crate::partitions::PartitionState;
use crate::promises::Standing;
use crate::sequencer::Sequencer;
use crate::settings::{Settings, TransactionSetup};
use crate::transactions::{Arriving, Bounds, Gate, TableNumber};

/// How Debezium calls the topic of boundaries, behind its topic prefix.
const TOPIC_SUFFIX: &str = ".transaction";
/// Topics of heartbeats, which have no part in any transaction, begin so.
const HEARTBEATS: &str = "__debezium-heartbeat";

/// What came of a partition that waits.
#[derive(Debug)]
enum Arrival {
    Records(Box<ChangeBatch>),
    End(Ended),
}

/// The gate of one source.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which comes true at a time of its own"
)]
#[derive(Debug)]
pub(crate) struct SourceGate {
    pub(crate) gate: Gate,
    setup: TransactionSetup,
    /// Partitions in which boundaries are told.
    pub(crate) boundaries: Vec<PartitionId>,
    /// Any boundary was ever told.
    pub(crate) is_told: bool,
    waiting: BTreeMap<PartitionId, VecDeque<Arrival>>,
    /// The numbers of the source tables of a topic, by their origins.
    tables: HashMap<String, Vec<TableNumber>>,
    /// Topics whose newest rows do not say which transaction they are of.
    pub(crate) untold: BTreeSet<String>,
    /// What cuts of the source said last.
    pub(crate) said: (Transactions, Option<String>),
    /// All partitions that there were at the start are known.
    pub(crate) is_begun: bool,
    pauses_any: bool,
    /// The checkpoint was of a cut that may have shown parts of transactions.
    pub(crate) was_partial: bool,
    /// The checkpoint knew of boundaries.
    pub(crate) goes_on: bool,
    pub(crate) dirty: bool,
}

impl SourceGate {
    pub fn new(settings: &Settings, source: &str, kind: &str) -> Self {
        let mut setups = settings.transactions.iter();
        let setup = setups.find(|(of, _)| of == source);
        let setup = setup.map(|(_, setup)| setup.clone()).unwrap_or_default();
        let bounds = Bounds {
            wait_ms: i64::try_from(setup.wait.as_millis()).unwrap_or(i64::MAX),
            held_bytes_max: setup.held_bytes_max,
            // Files are read one after the other: what is paused of one stands in the way of all.
            can_pause: kind != "file",
        };
        Self {
            gate: Gate::new(bounds),
            setup,
            boundaries: Vec::new(),
            is_told: false,
            waiting: BTreeMap::new(),
            tables: HashMap::new(),
            untold: BTreeSet::new(),
            said: (Transactions::None, None),
            is_begun: false,
            pauses_any: false,
            was_partial: false,
            goes_on: false,
            dirty: false,
        }
    }

    fn is_of_boundaries(&self, topic: &str) -> bool {
        match &self.setup.topic {
            Some(given) => given == topic,
            None => topic
                .strip_suffix(TOPIC_SUFFIX)
                .is_some_and(|prefix| !prefix.is_empty() && !prefix.contains('.')),
        }
    }

    fn arriving(&mut self, topic: &str, batch: &ChangeBatch) -> Vec<Arriving> {
        let Self { gate, tables, .. } = self;
        if !tables.contains_key(topic) {
            tables.insert(topic.to_owned(), Vec::new());
        }
        let Some(known) = tables.get_mut(topic) else {
            return Vec::new();
        };
        let streamed =
            |change: &&Change| change.snapshot.is_none() && change.kind == ChangeKind::Upsert;
        match batch.changes.iter().rfind(streamed) {
            Some(newest) if newest.membership.is_some() => drop(self.untold.remove(topic)),
            Some(_) => drop(self.untold.insert(topic.to_owned())),
            None => {}
        }
        let changes = batch.changes.iter().map(|change| {
            let origin = usize::from(change.origin.0);
            if origin >= known.len() && change.membership.is_some() {
                let names = batch.schemas.as_ref().map(|schemas| schemas.origins());
                let names = names.unwrap_or_default();
                let new = names.iter().skip(known.len());
                let new: Vec<_> = new.map(|name| gate.table(topic, name)).collect();
                known.extend(new);
            }
            Arriving {
                offset: change.offset,
                membership: change.membership,
                table: known.get(origin).copied().unwrap_or(TableNumber(u32::MAX)),
                bytes: change.bytes() + size_of_val(change),
                commit_ms: change.commit_ms,
            }
        });
        changes.collect()
    }
}

impl Sequencer {
    /// Applies a batch, as far as none of it has to wait. Its changes are visible from the next cut on.
    pub fn apply(&mut self, source: usize, batch: &ChangeBatch) {
        self.take_in(source, batch.clone());
    }

    /// The same of a batch that is nobody else's.
    pub(crate) fn take_in(&mut self, source: usize, batch: ChangeBatch) {
        let (id, now_ms) = (batch.partition, self.now_ms);
        let Some(gate) = self.gates.get_mut(source) else {
            return self.apply_with_room(source, &batch, None);
        };
        if gate.boundaries.contains(&id) {
            return self.take_boundaries(source, &batch);
        }
        let waits = gate.gate.holds() || gate.waiting.contains_key(&id);
        let partition = self.partitions.get_mut(&(source, id));
        let Some(partition) = partition.filter(|_| waits && gate.gate.has(id)) else {
            return self.apply_with_room(source, &batch, None);
        };
        let is_read = partition.halted.is_none();
        if is_read && batch.next_offset > partition.next {
            let arriving = gate.arriving(&partition.topic, &batch);
            gate.gate
                .arrive(id, arriving.into_iter(), batch.next_offset.0, now_ms);
        }
        let is_free = gate.gate.limit(id) >= batch.next_offset.0;
        if is_free && !gate.waiting.contains_key(&id) {
            return self.apply_with_room(source, &batch, None);
        }
        // It has more to show, whatever its source said while that waited.
        partition.at_end = false;
        let waiting = gate.waiting.entry(id).or_default();
        waiting.push_back(Arrival::Records(Box::new(batch)));
        self.go_through(source);
    }

    /// What waits in gates is memory of the tables that it is for. Answers how much is for tables that do not exist yet.
    pub(crate) fn weigh_gates(&mut self) -> usize {
        let mut unplaced = 0;
        for table in &mut self.tables {
            table.gated_bytes = 0;
        }
        for (source, gate) in self.gates.iter().enumerate() {
            for (id, bytes) in gate.gate.held() {
                let partition = self.partitions.get(&(source, id));
                let table = partition.and_then(|it| self.table_at(source, &it.topic));
                match table {
                    Some(at) => self.tables[at].gated_bytes += bytes,
                    None => unplaced += bytes,
                }
            }
        }
        unplaced
    }

    fn take_boundaries(&mut self, source: usize, batch: &ChangeBatch) {
        let place = (source, batch.partition);
        let next = self.partitions.get(&place).map(|it| it.next.0);
        let now_ms = self.now_ms;
        if let Some(gate) = self.gates.get_mut(source) {
            let news = batch.boundaries.iter();
            let news = news.filter(|it| next.is_some_and(|next| it.offset >= next));
            for boundary in news {
                (gate.is_told, gate.dirty) = (true, gate.dirty || !gate.is_told);
                gate.gate.hear(boundary, now_ms);
            }
        }
        self.apply_with_room(source, batch, None);
        self.go_through(source);
    }

    /// The source has delivered everything that there is in a partition.
    pub fn reached_end(&mut self, source: usize, id: PartitionId, ended: Ended) {
        let at_ms = ended.at_ms.map(|at_ms| self.as_delayed(source, at_ms));
        let ended = Ended { at_ms, ..ended };
        let is_final = self.sources[source].ends;
        let now_ms = self.now_ms;
        if let Some(gate) = self.gates.get_mut(source) {
            if gate.boundaries.contains(&id) {
                gate.gate.boundaries_end(is_final, now_ms);
            } else {
                gate.gate.end(id, is_final, now_ms);
            }
            if let Some(waiting) = gate.waiting.get_mut(&id) {
                waiting.push_back(Arrival::End(ended));
                return self.go_through(source);
            }
        }
        let waits = self.waits_for_room(source, id);
        self.end_with_room(source, id, ended);
        if !waits {
            self.was_at_end(source, id);
            self.passes_snapshot(source, id);
        }
        self.go_through(source);
    }

    /// Lets through whatever need not wait any longer.
    pub(crate) fn go_through(&mut self, source: usize) {
        let standing = self.standing(source);
        let now_ms = self.now_ms;
        let Some(gate) = self.gates.get_mut(source) else {
            return;
        };
        let holds = matches!(standing, Standing::Unknown | Standing::Told);
        if holds != gate.gate.holds() {
            gate.gate.hold(holds, now_ms);
        }
        // Before, partitions may be missing that have parts of what seems to be complete.
        if gate.is_begun {
            gate.gate.advance(now_ms);
        }
        let whole = gate.gate.take_whole();
        for id in gate.gate.take_moved() {
            self.release_waiting(source, id);
        }
        self.transactions_closed(source, &whole);
        self.mind_gate_pauses(source);
    }

    fn release_waiting(&mut self, source: usize, id: PartitionId) {
        loop {
            let Some(gate) = self.gates.get_mut(source) else {
                return;
            };
            let limit = gate.gate.limit(id);
            let Some(waiting) = gate.waiting.get_mut(&id) else {
                return;
            };
            match waiting.pop_front() {
                // As at the memory limit: that it is past a snapshot does not follow from it.
                Some(Arrival::End(ended)) => self.end_with_room(source, id, ended),
                Some(Arrival::Records(batch)) if batch.next_offset.0 <= limit => {
                    self.apply_with_room(source, &batch, None);
                }
                Some(Arrival::Records(batch)) => {
                    self.apply_with_room(source, &batch, Some(limit));
                    // It may have been halted, and what waits forgotten.
                    if let Some(gate) = self.gates.get_mut(source)
                        && let Some(waiting) = gate.waiting.get_mut(&id)
                    {
                        waiting.push_front(Arrival::Records(batch));
                    }
                    return;
                }
                None => {
                    gate.waiting.remove(&id);
                    return;
                }
            }
        }
    }

    /// Whether records of a partition wait for their transactions.
    pub(crate) fn waits_at_gate(&self, source: usize, id: PartitionId) -> bool {
        let waiting = self
            .gates
            .get(source)
            .and_then(|gate| gate.waiting.get(&id));
        waiting.is_some_and(|waiting| !waiting.is_empty())
    }

    /// A partition is read from now on: as one that boundaries are told in, or as one that waits for them.
    pub(crate) fn gate_starts(&mut self, source: usize, facts: &PartitionFacts, begins: bool) {
        let (topic, id, now_ms) = (&facts.topic, facts.id, self.now_ms);
        let is_unserved = self.is_unserved(source, topic);
        let Some(gate) = self.gates.get_mut(source) else {
            return;
        };
        if gate.is_of_boundaries(topic) {
            if !gate.boundaries.contains(&id) {
                gate.boundaries.push(id);
            }
            if begins && facts.retained_from.0 > 0 {
                gate.was_partial = true;
                gate.gate.disturb(now_ms);
            }
        } else if !is_unserved && !topic.starts_with(HEARTBEATS) {
            // Whoever begins anew beside others that go on is behind them; so are all where nothing is known.
            let is_behind = gate.is_begun || gate.was_partial || begins == gate.goes_on;
            gate.gate.start(id, topic, is_behind, now_ms);
        }
    }

    /// All partitions are known that there were at the start, and it is decided how they are read.
    pub(crate) fn gate_begins(&mut self, source: usize) {
        if let Some(gate) = self.gates.get_mut(source) {
            gate.is_begun = true;
        }
        self.go_through(source);
    }

    /// Forgets what waits of a partition.
    pub(crate) fn gate_forgets(&mut self, source: usize, id: PartitionId) {
        let now_ms = self.now_ms;
        let topic = self
            .partitions
            .get(&(source, id))
            .map(|it| it.topic.clone());
        if let Some(gate) = self.gates.get_mut(source) {
            gate.waiting.remove(&id);
            if let Some(topic) = topic.filter(|_| gate.gate.has(id)) {
                gate.gate.start(id, &topic, true, now_ms);
            }
        }
    }

    /// A partition is no more: nothing of it can be missing.
    pub(crate) fn gate_loses(&mut self, source: usize, id: PartitionId) {
        if let Some(gate) = self.gates.get_mut(source) {
            gate.waiting.remove(&id);
            gate.gate.forget(id);
        }
    }

    /// A table shows more of its partitions than was let through.
    pub(crate) fn gate_disturbed(&mut self, source: usize) {
        let now_ms = self.now_ms;
        if let Some(gate) = self.gates.get_mut(source) {
            gate.gate.disturb(now_ms);
        }
    }

    /// Lets through what has waited long enough, and has all tables of a source say it when cuts begin
    /// or cease to be whole.
    pub(crate) fn mind_gates(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
        for source in 0..self.gates.len() {
            let gate = &mut self.gates[source].gate;
            for ((_, id), partition) in self.partitions.iter().filter(|((of, _), _)| *of == source)
            {
                gate.excuse(*id, partition.is_not_waited_for(), now_ms);
            }
            self.go_through(source);
            let says = self.says_of_transactions(source);
            let gate = &mut self.gates[source];
            if gate.said == says {
                continue;
            }
            gate.dirty |= gate.said.0 != says.0;
            gate.said = says;
            for table in &mut self.tables {
                table.touched |= table.identity.source == self.sources[source].name;
            }
        }
    }

    fn mind_gate_pauses(&mut self, source: usize) {
        let Some(gate) = self.gates.get_mut(source) else {
            return;
        };
        let pauses_any = gate.gate.pauses_any();
        if !std::mem::replace(&mut gate.pauses_any, pauses_any) && !pauses_any {
            return;
        }
        let changed: Vec<PartitionId> = self
            .partitions
            .iter()
            .filter(|((of, _), _)| *of == source)
            .filter(|((_, id), partition)| partition.awaits_others != gate.pauses(*id))
            .map(|((_, id), _)| *id)
            .collect();
        for id in changed {
            if let Some(partition) = self.partitions.get_mut(&(source, id)) {
                partition.awaits_others = !partition.awaits_others;
            }
            self.mind_pause(source, id);
        }
    }

    /// The first record of a partition of boundaries that a restart has to read again.
    pub(crate) fn first_boundary(&self, source: usize, id: PartitionId) -> Option<u64> {
        let gate = self.gates.get(source)?;
        let first = gate.gate.first_boundary();
        first.filter(|_| gate.boundaries.contains(&id))
    }
}

impl SourceGate {
    fn pauses(&self, id: PartitionId) -> bool {
        if self.boundaries.contains(&id) {
            self.gate.pauses_boundaries()
        } else {
            self.gate.is_paused(id)
        }
    }
}

impl PartitionState {
    /// It will bring nothing for now, whatever there is.
    fn is_not_waited_for(&self) -> bool {
        self.halted.is_some()
            || self.awaits_in_vain().is_some()
            || self.awaits_memory.is_some()
            || self.fenced
    }
}
