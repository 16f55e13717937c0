//! Keeps the least rows after a place, of those that are offered and meet a condition.
//!
//! A row's place is its sort key, then its key: what rows are ordered by, and what a cursor carries. Only
//! references and places are held, one more than are wanted.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::{CutId, Version};
use smallvec::SmallVec;

use crate::bind::{BoundGroup, BoundQuery, SortColumn};
use crate::compare::push_sort_key;
use crate::list::ListError;
use crate::predicate::Predicate;
use crate::run::{Prepared, Reader, Sink, View};
use crate::sieve::{Sieve, Sifted};

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Those after this place, ...
    pub after: Option<Vec<u8>>,
    /// ... of which so many are passed over, ...
    pub offset: usize,
    /// ... and so many taken.
    pub limit: usize,
    /// How many meet the condition is to be known.
    pub counted: bool,
}

impl Window {
    /// Rows that are looked at if they come in order, and all of them count.
    pub fn rows(&self) -> u64 {
        self.offset.saturating_add(self.limit).saturating_add(1) as u64
    }
}

/// The least rows so far.
#[derive(Debug)]
pub(crate) struct Least {
    rows: Rows,
    keep: usize,
}

#[derive(Debug)]
enum Rows {
    /// Fewer than are kept, as they came.
    Few(Vec<Candidate>),
    /// As many as are kept.
    Heap(BinaryHeap<Candidate>),
    /// They came in order.
    InOrder(Vec<Candidate>),
}

/// What was found, in order.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub rows: Vec<Candidate>,
    /// There are more after them.
    pub more: bool,
    pub examined: u64,
    pub matched: u64,
}

impl Least {
    pub fn new(window: &Window) -> Self {
        Self {
            rows: Rows::Few(Vec::new()),
            // One more tells whether there are more.
            keep: window.offset.saturating_add(window.limit).saturating_add(1),
        }
    }

    /// The same for rows that will come in order.
    fn in_order(window: &Window) -> Self {
        Self {
            rows: Rows::InOrder(Vec::new()),
            ..Self::new(window)
        }
    }

    /// Whether a row at this place would be among them.
    pub fn may_enter(&self, place: &[u8]) -> bool {
        self.len() < self.keep
            || match &self.rows {
                Rows::Heap(rows) => rows.peek().is_some_and(|last| place < last.place()),
                Rows::Few(_) | Rows::InOrder(_) => false,
            }
    }

    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Heap(rows) => rows.len(),
            Rows::Few(rows) | Rows::InOrder(rows) => rows.len(),
        }
    }

    /// Takes a row that [`may_enter`](Self::may_enter).
    pub fn push(&mut self, candidate: Candidate) {
        match &mut self.rows {
            Rows::Few(rows) => {
                if rows.is_empty() {
                    rows.reserve(self.keep.min(ROWS_USUAL));
                }
                rows.push(candidate);
                if rows.len() == self.keep {
                    self.rows = Rows::Heap(std::mem::take(rows).into());
                }
            }
            Rows::Heap(rows) => {
                rows.pop();
                rows.push(candidate);
            }
            Rows::InOrder(rows) => rows.push(candidate),
        }
    }

    pub fn is_full(&self) -> bool {
        self.len() == self.keep
    }

    /// The rows of the window, and whether there are more.
    pub fn finish(self, window: &Window) -> (Vec<Candidate>, bool) {
        let more = self.is_full();
        let mut rows = self.into_rows();
        rows.drain(..window.offset.min(rows.len()));
        rows.truncate(window.limit);
        (rows, more)
    }

    fn into_rows(self) -> Vec<Candidate> {
        match self.rows {
            Rows::Few(mut rows) => {
                rows.sort_unstable();
                rows
            }
            Rows::Heap(rows) => rows.into_sorted_vec(),
            Rows::InOrder(rows) => rows,
        }
    }
}

/// Looks at the rows of a query one by one.
pub(crate) struct Looker<'q> {
    predicate: &'q Predicate,
    order: &'q [SortColumn],
    reader: Reader,
    /// The place of the row that is looked at; empty if it is its key alone.
    place: Vec<u8>,
}

impl<'q> Looker<'q> {
    pub fn new(query: &'q BoundQuery, prepared: &Arc<Prepared>, cut: CutId) -> Self {
        Self {
            predicate: &query.predicate,
            order: &query.order,
            reader: Reader::new(&query.scope, prepared, cut),
            place: Vec::new(),
        }
    }

    /// Looks at the groups of a query.
    fn of_groups(
        query: &'q BoundQuery,
        group: &'q BoundGroup,
        prepared: &Arc<Prepared>,
        cut: CutId,
    ) -> Self {
        Self {
            predicate: &group.having,
            order: &query.order,
            reader: Reader::new(&group.scope, prepared, cut),
            place: Vec::new(),
        }
    }

    /// The place of a row that meets the condition.
    pub fn look<'a>(&'a mut self, version: &'a Version) -> Option<&'a [u8]> {
        self.place_if(version, Known::default())
    }

    /// The place of a row, if it meets the condition.
    fn place_if<'a>(&'a mut self, version: &'a Version, known: Known<'_>) -> Option<&'a [u8]> {
        let is_met = known.is_met || self.predicate.takes_all();
        if is_met && self.order.is_empty() {
            return (!version.is_deleted()).then(|| version.key());
        }
        self.place.clear();
        if let (true, Some(order)) = (is_met, known.order) {
            self.place.extend_from_slice(order);
        } else {
            let view = self.reader.view(version)?;
            if !is_met && self.predicate.test(&view) != Some(true) {
                return None;
            }
            if self.order.is_empty() {
                return Some(version.key());
            }
            match known.order {
                Some(order) => self.place.extend_from_slice(order),
                None => write_order(&view, self.order, &mut self.place),
            }
        }
        self.place.extend_from_slice(version.key());
        Some(&self.place)
    }

    /// Rows are ordered by nothing but their keys.
    pub fn by_key(&self) -> bool {
        self.order.is_empty()
    }

    /// The row looked at last, to be kept.
    pub fn candidate(&self, version: &Version) -> Candidate {
        let version = version.clone();
        if self.by_key() {
            return Candidate::by_key(version);
        }
        Candidate {
            beginning: beginning(&self.place),
            place: SmallVec::from_slice(&self.place),
            version,
        }
    }
}

/// What is known of a row before it is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Known<'a> {
    /// It meets the condition.
    is_met: bool,
    /// The sort keys of what rows are ordered by.
    order: Option<&'a [u8]>,
}

fn write_order(view: &View<'_>, order: &[SortColumn], place: &mut Vec<u8>) {
    for column in order {
        view.with_value(&column.source, |value| {
            push_sort_key(value, column.descending, column.nulls_first, place);
        });
    }
}

/// The rows of one list.
pub(crate) struct Collector<'q> {
    looker: Looker<'q>,
    least: Least,
    window: Window,
    sieve: Option<Sieve>,
    examined: u64,
    matched: u64,
    /// Rows come in order: once there are enough, the rest is not looked at.
    in_order: bool,
}

impl<'q> Collector<'q> {
    pub fn new(
        query: &'q BoundQuery,
        prepared: &Arc<Prepared>,
        window: Window,
        cut: CutId,
    ) -> Self {
        Self::with(Looker::new(query, prepared, cut), window)
    }

    /// For the groups of a query.
    pub fn of_groups(
        query: &'q BoundQuery,
        group: &'q BoundGroup,
        prepared: &Arc<Prepared>,
        window: Window,
        cut: CutId,
    ) -> Self {
        Self::with(Looker::of_groups(query, group, prepared, cut), window)
    }

    /// Rows will come in order: once there are enough, the rest need not be looked at.
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self.least = Least::in_order(&self.window);
        self
    }

    fn with(looker: Looker<'q>, window: Window) -> Self {
        Self {
            least: Least::new(&window),
            window,
            sieve: Sieve::of(looker.predicate),
            looker,
            examined: 0,
            matched: 0,
            in_order: false,
        }
    }

    /// What all of them found together.
    pub fn finish(collectors: Vec<Self>) -> Result<Found, ListError> {
        let mut collectors = collectors.into_iter();
        let Some(mut all) = collectors.next() else {
            return Ok(Found::default());
        };
        all.looker.reader.checked()?;
        for other in collectors {
            other.looker.reader.checked()?;
            all.examined += other.examined;
            all.matched += other.matched;
            for candidate in other.least.into_rows() {
                if all.least.may_enter(candidate.place()) {
                    all.least.push(candidate);
                }
            }
        }
        let (rows, more) = all.least.finish(&all.window);
        Ok(Found {
            rows,
            more,
            examined: all.examined,
            matched: all.matched,
        })
    }
}

impl Collector<'_> {
    /// Takes a row, if it meets the condition.
    fn take(&mut self, version: &Version, known: Known<'_>) -> ControlFlow<()> {
        let after = self.window.after.as_deref();
        let wanted = |place: &[u8], least: &Least| {
            after.is_none_or(|after| place > after) && least.may_enter(place)
        };
        let goes_by_key = self.goes_by_key();
        if goes_by_key && !wanted(version.key(), &self.least) {
            return ControlFlow::Continue(());
        }
        let Some(place) = self.looker.place_if(version, known) else {
            return ControlFlow::Continue(());
        };
        self.matched += 1;
        if goes_by_key || wanted(place, &self.least) {
            self.least.push(self.looker.candidate(version));
            if self.in_order && !self.window.counted && self.least.is_full() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// A row's key alone may say that it is not wanted.
    fn goes_by_key(&self) -> bool {
        self.looker.by_key() && !self.window.counted
    }
}

impl Sink for Collector<'_> {
    fn offer(&mut self, version: &Version) -> ControlFlow<()> {
        self.examined += 1;
        self.take(version, Known::default())
    }

    fn without_order(&mut self) {
        self.in_order = false;
        self.least = Least::new(&self.window);
    }

    fn offer_lot(&mut self, lot: &[&Version], orders: Option<&[&[u8]]>) -> ControlFlow<()> {
        let keys_say_more = self.goes_by_key() && self.least.is_full();
        let sieve = self.sieve.as_mut().filter(|_| !keys_say_more);
        let sifted = sieve.and_then(|sieve| self.looker.reader.sift(sieve, lot));
        let Some(sifted) = sifted.or_else(|| Sifted::open(lot.len())) else {
            return lot.iter().try_for_each(|version| self.offer(version));
        };
        self.examined += lot.len() as u64;
        sifted.left().try_for_each(|(at, is_met)| {
            let order = orders.map(|orders| orders[at]);
            self.take(lot[at], Known { is_met, order })
        })
    }
}

/// As many rows as a short list has.
const ROWS_USUAL: usize = 8;

/// As many bytes as a time or a number and a key of one number take.
const PLACE_BYTES_USUAL: usize = 32;

/// A row that may be wanted. Ordered by its place.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Of its place: most rows are told apart by this, without going to where they lie.
    beginning: u64,
    /// Empty if rows are ordered by key alone: the key is in the version.
    place: SmallVec<[u8; PLACE_BYTES_USUAL]>,
    pub version: Version,
}

impl Candidate {
    /// A row whose place is its key.
    pub fn by_key(version: Version) -> Self {
        Self {
            beginning: beginning(version.key()),
            place: SmallVec::new(),
            version,
        }
    }

    pub fn place(&self) -> &[u8] {
        if self.place.is_empty() {
            self.version.key()
        } else {
            &self.place
        }
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_beginning = self.beginning.cmp(&other.beginning);
        by_beginning.then_with(|| self.place().cmp(other.place()))
    }
}

/// The first bytes of a place, as a number that is less if they are. Zeros stand for what is not there.
fn beginning(place: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    match place.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..place.len()].copy_from_slice(place),
    }
    u64::from_be_bytes(bytes)
}
