//! Visits every row of a table at a cut, with a look at the clock between chunks.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use row_model::Version;
use table_store::TableCut;

use super::Run;
use crate::list::ListError;

/// Costly rows that are looked at between two looks at the clock.
const ROWS_BETWEEN_LOOKS: usize = 64;

/// Takes the rows of a visit.
pub(crate) trait Sink {
    /// To break is to want no more.
    fn offer(&mut self, version: &Version) -> ControlFlow<()>;

    /// Rows were to come in order, and will not: none has come yet.
    fn without_order(&mut self) {}

    /// Takes some rows in their order; `_orders` are, of each, the sort keys of what rows are ordered by.
    fn offer_lot(&mut self, lot: &[&Version], _orders: Option<&[&[u8]]>) -> ControlFlow<()> {
        lot.iter().try_for_each(|version| self.offer(version))
    }
}

/// Offers all rows of a table to one sink. `aside` says that they are to be looked at while nothing is locked.
pub(crate) fn visit(
    table: &TableCut,
    aside: bool,
    sink: &mut impl Sink,
    run: Run<'_>,
) -> Result<(), ListError> {
    check_size(table, run)?;
    let mut visitor = Visitor::new(table, aside, run);
    let (mut chunk, mut examined) = (0, 0);
    while visitor.chunk(chunk, sink, &mut examined)? {
        chunk += 1;
    }
    Ok(())
}

/// Offers each row of a table to one of the sinks.
pub(crate) fn visit_shared<S: Sink + Send>(
    table: &TableCut,
    aside: bool,
    sinks: &mut [S],
    run: Run<'_>,
) -> Result<(), ListError> {
    check_size(table, run)?;
    let [_, _, ..] = sinks else {
        let Some(sink) = sinks.first_mut() else {
            return Ok(());
        };
        return visit(table, aside, sink, run);
    };
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let one = |sink: &mut S| {
        let mut visitor = Visitor::new(table, aside, run);
        let mut examined = 0;
        while !stop.load(Ordering::Relaxed) {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            let more = visitor.chunk(chunk, sink, &mut examined);
            if !matches!(more, Ok(true)) {
                // Chunks are dense: past the last there is none. An error ends the others, too.
                stop.fetch_or(more.is_err(), Ordering::Relaxed);
                return more.map(|_| ());
            }
        }
        Ok(())
    };
    let ended = Mutex::new(Ok(()));
    let sinks: Vec<Mutex<&mut S>> = sinks.iter_mut().map(Mutex::new).collect();
    run.budget.workers.all(sinks.len(), &|number| {
        let worked = one(&mut sinks[number].lock());
        let mut ended = ended.lock();
        *ended = std::mem::replace(&mut *ended, Ok(())).and(worked);
    });
    ended.into_inner()
}

/// How many sinks a visit of a table is worth.
pub(crate) fn sinks_for(table: &TableCut, run: Run<'_>) -> usize {
    run.budget.workers.for_rows(table.rows).max(1)
}

fn check_size(table: &TableCut, run: Run<'_>) -> Result<(), ListError> {
    if table.rows > run.budget.rows_max {
        return Err(ListError::TooManyRows {
            table: table.table.identity().name.clone(),
            rows: table.rows,
            max: run.budget.rows_max,
        });
    }
    Ok(())
}

struct Visitor<'a> {
    table: &'a TableCut,
    aside: Option<Vec<Version>>,
    run: Run<'a>,
}

impl<'a> Visitor<'a> {
    fn new(table: &'a TableCut, aside: bool, run: Run<'a>) -> Self {
        Self {
            table,
            aside: aside.then(Vec::new),
            run,
        }
    }

    /// Offers the rows of a chunk; `false` if there is none, or no more are wanted.
    fn chunk(
        &mut self,
        chunk: usize,
        sink: &mut impl Sink,
        examined: &mut u64,
    ) -> Result<bool, ListError> {
        let (table, cut) = (&self.table.table, self.run.cut);
        let mut wanted = ControlFlow::Continue(());
        let Some(aside) = &mut self.aside else {
            let there = table.visit_chunk_in_lots(chunk, cut, |lot| {
                *examined += lot.len() as u64;
                if wanted.is_continue() {
                    wanted = sink.offer_lot(lot, None);
                }
            });
            look(self.table, self.run, *examined)?;
            return Ok(there && wanted.is_continue());
        };
        let there = table.visit_chunk(chunk, cut, |version| aside.push(version.clone()));
        for some in aside.chunks(ROWS_BETWEEN_LOOKS) {
            look(self.table, self.run, *examined)?;
            *examined += some.len() as u64;
            if some
                .iter()
                .try_for_each(|version| sink.offer(version))
                .is_break()
            {
                wanted = ControlFlow::Break(());
                break;
            }
        }
        aside.clear();
        Ok(there && wanted.is_continue())
    }
}

fn look(table: &TableCut, run: Run<'_>, examined: u64) -> Result<(), ListError> {
    if (run.budget.is_late)() {
        return Err(ListError::late(table, examined));
    }
    Ok(())
}
