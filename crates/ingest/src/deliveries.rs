//! Which changes of a keyless table have been applied already, so that a stretch a connector writes
//! again changes nothing. Pure.
//!
//! A row without a key cannot be compared with what is held, so the change itself is recognised: by
//! its transaction, position, operation and images. Equal rows of one statement share all of these.
//! They are counted, each pass of the connector over its log for itself: of a change only the
//! occurrences beyond those that another pass has already brought are news. A pass is a run of the
//! connector; within a run, a transaction that begins once more. What passes have brought is summed
//! over partitions, over which a connector spreads records without a key as it likes.
//!
//! Refuses to judge changes without a position: two of them may be equal and still be two.
//!
//! Invariant: the answer does not depend on the order in which partitions are read. Bounded: beyond
//! [`REMEMBERED_MAX`] changes and transactions the oldest are forgotten, and would be applied again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use row_model::{OriginId, RunId, SourcePosition, Transaction};
use siphasher::sip128::SipHasher13;

/// Changes of one table, and transactions, that are recognised when they come again.
pub(crate) const REMEMBERED_MAX: usize = 1 << 17;
/// In place of a transaction that nothing goes on with.
const INTERRUPTED: u64 = u64::MAX;
/// Changes that are written to a checkpoint together.
const SEGMENT_CHANGES: usize = 1024;
pub(crate) const SEGMENTS_MAX: usize = REMEMBERED_MAX / SEGMENT_CHANGES;

/// What makes a change this one and no other, but for equal ones of the same statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub origin: OriginId,
    pub transaction: Option<Transaction>,
    pub position: SourcePosition,
    /// Empty for a create.
    pub before: &'a [u8],
    /// Empty for a delete.
    pub after: &'a [u8],
}

/// Where a change was read, and by which run it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    pub partition: i32,
    pub run: Option<RunId>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    seen: HashMap<u128, Seen>,
    /// The changes in the order in which they were first seen, oldest segment first.
    segments: VecDeque<Segment>,
    /// Number of the oldest segment.
    oldest: u64,
    /// What each partition was last in the middle of.
    pub(crate) reading: BTreeMap<(i32, OriginId), Visit>,
}

#[derive(Debug)]
struct Seen {
    segment: u64,
    /// Most often there is one.
    counts: Vec<Count>,
}

/// How often a change came in one pass over one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    pass: u64,
    partition: i32,
    times: u32,
}

#[derive(Debug, Default)]
struct Segment {
    changes: Vec<u128>,
    dirty: bool,
}

/// A transaction that is being read from a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub run: Option<RunId>,
    pub transaction: u64,
    pub position: SourcePosition,
    /// How often the transaction has been begun on this partition in this run.
    pub number: u32,
}

impl Deliveries {
    /// Counts a change, and says whether it has to be applied.
    pub fn is_news(&mut self, delivered: Delivered, happening: &Happening<'_>) -> bool {
        let pass = self.pass(delivered, happening);
        let seen = self.count(happening.fingerprint(), pass, delivered.partition);
        seen.times_in(pass) > seen.times_in_any_but(pass)
    }

    /// Whether the last row of this snapshot has been read from this partition before: what comes of
    /// the snapshot after that is its rows once more, by whatever delivered them again.
    pub fn repeats_snapshot(
        &mut self,
        delivered: Delivered,
        origin: OriginId,
        position: Option<SourcePosition>,
        is_last: bool,
    ) -> bool {
        let ended = ended_id(delivered, origin, position);
        let is_repeated = self.seen.contains_key(&ended);
        if is_last && !is_repeated {
            self.count(ended, 0, delivered.partition);
        }
        // What is streamed after it comes again as well: the transaction that was read last is not gone on with.
        let visit = self.reading.get_mut(&(delivered.partition, origin));
        if let Some(visit) = visit.filter(|_| is_repeated) {
            visit.transaction = INTERRUPTED;
        }
        is_repeated
    }

    /// Notes that something was seen once more.
    fn count(&mut self, what: u128, pass: u64, partition: i32) -> &Seen {
        let segment = self.segment_for(what);
        if let Some(segment) = self.segments.get_mut((segment - self.oldest) as usize) {
            segment.dirty = true;
        }
        let seen = self.seen.entry(what).or_insert_with(|| Seen {
            segment,
            counts: Vec::with_capacity(1),
        });
        let here = |count: &&mut Count| (count.pass, count.partition) == (pass, partition);
        match seen.counts.iter_mut().find(here) {
            Some(count) => count.times += 1,
            None => seen.counts.push(Count {
                pass,
                partition,
                times: 1,
            }),
        }
        seen
    }

    /// Which pass of the connector brings this change.
    fn pass(&mut self, delivered: Delivered, happening: &Happening<'_>) -> u64 {
        let Delivered { partition, run } = delivered;
        let transaction = happening.transaction_id();
        let place = (partition, happening.origin);
        let position = happening.position;
        let known = self.reading.get(&place);
        let same = known.filter(|known| (known.run, known.transaction) == (run, transaction));
        let comes_again =
            |known: &&Visit| known.position == position && position.is_of_one_change();
        let goes_on = same
            .filter(|known| !position.is_before(&known.position))
            .filter(|known| !comes_again(known));
        let number = if let Some(known) = goes_on {
            known.number
        } else {
            // A connector writes the changes of a transaction in one go and in order: it has begun
            // this one, or has begun it once more.
            let begun = begun_id(delivered, happening.origin, transaction);
            self.count(begun, 0, partition).times_in(0)
        };
        let visit = Visit {
            run,
            transaction,
            position,
            number,
        };
        self.reading.insert(place, visit);
        pass_id(run, number)
    }

    /// The segment of a change that is remembered, or the newest one, with room for it.
    fn segment_for(&mut self, change: u128) -> u64 {
        if let Some(seen) = self.seen.get(&change) {
            return seen.segment;
        }
        let is_full = |segment: &Segment| segment.changes.len() >= SEGMENT_CHANGES;
        if self.segments.back().is_none_or(is_full) {
            self.segments.push_back(Segment::default());
        }
        if self.segments.len() > SEGMENTS_MAX {
            let forgotten = self.segments.pop_front().unwrap_or_default();
            for change in forgotten.changes {
                self.seen.remove(&change);
            }
            self.oldest += 1;
        }
        if let Some(newest) = self.segments.back_mut() {
            newest.changes.push(change);
        }
        self.oldest + self.segments.len() as u64 - 1
    }

    pub fn memory_bytes(&self) -> usize {
        let each = size_of::<(u128, Seen)>() + size_of::<Count>() + size_of::<u128>();
        self.seen.capacity() * size_of::<(u128, Seen)>()
            + self.seen.len() * (each - size_of::<(u128, Seen)>())
    }

    /// What changed since the last time, as numbered pieces: a piece replaces the one of its number.
    pub fn take_dirty(&mut self) -> Vec<(u64, Vec<u8>)> {
        let (oldest, seen) = (self.oldest, &self.seen);
        let numbered = (oldest..).zip(&mut self.segments);
        let dirty = numbered.filter(|(_, segment)| segment.dirty);
        dirty
            .map(|(number, segment)| {
                segment.dirty = false;
                (number % SEGMENTS_MAX as u64, encode(number, segment, seen))
            })
            .collect()
    }

    /// What was taken did not become durable.
    pub fn mark_all_dirty(&mut self) {
        for segment in &mut self.segments {
            segment.dirty = true;
        }
    }

    /// What pieces that were taken hold; `None` if one is not what was taken.
    pub fn restore(pieces: &[Vec<u8>]) -> Option<Self> {
        let decoded = pieces.iter().map(|piece| decode(piece));
        let mut decoded = decoded.collect::<Option<Vec<_>>>()?;
        decoded.sort_by_key(|(number, _)| *number);
        let mut restored = Self {
            oldest: decoded.first().map_or(0, |(number, _)| *number),
            ..Self::default()
        };
        for (number, entries) in decoded {
            let changes = entries.iter().map(|(change, _)| *change).collect();
            restored.segments.push_back(Segment {
                changes,
                dirty: false,
            });
            let seen = |counts| Seen {
                segment: number,
                counts,
            };
            let entries = entries.into_iter();
            let entries = entries.map(|(change, counts)| (change, seen(counts)));
            restored.seen.extend(entries);
        }
        Some(restored)
    }
}

impl Seen {
    fn times_in(&self, pass: u64) -> u32 {
        let of_pass = self.counts.iter().filter(|count| count.pass == pass);
        of_pass.map(|count| count.times).sum()
    }

    fn times_in_any_but(&self, pass: u64) -> u32 {
        let others = self.counts.iter().filter(|count| count.pass != pass);
        others
            .map(|count| self.times_in(count.pass))
            .max()
            .unwrap_or(0)
    }
}

impl Happening<'_> {
    /// On disk, so it must be the same in every process and version.
    fn fingerprint(&self) -> u128 {
        let mut bytes = Vec::with_capacity(64 + self.before.len() + self.after.len());
        bytes.extend_from_slice(&self.origin.0.to_be_bytes());
        bytes.extend_from_slice(&self.transaction_id().to_be_bytes());
        bytes.extend_from_slice(&self.position.domain().to_be_bytes());
        for part in [self.position.as_bytes(), self.before, self.after] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        SipHasher13::new().hash(&bytes).as_u128()
    }

    /// A source that does not tell transactions commits each position for itself.
    fn transaction_id(&self) -> u64 {
        let of_position = || hash(self.position.as_bytes());
        self.transaction.map_or_else(of_position, |id| id.0)
    }
}

fn pass_id(run: Option<RunId>, number: u32) -> u64 {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&run.map_or(0, |run| run.0).to_be_bytes());
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    hash(&bytes)
}

/// Stands for a transaction on a partition, in the place of a change.
fn begun_id(delivered: Delivered, origin: OriginId, transaction: u64) -> u128 {
    let mut bytes = [0; 30];
    bytes[..4].copy_from_slice(&delivered.partition.to_be_bytes());
    bytes[4..6].copy_from_slice(&origin.0.to_be_bytes());
    bytes[6..22].copy_from_slice(&delivered.run.map_or(0, |run| run.0).to_be_bytes());
    bytes[22..].copy_from_slice(&transaction.to_be_bytes());
    SipHasher13::new_with_keys(1, 0).hash(&bytes).as_u128()
}

/// Stands for the end of a snapshot on a partition, in the place of a change.
fn ended_id(delivered: Delivered, origin: OriginId, position: Option<SourcePosition>) -> u128 {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&delivered.partition.to_be_bytes());
    bytes.extend_from_slice(&origin.0.to_be_bytes());
    bytes.extend_from_slice(&delivered.run.map_or(0, |run| run.0).to_be_bytes());
    if let Some(position) = &position {
        bytes.extend_from_slice(&position.domain().to_be_bytes());
        bytes.extend_from_slice(position.as_bytes());
    }
    SipHasher13::new_with_keys(2, 0).hash(&bytes).as_u128()
}

fn hash(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes).h1
}

fn encode(number: u64, segment: &Segment, seen: &HashMap<u128, Seen>) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + segment.changes.len() * 40);
    out.extend_from_slice(&number.to_be_bytes());
    for change in &segment.changes {
        out.extend_from_slice(&change.to_be_bytes());
        let counts = seen.get(change).map_or(&[][..], |seen| &seen.counts);
        out.extend_from_slice(&(counts.len() as u32).to_be_bytes());
        for count in counts {
            out.extend_from_slice(&count.pass.to_be_bytes());
            out.extend_from_slice(&count.partition.to_be_bytes());
            out.extend_from_slice(&count.times.to_be_bytes());
        }
    }
    out
}

type Entries = Vec<(u128, Vec<Count>)>;

fn decode(mut bytes: &[u8]) -> Option<(u64, Entries)> {
    let number = u64::from_be_bytes(take(&mut bytes)?);
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let change = u128::from_be_bytes(take(&mut bytes)?);
        let mut counts = Vec::new();
        for _ in 0..u32::from_be_bytes(take(&mut bytes)?) {
            counts.push(Count {
                pass: u64::from_be_bytes(take(&mut bytes)?),
                partition: i32::from_be_bytes(take(&mut bytes)?),
                times: u32::from_be_bytes(take(&mut bytes)?),
            });
        }
        entries.push((change, counts));
    }
    Some((number, entries))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lsn: u64) -> SourcePosition {
        SourcePosition::from_numbers(0, &[lsn]).unwrap()
    }

    fn create(transaction: u64, lsn: u64, row: &[u8]) -> Happening<'_> {
        Happening {
            origin: OriginId(0),
            transaction: Some(Transaction(transaction)),
            position: at(lsn),
            before: &[],
            after: row,
        }
    }

    /// Which of these changes are news, given as (run, partition, transaction, lsn, row).
    fn news(deliveries: &mut Deliveries, changes: &[(u128, i32, u64, u64, &str)]) -> Vec<bool> {
        let changes = changes.iter();
        changes
            .map(|(run, partition, transaction, lsn, row)| {
                let delivered = Delivered {
                    partition: *partition,
                    run: (*run > 0).then_some(RunId(*run)),
                };
                deliveries.is_news(delivered, &create(*transaction, *lsn, row.as_bytes()))
            })
            .collect()
    }

    #[test]
    fn equal_rows_of_one_statement_all_count_and_a_later_run_repeats_them() {
        let copy = [(1, 0, 7, 10, "x"), (1, 0, 7, 10, "x"), (1, 0, 7, 10, "y")];
        let again = copy.map(|(_, partition, tx, lsn, row)| (2, partition, tx, lsn, row));
        let mut deliveries = Deliveries::default();
        assert_eq!(news(&mut deliveries, &copy), [true; 3]);
        assert_eq!(news(&mut deliveries, &again), [false; 3]);
        // Of the next run there was one more, which the crash had cut off.
        let third = [(3, 0, 7, 10, "x"), (3, 0, 7, 10, "x"), (3, 0, 7, 10, "x")];
        assert_eq!(news(&mut deliveries, &third), [false, false, true]);
    }

    #[test]
    fn a_place_in_a_binlog_is_that_of_one_change() {
        let mut deliveries = Deliveries::default();
        let delivered = Delivered {
            partition: 0,
            run: Some(RunId(1)),
        };
        let mut is_news = |place: &[u64]| {
            let happening = Happening {
                position: SourcePosition::from_numbers(5, place).unwrap(),
                ..create(7, 0, b"x")
            };
            deliveries.is_news(delivered, &happening)
        };
        assert!(is_news(&[1, 100, 0]));
        assert!(!is_news(&[1, 100, 0]));
        assert!(is_news(&[1, 100, 1]));
        // Without its row it may be another one of the statement.
        assert!(is_news(&[1, 200]));
        assert!(is_news(&[1, 200]));
    }

    #[test]
    fn rows_of_a_snapshot_after_its_last_one_are_repeated() {
        let delivered = |partition, run| Delivered {
            partition,
            run: Some(RunId(run)),
        };
        let mut deliveries = Deliveries::default();
        let mut row = |partition, run, lsn, is_last| {
            let position = Some(at(lsn));
            deliveries.repeats_snapshot(delivered(partition, run), OriginId(0), position, is_last)
        };
        assert!(!row(0, 1, 10, false) && !row(0, 1, 10, true));
        assert!(row(0, 1, 10, false) && row(0, 1, 10, true));
        // Other partitions, runs and snapshots have ends of their own.
        assert!(!row(1, 1, 10, false) && !row(0, 2, 10, false) && !row(0, 1, 11, false));
        let pieces: Vec<_> = deliveries.take_dirty().into_iter().map(|it| it.1).collect();
        let mut restored = Deliveries::restore(&pieces).unwrap();
        assert!(restored.repeats_snapshot(delivered(0, 1), OriginId(0), Some(at(10)), false));
    }

    #[test]
    fn what_was_streamed_after_a_repeated_snapshot_is_repeated() {
        let mut deliveries = Deliveries::default();
        let delivered = Delivered {
            partition: 0,
            run: Some(RunId(1)),
        };
        let snapshot = Some(at(5));
        assert!(!deliveries.repeats_snapshot(delivered, OriginId(0), snapshot, true));
        assert!(deliveries.is_news(delivered, &create(7, 10, b"x")));
        assert!(deliveries.repeats_snapshot(delivered, OriginId(0), snapshot, true));
        assert!(!deliveries.is_news(delivered, &create(7, 10, b"x")));
    }

    #[test]
    fn the_order_of_partitions_does_not_matter() {
        let runs = [(1, 0, 7, 10, "x"), (2, 1, 7, 10, "x")];
        let mixed = [runs[0], runs[1], runs[0], runs[1]];
        assert_eq!(
            news(&mut Deliveries::default(), &mixed),
            [true, false, true, false]
        );
        let spread = [(1, 0, 7, 10, "x"), (1, 1, 7, 10, "x"), (2, 1, 7, 10, "x")];
        assert_eq!(
            news(&mut Deliveries::default(), &spread),
            [true, true, false]
        );
    }

    #[test]
    fn without_runs_a_transaction_that_begins_again_is_repeated() {
        let (one, two, three) = ((0, 0, 7, 10, "x"), (0, 0, 7, 11, "x"), (0, 0, 8, 9, "y"));
        // Positions go back within a transaction, or another one was read in between.
        let back = [one, two, one, two];
        assert_eq!(
            news(&mut Deliveries::default(), &back),
            [true, true, false, false]
        );
        let between = [one, one, three, one, one, three, one];
        assert_eq!(
            news(&mut Deliveries::default(), &between),
            [true, true, true, false, false, false, false]
        );
        // It went back into the middle of a transaction first, and to its beginning later.
        let further = [one, two, three, two, three, one, two];
        assert_eq!(
            news(&mut Deliveries::default(), &further),
            [true, true, true, false, false, false, false]
        );
    }

    #[test]
    fn what_is_restored_goes_on_in_the_middle_of_a_transaction() {
        let mut deliveries = Deliveries::default();
        let half = [(1, 0, 7, 10, "x"), (1, 0, 7, 10, "x")];
        news(&mut deliveries, &half);
        let pieces: Vec<_> = deliveries.take_dirty().into_iter().map(|it| it.1).collect();
        assert!(deliveries.take_dirty().is_empty());
        let mut restored = Deliveries::restore(&pieces).unwrap();
        restored.reading = deliveries.reading.clone();
        let rest = [(1, 0, 7, 10, "x"), (2, 0, 7, 10, "x"), (2, 0, 7, 10, "x")];
        assert_eq!(news(&mut restored, &rest), [true, false, false]);
        let third = [(2, 0, 7, 10, "x"), (2, 0, 7, 10, "x")];
        assert_eq!(news(&mut restored, &third), [false, true]);
        assert!(Deliveries::restore(&[pieces[0][..5].to_vec()]).is_none());
    }

    #[test]
    fn the_oldest_changes_are_forgotten_a_segment_at_a_time() {
        let mut deliveries = Deliveries::default();
        let run = |run| Delivered {
            partition: 0,
            run: Some(RunId(run)),
        };
        let mut pieces = BTreeMap::new();
        // One transaction, which is remembered first, and is forgotten with the oldest changes.
        for lsn in 1..=REMEMBERED_MAX as u64 {
            assert!(deliveries.is_news(run(1), &create(7, lsn, b"x")));
            if lsn % 1000 == 0 {
                pieces.extend(deliveries.take_dirty());
            }
        }
        pieces.extend(deliveries.take_dirty());
        let kept = REMEMBERED_MAX - SEGMENT_CHANGES + 1;
        assert_eq!(deliveries.seen.len(), kept);
        let pieces: Vec<_> = pieces.into_values().collect();
        for mut deliveries in [deliveries, Deliveries::restore(&pieces).unwrap()] {
            assert_eq!(deliveries.seen.len(), kept);
            let kept = REMEMBERED_MAX as u64 - 5;
            assert!(deliveries.is_news(run(2), &create(7, 5, b"x")));
            assert!(!deliveries.is_news(run(2), &create(7, kept, b"x")));
        }
    }
}
