//! Reads the values of one row after another, with those of the rows they are related to.

use std::cell::{OnceCell, RefCell};
use std::ops::ControlFlow;
use std::sync::Arc;

use row_model::{CutId, RawCell, Row, SmallNumber, Value, Version};

use super::columns::Columns;
use super::finder::RowTable;
use super::prepared::PreparedExists;
use super::{Finder, Prepared};
use crate::bind::scope::Scope;
use crate::cast::{Cast, CastError};
use crate::predicate::{Layouts, Source};
use crate::sieve::{Sieve, Sifted};

/// Belongs to one thread.
#[derive(Debug)]
pub(crate) struct Reader {
    scope: Arc<Scope>,
    prepared: Arc<Prepared>,
    cut: CutId,
    layouts: Layouts,
    /// Of the row itself.
    columns: Columns,
    /// Of each level but the first.
    joined: Vec<Joined>,
    /// Of each relation that is asked for, for the rows it leads to.
    inner: Vec<Option<RefCell<Box<Reader>>>>,
    /// What is looked for, one buffer at a time: levels are found while others are.
    probes: RefCell<Vec<Vec<u8>>>,
    /// A value that could not be turned into what was asked for.
    refused: RefCell<Option<CastError>>,
}

#[derive(Debug)]
struct Joined {
    layouts: RefCell<Layouts>,
    /// For the row looked at now; found when first asked for.
    found: OnceCell<Option<JoinedRow>>,
    filter: Option<RefCell<Box<Reader>>>,
    /// Where columns in use lie in rows that have nothing else.
    own_places: Box<[Option<usize>]>,
}

/// More is to be looked at than an integer.
pub(crate) struct NotByInteger;

/// A related row.
#[derive(Debug)]
enum JoinedRow {
    /// With the places of the columns in use.
    Found(Version, Arc<[Option<usize>]>),
    /// By its number among those that were prepared.
    Prepared(u32),
}

/// The row that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    row: Row<'a>,
    places: &'a [Option<usize>],
    reader: &'a Reader,
}

impl Reader {
    pub fn new(scope: &Arc<Scope>, prepared: &Arc<Prepared>, cut: CutId) -> Self {
        let joined = scope.levels[1..].iter().enumerate().map(|(at, level)| {
            let filter = level.join.as_ref().and_then(|join| join.filter.as_ref());
            let prepared = prepared.joins.get(at).and_then(|join| join.filter.as_ref());
            Joined {
                layouts: RefCell::new(level.layouts()),
                own_places: (0..level.used.len()).map(Some).collect(),
                found: OnceCell::new(),
                filter: filter.zip(prepared).map(|((scope, _), prepared)| {
                    RefCell::new(Box::new(Self::new(scope, prepared, cut)))
                }),
            }
        });
        let inner = scope.exists.iter().zip(&prepared.exists);
        let inner = inner.map(|(exists, prepared)| match prepared {
            PreparedExists::Looked { inner, .. } => {
                let reader = Self::new(&exists.scope, inner, cut);
                Some(RefCell::new(Box::new(reader)))
            }
            PreparedExists::Among(_) => None,
        });
        Self {
            cut,
            layouts: scope.levels[0].layouts(),
            columns: Columns::default(),
            joined: joined.collect(),
            inner: inner.collect(),
            probes: RefCell::default(),
            refused: RefCell::default(),
            scope: Arc::clone(scope),
            prepared: Arc::clone(prepared),
        }
    }

    /// For rows whose related ones are known: it finds none itself.
    pub fn of_found(scope: &Arc<Scope>) -> Self {
        let prepared = Prepared {
            joins: Vec::new(),
            exists: Vec::new(),
        };
        Self::new(scope, &Arc::new(prepared), CutId(0))
    }

    /// Asks a sieve about rows.
    pub fn sift(&mut self, sieve: &mut Sieve, lot: &[&Version]) -> Option<Sifted> {
        sieve.sift(lot, &mut self.layouts)
    }

    /// The cell of a column of a row itself, by its number among those in use.
    pub fn raw<'a>(&mut self, version: &'a Version, slot: usize) -> Option<RawCell<'a>> {
        self.columns.cell(&mut self.layouts, version, slot)
    }

    /// The small number in a plain column of a row itself; `None` if it is not one.
    pub fn small_number(&mut self, version: &Version, source: &Source) -> Option<SmallNumber> {
        self.columns
            .small_number(&mut self.layouts, version, source)
    }

    /// The number of the row of a level, among those that were prepared, where a look at an integer tells.
    pub fn prepared_by_integer(
        &mut self,
        version: &Version,
        level: usize,
    ) -> Result<Option<u32>, NotByInteger> {
        let join = self.scope.levels[level].join.as_ref();
        let [source] = join.map_or(&[][..], |join| &join.link.from) else {
            return Err(NotByInteger);
        };
        let number = self
            .columns
            .small_number(&mut self.layouts, version, source);
        let integer = number.and_then(SmallNumber::integer);
        let dense = self.prepared(level).and_then(RowTable::dense);
        let (integer, dense) = integer.zip(dense).ok_or(NotByInteger)?;
        Ok(dense.find(integer))
    }

    /// The cell of a column of a prepared row, by its number among those in use.
    pub fn prepared_raw(&self, level: usize, number: u32, slot: usize) -> Option<RawCell<'_>> {
        self.prepared(level)?.row(number).raw(slot)
    }

    /// Turns to a row; `None` if its key is deleted.
    pub fn view<'a>(&'a mut self, version: &'a Version) -> Option<View<'a>> {
        let row = version.row()?;
        for joined in &mut self.joined {
            joined.found.take();
        }
        self.layouts.turn_to(version.schema());
        Some(View {
            row,
            places: self.layouts.places(),
            reader: self,
        })
    }

    /// Turns to a row of which the related one of a level was found before, among those that were prepared.
    pub fn view_prepared<'a>(
        &'a mut self,
        version: &'a Version,
        (level, number): (usize, Option<u32>),
    ) -> Option<View<'a>> {
        let view = self.view(version)?;
        let found = &view.reader.joined[level - 1].found;
        let set = found.set(number.map(JoinedRow::Prepared));
        debug_assert!(set.is_ok(), "it was just emptied");
        Some(view)
    }

    /// Whether all rows of a level were prepared.
    pub fn is_prepared(&self, level: usize) -> bool {
        self.prepared(level).is_some()
    }

    /// Turns to a row whose related ones were found before.
    pub fn view_with<'a>(
        &'a mut self,
        version: &'a Version,
        related: &[Option<Version>],
    ) -> Option<View<'a>> {
        for (joined, related) in self.joined.iter_mut().zip(related) {
            joined.found.take();
            let found = related.clone().map(|version| {
                let (version, places) = joined.layouts.get_mut().laid_out(version);
                JoinedRow::Found(version, places)
            });
            let set = joined.found.set(found);
            debug_assert!(set.is_ok(), "it was just emptied");
        }
        let row = version.row()?;
        self.layouts.turn_to(version.schema());
        Some(View {
            row,
            places: self.layouts.places(),
            reader: self,
        })
    }

    /// Whether every value could be turned into what was asked for.
    pub fn checked(&self) -> Result<(), CastError> {
        self.refused.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn cast<T>(&self, cast: &Cast, value: Value<'_>, then: impl FnOnce(Value<'_>) -> T) -> T {
        match cast.apply(value, &mut Vec::new()) {
            Ok(value) => then(value),
            Err(error) => {
                self.refused.borrow_mut().get_or_insert(error);
                then(Value::Null)
            }
        }
    }

    /// The row of a level, for the row that is looked at.
    fn joined(&self, level: usize, view: &View<'_>) -> Option<&JoinedRow> {
        let joined = &self.joined[level - 1];
        joined.found.get_or_init(|| self.find(level, view)).as_ref()
    }

    /// The rows of a level, if all of them were prepared.
    fn prepared(&self, level: usize) -> Option<&RowTable> {
        match &self.prepared.joins.get(level - 1)?.finder {
            Finder::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    fn find(&self, level: usize, view: &View<'_>) -> Option<JoinedRow> {
        let join = self.scope.levels[level].join.as_ref()?;
        let finder = &self.prepared.joins.get(level - 1)?.finder;
        let joined = &self.joined[level - 1];
        let mut found = None;
        if let Finder::Rows(rows) = finder {
            if let [source] = &join.link.from[..]
                && let Some(integer) = view.small_number(source).and_then(SmallNumber::integer)
                && let Some(dense) = rows.dense()
            {
                return dense.find(integer).map(JoinedRow::Prepared);
            }
            let number = self.with_probe(|probe| {
                let whole = finder.probe(view, &join.link, probe);
                whole.then(|| rows.find(probe)).flatten()
            });
            return number.map(JoinedRow::Prepared);
        }
        self.with_probe(|probe| {
            if !finder.probe(view, &join.link, probe) {
                return;
            }
            let _ = finder.each(probe, self.cut, |version| {
                if let (Some(reader), Some((_, filter))) = (&joined.filter, &join.filter) {
                    let mut reader = reader.borrow_mut();
                    let meets = |view: View<'_>| filter.test(&view) == Some(true);
                    if !reader.view(version).is_some_and(meets) {
                        return ControlFlow::Continue(());
                    }
                }
                found = Some(version.clone());
                ControlFlow::Break(())
            });
        });
        let (version, places) = joined.layouts.borrow_mut().laid_out(found?);
        Some(JoinedRow::Found(version, places))
    }

    fn with_probe<T>(&self, then: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut probe = self.probes.borrow_mut().pop().unwrap_or_default();
        let answer = then(&mut probe);
        self.probes.borrow_mut().push(probe);
        answer
    }
}

impl View<'_> {
    /// Calls `then` with a value of the row, or of one it is related to.
    pub fn with_value<T>(&self, source: &Source, then: impl FnOnce(Value<'_>) -> T) -> T {
        let then = |value: Value<'_>| match &source.cast {
            None => then(value),
            Some(cast) => self.reader.cast(cast, value, then),
        };
        if source.level == 0 {
            return with_part(self.row, self.places, source, then);
        }
        match self.reader.joined(source.level, self) {
            Some(JoinedRow::Found(version, places)) => match version.row() {
                Some(row) => with_part(row, places, source, then),
                None => then(Value::Null),
            },
            Some(JoinedRow::Prepared(number)) => match self.reader.prepared(source.level) {
                Some(rows) => {
                    let places = &self.reader.joined[source.level - 1].own_places;
                    with_part(rows.row(*number), places, source, then)
                }
                None => then(Value::Null),
            },
            None => then(Value::Null),
        }
    }

    /// The number of the related row of a level among those that were prepared, if they were.
    pub fn prepared(&self, level: usize) -> Option<u32> {
        match self.reader.joined(level, self)? {
            JoinedRow::Prepared(number) => Some(*number),
            JoinedRow::Found(..) => None,
        }
    }

    /// The small number in a plain column of the row itself; `None` if it is not one.
    pub fn small_number(&self, source: &Source) -> Option<SmallNumber> {
        if !source.is_plain() {
            return None;
        }
        let place = self.places.get(source.slot).copied().flatten()?;
        self.row.small_number(place)
    }

    /// Whether a plain column of the row itself holds exactly this text; `None` if that is to be found out by its value.
    pub fn is_text(&self, source: &Source, text: &str) -> Option<bool> {
        if !source.is_plain() {
            return None;
        }
        let place = self.places.get(source.slot).copied().flatten()?;
        self.row.is_text(place, text)
    }

    /// The related row of a level.
    pub fn related(&self, level: usize) -> Option<Version> {
        match self.reader.joined(level, self)? {
            JoinedRow::Found(version, _) => Some(version.clone()),
            JoinedRow::Prepared(number) => {
                let rows = self.reader.prepared(level)?;
                Some(rows.version(*number).clone())
            }
        }
    }

    /// Whether there is a row as the scope's relation of this number wants it.
    pub fn has_related(&self, number: usize) -> bool {
        let reader = self.reader;
        let exists = &reader.scope.exists[number];
        reader.with_probe(|probe| match &reader.prepared.exists[number] {
            PreparedExists::Among(keys) => {
                super::finder::probe(self, &exists.link, probe) && keys.contains(&probe[..])
            }
            PreparedExists::Looked { finder, .. } => {
                let Some(inner) = &reader.inner[number] else {
                    return false;
                };
                let mut inner = inner.borrow_mut();
                finder.probe(self, &exists.link, probe)
                    && finder
                        .each(probe, reader.cut, |version| {
                            let meets = |view: View<'_>| exists.predicate.test(&view) == Some(true);
                            if inner.view(version).is_some_and(meets) {
                                ControlFlow::Break(())
                            } else {
                                ControlFlow::Continue(())
                            }
                        })
                        .is_break()
            }
        })
    }
}

fn with_part<T>(
    row: Row<'_>,
    places: &[Option<usize>],
    source: &Source,
    then: impl FnOnce(Value<'_>) -> T,
) -> T {
    let place = places.get(source.slot).copied().flatten();
    let value = place
        .and_then(|place| row.get(place))
        .unwrap_or(Value::Null);
    match (&source.path, value) {
        (None, value) => then(value),
        (Some(path), Value::Json(json)) => path.with_value(json, then),
        (Some(_), Value::Unavailable) => then(Value::Unavailable),
        (Some(_), _) => then(Value::Null),
    }
}
