//! A source table without a key, with its connector and topic: what happens is chosen by a seed.
//!
//! Statements insert equal rows under one position, transactions overlap, the connector crashes and
//! writes again what it had written, and its snapshots are cut off and begun anew.
//!
//! Invariant: the naive model knows every record for the change it stands for, so it applies each
//! change once, whatever the records say.

use std::collections::{BTreeMap, BTreeSet};

use testkit::connector::{At, Connector};
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use crate::coverage::Happening;
use crate::trace::Trace;

pub const TOPIC: &str = "s.public.bag";

/// Rows, and how many there are of each.
pub type Bag = BTreeMap<(i64, String), u64>;
type Row = (i64, String);

/// A connector that was restarted writes at most so many changes again.
const AGAIN_MAX: usize = 12;

/// What sort of a source it is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub partitions: i32,
    /// Records tell the run of the connector that wrote them.
    pub tells_runs: bool,
}

#[derive(Clone)]
enum Change {
    Create(Row),
    Update(Row, Row),
    Delete(Row),
    Truncate,
}

#[derive(Clone)]
struct Event {
    lsn: u64,
    transaction: u64,
    change: Change,
}

/// What a record is.
#[derive(Clone)]
enum Meaning {
    Nothing,
    Change(usize),
    SnapshotRow {
        scan: usize,
        row: Row,
        is_last: bool,
    },
}

/// A snapshot that is being written.
struct Scan {
    number: usize,
    lsn: u64,
    rows: Vec<Row>,
    written: usize,
}

pub struct Bags {
    pub kind: Kind,
    pub log: ScriptedLog,
    /// What the table holds.
    pub bag: Bag,
    connector: Connector,
    partition: i32,
    lsn: u64,
    transaction: u64,
    /// Every committed change in the order of the commits, and how many the connector has written.
    stream: Vec<Event>,
    written: usize,
    /// How many any run has.
    written_most: usize,
    /// The connector never goes back behind its last snapshot.
    back_to: usize,
    /// A transaction that has not been committed.
    open: Vec<Event>,
    scan: Option<Scan>,
    scans: usize,
    /// Changes this run has written.
    written_by_run: usize,
    meanings: Vec<Vec<Meaning>>,
    trace: Trace,
}

impl Bags {
    pub fn new(kind: Kind, rng: &mut fastrand::Rng, trace: &Trace) -> Self {
        let log = ScriptedLog::new();
        log.create_topic(TOPIC, kind.partitions);
        let mut bags = Self {
            kind,
            log,
            bag: Bag::new(),
            connector: Connector { run: 1 },
            partition: 0,
            lsn: 100,
            transaction: 1,
            stream: Vec::new(),
            written: 0,
            written_most: 0,
            back_to: 0,
            open: Vec::new(),
            scan: None,
            scans: 0,
            written_by_run: 0,
            meanings: (0..kind.partitions).map(|_| Vec::new()).collect(),
            trace: trace.clone(),
        };
        // What was there before the connector came is in its first snapshot.
        for _ in 0..rng.usize(0..12) {
            put(&mut bags.bag, a_row(rng));
        }
        bags.begin_scan();
        bags
    }

    pub fn step(&mut self, rng: &mut fastrand::Rng) {
        if rng.u32(..4) == 0 {
            self.partition = rng.i32(0..self.kind.partitions);
        }
        // Where other partitions may be read first, only the first snapshot is told from its stream.
        let may_scan = self.kind.partitions == 1 && self.kind.tells_runs;
        match rng.u32(..100) {
            0..45 => self.write(),
            45..48 => self.crash(rng),
            48..50 if may_scan && self.scan.is_none() && !self.bag.is_empty() => {
                // What the connector had not written yet is in the snapshot, and nowhere else.
                self.connector.run += 1;
                self.begin_scan();
            }
            50..52 if may_scan && self.scan.is_none() => self.repeat_snapshot(),
            52..55 => self.heartbeat(),
            _ => self.statement(rng),
        }
    }

    /// Writes everything there is to write.
    pub fn finish(&mut self) {
        self.commit();
        while self.scan.is_some() || self.written < self.stream.len() {
            self.write();
        }
    }

    /// What a reader may see after the first records of the one partition there is.
    pub fn bags_after(&self, records: usize) -> Vec<Bag> {
        let mut states = vec![Model::default()];
        let mut seen = BTreeSet::new();
        for meaning in &self.meanings[0][..records] {
            match meaning {
                Meaning::Nothing => {}
                Meaning::Change(number) if !seen.insert(*number) => {}
                Meaning::Change(number) => {
                    let change = &self.stream[*number].change;
                    for state in &mut states {
                        state.change(change);
                    }
                }
                Meaning::SnapshotRow { scan, row, is_last } => {
                    for state in &mut states {
                        state.snapshot_row(*scan, row, *is_last);
                    }
                }
            }
            // When a snapshot takes effect depends on when the ends of partitions are heard of.
            for at in 0..states.len() {
                states.extend(states[at].replaced());
            }
            states.dedup();
        }
        states.into_iter().map(|state| state.shown).collect()
    }

    fn statement(&mut self, rng: &mut fastrand::Rng) {
        self.lsn += rng.u64(1..5);
        let is_open = !self.open.is_empty();
        match rng.u32(..20) {
            // Read late, it could not be told from which rows later removals had taken theirs.
            0 if !is_open && self.kind.partitions == 1 => {
                self.bag.clear();
                self.happens(Change::Truncate);
            }
            1..3 if self.may_overlap() => {
                self.transaction += 1;
                let event = Event {
                    lsn: self.lsn,
                    transaction: self.transaction,
                    change: Change::Create(a_row(rng)),
                };
                self.open.push(event);
            }
            3..5 => self.commit(),
            5..10 => {
                if let Some(row) = self.held(rng) {
                    take(&mut self.bag, &row);
                    self.happens(Change::Delete(row));
                }
            }
            10..14 => {
                if let Some(row) = self.held(rng) {
                    let new = a_row(rng);
                    take(&mut self.bag, &row);
                    put(&mut self.bag, new.clone());
                    self.happens(Change::Update(row, new));
                }
            }
            _ => {
                // All rows of one statement stand at one position.
                let row = a_row(rng);
                for _ in 0..rng.usize(1..4) {
                    put(&mut self.bag, row.clone());
                    self.happens(Change::Create(row.clone()));
                }
            }
        }
        self.transaction += u64::from(rng.u32(..3) > 0) * 100;
    }

    /// A transaction that is open while the first snapshot of several partitions is read could not be
    /// told from one before it.
    fn may_overlap(&self) -> bool {
        self.kind.partitions == 1 || (self.scan.is_none() && self.written > 0)
    }

    fn happens(&mut self, change: Change) {
        self.stream.push(Event {
            lsn: self.lsn,
            transaction: self.transaction,
            change,
        });
    }

    /// The open transaction becomes visible, after those that began later.
    fn commit(&mut self) {
        for event in std::mem::take(&mut self.open) {
            if let Change::Create(row) = &event.change {
                put(&mut self.bag, row.clone());
            }
            self.stream.push(event);
        }
        self.transaction += 1;
    }

    fn held(&self, rng: &mut fastrand::Rng) -> Option<Row> {
        let rows: Vec<&Row> = self.bag.keys().collect();
        rng.choice(rows).cloned()
    }

    /// A snapshot of an empty table writes nothing that could be told: it is not taken.
    fn begin_scan(&mut self) {
        if self.bag.is_empty() {
            return;
        }
        let of_each = |(row, count): (&Row, &u64)| vec![row.clone(); *count as usize];
        self.lsn += 1;
        self.scans += 1;
        self.written = self.stream.len();
        self.back_to = self.written;
        self.written_by_run = 0;
        self.scan = Some(Scan {
            number: self.scans,
            lsn: self.lsn,
            rows: self.bag.iter().flat_map(of_each).collect(),
            written: 0,
        });
    }

    /// The connector writes its next record.
    fn write(&mut self) {
        let Some(scan) = &mut self.scan else {
            if self.written < self.stream.len() {
                self.written += 1;
                self.written_by_run += 1;
                self.write_change(self.written - 1);
            }
            return;
        };
        let (row, lsn, number) = (scan.rows[scan.written].clone(), scan.lsn, scan.number);
        scan.written += 1;
        let is_last = scan.written == scan.rows.len();
        let mark = match scan.written {
            _ if is_last => "last",
            1 => "first",
            _ => "true",
        };
        if is_last {
            self.scan = None;
        }
        let at = self.at(lsn, 1);
        let record = self.connector.keyless_snapshot(at, (row.0, &row.1), mark);
        let row = Meaning::SnapshotRow {
            scan: number,
            row,
            is_last,
        };
        self.append(record, row);
    }

    fn write_change(&mut self, number: usize) {
        let event = self.stream[number].clone();
        let at = self.at(event.lsn, event.transaction);
        let image = |row: &'_ Row| (row.0, row.1.clone());
        let (op, before, after) = match &event.change {
            Change::Create(row) => ("c", None, Some(image(row))),
            Change::Update(old, new) => ("u", Some(image(old)), Some(image(new))),
            Change::Delete(row) => ("d", Some(image(row)), None),
            Change::Truncate => ("t", None, None),
        };
        let before = before.as_ref().map(|(id, v)| (*id, v.as_str()));
        let after = after.as_ref().map(|(id, v)| (*id, v.as_str()));
        let record = self.connector.keyless(at, op, before, after);
        self.append(record, Meaning::Change(number));
        if op == "d" {
            let tombstone = self.connector.keyless_tombstone(at);
            self.append(tombstone, Meaning::Nothing);
        }
    }

    /// A restarted connector writes again what it does not know it had written, or begins its
    /// snapshot anew.
    fn crash(&mut self, rng: &mut fastrand::Rng) {
        if self.scan.is_some() {
            let may_scan = self.kind.partitions == 1 && self.kind.tells_runs;
            if may_scan && !self.bag.is_empty() {
                self.connector.run += 1;
                self.begin_scan();
            }
            return;
        }
        let again = rng.usize(1..=AGAIN_MAX);
        let mut from = self.written.saturating_sub(again).max(self.back_to);
        let place = |at: usize| (self.stream[at].transaction, self.stream[at].lsn);
        // It goes on from a position, never between changes that share one.
        while from > self.back_to && from < self.written && place(from - 1) == place(from) {
            from -= 1;
        }
        // Without runs, a repetition that does not go back cannot be told from more of the same.
        let goes_back = from < self.written && place(from) != place(self.written - 1);
        if self.kind.tells_runs || goes_back {
            self.connector.run += 1;
            self.written = from;
            self.written_by_run = 0;
        }
    }

    /// A snapshot by a run that streams: it names rows that are known.
    fn repeat_snapshot(&mut self) {
        if self.written_by_run == 0 {
            return;
        }
        self.lsn += 1;
        let at = self.at(self.lsn, 1);
        let rows: Vec<Row> = self.bag.keys().cloned().collect();
        for (number, row) in rows.iter().enumerate() {
            let is_last = number + 1 == rows.len();
            let mark = if is_last { "last" } else { "true" };
            let record = self.connector.keyless_snapshot(at, (row.0, &row.1), mark);
            self.append(record, Meaning::Nothing);
        }
    }

    fn heartbeat(&mut self) {
        let record = Connector::heartbeat(self.at(self.lsn, 1));
        self.append(record, Meaning::Nothing);
    }

    fn at(&self, lsn: u64, transaction: u64) -> At<'static> {
        At {
            topic: TOPIC,
            partition: self.partition,
            lsn: Some(lsn),
            transaction: Some(transaction),
        }
    }

    fn append(&mut self, mut record: PlannedRecord, meaning: Meaning) {
        if !self.kind.tells_runs {
            record.headers.clear();
        }
        let happening = match &meaning {
            Meaning::SnapshotRow { .. } => Happening::BagSnapshot,
            Meaning::Change(number) if *number < self.written_most => Happening::BagWrittenAgain,
            Meaning::Change(_) | Meaning::Nothing => Happening::BagChange,
        };
        if let Meaning::Change(number) = &meaning {
            self.written_most = self.written_most.max(number + 1);
        }
        let value = record.value.as_deref().unwrap_or(b"tombstone");
        let what = String::from_utf8_lossy(value);
        let images = what.find(",\"source\"").unwrap_or(what.len());
        self.trace.count(
            happening,
            format_args!(
                "{} run {}: {}",
                record.partition,
                self.connector.run,
                &what[..images]
            ),
        );
        self.meanings[record.partition as usize].push(meaning);
        self.log.append(&[record]);
    }
}

/// A keyless table, kept the naive way.
#[derive(Clone, Default, PartialEq)]
struct Model {
    shown: Bag,
    /// The snapshot that is being read, and what it has named.
    building: Option<(usize, Bag)>,
    /// It was read to its end.
    is_whole: bool,
    /// The snapshot of the rows that are shown.
    shown_scan: usize,
}

impl Model {
    fn change(&mut self, change: &Change) {
        let bag = self
            .building
            .as_mut()
            .map_or(&mut self.shown, |it| &mut it.1);
        match change {
            Change::Create(row) => put(bag, row.clone()),
            Change::Update(old, new) => {
                take(bag, old);
                put(bag, new.clone());
            }
            Change::Delete(row) => take(bag, row),
            Change::Truncate => bag.clear(),
        }
    }

    fn snapshot_row(&mut self, scan: usize, row: &Row, is_last: bool) {
        let known = self.building.as_ref().map_or(self.shown_scan, |it| it.0);
        if known != scan {
            self.is_whole = false;
            // Rows of an empty table are shown as they come.
            self.building = (!self.shown.is_empty()).then(|| (scan, Bag::new()));
            if self.building.is_none() {
                self.shown_scan = scan;
            }
        }
        match &mut self.building {
            Some((_, bag)) => {
                put(bag, row.clone());
                self.is_whole = is_last;
            }
            None => put(&mut self.shown, row.clone()),
        }
    }

    fn replaced(&self) -> Option<Self> {
        let (scan, bag) = self.building.as_ref().filter(|_| self.is_whole)?;
        Some(Self {
            shown: bag.clone(),
            shown_scan: *scan,
            ..Self::default()
        })
    }
}

fn a_row(rng: &mut fastrand::Rng) -> Row {
    (rng.i64(0..4), format!("v{}", rng.u32(..2)))
}

fn put(bag: &mut Bag, row: Row) {
    *bag.entry(row).or_default() += 1;
}

fn take(bag: &mut Bag, row: &Row) {
    if let Some(count) = bag.get_mut(row) {
        *count -= 1;
        if *count == 0 {
            bag.remove(row);
        }
    }
}
